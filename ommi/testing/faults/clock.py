"""A clock for runs that are disturbed: nothing waits for it, and no timer rings while the database works."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from anyio.lowlevel import checkpoint

__all__ = ["IdleClock"]

_QUIET: Final = 40  # turns of the event loop in which nothing was done: more than one step takes to follow another


class IdleClock:
    """Time passes when there is nothing to do but to wait for it: then it jumps to the next timer.

    `activity` is a number that changes while the program works, or `None` as long as it must not jump.
    """

    def __init__(self, activity: Callable[[], int | None]) -> None:
        self._activity = activity
        self._now = 0.0
        self._random = random.Random(0)  # noqa: S311  # chance that repeats is what a test wants
        self._timers: list[float] = []

    @property
    def is_timing(self) -> bool:
        """Whether anything waits for a time."""
        return bool(self._timers)

    def now(self) -> float:
        """The time in seconds."""
        return self._now

    def random(self) -> float:
        """The next number of a sequence that is the same in every run."""
        return self._random.random()

    def ring(self) -> None:
        """Let every timer be over."""
        self._now = max([self._now, *self._timers])

    async def pause(self, seconds: float, /) -> None:
        """Wait until the time has jumped so far."""
        due = self._now + seconds
        self._timers.append(due)
        try:
            quiet, seen = 0, (self._activity(), self._now)
            while self._now < due:
                await checkpoint()
                active = self._activity(), self._now  # after a jump the program goes on
                quiet = quiet + 1 if active[0] is not None and active == seen else 0
                seen = active
                if quiet > _QUIET and due == min(self._timers):
                    self._now = due
        finally:
            self._timers.remove(due)
