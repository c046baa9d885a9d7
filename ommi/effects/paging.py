"""Keyset pages: the rows after a position in an order, however many rows come before it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Generic, final

from typing_extensions import TypeVar

from ommi.effects.effect import Answer, Perform
from ommi.effects.origin import origin
from ommi.errors import EncodeError
from ommi.frozen import frozen, replace
from ommi.models.rows import Reading
from ommi.query.cursors import after, cursor_of, digest_of
from ommi.query.expressions import After, And, Column, ExpressionNode, Order, PredicateNode, type_of
from ommi.query.outline import same
from ommi.query.seeking import reverse, total_order
from ommi.query.statements import Select
from ommi.query.text import expression_text
from ommi.schema import Row
from ommi.values import DEFAULT, FieldType

__all__ = ["Page", "Paging", "asked", "page_of", "position_of", "positioned", "require_unpositioned"]

T = TypeVar("T")


@final
@frozen
class Page(Generic[T]):
    """Some rows in order, and the cursors of the pages beside it; `None` where there is none."""

    rows: list[T]
    next_cursor: str | None = None
    previous_cursor: str | None = None

    @property
    def has_more(self) -> bool:
        """Whether rows come after these."""
        return self.next_cursor is not None


@final
@frozen
class Paging:
    """How a page is made of rows: the first `width` values are what is read, and `places` have those of the order.

    `labels` are how selected columns are read; without them, the rows are records.
    """

    size: int
    width: int
    places: tuple[int, ...]
    types: tuple[FieldType, ...]
    digest: bytes
    continued: bool
    backwards: bool
    labels: Reading | None = None

    def apart(self, rows: Iterable[Row]) -> tuple[list[Row], bool]:
        """The rows of the page, in order, and whether others lie beyond them in the direction it was read."""
        found = list(islice(rows, self.size + 1))
        beyond = len(found) > self.size
        del found[self.size :]
        if self.backwards:
            found.reverse()
        return found, beyond

    def cursor(self, values: Iterable[Any]) -> str:
        """The cursor of a row, given its canonical values of the parts of the order."""
        return cursor_of(self.digest, self.types, tuple(values))


def positioned(query: Select, cursor: str, *, backwards: bool = False) -> Select:
    """The query with only the rows after, or before, a cursor; from here on its order is fixed."""
    given: object = cursor
    said = "before" if backwards else "after"
    if not isinstance(given, str):
        raise TypeError(f"{said}(…) takes a cursor, a text that .page(…) or .cursor_of(…) gave, not {given!r}")
    require_unpositioned(query, said)
    if query.limit is not None or query.offset is not None:
        raise TypeError(f"{said}(…) comes before limit and offset")
    order = total_order(query.order, query.schema)
    condition = after(query.schema, order, cursor, backwards=backwards)
    found: PredicateNode = condition
    if query.where is not None:
        parts = query.where.parts if isinstance(query.where, And) else (query.where,)
        found = And((*parts, condition))
    return replace(query, where=found, order=order)


def require_unpositioned(query: Select, said: str) -> None:
    """`TypeError` if the query goes on from a cursor already."""
    there = _position(query)
    if there is not None:
        word = "before" if there.backwards else "after"
        raise TypeError(f"{said}(…) cannot follow {word}(cursor), which is a position in the order given before it")


def position_of(query: Select, record: Any) -> str:
    """The cursor of a record in the order of a query, which is one by fields."""
    schema, order = query.schema, total_order(query.order, query.schema)
    if type(record) is not schema.model:
        raise TypeError(f"cursor_of(…) takes a record of {schema.name}, not {record!r}")
    row = dict(zip(schema.fields, schema.codec.read(record), strict=True))
    values: list[Any] = []
    for part in order:
        if not isinstance(part.expression, Column):
            raise TypeError(
                f"the order has {expression_text(part.expression)}, which a record does not hold: "
                "take the cursors of .page(…)"
            )
        field = part.expression.field
        if row[field] is DEFAULT:
            raise EncodeError(
                f"{schema.name}.{field.name} is not assigned yet, so the record has no place: add it first",
                model=schema.model,
                field=field.name,
            )
        values.append(row[field])
    return cursor_of(digest_of(schema, order), [type_of(part.expression) for part in order], values)


def page_of(query: Select, size: int, labels: Reading | None = None) -> Perform[Any, Any]:
    """The operation that reads a page."""
    given: object = size
    if type(given) is not int or not 1 <= given < 2**31:
        raise TypeError(f"page(…) takes how many rows it has, at least 1, not {given!r}")
    if query.limit is not None or query.offset is not None:
        raise TypeError("page(…) says how many rows there are, and where they begin: leave out limit and offset")
    if query.distinct and query.columns is not None:
        raise TypeError("page(…) of distinct rows: they have no key to go on from. Use limit and offset")
    schema, there = query.schema, _position(query)
    order = total_order(query.order, schema)
    columns: list[ExpressionNode] = list(query.columns or [Column(schema, f) for f in schema.fields])
    width, places = len(columns), []
    for part in order:
        found = next((at for at, column in enumerate(columns) if same(column, part.expression)), len(columns))
        if found == len(columns):
            columns.append(part.expression)
        places.append(found)
    backwards = there is not None and there.backwards
    paging = Paging(
        size,
        width,
        tuple(places),
        tuple([type_of(part.expression) for part in order]),
        digest_of(schema, order),
        there is not None,
        backwards,
        labels,
    )
    statement = replace(
        query,
        columns=tuple(columns),
        order=reverse(order) if backwards else order,
        limit=size + 1,
        distinct=False,
    )
    return Perform(statement, Answer.PAGE, paging, origin=origin())


def asked(query: Select, paging: Paging) -> Select:
    """The query of which a statement reads a page, as it was written."""
    columns = None if paging.labels is None else (query.columns or ())[: paging.width]
    order: tuple[Order, ...] = reverse(query.order) if paging.backwards else query.order
    return replace(query, columns=columns, order=order, limit=None)


def _position(query: Select) -> After | None:
    parts = query.where.parts if isinstance(query.where, And) else (query.where,)
    return next((part for part in parts if isinstance(part, After)), None)
