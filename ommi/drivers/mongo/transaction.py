"""The transactions of a program: one session, from the first statement to the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Any, Final, TypeVar, final

from pymongo.errors import BulkWriteError

from ommi.drivers.driver import Failed, Request
from ommi.drivers.mongo.bulk import Bulk, bulk_of, runs
from ommi.drivers.mongo.client import Session, resolved
from ommi.drivers.mongo.commands import run_command
from ommi.drivers.mongo.cursors import OpenQuery
from ommi.drivers.mongo.engine import CANCELLED, Engine, refused, require_wanted
from ommi.drivers.mongo.errors import FAILURES
from ommi.drivers.mongo.stopping import Stop
from ommi.drivers.mongo.telling import telling
from ommi.drivers.mongo.work import Work
from ommi.errors import OmmiError, QueryRejected, UnsupportedOperation
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
        self._require_allowed(request)
        with telling([request]) if request.sent is not None else nullcontext():
            return await self._within(stop, request.statement, lambda: self._run(stop, request))

    async def execute_all(self, stop: Stop, requests: Sequence[Request], /) -> list[Any]:
        """Run statements up to the first that fails, as many at a time as are one command."""
        answers: list[Any] = []
        for run in runs(requests):
            answers += await self._execute_run(stop, run)
            if isinstance(answers[-1], Failed):
                break
        return answers

    async def _execute_run(self, stop: Stop, run: Sequence[Request]) -> list[Any]:
        bulk = await self._bulk(stop, run) if len(run) > 1 else None
        if bulk is not None:
            return await self._execute_bulk(stop, run, bulk)
        answers: list[Any] = []
        for request in run:
            try:
                require_wanted(stop)
                answers.append(await self.execute(stop, request))
            except Exception as error:  # noqa: BLE001 - given back as its answer
                answers.append(Failed(error))
                break
        return answers

    async def _bulk(self, stop: Stop, run: Sequence[Request]) -> Bulk | None:
        try:
            require_wanted(stop)
            for request in run:
                self._require_allowed(request)
        except OmmiError:  # those before the one that is refused are made
            return None
        return await bulk_of(run, self.engine.tables, self.engine.keys)

    async def _execute_bulk(self, stop: Stop, run: Sequence[Request], bulk: Bulk) -> list[Any]:
        def wrong(error: BulkWriteError) -> Exception:
            self._broken = self.engine.translation(error, run[0].statement, in_transaction=True)
            self._broken.__cause__ = error
            return self._broken

        async def made() -> list[Any]:
            await self._begun_to_write(stop)
            self._writing = True
            answers = await bulk.made(self.engine.tables, self._session, wrong)
            self._writing = False
            return answers

        try:
            with telling(run):
                return await self._within(stop, run[0].statement, made)
        except Exception as error:  # noqa: BLE001 - of the command as a whole, which ends the transaction
            return [Failed(error)]

    def _require_allowed(self, request: Request) -> None:
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

    async def _begun_to_write(self, stop: Stop) -> None:
        await self._begun(stop)
        for rows in self._open:
            await rows.put_aside()

    async def _run(self, stop: Stop, request: Request) -> Any:
        engine, statement = self.engine, request.statement
        await (self._begun_to_write(stop) if is_write(statement) else self._begun(stop))
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
