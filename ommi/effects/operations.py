"""The words for records: `add`, `add_all`, `save`, `upsert`, `delete`, `reload`; and for tables.

A record is read when the effect is made, so a later change of the instance changes nothing, and two runs of
`add(user)` are two inserts. A value that cannot be stored makes an effect that fails with its `EncodeError`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import Any, final, overload

from typing_extensions import TypeVar

from ommi.effects.effect import Answer, Effect, Fail, Fold, Folding, Perform
from ommi.effects.finding import Query
from ommi.effects.origin import origin
from ommi.effects.stream import CHUNK, Chunked, Effected, Produced, Source, Stream, again, whole
from ommi.errors import ConstraintViolation, DatabaseError, EncodeError, NotFound, Origin, StaleRecord
from ommi.frozen import frozen
from ommi.models import ModelCollection, global_collection, ordered, ref, schema_of
from ommi.query.expressions import And, Column, Comparison, Expression, ExpressionNode, Literal, PredicateNode
from ommi.query.statements import AdvisoryLock, CreateTables, DropTables, Insert, OnConflict, Select, Update
from ommi.query.statements import Delete as DeleteStatement
from ommi.schema import Field, Schema
from ommi.values import DEFAULT, MAX_INT, MIN_INT

__all__ = [
    "SchemaOperations",
    "add",
    "add_all",
    "add_stream",
    "advisory_lock",
    "delete",
    "reload",
    "save",
    "upsert",
    "upsert_all",
]

M = TypeVar("M")
E = TypeVar("E")


def add(record: M, /) -> Effect[M, ConstraintViolation | DatabaseError]:
    """Insert one record; the result is a new one that carries what the database assigned.

    A mutable instance passed in is filled in as well, after the commit.
    """
    schema = _schema_of_instance(record, "add")
    try:
        row = schema.codec.read(record)
    except EncodeError as error:
        return _refused(error)
    return Perform(Insert(schema, (row,)), Answer.RECORD, None, None, None, (record,), origin())


def add_all(records: Iterable[M], /) -> Effect[list[M], ConstraintViolation | DatabaseError]:
    """Insert many records of one model, all or none; the results are in order and carry their keys."""
    found, schema = _several(records, "add_all")
    if schema is None:
        return Effect.from_value([])
    return _insertion(found, schema, tuple(found), origin())


def _insertion(
    records: list[Any], schema: Schema, targets: tuple[Any, ...], built: Origin | None
) -> Effect[list[Any], ConstraintViolation | DatabaseError]:
    read = schema.codec.read
    try:
        rows = tuple([read(record) for record in records])
    except EncodeError as error:
        error.origin = built
        return Fail(error)
    return Perform(Insert(schema, rows), Answer.RECORDS, None, None, None, targets, built)


@overload
def add_stream(
    source: Stream[Any, E], /, *, chunk: int = CHUNK, flatten: bool = False
) -> Effect[int, E | ConstraintViolation | DatabaseError]: ...
@overload
def add_stream(
    source: Source[Any], /, *, chunk: int = CHUNK, flatten: bool = False
) -> Effect[int, ConstraintViolation | DatabaseError]: ...
def add_stream(source: Any, /, *, chunk: int = CHUNK, flatten: bool = False) -> Effect[int, Any]:
    """Insert the records of a stream, or of an iterable or async iterable, `chunk` of them at a time; how many.

    All or none: it is one transaction, or a part of the one there is, which takes a savepoint; with `flatten`, a part
    whose failure is that of the whole. The next records are taken when those before are inserted. The instances stay
    as they are, since their keys would have to be kept until the commit. Of an iterator, such as a generator, hand in
    the function that makes it.
    """
    whole("add_stream(…, chunk=)", chunk)
    if not isinstance(source, Stream):
        again(source, "add_stream")
        source = Produced(source, chunk)
    inserted: Stream[int, Any] = Effected(Chunked(source, chunk), Inserting(origin()))
    return Fold(inserted, Folding.ADDED).transactional(flatten=flatten)


@final
@frozen
class Inserting:
    """Inserts records, and gives how many; nobody keeps them."""

    origin: Origin | None = field(default=None, compare=False)

    def __call__(self, records: list[Any]) -> Effect[int, ConstraintViolation | DatabaseError]:
        """An effect of these records, as long as it runs."""
        found, schema = _several(records, "add_stream")
        return Effect.from_value(0) if schema is None else _insertion(found, schema, (), self.origin).map(len)


def save(record: M, /) -> Effect[M, NotFound | StaleRecord | ConstraintViolation | DatabaseError]:
    """Write all fields of a record to the row with its key.

    With a `Version` field, only if the row still has the record's version, which then grows by one; otherwise it
    fails with `StaleRecord`. Without one, a row that is not there is `NotFound`.
    """
    schema = _schema_of_instance(record, "save")
    try:
        row = schema.codec.read(record)
        where = _key_is(schema, row, "save")
    except EncodeError as error:
        return _refused(error)
    version = schema.version
    values = list(row)
    if version is not None:
        position = schema.fields.index(version)
        where = And((where, _equals(schema, version, row[position])))
        if row[position] == MAX_INT:
            return _refused(EncodeError(f"{schema.name}.{version.name}: the version cannot grow beyond 64 bits"))
        values[position] = row[position] + 1
    assignments = tuple(
        (f, _literal(f, value))
        for f, value in zip(schema.fields, values, strict=True)
        if not f.is_key and value is not DEFAULT
    )
    if not assignments:
        assignments = tuple((f, _literal(f, value)) for f, value in zip(schema.fields, values, strict=True) if f.is_key)
    statement = Update(schema, assignments, where)
    return Perform(statement, Answer.SAVED, None, tuple(values), None, (record,), origin())


def upsert(
    record: M,
    /,
    *,
    on: object = None,
    update: Iterable[object] | None = None,
) -> Effect[M, ConstraintViolation | DatabaseError]:
    """Insert a record, or update the row that has the same values in `on`; the result is the row as it then is.

    `on` is a column, a tuple of columns or a lambda giving them: the key (the default) or the fields of one unique
    rule. `update` are the columns to overwrite: all others by default, none with `[]` (the row there is kept).
    """
    schema = _schema_of_instance(record, "upsert")
    on_conflict = _on_conflict(schema, on, update, "upsert")
    try:
        row = schema.codec.read(record)
    except EncodeError as error:
        return _refused(error)
    return Perform(Insert(schema, (row,), on_conflict), Answer.RECORD, None, None, None, (record,), origin())


def upsert_all(
    records: Iterable[M],
    /,
    *,
    on: object = None,
    update: Iterable[object] | None = None,
) -> Effect[list[M], ConstraintViolation | DatabaseError]:
    """Upsert many records of one model, one after the other, all or none; see `upsert` for `on` and `update`.

    The results are in order, each the row as it was then: of two records for one row, the second updates what the first
    has left.
    """
    found, schema = _several(records, "upsert_all")
    if schema is None:
        return Effect.from_value([])
    on_conflict = _on_conflict(schema, on, update, "upsert_all")
    try:
        rows = tuple([schema.codec.read(record) for record in found])
    except EncodeError as error:
        return _refused(error)
    return Perform(Insert(schema, rows, on_conflict), Answer.RECORDS, targets=tuple(found), origin=origin())


def _on_conflict(schema: Schema, on: object, update: Iterable[object] | None, said: str) -> OnConflict:
    fields = schema.key if on is None else _fields(schema, on, f"{said}(on=)")
    uniques = [schema.key, *(index.fields for index in schema.indexes if index.unique)]
    if not any(set(fields) == set(unique) for unique in uniques):
        listed = ", ".join("(" + ", ".join(f.name for f in unique) + ")" for unique in uniques)
        raise TypeError(f"{said}(on=) takes the key or the fields of one unique rule of {schema.name}: one of {listed}")
    if update is None:
        return OnConflict(fields, tuple(f for f in schema.fields if f not in fields and not f.is_key))
    return OnConflict(fields, tuple(f for column in update for f in _fields(schema, column, f"{said}(update=)")))


def _several(records: Iterable[M], said: str) -> tuple[list[M], Schema | None]:
    """Records of one model, with its schema; without one where there are none."""
    given: object = records
    if not isinstance(given, Iterable):
        one = said.removesuffix("_all")
        raise TypeError(f"{said}(…) takes several records; for one write {one}(…), not {said}({given!r})")
    found = list(records)
    if not found:
        return found, None
    schema = _schema_of_instance(found[0], said)
    model = schema.model
    for other in {type(record) for record in found} - {model}:
        raise TypeError(f"{said} takes records of one model, and got {model.__name__} and {other.__name__}")
    return found, schema


def delete(record: object, /) -> Effect[None, NotFound | ConstraintViolation | DatabaseError]:
    """Delete the row with the record's key; a row that is not there is `NotFound`."""
    schema = _schema_of_instance(record, "delete")
    try:
        where = _key_is(schema, schema.codec.read(record), "delete")
    except EncodeError as error:
        return _refused(error)
    return Perform(DeleteStatement(schema, where), Answer.DELETED, None, None, None, (), origin())


