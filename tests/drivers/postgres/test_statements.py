"""Statements as the server meets them: prepared, cancelled, locked; rows that come in thousands."""

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi import (
    Effect,
    IsolationLevel,
    LockTimeout,
    Ommi,
    Schedule,
    SerializationConflict,
    TransactionOptions,
    UniqueViolation,
    UnsupportedOperation,
    add,
    add_all,
    advisory_lock,
    catch,
    col,
    find,
    gather,
)
from ommi.drivers.postgres.insertion import BULK
from ommi.testing import fails, succeeds

from .conftest import BLOCKED, Branch, Person, Server, connected, until

pytestmark = pytest.mark.anyio

WIDER = "ALTER TABLE person ALTER COLUMN note TYPE varchar(100)"


async def altering(server: Server) -> None:
    await server.fetch(WIDER)


# -- prepared statements and tables that change


async def test_a_prepared_statement_outlives_a_change_of_its_table(database: str, server: Server) -> None:
    async with connected(database, max_size=1) as db:
        await succeeds(db, add(Person("a")))
        everyone = find(Person).all()
        before = await succeeds(db, everyone)
        await altering(server)
        assert await succeeds(db, everyone) == before


async def test_the_first_statement_of_a_transaction_does_so_too(database: str, server: Server) -> None:
    async with connected(database, max_size=1) as db:
        await succeeds(db, add(Person("a")))
        everyone = find(Person).all()
        before = await succeeds(db, everyone)
        await altering(server)
        program = everyone.bind(lambda found: add(Person("b")).map(lambda _: found))
        level = IsolationLevel.REPEATABLE_READ
        assert await succeeds(db, program.transactional(isolation=level)) == before
        assert await succeeds(db, find(Person).count()) == 2


async def test_a_later_one_that_is_recoverable_does_so_too(database: str, server: Server) -> None:
    async with connected(database, max_size=1) as db:
        await succeeds(db, find(Person).all())
        guarded = find(Person).all().lash(lambda _: Effect.from_value(None))
        program = add(Branch(1)).bind(lambda _: Effect.from_awaitable(lambda: altering(server))).bind(lambda _: guarded)
        assert await succeeds(db, program.transactional()) == []
        assert await succeeds(db, find(Branch).count()) == 1


async def test_another_one_is_a_conflict_and_tried_again(database: str, server: Server) -> None:
    async with connected(database, max_size=1) as db:
        await succeeds(db, find(Person).all())
        await succeeds(db, add(Person("a")))
        program = add(Branch(1)).bind(lambda _: find(Person).all()).transactional()
        changed = add(Branch(2)).bind(lambda _: Effect.from_awaitable(lambda: altering(server)))
        await fails(db, changed.bind(lambda _: find(Person).all()).transactional(), SerializationConflict)
        assert len(await succeeds(db, program.retry(Schedule.recurs(1)))) == 1


async def test_many_shapes_of_statements_are_more_than_are_kept(database: str) -> None:
    async with connected(database, max_size=1) as db:
        await succeeds(db, add(Person("a", 300)))
        for number in range(300):
            condition = col(Person.age) + 0 == 300
            for _ in range(number % 30):
                condition = condition | (col(Person.age) == 300)
            query = find(Person, condition).limit(number % 2 + 1)
            assert len(await succeeds(db, query.all())) == 1


# -- cancellation


async def test_a_cancelled_statement_is_stopped_on_the_server_and_its_connection_used_again(
    database: str, server: Server
) -> None:
    async with connected(database, max_size=1) as db:
        await succeeds(db, find(Person).count())
        created = db.pool.stats().created
        async with server.locking("LOCK TABLE person"):
            async with anyio.create_task_group() as group:
                group.start_soon(db.run, find(Person).count())
                await server.blocked()
                group.cancel_scope.cancel()
            # gone before the cancelled task went on
            active = "state = 'active' AND datname = current_database() AND pid <> pg_backend_pid()"
            assert await server.fetch(f"SELECT query FROM pg_stat_activity WHERE {active}") == []
        assert await succeeds(db, find(Person).count()) == 0
        assert db.pool.stats().created == created


