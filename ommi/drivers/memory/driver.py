"""The memory driver: a `MemoryStore` behind the waist, whose writers take turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Final, final

import anyio
from anyio.lowlevel import checkpoint

from ommi.drivers.driver import Capabilities, Driver, Request
from ommi.drivers.memory.forms import MEMORY
from ommi.drivers.memory.store import MemoryStore, MemoryTransaction
from ommi.errors import PoolTimeout
from ommi.frozen import replace
from ommi.query.statements import is_write
from ommi.schema import Row
from ommi.transactions import IsolationLevel, TransactionOptions
from ommi.values import Storage

__all__ = ["MemoryDriver", "from_url"]

CLOSED: Final = "the database is not open: open it first, and close it only after its last use"


@final
class MemoryDriver:
    """Tables in memory, on any event loop; what they hold lives as long as the `store`.

    One transaction writes at a time and others queue, first come first served, up to `acquire_timeout` seconds.
    Reads wait for no one and see what is committed; a read-only transaction sees the rows as they were when it began.
    """

    name: Final = "memory"
    storage: Final[Storage] = MEMORY
    capabilities: Final = Capabilities(IsolationLevel.SERIALIZABLE)

    def __init__(self, store: MemoryStore | None = None, *, acquire_timeout: float = 30.0) -> None:
        if not acquire_timeout >= 0:
            raise ValueError(f"acquire_timeout={acquire_timeout!r}: say a number of seconds, or 0")
        self.store = MemoryStore() if store is None else store
        self._turns = _Turns(acquire_timeout)
        self._acquire_timeout = acquire_timeout
        self._opened = False
        self._transactions: set[_Transaction] = set()
        self._cursors: set[_Cursor] = set()
        self._idle: anyio.Event | None = None

    async def open(self) -> None:
        """Allow work."""
        self._opened = True

    async def close(self) -> None:
        """Refuse new work, wait up to `acquire_timeout` for open transactions, and roll back those that stay open."""
        self._opened = False
        if self._busy():
            self._idle = self._idle or anyio.Event()
            with anyio.move_on_after(self._acquire_timeout):
                await self._idle.wait()
        for transaction in tuple(self._transactions):
            transaction.end()

    @property
    def in_use(self) -> int:
        """How many transactions and streams are open, and writers at work besides."""
        writes = self._turns.taken and all(transaction.is_read_only for transaction in self._transactions)
        return len(self._transactions) + len(self._cursors) + writes

    async def execute(self, request: Request, /) -> Any:
        """Run one statement and commit it."""
        await checkpoint()
        self._check_open()
        if not is_write(request.statement):
            return self.store.execute(request)
        await self._take_turn()
        try:
            return self.store.execute(request)
        finally:
            self._give_turn()

    async def stream(self, request: Request, chunk: int, /) -> _Cursor:
        """The rows of a query as they are now, which takes a place in a list for each."""
        await checkpoint()
        self._check_open()
        cursor = _Cursor(self.store.execute(replace(request, read=list)), request, chunk, self._check_open)
        cursor.among(self._cursors)
        return cursor

    async def begin(self, options: TransactionOptions, /) -> _Transaction:
        """Begin; every level is met, since all transactions are serializable."""
        await checkpoint()
        self._check_open()
        if not options.read_only:
            await self._take_turn()
        transaction = _Transaction(self, self.store.begin(read_only=options.read_only))
        self._transactions.add(transaction)
        return transaction

    def ended(self, transaction: _Transaction, *, read_only: bool) -> None:
        """A transaction is over: the next writer's turn."""
        self._transactions.discard(transaction)
        if read_only:
            self._settle()
        else:
            self._give_turn()

    async def _take_turn(self) -> None:
        try:
            await self._turns.take()
        except BaseException:
            self._settle()
            raise

    def _give_turn(self) -> None:
        self._turns.give()
        self._settle()

    def _settle(self) -> None:
        """Let a waiting `close` go on, if there is nothing more to wait for."""
        if self._idle is not None and not self._busy():
            self._idle.set()
            self._idle = None

    def _busy(self) -> bool:
        return bool(self._transactions) or self._turns.taken

    def _check_open(self) -> None:
        if not self._opened:
            raise RuntimeError(CLOSED)

    def __repr__(self) -> str:
        return "MemoryDriver()"


