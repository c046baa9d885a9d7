"""Inserting rows: one with one statement, many from arrays, with the keys in the order of the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias, final

from ommi.drivers.postgres.connection import Connection
from ommi.drivers.postgres.copying import COPIED, copied
from ommi.drivers.postgres.dialect import array_of, clamped, quoted
from ommi.drivers.sql.assigned import assigned_values
from ommi.drivers.sql.compiler import Compiler, conflict_sql
from ommi.errors import EncodeError
from ommi.frozen import frozen
from ommi.query.statements import Insert
from ommi.schema import Field, Row, Schema
from ommi.values import DEFAULT, Kind

__all__ = ["BULK", "advance_keys", "insert", "is_split"]

Stored: TypeAlias = tuple[Any, ...]

BULK: Final = 10_000
"""The most rows in one statement."""


def is_split(statement: Insert) -> bool:
    """Whether more than one statement may be needed, so that they need a transaction."""
    if len(statement.rows) <= 1:
        return False
    if statement.on_conflict is not None or len(statement.rows) > BULK:
        return True
    left = _left(statement.schema)
    first = statement.rows[0]
    return any(row[place] is DEFAULT for row in statement.rows for place in left if first[place] is not DEFAULT) or any(
        row[place] is not DEFAULT for row in statement.rows for place in left if first[place] is DEFAULT
    )


async def insert(connection: Connection, compiler: Compiler, statement: Insert, *, deferred: bool) -> list[Stored]:
    """Insert the rows of a statement; see `Insert` for the answer.

    What is split is in a transaction, whose references are checked at the end of this if `deferred`.
    """
    if not statement.rows:
        return []
    work = _Insertion(compiler, statement)
    if len(statement.rows) == 1:
        return [await work.one(connection, statement.rows[0])]
    if not deferred:
        return await work.many(connection)
    # a row may refer to one of a later statement
    await connection.command("SET CONSTRAINTS ALL DEFERRED")
    answers = await (work.many(connection) if statement.on_conflict is None else work.upserts(connection))
    await connection.command("SET CONSTRAINTS ALL IMMEDIATE")
    return answers


def _left(schema: Schema) -> list[int]:
    """The places of the fields that may be left to the server."""
    return [place for place, f in enumerate(schema.fields) if _is_assigned_here(f)]


def _is_assigned_here(field: Field) -> bool:
    return field.server_default is not None or (field.generated and field.type.kind is Kind.INT)


@final
@frozen
class _Insertion:
    compiler: Compiler
    statement: Insert

    async def one(self, connection: Connection, row: Row) -> Stored:
        """Insert one row with one statement."""
        schema, on_conflict = self.statement.schema, self.statement.on_conflict
        row = _with_key(schema, row)
        omitted = tuple([f for f, value in zip(schema.fields, row, strict=True) if value is DEFAULT])
        returning = schema.fields if on_conflict is not None else schema.assigned if omitted else ()
        plan = self.compiler.insert(schema, omitted, on_conflict, returning)
        parameters = self._encoded(plan.encode, row)
        key = _numbered_key(schema)
        sql = plan.sql
        if key is not None and key not in omitted:
            sql += f"{', ' if returning else ' RETURNING '}{_advance(schema, key)}"
        elif not returning:
            await connection.run(sql, parameters)
            return assigned_values(schema)(parameters)
        (answer,) = await connection.fetch(sql, parameters)
        if returning:
            return tuple(answer)[: len(returning)]
        return assigned_values(schema)(parameters)

    async def many(self, connection: Connection) -> list[Stored]:
        """Insert all rows, as many with one statement as leave the same fields to the server."""
        schema = self.statement.schema
        rows: Sequence[Row] = self.statement.rows
        if any(f.generated and f.type.generate is not None for f in schema.fields):
            rows = [_with_key(schema, row) for row in rows]
        rows = await self._numbered(connection, rows)
        answers = list[Stored]()
        for omitted, alike in _grouped(rows, _left(schema)):
            for at in range(0, len(alike), BULK):
                answers += await self._alike(connection, alike[at : at + BULK], omitted)
        return answers

    async def upserts(self, connection: Connection) -> list[Stored]:
        """Upsert all rows in their order: at once as many as leave the same to the server and are of different rows."""
        schema, on_conflict = self.statement.schema, self.statement.on_conflict
        assert on_conflict is not None
        rows = [_with_key(schema, row) for row in self.statement.rows]
        answers = list[Stored]()
        for omitted, together in _grouped(rows, _left(schema)):
            for alike in _distinct(together, [schema.fields.index(f) for f in on_conflict.fields]):
                if len(alike) == 1 or len(omitted) == len(schema.fields):
                    answers += [await self.one(connection, row) for row in alike]
                else:
                    answers += await self._upserted(connection, alike, omitted)
        return answers

    async def _upserted(self, connection: Connection, rows: Sequence[Row], omitted: tuple[int, ...]) -> list[Stored]:
        schema, on_conflict = self.statement.schema, self.statement.on_conflict
        assert on_conflict is not None
        fields = tuple([f for place, f in enumerate(schema.fields) if place not in omitted])
        encode = self.compiler.insert(schema, tuple([schema.fields[place] for place in omitted])).encode
        columns = [list(column) for column in zip(*self._all_encoded(encode, rows), strict=True)]
        sql = _bulk(schema, fields, ()) + conflict_sql(on_conflict, quoted(schema.table), quoted)
        found = [tuple(row) for row in await connection.fetch(sql + _returning(schema.fields), columns)]
        key = _numbered_key(schema)
        if key is not None and key in fields:
            at = schema.fields.index(key)
            await _advance_beyond(connection, schema, key, max(row[at] for row in found))
        return found

    async def _alike(self, connection: Connection, rows: Sequence[Row], omitted: tuple[int, ...]) -> list[Stored]:
        schema = self.statement.schema
        fields = tuple([f for place, f in enumerate(schema.fields) if place not in omitted])
        encode = self.compiler.insert(schema).encode
        if omitted:
            encode = self.compiler.insert(schema, tuple([schema.fields[place] for place in omitted])).encode
        encoded = self._all_encoded(encode, rows)
        if len(rows) >= COPIED and (answers := await self._copied(connection, fields, encoded, omitted)) is not None:
            return answers
        returning = schema.assigned if omitted else ()
        sql = _bulk(schema, fields, returning)
        if not fields:
            sql = _defaults(schema, returning)
        columns: list[Any] = [list(column) for column in zip(*encoded, strict=True)] if fields else [len(rows)]
        found = await connection.fetch(sql, columns)
        if returning:
            return [tuple(row) for row in found]
        return await self._given(connection, encoded)

    async def _given(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> list[Stored]:
        """The answers for rows that came with everything."""
        schema = self.statement.schema
        key = _numbered_key(schema)
        if key is not None:
            at = schema.fields.index(key)
            await _advance_beyond(connection, schema, key, max(row[at] for row in rows))
        pick = assigned_values(schema)
        return [pick(row) for row in rows]

    async def _copied(
        self,
        connection: Connection,
        fields: Sequence[Field],
        rows: Sequence[Sequence[Any]],
        omitted: tuple[int, ...],
    ) -> list[Stored] | None:
        """The answers, if COPY can do it."""
        schema = self.statement.schema
        if not omitted:
            done = await copied(connection, schema, fields, rows, None)
            return None if done is None else await self._given(connection, rows)
        (at, *others), key = omitted, _numbered_key(schema)
        if others or schema.fields[at] is not key:
            return None
        keys = await copied(connection, schema, fields, rows, key)
        if keys is None:
            return None
        if schema.assigned == (key,):
            return [(number,) for number in keys]
        pick = assigned_values(schema)
        return [pick((*row[:at], number, *row[at:])) for row, number in zip(rows, keys, strict=True)]

    def _encoded(self, encode: Callable[[Row], Sequence[Any]], row: Row) -> Sequence[Any]:
        try:
            return encode(row)
        except EncodeError as error:
            raise self._unfit(row, error) from error

    def _all_encoded(self, encode: Callable[[Row], Sequence[Any]], rows: Sequence[Row]) -> list[Sequence[Any]]:
        try:
            return [encode(row) for row in rows]
        except EncodeError:
            return [self._encoded(encode, row) for row in rows]  # raises with the name of the field

    def _unfit(self, row: Row, error: EncodeError) -> EncodeError:
        """The error with the name of the field whose value does not fit."""
        schema, forms = self.statement.schema, self.compiler.dialect.storage.forms
        for field, value in zip(schema.fields, row, strict=True):
            dump = forms[field.type.kind].dump
            if dump is None or value is None or value is DEFAULT:
                continue
            try:
                dump(value)
            except EncodeError:
                return EncodeError(f"{schema.name}.{field.name}: {error.message}", model=schema.model, field=field.name)
        return error

    async def _numbered(self, connection: Connection, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with keys, where some come with one and others do not: so they remain one statement."""
        schema = self.statement.schema
        key = _numbered_key(schema)
        if key is None:
            return rows
        at = schema.fields.index(key)
        given = [row[at] for row in rows if row[at] is not DEFAULT and row[at] is not None]
        wanting = sum(row[at] is DEFAULT for row in rows)
        if not given or not wanting:
            return rows
        await _advance_beyond(connection, schema, key, max(given))
        found = await connection.fetch(
            "SELECT nextval(pg_get_serial_sequence($1, $2)::regclass) FROM generate_series(1, $3::bigint)",
            (quoted(schema.table), key.column, wanting),
        )
        fresh = iter(found)
        return [(*row[:at], next(fresh)[0], *row[at + 1 :]) if row[at] is DEFAULT else row for row in rows]


