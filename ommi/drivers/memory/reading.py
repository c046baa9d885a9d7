"""Answering `Select`, `Count` and `Exists` from what one reader sees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, product
from typing import Any

from ommi.drivers.memory.evaluate import Evaluation, Stored
from ommi.drivers.memory.forms import stored
from ommi.drivers.memory.tables import Lookup, Table, View
from ommi.errors import QueryRejected
from ommi.query.expressions import And, Column, Comparison, ExpressionNode, Literal, Membership, Order, PredicateNode
from ommi.query.outline import same
from ommi.query.statements import Link, Select
from ommi.schema import Schema

__all__ = ["count", "evaluation", "exists", "matching", "select"]


def select(view: View, query: Select) -> list[Stored]:
    """The rows of a query: all fields, or the columns selected."""
    if query.link is not None:
        return _linked(view, query, query.link)
    _require_selected(query)
    rows = [row for _, row in _fitting(view, query.schema, query.where)]
    found = evaluation(view, query.schema)
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


def count(view: View, query: Select) -> int:
    """How many rows a query gives."""
    return sum(1 for _ in _counted(view, query))


def exists(view: View, query: Select) -> bool:
    """Whether a query gives a row; those after the first are not looked at."""
    return next(_counted(view, query), None) is not None


def _counted(view: View, query: Select) -> Iterator[Stored]:
    _require_selected(query)
    rows: Iterator[Stored] = (row for _, row in _fitting(view, query.schema, query.where))
    if query.columns is not None and query.distinct:
        rows = iter(dict.fromkeys(_projected(evaluation(view, query.schema), query.columns, rows)))
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


def evaluation(view: View, schema: Schema) -> Evaluation:
    """Evaluates over a schema's rows; a subquery is answered from the same view."""
    return Evaluation(schema, lambda query: select(view, query))


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
    return (*query.order, *(Order(Column(query.schema, key), descending) for key in query.schema.key))


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
