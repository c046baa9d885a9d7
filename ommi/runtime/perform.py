"""One operation: the request a driver gets, and what becomes of its answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, assert_never

from ommi.drivers.driver import Request
from ommi.effects.effect import Answer, Perform
from ommi.effects.paging import Page, Paging
from ommi.errors import MultipleFound, NotFound, QueryRejected, StaleRecord, UnsupportedOperation
from ommi.models import rows_reader
from ommi.query.statements import AdvisoryLock, Insert, Select, Sql, is_write
from ommi.query.text import select_text
from ommi.runtime.calls import Fill
from ommi.schema import Field, Row, Schema
from ommi.transactions import TransactionOptions
from ommi.values import Storage

__all__ = ["answer", "is_sure", "request"]


def request(
    perform: Perform[Any, Any], storage: Storage, options: TransactionOptions | None, recoverable: bool = False
) -> Request:
    """What the driver is asked; `options` are those of the transaction it happens in, if there is one."""
    statement = perform.statement
    if isinstance(statement, Select):
        if statement.lock is not None and options is None:
            raise UnsupportedOperation(
                "for_update() outside a transaction would unlock the rows at once: "
                "put .transactional() around the program"
            )
        return Request(statement, _reading(perform, statement, storage), recoverable, (perform,))
    if options is None:
        if isinstance(statement, AdvisoryLock):
            raise UnsupportedOperation(
                "advisory_lock(…) outside a transaction would be given back at once: "
                "put .transactional() around the program"
            )
        if isinstance(statement, Sql) and statement.locks:
            raise UnsupportedOperation(
                "SQL that locks rows or sets something for its transaction would have no effect outside of one: "
                "put .transactional() around the program"
            )
    elif options.read_only and is_write(statement):
        raise QueryRejected("a write inside a transaction that was begun read_only=True: begin it without")
    read = list if perform.read is None else perform.read.read(storage)
    return Request(statement, read, recoverable, (perform,))


def _reading(perform: Perform[Any, Any], statement: Select, storage: Storage) -> Callable[[Iterable[Row]], Any]:
    """The function that makes the answer of a query's rows."""
    if perform.answer is Answer.PAGE:
        return _page_reader(statement.schema, perform.read, storage)
    read = statement.schema.codec.reader(storage) if perform.read is None else rows_reader(perform.read, storage)
    if statement.link is not None:
        read = _linked(read, statement.schema, len(statement.link.fields))
    return _two_of(read) if perform.answer is Answer.ONE else read


def _two_of(read: Callable[[Iterable[Row]], list[Any]]) -> Callable[[Iterable[Row]], list[Any]]:
    """Two rows are enough to know that there is more than one."""
    return lambda rows: read(islice(rows, 2))


def _page_reader(schema: Schema, paging: Paging, storage: Storage) -> Callable[[Iterable[Row]], Page[Any]]:
    records = schema.codec.reader(storage) if paging.labels is None else rows_reader(paging.labels, storage)
    loads = [storage.forms[one.kind].load for one in paging.types]

    def cursor(row: Row) -> str:
        values = [row[place] for place in paging.places]
        return paging.cursor(v if v is None or f is None else f(v) for v, f in zip(values, loads, strict=True))

    def read(rows: Iterable[Row]) -> Page[Any]:
        found, beyond = paging.apart(rows)
        before, behind = (beyond, paging.continued) if paging.backwards else (paging.continued, beyond)
        return Page(
            records([row[: paging.width] for row in found]),
            cursor(found[-1]) if found and behind else None,
            cursor(found[0]) if found and before else None,
        )

    return read


def _linked(
    read: Callable[[Iterable[Row]], list[Any]], schema: Schema, width: int
) -> Callable[[Iterable[Row]], list[Any]]:
    """Reads the rows behind what a link puts before them, each once."""
    places = [width + schema.fields.index(field) for field in schema.key]

    def rows_once(rows: Iterable[Row]) -> Iterator[Row]:
        seen: set[Row] = set()
        for row in rows:
            key = tuple([row[place] for place in places])
            if key not in seen:
                seen.add(key)
                yield row[width:]

    return lambda rows: read(rows_once(rows))


