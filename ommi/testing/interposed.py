"""A driver around a driver, that lets a test do something before and after every step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias, final

from anyio import CancelScope

from ommi.drivers.driver import Capabilities, Cursor, Driver, Executor, Request, Transaction
from ommi.transactions import TransactionOptions
from ommi.values import Storage

__all__ = ["DriverStep", "Hook", "Interposed"]

DriverStep: TypeAlias = Literal[
    "execute", "begin", "commit", "rollback", "savepoint", "release", "rollback_to", "stream", "fetch", "close"
]
Hook: TypeAlias = Callable[[DriverStep], Awaitable[None]]


async def _nothing(_: DriverStep) -> None:
    return


@final
class Interposed:
    """A driver that awaits `before` and `after` around each step of another one.

    What `before` raises is what the step fails with, undone as by a database; `after` is to raise only what may come
    after the step was done, such as `CommitUnknown`. It neither opens nor closes the driver underneath, which stays
    open for the test to look at.
    """

    def __init__(self, driver: Driver, before: Hook = _nothing, after: Hook = _nothing) -> None:
        self.driver = driver
        self.before = before
        self.after = after

    @property
    def name(self) -> str:
        """That of the driver underneath."""
        return self.driver.name

    @property
    def storage(self) -> Storage:
        """That of the driver underneath."""
        return self.driver.storage

    @property
    def capabilities(self) -> Capabilities:
        """Those of the driver underneath."""
        return self.driver.capabilities

    async def open(self) -> None:
        """Nothing: the driver underneath is open."""

    async def close(self) -> None:
        """Nothing: the driver underneath stays open."""

    async def execute(self, request: Request, /) -> Any:
        """One statement."""
        await self.before("execute")
        answer = await self.driver.execute(request)
        await self.after("execute")
        return answer

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        """A cursor whose steps are interposed, too: `fetch` and `close`."""
        return await _opened(self, self.driver, request, chunk)

    async def begin(self, options: TransactionOptions, /) -> Transaction:
        """A transaction whose steps are interposed, too."""
        await self.before("begin")
        transaction = await self.driver.begin(options)
        try:
            await self.after("begin")
        except BaseException:
            await _undo(transaction)
            raise
        return _InterposedTransaction(self, transaction)

    def __repr__(self) -> str:
        return f"Interposed({self.driver!r})"


@final
class _InterposedTransaction:
    def __init__(self, owner: Interposed, inner: Transaction) -> None:
        self.owner = owner
        self.inner = inner

    @property
    def usable(self) -> bool:
        return self.inner.usable

    async def execute(self, request: Request, /) -> Any:
        await self.owner.before("execute")
        answer = await self.inner.execute(request)
        await self.owner.after("execute")
        return answer

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        return await _opened(self.owner, self.inner, request, chunk)

    async def commit(self) -> None:
        try:
            await self.owner.before("commit")
        except BaseException:
            await _undo(self.inner)
            raise
        await self.inner.commit()
        await self.owner.after("commit")

    async def rollback(self) -> None:
        try:
            await self.owner.before("rollback")
        finally:
            await _undo(self.inner)
        await self.owner.after("rollback")

    async def savepoint(self, name: str, /) -> None:
        await self.owner.before("savepoint")
        await self.inner.savepoint(name)
        await self.owner.after("savepoint")

    async def release(self, name: str, /) -> None:
        await self.owner.before("release")
        await self.inner.release(name)
        await self.owner.after("release")

    async def rollback_to(self, name: str, /) -> None:
        await self.owner.before("rollback_to")
        await self.inner.rollback_to(name)
        await self.owner.after("rollback_to")


@final
class _InterposedCursor:
    def __init__(self, owner: Interposed, inner: Cursor) -> None:
        self.owner = owner
        self.inner = inner

    async def next_rows(self) -> list[Any]:
        await self.owner.before("fetch")
        found = await self.inner.next_rows()
        await self.owner.after("fetch")
        return found

    async def close(self) -> None:
        try:
            await self.owner.before("close")
        finally:
            await _close(self.inner)
        await self.owner.after("close")


async def _opened(owner: Interposed, executor: Executor, request: Request, chunk: int) -> Cursor:
    await owner.before("stream")
    cursor = await executor.stream(request, chunk)
    try:
        await owner.after("stream")
    except BaseException:
        await _close(cursor)
        raise
    return _InterposedCursor(owner, cursor)


async def _close(cursor: Cursor) -> None:
    with CancelScope(shield=True):
        await cursor.close()


async def _undo(transaction: Transaction) -> None:
    with CancelScope(shield=True):
        await transaction.rollback()
