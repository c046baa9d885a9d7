"""The constraint violations, and what a statement does, in the words that every driver uses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from ommi.errors import CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation
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
    schemas_of,
)
from ommi.schema import CheckRule, Field, Reference, Schema

__all__ = ["action", "check_fails", "missing_row", "required", "still_referred", "taken"]


def action(statement: Statement) -> str:
    """What a statement does, for messages."""
    names = ", ".join(schema.name for schema in schemas_of(statement))
    match statement:
        case Select() | Count() | Exists():
            return f"reading {names}"
        case Insert():
            return f"adding {names}"
        case Update():
            return f"changing {names}"
        case Delete():
            return f"deleting {names}"
        case CreateTables():
            return f"creating the tables of {names}"
        case DropTables():
            return f"dropping the tables of {names}"
        case AdvisoryLock():
            return "waiting for an advisory lock"
        case Sql():
            return "running SQL"
        case MongoCommand(collection):
            return f"running a command on {collection}"
        case _:
            assert_never(statement)


def required(schema: Schema, field: Field) -> NotNullViolation:
    """A required value is missing."""
    return NotNullViolation(
        f"{schema.name}.{field.name} is required and was None", model=schema.model, fields=(field.name,)
    )


def check_fails(schema: Schema, rule: CheckRule) -> CheckViolation:
    """A condition does not hold for a row."""
    return CheckViolation(
        f"{schema.name} breaks the check {rule.name!r} on {_named(schema, rule.fields)}",
        model=schema.model,
        fields=rule.fields,
        constraint=rule.name,
    )


def taken(schema: Schema, fields: tuple[Field, ...], constraint: str | None) -> UniqueViolation:
    """The values of the key or of a unique index are there already."""
    names = tuple(f.name for f in fields)
    return UniqueViolation(
        f"{_named(schema, names)} is there already", model=schema.model, fields=names, constraint=constraint
    )


def missing_row(schema: Schema, reference: Reference) -> ForeignKeyViolation:
    """A row refers to one that is not there."""
    names = tuple(f.name for f in reference.fields)
    return ForeignKeyViolation(
        f"{_named(schema, names)} refers to a {reference.target()[0].name} that is not there",
        model=schema.model,
        fields=names,
        constraint=reference.name,
    )


def still_referred(schema: Schema, reference: Reference) -> ForeignKeyViolation:
    """A row that others refer to is going away."""
    names = tuple(f.name for f in reference.fields)
    return ForeignKeyViolation(
        f"{_named(schema, names)} still refers to the {reference.target()[0].name}",
        model=schema.model,
        fields=names,
        constraint=reference.name,
    )


def _named(schema: Schema, names: Iterable[str]) -> str:
    return ", ".join(f"{schema.name}.{name}" for name in names)
