"""Brief statements are made in the thread of the event loop, all others by a worker; the answers are the same."""

import signal
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import anyio
import pytest
import trio
from anyio.lowlevel import checkpoint

from ommi import Effect, Ommi, add, add_all, execute, find, traverse
from ommi.drivers.driver import Request
from ommi.drivers.sqlite import SQLiteDriver, brief, worker
from ommi.drivers.sqlite.connections import Connection
from ommi.errors import ForeignKeyViolation, LockTimeout, QueryRejected, UniqueViolation
from ommi.models import Index, Key, ModelCollection, ReferenceTo, Unique, auto, ommi_model, schema_of
from ommi.query.statements import Delete, Select
from ommi.transactions import TransactionOptions

pytestmark = pytest.mark.anyio

shop = ModelCollection()


@ommi_model(collection=shop)
@dataclass
class Customer:
    name: Annotated[str, Unique]
    town: Annotated[str, Index]
    id: Annotated[int, Key] = auto()


@ommi_model(collection=shop)
@dataclass
class Order:
    customer: Annotated[int, ReferenceTo(Customer, on_delete="cascade")]
    note: str
    id: Annotated[int, Key] = auto()


class Statements:
    """What is executed, and whether it is in the thread of the event loop."""

    def __init__(self) -> None:
        self.loop = threading.get_ident()
        self.seen: list[tuple[str, bool]] = []

    def here(self) -> list[str]:
        """The first words of those made in the event loop's thread, since the last call."""
        return self._taken(here=True)

    def elsewhere(self) -> list[str]:
        """Those made in another one; asked for before `here`, since it forgets."""
        return self._taken(here=False)

    def _taken(self, *, here: bool) -> list[str]:
        found = [sql.split()[0] for sql, at_once in self.seen if at_once is here and not sql.startswith("EXPLAIN")]
        self.seen = [one for one in self.seen if one[1] is not here]
        return found


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    found = Statements()
    execute = Connection.execute

    def recorded(self: Connection, sql: str, *parameters: Any) -> sqlite3.Cursor:
        found.seen.append((sql, threading.get_ident() == found.loop))
        return execute(self, sql, *parameters)

    monkeypatch.setattr(Connection, "execute", recorded)
    ticks = count()  # a machine that is busy is not one whose disk is slow
    for module in (brief, worker):
        monkeypatch.setattr(module, "perf_counter", lambda: next(ticks) * 1e-9)
    return found


@asynccontextmanager
async def filled(driver: SQLiteDriver) -> AsyncIterator[Ommi]:
    async with Ommi(driver) as db:
        (await db.run(db.schema.create(shop))).unwrap()
        (await db.run(add_all([Customer(f"name {n}", "Bonn") for n in range(100)]))).unwrap()
        (await db.run(add_all([Order(n % 50 + 1, "note") for n in range(100)]))).unwrap()
        yield db


def normal(path: Path, **options: Any) -> SQLiteDriver:
    return SQLiteDriver(path / "brief.db", synchronous="NORMAL", **options)


GET = find(Customer).where(lambda c: c.id == 7).one()
UPDATE = find(Customer).where(lambda c: c.id == 7).update(town="Ulm")
DELETE: Effect[int, Any] = find(Order).where(lambda o: o.id == 7).delete()
TRIGGER = execute('CREATE TRIGGER noting AFTER UPDATE ON "customer" BEGIN UPDATE "order" SET note = \'moved\'; END')
FOLDING: Any = find(Customer).where(lambda c: c.name.ilike("name 7")).all()


def in_turn(first: Effect[Any, Any], *more: Effect[Any, Any]) -> Effect[Any, Any]:
    for one in more:
        first = first.bind(lambda _, one=one: one)
    return first


@pytest.mark.parametrize("driver", [normal, lambda _: SQLiteDriver()], ids=["file", "memory"])
async def test_what_is_brief_is_done_in_the_thread_of_the_loop(
    driver: Callable[[Path], SQLiteDriver], tmp_path: Path, statements: Statements
) -> None:
    async with filled(driver(tmp_path)) as db:
        statements.seen.clear()
        for effect in (
            GET,
            find(Customer).where(lambda c: c.town == "Bonn").limit(3).all(),
            find(Customer).where(lambda c: c.town == "Bonn").count(),
            find(Customer).where(lambda c: c.id == 8).exists(),
            add(Customer("new", "Köln")),
            UPDATE,
            find(Customer).where(lambda c: c.name == "name 3").update(town="Ulm"),
            DELETE,
        ):
            (await db.run(effect)).unwrap()
            assert statements.elsewhere() == []
            assert len([word for word in statements.here() if word != "PRAGMA"]) == 1
        assert (await db.run(find(Customer).where(lambda c: c.town == "Ulm").count())).unwrap() == 2


