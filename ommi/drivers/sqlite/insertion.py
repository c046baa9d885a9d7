"""Inserting rows: one by one, or many in one transaction with the keys known beforehand."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby, islice
from operator import length_hint
from typing import Any, Final, NamedTuple, TypeAlias, final

from ommi.drivers.sql.assigned import assigned_values
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.atomic import atomic, checking_references_later
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.references import missing_reference
from ommi.errors import EncodeError, OmmiError
from ommi.frozen import frozen
from ommi.query.statements import Insert
from ommi.schema import Field, Row, Schema
from ommi.values import DEFAULT, MAX_INT

__all__ = ["PreparedRow", "insert", "prepare_row"]

Stored: TypeAlias = tuple[Any, ...]

_AT_ONCE: Final = 1_000


def insert(
    connection: sqlite3.Connection, compiler: Compiler, statement: Insert, *, in_transaction: bool
) -> list[Stored]:
    """Insert the rows of a statement, all or none; see `Insert` for the answer. Raises members of `ommi.errors`."""
    if not statement.rows:
        return []
    work = _Insertion(connection, compiler, statement)
    if len(statement.rows) == 1:
        try:
            return [work.one(statement.rows[0])]
        except sqlite3.Error as error:
            raise work.meaning(error) from error
    try:
        with atomic(connection, in_transaction=in_transaction):
            return _many(work)
    except sqlite3.Error as error:  # of the transaction itself: BEGIN, COMMIT, SAVEPOINT
        raise translate(error, connection, compiler, statement) from error


def _many(work: _Insertion) -> list[Stored]:
    try:
        with atomic(work.connection, in_transaction=True):
            return work.many()
    except _Dangling:
        # a row may refer to a later one: what counts is how it stands when all are there
        with checking_references_later(work.connection):
            answer = work.many(references_later=True)
            work.require_references(answer)
            return answer


class _Dangling(Exception):
    """A row refers to one that is not there, yet."""


@final
class _Insertion:
    """One statement under way; `row`, `sql` and `parameters` are those of the row under way, for the error."""

    __slots__ = ("_facts", "compiler", "connection", "parameters", "row", "sql", "statement")

    def __init__(self, connection: sqlite3.Connection, compiler: Compiler, statement: Insert) -> None:
        self.connection = connection
        self.compiler = compiler
        self.statement = statement
        self._facts = _facts(statement.schema)
        self.row: Row | None = None
        self.sql: str | None = None
        self.parameters: Sequence[Any] = ()

    def meaning(self, error: sqlite3.Error) -> OmmiError:
        """What the failure of the row under way means."""
        return translate(error, self.connection, self.compiler, self.statement, self.row, self.sql, self.parameters)

    def one(self, row: Row) -> Stored:
        """Insert one row with one statement."""
        one = prepare_row(self.compiler, self.statement, row)
        self.row, self.sql, self.parameters = one.row, one.sql, one.parameters
        return one.answer(self.connection.execute(one.sql, one.parameters))

    def many(self, *, references_later: bool = False) -> list[Stored]:
        """Insert all rows within a transaction. Raises `_Dangling`, unless references are looked at later."""
        try:
            return self._many()
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY and not references_later:
                raise _Dangling from error
            # before the rollback: what is there tells which rule was broken
            raise self.meaning(error) from error

    def require_references(self, answer: Sequence[Stored]) -> None:
        """`ForeignKeyViolation` for the first row that refers to one that is not there."""
        schema = self.statement.schema
        for row, written in zip(self.statement.rows, answer, strict=True):
            if self.statement.on_conflict is None:
                values = self.compiler.stored(schema, row)
            else:
                values = {f.column: value for f, value in zip(schema.fields, written, strict=True)}
            missing = missing_reference(self.connection, self.compiler, schema, values)
            if missing is not None:
                raise missing

    def _many(self) -> list[Stored]:
        rows = self._with_keys()
        if rows is None or self.statement.on_conflict is not None:
            return self._singly(self.statement.rows)
        fields = self.statement.schema.fields
        left = [n for n, f in enumerate(fields) if f.server_default is not None]
        if not left:
            return self._alike(rows)
        answers: list[Stored] = []
        # rows in their order, those that leave nothing to the database as many at once as stand together
        for complete, together in groupby(rows, lambda row: all(row[n] is not DEFAULT for n in left)):
            run = self._alike if complete else self._singly
            answers += run(together)
        return answers

    def _alike(self, rows: Iterable[Row]) -> list[Stored]:
        plan, answers = self.compiler.insert(self.statement.schema), list[Stored]()
        self.sql = plan.sql
        remaining = iter(rows)
        while some := list(islice(remaining, _AT_ONCE)):
            encoded, unfit = _encoded(plan.encode, some)
            parameters = iter(encoded)
            try:
                self.connection.executemany(plan.sql, parameters)
            except sqlite3.Error:
                under_way = len(encoded) - length_hint(parameters) - 1
                self.row, self.parameters = some[under_way], encoded[under_way]
                raise
            if unfit is not None:
                raise unfit
            answers += map(self._facts.pick, encoded)
        return answers

    def _singly(self, rows: Iterable[Row]) -> list[Stored]:
        return [self.one(row) for row in rows]

    def _with_keys(self) -> Iterable[Row] | None:
        """The rows with the keys that the database would give them; `None` if it has to choose them itself."""
        rows, key = self.statement.rows, self._facts.key
        if key is None:
            return rows
        at, generate = self._facts.place, self._facts.generate
        if generate is not None:
            return [_replaced(row, at, generate()) if row[at] is DEFAULT else row for row in rows]
        quote = self.compiler.dialect.query.quote
        sql = f"SELECT max({quote(key.column)}) FROM {quote(self.statement.schema.table)}"  # noqa: S608 - quoted names
        self.sql = sql
        largest = self.connection.execute(sql).fetchone()[0] or 0
        given = [row[at] for row in rows if row[at] is not DEFAULT]
        if max(largest, *given, 0) + len(rows) > MAX_INT:
            return None  # it finds a key that is free among the smaller ones
        return _numbered(rows, at, max(largest, 0) + 1)


@final
class PreparedRow(NamedTuple):
    """A row and the statement that inserts it."""

    sql: str
    parameters: Sequence[Any]
    row: Row
    returning: bool
    omits_key: bool
    pick: Callable[[Sequence[Any]], Stored]

    def answer(self, cursor: sqlite3.Cursor) -> Stored:
        """What the database assigned, of the statement's cursor."""
        if self.returning:
            (answer,) = cursor.fetchall()  # to its end: only then is the statement over
            return tuple(answer)
        return (cursor.lastrowid,) if self.omits_key else self.pick(self.parameters)


