"""Aggregates as accumulators of a `$group`, and what is made of them afterwards: exact, or refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, assert_never, final

from bson import Decimal128

from ommi.drivers.mongo.arithmetic import ARITHMETIC, Expr, refuse, whole
from ommi.drivers.mongo.documents import Document
from ommi.query.expressions import Aggregate, ExpressionNode, type_of
from ommi.values import Kind

__all__ = ["Groups"]

_INFINITIES: Final = [math.inf, -math.inf]
_NAN: Final = math.nan

# sums of numbers below 10^15 with nine decimals, of which there are at most 10^10, have at most 34 digits
_LARGEST: Final = Decimal128("1E+15")
_UNITS: Final = Decimal128("1E+9")
_MOST: Final = 10**10


@final
class Groups:
    """The accumulators that expressions on groups need; `expression` translates what is asked of single rows."""

    __slots__ = ("_expression", "accumulators")

    def __init__(self, expression: Callable[[ExpressionNode], Expr]) -> None:
        self._expression = expression
        self.accumulators: Document = {}

    def key(self, position: int) -> Expr:
        """What the rows of a group have in common."""
        return f"$_id.g{position}"

    def any_of(self, value: Expr) -> Expr:
        """A value that all rows of a group have."""
        return self._kept({"$first": value})

    def aggregate(self, found: Aggregate) -> Expr:
        """One value of the rows of a group, missing where none of theirs is there."""
        if found.operand is None:
            return whole(self._kept({"$sum": 1}))
        value, kind = self._expression(found.operand), type_of(found.operand).kind
        number = self._kept({"$sum": {"$cond": [{"$gt": [value, None]}, 1, 0]}})
        match found.name:
            case "count" if found.distinct:
                values = self._kept({"$addToSet": {"$ifNull": [value, None]}})
                there = {"$filter": {"input": values, "as": "v", "cond": {"$gt": ["$$v", None]}}}
                return whole({"$size": there})
            case "count":
                return whole(number)
            case "min_":
                return self._kept({"$min": value})
            case "max_":
                return self._kept({"$max": value})
            case "sum_" | "avg":
                total = self._total(value, kind, number)
                if found.name == "sum_":
                    made = whole(total) if kind is Kind.INT else total
                elif kind is Kind.INT:
                    made = {"$toDouble": {"$divide": [total, number]}}
                else:
                    made = ARITHMETIC[kind, "/"](total, {"$toDecimal" if kind is Kind.DECIMAL else "$toDouble": number})
                return {"$cond": [{"$gt": [number, 0]}, made, None]}
            case _:
                assert_never(found.name)

    def _total(self, value: Expr, kind: Kind, number: Expr) -> Expr:
        """The sum of at least one value."""
        if kind is Kind.INT:  # as decimals, of which no sum of ints is too long
            return self._kept({"$sum": {"$toDecimal": value}})
        total = self._kept({"$sum": value})
        if kind is Kind.DECIMAL:
            units = {"$multiply": [value, _UNITS]}
            short = {"$and": [{"$lt": [{"$abs": value}, _LARGEST]}, {"$eq": [{"$trunc": [units, 0]}, units]}]}
            exact = self._kept({"$min": {"$cond": [{"$gt": [value, None]}, short, True]}})
            return {
                "$cond": [
                    {"$and": [exact, {"$lte": [number, _MOST]}]},
                    total,
                    refuse("the exact sum may need more than 34 digits"),
                ]
            }
        ends = [self._kept({"$min": value}), self._kept({"$max": value})]
        finite = [{"$not": [{"$in": [end, _INFINITIES]}]} for end in ends]
        return {
            "$switch": {
                "branches": [
                    {"case": {"$eq": [total, _NAN]}, "then": refuse("the sum is not a number")},
                    {
                        "case": {"$and": [{"$in": [total, _INFINITIES]}, *finite]},
                        "then": refuse("the sum does not fit a 64-bit float"),
                    },
                ],
                "default": {"$add": [total, 0.0]},
            }
        }

    def _kept(self, accumulator: Document) -> Expr:
        for name, known in self.accumulators.items():
            if known == accumulator:
                return f"${name}"
        name = f"a{len(self.accumulators)}"
        self.accumulators[name] = accumulator
        return f"${name}"
