"""The SQLite driver: one writer and some readers for a file, one connection for a database in memory."""

from __future__ import annotations

import os
import sqlite3
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, final

from anyio.lowlevel import checkpoint_if_cancelled

from ommi.drivers.driver import Capabilities, Cursor, Request
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.brief import LATER, Brief, may_change_tables
from ommi.drivers.sqlite.connections import Connection, Location, Synchronous, check_version
from ommi.drivers.sqlite.controls import begin_reading, begin_writing
from ommi.drivers.sqlite.cursors import LeasedCursor, OpenSelect, SparedCursor
from ommi.drivers.sqlite.dialect import SQLITE, SQLITE_STORAGE
from ommi.drivers.sqlite.event_loop import EventLoop, running_loop
from ommi.drivers.sqlite.pool import CLOSED, Closed, Lease, Pool
from ommi.drivers.sqlite.statements import run
from ommi.drivers.sqlite.transaction import SQLiteTransaction, begin_and_execute
from ommi.drivers.sqlite.worker import ThreadWorker, Worker
from ommi.errors import CommitUnknown, ConnectionLost, QueryRejected
from ommi.query.statements import is_write
from ommi.transactions import IsolationLevel, TransactionOptions
from ommi.values import Storage

__all__ = ["PooledDriver", "SQLiteDriver"]


