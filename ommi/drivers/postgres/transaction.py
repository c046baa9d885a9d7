"""One open transaction on one PostgreSQL connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeAlias, TypeVar, final

from ommi.drivers.driver import Cursor, Failed, Request
from ommi.drivers.merging import merged, telling_all
from ommi.drivers.postgres.cursors import Portal
from ommi.drivers.postgres.dialect import quoted
from ommi.drivers.postgres.errors import is_database_error, is_lost, lost, stale_plan, translate
from ommi.drivers.postgres.insertion import BULK
from ommi.drivers.postgres.pool import Closed, Lease, Pool
from ommi.drivers.postgres.statements import run, run_merged
from ommi.drivers.sql.compiler import Compiler
from ommi.errors import CommitUnknown, OmmiError, QueryRejected
from ommi.frozen import replace
from ommi.query.statements import CreateTables, DropTables, Select, Sql, Statement, is_write
from ommi.transactions import IsolationLevel, TransactionOptions

__all__ = ["PostgresTransaction", "Shield", "TransactionCursor", "begin_sql"]

T = TypeVar("T")
Shield: TypeAlias = Callable[[], AbstractContextManager[object]]

_OVER: Final = "this transaction is over: it was committed or rolled back"
_READ_ONLY: Final = "this transaction is read-only: begin it without read_only=True to write or lock"
_CANCELLED: Final = "a statement of this transaction was cancelled: the transaction can only be rolled back"
_GUARD: Final = "ommi_guard"
_ENDING: Final = ("08", "40", "57")
"""Classes of SQLSTATEs that end a transaction: connections, conflicts, cancellations."""
_FROM_OUTSIDE: Final = ("53", "55P03", "58", "XX")
"""Those of resources, of locks that are not given in time, and of failures of the server."""
_UPDATES: Final = 16
"""The most updates in one statement: the server plans each of them, and keeps the plan."""

_LEVELS: Final = {
    IsolationLevel.READ_UNCOMMITTED: "READ COMMITTED",
    IsolationLevel.READ_COMMITTED: "READ COMMITTED",
    IsolationLevel.REPEATABLE_READ: "REPEATABLE READ",
    IsolationLevel.SNAPSHOT: "REPEATABLE READ",
    IsolationLevel.SERIALIZABLE: "SERIALIZABLE",
}


def begin_sql(options: TransactionOptions) -> str:
    """The statement that begins a transaction; what is not asked for is left to the database's defaults."""
    parts = ["BEGIN"]
    if options.isolation_level is not None:
        parts.append(f"ISOLATION LEVEL {_LEVELS[options.isolation_level]}")
    if options.read_only:
        parts.append("READ ONLY")
    if options.deferrable:
        parts.append("DEFERRABLE")
    return " ".join(parts)


