"""Models: classes of any model library, as schemas; instances as rows and back."""

from ommi.models.collection import ModelCollection, global_collection, ordered
from ommi.models.declared import column, columns, ref, schema_of
from ommi.models.decoding import rows_reader
from ommi.models.decorator import ommi_model
from ommi.models.facts import (
    BsonDate,
    Check,
    Index,
    Key,
    MaxLength,
    Naive,
    OnDelete,
    ReferenceTo,
    ServerDefault,
    StoreAs,
    Unique,
    Version,
    auto,
)

__all__ = [
    "BsonDate",
    "Check",
    "Index",
    "Key",
    "MaxLength",
    "ModelCollection",
    "Naive",
    "OnDelete",
    "ReferenceTo",
    "ServerDefault",
    "StoreAs",
    "Unique",
    "Version",
    "auto",
    "column",
    "columns",
    "global_collection",
    "ommi_model",
    "ordered",
    "ref",
    "rows_reader",
    "schema_of",
]
