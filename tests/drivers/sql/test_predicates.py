"""Predicates on SQLite mean what they mean in memory, and are two-valued (semantics §3)."""

import operator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ommi import Key, ModelCollection, add_all, all_of, any_of, find, not_, ommi_model
from ommi.drivers.driver import Request
from ommi.drivers.memory import MemoryStore
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.errors import QueryRejected
from ommi.models import schema_of
from ommi.query.expressions import Column, Comparison, Function, InQuery, Literal, Membership, predicate
from ommi.query.statements import Count, CreateTables, Select

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Item:
    id: Annotated[int, Key]
    number: int | None = None
    other: int | None = None
    fixed: int = 0
    text: str | None = None
    part: str = ""
    ratio: float | None = None
    price: Decimal | None = None
    flag: bool | None = None
    data: dict[str, Any] | None = None
    tags: list[str] | None = None
    mixed: list[Any] | None = None


@ommi_model(collection=models)
@dataclass
class Choice:
    id: Annotated[int, Key]
    number: int | None
    sure: int


def ids(db: Any, *conditions: Any) -> list[int]:
    return sorted(row[0] for row in db.all(find(Item, *conditions).select(Item.id)))


@pytest.fixture
def numbers(db: Any) -> Any:
    """Items 1 to 3 with the numbers 1, 2 and none."""
    db.create(Item, Choice)
    db.add([Item(1, number=1, other=1), Item(2, number=2), Item(3)])
    return db


def column(name: str) -> Column[Any, Any]:
    schema = schema_of(Item)
    return Column(schema, schema.by_name[name])


def test_unequal_is_true_where_the_value_is_missing(numbers: Any) -> None:
    assert ids(numbers, Item.number != 1) == [2, 3]


def test_the_complement_of_unequal_is_equal(numbers: Any) -> None:
    assert ids(numbers, not_(Item.number != 1)) == [1]


def test_two_missing_values_are_equal(numbers: Any) -> None:
    assert ids(numbers, Item.number == Item.other) == [1, 3]
    assert ids(numbers, Item.number != Item.other) == [2]


def test_a_missing_value_does_not_equal_one_that_is_never_missing(numbers: Any) -> None:
    assert ids(numbers, Item.number == Item.fixed) == []
    assert ids(numbers, Item.number != Item.fixed) == [1, 2, 3]


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">="])
def test_an_order_is_false_where_a_side_is_missing_and_its_complement_true(numbers: Any, sign: Any) -> None:
    condition = Comparison(sign, column("number"), column("other"))
    assert ids(numbers, condition) == ([1] if "=" in sign else [])
    assert ids(numbers, not_(condition)) == ([2, 3] if "=" in sign else [1, 2, 3])


def test_a_literal_that_is_missing_equals_what_is_missing(numbers: Any) -> None:
    missing = Literal(None, schema_of(Item).by_name["number"].type)
    assert ids(numbers, Comparison("==", column("number"), missing)) == [3]
    assert ids(numbers, Comparison("!=", column("number"), missing)) == [1, 2]


def test_a_missing_and_a_present_literal_do_not_share_what_they_compile_to(numbers: Any) -> None:
    kind = schema_of(Item).by_name["number"].type
    assert [ids(numbers, Comparison("==", column("number"), Literal(value, kind))) for value in (1, None, 2)] == [
        [1],
        [3],
        [2],
    ]


def test_one_literal_object_twice_is_no_promise_for_the_next_statement(numbers: Any) -> None:
    kind = schema_of(Item).by_name["number"].type
    one, two = Literal(1, kind), Literal(2, kind)
    for first, second, expected in ((one, one, [1]), (one, two, []), (two, two, [2])):
        condition = Comparison("==", column("number"), first) & Comparison("==", column("number"), second)
        assert ids(numbers, condition) == expected


def test_in_nothing_is_false_and_not_in_nothing_true(numbers: Any) -> None:
    assert ids(numbers, Item.number.in_([])) == []
    assert ids(numbers, Item.number.not_in([])) == [1, 2, 3]


