"""Several effects as one: all of them, all of their errors, the first of them, and resources around them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Never, overload

from typing_extensions import TypeVar

from ommi.effects.effect import Attempt, Bracket, Effect, Gather, Race, Sleep, Together

__all__ = ["attempt", "bracket", "gather", "race", "sleep", "traverse", "validate"]

T = TypeVar("T")
E = TypeVar("E")
I = TypeVar("I")  # noqa: E741
A1 = TypeVar("A1")
A2 = TypeVar("A2")
A3 = TypeVar("A3")
A4 = TypeVar("A4")
A5 = TypeVar("A5")
A6 = TypeVar("A6")
A7 = TypeVar("A7")
A8 = TypeVar("A8")
E1 = TypeVar("E1")
E2 = TypeVar("E2")
E3 = TypeVar("E3")
E4 = TypeVar("E4")
E5 = TypeVar("E5")
E6 = TypeVar("E6")
E7 = TypeVar("E7")
E8 = TypeVar("E8")
X = TypeVar("X", bound=Exception)
X2 = TypeVar("X2", bound=Exception)
X3 = TypeVar("X3", bound=Exception)


@overload
def gather(e1: Effect[A1, E1], /, *, limit: int | None = None) -> Effect[tuple[A1], E1]: ...
@overload
def gather(
    e1: Effect[A1, E1], e2: Effect[A2, E2], /, *, limit: int | None = None
) -> Effect[tuple[A1, A2], E1 | E2]: ...
@overload
def gather(
    e1: Effect[A1, E1], e2: Effect[A2, E2], e3: Effect[A3, E3], /, *, limit: int | None = None
) -> Effect[tuple[A1, A2, A3], E1 | E2 | E3]: ...
@overload
def gather(
    e1: Effect[A1, E1], e2: Effect[A2, E2], e3: Effect[A3, E3], e4: Effect[A4, E4], /, *, limit: int | None = None
) -> Effect[tuple[A1, A2, A3, A4], E1 | E2 | E3 | E4]: ...
@overload
def gather(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5], E1 | E2 | E3 | E4 | E5]: ...
@overload
def gather(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5, A6], E1 | E2 | E3 | E4 | E5 | E6]: ...
@overload
def gather(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    e7: Effect[A7, E7],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5, A6, A7], E1 | E2 | E3 | E4 | E5 | E6 | E7]: ...
@overload
def gather(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    e7: Effect[A7, E7],
    e8: Effect[A8, E8],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5, A6, A7, A8], E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8]: ...
@overload
def gather(*effects: Effect[T, E], limit: int | None = None) -> Effect[tuple[T, ...], E]: ...
def gather(*effects: Effect[Any, Any], limit: int | None = None) -> Effect[Any, Any]:
    """All of the effects, at once, at most `limit` at a time; a tuple of their values.

    Outside a transaction each runs on a connection of its own, inside one they take turns. A failure cancels the
    rest; if several fail, the first by position among those finished is the answer. What siblings committed stays.
    """
    return Gather(_effects("gather", effects), None, Together.ALL, _limited(limit))


@overload
def validate(e1: Effect[A1, E1], /, *, limit: int | None = None) -> Effect[tuple[A1], tuple[E1, ...]]: ...
@overload
def validate(
    e1: Effect[A1, E1], e2: Effect[A2, E2], /, *, limit: int | None = None
) -> Effect[tuple[A1, A2], tuple[E1 | E2, ...]]: ...
@overload
def validate(
    e1: Effect[A1, E1], e2: Effect[A2, E2], e3: Effect[A3, E3], /, *, limit: int | None = None
) -> Effect[tuple[A1, A2, A3], tuple[E1 | E2 | E3, ...]]: ...
@overload
def validate(
    e1: Effect[A1, E1], e2: Effect[A2, E2], e3: Effect[A3, E3], e4: Effect[A4, E4], /, *, limit: int | None = None
) -> Effect[tuple[A1, A2, A3, A4], tuple[E1 | E2 | E3 | E4, ...]]: ...
@overload
def validate(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5], tuple[E1 | E2 | E3 | E4 | E5, ...]]: ...
@overload
def validate(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5, A6], tuple[E1 | E2 | E3 | E4 | E5 | E6, ...]]: ...
@overload
def validate(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    e7: Effect[A7, E7],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5, A6, A7], tuple[E1 | E2 | E3 | E4 | E5 | E6 | E7, ...]]: ...
@overload
def validate(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    e7: Effect[A7, E7],
    e8: Effect[A8, E8],
    /,
    *,
    limit: int | None = None,
) -> Effect[tuple[A1, A2, A3, A4, A5, A6, A7, A8], tuple[E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8, ...]]: ...
@overload
def validate(*effects: Effect[T, E], limit: int | None = None) -> Effect[tuple[T, ...], tuple[E, ...]]: ...
def validate(*effects: Effect[Any, Any], limit: int | None = None) -> Effect[Any, Any]:
    """All of the effects, at once; a tuple of their values, or a tuple of all their errors, in order."""
    return Gather(_effects("validate", effects), None, Together.VALIDATE, _limited(limit))


@overload
def race(e1: Effect[A1, E1], /) -> Effect[A1, E1]: ...
@overload
def race(e1: Effect[A1, E1], e2: Effect[A2, E2], /) -> Effect[A1 | A2, E1 | E2]: ...
@overload
def race(e1: Effect[A1, E1], e2: Effect[A2, E2], e3: Effect[A3, E3], /) -> Effect[A1 | A2 | A3, E1 | E2 | E3]: ...
@overload
def race(
    e1: Effect[A1, E1], e2: Effect[A2, E2], e3: Effect[A3, E3], e4: Effect[A4, E4], /
) -> Effect[A1 | A2 | A3 | A4, E1 | E2 | E3 | E4]: ...
@overload
def race(
    e1: Effect[A1, E1], e2: Effect[A2, E2], e3: Effect[A3, E3], e4: Effect[A4, E4], e5: Effect[A5, E5], /
) -> Effect[A1 | A2 | A3 | A4 | A5, E1 | E2 | E3 | E4 | E5]: ...
@overload
def race(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    /,
) -> Effect[A1 | A2 | A3 | A4 | A5 | A6, E1 | E2 | E3 | E4 | E5 | E6]: ...
@overload
def race(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    e7: Effect[A7, E7],
    /,
) -> Effect[A1 | A2 | A3 | A4 | A5 | A6 | A7, E1 | E2 | E3 | E4 | E5 | E6 | E7]: ...
@overload
def race(
    e1: Effect[A1, E1],
    e2: Effect[A2, E2],
    e3: Effect[A3, E3],
    e4: Effect[A4, E4],
    e5: Effect[A5, E5],
    e6: Effect[A6, E6],
    e7: Effect[A7, E7],
    e8: Effect[A8, E8],
    /,
) -> Effect[A1 | A2 | A3 | A4 | A5 | A6 | A7 | A8, E1 | E2 | E3 | E4 | E5 | E6 | E7 | E8]: ...
@overload
def race(*effects: Effect[T, E]) -> Effect[T, E]: ...
def race(*effects: Effect[Any, Any]) -> Effect[Any, Any]:
    """All of the effects, at once; the first to end, in success or failure, is the answer, the others are cancelled.

    Refused inside a transaction, whose connection they would have to share: `UnsupportedOperation`.
    """
    if not effects:
        raise TypeError("race() needs at least one effect")
    return Race(_effects("race", effects))


def traverse(
    items: Iterable[I], function: Callable[[I], Effect[T, E]], *, limit: int | None = None
) -> Effect[list[T], E]:
    """The effect made of each item, at once, at most `limit` at a time; their values in the order of the items.

    The function is called anew in every run. Failures and cancellation as with `gather`.
    """
    return Gather(tuple(items), function, Together.LIST, _limited(limit))


@overload
def attempt(function: Callable[[], T], *, catching: tuple[type[X], type[X2]]) -> Effect[T, X | X2]: ...
@overload
def attempt(function: Callable[[], T], *, catching: tuple[type[X], type[X2], type[X3]]) -> Effect[T, X | X2 | X3]: ...
@overload
def attempt(function: Callable[[], T], *, catching: tuple[type[X], ...]) -> Effect[T, X]: ...
def attempt(function: Callable[[], T], *, catching: tuple[type[Any], ...]) -> Effect[T, Any]:
    """Call the function in every run; exceptions of the classes in `catching` become failures.

    Any other exception is a defect, as it is everywhere.
    """
    given: Any = catching
    if not isinstance(given, tuple) or not given or not all(_is_exception(kind) for kind in given):
        raise TypeError(
            f"attempt(…, catching=) takes a tuple of exception classes, such as (ValueError,), not {given!r}"
        )
    return Attempt(function, catching)


def bracket(
    acquire: Effect[A1, E1], use: Callable[[A1], Effect[A2, E2]], release: Callable[[A1], Effect[Any, Never]]
) -> Effect[A2, E1 | E2]:
    """Acquire, use, and release whatever happened; release runs exactly once for an acquire that succeeded.

    Neither acquire nor release is interrupted by a cancellation.
    """
    _effects("bracket", (acquire,))
    for name, given in (("use", use), ("release", release)):
        if not callable(given):
            raise TypeError(
                f"bracket(…): {name} is a function of what was acquired that gives an effect, not {given!r}"
            )
    return Bracket(acquire, use, release)


def sleep(seconds: float) -> Effect[None, Never]:
    """Wait this many seconds, on the runtime's clock."""
    if not seconds >= 0:
        raise ValueError(f"sleep takes seconds, zero or more, not {seconds!r}")
    return Sleep(seconds)


def _effects(name: str, found: tuple[object, ...]) -> tuple[Effect[Any, Any], ...]:
    for one in found:
        if not isinstance(one, Effect):
            raise TypeError(
                f"{name}(…) takes effects, and {one!r} is none; for a list of effects write {name}(*effects)"
            )
    return found  # type: ignore[return-value]  # each was checked


def _limited(limit: Any) -> int | None:
    if limit is None or (type(limit) is int and limit >= 1):
        return limit
    raise ValueError(f"limit= takes a number of effects, one or more, not {limit!r}")


def _is_exception(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Exception)
