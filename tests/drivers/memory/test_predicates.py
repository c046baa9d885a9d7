"""Predicates are two-valued, and text operators are literal (semantics §3)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import pytest

from ommi import EncodeError, Key, ModelCollection, QueryRejected, add, add_all, all_of, any_of, col, find, ommi_model
from ommi.drivers.driver import Request
from ommi.models import schema_of
from ommi.query.expressions import Column, Comparison, Literal
from ommi.query.statements import Select

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Item:
    id: Annotated[int, Key]
    number: int | None = None
    other: int | None = None
    text: str | None = None
    part: str | None = None
    ratio: float = 0.0
    price: Decimal | None = None
    data: dict[str, object] | None = None
    tags: list[Any] | None = None


@ommi_model(collection=models)
@dataclass
class Choice:
    id: Annotated[int, Key]
    number: int | None


def ids(memory: Any, *conditions: Any) -> list[int]:
    return [item.id for item in memory.all(find(Item, *conditions))]


def texts(memory: Any, *values: str | None) -> None:
    memory.create(Item)
    memory.run(add_all([Item(place, text=value) for place, value in enumerate(values, 1)]))


@pytest.fixture
def numbers(memory: Any) -> Any:
    """Items 1 to 3 with the numbers 1, 2 and none."""
    memory.create(Item, Choice)
    memory.run(add_all([Item(1, number=1, other=1), Item(2, number=2), Item(3)]))
    return memory


def test_equality_with_none_finds_the_missing(numbers: Any) -> None:
    assert ids(numbers, Item.number == None) == [3]  # noqa: E711
    assert ids(numbers, Item.number.is_null()) == [3]


def test_inequality_with_none_finds_those_there(numbers: Any) -> None:
    assert ids(numbers, Item.number != None) == [1, 2]  # noqa: E711
    assert ids(numbers, Item.number.is_not_null()) == [1, 2]


def test_unequal_is_true_where_the_value_is_missing(numbers: Any) -> None:
    assert ids(numbers, Item.number != 1) == [2, 3]


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_an_ordering_comparison_is_false_where_a_side_is_missing(numbers: Any, operator: Any) -> None:
    schema = schema_of(Item)
    number, other = Column(schema, schema.by_name["number"]), Column(schema, schema.by_name["other"])
    for left, right in ((number, other), (other, number)):
        found = numbers.all(find(Item, Comparison(operator, left, right)))
        assert [item.id for item in found] == ([1] if "=" in operator else [])


def test_two_missing_values_are_equal(numbers: Any) -> None:
    assert ids(numbers, Item.number == Item.other) == [1, 3]
    assert ids(numbers, Item.number != Item.other) == [2]


def test_a_negation_is_the_exact_complement(numbers: Any) -> None:
    for predicate in (
        Item.number > 1,
        Item.number == Item.other,
        Item.number.in_([1]),
        Item.text.contains("x"),
        (Item.number > 1) & (Item.other == 1),
        (Item.number > 1) | (Item.other == 1),
        Item.number.in_(find(Choice).select(Choice.number)),
        Item.tags.contains(1),
    ):
        assert sorted(ids(numbers, predicate) + ids(numbers, ~predicate)) == [1, 2, 3]


def test_in_nothing_is_false(numbers: Any) -> None:
    assert ids(numbers, Item.number.in_([])) == []
    assert ids(numbers, Item.number.not_in([])) == [1, 2, 3]


def test_none_among_the_values_matches_the_missing(numbers: Any) -> None:
    assert ids(numbers, Item.number.in_([1, None])) == [1, 3]
    assert ids(numbers, Item.number.not_in([1, None])) == [2]


def test_without_none_among_the_values_the_missing_are_not_in_them(numbers: Any) -> None:
    assert ids(numbers, Item.number.not_in([1])) == [2, 3]


def test_in_a_subquery(numbers: Any) -> None:
    numbers.run(add(Choice(1, 2)))
    assert ids(numbers, Item.number.in_(find(Choice).select(Choice.number))) == [2]
    assert ids(numbers, Item.number.not_in(find(Choice).select(Choice.number))) == [1, 3]


def test_a_missing_value_in_a_subquery_matches_a_missing_one(numbers: Any) -> None:
    numbers.run(add(Choice(1, None)))
    assert ids(numbers, Item.number.in_(find(Choice).select(Choice.number))) == [3]


def test_a_subquery_keeps_its_limit(numbers: Any) -> None:
    numbers.run(add_all([Choice(1, 1), Choice(2, 2)]))
    first = find(Choice).order_by(Choice.id.desc).limit(1).select(Choice.number)
    assert ids(numbers, Item.number.in_(first)) == [2]


def test_between_includes_both_ends(numbers: Any) -> None:
    assert ids(numbers, Item.number.between(1, 2)) == [1, 2]
    assert ids(numbers, ~Item.number.between(2, 3)) == [1, 3]


def test_all_of_nothing_is_true_and_any_of_nothing_is_false(numbers: Any) -> None:
    assert ids(numbers, all_of()) == [1, 2, 3]
    assert ids(numbers, any_of()) == []


def test_an_int_and_a_float_column_compare_as_numbers(memory: Any) -> None:
    memory.create(Item)
    memory.run(
        add_all([Item(1, number=1, ratio=1.0), Item(2, number=1, ratio=1.5), Item(3, number=2**53 + 1, ratio=2.0**53)])
    )
    assert ids(memory, Item.number == Item.ratio) == [1]
    assert ids(memory, Item.number < Item.ratio) == [2]


def test_contains_starts_with_and_ends_with_are_literal_and_case_sensitive(memory: Any) -> None:
    texts(memory, "a%b", "axb", "A%B", None)
    assert ids(memory, Item.text.contains("%")) == [1, 3]
    assert ids(memory, Item.text.starts_with("a%")) == [1]
    assert ids(memory, Item.text.ends_with("%b")) == [1]
    assert ids(memory, Item.text.not_contains("%")) == [2, 4]


def test_a_text_can_be_matched_with_another_column(memory: Any) -> None:
    memory.create(Item)
    memory.run(add_all([Item(1, text="abc", part="b"), Item(2, text="abc", part="x"), Item(3, text="abc")]))
    assert ids(memory, Item.text.contains(Item.part)) == [1]
    assert ids(memory, ~Item.text.contains(Item.part)) == [2, 3]


def test_the_empty_text_is_in_every_text_that_is_there(memory: Any) -> None:
    texts(memory, "", "a", None)
    assert ids(memory, Item.text.contains("")) == [1, 2]


def test_like_takes_percent_and_underscore_and_nothing_else(memory: Any) -> None:
    texts(memory, "a.c", "abc", "ac", "ABC", "xabc", "a\nc", "a\\c", "a%c", None)
    assert ids(memory, Item.text.like("a_c")) == [1, 2, 6, 7, 8]
    assert ids(memory, Item.text.like("a.c")) == [1]
    assert ids(memory, Item.text.like("a\\%")) == [7]
    assert ids(memory, Item.text.like("%bc")) == [2, 5]
    assert ids(memory, Item.text.like("a%c")) == [1, 2, 3, 6, 7, 8]
    assert ids(memory, Item.text.like("")) == []


@pytest.mark.parametrize(
    "pattern, text, fits",
    [
        ("%a%b%", "xxaxxbxx", True),
        ("%a%b%", "xxbxxaxx", False),
        ("%ab%ab", "abab", True),
        ("%ab%ab", "ab", False),
        ("%a_%b", "aab", True),
        ("%a_b%b", "aab", False),
        ("%%", "", True),
        ("_%_", "a", False),
        ("_%_", "ab", True),
    ],
)
def test_like_finds_a_place_for_every_part(memory: Any, pattern: str, text: str, fits: bool) -> None:
    texts(memory, text)
    assert bool(ids(memory, Item.text.like(pattern))) is fits


def test_like_takes_no_longer_for_many_parts(memory: Any) -> None:
    texts(memory, "a" * 5_000)
    assert ids(memory, Item.text.like("%a" * 30 + "%b")) == []


def test_ilike_folds_each_character_alone(memory: Any) -> None:
    texts(memory, "STRASSE", "straße", "Straẞe", "ÄÖ", "S", "ſ", None)
    assert ids(memory, Item.text.ilike("STRAßE")) == [2, 3]
    assert ids(memory, Item.text.ilike("äö")) == [4]
    assert ids(memory, Item.text.ilike("s")) == [5, 6]


def test_ilike_has_no_wildcards(memory: Any) -> None:
    texts(memory, "a%", "abc", "a_")
    assert ids(memory, Item.text.ilike("A%")) == [1]
    assert ids(memory, Item.text.ilike("A_")) == [3]


def test_a_regex_is_found_anywhere_in_the_text(memory: Any) -> None:
    texts(memory, "xaab", "b", "a\n", None)
    assert ids(memory, Item.text.regex("a{2}")) == [1]
    assert ids(memory, Item.text.regex("a$")) == []
    assert ids(memory, Item.text.regex("^(a.?|b)$")) == [2]
    assert ids(memory, ~Item.text.regex("b")) == [3, 4]


def test_lower_and_upper_map_ascii_only(memory: Any) -> None:
    texts(memory, "Äß a", None)
    rows = memory.all(find(Item).select(Item.text.lower(), Item.text.upper()))
    assert rows == [("Äß a", "Äß A"), (None, None)]


def test_length_counts_code_points(memory: Any) -> None:
    texts(memory, "äß😀", "e\u0301", None)
    assert memory.all(find(Item).select(Item.text.length())) == [(3,), (2,), (None,)]


def test_a_list_contains_an_element_of_the_same_type_only(memory: Any) -> None:
    memory.create(Item)
    memory.run(
        add_all(
            [
                Item(1, tags=[1]),
                Item(2, tags=[1.0]),
                Item(3, tags=[True]),
                Item(4, tags=["1"]),
                Item(5, tags=[None]),
                Item(6),
            ]
        )
    )
    assert ids(memory, Item.tags.contains(1)) == [1]
    assert ids(memory, Item.tags.contains(True)) == [3]
    assert ids(memory, Item.tags.contains("1")) == [4]
    assert ids(memory, Item.tags.not_contains(1)) == [2, 3, 4, 5, 6]


def test_json_is_equal_by_its_value_whatever_the_order_of_its_keys(memory: Any) -> None:
    memory.create(Item)
    memory.run(add_all([Item(1, data={"a": 1, "b": [1]}), Item(2, data={"a": 1.0, "b": [1]}), Item(3)]))
    assert ids(memory, Item.data == {"b": [1], "a": 1}) == [1]
    assert ids(memory, Item.data != {"b": [1], "a": 1}) == [2, 3]
    assert ids(memory, Item.data.in_([{"b": [1], "a": 1}, None])) == [1, 3]


def test_decimals_are_equal_as_numbers(memory: Any) -> None:
    memory.create(Item)
    memory.run(add_all([Item(1, price=Decimal("1.50")), Item(2, price=Decimal(10))]))
    assert ids(memory, Item.price == Decimal("1.5")) == [1]
    assert ids(memory, Item.price < Decimal("1E+1")) == [1]


def test_coalesce_gives_the_other_value_where_one_is_missing(numbers: Any) -> None:
    assert numbers.all(find(Item).select(Item.number.coalesce(7))) == [(1,), (2,), (7,)]
    assert ids(numbers, Item.other.coalesce(Item.number) == 2) == [2]


def test_an_unfit_value_is_refused_before_anything_happens(numbers: Any) -> None:
    with pytest.raises(EncodeError, match=r"Item\.number.*64 bits"):
        numbers.run(find(Item, Item.number == 2**63).update(text="changed"))
    assert ids(numbers, Item.text == "changed") == []


def test_a_column_of_another_model_is_rejected_with_the_remedy(numbers: Any) -> None:
    other = schema_of(Choice)
    where = Comparison("==", Column(other, other.by_name["number"]), Literal(1, other.by_name["number"].type))
    with pytest.raises(QueryRejected, match=r"no field of Item.*in_"):
        numbers.on.execute(Request(Select(schema_of(Item), where=where)))


def test_equalities_on_the_key_and_more_conditions_all_count(numbers: Any) -> None:
    assert ids(numbers, Item.id == 2, Item.number == 2) == [2]
    assert ids(numbers, Item.id == 2, Item.number == 1) == []
    assert ids(numbers, Item.id == 1, Item.id == 2) == []
    assert ids(numbers, Item.id.in_([3, 1, 3, 9])) == [1, 3]
    assert ids(numbers, (Item.id == 1) | (Item.number == 2)) == [1, 2]
    assert ids(numbers, lambda item: col(item.id) == 2) == [2]