def _grouped(rows: Sequence[Row], left: Sequence[int]) -> Iterable[tuple[tuple[int, ...], Sequence[Row]]]:
    """Neighbours that leave the same places to the server, with these places."""
    omitted = tuple([place for place in left if rows[0][place] is DEFAULT])
    if all((row[place] is DEFAULT) is (place in omitted) for place in left for row in rows):
        return [(omitted, rows)]
    groups = groupby(rows, lambda row: tuple([place for place in left if row[place] is DEFAULT]))
    return [(omitted, list(together)) for omitted, together in groups]


def _distinct(rows: Sequence[Row], places: Sequence[int]) -> Iterable[list[Row]]:
    """Neighbours of which no two have the same values in these places: one statement changes a row only once."""
    seen: set[tuple[Any, ...]] = set()
    alike: list[Row] = []
    for row in rows:
        values = tuple([row[place] for place in places])
        if (values in seen and None not in values and DEFAULT not in values) or len(alike) == BULK:
            yield alike
            seen, alike = set(), []
        seen.add(values)
        alike.append(row)
    if alike:
        yield alike


def _bulk(schema: Schema, fields: Sequence[Field], returning: Sequence[Field]) -> str:
    """The rows come as one array for each column, and are inserted, and answered, in their order."""
    names = [f"c{number}" for number in range(len(fields))]
    columns = ", ".join(quoted(f.column) for f in fields)
    values = ", ".join(clamped(name, f.type.kind) for name, f in zip(names, fields, strict=True))
    arrays = ", ".join(f"${number}::{array_of(f.type.kind)}" for number, f in enumerate(fields, 1))
    sql = (
        f"INSERT INTO {quoted(schema.table)} ({columns}) SELECT {values} "  # noqa: S608 - quoted names
        f"FROM unnest({arrays}) WITH ORDINALITY AS given ({', '.join(names)}, place) ORDER BY place"
    )
    return sql + _returning(returning)


