"""What a predicate or expression is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never

from ommi.query.expressions import (
    After,
    Aggregate,
    And,
    Arithmetic,
    Column,
    Comparison,
    Element,
    Expression,
    ExpressionNode,
    Function,
    GroupKey,
    InQuery,
    IsNull,
    Literal,
    Membership,
    Not,
    Or,
    Paired,
    Predicate,
    PredicateNode,
    RowExists,
    TextMatch,
    aggregates_of,
    node,
    predicate,
)

__all__ = ["aggregates_in", "columns_of"]


def columns_of(found: Predicate[Any] | Expression[Any, Any]) -> Iterator[Column[Any, Any]]:
    """The columns named, from left to right; a subquery's own are left out."""
    match predicate(found) if isinstance(found, Predicate) else node(found):
        case Column() as column:
            yield column
        case Literal():
            return
        case Arithmetic() as arithmetic:
            yield from columns_of(arithmetic.left)
            yield from columns_of(arithmetic.right)
        case Function() as function:
            for argument in function.arguments:
                yield from columns_of(argument)
        case Aggregate() as aggregate:
            if aggregate.operand is not None:
                yield from columns_of(aggregate.operand)
        case GroupKey() as key:
            yield from columns_of(key.expression)
        case Comparison(_, left, right) | Paired(left, right):
            yield from columns_of(left)
            yield from columns_of(right)
        case TextMatch(_, operand, pattern):
            yield from columns_of(operand)
            yield from columns_of(pattern)
        case IsNull(operand) | Membership(operand, _, _) | InQuery(operand, _) | Element(operand, _):
            yield from columns_of(operand)
        case After(order):
            for one in order:
                yield from columns_of(one.expression)
        case RowExists(query):
            if query.where is not None:
                yield from (column for column in columns_of(query.where) if column.schema not in query.schemas)
        case And(parts) | Or(parts):
            for part in parts:
                yield from columns_of(part)
        case Not(part):
            yield from columns_of(part)
        case unknown:
            assert_never(unknown)


def aggregates_in(found: PredicateNode) -> Iterator[Aggregate]:
    """The aggregates that a condition names, from left to right; not those inside a subquery."""
    for expression in _compared(found):
        yield from aggregates_of(expression)


def _compared(found: PredicateNode) -> Iterator[ExpressionNode]:
    match found:
        case Comparison(_, left, right) | TextMatch(_, left, right) | Paired(left, right):
            yield left
            yield right
        case IsNull(operand) | Membership(operand, _, _) | InQuery(operand, _) | Element(operand, _):
            yield operand
        case After(order):
            for one in order:
                yield one.expression
        case RowExists():
            return
        case And(parts) | Or(parts):
            for part in parts:
                yield from _compared(part)
        case Not(part):
            yield from _compared(part)
        case _:
            assert_never(found)
