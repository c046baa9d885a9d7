"""Updating rows: unique values count when the statement is over, where SQLite looks after each row."""

from __future__ import annotations

import sqlite3

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sql.ddl import create_index
from ommi.drivers.sqlite.atomic import atomic
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.references import foreign_keys
from ommi.query.expressions import Literal
from ommi.query.statements import Update
from ommi.schema import Index

__all__ = ["update"]


def update(connection: sqlite3.Connection, compiler: Compiler, statement: Update, *, in_transaction: bool) -> int:
    """Update the rows of a statement, all or none; how many matched. Raises members of `ommi.errors`."""
    sql, parameters = compiler.prepare(statement)
    try:
        return connection.execute(sql, parameters).rowcount
    except sqlite3.Error as error:
        indexes = _shifted(connection, statement, error)
        if not indexes:
            raise translate(error, connection, compiler, statement, None, sql, parameters) from error
    # maybe two rows only change places: without the index for a moment, it is looked at when all are changed
    quote = compiler.dialect.query.quote
    try:
        with atomic(connection, in_transaction=in_transaction):
            for index in indexes:
                connection.execute(f"DROP INDEX IF EXISTS {quote(index.name)}")
            matched = connection.execute(sql, parameters).rowcount
            for index in reversed(indexes):
                connection.execute(create_index(index, statement.schema, compiler.dialect))
            return matched
    except sqlite3.Error as error:
        raise translate(error, connection, compiler, statement, None, sql, parameters) from error


def _shifted(connection: sqlite3.Connection, statement: Update, error: sqlite3.Error) -> list[Index]:
    """The unique indexes of values that were being computed from others, when one of them was there already."""
    if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_CONSTRAINT_UNIQUE:
        return []
    computed = {field.column for field, value in statement.assignments if not isinstance(value, Literal)}
    found = [i for i in statement.schema.indexes if i.unique and computed & {field.column for field in i.fields}]
    if not found:
        return []
    table = statement.schema.table.casefold()
    # a foreign key cannot do without the index of what it refers to
    needed = [set(key.target_columns) for key in foreign_keys(connection) if key.target.casefold() == table]
    return [index for index in found if {field.column for field in index.fields} not in needed]
