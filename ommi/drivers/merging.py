"""Which statements in a row may go to a server as one, because nothing can tell that from one after the other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, TypeAlias

from typing_extensions import TypeIs

from ommi.drivers.driver import Request
from ommi.query.expressions import And, Column, Comparison, Literal
from ommi.query.outline import outline
from ommi.query.statements import Insert, Statement, Update
from ommi.schema import Field, Reference, Schema
from ommi.values import DEFAULT

__all__ = ["Teller", "are_inserts", "are_updates", "merged", "telling_all", "whole"]

Teller: TypeAlias = Callable[[str, int], None]
"""What is told each text that goes to a database, and how many round trips that took."""

BYTES: Final = 4_000_000
"""The most that the values of statements which become one take together, about."""
PARAMETERS: Final = 30_000


def merged(
    requests: Sequence[Request], *, rows: int, updates: int, alike: bool = False, fit: Callable[[int], int] = int
) -> list[Sequence[Request]]:
    """The statements in order, those together that may be one.

    They are inserts into one table, of up to so many `rows`, or up to so many `updates` of one model, each of one row
    that no other one changes; `alike`, all of one shape, and of a number of them as many as `fit`. What they change is
    not looked at by any of them, nor by a rule of the schema: no key or unique value changes, and no reference. They
    have not so many bytes that a server would not take them at once.
    """
    found: list[Sequence[Request]] = []
    at = 0
    while at < len(requests):
        statement, many = requests[at].statement, 1
        if isinstance(statement, Insert):
            many = _inserts(statement, requests, at, rows)
        elif isinstance(statement, Update):
            many = fit(_updates(statement, requests, at, updates, alike))
        found.append(requests[at : at + many])
        at += many
    return found


def are_inserts(statements: Sequence[Statement]) -> TypeIs[Sequence[Insert]]:
    """Whether statements that may be one are inserts."""
    return isinstance(statements[0], Insert)


def are_updates(statements: Sequence[Statement]) -> TypeIs[Sequence[Update]]:
    """Whether statements that may be one are updates."""
    return isinstance(statements[0], Update)


def whole(inserts: Sequence[Insert]) -> Insert:
    """The one insert of the rows of several."""
    return Insert(inserts[0].schema, tuple([row for each in inserts for row in each.rows]))


def telling_all(requests: Sequence[Request]) -> Teller | None:
    """What tells each text to all who asked for statements that are made as one, and its trips to the first of them."""
    asking = [request.sent for request in requests if request.sent is not None]
    if not asking:
        return None

    def tell(text: str, trips: int) -> None:
        for place, sent in enumerate(asking):
            sent(text, 0 if place else trips)

    return tell


def _inserts(first: Insert, requests: Sequence[Request], start: int, most: int) -> int:
    schema = first.schema
    if first.on_conflict is not None or not first.rows or any(_is_to(one, schema) for one in schema.references):
        return 1
    left = [value is DEFAULT for value in first.rows[0]]
    many, rows, size = 0, 0, 0
    for place in range(start, len(requests)):
        each = requests[place].statement
        if not isinstance(each, Insert) or each.schema is not schema or each.on_conflict is not None:
            break
        rows += len(each.rows)
        size += sum([_size(value) for row in each.rows for value in row])
        if rows > most or size > BYTES or any([value is DEFAULT for value in row] != left for row in each.rows):
            break
        many += 1
    return max(many, 1)


def _size(value: Any) -> int:
    """About how many bytes a value takes, where these may be many."""
    match value:
        case str() | bytes():
            return len(value)
        case dict():
            return sum([len(name) + _size(item) for name, item in value.items()])
        case list() | tuple():
            return sum(map(_size, value))
        case _:
            return 8


def _is_to(reference: Reference, schema: Schema) -> bool:
    try:
        target, _ = reference.target()
    except TypeError:  # a model that was not declared yet
        return False
    return target.table == schema.table


def _updates(first: Update, requests: Sequence[Request], start: int, most: int, alike: bool) -> int:
    shape: Hashable = None
    seen: set[Hashable] = set()
    size, parameters = 0, 0
    for place in range(start, min(start + most, len(requests))):
        each = requests[place].statement
        if not isinstance(each, Update) or each.schema is not first.schema or not _is_free(each):
            break
        values: list[Literal] = []
        found = outline(each, values), tuple([literal.value is None for literal in values])
        key = _key(each)
        size += sum([_size(literal.value) for literal in values])
        parameters += len(values)
        if key is None or key in seen or size > BYTES or parameters > PARAMETERS:
            break
        if alike and seen and found != shape:
            break
        shape = found
        seen.add(key)
    return max(len(seen), 1)


def _is_free(statement: Update) -> bool:
    """Whether no rule of the schema has to do with more than the row itself."""
    schema = statement.schema
    bound = {f for index in schema.indexes if index.unique for f in index.fields}
    bound.update(schema.key, *(reference.fields for reference in schema.references))
    return bound.isdisjoint([f for f, _ in statement.assignments])


def _key(statement: Update) -> Hashable | None:
    """The key of the one row that the statement changes; `None` if there may be others."""
    where = statement.where
    values: dict[Field, Hashable] = {}
    for part in where.parts if isinstance(where, And) else (where,):
        match part:
            case Comparison("==", Column(field=field), Literal(value=value, unfit=None)) if value is not None:
                values[field] = value
            case _:
                return None
    key = statement.schema.key
    return tuple([values[f] for f in key]) if all(f in values for f in key) else None
