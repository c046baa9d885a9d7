"""Arithmetic as `ommi.drivers.arithmetic` defines it, in SQL: each operand is computed once.

The databases' own operators differ from it in the sign of a remainder, in the digits of a quotient, and in what
they refuse.
"""

# ruff: noqa: S608 - templates of this module alone, without values

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ommi.query.expressions import ArithmeticOperator
from ommi.values import Kind

__all__ = ["QUERY_ARITHMETIC", "SCHEMA_ARITHMETIC"]

Templates = Mapping[tuple[Kind, ArithmeticOperator], str]

_OPERANDS: Final = "(SELECT {0} AS a, {1} AS b) AS operands"
_FLOATS: Final = "(SELECT {0}::float8 AS a, {1}::float8 AS b) AS operands"

_INT_MODULO: Final = (
    "(SELECT CASE WHEN r <> 0 AND (r < 0) <> (b < 0) THEN r + b ELSE r END "
    f"FROM (SELECT a % b AS r, b FROM {_OPERANDS}) AS divided)"
)

# -- floats: what is not a number is refused by a division that the planner cannot foresee; -0.0 becomes 0.0

_REFUSED: Final = "(1 / (r <> r)::int)::float8"


def _number(result: str) -> str:
    return (
        f"(SELECT CASE WHEN r = 'NaN' THEN {_REFUSED} ELSE r + 0 END "
        f"FROM (SELECT {result} AS r FROM {_FLOATS}) AS computed)"
    )


# PostgreSQL refuses a result that is too small for a float, which is 0.0 here: up to half of the least float, 2^-1074.
# Where that can be, the operands are scaled by powers of two, which is exact, to see whether it is.
_PRODUCT: Final = (
    "CASE WHEN a IS NOT NULL AND b IS NOT NULL "  # least and greatest pass over what is missing
    "AND least(abs(a), abs(b)) < 2::float8 ^ (-537) AND greatest(abs(a), abs(b)) < 1 "
    "AND (least(abs(a), abs(b)) * 2::float8 ^ 537) * (greatest(abs(a), abs(b)) * 2::float8 ^ 538) <= 1 "
    "THEN 0 ELSE a * b END"
)
_QUOTIENT: Final = (
    "CASE WHEN abs(a) < 1 AND abs(b) > 1 AND abs(a) * 2::float8 ^ 537 <= abs(b) * 2::float8 ^ (-538) "
    "THEN 0 ELSE a / b END"
)

# There is no remainder of floats. Both are whole numbers times a power of two: |a| >= |b| have mantissas m and n and
# exponents p >= q, and the remainder of m * 2^(p-q) by n, which is exact, is less than n, and so a float.
_BITS: Final = "('x' || encode(float8send(abs({})), 'hex'))::bit(64)::bigint"
_PARTS: Final = (
    "SELECT a, b, x & 4503599627370495 | (CASE WHEN x >> 52 = 0 THEN 0 ELSE 4503599627370496 END) AS m, "
    "y & 4503599627370495 | (CASE WHEN y >> 52 = 0 THEN 0 ELSE 4503599627370496 END) AS n, "
    "greatest(x >> 52, 1) - 1075 AS p, greatest(y >> 52, 1) - 1075 AS q "
    f"FROM (SELECT a, b, {_BITS.format('a')} AS x, {_BITS.format('b')} AS y FROM {_FLOATS}) AS bits"
)
_FLOAT_MODULO: Final = (
    "(SELECT CASE WHEN r <> 0 AND (r < 0) <> (b < 0) THEN r + b ELSE r + 0 END FROM ("
    "SELECT b, CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN b = 0 THEN a / b "
    "WHEN abs(a) = 'Infinity' THEN (1 / (a <> a)::int)::float8 "
    "WHEN abs(a) < abs(b) THEN a "
    "ELSE sign(a) * ((m * (2::numeric ^ (p - q)::numeric)) % n)::float8 * 2.0::float8 ^ q END AS r "
    f"FROM ({_PARTS}) AS parts) AS divided)"
)

