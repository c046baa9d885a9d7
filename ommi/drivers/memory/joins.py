"""Rows of two tables side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ommi.drivers.memory.evaluate import Evaluation, Stored
from ommi.query.expressions import And, Column, Paired, PredicateNode
from ommi.query.statements import Join

__all__ = ["joined"]


def joined(rows: Iterable[Stored], join: Join, others: Iterable[Stored], known: Evaluation) -> Iterator[Stored]:
    """Each of the rows with each of the others for which the join's condition holds.

    `known` evaluates over both side by side. Those of the others that can fit are found by what is to be equal.
    """
    holds = known.test(join.on)
    width = sum(len(schema.fields) for schema in known.schemas[:-1])
    pairs = tuple(_pairs(join.on, known, width))
    others = list(others)
    by_values: dict[Stored, list[Stored]] = {}
    for other in others:
        by_values.setdefault(tuple([other[place - width] for _, place in pairs]), []).append(other)
    nothing: Stored = (None,) * len(join.schema.fields)
    for row in rows:
        among = by_values.get(tuple([row[place] for place, _ in pairs]), ())
        found = [whole for other in among if holds(whole := (*row, *other))]
        yield from found
        if join.outer and not found:
            yield (*row, *nothing)


def _pairs(on: PredicateNode, known: Evaluation, width: int) -> Iterator[tuple[int, int]]:
    """The positions that have to be equal: of a row so far, and of the table that is joined."""
    match on:
        case And(parts):
            for part in parts:
                yield from _pairs(part, known, width)
        case Paired(Column() as left, Column() as right):
            first, second = known.place_of(left.field), known.place_of(right.field)
            if first is not None and second is not None and min(first, second) < width <= max(first, second):
                yield min(first, second), max(first, second)
        case _:
            return
