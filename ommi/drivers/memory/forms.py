"""How the memory driver keeps values: as they are, but JSON as its text, so that no one can change what is stored."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ommi.values import Form, Kind, Storage, json_text

__all__ = ["MEMORY", "stored"]

MEMORY: Final = Storage(
    "memory",
    {
        Kind.INT: Form(int),
        Kind.FLOAT: Form(float),
        Kind.BOOL: Form(bool),
        Kind.STR: Form(str),
        Kind.BYTES: Form(bytes),
        Kind.DECIMAL: Form(Decimal),
        Kind.DATETIME: Form(datetime),
        Kind.NAIVE_DATETIME: Form(datetime),
        Kind.DATE: Form(date),
        Kind.TIME: Form(time),
        Kind.TIMEDELTA: Form(timedelta),
        Kind.UUID: Form(UUID),
        Kind.JSON: Form(str, json_text, json.loads),
    },
)


def stored(kind: Kind, value: Any) -> Any:
    """The stored form of a canonical value of a kind; a missing value stays `None`."""
    return json_text(value) if kind is Kind.JSON and value is not None else value
