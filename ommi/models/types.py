"""From an annotation to the type of a field."""

from __future__ import annotations

from typing import Any

from ommi.frozen import frozen
from ommi.models.annotations import Names, unwrapped
from ommi.models.blueprint import Attribute
from ommi.models.declared import annotation_of
from ommi.models.facts import BsonDate, Fact, Naive
from ommi.models.nested import nested_type
from ommi.models.scalars import scalar_type
from ommi.values import FieldType

__all__ = ["TypedAttribute", "field_type", "typed_attribute"]


@frozen
class TypedAttribute:
    """A field's attribute with what its annotation means."""

    attribute: Attribute
    annotation: Any
    type: FieldType
    nullable: bool
    facts: tuple[Fact, ...]


def typed_attribute(attribute: Attribute, place: str, names: Names) -> TypedAttribute:
    """The attribute with its annotation evaluated; `TypeError` naming `place` where it cannot be stored."""
    annotation = annotation_of(attribute, place, names)
    bare = unwrapped(annotation, place)
    return TypedAttribute(attribute, annotation, field_type(annotation, place, names), bare.nullable, bare.facts)


def field_type(annotation: Any, place: str, names: Names) -> FieldType:
    """The type of an evaluated annotation; `TypeError` naming `place` and the remedy where it cannot be stored."""
    bare = unwrapped(annotation, place)
    scalar = scalar_type(bare.type, place, Naive in bare.facts, BsonDate in bare.facts)
    return nested_type(bare.type, place, names) if scalar is None else scalar
