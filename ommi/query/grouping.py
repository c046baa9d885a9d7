"""What may be said of a group of rows: what they have in common, and aggregates of what they have not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from ommi.frozen import replace
from ommi.query.expressions import (
    After,
    Aggregate,
    And,
    Arithmetic,
    Column,
    Comparison,
    Element,
    ExpressionNode,
    Function,
    GroupKey,
    InQuery,
    IsNull,
    Literal,
    Membership,
    Not,
    Or,
    Order,
    Paired,
    PredicateNode,
    RowExists,
    TextMatch,
    type_of,
)
from ommi.query.outline import same
from ommi.query.text import expression_text
from ommi.schema import Schema
from ommi.values import Kind

__all__ = ["Group", "grouped_expression", "grouped_order", "grouped_predicate", "require_groupable"]

Group: TypeAlias = tuple[ExpressionNode, ...]
Change: TypeAlias = Callable[[ExpressionNode], ExpressionNode]


def require_groupable(found: ExpressionNode) -> ExpressionNode:
    """The expression, if rows can be grouped by it; otherwise a `TypeError`."""
    if type_of(found).kind is Kind.JSON:
        raise TypeError(f"{found!r} holds {type_of(found).name}, a structure: rows cannot be grouped by it")
    if not _is_made_of_columns(found):
        raise TypeError(f"group_by takes columns and what is computed from them, not {found!r}")
    return found


def grouped_expression(found: ExpressionNode, group: Group, said: str) -> ExpressionNode:
    """The expression with what is grouped by as `GroupKey`s; `TypeError` for a column that a group has many values of.

    A column of a model whose whole key is grouped by stays: a group has one value of it, too.
    """
    return _grouped(found, group, _known(group), said)


def grouped_predicate(found: PredicateNode, group: Group, said: str) -> PredicateNode:
    """The condition on groups, as `grouped_expression`."""
    known = _known(group)
    return _changed(found, lambda part: _grouped(part, group, known, said))


def grouped_order(part: Order, group: Group) -> Order:
    """The part of an order of groups, as `grouped_expression`."""
    return replace(part, expression=grouped_expression(part.expression, group, "order_by(…)"))


def _known(group: Group) -> frozenset[Schema]:
    fields = {key.field for key in group if isinstance(key, Column)}
    schemas = {key.schema for key in group if isinstance(key, Column)}
    return frozenset(schema for schema in schemas if fields.issuperset(schema.key))


def _grouped(found: ExpressionNode, group: Group, known: frozenset[Schema], said: str) -> ExpressionNode:
    for position, key in enumerate(group):
        if same(key, found):
            return GroupKey(position, key)
    match found:
        case Column():
            if found.schema in known:
                return found
            name = expression_text(found)
            among = f"grouped by ({', '.join(map(expression_text, group))})" if group else "taken together"
            raise TypeError(
                f"{said} names {name}, of which rows that are {among} can have many values: "
                f"group_by(…, {name}), or say which one, such as {name}.max_()"
            )
        case Arithmetic():
            left, right = (_grouped(side, group, known, said) for side in (found.left, found.right))
            return Arithmetic(found.operator, left, right, found.type)
        case Function():
            return Function(found.name, tuple([_grouped(one, group, known, said) for one in found.arguments]))
        case Literal() | Aggregate() | GroupKey():
            return found
        case _:
            assert_never(found)


def _changed(found: PredicateNode, change: Change) -> PredicateNode:
    match found:
        case Comparison(operator, left, right):
            return Comparison(operator, change(left), change(right))
        case Paired(left, right):
            return Paired(change(left), change(right))
        case TextMatch(operator, operand, pattern):
            return TextMatch(operator, change(operand), change(pattern))
        case IsNull() | Membership() | InQuery() | Element():
            return replace(found, operand=change(found.operand))
        case RowExists():
            raise TypeError("exists_(…) is a condition on rows and comes before group_by(…), in where(…)")
        case After():
            raise TypeError("after(cursor) is a position in the order of rows: groups have no key to go on from")
        case And(parts):
            return And(tuple([_changed(part, change) for part in parts]))
        case Or(parts):
            return Or(tuple([_changed(part, change) for part in parts]))
        case Not(part):
            return Not(_changed(part, change))
        case _:
            assert_never(found)


def _is_made_of_columns(found: ExpressionNode) -> bool:
    match found:
        case Column():
            return True
        case Literal() | Aggregate() | GroupKey():
            return False
        case Arithmetic():
            return _can_be_part(found.left) and _can_be_part(found.right)
        case Function():
            return all(map(_can_be_part, found.arguments))
        case _:
            assert_never(found)


def _can_be_part(found: ExpressionNode) -> bool:
    return isinstance(found, Literal) or _is_made_of_columns(found)
