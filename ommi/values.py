"""The values that can be stored: a closed set of kinds, each with one canonical Python form.

A model's field turns its values into canonical ones and back (`FieldType`); a driver turns canonical values
into what it keeps and back (`Storage`). So every driver refuses the same values, and none sees a model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from enum import Enum, auto
from typing import Any, Final, Literal, NoReturn, TypeAlias, final
from uuid import UUID

from ommi.frozen import frozen

__all__ = [
    "CANONICAL",
    "DEFAULT",
    "MAX_INT",
    "MIN_INT",
    "Default",
    "FieldType",
    "Form",
    "Kind",
    "Native",
    "Storage",
    "Written",
    "json_text",
]

MIN_INT: Final = -(2**63)
MAX_INT: Final = 2**63 - 1
_MAX_TIMEDELTA: Final = timedelta(microseconds=MAX_INT)
_MIN_TIMEDELTA: Final = timedelta(microseconds=MIN_INT)


class Kind(Enum):
    """What a column holds. `JSON` is a structure of dict, list, str, int, float, bool and None."""

    INT = auto()
    FLOAT = auto()
    BOOL = auto()
    STR = auto()
    BYTES = auto()
    DECIMAL = auto()
    DATETIME = auto()
    NAIVE_DATETIME = auto()
    DATE = auto()
    TIME = auto()
    TIMEDELTA = auto()
    UUID = auto()
    JSON = auto()

    __hash__ = object.__hash__  # an Enum's own is written in Python, and every shape of a statement has kinds in it


Native: TypeAlias = Literal["object id", "bson date"]


@final
class Default:
    """Stands in a row for a value that the database is to assign."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "DEFAULT"


DEFAULT: Final = Default()


@frozen(eq=False)
class FieldType:
    """The type of a field: its kind, and how its values become canonical ones (`dump`) and come back (`load`).

    `dump` raises `ValueError` or `TypeError`, with a message that can follow the field's name, for a value that
    cannot be kept without loss. `load` is `None` where a canonical value is the field's value already; it raises
    `ValueError` or `TypeError` for one that is not. `accepts` are the exact classes `dump` may take.
    """

    kind: Kind
    name: str
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any] | None = None
    accepts: tuple[type[Any], ...] = ()
    element: FieldType | None = None
    """The type of a list field's elements."""
    choices: tuple[Any, ...] = ()
    """The canonical values there are, where they are few: of an enum or a literal."""
    native: Native | None = None
    """What MongoDB keeps the values as, where not as other values of the kind."""
    generate: Callable[[], Any] | None = None
    """Makes the canonical value of a generated key; `None` where the database numbers rows, or there is none."""


@frozen
class Written:
    """A conversion as an expression of the value `{v}`, for loops that are written: calling a function costs more.

    What does not fit is given to `{load}`, the function that the expression stands for. `names` are those it uses.
    """

    expression: str
    names: Mapping[str, Any] | None = None


@frozen
class Form:
    """How a driver keeps the values of one kind.

    `stored` is the exact class of what it reads back; `dump` and `load` convert between that and the canonical
    form (`None`: they are the same), `load` raising `ValueError` or `TypeError` for what is no such value.
    """

    stored: type[Any]
    dump: Callable[[Any], Any] | None = None
    load: Callable[[Any], Any] | None = None
    written_load: Written | None = None


@frozen(eq=False)
class Storage:
    """The forms of a driver, one for every kind; compared by identity, so that it can key a cache."""

    name: str
    forms: Mapping[Kind, Form]


