"""The rows of a query that is under way, as they were when it began."""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Callable
from itertools import islice
from typing import Any, final

from anyio.lowlevel import checkpoint

from ommi.drivers.driver import Request
from ommi.drivers.spool import Spool
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.pool import Closed, Lease
from ommi.query.statements import Select

__all__ = ["LeasedCursor", "OpenSelect", "SparedCursor"]


@final
class OpenSelect:
    """A `Select` under way on a connection; all its methods are for the thread of that connection.

    SQLite does not say what a query sees of rows that its own connection changes meanwhile. So before it does, the rest
    of the rows is put aside, in a file that has no name.
    """

    def __init__(self, compiler: Compiler, request: Request, chunk: int) -> None:
        assert isinstance(request.statement, Select)
        self._compiler = compiler
        self._statement = request.statement
        self._read = request.read
        self._sent = request.sent
        self._chunk = chunk
        self._cursor: sqlite3.Cursor | None = None
        self._file: Spool | None = None

    def start(self, connection: sqlite3.Connection) -> None:
        """Begin."""
        self._sql, self._parameters = self._compiler.prepare(self._statement)
        if self._sent is not None:
            self._sent(self._sql, 1)
        self._guard(connection, self._begin)

    def start_and_put_aside(self, connection: sqlite3.Connection) -> None:
        """Begin, and read all of it into the file."""
        self.start(connection)
        try:
            self.put_aside(connection)
        except BaseException:
            self.close()
            raise

    def _begin(self, connection: sqlite3.Connection) -> None:
        self._cursor = connection.execute(self._sql, self._parameters)

    def next_rows(self, connection: sqlite3.Connection) -> list[Any]:
        """What is read of the next rows."""
        if self._file is not None:
            return self.next_from_file()
        found: list[Any] = self._guard(connection, self._fetch)
        return found

    def next_from_file(self) -> list[Any]:
        """What is read of the next rows that were put aside."""
        found: list[Any] = [] if self._file is None else self._read(self._file.read())
        return found

    def _fetch(self, _: sqlite3.Connection) -> list[Any]:
        found: list[Any] = [] if self._cursor is None else self._read(islice(self._cursor, self._chunk))
        return found

    def put_aside(self, connection: sqlite3.Connection) -> None:
        """Let the connection be free for what changes the rows."""
        if self._cursor is not None:
            self._guard(connection, self._spool)

    def _spool(self, _: sqlite3.Connection) -> None:
        cursor = self._cursor
        assert cursor is not None
        file = Spool(marshal.dumps, marshal.loads)
        try:
            while rows := cursor.fetchmany(self._chunk):
                file.write(rows)
        except BaseException:
            file.close()
            raise
        file.rewind()
        self._file = file
        cursor.close()
        self._cursor = None

    def close(self, _: sqlite3.Connection | None = None) -> None:
        """End it."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        if self._file is not None:
            self._file.close()
            self._file = None

    def _guard(self, connection: sqlite3.Connection, function: Callable[[sqlite3.Connection], Any]) -> Any:
        try:
            return function(connection)
        except sqlite3.Error as error:
            raise translate(
                error, connection, self._compiler, self._statement, None, self._sql, self._parameters
            ) from error


@final
class LeasedCursor:
    """A query and the connection that it keeps."""

    def __init__(self, rows: OpenSelect, lease: Lease) -> None:
        self._rows = rows
        self._lease = lease
        self._closed = False

    async def next_rows(self) -> list[Any]:
        return await self._lease.run(self._rows.next_rows)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._lease.finish(self._rows.close)
        except Closed:  # closing the database has taken the connection back
            return


@final
class SparedCursor:
    """Rows of the only connection there is, which is free for others: all of them were put aside."""

    def __init__(self, rows: OpenSelect, check: Callable[[], None], open_: set[SparedCursor]) -> None:
        self._rows = rows
        self._check = check
        self._open = open_
        open_.add(self)

    async def next_rows(self) -> list[Any]:
        await checkpoint()
        self._check()
        return self._rows.next_from_file()

    async def close(self) -> None:
        self._rows.close()
        self._open.discard(self)
