"""Joining: a run that is started in the body of a transaction becomes part of it, and waits for its turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar

import anyio
from anyio import CancelScope, get_cancelled_exc_class

from ommi.runtime.fibers import OpenTransaction

__all__ = ["Over", "Turn", "current_turn", "enter", "joining", "leave"]


class Over(RuntimeError):
    """The transaction has ended."""


class Turn:
    """A transaction that runs in its body join. `owner` is the pump it belongs to: other databases do not join."""

    __slots__ = ("ended", "entered_by", "in_block", "lock", "outer", "owner", "running", "transaction")

    def __init__(self, owner: object, transaction: OpenTransaction) -> None:
        self.owner = owner
        self.transaction = transaction
        self.lock = anyio.Lock(fast_acquire=True)
        self.ended = False
        self.entered_by: int | None = None
        self.in_block = False
        self.outer: Turn | None = None
        self.running: CancelScope | None = None

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[OpenTransaction]:
        """Have the transaction for oneself; a transaction that has ended is a defect of whoever still uses it."""
        async with self.lock:
            if self.ended:
                raise Over(
                    "this task was started in the body of a transaction that has ended since: "
                    "finish such tasks in the body, or start them outside of it"
                )
            with CancelScope() as self.running:
                yield self.transaction
            if self.running.cancelled_caught:
                raise RuntimeError(
                    "this run was stopped: it was part of a transaction that was cancelled, or whose time was over"
                )

    async def end(self) -> None:
        """Let nobody have it any more, once the one who has it is done; if this is cancelled, that one is stopped."""
        try:
            async with self.lock:
                self.ended = True
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let nobody have it any more, and stop the one who has it; what that one must do first is waited for."""
        self.ended = True
        if self.running is not None:
            self.running.cancel()
        with CancelScope(shield=True):
            while True:
                with suppress(get_cancelled_exc_class()):  # asyncio's `Task.cancel()` passes through a shield
                    async with self.lock:
                        return


_TURN: ContextVar[Turn | None] = ContextVar("ommi_turn", default=None)


def current_turn(owner: object) -> Turn | None:
    """The transaction of this pump that the current context is in the body of.

    The task that entered one that was left elsewhere is in it no longer; one that inherited its context still is.
    """
    turn = _TURN.get()
    while turn is not None and (
        turn.owner is not owner or (turn.ended and turn.entered_by == anyio.get_current_task().id)
    ):
        turn = turn.outer
    return turn


def enter(turn: Turn) -> None:
    """Let runs in this context, and in tasks that inherit it, join."""
    turn.outer = _TURN.get()
    turn.entered_by = anyio.get_current_task().id
    _TURN.set(turn)


def leave(turn: Turn) -> None:
    """Let runs in this context join no more; nothing, if it is not the context that was entered."""
    if _TURN.get() is turn:
        _TURN.set(turn.outer)


@asynccontextmanager
async def joining(turn: Turn) -> AsyncIterator[None]:
    """Let runs in this context, and in tasks that inherit it, join; left only when none of them is under way.

    Cancelled, it stops the run under way: a transaction that is to end does not wait for one that may never.
    """
    enter(turn)
    try:
        yield
    except get_cancelled_exc_class():
        leave(turn)
        await turn.stop()
        raise
    except BaseException:
        leave(turn)
        await turn.end()
        raise
    leave(turn)
    await turn.end()
