"""What a delay to the server costs: the more statements travel together, the less."""

from __future__ import annotations

import os
from statistics import median

from benchmarks import measuring
from benchmarks.figures.asked import Asked
from benchmarks.places import URL, server_url
from benchmarks.proxy import delayed
from benchmarks.results import Figure

__all__ = ["measure"]

_DELAYS = (0, 1, 10)
_ROWS = ("get by key", "transaction of 6 statements", "200 parents × 10 children")


def measure(asked: Asked) -> Figure:
    """Milliseconds of an operation behind a proxy, with each delay of what is sent."""
    direct = server_url()
    lines: dict[str, dict[str, float | None]] = {f"{row}, {delay} ms": {} for row in _ROWS for delay in _DELAYS}
    try:
        for delay in _DELAYS:
            with delayed(direct, delay) as url:
                os.environ[URL] = url
                with measuring.Workers(asked.database) as workers:
                    times = measuring.measure(workers, _ROWS, asked.contenders, asked.repeat, {}, lambda _: None)
            for row, seconds in times.items():
                lines[f"{row}, {delay} ms"] = {name: median(found) * 1e3 for name, found in seconds.items()}
    finally:
        os.environ[URL] = direct
    return Figure("With a delay to the server", "ms each", lines)
