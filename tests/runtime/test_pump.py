"""Awaiting the calls of programs, on both event loops."""

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from returns.future import FutureResult, future_safe
from returns.io import IOFailure, IOSuccess

from ommi import (
    CommitUnknown,
    Effect,
    Failure,
    NotFound,
    Ommi,
    Prog,
    StatementTimeout,
    Success,
    UniqueViolation,
    add,
    effect,
    find,
    gather,
    race,
    requires_database,
)
from ommi.runtime.calls import Ending
from ommi.runtime.clock import SystemClock
from ommi.runtime.pump import Pump
from ommi.testing import DriverStep, Interposed, fails, succeeds
from ommi.testing.models import Tag, suite_models

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db() -> AsyncIterator[Ommi]:
    async with Ommi.connect("memory://", acquire_timeout=1) as db:
        await succeeds(db, db.schema.create(suite_models))
        yield db


async def current_task() -> int:
    await checkpoint()
    return anyio.get_current_task().id


async def hang() -> None:
    await anyio.sleep_forever()


task: Effect[int, Any] = Effect.from_awaitable(current_task)
forever: Effect[None, Any] = Effect.from_awaitable(hang)


# -- tasks


async def test_a_program_that_waits_for_one_thing_at_a_time_runs_in_the_task_of_its_caller(db: Ommi) -> None:
    @effect
    def program() -> Prog[set[int], Any]:
        first = yield from task
        yield from add(Tag("a"))
        return {first, (yield from task), (yield from task.transactional())}

    assert await succeeds(db, program()) == {anyio.get_current_task().id}


async def test_effects_at_once_run_in_tasks_of_their_own(db: Ommi) -> None:
    one, other = await succeeds(db, gather(task, task))
    assert len({one, other, anyio.get_current_task().id}) == 3


async def test_afterwards_the_program_is_back_in_the_task_of_its_caller(db: Ommi) -> None:
    assert await succeeds(db, gather(task, task).bind(lambda _: task)) == anyio.get_current_task().id


async def test_a_child_goes_on_while_its_sibling_waits(db: Ommi) -> None:
    reached = anyio.Event()

    async def wait() -> None:
        await reached.wait()

    async def reach() -> None:
        reached.set()

    waiting = Effect.from_awaitable(wait).map(lambda _: "waited")
    going_on = add(Tag("a")).bind(lambda _: add(Tag("b"))).bind(lambda _: Effect.from_awaitable(reach))
    assert (await succeeds(db, gather(waiting, going_on)))[0] == "waited"


# -- outcomes


async def test_a_program_that_asks_for_nothing(db: Ommi) -> None:
    assert await db.run(Effect.from_value(1)) == Success(1)
    assert await db.run(Effect.from_failure("no")) == Failure("no")


async def test_an_operation_alone_comes_out_as_it_does_in_a_program(db: Ommi) -> None:
    taken = Tag("taken")
    await succeeds(db, add(taken))
    operations: tuple[Effect[Any, Any], ...] = (
        find(Tag).count(),
        find(Tag).one(),
        find(Tag, Tag.name == "gone").one(),
        add(taken),
    )
    for operation in operations:
        alone, within = await db.run(operation), await db.run(operation.map(lambda value: value))
        match alone, within:
            case Success(value), Success(same):
                assert value == same
            case Failure(error), Failure(like):
                assert (type(error), str(error), error.origin) == (type(like), str(like), like.origin)
                assert error.origin is not None
            case _:
                pytest.fail(f"{alone!r} alone, {within!r} in a program")


async def test_what_is_awaited_may_fail_only_as_it_says(db: Ommi) -> None:
    async def missing() -> None:
        raise KeyError("missing")

    assert isinstance(await fails(db, Effect.from_awaitable(missing, catching=(KeyError,)), KeyError), KeyError)
    with pytest.raises(KeyError):
        await db.run(Effect.from_awaitable(missing, catching=(ValueError,)))
    with pytest.raises(KeyError):
        await db.run(Effect.from_awaitable(missing).lash(lambda _: Effect.from_value(None)))


async def test_an_error_of_ommi_raised_in_what_is_awaited_is_no_failure_of_the_program(db: Ommi) -> None:
    async def asks() -> None:
        await db.find(Tag).one().value

    with pytest.raises(NotFound):
        await db.run(Effect.from_awaitable(asks).lash(lambda _: Effect.from_value(None)))


async def test_a_future_result_is_awaited_anew_in_every_run(db: Ommi) -> None:
    @future_safe
    async def divide(number: int) -> float:
        return 1 / number

    half = Effect.from_future_result(lambda: divide(2))
    assert await db.run(half) == await db.run(half) == Success(0.5)
    assert isinstance(await fails(db, Effect.from_future_result(lambda: divide(0)), ZeroDivisionError), Exception)


async def test_a_run_as_a_future_of_returns(db: Ommi) -> None:
    future = db.future(add(Tag("a")))
    assert isinstance(future, FutureResult)
    assert await succeeds(db, find(Tag).count()) == 0
    assert await future == IOSuccess(Tag("a"))
    assert await requires_database(find(Tag).count())(db) == IOSuccess(1)
    assert await db.future(Effect.from_failure("no")) == IOFailure("no")