@final
class PostgresTransaction:
    """A transaction and the connection it keeps.

    The server gives a transaction up with the first statement that fails. One that is to be recovered from is
    guarded by a savepoint, which stays until the next such statement, and takes one round trip to be renewed.
    """

    def __init__(
        self, pool: Pool, lease: Lease, compiler: Compiler, options: TransactionOptions, shield: Shield
    ) -> None:
        self._shield = shield
        self._pool = pool
        self._lease = lease
        self._compiler = compiler
        self._options = options
        self._guarded = False
        self._untouched = True
        self._changed_tables = False
        self._broken: Exception | None = None
        self._ended = False

    @property
    def usable(self) -> bool:
        """Whether more than the rollback of all of it is possible; what failed may be undone to a savepoint."""
        return self._broken is None and not self._ended

    async def execute(self, request: Request, /) -> Any:
        """Run one statement."""
        self._check_allowed(request.statement)
        return await self._telling(request, self._executed(request))

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        """Open the rows of a query, which writes of the same transaction do not change."""
        self._check_allowed(request.statement)
        portal = Portal(self._lease.connection, request, chunk)
        await self._telling(request, self._guarding(request, lambda: portal.open(self._compiler, request)))
        return TransactionCursor(self, portal, request)

    async def next_rows(self, portal: Portal, request: Request) -> list[Any]:
        """The next rows of a query that is open."""
        self._check()
        return await self._run(self._guarding(request, portal.next_rows), request)

    async def close_portal(self, portal: Portal) -> None:
        """Close a query; those that are open at the end of the transaction end with it."""
        if self.usable and self._pool.holds(self._lease) and self._lease.connection.is_in_transaction:
            with suppress(Exception):  # what is wrong with the connection, the next statement says
                await self._run(portal.close(), None)

    async def _telling(self, request: Request, work: Awaitable[T]) -> T:
        connection = self._lease.connection
        connection.tell = request.sent
        try:
            return await self._run(work, request)
        finally:
            connection.tell = None

    def _check_allowed(self, statement: Statement) -> None:
        if self._options.read_only and (
            is_write(statement) or (isinstance(statement, Select) and statement.lock is not None)
        ):
            raise QueryRejected(_READ_ONLY)
        self._check()
        self._lease.statement = statement

    async def execute_all(self, requests: Sequence[Request], /) -> list[Any]:
        """Run statements up to the first that fails: some as one, if that succeeds, and otherwise one by one.

        Beside trio, all are one hop to the loop of the connections.
        """
        answers: list[Any] = []
        runs = merged(requests, rows=BULK, updates=_UPDATES, alike=True, fit=_few)
        for together, neighbours in groupby(runs, lambda run: len(run) > 1):
            several = list(neighbours)
            made = [request for run in several for request in run]
            found = None
            # the savepoint that all but the first of a transaction need is a round trip, too
            if together and len(made) - len(several) > (not self._untouched):
                found = await self._executed_merged(several)
            answers += await self._executed_in_turn(made) if found is None else found
            if isinstance(answers[-1], Failed):
                break
        return answers

    async def _executed_in_turn(self, requests: Sequence[Request]) -> list[Any]:
        answers: list[Any] = []
        for request in requests:
            try:
                answers.append(await self.execute(request))
            except Exception as error:  # noqa: BLE001 - given back as its answer
                answers.append(Failed(error))
                break
        return answers

    async def _executed_merged(self, runs: Sequence[Sequence[Request]]) -> list[Any] | None:
        """The answers of statements each run of which may be one; `None`, with nothing done, if one fails by itself.

        Which, and how, they tell when they are made one by one. They are undone to a savepoint, or as the first ones of
        the transaction with all of it. What the server or others are to blame for is the failure of the first.
        """
        connection, begun = self._lease.connection, self._untouched
        first = replace(runs[0][0], recoverable=not begun)
        answers: list[Any] = []
        try:
            self._check_allowed(first.statement)
            if not begun:
                await self._telling(first, connection.command(f"{self._unguarded()}SAVEPOINT {_GUARD}"))
                self._guarded = True
            for run_ in runs:
                answers += await self._executed_as_one(run_, recoverable=not begun)
        except Exception as error:  # noqa: BLE001 - given back as an answer, or met again
            recoverable = any(request.recoverable for run_ in runs for request in run_)
            if not self.usable or not _is_their_own(error, recoverable):
                return [Failed(error)]
            if begun:
                try:
                    await self._telling(first, connection.command(f"ROLLBACK; {begin_sql(self._options)}"))
                except Exception as meanwhile:  # noqa: BLE001 - as above
                    return [Failed(meanwhile)]
                self._untouched = True
            return None
        return answers

    async def _executed_as_one(self, requests: Sequence[Request], *, recoverable: bool) -> list[Any]:
        connection = self._lease.connection
        self._untouched = False
        statements = [request.statement for request in requests]
        asked = replace(requests[0], recoverable=recoverable, sent=telling_all(requests))
        act = partial(run_merged, connection, self._compiler, statements)
        answers: list[Any] = await self._telling(asked, act())
        return answers

    async def commit(self) -> None:
        """Keep what was done. Without an answer it is not known whether that happened."""
        if self._ended:
            raise RuntimeError(_OVER)
        if self._broken is not None:
            await self.rollback()
            raise self._broken
        self._ended = True
        connection = self._lease.connection
        try:
            tag = await connection.command("COMMIT")
        except Exception as error:
            if not is_database_error(error):
                self._pool.discard(self._lease)
                raise
            if is_lost(error) or connection.is_closed:
                self._pool.discard(self._lease)
                raise CommitUnknown(
                    "the connection to the server broke before it answered COMMIT: it may have happened",
                    code=getattr(error, "sqlstate", None),
                    hint="look in the database whether it did before trying again",
                ) from error
            self._pool.release(self._lease)
            raise translate(error, self._compiler) from error
        except BaseException:
            self._pool.discard(self._lease)
            raise
        if self._changed_tables:
            self._pool.outdate()
        self._pool.release(self._lease)
        if tag == "ROLLBACK":
            raise QueryRejected("a statement of this transaction had failed, so the server rolled it back")

    async def rollback(self) -> None:
        """Undo what was done, even when cancelled meanwhile; nothing, if the transaction is over."""
        if self._ended:
            return
        self._ended = True
        try:
            with self._shield():
                clean = not self._lease.connection.is_closed and await self._lease.connection.settle()
        except BaseException:
            self._pool.discard(self._lease)
            raise
        if clean:
            self._pool.release(self._lease)
        else:
            self._pool.discard(self._lease)

    async def savepoint(self, name: str, /) -> None:
        """Mark a point to go back to."""
        # a guard set before would be released with the next one, and this point with it
        await self._mark(f"{self._unguarded()}SAVEPOINT {quoted(name)}")

    async def release(self, name: str, /) -> None:
        """Forget a point, and keep what was done since."""
        self._guarded = False
        await self._mark(f"RELEASE {quoted(name)}")

    async def rollback_to(self, name: str, /) -> None:
        """Undo what was done since a point, which stays."""
        self._guarded = False
        await self._mark(f"ROLLBACK TO {quoted(name)}")

    def _unguarded(self) -> str:
        guarded, self._guarded = self._guarded, False
        return f"RELEASE {_GUARD}; " if guarded else ""

    async def _mark(self, sql: str) -> None:
        self._check()
        self._untouched = False
        await self._run(self._lease.connection.command(sql), None)

    async def _executed(self, request: Request) -> Any:
        connection = self._lease.connection
        if self._guarded and not request.recoverable and isinstance(request.statement, Sql):
            await connection.command(self._unguarded())  # the server may refuse it after a savepoint
        value = await self._guarding(request, lambda: run(connection, self._compiler, request))
        if isinstance(request.statement, (CreateTables, DropTables)):
            self._changed_tables = True
        return value

    async def _guarding(self, request: Request, act: Callable[[], Awaitable[T]]) -> T:
        """Do something for a request, behind a savepoint where it is to be recovered from."""
        connection = self._lease.connection
        if request.recoverable:
            await connection.command(f"{self._unguarded()}SAVEPOINT {_GUARD}")
            self._guarded = True
        untouched, self._untouched = self._untouched, False
        try:
            return await act()
        except Exception as error:
            if not stale_plan(error):
                raise
            if self._guarded and request.recoverable:
                await connection.command(f"ROLLBACK TO {_GUARD}")
            elif untouched:
                await connection.command(f"ROLLBACK; {begin_sql(self._options)}")
            else:
                raise
            connection.forget()
            return await act()

    async def _run(self, work: Awaitable[T], request: Request | None) -> T:
        connection, statement = self._lease.connection, None if request is None else request.statement
        try:
            return await work
        except Exception as error:
            if is_database_error(error) and (is_lost(error) or connection.is_closed):
                self._broken = lost(error, statement, unknown=False)
                raise self._broken from error
            if not connection.is_in_transaction:
                raise self._break(error, statement) from error
            found = self._translated(error, statement)
            if self._guarded and request is not None and request.recoverable:
                await self._undo_guarded()
            if found is error:
                raise
            raise found from error
        except BaseException:
            self._broken = QueryRejected(_CANCELLED)
            raise

    async def _undo_guarded(self) -> None:
        connection = self._lease.connection
        try:
            await connection.command(f"ROLLBACK TO {_GUARD}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the transaction is in no known state
            self._broken = lost(error, None, unknown=False)
        except BaseException:
            self._broken = QueryRejected(_CANCELLED)
            raise

    def _break(self, error: Exception, statement: Statement | None) -> Exception:
        self._broken = self._translated(error, statement)
        return self._broken

    def _translated(self, error: Exception, statement: Statement | None) -> Exception:
        if isinstance(error, OmmiError) or not is_database_error(error):
            return error
        connection = self._lease.connection
        return translate(error, self._compiler, statement, connection.sql, connection.parameters)

    def _check(self) -> None:
        if self._ended:
            raise RuntimeError(_OVER)
        if self._broken is not None:
            raise self._broken
        if self._lease.connection.is_closed and not self._pool.holds(self._lease):
            self._ended = True
            raise Closed("the database was closed while this transaction was open, and it was rolled back")


def _few(number: int) -> int:
    """So many updates, or fewer: of a shape with any number of them, the server keeps few plans."""
    return number if number < _UPDATES // 2 else number // (_UPDATES // 2) * (_UPDATES // 2)


def _is_their_own(error: Exception, recoverable: bool) -> bool:
    """Whether statements made one by one could end otherwise than they did as one, and may be asked again."""
    code = getattr(error.__cause__ or error, "sqlstate", None) or ""
    if code.startswith(_FROM_OUTSIDE):  # only where the program goes on is it of interest whose it was
        return recoverable
    return not code.startswith(_ENDING)


@final
class TransactionCursor:
    """A query of a transaction."""

    __slots__ = ("_owner", "_portal", "_request")

    def __init__(self, owner: PostgresTransaction, portal: Portal, request: Request) -> None:
        self._owner = owner
        self._portal = portal
        self._request = request

    async def next_rows(self) -> list[Any]:
        """What is read of the next rows."""
        return await self._owner.next_rows(self._portal, self._request)

    async def close(self) -> None:
        """Close the query."""
        await self._owner.close_portal(self._portal)
