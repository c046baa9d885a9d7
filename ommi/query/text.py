"""Queries as the Python that builds them, for `repr` and for errors."""

from __future__ import annotations

from typing import assert_never

from ommi.query.expressions import (
    And,
    Arithmetic,
    Column,
    Comparison,
    Element,
    ExpressionNode,
    Function,
    InQuery,
    IsNull,
    Literal,
    Membership,
    Not,
    Or,
    Order,
    PredicateNode,
    TextMatch,
)
from ommi.query.statements import Select

__all__ = ["expression_text", "order_text", "predicate_text", "select_text"]


def expression_text(found: ExpressionNode) -> str:
    """`User.age + 1`, as it was written."""
    match found:
        case Column():
            return f"{found.schema.name}.{found.field.name}"
        case Literal():
            return _literal(found)
        case Arithmetic():
            return f"({expression_text(found.left)} {found.operator} {expression_text(found.right)})"
        case Function():
            subject, *rest = map(expression_text, found.arguments)
            return f"{subject}.{found.name}({', '.join(rest)})"
        case _:
            assert_never(found)


def predicate_text(found: PredicateNode) -> str:
    """`(User.age > 18) & User.name.starts_with('A')`, as it was written."""
    match found:
        case Comparison(operator, left, right):
            return f"{expression_text(left)} {operator} {expression_text(right)}"
        case IsNull(operand):
            return f"{expression_text(operand)}.is_null()"
        case Membership(operand, values, missing):
            inside = [*map(_literal, values), *(["None"] if missing else [])]
            return f"{expression_text(operand)}.in_([{', '.join(inside)}])"
        case InQuery(operand, query):
            return f"{expression_text(operand)}.in_({select_text(query)})"
        case TextMatch(operator, operand, pattern):
            return f"{expression_text(operand)}.{operator}({expression_text(pattern)})"
        case Element(operand, value):
            return f"{expression_text(operand)}.contains({_literal(value)})"
        case And(parts):
            return (
                " & ".join(map(_part, parts)) if len(parts) > 1 else f"all_of({', '.join(map(predicate_text, parts))})"
            )
        case Or(parts):
            return (
                " | ".join(map(_part, parts)) if len(parts) > 1 else f"any_of({', '.join(map(predicate_text, parts))})"
            )
        case Not(IsNull(operand)):
            return f"{expression_text(operand)}.is_not_null()"
        case Not(Membership() | InQuery() as inner):
            return predicate_text(inner).replace(".in_(", ".not_in(", 1)
        case Not(part):
            return f"~{_part(part)}"
        case _:
            assert_never(found)


def order_text(order: Order) -> str:
    """`User.age.desc.nulls_first()`, as it was written."""
    text = f"{expression_text(order.expression)}.{'desc' if order.descending else 'asc'}"
    return text if order.missing is None else f"{text}.nulls_{order.missing}()"


def select_text(query: Select) -> str:
    """`find(User).where(…).limit(3)`, as it was written."""
    parts = [f"find({query.schema.name})"]
    if query.where is not None:
        parts.append(f".where({predicate_text(query.where)})")
    if query.order:
        parts.append(f".order_by({', '.join(map(order_text, query.order))})")
    if query.limit is not None:
        parts.append(f".limit({query.limit})")
    if query.offset is not None:
        parts.append(f".offset({query.offset})")
    if query.lock is not None:
        said = [f"{name}=True" for name in ("skip_locked", "no_wait") if getattr(query.lock, name)]
        parts.append(f".for_update({', '.join(said)})")
    if query.columns is not None:
        parts.append(f".select({', '.join(map(expression_text, query.columns))})")
    if query.distinct:
        parts.append(".distinct()")
    return "".join(parts)


def _part(found: PredicateNode) -> str:
    text = predicate_text(found)
    return f"({text})" if isinstance(found, (Comparison, And, Or)) else text


def _literal(found: Literal) -> str:
    if found.unfit is None and found.type.load is not None:
        try:
            return repr(found.type.load(found.value))
        except (TypeError, ValueError):
            pass
    return repr(found.value)