async def test_a_cancelled_transaction_is_rolled_back_and_its_connection_used_again(
    database: str, server: Server
) -> None:
    async with connected(database, max_size=1) as db:
        created = db.pool.stats().created
        async with server.locking("LOCK TABLE person"), anyio.create_task_group() as group:
            group.start_soon(db.run, add(Branch(1)).bind(lambda _: find(Person).count()).transactional())
            await server.blocked()
            group.cancel_scope.cancel()
        assert await succeeds(db, find(Branch).count()) == 0
        assert db.pool.stats().created == created


async def test_a_timeout_stops_the_statement_on_the_server(db: Ommi, server: Server) -> None:
    async with server.locking("LOCK TABLE person"):
        await fails(db, find(Person).count().timeout(0.05), Exception)
        assert await server.fetch(BLOCKED) == []


async def test_cancelled_whenever_it_may_be_every_connection_stays_clean(database: str) -> None:
    async with connected(database, max_size=3) as db:
        program = add(Person("x")).bind(lambda _: find(Person).count()).bind(lambda _: Effect.from_failure("undo"))
        for turns in range(60):
            async with anyio.create_task_group() as group:
                for _ in range(4):
                    group.start_soon(db.run, program.transactional())
                    group.start_soon(db.run, find(Person).count())
                for _ in range(turns):
                    await checkpoint()
                group.cancel_scope.cancel()
        await until(lambda: not db.pool.stats().in_use)  # connections that were being made when they were not needed
        stats = db.pool.stats()
        assert stats.waiting == 0
        assert stats.idle == stats.created - stats.closed <= 3
        counts = await succeeds(db, gather(*(find(Person).count().transactional() for _ in range(9))))
        assert set(counts) == {0}


# -- locks


async def test_rows_that_are_locked_are_skipped_or_refused(db: Ommi, server: Server) -> None:
    await succeeds(db, add_all([Person("a", id=1), Person("b", id=2)]))
    everyone = find(Person).order_by(Person.id)
    async with server.locking("SELECT FROM person WHERE id = 1 FOR UPDATE"):
        found = await succeeds(db, everyone.for_update(skip_locked=True).all().transactional())
        error = await fails(db, everyone.for_update(no_wait=True).all().transactional(), LockTimeout)
    assert [person.name for person in found] == ["b"]
    assert error.code == "55P03"
    assert len(await succeeds(db, everyone.for_update().all().transactional())) == 2


async def test_an_advisory_lock_is_held_until_the_transaction_ends(db: Ommi, server: Server) -> None:
    order: list[str] = []
    locked, go = anyio.Event(), anyio.Event()

    async def first() -> None:
        locked.set()
        await go.wait()
        order.append("first")

    async def second() -> None:
        await locked.wait()
        program = advisory_lock("report").map(lambda _: order.append("second"))
        await succeeds(db, program.transactional())

    async with anyio.create_task_group() as group:
        holding = advisory_lock("report").bind(lambda _: Effect.from_awaitable(first)).transactional()
        group.start_soon(db.run, holding)
        group.start_soon(second)
        await server.blocked()
        await succeeds(db, advisory_lock("another").transactional())
        go.set()
    assert order == ["first", "second"]


async def test_an_advisory_lock_needs_a_transaction_and_a_database_that_has_them(db: Ommi) -> None:
    await fails(db, advisory_lock(1), UnsupportedOperation)
    for url in ("memory://", "sqlite://"):
        async with Ommi.connect(url) as other:
            await fails(other, advisory_lock(1).transactional(), UnsupportedOperation)
    for key in (2**63, True, 1.5):
        with pytest.raises(TypeError, match="64 bits"):
            advisory_lock(key)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", list(IsolationLevel))
async def test_every_level_is_met(db: Ommi, server: Server, level: IsolationLevel) -> None:
    def said() -> Any:
        here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        return server.fetch(f"SELECT count(*) FROM pg_locks WHERE mode = 'SIReadLock' AND {here}")

    program = find(Person).all().bind(lambda _: Effect.from_awaitable(said))
    ((locks,),) = await succeeds(db, program.transactional(isolation=level))
    assert (locks > 0) is (level is IsolationLevel.SERIALIZABLE)


