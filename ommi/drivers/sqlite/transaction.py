"""One open transaction on one SQLite connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import perf_counter
from typing import Any, Final, TypeVar, TypeVarTuple, final

from ommi.drivers.driver import Cursor, Failed, Request
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.brief import LATER, PATIENCE, Brief, may_change_tables
from ommi.drivers.sqlite.connections import Connection
from ommi.drivers.sqlite.controls import control
from ommi.drivers.sqlite.cursors import OpenSelect
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.pool import Closed, Lease
from ommi.drivers.sqlite.statements import run
from ommi.drivers.sqlite.worker import Worker
from ommi.errors import CommitUnknown, LockTimeout, OmmiError, QueryRejected
from ommi.query.statements import Select, Statement, is_write

__all__ = ["SQLiteTransaction", "begin_and_execute"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_FEW: Final = 50  # writes that a brief commit is of
_OVER: Final = "this transaction is over: it was committed or rolled back"
_READ_ONLY: Final = "this transaction is read-only: begin it without read_only=True to write or lock"
_CANCELLED: Final = "a statement of this transaction was cancelled: the transaction can only be rolled back"


@final
class SQLiteTransaction:
    """A transaction and the connection it keeps.

    SQLite ends a transaction by itself when a write is interrupted, or lacks memory or disk; what came next would
    then commit on its own. So after such an error, and after any cancelled statement, a transaction runs nothing
    more and answers with that error.
    """

    def __init__(self, lease: Lease, compiler: Compiler, brief: Brief | None, *, read_only: bool, light: bool) -> None:
        self._lease = lease
        self._compiler = compiler
        self._brief = brief
        self._read_only = read_only
        self._light = light  # all was brief so far, and so may its commit be
        self._writes = 0
        self._changes_tables = False
        self._broken: Exception | None = None
        self._lost = False
        self._ended = False
        self._open: dict[OpenSelect, None] = {}

    @property
    def usable(self) -> bool:
        """Not after SQLite ended the transaction by itself, nor after a cancelled statement."""
        return not self._ended and self._broken is None

    async def execute(self, request: Request, /) -> Any:
        """Run one statement."""
        self._check_allowed(request.statement)
        if self._may_be_brief(request) and await self._is_at_hand():
            answer = self._at_once(request)
            if answer is not LATER:
                return answer
        self._note((request,))
        return await self._run(_execute, self._compiler, request, self._open)

    def _note(self, requests: Iterable[Request]) -> None:
        """What a worker is about to run."""
        for request in requests:
            if is_write(request.statement):
                self._light = False
                if self._brief is not None and may_change_tables(request.statement):
                    self._changes_tables = True  # or not, if it is undone: nothing is brief until that is known

    def _may_be_brief(self, request: Request) -> bool:
        brief = self._brief
        if (
            brief is None
            or self._changes_tables
            or request.sent is not None
            or (self._open and is_write(request.statement))
        ):
            return False
        return brief.suits(request.statement, within=True)

    async def _is_at_hand(self) -> bool:
        """Whether the connection is there for the caller, after other tasks had their turn."""
        self._check_usable()
        if self._lease.at_hand() is None:
            return False
        try:
            await self._lease.turn()
        except BaseException:
            self._broken = QueryRejected(_CANCELLED)
            raise
        self._check_usable()
        return True

    def _at_once(self, request: Request) -> Any:
        """The answer to a brief statement, or `LATER`."""
        worker, brief = self._lease.at_hand(), self._brief
        if worker is None or brief is None:
            return LATER
        try:
            answer = self._lease.at_once(brief.execute, worker, request, True)
        except Exception as error:
            connection = worker.lendable
            self._lost = connection is None or not _is_open(connection)
            if not self._lost:
                raise
            self._broken = error
            if isinstance(error, sqlite3.Error) and connection is not None:
                self._broken = translate(error, connection, self._compiler, request.statement)
                raise self._broken from error
            raise
        except BaseException:
            self._broken = QueryRejected(_CANCELLED)
            raise
        if answer is not LATER and is_write(request.statement):
            self._writes += 1
        return answer

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        """Open the rows of a query, which writes of the same transaction do not change."""
        self._check_allowed(request.statement)
        rows = OpenSelect(self._compiler, request, chunk)
        self._open[rows] = None  # at once: what was cancelled too late has begun
        try:
            await self._run(rows.start)
        except Exception:
            del self._open[rows]
            raise
        return _Cursor(self, rows)

    async def next_rows(self, rows: OpenSelect) -> list[Any]:
        """The next rows of a query that is open."""
        return await self._run(rows.next_rows)

    async def close_rows(self, rows: OpenSelect) -> None:
        """End a query; those that are open at the end of the transaction end with it."""
        if self.usable and rows in self._open:
            with suppress(Closed):  # closing the database has taken the connection back
                await self._lease.run(rows.close)
            self._open.pop(rows, None)

    def _check_allowed(self, statement: Statement) -> None:
        if self._read_only and (is_write(statement) or (isinstance(statement, Select) and statement.lock is not None)):
            raise QueryRejected(_READ_ONLY)

    async def execute_all(self, requests: Sequence[Request], /) -> list[Any]:
        """Run statements up to the first that fails, in one hop; one that met a lock is tried again by itself."""
        answers = await self._first_at_once(requests)
        self._note(requests[len(answers) :])
        while len(answers) < len(requests) and not (answers and isinstance(answers[-1], Failed)):
            answers += await self._run(_execute_all, self._compiler, requests[len(answers) :], self._open)
            await self._look_at(requests, answers)
        return answers

    async def _first_at_once(self, requests: Sequence[Request]) -> list[Any]:
        """The answers to the first statements, as far as they are brief, up to one that fails."""
        answers: list[Any] = []
        if not requests or not self._may_be_brief(requests[0]) or not await self._is_at_hand():
            return answers
        until = perf_counter() + PATIENCE
        for request in requests:
            if answers and (perf_counter() > until or not self._may_be_brief(request)):
                break
            try:
                answer = self._at_once(request)
            except Exception as error:  # noqa: BLE001 - given back as its answer
                answer = Failed(error)
            if answer is LATER:
                break
            answers.append(answer)
            if isinstance(answer, Failed):
                break
        return answers

    async def begun(self, requests: Sequence[Request], answers: list[Any], *, is_open: bool) -> list[Any]:
        """What the transaction was begun with, up to the first that failed; whether it is open after that."""
        self._lost = not is_open
        self._note(requests)
        await self._look_at(requests, answers)
        if len(answers) < len(requests) and not isinstance(answers[-1], Failed):
            answers += await self.execute_all(requests[len(answers) :])
        return answers

    async def _look_at(self, requests: Sequence[Request], answers: list[Any]) -> None:
        last = answers[-1]
        if not isinstance(last, Failed):
            return
        if self._lost:
            self._broken = last.error
        elif isinstance(last.error, LockTimeout):
            try:
                answers[-1] = await self.execute(requests[len(answers) - 1])
            except Exception as error:  # noqa: BLE001 - given back as its answer
                answers[-1] = Failed(error)

    async def commit(self) -> None:
        """Keep what was done; waits for a lock as every statement does. Cancelled meanwhile, it still ends."""
        if self._ended:
            raise RuntimeError(_OVER)
        if self._broken is not None:
            await self.rollback()
            raise self._broken
        self._end()
        if not self._open and self._light and self._writes <= _FEW and self._committed_at_once():
            return
        await self._lease.finish(_commit, self._open)

    def _committed_at_once(self) -> bool:
        worker, brief = self._lease.at_hand(), self._brief
        if worker is None or brief is None:
            return False
        return self._lease.at_once(self._committed, worker, brief)

    def _committed(self, worker: Worker, brief: Brief) -> bool:
        try:
            done = brief.commit(worker, self._writes)
        except BaseException as error:
            connection = worker.lendable
            self._lease.release()
            if isinstance(error, sqlite3.Error) and connection is not None:
                raise _meaning(error, connection) from error
            raise
        if done:
            self._lease.let_go()
        return done

    async def rollback(self) -> None:
        """Undo what was done, even when cancelled meanwhile; nothing, if the transaction is over."""
        if self._ended:
            return
        self._end()
        try:
            await self._lease.finish(_close, self._open)
        except Closed:  # closing has rolled back already
            return

    def _end(self) -> None:
        self._ended = True
        if self._brief is not None and self._changes_tables:
            self._brief.forget()  # before the connection serves others

    async def savepoint(self, name: str, /) -> None:
        """Mark a point to go back to."""
        await self._mark(f"SAVEPOINT {_quoted(name)}")

    async def release(self, name: str, /) -> None:
        """Forget a point, and keep what was done since."""
        await self._mark(f"RELEASE {_quoted(name)}")

    async def _mark(self, sql: str) -> None:
        brief = self._brief
        if brief is not None and await self._is_at_hand():
            worker = self._lease.at_hand()
            if worker is not None and self._lease.at_once(brief.mark, worker, sql):
                return
        await self._run(control, sql)

    async def rollback_to(self, name: str, /) -> None:
        """Undo what was done since a point, which stays."""
        await self._run(_roll_back_to, name, self._open)

    def _check_usable(self) -> None:
        if self._ended:
            raise RuntimeError(_OVER)
        if self._broken is not None:
            raise self._broken

    async def _run(self, function: Callable[[sqlite3.Connection, *Ts], T], *arguments: *Ts) -> T:
        self._check_usable()
        try:
            return await self._lease.run(self._within, function, arguments)
        except Exception as error:
            if self._lost:
                self._broken = error
            raise
        except BaseException:
            self._broken = QueryRejected(_CANCELLED)
            raise

    def _within(
        self, connection: sqlite3.Connection, function: Callable[[sqlite3.Connection, *Ts], T], arguments: tuple[*Ts]
    ) -> T:
        try:
            return function(connection, *arguments)
        finally:
            self._lost = not _is_open(connection)


def _is_open(connection: sqlite3.Connection) -> bool:
    try:
        return connection.in_transaction
    except sqlite3.ProgrammingError:  # somebody has closed the connection
        return False


@final
class _Cursor:
    """A query of a transaction."""

    __slots__ = ("_owner", "_rows")

    def __init__(self, owner: SQLiteTransaction, rows: OpenSelect) -> None:
        self._owner = owner
        self._rows = rows

    async def next_rows(self) -> list[Any]:
        return await self._owner.next_rows(self._rows)

    async def close(self) -> None:
        await self._owner.close_rows(self._rows)


def _execute(connection: sqlite3.Connection, compiler: Compiler, request: Request, open_: Iterable[OpenSelect]) -> Any:
    if is_write(request.statement):
        _put_aside(connection, open_)
    return run(connection, compiler, request, in_transaction=True)


def _execute_all(
    connection: sqlite3.Connection, compiler: Compiler, requests: Sequence[Request], open_: Iterable[OpenSelect]
) -> list[Any]:
    answers: list[Any] = []
    for request in requests:
        try:
            answers.append(_execute(connection, compiler, request, open_))
        except Exception as error:
            if getattr(error, "code", None) == "SQLITE_INTERRUPT":
                raise
            answers.append(Failed(error))
            break
    return answers


def begin_and_execute(
    connection: sqlite3.Connection,
    begin: Callable[[sqlite3.Connection], None],
    compiler: Compiler,
    requests: Sequence[Request],
) -> tuple[list[Any], bool]:
    """Begin and run the first statements; their answers, and whether the transaction is open then."""
    begin(connection)
    answers = _execute_all(connection, compiler, requests, ())
    return answers, _is_open(connection)


def _put_aside(connection: sqlite3.Connection, open_: Iterable[OpenSelect]) -> None:
    for rows in open_:
        rows.put_aside(connection)


def _close(_: sqlite3.Connection, open_: Iterable[OpenSelect]) -> None:
    # a query that is under way would go on to read after the transaction, and keep what it sees from being cleared away
    for rows in open_:
        rows.close()


def _roll_back_to(connection: sqlite3.Connection, name: str, open_: Iterable[OpenSelect]) -> None:
    _put_aside(connection, open_)
    control(connection, f"ROLLBACK TO {_quoted(name)}")


def _commit(connection: sqlite3.Connection, open_: Iterable[OpenSelect]) -> None:
    _close(connection, open_)
    if isinstance(connection, Connection):
        connection.let_checkpoint(True)
    try:
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise _meaning(error, connection) from error


def _meaning(error: sqlite3.Error, connection: sqlite3.Connection) -> OmmiError:
    """Of the error of a COMMIT."""
    code = getattr(error, "sqlite_errorname", None) or ""
    if code.startswith("SQLITE_IOERR"):
        return CommitUnknown(f"COMMIT failed, and may have happened: {error}", code=code)
    return translate(error, connection)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
