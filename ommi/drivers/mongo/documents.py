"""Rows as documents: which key of a document holds which field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias, final

from ommi.drivers.mongo.compiled import document_maker, row_reader
from ommi.drivers.mongo.forms import MONGO, kept, regained
from ommi.errors import EncodeError, QueryRejected, UnsupportedOperation
from ommi.schema import Field, Row, Schema
from ommi.values import Kind

__all__ = ["TOUCHED", "Document", "Shape", "Stored"]

Document: TypeAlias = dict[str, Any]
Stored: TypeAlias = tuple[Any, ...]

TOUCHED: Final = "_ommi"
"""Set anew in a row that others begin to refer to, so that deleting it meanwhile is a conflict."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """How the rows of one schema are kept.

    A key of one field is `_id`; one of several fields has a unique index, and `_id` is chosen by the client.
    """

    schema: Schema
    paths: tuple[str, ...] = field(init=False)
    by_field: Mapping[Field, str] = field(init=False)
    row: Callable[[Mapping[str, Any]], Stored] = field(init=False)
    """From a document to the stored values of all fields."""
    numbered: int | None = field(init=False)
    """The place of the int that the database chooses where none is given."""
    _make: Callable[[Row], Document] = field(init=False)
    _required: Mapping[str, Field] = field(init=False)
    _answering: dict[tuple[Field, ...], Callable[[Mapping[str, Any]], Stored]] = field(init=False)
    _dumps: tuple[tuple[str, Callable[[Any], Any] | None], ...] = field(init=False)

    def __post_init__(self) -> None:
        schema = self.schema
        _check_names(schema)
        paths = tuple("_id" if schema.key == (f,) else f.column for f in schema.fields)
        dumps = tuple((path, _dump(f)) for path, f in zip(paths, schema.fields, strict=True))
        loads = [None if f.type.native is None else partial(regained, f.type.native) for f in schema.fields]
        may_miss = [f.nullable for f in schema.fields]
        required = {path: f for path, f in zip(paths, schema.fields, strict=True) if not f.nullable}
        object.__setattr__(self, "paths", paths)
        object.__setattr__(self, "by_field", dict(zip(schema.fields, paths, strict=True)))
        object.__setattr__(self, "_dumps", dumps)
        object.__setattr__(self, "row", row_reader(list(zip(paths, may_miss, loads, strict=True))))
        object.__setattr__(self, "_make", document_maker(dumps))
        object.__setattr__(self, "_required", required)
        numbers = (place for place, f in enumerate(schema.fields) if f.generated and f.type.kind is Kind.INT)
        object.__setattr__(self, "numbered", next(numbers, None))
        object.__setattr__(self, "_answering", {})

    def path(self, found: Field) -> str:
        """The key of a document that holds a field."""
        path = self.by_field.get(found)
        if path is None:
            raise QueryRejected(
                f"{found.name!r} is no field of {self.schema.name}, which this statement is about; "
                "use .in_(find(…).select(…)) to compare with another model"
            )
        return path

    def document(self, row: Row) -> Document:
        """The document of a row of canonical values; what is missing has no key in it."""
        try:
            return self._make(row)
        except ValueError as error:
            raise self._unfit(row, error) from error

    def canonical(self, document: Mapping[str, Any]) -> Stored:
        """The canonical values of all fields."""
        loads = [MONGO.forms[f.type.kind].load for f in self.schema.fields]
        return tuple(
            [
                value if value is None or load is None else load(value)
                for value, load in zip(self.row(document), loads, strict=True)
            ]
        )

    def pick(self, document: Mapping[str, Any], fields: Iterable[Field]) -> Stored:
        """What a document keeps of some fields."""
        return tuple([document.get(self.by_field[f]) for f in fields])

    def answering(self, fields: tuple[Field, ...]) -> Callable[[Mapping[str, Any]], Stored]:
        """A function from a document to the stored values of some fields."""
        found = self._answering.get(fields)
        if found is None:  # which has to be compiled
            found = self._answering[fields] = self._answers(fields)
        return found

    def _answers(self, fields: tuple[Field, ...]) -> Callable[[Mapping[str, Any]], Stored]:
        taken = [(self.by_field[f], f.type.native) for f in fields]
        if not taken:
            return lambda document: ()
        loads = [(path, True, None if native is None else partial(regained, native)) for path, native in taken]
        return row_reader(loads)

    def missing(self, document: Mapping[str, Any]) -> Field | None:
        """The first required field that is not there."""
        if document.keys() >= self._required.keys() and None not in document.values():
            return None
        return next((f for path, f in self._required.items() if document.get(path) is None), None)

    def _unfit(self, row: Row, error: ValueError) -> EncodeError:
        for value, (_, dump), f in zip(row, self._dumps, self.schema.fields, strict=True):
            try:
                if value is not None and dump is not None:
                    dump(value)
            except ValueError as cause:
                name = f"{self.schema.name}.{f.name}"
                return EncodeError(f"{name}: {cause}", model=self.schema.model, field=f.name)
        return EncodeError(str(error), model=self.schema.model)


def _dump(found: Field) -> Callable[[Any], Any] | None:
    return MONGO.forms[found.type.kind].dump if found.type.native is None else partial(kept, found.type)


def _check_names(schema: Schema) -> None:
    """`UnsupportedOperation` for names that mean something else to MongoDB."""
    table = schema.table
    if not table or "$" in table or "\0" in table or table.startswith("system.") or table == "ommi_tables":
        raise UnsupportedOperation(
            f"{table!r} cannot be the name of a MongoDB collection: give {schema.name} another one with name="
        )
    for f in schema.fields:
        column = f.column
        if column.startswith("$") or "." in column or "\0" in column or not column or column == TOUCHED:
            said = f"{column!r} cannot be the name of a field in MongoDB"
        elif column == "_id" and schema.key != (f,):
            said = "'_id' is the key of a document in MongoDB, and this field is not the key of its model"
        else:
            continue
        raise UnsupportedOperation(f"{schema.name}.{f.name}: {said}; give it another one with StoreAs")
    for index in schema.indexes:
        listed = [f.name for f in index.fields if f.type.kind is Kind.JSON]
        if index.unique and listed:
            raise UnsupportedOperation(
                f"{schema.name}.{listed[0]} holds a structure, of which MongoDB indexes the parts: it cannot be unique"
            )
