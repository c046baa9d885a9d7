"""What the tests of the SQLite driver share: jobs that run long, and ways to see what threads do."""

import gc
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.drivers.driver import Request
from ommi.drivers.sqlite.driver import PooledDriver, SQLiteDriver
from ommi.models import Key, ModelCollection, Unique, auto, ommi_model, schema_of
from ommi.query.statements import Count, CreateTables, Insert, Select
from ommi.schema import Row
from ommi.values import DEFAULT

D = TypeVar("D", bound=PooledDriver)

ENDLESS = (
    "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 100000000000) SELECT max(x) FROM c"
)


class Gate:
    """A job that says when it has started, and ends when it is let through; SQLite cannot interrupt it."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.opened = threading.Event()
        self.passed = False

    def __call__(self, _connection: sqlite3.Connection) -> str:
        self.started.set()
        if not self.opened.wait(20):
            raise TimeoutError("nobody opened the gate")
        self.passed = True
        return "through"


class Endless:
    """A job that runs until it is interrupted."""

    def __init__(self, sql: str = ENDLESS) -> None:
        self.sql = sql
        self.started = threading.Event()
        self.ended = False

    def __call__(self, connection: sqlite3.Connection) -> None:
        self.started.set()
        try:
            connection.execute(self.sql).fetchall()
        finally:
            self.ended = True


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks and threads go on until something is so."""
    with anyio.fail_after(20):
        while not condition():
            await checkpoint()


def our_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ommi sqlite")]


def open_files(of: Path) -> list[str]:
    """What this process has open in a directory."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            target = os.readlink(descriptor)  # noqa: PTH115 - a deleted file is no path
        except OSError:
            continue
        if target.startswith(str(of)):
            found.append(target)
    return found


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Every test closes what it opens."""
    yield
    gc.collect()
    assert our_threads() == []


# -- a database


users = ModelCollection()


@ommi_model(collection=users)
@dataclass
class User:
    name: Annotated[str, Unique]
    age: int
    id: Annotated[int, Key] = auto()


@ommi_model(collection=ModelCollection())
@dataclass
class Number:
    """A row of `numbers`, a view with more rows than anyone can read."""

    x: Annotated[int, Key]


USERS = schema_of(User)
NUMBERS = schema_of(Number)

ENDLESS_VIEW = (
    "CREATE VIEW number(x) AS WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 100000000000)"
    " SELECT x FROM c"
)
SLOW_INSERT = (
    "CREATE TRIGGER slow AFTER INSERT ON user WHEN NEW.name = 'slow'"
    " BEGIN UPDATE user SET age = (SELECT max(x) FROM number) WHERE name = 'slow'; END"
)


def create() -> Request:
    return Request(CreateTables((USERS,)))


def insert(name: str, age: int = 1) -> Request:
    return Request(Insert(USERS, ((name, age, DEFAULT),)))


def count() -> Request:
    return Request(Count(Select(USERS)))


def names() -> Request:
    return Request(Select(USERS), lambda rows: sorted(row[0] for row in rows))


class ReadForever:
    """Makes a request that runs until it is interrupted, and says when it has begun."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.ended = False
        self.request = Request(Select(NUMBERS), self.read)

    def read(self, rows: Iterable[Row]) -> int:
        found = 0
        try:
            for _ in rows:
                self.started.set()
                found += 1
        finally:
            self.ended = True
        return found


async def raw(driver: PooledDriver, *statements: str) -> list[Any]:
    """Run SQL on the connection that writes, and return the rows of the last statement."""

    def job(connection: sqlite3.Connection) -> list[Any]:
        rows: list[Any] = []
        for sql in statements:
            rows = connection.execute(sql).fetchall()
        return rows

    assert driver._writer is not None
    return await driver._writer.run(job)


@asynccontextmanager
async def opened(driver: D) -> AsyncIterator[D]:
    """An open driver, with the tables of these tests."""
    await driver.open()
    try:
        await driver.execute(create())
        await raw(driver, ENDLESS_VIEW, SLOW_INSERT)
        yield driver
    finally:
        await driver.close()


@pytest.fixture(params=["file", "memory"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> SQLiteDriver:
    """A driver, not open yet, for a file and for memory."""
    return SQLiteDriver(tmp_path / "test.db" if request.param == "file" else None)
