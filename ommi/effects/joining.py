"""`find(User).join(Post)…`: rows of several models side by side, as tuples of records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeAlias, final, overload

from typing_extensions import TypeVar, TypeVarTuple

from ommi.effects.effect import Answer, Effect, Perform
from ommi.effects.grouping import Grouped, grouped, refuse_aggregate, refuse_aggregates
from ommi.effects.origin import origin
from ommi.effects.related import ToMany, ToOne
from ommi.effects.rows import (
    Rows,
    chosen,
    limited,
    not_run,
    order_of,
    require_column,
    require_known,
    resolved,
    rows_of,
    whole,
)
from ommi.effects.selecting import Selecting
from ommi.effects.stream import CHUNK, Stream, streamed
from ommi.errors import DatabaseError, MultipleFound, NotFound
from ommi.frozen import frozen, replace
from ommi.models.aliases import Alias, row_of
from ommi.models.declared import schema_of
from ommi.models.joins import along_reference, along_relation, target_of
from ommi.models.relations import Relation
from ommi.models.rows import Reading, SelectedRecord
from ommi.query.expressions import And, Expression, Order, Predicate, PredicateNode, predicate
from ommi.query.joining import joining
from ommi.query.statements import Count, Exists, Join, Select
from ommi.query.text import select_text
from ommi.query.walk import columns_of
from ommi.schema import Schema

__all__ = ["Joined", "On", "joined_to", "require_joinable"]

R = TypeVar("R")
M = TypeVar("M")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")
Rs = TypeVarTuple("Rs")

Condition: TypeAlias = Predicate[Any] | bool
On: TypeAlias = "Callable[[M, B], Condition] | Condition | ToMany[Any] | ToOne[Any] | None"
"""What says which rows belong together: a condition, or a relation; `None`, where the one reference does."""


@final
@frozen(repr=False)
class Joined(Selecting[*Ts], Generic[R, *Ts]):
    """A query for rows of models `*Ts` side by side. Every method gives a new query; a terminal gives an effect.

    Its rows `R` are tuples of records, with `None` in place of one that `left_join` did not find.
    """

    query: Select
    rows: tuple[Any, ...]
    """What stands for a row of each model."""

    @overload
    def join(
        self: Joined[tuple[*Rs], *Ts],
        target: type[B],
        /,
        *,
        on: Callable[[*Ts, B], Condition] | Condition | ToMany[Any] | ToOne[Any] | None = None,
    ) -> Joined[tuple[*Rs, B], *Ts, B]: ...
    @overload
    def join(self: Joined[tuple[*Rs], *Ts], target: ToMany[B], /) -> Joined[tuple[*Rs, B], *Ts, B]: ...
    @overload
    def join(self: Joined[tuple[*Rs], *Ts], target: ToOne[B | None], /) -> Joined[tuple[*Rs, B], *Ts, B]: ...
    @overload
    def join(self: Joined[tuple[*Rs], *Ts], target: ToOne[B], /) -> Joined[tuple[*Rs, B], *Ts, B]: ...
    def join(self, target: Any, /, *, on: Any = None) -> Joined[Any, *tuple[Any, ...]]:
        """With the records of one more model that belong to one of those before it; `on` is given a row of each."""
        return joined_to(require_joinable(self.query, "join"), self.rows, target, on, outer=False)

    @overload
    def left_join(
        self: Joined[tuple[*Rs], *Ts],
        target: type[B],
        /,
        *,
        on: Callable[[*Ts, B], Condition] | Condition | ToMany[Any] | ToOne[Any] | None = None,
    ) -> Joined[tuple[*Rs, B | None], *Ts, B]: ...
    @overload
    def left_join(self: Joined[tuple[*Rs], *Ts], target: ToMany[B], /) -> Joined[tuple[*Rs, B | None], *Ts, B]: ...
    @overload
    def left_join(
        self: Joined[tuple[*Rs], *Ts], target: ToOne[B | None], /
    ) -> Joined[tuple[*Rs, B | None], *Ts, B]: ...
    @overload
    def left_join(self: Joined[tuple[*Rs], *Ts], target: ToOne[B], /) -> Joined[tuple[*Rs, B | None], *Ts, B]: ...
    def left_join(self, target: Any, /, *, on: Any = None) -> Joined[Any, *tuple[Any, ...]]:
        """As `join`, with `None` where no record belongs."""
        return joined_to(require_joinable(self.query, "left_join"), self.rows, target, on, outer=True)

    def where(self, *conditions: Condition | Callable[[*Ts], Condition]) -> Joined[R, *Ts]:
        """Only rows for which all conditions hold, too: `where(lambda u, p: p.title == "x")`."""
        found = [*_parts(self.query.where)]
        for condition in conditions:
            if callable(condition) and not isinstance(condition, (Predicate, Expression)):
                condition = condition(*self.rows)
            one = predicate(condition, "where(…)")
            refuse_aggregates(one, "where(…)")
            for column in columns_of(one):
                require_column(column, self.query, "where(…)")
            found.append(one)
        if not found:
            return self
        return replace(self, query=replace(self.query, where=found[0] if len(found) == 1 else And(tuple(found))))

    def order_by(self, *parts: Order | Expression[Any, Any] | Callable[[*Ts], Any]) -> Joined[R, *Ts]:
        """In this order, first part first; it replaces an order given before.

        With a limit, an offset or `first`, the keys of all models are appended.
        """
        found = [order_of(item) for part in parts for item in resolved(self.rows, part)]
        for part in found:
            refuse_aggregate(part.expression, "order_by(…)")
            for column in columns_of(part.expression):
                require_column(column, self.query, "order_by(…)")
        return replace(self, query=replace(self.query, order=tuple(found)))

    def limit(self, rows: int) -> Joined[R, *Ts]:
        """At most this many rows."""
        return replace(self, query=replace(self.query, limit=whole("limit", rows)))

    def offset(self, rows: int) -> Joined[R, *Ts]:
        """Without the first rows."""
        return replace(self, query=replace(self.query, offset=whole("offset", rows)))

    def group_by(self, *parts: Expression[Any, Any] | Callable[[*Ts], Any]) -> Grouped[*Ts]:
        """The rows that are alike in these, as groups: `group_by(lambda u, p: u.id)`."""
        made: Any = grouped(self.query, self.rows, parts)
        return made  # type: ignore[no-any-return]  # of the same models

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> Rows[Any]:
        found = chosen(self.rows, columns, named)
        require_known(found, self.query)
        return rows_of(self.query, found)

    # -- terminals
    def all(self) -> Effect[list[R], DatabaseError]:
        """All rows, in order."""
        return self._perform(self.query, Answer.ALL)

    def one(self) -> Effect[R, NotFound | MultipleFound | DatabaseError]:
        """The only row."""
        return self._perform(self.query, Answer.ONE)

    def first(self) -> Effect[R | None, DatabaseError]:
        """The first row, or `None`."""
        return self._perform(limited(self.query, 1), Answer.FIRST)

    def count(self) -> Effect[int, DatabaseError]:
        """How many rows there are."""
        return Perform(Count(self.query), Answer.PLAIN, origin=origin())

    def exists(self) -> Effect[bool, DatabaseError]:
        """Whether there is a row."""
        return Perform(Exists(self.query), Answer.PLAIN, origin=origin())

    def stream(self, *, chunk: int = CHUNK) -> Stream[R, DatabaseError]:
        """The rows as a stream, `chunk` of them at a time: for more than memory should hold."""
        return streamed(self._perform(self.query, Answer.STREAM), chunk)

    def _perform(self, query: Select, answer: Answer) -> Perform[Any, Any]:
        records = tuple([SelectedRecord(None, schema, schema in query.outer) for schema in query.schemas])
        return Perform(query, answer, Reading(records), origin=origin())

    def __repr__(self) -> str:
        return select_text(self.query)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                "having(…) is a condition on groups: write .group_by(…) before it, or .where(…) for one on rows"
                if name == "having"
                else f"a query for rows side by side has no attribute {name!r}",
                name=name,
                obj=self,
            )

        def __iter__(self) -> NoReturn:
            raise TypeError(not_run(self))

        __await__ = __iter__


def joined_to(
    query: Select, rows: tuple[Any, ...], target: Any, on: Any, *, outer: bool
) -> Joined[Any, *tuple[Any, ...]]:
    """The query with one more model beside those it has."""
    said = "left_join" if outer else "join"
    if isinstance(target, Relation):
        if on is not None:
            raise TypeError(f"{said}({target!r}) says by itself what belongs together: leave out on=")
        target, on = target_of(target), target
    elif isinstance(target, (type, Alias)):
        model: Any = target  # an alias is used like a class
        target = schema_of(model)
    else:
        raise TypeError(f"{said}(…) takes a model or a relation, {said}(Post) or {said}(User.posts), not {target!r}")
    if target in query.schemas:
        raise TypeError(
            f"{target.label} is in the query already: give it another name, {said}(alias({target.name}, '…'), on=…)"
        )
    if any(schema.alias == target.alias is not None for schema in query.schemas):
        raise TypeError(f"two models of the query are called {target.alias!r}: give one another name")
    row = row_of(target)
    found = replace(query, joins=(*query.joins, Join(target, _on(query, rows, row, target, on), outer)))
    return Joined(found, (*rows, row))


def _on(query: Select, rows: tuple[Any, ...], row: Any, target: Schema, on: Any) -> PredicateNode:
    if on is None:
        return along_reference(query.schemas, target)
    if isinstance(on, Relation):
        return along_relation(query.schemas, on, target)
    if callable(on) and not isinstance(on, (Predicate, Expression)):
        on = on(*rows, row)
    found = predicate(on, "on=")
    refuse_aggregates(found, "on=")
    for column in columns_of(found):
        if column.schema is not target:
            require_column(column, query, "on=")
    return joining(found)


def require_joinable(query: Select, said: str) -> Select:
    """The query, if it says nothing of its rows that would mean something else of those of a join."""
    for word, given in (
        ("limit", query.limit),
        ("offset", query.offset),
        ("for_update", query.lock),
        ("distinct", query.distinct or None),
    ):
        if given is not None:
            raise TypeError(f"{word}(…) before {said}(…) could be meant of the rows of either: say it after the join")
    return query


def _parts(where: PredicateNode | None) -> tuple[PredicateNode, ...]:
    return () if where is None else where.parts if isinstance(where, And) else (where,)
