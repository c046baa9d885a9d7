"""Negation pushed to the leaves, so that SQL's third truth value never meets a NOT above a leaf."""

from __future__ import annotations

from typing import assert_never

from ommi.query.expressions import (
    After,
    And,
    Comparison,
    Element,
    InQuery,
    IsNull,
    Membership,
    Not,
    Or,
    Paired,
    PredicateNode,
    RowExists,
    TextMatch,
)

__all__ = ["normalized"]


def normalized(found: PredicateNode, *, negated: bool = False) -> PredicateNode:
    """The same condition (or its complement) with `Not` on leaves only; the order of the leaves stays."""
    match found:
        case Not(part):
            return normalized(part, negated=not negated)
        case And(parts) | Or(parts):
            inner = tuple(normalized(part, negated=negated) for part in parts)
            if len(inner) == 1:
                return inner[0]
            return And(inner) if isinstance(found, And) is not negated else Or(inner)
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
            return Not(found) if negated else found
        case _:
            assert_never(found)
