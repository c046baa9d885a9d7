"""Arithmetic on SQLite: Python's, exact, and refused where there is no answer (semantics §3)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ommi import Index, Key, ModelCollection, OmmiError, QueryRejected, find, ommi_model
from ommi.drivers.driver import Request
from ommi.drivers.memory import MemoryStore
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.drivers.sqlite.functions import decimal_key
from ommi.effects.operations import add_all
from ommi.models import schema_of
from ommi.query.expressions import node
from ommi.query.statements import CreateTables, Update
from ommi.values import CANONICAL, MAX_INT, MIN_INT, Kind

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Sum:
    id: Annotated[int, Key]
    a: int | None = None
    b: int | None = None
    x: float | None = None
    y: float | None = None
    p: Annotated[Decimal | None, Index] = None
    q: Decimal | None = None


def value(db: Any, expression: Any) -> Any:
    ((found,),) = db.all(find(Sum).select(expression))
    return found


def put(db: Any, **values: Any) -> Any:
    db.create(Sum)
    db.add([Sum(1, **values)])
    return db


@pytest.mark.parametrize(("a", "b"), [(7, 2), (-7, 2), (7, -2), (-7, -2), (6, 3), (0, 5)])
def test_ints_divide_and_leave_remainders_as_in_python(db: Any, a: int, b: int) -> None:
    put(db, a=a, b=b)
    assert value(db, Sum.a / Sum.b) == a / b
    assert value(db, Sum.a % Sum.b) == a % b


@pytest.mark.parametrize(("x", "y"), [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (1e308, 3.0)])
def test_floats_divide_and_leave_remainders_as_in_python(db: Any, x: float, y: float) -> None:
    put(db, x=x, y=y)
    assert value(db, Sum.x / Sum.y) == x / y
    assert value(db, Sum.x % Sum.y) == x % y


def test_a_missing_operand_makes_the_result_missing(db: Any) -> None:
    put(db, a=1, x=1.0, p=Decimal(1))
    for expression in (Sum.a + Sum.b, Sum.b - Sum.a, Sum.x * Sum.y, Sum.a / Sum.b, Sum.b % Sum.a, Sum.p + Sum.q):
        assert value(db, expression) is None


@pytest.mark.parametrize("divisor", ["b", "y", "q"])
def test_division_by_zero_is_refused(db: Any, divisor: str) -> None:
    put(db, a=1, b=0, x=1.0, y=0.0, p=Decimal(1), q=Decimal(0))
    dividend = {"b": Sum.a, "y": Sum.x, "q": Sum.p}[divisor]
    for expression in (dividend / getattr(Sum, divisor), dividend % getattr(Sum, divisor)):
        with pytest.raises(QueryRejected, match="reading Sum: division by zero"):
            value(db, expression)


@pytest.mark.parametrize(
    "expression", [lambda: Sum.a + 1, lambda: Sum.a * 2, lambda: Sum.b - 1, lambda: Sum.a * Sum.b, lambda: 0 - Sum.b]
)
def test_more_than_64_bits_are_refused(db: Any, expression: Any) -> None:
    put(db, a=MAX_INT, b=MIN_INT)
    with pytest.raises(QueryRejected, match="does not fit 64 bits"):
        value(db, expression())


def test_all_64_bits_are_exact(db: Any) -> None:
    put(db, a=MAX_INT - 1, b=MIN_INT + 1)
    assert value(db, Sum.a + 1) == MAX_INT
    assert value(db, Sum.b - 1) == MIN_INT


def test_a_float_that_is_not_a_number_is_refused(db: Any) -> None:
    put(db, x=float("inf"), y=float("inf"))
    with pytest.raises(QueryRejected, match="not a number"):
        value(db, Sum.x - Sum.y)


def test_infinity_stays_infinity(db: Any) -> None:
    put(db, x=float("inf"))
    assert value(db, Sum.x + 1) == float("inf")


def test_the_reason_of_one_failure_is_not_told_of_the_next(db: Any) -> None:
    put(db, a=MAX_INT, b=0)
    with pytest.raises(QueryRejected, match="division by zero"):
        value(db, Sum.a / Sum.b)
    with pytest.raises(QueryRejected, match="64 bits"):
        value(db, Sum.a + 1)


def test_a_condition_to_the_left_guards_a_division(db: Any) -> None:
    put(db, a=1, b=0)
    assert db.all(find(Sum, (Sum.b != 0) & (Sum.a / Sum.b > 0))) == []


def test_decimals_are_exact_beyond_28_digits(db: Any) -> None:
    put(db, p=Decimal(10**50 + 1), q=Decimal("1E-30"))
    assert value(db, Sum.p + Sum.q) == f"1{'0' * 49}1.{'0' * 29}1"
    assert value(db, Sum.p * Sum.p) == str(10**100 + 2 * 10**50 + 1)


def test_the_quotient_of_decimals_has_28_digits(db: Any) -> None:
    put(db, p=Decimal(2), q=Decimal(3))
    assert value(db, Sum.p / Sum.q) == "0.6666666666666666666666666667"


def test_the_remainder_of_decimals_has_the_sign_of_the_divisor(db: Any) -> None:
    put(db, p=Decimal("-7.5"), q=Decimal(2))
    assert value(db, Sum.p % Sum.q) == "0.5"


def test_a_decimal_result_is_written_as_it_is_stored(db: Any) -> None:
    put(db, p=Decimal("1.5"), q=Decimal("98.5"))
    db.run(find(Sum).everything().update(p=Sum.p + Sum.q))
    assert [row[0] for row in db.all(find(Sum, Sum.p == Decimal(100)).select(Sum.p))] == ["1E+2"]


def test_a_decimal_is_found_by_its_index(db: Any) -> None:
    put(db)
    assert "USING INDEX" in db.plan(find(Sum, Sum.p == Decimal("1.50")).query)


def test_a_text_that_is_no_decimal_is_named(db: Any) -> None:
    put(db)
    db.sql("UPDATE sum SET p = 'abc'")
    with pytest.raises(QueryRejected, match="'abc' is no decimal number"):
        db.all(find(Sum, Sum.p > Decimal(0)))


DECIMALS = st.decimals(allow_nan=False, allow_infinity=False)


@given(DECIMALS, DECIMALS)
def test_the_key_of_a_decimal_sorts_as_the_number(one: Decimal, other: Decimal) -> None:
    assert (decimal_key(one) < decimal_key(other)) is (one < other)
    assert (decimal_key(one) == decimal_key(other)) is (one == other)


@pytest.mark.parametrize(
    "extreme", [Decimal(f"{sign}1E{power}") for sign in ("", "-") for power in ("+999999", "-999999")]
)
def test_the_key_of_an_extreme_decimal_sorts_as_the_number(extreme: Decimal) -> None:
    for other in (Decimal(0), Decimal(1), Decimal(-1)):
        assert (decimal_key(extreme) < decimal_key(other)) is (extreme < other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DECIMALS, st.none() | DECIMALS)
def test_the_key_without_a_function_of_ours_is_the_same_or_tells_the_same(
    db: Any, number: Decimal, other: Decimal | None
) -> None:
    key = SQLITE.schema.order_keys[Kind.DECIMAL]
    assert key.against is not None
    number = CANONICAL[Kind.DECIMAL](number)
    template = key.template if other is None else key.against(other)
    ((found,),) = db.sql(f"SELECT {template.format('number')} FROM (SELECT ? AS number)", str(number))
    if other is None:
        assert found == decimal_key(number)
    else:
        assert (found < decimal_key(other), found == decimal_key(other)) == (number < other, number == other)


def outcome(run: Any) -> Any:
    try:
        return run()
    except OmmiError as error:
        return type(error), error.message.removeprefix("reading Sum: ")


INTS = st.none() | st.integers(-5, 5) | st.sampled_from([MAX_INT, MIN_INT, MAX_INT - 1, 2**53 + 1])
FLOATS = st.none() | st.floats(allow_nan=False).map(lambda number: number + 0.0)
FINITE = st.none() | DECIMALS.filter(lambda number: abs(number.adjusted()) < 40)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    INTS,
    INTS,
    FLOATS,
    FLOATS,
    FINITE,
    FINITE,
    st.sampled_from("+-*/%"),
    st.sampled_from(["ab", "ax", "xy", "pq", "pp"]),
)
def test_every_operator_answers_as_in_memory(
    db: Any, a: Any, b: Any, x: Any, y: Any, p: Any, q: Any, sign: str, names: str
) -> None:
    db.drop(Sum)
    put(db, a=a, b=b, x=x, y=y, p=p, q=q)
    oracle = MemoryStore()
    oracle.execute(Request(CreateTables((schema_of(Sum),))))
    oracle.execute(Request(add_all([Sum(1, a, b, x, y, p, q), Sum(2)]).statement))
    left, right = (getattr(Sum, name) for name in names)
    expression = {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__, "%": left.__mod__}[
        sign
    ](right)
    query = find(Sum, Sum.id == 1).select(expression)
    expected = outcome(lambda: next(iter(oracle.execute(Request(query.query))))[0])
    found = outcome(lambda: db.all(query)[0][0])
    if isinstance(expected, Decimal):
        assert found == str(expected)
    else:
        assert (found, type(found)) == (expected, type(expected))


def test_an_assignment_reads_the_old_row(db: Any) -> None:
    put(db, a=1, b=10)
    assert db.run(find(Sum).everything().update(a=Sum.b, b=Sum.a)) == 1
    assert db.all(find(Sum).select(Sum.a, Sum.b)) == [(10, 1)]


def test_an_expression_of_another_kind_than_the_field_is_refused(db: Any) -> None:
    put(db, a=1)
    schema = schema_of(Sum)
    with pytest.raises(QueryRejected, match=r"Sum.a holds int and cannot be set to \(Sum.a / 2\), which is float"):
        db.execute(Update(schema, ((schema.by_name["a"], node(Sum.a / 2)),)))


def test_a_value_is_filled_in_where_one_is_missing(db: Any) -> None:
    put(db, x=2.5)
    assert value(db, Sum.y.coalesce(Sum.x)) == 2.5
    assert value(db, Sum.a.coalesce(7)) == 7
    assert value(db, Sum.p.coalesce(Decimal("1.10"))) == "1.1"
