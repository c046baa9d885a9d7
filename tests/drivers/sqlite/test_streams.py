"""Streams of SQLite: rows put aside, connections kept and given back, statements stopped."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi import Ommi, PoolTimeout, QueryRejected, Stream, add_all, find
from ommi.drivers.driver import Request
from ommi.drivers.sqlite.driver import SQLiteDriver
from ommi.query.statements import Select
from ommi.schema import Row
from ommi.testing import succeeds
from ommi.testing.faults.running import is_native
from ommi.transactions import TransactionOptions

from .conftest import NUMBERS, USERS, Gate, ReadForever, User, count, insert, opened, raw, until, users

pytestmark = pytest.mark.anyio


def rows() -> Request:
    return Request(Select(USERS), lambda found: [row[0] for row in found])


async def filled(driver: SQLiteDriver, many: int) -> None:
    """Users with names of 100 characters."""
    numbers = f"WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < {many})"
    await raw(driver, f"INSERT INTO user (name, age) {numbers} SELECT printf('%0100d', x), 1 FROM c")


async def rest(cursor: Any) -> list[str]:
    found: list[str] = []
    while some := await cursor.next_rows():
        found += some
    return found


async def test_rows_that_a_write_follows_are_put_aside_also_when_they_are_many(driver: SQLiteDriver) -> None:
    async with opened(driver):
        await filled(driver, 20_000)
        transaction = await driver.begin(TransactionOptions())
        cursor = await transaction.stream(rows(), 1000)
        first = await cursor.next_rows()
        await transaction.execute(insert("new"))
        await transaction.execute(insert("newer"))
        found = first + await rest(cursor)
        assert sorted(found) == [f"{number:0100}" for number in range(1, 20_001)]
        assert await cursor.next_rows() == []
        await cursor.close()
        await cursor.close()
        await transaction.commit()
        assert await driver.execute(count()) == 20_002


async def test_a_read_puts_nothing_aside(driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    async with opened(driver):
        await filled(driver, 20_000)
        transaction = await driver.begin(TransactionOptions())
        cursor = await transaction.stream(rows(), 1000)
        assert await transaction.execute(count()) == 20_000
        await transaction.savepoint("a")
        assert len(await rest(cursor)) == 20_000
        await transaction.rollback()


async def test_where_there_is_no_room_for_what_is_put_aside_the_write_says_so(
    driver: SQLiteDriver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with opened(driver):
        await filled(driver, 20_000)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
        transaction = await driver.begin(TransactionOptions())
        await transaction.stream(rows(), 1000)
        with pytest.raises(QueryRejected, match="could not be put aside in a file"):
            await transaction.execute(insert("new"))
        await transaction.rollback()
        assert await driver.execute(count()) == 20_000


async def test_streams_that_each_run_another_program_than_there_are_connections_time_out(tmp_path: Path) -> None:
    async with opened(SQLiteDriver(tmp_path / "test.db", readers=2, acquire_timeout=0.05)) as driver:
        await filled(driver, 3)
        one, other = await driver.stream(rows(), 1), await driver.stream(rows(), 1)
        said = r"no reading connection .* 2 of 2 are held by a stream for 0\.\d s, a stream for 0\.\d s"
        with pytest.raises(PoolTimeout, match=said):
            await driver.execute(count())
        await driver.execute(insert("written meanwhile"))
        await one.close()
        assert await driver.execute(count()) == 4
        assert len(await rest(other)) == 3
        await other.close()
        assert driver.in_use == 0


async def test_a_stream_that_is_closed_leaves_its_connection_to_see_what_was_written(tmp_path: Path) -> None:
    async with opened(SQLiteDriver(tmp_path / "test.db", readers=1)) as driver:
        await filled(driver, 3)
        cursor = await driver.stream(rows(), 1)
        await driver.execute(insert("new"))
        assert len(await cursor.next_rows()) == 1
        await cursor.close()
        await cursor.close()
        assert await driver.execute(count()) == 4


async def test_a_stream_cancelled_while_it_is_opened_leaves_its_connection_as_new(tmp_path: Path) -> None:
    async with opened(SQLiteDriver(tmp_path / "test.db", readers=1)) as driver:
        await filled(driver, 3)

        async def read() -> None:
            cursor = await driver.stream(rows(), 1)
            await cursor.close()

        for turns in range(12):
            async with anyio.create_task_group() as group:
                group.start_soon(read)
                for _ in range(turns):
                    await checkpoint()
                group.cancel_scope.cancel()
            with anyio.fail_after(10):
                await driver.execute(insert(f"new {turns}"))
                await until(lambda: driver.in_use == 0)
                assert await driver.execute(count()) == 4 + turns


async def test_a_connection_that_comes_after_a_cancellation_is_given_back_with_its_query_closed(tmp_path: Path) -> None:
    gate, undone, kept = Gate(), list[Any](), list[Any]()
    async with opened(SQLiteDriver(tmp_path / "test.db", readers=1)) as driver:
        readers = driver._readers
        assert readers is not None

        async def take() -> None:
            task = asyncio.current_task() if is_native() else None
            with anyio.CancelScope() as scope, suppress(asyncio.CancelledError):
                stop.append(scope.cancel if task is None else task.cancel)
                kept.append(await readers.lease(gate, undo=undone.append))
            if task is not None:
                task.uncancel()
            for lease in kept:  # what a scope cancels is given all the same: it cancels again
                with anyio.CancelScope(shield=True):
                    await lease.roll_back()

        stop: list[Callable[[], object]] = []
        async with anyio.create_task_group() as group:
            group.start_soon(take)
            await until(gate.started.is_set)
            stop[0]()
            await checkpoint()
            gate.opened.set()
        await until(lambda: driver.in_use == 0)
        assert await driver.execute(count()) == 0  # by the only connection, which closes the query before
        assert len(undone) + len(kept) == 1
        assert bool(undone) is is_native()


async def test_a_cancelled_stream_stops_its_statement(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(TransactionOptions(read_only=True))
        endless = ReadForever()
        cursor = await transaction.stream(Request(Select(NUMBERS), _forever(endless)), 100_000_000)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(cursor.next_rows)
                await until(endless.started.is_set)
                group.cancel_scope.cancel()
            await transaction.rollback()
            assert endless.ended
            assert await driver.execute(count()) == 0


def _forever(endless: ReadForever) -> Any:
    def read(found: Iterable[Row]) -> list[int]:
        return [endless.read(found)]

    return read


async def test_closing_the_database_ends_its_streams(driver: SQLiteDriver) -> None:
    driver._acquire_timeout = 0.05
    async with opened(driver):
        await filled(driver, 3)
        cursor = await driver.stream(rows(), 1)
        await cursor.next_rows()
    with pytest.raises(RuntimeError, match="not open"):
        await cursor.next_rows()
    await cursor.close()


async def test_a_row_that_does_not_fit_its_model_ends_the_stream(driver: SQLiteDriver) -> None:
    async with opened(driver):
        await filled(driver, 3)
        await raw(driver, "PRAGMA ignore_check_constraints = ON", "UPDATE user SET name = char(0) WHERE id = 2")

        def read(found: Iterable[Row]) -> list[Any]:
            names = [row[0] for row in found]
            if "\0" in names:
                raise QueryRejected("does not fit")
            return names

        cursor = await driver.stream(Request(Select(USERS), read), 1)
        await cursor.next_rows()
        with pytest.raises(QueryRejected, match="does not fit"):
            await cursor.next_rows()
        await cursor.close()
        assert driver.in_use == 0


async def test_streams_of_a_database_in_memory_hold_nobody_up() -> None:
    async with Ommi(SQLiteDriver(acquire_timeout=0.05)) as db:
        await succeeds(db, db.schema.create(users))
        await succeeds(db, add_all([User(f"u{number}", 1) for number in range(5)]))
        stream: Stream[User, Any] = find(User).order_by(User.id).stream(chunk=1)
        async with db.open(stream) as one, db.open(stream) as other, db.transaction() as tx:
            await tx.find(User).everything().delete().value
            assert [(user.name, (await anext(other)).name) async for user in one][4] == ("u4", "u4")
        assert db.driver.in_use == 0  # type: ignore[attr-defined]
        assert await succeeds(db, find(User).count()) == 0
