"""Joining: a run that is started in the body of a transaction becomes part of it, and waits for its turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar, Token

import anyio
from anyio import CancelScope

from ommi.runtime.interpreter import OpenTransaction

__all__ = ["Turn", "current_turn", "enter", "joining", "leave"]


class Turn:
    """A transaction that runs in its body join. `owner` is the pump it belongs to: other databases do not join."""

    __slots__ = ("ended", "in_block", "lock", "outer", "owner", "transaction")

    def __init__(self, owner: object, transaction: OpenTransaction) -> None:
        self.owner = owner
        self.transaction = transaction
        self.lock = anyio.Lock(fast_acquire=True)
        self.ended = False
        self.in_block = False
        self.outer: Turn | None = None

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[OpenTransaction]:
        """Have the transaction for oneself; a transaction that has ended is a defect of whoever still uses it."""
        async with self.lock:
            if self.ended:
                raise RuntimeError(
                    "this task was started in the body of a transaction that has ended since: "
                    "finish such tasks in the body, or start them outside of it"
                )
            yield self.transaction


_TURN: ContextVar[Turn | None] = ContextVar("ommi_turn", default=None)


def current_turn(owner: object) -> Turn | None:
    """The transaction of this pump that the current context is in the body of."""
    turn = _TURN.get()
    while turn is not None and turn.owner is not owner:
        turn = turn.outer
    return turn


def enter(turn: Turn) -> Token[Turn | None]:
    """Let runs in this context, and in tasks that inherit it, join."""
    turn.outer = _TURN.get()
    return _TURN.set(turn)


def leave(token: Token[Turn | None]) -> None:
    """Let runs in this context join no more."""
    _TURN.reset(token)


@asynccontextmanager
async def joining(turn: Turn) -> AsyncIterator[None]:
    """Let runs in this context, and in tasks that inherit it, join; left only when none of them is under way."""
    token = enter(turn)
    try:
        yield
    finally:
        leave(token)
        with CancelScope(shield=True):
            async with turn.lock:
                turn.ended = True
