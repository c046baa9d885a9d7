"""Running statements on one connection, in one go: what a worker thread does on one hop."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, assert_never, cast

from ommi.drivers.driver import Request
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.deleting import delete
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.insertion import insert
from ommi.drivers.sqlite.tables import create_tables, drop_tables
from ommi.drivers.sqlite.updating import update
from ommi.errors import UnsupportedOperation
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
    Update,
)
from ommi.schema import Row

__all__ = ["answer", "run"]


def run(connection: sqlite3.Connection, compiler: Compiler, request: Request, *, in_transaction: bool) -> Any:
    """Run a request and answer as `Executor.execute` does.

    The connection is in autocommit mode (`isolation_level=None`) and has the functions of `functions.install`.
    Without `in_transaction`, what takes several statements gets a transaction of its own, which is over, either
    way, when this returns or raises. Raises members of `ommi.errors`, and what `request.read` raises.
    """
    if request.sent is not None:
        connection = cast("sqlite3.Connection", _Telling(connection, request.sent))
    match request.statement:
        case Select() | Count() | Exists() as statement:
            sql, parameters = compiler.prepare(statement)
            try:
                cursor = connection.execute(sql, parameters)
                try:
                    return answer(statement, cursor, request)
                finally:
                    cursor.close()
            except sqlite3.Error as error:
                raise translate(error, connection, compiler, statement, None, sql, parameters) from error
        case Delete() as statement:
            return delete(connection, compiler, statement, in_transaction=in_transaction)
        case Update() as statement:
            return update(connection, compiler, statement, in_transaction=in_transaction)
        case Insert() as statement:
            return insert(connection, compiler, statement, in_transaction=in_transaction)
        case CreateTables() as statement:
            return create_tables(connection, compiler, statement, in_transaction=in_transaction)
        case DropTables() as statement:
            return drop_tables(connection, compiler, statement, in_transaction=in_transaction)
        case Sql() as statement:
            return _sql(connection, compiler, statement, request)
        case MongoCommand():
            raise UnsupportedOperation("sqlite runs no commands of MongoDB: write sql(…)")
        case AdvisoryLock():
            raise UnsupportedOperation(
                "sqlite has no advisory locks: a transaction that writes is the only one, so none is needed"
            )
        case _:
            assert_never(request.statement)


class _Telling:
    """A connection that tells what is executed on it. In the same process, none of that is a trip of its own."""

    def __init__(self, connection: sqlite3.Connection, tell: Callable[[str, int], None]) -> None:
        self._connection = connection
        self._tell = tell

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        self._tell(sql, 0)
        return self._connection.execute(sql, *parameters)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self._tell(sql, 0)
        return self._connection.executemany(sql, rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _sql(connection: sqlite3.Connection, compiler: Compiler, statement: Sql, request: Request) -> Any:
    sql, parameters = compiler.prepare(statement)
    try:
        cursor = connection.execute(sql, parameters)
        try:
            names = [tuple([column[0] for column in cursor.description])] if cursor.description else []
            if statement.rows:
                return request.read(chain(names, cursor))
            cursor.fetchall()  # what gives rows is only done when they have been read
            return max(cursor.rowcount, 0)
        finally:
            cursor.close()
    except sqlite3.Error as error:
        raise translate(error, connection, compiler, statement, None, sql, parameters) from error


def answer(statement: Select | Count | Exists, rows: Iterable[Row], request: Request) -> Any:
    """The answer to a statement that reads, made of its rows."""
    match statement:
        case Select():
            return request.read(rows)
        case Count():
            ((count,),) = rows
            return count
        case Exists():
            ((found,),) = rows
            return bool(found)
        case _:
            assert_never(statement)
