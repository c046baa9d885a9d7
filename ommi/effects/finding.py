"""`find(User)…`: a query as a frozen value, whose terminals are effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeAlias, cast, final, overload

from typing_extensions import TypeVar

from ommi.effects.effect import Answer, Binding, Effect, Perform, Prefetch
from ommi.effects.grouping import Grouped, grouped, refuse_aggregate, refuse_aggregates
from ommi.effects.joining import Joined, On, joined_to, require_joinable
from ommi.effects.origin import origin
from ommi.effects.paging import Page, page_of, position_of, positioned, require_unpositioned
from ommi.effects.related import ToMany, ToOne
from ommi.effects.rows import (
    Rows,
    chosen,
    limited,
    not_run,
    order_of,
    perform,
    require_known,
    resolved,
    rows_of,
    unlocked,
    whole,
)
from ommi.effects.selecting import Selecting
from ommi.effects.stream import CHUNK, Stream, streamed
from ommi.errors import ConstraintViolation, DatabaseError, MultipleFound, NotFound
from ommi.frozen import frozen, replace
from ommi.models import schema_of
from ommi.models.aliases import Alias, row_of
from ommi.models.relations import Relation
from ommi.query.expressions import (
    And,
    Column,
    Comparison,
    Expression,
    ExpressionNode,
    Literal,
    Order,
    Predicate,
    PredicateNode,
    operand,
    predicate,
    type_of,
)
from ommi.query.statements import Count, Delete, Exists, Lock, Select, Update
from ommi.query.text import select_text
from ommi.query.walk import columns_of
from ommi.schema import Field, Schema

__all__ = ["Query", "Setting", "find"]

M = TypeVar("M")
B = TypeVar("B")
V = TypeVar("V")


@final
@frozen(repr=False)
class Query(Selecting[M], Generic[M]):
    """A query for records of `M`. Every method gives a new query; a terminal gives an effect."""

    query: Select
    unconditional: bool = False
    related: tuple[Relation, ...] = ()

    def where(self, *conditions: Predicate[Any] | bool | Callable[[M], Predicate[Any] | bool]) -> Query[M]:
        """Only rows for which all conditions hold, too: `where(User.age > 18)`, `where(lambda u: u.age > 18)`."""
        query = self.query
        where = _narrowed(query.schema, query.where, conditions)
        return Query(replace(query, where=where), self.unconditional, self.related)

    def order_by(self, *parts: Order | Expression[Any, Any] | Callable[[M], Any]) -> Query[M]:
        """In this order, first part first: `order_by(User.age.desc, User.name.asc)`; a plain column is ascending.

        It replaces an order given before. With a limit, an offset or `first`, the key is appended.
        """
        require_unpositioned(self.query, "order_by")
        found = [order_of(item) for part in parts for item in resolved((self._row,), part)]
        for part in found:
            refuse_aggregate(part.expression, "order_by(…)")
        return Query(replace(self.query, order=tuple(found)), self.unconditional, self.related)

    def limit(self, rows: int) -> Query[M]:
        """At most this many rows."""
        return Query(replace(self.query, limit=whole("limit", rows)), self.unconditional, self.related)

    def offset(self, rows: int) -> Query[M]:
        """Without the first rows."""
        return Query(replace(self.query, offset=whole("offset", rows)), self.unconditional, self.related)

    def after(self, cursor: str | None) -> Query[M]:
        """Only rows after this cursor in the order, which is given before; all rows with `None`.

        A text that is no cursor of this order makes an effect that fails with `InvalidCursor`.
        """
        return self if cursor is None else replace(self, query=positioned(self.query, cursor))

    def before(self, cursor: str | None) -> Query[M]:
        """Only rows before this cursor in the order; a page of them has the last ones, in order."""
        return self if cursor is None else replace(self, query=positioned(self.query, cursor, backwards=True))

    def cursor_of(self, record: M) -> str:
        """The cursor of a record in this order, for `after` and `before`."""
        return position_of(self.query, record)

    def for_update(self, *, skip_locked: bool = False, no_wait: bool = False) -> Query[M]:
        """Lock the rows until the transaction ends; it needs one. SQLite has a single writer and nothing to do."""
        if skip_locked and no_wait:
            raise TypeError("for_update takes skip_locked=True or no_wait=True, not both")
        return Query(replace(self.query, lock=Lock(skip_locked, no_wait)), self.unconditional, self.related)

    def distinct(self) -> Query[M]:
        """Each different record once; with a key in it, every record is different."""
        return Query(replace(self.query, distinct=True), self.unconditional, self.related)

    def everything(self) -> Query[M]:
        """Say that an update or delete without a condition is meant: it concerns every row."""
        return Query(self.query, True, self.related)

    def prefetch(self, *relations: ToMany[Any] | ToOne[Any]) -> Query[M]:
        """Load with the records what these relations lead to, one statement each: `prefetch(User.posts, Post.tags)`.

        A relation is one of the model, or of a model that a relation before it leads to.
        """
        found = (*self.related, *relations)
        reached = {self.query.schema.model}
        for relation in found:
            given: object = relation
            if not isinstance(given, Relation):
                raise TypeError(f"prefetch(…) takes relations, such as User.posts, not {given!r}")
            if relation.model not in reached:
                names = ", ".join(sorted(model.__name__ for model in reached))
                raise TypeError(
                    f"prefetch({relation!r}): {relation.model.__name__} is not reached before it (only {names}): "
                    f"name the relation that leads to {relation.model.__name__} first"
                )
            reached.add(relation.joined().target.model)
        return Query(self.query, self.unconditional, found)

    @overload
    def join(self, target: type[B], /, *, on: On[M, B] = None) -> Joined[tuple[M, B], M, B]: ...
    @overload
    def join(self, target: ToMany[B], /) -> Joined[tuple[M, B], M, B]: ...
    @overload
    def join(self, target: ToOne[B | None], /) -> Joined[tuple[M, B], M, B]: ...
    @overload
    def join(self, target: ToOne[B], /) -> Joined[tuple[M, B], M, B]: ...
    def join(self, target: Any, /, *, on: Any = None) -> Joined[Any, *tuple[Any, ...]]:
        """The records with those of another model that belong to them, as pairs.

        Which belong together is said by the reference between the models; where there are several, by a relation,
        `join(User.posts)`, or by a condition, `join(Post, on=lambda u, p: p.reviewer == u.id)`.
        """
        return joined_to(self._joinable("join"), (self._row,), target, on, outer=False)

    @overload
    def left_join(self, target: type[B], /, *, on: On[M, B] = None) -> Joined[tuple[M, B | None], M, B]: ...
    @overload
    def left_join(self, target: ToMany[B], /) -> Joined[tuple[M, B | None], M, B]: ...
    @overload
    def left_join(self, target: ToOne[B | None], /) -> Joined[tuple[M, B | None], M, B]: ...
    @overload
    def left_join(self, target: ToOne[B], /) -> Joined[tuple[M, B | None], M, B]: ...
    def left_join(self, target: Any, /, *, on: Any = None) -> Joined[Any, *tuple[Any, ...]]:
        """As `join`, with `None` beside a record to which nothing belongs."""
        return joined_to(self._joinable("left_join"), (self._row,), target, on, outer=True)

    @property
    def _row(self) -> Any:
        return row_of(self.query.schema)

    def _joinable(self, said: str) -> Select:
        _unrelated(self, said)
        require_unpositioned(self.query, said)
        return require_joinable(self.query, said)

    def group_by(self, *parts: Expression[Any, Any] | Callable[[M], Any]) -> Grouped[M]:
        """The rows that are alike in these, as groups: `group_by(User.team).select(User.team, User.age.avg())`.

        Two missing values are alike.
        """
        _unrelated(self, "group_by")
        return grouped(self.query, (self._row,), parts)

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> Rows[Any]:
        schema = self.query.schema
        found = chosen((row_of(schema),), columns, named)
        for one in found.values() if isinstance(found, Mapping) else found:
            if isinstance(one, Expression):
                _check_schema(one, schema)
        require_known(found, self.query)
        _unrelated(self, "select")
        return rows_of(self.query, found)

    # -- terminals
    def all(self) -> Effect[list[M], DatabaseError]:
        """All records, in order."""
        return self._loading(perform(self.query, Answer.ALL))

    def page(self, size: int) -> Effect[Page[M], DatabaseError]:
        """So many records, and the cursors for what comes after and before them: `.after(page.next_cursor)`."""
        return self._loading(page_of(self.query, size))

    def one(self) -> Effect[M, NotFound | MultipleFound | DatabaseError]:
        """The only record."""
        return self._loading(perform(self.query, Answer.ONE))

    def first(self) -> Effect[M | None, DatabaseError]:
        """The first record, or `None`."""
        return self._loading(perform(limited(self.query, 1), Answer.FIRST))

    def _loading(self, effect: Effect[Any, Any]) -> Effect[Any, Any]:
        if not self.related:
            return effect
        return Prefetch(effect, self.query.schema.model, self.related, origin())

    def count(self) -> Effect[int, DatabaseError]:
        """How many records there are."""
        return Perform(Count(unlocked(self.query, "count")), Answer.PLAIN, None, None, None, (), origin())

    def exists(self) -> Effect[bool, DatabaseError]:
        """Whether there is a record."""
        return Perform(Exists(unlocked(self.query, "exists")), Answer.PLAIN, None, None, None, (), origin())

    def stream(self, *, chunk: int = CHUNK) -> Stream[M, DatabaseError]:
        """The records as a stream, `chunk` of them at a time: for more than memory should hold.

        What they were prefetched with is loaded with each chunk.
        """
        return streamed(Perform(self.query, Answer.STREAM, origin=origin()), chunk, self.related)

    def update(
        self, assignments: Callable[[M], Mapping[Any, Any]] | None = None, /, **named: object
    ) -> Effect[int, ConstraintViolation | DatabaseError]:
        """Set fields to values or expressions of the old row: `update(age=User.age + 1)`; the number of rows matched.

        Also `update(lambda u: {u.age: u.age + 1})`; `set` is the form whose values are type-checked.
        """
        found: list[tuple[Any, Any]] = [*named.items()]
        if assignments is not None:
            if not callable(assignments):
                raise TypeError(
                    f"update(…) takes fields by name, update(name='x'), or a lambda of a row, "
                    f"update(lambda row: {{row.name: 'x'}}), not {assignments!r}"
                )
            found.extend(assignments(self._row).items())
        return _update(self, found)

    @overload
    def set(self, column: Expression[Any, V], value: V | Expression[Any, V]) -> Setting: ...
    @overload
    def set(self, column: Expression[Any, V | None], value: Expression[Any, V]) -> Setting: ...
    @overload
    def set(self, column: Callable[[M], Expression[Any, V]], value: V | Expression[Any, V]) -> Setting: ...
    def set(self, column: object, value: object) -> Setting:
        """Set one field; further `.set(…)` may follow. The number of rows matched."""
        return Setting(cast("Query[Any]", self), ((_column(self.query.schema, column), value),))

    def delete(self) -> Effect[int, ConstraintViolation | DatabaseError]:
        """Delete the rows; the number of rows matched."""
        _writable(self, "delete")
        return Perform(Delete(self.query.schema, self.query.where), Answer.PLAIN, None, None, None, (), origin())

    def __repr__(self) -> str:
        said = f".prefetch({', '.join(map(repr, self.related))})" if self.related else ""
        return select_text(self.query) + said + (".everything()" if self.unconditional else "")

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                "having(…) is a condition on groups: write .group_by(…) before it, or .where(…) for one on rows"
                if name == "having"
                else f"a query has no attribute {name!r}",
                name=name,
                obj=self,
            )

        def __iter__(self) -> NoReturn:
            raise TypeError(not_run(self))

        __await__ = __iter__


@final
class Setting(Binding[int, ConstraintViolation | DatabaseError]):
    """An update that may be given more fields: `find(User).where(…).set(col(u.age), 3).set(col(u.name), "x")`."""

    __slots__ = ("_assignments", "_query", "source")

    def __init__(self, query: Query[Any], assignments: tuple[tuple[Column[Any, Any], Any], ...]) -> None:
        self._query = query
        self._assignments = assignments
        self.source = _update(query, assignments)

    @overload
    def set(self, column: Expression[Any, V], value: V | Expression[Any, V]) -> Setting: ...
    @overload
    def set(self, column: Expression[Any, V | None], value: Expression[Any, V]) -> Setting: ...
    @overload
    def set(self, column: Callable[[Any], Expression[Any, V]], value: V | Expression[Any, V]) -> Setting: ...
    def set(self, column: object, value: object) -> Setting:
        """Set one more field."""
        return Setting(self._query, (*self._assignments, (_column(self._query.query.schema, column), value)))

    def __eq__(self, other: object) -> bool:
        return self.source == other.source if isinstance(other, Setting) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.source)


Condition: TypeAlias = Predicate[Any] | bool


@overload
def find(model: type[M], /, *conditions: Predicate[Any] | bool | Callable[[M], Predicate[Any] | bool]) -> Query[M]: ...
@overload
def find(condition: Predicate[M], /, *conditions: Predicate[Any] | bool) -> Query[M]: ...
def find(subject: Any, /, *conditions: Any) -> Query[Any]:
    """The records of a model: `find(User)`, `find(User, User.age > 18)`, or of a condition: `find(User.age > 18)`."""
    if isinstance(subject, (type, Alias)):
        model: Any = subject  # an alias is used like a class
        schema = schema_of(model)
        return Query(Select(schema, None, _narrowed(schema, None, conditions)))
    if not isinstance(subject, (Predicate, bool, Expression)):
        raise TypeError(f"find(…) takes a model or a condition, find(User) or find(User.age > 18), not {subject!r}")
    schema = _first_schema(predicate(subject, "find(…)"))
    return Query(Select(schema, None, _narrowed(schema, None, (subject, *conditions))))


def _narrowed(schema: Schema, where: PredicateNode | None, conditions: tuple[Any, ...]) -> PredicateNode | None:
    found: list[PredicateNode] = list(where.parts) if isinstance(where, And) else [] if where is None else [where]
    for condition in conditions:
        if not isinstance(condition, Predicate):
            if callable(condition) and not isinstance(condition, (Expression, type)):
                condition = condition(row_of(schema))
            condition = predicate(condition, "where(…)")
        _check_schema(condition, schema)
        found.append(condition)
    if len(found) == 1:
        return found[0]
    return And(tuple(found)) if found else None


def _column(schema: Schema, part: object) -> Column[Any, Any]:
    (found,) = (part,) if isinstance(part, str) else resolved((row_of(schema),), part)
    if isinstance(found, str) and found in schema.by_name:
        return Column(schema, schema.by_name[found])
    if not isinstance(found, Column) or schema.by_name.get(found.field.name) is not found.field:
        names = ", ".join(schema.by_name)
        raise TypeError(f"{found!r} is no field of {schema.name}; its fields are {names}")
    return found


def _update(query: Query[Any], assignments: Any) -> Effect[int, ConstraintViolation | DatabaseError]:
    schema = query.query.schema
    _writable(query, "update")
    found: dict[Field, ExpressionNode] = {}
    for name, value in assignments:
        column = _column(schema, name)
        if column.field in found:
            raise TypeError(f"{column!r} is set twice in one update")
        if value is None:
            found[column.field] = Literal(None, column.field.type)
        else:
            found[column.field] = operand(value, column)
            refuse_aggregate(found[column.field], "update(…)")
            _same_kind(column, found[column.field])
    if not found:
        raise TypeError(f"update() of {schema.name} sets nothing: name the fields, such as update(name='x')")
    statement = Update(schema, tuple(found.items()), query.query.where)
    return Perform(statement, Answer.PLAIN, None, None, None, (), origin())


def _same_kind(column: Column[Any, Any], value: ExpressionNode) -> None:
    mine, other = column.field.type, type_of(value)
    if mine.kind is not other.kind:
        raise TypeError(f"{column!r} holds {mine.name} and cannot be set to {value!r}, which is {other.name}")


def _unrelated(query: Query[Any], said: str) -> None:
    if query.related:
        raise TypeError(f"{said}() gives no records to load relations of: prefetch belongs to .all(), .one(), .first()")


def _writable(query: Query[Any], said: str) -> None:
    _unrelated(query, said)
    found = query.query
    if found.schema.alias is not None:
        raise TypeError(f"{said}() is said of {found.schema.name} itself: alias(…) is for queries that name it twice")
    if (found.order, found.limit, found.offset, found.distinct, found.lock) != ((), None, None, False, None):
        raise TypeError(
            f"{said}() takes only conditions: order, limit, offset, distinct and for_update belong to reading"
        )
    trivial = found.where is None or (isinstance(found.where, And) and not found.where.parts)
    if trivial and not query.unconditional:
        raise TypeError(
            f"{said}() without a condition would change every {found.schema.name}: "
            f"add .where(…), or say .everything().{said}(…) if that is meant"
        )


def _first_schema(found: PredicateNode) -> Schema:
    for column in columns_of(found):
        return column.schema
    raise TypeError(f"{found!r} names no column, so there is no model to find: write find(Model, condition)")


def _check_schema(found: PredicateNode | ExpressionNode, schema: Schema) -> None:
    if type(found) is Comparison and type(found.right) is Literal and getattr(found.left, "schema", None) is schema:
        return  # the most frequent condition by far
    if isinstance(found, Predicate):
        refuse_aggregates(found, "where(…)")
    for column in columns_of(found):
        if column.schema is not schema:
            raise TypeError(
                f"{column!r} is no column of {schema.name}, which this query is about; "
                f"to compare with another model use {schema.name}.….in_(find(…).select(…))"
            )