def test_in_with_none_finds_the_missing(numbers: Any) -> None:
    assert ids(numbers, Item.number.in_([1, None])) == [1, 3]
    assert ids(numbers, Item.number.not_in([1, None])) == [2]
    assert ids(numbers, Item.number.in_([None])) == [3]
    assert ids(numbers, Item.number.not_in([None])) == [1, 2]


def test_not_in_is_true_where_the_value_is_missing(numbers: Any) -> None:
    assert ids(numbers, Item.number.not_in([1])) == [2, 3]


@pytest.mark.parametrize("size", [33, 1000, 100_000])
def test_a_long_list_is_one_parameter(numbers: Any, size: int) -> None:
    values = [*range(2, size + 1), 2**62]
    query = find(Item, Item.number.in_(values))
    assert len(numbers.compiler.prepare(query.query).parameters) == 1
    assert [item.id for item in numbers.all(query)] == [2]
    assert ids(numbers, Item.number.not_in(values)) == [1, 3]


def test_a_long_list_can_hold_none(numbers: Any) -> None:
    assert ids(numbers, Item.number.in_([*range(2, 100), None])) == [2, 3]
    assert ids(numbers, Item.number.not_in([*range(2, 100), None])) == [1]


def test_a_long_list_of_floats_is_exact(db: Any) -> None:
    db.create(Item)
    values = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, float("inf"), -float("inf"), 1 / 3, 123456789.12345679]
    near = [0.3, 1e-323, 1.7976931348623155e308, 1.0, -1.0, 0.333333333333333, 123456789.12345678]
    db.add([Item(n, ratio=value) for n, value in enumerate(values + near)])
    filler = [float(n) for n in range(1000, 1100)]
    assert ids(db, Item.ratio.in_(values + filler)) == list(range(len(values)))


def test_a_long_list_is_searched_through_the_index(numbers: Any) -> None:
    assert "USING INTEGER PRIMARY KEY" in numbers.plan(find(Item, Item.id.in_(list(range(1000)))).query)


def test_an_expression_with_over_a_thousand_parts_is_no_problem(numbers: Any) -> None:
    conditions = [Item.number == n for n in range(2, 3000)]
    assert ids(numbers, any_of(*conditions)) == [2]
    assert ids(numbers, not_(any_of(*conditions))) == [1, 3]


def test_all_of_nothing_is_true_and_any_of_nothing_false(numbers: Any) -> None:
    assert ids(numbers, all_of()) == [1, 2, 3]
    assert ids(numbers, any_of()) == []


def test_and_within_or_keeps_its_parts_together(numbers: Any) -> None:
    assert ids(numbers, (Item.id == 3) | (Item.id == 1) & (Item.number == 2)) == [3]
    assert ids(numbers, ((Item.id == 3) | (Item.id == 1)) & (Item.number == 2)) == []


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_is_compared_as_one(db: Any, value: bool) -> None:
    db.create(Item)
    db.add([Item(1, flag=True), Item(2, flag=False), Item(3)])
    assert ids(db, Item.flag == value) == [1 if value else 2]
    assert ids(db, Item.flag != value) == [2 if value else 1, 3]


def test_a_nested_value_is_compared_by_what_it_holds(db: Any) -> None:
    db.create(Item)
    db.add([Item(1, data={"a": 1, "b": [1.5, None]}), Item(2, data={}), Item(3)])
    assert ids(db, Item.data == {"b": [1.5, None], "a": 1}) == [1]
    assert ids(db, Item.data != {}) == [1, 3]


def test_an_int_column_is_compared_with_a_float_column(db: Any) -> None:
    db.create(Item)
    db.add([Item(1, number=2, ratio=2.0), Item(2, number=2, ratio=2.5), Item(3, number=2)])
    assert ids(db, Item.number == Item.ratio) == [1]
    assert ids(db, Item.number < Item.ratio) == [2]


