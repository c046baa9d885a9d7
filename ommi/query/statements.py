"""What a driver is handed: a closed union of frozen statements. Their values are canonical (`ommi.values`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias, final

from ommi.frozen import frozen
from ommi.query.expressions import ExpressionNode, Literal, Order, PredicateNode
from ommi.schema import Field, Schema

__all__ = [
    "AdvisoryLock",
    "Count",
    "CreateTables",
    "Delete",
    "DropTables",
    "Exists",
    "Insert",
    "Join",
    "Link",
    "Lock",
    "MongoCommand",
    "OnConflict",
    "Select",
    "Sql",
    "Statement",
    "Update",
    "is_write",
    "schemas_of",
]


@final
@frozen
class Lock:
    """Lock the rows read until the transaction ends."""

    skip_locked: bool = False
    no_wait: bool = False


@final
@frozen
class Link:
    """A table whose rows say which rows of two others belong together.

    A row of it belongs to a selected row where both fields of each of the `pairs` (its own, the selected model's) are
    equal; a missing value equals nothing. `fields` are those of its own that come first in each row read.
    """

    schema: Schema
    pairs: tuple[tuple[Field, Field], ...]
    fields: tuple[Field, ...]


@final
@frozen
class Join:
    """Rows of a further table beside those before it, where `on` holds; with `outer`, missing values if none fits."""

    schema: Schema
    on: PredicateNode
    outer: bool = False


@final
@frozen
class Select:
    """Rows of one table; `columns` is `None` for all fields in the schema's order, which reads instances.

    With `joins`, rows of several tables side by side, in the order of the joins; `None` for `columns` is all fields of
    all of them, and the keys of all tables decide what an order with a limit leaves open.

    With `group`, a row for each group of rows that are alike in these expressions, and for which `having` is true; two
    missing values are alike. With an empty one, all rows are one group, also where there are none. Then `columns`,
    `having` and `order` are made of aggregates, of `GroupKey`s, and of columns of models whose key is grouped by.

    With a `link`, a row for each row of the link that belongs to one: the link's `fields`, then all of the row's. Then
    `where` is a condition on the link, `order` remains one on the selected rows, and the other parts are not given.
    Answered by what the request's `read` makes of the rows.
    """

    schema: Schema
    columns: tuple[ExpressionNode, ...] | None = None
    where: PredicateNode | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int | None = None
    distinct: bool = False
    lock: Lock | None = None
    link: Link | None = None
    group: tuple[ExpressionNode, ...] | None = None
    having: PredicateNode | None = None
    joins: tuple[Join, ...] = ()

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """Those of the tables whose rows stand side by side."""
        return (self.schema, *[join.schema for join in self.joins])

    @property
    def outer(self) -> frozenset[Schema]:
        """Those of the tables whose rows may be missing."""
        return frozenset([join.schema for join in self.joins if join.outer])

    def __eq__(self, other: object) -> bool:
        from ommi.query.outline import same

        return same(self, other) if isinstance(other, Select) else NotImplemented

    def __hash__(self) -> int:
        from ommi.query.outline import outline

        return hash(outline(self, []))


@final
@frozen
class Count:
    """How many rows the query gives, its limit and offset respected. Answered by an `int`."""

    query: Select


@final
@frozen
class Exists:
    """Whether the query gives a row. Answered by a `bool`."""

    query: Select


@final
@frozen
class OnConflict:
    """What an insert does when a row with the same values of `fields` is there: set `update` from the new row.

    An empty `update` keeps the row that is there. `fields` are the key or those of a unique index.
    """

    fields: tuple[Field, ...]
    update: tuple[Field, ...]


@final
@frozen
class Insert:
    """New rows, each of canonical values for all fields in the schema's order, `DEFAULT` where the database assigns.

    All rows or none. Answered by a list with one tuple of *stored* values per row, in order: without
    `on_conflict` those of `schema.assigned`, with it those of all fields (the row as it now is).
    """

    schema: Schema
    rows: tuple[tuple[Any, ...], ...]
    on_conflict: OnConflict | None = None


@final
@frozen
class Update:
    """Set fields to expressions of the old row, in every row that fits; all or none. Answered by rows matched."""

    schema: Schema
    assignments: tuple[tuple[Field, ExpressionNode], ...]
    where: PredicateNode | None = None

    def __eq__(self, other: object) -> bool:
        from ommi.query.outline import same

        return same(self, other) if isinstance(other, Update) else NotImplemented

    def __hash__(self) -> int:
        from ommi.query.outline import outline

        return hash(outline(self, []))


@final
@frozen
class Delete:
    """Remove every row that fits; all or none. Answered by rows matched."""

    schema: Schema
    where: PredicateNode | None = None


@final
@frozen
class CreateTables:
    """Create what is missing of the tables and indexes, referenced tables first. Answered by `None`.

    A table that is there but lacks columns of the model is a `SchemaMismatch`.
    """

    schemas: tuple[Schema, ...]


@final
@frozen
class DropTables:
    """Drop the tables that are there, given with referring tables first. Answered by `None`."""

    schemas: tuple[Schema, ...]


@final
@frozen
class AdvisoryLock:
    """Wait for the lock that a number stands for, and keep it until the transaction ends. Answered by `None`."""

    key: int


@final
@frozen(eq=False)
class Sql:
    """SQL of the application's own: text, and in between values, which are parameters, and names, which are quoted.

    With `rows`, answered by what the request's `read` makes of the rows, before which the names of their columns come;
    otherwise by the number of rows changed. `writes`: it may change the database. `locks`: it needs a transaction.
    """

    parts: tuple[str | Literal | Schema | Field, ...]
    rows: bool
    writes: bool
    locks: bool = False

    def __eq__(self, other: object) -> bool:
        from ommi.query.outline import same

        return same(self, other) if isinstance(other, Sql) else NotImplemented

    def __hash__(self) -> int:
        from ommi.query.outline import outline

        return hash(outline(self, []))


@final
@frozen
class MongoCommand:
    """A command of a document database: a pipeline of stages on a collection, or the words of a command.

    Answered by what the request's `read` makes of the documents: a pipeline's, or the one reply.
    """

    collection: str
    body: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    writes: bool

    def __hash__(self) -> int:
        return hash((self.collection, self.writes))


Statement: TypeAlias = (
    Select | Count | Exists | Insert | Update | Delete | CreateTables | DropTables | AdvisoryLock | Sql | MongoCommand
)


def is_write(statement: Statement) -> bool:
    """Whether running the statement can change the database."""
    kind = type(statement)  # asked several times for each: isinstance() of all takes four times as long
    if kind in _READING:
        return False
    return statement.writes if isinstance(statement, (Sql, MongoCommand)) else True


_READING: Final = frozenset({Select, Count, Exists, AdvisoryLock})


def schemas_of(statement: Statement) -> tuple[Schema, ...]:
    """The schemas a statement is about."""
    match statement:
        case Count(query) | Exists(query) | (Select() as query):
            return query.schemas
        case CreateTables(schemas) | DropTables(schemas):
            return schemas
        case AdvisoryLock() | Sql() | MongoCommand():
            return ()
        case _:
            return (statement.schema,)
