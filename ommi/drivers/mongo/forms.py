"""How MongoDB keeps values: BSON types that compare as the values do, and lose nothing of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow
from typing import Any, Final, assert_never
from uuid import UUID

from bson import DatetimeMS, Decimal128, Int64, ObjectId
from bson.errors import InvalidId

from ommi.values import CANONICAL, FieldType, Form, Kind, Native, Storage

__all__ = ["DECIMAL_DIGITS", "MONGO", "bson_type", "constant", "kept", "numbered", "regained", "to_keep"]

DECIMAL_DIGITS: Final = 34
"""What a `Decimal128` holds (IEEE 754-2008 §3.5)."""

_EXACT: Final = Context(
    DECIMAL_DIGITS, ROUND_HALF_EVEN, -6143, 6144, clamp=1, traps=[Inexact, InvalidOperation, Overflow]
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = _EPOCH.replace(tzinfo=None)
_MICROSECOND: Final = timedelta(microseconds=1)
_canonical: Final = CANONICAL[Kind.DECIMAL]


def _dump_decimal(value: Decimal) -> Decimal128:
    try:
        return Decimal128(_EXACT.create_decimal(value))
    except DecimalException as error:
        raise ValueError(
            f"{value} does not fit the {DECIMAL_DIGITS} digits of MongoDB's Decimal128; round it, or keep it as text"
        ) from error


def _load_decimal(value: Decimal128) -> Decimal:
    number: Decimal = _canonical(value.to_decimal())
    return number


def _dump_datetime(value: datetime) -> Int64:
    return Int64((value - _EPOCH) // _MICROSECOND)


def _load_datetime(value: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=value)
    except OverflowError as error:
        raise ValueError(f"{value} microseconds since 1970 lie outside the years 1 to 9999") from error


def _dump_naive_datetime(value: datetime) -> Int64:
    return Int64((value - _NAIVE_EPOCH) // _MICROSECOND)


def _load_naive_datetime(value: int) -> datetime:
    return _load_datetime(value).replace(tzinfo=None)


def _dump_time(value: time) -> str:
    return value.isoformat("microseconds")


def _load_time(value: str) -> time:
    moment = time.fromisoformat(value)
    if moment.tzinfo is not None:
        raise ValueError(f"{value!r} has a time zone")
    return moment


def _dump_timedelta(value: timedelta) -> Int64:
    return Int64(value // _MICROSECOND)


def _load_timedelta(value: int) -> timedelta:
    return timedelta(microseconds=value)


def _dump_json(value: Any) -> Any:
    """Sub-documents with sorted keys, so that equal structures are equal documents.

    A key that begins with $ gets a backslash before it: no server takes it for an operator, no client for a DBRef.
    """
    if type(value) is dict:
        return {_escaped(key): _dump_json(value[key]) for key in sorted(value)}
    if type(value) is list:
        return [_dump_json(item) for item in value]
    return Int64(value) if type(value) is int else value


def _load_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {_unescaped(key): _load_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_load_json(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if value is None or isinstance(value, (str, float, bool)):
        return value
    raise TypeError(f"{type(value).__name__} is no JSON")


def _escaped(key: str) -> str:
    return f"\\{key}" if key[:1] in ("$", "\\") else key


def _unescaped(key: str) -> str:
    return key[1:] if key[:1] == "\\" else key


MONGO: Final = Storage(
    "mongodb",
    {
        Kind.INT: Form(Int64, Int64, int),
        Kind.FLOAT: Form(float),
        Kind.BOOL: Form(bool),
        Kind.STR: Form(str),
        Kind.BYTES: Form(bytes),
        Kind.DECIMAL: Form(Decimal128, _dump_decimal, _load_decimal),
        Kind.DATETIME: Form(Int64, _dump_datetime, _load_datetime),
        Kind.NAIVE_DATETIME: Form(Int64, _dump_naive_datetime, _load_naive_datetime),
        Kind.DATE: Form(str, date.isoformat, date.fromisoformat),
        Kind.TIME: Form(str, _dump_time, _load_time),
        Kind.TIMEDELTA: Form(Int64, _dump_timedelta, _load_timedelta),
        Kind.UUID: Form(UUID),
        Kind.JSON: Form(object, _dump_json, _load_json),
    },
)
"""Moments are microseconds since 1970, where BSON's own dates have milliseconds; days and times are ISO texts."""

_BSON_TYPES: Final[Mapping[Kind, str | None]] = {
    Kind.INT: "long",
    Kind.FLOAT: "double",
    Kind.BOOL: "bool",
    Kind.STR: "string",
    Kind.BYTES: "binData",
    Kind.DECIMAL: "decimal",
    Kind.DATETIME: "long",
    Kind.NAIVE_DATETIME: "long",
    Kind.DATE: "string",
    Kind.TIME: "string",
    Kind.TIMEDELTA: "long",
    Kind.UUID: "binData",
    Kind.JSON: None,
}
_NATIVE_TYPES: Final[Mapping[Native, str]] = {"object id": "objectId", "bson date": "date"}


def bson_type(found: FieldType) -> str | None:
    """The name of a field's type in a `$jsonSchema`; `None` for any."""
    return _BSON_TYPES[found.kind] if found.native is None else _NATIVE_TYPES[found.native]


def constant(kind: Kind, value: Any) -> Any:
    """The stored form of a canonical value; `ValueError` if there is none."""
    dump = MONGO.forms[kind].dump
    return value if value is None or dump is None else dump(value)


# Fields may keep what other fields of their kind do not: object ids, where others have texts, and dates, where others
# have numbers. In a query they are taken for what the others have.


def kept(found: FieldType, value: Any) -> Any:
    """What a field keeps of a canonical value; `ValueError` if it cannot."""
    match found.native:
        case None:
            return constant(found.kind, value)
        case "object id":
            return to_keep(found.native, value)
        case "bson date":
            return to_keep(found.native, constant(found.kind, value))
        case _:
            assert_never(found.native)


def to_keep(native: Native, value: Any) -> Any:
    """What a field keeps of a value that is stored as the kind's are; `ValueError` if it cannot."""
    match native:
        case "object id":
            try:
                return ObjectId(value)
            except InvalidId as error:
                raise ValueError(f"{value!r} is no ObjectId") from error
        case "bson date":
            milliseconds, rest = divmod(value, 1000)
            if rest:
                raise ValueError(f"{_load_datetime(value)} has microseconds, which no BSON date has")
            return DatetimeMS(milliseconds)
        case _:
            assert_never(native)


def regained(native: Native, value: Any) -> Any:
    """What a field has kept, as the kind's values are stored; what is something else stays as it is."""
    match native:
        case "object id":
            return str(value) if isinstance(value, ObjectId) else value
        case "bson date":
            if isinstance(value, datetime):
                return _dump_datetime(value)
            return Int64(int(value) * 1000) if isinstance(value, DatetimeMS) else value
        case _:
            assert_never(native)


def numbered(native: Native, path: str) -> Any:
    """The same as an expression."""
    match native:
        case "object id":
            return {"$toString": path}
        case "bson date":
            return {"$multiply": [{"$toLong": path}, Int64(1000)]}
        case _:
            assert_never(native)
