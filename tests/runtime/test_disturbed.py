"""Bugs that `faults` found: what comes too late to be stopped, and what is started too late to run."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint

from ommi import Effect, Ommi, Success, add, bracket, find, gather, race
from ommi.drivers.memory import MemoryDriver
from ommi.errors import StatementTimeout
from ommi.testing import DriverStep, Interposed, fails, succeeds
from ommi.testing.models import Tag, suite_models

pytestmark = pytest.mark.anyio

FOREVER: Effect[Any, Any] = Effect.from_awaitable(anyio.sleep_forever)


def tagged(name: str) -> Effect[Any, Any]:
    return Effect.from_value(None).bind(lambda _: add(Tag(name)))


async def names(db: Ommi) -> list[str]:
    return [tag.name for tag in await succeeds(db, find(Tag).order_by(Tag.name).all())]


class Bell:
    """A clock by which no time passes until it is rung; then all of it has."""

    def __init__(self) -> None:
        self.rung = anyio.Event()

    def now(self) -> float:
        return 0.0

    def random(self) -> float:
        return 0.5

    def pause(self, _: float, /) -> Awaitable[None]:
        return self.rung.wait()


class Patient(Bell):
    """A bell that only those hear who wait for one second."""

    def pause(self, seconds: float, /) -> Awaitable[None]:
        return self.rung.wait() if seconds == 1 else anyio.sleep_forever()


@asynccontextmanager
async def disturbed(hook: Callable[[DriverStep], Awaitable[None]], bell: Bell) -> AsyncIterator[Ommi]:
    async with Ommi(MemoryDriver()) as db:
        await succeeds(db, db.schema.create(suite_models))
        async with Ommi(Interposed(db.driver, before=hook), clock=bell) as slow:
            yield slow


async def turns() -> None:
    for _ in range(20):
        await checkpoint()


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(tagged("a").transactional().timeout(1).timeout(2), id="timeouts"),
        pytest.param(tagged("a").transactional(timeout=1).timeout(2), id="a transaction's own"),
        pytest.param(gather(tagged("a").transactional(), Effect.from_value(1)).timeout(2), id="gather"),
        pytest.param(race(tagged("a").transactional(), FOREVER).timeout(2), id="race"),
    ],
)
async def test_what_was_committed_when_the_time_was_over_is_no_timeout(program: Effect[Any, Any]) -> None:
    bell = Bell()

    async def ring_at_commit(step: DriverStep) -> None:
        if step == "commit":
            bell.rung.set()
            await turns()

    async with disturbed(ring_at_commit, bell) as db:
        await succeeds(db, program)
        assert await names(db) == ["a"]


async def test_what_had_no_answer_yet_when_the_time_was_over_is_a_timeout() -> None:
    bell = Bell()

    async def ring_at_statement(step: DriverStep) -> None:
        if step == "execute" and not bell.rung.is_set():
            bell.rung.set()
            await turns()

    async with disturbed(ring_at_statement, bell) as db:
        await fails(db, gather(tagged("a").transactional(), Effect.from_value(1)).timeout(1), StatementTimeout)
        assert await names(db) == []


@pytest.mark.parametrize("later", range(6))
@pytest.mark.parametrize("native", [False, True])
async def test_a_run_that_ends_before_its_task_hears_of_the_cancellation_is_cancelled(
    anyio_backend: str, native: bool, later: int
) -> None:
    bell, ended = Bell(), list[Any]()

    async def cancel_at_commit(step: DriverStep) -> None:
        if step == "commit":
            group.start_soon(stopping)
            for _ in range(later):
                await checkpoint()

    async def stopping() -> None:
        stop()

    async def run() -> None:
        ended.append(await db.run(gather(tagged("a").transactional(), FOREVER, FOREVER).timeout(1)))

    async with disturbed(cancel_at_commit, bell) as db, anyio.create_task_group() as group:
        if native and anyio_backend == "asyncio":
            task = asyncio.ensure_future(run())
            stop: Callable[[], object] = task.cancel
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with CancelScope() as scope:
                stop = scope.cancel
                await run()
            assert scope.cancelled_caught
        assert ended == []
        assert await names(db) == ["a"]


@pytest.mark.parametrize("by", ["scope", "timer", "task"])
@pytest.mark.parametrize(
    "using",
    [
        pytest.param(lambda used: gather(used, used), id="gather"),
        pytest.param(lambda used: race(used, used), id="race"),
        pytest.param(lambda used: used.timeout(60), id="timeout"),
    ],
)
async def test_stopped_while_it_acquires_a_program_starts_nothing_to_use_it(
    anyio_backend: str, using: Callable[[Effect[Any, Any]], Effect[Any, Any]], by: str
) -> None:
    bell, log = Patient(), list[str]()

    async def stop_at_first(step: DriverStep) -> None:
        stop()
        await turns()

    async def use() -> None:
        await turns()
        log.append("used")

    release = Effect.from_value(None).map(lambda _: log.append("released"))
    program = bracket(tagged("lock"), lambda _: using(Effect.from_awaitable(use)), lambda _: release)
    async with disturbed(stop_at_first, bell) as db:
        with anyio.fail_after(5):
            if by == "timer":
                stop: Callable[[], object] = bell.rung.set
                await fails(db, program.timeout(1), StatementTimeout)
            elif by == "task" and anyio_backend == "asyncio":
                task = asyncio.ensure_future(db.run(program))
                stop = task.cancel
                with pytest.raises(asyncio.CancelledError):
                    await task
            else:
                with CancelScope() as scope:
                    stop = scope.cancel
                    await db.run(program)
                assert scope.cancelled_caught
        assert log == ["released"]
        stop = Bell
        assert await names(db) == ["lock"]


@pytest.mark.parametrize("mark", ["savepoint", "rollback_to"])
async def test_a_named_savepoint_that_was_stopped_halfway_dooms_the_block(mark: DriverStep) -> None:
    async def cancel_at_mark(step: DriverStep) -> None:
        if step == mark:
            scope.cancel()
            await anyio.sleep_forever()

    async with disturbed(cancel_at_mark, Bell()) as db:
        with pytest.raises(StatementTimeout, match="stopped halfway"):
            async with db.transaction() as tx:
                with CancelScope() as scope:
                    await tx.add(Tag("a")).value
                    await tx.savepoint("here")
                    await tx.rollback_to_savepoint("here")
                assert scope.cancelled_caught
                assert not isinstance(await tx.add(Tag("b")), Success)
        assert await names(db) == []