def _defaults(schema: Schema, returning: Sequence[Field]) -> str:
    """As many rows as asked for, all of whose values the server assigns."""
    return f"INSERT INTO {quoted(schema.table)} SELECT FROM generate_series(1, $1::bigint)" + _returning(returning)


def _returning(fields: Sequence[Field]) -> str:
    return f" RETURNING {', '.join(quoted(f.column) for f in fields)}" if fields else ""


# -- keys


def _numbered_key(schema: Schema) -> Field | None:
    return next((f for f in schema.key if f.generated and f.type.kind is Kind.INT), None)


def _with_key(schema: Schema, row: Row) -> Row:
    for f in schema.assigned:
        if f.generated and f.type.generate is not None:
            place = schema.fields.index(f)
            return (*row[:place], f.type.generate(), *row[place + 1 :]) if row[place] is DEFAULT else row
    return row


def _advance(schema: Schema, key: Field) -> str:
    """An expression of a new row that lets the keys to come be larger than one that was given."""
    sequence = f"pg_get_serial_sequence({_literal(quoted(schema.table))}, {_literal(key.column)})::regclass"
    column = quoted(key.column)
    return (
        f"CASE WHEN {column} >= coalesce(pg_sequence_last_value({sequence}), 1) "
        f"AND has_sequence_privilege({sequence}, 'UPDATE') THEN setval({sequence}, {column}) END"
    )


async def _advance_beyond(connection: Connection, schema: Schema, key: Field, number: int) -> None:
    """Let the keys to come be larger than a number."""
    await connection.fetch(
        "SELECT setval(sequence, $1::bigint) FROM (SELECT pg_get_serial_sequence($2, $3)::regclass AS sequence) AS s "
        "WHERE $1::bigint >= coalesce(pg_sequence_last_value(sequence), 1) "
        "AND has_sequence_privilege(sequence, 'UPDATE')",
        (number, quoted(schema.table), key.column),
    )


async def advance_keys(connection: Connection, schema: Schema, key: Field) -> None:
    """Let the keys to come be larger than those that are there."""
    ((largest,),) = await connection.fetch(f"SELECT max({quoted(key.column)}) FROM {quoted(schema.table)}")  # noqa: S608
    if largest is not None:
        await _advance_beyond(connection, schema, key, largest)


def _literal(text: str) -> str:
    mark = "E'" if "\\" in text else "'"
    return mark + text.replace("\\", "\\\\").replace("'", "''") + "'"
