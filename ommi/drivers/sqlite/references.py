"""Which reference a failed statement broke: SQLite says only that one did, so each is asked for with a query."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from typing import Any, TypeAlias, assert_never, final

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sql.fragment import Fragment, fill, joined, text
from ommi.drivers.sql.translation import Scope, Translation
from ommi.drivers.violations import missing_row, still_referred
from ommi.errors import ForeignKeyViolation
from ommi.frozen import frozen
from ommi.query.expressions import Literal
from ommi.query.outline import outline
from ommi.query.statements import (
    AdvisoryLock,
    Count,
    CreateTables,
    Delete,
    DropTables,
    Exists,
    Insert,
    MongoCommand,
    OnConflict,
    Select,
    Sql,
    Statement,
    Update,
)
from ommi.schema import Field, OnDelete, Reference, Row, Schema
from ommi.values import DEFAULT

__all__ = ["ForeignKey", "cascades_to_itself", "foreign_keys", "missing_reference", "violated_reference"]

Going: TypeAlias = Callable[[str], Fragment]
"""The condition that a row of a table, under an alias, is one that goes away."""


@final
@frozen
class ForeignKey:
    """A foreign key in the database: its table and columns, and those it refers to (`None`: the key there)."""

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str | None, ...]


def foreign_keys(connection: sqlite3.Connection) -> list[ForeignKey]:
    """Every foreign key in the database, in the order in which they were declared."""
    rows = connection.execute(
        'SELECT t.name, f.id, f."table", f."from", f."to" '
        "FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f "
        "WHERE t.type = 'table' ORDER BY t.rowid, f.id DESC, f.seq"
    )
    found = []
    for (table, _, target), parts in groupby(rows, lambda row: row[:3]):
        columns, target_columns = zip(*[row[3:] for row in parts], strict=True)
        found.append(ForeignKey(table, columns, target, target_columns))
    return found


def cascades_to_itself(compiler: Compiler, schema: Schema) -> bool:
    """Whether deleting rows of a table can take further rows of the same table along."""
    reached: list[Schema] = [schema]
    for parent in reached:  # grows
        for child, reference, _ in _referring(compiler, parent):
            if reference.on_delete is not OnDelete.CASCADE:
                continue
            if child.table == schema.table:
                return True
            if child not in reached:
                reached.append(child)
    return False


def violated_reference(
    connection: sqlite3.Connection, compiler: Compiler, statement: Statement, row: Row | None
) -> ForeignKeyViolation | None:
    """The violation that a statement failed with, asked of the database as it was before; `None` if not found."""
    with suppress(sqlite3.Error):  # the statement's own error tells more than one of these questions failing
        match statement:
            case Insert(schema, on_conflict=on_conflict):
                if row is None:
                    return None
                values = compiler.stored(schema, row)
                if on_conflict is not None:
                    return _after_upsert(connection, compiler, schema, on_conflict, values)
                return missing_reference(connection, compiler, schema, values)
            case Update():
                return _after_update(connection, compiler, statement)
            case Delete():
                return _after_delete(connection, compiler, statement)
            case (
                Select() | Count() | Exists() | CreateTables() | DropTables() | AdvisoryLock() | Sql() | MongoCommand()
            ):
                return None
            case _:
                assert_never(statement)
    return None


def missing_reference(
    connection: sqlite3.Connection, compiler: Compiler, schema: Schema, values: Mapping[str, Any]
) -> ForeignKeyViolation | None:
    """The first reference of a row, of stored values by column, to a row that is not there."""
    quote = compiler.dialect.query.quote
    for reference in schema.references:
        if not reference.enforced:
            continue
        found = _target(reference)
        if found is None:
            continue
        target, fields = found
        given = [values[field.column] for field in reference.fields]
        if any(value is None or value is DEFAULT for value in given):
            continue
        if target.table == schema.table and given == [values[field.column] for field in fields]:
            continue  # to itself
        where = " AND ".join(f"{quote(field.column)} = ?" for field in fields)
        sql = f"SELECT EXISTS (SELECT 1 FROM {quote(target.table)} WHERE {where})"  # noqa: S608 - quoted names
        if not connection.execute(sql, given).fetchone()[0]:
            return missing_row(schema, reference)
    return None


# -- after an upsert


def _after_upsert(
    connection: sqlite3.Connection,
    compiler: Compiler,
    schema: Schema,
    on_conflict: OnConflict,
    values: Mapping[str, Any],
) -> ForeignKeyViolation | None:
    quote = compiler.dialect.query.quote
    columns = ", ".join(quote(f.column) for f in schema.fields)
    where = " AND ".join(f"{quote(f.column)} = ?" for f in on_conflict.fields)
    sql = f"SELECT {columns} FROM {quote(schema.table)} WHERE {where}"  # noqa: S608 - quoted names
    there = connection.execute(sql, [_given(values[f.column]) for f in on_conflict.fields]).fetchone()
    if there is None:
        return missing_reference(connection, compiler, schema, values)
    old = dict(zip((f.column for f in schema.fields), there, strict=True))
    new = {**old, **{f.column: values[f.column] for f in on_conflict.update}}
    missing = missing_reference(connection, compiler, schema, new)
    if missing is not None:
        return missing
    for child, reference, fields in _referring(compiler, schema):
        if all(old[f.column] == new[f.column] for f in fields):
            continue
        refers = " AND ".join(f"{quote(f.column)} = ?" for f in reference.fields)
        sql = f"SELECT EXISTS (SELECT 1 FROM {quote(child.table)} WHERE {refers})"  # noqa: S608 - quoted names
        if connection.execute(sql, [old[f.column] for f in fields]).fetchone()[0]:
            return still_referred(child, reference)
    return None


def _given(value: Any) -> Any:
    return None if value is DEFAULT else value


# -- after an update


def _after_update(connection: sqlite3.Connection, compiler: Compiler, statement: Update) -> ForeignKeyViolation | None:
    schema = statement.schema
    assigned = {f.column for f, _ in statement.assignments}
    for reference in schema.references:
        if reference.enforced and assigned & {f.column for f in reference.fields}:
            found = _target(reference)
            if found is not None and _answer(
                connection, compiler, statement, _dangles(compiler, statement, reference, *found)
            ):
                return missing_row(schema, reference)
    for child, reference, fields in _referring(compiler, schema):
        if assigned & {f.column for f in fields}:
            question = _leaves(compiler, statement, child, reference, fields)
            if _answer(connection, compiler, statement, question):
                return still_referred(child, reference)
    return None


def _changed(
    compiler: Compiler, statement: Update, alias: str | None = None
) -> tuple[str, Fragment, dict[str, Fragment]]:
    """The table, the condition on its rows, and their new values by column."""
    schema, quote = statement.schema, compiler.dialect.query.quote
    table = quote(schema.table)
    translation = Translation(compiler.dialect, compiler.dialect.query)
    name = table if alias is None else alias
    scope = Scope(schema, f"{name}.", depth=0 if alias is None else 1)
    new = {f.column: text(f"{name}.{quote(f.column)}") for f in schema.fields}
    new |= {f.column: translation.assigned(f, value, scope) for f, value in statement.assignments}
    where = text("TRUE") if statement.where is None else translation.where(statement.where, scope)
    return table, where, new


def _dangles(
    compiler: Compiler, statement: Update, reference: Reference, target: Schema, fields: tuple[Field, ...]
) -> Fragment:
    """Whether a row to be changed would refer to one that is not there."""
    quote = compiler.dialect.query.quote
    table, where, new = _changed(compiler, statement)
    values = [new[f.column] for f in reference.fields]
    present = joined(" AND ", [fill("{0} IS NOT NULL", value) for value in values])
    pairs = list(zip(values, fields, strict=True))
    if target.table == statement.schema.table:
        there = _then_there(compiler, statement, pairs)
    else:
        same = joined(" AND ", [fill("parent.{0} = {1}", text(quote(f.column)), value) for value, f in pairs])
        there = fill("SELECT 1 FROM {0} AS parent WHERE {1}", text(quote(target.table)), same)
    return fill(
        "SELECT EXISTS (SELECT 1 FROM {0} WHERE ({1}) AND {2} AND NOT EXISTS ({3}))", text(table), where, present, there
    )


def _leaves(
    compiler: Compiler, statement: Update, child: Schema, reference: Reference, fields: tuple[Field, ...]
) -> Fragment:
    """Whether a row to be changed would leave one behind that refers to it."""
    quote = compiler.dialect.query.quote
    table, where, new = _changed(compiler, statement)
    pairs = list(zip(reference.fields, fields, strict=True))
    refers = text(" AND ".join(f"child.{quote(f.column)} = {table}.{quote(to.column)}" for f, to in pairs))
    changes = [fill("{0} IS NOT {1}", text(f"{table}.{quote(to.column)}"), new[to.column]) for _, to in pairs]
    wanted = [(text(f"child.{quote(f.column)}"), to) for f, to in pairs]
    return fill(
        "SELECT EXISTS (SELECT 1 FROM {0}, {1} AS child WHERE ({2}) AND {3} AND ({4}) AND NOT EXISTS ({5}))",
        text(table),
        text(quote(child.table)),
        where,
        refers,
        joined(" OR ", changes),
        _then_there(compiler, statement, wanted),
    )


def _then_there(compiler: Compiler, statement: Update, wanted: list[tuple[Fragment, Field]]) -> Fragment:
    """The rows that will have the values wanted, when all rows are changed."""
    quote = compiler.dialect.query.quote
    table, where, new = _changed(compiler, statement, "later")
    same = [
        fill("CASE WHEN {0} THEN {1} ELSE later.{2} END = {3}", where, new[f.column], text(quote(f.column)), value)
        for value, f in wanted
    ]
    return fill("SELECT 1 FROM {0} AS later WHERE {1}", text(table), joined(" AND ", same))


# -- after a delete


def _after_delete(connection: sqlite3.Connection, compiler: Compiler, statement: Delete) -> ForeignKeyViolation | None:
    def deleted(alias: str) -> Fragment:
        if statement.where is None:
            return text("TRUE")
        # each time anew from the first literal on
        translation = Translation(compiler.dialect, compiler.dialect.query)
        return fill("({0})", translation.where(statement.where, Scope(statement.schema, f"{alias}.", depth=1)))

    quote = compiler.dialect.query.quote
    going: list[tuple[Schema, Going]] = [(statement.schema, deleted)]
    for parent, condition in going:  # grows
        for child, reference, fields in _referring(compiler, parent):
            refers = _refers_to(quote, parent, condition, reference, fields, f"going_{len(going)}")
            match reference.on_delete:
                case OnDelete.CASCADE:
                    if all(schema.table != child.table for schema, _ in going):
                        going.append((child, refers))
                case OnDelete.RESTRICT:
                    gone = [is_gone("child") for schema, is_gone in going if schema.table == child.table]
                    stays = [fill("NOT coalesce({0}, FALSE)", condition) for condition in gone]
                    where = joined(" AND ", [refers("child"), *stays])
                    table = text(quote(child.table))
                    question = fill("SELECT EXISTS (SELECT 1 FROM {0} AS child WHERE {1})", table, where)
                    if _answer(connection, compiler, statement, question):
                        return still_referred(child, reference)
                case OnDelete.SET_NULL:
                    pass  # that fails as a missing value, if at all
                case _:
                    assert_never(reference.on_delete)
    return None


def _refers_to(
    quote: Callable[[str], str],
    parent: Schema,
    going: Going,
    reference: Reference,
    fields: tuple[Field, ...],
    alias: str,
) -> Going:
    """The condition that a row refers to one of those that go away."""

    def refers(child: str) -> Fragment:
        pairs = zip(reference.fields, fields, strict=True)
        same = [text(f"{child}.{quote(f.column)} = {alias}.{quote(to.column)}") for f, to in pairs]
        where = joined(" AND ", [*same, going(alias)])
        return fill("EXISTS (SELECT 1 FROM {0} AS {1} WHERE {2})", text(quote(parent.table)), text(alias), where)

    return refers


def _referring(compiler: Compiler, target: Schema) -> Iterator[tuple[Schema, Reference, tuple[Field, ...]]]:
    """The enforced references to a table among the schemas known, with the fields they refer to."""
    for schema in tuple(compiler.known.values()):
        for reference in schema.references:
            found = _target(reference) if reference.enforced else None
            if found is not None and found[0].table == target.table:
                yield schema, reference, found[1]


def _target(reference: Reference) -> tuple[Schema, tuple[Field, ...]] | None:
    try:
        return reference.target()
    except TypeError:  # a model that was not declared yet, so it is not the one at hand
        return None


def _answer(connection: sqlite3.Connection, compiler: Compiler, statement: Update | Delete, question: Fragment) -> bool:
    literals: list[Literal] = []
    outline(statement, literals)
    prepared = compiler.finish(question, [literal.value for literal in literals])
    return bool(connection.execute(prepared.sql, prepared.parameters).fetchone()[0])
