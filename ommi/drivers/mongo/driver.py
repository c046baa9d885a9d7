"""The MongoDB driver: an asyncio engine, reached directly on asyncio and through a loop of its own on trio."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, TypeVarTuple, final

import anyio
from anyio.lowlevel import checkpoint_if_cancelled
from pymongo import AsyncMongoClient
from pymongo.errors import ConfigurationError
from pymongo.uri_parser import parse_uri
from sniffio import current_async_library

from ommi.drivers.driver import Capabilities, Request
from ommi.drivers.mongo.cursors import EngineCursor, OpenQuery
from ommi.drivers.mongo.engine import Engine
from ommi.drivers.mongo.forms import DECIMAL_DIGITS, MONGO
from ommi.drivers.mongo.stopping import Stop, to_its_end
from ommi.drivers.mongo.telling import with_begin
from ommi.drivers.mongo.transaction import EngineTransaction
from ommi.drivers.registry import redacted
from ommi.errors import UnsupportedOperation
from ommi.frozen import replace
from ommi.transactions import IsolationLevel, TransactionOptions
from ommi.values import Storage

if TYPE_CHECKING:
    from ommi.drivers.bridge import LoopThread

__all__ = ["MongoDriver"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_LAST_LOOK: Final = 0.01
CLOSED: Final = "the database is not open: open it first, and close it only after its last use"


@final
class MongoDriver:
    """A database of a MongoDB server, given by its URL or by a client that the application has already.

    A client is PyMongo's `AsyncMongoClient` or Motor's; it is used on asyncio, in the loop it belongs to, and it is
    not closed. `database` is, left out, the one that the client's URL names. `options` go to the client that is made of
    a URL. In seconds: `conflict_timeout` is how long a statement that needs a transaction of its own is tried again
    when it conflicts with others, `catalog_timeout` how soon it is noticed that another process made or dropped a
    collection.
    """

    name: Final = "mongodb"
    storage: Final[Storage] = MONGO
    capabilities: Final = Capabilities(
        IsolationLevel.SNAPSHOT,
        savepoints=False,
        undoes_statements=False,
        language="mongo",
        waits=False,
        decimal_digits=DECIMAL_DIGITS,
        joins=False,
    )

    def __init__(
        self,
        client: str | AsyncMongoClient[Any] | Any,
        database: str | None = None,
        *,
        conflict_timeout: float = 10.0,
        catalog_timeout: float = 10.0,
        **options: Any,
    ) -> None:
        for option, seconds in (("conflict_timeout", conflict_timeout), ("catalog_timeout", catalog_timeout)):
            if not seconds >= 0:
                raise ValueError(f"{option}={seconds!r}: say a number of seconds, or 0")
        if options and not isinstance(client, str):
            raise TypeError(f"{', '.join(options)}: a client that is handed in has its own options")
        self._given = client
        self._database = database or _named_by(client)
        self._options = options
        self._conflict_timeout = conflict_timeout
        self._catalog_timeout = catalog_timeout
        self._engine: Engine | None = None
        self._thread: LoopThread | None = None
        self._opening = False
        self._closing = False
        self._working = 0
        self._idle: anyio.Event | None = None

    async def open(self) -> None:
        """Connect, and check that the database answers, in the event loop that will use it."""
        if self._opening or self._engine is not None:
            raise RuntimeError("the database is open already")
        self._opening = True
        try:
            if current_async_library() == "trio":
                await self._open_thread()
            self._engine = await self._run(self._connect)
            self._closing = False
        except BaseException:
            await self._close_thread()
            raise
        finally:
            self._opening = False

    async def _open_thread(self) -> None:
        if not isinstance(self._given, str):
            raise UnsupportedOperation("a MongoDB client belongs to asyncio: on trio, give the URL and not the client")
        from ommi.drivers.bridge import LoopThread

        self._thread = LoopThread("MongoDB")
        await self._thread.start()

    async def _close_thread(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await thread.stop()

    async def _connect(self) -> Engine:
        client = AsyncMongoClient(self._given, **self._options) if isinstance(self._given, str) else self._given
        engine = Engine(
            client,
            self._database,
            conflict_timeout=self._conflict_timeout,
            catalog_seconds=self._catalog_timeout,
        )
        try:
            await to_its_end(engine.kill, False, engine.check)
        except BaseException:
            # a client that gives up looks at its servers once more, and cut short it would leave a socket open
            await asyncio.sleep(_LAST_LOOK)
            await self._disconnect(engine)
            raise
        return engine

    async def _disconnect(self, engine: Engine) -> None:
        await engine.finish()
        if isinstance(self._given, str):
            await engine.client.close()

    async def close(self) -> None:
        """Refuse new work, wait for what is under way, and close every connection.

        Cancelled, it waits no longer: what is open is rolled back by the server.
        """
        engine = self._engine
        if engine is None:
            return
        self._closing = True
        try:
            if self._working:
                self._idle = self._idle or anyio.Event()
                await self._idle.wait()
        finally:
            if self._engine is engine:
                self._engine = None
                with anyio.CancelScope(shield=True):
                    try:
                        await self._run(self._disconnect, engine)
                    finally:
                        await self._close_thread()

    async def execute(self, request: Request, /) -> Any:
        """Run one statement and commit it."""
        engine = self._open_engine()
        self._working += 1
        try:
            return await self.call(engine, None, engine.execute, request)
        finally:
            self.ended()

    async def stream(self, request: Request, chunk: int, /) -> _Cursor:
        """Open a query in a session of its own."""
        engine = self._open_engine()
        cursor = _Cursor(self, EngineCursor(engine, request, chunk))
        self._working += 1
        try:
            await self.call(engine, False, cursor.inner.open)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await cursor.close()
            raise
        return cursor

    async def begin(self, options: TransactionOptions, /) -> _Transaction:
        """Begin; SNAPSHOT is the strongest level."""
        await checkpoint_if_cancelled()
        transaction = _Transaction(self, EngineTransaction.begin(self._open_engine(), options))
        self._working += 1
        return transaction

    async def begin_with(
        self, options: TransactionOptions, requests: Sequence[Request], /
    ) -> tuple[_Transaction, list[Any]]:
        """Begin, which the server hears of with the first statement."""
        transaction = await self.begin(options)
        first, *others = requests
        try:
            return transaction, await transaction.execute_all([replace(first, sent=with_begin(first.sent)), *others])
        except BaseException:
            with anyio.CancelScope(shield=True):
                await transaction.rollback()
            raise

    def ended(self) -> None:
        """A statement or transaction is over."""
        self._working -= 1
        if not self._working and self._idle is not None:
            self._idle.set()
            self._idle = None

    async def call(
        self,
        engine: Engine,
        keeps: bool | None,
        function: Callable[[Stop, *Ts], Coroutine[Any, Any, T]],
        *arguments: *Ts,
    ) -> T:
        """Await what the engine does, in the event loop that the client belongs to; see `to_its_end`."""
        if self._thread is None:
            return await to_its_end(engine.kill, keeps, function, *arguments)
        # trio asks for the end of a call once, and takes a value in its place
        return await self._run(to_its_end, engine.kill, keeps is None or keeps, function, *arguments)

    async def _run(self, function: Callable[[*Ts], Coroutine[Any, Any, T]], *arguments: *Ts) -> T:
        thread = self._thread
        return await (function(*arguments) if thread is None else thread.call(function, *arguments))

    def _open_engine(self) -> Engine:
        if self._engine is None or self._closing:
            raise RuntimeError(CLOSED)
        return self._engine

    def __repr__(self) -> str:
        given = redacted(self._given) if isinstance(self._given, str) else type(self._given).__name__
        return f"MongoDriver({given!r}, {self._database!r})"

    def __del__(self) -> None:
        if getattr(self, "_engine", None) is not None:
            if self._thread is not None:
                self._thread.abandon()
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=1, source=self)


def _named_by(client: Any) -> str:
    """The database of a URL, or of a client's."""
    try:
        found = parse_uri(client)["database"] if isinstance(client, str) else client.get_default_database().name
    except ConfigurationError:
        found = None
    if not found:
        raise ValueError("a MongoDB server has many databases: name one, as in mongodb://localhost/app")
    return str(found)


