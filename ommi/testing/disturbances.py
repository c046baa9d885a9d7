"""Mishaps at chosen steps of a driver, the same ones on any database, so that what comes of them can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, assert_never, final, get_args

import anyio
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from hypothesis import strategies as st

from ommi.database import Ommi
from ommi.errors import CommitUnknown, ConnectionLost, LockTimeout, SerializationConflict
from ommi.testing.fuses import FuseClock
from ommi.testing.interposed import DriverStep, Interposed

__all__ = ["STEPS", "Disturbance", "Intention", "Mishap", "disturb", "intentions", "planned"]

Mishap: TypeAlias = Literal["cancel", "late", "lost", "unknown", "conflict", "lock"]
Moment: TypeAlias = Literal["before", "after"]

STEPS: Final[tuple[DriverStep, ...]] = (
    "execute",
    "begin",
    "commit",
    "rollback",
    "savepoint",
    "release",
    "rollback_to",
    "stream",
    "fetch",
    "close",
)
_TURNS: Final = 30  # of the event loop: more than it takes until a task hears that it is cancelled


@final
@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happens at the `number`th step of a kind, counted from 1: an error, a timer that runs out, a cancellation.

    An error comes before the step is done; `unknown` comes after a commit that was.
    """

    step: DriverStep
    number: int
    moment: Moment
    mishap: Mishap


@final
@dataclass(frozen=True, slots=True)
class Intention:
    """A disturbance of some step of a program whose steps are not known yet."""

    place: int
    moment: Moment
    mishap: Mishap

    def at(self, steps: Sequence[DriverStep]) -> Disturbance:
        """What it comes to in a run of these steps, at least one."""
        place = self.place % len(steps)
        step = steps[place]
        number = steps[: place + 1].count(step)
        if self.mishap == "unknown":
            return Disturbance(step, number, *(("after", "unknown") if step == "commit" else ("before", "conflict")))
        is_error = self.mishap in ("conflict", "lock", "lost")
        return Disturbance(step, number, "before" if is_error else self.moment, self.mishap)


def intentions(*, least: int = 0, most: int = 2) -> st.SearchStrategy[tuple[Intention, ...]]:
    """A few disturbances at any step."""
    one = st.builds(
        Intention, st.integers(0, 40), st.sampled_from(["before", "after"]), st.sampled_from(get_args(Mishap))
    )
    return st.lists(one, min_size=least, max_size=most).map(tuple)


def planned(
    intended: Sequence[Intention], steps: Sequence[DriverStep], kinds: Collection[DriverStep] = STEPS
) -> tuple[Disturbance, ...]:
    """The intentions for a run of these steps; kinds that two drivers use differently are to be left out."""
    found = [step for step in steps if step in kinds]
    return tuple([intention.at(found) for intention in intended]) if found else ()


async def disturb(
    db: Ommi, action: Callable[[Ommi], Awaitable[Any]], disturbances: Sequence[Disturbance] = ()
) -> tuple[Any, list[DriverStep]]:
    """What an action on the database gives when these things happen meanwhile, and the steps that were made.

    A cancelled action gives `"cancelled"`. Timers stand still: see `FuseClock`.
    """
    clock, scope, steps = FuseClock(), CancelScope(), list[DriverStep]()
    counts: Counter[DriverStep] = Counter()
    left = {(one.step, one.number, one.moment): one.mishap for one in disturbances}

    async def turns() -> None:
        for _ in range(_TURNS):
            await checkpoint()

    async def before(step: DriverStep) -> None:
        steps.append(step)
        counts[step] += 1
        if scope.cancel_called:
            await checkpoint()  # a cancelled step is not begun: how far it would get depends on the database
        await happen(step, "before")

    async def after(step: DriverStep) -> None:
        await happen(step, "after")

    async def happen(step: DriverStep, moment: Moment) -> None:
        mishap = left.pop((step, counts[step], moment), None)
        match mishap:
            case None:
                return
            case "conflict":
                raise SerializationConflict("disturbed")
            case "lock":
                raise LockTimeout("disturbed")
            case "lost":
                raise ConnectionLost("disturbed")
            case "unknown":
                raise CommitUnknown("disturbed")
            case "late":
                await turns()  # timers that are about to start do so
                clock.burn_innermost()
            case "cancel":
                scope.cancel()
            case _:
                assert_never(mishap)
        await turns()

    found: Any = "cancelled"
    with anyio.fail_after(60):
        async with Ommi(Interposed(db.driver, before, after), clock=clock) as disturbed:
            with scope:
                found = await action(disturbed)
    return found, steps
