"""The types of single values: what Python gives, enums and literals."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Any, Final, get_args, get_origin
from uuid import UUID, uuid4

from ommi.models.annotations import spelled
from ommi.values import CANONICAL, FieldType, Kind

__all__ = ["scalar_type"]


def _plain(kind: Kind, *accepts: type[Any], name: str | None = None) -> FieldType:
    return FieldType(kind, name or accepts[0].__name__, CANONICAL[kind], None, accepts)


_NAIVE: Final = _plain(Kind.NAIVE_DATETIME, datetime, name="naive datetime")
_OBJECT_ID: Final = "bson.objectid.ObjectId"  # a class of PyMongo's, which need not be there
_SCALARS: Final[Mapping[type[Any], FieldType]] = {
    int: _plain(Kind.INT, int),
    float: _plain(Kind.FLOAT, float, int),
    bool: _plain(Kind.BOOL, bool),
    str: _plain(Kind.STR, str),
    bytes: _plain(Kind.BYTES, bytes),
    Decimal: _plain(Kind.DECIMAL, Decimal),
    datetime: _plain(Kind.DATETIME, datetime),
    date: _plain(Kind.DATE, date),
    time: _plain(Kind.TIME, time),
    timedelta: _plain(Kind.TIMEDELTA, timedelta),
    UUID: FieldType(Kind.UUID, "UUID", CANONICAL[Kind.UUID], None, (UUID,), generate=uuid4),
}
# classes that only pydantic's validation knows; their values are plain ones
_PYDANTIC: Final[Mapping[str, FieldType]] = {
    "pydantic.networks.EmailStr": _SCALARS[str],
    "pydantic.types.AwareDatetime": _SCALARS[datetime],
    "pydantic.types.NaiveDatetime": _NAIVE,
    "pydantic.types.PastDate": _SCALARS[date],
    "pydantic.types.FutureDate": _SCALARS[date],
}
_CHOICE_KINDS: Final[Mapping[type[Any], Kind]] = {
    int: Kind.INT,
    str: Kind.STR,
    bool: Kind.BOOL,
    bytes: Kind.BYTES,
}


def scalar_type(found: Any, place: str, naive: bool = False, bson_date: bool = False) -> FieldType | None:
    """The type of a single value, or `None` where the annotation is of something else.

    Raises `TypeError` naming `place` for an enum or a literal whose values are of no one kind.
    """
    if bson_date:
        if found is not datetime:
            raise TypeError(f"{place}: BsonDate is said of a datetime, not of {spelled(found)}")
        return _bson_date(_NAIVE if naive else _SCALARS[datetime])
    if naive:
        if found is not datetime:
            raise TypeError(f"{place}: Naive is said of a datetime, not of {spelled(found)}")
        return _NAIVE
    if get_origin(found) is typing.Literal:
        return _literal(found, place)
    if not isinstance(found, type):
        return None
    if found in _SCALARS:
        return _SCALARS[found]
    if issubclass(found, Enum):
        return _enum(found, place)
    name = f"{found.__module__}.{found.__qualname__}"
    return _object_id(found) if name == _OBJECT_ID else _PYDANTIC.get(name)


def _bson_date(whole: FieldType) -> FieldType:
    def dump(value: Any) -> Any:
        moment = whole.dump(value)
        if moment.microsecond % 1000:
            raise ValueError(
                f"{value!r} has microseconds, and a BSON date only milliseconds; round it, "
                "or leave BsonDate out, and MongoDB keeps an int of microseconds"
            )
        return moment

    return FieldType(whole.kind, whole.name, dump, None, whole.accepts, native="bson date")


def _object_id(cls: type[Any]) -> FieldType:
    """As 24 digits where a database has no such ids: they are in the same order."""

    def dump(value: Any) -> str:
        if type(value) is not cls:
            raise TypeError(f"ObjectId expected, not {type(value).__name__} {value!r}")
        return str(value)

    def load(value: str) -> Any:
        if not cls.is_valid(value):
            raise ValueError(f"{value!r} is no ObjectId")
        return cls(value)

    return FieldType(Kind.STR, "ObjectId", dump, load, (cls,), native="object id", generate=lambda: str(cls()))


def _enum(cls: type[Enum], place: str) -> FieldType:
    members = tuple(cls.__members__.values())
    kind = _one_kind([member.value for member in members], (int, str))
    if kind is None:
        raise TypeError(
            f"{place}: the enum {cls.__name__} cannot be stored: its values must be all int or all str, "
            f"not {', '.join(repr(member.value) for member in members) or 'none at all'}"
        )
    canonical = CANONICAL[kind]
    by_value = {canonical(member.value): member for member in members}

    def dump(value: Any) -> Any:
        if type(value) is not cls:
            raise TypeError(f"{cls.__name__} expected, not {type(value).__name__} {value!r}")
        return value._value_

    def load(value: Any) -> Any:
        member = by_value.get(value)
        if member is None:
            raise ValueError(f"{value!r} is no value of {cls.__name__}")
        return member

    def load_flags(value: Any) -> Any:
        member = cls(value)
        if type(member) is not cls:
            raise ValueError(f"{value!r} is no value of {cls.__name__}")
        return member

    if issubclass(cls, Flag):
        return FieldType(kind, cls.__name__, dump, load_flags, (cls,))
    return FieldType(kind, cls.__name__, dump, load, (cls,), choices=tuple(by_value))


def _literal(found: Any, place: str) -> FieldType:
    choices = get_args(found)
    if choices and isinstance(choices[0], Enum):
        return _literal_members(choices, spelled(found), place)
    kind = _one_kind(list(choices), tuple(_CHOICE_KINDS))
    if kind is None:
        raise TypeError(f"{place}: {spelled(found)} cannot be stored: its values must all be of one type")
    member = _member(frozenset(CANONICAL[kind](choice) for choice in choices), type(choices[0]), spelled(found))
    stored = tuple([CANONICAL[kind](choice) for choice in choices])
    return FieldType(kind, spelled(found), member, member, (type(choices[0]),), choices=stored)


def _literal_members(choices: tuple[Any, ...], name: str, place: str) -> FieldType:
    cls = type(choices[0])
    if any(type(choice) is not cls for choice in choices):
        raise TypeError(f"{place}: {name} cannot be stored: its values must be members of one enum")
    whole = _enum(cls, place)
    member = _member(frozenset(choices), cls, name)
    assert whole.load is not None
    restore = whole.load
    stored = tuple([whole.dump(choice) for choice in choices])
    return FieldType(
        whole.kind, name, lambda v: whole.dump(member(v)), lambda v: member(restore(v)), (cls,), choices=stored
    )


def _member(choices: frozenset[Any], cls: type[Any], name: str) -> Callable[[Any], Any]:
    def member(value: Any) -> Any:
        if type(value) is not cls or value not in choices:
            raise ValueError(f"{value!r} is none of {name}")
        return value

    return member


def _one_kind(values: list[Any], classes: tuple[type[Any], ...]) -> Kind | None:
    kinds = {type(value) for value in values}
    (cls,) = kinds if len(kinds) == 1 else (object,)
    return _CHOICE_KINDS[cls] if cls in classes else None
