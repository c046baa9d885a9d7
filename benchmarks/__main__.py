"""Runs every row for every contender, each measurement in a fresh process, interleaved; prints ratios to raw.

`python -m benchmarks [--database postgres|mongo] [--row NAME …] [--contender NAME …] [--repeat 5]
[--json FILE [--resume]] [--plot FILE.svg]`
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from benchmarks import contenders as sqlite
from benchmarks import mongo, postgres
from benchmarks.contenders import Contender
from benchmarks.peers import peers
from benchmarks.places import MONGO_URL, URL
from benchmarks.plot import picture
from benchmarks.rows import ROWS

Contenders = Mapping[str, tuple[Callable[[], Contender[Any]], str]]
DATABASES: dict[str, Contenders] = {
    "sqlite": {**sqlite.CONTENDERS, **peers("sqlite")},
    "postgres": {**postgres.CONTENDERS, **peers("postgres")},
    "mongo": mongo.CONTENDERS,
}


async def _once(row: str, make: Callable[[], Contender[Any]]) -> float:
    made = make()
    with TemporaryDirectory() as folder:
        await made.open(Path(folder) / "benchmark.db")
        try:
            return await ROWS[row](made)
        finally:
            await made.close()


def _measured(database: str, row: str, contender: str) -> float:
    """Seconds, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", "--database", database, "--one", row, contender]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def _table(times: dict[str, dict[str, list[float]]], contenders: list[str]) -> list[str]:
    width = max(map(len, times)) + 2
    widths = {name: max(len(name), 8) + 2 for name in contenders}
    lines = ["".ljust(width) + "".join(name.rjust(widths[name]) for name in contenders)]
    for row, found in times.items():
        base = median(found["raw"])
        ratios = [f"{median(found[name]) / base:.2f}".rjust(widths[name]) for name in contenders]
        lines.append(row.ljust(width) + "".join(ratios))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--row", action="append", choices=[*ROWS], help="only this row (may be repeated)")
    parser.add_argument("--contender", action="append", help="only this one, besides raw")
    parser.add_argument("--database", choices=[*DATABASES], default="sqlite", help="on which database")
    parser.add_argument("--repeat", type=int, default=5, help="measurements of each (default 5)")
    parser.add_argument("--json", type=Path, help="write the seconds of all measurements to this file, row by row")
    parser.add_argument("--resume", action="store_true", help="go on where the run that wrote --json was stopped")
    parser.add_argument("--plot", type=Path, help="draw the ratios into this SVG file")
    parser.add_argument("--one", nargs=2, metavar=("ROW", "CONTENDER"), help="one measurement in this process; seconds")
    chosen = parser.parse_args()
    found = DATABASES[chosen.database]
    if unknown := [name for name in chosen.contender or () if name not in found]:
        parser.error(f"{', '.join(unknown)}: on {chosen.database} there are {', '.join(found)}")
    if chosen.resume and chosen.json is None:
        parser.error("--resume goes on with the measurements in --json: name that file")
    if chosen.one:
        row, contender = chosen.one
        make, loop = found[contender]
        print(anyio.run(_once, row, make, backend=loop))
        return
    with _server(chosen.database):
        _compare(chosen, found)


@contextmanager
def _server(database: str) -> Iterator[None]:
    """A server of the benchmark's own, for a database that has one."""
    variable = {"postgres": URL, "mongo": MONGO_URL}.get(database)
    if variable is None or variable in os.environ:
        yield
        return
    from tests.servers import postgres as server
    from tests.servers.mongo import start
    from tests.servers.room import close_room, open_room, shared

    opened = open_room()
    try:
        if database == "mongo":
            os.environ[variable] = shared("mongo", start).url
        else:
            os.environ[variable] = server.address("benchmark", server.bundled())
        yield
    finally:
        if opened:
            close_room()


_REFUSED = {"mongo": ["join of 2,000 pairs"]}
"""The rows that Ommi has no answer to on a database."""

_PEERS = ["sqlalchemy", "sqlmodel", "tortoise-orm"]
_LIBRARIES = {"sqlite": ["aiosqlite", *_PEERS], "postgres": ["asyncpg", *_PEERS], "mongo": ["pymongo", "beanie"]}


def _about(database: str) -> dict[str, str]:
    """What was measured, with versions."""
    found = {"python": platform.python_version()}
    if database == "sqlite":
        found["sqlite"] = sqlite3.sqlite_version
    for name in _LIBRARIES[database]:
        with suppress(PackageNotFoundError):  # peers that nobody asked for need not be there
            found[name] = version(name)
    return found


def _before(chosen: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """What the run that is gone on with has measured."""
    if not chosen.resume or not chosen.json.exists():
        return {}
    found: dict[str, dict[str, list[float]]] = json.loads(chosen.json.read_text())["seconds"]
    return found


def _compare(chosen: argparse.Namespace, found: Contenders) -> None:
    rows: list[str] = chosen.row or [row for row in ROWS if row not in _REFUSED.get(chosen.database, ())]
    contenders: list[str] = ["raw", *(name for name in chosen.contender or found if name != "raw")]
    before = _before(chosen)
    times = {row: {name: list(before.get(row, {}).get(name, ())) for name in contenders} for row in rows}
    for row in rows:
        for turn in range(chosen.repeat):
            order = contenders[turn % len(contenders) :] + contenders[: turn % len(contenders)]
            for name in order:
                if len(times[row][name]) <= turn:
                    times[row][name].append(_measured(chosen.database, row, name))
            print(f"\r{row}: {turn + 1} of {chosen.repeat}".ljust(60), end="", file=sys.stderr, flush=True)
            if chosen.json is not None:  # after each turn, so that a run that is stopped leaves what it has
                kept = {**before, **{row: {**before.get(row, {}), **found} for row, found in times.items()}}
                chosen.json.write_text(json.dumps({"about": _about(chosen.database), "seconds": kept}, indent=1))
    print("\r".ljust(61) + "\r", end="", file=sys.stderr)
    said = ", ".join(f"{name} {version}" for name, version in _about(chosen.database).items())
    print(f"time relative to raw (median of {chosen.repeat}); {said}")
    print("\n".join(_table(times, contenders)))
    if chosen.plot is not None:
        title = f"Ommi on {chosen.database}: time relative to the raw driver"
        chosen.plot.write_text(picture(title, f"{said}; medians of {chosen.repeat}, less is better", times))
    if chosen.row is None and chosen.database == "sqlite":
        from benchmarks.interpreter import measure

        print("\ncost of a step without I/O, in microseconds")
        for name, spent in measure().items():
            print(f"  {name.ljust(46)}{spent:7.2f}")


if __name__ == "__main__":
    main()
