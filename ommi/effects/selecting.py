"""`.select(…)`: which columns a query gives, as typed tuples; of records, of groups and of joined records alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Generic, TypeAlias, overload
from uuid import UUID

from typing_extensions import TypeVar, TypeVarTuple

from ommi.effects.rows import Rows
from ommi.query.expressions import Expression

__all__ = ["Scalar", "Selecting"]

Ts = TypeVarTuple("Ts")
A1 = TypeVar("A1")
A2 = TypeVar("A2")
A3 = TypeVar("A3")
A4 = TypeVar("A4")
A5 = TypeVar("A5")
A6 = TypeVar("A6")
A7 = TypeVar("A7")
A8 = TypeVar("A8")
S = TypeVar("S", bound="Scalar")

Scalar: TypeAlias = (
    str | int | float | bytes | Decimal | date | time | timedelta | UUID | Enum | list[Any] | dict[Any, Any] | None
)
"""What a single column read from a `ref` can be to the type checker; a lambda is none of it."""


class Selecting(Generic[*Ts]):
    """A query for rows of models `*Ts`, of which columns can be selected."""

    __slots__ = ()

    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1]], /) -> Rows[tuple[A1]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2]], /) -> Rows[tuple[A1, A2]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2, A3]], /) -> Rows[tuple[A1, A2, A3]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4]], /) -> Rows[tuple[A1, A2, A3, A4]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5]], /) -> Rows[tuple[A1, A2, A3, A4, A5]]: ...
    @overload
    def select(
        self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5, A6]], /
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6]]: ...
    @overload
    def select(
        self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5, A6, A7]], /
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6, A7]]: ...
    @overload
    def select(
        self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5, A6, A7, A8]], /
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6, A7, A8]]: ...
    @overload
    def select(self, c1: Expression[Any, A1], /) -> Rows[tuple[A1]]: ...
    @overload
    def select(self, c1: Expression[Any, A1], c2: Expression[Any, A2], /) -> Rows[tuple[A1, A2]]: ...
    @overload
    def select(
        self, c1: Expression[Any, A1], c2: Expression[Any, A2], c3: Expression[Any, A3], /
    ) -> Rows[tuple[A1, A2, A3]]: ...
    @overload
    def select(
        self, c1: Expression[Any, A1], c2: Expression[Any, A2], c3: Expression[Any, A3], c4: Expression[Any, A4], /
    ) -> Rows[tuple[A1, A2, A3, A4]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        /,
    ) -> Rows[tuple[A1, A2, A3, A4, A5]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        c6: Expression[Any, A6],
        /,
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        c6: Expression[Any, A6],
        c7: Expression[Any, A7],
        /,
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6, A7]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        c6: Expression[Any, A6],
        c7: Expression[Any, A7],
        c8: Expression[Any, A8],
        /,
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6, A7, A8]]: ...
    @overload
    def select(self, c1: S, /) -> Rows[tuple[S]]: ...
    @overload
    def select(self, c1: A1, c2: A2, /) -> Rows[tuple[A1, A2]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, /) -> Rows[tuple[A1, A2, A3]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, c4: A4, /) -> Rows[tuple[A1, A2, A3, A4]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, /) -> Rows[tuple[A1, A2, A3, A4, A5]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, c6: A6, /) -> Rows[tuple[A1, A2, A3, A4, A5, A6]]: ...
    @overload
    def select(
        self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, c6: A6, c7: A7, /
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6, A7]]: ...
    @overload
    def select(
        self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, c6: A6, c7: A7, c8: A8, /
    ) -> Rows[tuple[A1, A2, A3, A4, A5, A6, A7, A8]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], Mapping[str, object]], /) -> Rows[tuple[Any, ...]]: ...
    @overload
    def select(self, /, **columns: object) -> Rows[tuple[Any, ...]]: ...
    def select(self, /, *columns: Any, **named: Any) -> Rows[Any]:
        """Only these columns, as tuples: `select(User.name, User.age)`, `select(lambda u: (u.name, u.age))`.

        Columns with names, `select(name=User.name, number=count())`, can be read `.into` a class with such fields.
        """
        return self._selected(columns, named)

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> Rows[Any]:
        raise NotImplementedError(type(self).__name__)
