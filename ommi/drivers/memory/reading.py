"""Answering `Select`, `Count` and `Exists` from what one reader sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Any

from ommi.drivers.memory.evaluate import Evaluation, Stored
from ommi.drivers.memory.forms import stored
from ommi.drivers.memory.joins import joined
from ommi.drivers.memory.tables import Lookup, Table, View
from ommi.errors import QueryRejected
from ommi.frozen import replace
from ommi.query.expressions import (
    And,
    Column,
    Comparison,
    ExpressionNode,
    GroupKey,
    Literal,
    Membership,
    Order,
    PredicateNode,
)
from ommi.query.outline import same
from ommi.query.statements import Link, Select
from ommi.schema import Schema

__all__ = ["count", "evaluation", "exists", "matching", "select"]


def select(view: View, query: Select, enclosing: Evaluation | None = None) -> list[Stored]:
    """The rows of a query: all fields, or the columns selected; `enclosing` is what a subquery is asked about."""
    if query.link is not None:
        return _linked(view, query, query.link)
    _require_selected(query)
    found = evaluation(view, *query.schemas, enclosing=enclosing)
    rows = list(_rows(view, query, found))
    if query.group is not None:
        rows, found = _groups(found, query.group, query.having, rows), replace(found, groups=True)
    found.sort(rows, _total_order(query))
    if query.columns is None:
        return rows[_page(query)]
    if query.distinct:
        return list(dict.fromkeys(_projected(found, query.columns, rows)))[_page(query)]
    return _projected(found, query.columns, rows[_page(query)])


def _linked(view: View, query: Select, link: Link) -> list[Stored]:
    """The link's values and the row, for each row of the link that belongs to a row."""
    mine = [query.schema.fields.index(selected) for _, selected in link.pairs]
    other = [link.schema.fields.index(field) for field, _ in link.pairs]
    first = [link.schema.fields.index(field) for field in link.fields]
    links: dict[Stored, list[Stored]] = {}
    for _, row in _fitting(view, link.schema, query.where):
        values = tuple([row[place] for place in other])
        if None not in values:
            links.setdefault(values, []).append(tuple([row[place] for place in first]))
    rows = list(view.rows(view.table(query.schema)).values())
    evaluation(view, query.schema).sort(rows, query.order)
    return [(*begin, *row) for row in rows for begin in links.get(tuple([row[place] for place in mine]), ())]


def _groups(
    found: Evaluation, group: tuple[ExpressionNode, ...], having: PredicateNode | None, rows: Iterable[Stored]
) -> list[Stored]:
    """The rows that are alike, as tuples of rows; all of them as one, where nothing is said to tell them apart."""
    values = [found.value(key) for key in group]
    groups: dict[Stored, list[Stored]] = {} if group else {(): []}
    for row in rows:
        groups.setdefault(tuple([value(row) for value in values]), []).append(row)
    holds = replace(found, groups=True).test(having)
    return [alike for alike in map(tuple, groups.values()) if holds(alike)]


def count(view: View, query: Select) -> int:
    """How many rows a query gives."""
    return sum(1 for _ in _counted(view, query))


def exists(view: View, query: Select) -> bool:
    """Whether a query gives a row; those after the first are not looked at."""
    return next(_counted(view, query), None) is not None


def _rows(view: View, query: Select, found: Evaluation) -> Iterator[Stored]:
    """The rows for which a query's condition holds: of its tables side by side."""
    if not query.joins and found.enclosing is None:
        return (row for _, row in _fitting(view, query.schema, query.where))
    rows: Iterable[Stored] = view.rows(view.table(query.schema)).values()
    for at, join in enumerate(query.joins, 1):
        known = evaluation(view, *query.schemas[: at + 1], enclosing=found.enclosing)
        rows = joined(rows, join, view.rows(view.table(join.schema)).values(), known)
    return filter(found.test(query.where), rows)