def json_text(value: object) -> str:
    """The one text of a JSON structure: keys sorted, no spaces, so that equal structures have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _misfit(kind: type[Any], value: object) -> NoReturn:
    cause = f"{kind.__name__} expected, not {type(value).__name__} {_short(value)}"
    if isinstance(value, kind):
        cause += f" (it would be read back as plain {kind.__name__}: convert it, or declare the field as its class)"
    raise TypeError(cause)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _int(value: Any) -> int:
    if type(value) is not int:
        _misfit(int, value)
    if not MIN_INT <= value <= MAX_INT:
        raise ValueError(f"{_short(value)} does not fit 64 bits")
    return int(value)


def _float(value: Any) -> float:
    if type(value) is int:
        number = float(value) if abs(value) <= 2**1023 else math.inf
        if number != value:
            raise ValueError(f"{_short(value)} cannot be a float without loss")
        return number
    if type(value) is not float:
        _misfit(float, value)
    if value != value:
        raise ValueError("nan cannot be stored: it equals nothing; use None for a missing value")
    return float(value) + 0.0  # -0.0 becomes 0.0


def _bool(value: Any) -> bool:
    if type(value) is not bool:
        _misfit(bool, value)
    return bool(value)


def _str(value: Any) -> str:
    if type(value) is not str:
        _misfit(str, value)
    if "\0" in value:
        raise ValueError("a text with the character NUL cannot be stored; use bytes")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("a text with a lone surrogate cannot be stored; use bytes") from error
    return str(value)


def _bytes(value: Any) -> bytes:
    if type(value) is not bytes:
        _misfit(bytes, value)
    return bytes(value)


def _decimal(value: Any) -> Decimal:
    if type(value) is not Decimal:
        _misfit(Decimal, value)
    if not value.is_finite():
        raise ValueError(f"{value} cannot be stored in a Decimal field")
    if not value:
        return Decimal(0)
    # normalize() rounds to the context's precision: give it as many digits as there are
    number: Decimal = Context(prec=len(value.as_tuple().digits), Emax=10**17, Emin=-(10**17)).normalize(value)
    return number


def _datetime(value: Any) -> datetime:
    if type(value) is not datetime:
        _misfit(datetime, value)
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(
            f"{value!r} has no time zone; add one (datetime.now(timezone.utc)), "
            "or declare the field Annotated[datetime, Naive]"
        )
    try:
        moment: datetime = value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{value!r} lies outside the years 1 to 9999 in UTC") from error
    return moment


def _naive_datetime(value: Any) -> datetime:
    if type(value) is not datetime:
        _misfit(datetime, value)
    if value.tzinfo is not None:
        raise ValueError(f"{value!r} has a time zone, and the field is declared Naive")
    moment: datetime = value.replace(fold=0)
    return moment


def _date(value: Any) -> date:
    if type(value) is not date:
        _misfit(date, value)
    day: date = value
    return day


def _time(value: Any) -> time:
    if type(value) is not time:
        _misfit(time, value)
    if value.tzinfo is not None:
        raise ValueError(f"{value!r} has a time zone; a time of day is stored without one")
    moment: time = value.replace(fold=0)
    return moment


def _timedelta(value: Any) -> timedelta:
    if type(value) is not timedelta:
        _misfit(timedelta, value)
    if not _MIN_TIMEDELTA <= value <= _MAX_TIMEDELTA:
        raise ValueError(f"{value!r} does not fit 64 bits of microseconds")
    span: timedelta = value
    return span


def _uuid(value: Any) -> UUID:
    if type(value) is not UUID:
        _misfit(UUID, value)
    key: UUID = value
    return key


def _json(value: Any) -> Any:
    """A fresh copy of a JSON structure, so that a later change of the original changes nothing."""
    if value is None or type(value) is bool:
        return value
    if type(value) is int:
        return _int(value)
    if type(value) is float:
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be stored in a nested value of no declared type")
        return value + 0.0
    if type(value) is str:
        return _str(value)
    if type(value) is list:
        return [_json(item) for item in value]
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                raise TypeError(f"a nested dict has the key {_short(key)}; keys must be str")
        return {_str(key): _json(item) for key, item in value.items()}
    raise TypeError(f"{type(value).__name__} {_short(value)} cannot be stored in a nested value of no declared type")


CANONICAL: Final[Mapping[Kind, Callable[[Any], Any]]] = {
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.BOOL: _bool,
    Kind.STR: _str,
    Kind.BYTES: _bytes,
    Kind.DECIMAL: _decimal,
    Kind.DATETIME: _datetime,
    Kind.NAIVE_DATETIME: _naive_datetime,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.TIMEDELTA: _timedelta,
    Kind.UUID: _uuid,
    Kind.JSON: _json,
}
"""The canonical form of a value of each kind, or `ValueError`/`TypeError` saying why there is none."""
