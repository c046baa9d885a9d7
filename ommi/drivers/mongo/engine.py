"""The driver as asyncio code: statements on their own, and in transactions of their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, assert_never, final

from pymongo.errors import PyMongoError

from ommi.drivers.driver import Request
from ommi.drivers.mongo.client import MAJORITY, SNAPSHOT, Collections, Session, resolved
from ommi.drivers.mongo.commands import run_command
from ommi.drivers.mongo.errors import FAILURES, STANDALONE, is_unknown_commit, translate
from ommi.drivers.mongo.keys import Keys
from ommi.drivers.mongo.queries import Queries, asks_another, query_of
from ommi.drivers.mongo.stopping import Stop
from ommi.drivers.mongo.tables import Tables
from ommi.drivers.mongo.telling import tell, telling
from ommi.drivers.mongo.work import Work
from ommi.drivers.mongo.writing import needs_transaction
from ommi.errors import (
    CommitUnknown,
    OmmiError,
    QueryRejected,
    SerializationConflict,
    UniqueViolation,
    UnsupportedOperation,
)
from ommi.query.outline import literals
from ommi.query.statements import (
    AdvisoryLock,
    Count,
    CreateTables,
    Delete,
    DropTables,
    Exists,
    Insert,
    MongoCommand,
    Select,
    Sql,
    Statement,
    Update,
    is_write,
)
from ommi.schema import Schema

__all__ = ["CANCELLED", "Engine", "refused", "require_wanted"]

T = TypeVar("T")

CANCELLED: Final = "a statement of this transaction was cancelled: the transaction can only be rolled back"
"""Why a transaction cannot go on."""
_ADVISORY: Final = (
    "MongoDB has no advisory locks: write to one document in each of the transactions that exclude each other, "
    "and retry them"
)
_SQL: Final = "mongodb runs no SQL: say it as a query, or write mongo(…)"
_TRIES_FOR_A_KEY: Final = 5
_PATIENCE: Final = 1.0


@final
class Engine:
    """One database, on the asyncio loop that opened it."""

    def __init__(self, client: Any, database: str, *, conflict_timeout: float, catalog_seconds: float) -> None:
        self.client = client
        self.collections = Collections(client, database)
        self.tables = Tables(self.collections, catalog_seconds)
        self.queries = Queries(self.tables)
        self.keys = Keys(self.collections)
        self._conflict_timeout = conflict_timeout
        self.is_replicated = False
        self._letting_go: set[asyncio.Task[bool]] = set()

    async def check(self, stop: Stop) -> None:
        """Connect, and see what kind of server answers."""
        try:
            hello = await self.client.admin.command("hello")
        except FAILURES as error:
            raise translate(error, None, writes=False, in_transaction=False) from error
        self.is_replicated = "setName" in hello or hello.get("msg") == "isdbgrid"

    # -- statements on their own

    async def execute(self, stop: Stop, request: Request, /) -> Any:
        """Run one statement and commit it."""
        if request.sent is None:
            return await self._execute(stop, request)
        with telling([request]):
            return await self._execute(stop, request)

    async def _execute(self, stop: Stop, request: Request) -> Any:
        statement = request.statement
        literals(statement)
        match statement:
            case Select() | Count() | Exists():
                return await self.translated(statement, lambda: self._read_alone(stop, request))
            case Insert() | Update() | Delete():
                return await self._write_alone(stop, statement)
            case CreateTables(schemas):
                return await self.translated(statement, lambda: self.tables.create(schemas))
            case DropTables(schemas):
                self.keys.forget(*(schema.table for schema in schemas))
                return await self.translated(statement, lambda: self.tables.drop(schemas))
            case MongoCommand():
                return await self.translated(statement, lambda: self._command_alone(stop, statement, request))
            case AdvisoryLock() | Sql():
                raise refused(statement)

    async def _command_alone(self, stop: Stop, statement: MongoCommand, request: Request) -> Any:
        session = await resolved(self.client.start_session())
        stop.session = session
        stop.patience = _PATIENCE if statement.writes else 0.0
        stop.writes = statement.writes
        try:
            require_wanted(stop)
            return await run_command(statement, request, self.collections, session)
        finally:
            await stop.over()
            await session.end_session()

    async def _read_alone(self, stop: Stop, request: Request) -> Any:
        # what a subquery sees and what the query sees is of one moment
        query = query_of(request.statement)
        at_once = self.is_replicated and (query.link is not None or asks_another(query))
        session = await resolved(self.client.start_session(snapshot=True) if at_once else self.client.start_session())
        stop.session = session
        try:
            return await self.queries.run(request, session)
        finally:
            await stop.over()
            await session.end_session()

    async def _write_alone(self, stop: Stop, statement: Insert | Update | Delete) -> Any:
        work = Work(self.queries, self.keys, statement)
        for left in range(_TRIES_FOR_A_KEY, -1, -1):
            try:
                return await self._attempt(stop, work, statement)
            except UniqueViolation as error:
                # a number that was given out was taken meanwhile, by a client that chose it itself
                of_its_key = error.model is statement.schema.model and error.constraint is None
                if not left or not work.chose_keys or not of_its_key:
                    raise
                self.keys.forget(statement.schema.table)
        raise AssertionError("the last try returns or raises")

    async def _attempt(self, stop: Stop, work: Work, statement: Insert | Update | Delete) -> Any:
        async def prepared() -> bool:
            shape = await self.tables.require(statement.schema)
            await work.prepare(shape)
            return await needs_transaction(statement, self.tables) or asks_another(statement)

        if await self.translated(statement, prepared):
            return await self._in_transaction(stop, statement, work)
        session = await resolved(self.client.start_session())
        stop.session = session
        # stopped while a majority is being told, it would be done, and nobody could say whether for good
        stop.patience = _PATIENCE
        stop.writes = True
        try:
            require_wanted(stop)
            return await self.translated(statement, lambda: work(session))
        finally:
            await stop.over()
            await session.end_session()

    async def kill(self, session: Session) -> bool:
        """Stop what the server does for a session, and end its transaction; whether it could be told."""
        try:
            await self.client.admin.command({"killSessions": [session.session_id]})
        except PyMongoError:
            return False
        return True

    # -- transactions

    async def _in_transaction(self, stop: Stop, statement: Statement, work: Callable[[Session], Awaitable[T]]) -> T:
        """Do work in a transaction of its own; conflicts are tried again, since nothing outside saw the first try."""
        self.require_replicated(f"a {type(statement).__name__.lower()} of several documents")
        deadline = time.monotonic() + self._conflict_timeout
        delay = 0.001
        while True:
            session = await resolved(self.client.start_session())
            try:
                return await self._once(stop, session, statement, work)
            except SerializationConflict:
                if stop.asked or time.monotonic() + delay > deadline:
                    raise
            finally:
                await stop.over()
                await session.end_session()
            await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311  # no secret
            delay = min(2 * delay, 0.1)

    async def _once(
        self, stop: Stop, session: Session, statement: Statement, work: Callable[[Session], Awaitable[T]]
    ) -> T:
        stop.session = session
        try:
            require_wanted(stop)
            await self.start(session)
            found = await self.translated(statement, lambda: work(session), in_transaction=True)
        except BaseException:
            await self.abort(session)
            raise
        await stop.over()  # what is being committed is not stopped any more
        await self.commit(session)
        return found

    async def start(self, session: Session) -> None:
        """Begin a transaction."""
        await resolved(session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY))

    async def abort(self, session: Session) -> None:
        """Undo a transaction."""
        if session.in_transaction:
            try:
                await session.abort_transaction()
            except PyMongoError:
                return  # the server ends by itself what it has not been told to end

    async def commit(self, session: Session) -> None:
        """Keep what was done; asked again while the answer does not come."""
        deadline = time.monotonic() + self._conflict_timeout
        while True:
            tell(lambda: "commitTransaction")
            try:
                await session.commit_transaction()
            except FAILURES as error:
                if not is_unknown_commit(error):
                    await self._let_go(session)
                    raise translate(error, None, writes=True, in_transaction=True) from error
                if time.monotonic() > deadline:
                    await self._let_go(session)
                    raise CommitUnknown(
                        f"COMMIT was sent and not answered: {error}; look in the database whether it happened "
                        "before trying again"
                    ) from error
                await asyncio.sleep(0.01)
            else:
                return

    async def _let_go(self, session: Session) -> None:
        """End a transaction that may be committed, which this leaves as it is, or may hold up others for a minute."""
        killing = asyncio.ensure_future(self.kill(session))
        self._letting_go.add(killing)
        killing.add_done_callback(self._letting_go.discard)
        await asyncio.wait([killing], timeout=_PATIENCE)

    async def finish(self) -> None:
        """Wait for what goes on by itself; for five seconds, if the server does not answer."""
        if self._letting_go:
            _, left = await asyncio.wait(self._letting_go, timeout=5)
            for killing in left:
                killing.cancel()

    def require_replicated(self, what: str) -> None:
        """`UnsupportedOperation` on a server without transactions."""
        if not self.is_replicated:
            raise UnsupportedOperation(f"{what} needs a transaction, and this MongoDB server is alone: {STANDALONE}")

    # -- one statement in a session

    async def translated(
        self, statement: Statement, work: Callable[[], Awaitable[T]], *, in_transaction: bool = False
    ) -> T:
        """Do work, with what PyMongo raises as errors of ours."""
        try:
            return await work()
        except FAILURES as error:
            raise self.translation(error, statement, in_transaction=in_transaction) from error

    def translation(self, error: Exception, statement: Statement, *, in_transaction: bool) -> OmmiError:
        """What PyMongo raised for a statement, as an error of ours."""
        schema = self._schema(statement)
        shape = None if schema is None else self.tables.shape(schema)
        return translate(error, shape, writes=is_write(statement), in_transaction=in_transaction)

    def _schema(self, statement: Statement) -> Schema | None:
        """The model that an error of a statement is about, if it is one."""
        match statement:
            case MongoCommand(collection):
                return self.tables.schema(collection)
            case CreateTables() | DropTables() | AdvisoryLock() | Sql():
                return None
            case Select(schema) | Insert(schema) | Update(schema) | Delete(schema):
                return schema
            case Count(query) | Exists(query):
                return query.schema
            case _:
                assert_never(statement)


def require_wanted(stop: Stop) -> None:
    """`QueryRejected`, for nobody to see, if the caller is gone."""
    if stop.asked:
        raise QueryRejected(CANCELLED)


def refused(statement: AdvisoryLock | Sql) -> UnsupportedOperation:
    """What a statement is answered with that MongoDB cannot run."""
    return UnsupportedOperation(_ADVISORY if isinstance(statement, AdvisoryLock) else _SQL)
