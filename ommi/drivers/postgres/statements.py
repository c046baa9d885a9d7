"""Running statements on one connection."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any, Final, assert_never

from ommi.drivers.driver import Request
from ommi.drivers.merging import are_inserts, are_updates, whole
from ommi.drivers.postgres.connection import Connection
from ommi.drivers.postgres.copying import is_copied
from ommi.drivers.postgres.insertion import insert, is_split
from ommi.drivers.postgres.tables import create_tables, drop_tables
from ommi.drivers.postgres.updating import is_tried, update
from ommi.drivers.sql.compiler import Compiler
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
    Statement,
    Update,
)

__all__ = ["needs_transaction", "run", "run_merged"]

_END: Final = object()


def needs_transaction(statement: Statement, compiler: Compiler) -> bool:
    """Whether the statement takes several of the server's, so that they must be all or none."""
    match statement:
        case Insert():
            return is_split(statement) or is_copied(statement)
        case Update():
            return is_tried(statement, compiler)
        case CreateTables() | DropTables():
            return True
        case Select() | Count() | Exists() | Delete() | AdvisoryLock() | Sql() | MongoCommand():
            return False
        case _:
            assert_never(statement)


async def run(connection: Connection, compiler: Compiler, request: Request) -> Any:
    """Run a request and answer as `Executor.execute` does; within a transaction, if it needs one.

    Raises asyncpg's errors, and what `request.read` raises.
    """
    statement = request.statement
    match statement:
        case Select():
            rows: list[Any] = await connection.fetch(*compiler.prepare(statement))
            rows.append(_END)
            rows.reverse()
            # each row is let go when it has been read, so that no second copy of them all is held
            return request.read(iter(rows.pop, _END))
        case Count() | Exists():
            ((found,),) = await connection.fetch(*compiler.prepare(statement))
            return found
        case Delete():
            return await connection.run(*compiler.prepare(statement))
        case Update():
            return await update(connection, compiler, statement)
        case Insert():
            return await insert(connection, compiler, statement, deferred=is_split(statement))
        case Sql(rows=True):
            names, rows = await connection.table(*compiler.prepare(statement))
            return request.read(chain(names, rows))
        case Sql():
            return await connection.run(*compiler.prepare(statement))
        case MongoCommand():
            raise UnsupportedOperation("postgres runs no commands of MongoDB: write sql(…)")
        case CreateTables():
            return await create_tables(connection, compiler, statement)
        case DropTables():
            return await drop_tables(connection, compiler, statement)
        case AdvisoryLock(key):
            await connection.fetch("SELECT pg_advisory_xact_lock($1::bigint)", (key,))
            return None
        case _:
            assert_never(statement)


async def run_merged(connection: Connection, compiler: Compiler, statements: Sequence[Statement]) -> list[Any]:
    """Run statements that may be one as one, within a transaction; their answers. Raises as `run` does."""
    if are_updates(statements):
        (matched,) = await connection.fetch(*compiler.prepare_updates(statements))
        return list(matched)
    assert are_inserts(statements)
    answers = iter(await insert(connection, compiler, whole(statements), deferred=False))
    return [list(islice(answers, len(statement.rows))) for statement in statements]
