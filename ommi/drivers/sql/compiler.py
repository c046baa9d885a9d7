"""Statements into SQL and parameters; what a shape compiles to is kept, so that a repeated query compiles once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeAlias, assert_never, final

from typing_extensions import TypeVar

from ommi.drivers.sql.dialect import Dialect
from ommi.drivers.sql.fragment import Encode, Fragment, Place, encoder, fill, joined, places, render, text
from ommi.drivers.sql.translation import Scope, Translation
from ommi.frozen import frozen
from ommi.query.expressions import ExpressionNode, Literal
from ommi.query.outline import outline
from ommi.query.statements import Count, Delete, Exists, Link, OnConflict, Select, Sql, Update, schemas_of
from ommi.schema import Field, Row, Schema
from ommi.values import DEFAULT, Kind

__all__ = ["Compilable", "Compiler", "InsertPlan", "Prepared", "conflict_sql"]

Compilable: TypeAlias = Select | Count | Exists | Update | Delete | Sql

_SHAPES: Final = 512
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Prepared(NamedTuple):
    """SQL and its parameters, in the database's own forms."""

    sql: str
    parameters: Sequence[Any]


@final
@frozen
class InsertPlan:
    """How rows of one model are inserted: `encode` makes the parameters of a row of canonical values."""

    sql: str
    encode: Callable[[Row], Sequence[Any]]


@final
@frozen
class _Shape:
    sql: str
    encode: Encode | None
    paged: bool


@final
class _Recent(Generic[K, V]):
    """A bounded mapping that forgets what was not asked for lately.

    Two generations of at most half the size: what is found in the old one moves to the young one, and when that
    is full it becomes the old one. Safe to use from several threads without a lock: the worst is a value made twice.
    """

    __slots__ = ("_half", "_old", "_young")

    def __init__(self, size: int) -> None:
        self._half = size // 2
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


