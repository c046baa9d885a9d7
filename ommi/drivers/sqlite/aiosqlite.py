"""The SQLite driver on an `aiosqlite.Connection` that the application has already."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from ommi.drivers.sqlite.connections import prepare
from ommi.drivers.sqlite.driver import PooledDriver
from ommi.drivers.sqlite.event_loop import AsyncioLoop, EventLoop
from ommi.drivers.sqlite.pool import Pool
from ommi.drivers.sqlite.worker import Job, Worker
from ommi.errors import ConnectionFailed, ConnectionLost, QueryRejected, UnsupportedOperation

if TYPE_CHECKING:
    import aiosqlite

__all__ = ["AioSQLiteDriver"]


@final
class AioSQLiteDriver(PooledDriver):
    """Runs everything on an open connection of aiosqlite, in its thread, one statement or transaction at a time.

    Between `open` and `close` the connection is in autocommit mode, enforces references, does not wait for locks
    in its thread, and has no progress handler; `close` puts its settings back (but a progress handler, which
    cannot be read) and leaves it open. The application may go on using it, outside of Ommi's transactions and
    with none of its own open. asyncio only, as aiosqlite is. Seconds: as for `SQLiteDriver`.
    """

    def __init__(
        self, connection: aiosqlite.Connection, *, busy_timeout: float = 5.0, acquire_timeout: float = 30.0
    ) -> None:
        super().__init__()
        self._connection = connection
        self._busy_timeout = float(busy_timeout)
        self._acquire_timeout = float(acquire_timeout)

    def _pools(self, loop: EventLoop) -> tuple[Pool, Pool]:
        if not isinstance(loop, AsyncioLoop):
            raise UnsupportedOperation(
                "an aiosqlite connection works under asyncio only", hint="under trio, use SQLiteDriver(path)"
            )
        if not all(hasattr(type(self._connection), name) for name in ("_execute", "_conn")):
            raise UnsupportedOperation(
                f"{type(self._connection).__name__} is not the aiosqlite.Connection that this driver knows",
                hint="hand in an open connection of aiosqlite 0.20 or later",
            )
        pool = Pool(
            loop,
            partial(_AioSQLiteWorker, self._connection),
            purpose="aiosqlite",
            size=1,
            acquire_timeout=self._acquire_timeout,
            busy_timeout=self._busy_timeout,
        )
        return pool, pool

    def __repr__(self) -> str:
        return f"AioSQLiteDriver({self._connection!r})"


class _AioSQLiteWorker(Worker):
    """Does its jobs in the thread of aiosqlite."""

    def __init__(
        self,
        lender: aiosqlite.Connection,
        *,
        following: Callable[[Worker, bool], Job | None],
        deliver: Callable[[Job], None],
        retired: Callable[[Worker], None],
    ) -> None:
        super().__init__(self._borrow, following=following, deliver=deliver, retired=retired)
        self._lender = lender
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed: Exception | None = None
        self._settings = _Settings()
        self._not_ours = False

    def give(self, job: Job) -> None:
        task = asyncio.get_running_loop().create_task(self._send(job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def abandon(self) -> None:
        """Nothing: the thread is not ours to end."""

    def join(self) -> None:
        """Nothing: the thread goes on."""

    async def _send(self, job: Job) -> None:
        # what becomes of the job comes back by `deliver`; this only tells that aiosqlite has not even taken it
        try:
            await self._lender._execute(self.work, job)  # type: ignore[no-untyped-call]  # noqa: SLF001 - the one door
        except Exception as error:  # noqa: BLE001 - told to whoever waits for the job
            self._closed = error
            self.work(job)

    def perform(self, job: Job) -> Any:
        if self._closed is not None:
            raise ConnectionLost("the application has closed its aiosqlite connection") from self._closed
        connection = self._connection or self._connected()
        if job.worker is None and connection.in_transaction:
            self._not_ours = True
            raise QueryRejected(
                "the application has a transaction of its own open on this aiosqlite connection",
                hint="commit it, or roll it back, before Ommi uses the connection",
            )
        row_factory, text_factory = connection.row_factory, connection.text_factory
        connection.row_factory, connection.text_factory = None, str
        try:
            return job.function(connection, *job.arguments)
        finally:
            connection.row_factory, connection.text_factory = row_factory, text_factory

    def disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and self._closed is None:
            self._settings.restore(connection)

    def _clean(self) -> None:
        if self._not_ours:
            self._not_ours = False
        elif self._closed is None:
            super()._clean()

    def _borrow(self) -> sqlite3.Connection:
        try:
            connection = self._lender._conn  # noqa: SLF001 - it has no other way to it
        except ValueError as error:
            raise ConnectionFailed(
                "the aiosqlite connection is not open", retryable=False, hint="await it before it is handed in"
            ) from error
        if connection.in_transaction:
            raise ConnectionFailed(
                "the aiosqlite connection has a transaction open",
                retryable=False,
                hint="commit it, or roll it back, first; a connection made with autocommit=False always has one",
            )
        self._settings.save(connection)
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout = 0")
        prepare(connection)
        return connection


class _Settings:
    """What is changed on the application's connection, and its own values."""

    _PRAGMAS: Final = ("foreign_keys", "busy_timeout")

    def __init__(self) -> None:
        self._isolation_level: Any = None
        self._pragmas: dict[str, int] = {}

    def save(self, connection: sqlite3.Connection) -> None:
        self._isolation_level = connection.isolation_level
        self._pragmas = {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in self._PRAGMAS}

    def restore(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for name, value in self._pragmas.items():
                connection.execute(f"PRAGMA {name} = {value}")
            connection.isolation_level = self._isolation_level
            connection.set_progress_handler(None, 0)
