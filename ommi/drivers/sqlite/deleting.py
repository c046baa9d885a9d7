"""Deleting rows: those that matched are counted, where SQLite leaves out what a cascade took before."""

from __future__ import annotations

import sqlite3

from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.atomic import atomic
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.references import cascades_to_itself
from ommi.query.statements import Count, Delete, Select

__all__ = ["delete"]


def delete(connection: sqlite3.Connection, compiler: Compiler, statement: Delete, *, in_transaction: bool) -> int:
    """Delete the rows of a statement, all or none; how many matched. Raises members of `ommi.errors`."""
    sql, parameters = compiler.prepare(statement)
    try:
        if not cascades_to_itself(compiler, statement.schema):
            return connection.execute(sql, parameters).rowcount
        with atomic(connection, in_transaction=in_transaction):
            counting = compiler.prepare(Count(Select(statement.schema, where=statement.where)))
            matched: int = connection.execute(counting.sql, counting.parameters).fetchone()[0]
            connection.execute(sql, parameters)
            return matched
    except sqlite3.Error as error:
        raise translate(error, connection, compiler, statement, None, sql, parameters) from error
