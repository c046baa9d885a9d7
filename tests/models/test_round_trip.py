"""What is read of an instance is built again as an equal one, of the same classes, by every library."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ommi.models import schema_of
from ommi.values import DEFAULT, Form, Kind, Storage, json_text

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
INTS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)
# Python finds a time of day that a zone skips or repeats equal to no other, so only fixed offsets can be compared
OFFSETS = st.sampled_from([UTC, timezone(timedelta(hours=-3)), timezone(timedelta(hours=5, minutes=45))])
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=OFFSETS)  # noqa: DTZ001
JSON = st.recursive(
    st.none() | st.booleans() | INTS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FORMS: Mapping[Kind, Form] = {
    Kind.INT: Form(str, str, int),
    Kind.FLOAT: Form(str, repr, float),
    Kind.BOOL: Form(int, int, {0: False, 1: True}.__getitem__),
    Kind.STR: Form(str),
    Kind.BYTES: Form(str, bytes.hex, bytes.fromhex),
    Kind.DECIMAL: Form(str, str, Decimal),
    Kind.DATETIME: Form(str, datetime.isoformat, datetime.fromisoformat),
    Kind.NAIVE_DATETIME: Form(str, datetime.isoformat, datetime.fromisoformat),
    Kind.DATE: Form(str, date.isoformat, date.fromisoformat),
    Kind.TIME: Form(str, time.isoformat, time.fromisoformat),
    Kind.TIMEDELTA: Form(int, lambda v: v // timedelta(microseconds=1), lambda v: timedelta(microseconds=v)),
    Kind.UUID: Form(str, str, UUID),
    Kind.JSON: Form(str, json_text, json.loads),
}
TEXT_STORAGE = Storage("text", FORMS)


@st.composite
def values(draw: st.DrawFn, kinds: Any) -> dict[str, Any]:
    """Values for every field of `everything`."""
    addresses = st.builds(
        kinds.Address,
        street=st.builds(kinds.Street, TEXTS, INTS),
        since=st.dates(),
        rate=FLOATS,
        notes=st.dictionaries(TEXTS, st.lists(st.none() | DECIMALS, max_size=2), max_size=2),
        color=st.sampled_from(kinds.Color),
    )
    tags = st.recursive(
        st.builds(kinds.Tag, TEXTS, st.binary(max_size=5)),
        lambda inner: st.builds(kinds.Tag, TEXTS, st.binary(max_size=5), st.lists(inner, max_size=2)),
        max_leaves=3,
    )
    return draw(
        st.fixed_dictionaries(
            {
                "name": TEXTS,
                "count": INTS,
                "ratio": FLOATS,
                "on": st.booleans(),
                "raw": st.binary(max_size=10),
                "price": DECIMALS,
                "at": MOMENTS,
                "local": st.datetimes(),
                "day": st.dates(),
                "hour": st.times(),
                "span": st.timedeltas(timedelta(microseconds=-(2**63)), timedelta(microseconds=2**63 - 1)),
                "token": st.uuids(),
                "color": st.sampled_from(kinds.Color),
                "level": st.sampled_from(kinds.Level),
                "mode": st.sampled_from(["a", "b"]),
                "code": TEXTS,
                "note": st.none() | TEXTS,
                "moment": st.none() | MOMENTS,
                "tags": st.lists(TEXTS, max_size=3),
                "scores": st.dictionaries(TEXTS, FLOATS, max_size=3),
                "spans": st.lists(st.none() | st.timedeltas(timedelta(-9999), timedelta(9999)), max_size=3),
                "home": addresses,
                "homes": st.lists(addresses, max_size=2),
                "point": st.none() | st.builds(kinds.Point, x=FLOATS, at=MOMENTS),
                "tag": tags,
                "anything": st.dictionaries(TEXTS, JSON, max_size=3),
                "id": INTS,
            }
        )
    )


def classes(value: Any) -> Any:
    """The exact classes of a value and all that is in it."""
    if isinstance(value, list):
        return (list, [classes(item) for item in value])
    if isinstance(value, dict):
        return (dict, {key: (type(key), classes(item)) for key, item in value.items()})
    if dataclasses.is_dataclass(value):
        return (type(value), [classes(getattr(value, field.name)) for field in dataclasses.fields(value)])
    if attrs.has(type(value)):
        return (type(value), [classes(getattr(value, field.name)) for field in attrs.fields(type(value))])
    if hasattr(value, "__struct_fields__"):
        return (type(value), [classes(getattr(value, name)) for name in value.__struct_fields__])
    return type(value)


@given(data=st.data())
@settings(max_examples=15)
def test_read_then_build_gives_an_equal_instance(everything: type[Any], kinds: Any, data: st.DataObject) -> None:
    given_values = data.draw(values(kinds))
    instance = everything(**given_values)
    codec = schema_of(everything).codec
    again = codec.build(codec.read(instance))
    assert again == instance
    assert type(again) is everything
    for name, value in given_values.items():
        assert classes(getattr(again, name)) == classes(value), name


@given(data=st.data())
@settings(max_examples=15)
def test_a_storage_of_texts_gives_back_an_equal_instance(
    everything: type[Any], kinds: Any, data: st.DataObject
) -> None:
    given_values = data.draw(values(kinds))
    instance = everything(**given_values)
    schema = schema_of(everything)
    stored = []
    for field, value in zip(schema.fields, schema.codec.read(instance), strict=True):
        dump = FORMS[field.type.kind].dump
        stored.append(value if value is None or dump is None else dump(value))
    (again,) = schema.codec.reader(TEXT_STORAGE)([tuple(stored)])
    assert again == instance
    for name, value in given_values.items():
        assert classes(getattr(again, name)) == classes(value), name


@given(data=st.data())
@settings(max_examples=10)
def test_a_missing_generated_key_is_left_to_the_database(
    everything: type[Any], kinds: Any, data: st.DataObject
) -> None:
    instance = everything(**{**data.draw(values(kinds)), "id": None})
    row = schema_of(everything).codec.read(instance)
    assert row[-1] is DEFAULT


@pytest.mark.parametrize("kind", Kind)
def test_the_text_storage_has_every_kind(kind: Kind) -> None:
    assert kind in FORMS
