"""What the operators of columns and conditions build, how it reads, and what misuse is told."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any

import pytest

from ommi import EncodeError, Key, ModelCollection, all_of, any_of, col, find, not_, ommi_model
from ommi.models import schema_of
from ommi.query.expressions import (
    And,
    Arithmetic,
    Column,
    Comparison,
    Element,
    Expression,
    Function,
    InQuery,
    IsNull,
    Literal,
    Membership,
    Not,
    Or,
    Predicate,
    TextMatch,
    nullable,
    type_of,
)
from ommi.query.outline import literals, outline, same
from ommi.query.statements import Select
from ommi.values import Kind


class Color(Enum):
    RED = "red"


models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class User:
    id: Annotated[int, Key]
    name: str
    age: int | None
    score: float
    price: Decimal
    active: bool
    data: dict[str, Any]
    picture: bytes
    tags: list[str]
    color: Color
    born: date
    seen: datetime | None


NAN = math.inf - math.inf
age: Any = User.age
name: Any = User.name


# -- what is built


@pytest.mark.parametrize("sign", ["==", "!=", "<", "<=", ">", ">="])
def test_a_comparison_with_a_value_holds_a_literal_of_the_columns_type(sign: str) -> None:
    compare = {
        "==": operator.eq,
        "!=": operator.ne,
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
    }
    found = compare[sign](age, 3)
    assert isinstance(found, Comparison)
    assert isinstance(found.left, Column)
    assert isinstance(found.right, Literal)
    assert (found.left.name, found.operator, found.right.value) == ("age", sign, 3)
    assert found.right.type is schema_of(User).by_name["age"].type


def test_a_comparison_with_a_value_on_the_left_is_turned_round() -> None:
    assert (age > 3) == (age > 3)
    assert (age <= 3) == (age <= 3)


def test_two_columns_can_be_compared() -> None:
    found = User.age == User.score
    assert isinstance(found, Comparison)
    assert isinstance(found.right, Column)


def test_equality_with_none_asks_whether_it_is_missing() -> None:
    assert isinstance(age == None, IsNull)  # noqa: E711
    assert (age != None) == ~age.is_null()  # noqa: E711
    assert age.is_not_null() == ~age.is_null()


def test_a_literal_is_canonical() -> None:
    found = User.price == Decimal("1.50")
    assert str(found.right.value) == "1.5"
    assert type((User.score == 1).right.value) is float
    assert (User.color == Color.RED).right.value == "red"


def test_a_literal_does_not_follow_later_changes_of_its_value() -> None:
    value = {"a": [1]}
    found = User.data == value
    value["a"].append(2)
    assert found.right.value == {"a": [1]}


def test_and_and_or_join_flatly() -> None:
    one, two, three = age == 1, age == 2, age == 3
    found = one & two & three
    assert isinstance(found, And)
    assert found.parts == (one, two, three)
    other = one | (two | three)
    assert isinstance(other, Or)
    assert other.parts == (one, two, three)
    mixed = one | two & three
    assert isinstance(mixed, Or)
    assert mixed.parts == (one, And((two, three)))


def test_a_double_negation_is_the_condition_itself() -> None:
    condition = age == 1
    assert ~~condition is condition
    assert isinstance(~condition, Not)
    assert not_(condition) == ~condition


def test_all_of_and_any_of_take_any_number() -> None:
    assert all_of() == And(())
    assert any_of() == Or(())
    assert all_of(age == 1, age == 2) == And((age == 1, age == 2))


def test_between_is_two_comparisons() -> None:
    assert age.between(1, 3) == (age >= 1) & (age <= 3)


def test_membership_keeps_none_apart() -> None:
    found = age.in_([1, None, 2])
    assert isinstance(found, Membership)
    assert [literal.value for literal in found.values] == [1, 2]
    assert found.missing
    assert not age.in_([1]).missing
    assert age.not_in({1}) == ~age.in_({1})


def test_membership_takes_a_query_of_one_column() -> None:
    found = age.in_(find(User).select(User.id))
    assert isinstance(found, InQuery)
    assert found.query == find(User).select(User.id).query


def test_contains_means_a_part_of_a_text_and_an_element_of_a_list() -> None:
    assert isinstance(name.contains("a"), TextMatch)
    assert isinstance(User.tags.contains("a"), Element)
    assert name.not_contains("a") == ~name.contains("a")


@pytest.mark.parametrize("said", ["contains", "starts_with", "ends_with", "like", "ilike", "regex"])
def test_text_operators_hold_their_text(said: str) -> None:
    found = getattr(name, said)("a")
    assert isinstance(found, TextMatch)
    assert isinstance(found.pattern, Literal)
    assert (found.operator, found.pattern.value) == (said, "a")


def test_the_names_of_str_work_too() -> None:
    assert name.startswith("a") == name.starts_with("a")
    assert name.endswith("a") == name.ends_with("a")


def test_text_operators_work_on_enums_of_texts() -> None:
    assert isinstance(User.color.starts_with("r"), TextMatch)
    assert type_of(User.color.upper()).kind is Kind.STR
    assert (User.color.upper() == "RED").right.value == "RED"


@pytest.mark.parametrize(
    "expression, kind",
    [
        (age + 1, Kind.INT),
        (age % 2, Kind.INT),
        (age / 2, Kind.FLOAT),
        (age + 1.5, Kind.FLOAT),
        (1.5 * age, Kind.FLOAT),
        (age - User.score, Kind.FLOAT),
        (User.score + 1, Kind.FLOAT),
        (User.price / Decimal(2), Kind.DECIMAL),
        (1 - age, Kind.INT),
        (name.length() + 1, Kind.INT),
        (name.lower(), Kind.STR),
        (age.coalesce(0), Kind.INT),
        (User.score.coalesce(age), Kind.FLOAT),
    ],
)
def test_an_expression_knows_its_kind(expression: Expression[Any, Any], kind: Kind) -> None:
    assert type_of(expression).kind is kind


@pytest.mark.parametrize(
    "expression, may_be_missing",
    [
        (age, True),
        (User.id, False),
        (age + 1, True),
        (User.id + User.score, False),
        (age.coalesce(0), False),
        (age.coalesce(age), True),
        (name.length(), False),
    ],
)
def test_an_expression_knows_whether_it_can_be_missing(expression: Expression[Any, Any], may_be_missing: bool) -> None:
    assert nullable(expression) is may_be_missing


def test_arithmetic_and_functions_are_nodes() -> None:
    assert isinstance(age + 1, Arithmetic)
    assert isinstance(name.lower(), Function)


def test_order_says_direction_and_where_the_missing_go() -> None:
    assert age.asc.missing_first
    assert not age.desc.missing_first
    assert age.desc.nulls_first().missing_first
    assert not age.asc.nulls_last().missing_first
    assert age.desc.descending


def test_a_column_of_a_lambda_is_the_column_of_the_class() -> None:
    assert find(User).where(lambda u: u.age > 3).query == find(User, age > 3).query


# -- how it reads


@pytest.mark.parametrize(
    "build, text",
    [
        (lambda: age == 3, "User.age == 3"),
        (lambda: age != None, "User.age.is_not_null()"),  # noqa: E711
        (lambda: ~(age == 3), "~(User.age == 3)"),
        (lambda: (age > 1) & name.starts_with("A"), "(User.age > 1) & User.name.starts_with('A')"),
        (lambda: (age > 1) | (age < 0) & (name == "x"), "(User.age > 1) | ((User.age < 0) & (User.name == 'x'))"),
        (lambda: age.in_([1, None]), "User.age.in_([1, None])"),
        (lambda: age.not_in([1]), "User.age.not_in([1])"),
        (
            lambda: age.in_(find(User, age > 1).select(age)),
            "User.age.in_(find(User).where(User.age > 1).select(User.age))",
        ),
        (lambda: User.tags.contains("x"), "User.tags.contains('x')"),
        (lambda: (1 - age) / 2 > age.coalesce(0), "((1 - User.age) / 2) > User.age.coalesce(0)"),
        (lambda: name.lower().length(), "User.name.lower().length()"),
        (lambda: User.color == Color.RED, "User.color == <Color.RED: 'red'>"),
        (lambda: User.price == Decimal("1.50"), "User.price == Decimal('1.5')"),
        (lambda: all_of(), "all_of()"),
        (lambda: any_of(age == 1), "any_of(User.age == 1)"),
        (lambda: age.desc.nulls_first(), "User.age.desc.nulls_first()"),
        (
            lambda: find(User, age > 1).order_by(age.desc).limit(2).offset(1),
            "find(User).where(User.age > 1).order_by(User.age.desc).limit(2).offset(1)",
        ),
    ],
)
def test_a_repr_is_the_code_that_builds_it(build: Callable[[], object], text: str) -> None:
    assert repr(build()) == text


# -- misuse


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: (age > 1) and (name == "a"),
        lambda: (age > 1) or (name == "a"),
        lambda: not (age > 1),
        lambda: 1 < age < 3,
        lambda: age in [1, 2],
        lambda: 1 if age == 3 else 2,
    ],
)
def test_a_condition_has_no_truth_value_and_says_what_to_write(misuse: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"& \| ~ in place of and, or, not.*in_.*between"):
        misuse()


@pytest.mark.parametrize(
    "misuse, told",
    [
        (lambda: 3 in age, r"User\.age.*\.contains\(…\) or \.in_\(…\)"),
        (lambda: bool(User.active), r"User\.active is a column.*compare it"),
        (lambda: list(age), r"User\.age is a column and cannot be iterated"),
        (lambda: (age > 1) & True, "plain bool True.*compared before the database saw it"),
        (lambda: True & (age > 1), "plain bool True"),
        (lambda: (age > 1) | False, "plain bool False"),
        (lambda: any_of(True), "any_of got the plain bool True"),
        (lambda: (age > 1) & User.active, r"column User\.active: compare it, for example User\.active == True"),
        (lambda: User.active & (age > 1), r"User\.active is a column: put each comparison in parentheses"),
        (lambda: age > 1 & name == "x", r"User\.name is a column: put each comparison in parentheses"),
        (lambda: age == 1 | age, r"User\.age is a column: put each comparison in parentheses"),
        (lambda: ~User.active, r"User\.active is a column: put each comparison in parentheses"),
        (lambda: not_(User.active), r"not_ got the column User\.active"),
        (lambda: (age > 1) & 3, "& got 3, which is no condition"),
        (lambda: age == (age > 1), r"User\.age got the condition User\.age > 1 where a value belongs"),
        (lambda: find(User, True), r"where\(…\) got the plain bool True"),
        (lambda: find(User).where(lambda u: False), r"where\(…\) got the plain bool False"),
        (lambda: find(User).where(User.active), r"where\(…\) got the column User\.active"),
        (lambda: col(3), "takes a column .* not the value 3"),
    ],
)
def test_a_condition_where_there_is_none_is_told_so(misuse: Callable[[], object], told: str) -> None:
    with pytest.raises(TypeError, match=told):
        misuse()


@pytest.mark.parametrize(
    "misuse, told",
    [
        (lambda: age == "x", r"User\.age holds int: .* 'x'"),
        (lambda: age == True, r"User\.age holds int: .* True"),
        (lambda: User.score == True, r"User\.score holds float: .* True"),
        (lambda: User.active == 1, r"User\.active holds bool: .* 1"),
        (lambda: age == 1.5, r"User\.age holds int: .* 1\.5"),
        (lambda: User.price == 1, r"User\.price holds Decimal: .* 1"),
        (lambda: User.color == "red", r"User\.color holds Color: .* 'red'"),
        (lambda: User.born == datetime(2020, 1, 1), r"User\.born holds date: .* datetime"),  # noqa: DTZ001
        (lambda: User.seen > date(2020, 1, 1), r"User\.seen holds datetime: .* date"),
        (lambda: age == name, r"User\.age holds int and User\.name holds str"),
        (lambda: User.score == User.price, r"User\.score holds float and User\.price holds Decimal"),
        (lambda: age < None, r"User\.age < None: a missing value has no order; write \.is_null\(\)"),
        (lambda: age.between(None, 1), r"User\.age between None"),
        (lambda: User.data < {}, r"User\.data holds .* has no order"),
        (lambda: User.data.between({}, {}), r"User\.data holds .* has no order"),
        (lambda: User.picture.asc, r"User\.picture holds bytes, which has no order: \.asc"),
        (lambda: age.in_([1, "x"]), r"User\.age holds int: .* 'x'"),
        (lambda: age.in_("abc"), r"User\.age\.in_\(…\) takes a collection"),
        (lambda: name.in_("abc"), r"User\.name\.in_\(…\) takes a collection"),
        (lambda: age.in_(age), r"User\.age\.in_\(…\) takes a collection"),
        (lambda: age.in_(x for x in [1]), r"User\.age\.in_\(…\) takes a collection"),
        (lambda: age.in_(find(User).select(name)), r"User\.age holds int and User\.name holds str"),
        (lambda: age.in_(find(User).select(age, name)), "takes a query of one column"),
        (lambda: User.tags.contains(3), r"User\.tags holds str: .* 3"),
        (lambda: age.contains("1"), r"User\.age holds int: \.contains is asked of text"),
        (lambda: age.lower(), r"User\.age holds int: \.lower is asked of text"),
        (lambda: name.contains(3), r"User\.name\.contains takes a str, not 3"),
        (lambda: name.contains(age), r"User\.age holds int: \.contains is asked of text"),
        (lambda: name.like(name), r"User\.name\.like takes a str, not the column"),
        (lambda: name.regex(3), r"User\.name\.regex takes a str pattern"),
        (lambda: age + "x", r"User\.age holds int: .* 'x'"),
        (lambda: age + None, r"User\.age \+ None: .*coalesce"),
        (lambda: None - age, r"User\.age - None: .*coalesce"),
        (lambda: name + "x", r"User\.name holds str: \+ is asked of int, float or Decimal"),
        (lambda: age + User.price, r"User\.age holds int and User\.price holds Decimal"),
        (lambda: User.price * 1.5, r"User\.price holds Decimal: .* 1\.5"),
        (lambda: age.coalesce("x"), r"User\.age holds int: .* 'x'"),
        (lambda: age.coalesce(None), r"User\.age holds int: .* None"),
        (lambda: age.coalesce(User.score), r"User\.age holds int and User\.score holds float"),
    ],
)
def test_a_value_or_column_of_the_wrong_type_is_told_with_the_columns_name(
    misuse: Callable[[], object], told: str
) -> None:
    with pytest.raises(TypeError, match=told):
        misuse()


def test_a_regex_that_databases_read_differently_is_refused_when_it_is_built() -> None:
    with pytest.raises(ValueError, match=r"\\d.*write \[0-9\]"):
        name.regex(r"\d")


@pytest.mark.parametrize(
    "build",
    [
        lambda: age == 2**63,
        lambda: age.in_([1, 2**63]),
        lambda: name == "a\0",
        lambda: name.contains("a\0"),
        lambda: User.score > NAN,
        lambda: User.price == Decimal("NaN"),
        lambda: User.seen == datetime(2020, 1, 1),  # noqa: DTZ001
        lambda: ~(age + 2**63 > 1),
        lambda: age.in_(find(User, age == 2**63).select(age)),
        lambda: User.data == {"a": {1}},
    ],
)
def test_a_value_that_does_not_fit_is_an_error_of_the_run_that_names_the_column(
    build: Callable[[], Predicate[Any]],
) -> None:
    statement = find(User, build()).query
    with pytest.raises(EncodeError, match=r"User\.(age|name|score|price|seen|data)"):
        literals(statement)


# -- equality


def test_conditions_are_equal_when_shape_and_values_are() -> None:
    assert (age == 1) == (age == 1)
    assert (age == 1) != (age == 2)
    assert (age == 1) != (age <= 1)
    assert (age == 1) != (User.id == 1)
    assert age.in_([1]) != age.in_([1, 2])
    assert age.in_([1]) != age.in_([1, None])
    assert name.like("a") != name.ilike("a")
    assert ((age == 1) & (age == 2)) != ((age == 2) & (age == 1))
    assert (age == 1) != "age == 1"


def test_values_of_other_classes_make_other_conditions() -> None:
    element = schema_of(User).by_name["data"].type
    one, other = Literal(1, element), Literal(True, element)
    assert not same(
        Comparison("==", Column(schema_of(User), schema_of(User).by_name["data"]), one),
        Comparison("==", Column(schema_of(User), schema_of(User).by_name["data"]), other),
    )


def test_equal_conditions_have_equal_hashes() -> None:
    assert hash((age == 1) & name.like("a")) == hash((age == 1) & name.like("a"))
    assert {age == 1: "found"}[age == 1] == "found"


def test_columns_can_be_keys() -> None:
    assert hash(User.age) == hash(User.age)
    assert {User.age: 1, User.name: 2}[User.name] == 2


def test_orders_are_equal_when_all_of_them_is() -> None:
    assert age.asc == age.asc
    assert age.asc != age.desc
    assert age.asc != age.asc.nulls_last()
    assert hash(age.asc) == hash(age.asc)


def test_queries_are_equal_when_shape_values_and_page_are() -> None:
    def query(least: int, limit: int | None = None, *order: Any) -> Select:
        found = find(User, age > least).order_by(*order)
        return (found if limit is None else found.limit(limit)).query

    assert query(1) == query(1)
    assert hash(query(1)) == hash(query(1))
    assert query(1) != query(2)
    assert query(1, 5) == query(1, 5)
    assert query(1, 5) != query(1, 6)
    assert query(1, 5) != query(1)
    assert query(1, None, age.asc) != query(1)


def test_the_pages_of_subqueries_take_part_in_equality() -> None:
    def inside(limit: int) -> Predicate[Any]:
        found: Predicate[Any] = age.in_(find(User).limit(limit).select(age))
        return found

    assert inside(1) == inside(1)
    assert inside(1) != inside(2)


def test_values_take_no_part_in_the_shape() -> None:
    assert outline(age == 1, []) == outline(age == 2, [])
    assert outline(age.in_([1, 2]), []) == outline(age.in_([3, 4]), [])
    assert outline(age.in_([1]), []) != outline(age.in_([1, 2]), [])


def test_the_literals_come_in_the_order_of_the_text() -> None:
    statement = find(User, (age + 1 > 2) & age.in_([3, 4]) & User.tags.contains("5")).query
    assert [literal.value for literal in literals(statement)] == [1, 2, 3, 4, "5"]
