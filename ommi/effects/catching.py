"""Selective recovery: `effect >> catch(NotFound)(handler)` removes the classes named from the errors.

The overloads are the subsets of the five error families that can be left over: with them every checker subtracts
exactly. With an application's own errors left, mypy without the plugin widens them to their common base.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, final, overload

from typing_extensions import TypeVar

from ommi.effects.effect import Effect
from ommi.errors import ConstraintViolation, DatabaseError, MultipleFound, NotFound, StaleRecord

__all__ = ["Catching", "Kinds", "catch"]

T = TypeVar("T")
U = TypeVar("U")
E2 = TypeVar("E2")
X = TypeVar("X")
X1 = TypeVar("X1", bound=BaseException)
X2 = TypeVar("X2", bound=BaseException)
X3 = TypeVar("X3", bound=BaseException)
X4 = TypeVar("X4", bound=BaseException)
Rest = TypeVar("Rest", default=Never)
U_co = TypeVar("U_co", covariant=True)
E2_co = TypeVar("E2_co", covariant=True)


@final
class Kinds(Generic[X]):
    """The classes of errors to recover from; call it with the handler."""

    __slots__ = ("_kinds",)

    def __init__(self, kinds: tuple[type[Any], ...]) -> None:
        self._kinds = kinds

    def __call__(self, handler: Callable[[X], Effect[U, E2]], /) -> Catching[X, U, E2]:
        return Catching(self._kinds, handler)

    if not TYPE_CHECKING:

        def __rrshift__(self, effect: object) -> NoReturn:
            names = ", ".join(kind.__name__ for kind in self._kinds)
            raise TypeError(f"catch({names}) needs a handler: effect >> catch({names})(lambda error: …)")


@final
class Catching(Generic[X, U_co, E2_co]):
    """What follows `>>`: errors of the classes go to the handler, others pass."""

    __slots__ = ("_handler", "_kinds")

    def __init__(self, kinds: tuple[type[Any], ...], handler: Callable[[X], Effect[U_co, E2_co]]) -> None:
        self._kinds = kinds
        self._handler = handler

    @overload
    def __rrshift__(self, effect: Effect[T, X], /) -> Effect[T | U_co, E2_co]: ...
    @overload
    def __rrshift__(self, effect: Effect[T, X | NotFound], /) -> Effect[T | U_co, E2_co | NotFound]: ...
    @overload
    def __rrshift__(self, effect: Effect[T, X | MultipleFound], /) -> Effect[T | U_co, E2_co | MultipleFound]: ...
    @overload
    def __rrshift__(self, effect: Effect[T, X | StaleRecord], /) -> Effect[T | U_co, E2_co | StaleRecord]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | ConstraintViolation]: ...
    @overload
    def __rrshift__(self, effect: Effect[T, X | DatabaseError], /) -> Effect[T | U_co, E2_co | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | StaleRecord], /
    ) -> Effect[T | U_co, E2_co | NotFound | StaleRecord]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | NotFound | ConstraintViolation]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | MultipleFound | StaleRecord], /
    ) -> Effect[T | U_co, E2_co | MultipleFound | StaleRecord]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | MultipleFound | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | MultipleFound | ConstraintViolation]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | MultipleFound | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | MultipleFound | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | StaleRecord | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | StaleRecord | ConstraintViolation]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | StaleRecord | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | StaleRecord | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound | StaleRecord], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound | StaleRecord]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound | ConstraintViolation]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | StaleRecord | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | NotFound | StaleRecord | ConstraintViolation]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | StaleRecord | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | StaleRecord | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | MultipleFound | StaleRecord | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | MultipleFound | StaleRecord | ConstraintViolation]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | MultipleFound | StaleRecord | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | MultipleFound | StaleRecord | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | MultipleFound | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | MultipleFound | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | StaleRecord | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | StaleRecord | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound | StaleRecord | ConstraintViolation], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound | StaleRecord | ConstraintViolation]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound | StaleRecord | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound | StaleRecord | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | StaleRecord | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | StaleRecord | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | MultipleFound | StaleRecord | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | MultipleFound | StaleRecord | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(
        self, effect: Effect[T, X | NotFound | MultipleFound | StaleRecord | ConstraintViolation | DatabaseError], /
    ) -> Effect[T | U_co, E2_co | NotFound | MultipleFound | StaleRecord | ConstraintViolation | DatabaseError]: ...
    @overload
    def __rrshift__(self, effect: Effect[T, Rest | X], /) -> Effect[T | U_co, Rest | E2_co]: ...
    def __rrshift__(self, effect: Effect[Any, Any], /) -> Effect[Any, Any]:
        return effect._catch(self._kinds, self._handler)

    __call__ = __rrshift__


@overload
def catch(k1: type[X1], /) -> Kinds[X1]: ...
@overload
def catch(k1: type[X1], k2: type[X2], /) -> Kinds[X1 | X2]: ...
@overload
def catch(k1: type[X1], k2: type[X2], k3: type[X3], /) -> Kinds[X1 | X2 | X3]: ...
@overload
def catch(k1: type[X1], k2: type[X2], k3: type[X3], k4: type[X4], /) -> Kinds[X1 | X2 | X3 | X4]: ...
def catch(*kinds: type[Any]) -> Kinds[Any]:
    """Recover from errors of these classes: `effect >> catch(UniqueViolation)(lambda error: …)`."""
    if not kinds or not all(isinstance(kind, type) for kind in kinds):
        raise TypeError(
            f"catch(…) takes one or more error classes, and then the handler: catch(NotFound, MultipleFound)(handler); "
            f"not {', '.join(map(repr, kinds)) or 'nothing'}"
        )
    return Kinds(kinds)
