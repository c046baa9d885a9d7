"""Conditions that join rows: a missing value belongs to nothing."""

from __future__ import annotations

from typing import assert_never

from ommi.query.expressions import (
    After,
    And,
    Comparison,
    Element,
    ExpressionNode,
    InQuery,
    IsNull,
    Literal,
    Membership,
    Not,
    Or,
    Paired,
    PredicateNode,
    RowExists,
    TextMatch,
)

__all__ = ["joining"]


def joining(found: PredicateNode) -> PredicateNode:
    """The condition with columns compared as SQL does: equal or unequal only where both are there."""
    match found:
        case Comparison("==" | "!=", left, right) if not isinstance(left, Literal) and not isinstance(right, Literal):
            if found.operator == "==":
                return Paired(left, right)
            return And((Not(Paired(left, right)), _there(left), _there(right)))
        case And(parts):
            return And(tuple([joining(part) for part in parts]))
        case Or(parts):
            return Or(tuple([joining(part) for part in parts]))
        case Not(part):
            return Not(joining(part))
        case (
            Comparison()
            | Paired()
            | IsNull()
            | Membership()
            | InQuery()
            | RowExists()
            | TextMatch()
            | Element()
            | After()
        ):
            return found
        case _:
            assert_never(found)


def _there(found: ExpressionNode) -> PredicateNode:
    return Not(IsNull(found))
