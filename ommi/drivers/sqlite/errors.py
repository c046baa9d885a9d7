"""SQLite's errors as Ommi's, at the border: everything above sees the latter only."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.functions import failure
from ommi.drivers.sqlite.references import foreign_keys, violated_reference
from ommi.drivers.violations import action, check_fails, required, taken
from ommi.errors import (
    CheckViolation,
    ConnectionFailed,
    ConnectionLost,
    ConstraintViolation,
    DatabaseError,
    ForeignKeyViolation,
    LockTimeout,
    NotNullViolation,
    OmmiError,
    PermissionDenied,
    QueryRejected,
    SchemaMismatch,
    SerializationConflict,
    StatementTimeout,
    UniqueViolation,
)
from ommi.query.checks import check_predicates
from ommi.query.statements import (
    Insert,
    Statement,
    Update,
    schemas_of,
)
from ommi.schema import Field, Row, Schema
from ommi.values import DEFAULT, Kind

__all__ = ["translate"]

_BUSY_SNAPSHOT: Final = sqlite3.SQLITE_BUSY | 2 << 8
_DATATYPE: Final = sqlite3.SQLITE_CONSTRAINT | 12 << 8
_MEANT: Final[Mapping[int, tuple[type[DatabaseError], str]]] = {
    sqlite3.SQLITE_BUSY: (LockTimeout, "another connection is writing to the file; try again"),
    sqlite3.SQLITE_LOCKED: (LockTimeout, "another statement uses the table; try again"),
    sqlite3.SQLITE_INTERRUPT: (StatementTimeout, "the statement was stopped before its end"),
    sqlite3.SQLITE_READONLY: (
        PermissionDenied,
        "the database is open for reading only: a read_only transaction or file cannot be written to",
    ),
    sqlite3.SQLITE_PERM: (PermissionDenied, "the operating system forbids access to the file: look at its permissions"),
    sqlite3.SQLITE_AUTH: (PermissionDenied, "the connection's authorizer forbids it"),
    sqlite3.SQLITE_CANTOPEN: (
        ConnectionFailed,
        "the database file cannot be opened: look at its path, its directory and their permissions",
    ),
    sqlite3.SQLITE_NOTADB: (ConnectionFailed, "the file is no SQLite database: look at its path"),
    sqlite3.SQLITE_CORRUPT: (QueryRejected, "the database file is damaged: restore it from a backup"),
    sqlite3.SQLITE_FULL: (QueryRejected, "the disk or the database is full: make room"),
}
"""What the primary result codes mean for a program; the rest is `QueryRejected`."""


def translate(
    error: sqlite3.Error,
    connection: sqlite3.Connection,
    compiler: Compiler | None = None,
    statement: Statement | None = None,
    row: Row | None = None,
    sql: str | None = None,
    parameters: Sequence[Any] = (),
) -> OmmiError:
    """What an error of SQLite means; to be raised `from` it, before the transaction is rolled back.

    `row` is the one being inserted. What is not known may be left out: at a COMMIT, there is no statement. An
    interrupted statement is a `StatementTimeout` with the `code` `"SQLITE_INTERRUPT"`.
    """
    found = _meaning(error, connection, compiler, statement, row)
    found.statement = sql
    found.parameters = tuple(f"{number}: {type(value).__name__}" for number, value in enumerate(parameters, 1))
    return found


def _meaning(
    error: sqlite3.Error,
    connection: sqlite3.Connection,
    compiler: Compiler | None,
    statement: Statement | None,
    row: Row | None,
) -> OmmiError:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    doing = "" if statement is None else f"{action(statement)}: "
    if code is None:
        if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
            return ConnectionLost(f"{doing}the connection was closed")
        return QueryRejected(f"{doing}{error}")
    name = error.sqlite_errorname
    if code == _BUSY_SNAPSHOT:
        return SerializationConflict(f"{doing}another connection has written since this transaction read", code=name)
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_CONSTRAINT:
        return _constraint(error, code, connection, compiler, statement, row)
    if primary == sqlite3.SQLITE_MISMATCH and isinstance(statement, Update):
        # the key of a table whose rows are numbered is the row number: a missing one is no value of its type
        for field, _ in statement.assignments:
            if field.is_key and field.type.kind is Kind.INT:
                return required(statement.schema, field)
    if primary in _MEANT:
        kind, said = _MEANT[primary]
        found = kind(f"{doing}{said}", code=name)
        if primary == sqlite3.SQLITE_NOTADB:
            found.retryable = False
        return found
    return _rejected(str(error), name, doing, connection, compiler, statement)


def _rejected(
    said: str,
    name: str,
    doing: str,
    connection: sqlite3.Connection,
    compiler: Compiler | None,
    statement: Statement | None,
) -> OmmiError:
    if said.startswith("user-defined function raised"):
        return QueryRejected(f"{doing}{failure(connection) or said}", code=name)
    schemas = () if statement is None else schemas_of(statement)
    model = schemas[0].model if len(schemas) == 1 else None
    missing = _missing_in_schema(said, tuple(_candidates(schemas, compiler)))
    if missing is not None:
        remedy = "create it with db.schema.create(), or bring the table up to date"
        return SchemaMismatch(f"{doing}{missing}; {remedy}", code=name, model=model)
    if isinstance(statement, Insert) and statement.on_conflict is not None and said.startswith("ON CONFLICT clause"):
        fields = statement.on_conflict.fields
        names = ", ".join(field.name for field in fields)
        if any(fields == unique for unique, _ in _uniques(statement.schema)):
            return SchemaMismatch(
                f"{doing}the table {statement.schema.table!r} lacks the unique index of {names}; "
                "create it with db.schema.create()",
                code=name,
                model=model,
            )
        return QueryRejected(
            f"{statement.schema.name} has no key or unique index of exactly {names} to find the row there by", code=name
        )
    return QueryRejected(f"{doing}{said}", code=name)


def _missing_in_schema(said: str, schemas: Sequence[Schema]) -> str | None:
    if said.startswith("no such table: "):
        table = said.removeprefix("no such table: ").removeprefix("main.")
        names = [schema.name for schema in schemas if schema.table == table]
        return f"the table {table!r}{f' of {names[0]}' if names else ''} is not in the database"
    for prefix, between in (("no such column: ", ""), ("table ", " has no column named ")):
        if said.startswith(prefix) and between in said:
            column = said.removeprefix(prefix).rsplit(between, 1)[-1] if between else said.removeprefix(prefix)
            column = column.rsplit(".", 1)[-1]
            for schema in schemas:
                for field in schema.fields:
                    if field.column == column:
                        return (
                            f"the table {schema.table!r} of {schema.name} has no column {column!r} "
                            f"for {schema.name}.{field.name}"
                        )
            return f"there is no column {column!r}"
    return None


# -- constraints


def _constraint(
    error: sqlite3.Error,
    code: int,
    connection: sqlite3.Connection,
    compiler: Compiler | None,
    statement: Statement | None,
    row: Row | None,
) -> OmmiError:
    _, _, detail = str(error).partition(" constraint failed: ")
    schemas = () if statement is None else schemas_of(statement)
    candidates = tuple(_candidates(schemas, compiler))
    doing = "" if statement is None else f"{action(statement)}: "
    model = schemas[0].model if len(schemas) == 1 else None
    match code:
        case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
            return _not_null(detail, candidates) or NotNullViolation(f"{doing}{detail} is required", model=model)
        case sqlite3.SQLITE_CONSTRAINT_CHECK:
            return _check(detail, candidates) or CheckViolation(
                f"{doing}the check {detail!r} does not hold", model=model, fields=(), constraint=detail or None
            )
        case sqlite3.SQLITE_CONSTRAINT_UNIQUE | sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY | sqlite3.SQLITE_CONSTRAINT_ROWID:
            earlier = None
            if compiler is not None and row is not None and isinstance(statement, Insert):
                earlier = _first_taken(connection, compiler, statement, row)
            return (
                earlier
                or _unique(detail, candidates)
                or UniqueViolation(f"{doing}{detail} is there already", model=model, fields=(), constraint=None)
            )
        case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            found = None
            if compiler is not None and statement is not None:
                found = violated_reference(connection, compiler, statement, row)
            return found or ForeignKeyViolation(
                f"{doing}a row refers to one that is not there{_referring(connection, schemas)}",
                model=model,
                fields=(),
                constraint=None,
            )
        case _ if code == _DATATYPE:
            return SchemaMismatch(
                f"{doing}{error}; the table is not as the model describes it: bring it up to date",
                code="SQLITE_CONSTRAINT_DATATYPE",
                model=model,
            )
        case _:
            return ConstraintViolation(f"{doing}{error}", model=model, fields=(), constraint=None)


def _referring(connection: sqlite3.Connection, schemas: Sequence[Schema]) -> str:
    """The tables, maybe of models this program does not use, that refer to those of the statement."""
    tables = {schema.table.casefold() for schema in schemas}
    names = {key.table for key in foreign_keys(connection) if key.target.casefold() in tables}
    return f"; the rows of {', '.join(sorted(names))} may refer to it" if names else ""


def _candidates(schemas: Sequence[Schema], compiler: Compiler | None) -> Iterator[Schema]:
    """The statement's own schemas first, then those of other tables it may have touched."""
    yield from schemas
    if compiler is not None:
        yield from tuple(compiler.known.values())


