"""How transactions end when SQLite itself breaks: programs on a database that is really damaged (semantics §2, §5)."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from ommi import (
    CommitUnknown,
    ConnectionLost,
    Effect,
    Failure,
    ForeignKeyViolation,
    Ommi,
    PermissionDenied,
    PoolTimeout,
    QueryRejected,
    Schedule,
    StatementTimeout,
    add,
    find,
)
from ommi.drivers.sqlite import SQLiteDriver
from ommi.testing import Interposed, fails, succeeds

from .conftest import Number, User, opened, raw

pytestmark = pytest.mark.anyio

AGAIN = Schedule.recurs(3)
COUNT = find(User).count()


def user(name: str) -> Effect[Any, Any]:
    return add(User(name, 1))


def then(*parts: Effect[Any, Any]) -> Effect[Any, Any]:
    """One after the other."""
    found = parts[0]
    for part in parts[1:]:
        found = found.bind(lambda _, part=part: part)  # type: ignore[misc]
    return found


def cut(driver: SQLiteDriver) -> Effect[None, Any]:
    """Close the connection that the open transaction is on, in its own thread."""

    async def close() -> None:
        assert driver._writer is not None
        (worker,) = driver._writer._held
        await driver._writer.run_held(worker, sqlite3.Connection.close)

    return Effect.from_awaitable(close)


@contextmanager
def largest_file(path: Path) -> Iterator[None]:
    """No file of this process grows beyond the size that one has now: writing is an error of the disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


# -- the connection is lost


