"""Brief statements, in the event loop's own thread: SQLite takes less for them than a hop to a thread and back does.

What is brief is told by the program SQLite makes of a statement (`EXPLAIN`): one without a loop takes microseconds. One
that only reads may have loops, since it can be stopped, and made again by a worker, when it takes too long.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from enum import Enum, auto
from time import perf_counter
from typing import Any, Final, final

from ommi.drivers.driver import Request
from ommi.drivers.sql.compiler import Compiler, Prepared
from ommi.drivers.sqlite.connections import UNCHECKED, Connection
from ommi.drivers.sqlite.controls import begin_reading, begin_writing
from ommi.drivers.sqlite.insertion import prepare_row
from ommi.drivers.sqlite.statements import answer
from ommi.drivers.sqlite.worker import Worker
from ommi.errors import OmmiError
from ommi.query.statements import (
    Count,
    CreateTables,
    Delete,
    DropTables,
    Exists,
    Insert,
    Select,
    Sql,
    Statement,
    Update,
)
from ommi.schema import Row

__all__ = ["LATER", "PATIENCE", "Brief", "may_change_tables"]

LATER: Final = object()
"""In place of an answer: that is for a worker to find."""

PATIENCE: Final = 0.0005  # seconds: some hops
_SLOW: Final = 0.002  # seconds; so long takes what waits for a disk
_REST: Final = 20  # after a slow statement the loop is left alone for so many times what it took
_SPARED: Final = 16  # times a statement that took too long is not tried
_MOST: Final = 512  # statements that something is remembered of
_LARGE: Final = 65_536  # characters or bytes of a value

_LOOPS: Final = {
    "DecrJumpZero",
    "IfNotZero",
    "InitCoroutine",
    "Next",
    "Prev",
    "Program",
    "SorterNext",
    "VNext",
    "Yield",
}
# in one step of the program, so that nobody is asked whether it is to stop
_ENDLESS: Final = {
    "Checkpoint",
    "Clear",
    "Count",
    "Destroy",
    "JournalMode",
    "ParseSchema",
    "Vacuum",
    "VFilter",
    "VUpdate",
}


_READING: Final = frozenset({Select, Count, Exists})
_WRITING: Final = frozenset({Update, Delete, Insert})
_DATA_ONLY: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class _Size(Enum):
    POINT = auto()
    SCAN = auto()
    LONG = auto()


@final
class Brief:
    """Makes brief statements with the connection of a worker that has nothing to do; `LATER` for all others.

    Nothing was changed by what is left for later, and no error is told from here: the worker meets it again. `commits`:
    a commit does not wait for a disk, so that writes can be brief outside of transactions, too.
    """

    def __init__(self, compiler: Compiler, *, commits: bool) -> None:
        self._compiler = compiler
        self._commits = commits
        self._sizes: dict[str, _Size] = {}
        self._spared: dict[str, int] = {}
        self._rests_until = -math.inf
        self._changes = 0

    def suits(self, statement: Statement, *, within: bool) -> bool:
        """Whether it is worth a try, in a transaction or outside."""
        kind = type(statement)
        if kind in _READING:
            return True
        return kind in _WRITING and (within or self._commits)

    def execute(self, worker: Worker, request: Request, within: bool) -> Any:
        """The answer to a statement, in the worker's transaction or on its own, or `LATER`.

        Raises what `request.read` and preparing the statement raise, and `sqlite3.Error` only if that has ended the
        transaction.
        """
        if perf_counter() < self._rests_until:
            return LATER
        match request.statement:
            case Select() | Count() | Exists() as statement:
                prepared = self._compiler.prepare(statement)
                rows = self._fetched(worker, prepared, within=within)
                return LATER if rows is None else answer(statement, rows, request)
            case Update() | Delete() as statement:
                cursor = self._written(worker, self._compiler.prepare(statement), within=within)
                return LATER if cursor is None else cursor.rowcount
            case Insert(rows=(row,)) as statement:
                one = prepare_row(self._compiler, statement, row)
                if one.returning:
                    return LATER
                cursor = self._written(worker, Prepared(one.sql, one.parameters), within=within)
                return LATER if cursor is None else [one.answer(cursor)]
            case _:
                return LATER

    def begin(self, worker: Worker, read_only: bool) -> bool:
        """Begin a transaction; whether that is done."""
        with worker.lent:
            connection = worker.lendable
            if connection is None or connection.in_transaction:
                return False
            if not read_only and isinstance(connection, Connection) and connection.unchecked >= UNCHECKED:
                return False
            try:
                (begin_reading if read_only else begin_writing)(connection)
            except OmmiError:
                return False
            return True

    def mark(self, worker: Worker, sql: str) -> bool:
        """Set or release a savepoint; whether that is done."""
        with worker.lent:
            connection = worker.lendable
            if connection is None or not connection.in_transaction:
                return False
            try:
                connection.execute(sql)
            except sqlite3.Error:
                return False
            return True

    def forget(self) -> None:
        """What is known of statements: tables have changed."""
        self._sizes.clear()
        self._changes += 1

    def _fetched(self, worker: Worker, prepared: Prepared, *, within: bool) -> list[Row] | None:
        sql, parameters = prepared
        if sql in self._spared and self._is_spared(sql):
            return None
        rows: list[Row] | None = None
        with worker.lent:
            connection = worker.lendable
            if connection is None or connection.in_transaction is not within:
                return None
            if (self._sizes.get(sql) or self._look(connection, sql, parameters)) is _Size.LONG:
                return None
            start = perf_counter()
            worker.patience = start + PATIENCE
            try:
                rows = connection.execute(sql, parameters).fetchall()
            except sqlite3.Error:
                if within and not connection.in_transaction:
                    raise
            finally:
                worker.patience = math.inf
        took = perf_counter() - start
        if took > PATIENCE:
            if len(self._spared) >= _MOST:
                self._spared.clear()
            self._spared[sql] = _SPARED
            self._rest_after(took)
        return rows

    def _written(self, worker: Worker, prepared: Prepared, *, within: bool) -> sqlite3.Cursor | None:
        sql, parameters = prepared
        for value in parameters:
            if isinstance(value, (str, bytes)) and len(value) > _LARGE:
                return None
        with worker.lent:
            connection = worker.lendable
            if not isinstance(connection, Connection) or connection.in_transaction is not within:
                return None
            # within a transaction, to stop a write would be to end it all
            if (self._sizes.get(sql) or self._look(connection, sql, parameters)) is not _Size.POINT:
                return None
            if not (within or self._may_commit(connection, 1)):
                return None
            start = perf_counter()
            try:
                cursor = connection.execute(sql, parameters)
            except sqlite3.Error:
                if within and not connection.in_transaction:
                    raise
                return None
        took = perf_counter() - start
        if took > PATIENCE:
            self._rest_after(took)
        return cursor

    def commit(self, worker: Worker, writes: int) -> bool:
        """Commit a transaction of so many brief writes, if that waits for no disk; whether it is done.

        Raises `sqlite3.Error` if that has ended the transaction, without a commit as far as can be told.
        """
        with worker.lent:
            connection = worker.lendable
            if not isinstance(connection, Connection) or (writes and not self._may_commit(connection, writes)):
                return False
            start = perf_counter()
            try:
                connection.execute("COMMIT")
            except sqlite3.Error:
                if not connection.in_transaction:
                    raise
                return False
            self._rest_after(perf_counter() - start)
            return True

    def _may_commit(self, connection: Connection, writes: int) -> bool:
        """Whether a commit of so many writes now only adds to the log."""
        if not self._commits or connection.unchecked >= UNCHECKED:
            return False
        connection.let_checkpoint(False)
        connection.unchecked += writes
        return True

    def _look(self, connection: sqlite3.Connection, sql: str, parameters: Sequence[Any]) -> _Size:
        try:
            # a text of its own after each change: what EXPLAIN has been prepared to say is never looked at again
            found = connection.execute(f"EXPLAIN /* {self._changes} */ {sql}", parameters)
            codes = {row[1] for row in found}
        except sqlite3.Error:
            return _Size.LONG
        size = _Size.LONG if codes & _ENDLESS else _Size.SCAN if codes & _LOOPS else _Size.POINT
        if len(self._sizes) >= _MOST:
            self._sizes.clear()
        self._sizes[sql] = size
        return size

    def _is_spared(self, sql: str) -> bool:
        left = self._spared.pop(sql) - 1
        if left:
            self._spared[sql] = left
        return True

    def _rest_after(self, took: float) -> None:
        if took > _SLOW:
            self._rests_until = perf_counter() + _REST * took


def may_change_tables(statement: Statement) -> bool:
    """Whether what is known of other statements may not hold after it: it may make a trigger, or drop an index."""
    match statement:
        case CreateTables() | DropTables():
            return True
        case Sql(parts=(str() as text, *_), writes=True):
            return not text.lstrip().upper().startswith(_DATA_ONLY)
        case Sql(writes=writes):
            return writes
        case _:
            return False
