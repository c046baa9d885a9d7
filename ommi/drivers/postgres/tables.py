"""Creating tables and looking whether those that are there fit; dropping them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ommi.drivers.postgres.connection import Connection
from ommi.drivers.postgres.dialect import quoted
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sql.ddl import create_index, create_table, reference_definition
from ommi.drivers.violations import still_referred
from ommi.errors import ForeignKeyViolation, SchemaMismatch
from ommi.query.statements import CreateTables, DropTables
from ommi.schema import Field, Schema
from ommi.values import Kind

__all__ = ["create_tables", "drop_tables"]

_LOCK: Final = "SELECT pg_advisory_xact_lock(7163529402684)"
"""Held while tables are made, since CREATE … IF NOT EXISTS fails when two connections meet in it."""

_COLUMNS: Final = """
SELECT wanted.place, a.attname, format_type(a.atttypid, NULL), a.attnotnull, l.collname
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
JOIN pg_attribute AS a ON a.attrelid = to_regclass(wanted.name) AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_collation AS l ON l.oid = a.attcollation
"""
_INDEXES: Final = """
SELECT wanted.place, c.relname
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
JOIN pg_index AS i ON i.indrelid = to_regclass(wanted.name)
JOIN pg_class AS c ON c.oid = i.indexrelid
UNION ALL
SELECT wanted.place, f.conname
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, place)
JOIN pg_constraint AS f ON f.conrelid = to_regclass(wanted.name) AND f.contype = 'f'
"""
_REFERRING: Final = """
SELECT n.nspname, c.relname, f.conname, t.relname,
    ARRAY(SELECT a.attname FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = ANY (f.conkey))
FROM pg_constraint AS f
JOIN pg_class AS c ON c.oid = f.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_class AS t ON t.oid = f.confrelid
WHERE f.contype = 'f' AND f.conparentid = 0
AND f.confrelid = ANY (ARRAY(SELECT to_regclass(name) FROM unnest($1::text[]) AS name)::oid[])
AND NOT EXISTS (SELECT FROM unnest($1::text[]) AS name WHERE to_regclass(name) = f.conrelid)
ORDER BY c.oid, f.oid
"""


async def create_tables(connection: Connection, compiler: Compiler, statement: CreateTables) -> None:
    """Create what is missing, in a transaction; `SchemaMismatch` if a table that is there does not fit its model."""
    schemas, dialect = statement.schemas, compiler.dialect
    compiler.learn(*schemas)
    scripts = [create_table(schema, dialect) for schema in schemas]
    await connection.command(_LOCK)
    names = [quoted(schema.table) for schema in schemas]
    there: dict[int, dict[str, tuple[str, bool, str | None]]] = {}
    for place, column, declared, required, collation in await connection.fetch(_COLUMNS, (names,)):
        there.setdefault(place - 1, {})[column] = (declared, required, collation)
    for place, columns in there.items():
        _require_fit(schemas[place], columns)
    made: set[tuple[int, str]] = set()
    if there:
        made = {(place - 1, name) for place, name in await connection.fetch(_INDEXES, (names,))}
    commands = [table for place, (table, *_) in enumerate(scripts) if place not in there]
    for place, schema in enumerate(schemas):
        commands += [
            create_index(index, schema, dialect) for index in schema.indexes if (place, index.name) not in made
        ]
    for place, schema in enumerate(schemas):
        commands += [
            f"ALTER TABLE {names[place]} ADD {reference_definition(reference, dialect)}"
            for reference in schema.references
            if reference.enforced and (place, reference.name) not in made
        ]
    if commands:
        await connection.command(";\n".join(commands))


async def drop_tables(connection: Connection, compiler: Compiler, statement: DropTables) -> None:
    """Drop what is there, in a transaction; `ForeignKeyViolation` if rows of a table that stays refer to it."""
    compiler.learn(*statement.schemas)
    names = [quoted(schema.table) for schema in statement.schemas]
    if not names:
        return
    for namespace, table, constraint, target, columns in await connection.fetch(_REFERRING, (names,)):
        qualified = f"{quoted(namespace)}.{quoted(table)}"
        refers = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in columns)
        ((referred,),) = await connection.fetch(f"SELECT EXISTS (SELECT 1 FROM {qualified} WHERE {refers})")  # noqa: S608
        if referred:
            raise _referred(compiler, table, constraint, target)
        # the rows that may come refer to nothing any more, as the table is gone
        await connection.command(f"ALTER TABLE {qualified} DROP CONSTRAINT {quoted(constraint)}")
    await connection.command("SET LOCAL client_min_messages = warning")
    await connection.command(f"DROP TABLE IF EXISTS {', '.join(names)}")


def _referred(compiler: Compiler, table: str, constraint: str, target: str) -> ForeignKeyViolation:
    schema = compiler.known.get(table)
    for reference in () if schema is None else schema.references:
        if reference.name == constraint and schema is not None:
            return still_referred(schema, reference)
    return ForeignKeyViolation(
        f"rows of the table {table!r} ({constraint}) still refer to the table {target!r}: drop it, too",
        model=None if schema is None else schema.model,
        fields=(),
        constraint=constraint,
    )


# -- does a table fit?

_HOLDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.INT: ("bigint", "integer", "smallint"),
    Kind.FLOAT: ("double precision",),
    Kind.BOOL: ("boolean",),
    Kind.STR: ("text", "character varying"),
    Kind.BYTES: ("bytea",),
    Kind.DECIMAL: ("numeric",),
    Kind.DATETIME: ("timestamp with time zone",),
    Kind.NAIVE_DATETIME: ("timestamp without time zone",),
    Kind.DATE: ("date",),
    Kind.TIME: ("time without time zone",),
    Kind.TIMEDELTA: ("interval",),
    Kind.UUID: ("uuid",),
    Kind.JSON: ("jsonb",),
}
_BY_CODE_POINT: Final = ("C", "POSIX", "ucs_basic", "pg_c_utf8")


def _require_fit(schema: Schema, there: Mapping[str, tuple[str, bool, str | None]]) -> None:
    differences = [said for field in schema.fields for said in _differences(schema, field, there)]
    if differences:
        raise SchemaMismatch(
            f"the table {schema.table!r} is there but not as {schema.name} describes it: {'; '.join(differences)}. "
            "Change the model or the table, or drop the table (db.schema.drop()) and create it anew",
            model=schema.model,
        )


def _differences(schema: Schema, field: Field, there: Mapping[str, tuple[str, bool, str | None]]) -> Sequence[str]:
    wanted = _HOLDS[field.type.kind]
    if field.column not in there:
        return [f"the column {field.column!r} ({wanted[0]}) for {schema.name}.{field.name} is missing"]
    declared, required, collation = there[field.column]
    found: list[str] = []
    if declared not in wanted:
        found.append(f"the column {field.column!r} is {declared} in place of {wanted[0]}")
    if required is field.nullable:
        found.append(f"the column {field.column!r} {'must not' if required else 'may'} be missing")
    if field.type.kind is Kind.STR and declared in wanted and collation not in _BY_CODE_POINT:
        found.append(
            f'the column {field.column!r} has the collation {collation} in place of "C", the order of code points'
        )
    return found
