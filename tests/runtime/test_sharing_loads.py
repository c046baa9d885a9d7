"""A load of a relation under way is waited for by other runs, whatever becomes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from ommi import Effect, LoadState, Ommi, QueryRejected, add
from ommi.drivers.memory import MemoryDriver
from ommi.testing import Interposed
from ommi.testing.relatives import Person, Post, Team, people, relatives

pytestmark = pytest.mark.anyio


class Gate:
    """Lets statements through one by one, and counts them."""

    def __init__(self) -> None:
        self.waiting = 0
        self.reached = anyio.Event()
        self.open = anyio.Event()
        self.failing = False

    async def __call__(self, step: str) -> None:
        if step != "execute":
            return
        self.waiting += 1
        self.reached.set()
        await self.open.wait()
        if self.failing:
            self.failing = False
            raise QueryRejected("no")


@asynccontextmanager
async def gated() -> AsyncIterator[tuple[Ommi, Gate]]:
    async with Ommi(MemoryDriver()) as db:
        (await db.run(db.schema.create(relatives))).unwrap()
        (await db.run(people())).unwrap()
        gate = Gate()
        async with Ommi(Interposed(db.driver, gate)) as interposed:
            yield interposed, gate


async def test_while_it_is_under_way_it_is_loading() -> None:
    team = Team(1)
    async with gated() as (db, gate), anyio.create_task_group() as group:
        group.start_soon(db.run, team.members)
        await gate.reached.wait()
        assert team.members.state is LoadState.LOADING
        gate.open.set()


async def test_after_a_load_that_failed_those_who_waited_load_themselves() -> None:
    team, outcomes = Team(1), list[Any]()

    async def run(db: Ommi) -> None:
        outcomes.append(await db.run(team.members))

    async with gated() as (db, gate):
        gate.failing = True
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(run, db)
            await gate.reached.wait()
            await anyio.wait_all_tasks_blocked()
            gate.open.set()
        assert gate.waiting == 2
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Failure", "Success", "Success"]


async def test_after_a_load_that_was_cancelled_those_who_waited_load_themselves() -> None:
    team, found = Team(1), list[Any]()

    async def run(db: Ommi) -> None:
        found.append((await db.run(team.members)).unwrap())

    async with gated() as (db, gate), anyio.create_task_group() as group:
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as first:
                first.start_soon(db.run, team.members)
                await gate.reached.wait()
                group.start_soon(run, db)
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
        gate.open.set()
    assert len(found[0]) == 2


async def test_a_transaction_does_not_wait_for_a_load_outside_of_it() -> None:
    team, found = Team(1), list[Any]()

    async def run(db: Ommi) -> None:
        found.append((await db.run(team.members.transactional())).unwrap())

    async with gated() as (db, gate), anyio.create_task_group() as group:
        group.start_soon(db.run, team.members)
        await gate.reached.wait()
        group.start_soon(run, db)
        await anyio.wait_all_tasks_blocked()
        assert gate.waiting == 2
        gate.open.set()
    assert len(found[0]) == 2


async def test_nobody_else_sees_what_a_transaction_loaded() -> None:
    team, found = Team(1), list[Any]()
    loaded, seen = anyio.Event(), anyio.Event()

    async def outside(db: Ommi) -> None:
        await loaded.wait()
        found.append((await db.run(team.members)).unwrap())
        seen.set()

    async def inside() -> None:
        loaded.set()
        await seen.wait()

    async with gated() as (db, gate), anyio.create_task_group() as group:
        gate.open.set()
        group.start_soon(outside, db)
        program = add(Person(9, "Eve", 1)).bind(lambda _: team.members)
        waiting = program.tap(lambda _: Effect.from_awaitable(inside)).transactional()
        assert len((await db.run(waiting)).unwrap()) == 3
        assert [len(each) for each in found] == [2]
        assert len((await db.run(team.members)).unwrap()) == 3


async def test_relations_of_records_that_are_gone_are_forgotten() -> None:
    async with gated() as (db, gate):
        gate.open.set()
        before = Person.posts.remembered.known
        people_found = (await db.find(Person).prefetch(Person.posts, Post.topics).all()).unwrap()
        assert Person.posts.remembered.known == before + len(people_found)
        del people_found
        assert Person.posts.remembered.known == before
