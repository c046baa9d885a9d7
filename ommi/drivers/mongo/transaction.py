"""The transactions of a program: one session, from the first statement to the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, final

from ommi.drivers.driver import Request
from ommi.drivers.mongo.client import Session, resolved
from ommi.drivers.mongo.commands import run_command
from ommi.drivers.mongo.cursors import OpenQuery
from ommi.drivers.mongo.engine import CANCELLED, Engine, refused
from ommi.drivers.mongo.errors import FAILURES
from ommi.drivers.mongo.stopping import Stop
from ommi.drivers.mongo.work import Work
from ommi.errors import QueryRejected, UnsupportedOperation
from ommi.query.outline import literals
from ommi.query.statements import (
    AdvisoryLock,
    CreateTables,
    Delete,
    DropTables,
    Insert,
    MongoCommand,
    Select,
    Sql,
    Statement,
    Update,
    is_write,
)
from ommi.transactions import IsolationLevel, TransactionOptions

__all__ = ["EngineTransaction"]

T = TypeVar("T")

_OVER: Final = "this transaction is over: it was committed or rolled back"
_READ_ONLY: Final = "this transaction is read-only: begin it without read_only=True to write or lock"
_SAVEPOINT: Final = (
    "MongoDB has no savepoints, so a part of a transaction cannot be undone alone: take the part out of the "
    "transaction, or say .transactional(flatten=True) to make it fail or succeed with the whole"
)


@final
class EngineTransaction:
    """One open transaction, in a session of its own.

    The server ends a transaction at its first error: from then on it answers with that error, and commits nothing.
    """

    def __init__(self, engine: Engine, *, read_only: bool) -> None:
        self.engine = engine
        self._read_only = read_only
        self._session: Session = None
        self._broken: Exception | None = None
        self._writing = False
        self._ended = False
        self._open: dict[OpenQuery, None] = {}

    @classmethod
    def begin(cls, engine: Engine, options: TransactionOptions, /) -> EngineTransaction:
        """Begin a transaction for a program, which the server hears of with its first statement."""
        level = options.isolation_level
        if level is not None and level > IsolationLevel.SNAPSHOT:
            raise UnsupportedOperation(
                f"MongoDB has no {level.name} transactions: ask for SNAPSHOT, the strongest it has"
            )
        engine.require_replicated("transactional()")
        return cls(engine, read_only=options.read_only)

    @property
    def usable(self) -> bool:
        """Whether it can still be committed."""
        return self._broken is None and not self._ended

    def cancelled(self) -> None:
        """A statement was stopped: nothing of it can stay."""
        self._broken = QueryRejected(CANCELLED)

    async def execute(self, stop: Stop, request: Request, /) -> Any:
        """Run one statement."""
        self._require_open()
        statement = request.statement
        literals(statement)
        if self._read_only and (is_write(statement) or (isinstance(statement, Select) and statement.lock is not None)):
            raise QueryRejected(_READ_ONLY)
        if isinstance(statement, (AdvisoryLock, Sql)):
            raise refused(statement)
        if isinstance(statement, (CreateTables, DropTables)):
            raise UnsupportedOperation(
                "MongoDB cannot undo the making or dropping of collections: do it outside of the transaction"
            )
        return await self._within(stop, statement, lambda: self._run(stop, request))

    async def open(self, stop: Stop, rows: OpenQuery, /) -> None:
        """Open a query, which writes of the same transaction do not change."""
        self._require_open()
        if self._read_only and rows.statement.lock is not None:
            raise QueryRejected(_READ_ONLY)

        async def opened() -> None:
            await rows.open(await self._begun(stop))

        self._open[rows] = None
        await self._within(stop, rows.statement, opened)

    async def next_rows(self, stop: Stop, rows: OpenQuery, /) -> list[Any]:
        """The next rows of a query that is open."""
        self._require_open()

        async def read() -> list[Any]:
            await self._begun(stop)
            return await rows.next_rows()

        return await self._within(stop, rows.statement, read)

    async def close_rows(self, _: Stop, rows: OpenQuery, /) -> None:
        """Close a query; those that are open at the end of the transaction end with it."""
        if rows in self._open:
            del self._open[rows]
            await rows.close()

    async def _close_all(self) -> None:
        for rows in tuple(self._open):
            del self._open[rows]
            await rows.close()

    async def _within(self, stop: Stop, statement: Statement, work: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self.engine.translated(statement, work, in_transaction=True)
        except Exception as error:
            if self._writing or isinstance(error.__cause__, FAILURES):
                self._broken = error
            raise
        finally:
            await stop.over()

    async def _begun(self, stop: Stop) -> Session:
        engine = self.engine
        if self._session is None:
            self._session = await resolved(engine.client.start_session())
            await engine.start(self._session)
        stop.session = self._session
        return self._session

    async def _run(self, stop: Stop, request: Request) -> Any:
        engine, statement = self.engine, request.statement
        await self._begun(stop)
        if is_write(statement):
            for rows in self._open:
                await rows.put_aside()
        if isinstance(statement, MongoCommand):
            self._writing = statement.writes
            found = await run_command(statement, request, engine.collections, self._session)
            self._writing = False
            return found
        if not isinstance(statement, (Insert, Update, Delete)):
            return await engine.queries.run(request, self._session)
        work = Work(engine.queries, engine.keys, statement)
        await work.prepare(await engine.tables.require(statement.schema))
        self._writing = True  # what fails from here on may have done a part of it
        found = await work(self._session)
        self._writing = False
        return found

    async def commit(self, stop: Stop) -> None:
        """Keep what was done."""
        if self._ended:
            raise RuntimeError(_OVER)
        if self._broken is not None:
            await self.rollback(stop)
            raise self._broken
        self._ended = True
        if self._session is not None:
            try:
                await self._close_all()
                await self.engine.commit(self._session)
            finally:
                await self._session.end_session()

    async def rollback(self, stop: Stop) -> None:
        """Undo what was done; nothing, if the transaction is over."""
        if self._ended:
            return
        self._ended = True
        if self._session is not None:
            try:
                await self._close_all()
                await self.engine.abort(self._session)
            finally:
                await self._session.end_session()

    def refuse_savepoint(self) -> UnsupportedOperation:
        """What a savepoint is answered with."""
        self._require_open()
        return UnsupportedOperation(_SAVEPOINT)

    def _require_open(self) -> None:
        if self._ended:
            raise RuntimeError(_OVER)
        if self._broken is not None:
            raise self._broken
