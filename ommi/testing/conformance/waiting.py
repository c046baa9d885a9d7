"""Waiting that ends when it is to, and by no clock: what is stopped has always come to the same place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
from anyio import CancelScope

__all__ = ["Bell", "cancelling"]


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

    async def ring(self) -> None:
        """Let all time pass, and wait to be stopped for it."""
        self.rung.set()
        await anyio.sleep_forever()


def cancelling(scope: CancelScope) -> Callable[[], Awaitable[None]]:
    """Cancel the scope, and wait to be stopped for it."""

    async def cancel() -> None:
        scope.cancel()
        await anyio.sleep_forever()

    return cancel
