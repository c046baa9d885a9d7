"""PostgreSQL, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ommi.drivers.defaults import server_default
from ommi.drivers.postgres.aggregation import AGGREGATES
from ommi.drivers.postgres.arithmetic import QUERY_ARITHMETIC, SCHEMA_ARITHMETIC
from ommi.drivers.postgres.forms import POSTGRES_STORAGE, dump_json
from ommi.drivers.postgres.texts import TEXTS
from ommi.drivers.sql.dialect import Dialect, ValueForm, Vocabulary
from ommi.drivers.sql.fragment import Place
from ommi.errors import QueryRejected, UnsupportedOperation
from ommi.query.checks import constraint_name
from ommi.query.expressions import FunctionName
from ommi.query.statements import Lock
from ommi.schema import Field, Schema
from ommi.values import Kind

__all__ = ["POSTGRES", "array_of", "cast_of", "clamped", "is_clamped", "quoted"]

_TYPES: Final[Mapping[Kind, str]] = {
    Kind.INT: "bigint",
    Kind.FLOAT: "double precision",
    Kind.BOOL: "boolean",
    Kind.STR: 'text COLLATE "C"',
    Kind.BYTES: "bytea",
    Kind.DECIMAL: "numeric",
    Kind.DATETIME: "timestamp with time zone",
    Kind.NAIVE_DATETIME: "timestamp without time zone",
    Kind.DATE: "date",
    Kind.TIME: "time without time zone",
    Kind.TIMEDELTA: "interval",
    Kind.UUID: "uuid",
    Kind.JSON: "jsonb",
}
_CASTS: Final[Mapping[Kind, str]] = {
    **_TYPES,
    Kind.STR: "text",
    Kind.FLOAT: "float8",
    Kind.DATETIME: "timestamptz",
    Kind.NAIVE_DATETIME: "timestamp",
    Kind.TIME: "time",
}
_ENDS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.DATETIME: ("'0001-01-01 00:00:00+00'::timestamptz", "'9999-12-31 23:59:59.999999+00'::timestamptz"),
    Kind.NAIVE_DATETIME: ("'0001-01-01'::timestamp", "'9999-12-31 23:59:59.999999'::timestamp"),
    Kind.DATE: ("'0001-01-01'::date", "'9999-12-31'::date"),
}
"""The first and the last, which asyncpg sends as infinities."""


def quoted(name: str) -> str:
    """A name in SQL."""
    if "\0" in name or not name:
        raise QueryRejected(f"{name!r} cannot be the name of a table or column: it must be some text without NUL")
    return '"' + name.replace('"', '""') + '"'


def cast_of(kind: Kind) -> str:
    """The type of a kind."""
    return _CASTS[kind]


def array_of(kind: Kind) -> str:
    """The type of an array of a kind."""
    return f"{_CASTS[kind]}[]"


def is_clamped(kind: Kind) -> bool:
    """Whether asyncpg sends the first and the last of its values as infinities."""
    return kind in _ENDS


def clamped(sql: str, kind: Kind) -> str:
    """A parameter, or a column of a parameter that is an array, with the infinities back to what was meant."""
    if kind not in _ENDS:
        return sql
    first, last = _ENDS[kind]
    # both ignore a missing value, which must stay missing
    return f"CASE WHEN {sql} IS NOT NULL THEN greatest(least({sql}, {last}), {first}) END"


def _placeholder(number: int, place: Place) -> str:
    if isinstance(place.source, slice):
        return f"${number}::{array_of(place.kind)}"
    value = f"${number}::{_CASTS[place.kind]}"
    return f"({clamped(value, place.kind)})" if place.kind in _ENDS else value


def _text(value: str) -> str:
    # the form with E means the same whatever the server's standard_conforming_strings
    mark = "E'" if "\\" in value else "'"
    return mark + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _inline(value: Any, kind: Kind) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return f"({value})" if value < 0 else str(value)
        case float():
            return f"'{value!r}'::float8"
        case Decimal():
            return f"'{value:f}'::numeric"
        case str() if kind is Kind.JSON:
            return f"{_text(value)}::jsonb"
        case str():
            return _text(value)
        case bytes():
            return f"decode('{value.hex()}', 'hex')"
        case timedelta():
            return f"'{value // timedelta(microseconds=1)} microseconds'::interval"
        case UUID():
            return f"'{value}'::uuid"
        case _:
            return f"'{value.isoformat()}'::{_CASTS[kind]}"


_NOW: Final[Mapping[tuple[Kind, str], str]] = {
    (Kind.DATETIME, "CURRENT_TIMESTAMP"): "CURRENT_TIMESTAMP",
    (Kind.NAIVE_DATETIME, "CURRENT_TIMESTAMP"): "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')",
    (Kind.DATE, "CURRENT_DATE"): "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')::date",
    (Kind.TIME, "CURRENT_TIME"): "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')::time",
}
"""The time in UTC, whatever the session's time zone."""


