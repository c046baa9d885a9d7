"""SQLite, as data: its dialect, and how it keeps values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from operator import methodcaller
from typing import Any, Final
from uuid import UUID

from ommi.drivers.defaults import server_default
from ommi.drivers.sql.dialect import Dialect, OrderKey, TextForm, ValueForm, Vocabulary
from ommi.drivers.sqlite.functions import ARITHMETIC_NAMES, LETTERS, MIDDLE, decimal_key
from ommi.errors import QueryRejected, UnsupportedOperation
from ommi.query.expressions import AggregateName, ArithmeticOperator, FunctionName
from ommi.query.patterns import fold
from ommi.schema import Field, Schema
from ommi.values import Form, Kind, Storage, Written, json_text

__all__ = ["SQLITE", "SQLITE_STORAGE"]

# -- how values are kept

_MICROSECOND: Final = timedelta(microseconds=1)
_UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def _load_bool(value: int) -> bool:
    if value == 1:
        return True
    if value == 0:
        return False
    raise ValueError(f"{value} is no bool: 0 or 1 expected")


def _load_decimal(value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no decimal number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is no finite decimal number")
    return number


_dump_datetime: Final = methodcaller("isoformat", " ", "microseconds")
_PARSED: Final = {"parsed": datetime.fromisoformat, "UTC": UTC}


def _load_datetime(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is not UTC:
        raise ValueError(f"{value!r} is no time in UTC: it must end in +00:00")
    return moment


def _load_naive_datetime(value: str) -> datetime:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is not None:
        raise ValueError(f"{value!r} has a time zone")
    return moment


def _dump_time(value: time) -> str:
    return value.isoformat("microseconds")


def _load_time(value: str) -> time:
    moment = time.fromisoformat(value)
    if moment.tzinfo is not None:
        raise ValueError(f"{value!r} has a time zone")
    return moment


def _dump_timedelta(value: timedelta) -> int:
    return value // _MICROSECOND


def _load_timedelta(value: int) -> timedelta:
    return timedelta(microseconds=value)


def _load_uuid(value: str) -> UUID:
    if _UUID(value) is None:
        raise ValueError(f"{value!r} is no UUID as str() writes it")
    return UUID(value)


def _no_constant(said: str) -> Any:
    raise ValueError(f"{said} is no JSON")


SQLITE_STORAGE: Final = Storage(
    "sqlite",
    {
        Kind.INT: Form(int),
        Kind.FLOAT: Form(float),
        Kind.BOOL: Form(int, int, _load_bool, Written("True if {v} == 1 else False if {v} == 0 else {load}({v})")),
        Kind.STR: Form(str),
        Kind.BYTES: Form(bytes),
        Kind.DECIMAL: Form(str, str, _load_decimal),
        Kind.DATETIME: Form(
            str,
            _dump_datetime,
            _load_datetime,
            Written("moment if (moment := parsed({v})).tzinfo is UTC else {load}({v})", _PARSED),
        ),
        Kind.NAIVE_DATETIME: Form(
            str,
            _dump_datetime,
            _load_naive_datetime,
            Written("moment if (moment := parsed({v})).tzinfo is None else {load}({v})", _PARSED),
        ),
        Kind.DATE: Form(str, date.isoformat, date.fromisoformat),
        Kind.TIME: Form(str, _dump_time, _load_time),
        Kind.TIMEDELTA: Form(int, _dump_timedelta, _load_timedelta),
        Kind.UUID: Form(str, str, _load_uuid),
        Kind.JSON: Form(str, json_text, json.JSONDecoder(parse_constant=_no_constant).decode),
    },
)
"""Times are texts of a fixed width, so that the order of texts is the order of times."""

# -- names and values in SQL


def _quoted(name: str, mark: str) -> str:
    if "\0" in name or not name:
        raise QueryRejected(f"{name!r} cannot be the name of a table or column: it must be some text without NUL")
    return f"{mark}{name.replace(mark, mark + mark)}{mark}"


def _quote(name: str) -> str:
    # an unknown name in double quotes would be taken for a text: the table would lack a column and no one would know
    return _quoted(name, "`")


def _quote_in_schema(name: str) -> str:
    return _quoted(name, '"')


def _inline(value: Any, kind: Kind) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case bytes():
            return f"X'{value.hex()}'"
        case float():
            return repr(value).replace("inf", "9e999")
        case _:
            return str(int(value))


def _server_default(schema: Schema, field: Field) -> str:
    assert field.server_default is not None
    expression = field.server_default.strip()
    now = _NOW.get((field.type.kind, expression.upper()))
    if now is not None:
        return now
    try:
        value = server_default(schema, field, datetime.now(UTC))
    except UnsupportedOperation:  # no literal: SQLite evaluates it for each row
        return expression
    kind = field.type.kind
    dump = SQLITE_STORAGE.forms[kind].dump
    return _inline(value if value is None or dump is None else dump(value), kind)


_NOW: Final[Mapping[tuple[Kind, str], str]] = {
    (Kind.DATETIME, "CURRENT_TIMESTAMP"): "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')",
    (Kind.NAIVE_DATETIME, "CURRENT_TIMESTAMP"): "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
    (Kind.DATE, "CURRENT_DATE"): "CURRENT_DATE",
    (Kind.TIME, "CURRENT_TIME"): "strftime('%H:%M:%f000', 'now')",
}
"""What every database calls the time, in the form in which times are kept."""

# -- text


def _glob(pattern: str) -> str:
    """A LIKE pattern as a GLOB pattern: GLOB minds the case, whatever the connection's pragmas say."""
    return "".join(_GLOB.get(character, character) for character in pattern)


