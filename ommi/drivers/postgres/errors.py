"""asyncpg's errors as Ommi's, at the border: everything above sees the latter only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import asyncpg

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sql.ddl import named_checks
from ommi.drivers.violations import action, check_fails, missing_row, required, still_referred, taken
from ommi.errors import (
    CheckViolation,
    CommitUnknown,
    ConnectionFailed,
    ConnectionLost,
    ConstraintViolation,
    DatabaseError,
    Deadlock,
    EncodeError,
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
from ommi.query.statements import Insert, Statement, Update, schemas_of
from ommi.schema import Field, Reference, Schema

__all__ = [
    "failed_to_connect",
    "is_database_error",
    "is_lost",
    "lost",
    "references_to",
    "stale_plan",
    "translate",
    "uniques",
]

_MEANT: Final[Mapping[str, tuple[type[DatabaseError], str]]] = {
    "40001": (SerializationConflict, "the transaction could not be ordered after the others; run it again"),
    "40P01": (Deadlock, "the server ended this transaction to resolve a deadlock; run it again"),
    "55P03": (LockTimeout, "a lock was not free in time; try again"),
    "57014": (StatementTimeout, "the statement was stopped before its end"),
    "57P05": (ConnectionLost, "the server closed the session, which had been idle for too long"),
    "25P03": (ConnectionLost, "the server ended the transaction, which had been idle for too long"),
    "25P04": (StatementTimeout, "the server ended the transaction, whose time was over"),
    "42501": (PermissionDenied, "the database user may not do this"),
    "25006": (PermissionDenied, "the database or the transaction is open for reading only"),
    "26000": (
        QueryRejected,
        "the server does not know a statement that was prepared: behind a pooler in transaction mode, "
        "connect with ?pgbouncer=true",
    ),
    "42P05": (
        QueryRejected,
        "the server has a prepared statement of this name already: behind a pooler in transaction mode, "
        "connect with ?pgbouncer=true",
    ),
}
"""What the conditions mean for a program (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

_CLASSES: Final[Mapping[str, tuple[type[DatabaseError], str]]] = {
    "08": (ConnectionLost, "the connection broke"),
    "28": (PermissionDenied, "the server does not let this user in"),
    "40": (SerializationConflict, "the transaction was rolled back by the server; run it again"),
}
"""What whole classes of them mean; the rest is `QueryRejected`."""

_LOST: Final = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})
_STALE_PLAN: Final = "0A000"


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone with this error."""
    if isinstance(error, asyncpg.PostgresError):
        code = error.sqlstate or ""
        return code in _LOST or code.startswith("08")
    return isinstance(error, (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)) and not isinstance(
        error, asyncpg.exceptions.DataError
    )


def is_database_error(error: BaseException) -> bool:
    """Whether it comes from the server or the way to it, rather than from a bug."""
    return isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError))


def stale_plan(error: BaseException) -> bool:
    """Whether a prepared statement has outlived the tables it was prepared for."""
    return isinstance(error, asyncpg.exceptions.InvalidCachedStatementError)


def lost(error: BaseException, statement: Statement | None, *, unknown: bool) -> DatabaseError:
    """The connection broke; `unknown`, if what was sent may have been committed."""
    code = getattr(error, "sqlstate", None)
    doing = "" if statement is None else f"{action(statement)}: "
    if unknown:
        return CommitUnknown(
            f"{doing}the connection to the server broke before the answer came: the statement may have happened",
            code=code,
            hint="look in the database whether it did before trying again",
        )
    return ConnectionLost(f"{doing}the connection to the server broke: {_said(error)}", code=code)


def failed_to_connect(error: BaseException, place: str) -> ConnectionFailed:
    """No connection could be made to a place."""
    code = getattr(error, "sqlstate", None)
    kind = (code or "")[:2]
    hint = None
    if kind == "28":
        hint = "look at the user, the password, and the server's pg_hba.conf"
    elif code == "3D000":
        hint = "create the database first"
    elif code is None and isinstance(error, (TimeoutError, OSError)):
        hint = "is the server running there, and may it be reached?"
    return ConnectionFailed(
        f"cannot connect to {place}: {_said(error)}",
        retryable=kind not in ("28", "3D", "42") and not isinstance(error, ValueError),
        code=code,
        hint=hint,
    )


def translate(
    error: Exception,
    compiler: Compiler,
    statement: Statement | None = None,
    sql: str | None = None,
    parameters: Sequence[Any] = (),
) -> OmmiError:
    """What an error of a statement means; to be raised `from` it. The connection is not lost."""
    found = _meaning(error, compiler, statement)
    found.statement = sql
    found.parameters = tuple(f"{number}: {type(value).__name__}" for number, value in enumerate(parameters, 1))
    return found


def _meaning(error: Exception, compiler: Compiler, statement: Statement | None) -> OmmiError:
    doing = "" if statement is None else f"{action(statement)}: "
    if isinstance(error, asyncpg.exceptions.DataError) and getattr(error, "severity", None) is None:
        return EncodeError(f"{doing}a value does not fit the parameter it is for")  # said by asyncpg, with the value
    if not isinstance(error, asyncpg.PostgresError):
        return QueryRejected(f"{doing}{_said(error)}")
    code = error.sqlstate or ""
    schemas = () if statement is None else schemas_of(statement)
    if code.startswith("23"):
        return _constraint(error, code, compiler, statement, doing, schemas)
    if stale_plan(error):
        return SerializationConflict(
            f"{doing}the tables were changed since the transaction began; run it again", code=_STALE_PLAN
        )
    if code in _MEANT:
        kind, said = _MEANT[code]
        return kind(f"{doing}{said}", code=code)
    if code[:2] in _CLASSES:
        kind, said = _CLASSES[code[:2]]
        return kind(f"{doing}{said}: {_said(error)}", code=code)
    model = schemas[0].model if len(schemas) == 1 else None
    if code in ("42P01", "42703", "3F000"):
        candidates = tuple(_candidates(schemas, compiler))
        missing = _missing(_said(error), code, candidates)
        remedy = "create it with db.schema.create(), or bring the table up to date"
        return SchemaMismatch(f"{doing}{missing}; {remedy}", code=code, model=model)
    if code == "42P10" and isinstance(statement, Insert) and statement.on_conflict is not None:
        return _no_index(statement, doing, code)
    return QueryRejected(f"{doing}{_said(error)}", code=code)


def _said(error: BaseException) -> str:
    """The server's words without their details, which hold values."""
    message = getattr(error, "message", None)
    return str(message or error) or type(error).__name__


