"""Queries as the Python that builds them, for `repr` and for errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, assert_never, final

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
)
from ommi.query.optional import OptionalColumn
from ommi.query.statements import Select
from ommi.schema import Schema

__all__ = ["expression_text", "order_text", "predicate_text", "select_text"]


def expression_text(found: ExpressionNode) -> str:
    """`User.age + 1`, as it was written."""
    return _SHOWN.expression(found)


def predicate_text(found: PredicateNode) -> str:
    """`(User.age > 18) & User.name.starts_with('A')`, as it was written."""
    return _SHOWN.predicate(found)


def order_text(order: Order) -> str:
    """`User.age.desc.nulls_first()`, as it was written."""
    return _SHOWN.order(order)


def select_text(query: Select, *, values: bool = True, columns: Sequence[str] = ()) -> str:
    """`find(User).where(…).limit(3)`, as it was written; without `values`, for errors, they are question marks.

    `columns` are what is selected, where that is written in other words than the columns' own.
    """
    return (_SHOWN if values else _HIDDEN).select(query, columns)


@final
class _Writer:
    """Writes nodes as Python; `literal` writes a value."""

    __slots__ = ("literal",)

    def __init__(self, literal: Callable[[Literal], str]) -> None:
        self.literal = literal

    def expression(self, found: ExpressionNode) -> str:
        match found:
            case Column():
                name = f"{found.schema.label}.{found.field.name}"
                return f"optional({name})" if isinstance(found, OptionalColumn) else name
            case Literal():
                return self.literal(found)
            case Arithmetic():
                return f"({self.expression(found.left)} {found.operator} {self.expression(found.right)})"
            case Function():
                subject, *rest = map(self.expression, found.arguments)
                return f"{subject}.{found.name}({', '.join(rest)})"
            case Aggregate(operand=None):
                return f"{found.name}()"
            case Aggregate(operand=operand):
                assert operand is not None
                return f"{self.expression(operand)}.{found.name}({'distinct=True' if found.distinct else ''})"
            case GroupKey():
                return self.expression(found.expression)
            case _:
                assert_never(found)

    def predicate(self, found: PredicateNode) -> str:
        match found:
            case Comparison(operator, left, right):
                return f"{self.expression(left)} {operator} {self.expression(right)}"
            case Paired(left, right):
                return f"{self.expression(left)} == {self.expression(right)}"
            case IsNull(operand):
                return f"{self.expression(operand)}.is_null()"
            case Membership(operand, values, missing):
                inside = [*map(self.literal, values), *(["None"] if missing else [])]
                return f"{self.expression(operand)}.in_([{', '.join(inside)}])"
            case InQuery(operand, query):
                return f"{self.expression(operand)}.in_({self.select(query)})"
            case RowExists(query):
                asked = self.select(replace(query, where=None)) if query.joins else _source(query.schema)
                where = "" if query.where is None else f", {self.predicate(query.where)}"
                return f"exists_({asked}{where})"
            case TextMatch(operator, operand, pattern):
                return f"{self.expression(operand)}.{operator}({self.expression(pattern)})"
            case Element(operand, value):
                return f"{self.expression(operand)}.contains({self.literal(value)})"
            case After():
                return f"…{self.after(found)}"
            case And(parts) if len(parts) > 1:
                return " & ".join(map(self.part, parts))
            case Or(parts) if len(parts) > 1:
                return " | ".join(map(self.part, parts))
            case And(parts):
                return f"all_of({', '.join(map(self.predicate, parts))})"
            case Or(parts):
                return f"any_of({', '.join(map(self.predicate, parts))})"
            case Not(IsNull(operand)):
                return f"{self.expression(operand)}.is_not_null()"
            case Not(Membership() | InQuery() as inner):
                return self.predicate(inner).replace(".in_(", ".not_in(", 1)
            case Not(part):
                return f"~{self.part(part)}"
            case _:
                assert_never(found)

    def part(self, found: PredicateNode) -> str:
        text = self.predicate(found)
        return f"({text})" if isinstance(found, (Comparison, Paired, And, Or)) else text

    def order(self, order: Order) -> str:
        text = f"{self.expression(order.expression)}.{'desc' if order.descending else 'asc'}"
        return text if order.missing is None else f"{text}.nulls_{order.missing}()"

    def after(self, found: After) -> str:
        shown = "?" if self is _HIDDEN else repr(found.cursor)
        return f".{'before' if found.backwards else 'after'}({shown})"

    def select(self, query: Select, said: Sequence[str] = ()) -> str:
        parts = [f"find({_source(query.schema)})"]
        for join in query.joins:
            word = "left_join" if join.outer else "join"
            parts.append(f".{word}({_source(join.schema)}, on={self.predicate(join.on)})")
        if query.link is not None:
            parts.append(f".through({query.link.schema.name})")
        where, after = _apart(query.where)
        if where is not None:
            parts.append(f".where({self.predicate(where)})")
        if query.group:
            parts.append(f".group_by({', '.join(map(self.expression, query.group))})")
        if query.having is not None:
            parts.append(f".having({self.predicate(query.having)})")
        if query.order:
            parts.append(f".order_by({', '.join(map(self.order, query.order))})")
        parts += map(self.after, after)
        if query.limit is not None:
            parts.append(f".limit({query.limit})")
        if query.offset is not None:
            parts.append(f".offset({query.offset})")
        if query.lock is not None:
            said = [f"{name}=True" for name in ("skip_locked", "no_wait") if getattr(query.lock, name)]
            parts.append(f".for_update({', '.join(said)})")
        if query.columns is not None:
            parts.append(f".select({', '.join(said or map(self.expression, query.columns))})")
        if query.distinct:
            parts.append(".distinct()")
        return "".join(parts)


def _apart(where: PredicateNode | None) -> tuple[PredicateNode | None, list[After]]:
    """The conditions, and the positions in the order."""
    parts = where.parts if isinstance(where, And) else () if where is None else (where,)
    after = [part for part in parts if isinstance(part, After)]
    if not after:
        return where, []
    others = [part for part in parts if not isinstance(part, After)]
    return (And(tuple(others)) if len(others) > 1 else others[0] if others else None), after


def _source(schema: Schema) -> str:
    return schema.name if schema.alias is None else f"alias({schema.name}, {schema.alias!r})"


def _value(found: Literal) -> str:
    if found.unfit is None and found.type.load is not None:
        try:
            return repr(found.type.load(found.value))
        except (TypeError, ValueError):
            pass
    return repr(found.value)


_SHOWN: Final = _Writer(_value)
_HIDDEN: Final = _Writer(lambda _: "?")
