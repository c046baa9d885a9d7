"""Queries for selected columns, and what all queries for rows share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeAlias, TypeGuard, final

from typing_extensions import TypeVar

from ommi.effects.effect import Answer, Effect, Perform
from ommi.effects.origin import origin
from ommi.effects.paging import Page, page_of
from ommi.effects.stream import CHUNK, Stream, streamed
from ommi.errors import DatabaseError, MultipleFound, NotFound
from ommi.frozen import frozen, replace
from ommi.models.rows import Reading, Selected, SelectedRecord, row_class
from ommi.query.expressions import (
    Column,
    Expression,
    ExpressionNode,
    GroupKey,
    Order,
    Subquery,
    aggregates_of,
    node,
    nullable,
    type_of,
)
from ommi.query.grouping import grouped_expression
from ommi.query.optional import OptionalRow, require_optional
from ommi.query.standin import StandIn, columns_in, schema_in
from ommi.query.statements import Count, Exists, Select
from ommi.query.text import expression_text, select_text
from ommi.query.walk import columns_of

__all__ = [
    "Chosen",
    "Part",
    "Rows",
    "chosen",
    "expression_in",
    "limited",
    "not_run",
    "order_of",
    "perform",
    "require_column",
    "require_known",
    "resolved",
    "rows_of",
    "rows_text",
    "unlocked",
    "whole",
]

T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")

_BEFORE_SELECT = frozenset(
    {"where", "group_by", "having", "order_by", "after", "before", "limit", "offset", "for_update"}
)


@final
@frozen(repr=False)
class Rows(Subquery[T_co], Generic[T_co]):
    """A query for selected columns: its rows are tuples, or what they are read into."""

    query: Select
    reading: Reading
    """What becomes of the columns."""

    def distinct(self) -> Rows[T_co]:
        """Each different row once."""
        if self.query.group == ():
            raise TypeError("distinct() of rows that are taken together: there is only one row")
        return replace(self, query=replace(self.query, distinct=True))

    def into(self, row: type[R], /) -> Rows[R]:
        """Rows as instances of a class, by the names of its fields: a dataclass, an attrs, pydantic or msgspec class,
        or a `NamedTuple`. A `TypeError` says where names, types or the number of columns do not fit.
        """
        return Rows(self.query, replace(self.reading, row=row_class(row, self.reading.columns)))

    def all(self) -> Effect[list[T_co], DatabaseError]:
        """All rows, in order."""
        return self._perform(self.query, Answer.ALL)

    def page(self, size: int) -> Effect[Page[T_co], DatabaseError]:
        """So many rows, and the cursors for what comes after and before them."""
        if self.query.group is not None:
            raise TypeError("page(…) of groups: they have no key to go on from. Use limit and offset")
        return page_of(self.query, size, self.reading)

    def one(self) -> Effect[T_co, NotFound | MultipleFound | DatabaseError]:
        """The only row."""
        return self._perform(self.query, Answer.ONE)

    def first(self) -> Effect[T_co | None, DatabaseError]:
        """The first row, or `None`."""
        return self._perform(self.query if self.query.group == () else limited(self.query, 1), Answer.FIRST)

    def count(self) -> Effect[int, DatabaseError]:
        """How many rows there are."""
        return Perform(Count(unlocked(self.query, "count")), Answer.PLAIN, origin=origin())

    def exists(self) -> Effect[bool, DatabaseError]:
        """Whether there is a row."""
        return Perform(Exists(unlocked(self.query, "exists")), Answer.PLAIN, origin=origin())

    def stream(self, *, chunk: int = CHUNK) -> Stream[T_co, DatabaseError]:
        """The rows as a stream, `chunk` of them at a time: for more than memory should hold."""
        return streamed(Perform(self.query, Answer.STREAM, self.reading, origin=origin()), chunk)

    def subquery(self) -> Select:
        """The query as a set of values, for `in_`: it selects exactly one column."""
        if self.query.columns is None or len(self.query.columns) != 1:
            raise TypeError(f"in_(…) takes a query of one column, and {self!r} has more: select one")
        return self.query

    def _perform(self, query: Select, answer: Answer) -> Effect[Any, Any]:
        return Perform(query, answer, self.reading, origin=origin())

    def __repr__(self) -> str:
        return rows_text(self.query, self.reading)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"a query for columns has no attribute {name!r}: {_WHAT_COMES_BEFORE}"
                if name in _BEFORE_SELECT
                else f"a query for columns has no attribute {name!r}",
                name=name,
                obj=self,
            )

        def __iter__(self) -> NoReturn:
            raise TypeError(not_run(self))

        __await__ = __iter__


_WHAT_COMES_BEFORE = "conditions, order and limit come before .select(…)"


Part: TypeAlias = "ExpressionNode | StandIn | OptionalRow"
Chosen: TypeAlias = Mapping[str, Part] | tuple[Part, ...]
"""What is selected: values, and whole records."""


def not_run(query: object) -> str:
    """What to say where a query was used in place of an effect or its rows."""
    return (
        f"{query!r} is a query: end it with .all(), .one(), .first(), … for an effect, and run that, "
        "or with .stream(), and open that"
    )


def perform(query: Select, answer: Answer) -> Effect[Any, Any]:
    """The operation that reads the records of a query."""
    return Perform(query, answer, origin=origin())


def rows_of(query: Select, chosen: Chosen) -> Rows[Any]:
    """The query for what was chosen; `TypeError` for what groups of rows do not have."""
    parts = tuple(chosen.values()) if isinstance(chosen, Mapping) else chosen
    names = [None] * len(parts) if not isinstance(chosen, Mapping) else list(chosen)
    group = query.group
    if group is None and any(True for part in parts for column in _columns(part) for _ in aggregates_of(column)):
        _require_one_row(query)
        group = ()
    columns: list[ExpressionNode] = []
    said: list[Selected | SelectedRecord] = []
    for name, part in zip(names, parts, strict=True):
        found = _columns(part)
        if group is not None:
            found = [grouped_expression(column, group, "select(…)") for column in found]
        columns += found
        if isinstance(part, OptionalRow):
            said.append(SelectedRecord(name, schema_in(part.row), optional=True))
        elif isinstance(part, StandIn):
            said.append(SelectedRecord(name, schema_in(part), optional=schema_in(part) in query.outer))
        else:
            (one,) = found
            said.append(Selected(name or _name_of(one), expression_text(one), type_of(one), nullable(one, query.outer)))
    reading = Reading(tuple(said), named=isinstance(chosen, Mapping))
    return Rows(replace(query, columns=tuple(columns), group=group), reading)


def _columns(part: Part) -> list[ExpressionNode]:
    match part:
        case StandIn():
            return list(columns_in(part))
        case OptionalRow(row):
            return list(columns_in(row))
        case _:
            return [part]


def rows_text(query: Select, reading: Reading) -> str:
    """A query for columns, as it was written."""
    if query.columns is None:
        return select_text(query)
    said = [f"{one.name}={one.label}" if reading.named else one.label for one in reading.columns]
    return select_text(query, columns=said) + ("" if reading.row is None else f".into({reading.row.model.__name__})")


def require_known(found: Chosen, query: Select) -> None:
    """`TypeError` for what is of no model of the query, and for what may be missing where that is not said."""
    for part in found.values() if isinstance(found, Mapping) else found:
        for column in [one for expression in _columns(part) for one in columns_of(expression)]:
            require_column(column, query, "select(…)")
        if isinstance(part, StandIn):
            if schema_in(part) in query.outer:
                raise TypeError(
                    f"a {schema_in(part).label} may be missing here, since it is joined by left_join: "
                    "select optional(…) of it, which has None in its type"
                )
        elif not isinstance(part, OptionalRow):
            require_optional(part, query.outer)


def require_column(column: Column[Any, Any], query: Select, said: str) -> None:
    """`TypeError` for a column of no model of the query."""
    if column.schema not in query.schemas:
        names = " or ".join(schema.label for schema in query.schemas)
        raise TypeError(f"{said} names {column!r}, which is no column of {names}")


def chosen(rows: tuple[Any, ...], columns: tuple[Any, ...], named: Mapping[str, Any]) -> Chosen:
    """What a `select` names, given what stands for the rows: with names, or without any."""
    if columns and named:
        raise TypeError("select(…) takes columns with names or without, not some of each: give each a name")
    if len(columns) == 1 and _is_shape(columns[0]):
        found = columns[0](*rows)
        if isinstance(found, Mapping):
            columns, named = (), found
    if named:
        return {name: _part(one(*rows) if _is_shape(one) else one) for name, one in named.items()}
    parts = [item for part in columns for item in resolved(rows, part)]
    if not parts:
        raise TypeError("select() needs at least one column")
    return tuple([_part(part) for part in parts])


def _part(part: object) -> Part:
    return part if isinstance(part, (StandIn, OptionalRow)) else expression_in(part, "select(…)")


def resolved(rows: tuple[Any, ...], part: object) -> tuple[Any, ...]:
    """What a column, an order, a lambda giving one, or a lambda giving a tuple of them stands for."""
    if _is_shape(part):
        part = part(*rows)
    return part if isinstance(part, tuple) else (part,)


def _is_shape(part: object) -> TypeGuard[Callable[..., Any]]:
    return callable(part) and not isinstance(part, Expression)


def expression_in(part: object, said: str) -> ExpressionNode:
    """The expression that a method was given; `TypeError` for anything else."""
    if not isinstance(part, Expression):
        raise TypeError(f"{said} takes columns and what is computed from them, not {part!r}")
    return node(part)


def order_of(part: object) -> Order:
    """The part of an order that `order_by` was given."""
    if isinstance(part, Order):
        return part
    if isinstance(part, Expression):
        return part.asc
    raise TypeError(f"order_by takes columns, such as User.age or User.age.desc, not {part!r}")


def limited(query: Select, rows: int) -> Select:
    """The query with at most so many rows."""
    return replace(query, limit=rows if query.limit is None else min(rows, query.limit))


def unlocked(query: Select, said: str) -> Select:
    """The query, if it locks nothing."""
    if query.lock is not None:
        raise TypeError(
            f"{said}() reads no rows that for_update() could lock: end the query with .all(), .one() or .first()"
        )
    return query


def whole(said: str, value: Any) -> int:
    """A number of rows."""
    if type(value) is not int or not 0 <= value < 2**63:
        raise TypeError(f"{said}(…) takes a whole number, zero or more, not {value!r}")
    return value


def _name_of(found: ExpressionNode) -> str | None:
    match found:
        case Column():
            return found.field.name
        case GroupKey():
            return _name_of(found.expression)
        case _:
            return None


def _require_one_row(query: Select) -> None:
    said: Iterable[tuple[str, object]] = (
        ("order_by", query.order or None),
        ("limit", query.limit),
        ("offset", query.offset),
        ("for_update", query.lock),
        ("distinct", query.distinct or None),
    )
    for word, given in said:
        if given is not None:
            raise TypeError(
                f"select(…) of an aggregate takes all rows together and gives one row, so {word}(…) says nothing of "
                "it: leave it out, or group_by(…) what there is to be a row for each"
            )
