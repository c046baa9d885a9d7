"""How a get by key scales with the number of tasks that do it at once."""

from __future__ import annotations

from statistics import median

from benchmarks import measuring
from benchmarks.figures.asked import Asked
from benchmarks.results import Figure
from benchmarks.rows import TASKS

__all__ = ["measure"]


def measure(asked: Asked) -> Figure:
    """The time of one get, with 1, 10 and 100 tasks."""
    with measuring.Workers(asked.database) as workers:
        times = measuring.measure(workers, [*TASKS], asked.contenders, asked.repeat, {}, lambda _: None)
    lines: dict[str, dict[str, float | None]] = {
        row: {name: median(found) * 1e6 for name, found in seconds.items()} for row, seconds in times.items()
    }
    return Figure("A get by key among tasks that do the same", "µs each", lines)