def prepare_row(compiler: Compiler, statement: Insert, row: Row) -> PreparedRow:
    """How one row is inserted with one statement. Raises the `EncodeError` of a value that does not fit."""
    schema, on_conflict = statement.schema, statement.on_conflict
    facts = _facts(schema)
    if facts.generate is not None:
        row = _replaced(row, facts.place, facts.generate())
    omitted = tuple([f for f, value in zip(schema.fields, row, strict=True) if value is DEFAULT])
    known = not omitted or (facts.key is not None and omitted == (facts.key,) == facts.assigned)
    returning = schema.fields if on_conflict is not None else () if known else facts.assigned
    plan = compiler.insert(schema, omitted, on_conflict, returning)
    return PreparedRow(plan.sql, plan.encode(row), row, bool(returning), bool(omitted), facts.pick)


@final
@frozen(eq=False)
class _Facts:
    """What inserting rows of a model takes: the key that is generated, its place in a row, and how.

    `pick` gives the values of the fields that the database might have assigned, from those of all fields.
    """

    assigned: tuple[Field, ...]
    key: Field | None
    place: int
    generate: Callable[[], Any] | None
    pick: Callable[[Sequence[Any]], Stored]


@lru_cache(maxsize=512)
def _facts(schema: Schema) -> _Facts:
    assigned, fields = schema.assigned, schema.fields
    key = next((f for f in schema.key if f.generated), None)
    place, generate = (-1, None) if key is None else (fields.index(key), key.type.generate)
    return _Facts(assigned, key, place, generate, assigned_values(schema))


def _encoded(
    encode: Callable[[Row], Sequence[Any]], rows: Sequence[Row]
) -> tuple[list[Sequence[Any]], EncodeError | None]:
    """The parameters of rows, up to the first that has none: what is before it may break a rule."""
    try:
        return [encode(row) for row in rows], None
    except EncodeError:
        found: list[Sequence[Any]] = []
        for row in rows:
            try:
                found.append(encode(row))
            except EncodeError as unfit:
                return found, unfit
        raise


def _numbered(rows: Iterable[Row], at: int, number: int) -> Iterator[Row]:
    for row in rows:
        given = row[at]
        if given is DEFAULT:
            yield (*row[:at], number, *row[at + 1 :])
            number += 1
        else:
            number = max(number, given + 1)
            yield row


def _replaced(row: Row, at: int, value: Any) -> Row:
    return (*row[:at], value, *row[at + 1 :]) if row[at] is DEFAULT else row