def _counted(view: View, query: Select) -> Iterator[Stored]:
    _require_selected(query)
    found = evaluation(view, *query.schemas)
    rows = _rows(view, query, found)
    if query.group is not None:
        rows = iter(_groups(found, query.group, query.having, rows))
        found = replace(found, groups=True)
    if query.columns is not None and query.distinct:
        rows = iter(dict.fromkeys(_projected(found, query.columns, rows)))
    page = _page(query)
    return islice(rows, page.start, page.stop)


def matching(view: View, schema: Schema, where: PredicateNode | None) -> dict[int, Stored]:
    """The rows for which a predicate holds, by number, in the order of insertion."""
    return dict(_fitting(view, schema, where))


def _fitting(view: View, schema: Schema, where: PredicateNode | None) -> Iterator[tuple[int, Stored]]:
    table = view.table(schema)
    holds = evaluation(view, schema).test(where)
    rows = _candidates(view, table, schema, where).items()
    return iter(rows) if where is None else ((number, row) for number, row in rows if holds(row))


def evaluation(view: View, *schemas: Schema, enclosing: Evaluation | None = None) -> Evaluation:
    """Evaluates over rows of schemas, side by side; a subquery is answered from the same view."""
    return Evaluation(schemas, lambda query, around: select(view, query, around), enclosing=enclosing)


def _page(query: Select) -> slice:
    start = query.offset or 0
    return slice(start, None if query.limit is None else start + query.limit)


def _projected(found: Evaluation, columns: tuple[ExpressionNode, ...], rows: Iterable[Stored]) -> list[Stored]:
    values = [found.value(column) for column in columns]
    return [tuple([value(row) for value in values]) for row in rows]


def _require_selected(query: Select) -> None:
    """`QueryRejected` for an order of distinct rows by what may differ among rows that are one."""
    if query.columns is None or not query.distinct:
        return
    for part in query.order:
        if not any(same(part.expression, column) for column in query.columns):
            raise QueryRejected(
                f"distinct rows of {query.schema.name} cannot be ordered by {part.expression!r}, "
                "which is not selected: select it, too",
                model=query.schema.model,
            )


def _total_order(query: Select) -> tuple[Order, ...]:
    """With a limit or offset the key decides what the order leaves open."""
    distinct = query.distinct and query.columns is not None
    if distinct or (query.limit is None and query.offset is None):
        return query.order
    descending = bool(query.order) and query.order[-1].descending
    if query.group is not None:
        groups = [GroupKey(position, key) for position, key in enumerate(query.group)]
        return (*query.order, *(Order(key, descending) for key in groups))
    keys = [Column(schema, field) for schema in query.schemas for field in schema.key]
    return (*query.order, *(Order(key, descending) for key in keys))


def _candidates(view: View, table: Table, schema: Schema, where: PredicateNode | None) -> dict[int, Stored]:
    """At least the rows for which a predicate holds: found by an index where its equalities allow it."""
    wanted = dict(_wanted(schema, where))
    if wanted:
        for lookup in table.lookups:
            if wanted.keys() >= set(lookup.positions):
                return view.rows_at(table, _found(lookup, wanted))
    return view.rows(table)


def _found(lookup: Lookup, wanted: Mapping[int, tuple[Any, ...]]) -> Iterator[int]:
    for values in product(*(wanted[place] for place in lookup.positions)):
        yield from lookup.rows(lookup.token_of(values))


def _wanted(schema: Schema, where: PredicateNode | None) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """The positions that a predicate wants to have one of some values."""
    match where:
        case And(parts):
            for part in parts:
                yield from _wanted(schema, part)
        case Comparison("==", Column() as column, Literal() as literal) | Comparison(
            "==", Literal() as literal, Column() as column
        ) if literal.value is not None:
            yield _position(schema, column), (stored(literal.type.kind, literal.value),)
        case Membership(Column() as column, literals, missing=False):
            yield _position(schema, column), tuple(stored(one.type.kind, one.value) for one in literals)
        case _:
            return


def _position(schema: Schema, column: Column[Any, Any]) -> int:
    return schema.fields.index(column.field)