# -- elements


ELEMENTS: list[list[Any] | None] = [
    [True],
    [1],
    ["1"],
    [1.0],
    [None],
    [[1, 2]],
    [{"b": 1, "a": "x"}],
    ["a'b\"c\\", "\u2028"],
    [0.1, 0.30000000000000004],
    [],
    None,
]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (True, [0]),
        (1, [1]),
        ("1", [2]),
        (1.0, [3]),
        (None, [4]),
        ([1, 2], [5]),
        ([2, 1], []),
        ({"a": "x", "b": 1}, [6]),
        ("a'b\"c\\", [7]),
        ("\u2028", [7]),
        (0.1, [8]),
        (0.3, []),
    ],
)
def test_an_element_is_found_by_value_and_type(db: Any, value: Any, found: list[int]) -> None:
    db.create(Item)
    db.add([Item(n, mixed=values) for n, values in enumerate(ELEMENTS)])
    assert ids(db, Item.mixed.contains(value)) == found
    assert ids(db, Item.mixed.not_contains(value)) == [n for n in range(len(ELEMENTS)) if n not in found]


def test_an_element_of_a_list_of_texts_is_found(db: Any) -> None:
    db.create(Item)
    db.add([Item(1, tags=["a", "b"]), Item(2, tags=["ab"]), Item(3, tags=['"a"']), Item(4, tags=[]), Item(5)])
    assert ids(db, Item.tags.contains("a")) == [1]
    assert ids(db, Item.tags.contains('"a"')) == [3]
    assert ids(db, Item.tags.not_contains("a")) == [2, 3, 4, 5]


# -- subqueries


@pytest.fixture(params=["not in", "not exists"])
def choices(request: pytest.FixtureRequest, numbers: Any) -> Any:
    """With both ways in which databases take the complement."""
    if request.param == "not exists":
        numbers.compiler = Compiler(replace(SQLITE, joins_not_exists=True))
    return numbers


@pytest.mark.parametrize("found", [[], [1], [None], [1, None], [5, 2]])
def test_in_a_query_finds_values_and_missing_ones(choices: Any, found: list[int | None]) -> None:
    choices.add([Choice(n, number=value, sure=value or 0) for n, value in enumerate(found)])
    expected = [n for n, value in ((1, 1), (2, 2), (3, None)) if value in found]
    query = find(Choice).select(Choice.number)
    assert ids(choices, Item.number.in_(query)) == expected
    assert ids(choices, Item.number.not_in(query)) == [n for n in (1, 2, 3) if n not in expected]


def test_in_a_query_of_values_that_are_never_missing(choices: Any) -> None:
    choices.add([Choice(1, None, 2), Choice(2, None, 7)])
    query = find(Choice).select(Choice.sure)
    assert ids(choices, Item.number.in_(query)) == [2]
    assert ids(choices, Item.number.not_in(query)) == [1, 3]
    assert ids(choices, Item.id.not_in(query)) == [1, 3]


def test_in_a_query_of_the_same_table_does_not_mix_up_the_rows(choices: Any) -> None:
    query = find(Item, Item.number == 2).select(Item.id)
    assert ids(choices, Item.id.in_(query)) == [2]
    assert ids(choices, Item.id.not_in(query)) == [1, 3]
    assert ids(choices, (Item.number + Item.fixed).not_in(find(Item, Item.id == 1).select(Item.number))) == [2, 3]


def test_a_query_within_a_query_within_a_query(choices: Any) -> None:
    choices.add([Choice(1, 1, 1), Choice(2, 2, 2)])
    inner = find(Choice, Choice.sure.not_in(find(Item, Item.number == 1).select(Item.id))).select(Choice.id)
    assert ids(choices, Item.id.in_(inner)) == [2]
    assert ids(choices, Item.id.not_in(inner)) == [1, 3]


