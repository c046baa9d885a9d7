"""A clock that stands still until something waits on it."""

from __future__ import annotations

import random

from anyio.lowlevel import checkpoint

__all__ = ["FakeClock"]


class FakeClock:
    """Time and chance for a test: a pause is over at once, is kept in `pauses`, and moves the time by its seconds.

    Its random numbers are the same in every run with the same `seed`. Work that is awaited takes no time on it, and
    its timers do not wait for such work: on a database, `.timeout(seconds)` with this clock is over at once.
    """

    def __init__(self, *, start: float = 0.0, seed: int = 0) -> None:
        self.pauses: list[float] = []
        self._now = start
        self._random = random.Random(seed)  # noqa: S311  # chance that repeats is what a test wants

    def now(self) -> float:
        """The time in seconds."""
        return self._now

    def random(self) -> float:
        """The next number of the sequence."""
        return self._random.random()

    def advance(self, seconds: float) -> None:
        """Let time pass, without a pause."""
        self._now += seconds

    def skip(self, seconds: float) -> None:
        """A pause, where there is no event loop to be awaited on."""
        self.pauses.append(seconds)
        self.advance(seconds)

    async def pause(self, seconds: float, /) -> None:
        """A pause, over at the next turn of the event loop."""
        self.skip(seconds)
        await checkpoint()

    def __repr__(self) -> str:
        return f"<FakeClock at {self._now}>"
