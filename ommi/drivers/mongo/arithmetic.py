"""Arithmetic as aggregation expressions, each with a guard: MongoDB makes of an int too large a float, and goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from bson import Decimal128

from ommi.query.expressions import ArithmeticOperator
from ommi.values import Kind

__all__ = ["ARITHMETIC", "MARK", "as_date", "as_int", "refuse", "whole"]

Expr: TypeAlias = Any
"""An aggregation expression."""

MARK: Final = "ommi: "
"""Begins what a guard says; it comes back in the server's message."""

_NAN: Final = math.nan
_INFINITIES: Final = [math.inf, -math.inf]


def refuse(reason: str) -> Expr:
    """An expression that fails when it is evaluated; it names a field, so that it is not evaluated beforehand."""
    return {"$toInt": {"$concat": [f"{MARK}{reason} ", {"$type": "$_id"}]}}


def whole(expression: Expr) -> Expr:
    """A 64-bit int of a number, missing where that is."""
    return {"$toLong": expression}


def as_int(expression: Expr) -> Expr:
    """An int as a float; refused where the float would be another number."""
    exact = {"$eq": [{"$toDecimal": "$$n"}, {"$toDecimal": {"$toDouble": "$$n"}}]}
    value = {"$cond": [exact, {"$toDouble": "$$n"}, refuse("an int that cannot be a float without loss")]}
    return {"$let": {"vars": {"n": expression}, "in": {"$cond": [{"$lte": ["$$n", None]}, None, value]}}}


def as_date(expression: Expr) -> Expr:
    """A date of an int of microseconds; refused where they are no whole milliseconds."""
    date = {"$toDate": {"$toLong": {"$divide": [{"$toDecimal": "$$n"}, 1000]}}}
    value = {"$cond": [{"$eq": [{"$mod": ["$$n", 1000]}, 0]}, date, refuse("a moment with microseconds")]}
    return {"$let": {"vars": {"n": expression}, "in": {"$cond": [{"$lte": ["$$n", None]}, None, value]}}}


def _exact_int(operator: str) -> Callable[[Expr, Expr], Expr]:
    # 34 decimal digits hold every sum, and of a product enough to see that it does not fit; $toLong sees that
    return lambda left, right: {"$toLong": {operator: [{"$toDecimal": left}, right]}}


def _floored(remainder: Expr, result: Callable[[Expr], Expr] = lambda found: found) -> Callable[[Expr, Expr], Expr]:
    """The remainder with the sign of the divisor, as in Python."""
    differs = {"$and": [{"$ne": ["$$r", 0]}, {"$ne": [{"$lt": ["$$r", 0]}, {"$lt": ["$$b", 0]}]}]}
    signed = {"$cond": [differs, {"$add": ["$$r", "$$b"]}, "$$r"]}
    inner = {"$let": {"vars": {"r": remainder}, "in": result(signed)}}
    return lambda left, right: {"$let": {"vars": {"a": left, "b": right}, "in": inner}}


_INT_MODULO: Final = _floored({"$mod": ["$$a", "$$b"]})


def _float(result: Expr) -> Callable[[Expr, Expr], Expr]:
    """A float result of `$$a` and `$$b`; adding 0.0 makes of a negative zero a positive one."""
    infinite = {"$and": [{"$in": ["$$f", _INFINITIES]}, _finite("$$a"), _finite("$$b")]}
    checked = {
        "$switch": {
            "branches": [
                {"case": {"$eq": ["$$f", _NAN]}, "then": refuse("the result is not a number")},
                {"case": infinite, "then": refuse("the result does not fit a 64-bit float")},
            ],
            "default": {"$add": ["$$f", 0.0]},
        }
    }
    inner = {"$let": {"vars": {"f": result}, "in": checked}}
    return lambda left, right: {"$let": {"vars": {"a": left, "b": right}, "in": inner}}


def _finite(found: Expr) -> Expr:
    return {"$not": [{"$in": [found, _INFINITIES]}]}


_FLOAT_MODULO: Final = _floored({"$mod": ["$$a", "$$b"]})("$$a", "$$b")

# -- decimals: 34 digits, where the answer is exact or there is none

_INEXACT: Final = "the exact result needs more than 34 digits"


