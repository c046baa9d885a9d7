"""The driver: what its connections see of each other, and what cancelling leaves behind."""

import sqlite3
import threading
from pathlib import Path

import aiosqlite
import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.drivers.sqlite import AioSQLiteDriver, SQLiteDriver
from ommi.drivers.sqlite.connections import check_version
from ommi.errors import (
    ConnectionFailed,
    ForeignKeyViolation,
    LockTimeout,
    PermissionDenied,
    PoolTimeout,
    QueryRejected,
    UniqueViolation,
    UnsupportedOperation,
)
from ommi.query.statements import Lock, Select, Sql
from ommi.transactions import IsolationLevel, TransactionOptions

from .conftest import USERS, ReadForever, Request, count, insert, names, open_files, opened, our_threads, raw, until

pytestmark = pytest.mark.anyio

WRITING = TransactionOptions()
READING = TransactionOptions(read_only=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


# -- statements


async def test_a_statement_is_committed_by_itself(driver: SQLiteDriver) -> None:
    async with opened(driver):
        await driver.execute(insert("Ada"))
        assert await driver.execute(names()) == ["Ada"]


async def test_a_violation_is_typed_and_leaves_the_connection_usable(driver: SQLiteDriver) -> None:
    async with opened(driver):
        await driver.execute(insert("Ada"))
        with pytest.raises(UniqueViolation) as caught:
            await driver.execute(insert("Ada"))
        assert caught.value.fields == ("name",)
        assert await driver.execute(count()) == 1


async def test_fifty_tasks_write_and_read_at_once(driver: SQLiteDriver) -> None:
    async def work(number: int) -> None:
        await driver.execute(insert(f"user {number}"))
        assert f"user {number}" in await driver.execute(names())

    async with opened(driver):
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(work, number)
        assert await driver.execute(count()) == 50


async def test_writers_of_one_process_never_meet_a_lock(file: Path) -> None:
    async def work(number: int) -> None:
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert(f"user {number}"))
        await transaction.commit()

    driver = SQLiteDriver(file, busy_timeout=0)
    async with opened(driver):
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(work, number)
        assert await driver.execute(count()) == 30


# -- transactions


