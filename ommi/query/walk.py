"""What a predicate or expression is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never

from ommi.query.expressions import (
    After,
    And,
    Arithmetic,
    Column,
    Comparison,
    Element,
    Expression,
    Function,
    InQuery,
    IsNull,
    Literal,
    Membership,
    Not,
    Or,
    Predicate,
    TextMatch,
    node,
    predicate,
)

__all__ = ["columns_of"]


def columns_of(found: Predicate[Any] | Expression[Any, Any]) -> Iterator[Column[Any, Any]]:
    """The columns named, from left to right; those inside a subquery belong to it and are left out."""
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
        case Comparison(_, left, right):
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
        case And(parts) | Or(parts):
            for part in parts:
                yield from columns_of(part)
        case Not(part):
            yield from columns_of(part)
        case unknown:
            assert_never(unknown)
