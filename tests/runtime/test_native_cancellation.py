"""Cancelled in the event loop's own way: asyncio's passes through shields, trio's nurseries group it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio
from anyio.lowlevel import checkpoint

from ommi import Effect, Ommi, add, bracket, find, gather
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Player, Tag, suite_models
from ommi.testing.outcomes import succeeds

on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"])
on_trio = pytest.mark.parametrize("anyio_backend", ["trio"])
pytestmark = pytest.mark.anyio

FOREVER: Effect[None, Any] = Effect.from_awaitable(anyio.sleep_forever)


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/native.db"


@pytest.fixture
async def db(url: str) -> AsyncIterator[Ommi]:
    async with Ommi.connect(url, acquire_timeout=2) as db:
        await succeeds(db, db.schema.create(suite_models))
        yield db


def noting(log: list[Any], entry: object) -> Effect[None, Any]:
    return Effect.from_value(None).map(lambda _: log.append(entry))


class Gate:
    """What a program waits at until the test lets it pass."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.open = anyio.Event()
        self.passed = 0

    async def wait(self) -> None:
        self.reached.set()
        await self.open.wait()
        self.passed += 1


async def cancel_at(gate: Gate, run: Any, times: int = 1) -> None:
    """Cancel a run that waits at the gate, so often, and open it when that was heard."""
    task = asyncio.ensure_future(run)
    await gate.reached.wait()
    for _ in range(times):
        task.cancel()
        for _ in range(10):
            await checkpoint()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task


async def names(db: Ommi) -> list[str]:
    """The tags that are there, and that a new one can be written."""
    await succeeds(db, add(Tag("~")).bind(lambda _: find(Tag, Tag.name == "~").delete()))
    return [tag.name for tag in await succeeds(db, find(Tag).order_by(Tag.name).all())]


@on_asyncio
async def test_a_finalizer_is_not_stopped(db: Ommi) -> None:
    gate, log = Gate(), list[Any]()
    finalizer = Effect.from_awaitable(gate.wait).bind(lambda _: noting(log, "end"))
    await cancel_at(gate, db.run(Effect.from_value(1).ensure(finalizer)))
    assert gate.passed == 1
    assert log == ["end"]


@on_asyncio
async def test_what_was_acquired_is_released(db: Ommi) -> None:
    gate = Gate()
    acquire = add(Tag("lock")).bind(lambda _: Effect.from_awaitable(gate.wait))
    release = find(Tag, Tag.name == "lock").delete().map(lambda _: None).lash(lambda _: Effect.from_value(None))
    await cancel_at(gate, db.run(bracket(acquire, lambda _: FOREVER, lambda _: release)))
    assert await names(db) == []


@on_asyncio
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_commit_is_awaited_to_its_end(db: Ommi, when: str) -> None:
    gate, log, player = Gate(), list[Any](), Player("Ada")

    async def wait_at_commit(step: DriverStep) -> None:
        if step == "commit":
            await gate.wait()

    hooks: dict[str, Any] = {when: wait_at_commit}
    async with Ommi(Interposed(db.driver, **hooks)) as slow:
        await cancel_at(gate, slow.run(add(player).after_commit(noting(log, 1)).transactional()))
    assert log == [1]
    assert player.id is not None
    assert await succeeds(db, find(Player).count()) == 1


@on_asyncio
@pytest.mark.parametrize("times", [2, 3])
async def test_siblings_clean_up_however_often_they_are_cancelled(db: Ommi, times: int) -> None:
    started, gate = Gate(), Gate()
    cleaning = Effect.from_awaitable(gate.wait)
    writing = add(Tag("a")).bind(lambda _: Effect.from_awaitable(started.wait)).ensure(cleaning).transactional()
    task = asyncio.ensure_future(db.run(gather(writing, FOREVER.ensure(cleaning))))
    await started.reached.wait()
    task.cancel()
    await gate.reached.wait()
    for _ in range(times - 1):
        task.cancel()
        for _ in range(10):
            await checkpoint()
    gate.open.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.passed == 2
    assert await names(db) == []


@on_asyncio
async def test_cancelled_at_each_turn_of_the_loop_a_transaction_is_whole_and_over(db: Ommi) -> None:
    cancelled = 0
    for turn in range(60):
        both = add(Tag(f"{turn}a")).timeout(60).bind(lambda _, turn=turn: add(Tag(f"{turn}b")))  # type: ignore[misc]
        task = asyncio.ensure_future(db.run(both.transactional()))
        for _ in range(turn):
            await checkpoint()
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        cancelled += isinstance(outcome, asyncio.CancelledError)
        assert [name[-1] for name in await names(db)] in ([], ["a", "b"]), turn
        await succeeds(db, find(Tag).everything().delete())
    assert cancelled > 5


@on_asyncio
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_block_cancelled_at_each_turn_of_the_loop_is_whole_and_over(db: Ommi, times: int) -> None:
    async def program(turn: int) -> None:
        async with db.transaction() as tx:
            await tx.run(add(Tag(f"{turn}a")))
            async with tx.transaction() as nested:
                await nested.run(add(Tag(f"{turn}b")))

    cancelled = 0
    for turn in range(80):
        task = asyncio.ensure_future(program(turn))
        for _ in range(turn):
            await checkpoint()
        for _ in range(times):
            task.cancel()
            await checkpoint()
        with anyio.fail_after(10):
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            cancelled += isinstance(outcome, asyncio.CancelledError)
            assert outcome is None or isinstance(outcome, asyncio.CancelledError)
            assert [name[-1] for name in await names(db)] in ([], ["a", "b"]), turn
            await succeeds(db, find(Tag).everything().delete())
    assert cancelled > 5


@on_asyncio
async def test_a_block_whose_own_task_was_cancelled_says_that_it_was_rolled_back(db: Ommi) -> None:
    with pytest.raises(RuntimeError, match="rolled back"):
        async with db.transaction() as tx:
            await tx.add(Tag("a")).value
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                if "_hold" in repr(task):
                    task.cancel()
    assert await names(db) == []


@on_trio
async def test_a_cancelled_nursery_in_a_program_is_cleaned_up_after(db: Ommi) -> None:
    log: list[Any] = []

    async def nursery() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
            scope.cancel()
            await trio.sleep_forever()

    program = add(Tag("a")).bind(lambda _: Effect.from_awaitable(nursery)).ensure(noting(log, 1)).transactional()
    with anyio.CancelScope() as scope:
        await db.run(program)
    assert scope.cancelled_caught
    assert log == [1]
    assert await names(db) == []
