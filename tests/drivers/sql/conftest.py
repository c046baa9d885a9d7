"""A SQLite connection that runs, synchronously, what the words of `ommi` make."""

import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from ommi import add_all
from ommi.drivers.driver import Request
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.dialect import SQLITE, SQLITE_STORAGE
from ommi.drivers.sqlite.functions import install
from ommi.drivers.sqlite.statements import run
from ommi.effects.effect import Perform
from ommi.models import schema_of
from ommi.query.statements import CreateTables, DropTables, Statement


class Database:
    """Runs the statement of an effect; in the transaction, if one is open."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.execute("PRAGMA foreign_keys = ON")
        install(self.connection)
        self.compiler = Compiler(SQLITE)

    def create(self, *models: type[Any]) -> None:
        self.execute(CreateTables(tuple(map(schema_of, models))))

    def drop(self, *models: type[Any]) -> None:
        self.execute(DropTables(tuple(map(schema_of, models))))

    def execute(self, statement: Statement, read: Any = list) -> Any:
        in_transaction = self.connection.in_transaction
        try:
            return run(self.connection, self.compiler, Request(statement, read), in_transaction=in_transaction)
        finally:
            assert self.connection.in_transaction is in_transaction, "a transaction was left open, or ended"

    def run(self, effect: Any) -> Any:
        assert isinstance(effect, Perform)
        return self.execute(effect.statement)

    def add(self, records: Iterable[Any]) -> None:
        records = list(records)
        if records:
            self.run(add_all(records))

    def all(self, query: Any) -> list[Any]:
        """The records of a query, or the stored tuples of selected columns."""
        select = query.query
        return list(self.execute(select, list if select.columns is not None else schema_reader(select.schema)))

    def sql(self, sql: str, *parameters: Any) -> list[Any]:
        return self.connection.execute(sql, parameters).fetchall()

    def plan(self, statement: Any) -> str:
        """How SQLite goes about a statement."""
        prepared = self.compiler.prepare(statement)
        rows = self.sql(f"EXPLAIN QUERY PLAN {prepared.sql}", *prepared.parameters)
        return "; ".join(row[3] for row in rows)


def schema_reader(schema: Any) -> Any:
    return schema.codec.reader(SQLITE_STORAGE)


@pytest.fixture
def db() -> Iterator[Database]:
    database = Database()
    yield database
    database.connection.close()