async def test_a_transaction_keeps_what_it_committed(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        await transaction.commit()
        assert await driver.execute(names()) == ["Ada"]


async def test_a_transaction_that_is_rolled_back_leaves_nothing(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        assert await transaction.execute(count()) == 1
        await transaction.rollback()
        assert await driver.execute(count()) == 0


@pytest.mark.parametrize("level", list(IsolationLevel))
async def test_every_isolation_level_is_met(driver: SQLiteDriver, level: IsolationLevel) -> None:
    async with opened(driver):
        transaction = await driver.begin(TransactionOptions(isolation_level=level))
        await transaction.rollback()


async def test_rows_that_are_not_committed_are_invisible_and_reading_waits_for_no_writer(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver:
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        assert await driver.execute(count()) == 0
        await transaction.commit()
        assert await driver.execute(count()) == 1


async def test_a_statement_that_writes_waits_for_the_open_transaction(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("first"))
        done = False

        async def write() -> None:
            nonlocal done
            await driver.execute(insert("second"))
            done = True

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            for _ in range(20):
                await checkpoint()
            assert await transaction.execute(names()) == ["first"]
            assert not done
            await transaction.rollback()
        assert await driver.execute(names()) == ["second"]


async def test_a_transaction_in_memory_has_the_connection_for_itself() -> None:
    async with opened(SQLiteDriver()) as driver:
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


async def test_a_transaction_that_is_not_ended_makes_others_time_out(file: Path) -> None:
    async with opened(SQLiteDriver(file, acquire_timeout=0.02)) as driver:
        transaction = await driver.begin(WRITING)
        with pytest.raises(PoolTimeout, match="writing connection"):
            await driver.execute(insert("Ada"))
        await transaction.rollback()


async def test_a_savepoint_undoes_a_part(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("kept"))
        await transaction.savepoint('a "strange" name')
        await transaction.execute(insert("undone"))
        await transaction.rollback_to('a "strange" name')
        await transaction.execute(insert("kept, too"))
        await transaction.release('a "strange" name')
        await transaction.commit()
        assert await driver.execute(names()) == ["kept", "kept, too"]


async def test_an_unknown_savepoint_is_rejected_and_the_transaction_goes_on(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        with pytest.raises(QueryRejected, match="no such savepoint"):
            await transaction.release("nobody")
        await transaction.execute(insert("Ada"))
        await transaction.commit()
        assert await driver.execute(count()) == 1


async def test_a_violation_undoes_its_statement_and_the_transaction_goes_on(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        with pytest.raises(UniqueViolation):
            await transaction.execute(insert("Ada"))
        await transaction.execute(insert("Bob"))
        await transaction.commit()
        assert await driver.execute(names()) == ["Ada", "Bob"]


async def test_a_transaction_that_is_over_runs_nothing(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.commit()
        with pytest.raises(RuntimeError, match="is over"):
            await transaction.execute(insert("Ada"))
        with pytest.raises(RuntimeError, match="is over"):
            await transaction.commit()
        await transaction.rollback()
        assert await driver.execute(count()) == 0


async def test_a_reading_transaction_sees_what_was_there_when_it_began(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver:
        transaction = await driver.begin(READING)
        await driver.execute(insert("Ada"))
        assert await transaction.execute(count()) == 0
        await transaction.commit()
        assert await driver.execute(count()) == 1


async def test_a_reading_transaction_refuses_to_write_and_to_lock(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(READING)
        with pytest.raises(QueryRejected, match="read-only"):
            await transaction.execute(insert("Ada"))
        with pytest.raises(QueryRejected, match="read-only"):
            await transaction.execute(Request(Select(USERS, lock=Lock())))
        assert await transaction.execute(count()) == 0
        await transaction.rollback()


async def test_a_reading_connection_cannot_write(file: Path) -> None:
    def write(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO user (name, age) VALUES ('Ada', 1)")

    async with opened(SQLiteDriver(file)) as driver:
        assert driver._readers is not None
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await driver._readers.run(write)


async def test_a_reference_checked_at_commit_is_a_typed_violation_and_rolls_back(driver: SQLiteDriver) -> None:
    async with opened(driver):
        await raw(
            driver,
            "DROP TABLE user",
            "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
            "CREATE TABLE user (name TEXT, age INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED,"
            " id INTEGER PRIMARY KEY)",
        )
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada", 99))
        with pytest.raises(ForeignKeyViolation):
            await transaction.commit()
        assert await driver.execute(count()) == 0
        await driver.execute(Request(Select(USERS)))


# -- cancellation


async def test_a_cancelled_read_is_interrupted_and_the_connection_stays_usable(driver: SQLiteDriver) -> None:
    async with opened(driver):
        forever = ReadForever()
        async with anyio.create_task_group() as group:
            group.start_soon(driver.execute, forever.request)
            await until(forever.started.is_set)
            group.cancel_scope.cancel()
        assert forever.ended
        assert await driver.execute(count()) == 0


async def test_a_cancelled_write_leaves_nothing_behind(driver: SQLiteDriver) -> None:
    async with opened(driver):
        with anyio.move_on_after(0.05) as scope:
            await driver.execute(insert("slow"))
        assert scope.cancelled_caught
        assert await driver.execute(count()) == 0
        await driver.execute(insert("Ada"))
        assert await driver.execute(names()) == ["Ada"]


async def test_after_an_interrupted_write_a_transaction_writes_nothing_more(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("before"))
        with anyio.move_on_after(0.05) as scope:
            await transaction.execute(insert("slow"))
        assert scope.cancelled_caught
        with pytest.raises(QueryRejected, match="can only be rolled back"):
            await transaction.execute(insert("after"))
        with pytest.raises(QueryRejected, match="can only be rolled back"):
            await transaction.savepoint("after")
        with pytest.raises(QueryRejected, match="can only be rolled back"):
            await transaction.commit()
        assert await driver.execute(count()) == 0
        await driver.execute(insert("next"))
        assert await driver.execute(names()) == ["next"]


async def test_a_cancelled_read_dooms_its_transaction_as_well(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("before"))
        forever = ReadForever()
        async with anyio.create_task_group() as group:
            group.start_soon(transaction.execute, forever.request)
            await until(forever.started.is_set)
            group.cancel_scope.cancel()
        with pytest.raises(QueryRejected, match="can only be rolled back"):
            await transaction.execute(count())
        await transaction.rollback()
        assert await driver.execute(count()) == 0


async def test_when_sqlite_ends_a_transaction_it_runs_nothing_more(driver: SQLiteDriver) -> None:
    async with opened(driver):
        await raw(
            driver,
            "CREATE TRIGGER fatal BEFORE INSERT ON user WHEN NEW.name = 'fatal'"
            " BEGIN SELECT RAISE(ROLLBACK, 'all is lost'); END",
        )
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("before"))
        with pytest.raises(Exception, match="all is lost") as first:
            await transaction.execute(insert("fatal"))
        with pytest.raises(Exception, match="all is lost") as second:
            await transaction.execute(insert("after"))
        assert first.value is second.value
        with pytest.raises(Exception, match="all is lost"):
            await transaction.commit()
        assert await driver.execute(count()) == 0


async def test_a_rollback_runs_in_a_cancelled_scope(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await transaction.rollback()
            await checkpoint()
        assert await driver.execute(count()) == 0


async def test_a_commit_that_has_begun_ends_although_it_is_cancelled(driver: SQLiteDriver) -> None:
    async with opened(driver):
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await transaction.commit()
            await checkpoint()
        assert await driver.execute(count()) == 1


async def test_after_a_storm_of_cancellations_all_is_whole(driver: SQLiteDriver) -> None:
    committed: list[str] = []

    async def work(number: int) -> None:
        with anyio.move_on_after(number % 40 * 0.0005):
            transaction = await driver.begin(WRITING)
            try:
                await transaction.execute(insert(f"user {number}"))
                await transaction.execute(count())
                with anyio.CancelScope(shield=True):
                    await transaction.commit()
                    committed.append(f"user {number}")
            finally:
                await transaction.rollback()

    async with opened(driver):
        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(work, number)
        assert await driver.execute(names()) == sorted(committed)
        await driver.execute(insert("last"))
        transaction = await driver.begin(READING)
        await transaction.commit()


# -- opening and closing


async def test_closing_waits_for_a_statement_under_way(driver: SQLiteDriver) -> None:
    started, go_on = threading.Event(), threading.Event()

    def read(rows: object) -> str:
        started.set()
        assert go_on.wait(20)
        return "read"

    answers: list[str] = []

    async def ask() -> None:
        answers.append(await driver.execute(Request(Sql(("SELECT 1",), rows=True, writes=False), read)))

    async with opened(driver), anyio.create_task_group() as group:
        group.start_soon(ask)
        await until(started.is_set)
        group.start_soon(driver.close)
        await checkpoint()
        await checkpoint()
        assert answers == []
        go_on.set()
    assert answers == ["read"]


async def test_a_driver_that_is_not_open_says_so(driver: SQLiteDriver) -> None:
    with pytest.raises(RuntimeError, match="not open"):
        await driver.execute(count())
    await driver.open()
    await driver.close()
    await driver.close()
    with pytest.raises(RuntimeError, match="not open"):
        await driver.execute(count())
    with pytest.raises(RuntimeError, match="not open"):
        await driver.begin(WRITING)


async def test_a_transaction_still_open_when_the_driver_closes_is_rolled_back(file: Path) -> None:
    async with opened(SQLiteDriver(file, acquire_timeout=0.02)) as driver:
        transaction = await driver.begin(WRITING)
        await transaction.execute(insert("Ada"))
        await driver.close()
        with pytest.raises(RuntimeError, match="not open"):
            await transaction.execute(count())
        await transaction.rollback()
    async with Opened(SQLiteDriver(file)) as driver:
        assert await driver.execute(count()) == 0


class Opened:
    """An open driver, to a file with tables."""

    def __init__(self, driver: SQLiteDriver) -> None:
        self.driver = driver

    async def __aenter__(self) -> SQLiteDriver:
        await self.driver.open()
        return self.driver

    async def __aexit__(self, *_: object) -> None:
        await self.driver.close()


async def test_an_open_driver_cannot_be_opened_and_a_closed_one_can(file: Path) -> None:
    driver = SQLiteDriver(file)
    async with opened(driver):
        with pytest.raises(RuntimeError, match="open already"):
            await driver.open()
        await driver.execute(insert("Ada"))
    async with Opened(driver):
        assert await driver.execute(names()) == ["Ada"]


async def test_closing_ends_all_threads_and_closes_all_files(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver:
        await driver.execute(insert("Ada"))
        await driver.execute(count())
        assert our_threads()
        assert open_files(file.parent)
    assert our_threads() == []
    assert open_files(file.parent) == []
    assert [path.name for path in file.parent.iterdir()] == ["test.db"]


async def test_a_file_is_kept_with_a_write_ahead_log_and_full_synchronization(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver:
        assert await raw(driver, "PRAGMA journal_mode") == [("wal",)]
        assert await raw(driver, "PRAGMA synchronous") == [(2,)]
        assert await raw(driver, "PRAGMA foreign_keys") == [(1,)]


async def test_synchronous_normal_is_an_option(file: Path) -> None:
    async with opened(SQLiteDriver(file, synchronous="NORMAL")) as driver:
        assert await raw(driver, "PRAGMA synchronous") == [(1,)]


@pytest.mark.parametrize("path", ["nowhere/test.db", "text", "directory"])
async def test_what_cannot_be_opened_says_why_and_leaves_nothing_behind(tmp_path: Path, path: str) -> None:
    (tmp_path / "text").write_text("this is no database, but a text that is longer than a header " * 20)
    (tmp_path / "directory").mkdir()
    driver = SQLiteDriver(tmp_path / path)
    with pytest.raises(ConnectionFailed, match=r"no directory|no SQLite database|is a directory") as caught:
        await driver.open()
    assert caught.value.hint
    assert not caught.value.retryable
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert our_threads() == []
    assert open_files(tmp_path) == []
    (tmp_path / "nowhere").mkdir()


async def test_a_cancelled_open_leaves_nothing_behind(file: Path) -> None:
    driver = SQLiteDriver(file)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await driver.open()
    assert scope.cancelled_caught
    assert our_threads() == []
    assert open_files(file.parent) == []
    async with opened(driver):
        assert await driver.execute(count()) == 0


async def test_an_open_that_is_cancelled_too_late_to_be_stopped_leaves_nothing_behind(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering, cancelled = threading.Event(), threading.Event()

    def answer(_connection: sqlite3.Connection) -> None:
        if threading.current_thread().name == "ommi sqlite reading":
            answering.set()
            assert cancelled.wait(20)

    monkeypatch.setattr("ommi.drivers.sqlite.driver._answer", answer)
    driver = SQLiteDriver(file)
    async with anyio.create_task_group() as group:
        group.start_soon(driver.open)
        await until(answering.is_set)
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            for _ in range(3):
                await checkpoint()
        cancelled.set()
    assert our_threads() == []
    assert open_files(file.parent) == []


async def test_a_cancelled_close_is_a_close(driver: SQLiteDriver) -> None:
    await driver.open()
    transaction = await driver.begin(WRITING)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await driver.close()
    assert our_threads() == []
    await transaction.rollback()
    await driver.open()
    await driver.close()


async def test_a_database_can_be_opened_for_reading_only(file: Path) -> None:
    async with opened(SQLiteDriver(file)) as driver:
        await driver.execute(insert("Ada"))
    async with Opened(SQLiteDriver(file, read_only=True)) as reader:
        assert await reader.execute(names()) == ["Ada"]
        with pytest.raises(PermissionDenied):
            await reader.execute(insert("Bob"))


async def test_a_file_that_is_to_be_read_is_not_made(file: Path) -> None:
    with pytest.raises(ConnectionFailed):
        await SQLiteDriver(file, read_only=True).open()
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)


async def test_an_old_sqlite_is_refused() -> None:
    with pytest.raises(ConnectionFailed, match=r"SQLite 3\.36\.0 is too old: 3\.37 or later"):
        check_version((3, 36, 0))
    check_version((3, 37, 0))


async def test_a_lock_of_another_connection_is_waited_for(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    async with opened(SQLiteDriver(file, busy_timeout=20)) as driver:
        other.execute("BEGIN IMMEDIATE")
        async with anyio.create_task_group() as group:
            group.start_soon(driver.execute, insert("Ada"))
            for _ in range(50):
                await checkpoint()
            assert await driver.execute(count()) == 0  # reading goes on
            other.execute("ROLLBACK")
        assert await driver.execute(count()) == 1
    other.close()


async def test_a_lock_that_stays_is_a_lock_timeout(file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    async with opened(SQLiteDriver(file, busy_timeout=0.02)) as driver:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockTimeout):
            await driver.execute(insert("Ada"))
        with pytest.raises(LockTimeout):
            await driver.begin(WRITING)
        other.execute("ROLLBACK")
        await driver.execute(insert("Ada"))
    other.close()


@pytest.mark.parametrize(
    ("option", "value"),
    [("readers", 0), ("synchronous", "OFF"), ("busy_timeout", -1), ("acquire_timeout", float("nan"))],
)
async def test_an_option_that_makes_no_sense_is_refused(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=option):
        SQLiteDriver("test.db", **{option: value})  # type: ignore[arg-type]


async def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="pool_size"):
        SQLiteDriver("test.db", pool_size=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_a_connection_of_aiosqlite_is_refused_under_trio(anyio_backend: str) -> None:
    with pytest.raises(UnsupportedOperation, match="under asyncio only"):
        await AioSQLiteDriver(aiosqlite.connect(":memory:")).open()