def _missing(said: str, code: str, schemas: Sequence[Schema]) -> str:
    for schema in schemas:
        if code == "42P01" and f'"{schema.table}"' in said:
            return f"the table {schema.table!r} of {schema.name} is not in the database"
        for field in schema.fields if code == "42703" else ():
            # the name is quoted where it stands alone, and not where it follows that of its table
            if f'"{field.column}"' in said or f".{field.column} " in said:
                return (
                    f"the table {schema.table!r} of {schema.name} has no column {field.column!r} "
                    f"for {schema.name}.{field.name}"
                )
    return said


def _no_index(statement: Insert, doing: str, code: str) -> DatabaseError:
    assert statement.on_conflict is not None
    schema, fields = statement.schema, statement.on_conflict.fields
    names = ", ".join(field.name for field in fields)
    if any({*fields} == {*unique} for unique, _ in uniques(schema)):
        return SchemaMismatch(
            f"{doing}the table {schema.table!r} lacks the unique index of {names}; create it with db.schema.create()",
            code=code,
            model=schema.model,
        )
    return QueryRejected(
        f"{schema.name} has no key or unique index of exactly {names} to find the row there by", code=code
    )


def uniques(schema: Schema) -> Iterator[tuple[tuple[Field, ...], str | None]]:
    """The key, then what is unique as declared, each with the name of its constraint."""
    yield schema.key, None
    for index in schema.indexes:
        if index.unique:
            yield index.fields, index.name


def references_to(target: Schema, compiler: Compiler) -> Iterator[tuple[Reference, tuple[Field, ...]]]:
    """The enforced references to a table among the schemas known, with the fields they refer to."""
    for schema in tuple(compiler.known.values()):
        for reference in schema.references:
            if not reference.enforced:
                continue
            try:
                found, fields = reference.target()
            except TypeError:  # a model that was not declared yet
                continue
            if found.table == target.table:
                yield reference, fields


def _candidates(schemas: Sequence[Schema], compiler: Compiler) -> Iterator[Schema]:
    """The statement's own schemas first, then those of other tables it may have touched."""
    yield from schemas
    yield from tuple(compiler.known.values())


def _constraint(
    error: asyncpg.PostgresError,
    code: str,
    compiler: Compiler,
    statement: Statement | None,
    doing: str,
    schemas: Sequence[Schema],
) -> ConstraintViolation:
    name: str | None = getattr(error, "constraint_name", None)
    table: str | None = getattr(error, "table_name", None)
    there = [schema for schema in _candidates(schemas, compiler) if schema.table == table]
    model = there[0].model if there else schemas[0].model if len(schemas) == 1 else None
    kind: type[ConstraintViolation] = ConstraintViolation
    for schema in there:
        found = _known(error, code, name, schema, compiler, statement)
        if found is not None:
            return found
    match code:
        case "23502":
            kind = NotNullViolation
        case "23503":
            kind = ForeignKeyViolation
        case "23505":
            kind = UniqueViolation
        case "23514":
            kind = CheckViolation
        case _:
            pass
    return kind(f"{doing}{_said(error)}", model=model, fields=(), constraint=name)


def _known(
    error: asyncpg.PostgresError,
    code: str,
    name: str | None,
    schema: Schema,
    compiler: Compiler,
    statement: Statement | None,
) -> ConstraintViolation | None:
    """The violation of a rule that a model declares."""
    match code:
        case "23502":
            column: str | None = getattr(error, "column_name", None)
            return next((required(schema, field) for field in schema.fields if field.column == column), None)
        case "23514":
            for called, rule, _ in named_checks(schema, compiler.dialect):
                if name in (called, rule.name):
                    return check_fails(schema, rule)
        case "23505":
            for fields, constraint in uniques(schema):
                if constraint == name or (constraint is None and name is not None and name.endswith("_pkey")):
                    return taken(schema, fields, constraint)
        case "23503":
            for reference in schema.references:
                if reference.name == name:
                    return _reference(schema, reference, statement)
        case _:
            pass
    return None


def _reference(schema: Schema, reference: Reference, statement: Statement | None) -> ForeignKeyViolation:
    match statement:
        case Insert(schema=writing, on_conflict=None) if writing.table == schema.table:
            return missing_row(schema, reference)
        case Insert() | Update() if statement.schema.table == schema.table:
            return missing_row(schema, reference)
        case _:
            return still_referred(schema, reference)
