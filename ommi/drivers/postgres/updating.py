"""Updating rows: unique values count when the statement is over, where PostgreSQL looks after each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import uuid4

import asyncpg

from ommi.drivers.postgres.connection import Connection
from ommi.drivers.postgres.dialect import array_of, clamped, quoted
from ommi.drivers.postgres.errors import references_to, uniques
from ommi.drivers.postgres.insertion import advance_keys
from ommi.drivers.sql.compiler import Compiler
from ommi.query.expressions import And, Column, Comparison, Literal
from ommi.query.statements import Lock, Select, Update
from ommi.schema import Field, Schema
from ommi.values import Kind

__all__ = ["is_tried", "update"]

_MOVABLE: Final = (Kind.INT, Kind.STR, Kind.UUID)


def is_tried(statement: Update, compiler: Compiler) -> bool:
    """Whether the statement may have to be run in another way, so that a savepoint has to be set before it.

    So it is where unique values are computed from others, for rows may change places; and where several references
    may be broken at once, for the server reports one of them in an order of its own.
    """
    return bool(_computed(statement)) or len(_touched(statement, compiler)) > 1


def _touched(statement: Update, compiler: Compiler) -> list[str]:
    """The references that may be broken, in the order in which they are to be reported: their own, then those to them.

    Those of its own alone are reported as declared if there is but one row.
    """
    schema = statement.schema
    if not schema.references:
        return []
    assigned = {f for f, _ in statement.assignments}
    own = [r.name for r in schema.references if r.enforced and not assigned.isdisjoint(r.fields)]
    if not own:
        return []
    columns = {f.column for f in assigned}
    others = [
        r.name for r, fields in references_to(schema, compiler) if not columns.isdisjoint(f.column for f in fields)
    ]
    return own[:1] if not others and _is_by_key(statement) else own + others


def _is_by_key(statement: Update) -> bool:
    where = statement.where
    parts = where.parts if isinstance(where, And) else (where,)
    equal = {
        part.left.field
        for part in parts
        if isinstance(part, Comparison) and part.operator == "==" and isinstance(part.left, Column)
    }
    return equal.issuperset(statement.schema.key)


async def _check_in_order(connection: Connection, compiler: Compiler, statement: Update, error: Exception) -> None:
    """Run the statement once more, with each reference looked at in its turn: the first that is broken is raised."""
    await connection.command("SET CONSTRAINTS ALL DEFERRED")
    await connection.run(*compiler.prepare(statement))
    names = "; ".join(f"SET CONSTRAINTS {quoted(name)} IMMEDIATE" for name in _touched(statement, compiler))
    try:
        await connection.command(f"{names}; SET CONSTRAINTS ALL IMMEDIATE")
    except asyncpg.ForeignKeyViolationError:
        raise
    except asyncpg.PostgresError:  # the constraints are not those that Ommi makes
        raise error from None


def _computed(statement: Update) -> set[Field]:
    computed = {f for f, value in statement.assignments if not isinstance(value, Literal)}
    return computed & {f for fields, _ in uniques(statement.schema) for f in fields} if computed else computed


async def update(connection: Connection, compiler: Compiler, statement: Update) -> int:
    """Update the rows of a statement, all or none; how many matched."""
    sql, parameters = compiler.prepare(statement)
    if not is_tried(statement, compiler):
        return await connection.run(sql, parameters)
    await connection.command("SAVEPOINT ommi_update")
    try:
        matched = await connection.run(sql, parameters)
    except asyncpg.UniqueViolationError:
        away = _away(statement)
        if not away:  # nothing is in its own way
            raise
        await connection.command("ROLLBACK TO ommi_update")
        matched = await _moved(connection, compiler, statement, away)
    except asyncpg.ForeignKeyViolationError as error:
        await connection.command("ROLLBACK TO ommi_update")
        await _check_in_order(connection, compiler, statement, error)
        raise
    await connection.command("RELEASE ommi_update")
    for key in statement.schema.key:
        if matched and key.generated and key.type.kind is Kind.INT and any(f is key for f, _ in statement.assignments):
            await advance_keys(connection, statement.schema, key)
    return matched


def _away(statement: Update) -> dict[Field, bool] | None:
    """The fields whose values are moved out of the way, and whether they may be missing meanwhile.

    `None` if there is a unique value for which there is no place; none where no unique value is computed.
    """
    computed = _computed(statement)
    found: dict[Field, bool] = {}
    for fields, _ in uniques(statement.schema):
        moving = [f for f in fields if f in computed]
        if not moving or any(f in found for f in moving):
            continue
        free = next((f for f in moving if f.nullable), None)
        chosen = free or next((f for f in moving if f.type.kind in _MOVABLE), None)
        if chosen is None:
            return None
        found[chosen] = free is not None
    return found


async def _moved(connection: Connection, compiler: Compiler, statement: Update, away: dict[Field, bool]) -> int:
    """Change the rows with their unique values out of the way: to values that no row has, and then to the new ones."""
    schema = statement.schema
    columns = (*(Column(schema, f) for f in schema.key), *(value for _, value in statement.assignments))
    selected = compiler.prepare(Select(schema, columns, statement.where, lock=Lock()))
    rows = [tuple(row) for row in await connection.fetch(*selected)]
    await connection.command("SET CONSTRAINTS ALL DEFERRED")
    old = [row[: len(schema.key)] for row in rows]
    between = dict(zip(away, [await _free(connection, schema, f, len(rows), away[f]) for f in away], strict=True))
    await _set(connection, schema, list(between), old, list(zip(*between.values(), strict=True)))
    # a row is found by its key as it is now
    now = [
        tuple(between[f][number] if f in between else value for f, value in zip(schema.key, key, strict=True))
        for number, key in enumerate(old)
    ]
    fields = [f for f, _ in statement.assignments]
    await _set(connection, schema, fields, now, [row[len(schema.key) :] for row in rows])
    await connection.command("SET CONSTRAINTS ALL IMMEDIATE")
    return len(rows)


async def _free(connection: Connection, schema: Schema, field: Field, count: int, missing: bool) -> list[Any]:
    """Values of a field that no row has."""
    if missing:
        return [None] * count
    match field.type.kind:
        case Kind.UUID:
            return [uuid4() for _ in range(count)]
        case Kind.STR:
            mark = f"\U0010ffff{uuid4()}"
            return [f"{mark}{number}" for number in range(count)]
        case _:
            sql = f"SELECT least(min({quoted(field.column)}), 0) FROM {quoted(schema.table)}"  # noqa: S608 - quoted names
            ((least,),) = await connection.fetch(sql)
            return [least - 1 - number for number in range(count)]


async def _set(
    connection: Connection,
    schema: Schema,
    fields: Sequence[Field],
    keys: Sequence[tuple[Any, ...]],
    values: Sequence[tuple[Any, ...]],
) -> None:
    """Set fields in the rows with these keys."""
    arrays = [*zip(*keys, strict=True), *zip(*values, strict=True)]
    given = [*schema.key, *fields]
    source = ", ".join(f"${number}::{array_of(f.type.kind)}" for number, f in enumerate(given, 1))
    names = [f"c{number}" for number in range(len(given))]
    taken = [clamped(f"given.{name}", f.type.kind) for name, f in zip(names, given, strict=True)]
    sets = ", ".join(_pairs(fields, taken[len(schema.key) :], ""))
    where = " AND ".join(_pairs(schema.key, taken, f"{quoted(schema.table)}."))
    sql = f"UPDATE {quoted(schema.table)} SET {sets} FROM unnest({source}) AS given ({', '.join(names)}) WHERE {where}"  # noqa: S608
    await connection.run(sql, [list(column) for column in arrays])


def _pairs(fields: Sequence[Field], values: Sequence[str], prefix: str) -> Iterator[str]:
    for field, value in zip(fields, values, strict=False):
        yield f"{prefix}{quoted(field.column)} = {value}"
