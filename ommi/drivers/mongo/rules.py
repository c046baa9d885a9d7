"""The rules of a table as a validator, one clause for each in the order in which they are reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ommi.drivers.mongo.documents import Document, Shape
from ommi.drivers.mongo.forms import bson_type
from ommi.drivers.mongo.translation import Translation
from ommi.drivers.violations import check_fails, required
from ommi.errors import CheckViolation, ConstraintViolation, DatabaseError, QueryRejected
from ommi.query.checks import check_predicates
from ommi.schema import Index, Schema

__all__ = ["broken_rule", "columns_of", "indexes", "key_index", "unique_fields", "validator"]

_TYPES: Final = 0
"""The clause with the types: it names the columns, and is met by everything that Ommi writes."""


def validator(shape: Shape) -> Document:
    """The types, then the required fields, then the checks."""
    schema = shape.schema
    properties: Document = {}
    for path, f in zip(shape.paths, schema.fields, strict=True):
        kind = bson_type(f.type)
        properties[path] = {} if kind is None else {"bsonType": kind}
    needed: list[Document] = [{shape.path(f): {"$ne": None}} for f in schema.fields if not f.nullable]
    translation = Translation(shape, {})
    checks = [translation.filter(condition) for _, condition in check_predicates(schema)]
    return {"$and": [{"$jsonSchema": {"bsonType": "object", "properties": properties}}, *needed, *checks]}


def columns_of(options: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The columns, with their types, of a collection that Ommi made; `None` of another one."""
    clauses = options.get("validator", {}).get("$and", ())
    found: Mapping[str, Any] | None = clauses[_TYPES].get("$jsonSchema", {}).get("properties") if clauses else None
    return found


def broken_rule(details: Mapping[str, Any], shape: Shape | None, said: str) -> ConstraintViolation | DatabaseError:
    """The first rule that a document breaks."""
    failed = sorted(clause["index"] for clause in details.get("clausesNotSatisfied", ()) if "index" in clause)
    broken = [place for place in failed if place != _TYPES]
    if shape is None:
        return CheckViolation(f"a row breaks a rule of its collection: {said}")
    if not broken:
        return QueryRejected(f"a row of {shape.schema.name} does not meet the validator of its collection: {said}")
    place = broken[0] - 1
    needed = [f for f in shape.schema.fields if not f.nullable]
    if place < len(needed):
        return required(shape.schema, needed[place])
    checks = check_predicates(shape.schema)
    place -= len(needed)
    if place < len(checks):
        return check_fails(shape.schema, checks[place][0])
    return QueryRejected(f"a row of {shape.schema.name} breaks a rule that its model does not declare: {said}")


def key_index(table: str) -> str:
    """The name of the unique index of a key of several fields."""
    return f"pk_{table}"


def indexes(shape: Shape) -> list[Document]:
    """All indexes of a table, unique ones in the order in which they are reported."""
    schema = shape.schema
    found = [index_document(shape, index) for index in schema.indexes]
    if len(schema.key) > 1:
        found.insert(0, index_document(shape, Index(key_index(schema.table), schema.key, unique=True)))
    return found


def index_document(shape: Shape, index: Index) -> Document:
    """An index as `createIndexes` takes it; a unique one leaves out rows with a missing value."""
    document: Document = {"key": {shape.path(f): 1 for f in index.fields}, "name": index.name}
    if index.unique:
        document["unique"] = True
        may_miss = [shape.path(f) for f in index.fields if f.nullable]
        if may_miss:
            document["partialFilterExpression"] = {path: {"$exists": True} for path in may_miss}
    return document


def unique_fields(schema: Schema) -> set[Any]:
    """The fields whose values are compared with those of other rows."""
    return {f for index in schema.indexes if index.unique for f in index.fields} | set(schema.key)
