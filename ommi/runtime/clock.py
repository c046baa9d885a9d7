"""Time and chance, passed in, so that tests can hold still."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from ommi.frozen import frozen

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """What a run knows of time (seconds) and chance (0 to 1)."""

    def now(self) -> float:
        """Seconds since some moment, never going back."""
        ...

    def random(self) -> float:
        """A number from 0 up to, and without, 1."""
        ...

    def pause(self, seconds: float, /) -> Awaitable[None] | None:
        """Wait on this clock; `None` leaves the waiting to the event loop."""
        ...


def _random() -> float:
    from random import random  # here, because most programs wait for nothing by chance

    return random()  # noqa: S311 - nobody gains by guessing a delay


@frozen
class SystemClock:
    """The machine's clock, and the default source of randomness."""

    now: Callable[[], float] = time.monotonic
    random: Callable[[], float] = _random

    def pause(self, seconds: float, /) -> None:
        return None
