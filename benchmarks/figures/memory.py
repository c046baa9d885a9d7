"""Memory: how much a process grows while all rows are read, against the objects it then holds, and while a stream is.

`python -m benchmarks.figures.memory STEP CONTENDER FILE ROWS` is one step in a process of its own; it prints kilobytes.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.figures.asked import Asked
from benchmarks.records import records
from benchmarks.results import Figure

__all__ = ["main", "measure"]

_ROWS = (1_000, 10_000, 100_000, 1_000_000)
_AT_ONCE = 50_000
_STATUS = Path("/proc/self/status")


def measure(asked: Asked) -> Figure:
    """Megabytes, each the peak of a process that does nothing else, less what it had before."""
    lines: dict[str, dict[str, float | None]] = {}
    with TemporaryDirectory() as folder:
        for rows in _ROWS:
            path = Path(folder) / f"{rows}.db"
            _megabytes("fill", "ommi", path, rows)
            lines[f"{rows:,} rows"] = {
                "objects alone": _megabytes("hold", "raw", path, rows),
                ".all()": _megabytes("read", "ommi", path, rows),
                "raw, all": _megabytes("read", "raw", path, rows),
                ".stream()": _megabytes("stream", "ommi", path, rows),
                "raw, one by one": _megabytes("stream", "raw", path, rows),
            }
            path.unlink()
            print(f"memory: {rows:,} rows".ljust(60), end="\r", file=sys.stderr, flush=True)
    return Figure("Memory a process takes to read rows of SQLite", "MB", lines)


def _megabytes(step: str, contender: str, path: Path, rows: int) -> float:
    program = "import sys; from benchmarks.figures.memory import main; main(*sys.argv[1:])"
    command = [sys.executable, "-c", program, step, contender, str(path), str(rows)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout) / 1024


def _peak() -> int:
    """Kilobytes this process had at most; Linux counts those of the process it was forked from in `ru_maxrss`."""
    if _STATUS.exists():
        return int(_STATUS.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _begin() -> int:
    gc.collect()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is now
    return _peak()


async def _grown(contender: Contender[Any], path: Path, work: Callable[[], Any]) -> int:
    await contender.open(path)
    await contender.get(1)
    before = _begin()
    await work()
    grown = _peak() - before
    await contender.close()
    return grown


async def _read(contender: Contender[Any], path: Path, rows: int) -> int:
    async def work() -> None:
        assert len(await contender.fetch()) == rows

    return await _grown(contender, path, work)


async def _stream(contender: Contender[Any], path: Path, rows: int) -> int:
    async def work() -> None:
        assert await contender.stream() == rows

    return await _grown(contender, path, work)


async def _hold(contender: Contender[Any], path: Path, rows: int) -> int:
    before = _begin()
    held = list(records(rows))
    grown = _peak() - before
    assert len(held) == rows
    return grown


async def _fill(contender: Contender[Any], path: Path, rows: int) -> int:
    await contender.open(path)
    for begin in range(0, rows, _AT_ONCE):
        await contender.insert_many(list(records(min(rows - begin, _AT_ONCE))))
    await contender.close()
    return 0


def main(step: str, name: str, path: str, rows: str) -> None:
    """One step in this process; prints kilobytes."""
    make, loop = CONTENDERS[name]
    steps = {"fill": _fill, "read": _read, "hold": _hold, "stream": _stream}
    print(anyio.run(steps[step], make(), Path(path), int(rows), backend=loop))
