"""`optional`: values of a row that may be missing, since it was joined by `left_join`."""

from __future__ import annotations

from typing import Any, assert_never, final, overload

from typing_extensions import TypeVar

from ommi.frozen import frozen
from ommi.query.expressions import (
    Aggregate,
    Arithmetic,
    Column,
    Expression,
    ExpressionNode,
    Function,
    GroupKey,
    Literal,
)
from ommi.query.standin import StandIn
from ommi.schema import Schema

__all__ = ["OptionalColumn", "OptionalRow", "optional", "require_optional"]

M = TypeVar("M")
V = TypeVar("V")


@final
class OptionalColumn(Column[Any, Any]):
    """A column of which it was said that its row may be missing."""

    __slots__ = ()


@final
@frozen
class OptionalRow:
    """A row of which it was said that it may be missing."""

    row: StandIn


@overload
def optional(value: Expression[M, V], /) -> Expression[M, V | None]: ...
@overload
def optional(value: V, /) -> V | None: ...
def optional(value: Any, /) -> Any:
    """A column, or the row of a lambda, of a model that was joined by `left_join`, with `None` in its type.

    `select` takes no other, since where no row was joined there is no value.
    """
    if isinstance(value, StandIn):
        return OptionalRow(value)
    if isinstance(value, Column):
        return OptionalColumn(value.schema, value.field)
    raise TypeError(f"optional(…) takes a column (Post.title, or p.title of a lambda) or a lambda's row, not {value!r}")


def require_optional(found: ExpressionNode, outer: frozenset[Schema]) -> None:
    """`TypeError` for a column of a row that may be missing, where that is not said."""
    match found:
        case OptionalColumn():
            return
        case Column() if found.schema in outer and not found.field.nullable:
            raise TypeError(
                f"{found!r} may be missing here, since {found.schema.label} is joined by left_join: "
                f"select optional({found!r}), which has None in its type"
            )
        case Function(name="coalesce"):
            require_optional(found.arguments[1], outer)
        case Function():
            for argument in found.arguments:
                require_optional(argument, outer)
        case Arithmetic():
            require_optional(found.left, outer)
            require_optional(found.right, outer)
        case GroupKey():
            require_optional(found.expression, outer)
        case Column() | Literal() | Aggregate():
            return
        case _:
            assert_never(found)
