"""The documents of a query that is open on the server, read some at a time, as they were when it was opened."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import suppress
from typing import Any, final

from pymongo.errors import PyMongoError

from ommi.drivers.driver import Request
from ommi.drivers.mongo.client import Session, resolved
from ommi.drivers.mongo.documents import Document, Stored
from ommi.drivers.mongo.engine import Engine, require_wanted
from ommi.drivers.mongo.stopping import Stop
from ommi.drivers.mongo.telling import telling
from ommi.drivers.spool import Spool
from ommi.query.outline import literals
from ommi.query.statements import Select

__all__ = ["EngineCursor", "OpenQuery"]


@final
class OpenQuery:
    """A query that is open in a session.

    A transaction sees in its cursors what it writes, so before it does, the rest of the rows is put aside.
    """

    def __init__(self, engine: Engine, request: Request, chunk: int) -> None:
        assert isinstance(request.statement, Select)
        self.statement = request.statement
        self._engine = engine
        self._request = request
        self._chunk = chunk
        self._cursor: Any = None
        self._make: Callable[[Document], Stored] = tuple
        self._first: list[Stored] | None = None
        self._spool: Spool | None = None

    async def open(self, session: Session) -> None:
        """Ask the server; the first rows come with its answer, and what is seen is of that moment."""
        with telling([self._request]):
            await self._ask(session)

    async def _ask(self, session: Session) -> None:
        literals(self.statement)
        if self.statement.limit == 0:
            return
        queries = self._engine.queries
        self._cursor, self._make, of_nothing = await queries.open(self.statement, session, self._chunk)
        self._first = await self._next()
        if not self._first:
            await queries.tables.require_again(self.statement.schema)
            self._first = of_nothing()

    async def next_rows(self) -> list[Any]:
        """What is read of the next rows."""
        first, self._first = self._first, None
        rows = await self._next() if first is None else first
        found: list[Any] = self._request.read(rows)
        return found

    async def _next(self) -> list[Stored]:
        if self._spool is not None:
            return self._spool.read()
        rows: list[Stored] = []
        while self._cursor is not None and (left := self._chunk - len(rows)):
            batch = await self._cursor.to_list(left)
            rows += map(self._make, batch)
            if not batch or not self._cursor.alive:
                await self._close()
        return rows

    async def put_aside(self) -> None:
        """Read the rest, for what changes it."""
        if self._cursor is None or self._spool is not None:
            return
        spool = Spool(pickle.dumps, pickle.loads)
        try:
            while rows := await self._next():
                spool.write(rows)
        except BaseException:
            spool.close()
            raise
        spool.rewind()
        self._spool = spool

    async def close(self) -> None:
        """End it."""
        await self._close()
        self._first = []
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    async def _close(self) -> None:
        cursor, self._cursor = self._cursor, None
        if cursor is not None:
            with suppress(PyMongoError):  # the server ends by itself what it has not been told to end
                await cursor.close()


@final
class EngineCursor:
    """A query in a session of its own, and at one moment where the server has such sessions."""

    def __init__(self, engine: Engine, request: Request, chunk: int) -> None:
        self.engine = engine
        self._rows = OpenQuery(engine, request, chunk)
        self._session: Session = None

    async def open(self, stop: Stop) -> None:
        """Ask the server."""
        engine = self.engine
        options = {"snapshot": True} if engine.is_replicated else {}
        session = self._session = await resolved(engine.client.start_session(**options))
        await self._within(stop, lambda: self._rows.open(session))

    async def next_rows(self, stop: Stop) -> list[Any]:
        """What is read of the next rows."""
        found: list[Any] = await self._within(stop, self._rows.next_rows)
        return found

    async def _within(self, stop: Stop, work: Callable[[], Any]) -> Any:
        stop.session = self._session
        try:
            require_wanted(stop)
            return await self.engine.translated(self._rows.statement, work)
        finally:
            await stop.over()

    async def close(self, _: Stop) -> None:
        """End it."""
        session, self._session = self._session, None
        if session is not None:
            await self._rows.close()
            await session.end_session()
