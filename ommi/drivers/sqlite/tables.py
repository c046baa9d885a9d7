"""Creating tables and looking whether those that are there fit; dropping them."""

from __future__ import annotations

import sqlite3

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sql.ddl import create_table, drop_table
from ommi.drivers.sqlite.atomic import atomic, checking_references_later
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.references import ForeignKey, foreign_keys
from ommi.drivers.violations import still_referred
from ommi.errors import ForeignKeyViolation, SchemaMismatch
from ommi.query.statements import CreateTables, DropTables
from ommi.schema import Schema

__all__ = ["create_tables", "drop_tables"]


def create_tables(
    connection: sqlite3.Connection, compiler: Compiler, statement: CreateTables, *, in_transaction: bool
) -> None:
    """Create what is missing, all or nothing; `SchemaMismatch` if a table that is there does not fit its model."""
    compiler.learn(*statement.schemas)
    scripts = [create_table(schema, compiler.dialect) for schema in statement.schemas]
    sql: str | None = None
    try:
        with atomic(connection, in_transaction=in_transaction):
            for sql, *_ in scripts:
                connection.execute(sql)
            for schema in statement.schemas:
                _require_fit(connection, compiler, schema)
            for _, *indexes in scripts:
                for sql in indexes:
                    connection.execute(sql)
    except sqlite3.Error as error:
        raise translate(error, connection, compiler, statement, sql=sql) from error


def drop_tables(
    connection: sqlite3.Connection, compiler: Compiler, statement: DropTables, *, in_transaction: bool
) -> None:
    """Drop what is there, all or nothing; `ForeignKeyViolation` if rows of a table that stays refer to it."""
    compiler.learn(*statement.schemas)
    sql: str | None = None
    try:
        with atomic(connection, in_transaction=in_transaction):
            _require_unreferenced(connection, compiler, statement)
            # the tables may refer to each other in a circle: what dangles in between goes with them
            with checking_references_later(connection):
                for schema in statement.schemas:
                    sql = drop_table(schema, compiler.dialect)
                    connection.execute(sql)
    except sqlite3.Error as error:
        raise translate(error, connection, compiler, statement, sql=sql) from error


# -- does a table fit?


def _require_fit(connection: sqlite3.Connection, compiler: Compiler, schema: Schema) -> None:
    types = compiler.dialect.types
    there = {
        name.casefold(): (declared, bool(required) or bool(key))
        for name, declared, required, key in connection.execute(
            'SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (schema.table,)
        )
    }
    differences: list[str] = []
    for field in schema.fields:
        wanted = types[field.type.kind]
        if field.column.casefold() not in there:
            differences.append(f"the column {field.column!r} ({wanted}) for {schema.name}.{field.name} is missing")
            continue
        declared, required = there[field.column.casefold()]
        if not _holds(declared, wanted):
            differences.append(f"the column {field.column!r} is {declared or 'without a type'} in place of {wanted}")
        if required is field.nullable:
            differences.append(f"the column {field.column!r} {'must not' if required else 'may'} be missing")
    if differences:
        raise SchemaMismatch(
            f"the table {schema.table!r} is there but not as {schema.name} describes it: {'; '.join(differences)}. "
            "Change the model or the table, or drop the table (db.schema.drop()) and create it anew",
            model=schema.model,
        )


def _holds(declared: str, wanted: str) -> bool:
    """Whether a column of a declared type keeps what is written to one of the wanted type (its affinity)."""
    found = _affinity(declared)
    return found == wanted or (wanted == "INTEGER" and found == "NUMERIC")


def _affinity(declared: str) -> str:
    """The affinity of a declared type (https://www.sqlite.org/datatype3.html#determination_of_column_affinity)."""
    name = declared.upper()
    if "INT" in name:
        return "INTEGER"
    if any(part in name for part in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in name or not name:
        return "BLOB"
    return "REAL" if any(part in name for part in ("REAL", "FLOA", "DOUB")) else "NUMERIC"


# -- may a table go?


def _require_unreferenced(connection: sqlite3.Connection, compiler: Compiler, statement: DropTables) -> None:
    going = {schema.table.casefold() for schema in statement.schemas}
    quote = compiler.dialect.query.quote
    for key in foreign_keys(connection):
        if key.table.casefold() in going or key.target.casefold() not in going:
            continue
        refers = " AND ".join(f"{quote(column)} IS NOT NULL" for column in key.columns)
        sql = f"SELECT EXISTS (SELECT 1 FROM {quote(key.table)} WHERE {refers})"  # noqa: S608 - quoted names
        if connection.execute(sql).fetchone()[0]:
            raise _referred(compiler, key)


def _referred(compiler: Compiler, key: ForeignKey) -> ForeignKeyViolation:
    schema = compiler.known.get(key.table)
    if schema is not None:
        for reference in schema.references:
            if tuple(field.column for field in reference.fields) == key.columns:
                return still_referred(schema, reference)
    return ForeignKeyViolation(
        f"rows of the table {key.table!r} ({', '.join(key.columns)}) still refer to the table {key.target!r}: "
        "drop it, too",
        model=None if schema is None else schema.model,
        fields=(),
        constraint=None,
    )
