"""`exists_`: whether another query, asked about a row, gives any."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, overload

from typing_extensions import TypeVar, TypeVarTuple

from ommi.effects.finding import Query
from ommi.effects.grouping import refuse_aggregates
from ommi.effects.joining import Joined
from ommi.effects.related import ToMany, ToOne
from ommi.frozen import replace
from ommi.models.aliases import Alias, row_of
from ommi.models.declared import schema_of
from ommi.models.joins import related_rows
from ommi.models.relations import Relation
from ommi.query.expressions import And, Expression, Predicate, PredicateNode, RowExists, predicate
from ommi.query.statements import Select

__all__ = ["exists_"]

B = TypeVar("B")
Ts = TypeVarTuple("Ts")

Condition: TypeAlias = Predicate[Any] | bool


@overload
def exists_(query: Query[B] | type[B], /, *conditions: Condition | Callable[[B], Condition]) -> Predicate[Any]: ...
@overload
def exists_(query: Joined[Any, *Ts], /, *conditions: Condition | Callable[[*Ts], Condition]) -> Predicate[Any]: ...
@overload
def exists_(relation: ToMany[B] | ToOne[B], /, *conditions: Condition | Callable[[B], Condition]) -> Predicate[Any]: ...
def exists_(query: Any, /, *conditions: Any) -> Predicate[Any]:
    """There is a row of another query that meets these conditions, which may name columns of the row asked about.

    `find(User).where(exists_(Post, lambda p: p.author_id == User.id))`, or along a relation, `exists_(User.posts)`.
    `~exists_(…)`: there is none.
    """
    select, rows = _asked(query)
    found: list[PredicateNode] = [] if select.where is None else [select.where]
    for condition in conditions:
        if callable(condition) and not isinstance(condition, (Predicate, Expression)):
            condition = condition(*rows)
        one = predicate(condition, "exists_(…)")
        refuse_aggregates(one, "exists_(…)")
        found.append(one)
    where = None if not found else found[0] if len(found) == 1 else And(tuple(found))
    return RowExists(replace(select, where=where, order=()))


def _asked(query: Any) -> tuple[Select, tuple[Any, ...]]:
    if isinstance(query, Relation):
        select = related_rows(query)
        return select, (row_of(select.schema),)
    if isinstance(query, (type, Alias)):
        model: Any = query  # an alias is used like a class
        return Select(schema_of(model)), (row_of(schema_of(model)),)
    if not isinstance(query, (Query, Joined)):
        raise TypeError(f"exists_(…) takes a query for records, a model or a relation, not {query!r}")
    select = query.query
    if (select.limit, select.offset, select.lock) != (None, None, None):
        raise TypeError("exists_(…) asks whether there is a row: leave out limit, offset and for_update")
    return select, query.rows if isinstance(query, Joined) else (row_of(select.schema),)
