"""Aggregates of stored values that are there: exact where they can be, and `QueryRejected` where there is no answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from ommi.drivers.arithmetic import ARITHMETIC
from ommi.errors import QueryRejected
from ommi.query.expressions import AggregateName
from ommi.values import MAX_INT, MIN_INT, Kind

__all__ = ["AGGREGATES", "checked_sum", "mean_of_ints", "sum_of_floats", "sum_of_ints"]

Combine = Callable[[Sequence[Any]], Any]

_add_decimals: Final = ARITHMETIC[Kind.DECIMAL, "+"]
_divide_decimals: Final = ARITHMETIC[Kind.DECIMAL, "/"]
_divide_floats: Final = ARITHMETIC[Kind.FLOAT, "/"]


def sum_of_ints(total: int) -> int:
    """The sum, if it can be stored."""
    if not MIN_INT <= total <= MAX_INT:
        raise QueryRejected(f"the sum {total} does not fit 64 bits")
    return total


def mean_of_ints(total: int, count: int) -> float:
    """The mean, of a sum of any size."""
    return total / count


def checked_sum(total: float, smallest: float, largest: float) -> float:
    """The sum, if it is a number and, unless a summand is infinite, finite."""
    if total != total or (math.isinf(smallest) and math.isinf(largest) and smallest != largest):
        raise QueryRejected("the sum of infinities of both signs is not a number")
    if math.isinf(total) and math.isfinite(smallest) and math.isfinite(largest):
        raise QueryRejected("the sum does not fit a 64-bit float")
    return total + 0.0  # -0.0 becomes 0.0


def sum_of_floats(values: Sequence[float]) -> float:
    """The sum, to the last bit."""
    if not all(map(math.isfinite, values)):
        return checked_sum(sum(values), min(values), max(values))
    try:
        total = math.fsum(values)
    except OverflowError:  # of a part of them
        from fractions import Fraction  # here, because it is slow to import

        try:
            total = float(sum(map(Fraction, values)))
        except OverflowError:
            total = math.inf
    return checked_sum(total, min(values), max(values))


def _sum_of_decimals(values: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = _add_decimals(total, value)
    return total


AGGREGATES: Final[Mapping[tuple[AggregateName, Kind], Combine]] = {
    ("sum_", Kind.INT): lambda values: sum_of_ints(sum(values)),
    ("sum_", Kind.FLOAT): sum_of_floats,
    ("sum_", Kind.DECIMAL): _sum_of_decimals,
    ("avg", Kind.INT): lambda values: mean_of_ints(sum(values), len(values)),
    ("avg", Kind.FLOAT): lambda values: _divide_floats(sum_of_floats(values), len(values)),
    ("avg", Kind.DECIMAL): lambda values: _divide_decimals(_sum_of_decimals(values), Decimal(len(values))),
    **{("min_", kind): min for kind in Kind},
    **{("max_", kind): max for kind in Kind},
}
"""How the values of a group, of which there is at least one, become one. A count is their number."""