async def test_a_deferrable_transaction(db: Ommi) -> None:
    level = IsolationLevel.SERIALIZABLE
    program = find(Person).count().transactional(isolation=level, read_only=True, deferrable=True)
    assert await succeeds(db, program) == 0
    with pytest.raises(ValueError, match="deferrable"):
        TransactionOptions(deferrable=True)


# -- recovery


async def test_what_is_not_recovered_from_costs_no_savepoint(database: str) -> None:
    async with connected(database, max_size=1) as db:
        sent = await _sent(db, add(Person("a")).bind(lambda _: add(Person("b"))).transactional())
        assert [sql for sql in sent if "SAVEPOINT" in sql] == []
        recovered = catch(UniqueViolation)(lambda _: Effect.from_value(None))
        program: Effect[Any, Any] = Effect.from_value(None)
        for _ in range(3):
            program = program.bind(lambda _: add(Person("a")) >> recovered)
        sent = await _sent(db, program.transactional())
        # one round trip for each guard: the one before is given back in the same
        assert [sql for sql in sent if "SAVEPOINT ommi" in sql] == [
            "SAVEPOINT ommi_guard",
            *["RELEASE ommi_guard; SAVEPOINT ommi_guard"] * 2,
        ]


async def _sent(db: Ommi, program: Effect[Any, Any]) -> list[str]:
    """What a program sends to the server with the simple protocol."""
    driver: Any = db.driver
    loop, pool = driver._loop, driver.pool
    found: list[str] = []

    async def listen(listening: bool) -> None:
        lease = await pool.acquire()
        change = lease.connection.raw.add_query_logger if listening else lease.connection.raw.remove_query_logger
        change(note)
        pool.release(lease)

    def note(record: Any) -> None:
        found.append(record.query)

    await loop.call(listen, True)
    await succeeds(db, program)
    await loop.call(listen, False)
    await until(lambda: not pool.stats().in_use)
    return found


# -- many rows


async def test_thousands_of_rows_come_back_in_order_with_their_keys(db: Ommi, server: Server) -> None:
    people = [Person(f"p{number}", number) for number in range(40_000)]
    added = await succeeds(db, add_all(people))
    assert [person.name for person in added] == [person.name for person in people]
    stored = await server.fetch("SELECT name, id FROM person ORDER BY id")
    assert [(person.name, person.id) for person in added] == stored


async def test_a_row_may_refer_to_one_that_comes_thousands_later(db: Ommi) -> None:
    branches = [Branch(number, BULK * 2 - number) for number in range(BULK * 2 + 1)]
    await succeeds(db, add_all(branches))
    broken = [Branch(number + BULK * 3, None) for number in range(BULK + 1)] + [Branch(-1, -2)]
    error: Any = await fails(db, add_all(broken), Exception)
    assert error.fields == ("parent",)
    assert await succeeds(db, find(Branch).count()) == BULK * 2 + 1


async def test_more_values_than_a_statement_has_parameters(db: Ommi) -> None:
    await succeeds(db, add_all([Person(f"p{number}", number) for number in range(10)]))
    names = [f"p{number}" for number in range(5, 70_000)]
    assert await succeeds(db, find(Person, col(Person.name).in_(names)).count()) == 5
    assert await succeeds(db, find(Person, col(Person.name).not_in(names)).count()) == 5


async def test_keys_that_are_given_are_not_generated_again(db: Ommi) -> None:
    await succeeds(db, add(Person("a", id=1)))
    await succeeds(db, add_all([Person("b", id=3), Person("c"), Person("d", id=2)]))
    added = await succeeds(db, add_all([Person("e"), Person("f")]))
    await succeeds(db, find(Person, Person.name == "f").update(id=col(Person.id) + 100))
    added += [await succeeds(db, add(Person("g")))]
    assert len({1, 2, 3, *(person.id for person in added)}) == 6
    assert await succeeds(db, find(Person).count()) == 7
