"""Updating rows: unique values count when the statement is over, where SQLite looks after each row."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sql.ddl import create_index
from ommi.drivers.sqlite.atomic import atomic, checking_references_later
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.references import foreign_keys, violated_reference
from ommi.errors import ForeignKeyViolation
from ommi.query.expressions import Column, Literal
from ommi.query.statements import Select, Update
from ommi.schema import Field, Index, Schema

__all__ = ["update"]


def update(connection: sqlite3.Connection, compiler: Compiler, statement: Update, *, in_transaction: bool) -> int:
    """Update the rows of a statement, all or none; how many matched. Raises members of `ommi.errors`."""
    sql, parameters = compiler.prepare(statement)
    try:
        return connection.execute(sql, parameters).rowcount
    except sqlite3.Error as error:
        # maybe two rows only change places
        indexes = _shifted(connection, statement, error)
        moved = () if indexes else _moved(connection, compiler, statement, error)
        if not indexes and not moved:
            raise translate(error, connection, compiler, statement, None, sql, parameters) from error
    if moved:
        return _in_two_steps(connection, compiler, statement, moved, in_transaction=in_transaction)
    # without the index for a moment, it is looked at when all are changed
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
    # a foreign key cannot do without the index of what it refers to
    needed = _referred_to(connection, statement.schema)
    return [index for index in _computed_uniques(statement) if {f.column for f in index.fields} not in needed]


def _computed_uniques(statement: Update) -> list[Index]:
    computed = _computed(statement)
    return [index for index in statement.schema.indexes if index.unique and computed & set(index.fields)]


def _computed(statement: Update) -> set[Field]:
    return {field for field, value in statement.assignments if not isinstance(value, Literal)}


def _referred_to(connection: sqlite3.Connection, schema: Schema) -> list[set[str | None]]:
    table = schema.table.casefold()
    return [set(key.target_columns) for key in foreign_keys(connection) if key.target.casefold() == table]


def _moved(
    connection: sqlite3.Connection, compiler: Compiler, statement: Update, error: sqlite3.Error
) -> tuple[Field, ...]:
    """The fields whose values were being computed and have to be out of the way first; none if that is no help."""
    match getattr(error, "sqlite_errorcode", None):
        case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
            unique = set(statement.schema.key)
        case sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            unique = {field for index in _computed_uniques(statement) for field in index.fields}
        case _:
            return ()
    found = tuple(field for field, _ in statement.assignments if field in unique & _computed(statement))
    return found if all(compiler.dialect.types[field.type.kind] in _AWAY for field in found) else ()


_AWAY = {
    "INTEGER": lambda below, place: below - 1 - place,
    "TEXT": lambda _, place: f"\0{place}",  # no text that is written has a NUL
    "BLOB": lambda _, place: b"\0" * 64 + str(place).encode(),
}
"""Values that no row has, by the place of the row; `below` is not above any number in the column."""


def _in_two_steps(
    connection: sqlite3.Connection,
    compiler: Compiler,
    statement: Update,
    moved: Sequence[Field],
    *,
    in_transaction: bool,
) -> int:
    """Change the rows with the unique values out of the way: first to ones that no row has, then to the new ones."""
    schema = statement.schema
    columns = (*(Column(schema, f) for f in schema.key), *(value for _, value in statement.assignments))
    sql, parameters = compiler.prepare(Select(schema, columns, statement.where))
    try:
        with atomic(connection, in_transaction=in_transaction):
            rows = connection.execute(sql, parameters).fetchall()
            keys = [row[: len(schema.key)] for row in rows]
            with checking_references_later(connection), _without_checks(connection):
                places = _set(connection, compiler, schema, moved, keys, _away(connection, compiler, schema, moved, rows))
            with checking_references_later(connection):
                fields = [field for field, _ in statement.assignments]
                _set(connection, compiler, schema, fields, places, [row[len(schema.key) :] for row in rows])
                if _dangles(connection, schema):
                    raise _Dangling
            return len(rows)
    except _Dangling:
        raise violated_reference(connection, compiler, statement, None) or ForeignKeyViolation(
            f"changing {schema.name}: a row refers to one that is not there any more", model=schema.model
        ) from None
    except sqlite3.Error as error:
        raise translate(error, connection, compiler, statement, None, sql) from error


class _Dangling(Exception):
    """A row refers to one that has another key now."""
