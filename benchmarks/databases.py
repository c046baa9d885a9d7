"""Who is compared on which database, and the server of the benchmark's own that a database needs."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks import contenders as sqlite
from benchmarks import mongo, postgres
from benchmarks.contenders import Contender
from benchmarks.peers import peers
from benchmarks.places import MONGO_URL, URL
from benchmarks.rows import ROWS

__all__ = ["DATABASES", "DRIVERS", "about", "rows_of", "server"]

Contenders = Mapping[str, tuple[Callable[[], Contender[Any]], str]]
DATABASES: dict[str, Contenders] = {
    "sqlite": {**sqlite.CONTENDERS, **peers("sqlite")},
    "postgres": {**postgres.CONTENDERS, **peers("postgres")},
    "mongo": mongo.CONTENDERS,
}
DRIVERS = {
    "sqlite": ["aiosqlite", "ommi.drivers.sqlite"],
    "postgres": ["asyncpg", "ommi.drivers.postgres"],
    "mongo": ["pymongo", "ommi.drivers.mongo"],
}
"""The modules that measurements on a database import."""

_PEERS = ["sqlalchemy", "sqlmodel", "tortoise-orm", "piccolo", "django", "peewee"]
_LIBRARIES = {
    "sqlite": ["aiosqlite", *_PEERS],
    "postgres": ["asyncpg", *_PEERS, "peewee-async", "psycopg"],
    "mongo": ["pymongo", "beanie"],
}
_DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")
_REFUSED = {"mongo": ["join of 2,000 pairs"]}
"""The rows that Ommi has no answer to on a database."""


def rows_of(database: str) -> list[str]:
    """The rows of its table."""
    return [row for row in ROWS if row not in _REFUSED.get(database, ())]


def about(database: str, *, durable: bool = False) -> dict[str, str]:
    """What is measured, with versions."""
    found = {"python": platform.python_version()}
    if durable:
        found["synchronous_commit"] = "on"
    if database == "sqlite":
        found["sqlite"] = sqlite3.sqlite_version
    for name in _LIBRARIES[database]:
        with suppress(PackageNotFoundError):  # peers that nobody asked for need not be there
            found[name] = version(name)
    return found


@contextmanager
def server(database: str, *, durable: bool = False) -> Iterator[None]:
    """A server of the benchmark's own, for a database that has one, unless the environment names one.

    A `durable` PostgreSQL waits for the disk at each commit.
    """
    variable = {"postgres": URL, "mongo": MONGO_URL}.get(database)
    if variable is None or variable in os.environ:
        yield
        return
    from tests.servers import postgres as bundled
    from tests.servers.mongo import start
    from tests.servers.room import close_room, open_room, shared

    opened = open_room()
    try:
        if database == "mongo":
            os.environ[variable] = shared("mongo", start).url
        else:
            settings = _DURABLE if durable else ()
            os.environ[variable] = shared(
                "postgres-benchmark", lambda place: bundled.start(bundled.bundled(), place, settings=settings)
            ).url
        yield
    finally:
        os.environ.pop(variable, None)
        if opened:
            close_room()