async def test_what_is_not_is_left_to_a_worker(tmp_path: Path, statements: Statements) -> None:
    async with filled(normal(tmp_path)) as db:
        for effect in (
            find(Customer).count(),  # of a whole table: one step that nothing can stop
            find(Customer).where(lambda c: c.town == "Bonn").update(town="Ulm"),
            find(Customer).where(lambda c: c.id.in_([3, 4])).update(town="Bonn"),
            find(Customer).where(lambda c: c.id == 9).delete(),  # with the orders of the customer
            find(Customer).where(lambda c: c.id == 8).update(town="B" * 100_000),
            add_all([Customer("one", "Köln"), Customer("two", "Köln")]),
        ):
            statements.seen.clear()
            (await db.run(effect)).unwrap()
            assert statements.elsewhere() != []
            assert statements.here() == []


async def test_nothing_is_brief_where_nobody_wants_it(tmp_path: Path, statements: Statements) -> None:
    async with filled(normal(tmp_path, inline=False)) as db:
        statements.seen.clear()
        (await db.run(GET)).unwrap()
        (await db.run(traverse([1, 2], lambda _: UPDATE).transactional())).unwrap()
        assert statements.elsewhere() != []
        assert statements.here() == []


async def test_commits_that_wait_for_the_disk_are_left_to_a_worker(tmp_path: Path, statements: Statements) -> None:
    async with filled(SQLiteDriver(tmp_path / "full.db")) as db:
        statements.seen.clear()
        (await db.run(UPDATE)).unwrap()
        assert statements.elsewhere()[-1] == "UPDATE"
        assert statements.here() == []
        (await db.run(in_turn(UPDATE, GET, DELETE).transactional())).unwrap()
        assert statements.elsewhere() == ["COMMIT"]
        assert statements.here() == ["BEGIN", "UPDATE", "SELECT", "DELETE"]
        (await db.run(in_turn(GET, GET).transactional(read_only=True))).unwrap()
        assert statements.elsewhere() == []
        assert statements.here() == ["BEGIN", "SELECT", "SELECT", "SELECT", "COMMIT"]


async def test_a_transaction_of_brief_statements_needs_no_thread(tmp_path: Path, statements: Statements) -> None:
    async with filled(normal(tmp_path)) as db:
        statements.seen.clear()
        (await db.run(in_turn(UPDATE.savepoint(), GET, DELETE).transactional())).unwrap()
        assert statements.elsewhere() == []
        assert [word for word in statements.here() if word != "PRAGMA"] == [
            "BEGIN", "SAVEPOINT", "UPDATE", "RELEASE", "SELECT", "DELETE", "COMMIT"
        ]  # fmt: skip


async def test_a_large_transaction_is_committed_by_a_worker(tmp_path: Path, statements: Statements) -> None:
    async with filled(normal(tmp_path)) as db:
        statements.seen.clear()
        (await db.run(traverse(range(60), lambda _: UPDATE).transactional())).unwrap()
        assert "COMMIT" in statements.elsewhere()


async def test_what_takes_too_long_is_stopped_and_made_by_a_worker(
    tmp_path: Path, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brief, "PATIENCE", 0.0)
    asked: list[int] = []

    def read(rows: Iterable[Any]) -> int:
        asked.append(threading.get_ident())
        return sum(1 for _ in rows)

    async with filled(normal(tmp_path)) as db:
        (await db.run(add_all([Customer(f"more {n}", "Hof") for n in range(2_000)]))).unwrap()
        statements.seen.clear()
        request = Request(Select(schema_of(Customer)), read)
        assert await db.driver.execute(request) == 2_100
        assert statements.here() == ["SELECT"]
        assert statements.elsewhere() == ["SELECT"]
        assert asked != [threading.get_ident()]
        assert len(asked) == 1
        for _ in range(brief._SPARED):
            assert await db.driver.execute(request) == 2_100
        assert statements.here() == []  # it is not tried for a while
        assert await db.driver.execute(request) == 2_100
        assert statements.here() == ["SELECT"]