class PooledDriver(ABC):
    """A driver that runs statements with the connections of a pool for writing and one for reading.

    The two are the same if there is but one connection.
    """

    name: Final = "sqlite"
    storage: Final[Storage] = SQLITE_STORAGE
    capabilities: Final = Capabilities(IsolationLevel.SERIALIZABLE, language="sql")

    _writer: Pool | None = None
    _readers: Pool | None = None
    _opening = False
    _brief: Brief | None = None

    def __init__(self) -> None:
        self._compiler = Compiler(SQLITE)
        self._cursors: set[SparedCursor] = set()

    @property
    def in_use(self) -> int:
        """How many connections run a statement, or are kept by a transaction or stream, and streams without one."""
        used = sum(pool.in_use for pool in {self._writer, self._readers} if pool is not None)
        return used + len(self._cursors)

    @abstractmethod
    def _pools(self, loop: EventLoop) -> tuple[Pool, Pool]:
        """New pools, for writing and for reading."""

    async def open(self) -> None:
        """Connect, and check that the database answers, in the event loop that will use it."""
        if self._opening or self._writer is not None:
            raise RuntimeError("the database is open already")
        check_version()
        self._opening = True
        try:
            writer, readers = self._pools(running_loop())
            try:
                await writer.run(_answer)
                await readers.run(_answer)
                await checkpoint_if_cancelled()  # both may have answered before they could be stopped
            except BaseException:
                await _close(writer, readers, at_once=True)
                raise
            self._writer, self._readers = writer, readers
        finally:
            self._opening = False

    async def close(self) -> None:
        """Refuse new work, wait for what is under way, and close every connection.

        Open transactions may go on for `acquire_timeout` seconds; what is still open then is rolled back. Cancelled,
        it waits no longer: what runs is interrupted.
        """
        writer, readers = self._writer, self._readers
        if writer is None or readers is None:
            return
        try:
            await _close(writer, readers)
        finally:
            if self._writer is writer:
                self._writer = self._readers = None

    async def execute(self, request: Request, /) -> Any:
        """Run one statement and commit it.

        A cancelled statement is interrupted, and the wait ends when it has. One that was done before it could be
        interrupted is done, and answers: scopes cancel again at the next await. asyncio's own `Task.cancel()` does
        not, so it still ends in a `CancelledError`.
        """
        statement = request.statement
        pool = self._writer if is_write(statement) else self._readers
        if pool is None:
            raise Closed(CLOSED)
        brief = self._brief
        if brief is not None and request.sent is None and pool.at_hand() and brief.suits(statement, within=False):
            await pool.turn()
            worker = pool.at_hand()
            if worker is not None:
                answer = pool.at_once(brief.execute, worker, request, False)
                if answer is not LATER:
                    return answer
        try:
            return await pool.run(_autocommit, self._compiler, request)
        finally:
            if brief is not None and may_change_tables(statement):
                brief.forget()

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        """Open the rows of a query, on a connection of its own that reads; other connections write meanwhile.

        If there is but one connection, all rows are read into a temporary file at once, and it is free for others.
        """
        readers = self._readers
        if readers is None:
            raise Closed(CLOSED)
        rows = OpenSelect(self._compiler, request, chunk)
        if readers is not self._writer:
            return LeasedCursor(rows, await readers.lease(rows.start, purpose="a stream", undo=rows.close))
        try:
            await readers.run(rows.start_and_put_aside)
        except BaseException:
            rows.close()
            raise
        return SparedCursor(rows, self._check_open, self._cursors)

    def _check_open(self) -> None:
        if self._readers is None:
            raise Closed(CLOSED)

    async def begin(self, options: TransactionOptions, /) -> SQLiteTransaction:
        """Begin; every level is met, since all transactions are serializable.

        One transaction writes at a time and others queue, first come first served; reading ones wait for no
        writer.
        """
        pool = self._readers if options.read_only else self._writer
        if pool is None:
            raise Closed(CLOSED)
        lease = await self._begun_at_once(pool, options)
        if lease is not None:
            return self._transaction(lease, options, at_once=True)
        lease = await pool.lease(begin_reading if options.read_only else _begin_writing)
        return self._transaction(lease, options, at_once=False)

    async def begin_with(
        self, options: TransactionOptions, requests: Sequence[Request], /
    ) -> tuple[SQLiteTransaction, list[Any]]:
        """Begin and run the first statements, up to the first that fails, in one hop."""
        pool = self._readers if options.read_only else self._writer
        if pool is None:
            raise Closed(CLOSED)
        at_once = await self._begun_at_once(pool, options)
        if at_once is not None:
            transaction = self._transaction(at_once, options, at_once=True)
            try:
                return transaction, await transaction.execute_all(requests)
            except BaseException:
                await transaction.rollback()
                raise
        begin = begin_reading if options.read_only else _begin_writing
        lease, (answers, is_open) = await pool.leased(begin_and_execute, begin, self._compiler, requests)
        transaction = self._transaction(lease, options, at_once=False)
        try:
            return transaction, await transaction.begun(requests, answers, is_open=is_open)
        except BaseException:
            await transaction.rollback()
            raise

    def _transaction(self, lease: Lease, options: TransactionOptions, *, at_once: bool) -> SQLiteTransaction:
        # one that writes and was begun by a worker may have been to begin the log anew, which its commit waits for
        light = at_once or options.read_only
        return SQLiteTransaction(lease, self._compiler, self._brief, read_only=options.read_only, light=light)

    async def _begun_at_once(self, pool: Pool, options: TransactionOptions) -> Lease | None:
        brief = self._brief
        if brief is None or pool.at_hand() is None:
            return None
        await pool.turn()
        worker = pool.at_hand()
        if worker is None:
            return None
        return pool.at_once(_begun, pool, worker, brief, options.read_only)

    def __del__(self) -> None:
        pools = {pool for pool in (self._writer, self._readers) if pool is not None}
        if pools:
            for pool in pools:
                pool.abandon()
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=1, source=self)


