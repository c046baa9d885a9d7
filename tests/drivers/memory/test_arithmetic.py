"""Arithmetic is Python's, within 64 bits; what has no answer is rejected (semantics §3)."""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import pytest

from ommi import Key, ModelCollection, QueryRejected, add, find, ommi_model

models = ModelCollection()
MAX = 2**63 - 1
MIN = -(2**63)


@ommi_model(collection=models)
@dataclass
class Sum:
    id: Annotated[int, Key] = 1
    a: int = 0
    b: int | None = None
    x: float = 0.0
    y: float = 0.0
    p: Decimal = Decimal(0)
    q: Decimal = Decimal(0)


def value(memory: Any, sum_: Sum, expression: Any) -> Any:
    memory.create(Sum)
    memory.run(add(sum_))
    [(found,)] = memory.all(find(Sum).select(expression))
    return found


@pytest.mark.parametrize(
    "a, b, total, difference, product, quotient, remainder",
    [
        (7, 2, 9, 5, 14, 3.5, 1),
        (-7, 2, -5, -9, -14, -3.5, 1),
        (7, -2, 5, 9, -14, -3.5, -1),
        (-6, 3, -3, -9, -18, -2.0, 0),
    ],
)
def test_ints_combine_as_in_python(
    memory: Any, a: int, b: int, total: int, difference: int, product: int, quotient: float, remainder: int
) -> None:
    memory.create(Sum)
    memory.run(add(Sum(a=a, b=b)))
    [found] = memory.all(find(Sum).select(Sum.a + Sum.b, Sum.a - Sum.b, Sum.a * Sum.b, Sum.a / Sum.b, Sum.a % Sum.b))
    assert found == (total, difference, product, quotient, remainder)
    assert list(map(type, found)) == [int, int, int, float, int]


@pytest.mark.parametrize(
    "a, expression",
    [
        (MAX, Sum.a + 1),
        (MIN, Sum.a - 1),
        (MAX, Sum.a * 2),
        (MIN, Sum.a * -1),
        (MIN, 0 - Sum.a),
    ],
)
def test_an_int_beyond_64_bits_is_rejected(memory: Any, a: int, expression: Any) -> None:
    with pytest.raises(QueryRejected, match="does not fit 64 bits"):
        value(memory, Sum(a=a), expression)


def test_an_int_at_the_edge_of_64_bits_is_fine(memory: Any) -> None:
    assert value(memory, Sum(a=MAX), Sum.a - 1 + 1) == MAX


@pytest.mark.parametrize(
    "expression",
    [Sum.a / 0, Sum.a % 0, 1 / Sum.a, Sum.x / 0.0, Sum.x % 0.0, Sum.p / Decimal(0), Sum.p % Decimal(0), Sum.p / Sum.q],
)
def test_division_by_zero_is_rejected(memory: Any, expression: Any) -> None:
    with pytest.raises(QueryRejected, match="division by zero"):
        value(memory, Sum(p=Decimal(1)), expression)


def test_zero_by_zero_is_a_division_by_zero_too(memory: Any) -> None:
    with pytest.raises(QueryRejected, match="division by zero"):
        value(memory, Sum(), Sum.p / Sum.q)


@pytest.mark.parametrize("expression", [Sum.x - Sum.x, Sum.x * 0.0, Sum.x / Sum.x, Sum.x % 2.0])
def test_not_a_number_is_rejected(memory: Any, expression: Any) -> None:
    with pytest.raises(QueryRejected, match="not a number"):
        value(memory, Sum(x=math.inf), expression)


def test_a_float_that_overflows_is_rejected(memory: Any) -> None:
    with pytest.raises(QueryRejected, match="64-bit float"):
        value(memory, Sum(x=1e308), Sum.x * 10.0)


def test_infinity_stays_infinity(memory: Any) -> None:
    assert value(memory, Sum(x=math.inf), Sum.x + 1.0) == math.inf


def test_an_int_and_a_float_make_a_float(memory: Any) -> None:
    found = value(memory, Sum(a=3, x=0.5), Sum.a + Sum.x)
    assert found == 3.5
    assert type(value_again := memory.all(find(Sum).select(Sum.a + 1.0))[0][0]) is float
    assert value_again == 4.0


def test_a_float_remainder_has_the_divisors_sign(memory: Any) -> None:
    assert value(memory, Sum(x=-7.5), Sum.x % 2.0) == 0.5


def test_a_negative_zero_becomes_zero(memory: Any) -> None:
    assert math.copysign(1, value(memory, Sum(x=-1.0), Sum.x * 0.0)) == 1


def test_a_missing_side_makes_the_result_missing(memory: Any) -> None:
    assert value(memory, Sum(a=1), Sum.a / Sum.b) is None


def test_decimals_add_subtract_and_multiply_exactly(memory: Any) -> None:
    p, q = Decimal("12345678901234567890.123456789"), Decimal("0.000000000000000000000000000001")
    memory.create(Sum)
    memory.run(add(Sum(p=p, q=q)))
    [found] = memory.all(find(Sum).select(Sum.p + Sum.q, Sum.p - Sum.q, Sum.p * Sum.q))
    assert found == (
        Decimal("12345678901234567890.123456789000000000000000000001"),
        Decimal("12345678901234567890.123456788999999999999999999999"),
        Decimal("0.000000000012345678901234567890123456789"),
    )


def test_decimals_divide_with_28_digits_half_even(memory: Any) -> None:
    assert value(memory, Sum(p=Decimal(2), q=Decimal(3)), Sum.p / Sum.q) == Decimal("0.6666666666666666666666666667")


def test_a_decimal_result_is_canonical(memory: Any) -> None:
    found = value(memory, Sum(p=Decimal("0.5"), q=Decimal("0.5")), Sum.p + Sum.q)
    assert str(found) == "1"


@pytest.mark.parametrize(
    "p, q, remainder",
    [("7.5", "2", "1.5"), ("-7.5", "2", "0.5"), ("7.5", "-2", "-0.5"), ("-6", "3", "0"), ("1E+40", "7", "4")],
)
def test_a_decimal_remainder_has_the_divisors_sign(memory: Any, p: str, q: str, remainder: str) -> None:
    assert value(memory, Sum(p=Decimal(p), q=Decimal(q)), Sum.p % Sum.q) == Decimal(remainder)


def test_a_decimal_result_of_absurd_length_is_rejected(memory: Any) -> None:
    with pytest.raises(QueryRejected, match="10000 digits"):
        value(memory, Sum(p=Decimal("1E+9000"), q=Decimal("1E-9000")), Sum.p + Sum.q)


def test_a_condition_that_divides_by_zero_is_rejected_only_where_it_is_asked(memory: Any) -> None:
    memory.create(Sum)
    memory.run(add(Sum(a=0)))
    assert memory.all(find(Sum).where((Sum.a != 0) & (1 / Sum.a > 0))) == []
