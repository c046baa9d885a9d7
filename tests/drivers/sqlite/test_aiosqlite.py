"""An aiosqlite connection that the application has already."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import aiosqlite
import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.drivers.sqlite import AioSQLiteDriver
from ommi.errors import (
    ConnectionFailed,
    ConnectionLost,
    LockTimeout,
    QueryRejected,
    UniqueViolation,
    UnsupportedOperation,
)
from ommi.transactions import TransactionOptions

from .conftest import ReadForever, count, insert, names, opened, raw, until

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]

WRITING = TransactionOptions()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
async def connection(file: Path, anyio_backend: str) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(file, timeout=3) as found:
        yield found


async def test_statements_run_on_the_connection_of_the_application(connection: aiosqlite.Connection) -> None:
    async with opened(AioSQLiteDriver(connection)) as driver:
        await driver.execute(insert("Ada"))
        assert await driver.execute(names()) == ["Ada"]
        assert await connection.execute_fetchall("SELECT name FROM user") == [("Ada",)]
        with pytest.raises(UniqueViolation):
            await driver.execute(insert("Ada"))


async def test_a_transaction_has_the_connection_for_itself(connection: aiosqlite.Connection) -> None:
    async with opened(AioSQLiteDriver(connection)) as driver:
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        seen: list[int] = []

        async def read() -> None:
            seen.append(await driver.execute(count()))

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for _ in range(20):
                await checkpoint()
            assert seen == []
            await transaction.rollback()
        assert seen == [0]


async def test_twenty_tasks_use_it_at_once(connection: aiosqlite.Connection) -> None:
    async with opened(AioSQLiteDriver(connection)) as driver:
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(driver.execute, insert(f"user {number}"))
        assert await driver.execute(count()) == 20


async def test_the_application_s_row_factory_stays_and_does_not_disturb(connection: aiosqlite.Connection) -> None:
    connection.row_factory = sqlite3.Row
    async with opened(AioSQLiteDriver(connection)) as driver:
        await driver.execute(insert("Ada"))
        rows = await driver.execute(names())
        assert rows == ["Ada"]
        found = await connection.execute_fetchall("SELECT name FROM user")
        assert [type(row) for row in found] == [sqlite3.Row]


async def test_closing_leaves_the_connection_open_with_its_own_settings(connection: aiosqlite.Connection) -> None:
    async def settings() -> list[object]:
        pragmas = ("foreign_keys", "busy_timeout", "journal_mode", "synchronous")
        values: list[object] = [list(await connection.execute_fetchall(f"PRAGMA {name}")) for name in pragmas]
        return [*values, connection.isolation_level]

    before = await settings()
    async with opened(AioSQLiteDriver(connection)) as driver:
        await driver.execute(insert("Ada"))
        assert connection.isolation_level is None
    assert await settings() == before
    assert before[0] == [(0,)]
    assert before[1] == [(3000,)]
    assert before[4] == ""
    await connection.execute("INSERT INTO user (name, age) VALUES ('Bob', 1)")
    await connection.rollback()
    assert await connection.execute_fetchall("SELECT name FROM user") == [("Ada",)]


async def test_a_transaction_of_the_application_is_left_alone(connection: aiosqlite.Connection) -> None:
    async with opened(AioSQLiteDriver(connection)) as driver:
        await connection.execute("BEGIN")
        await connection.execute("INSERT INTO user (name, age) VALUES ('Bob', 1)")
        with pytest.raises(QueryRejected, match="transaction of its own"):
            await driver.execute(insert("Ada"))
        with pytest.raises(QueryRejected, match="transaction of its own"):
            await driver.begin(WRITING)
        await connection.execute("COMMIT")
        assert await driver.execute(names()) == ["Bob"]


async def test_a_connection_in_a_transaction_is_not_taken(connection: aiosqlite.Connection) -> None:
    await connection.execute("CREATE TABLE thing (a)")
    await connection.execute("INSERT INTO thing VALUES (1)")
    with pytest.raises(ConnectionFailed, match="transaction open"):
        await AioSQLiteDriver(connection).open()
    await connection.commit()
    assert await connection.execute_fetchall("SELECT * FROM thing") == [(1,)]


async def test_a_connection_that_is_not_open_is_not_taken() -> None:
    connection = aiosqlite.connect(":memory:")
    with pytest.raises((ConnectionFailed, ConnectionLost)):
        await AioSQLiteDriver(connection).open()


async def test_a_connection_that_the_application_closed_is_lost(file: Path) -> None:
    connection = await aiosqlite.connect(file)
    driver = AioSQLiteDriver(connection)
    await driver.open()
    await connection.close()
    with pytest.raises(ConnectionLost, match="closed its aiosqlite connection"):
        await driver.execute(count())
    await driver.close()


async def test_what_is_no_aiosqlite_connection_is_refused() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(UnsupportedOperation, match=r"Connection is not the aiosqlite\.Connection"):
        await AioSQLiteDriver(connection).open()  # type: ignore[arg-type]
    connection.close()


async def test_a_cancelled_statement_is_interrupted(connection: aiosqlite.Connection) -> None:
    async with opened(AioSQLiteDriver(connection)) as driver:
        forever = ReadForever()
        task = asyncio.create_task(driver.execute(forever.request))
        await until(forever.started.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert forever.ended
        assert await driver.execute(count()) == 0


async def test_an_interrupted_write_dooms_its_transaction(connection: aiosqlite.Connection) -> None:
    async with opened(AioSQLiteDriver(connection)) as driver:
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("before"))
        with anyio.move_on_after(0.05):
            await transaction.execute(insert("slow"))
        with pytest.raises(QueryRejected, match="can only be rolled back"):
            await transaction.execute(insert("after"))
        with pytest.raises(QueryRejected, match="can only be rolled back"):
            await transaction.commit()
        assert await driver.execute(count()) == 0


async def test_a_lock_is_waited_for_without_blocking_the_thread(connection: aiosqlite.Connection, file: Path) -> None:
    async with opened(AioSQLiteDriver(connection, busy_timeout=20)) as driver:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            group.start_soon(driver.execute, insert("Ada"))
            for _ in range(20):
                await checkpoint()
            assert await connection.execute_fetchall("SELECT count(*) FROM user") == [(0,)]
            other.execute("ROLLBACK")
        other.close()
        assert await driver.execute(count()) == 1


async def test_a_commit_waits_for_those_who_read_without_a_write_ahead_log(
    connection: aiosqlite.Connection, file: Path
) -> None:
    async with opened(AioSQLiteDriver(connection, busy_timeout=20)) as driver:
        other = sqlite3.connect(file, isolation_level=None)
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM user").fetchall()
        committed = False

        async def commit() -> None:
            nonlocal committed
            await transaction.commit()
            committed = True

        async with anyio.create_task_group() as group:
            group.start_soon(commit)
            await until(lambda: bool(driver._writer and driver._writer._held))
            assert not committed
            other.execute("ROLLBACK")
        other.close()
        assert await driver.execute(count()) == 1


async def test_a_commit_that_meets_a_lock_for_too_long_rolls_back(connection: aiosqlite.Connection, file: Path) -> None:
    async with opened(AioSQLiteDriver(connection, busy_timeout=0.02)) as driver:
        other = sqlite3.connect(file, isolation_level=None)
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM user").fetchall()
        with pytest.raises(LockTimeout):
            await transaction.commit()
        other.execute("ROLLBACK")
        other.close()
        assert await driver.execute(count()) == 0


async def test_closing_waits_for_a_transaction(connection: aiosqlite.Connection) -> None:
    async with opened(AioSQLiteDriver(connection)) as driver:
        transaction = await driver.begin(WRITING)
        async with anyio.create_task_group() as group:
            group.start_soon(driver.close)
            await checkpoint()
            await transaction.execute(insert("Ada"))
            await transaction.commit()
        assert await connection.execute_fetchall("SELECT name FROM user") == [("Ada",)]
        await driver.open()
        assert await raw(driver, "SELECT count(*) FROM user") == [(1,)]


async def test_a_driver_on_a_connection_can_be_closed_twice(connection: aiosqlite.Connection) -> None:
    driver = AioSQLiteDriver(connection)
    await driver.open()
    await driver.close()
    await driver.close()
    with pytest.raises(RuntimeError, match="not open"):
        await driver.execute(count())