async def test_a_read_that_is_stopped_leaves_its_transaction_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brief, "PATIENCE", 0.0)
    async with filled(normal(tmp_path)) as db:
        (await db.run(add_all([Customer(f"more {n}", "Hof") for n in range(2_000)]))).unwrap()
        program = in_turn(UPDATE, find(Customer).all()).tap(lambda _: DELETE).map(len)
        assert (await db.run(program.transactional())).unwrap() == 2_100
        assert (await db.run(GET)).unwrap().town == "Ulm"


@pytest.mark.parametrize("slow", ["UPDATE", "COMMIT"])
async def test_after_a_slow_statement_the_loop_is_left_alone(
    tmp_path: Path, statements: Statements, monkeypatch: pytest.MonkeyPatch, slow: str
) -> None:
    now = [0.0]
    monkeypatch.setattr(brief, "perf_counter", lambda: now[0])
    async with filled(normal(tmp_path)) as db:
        execute = Connection.execute

        def slowly(self: Connection, sql: str, *parameters: Any) -> sqlite3.Cursor:
            now[0] += 0.01 if sql.startswith(slow) else 0
            return execute(self, sql, *parameters)

        with monkeypatch.context() as patch:
            patch.setattr(Connection, "execute", slowly)
            (await db.run(UPDATE.transactional() if slow == "COMMIT" else UPDATE)).unwrap()
        statements.seen.clear()
        (await db.run(GET)).unwrap()
        assert statements.here() == []
        now[0] += 1
        (await db.run(GET)).unwrap()
        assert statements.here() == ["SELECT"]


async def test_errors_are_those_of_the_worker(tmp_path: Path) -> None:
    async with filled(normal(tmp_path)) as db:
        failing: dict[type[Exception], Effect[Any, Any]] = {
            UniqueViolation: add(Customer("name 7", "Bonn")),
            ForeignKeyViolation: add(Order(12_345, "nobody's")),
        }
        for error, effect in failing.items():
            assert type((await db.run(effect)).failure()) is error
            assert type((await db.run(in_turn(UPDATE, effect).transactional())).failure()) is error
            assert (await db.run(GET)).unwrap().town == "Bonn"
            caught = in_turn(UPDATE, effect.lash(lambda _: DELETE))
            assert (await db.run(caught.transactional())).unwrap() == 1
            (await db.run(find(Customer).where(lambda c: c.id == 7).update(town="Bonn"))).unwrap()
            (await db.run(add(Order(1, "again", 7)))).unwrap()


