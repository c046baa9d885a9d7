"""How SQLite keeps values: what is written is read back equal, type included (semantics §4)."""

import json
import sqlite3
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ommi.drivers.sqlite.dialect import SQLITE, SQLITE_STORAGE
from ommi.values import CANONICAL, MAX_INT, MIN_INT, Kind

FORMS = SQLITE_STORAGE.forms
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(MIN_INT, MAX_INT) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda parts: st.lists(parts) | st.dictionaries(TEXT, parts),
    max_leaves=5,
)
VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.INT: st.integers(MIN_INT, MAX_INT),
    Kind.FLOAT: st.floats(allow_nan=False),
    Kind.BOOL: st.booleans(),
    Kind.STR: TEXT,
    Kind.BYTES: st.binary(),
    Kind.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False),
    Kind.DATETIME: st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11))])).filter(
        lambda moment: 1 < moment.year < 9999
    ),
    Kind.NAIVE_DATETIME: st.datetimes(),
    Kind.DATE: st.dates(),
    Kind.TIME: st.times(),
    Kind.TIMEDELTA: st.timedeltas(timedelta(microseconds=MIN_INT), timedelta(microseconds=MAX_INT)),
    Kind.UUID: st.uuids(),
    Kind.JSON: JSON,
}


def dumped(kind: Kind, value: Any) -> Any:
    form = FORMS[kind]
    return value if form.dump is None else form.dump(value)


def loaded(kind: Kind, value: Any) -> Any:
    form = FORMS[kind]
    return value if form.load is None else form.load(value)


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_what_is_written_is_read_back_equal(kind: Kind) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(f"CREATE TABLE t (v {SQLITE.types[kind]}) STRICT")

    @given(VALUES[kind])
    def check(value: Any) -> None:
        canonical = CANONICAL[kind](value)
        stored = dumped(kind, canonical)
        assert type(stored) is FORMS[kind].stored
        connection.execute("DELETE FROM t")
        connection.execute("INSERT INTO t VALUES (?)", (stored,))
        ((found,),) = connection.execute("SELECT v FROM t").fetchall()
        assert type(found) is FORMS[kind].stored
        back = loaded(kind, found)
        assert (back, type(back)) == (canonical, type(canonical))

    check()
    connection.close()


@pytest.mark.parametrize(
    "kind",
    [Kind.DATETIME, Kind.NAIVE_DATETIME, Kind.DATE, Kind.TIME, Kind.UUID, Kind.TIMEDELTA, Kind.BOOL],
    ids=lambda kind: kind.name,
)
def test_the_order_of_what_is_stored_is_the_order_of_the_values(kind: Kind) -> None:
    @given(VALUES[kind], VALUES[kind])
    def check(one: Any, other: Any) -> None:
        first, second = CANONICAL[kind](one), CANONICAL[kind](other)
        assert (dumped(kind, first) < dumped(kind, second)) is (first < second)

    check()


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (Kind.DATETIME, datetime(7, 1, 2, 3, 4, 5, tzinfo=UTC), "0007-01-02 03:04:05.000000+00:00"),
        (Kind.NAIVE_DATETIME, datetime(2024, 1, 2, 3, 4, 5, 6), "2024-01-02 03:04:05.000006"),  # noqa: DTZ001
        (Kind.DATE, date(7, 1, 2), "0007-01-02"),
        (Kind.TIME, time(3), "03:00:00.000000"),
        (Kind.TIMEDELTA, timedelta(seconds=-1), -1_000_000),
        (Kind.DECIMAL, Decimal("1.5"), "1.5"),
        (Kind.BOOL, True, 1),
        (Kind.UUID, UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Kind.JSON, {"b": [1, None], "a": "\u00e9"}, '{"a":"\u00e9","b":[1,null]}'),
    ],
)
def test_the_forms_are_those_other_tools_read(kind: Kind, value: Any, stored: Any) -> None:
    assert dumped(kind, value) == stored
    assert type(dumped(kind, value)) is type(stored)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (Kind.BOOL, 2),
        (Kind.DECIMAL, "x"),
        (Kind.DECIMAL, "NaN"),
        (Kind.DECIMAL, "Infinity"),
        (Kind.DATETIME, "2024-01-02 03:04:05"),
        (Kind.DATETIME, "2024-01-02 03:04:05+02:00"),
        (Kind.DATETIME, "soon"),
        (Kind.NAIVE_DATETIME, "2024-01-02 03:04:05+00:00"),
        (Kind.DATE, "2024-13-01"),
        (Kind.TIME, "25:00"),
        (Kind.TIME, "03:00:00+00:00"),
        (Kind.UUID, "00000000-0000-0000-0000-00000000000G"),
        (Kind.UUID, "{00000000-0000-0000-0000-000000000001}"),
        (Kind.UUID, "0x000000-0000-0000-0000-000000000001"),
        (Kind.JSON, "{"),
        (Kind.JSON, "NaN"),
        (Kind.JSON, "[Infinity]"),
    ],
)
def test_a_stored_value_that_is_none_is_refused(kind: Kind, stored: Any) -> None:
    with pytest.raises(ValueError):
        loaded(kind, stored)


def test_a_time_written_by_another_tool_without_fractions_is_read() -> None:
    assert loaded(Kind.DATETIME, "2024-01-02T03:04:05Z") == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_there_is_a_form_for_every_kind() -> None:
    assert set(FORMS) == set(Kind)
    assert set(SQLITE.types) == set(Kind)


@given(JSON)
def test_json_is_text_that_json_tools_read(value: Any) -> None:
    assert json.loads(dumped(Kind.JSON, value)) == value
