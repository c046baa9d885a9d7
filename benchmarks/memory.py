"""Memory: how much a process grows while `.all()` reads, against the objects it then holds, and while a stream does."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from benchmarks.contenders import WithOmmi
from benchmarks.records import records

__all__ = ["main"]


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


async def _measure(path: Path, rows: int) -> dict[str, float]:
    contender = WithOmmi()
    await contender.open(path)
    before = _peak()
    found = await contender.fetch()
    grown = _peak() - before
    assert len(found) == rows
    await contender.close()
    return {"rows": rows, "bytes per row while reading": grown * 1024 / rows}


async def _stream(path: Path, rows: int) -> dict[str, float]:
    contender = WithOmmi()
    await contender.open(path)
    before = _peak()
    assert await contender.stream() == rows
    grown = _peak() - before
    await contender.close()
    return {"rows": rows, "kilobytes a stream takes": grown}


async def _hold(path: Path, rows: int) -> dict[str, float]:
    before = _peak()
    held = list(records(rows))
    grown = _peak() - before
    assert len(held) == rows
    return {"rows": rows, "bytes per row held": grown * 1024 / rows}


async def _fill(path: Path, rows: int) -> dict[str, float]:
    contender = WithOmmi()
    await contender.open(path)
    for _ in range(0, rows, 50_000):
        await contender.insert_many(list(records(min(rows, 50_000))))
    await contender.close()
    return {}


def main(step: str, path: str, rows: str) -> None:
    """One step in this process; prints JSON."""
    steps = {"fill": _fill, "read": _measure, "hold": _hold, "stream": _stream}
    print(json.dumps(anyio.run(steps[step], Path(path), int(rows))))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        main(*sys.argv[1:])
    else:
        import subprocess

        with TemporaryDirectory() as folder:

            def measured(step: str, rows: int) -> None:
                command = [sys.executable, "-m", "benchmarks.memory", step, f"{folder}/{rows}.db", str(rows)]
                subprocess.run(command, check=True)

            for step in ("fill", "hold", "read"):
                measured(step, 300_000)
            for rows in (10_000, 100_000, 1_000_000):
                measured("fill", rows)
                measured("stream", rows)