async def test_a_lock_of_another_process_is_waited_for(tmp_path: Path) -> None:
    async with filled(normal(tmp_path, busy_timeout=0.05)) as db:
        other = sqlite3.connect(tmp_path / "brief.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert type((await db.run(UPDATE)).failure()) is LockTimeout
        assert type((await db.run(UPDATE.transactional())).failure()) is LockTimeout
        assert (await db.run(GET)).unwrap().town == "Bonn"
        other.execute("ROLLBACK")
        other.close()
        assert (await db.run(UPDATE)).unwrap() == 1


async def test_a_transaction_that_sqlite_ends_is_over(tmp_path: Path) -> None:
    async with filled(normal(tmp_path)) as db:
        assert db.driver._writer is not None  # type: ignore[attr-defined]
        await db.driver._writer.run(lambda c: c.execute("PRAGMA max_page_count = 20"))  # type: ignore[attr-defined]
        notes = traverse(range(40), lambda n: add(Order(1, "n" * 4_000)))
        failure = (await db.run(in_turn(UPDATE, notes).transactional())).failure()
        assert "full" in str(failure)
        assert (await db.run(GET)).unwrap().town == "Bonn"
        assert (await db.run(find(Order).where(lambda o: o.note != "note").count())).unwrap() == 0


async def test_the_log_does_not_grow_without_end(tmp_path: Path) -> None:
    log = tmp_path / "brief.db-wal"
    async with filled(normal(tmp_path)) as db:
        for number in range(1_500):
            (await db.run(add(Order(1, f"{number} " * 100)))).unwrap()
        pages = log.stat().st_size / 4_120
        assert pages < 2_500  # 3 for each of 1,500 without a checkpoint, and one is due every 1,000
        (await db.run(add_all([Order(1, "n" * 400) for _ in range(20_000)]))).unwrap()
        (await db.run(add(Order(1, "one more")))).unwrap()
        (await db.run(add_all([Order(1, "two"), Order(1, "more")]))).unwrap()
        (row,) = await db.driver._writer.run(  # type: ignore[attr-defined]
            lambda c: c.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        )
        assert row[1] < 1_000


async def test_other_tasks_go_on_between_brief_statements(tmp_path: Path) -> None:
    async with filled(normal(tmp_path)) as db:
        turns = 0
        over = False

        async def other() -> None:
            nonlocal turns
            while not over:
                turns += 1
                await checkpoint()

        async with anyio.create_task_group() as group:
            group.start_soon(other)
            await checkpoint()
            before = turns
            for _ in range(100):
                (await db.run(GET)).unwrap()
            assert turns - before >= 90
            over = True


async def test_a_cancelled_task_makes_no_statement(tmp_path: Path, statements: Statements) -> None:
    async with filled(normal(tmp_path)) as db:
        for effect in (GET, UPDATE, UPDATE.transactional()):
            statements.seen.clear()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await db.run(effect)
            assert scope.cancelled_caught
            assert statements.here() == []
            assert statements.elsewhere() == []
        assert (await db.run(GET)).unwrap().town == "Bonn"


async def test_tasks_that_write_at_once_take_turns(tmp_path: Path) -> None:
    async with filled(normal(tmp_path)) as db:

        def ordered(new: Customer) -> Effect[int, Any]:
            moved = find(Customer).where(lambda c: c.id == new.id).update(town="Ulm")
            return in_turn(add(Order(new.id, "first")), moved)

        async def work(number: int) -> None:
            for one in range(20):
                program = add(Customer(f"{number}, {one}", "Hof")).bind(ordered)
                assert (await db.run(program.transactional())).unwrap() == 1
                (await db.run(DELETE)).unwrap()

        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(work, number)
        assert (await db.run(find(Customer).where(lambda c: c.town == "Ulm").count())).unwrap() == 200
        assert (await db.run(find(Order).where(lambda o: o.note == "first").count())).unwrap() == 200


@pytest.mark.parametrize("useless", ["fails", "matches nothing"])
async def test_writes_that_add_nothing_do_not_keep_the_log_from_being_shortened(
    tmp_path: Path, useless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brief, "perf_counter", lambda: 0.0)  # however slow the machine is
    async with filled(normal(tmp_path)) as db:
        for number in range(1_200):
            (await db.run(add(Order(1, f"{number} " * 100)))).unwrap()
            if number % 100 == 0 and useless == "fails":
                assert isinstance((await db.run(add(Customer("name 7", "Bonn")))).failure(), UniqueViolation)
            elif number % 100 == 0:
                moved = find(Customer).where(lambda c: c.town == "nowhere").update(town="Ulm")
                assert (await db.run(moved)).unwrap() == 0
        assert (tmp_path / "brief.db-wal").stat().st_size / 4_120 < 1_000


@pytest.mark.parametrize("way", ["alone", "in a transaction"])
async def test_the_log_is_begun_anew_by_a_worker(tmp_path: Path, statements: Statements, way: str) -> None:
    def begun() -> bytes:
        with (tmp_path / "brief.db-wal").open("rb") as log:
            return log.read(16)  # the last of these count how often: SQLite waits for the disk to have them

    write = add(Order(1, "note " * 100))
    if way == "in a transaction":
        write = in_turn(UPDATE, write, DELETE).transactional()
    async with filled(normal(tmp_path)) as db:
        (await db.run(write)).unwrap()
        times = 0
        for _ in range(1_100):
            before = begun()
            statements.seen.clear()
            (await db.run(write)).unwrap()
            if begun() != before:
                times += 1
                assert statements.elsewhere()[-1] == ("INSERT" if way == "alone" else "COMMIT")
        assert times > 0


@pytest.mark.parametrize("way", ["alone", "in a transaction", "behind another"])
async def test_what_was_brief_need_not_be_after_a_change_of_tables(
    tmp_path: Path, statements: Statements, way: str
) -> None:
    async with filled(normal(tmp_path)) as db:
        (await db.run(UPDATE)).unwrap()
        if way == "behind another":
            async with anyio.create_task_group() as group, db.transaction() as transaction:
                group.start_soon(db.run, TRIGGER)
                await anyio.wait_all_tasks_blocked()
                (await transaction.run(UPDATE)).unwrap()
        else:
            (await db.run(TRIGGER if way == "alone" else TRIGGER.transactional())).unwrap()
        statements.seen.clear()
        (await db.run(UPDATE)).unwrap()
        assert "UPDATE" in statements.elsewhere()
        assert statements.here() == []


async def test_a_change_of_tables_that_was_undone_is_none(tmp_path: Path, statements: Statements) -> None:
    async with filled(normal(tmp_path)) as db:
        (await db.run(TRIGGER)).unwrap()
        undone = in_turn(execute("DROP TRIGGER noting"), UPDATE, execute("no SQL"))
        (await db.run(undone.transactional())).failure()
        statements.seen.clear()
        (await db.run(UPDATE)).unwrap()
        assert "UPDATE" in statements.elsewhere()
        assert statements.here() == []


async def test_nothing_runs_after_a_read_that_has_ended_its_transaction(tmp_path: Path) -> None:
    async with filled(normal(tmp_path)) as db:
        writer = db.driver._writer  # type: ignore[attr-defined]

        def end(connection: sqlite3.Connection, text: str) -> str:
            if connection.in_transaction:  # once, as SQLite does itself when the disk fails
                connection.execute("ROLLBACK")
                raise OSError
            return text

        await writer.run(lambda c: c.create_function("ommi_fold", 1, partial(end, c)))
        failing = in_turn(UPDATE, FOLDING.lash(lambda _: GET), DELETE)
        assert isinstance((await db.run(failing.transactional())).failure(), QueryRejected)
        assert (await db.run(GET)).unwrap().town == "Bonn"
        assert (await db.run(find(Order).where(lambda o: o.id == 7).exists())).unwrap()


async def test_nothing_runs_after_memory_was_lacking_in_a_transaction(tmp_path: Path) -> None:
    async with filled(normal(tmp_path)) as db:
        writer = db.driver._writer  # type: ignore[attr-defined]

        def lack(_: object) -> None:
            raise MemoryError  # SQLite, which is told, ends the transaction

        await writer.run(lambda c: c.create_function("ommi_fold", 1, lack))
        transaction = await db.driver.begin(TransactionOptions())
        with pytest.raises(MemoryError):
            await transaction.execute(Request(FOLDING.statement, list))
        with pytest.raises(MemoryError):
            await transaction.execute(Request(Delete(schema_of(Order)), list))
        with pytest.raises(MemoryError):
            await transaction.commit()
        assert (await db.run(find(Order).count())).unwrap() == 100


async def test_a_statement_that_lets_others_go_first_is_under_way_when_the_database_is_closed(tmp_path: Path) -> None:
    begun = False
    found: list[str] = []

    async def get(db: Ommi) -> None:
        nonlocal begun
        begun = True
        found.append((await db.run(GET)).unwrap().name)

    async with anyio.create_task_group() as group, filled(normal(tmp_path)) as db:
        group.start_soon(get, db)
        while not begun:
            await checkpoint()
    assert found == ["name 6"]


@pytest.mark.parametrize("way", ["alone", "in a transaction"])
def test_ctrl_c_is_not_lost_in_a_brief_statement(tmp_path: Path, way: str) -> None:
    """Of asyncio, the first one is a cancellation."""
    heard: list[str] = []

    def strike(text: str) -> str:
        if not heard:
            heard.append(text)
            signal.raise_signal(signal.SIGINT)
        return text

    async def main() -> None:
        async with filled(normal(tmp_path)) as db:
            for pool in (db.driver._readers, db.driver._writer):  # type: ignore[attr-defined]
                await pool.run(lambda c: c.create_function("ommi_fold", 1, strike))
            (await db.run(FOLDING if way == "alone" else in_turn(UPDATE, FOLDING, GET).transactional())).unwrap()
            await trio.lowlevel.checkpoint()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)
    assert heard


async def test_a_transaction_is_over_when_another_event_loop_has_closed_the_database(tmp_path: Path) -> None:
    async with filled(normal(tmp_path)) as db:
        transaction = await db.driver.begin(TransactionOptions())
        await anyio.to_thread.run_sync(lambda: anyio.run(db.driver.close))
        with pytest.raises(RuntimeError, match="not open"):
            await transaction.execute(Request(Delete(schema_of(Order)), list))
        await transaction.rollback()