@final
class SQLiteDriver(PooledDriver):
    """A database in a file, or in memory if there is no path.

    A file has one connection that writes and up to `readers` that read, which no writer holds up; a database in
    memory is one connection, which a transaction has for itself. `synchronous`: "FULL" keeps every commit through
    a loss of power, "NORMAL" may lose the last ones, but nothing else. In seconds: `busy_timeout` is how long a
    lock of another process is waited for (then `LockTimeout`), `acquire_timeout` how long a free connection
    (then `PoolTimeout`). `read_only` opens a file that is there, and never writes.

    With `inline`, what SQLite does within microseconds is done in the event loop's own thread, which a hop to another
    one would take longer than: reads, stopped and given to a thread after half a millisecond; writes of single rows by
    their keys, in transactions; and, where commits do not wait for the disk ("NORMAL", or in memory), those of
    their own and commits of a few.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        readers: int = 4,
        synchronous: Synchronous = "FULL",
        busy_timeout: float = 5.0,
        acquire_timeout: float = 30.0,
        read_only: bool = False,
        inline: bool = True,
    ) -> None:
        super().__init__()
        if readers < 1:
            raise ValueError(f"readers={readers!r}: at least one connection must read")
        if synchronous not in ("FULL", "NORMAL"):
            raise ValueError(f'synchronous={synchronous!r}: say "FULL" or "NORMAL"')
        for option, seconds in (("busy_timeout", busy_timeout), ("acquire_timeout", acquire_timeout)):
            if not seconds >= 0:
                raise ValueError(f"{option}={seconds!r}: say a number of seconds, or 0")
        file = None if path is None or os.fspath(path) in ("", ":memory:") else Path(path).absolute()
        if file is not None and "\0" in str(file):
            raise ValueError(f"{path!r} cannot be the path of a database: it has the character NUL")
        if file is None and read_only:
            raise ValueError("read_only=True: a database in memory has nothing to read; name a file")
        self._location = Location(file, synchronous, read_only)
        if inline:
            self._brief = Brief(self._compiler, commits=file is None or synchronous == "NORMAL")
        self._size = readers
        self._busy_timeout = float(busy_timeout)
        self._acquire_timeout = float(acquire_timeout)

    def _pools(self, loop: EventLoop) -> tuple[Pool, Pool]:
        location = self._location
        if location.path is None:
            only = self._pool(loop, _once(location.connect), "memory", 1)
            return only, only
        return (
            self._pool(loop, location.connect, "writing", 1),
            self._pool(loop, location.connect_reader, "reading", self._size),
        )

    def _pool(self, loop: EventLoop, connect: Callable[[], sqlite3.Connection], purpose: str, size: int) -> Pool:
        return Pool(
            loop,
            partial(ThreadWorker, connect, name=f"ommi sqlite {purpose}"),
            purpose=purpose,
            size=size,
            acquire_timeout=self._acquire_timeout,
            busy_timeout=self._busy_timeout,
        )

    def __repr__(self) -> str:
        path = self._location.path
        return f"{type(self).__name__}({'' if path is None else repr(str(path))})"


def _begun(pool: Pool, worker: Worker, brief: Brief, read_only: bool) -> Lease | None:
    lease = pool.hold(worker)
    try:
        if brief.begin(worker, read_only):
            return lease
    except BaseException:
        lease.release()
        raise
    lease.release()
    return None


async def _close(writer: Pool, readers: Pool, *, at_once: bool = False) -> None:
    try:
        await readers.close(at_once=at_once)
    finally:
        if writer is not readers:  # the last one that leaves a file puts the write-ahead log away: one that may write
            await writer.close(at_once=at_once)


def _once(connect: Callable[[], sqlite3.Connection]) -> Callable[[], sqlite3.Connection]:
    """A second connection to memory would find another, empty database."""
    connected = False

    def connect_once() -> sqlite3.Connection:
        nonlocal connected
        if connected:
            raise ConnectionLost("the database in memory is gone: its only connection broke", retryable=False)
        connected = True
        return connect()

    return connect_once


def _answer(connection: sqlite3.Connection) -> None:
    connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").close()


def _begin_writing(connection: sqlite3.Connection) -> None:
    if isinstance(connection, Connection):
        connection.shorten_log()
    begin_writing(connection)


def _autocommit(connection: sqlite3.Connection, compiler: Compiler, request: Request) -> Any:
    if isinstance(connection, Connection):
        connection.let_checkpoint(True)
        connection.shorten_log()
    try:
        return run(connection, compiler, request, in_transaction=False)
    except QueryRejected as error:
        if is_write(request.statement) and (error.code or "").startswith("SQLITE_IOERR"):
            raise CommitUnknown(f"the write failed, and may have happened: {error.message}", code=error.code) from error
        raise
