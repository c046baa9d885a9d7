"""Cancellation: PyMongo's calls are never cancelled, what they do is stopped on the server, and waited for.

Cancelled, a call of PyMongo would lose its connection, in the worst case for good, and what it asked for might still
happen afterwards.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, TypeVarTuple, final

import anyio

from ommi.errors import CommitUnknown

__all__ = ["Kill", "Stop", "to_its_end"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Kill = Callable[[Any], Coroutine[Any, Any, bool]]
"""Stops what the server does for a session, and ends its transaction; whether the server could be told."""

_SECONDS: Final = 0.1
_UNKNOWN: Final = (
    "a write was sent, and stopped while the server did not answer; look in the database whether it happened "
    "before trying again"
)
_BY_SCOPE: Final = ("Cancelled by cancel scope ", "Cancelled via cancel scope ")  # the older and the newer anyio


@final
class Stop:
    """Where a call says what session it uses while that may be stopped, and learns whether it was.

    `patience`: the seconds it is given to end by itself. `writes`: without an answer, nobody knows what it did.
    """

    __slots__ = ("asked", "killing", "patience", "session", "writes")

    def __init__(self) -> None:
        self.session: Any = None
        self.patience = 0.0
        self.writes = False
        self.asked = False
        self.killing: asyncio.Task[bool] | None = None

    async def over(self) -> None:
        """What uses the session is over: what stops it must not stop the next one that uses it."""
        self.session = None
        self.patience = 0.0
        if self.killing is not None:
            await asyncio.wait([self.killing])


async def to_its_end(
    kill: Kill, keeps: bool | None, function: Callable[[Stop, *Ts], Coroutine[Any, Any, T]], *arguments: *Ts
) -> T:
    """Await a function in a task of its own; cancelled, stop it on the server and wait for its end.

    A value that was there before it could be stopped is returned where that is safe (`None`: where a scope of anyio
    cancels, which does so again at the next await), and `CommitUnknown` raised; so a caller that heard of a timeout
    does not write again.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    task = _started(loop, _telling(over, function(stop, *arguments)))
    try:
        if not task.done():
            await over
        return task.result()
    except asyncio.CancelledError as cancelled:
        by_scope = await _ended(asyncio.ensure_future(_stop(task, stop, kill)), _names_a_scope(cancelled))
        error = None if task.cancelled() else task.exception()
        if task.cancelled() and stop.writes and keeps is not False and by_scope:
            raise CommitUnknown(_UNKNOWN) from None
        if task.cancelled() or keeps is False or (error is not None and not isinstance(error, CommitUnknown)):
            raise
        if keeps is None and not (by_scope and anyio.current_effective_deadline() == -math.inf):
            raise
        return task.result()


async def _telling(over: asyncio.Future[None], work: Coroutine[Any, Any, T]) -> T:
    # who waits for a task is woken a turn of the loop after its end, and who waits for its shield another turn later
    try:
        return await work
    finally:
        if not over.done():
            over.set_result(None)


if sys.version_info >= (3, 12):

    def _started(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return asyncio.Task(work, loop=loop, eager_start=True)

else:

    def _started(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        return loop.create_task(work)


async def _ended(task: asyncio.Task[None], by_scope: bool) -> bool:
    """Await, however often this is cancelled meanwhile; whether nothing but scopes did that."""
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as cancelled:
            by_scope = by_scope and _names_a_scope(cancelled)
    return by_scope


def _names_a_scope(cancelled: asyncio.CancelledError) -> bool:
    # Task.cancel() says nothing, or what its caller says; the scopes of anyio name themselves
    said = cancelled.args[0] if cancelled.args else None
    return isinstance(said, str) and said.startswith(_BY_SCOPE)


async def _stop(task: asyncio.Task[Any], stop: Stop, kill: Kill) -> None:
    """Stop what the call does, as long as it uses a session that may be stopped, and wait for its end."""
    stop.asked = True
    if stop.patience:
        await asyncio.wait([task], timeout=stop.patience)
    while not task.done():
        if stop.session is not None:
            stop.killing = asyncio.ensure_future(kill(stop.session))
            await asyncio.wait([stop.killing])
            if not stop.killing.result() and not task.done():  # there is no server on which anything could happen
                task.cancel()
        # what was not at the server, or had no session, at first may have it later
        await asyncio.wait([task], timeout=_SECONDS)
