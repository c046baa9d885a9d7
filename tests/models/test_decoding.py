"""Stored rows become instances or tuples, or an error that says which value of which row does not fit."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import pytest

from ommi.errors import ConnectionLost, DecodeError
from ommi.models import Key, ModelCollection, StoreAs, auto, ommi_model, rows_reader, schema_of
from ommi.models.rows import Reading, Selected
from ommi.values import Form, Kind, Storage

model = ommi_model(collection=ModelCollection())


def exact_decimal(text: str) -> Decimal:
    return Decimal(text)


STORAGE = Storage(
    "test",
    {
        Kind.INT: Form(int),
        Kind.STR: Form(str),
        Kind.BOOL: Form(int, int, {0: False, 1: True}.__getitem__),
        Kind.DATETIME: Form(str, datetime.isoformat, datetime.fromisoformat),
        Kind.DECIMAL: Form(str, str, exact_decimal),
        Kind.JSON: Form(object),
    },
)


@model
@dataclass
class User:
    name: Annotated[str, StoreAs("full_name")]
    on: bool
    at: datetime | None
    price: Decimal
    tags: list[str]
    id: Annotated[int, Key] = auto()


@model
@dataclass
class Member:
    group: Annotated[int, Key]
    user: Annotated[int, Key]


NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
GOOD = ("Ada", 1, NOON.isoformat(), "1.5", ["a"], 1)


def load(*rows: Any) -> list[Any]:
    return schema_of(User).codec.reader(STORAGE)(rows)


def test_rows_become_instances_in_their_order() -> None:
    other = ("Eve", 0, None, "2", [], 2)
    assert load(GOOD, other) == [
        User("Ada", True, NOON, Decimal("1.5"), ["a"], 1),
        User("Eve", False, None, Decimal(2), [], 2),
    ]
    assert load() == []


def test_the_reader_of_a_storage_is_made_once() -> None:
    codec = schema_of(User).codec
    assert codec.reader(STORAGE) is codec.reader(STORAGE)


def test_many_storages_do_not_pile_up() -> None:
    codec: Any = schema_of(User).codec
    for _ in range(50):
        codec.reader(Storage("one of many", STORAGE.forms))
    assert len(codec._readers) <= 8


def changed(place: int, value: Any) -> tuple[Any, ...]:
    return (*GOOD[:place], value, *GOOD[place + 1 :])


@pytest.mark.parametrize(
    ("place", "value", "column", "cause"),
    [
        (0, None, "full_name", "it must not be missing"),
        (0, 3, "full_name", "str expected, not int"),
        (1, True, "on", "int expected, not bool"),
        (1, 2, "on", "2"),
        (2, 5, "at", "str expected, not int"),
        (2, "noon", "at", "Invalid isoformat string"),
        (3, "x", "price", "ConversionSyntax"),
        (4, None, "tags", "it must not be missing"),
        (4, "a", "tags", "list expected, not str 'a'"),
        (4, ["a", 1], "tags", r"\[1\]: str expected, not int 1"),
        (5, "1", "id", "int expected, not str"),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_table_column_and_key(
    place: int, value: Any, column: str, cause: str
) -> None:
    row = changed(place, value)
    with pytest.raises(DecodeError, match=f"(?s)user\\.{column} of the row with the key .* holds .*{cause}") as caught:
        load(GOOD, row, GOOD)
    facts = caught.value.facts
    assert (facts["table"], facts["column"], facts["value"]) == ("user", column, value)
    assert facts["key"] == (row[5],)
    assert facts["model"] is User


def test_the_cause_of_a_failed_conversion_is_chained() -> None:
    with pytest.raises(DecodeError) as caught:
        load(changed(3, "x"))
    assert isinstance(caught.value.__cause__, InvalidOperation)


def test_the_parts_of_a_composite_key_are_named() -> None:
    with pytest.raises(DecodeError, match=r"member\.user of the row with the key \(3, 'x'\)") as caught:
        schema_of(Member).codec.reader(STORAGE)([(3, "x")])
    assert caught.value.facts["key"] == (3, "x")


@pytest.mark.parametrize("row", [(), (1,), (1, 2, 3)])
def test_a_row_of_another_length_does_not_fit(row: tuple[Any, ...]) -> None:
    with pytest.raises(DecodeError, match="2 values were expected"):
        schema_of(Member).codec.reader(STORAGE)([row])


@pytest.mark.parametrize("error", [ConnectionLost("gone"), ValueError("of the driver"), KeyError("k")])
def test_what_the_rows_raise_comes_through_unchanged(error: Exception) -> None:
    def rows() -> Iterator[Any]:
        yield (1, 2)
        raise error

    with pytest.raises(type(error)) as caught:
        schema_of(Member).codec.reader(STORAGE)(rows())
    assert caught.value is error


def test_a_constructor_that_raises_makes_a_decode_error() -> None:
    @model
    @dataclass
    class Picky:
        id: int

        def __post_init__(self) -> None:
            if self.id < 0:
                raise ValueError("no negative ids")

    with pytest.raises(DecodeError, match="the row of picky with the key -1 cannot be made a Picky: no negative ids"):
        schema_of(Picky).codec.reader(STORAGE)([(-1,)])


def test_a_model_of_one_column_is_read() -> None:
    @model
    @dataclass
    class Single:
        id: int

    assert schema_of(Single).codec.reader(STORAGE)([(1,), (2,)]) == [Single(1), Single(2)]


# -- tuples of selected values


def selected(*names: str) -> Reading:
    by_name = schema_of(User).by_name
    return Reading(tuple(Selected(name, f"User.{name}", by_name[name].type, by_name[name].nullable) for name in names))


def test_selected_values_become_tuples() -> None:
    read = rows_reader(selected("at", "on"), STORAGE)
    assert read([(NOON.isoformat(), 1), (None, 0)]) == [(NOON, True), (None, False)]
    assert rows_reader(selected("name"), STORAGE)([("a",)]) == [("a",)]


def test_the_reader_of_a_selection_is_made_once() -> None:
    assert rows_reader(selected("at", "on"), STORAGE) is rows_reader(selected("at", "on"), STORAGE)


def test_a_selected_value_that_does_not_fit_is_named() -> None:
    with pytest.raises(DecodeError, match=r"the selected User\.on is 'x', which does not fit: int expected") as caught:
        rows_reader(selected("at", "on"), STORAGE)([(None, "x")])
    assert caught.value.facts == {"column": "User.on", "value": "x"}


def test_a_selected_value_that_is_missing_where_it_must_not_be_is_named() -> None:
    with pytest.raises(DecodeError, match=r"User\.on is None, which does not fit: it must not be missing"):
        rows_reader(selected("on"), STORAGE)([(None,)])