def test_a_query_with_limit_and_order_is_respected(choices: Any) -> None:
    choices.add([Choice(n, n if n < 3 else None, n) for n in (1, 2, 3)])
    for offset, expected in ((0, [3]), (1, [2]), (2, [1])):
        query = find(Choice).order_by(Choice.sure.desc).limit(1).offset(offset).select(Choice.number)
        assert ids(choices, Item.number.in_(query)) == expected
        assert ids(choices, Item.number.not_in(query)) == [n for n in (1, 2, 3) if n not in expected]


def test_the_values_of_a_query_stand_in_their_order(choices: Any) -> None:
    choices.add([Choice(1, 1, 10), Choice(2, 2, 20)])
    wanted = find(Choice, Choice.sure > 10, Choice.sure < 30).select(Choice.number + 1)
    assert ids(choices, Item.id > 1, (Item.number + 1).in_(wanted), Item.id < 3) == [2]
    assert ids(choices, Item.id > 1, (Item.number + 1).not_in(wanted), Item.id < 4) == [3]


def test_not_in_a_query_of_ten_thousand_rows_does_not_look_at_them_once_per_row(numbers: Any) -> None:
    numbers.add([Choice(n, n, n) for n in range(10_000)])
    assert "CORRELATED" not in numbers.plan(find(Item, Item.number.not_in(find(Choice).select(Choice.sure))).query)


def test_a_column_of_another_model_is_refused(numbers: Any) -> None:
    with pytest.raises(QueryRejected, match="'sure' is no field of Item"):
        numbers.execute(Select(schema_of(Item), where=predicate(Choice.sure == 1)))


# -- properties

NUMBERS = st.none() | st.integers(-2, 2)
TEXTS = st.none() | st.text("aAbB%_*?[]^-.\\ éÉ\U0001f600", max_size=4)
ROWS = st.lists(
    st.builds(
        lambda *values: values,
        NUMBERS,
        NUMBERS,
        st.integers(-2, 2),
        TEXTS,
        TEXTS.filter(lambda text: text is not None),
        st.none() | st.sampled_from([-1.5, 0.0, 0.1, 1.0, 2.0, float("inf")]),
        st.none() | st.sampled_from([Decimal(text) for text in ("-12.5", "-0.1", "0", "0.02", "3", "1E+3")]),
        st.none() | st.lists(st.sampled_from(["a", "b", ""]), max_size=2),
    ),
    max_size=5,
)


def ints(depth: int = 1) -> st.SearchStrategy[Any]:
    columns = st.sampled_from([Item.number, Item.other, Item.fixed])
    if not depth:
        return columns
    sums = st.builds(lambda sign, a, b: sign(a, b), st.sampled_from([operator.add, operator.sub]), ints(0), ints(0))
    literal = st.builds(lambda a, b: a + b, ints(0), st.integers(-2, 2))
    filled = st.builds(lambda a, b: a.coalesce(b), ints(0), st.integers(-2, 2) | ints(0))
    return columns | sums | literal | filled | st.builds(lambda a: a.length(), st.sampled_from([Item.text, Item.part]))


