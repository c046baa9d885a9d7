"""Statements that go to the thread together: BEGIN with the first of them, and what effects in turn write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from ommi import (
    Effect,
    LockTimeout,
    Ommi,
    PoolTimeout,
    Success,
    UniqueViolation,
    add,
    catch,
    find,
    gather,
    sql,
    traverse,
)
from ommi.drivers.sqlite.driver import SQLiteDriver
from ommi.effects.program import Prog, effect
from ommi.testing.conformance.transactions import names
from ommi.testing.models import Player, Tag, suite_models
from tests.drivers.sqlite.conftest import ENDLESS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db() -> AsyncIterator[Ommi]:
    async with Ommi.connect("sqlite://") as db:
        (await db.run(db.schema.create(suite_models))).unwrap()
        yield db


async def trips(db: Ommi, effect: Effect[Any, Any]) -> tuple[int, int]:
    trace = (await db.run(effect, trace=True)).trace
    return trace.statements, trace.trips


@effect
def one_after_the_other(*effects: Effect[Any, Any]) -> Prog[None, Any]:
    for each in effects:
        yield from each


TAGS = [add(Tag(name)) for name in "abcdef"]


async def test_six_writes_and_their_transaction_are_two_trips(db: Ommi) -> None:
    assert await trips(db, gather(*TAGS).transactional()) == (6, 2)
    assert await names(db) == list("abcdef")


async def test_a_loop_over_records_is_two_trips(db: Ommi) -> None:
    players = [Player(f"p{n}") for n in range(50)]
    assert await trips(db, traverse(players, add).transactional()) == (50, 2)
    assert all(player.id is not None for player in players)


async def test_begin_goes_with_the_first_statement(db: Ommi) -> None:
    assert await trips(db, one_after_the_other(*TAGS).transactional()) == (6, 7)
    assert await trips(db, find(Tag).count().transactional(read_only=True)) == (1, 2)
    assert await trips(db, Effect.from_value(1).transactional()) == (0, 2)


async def test_a_transaction_that_cannot_begin_fails_as_a_whole(tmp_path: Path) -> None:
    async with (
        Ommi(SQLiteDriver(tmp_path / "a.db", busy_timeout=0, acquire_timeout=0.2)) as db,
        Ommi(SQLiteDriver(tmp_path / "a.db")) as other,
    ):
        (await db.run(db.schema.create(suite_models))).unwrap()
        caught: list[Any] = []
        program = (add(Tag("a")) >> catch(UniqueViolation)(caught.append)).lash(caught.append).transactional()  # type: ignore[arg-type]
        async with other.transaction():
            assert isinstance((await db.run(program)).failure(), LockTimeout)
        async with db.transaction():
            elsewhere = await _outside(db, program)
        assert isinstance(elsewhere.failure(), PoolTimeout)
        assert caught == []
        assert isinstance(await db.run(program), Success)


async def _outside(db: Ommi, program: Effect[Any, Any]) -> Any:
    """Run a program in a context that has no transaction."""
    import contextvars

    found: list[Any] = []

    async def run() -> None:
        found.append(await Ommi.run(db, program))

    empty = contextvars.Context()
    async with anyio.create_task_group() as group:
        empty.run(group.start_soon, run)
    return found[0]


async def test_cancelled_while_it_waits_to_begin(db: Ommi) -> None:
    driver: Any = db.driver
    async with anyio.create_task_group() as group:
        began, done = anyio.Event(), anyio.Event()

        async def hold() -> None:
            async with db.transaction() as tx:
                await tx.run(add(Tag("held")))
                began.set()
                await done.wait()

        group.start_soon(hold)
        await began.wait()
        with anyio.move_on_after(0.01) as scope:
            await db.run(gather(*TAGS).transactional())
        assert scope.cancelled_caught
        done.set()
    assert driver.in_use == 0
    assert await names(db) == ["held"]


async def test_cancelled_in_the_middle_of_its_first_statements(db: Ommi) -> None:
    driver: Any = db.driver
    endless = sql(ENDLESS)  # type: ignore[arg-type, unused-ignore]
    program = gather(add(Tag("a")), endless, add(Tag("b"))).transactional()
    with anyio.move_on_after(0.05) as scope:
        await db.run(program)
    assert scope.cancelled_caught
    assert driver.in_use == 0
    assert await names(db) == []
    assert isinstance(await db.run(gather(*TAGS).transactional()), Success)
