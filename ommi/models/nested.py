"""Structures in one column: lists, dicts and nested models, as JSON and back to their exact types.

A nested model is an object of its fields. A key that is missing there takes the field's default; one that no field
has is refused, since it would be lost when the row is written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, Final, TypeVar, get_args, get_origin

from ommi.models.annotations import Names, spelled, unwrapped
from ommi.models.blueprint import Blueprint
from ommi.models.construction import compiled, constructor, reading
from ommi.models.declared import annotation_of
from ommi.models.facts import Naive
from ommi.models.json_scalars import Conversion, json_conversions
from ommi.models.readers import blueprint_of, is_structured
from ommi.models.scalars import scalar_type
from ommi.values import CANONICAL, FieldType, Kind

__all__ = ["nested_type"]


@dataclass(slots=True)
class _Nested:
    """How a value in a structure becomes JSON and comes back; filled in late where a model contains itself."""

    name: str
    accepts: tuple[type[Any], ...]
    dump: Conversion
    load: Conversion
    element: _Nested | None = None


def nested_type(found: Any, place: str, names: Names) -> FieldType:
    """The type of a field that holds a structure; `TypeError` naming `place` where it cannot be stored."""
    nested = _Structures(names).structure(found, place)
    return _field_type(nested, None if nested.element is None else _field_type(nested.element, None))


def _field_type(nested: _Nested, element: FieldType | None) -> FieldType:
    return FieldType(Kind.JSON, nested.name, nested.dump, nested.load, nested.accepts, element)


class _Structures:
    """The conversions of one field's structure, each nested model made once."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.models: dict[type[Any], _Nested] = {}

    def value(self, annotation: Any, place: str, facts_allowed: bool = False) -> _Nested:
        bare = unwrapped(annotation, place)
        strange = [fact for fact in bare.facts if fact is not Naive]
        if strange and not facts_allowed:
            raise TypeError(f"{place}: {strange[0]!r} is said of a field, not of what is in it: put it on the field")
        if bare.type is Any or bare.type is object:
            return _ANY
        scalar = scalar_type(bare.type, place, Naive in bare.facts)
        inner = self.structure(bare.type, place) if scalar is None else _scalar(scalar)
        return _optional(inner) if bare.nullable else inner

    def structure(self, found: Any, place: str) -> _Nested:
        origin, arguments = get_origin(found), get_args(found)
        if (found is list or found is dict or origin is list or origin is dict) and not arguments:
            return _untyped(origin or found)
        if origin is list:
            return _list(self.value(arguments[0], f"{place}[…]"), spelled(found))
        if origin is dict:
            key = unwrapped(arguments[0], place)
            if key.type is not str or key.nullable:
                raise TypeError(
                    f"{place}: {spelled(found)} cannot be stored: the keys of a nested dict are str. "
                    "Write dict[str, …] and convert the keys"
                )
            return _dict(self.value(arguments[1], f"{place}[…]"), spelled(found))
        if isinstance(found, type) and is_structured(found):
            return self.model(found, place)
        raise TypeError(f"{place}: {_remedy(found)}")

    def model(self, cls: type[Any], place: str) -> _Nested:
        if cls in self.models:
            return self.models[cls]  # of a model that contains itself, the conversions are filled in later
        nested = self.models[cls] = _Nested(cls.__name__, (cls,), _unfinished, _unfinished)
        blueprint = blueprint_of(cls)
        parts = {
            attribute.name: self.value(
                annotation_of(attribute, f"{place}.{attribute.name}", self.names),
                f"{place}.{attribute.name}",
                facts_allowed=True,
            )
            for attribute in blueprint.attributes
        }
        nested.dump = _model_dump(blueprint, parts)
        nested.load = _model_load(blueprint, parts)
        return nested


_ANY: Final = _Nested("Any", (), CANONICAL[Kind.JSON], CANONICAL[Kind.JSON])


def _unfinished(value: Any) -> Any:
    raise AssertionError(f"{value!r} was converted before its model was complete")


