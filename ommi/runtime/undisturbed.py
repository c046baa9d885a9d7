"""Awaiting what must come to its end, whoever cancels meanwhile."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from anyio import get_cancelled_exc_class

__all__ = ["undisturbed"]

T = TypeVar("T")


async def undisturbed(making: Coroutine[Any, Any, T]) -> tuple[T, BaseException | None]:
    """What a coroutine returns, and what cancelled it meanwhile: `Task.cancel()` passes through a shielded scope.

    In a task of its own: within one, nobody can tell its own timeouts from cancellations that come from outside.
    """
    import asyncio  # here, because it is slow to import, and trio does without

    if get_cancelled_exc_class() is not asyncio.CancelledError:
        return await making, None
    loop = asyncio.get_running_loop()
    task = loop.create_task(making)
    reason: BaseException | None = None
    while not task.done():
        over = loop.create_future()  # asyncio.wait() does the same, with four times the work
        task.add_done_callback(lambda _, over=over: None if over.done() else over.set_result(None))  # type: ignore[misc]
        try:
            await over
        except asyncio.CancelledError as cancelled:
            reason = reason or cancelled
    return task.result(), reason