def _uniques(schema: Schema) -> Iterator[tuple[tuple[Field, ...], str | None]]:
    """The key, then what is unique as declared, each with the name of its constraint."""
    yield schema.key, None
    for index in schema.indexes:
        if index.unique:
            yield index.fields, index.name


def _not_null(detail: str, schemas: Sequence[Schema]) -> NotNullViolation | None:
    for schema in schemas:
        for field in schema.fields:
            if detail == f"{schema.table}.{field.column}":
                return required(schema, field)
    return None


def _check(detail: str, schemas: Sequence[Schema]) -> CheckViolation | None:
    for schema in schemas:
        for rule, _ in check_predicates(schema):
            if rule.name == detail:
                return check_fails(schema, rule)
    return None


def _unique(detail: str, schemas: Sequence[Schema]) -> UniqueViolation | None:
    for schema in schemas:
        for fields, constraint in _uniques(schema):
            # compared as a whole: names may hold dots and commas
            if detail == ", ".join(f"{schema.table}.{field.column}" for field in fields):
                return taken(schema, fields, constraint)
    return None


def _first_taken(
    connection: sqlite3.Connection, compiler: Compiler, statement: Insert, row: Row
) -> UniqueViolation | None:
    """The first rule a new row breaks: SQLite looks at its indexes in an order of its own."""
    if statement.on_conflict is not None:
        return None  # the row there may be the one to be updated
    schema, quote = statement.schema, compiler.dialect.query.quote
    values = compiler.stored(schema, row)
    for fields, constraint in _uniques(schema):
        given = [values[field.column] for field in fields]
        if any(value is None or value is DEFAULT for value in given):
            continue
        where = " AND ".join(f"{quote(field.column)} = ?" for field in fields)
        sql = f"SELECT EXISTS (SELECT 1 FROM {quote(schema.table)} WHERE {where})"  # noqa: S608 - quoted names
        if connection.execute(sql, given).fetchone()[0]:
            return taken(schema, fields, constraint)
    return None
