"""The pool: first come first served, lazy, and whole again whatever happened."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from returns.result import Failure, Success

from ommi import Effect, Ommi, PoolTimeout, UnsupportedOperation, add, find
from ommi.drivers.postgres import PostgresDriver
from ommi.testing import fails, succeeds
from ommi.transactions import TransactionOptions

from .conftest import Person, Server, connected, until

pytestmark = pytest.mark.anyio


def waiting_for(event: anyio.Event) -> Effect[Any, Any]:
    return Effect.from_awaitable(event.wait)


@asynccontextmanager
async def held(db: Ommi) -> AsyncIterator[None]:
    """Keep a connection; runs of the tasks in the block do not join, as they do in a block of a program."""
    transaction = await db.driver.begin(TransactionOptions())
    try:
        yield
    finally:
        with anyio.CancelScope(shield=True):
            await transaction.rollback()


async def test_a_hundred_tasks_share_ten_connections(database: str, server: Server) -> None:
    most = 0

    async def work(number: int) -> None:
        nonlocal most
        program = add(Person(f"p{number}")).bind(lambda _: find(Person).count()).transactional()
        await succeeds(db, program)
        most = max(most, db.pool.stats().in_use)

    async with connected(database, max_size=10) as db:
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(work, number)
        stats = db.pool.stats()
        assert await succeeds(db, find(Person).count()) == 100
    assert most <= 10
    assert (stats.in_use, stats.waiting, stats.created) == (0, 0, 10)
    assert stats.acquired >= 100
    assert stats.waited > 0


async def test_the_order_of_asking_is_the_order_of_getting(database: str) -> None:
    order: list[int] = []

    async def work(number: int) -> None:  # says so while it has the connection
        await succeeds(db, find(Person).count().map(lambda _: order.append(number)).transactional())

    async with connected(database, max_size=1) as db, anyio.create_task_group() as group, held(db):
        for number in range(30):
            group.start_soon(work, number)
            await until(lambda number=number: db.pool.stats().waiting == number + 1)  # type: ignore[misc]
    assert order == list(range(30))


async def test_who_comes_when_a_connection_is_given_back_stands_behind_those_who_wait(database: str) -> None:
    order: list[str] = []

    async def work(name: str) -> None:  # says so while it has the connection
        await succeeds(db, find(Person).count().map(lambda _: order.append(name)).transactional())

    async with connected(database, max_size=1) as db, anyio.create_task_group() as group:
        async with held(db):
            group.start_soon(work, "first")
            await until(lambda: db.pool.stats().waiting == 1)
        await work("second")
    assert order == ["first", "second"]


async def test_a_timeout_names_those_who_hold_the_connections(database: str) -> None:
    async with connected(database, max_size=2, acquire_timeout=0.05) as db:
        enough = anyio.Event()

        async def hold() -> None:
            begun = find(Person).count().tap(lambda count: Effect.from_value(holding.append(count)))
            await succeeds(db, begun.bind(lambda _: waiting_for(enough)).transactional())

        holding: list[int] = []
        async with anyio.create_task_group() as group:
            for number in range(2):
                group.start_soon(hold, name=f"holder {number}")
            await until(lambda: len(holding) == 2)
            error = await fails(db, find(Person).count(), PoolTimeout)
            group.cancel_scope.cancel()
    assert error.retryable
    assert re.search(r"2 of 2 are held by a transaction .*for \d+\.\d s; a transaction", error.message)
    assert "acquire_timeout" in str(error)


async def test_a_program_that_does_no_io_holds_no_connection(database: str) -> None:
    async with connected(database, max_size=1, acquire_timeout=0.2) as db:
        enough = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(db.run, add(Person("a")).bind(lambda _: waiting_for(enough)))
            await until(lambda: db.pool.stats().acquired >= 3)
            for _ in range(20):
                assert await succeeds(db, find(Person).count()) in (0, 1)
            enough.set()


async def test_a_task_cancelled_while_it_waits_leaves_its_place(database: str) -> None:
    async with connected(database, max_size=1) as db:
        async with anyio.create_task_group() as group:
            async with held(db):
                with anyio.CancelScope() as scope:
                    group.start_soon(_cancel_when_waiting, db, scope)
                    await db.run(find(Person).count())
            assert scope.cancelled_caught
            assert db.pool.stats().waiting == 0
        assert await succeeds(db, find(Person).count()) == 0


async def _cancel_when_waiting(db: Ommi, scope: anyio.CancelScope) -> None:
    await until(lambda: db.pool.stats().waiting == 1)
    scope.cancel()


async def test_connections_beyond_the_least_are_closed_when_they_are_idle(database: str) -> None:
    async with connected(database, min_size=1, max_size=5, idle_timeout=0.05) as db:
        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(db.run, add(Person(f"p{number}")))
        await until(lambda: db.pool.stats().idle == 1)
        assert db.pool.stats().closed >= 1
        assert await succeeds(db, find(Person).count()) == 5


async def test_a_connection_is_replaced_when_its_life_is_over(database: str) -> None:
    async with connected(database, max_size=1, max_lifetime=0.05) as db:
        created = db.pool.stats().created
        await until(lambda: db.pool.stats().idle == 0)
        assert await succeeds(db, find(Person).count()) == 0
        assert db.pool.stats().created == created + 1


async def test_an_idle_connection_that_the_server_ended_is_not_handed_out(database: str, server: Server) -> None:
    async with connected(database) as db:
        await server.terminate()
        assert await succeeds(db, find(Person).count()) == 0


async def test_closing_waits_for_what_is_under_way(database: str, server: Server) -> None:
    ended = anyio.Event()

    async def work() -> None:
        found = await db.run(add(Person("a")).bind(lambda _: waiting_for(ended)).transactional())
        assert isinstance(found, Success)

    async with anyio.create_task_group() as group, connected(database) as db:
        group.start_soon(work)
        await until(lambda: db.pool.stats().in_use == 1)
        group.start_soon(_set_later, ended)
    assert await server.fetch("SELECT name FROM person") == [("a",)]


async def _set_later(event: anyio.Event) -> None:
    for _ in range(20):
        await anyio.lowlevel.checkpoint()
    event.set()


async def test_what_stays_open_beyond_the_time_to_close_is_rolled_back(database: str, server: Server) -> None:
    forever = Effect.from_awaitable(anyio.sleep_forever)
    open_here = "SELECT 1 FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    async with anyio.create_task_group() as group:
        async with connected(database, acquire_timeout=0.1) as db:
            group.start_soon(db.run, add(Person("a")).bind(lambda _: forever).transactional())
            await until(lambda: db.pool.stats().in_use == 1)
            await server.until(open_here)
        group.cancel_scope.cancel()
    assert await server.fetch("SELECT name FROM person") == []
    await server.until(open_here, lambda found: not found)


async def test_a_database_is_closed_twice_and_opened_again(database: str) -> None:
    driver = PostgresDriver(database)
    for _ in range(2):
        async with Ommi(driver) as db:
            assert isinstance(await db.run(find(Person).count()), (Success, Failure))
        await driver.close()
    with pytest.raises(RuntimeError, match="not open"):
        await driver.begin(TransactionOptions())


async def test_a_driver_without_a_pool_refuses_to_tell_of_one() -> None:
    async with Ommi.connect("memory://") as db:
        with pytest.raises(UnsupportedOperation, match="memory has no pool"):
            _ = db.pool


@pytest.mark.parametrize(
    "options, said",
    [
        ({"max_size": 0}, "max_size"),
        ({"min_size": 3, "max_size": 2}, "min_size"),
        ({"acquire_timeout": -1.0}, "acquire_timeout"),
        ({"idle_timeout": 0.0}, "idle_timeout"),
        ({"max_lifetime": float("nan")}, "max_lifetime"),
        ({"connect_timeout": 0.0}, "connect_timeout"),
    ],
)
async def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PostgresDriver("postgresql://", **options)