async def test_cut_inside_a_transaction_it_is_lost_and_no_catch_inside_sees_it(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        seen: list[Any] = []
        part = user("b").lash(lambda error: Effect.from_value(seen.append(error)))
        with anyio.fail_after(20):
            await fails(db, then(user("a"), cut(driver), part, user("c")).transactional(), ConnectionLost)
        assert seen == []
        assert await succeeds(db, COUNT) == 0


async def test_cut_inside_a_transaction_it_is_tried_again_on_a_new_connection(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        cuts = iter([cut(driver)])
        maybe_cut = Effect.from_value(None).bind(lambda _: next(cuts, Effect.from_value(None)))
        with anyio.fail_after(20):
            await succeeds(db, then(user("a"), maybe_cut, user("b")).transactional().retry(AGAIN))
        assert await succeeds(db, COUNT) == 2


async def test_cut_before_commit_it_is_lost_rolled_back_and_tried_again(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        with anyio.fail_after(20):
            await fails(db, then(user("a"), cut(driver)).transactional(), ConnectionLost)
            assert await succeeds(db, COUNT) == 0
            cuts = iter([cut(driver)])
            maybe_cut = Effect.from_value(None).bind(lambda _: next(cuts, Effect.from_value(None)))
            await succeeds(db, then(user("a"), maybe_cut).transactional().retry(AGAIN))
        assert await succeeds(db, COUNT) == 1


async def test_cut_inside_a_block_it_answers_with_that_error_and_raises_it(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        with anyio.fail_after(20):
            with pytest.raises(ConnectionLost):
                async with db.transaction() as tx:
                    await tx.run(user("a"))
                    await tx.run(cut(driver))
                    assert isinstance((await tx.run(user("b"))).failure(), ConnectionLost)
                    assert isinstance((await tx.run(COUNT)).failure(), ConnectionLost)
            assert await succeeds(db, COUNT) == 0
            await succeeds(db, user("c"))


async def test_a_job_that_finds_its_connection_closed_is_followed_by_others(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        assert driver._readers is not None
        with anyio.fail_after(20):
            for pool in (driver._readers, driver._writer):
                assert pool is not None
                await pool.run(sqlite3.Connection.close)
            await succeeds(db, user("a"))
            assert await succeeds(db, COUNT) == 1


# -- SQLite ends the transaction by itself


async def test_what_ends_the_transaction_dooms_it_and_no_catch_inside_sees_it(driver: SQLiteDriver) -> None:
    async with opened(driver), _on(driver) as db:
        await raw(
            driver,
            "CREATE TRIGGER fatal BEFORE INSERT ON user WHEN NEW.name = 'fatal'"
            " BEGIN SELECT RAISE(ROLLBACK, 'all is lost'); END",
        )
        seen: list[Any] = []
        part = user("fatal").lash(lambda error: Effect.from_value(seen.append(error)))
        error = await fails(db, then(user("a"), part, user("b")).transactional(), Exception)
        assert "all is lost" in str(error)
        assert seen == []
        assert await succeeds(db, COUNT) == 0


async def test_a_full_database_rolls_back_whole(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        (pages,) = (await raw(driver, "PRAGMA page_count"))[0]
        await raw(driver, f"PRAGMA max_page_count = {pages + 1}")
        big = Effect.from_value(None).bind(lambda _: user("x" * 100_000))
        error = await fails(db, then(user("a"), big).transactional(), QueryRejected)
        assert error.code == "SQLITE_FULL"
        assert await succeeds(db, COUNT) == 0
        await raw(driver, "PRAGMA max_page_count = 1000000")
        await succeeds(db, then(user("a"), big).transactional())


# -- COMMIT and what commits by itself


async def test_a_reference_checked_at_commit_is_a_failure_and_not_tried_again(driver: SQLiteDriver) -> None:
    async with opened(driver), _on(driver) as db:
        await raw(
            driver,
            "DROP TABLE user",
            "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
            "CREATE TABLE user (name TEXT, age INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED,"
            " id INTEGER PRIMARY KEY)",
        )
        runs: list[int] = []
        program = Effect.from_value(1).tap(lambda run: Effect.from_value(runs.append(run))).bind(lambda _: user("a"))
        await fails(db, program.transactional().retry(AGAIN), ForeignKeyViolation)
        assert runs == [1]
        with pytest.raises(ForeignKeyViolation):
            async with db.transaction() as tx:
                await tx.run(user("a"))
        assert await succeeds(db, COUNT) == 0


async def test_an_error_of_the_disk_during_commit_is_unknown_and_not_tried_again(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        with largest_file(Path(f"{file}-wal")):
            outcome = await db.run(then(user("a"), user("b")).transactional().retry(AGAIN))
        assert isinstance(outcome, Failure)
        assert isinstance(outcome.failure(), CommitUnknown)
        assert await succeeds(db, COUNT) == 0
        await succeeds(db, user("c"))


async def test_an_error_of_the_disk_during_a_write_on_its_own_is_unknown_and_not_tried_again(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        with largest_file(Path(f"{file}-wal")):
            outcome = await db.run(user("a").retry(AGAIN))
        assert isinstance(outcome, Failure)
        assert isinstance(outcome.failure(), CommitUnknown)
        assert await succeeds(db, COUNT) == 0


async def test_a_file_that_cannot_be_written_to_rolls_back(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver, _on(driver) as db:
        await raw(driver, "PRAGMA query_only = ON")
        await fails(db, user("a").transactional().retry(AGAIN), PermissionDenied)
        await raw(driver, "PRAGMA query_only = OFF")
        await succeeds(db, user("a").transactional())


# -- time


@pytest.mark.parametrize("scope", ["alone", "in a transaction"])
async def test_a_timeout_stops_the_statement_in_the_database(driver: SQLiteDriver, scope: str) -> None:
    async with opened(driver), _on(driver) as db:
        endless = find(Number).count().timeout(0.05)
        program = endless if scope == "alone" else then(user("a"), endless).transactional()
        with anyio.fail_after(20):
            await fails(db, program, StatementTimeout)
            await succeeds(db, then(user("b"), COUNT).transactional())
        assert await succeeds(db, COUNT) == 1


# -- a transaction that waits for itself


async def test_a_second_connection_for_the_body_of_a_transaction_is_refused_naming_the_holder(file: Path) -> None:
    async with opened(SQLiteDriver(file, acquire_timeout=0.05)) as driver, _on(driver) as db, _on(driver) as other:

        async def body() -> None:
            error = await fails(other, user("b").transactional(), PoolTimeout)
            assert "1 of 1 are held by a transaction for" in error.message

        await succeeds(db, then(user("a"), Effect.from_awaitable(body)).transactional())
        assert await succeeds(db, COUNT) == 1


def _on(driver: SQLiteDriver) -> Ommi:
    """A database on a driver that is open already, and stays open."""
    return Ommi(Interposed(driver))
