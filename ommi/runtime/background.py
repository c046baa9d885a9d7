"""A task that belongs to no scope of whoever starts it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from anyio import get_cancelled_exc_class

__all__ = ["start"]


def start(function: Callable[[], Coroutine[Any, Any, None]]) -> object:
    """Run a function in a task of the event loop's own, with a copy of the current context.

    Keep what is returned as long as the task is wanted. The function lets nothing but its own cancellation through.
    """
    import asyncio  # here, because it is slow to import, and trio does without

    if get_cancelled_exc_class() is asyncio.CancelledError:
        return asyncio.create_task(function())
    from trio.lowlevel import spawn_system_task

    return spawn_system_task(function, context=copy_context())
