"""Updating rows: unique values count when the statement is over, where SQLite looks after each row."""

from __future__ import annotations

import sqlite3

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sql.ddl import create_index
from ommi.drivers.sqlite.atomic import atomic
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.references import foreign_keys
from ommi.query.expressions import Column, Literal
from ommi.query.statements import Select, Update
from ommi.schema import Index
from ommi.values import Kind

__all__ = ["update"]


def update(connection: sqlite3.Connection, compiler: Compiler, statement: Update, *, in_transaction: bool) -> int:
    """Update the rows of a statement, all or none; how many matched. Raises members of `ommi.errors`."""
    sql, parameters = compiler.prepare(statement)
    try:
        return connection.execute(sql, parameters).rowcount
    except sqlite3.Error as error:
        indexes = _shifted(connection, statement, error)
        shifts_key = _shifts_key(statement, error)
        if not indexes and not shifts_key:
            raise translate(error, connection, compiler, statement, None, sql, parameters) from error
    if shifts_key:
        return _renumbered(connection, compiler, statement, in_transaction=in_transaction)
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


def _shifts_key(statement: Update, error: sqlite3.Error) -> bool:
    """Whether a key that was being computed from others was there already; only a number can be moved away."""
    if getattr(error, "sqlite_errorcode", None) != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
        return False
    key = statement.schema.key
    moved = any(field is key[0] and not isinstance(value, Literal) for field, value in statement.assignments)
    return len(key) == 1 and key[0].type.kind is Kind.INT and moved


def _renumbered(connection: sqlite3.Connection, compiler: Compiler, statement: Update, *, in_transaction: bool) -> int:
    """Change the rows with all keys out of the way: first to numbers that no row has, then to the new ones."""
    schema = statement.schema
    (key,) = schema.key
    quote = compiler.dialect.query.quote
    table, column = quote(schema.table), quote(key.column)
    sets = ", ".join(f"{quote(field.column)} = ?" for field, _ in statement.assignments)
    columns = (Column(schema, key), *(value for _, value in statement.assignments))
    sql, parameters = compiler.prepare(Select(schema, columns, statement.where))
    try:
        with atomic(connection, in_transaction=in_transaction):
            rows = connection.execute(sql, parameters).fetchall()
            sql = f"SELECT min({column}) FROM {table}"  # noqa: S608 - quoted names
            below = min(connection.execute(sql).fetchone()[0], 0)
            away = [(below - 1 - place, *row) for place, row in enumerate(rows)]
            sql = f"UPDATE {table} SET {column} = ? WHERE {column} = ?"  # noqa: S608 - quoted names
            connection.executemany(sql, [found[:2] for found in away])
            sql = f"UPDATE {table} SET {sets} WHERE {column} = ?"  # noqa: S608 - quoted names
            connection.executemany(sql, [(*found[2:], found[0]) for found in away])
            return len(rows)
    except sqlite3.Error as error:
        raise translate(error, connection, compiler, statement, None, sql) from error
