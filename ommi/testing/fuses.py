"""Timeouts that end when a program says so, and not by the time its work takes."""

from __future__ import annotations

import time
from typing import Any, final

import anyio
from anyio.lowlevel import checkpoint

from ommi.effects.effect import Effect

__all__ = ["Fuse", "FuseClock", "over_time"]


@final
class Fuse(float):
    """A number of seconds that are over, on a `FuseClock`, when somebody burns it.

    Each is a timer of its own, whatever its number.
    """

    __slots__ = ("made", "waiting")

    made: int
    waiting: list[anyio.Event]

    def __new__(cls, seconds: float = 60.0) -> Fuse:
        """A fuse; the ones around it are to be made after it."""
        fuse = super().__new__(cls, seconds)
        fuse.made = time.perf_counter_ns()
        fuse.waiting = []
        return fuse

    async def burn(self) -> None:
        """Let the time be over, and wait to be stopped for it."""
        while not self.waiting:  # the timer is about to start
            await checkpoint()
        self.waiting[-1].set()
        await anyio.sleep_forever()

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


@final
class FuseClock:
    """A clock on which other pauses than fuses are over at the next turn of the event loop."""

    def __init__(self) -> None:
        self._burning: list[Fuse] = []

    def now(self) -> float:
        """Always the same moment."""
        return 0.0

    def random(self) -> float:
        """Always the same number."""
        return 0.5

    async def pause(self, seconds: float, /) -> None:
        """Wait until the fuse has burnt."""
        if not isinstance(seconds, Fuse):
            await checkpoint()
            return
        burnt = anyio.Event()
        seconds.waiting.append(burnt)
        self._burning.append(seconds)
        try:
            await burnt.wait()
        finally:
            seconds.waiting.remove(burnt)
            self._burning.remove(seconds)

    def burn_innermost(self) -> None:
        """Let the time of the timer that was made first be over, if there is one."""
        if self._burning:
            min(self._burning, key=lambda fuse: fuse.made).waiting[-1].set()


def over_time(effect: Effect[Any, Any]) -> Effect[Any, Any]:
    """The effect, and then a timeout of it that runs out; on a `FuseClock`."""
    fuse = Fuse()
    return effect.bind(lambda _: Effect.from_awaitable(fuse.burn)).timeout(fuse)