@final
class _Transaction:
    """One open transaction, reached as its driver is."""

    __slots__ = ("_driver", "_inner", "_over")

    def __init__(self, driver: MongoDriver, inner: EngineTransaction) -> None:
        self._driver = driver
        self._inner = inner
        self._over = False

    @property
    def usable(self) -> bool:
        """The server ends a transaction at its first error."""
        return self._inner.usable

    async def execute(self, request: Request, /) -> Any:
        return await self.within(self._inner.execute, request)

    async def execute_all(self, requests: Sequence[Request], /) -> list[Any]:
        """Run statements up to the first that fails, in one hop, and in as few commands as is exact."""
        return await self.within(self._inner.execute_all, requests)

    async def stream(self, request: Request, chunk: int, /) -> _TransactionCursor:
        inner = self._inner
        rows = OpenQuery(inner.engine, request, chunk)
        await self.within(inner.open, rows)
        return _TransactionCursor(self, rows)

    async def within(self, function: Callable[[Stop, *Ts], Coroutine[Any, Any, T]], *arguments: *Ts) -> T:
        """Await a step of the transaction, which is over if that is cancelled."""
        try:
            return await self._driver.call(self._inner.engine, False, function, *arguments)
        except Exception:
            raise
        except BaseException:
            self._inner.cancelled()
            raise

    async def next_rows(self, rows: OpenQuery) -> list[Any]:
        """The next rows of a query that is open."""
        return await self.within(self._inner.next_rows, rows)

    async def close_rows(self, rows: OpenQuery) -> None:
        """Close a query that is open."""
        if not self._over:
            await self._driver.call(self._inner.engine, None, self._inner.close_rows, rows)

    async def commit(self) -> None:
        """Keep what was done; cancelled meanwhile, it still ends."""
        try:
            await self._driver.call(self._inner.engine, None, self._inner.commit)
        finally:
            self._end()

    async def rollback(self) -> None:
        """Undo what was done, even when cancelled meanwhile; nothing, if the transaction is over."""
        try:
            await self._driver.call(self._inner.engine, None, self._inner.rollback)
        finally:
            self._end()

    async def savepoint(self, name: str, /) -> None:
        raise self._inner.refuse_savepoint()

    async def release(self, name: str, /) -> None:
        raise self._inner.refuse_savepoint()

    async def rollback_to(self, name: str, /) -> None:
        raise self._inner.refuse_savepoint()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._driver.ended()


@final
class _Cursor:
    """A query in a session of its own, reached as its driver is."""

    __slots__ = ("_closed", "_driver", "inner")

    def __init__(self, driver: MongoDriver, inner: EngineCursor) -> None:
        self._driver = driver
        self.inner = inner
        self._closed = False

    async def next_rows(self) -> list[Any]:
        """What is read of the next rows."""
        return await self._driver.call(self.inner.engine, False, self.inner.next_rows)

    async def close(self) -> None:
        """End it; twice is allowed."""
        if self._closed:
            return
        self._closed = True
        try:
            await self._driver.call(self.inner.engine, None, self.inner.close)
        finally:
            self._driver.ended()


@final
class _TransactionCursor:
    """A query of a transaction."""

    __slots__ = ("_owner", "_rows")

    def __init__(self, owner: _Transaction, rows: OpenQuery) -> None:
        self._owner = owner
        self._rows = rows

    async def next_rows(self) -> list[Any]:
        return await self._owner.next_rows(self._rows)

    async def close(self) -> None:
        await self._owner.close_rows(self._rows)
