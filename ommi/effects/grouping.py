"""`find(User).group_by(User.team)…`: rows that are alike, taken together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, final

from typing_extensions import TypeVarTuple

from ommi.effects.rows import (
    Rows,
    chosen,
    expression_in,
    order_of,
    require_column,
    require_known,
    resolved,
    rows_of,
    whole,
)
from ommi.effects.selecting import Selecting
from ommi.frozen import frozen, replace
from ommi.query.expressions import (
    And,
    Expression,
    ExpressionNode,
    Order,
    Predicate,
    PredicateNode,
    aggregates_of,
    predicate,
)
from ommi.query.grouping import grouped_order, grouped_predicate, require_groupable
from ommi.query.statements import Select
from ommi.query.text import select_text
from ommi.query.walk import aggregates_in, columns_of

__all__ = ["Grouped", "grouped", "refuse_aggregate", "refuse_aggregates"]

Ts = TypeVarTuple("Ts")


@final
@frozen(repr=False)
class Grouped(Selecting[*Ts], Generic[*Ts]):
    """A query for groups of rows; what they have in common and aggregates of the rest are selected of each."""

    query: Select
    rows: tuple[Any, ...]
    """What stands for a row of each model."""

    def having(self, *conditions: Predicate[Any] | bool | Callable[[*Ts], Predicate[Any] | bool]) -> Grouped[*Ts]:
        """Only groups for which all conditions hold, too: `having(count() > 3)`."""
        group = self.query.group or ()
        found: list[PredicateNode] = [] if self.query.having is None else _parts(self.query.having)
        for condition in conditions:
            if callable(condition) and not isinstance(condition, (Predicate, Expression)):
                condition = condition(*self.rows)
            one = predicate(condition, "having(…)")
            self._require_known(one, "having(…)")
            found.append(grouped_predicate(one, group, "having(…)"))
        if not found:
            return self
        return replace(self, query=replace(self.query, having=found[0] if len(found) == 1 else And(tuple(found))))

    def order_by(self, *parts: Order | Expression[Any, Any] | Callable[[*Ts], Any]) -> Grouped[*Ts]:
        """Groups in this order, first part first: `order_by(User.age.avg().desc)`; a plain column is ascending.

        With a limit, an offset or `first`, what is grouped by is appended.
        """
        found = [order_of(item) for part in parts for item in resolved(self.rows, part)]
        for part in found:
            self._require_known(part.expression, "order_by(…)")
        group = self.query.group or ()
        return replace(self, query=replace(self.query, order=tuple([grouped_order(part, group) for part in found])))

    def limit(self, rows: int) -> Grouped[*Ts]:
        """At most this many groups."""
        return replace(self, query=replace(self.query, limit=whole("limit", rows)))

    def offset(self, rows: int) -> Grouped[*Ts]:
        """Without the first groups."""
        return replace(self, query=replace(self.query, offset=whole("offset", rows)))

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> Rows[Any]:
        found = chosen(self.rows, columns, named)
        require_known(found, self.query)
        return rows_of(self.query, found)

    def _require_known(self, found: PredicateNode | ExpressionNode, said: str) -> None:
        for column in columns_of(found):
            require_column(column, self.query, said)

    def __repr__(self) -> str:
        return select_text(self.query)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            said = {
                "where": "where(…) is a condition on rows and comes before group_by(…); having(…) is one on groups",
                "group_by": "group_by(…) is said once, with all there is to group by",
            }.get(name, f"a query for groups has no attribute {name!r}: say what is wanted of them with .select(…)")
            raise AttributeError(said, name=name, obj=self)


def grouped(query: Select, rows: tuple[Any, ...], parts: tuple[Any, ...]) -> Grouped[*tuple[Any, ...]]:
    """The groups of a query's rows."""
    for word, given in (
        ("order_by", query.order or None),
        ("limit", query.limit),
        ("offset", query.offset),
        ("for_update", query.lock),
        ("distinct", query.distinct or None),
    ):
        if given is not None:
            raise TypeError(f"{word}(…) of rows that are grouped says nothing: leave it out, or say it of the groups")
    found = [expression_in(item, "group_by(…)") for part in parts for item in resolved(rows, part)]
    if not found:
        raise TypeError("group_by() needs something to group by; all rows are taken together by select(count())")
    made: Grouped[*tuple[Any, ...]] = Grouped(
        replace(query, group=tuple([require_groupable(one) for one in found])), rows
    )
    for one in found:
        made._require_known(one, "group_by(…)")  # noqa: SLF001  # the same module
    return made


def refuse_aggregates(found: PredicateNode, said: str) -> None:
    """`TypeError` for a condition on rows that names what only groups have."""
    for aggregate in aggregates_in(found):
        raise TypeError(
            f"{said} is a condition on single rows, and {aggregate!r} is of many: write .group_by(…).having(…)"
        )


def refuse_aggregate(found: ExpressionNode, said: str) -> None:
    """`TypeError` for what is said of single rows and names what only groups have."""
    for aggregate in aggregates_of(found):
        raise TypeError(f"{said} is about single rows, and {aggregate!r} is of many: write .group_by(…) before it")


def _parts(found: PredicateNode) -> list[PredicateNode]:
    return [*found.parts] if isinstance(found, And) else [found]
