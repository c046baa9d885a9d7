"""What a `ServerDefault` gives, as far as that is known without a database: literals and the current time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ommi.errors import UnsupportedOperation
from ommi.schema import Field, Schema
from ommi.values import CANONICAL, Kind

__all__ = ["server_default"]

# patterns as text: `re` compiles them, and keeps them, when there is a default
_TEXT: Final = r"'((?:[^']|'')*)'"
_NUMBER: Final = r"(?a)[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"

_FROM_TEXT: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.STR: str,
    Kind.DECIMAL: Decimal,
    Kind.DATETIME: datetime.fromisoformat,
    Kind.NAIVE_DATETIME: datetime.fromisoformat,
    Kind.DATE: date.fromisoformat,
    Kind.TIME: time.fromisoformat,
    Kind.UUID: UUID,
    Kind.JSON: json.loads,
}
_FROM_NUMBER: Final[Mapping[Kind, Callable[[str], Any]]] = {Kind.INT: int, Kind.FLOAT: float, Kind.DECIMAL: Decimal}
_NOW: Final[Mapping[tuple[str, Kind], Callable[[datetime], Any]]] = {
    ("CURRENT_TIMESTAMP", Kind.DATETIME): lambda now: now,
    ("CURRENT_TIMESTAMP", Kind.NAIVE_DATETIME): lambda now: now.replace(tzinfo=None),
    ("CURRENT_DATE", Kind.DATE): datetime.date,
    ("CURRENT_TIME", Kind.TIME): datetime.time,
}


def server_default(schema: Schema, field: Field, now: datetime, driver: str = "memory") -> Any:
    """The canonical value of a field's default, `now` being in UTC.

    `UnsupportedOperation` for what only a database evaluates.
    """
    assert field.server_default is not None
    try:
        value = _value(field.server_default.strip(), field.type.kind, now)
        return None if value is None else CANONICAL[field.type.kind](value)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise UnsupportedOperation(
            f"the {driver} driver cannot evaluate ServerDefault({field.server_default!r}) of "
            f"{schema.name}.{field.name} as {field.type.name}: "
            "it knows texts, numbers, TRUE, FALSE, NULL and CURRENT_TIMESTAMP; give the value in the program, "
            "or run on another database"
        ) from error


def _value(expression: str, kind: Kind, now: datetime) -> Any:
    word = expression.upper()
    if word == "NULL":
        return None
    if word in ("TRUE", "FALSE") and kind is Kind.BOOL:
        return word == "TRUE"
    if word.startswith("CURRENT_"):
        return _NOW[word, kind](now)
    if re.fullmatch(_NUMBER, expression):
        return _FROM_NUMBER[kind](expression)
    text = re.fullmatch(_TEXT, expression)
    if text is None:
        raise ValueError(f"{expression} is no literal")
    return _FROM_TEXT[kind](text[1].replace("''", "'"))