@final
class _Transaction:
    """One open transaction; a statement happens at once, so that none is ever cancelled halfway."""

    __slots__ = ("_driver", "_inner", "_read_only")

    def __init__(self, driver: MemoryDriver, inner: MemoryTransaction) -> None:
        self._driver = driver
        self._inner = inner
        self._read_only = inner.read_only

    @property
    def usable(self) -> bool:
        """Until it is over."""
        return not self._inner.is_over

    async def execute(self, request: Request, /) -> Any:
        await checkpoint()
        return self._inner.execute(request)

    async def stream(self, request: Request, chunk: int, /) -> _Cursor:
        await checkpoint()
        return _Cursor(self._inner.execute(replace(request, read=list)), request, chunk, self._check_open)

    def _check_open(self) -> None:
        if self._inner.is_over:
            raise RuntimeError("the transaction of this stream is over: it was committed or rolled back")

    async def commit(self) -> None:
        """Keep what was done, even when cancelled meanwhile."""
        self._inner.commit()
        self._driver.ended(self, read_only=self._read_only)

    async def rollback(self) -> None:
        """Undo what was done, even when cancelled meanwhile; nothing, if the transaction is over."""
        self.end()

    async def savepoint(self, name: str, /) -> None:
        self._inner.savepoint(name)

    async def release(self, name: str, /) -> None:
        self._inner.release(name)

    async def rollback_to(self, name: str, /) -> None:
        self._inner.rollback_to(name)

    @property
    def is_read_only(self) -> bool:
        """Whether it leaves others their turn to write."""
        return self._read_only

    def end(self) -> None:
        """Roll back, at once."""
        if not self._inner.is_over:
            self._inner.rollback()
            self._driver.ended(self, read_only=self._read_only)


@final
class _Cursor:
    """Rows that are there already, and read some at a time."""

    def __init__(self, rows: list[Row], request: Request, chunk: int, check: Callable[[], None]) -> None:
        self._rows = iter(rows)
        self._read = request.read
        self._chunk = chunk
        self._check = check
        self._open: set[_Cursor] = set()

    def among(self, cursors: set[_Cursor]) -> None:
        """Be one of those that are open, until it is closed."""
        self._open = cursors
        cursors.add(self)

    async def next_rows(self) -> list[Any]:
        await checkpoint()
        self._check()
        found: list[Any] = self._read(islice(self._rows, self._chunk))
        return found

    async def close(self) -> None:
        self._rows = iter(())
        self._open.discard(self)


@final
class _Turns:
    """One holder at a time; the others wait in the order in which they came."""

    __slots__ = ("_seconds", "_waiting", "taken")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: deque[anyio.Event] = deque()
        self.taken = False

    async def take(self) -> None:
        """Wait for the turn; `PoolTimeout` if it does not come in time."""
        if not self.taken:
            self.taken = True
            return
        mine = anyio.Event()
        self._waiting.append(mine)
        try:
            with anyio.move_on_after(self._seconds):
                await mine.wait()
        except BaseException:
            self._leave(mine)
            raise
        if not mine.is_set():
            self._waiting.remove(mine)
            raise PoolTimeout(
                f"no transaction could begin to write within {self._seconds:g} s: another one is open",
                hint="end transactions sooner, never wait inside one for another, or raise acquire_timeout",
            )

    def give(self) -> None:
        """Pass the turn on."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self.taken = False

    def _leave(self, mine: anyio.Event) -> None:
        if mine.is_set():  # the turn came and the cancellation, too: it is the next one's
            self.give()
        else:
            self._waiting.remove(mine)


def from_url(url: str, /, **options: Any) -> Driver:
    """A driver of its own tables for `memory://`; the options are those of `MemoryDriver`."""
    if url.removeprefix("memory:").strip("/"):
        raise ValueError(f"{url!r}: tables in memory have no name; connect to 'memory://'")
    return MemoryDriver(**options)
