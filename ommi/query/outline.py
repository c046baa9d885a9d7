"""The shape of a node: everything but its values, as nested tuples that hash and compare fast.

The shape keys the caches of the compilers; shape and values together are what equality of nodes means.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeAlias, assert_never

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
    Order,
    Paired,
    Predicate,
    PredicateNode,
    RowExists,
    TextMatch,
    node,
    predicate,
)
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
)
from ommi.schema import Field, Schema

__all__ = ["Node", "literals", "outline", "same"]

Node: TypeAlias = "Statement | Predicate[Any] | Expression[Any, Any] | Order"


def outline(node_: Node, values: list[Literal]) -> Hashable:
    """The shape of a node; its literals are appended to `values` in the order of a walk from left to right.

    The rows of an `Insert` take part only by which of their values are `DEFAULT`, and are not appended; limit
    and offset take part by being there. Raises nothing; see `literals` for values that do not fit.
    """
    match node_:
        case Expression():
            return _expression(node(node_), values)
        case Predicate():
            return _predicate(predicate(node_), values)
        case Order():
            return (_expression(node_.expression, values), node_.descending, node_.missing)
        case Select():
            return _select(node_, values)
        case Count(query):
            return ("count", _select(query, values))
        case Exists(query):
            return ("exists", _select(query, values))
        case Insert(schema, rows, on_conflict):
            return ("insert", schema, len(rows), on_conflict)
        case Update(schema, assignments, where):
            sets = tuple([(field, _expression(value, values)) for field, value in assignments])
            return ("update", schema, sets, None if where is None else _predicate(where, values))
        case Delete(schema, where):
            return ("delete", schema, None if where is None else _predicate(where, values))
        case CreateTables(schemas):
            return ("create", schemas)
        case DropTables(schemas):
            return ("drop", schemas)
        case AdvisoryLock(key):
            return ("advisory lock", key)
        case Sql(parts, rows, writes, locks):
            return ("sql", tuple([_part(part, values) for part in parts]), rows, writes, locks)
        case MongoCommand():
            return node_
        case _:
            assert_never(node_)


def literals(statement: Statement) -> list[Literal]:
    """The literals of a statement; raises the `EncodeError` of the first whose value does not fit.

    Every driver calls this (or checks what `outline` gathered) before it does anything.
    """
    found: list[Literal] = []
    outline(statement, found)
    for literal in found:
        if literal.unfit is not None:
            raise literal.unfit
    return found


def same(one: Node, other: Node) -> bool:
    """Whether two nodes have the same shape and the same values, of the same classes."""
    first: list[Literal] = []
    second: list[Literal] = []
    if outline(one, first) != outline(other, second):
        return False
    if isinstance(one, Select) and isinstance(other, Select) and (one.limit, one.offset) != (other.limit, other.offset):
        return False
    return all(type(a.value) is type(b.value) and a.value == b.value for a, b in zip(first, second, strict=True))


def _part(part: str | Literal | Schema | Field, values: list[Literal]) -> Hashable:
    return (_expression(part, values),) if isinstance(part, Literal) else part


def _select(query: Select, values: list[Literal]) -> Hashable:
    columns, where, order, group = query.columns, query.where, query.order, query.group
    return (
        query.schema,
        tuple([(join.schema, join.outer, _predicate(join.on, values)) for join in query.joins]) if query.joins else (),
        None if group is None else tuple([_expression(key, values) for key in group]),
        None if columns is None else tuple([_expression(column, values) for column in columns]),
        None if where is None else _predicate(where, values),
        tuple([(_expression(part.expression, values), part.descending, part.missing) for part in order])
        if order
        else (),
        None if query.having is None else _predicate(query.having, values),
        query.limit is None,
        query.offset is None,
        query.distinct,
        query.lock,
        query.link,
    )


def _expression(found: ExpressionNode, values: list[Literal]) -> Hashable:
    if isinstance(found, Column):
        return found.field
    if isinstance(found, Literal):
        values.append(found)
        return found.type.kind
    if isinstance(found, Arithmetic):
        return (found.operator, _expression(found.left, values), _expression(found.right, values))
    if isinstance(found, Function):
        return (found.name, tuple([_expression(argument, values) for argument in found.arguments]))
    if isinstance(found, Aggregate):
        operand = None if found.operand is None else _expression(found.operand, values)
        return ("aggregate", found.name, found.distinct, operand)
    if isinstance(found, GroupKey):
        return ("group key", found.position)  # its values are those of what is grouped by
    assert_never(found)


def _predicate(found: PredicateNode, values: list[Literal]) -> Hashable:
    if isinstance(found, Comparison):
        return (found.operator, _expression(found.left, values), _expression(found.right, values))
    if isinstance(found, And):
        return ("and", tuple([_predicate(part, values) for part in found.parts]))
    if isinstance(found, Or):
        return ("or", tuple([_predicate(part, values) for part in found.parts]))
    if isinstance(found, Not):
        return ("not", _predicate(found.part, values))
    if isinstance(found, Paired):
        return ("paired", _expression(found.left, values), _expression(found.right, values))
    if isinstance(found, IsNull):
        return ("null", _expression(found.operand, values))
    if isinstance(found, Membership):
        operand = _expression(found.operand, values)
        values.extend(found.values)
        return ("in", operand, len(found.values), found.missing)
    if isinstance(found, InQuery):
        # limit and offset are values elsewhere; a subquery's are part of the shape, so that they need no places
        limits = (found.query.limit, found.query.offset)
        return ("in query", _expression(found.operand, values), _select(found.query, values), limits)
    if isinstance(found, RowExists):
        return ("row exists", _select(found.query, values), (found.query.limit, found.query.offset))
    if isinstance(found, TextMatch):
        return (found.operator, _expression(found.operand, values), _expression(found.pattern, values))
    if isinstance(found, Element):
        operand = _expression(found.operand, values)
        values.append(found.value)
        return ("element", operand)
    if isinstance(found, After):
        parts = tuple([(_expression(o.expression, values), o.descending, o.missing_first) for o in found.order])
        values.extend(found.values)
        return ("after", parts)
    assert_never(found)