def _decimal(result: Expr, exact: Expr | None) -> Callable[[Expr, Expr], Expr]:
    branches = [
        {"case": {"$lte": ["$$d", None]}, "then": None},
        {"case": {"$in": ["$$d", [Decimal128("NaN"), Decimal128("Infinity"), Decimal128("-Infinity")]]},
         "then": refuse("the result does not fit a Decimal128")},
    ]  # fmt: skip
    if exact is not None:
        branches.append({"case": {"$not": [exact]}, "then": refuse(_INEXACT)})
    inner = {"$let": {"vars": {"d": result}, "in": {"$switch": {"branches": branches, "default": "$$d"}}}}
    return lambda left, right: {"$let": {"vars": {"a": left, "b": right}, "in": inner}}


def _both(first: Expr, second: Expr) -> Expr:
    return {"$and": [{"$eq": first}, {"$eq": second}]}


def _shortened(found: Expr, away: int) -> Expr:
    """The first 34 - `away` digits of a decimal, rounded (Veltkamp's splitting; Boldo 2006 for any radix)."""
    factor = Decimal128(str(10**away + 1))
    product = {"$multiply": ["$$s", factor]}
    return {
        "$let": {
            "vars": {"s": found},
            "in": {
                "$let": {
                    "vars": {"p": product},
                    "in": {"$add": ["$$p", {"$subtract": ["$$s", "$$p"]}]},
                }
            },
        }
    }


def _exact_product() -> Expr:
    """Whether `$$d` is the product of `$$a` and `$$b`: its error, from halves of 17 digits (Dekker 1971), is zero."""
    error: Expr = {"$subtract": [{"$multiply": ["$$ah", "$$bh"]}, "$$d"]}
    for one, other in (("$$ah", "$$bl"), ("$$al", "$$bh"), ("$$al", "$$bl")):
        error = {"$add": [error, {"$multiply": [one, other]}]}
    low = {
        "$let": {
            "vars": {"al": {"$subtract": ["$$a", "$$ah"]}, "bl": {"$subtract": ["$$b", "$$bh"]}},
            "in": {"$eq": [error, 0]},
        }
    }
    return {"$let": {"vars": {"ah": _shortened("$$a", 17), "bh": _shortened("$$b", 17)}, "in": low}}


def _rounded(result: Expr) -> Expr:
    """To 28 digits, as Python's default context rounds."""
    return _shortened(result, 6)


ARITHMETIC: Final[Mapping[tuple[Kind, ArithmeticOperator], Callable[[Expr, Expr], Expr]]] = {
    (Kind.INT, "+"): _exact_int("$add"),
    (Kind.INT, "-"): _exact_int("$subtract"),
    (Kind.INT, "*"): _exact_int("$multiply"),
    (Kind.INT, "%"): _INT_MODULO,
    (Kind.FLOAT, "+"): _float({"$add": ["$$a", "$$b"]}),
    (Kind.FLOAT, "-"): _float({"$subtract": ["$$a", "$$b"]}),
    (Kind.FLOAT, "*"): _float({"$multiply": ["$$a", "$$b"]}),
    (Kind.FLOAT, "/"): _float({"$divide": ["$$a", "$$b"]}),
    (Kind.FLOAT, "%"): _float(_FLOAT_MODULO),
    (Kind.DECIMAL, "+"): _decimal(
        {"$add": ["$$a", "$$b"]},
        _both([{"$subtract": ["$$d", "$$a"]}, "$$b"], [{"$subtract": ["$$d", "$$b"]}, "$$a"]),
    ),
    (Kind.DECIMAL, "-"): _decimal(
        {"$subtract": ["$$a", "$$b"]},
        _both([{"$subtract": ["$$a", "$$d"]}, "$$b"], [{"$add": ["$$d", "$$b"]}, "$$a"]),
    ),
    (Kind.DECIMAL, "*"): _decimal({"$multiply": ["$$a", "$$b"]}, _exact_product()),
    (Kind.DECIMAL, "/"): _decimal(_rounded({"$divide": ["$$a", "$$b"]}), None),
    (Kind.DECIMAL, "%"): _decimal(_rounded(_floored({"$mod": ["$$a", "$$b"]})("$$a", "$$b")), None),
}
"""How two stored numbers combine, by the kind of the result; missing where one of them is."""