async def test_what_a_driver_raises_besides_errors_of_ommi_is_a_defect(db: Ommi) -> None:
    async def break_down(_: DriverStep) -> None:
        raise ZeroDivisionError

    async with Ommi(Interposed(db.driver, before=break_down)) as broken:
        with pytest.raises(ZeroDivisionError):
            await broken.run(find(Tag).all().lash(lambda _: Effect.from_value([])))


async def test_a_defect_outranks_the_cancellation_it_shows_in(db: Ommi) -> None:
    broken: Effect[Any, Any] = Effect.from_value(0).map(lambda zero: 1 // zero)
    with pytest.raises(ZeroDivisionError), anyio.move_on_after(0.01):
        await db.run(forever.ensure(broken))
    with pytest.raises((ZeroDivisionError, BaseExceptionGroup)), anyio.move_on_after(0.01):
        await db.run(gather(forever.ensure(broken), forever))


# -- the ends of transactions


async def test_a_commit_that_is_not_answered_in_time_is_unknown(db: Ommi) -> None:
    async def hang_at_commit(step: DriverStep) -> None:
        if step == "commit":
            await anyio.sleep_forever()

    pump = Pump(Interposed(db.driver, after=hang_at_commit), SystemClock(), shutdown_seconds=0.02)
    ending, error = await pump.run(add(Tag("a")).transactional())
    assert ending is Ending.ERROR
    assert isinstance(error, CommitUnknown)
    assert error.retryable is False
    assert await succeeds(db, find(Tag).count()) == 1


async def test_a_rollback_that_is_not_answered_in_time_is_given_up(db: Ommi) -> None:
    async def hang_at_rollback(step: DriverStep) -> None:
        if step == "rollback":
            await anyio.sleep_forever()

    pump = Pump(Interposed(db.driver, before=hang_at_rollback), SystemClock(), shutdown_seconds=0.02)
    program = add(Tag("a")).bind(lambda _: Effect.from_failure("no")).transactional()
    assert await pump.run(program) == (Ending.ERROR, "no")
    assert await succeeds(db, find(Tag).count()) == 0


async def test_a_cancellation_during_a_commit_waits_for_its_answer(db: Ommi) -> None:
    async def cancel_at_commit(step: DriverStep) -> None:
        if step == "commit":
            scope.cancel()
            for _ in range(5):
                await checkpoint()

    with anyio.CancelScope() as scope:
        async with Ommi(Interposed(db.driver, before=cancel_at_commit)) as slow:
            assert await slow.run(add(Tag("a")).transactional()) == Success(Tag("a"))
    assert await succeeds(db, find(Tag).count()) == 1


# -- joining


async def test_tasks_started_in_the_body_take_turns(db: Ommi) -> None:
    async def body() -> None:
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(db.run, add(Tag(str(number))).bind(lambda _: find(Tag).count()))

    program = Effect.from_awaitable(body).bind(lambda _: Effect.from_failure("undo"))
    assert await db.run(program.transactional()) == Failure("undo")
    assert await succeeds(db, find(Tag).count()) == 0


async def test_a_task_that_outlives_the_body_is_told_so(db: Ommi) -> None:
    ended = anyio.Event()
    told: list[str] = []

    async def late() -> None:
        await ended.wait()
        with pytest.raises(RuntimeError, match="has ended since") as caught:
            await db.run(find(Tag).count())
        told.append(str(caught.value))

    async with anyio.create_task_group() as group:

        async def body() -> None:
            group.start_soon(late)

        await db.run(Effect.from_awaitable(body).transactional())
        ended.set()
    assert len(told) == 1


async def test_another_database_is_not_joined(db: Ommi) -> None:
    async with Ommi.connect("memory://") as other:
        await succeeds(other, other.schema.create(suite_models))

        async def body() -> None:
            await succeeds(other, add(Tag("kept")))

        program = Effect.from_awaitable(body).bind(lambda _: Effect.from_failure("undo"))
        await db.run(program.transactional())
        assert await succeeds(other, find(Tag).count()) == 1


async def test_a_failure_of_a_joined_run_leaves_the_rest_of_the_body(db: Ommi) -> None:
    async def body() -> None:
        await succeeds(db, add(Tag("a")))
        await fails(db, add(Tag("a")), UniqueViolation)
        await succeeds(db, add(Tag("b")))

    await succeeds(db, Effect.from_awaitable(body).transactional())
    assert await succeeds(db, find(Tag).count()) == 2


# -- stopping


async def test_the_loser_of_a_race_is_stopped_before_the_answer_comes(db: Ommi) -> None:
    ended: list[str] = []

    async def loser() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("loser")

    winner = find(Tag).count().bind(lambda _: find(Tag).count())
    assert await succeeds(db, race(Effect.from_awaitable(loser), winner)) == 0
    assert ended == ["loser"]


async def test_a_timeout_stops_what_is_awaited(db: Ommi) -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("slow")

    error = await fails(db, Effect.from_awaitable(slow).timeout(0.01), StatementTimeout)
    assert "slow" in str(error)
    assert ended == ["slow"]
