"""The conditions on the rows of a model, as predicates."""

from __future__ import annotations

from ommi.query.expressions import (
    INT,
    STR,
    Column,
    Comparison,
    Function,
    IsNull,
    Literal,
    Membership,
    Or,
    PredicateNode,
    predicate,
)
from ommi.query.standin import StandIn
from ommi.schema import CheckRule, Field, Schema
from ommi.values import Kind

__all__ = ["check_predicates", "choice_predicates", "constraint_name", "max_length_name"]

_LONGEST = 63
"""Bytes of an identifier, in PostgreSQL (`NAMEDATALEN` - 1), the least of all."""


def check_predicates(schema: Schema) -> tuple[tuple[CheckRule, PredicateNode], ...]:
    """Every rule with its condition: the length limits in the order of the fields, then the checks as declared.

    A missing value does not meet a declared check (unless it says otherwise); it does meet a length limit.
    """
    limits = [_max_length(schema, field) for field in schema.fields if field.max_length is not None]
    if not schema.checks:
        return tuple(limits)
    row = StandIn(Column(schema, field) for field in schema.fields)
    return (*limits, *((rule, predicate(rule.condition(row), rule.name)) for rule in schema.checks))


def choice_predicates(schema: Schema) -> tuple[tuple[CheckRule, PredicateNode], ...]:
    """The rules that the values of enums and literals kept as text are among those there are."""
    found: list[tuple[CheckRule, PredicateNode]] = []
    for field in schema.fields:
        if field.type.kind is not Kind.STR or not field.type.choices:
            continue
        column = Column(schema, field)
        among: PredicateNode = Membership(column, tuple([Literal(choice, STR) for choice in field.type.choices]))
        if field.nullable:
            among = Or((IsNull(column), among))
        name = constraint_name("ck", schema.table, field.column, "member")
        found.append((CheckRule(name, (field.name,), lambda _, among=among: among), among))  # type: ignore[misc]
    return tuple(found)


def constraint_name(prefix: str, table: str, *parts: str) -> str:
    """`ux_user_email`: the same for the same model always, and never longer than a database allows."""
    name = "_".join((prefix, table, *parts))
    encoded = name.encode()
    if len(encoded) <= _LONGEST:
        return name
    from hashlib import sha256

    digest = sha256(encoded).hexdigest()[:8]
    return f"{encoded[: _LONGEST - 9].decode(errors='ignore')}_{digest}"


def max_length_name(table: str, column: str) -> str:
    """The name of the constraint that limits a text's length."""
    return constraint_name("ck", table, column, "max_length")


def _max_length(schema: Schema, field: Field) -> tuple[CheckRule, PredicateNode]:
    column = Column(schema, field)
    fits: PredicateNode = Comparison("<=", Function("length", (column,)), Literal(field.max_length, INT))
    found = Or((IsNull(column), fits)) if field.nullable else fits
    return CheckRule(max_length_name(schema.table, field.column), (field.name,), lambda _: found), found
