"""Functions that SQLite lacks, registered on each connection; never part of the schema."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, final

from ommi.drivers.aggregation import AGGREGATES, checked_sum, mean_of_ints, sum_of_ints
from ommi.drivers.arithmetic import ARITHMETIC, Combine
from ommi.errors import QueryRejected
from ommi.query.expressions import AggregateName, ArithmeticOperator
from ommi.query.patterns import fold, python_regex
from ommi.values import Kind, json_text

__all__ = ["ARITHMETIC_NAMES", "LETTERS", "MIDDLE", "decimal_key", "failure", "install"]

_WORDS: Final[Mapping[ArithmeticOperator, str]] = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "%": "modulo",
}

ARITHMETIC_NAMES: Final[Mapping[tuple[Kind, ArithmeticOperator], str]] = {
    (kind, operator): f"ommi_{kind.name.lower()}_{_WORDS[operator]}" for kind, operator in ARITHMETIC
}
"""The functions for arithmetic, by the kind of the result and the operator."""


def install(connection: sqlite3.Connection) -> None:
    """Register everything that compiled statements call."""
    failures: list[str] = []  # SQLite passes on that a function failed, but not why

    def last_failure() -> str | None:
        found = failures[-1] if failures else None
        failures.clear()
        return found

    connection.create_function("ommi_failure", 0, last_failure)
    for key, name in ARITHMETIC_NAMES.items():
        combine = ARITHMETIC[key]
        run = _noted(_of_texts(combine) if key[0] is Kind.DECIMAL else combine, failures)
        connection.create_function(name, 2, run, deterministic=True)
    connection.create_function("ommi_decimal_key", 1, _noted(_decimal_key, failures), deterministic=True)
    connection.create_function("ommi_int_sum", 2, _noted(_int_sum, failures), deterministic=True)
    connection.create_function("ommi_int_avg", 3, _noted(_int_avg, failures), deterministic=True)
    connection.create_function("ommi_float_sum", 3, _float_sum(failures), deterministic=True)
    for name in _DECIMALS:
        connection.create_aggregate(f"ommi_decimal_{name.strip('_')}", 1, _decimal_aggregate(name, failures))
    connection.create_function("ommi_fold", 1, _missing_stays(fold), deterministic=True)
    connection.create_function("ommi_float", 1, float.fromhex, deterministic=True)
    connection.create_function("ommi_bytes", 1, bytes.fromhex, deterministic=True)
    connection.create_function("ommi_regex", 2, _regex, deterministic=True)
    connection.create_function("ommi_has_element", 2, _has_element, deterministic=True)


def failure(connection: sqlite3.Connection) -> str | None:
    """Why a function failed last, once; `None` if none did."""
    try:
        found: str | None = connection.execute("SELECT ommi_failure()").fetchone()[0]
    except sqlite3.Error:  # a connection on which nothing was installed, or none that answers
        return None
    return found


def _int_sum(high: int, low: int) -> int:
    return sum_of_ints((high << 32) + low)


def _int_avg(high: int, low: int, count: int) -> float:
    return mean_of_ints((high << 32) + low, count)


def _float_sum(failures: list[str]) -> Callable[..., float | None]:
    def run(total: float | None, smallest: float | None, largest: float | None) -> float | None:
        if smallest is None or largest is None:
            return None
        try:
            return checked_sum(math.nan if total is None else total, smallest, largest)
        except QueryRejected as error:
            failures[:] = [error.message]
            raise

    return run


_DECIMALS: Final[tuple[AggregateName, ...]] = ("sum_", "avg", "min_", "max_")


def _decimal_aggregate(name: AggregateName, failures: list[str]) -> Any:
    combine = AGGREGATES[name, Kind.DECIMAL]
    return lambda: _Collected(combine, failures)


@final
class _Collected:
    """The decimals of a group, kept until the last is there."""

    __slots__ = ("_combine", "_failures", "_values")

    def __init__(self, combine: Callable[[Sequence[Decimal]], Decimal], failures: list[str]) -> None:
        self._combine = combine
        self._failures = failures
        self._values: list[Decimal] = []

    def step(self, text: Any) -> None:
        if text is not None:
            try:
                self._values.append(_decimal(text))
            except QueryRejected as error:
                self._failures[:] = [error.message]
                raise

    def finalize(self) -> str | None:
        try:
            return str(self._combine(self._values)) if self._values else None
        except QueryRejected as error:
            self._failures[:] = [error.message]
            raise


LETTERS: Final = "jihgfedcba"
"""Stand for the digits 0 to 9 of a negative number: the larger the digit, the smaller the letter."""

MIDDLE: Final = 10**18
"""Makes exponents positive, and all of one length."""

_TO_LETTERS: Final = str.maketrans("0123456789", LETTERS)


def decimal_key(number: Decimal) -> str:
    """A text that sorts as the number does: sign, exponent, digits."""
    if not number:
        return "1"
    digits = "".join(map(str, number.as_tuple().digits)).rstrip("0")
    if number > 0:
        return f"2{MIDDLE + number.adjusted():019d}{digits}"
    return f"0{MIDDLE - number.adjusted():019d}{digits.translate(_TO_LETTERS)}~"


def _noted(function: Callable[..., Any], failures: list[str]) -> Callable[..., Any]:
    """The function, missing where one of its arguments is; why it fails is noted."""

    def run(*arguments: Any) -> Any:
        if None in arguments:
            return None
        try:
            return function(*arguments)
        except QueryRejected as error:
            failures[:] = [error.message]
            raise

    return run


def _decimal(text: Any) -> Decimal:
    try:
        return Decimal(text)
    except (InvalidOperation, TypeError, ValueError) as error:
        raise QueryRejected(f"{text!r} is no decimal number") from error


def _decimal_key(text: str) -> str:
    return decimal_key(_decimal(text))


def _of_texts(combine: Combine) -> Combine:
    return lambda left, right: str(combine(_decimal(left), _decimal(right)))


def _missing_stays(function: Callable[[str], str]) -> Callable[[str | None], str | None]:
    return lambda text: None if text is None else function(text)


def _regex(pattern: str, text: str | None) -> bool | None:
    return None if text is None else python_regex(pattern).search(text) is not None


def _has_element(text: str | None, wanted: str) -> bool:
    return text is not None and wanted in map(json_text, json.loads(text))