# -- decimals: an exact result as it is; what is rounded has 28 digits, and a tie goes to the even one


def _exponent(number: str) -> str:
    """The exponent of a number's first digit, the number being positive."""
    decimals = f"split_part({number}::text, '.', 2)"
    return (
        f"CASE WHEN {number} >= 1 THEN length(trunc({number})::text) - 1 "
        f"ELSE length(ltrim({decimals}, '0')) - length({decimals}) - 1 END"
    )


def _rounded(source: str) -> str:
    """The number `v` of a source, rounded."""
    return (
        "(SELECT CASE WHEN v = 0 OR v IS NULL THEN v "
        "WHEN abs(v - trunc(v, s)) * 2 = ('1e' || -s)::numeric AND trunc(abs(v), s) % (('2e' || -s)::numeric) = 0 "
        "THEN trunc(v, s) ELSE round(v, s) END "
        f"FROM (SELECT v, 27 - ({_exponent('abs(v)')}) AS s FROM {source}) AS scaled)"
    )


# the quotient to 30 digits or more, and one digit that says whether there is a rest
_DECIMAL_QUOTIENT: Final = _rounded(
    "(SELECT CASE WHEN a = 0 OR b = 0 OR a IS NULL OR b IS NULL THEN a / b "
    "ELSE (w * 10 + CASE WHEN n = w * b THEN 0 ELSE sign(a) * sign(b) END) * ('1e' || -(k + 1))::numeric END AS v "
    "FROM (SELECT a, b, k, n, div(n, CASE WHEN b = 0 THEN NULL ELSE b END) AS w "
    "FROM (SELECT a, b, k, a * (('1e' || k)::numeric) AS n "
    f"FROM (SELECT a, b, 30 - ({_exponent('abs(a)')}) + ({_exponent('abs(b)')}) AS k "
    f"FROM {_OPERANDS}) AS exponents) AS scaled) AS divided) AS quotient"
)
_DECIMAL_MODULO: Final = _rounded(
    "(SELECT CASE WHEN r <> 0 AND (r < 0) <> (b < 0) THEN r + b ELSE r END AS v "
    f"FROM (SELECT a % b AS r, b FROM {_OPERANDS}) AS divided) AS remainder"
)

_NATIVE: Final[Templates] = {
    (Kind.INT, "+"): "({0} + {1})",
    (Kind.INT, "-"): "({0} - {1})",
    (Kind.INT, "*"): "({0} * {1})",
    (Kind.DECIMAL, "+"): "({0} + {1})",
    (Kind.DECIMAL, "-"): "({0} - {1})",
    (Kind.DECIMAL, "*"): "({0} * {1})",
}

QUERY_ARITHMETIC: Final[Templates] = {
    **_NATIVE,
    (Kind.INT, "%"): _INT_MODULO,
    (Kind.FLOAT, "+"): _number("a + b"),
    (Kind.FLOAT, "-"): _number("a - b"),
    (Kind.FLOAT, "*"): _number(_PRODUCT),
    (Kind.FLOAT, "/"): _number(_QUOTIENT),
    (Kind.FLOAT, "%"): _FLOAT_MODULO,
    (Kind.DECIMAL, "/"): _DECIMAL_QUOTIENT,
    (Kind.DECIMAL, "%"): _DECIMAL_MODULO,
}

# a check takes no subquery
SCHEMA_ARITHMETIC: Final[Templates] = {
    **_NATIVE,
    (Kind.INT, "%"): (
        "(CASE WHEN {0} % {1} <> 0 AND ({0} % {1} < 0) <> ({1} < 0) THEN {0} % {1} + {1} ELSE {0} % {1} END)"
    ),
    (Kind.FLOAT, "+"): "({0}::float8 + {1}::float8)",
    (Kind.FLOAT, "-"): "({0}::float8 - {1}::float8)",
    (Kind.FLOAT, "*"): "({0}::float8 * {1}::float8)",
    (Kind.FLOAT, "/"): "({0}::float8 / {1}::float8)",
}
