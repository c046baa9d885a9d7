"""Single values inside a JSON structure.

What JSON has no word for is told by the declared type: a datetime, a Decimal or infinity is a text there, bytes
are base64, a timedelta is a number of microseconds.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from ommi.values import CANONICAL, FieldType, Kind

__all__ = ["Conversion", "json_conversions"]

Conversion = Callable[[Any], Any]


def json_conversions(type_: FieldType) -> tuple[Conversion, Conversion]:
    """From a field's value to JSON and back; both raise `ValueError` or `TypeError`."""
    to_json, from_json = _JSON_FORMS[type_.kind]
    dump, load = type_.dump, type_.load
    return (
        dump if to_json is None else _chain(dump, to_json),
        from_json if load is None else _chain(from_json, load),
    )


def _chain(first: Conversion, then: Conversion) -> Conversion:
    return lambda value: then(first(value))


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError(f"a text expected, not {type(value).__name__} {value!r}")
    return value


def _float_to_json(value: float) -> float | str:
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _float_from_json(value: Any) -> float:
    if value == "Infinity" or value == "-Infinity":
        return math.inf if value == "Infinity" else -math.inf
    if type(value) is not float and type(value) is not int:  # a database may drop the fraction of 1.0
        raise TypeError(f"a number expected, not {type(value).__name__} {value!r}")
    return float(value)


def _bytes_from_json(value: Any) -> bytes:
    try:
        return base64.b64decode(_text(value), validate=True)
    except binascii.Error as error:
        raise ValueError(f"{value!r} is no base64") from error


def _decimal_from_json(value: Any) -> Decimal:
    try:
        return Decimal(_text(value))
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is no decimal number") from error


_ISO: Final[Mapping[Kind, Conversion]] = {
    Kind.DATETIME: datetime.fromisoformat,
    Kind.NAIVE_DATETIME: datetime.fromisoformat,
    Kind.DATE: date.fromisoformat,
    Kind.TIME: time.fromisoformat,
}
_JSON_FORMS: Final[Mapping[Kind, tuple[Conversion | None, Conversion]]] = {
    **{kind: (None, CANONICAL[kind]) for kind in (Kind.INT, Kind.BOOL, Kind.STR)},
    **{
        kind: (lambda value: value.isoformat(), _chain(_chain(_text, parse), CANONICAL[kind]))
        for kind, parse in _ISO.items()
    },
    Kind.FLOAT: (_float_to_json, _float_from_json),
    Kind.BYTES: (lambda value: base64.b64encode(value).decode("ascii"), _bytes_from_json),
    Kind.DECIMAL: (str, _decimal_from_json),
    Kind.TIMEDELTA: (
        lambda value: value // timedelta(microseconds=1),
        lambda value: timedelta(microseconds=CANONICAL[Kind.INT](value)),
    ),
    Kind.UUID: (str, lambda value: UUID(_text(value))),
}
"""From a canonical value to JSON (`None`: it is JSON) and back, raising `ValueError` or `TypeError`."""