_GLOB: Final = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}


def _after(prefix: str) -> str | bytes:
    """The least value after all texts with a prefix; any blob comes after every text."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at])
        if code < 0x10FFFF:
            return prefix[:at] + chr(0xE000 if code == 0xD7FF else code + 1)
    return b""


_TEXTS: Final[Mapping[Any, TextForm]] = {
    "contains": TextForm("instr({0}, {1}) > 0", (None,), "instr({0}, {1}) > 0"),
    "starts_with": TextForm("({0} >= {1} AND {0} < {2})", (None, _after), "substr({0}, 1, length({1})) = {1}"),
    "ends_with": TextForm(
        "substr({0}, length({0}) - length({1}) + 1) = {1}", (None,), "substr({0}, length({0}) - length({1}) + 1) = {1}"
    ),
    "like": TextForm("{0} GLOB {1}", (_glob,)),
}

_FUNCTIONS: Final[Mapping[FunctionName, str]] = {
    "lower": "lower({0})",
    "upper": "upper({0})",
    "length": "length({0})",
    "coalesce": "coalesce({0}, {1})",
}
_AS_FLOAT: Final = "CAST({0} AS REAL)"

# -- lists


def _list_of(kind: Kind) -> ValueForm:
    dump = SQLITE_STORAGE.forms[kind].dump
    match kind:
        case Kind.FLOAT:  # JSON has no infinity, and SQLite's reading of decimal digits is not exact
            return ValueForm("{0} IN (SELECT ommi_float(value) FROM json_each({1}))", _dump_each(float.hex))
        case Kind.BYTES:
            return ValueForm("{0} IN (SELECT ommi_bytes(value) FROM json_each({1}))", _dump_each(bytes.hex))
        case _:
            written = json_text if dump is None else _dump_each(dump)
            return ValueForm("{0} IN (SELECT value FROM json_each({1}))", written)


def _dump_each(dump: Callable[[Any], Any]) -> Callable[[list[Any]], str]:
    return lambda values: json_text([dump(value) for value in values])


def _element_of(kind: Kind) -> ValueForm:
    if kind in (Kind.FLOAT, Kind.JSON):  # may be a float: see _list_of
        return ValueForm("ommi_has_element({0}, {1})", json_text)
    same = "SELECT 1 FROM json_each({0}) AS e, json_each({1}) AS v WHERE e.type = v.type AND e.value IS v.value"
    return ValueForm(f"EXISTS ({same})", lambda value: json_text([value]))


# -- aggregates

_HALVES: Final = "sum({0} >> 32), sum({0} & 4294967295)"
"""Of whole numbers: the database's own sum overflows when a part of the numbers does. Either half cannot."""

_FLOAT_SUM: Final = "ommi_float_sum(sum({0}), min({0}), max({0}))"
_AGGREGATES: Final[Mapping[tuple[AggregateName, Kind], str]] = {
    **{("min_", kind): "min({0})" for kind in Kind},
    **{("max_", kind): "max({0})" for kind in Kind},
    ("min_", Kind.DECIMAL): "ommi_decimal_min({0})",
    ("max_", Kind.DECIMAL): "ommi_decimal_max({0})",
    ("sum_", Kind.INT): f"ommi_int_sum({_HALVES})",
    ("sum_", Kind.FLOAT): _FLOAT_SUM,
    ("sum_", Kind.DECIMAL): "ommi_decimal_sum({0})",
    ("avg", Kind.INT): f"ommi_int_avg({_HALVES}, count({{0}}))",
    ("avg", Kind.FLOAT): f"{ARITHMETIC_NAMES[Kind.FLOAT, '/']}({_FLOAT_SUM}, count({{0}}))",
    ("avg", Kind.DECIMAL): "ommi_decimal_avg({0})",
}

# -- arithmetic of the schema: without the functions of our connections, what they refuse is a missing value


