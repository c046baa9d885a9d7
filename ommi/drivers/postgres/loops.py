"""Where the work on connections is done: in the caller's own asyncio loop, or in one of its own beside trio."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, final

import anyio
from anyio import CancelScope
from anyio.lowlevel import checkpoint_if_cancelled

from ommi.drivers.driver import Cursor, Request, Transaction
from ommi.drivers.postgres.transaction import PostgresTransaction, Shield

__all__ = ["AsyncioLoop", "Loop", "running_loop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Loop(ABC):
    """The asyncio loop that the connections belong to, as seen from the event loop of the program."""

    shield: Shield
    """What keeps a cancelled task of that loop from being cancelled again while it cleans up."""

    @abstractmethod
    async def start(self) -> None:
        """Let it run."""

    @abstractmethod
    async def stop(self) -> None:
        """End it, if it is not the program's own."""

    @abstractmethod
    def abandon(self) -> None:
        """End it without waiting, if it is not the program's own."""

    @abstractmethod
    async def call(self, function: Callable[[*Ts], Coroutine[Any, Any, T]], /, *arguments: *Ts) -> T:
        """Await a function in the loop. Cancelled, it is over when its clean-up is."""

    @abstractmethod
    def transaction(self, inner: PostgresTransaction) -> Transaction:
        """The transaction, for use in the program's event loop."""

    @abstractmethod
    def cursor(self, inner: Cursor) -> Cursor:
        """The cursor, for use in the program's event loop."""


@final
class AsyncioLoop(Loop):
    """The program runs on asyncio, as asyncpg does."""

    shield = staticmethod(partial(CancelScope, shield=True))

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    def abandon(self) -> None:
        return

    async def call(self, function: Callable[[*Ts], Coroutine[Any, Any, T]], /, *arguments: *Ts) -> T:
        await checkpoint_if_cancelled()
        return await function(*arguments)

    def transaction(self, inner: PostgresTransaction) -> Transaction:
        return inner

    def cursor(self, inner: Cursor) -> Cursor:
        return inner


@final
class BridgedLoop(Loop):
    """The program runs on trio; each operation crosses into the loop and back once, and is cancelled at most once."""

    shield = nullcontext

    def __init__(self) -> None:
        from ommi.drivers.bridge import LoopThread

        self._thread = LoopThread("ommi postgres")

    async def start(self) -> None:
        await self._thread.start()

    async def stop(self) -> None:
        await self._thread.stop()

    def abandon(self) -> None:
        self._thread.abandon()

    async def call(self, function: Callable[[*Ts], Coroutine[Any, Any, T]], /, *arguments: *Ts) -> T:
        return await self._thread.call(function, *arguments)

    def transaction(self, inner: PostgresTransaction) -> Transaction:
        return _BridgedTransaction(self, inner)

    def cursor(self, inner: Cursor) -> Cursor:
        return _BridgedCursor(self, inner)


@final
class _BridgedTransaction:
    __slots__ = ("_inner", "_loop")

    def __init__(self, loop: BridgedLoop, inner: PostgresTransaction) -> None:
        self._loop = loop
        self._inner = inner

    @property
    def usable(self) -> bool:
        return self._inner.usable

    async def execute(self, request: Request, /) -> Any:
        return await self._loop.call(self._inner.execute, request)

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        return self._loop.cursor(await self._loop.call(self._inner.stream, request, chunk))

    async def execute_all(self, requests: Sequence[Request], /) -> list[Any]:
        return await self._loop.call(self._inner.execute_all, requests)

    async def commit(self) -> None:
        await self._loop.call(self._inner.commit)

    async def rollback(self) -> None:
        await self._loop.call(self._inner.rollback)

    async def savepoint(self, name: str, /) -> None:
        await self._loop.call(self._inner.savepoint, name)

    async def release(self, name: str, /) -> None:
        await self._loop.call(self._inner.release, name)

    async def rollback_to(self, name: str, /) -> None:
        await self._loop.call(self._inner.rollback_to, name)


@final
class _BridgedCursor:
    __slots__ = ("_inner", "_loop")

    def __init__(self, loop: BridgedLoop, inner: Cursor) -> None:
        self._loop = loop
        self._inner = inner

    async def next_rows(self) -> list[Any]:
        return await self._loop.call(self._inner.next_rows)

    async def close(self) -> None:
        await self._loop.call(self._inner.close)


def running_loop() -> Loop:
    """What fits the event loop that the caller runs in."""
    return AsyncioLoop() if anyio.get_cancelled_exc_class() is asyncio.CancelledError else BridgedLoop()