SIGNS = st.sampled_from([operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge])
COMPARED = st.one_of(
    st.tuples(ints(), ints() | st.integers(-2, 2)),
    st.tuples(st.just(Item.ratio), st.sampled_from([Item.number, Item.ratio, -1.5, 0.1, 2, float("inf")])),
    st.tuples(
        st.just(Item.price), st.sampled_from([Item.price, Decimal("-0.1"), Decimal(0), Decimal(3), Decimal("2e3")])
    ),
    st.tuples(
        st.sampled_from([Item.text, Item.part, Item.text.lower(), Item.part.upper()]),
        TEXTS.filter(lambda text: text is not None) | st.sampled_from([Item.text, Item.part]),
    ),
)
COMPARISONS = st.builds(lambda sign, pair: sign(*pair), SIGNS, COMPARED)
MEMBERSHIPS = st.one_of(
    st.builds(lambda a, values: a.in_(values), ints(), st.lists(NUMBERS, max_size=3)),
    st.builds(lambda values: Item.price.in_(values), st.lists(st.sampled_from([None, Decimal(3), Decimal("0.02")]))),
    st.builds(lambda values: Item.text.in_([*values, *map(str, range(40))]), st.lists(TEXTS, max_size=2)),
    st.builds(lambda a, b: a.in_(find(Item, b).select(Item.number)), ints(), COMPARISONS),
    st.builds(lambda a: a.is_null(), st.sampled_from([Item.number, Item.text, Item.fixed + Item.other])),
)
MATCHES = st.one_of(
    st.builds(
        lambda name, a, text: getattr(a, name)(text),
        st.sampled_from(["contains", "starts_with", "ends_with"]),
        st.sampled_from([Item.text, Item.part, Item.text.upper()]),
        TEXTS.filter(lambda text: text is not None) | st.sampled_from([Item.text, Item.part]),
    ),
    st.builds(
        lambda name, a, text: getattr(a, name)(text),
        st.sampled_from(["like", "ilike"]),
        st.sampled_from([Item.text, Item.part]),
        TEXTS.filter(lambda text: text is not None),
    ),
    st.builds(
        lambda a, pattern: a.regex(pattern), st.just(Item.text), st.sampled_from(["^a", "a$", "^$", "[aA].", "b|%"])
    ),
    st.builds(lambda text: Item.tags.contains(text), st.sampled_from(["a", "", "ab"])),
)
PREDICATES = st.recursive(
    COMPARISONS | MEMBERSHIPS | MATCHES,
    lambda parts: st.one_of(
        st.builds(not_, parts),
        st.builds(lambda found: all_of(*found), st.lists(parts, max_size=3)),
        st.builds(lambda found: any_of(*found), st.lists(parts, max_size=3)),
    ),
    max_leaves=6,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(rows=ROWS, condition=PREDICATES)
def test_any_predicate_finds_what_it_finds_in_memory_and_its_complement_the_rest(
    db: Any, rows: list[Any], condition: Any
) -> None:
    db.drop(Item)
    db.create(Item)
    names = ("number", "other", "fixed", "text", "part", "ratio", "price", "tags")
    items = [Item(n, **dict(zip(names, row, strict=True))) for n, row in enumerate(rows)]
    oracle = MemoryStore()
    oracle.execute(Request(CreateTables((schema_of(Item),))))
    db.add(items)
    if items:
        oracle.execute(Request(add_all(items).statement))
    found = find(Item, condition).select(Item.id).query
    expected = sorted(row[0] for row in oracle.execute(Request(found)))
    assert ids(db, condition) == expected
    assert ids(db, not_(condition)) == [n for n in range(len(rows)) if n not in expected]
    assert db.execute(Count(Select(schema_of(Item), where=condition))) == len(expected)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6), SIGNS, st.integers(-2, 2))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_comparisons_are_pythons_but_that_nothing_orders_with_a_missing_value(
    db: Any, rows: list[tuple[int | None, int | None]], sign: Any, value: int
) -> None:
    def holds(left: int | None, right: int | None) -> bool:
        if sign in (operator.eq, operator.ne):
            return bool(sign(left, right))
        return left is not None and right is not None and sign(left, right)

    db.drop(Item)
    db.create(Item)
    db.add(Item(n, number=a, other=b) for n, (a, b) in enumerate(rows))
    assert ids(db, sign(Item.number, Item.other)) == [n for n, (a, b) in enumerate(rows) if holds(a, b)]
    assert ids(db, sign(Item.number, value)) == [n for n, (a, _) in enumerate(rows) if holds(a, value)]


def test_nodes_used_here_are_those_of_the_union() -> None:
    number = column("number")
    assert isinstance(Item.number.in_([1]), Membership)
    assert isinstance(Item.number.in_(find(Choice).select(Choice.sure)), InQuery)
    assert isinstance(number.coalesce(1), Function)