def _native_arithmetic() -> Mapping[tuple[Kind, ArithmeticOperator], str]:
    remainder = "({0} % {1})"
    signs_differ = f"{remainder} <> 0 AND ({remainder} < 0) <> ({{1}} < 0)"
    found: dict[tuple[Kind, ArithmeticOperator], str] = {
        (Kind.FLOAT, "/"): "(CAST({0} AS REAL) / {1})",
        (Kind.INT, "%"): f"CASE WHEN {signs_differ} THEN {remainder} + {{1}} ELSE {remainder} END",
    }
    operators: tuple[ArithmeticOperator, ...] = ("+", "-", "*")
    for operator in operators:
        result = f"({{0}} {operator} {{1}})"
        found[Kind.FLOAT, operator] = result
        # an int too large for 64 bits would become a float
        found[Kind.INT, operator] = f"CASE typeof({result}) WHEN 'integer' THEN {result} END"
    return found


def _native_decimal_key(other: Decimal | None = None) -> str:
    """`decimal_key` without a function of ours; of numbers with another sign than `other`, the sign is enough."""
    number = "ltrim({0}, '-')"
    mantissa = f"substr({number}, 1, instr({number} || 'E', 'E') - 1)"
    exponent = f"CAST(substr({number}, instr({number} || 'E', 'E') + 1) AS INTEGER)"
    whole = f"ltrim(substr({mantissa}, 1, instr({mantissa} || '.', '.') - 1), '0')"
    fraction = f"substr({mantissa}, instr({mantissa} || '.', '.') + 1)"
    zeros = f"(length({fraction}) - length(ltrim({fraction}, '0')))"
    adjusted = f"{exponent} + CASE {whole} WHEN '' THEN -1 - {zeros} ELSE length({whole}) - 1 END"
    digits = letters = f"ltrim({whole} || {fraction}, '0')"
    for digit, letter in zip("0123456789", LETTERS, strict=True):
        letters = f"replace({letters}, '{digit}', '{letter}')"
    negative = f"'0' || printf('%019d', {MIDDLE} - ({adjusted})) || {letters} || '~'"
    positive = f"'2' || printf('%019d', {MIDDLE} + {adjusted}) || {digits}"
    if other is not None:
        negative = negative if other < 0 else "'0'"
        positive = positive if other > 0 else "'2'"
    return (
        f"CASE WHEN {{0}} = '0' THEN '1' WHEN substr({{0}}, 1, 1) = '-' THEN {negative} "
        f"WHEN {{0}} IS NOT NULL THEN {positive} END"
    )


_TYPES: Final[Mapping[Kind, str]] = {
    Kind.INT: "INTEGER",
    Kind.FLOAT: "REAL",
    Kind.BOOL: "INTEGER",
    Kind.STR: "TEXT",
    Kind.BYTES: "BLOB",
    Kind.DECIMAL: "TEXT",
    Kind.DATETIME: "TEXT",
    Kind.NAIVE_DATETIME: "TEXT",
    Kind.DATE: "TEXT",
    Kind.TIME: "TEXT",
    Kind.TIMEDELTA: "INTEGER",
    Kind.UUID: "TEXT",
    Kind.JSON: "TEXT",
}

SQLITE: Final = Dialect(
    name="sqlite",
    storage=SQLITE_STORAGE,
    placeholder=lambda number, place: "?",
    query=Vocabulary(
        quote=_quote,
        arithmetic={key: f"{name}({{0}}, {{1}})" for key, name in ARITHMETIC_NAMES.items()},
        functions=_FUNCTIONS,
        texts={
            **_TEXTS,
            "ilike": TextForm("ommi_fold({0}) = {1}", (fold,)),
            "regex": TextForm("ommi_regex({1}, {0})"),
        },
        as_float=_AS_FLOAT,
        order_keys={Kind.DECIMAL: OrderKey("ommi_decimal_key({0})", decimal_key)},
        elements={kind: _element_of(kind) for kind in Kind},
        lists={kind: _list_of(kind) for kind in Kind},
        longest_list=32,
        aggregates=_AGGREGATES,
    ),
    schema=Vocabulary(
        quote=_quote_in_schema,
        arithmetic=_native_arithmetic(),
        functions=_FUNCTIONS,
        texts=_TEXTS,
        as_float=_AS_FLOAT,
        order_keys={Kind.DECIMAL: OrderKey(_native_decimal_key(), decimal_key, _native_decimal_key)},
        subqueries=False,
    ),
    nulls_smallest=True,
    joins_not_exists=False,
    offset_alone="LIMIT -1 OFFSET {0}",
    lock=lambda lock: "",  # the writer is alone
    types=_TYPES,
    generated={Kind.INT: "INTEGER PRIMARY KEY"},
    table_options=" STRICT",
    # SQLite 3.40 gives what follows a REAL column the wrong class in RETURNING, unless it is cast
    returned=lambda column, kind: f"CAST({column} AS {_TYPES[kind]})",
    server_default=_server_default,
    inline=_inline,
    newest_index_first=True,
)