def reload(record: M, /) -> Effect[M, NotFound | DatabaseError]:
    """Read the row with the record's key anew; the record passed in stays as it is."""
    schema = _schema_of_instance(record, "reload")
    try:
        where = _key_is(schema, schema.codec.read(record), "reload")
    except EncodeError as error:
        return _refused(error)
    return Perform(Select(schema, None, where), Answer.ONE, None, None, None, (), origin())


def advisory_lock(key: int | str, /) -> Effect[None, DatabaseError]:
    """Wait for a lock that has a meaning to the application alone, and keep it until the transaction ends.

    The key is a 64-bit number, or a text, which stands for one. Needs a transaction, and a database that has such
    locks: PostgreSQL.
    """
    number: object = key
    if isinstance(number, str):
        from hashlib import sha256

        number = int.from_bytes(sha256(number.encode()).digest()[:8], signed=True)
    if type(number) is not int or not MIN_INT <= number <= MAX_INT:
        raise TypeError(f"advisory_lock(…) takes a text or a whole number of 64 bits, not {key!r}")
    return Perform(AdvisoryLock(number), Answer.PLAIN, None, None, None, (), origin())


class SchemaOperations:
    """Creating and dropping the tables of a collection."""

    __slots__ = ()

    def create(self, collection: ModelCollection | None = None) -> Effect[None, DatabaseError]:
        """Create the tables and indexes that are missing, all or none, referenced tables first.

        A table that is there but does not fit its model is a `SchemaMismatch`. Without a collection, the global one.
        """
        schemas = ordered(global_collection() if collection is None else collection)
        return Perform(CreateTables(tuple(schemas)), Answer.PLAIN, None, None, None, (), origin())

    def drop(self, collection: ModelCollection | None = None) -> Effect[None, ConstraintViolation | DatabaseError]:
        """Drop the tables that are there, all or none, referring tables first; their rows are gone."""
        schemas = ordered(global_collection() if collection is None else collection)
        return Perform(DropTables(tuple(reversed(schemas))), Answer.PLAIN, None, None, None, (), origin())


