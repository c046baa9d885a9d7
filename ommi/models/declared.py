"""What decoration leaves on a class, and how to get at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, TypeVar, cast

from ommi.frozen import frozen
from ommi.models.annotations import Names, evaluated
from ommi.models.blueprint import Attribute
from ommi.models.remembered import Remembered
from ommi.query.expressions import Column
from ommi.query.standin import StandIn
from ommi.schema import Schema

__all__ = ["Declared", "annotation_of", "column", "columns", "declared_on", "mark_declared", "ref", "schema_of"]

M = TypeVar("M")

_ATTRIBUTE: Final = "__ommi__"


@frozen(eq=False)
class Declared:
    """A model's schema, its columns as the attributes of a stand-in, and the evaluated annotations of its fields."""

    schema: Schema
    row: StandIn
    annotations: Mapping[str, Any]
    remembered: Remembered | None = None
    """Of a model with relations."""
    aliases: dict[str, Any] = field(default_factory=dict, repr=False)
    """What the model is called besides, in queries that name it more than once."""


def mark_declared(declared: Declared) -> None:
    """Leave the declaration on its class."""
    type.__setattr__(declared.schema.model, _ATTRIBUTE, declared)


def declared_on(cls: type[Any]) -> Declared | None:
    """The declaration of the class itself; a subclass that is not decorated is no model."""
    found: Declared | None = cls.__dict__.get(_ATTRIBUTE)
    return found


def annotation_of(attribute: Attribute, place: str, names: Names) -> Any:
    """The evaluated annotation of an attribute; one inherited from a model was evaluated there, with its names."""
    declared = declared_on(attribute.owner)
    if declared is not None and isinstance(attribute.annotation, str) and attribute.name in declared.annotations:
        return declared.annotations[attribute.name]
    return evaluated(attribute.annotation, attribute.owner, place, names)


def schema_of(model: type[Any]) -> Schema:
    """The schema of a model; `TypeError` for a class that is none."""
    return _declared(model).schema


def ref(model: type[M]) -> M:
    """A stand-in typed as an instance of the model: its attributes are columns.

    `u = ref(User)` makes `u.age > 18` a condition for every type checker.
    """
    return cast("M", _declared(model).row)


def columns(model: type[Any]) -> Mapping[str, Column[Any, Any]]:
    """The columns of a model by the names of its fields, in their order."""
    found: Mapping[str, Column[Any, Any]] = vars(ref(model))
    return found


def column(model: type[Any], name: str) -> Column[Any, Any]:
    """The column of one field; `AttributeError` naming the fields for a name that is none."""
    found: Column[Any, Any] = getattr(ref(model), name)
    return found


def _declared(model: type[Any]) -> Declared:
    try:
        found: Declared = model.__dict__[_ATTRIBUTE]
    except (KeyError, AttributeError):
        raise _no_model(model) from None
    return found


def _no_model(model: object) -> TypeError:
    if not isinstance(model, type):
        return TypeError(f"a model class is wanted here, not {model!r}")
    parents = [base.__name__ for base in model.__mro__[1:] if _ATTRIBUTE in base.__dict__]
    if parents:
        return TypeError(
            f"{model.__name__} is a subclass of the model {parents[0]} but no model itself: "
            "put @ommi_model on it to give it a table of its own"
        )
    return TypeError(f"{model.__name__} is no model: put @ommi_model on it")
