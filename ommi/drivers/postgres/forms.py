"""How PostgreSQL keeps values, in the forms that asyncpg takes and gives."""

from __future__ import annotations

import json
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID, SafeUUID

from asyncpg.pgproto import pgproto

from ommi.errors import EncodeError
from ommi.values import Form, Kind, Storage, json_text

__all__ = ["POSTGRES_STORAGE", "dump_json"]

_MOST_DIGITS: Final = 131_072
_MOST_DECIMALS: Final = 16_383
_WITH_EXPONENT: Final = re.compile(r"[0-9]e[+-]?[0-9]")


def _dump_decimal(value: Decimal) -> Decimal:
    exponent = value.as_tuple().exponent
    assert isinstance(exponent, int)
    if value.adjusted() >= _MOST_DIGITS or exponent < -_MOST_DECIMALS:
        raise EncodeError(
            f"a number of the magnitude 10^{value.adjusted()} with {max(0, -exponent)} decimals does not fit numeric: "
            f"PostgreSQL keeps {_MOST_DIGITS} digits before the point and {_MOST_DECIMALS} after it"
        )
    return value


def dump_json(value: Any) -> str:
    """The text of a JSON structure.

    jsonb keeps numbers in decimals: one written with an exponent would come back as a whole number, an int.
    """
    text = json_text(value)
    return _positional(value) if _WITH_EXPONENT.search(text) else text


def _positional(value: Any) -> str:
    match value:
        case float():
            digits = format(Decimal(repr(value)), "f")
            return digits if "." in digits else f"{digits}.0"
        case list():
            return f"[{','.join(map(_positional, value))}]"
        case dict():
            return f"{{{','.join(f'{json_text(key)}:{_positional(item)}' for key, item in value.items())}}}"
        case _:
            return json_text(value)


def _load_datetime(value: datetime) -> datetime:
    if value.tzinfo is None:  # asyncpg gives an infinity so
        raise ValueError("infinity is no moment")
    return value


_set: Final = object.__setattr__


def _load_uuid(value: UUID) -> UUID:
    """A plain UUID of asyncpg's own kind; what the constructor would check is known."""
    plain = object.__new__(UUID)
    _set(plain, "int", value.int)
    _set(plain, "is_safe", SafeUUID.unknown)
    return plain


POSTGRES_STORAGE: Final = Storage(
    "postgres",
    {
        Kind.INT: Form(int),
        Kind.FLOAT: Form(float),
        Kind.BOOL: Form(bool),
        Kind.STR: Form(str),
        Kind.BYTES: Form(bytes),
        Kind.DECIMAL: Form(Decimal, _dump_decimal),
        Kind.DATETIME: Form(datetime, None, _load_datetime),
        Kind.NAIVE_DATETIME: Form(datetime),
        Kind.DATE: Form(date),
        Kind.TIME: Form(time),
        Kind.TIMEDELTA: Form(timedelta),
        Kind.UUID: Form(pgproto.UUID, None, _load_uuid),
        Kind.JSON: Form(str, dump_json, json.loads),
    },
)