def _refused(error: EncodeError) -> Effect[Any, Any]:
    error.origin = origin()
    return Fail(error)


def _schema_of_instance(record: object, said: str) -> Schema:
    if isinstance(record, type):
        raise TypeError(f"{said}(…) takes an instance of a model, not the class {record.__name__}")
    if isinstance(record, (list, tuple, set, dict)):
        remedy = "; for several write add_all(…)" if said == "add" else ""
        raise TypeError(f"{said}(…) takes one record of a model, not the {type(record).__name__} {record!r}{remedy}")
    if isinstance(record, Query):
        remedy = f": write {record!r}.delete()" if said == "delete" else ""
        raise TypeError(f"{said}(…) takes a record, and {record!r} is a query{remedy}")
    return schema_of(type(record))


def _key_is(schema: Schema, row: tuple[Any, ...], said: str) -> PredicateNode:
    parts: list[PredicateNode] = []
    for f, value in zip(schema.fields, row, strict=True):
        if not f.is_key:
            continue
        if value is DEFAULT or value is None:
            raise EncodeError(
                f"{said}: {schema.name}.{f.name} is None, so there is no row to {said}; add the record first",
                model=schema.model,
                field=f.name,
            )
        parts.append(_equals(schema, f, value))
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _equals(schema: Schema, f: Field, value: Any) -> Comparison:
    return Comparison("==", Column(schema, f), _literal(f, value))


def _literal(f: Field, canonical: Any) -> ExpressionNode:
    return Literal(canonical, f.type)


def _fields(schema: Schema, found: object, said: str) -> tuple[Field, ...]:
    if callable(found) and not isinstance(found, Expression):
        found = found(ref(schema.model))
    parts = found if isinstance(found, tuple) else (found,)
    fields: list[Field] = []
    for part in parts:
        f = schema.by_name.get(part) if isinstance(part, str) else part.field if isinstance(part, Column) else None
        if f is None or schema.by_name.get(f.name) is not f:
            raise TypeError(f"{said} takes columns of {schema.name}, and {part!r} is none")
        fields.append(f)
    return tuple(fields)
