"""Arithmetic on stored numbers: exact where it can be, and `QueryRejected` where there is no answer to store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow
from typing import Any, Final

from ommi.errors import QueryRejected
from ommi.query.expressions import ArithmeticOperator
from ommi.values import CANONICAL, MAX_INT, MIN_INT, Kind

__all__ = ["ARITHMETIC", "Combine"]

Combine = Callable[[Any, Any], Any]

_LARGEST: Final = 10**17
_EXACT: Final = Context(10_000, ROUND_HALF_EVEN, -_LARGEST, _LARGEST, traps=[DivisionByZero, InvalidOperation, Inexact])
_ROUNDED: Final = Context(28, ROUND_HALF_EVEN, -_LARGEST, _LARGEST, traps=[DivisionByZero, InvalidOperation, Overflow])
_canonical: Final = CANONICAL[Kind.DECIMAL]


def _int(combine: Combine) -> Combine:
    def run(left: int, right: int) -> int:
        try:
            result: int = combine(left, right)
        except ZeroDivisionError as error:
            raise QueryRejected(f"division by zero: {left} by {right}") from error
        if not MIN_INT <= result <= MAX_INT:
            raise QueryRejected(f"the result {result} does not fit 64 bits")
        return result

    return run


def _float(combine: Combine) -> Combine:
    def run(left: float, right: float) -> float:
        # databases turn both into floats first, which can differ from Python's exact int / int
        first, second = float(left), float(right)
        try:
            result: float = combine(first, second)
        except ZeroDivisionError as error:
            raise QueryRejected(f"division by zero: {left} by {right}") from error
        if result != result:
            raise QueryRejected(f"the result of combining {left} and {right} is not a number")
        if math.isinf(result) and math.isfinite(first) and math.isfinite(second):
            raise QueryRejected(f"the result of combining {left} and {right} does not fit a 64-bit float")
        return result + 0.0  # -0.0 becomes 0.0

    return run


def _decimal(combine: Combine) -> Combine:
    def run(left: Decimal, right: Decimal) -> Decimal:
        try:
            result: Decimal = _canonical(combine(left, right))
        except (DivisionByZero, InvalidOperation, Inexact) as error:
            if not right and not isinstance(error, Inexact):
                raise QueryRejected(f"division by zero: {left} by {right}") from error
            raise QueryRejected(f"the exact result needs more than {_EXACT.prec} digits") from error
        return result

    return run


def _decimal_modulo(left: Decimal, right: Decimal) -> Decimal:
    remainder = _EXACT.remainder(left, right)
    if remainder and (remainder < 0) is not (right < 0):
        remainder = _EXACT.add(remainder, right)
    return _ROUNDED.plus(remainder)


ARITHMETIC: Final[Mapping[tuple[Kind, ArithmeticOperator], Combine]] = {
    (Kind.INT, "+"): _int(lambda left, right: left + right),
    (Kind.INT, "-"): _int(lambda left, right: left - right),
    (Kind.INT, "*"): _int(lambda left, right: left * right),
    (Kind.INT, "%"): _int(lambda left, right: left % right),
    (Kind.FLOAT, "+"): _float(lambda left, right: left + right),
    (Kind.FLOAT, "-"): _float(lambda left, right: left - right),
    (Kind.FLOAT, "*"): _float(lambda left, right: left * right),
    (Kind.FLOAT, "/"): _float(lambda left, right: left / right),
    (Kind.FLOAT, "%"): _float(lambda left, right: left % right),
    (Kind.DECIMAL, "+"): _decimal(_EXACT.add),
    (Kind.DECIMAL, "-"): _decimal(_EXACT.subtract),
    (Kind.DECIMAL, "*"): _decimal(_EXACT.multiply),
    (Kind.DECIMAL, "/"): _decimal(_ROUNDED.divide),
    (Kind.DECIMAL, "%"): _decimal(_decimal_modulo),
}
"""How two numbers that are there combine, by the kind of the result."""
