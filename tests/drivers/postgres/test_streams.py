"""Streams of PostgreSQL: portals, the connections they keep, and what stops them."""

from typing import Any

import anyio
import pytest

from ommi import (
    ConnectionLost,
    Ommi,
    PoolTimeout,
    Prog,
    QueryRejected,
    UniqueViolation,
    add,
    add_all,
    add_stream,
    catch,
    col,
    effect,
    find,
)
from ommi.testing import fails, succeeds

from .conftest import Person, Server, connected

pytestmark = pytest.mark.anyio

PEOPLE = find(Person).order_by(Person.id).stream(chunk=2)
PORTALS = "SELECT name FROM pg_cursors"


async def filled(db: Ommi, many: int = 6) -> None:
    await succeeds(db, add_all([Person(f"p{number}", number) for number in range(many)]))


async def names(rows: Any) -> list[str]:
    return [person.name async for person in rows]


async def test_streams_that_each_run_another_program_than_there_are_connections_time_out(database: str) -> None:
    async with connected(database, max_size=2, acquire_timeout=0.1) as db:
        await filled(db)
        async with db.open(PEOPLE) as one, db.open(PEOPLE) as other:
            assert (await anext(one)).name == (await anext(other)).name == "p0"
            error = await fails(db, find(Person).count(), PoolTimeout)
            assert error.message.count("a stream (reading Person) of ") == 2
            assert len(await names(one)) == 5
            assert await succeeds(db, find(Person).count()) == 6
        assert db.pool.stats().in_use == 0


async def test_a_cancelled_stream_stops_its_statement_on_the_server(db: Ommi, server: Server) -> None:
    await filled(db)
    locking = find(Person).order_by(Person.id).for_update().stream(chunk=10).to_list()
    with anyio.fail_after(20):
        async with server.locking("UPDATE person SET age = 7 WHERE name = 'p3'"):
            async with anyio.create_task_group() as group:
                group.start_soon(db.run, locking.transactional())
                await server.blocked()
                group.cancel_scope.cancel()
            await server.until("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'", lambda found: not found)
            assert db.pool.stats().in_use == 0
        assert len(await succeeds(db, locking.transactional())) == 6


async def test_a_connection_that_is_lost_while_a_stream_is_open_says_so(db: Ommi, server: Server) -> None:
    await filled(db)
    with pytest.raises(ConnectionLost):
        async with db.open(PEOPLE) as rows:
            await anext(rows)
            await server.terminate()
            await names(rows)
    async with db.open(PEOPLE) as rows:
        assert len(await names(rows)) == 6
    with pytest.raises(ConnectionLost):
        async with db.transaction() as tx, tx.open(PEOPLE) as rows:
            await anext(rows)
            await server.terminate()
            await names(rows)
    assert db.pool.stats().in_use == 0


async def test_a_stream_that_is_closed_leaves_nothing_on_the_server(db: Ommi) -> None:
    await filled(db)
    async with db.transaction() as tx:
        async with tx.open(PEOPLE) as rows:
            await anext(rows)
            assert len(await open_portals(db)) > 0
        assert await open_portals(db) == []


async def open_portals(db: Ommi) -> list[Any]:
    """Asked on the connection of the transaction that is open."""
    (lease,) = db.driver._session.pool._leases  # type: ignore[attr-defined]

    async def asked() -> list[Any]:
        found: list[Any] = await lease.connection.raw.fetch(PORTALS)
        return [row for row in found if row[0] != ""]

    found: list[Any] = await db.driver._loop.call(asked)  # type: ignore[attr-defined]
    return found


async def test_a_stream_goes_on_after_a_write_that_was_recovered_from(db: Ommi) -> None:
    await filled(db)

    @effect
    def again(person: Person) -> Prog[None, Any]:
        yield from (add(Person(person.name)) >> catch(UniqueViolation)(lambda _: add(Person(f"{person.name}'"))))

    assert await succeeds(db, PEOPLE.for_each(again).transactional()) == 6
    assert await succeeds(db, find(Person).count()) == 12


async def test_a_stream_that_failed_in_a_block_leaves_it_usable(db: Ommi) -> None:
    await filled(db)
    shares = find(Person).order_by(Person.id).select(60 / (col(Person.age) - 3)).stream(chunk=1)
    async with db.transaction() as tx:
        async with tx.open(PEOPLE) as rows:
            await anext(rows)
            with pytest.raises(QueryRejected):
                async with tx.open(shares) as bad:
                    [share async for share in bad]
            assert len(await names(rows)) == 5
        await tx.add(Person("after")).value
    assert await succeeds(db, find(Person, Person.name == "after").count()) == 1


async def test_a_stream_is_prepared_anew_when_its_table_has_changed(db: Ommi, server: Server) -> None:
    await filled(db)
    assert len(await succeeds(db, PEOPLE.to_list())) == 6
    for change in ("ALTER TABLE person ADD COLUMN more int", "ALTER TABLE person ALTER COLUMN name TYPE varchar(99)"):
        await server.fetch(change)
        assert len(await succeeds(db, PEOPLE.to_list())) == 6
        await server.fetch(change.replace("ADD COLUMN more int", "DROP COLUMN more"))
        assert len(await succeeds(db, PEOPLE.to_list().transactional())) == 6


async def test_many_records_of_a_stream_get_their_keys_from_the_server(db: Ommi) -> None:
    numbers = add_stream(lambda: (Person(f"p{number}") for number in range(2500)))
    assert await succeeds(db, numbers) == 2500
    assert await succeeds(db, find(Person, Person.name == "p2499").select(Person.id).one()) == (2500,)
    await fails(db, numbers, UniqueViolation)
    assert await succeeds(db, find(Person).count()) == 2500