def _server_default(schema: Schema, field: Field) -> str:
    assert field.server_default is not None
    expression, kind = field.server_default.strip(), field.type.kind
    now = _NOW.get((kind, expression.upper()))
    if now is not None:
        return now
    try:
        value = server_default(schema, field, datetime.now(UTC))
    except UnsupportedOperation:  # no literal: the server evaluates it for each row
        return expression
    dump = POSTGRES_STORAGE.forms[kind].dump
    return _inline(value if value is None or dump is None else dump(value), kind)


# -- values among others


def _list_of(kind: Kind) -> ValueForm:
    dump = POSTGRES_STORAGE.forms[kind].dump
    each: Callable[[Any], Any] = list if dump is None else lambda values: [dump(value) for value in values]
    if kind is Kind.JSON:
        return ValueForm("{0} = ANY (ARRAY(SELECT v::text FROM unnest({1}) AS v))", each)
    if kind in _ENDS:
        values = f"SELECT {clamped('v', kind)} FROM unnest({{1}}) AS v"  # noqa: S608 - no values
        return ValueForm(f"{{0}} = ANY (ARRAY({values}))", each)
    return ValueForm("{0} = ANY ({1})", each)


def _element_of(kind: Kind) -> ValueForm:
    if kind in (Kind.FLOAT, Kind.JSON):  # 1 and 1.0 are two values, and one jsonb number
        same = "SELECT 1 FROM jsonb_array_elements({0}) AS e WHERE e::text = {1}::text"
        return ValueForm(f"EXISTS ({same})", dump_json)
    return ValueForm("{0} @> {1}", lambda value: dump_json([value]))


_FUNCTIONS: Final[Mapping[FunctionName, str]] = {
    "lower": 'lower({0} COLLATE "C")',
    "upper": 'upper({0} COLLATE "C")',
    "length": "length({0})::bigint",
    "coalesce": "coalesce({0}, {1})",
}


def _lock(lock: Lock) -> str:
    return f" FOR UPDATE{' SKIP LOCKED' if lock.skip_locked else ' NOWAIT' if lock.no_wait else ''}"


def _check_names(names: Sequence[str]) -> Sequence[str]:
    """PostgreSQL looks at the checks of a row in the order of their names."""
    if list(names) == sorted(names, key=str.encode):
        return names
    width = len(str(len(names)))
    return [constraint_name(f"{number:0{width}}", name) for number, name in enumerate(names, 1)]


POSTGRES: Final = Dialect(
    name="postgres",
    storage=POSTGRES_STORAGE,
    placeholder=_placeholder,
    query=Vocabulary(
        quote=quoted,
        arithmetic=QUERY_ARITHMETIC,
        functions=_FUNCTIONS,
        texts=TEXTS,
        as_float="{0}::float8",
        elements={kind: _element_of(kind) for kind in Kind},
        lists={kind: _list_of(kind) for kind in Kind},
        longest_list=0,
        equality_keys={Kind.JSON: "{0}::text"},
        aggregates=AGGREGATES,
    ),
    schema=Vocabulary(
        quote=quoted,
        arithmetic=SCHEMA_ARITHMETIC,
        functions=_FUNCTIONS,
        texts=TEXTS,
        as_float="{0}::float8",
        elements={kind: _element_of(kind) for kind in Kind if kind not in (Kind.FLOAT, Kind.JSON)},
        equality_keys={Kind.JSON: "{0}::text"},
        subqueries=False,
    ),
    nulls_smallest=False,
    joins_not_exists=True,
    offset_alone="OFFSET {0}",
    lock=_lock,
    types=_TYPES,
    generated={Kind.INT: "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
    table_options="",
    returned=lambda column, kind: column,
    server_default=_server_default,
    inline=_inline,
    check_names=_check_names,
    checks_choices=True,
    references_apart=True,
    reference_options=" DEFERRABLE",
    orders_by_position=True,
    named_keys="{0} CROSS JOIN LATERAL (SELECT {1}) AS {2}",
)