@final
class Compiler:
    """Compiles the statements of one dialect, from any thread."""

    __slots__ = ("_inserts", "_shapes", "dialect", "known")

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.known: dict[str, Schema] = {}
        """The schemas seen so far, by table: so that an error can name the model of another table."""
        self._shapes: _Recent[Hashable, _Shape] = _Recent(_SHAPES)
        self._inserts: _Recent[Hashable, InsertPlan] = _Recent(_SHAPES)

    def prepare(self, statement: Compilable) -> Prepared:
        """The SQL of a statement, with its parameters.

        Raises the `EncodeError` of a value that does not fit, `QueryRejected` for a statement that cannot mean
        anything, and `UnsupportedOperation` for one the database has no words for.
        """
        literals: list[Literal] = []
        key = outline(statement, literals)
        values = []
        absent = False
        for literal in literals:
            if literal.unfit is not None:
                raise literal.unfit
            value = literal.value
            if value is None:
                absent = True
            values.append(value)
        if absent:  # a missing value has SQL of its own
            key = (key, tuple([literal.value is None for literal in literals]))
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._compile(statement, len(values))
            self._shapes.put(key, shape)
        if shape.paged:
            values += _page(statement)
        encode = shape.encode
        return Prepared(shape.sql, values if encode is None else encode(values))

    def prepare_updates(self, statements: Sequence[Update]) -> Prepared:
        """Several updates as one statement, whose row tells how many rows each matched.

        None of them sees what another one does, and the server may make them in any order. Raises as `prepare` does.
        """
        literals: list[Literal] = []
        outlines = tuple([outline(statement, literals) for statement in statements])
        for literal in literals:
            if literal.unfit is not None:
                raise literal.unfit
        values = [literal.value for literal in literals]
        key = (outlines, tuple([value is None for value in values]))
        shape = self._shapes.get(key)
        if shape is None:
            translation = Translation(self.dialect, self.dialect.query)
            names = [f"ommi_{number}" for number in range(len(statements))]
            updates = [
                (f"{name} AS (", *self._update(translation, statement), " RETURNING 1)")
                for name, statement in zip(names, statements, strict=True)
            ]
            counts = joined(", ", [text(f"(SELECT count(*) FROM {name})") for name in names])  # noqa: S608 - our names
            sql = fill("WITH {0} SELECT {1}", joined(", ", updates), counts)
            shape = _Shape(self._render(sql), encoder(places(sql), len(values)), paged=False)
            self._shapes.put(key, shape)
            self.learn(*[statement.schema for statement in statements])
        return Prepared(shape.sql, values if shape.encode is None else shape.encode(values))

    def insert(
        self,
        schema: Schema,
        omitted: tuple[Field, ...] = (),
        on_conflict: OnConflict | None = None,
        returning: tuple[Field, ...] = (),
    ) -> InsertPlan:
        """How to insert a row whose `omitted` fields are left to the database."""
        key = (schema, omitted, on_conflict, returning)
        plan = self._inserts.get(key)
        if plan is None:
            plan = self._insert(schema, omitted, on_conflict, returning)
            self._inserts.put(key, plan)
        return plan

    def stored(self, schema: Schema, row: Row) -> dict[str, Any]:
        """The values of a row in the database's own forms, by column; `DEFAULT` stays."""
        forms, found = self.dialect.storage.forms, {}
        for field, value in zip(schema.fields, row, strict=True):
            dump = forms[field.type.kind].dump
            found[field.column] = value if dump is None or value is None or value is DEFAULT else dump(value)
        return found

    def finish(self, fragment: Fragment, values: Sequence[Any]) -> Prepared:
        """A fragment's SQL and its parameters, from a statement's values."""
        encode = encoder(places(fragment), len(values))
        return Prepared(self._render(fragment), values if encode is None else encode(values))

    def learn(self, *schemas: Schema) -> None:
        """Remember the schemas, to name their models in errors."""
        for schema in schemas:
            self.known[schema.table] = schema

    def _render(self, fragment: Fragment) -> str:
        return render(fragment, self.dialect.placeholder)

    def _compile(self, statement: Compilable, width: int) -> _Shape:
        translation = Translation(self.dialect, self.dialect.query)
        match statement:
            case Select():
                sql = self._select(translation, statement)
            case Count(query):
                sql = self._count(translation, query)
            case Exists(query):
                sql = fill("SELECT EXISTS ({0})", self._found(translation, query))
            case Update():
                sql = self._update(translation, statement)
            case Delete(schema, where):
                sql = ("DELETE FROM ", translation.table(schema))
                if where is not None:
                    sql += (" WHERE ", *translation.where(where, Scope(schema)))
            case Sql(parts):
                sql = tuple(one for part in parts for one in translation.part(part))
            case _:
                assert_never(statement)
        assert translation.taken == width, "the literals were not met in the order of outline()"
        self.learn(*schemas_of(statement))
        page = _page(statement)
        return _Shape(self._render(sql), encoder(places(sql), width + len(page)), bool(page))

    def _select(self, translation: Translation, query: Select) -> Fragment:
        if query.link is not None:
            return self._linked(translation, query, query.link)
        parts = translation.parts(query, translation.scope_of(query))
        order = joined(", ", parts.order) if parts.order else None
        columns = joined(", ", parts.columns)
        limits = _limits(translation, query)
        sql = translation.assembled(query, columns, parts, order, *limits)
        return sql if query.lock is None else (*sql, self.dialect.lock(query.lock))

    def _linked(self, translation: Translation, query: Select, link: Link) -> Fragment:
        quote = self.dialect.query.quote
        mine = Scope(query.schema, quote(query.schema.table) + ".")
        other = Scope(link.schema, quote(link.schema.table) + ".")
        parts = translation.parts(query, mine, other)
        columns = [*(translation.column(field, other) for field in link.fields), *parts.columns]
        pairs = [
            fill("{0} = {1}", translation.column(field, other), translation.column(selected, mine))
            for field, selected in link.pairs
        ]
        tables = text(translation.table(link.schema)), text(translation.table(query.schema))
        sql = fill("SELECT {0} FROM {1} JOIN {2} ON {3}", joined(", ", columns), *tables, joined(" AND ", pairs))
        if parts.where is not None:
            sql += (" WHERE ", *parts.where)
        self.learn(link.schema)
        return sql if not parts.order else (*sql, " ORDER BY ", *joined(", ", parts.order))

    def _count(self, translation: Translation, query: Select) -> Fragment:
        if query.limit is None and query.offset is None and not query.distinct and query.group is None:
            parts = translation.parts(query, translation.scope_of(query))
            return translation.assembled(query, text("count(*)"), parts, None, None, None)
        return fill("SELECT count(*) FROM ({0}) AS counted", self._found(translation, query))

    def _found(self, translation: Translation, query: Select) -> Fragment:
        """The rows of a query of which only the number matters."""
        parts = translation.parts(query, translation.scope_of(query))
        columns = joined(", ", parts.columns) if query.distinct else text("1" if query.group != () else "count(*)")
        limits = _limits(translation, query)
        return translation.assembled(query, columns, parts, None, *limits)

    def _update(self, translation: Translation, statement: Update) -> Fragment:
        scope = Scope(statement.schema)
        sets = [self._assignment(translation, field, value, scope) for field, value in statement.assignments]
        sql = fill("UPDATE {0} SET {1}", text(translation.table(statement.schema)), joined(", ", sets))
        return sql if statement.where is None else (*sql, " WHERE ", *translation.where(statement.where, scope))

    def _assignment(self, translation: Translation, field: Field, value: ExpressionNode, scope: Scope) -> Fragment:
        return fill("{0} = {1}", translation.column(field, scope), translation.assigned(field, value, scope))

    def _insert(
        self, schema: Schema, omitted: tuple[Field, ...], on_conflict: OnConflict | None, returning: tuple[Field, ...]
    ) -> InsertPlan:
        quote, forms = self.dialect.query.quote, self.dialect.storage.forms
        table = quote(schema.table)
        given = [(n, f) for n, f in enumerate(schema.fields) if f not in omitted]
        taken = [Place(n, f.type.kind, forms[f.type.kind].dump) for n, f in given]
        if given:
            columns = ", ".join(quote(f.column) for _, f in given)
            marks: list[Fragment] = [(place,) for place in taken]
            sql = fill("INSERT INTO {0} ({1}) VALUES ({2})", text(table), text(columns), joined(", ", marks))
        else:
            sql = text(f"INSERT INTO {table} DEFAULT VALUES")
        if on_conflict is not None:
            sql += (conflict_sql(on_conflict, table, quote),)
        if returning:
            returned = [self.dialect.returned(quote(f.column), f.type.kind) for f in returning]
            sql += (f" RETURNING {', '.join(returned)}",)
        self.learn(schema)
        encode = encoder(taken, len(schema.fields), optional=True)
        return InsertPlan(self._render(sql), _unchanged if encode is None else encode)


def conflict_sql(on_conflict: OnConflict, table: str, quote: Callable[[str], str]) -> str:
    """What an insert into a table, by its quoted name, does with a row that is there."""
    fields = [quote(f.column) for f in on_conflict.fields]
    updated = [quote(f.column) for f in on_conflict.update]
    # DO NOTHING would not give the row that is there: set one of its values to itself
    sets = [f"{name} = excluded.{name}" for name in updated] or [f"{fields[0]} = {table}.{fields[0]}"]
    return f" ON CONFLICT ({', '.join(fields)}) DO UPDATE SET {', '.join(sets)}"


def _unchanged(row: Row) -> Row:
    return row


def _page(statement: Compilable) -> list[int]:
    """The limit and offset that are there: the statement's last values."""
    match statement:
        case Select():
            query = statement
        case Count(query) | Exists(query):
            pass
        case _:
            return []
    return [number for number in (query.limit, query.offset) if number is not None]


def _limits(translation: Translation, query: Select) -> tuple[Fragment | None, Fragment | None]:
    at = translation.taken
    limit: Fragment | None = None if query.limit is None else (Place(at, Kind.INT),)
    offset: Fragment | None = None if query.offset is None else (Place(at + (limit is not None), Kind.INT),)
    return limit, offset
