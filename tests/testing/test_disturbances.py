"""What is disturbed at a step happens there, and timers burn one by one."""

from typing import Any

import pytest

from ommi import Effect, Ommi, Schedule, StatementTimeout, Success, add, find
from ommi.errors import CommitUnknown, ConnectionLost
from ommi.testing import succeeds
from ommi.testing.disturbances import Disturbance, Intention, disturb, planned
from ommi.testing.fuses import Fuse, FuseClock, over_time
from ommi.testing.models import Tag, suite_models

pytestmark = pytest.mark.anyio

BOTH: Effect[Any, Any] = add(Tag("a")).bind(lambda _: add(Tag("b"))).transactional()
WHOLE = ["begin", "execute", "execute", "commit"]


class Disturbed:
    """A database in memory, and the program run on it with some disturbances."""

    async def __call__(self, program: Effect[Any, Any], *disturbances: Disturbance) -> tuple[Any, list[Any], int]:
        async with Ommi.connect("memory://") as db:
            await succeeds(db, db.schema.create(suite_models))
            found, steps = await disturb(db, lambda it: it.run(program), disturbances)
            return found, steps, await succeeds(db, find(Tag).count())


run = Disturbed()


async def test_undisturbed_the_action_gives_what_it_gives() -> None:
    assert await run(BOTH) == (Success(Tag("b")), WHOLE, 2)


async def test_an_error_comes_before_its_step() -> None:
    found, steps, kept = await run(BOTH, Disturbance("execute", 2, "before", "lost"))
    assert isinstance(found.failure(), ConnectionLost)
    assert (steps, kept) == (["begin", "execute", "execute", "rollback"], 0)


async def test_an_error_comes_once() -> None:
    found, steps, kept = await run(BOTH.retry(Schedule.recurs(1)), Disturbance("commit", 1, "before", "conflict"))
    assert found == Success(Tag("b"))
    assert (steps, kept) == (WHOLE + WHOLE, 2)


async def test_an_unknown_commit_has_happened() -> None:
    found, steps, kept = await run(BOTH, Disturbance("commit", 1, "after", "unknown"))
    assert isinstance(found.failure(), CommitUnknown)
    assert (steps, kept) == (WHOLE, 2)


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_cancellation_stops_the_step(moment: Any) -> None:
    found, steps, kept = await run(BOTH, Disturbance("execute", 2, moment, "cancel"))
    assert (found, steps, kept) == ("cancelled", ["begin", "execute", "execute", "rollback"], 0)


async def test_the_innermost_timer_runs_out() -> None:
    inner = add(Tag("a")).transactional(timeout=Fuse()).either()
    program = inner.bind(lambda _: add(Tag("b"))).timeout(Fuse())
    found, _, kept = await run(program, Disturbance("commit", 1, "before", "late"))
    assert found == Success(Tag("b"))
    assert kept == 2  # what is being committed is not stopped
    found, _, kept = await run(program, Disturbance("execute", 1, "before", "late"))
    assert found == Success(Tag("b"))
    assert kept == 1


async def test_without_a_timer_nothing_runs_out() -> None:
    assert await run(BOTH, Disturbance("execute", 1, "before", "late")) == (Success(Tag("b")), WHOLE, 2)


async def test_a_burnt_fuse_ends_its_own_timeout_and_no_other() -> None:
    inner = over_time(add(Tag("a"))).lash(lambda error: Effect.from_value(type(error)))
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(suite_models))
        async with Ommi(db.driver, clock=FuseClock()) as timed:
            assert await succeeds(timed, inner.timeout(Fuse()).timeout(Fuse())) is StatementTimeout


@pytest.mark.parametrize(
    "place, mishap, expected",
    [
        (0, "lost", Disturbance("begin", 1, "before", "lost")),
        (2, "late", Disturbance("execute", 2, "after", "late")),
        (3, "unknown", Disturbance("commit", 1, "after", "unknown")),
        (5, "unknown", Disturbance("execute", 1, "before", "conflict")),
    ],
)
async def test_an_intention_finds_its_step(place: int, mishap: Any, expected: Disturbance) -> None:
    steps: list[Any] = WHOLE
    assert Intention(place, "after", mishap).at(steps) == expected


async def test_steps_that_are_left_out_are_not_disturbed() -> None:
    intended = [Intention(0, "before", "lost")]
    steps: list[Any] = WHOLE
    assert planned(intended, steps, ["commit"]) == (Disturbance("commit", 1, "before", "lost"),)
    assert planned(intended, steps, ["savepoint"]) == ()
