"""`count`, `sum_`, `avg`, `min_`, `max_` as functions: of columns, and of what a lambda's row has in their place.

`User.age.avg()` and `avg(User.age)` are the same. To a type checker the fields of a lambda's row are plain values, and
so is an aggregate of one: `select(lambda u: (u.team, avg(u.age)))` gives a `tuple[str, float | None]`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, overload

from typing_extensions import TypeVar

from ommi.query.expressions import Aggregate, Expression
from ommi.query.standin import StandIn, key_column

__all__ = ["avg", "count", "max_", "min_", "sum_"]

M = TypeVar("M")
V = TypeVar("V")
N = TypeVar("N", bound="float | Decimal | None")
F = TypeVar("F", bound="float | None")
D = TypeVar("D", bound="Decimal | None")


@overload
def count() -> Expression[Any, int]: ...
@overload
def count(  # type: ignore[overload-overlap]
    value: Expression[M, Any], /, *, distinct: bool = False
) -> Expression[M, int]: ...
@overload
def count(value: object, /, *, distinct: bool = False) -> int: ...
def count(value: Any = None, /, *, distinct: bool = False) -> Any:
    """How many rows a group has: all, or those where a value, or the row of a lambda, is there.

    With `distinct`, how many different values there are.
    """
    if value is None:
        if distinct:
            raise TypeError("count(distinct=True) does not say of what: write count(User.name, distinct=True)")
        return Aggregate("count", None)
    if isinstance(value, StandIn):
        return Aggregate("count", key_column(value), distinct)
    return _column(value, "count").count(distinct=distinct)


@overload
def sum_(value: Expression[M, N], /) -> Expression[M, N | None]: ...
@overload
def sum_(value: N, /) -> N | None: ...
def sum_(value: Any, /) -> Any:
    """The sum of the values that are there, `None` if none is; `QueryRejected` beyond 64 bits."""
    return _column(value, "sum_").sum_()


@overload
def avg(value: Expression[M, F], /) -> Expression[M, float | None]: ...  # type: ignore[overload-overlap]  # of None
@overload
def avg(value: Expression[M, D], /) -> Expression[M, Decimal | None]: ...
@overload
def avg(value: float | None, /) -> float | None: ...  # type: ignore[overload-overlap]  # of None
@overload
def avg(value: Decimal | None, /) -> Decimal | None: ...
def avg(value: Any, /) -> Any:
    """The mean of the values that are there, `None` if none is; of Decimals to 28 digits."""
    return _column(value, "avg").avg()


@overload
def min_(value: Expression[M, V], /) -> Expression[M, V | None]: ...
@overload
def min_(value: V, /) -> V | None: ...
def min_(value: Any, /) -> Any:
    """The smallest of the values that are there, `None` if none is."""
    return _column(value, "min_").min_()


@overload
def max_(value: Expression[M, V], /) -> Expression[M, V | None]: ...
@overload
def max_(value: V, /) -> V | None: ...
def max_(value: Any, /) -> Any:
    """The largest of the values that are there, `None` if none is."""
    return _column(value, "max_").max_()


def _column(value: object, said: str) -> Expression[Any, Any]:
    if not isinstance(value, Expression):
        raise TypeError(f"{said}(…) takes a column (User.age, or u.age of a lambda or ref), not {value!r}")
    return value