def answer(perform: Perform[Any, Any], reply: Any, storage: Storage) -> tuple[Any, tuple[Fill, ...]]:
    """The value of the operation, and what the instances passed in get; raises the operation's own errors."""
    match perform.answer:
        case Answer.PLAIN | Answer.ALL | Answer.STREAM | Answer.GROUPS | Answer.PAGE:
            return reply, ()
        case Answer.ONE:
            return _only(perform, reply), ()
        case Answer.FIRST:
            return (reply[0] if reply else None), ()
        case Answer.RECORD:
            records, fills = _records(perform, reply, storage)
            return records[0], fills
        case Answer.RECORDS:
            return _records(perform, reply, storage)
        case Answer.SAVED:
            return _saved(perform, reply)
        case Answer.DELETED:
            if reply == 0:
                schema = _schema(perform)
                raise NotFound(f"no {schema.name} has the key of the record to delete", model=schema.model)
            return None, ()
        case _:
            assert_never(perform.answer)


def is_sure(perform: Perform[Any, Any]) -> bool:
    """Whether the operation has succeeded when its statement has: nothing can be wrong with the answer."""
    if perform.keys is not None:
        return False
    match perform.answer:
        case Answer.PLAIN | Answer.ALL | Answer.STREAM | Answer.FIRST | Answer.PAGE:
            return True
        case Answer.RECORD | Answer.RECORDS:
            statement = perform.statement
            plain = isinstance(statement, Insert) and statement.on_conflict is None
            return plain and not _has_defaults(_schema(perform))
        case Answer.ONE | Answer.SAVED | Answer.DELETED | Answer.GROUPS:
            return False
        case _:
            assert_never(perform.answer)


def _has_defaults(schema: Schema) -> bool:
    return any(field.server_default is not None for field in schema.fields)


def _only(perform: Perform[Any, Any], rows: list[Any]) -> Any:
    if len(rows) == 1:
        return rows[0]
    statement = perform.statement
    assert isinstance(statement, Select)
    asked, model = select_text(statement, values=False), statement.schema.model
    if not rows:
        raise NotFound(f"{asked}.one() found no {model.__name__}", model=model)
    raise MultipleFound(f"{asked}.one() found more than one {model.__name__}", model=model)


def _records(perform: Perform[Any, Any], reply: list[Row], storage: Storage) -> tuple[list[Any], tuple[Fill, ...]]:
    statement = perform.statement
    assert isinstance(statement, Insert)
    if not perform.targets:  # inserted from a stream: nobody wants the records
        return reply, ()
    schema = statement.schema
    if statement.on_conflict is not None:
        whole = _loaded(reply, schema.fields, storage)
        return schema.codec.reader(storage)(reply), ((schema, schema.fields, perform.targets, whole),)
    assigned = schema.assigned
    if not assigned:
        return [schema.codec.build(row) for row in statement.rows], ()
    # no object of its own for each row: with many of them in a process, collecting garbage costs more than all of this
    values = _loaded(reply, assigned, storage)
    return schema.codec.build_all(statement.rows, assigned, values), ((schema, assigned, perform.targets, values),)


def _loaded(rows: list[Row], fields: tuple[Field, ...], storage: Storage) -> list[Row]:
    """Canonical values of rows of stored values of some fields."""
    loads = [storage.forms[f.type.kind].load for f in fields]
    if not any(loads):
        return rows
    return [
        tuple([value if value is None or load is None else load(value) for value, load in zip(row, loads, strict=True)])
        for row in rows
    ]


def _saved(perform: Perform[Any, Any], matched: int) -> tuple[Any, tuple[Fill, ...]]:
    schema, row = _schema(perform), perform.row
    assert row is not None
    if matched:
        version = schema.version
        if version is None:
            return schema.codec.build(row), ()
        found = [(row[schema.fields.index(version)],)] * len(perform.targets)
        return schema.codec.build(row), ((schema, (version,), perform.targets, found),)
    if schema.version is not None:
        raise StaleRecord(
            f"the {schema.name} was changed or deleted since it was read: reload it and apply the change again",
            model=schema.model,
        )
    raise NotFound(f"no {schema.name} has the key of the record to save: add it first", model=schema.model)


def _schema(perform: Perform[Any, Any]) -> Schema:
    statement = perform.statement
    schema: Schema = statement.schema  # type: ignore[union-attr]  # asked only for statements about one model
    return schema
