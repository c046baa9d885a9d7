"""A process that has imported a contender and measures rows, each in a fork of itself that does nothing else.

So that the imports of a contender, which no row is about, are waited for once. `python -m benchmarks.worker DATABASE
CONTENDER` answers each line with the name of a row by a line with the seconds, or by one that begins with `failed`.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from benchmarks.contenders import Contender
from benchmarks.databases import DATABASES, DRIVERS
from benchmarks.rows import ROWS, TASKS

__all__ = ["main"]

_AT_MOST = 120
"""Seconds that a measurement may take, before it is given up."""


async def _once(row: str, contender: Contender[Any]) -> float:
    with TemporaryDirectory() as folder:
        await contender.open(Path(folder) / "benchmark.db")
        try:
            return await {**ROWS, **TASKS}[row](contender)
        finally:
            await contender.close()


def _forked(row: str, make: Callable[[], Contender[Any]], loop: str) -> str:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_AT_MOST)
        try:
            said = str(anyio.run(_once, row, make(), backend=loop))
        except BaseException:  # noqa: BLE001 - it is told to the process that asked
            said = "failed: " + traceback.format_exc().replace("\n", "\\n")
        os.write(writing, said.encode()[-60_000:])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said or f"failed: it ended without an answer, or took more than {_AT_MOST} seconds"


def main(database: str, contender: str) -> None:
    """Answer the lines of the standard input."""
    make, loop = DATABASES[database][contender]
    for name in DRIVERS[database]:
        import_module(name)
    make()
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        print(_forked(line.strip(), make, loop), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