def _remedy(found: Any) -> str:
    text = spelled(found)
    origin = get_origin(found) or found
    if isinstance(found, TypeVar):
        return f"{text} is no type: declare the model for a concrete type"
    if origin in (set, frozenset, tuple):
        element = "".join(spelled(argument) for argument in get_args(found)[:1]) or "…"
        return f"{text} cannot be stored: write list[{element}]"
    if found is None or found is NoneType:
        return "None alone cannot be stored: write `type | None`"
    if found is Any or found is object:
        return f"{text} cannot be stored: declare the type, or dict[str, Any] or list[Any] for a structure"
    if isinstance(found, type):
        for known in (str, int, float, bytes, datetime):
            if issubclass(found, known):
                return (
                    f"{text} cannot be stored: it would be read back as plain {known.__name__}. "
                    f"Write {known.__name__}, or NewType({text!r}, {known.__name__})"
                )
    return (
        f"{text} cannot be stored: use int, float, bool, str, bytes, Decimal, datetime, date, time, timedelta, UUID, "
        "an Enum, a Literal, or a list, dict or model (dataclass, attrs, pydantic, msgspec) of these"
    )


def _scalar(type_: FieldType) -> _Nested:
    dump, load = json_conversions(type_)
    return _Nested(type_.name, type_.accepts, dump, load)


def _optional(inner: _Nested) -> _Nested:
    return _Nested(
        f"{inner.name} | None",
        (*inner.accepts, NoneType) if inner.accepts else (),
        lambda value: None if value is None else inner.dump(value),
        lambda value: None if value is None else inner.load(value),
    )


def _untyped(cls: type[Any]) -> _Nested:
    canonical = CANONICAL[Kind.JSON]

    def convert(value: Any) -> Any:
        _exactly(cls, value)
        return canonical(value)

    return _Nested(cls.__name__, (cls,), convert, convert, _ANY if cls is list else None)


def _list(item: _Nested, name: str) -> _Nested:
    def dump(value: Any) -> Any:
        _exactly(list, value)
        return _each(item.dump, value)

    def load(value: Any) -> Any:
        _exactly(list, value)
        return _each(item.load, value)

    return _Nested(name, (list,), dump, load, item)


def _each(convert: Conversion, values: list[Any]) -> list[Any]:
    made: list[Any] = []
    try:
        made.extend(map(convert, values))  # what was converted before an error is there
    except (ValueError, TypeError) as error:
        raise ValueError(f"[{len(made)}]: {error}") from error
    return made


def _dict(item: _Nested, name: str) -> _Nested:
    def dump(value: Any) -> Any:
        _exactly(dict, value)
        return dict(_entries(item.dump, value.items()))

    def load(value: Any) -> Any:
        _exactly(dict, value)
        return dict(_entries(item.load, value.items()))

    return _Nested(name, (dict,), dump, load)


def _entries(convert: Conversion, items: Iterable[tuple[Any, Any]]) -> Iterable[tuple[str, Any]]:
    for key, value in items:
        try:
            yield CANONICAL[Kind.STR](key), convert(value)
        except (ValueError, TypeError) as error:
            raise ValueError(f"[{key!r}]: {error}") from error


def _model_dump(blueprint: Blueprint, parts: Mapping[str, _Nested]) -> Conversion:
    cls = blueprint.model
    read = compiled("read", ["def read(instance):", f"    return {reading(blueprint, 'instance')}"], {})
    pairs = tuple(parts.items())

    def dump(value: Any) -> Any:
        _exactly(cls, value)
        try:
            values = read(value)
        except AttributeError as error:
            raise ValueError(f"a {cls.__name__} that is not complete: {error}") from error
        made = {}
        for (name, part), inner in zip(pairs, values, strict=True):
            try:
                made[name] = part.dump(inner)
            except (ValueError, TypeError) as error:
                raise ValueError(f".{name}: {error}") from error
        return made

    return dump


def _model_load(blueprint: Blueprint, parts: Mapping[str, _Nested]) -> Conversion:
    cls = blueprint.model
    make = constructor(blueprint)
    attributes = tuple((attribute, parts[attribute.name]) for attribute in blueprint.attributes)

    def load(value: Any) -> Any:
        _exactly(dict, value)
        if not value.keys() <= parts.keys():
            unknown = ", ".join(sorted(value.keys() - parts.keys()))
            raise ValueError(f"{cls.__name__} has no field {unknown}")
        made = []
        for attribute, part in attributes:
            if attribute.name in value:
                try:
                    made.append(part.load(value[attribute.name]))
                except (ValueError, TypeError) as error:
                    raise ValueError(f".{attribute.name}: {error}") from error
            elif attribute.default is not None:
                made.append(attribute.default())
            elif NoneType in part.accepts:
                made.append(None)
            else:
                raise ValueError(f".{attribute.name} is missing")
        return make(*made)

    return load


def _exactly(cls: type[Any], value: Any) -> None:
    if type(value) is not cls:
        text = repr(value)
        raise TypeError(
            f"{cls.__name__} expected, not {type(value).__name__} {text if len(text) <= 60 else text[:57] + '...'}"
        )
