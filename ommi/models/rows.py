"""Classes that selected columns are read into, by the names of their fields."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping
from typing import Any

from ommi.frozen import frozen
from ommi.models.annotations import spelled, unwrapped
from ommi.models.blueprint import Attribute, own_annotations
from ommi.models.declared import annotation_of
from ommi.models.readers import blueprint_of, is_structured
from ommi.models.types import field_type
from ommi.schema import Schema
from ommi.values import FieldType

__all__ = ["Reading", "RowClass", "Selected", "SelectedRecord", "row_class"]


@frozen
class Selected:
    """A column that is read: what it is called, how it is written, and what it gives."""

    name: str | None
    label: str
    type: FieldType
    nullable: bool


@frozen
class SelectedRecord:
    """The columns of a whole record; an `optional` one is missing where its key is."""

    name: str | None
    schema: Schema
    optional: bool

    @property
    def label(self) -> str:
        """How it is written."""
        return self.schema.label


@frozen
class RowClass:
    """A class, and its constructor's words for the columns, in their order."""

    model: type[Any]
    words: tuple[str, ...]


@frozen
class Reading:
    """How rows of selected columns are read: into tuples, or into instances of a class."""

    columns: tuple[Selected | SelectedRecord, ...]
    row: RowClass | None = None
    named: bool = False
    """Whether the columns were given their names."""


def row_class(cls: type[Any], columns: Iterable[Selected | SelectedRecord]) -> RowClass:
    """How the columns make an instance; `TypeError` where names, types or their number do not fit."""
    attributes = {attribute.name: attribute for attribute in _attributes(cls)}
    words: dict[str, str] = {}
    for column in columns:
        name = column.name
        if name is None:
            raise TypeError(
                f"into({cls.__name__}) goes by the names of fields, and {column.label} has none: "
                f"name the columns, as in select({next(iter(attributes), 'name')}={column.label}, …)"
            )
        if name not in attributes:
            raise TypeError(
                f"{cls.__name__} has no field {name!r} for {column.label}; its fields are {', '.join(attributes)}"
            )
        if name in words:
            raise TypeError(f"{cls.__name__}.{name} is selected twice: give one of the columns another name")
        attribute = attributes[name]
        if attribute.argument is None:
            raise TypeError(f"{cls.__name__}.{name} is no argument of the constructor, so it cannot be read into")
        _require_fit(cls, attribute, column)
        words[name] = attribute.argument
    absent = [name for name, one in attributes.items() if name not in words and one.default is None and one.argument]
    if absent:
        raise TypeError(f"{cls.__name__}.{absent[0]} has no default and is not selected: select({absent[0]}=…)")
    return RowClass(cls, tuple(words.values()))


def _attributes(cls: type[Any]) -> tuple[Attribute, ...]:
    if not isinstance(cls, type):
        raise TypeError(f"into(…) takes a class with fields, not {cls!r}")
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        named: Any = cls
        said, defaults = own_annotations(cls), named._field_defaults
        return tuple(
            Attribute(name, said[name], cls, name, default=(lambda: None) if name in defaults else None)
            for name in named._fields
        )
    if not is_structured(cls):
        raise TypeError(
            f"into({cls.__name__}) takes a class with fields: a dataclass, an attrs or pydantic class, "
            "a msgspec Struct or a NamedTuple"
        )
    return blueprint_of(cls).attributes


def _require_fit(cls: type[Any], attribute: Attribute, column: Selected | SelectedRecord) -> None:
    place = f"{cls.__name__}.{attribute.name}"
    annotation = annotation_of(attribute, place, _NO_NAMES)
    if annotation is typing.Any or annotation is object:
        return
    if isinstance(column, SelectedRecord):
        bare = unwrapped(annotation, place)
        if bare.type is not column.schema.model or (column.optional and not bare.nullable):
            gives = f"{column.schema.name} | None" if column.optional else column.schema.name
            raise TypeError(f"{place} is declared {spelled(annotation)}, and {column.label} gives {gives}")
        return
    gives = f"{column.type.name} | None" if column.nullable else column.type.name
    try:
        wanted, nullable = field_type(annotation, place, _NO_NAMES), unwrapped(annotation, place).nullable
    except TypeError:
        wanted, nullable = None, False
    fits = wanted is not None and wanted.kind is column.type.kind
    if fits and wanted is not None and (wanted.load is not None or column.type.load is not None):
        fits = wanted.name == column.type.name
    if not fits or (column.nullable and not nullable):
        raise TypeError(f"{place} is declared {spelled(annotation)}, and {column.label} gives {gives}")


_NO_NAMES: Mapping[str, Any] = {}
