"""Where a row stands in an order: the values that say it, and the condition for what comes after, in plain parts."""

from __future__ import annotations

from ommi.query.expressions import After, And, Column, Comparison, IsNull, Literal, Not, Or, Order, PredicateNode
from ommi.schema import Schema

__all__ = ["expanded", "reverse", "total_order"]


def total_order(order: tuple[Order, ...], schema: Schema) -> tuple[Order, ...]:
    """The order with the key behind it, in the direction of its last part: no two rows are alike in it."""
    ordered = [part.expression.field for part in order if isinstance(part.expression, Column)]
    descending = bool(order) and order[-1].descending
    return (*order, *(Order(Column(schema, f), descending) for f in schema.key if f not in ordered))


def reverse(order: tuple[Order, ...]) -> tuple[Order, ...]:
    """The same order from its end."""
    return tuple([Order(o.expression, not o.descending, "last" if o.missing_first else "first") for o in order])


def expanded(found: After) -> PredicateNode:
    """The same condition by comparisons, for databases that have no rows to compare."""
    rest: list[PredicateNode] = []
    for part, mark in reversed(list(zip(found.order, found.values, strict=True))):
        same = IsNull(part.expression) if mark.value is None else Comparison("==", part.expression, mark)
        later = _later(part, mark)
        rest = [*([] if later is None else [later]), *([And((same, Or(tuple(rest))))] if rest else [])]
    return Or(tuple(rest))


def _later(part: Order, mark: Literal) -> PredicateNode | None:
    """The condition on rows that come later by one part; `None` if none does."""
    missing = IsNull(part.expression)
    if mark.value is None:
        return Not(missing) if part.missing_first else None
    later = Comparison("<" if part.descending else ">", part.expression, mark)
    return later if part.missing_first else Or((later, missing))
