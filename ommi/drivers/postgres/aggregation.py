"""Aggregates as `ommi.drivers.aggregation` defines them, in SQL.

The server's own differ in what they refuse, in the types and digits of their results, and in what they are there for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ommi.drivers.postgres.arithmetic import QUERY_ARITHMETIC
from ommi.query.expressions import AggregateName
from ommi.values import Kind

__all__ = ["AGGREGATES"]

_divided_floats: Final = QUERY_ARITHMETIC[Kind.FLOAT, "/"]
_divided_decimals: Final = QUERY_ARITHMETIC[Kind.DECIMAL, "/"]

AGGREGATES: Final[Mapping[tuple[AggregateName, Kind], str]] = {
    **{("min_", kind): "min({0})" for kind in Kind},
    **{("max_", kind): "max({0})" for kind in Kind},
    ("min_", Kind.BOOL): "bool_and({0})",
    ("max_", Kind.BOOL): "bool_or({0})",
    # there is none of uuid before version 18; their texts are in the order of their bytes
    ("min_", Kind.UUID): 'min({0}::text COLLATE "C")::uuid',
    ("max_", Kind.UUID): 'max({0}::text COLLATE "C")::uuid',
    ("sum_", Kind.INT): "sum({0})::bigint",
    # adding zero in this way refuses what is not a number, the sum of infinities of both signs
    ("sum_", Kind.FLOAT): QUERY_ARITHMETIC[Kind.FLOAT, "+"].format("sum({0})", "0"),
    ("sum_", Kind.DECIMAL): "sum({0})",
    ("avg", Kind.INT): "avg({0})::float8",
    # the server's own mean overflows where only the squares of the values do
    ("avg", Kind.FLOAT): _divided_floats.format("sum({0})", "count({0})"),
    ("avg", Kind.DECIMAL): _divided_decimals.format("sum({0})", "count({0})::numeric"),
}
