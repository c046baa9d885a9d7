"""Do-notation: a generator function as a program that can be run again and again."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import ParamSpec

from typing_extensions import TypeAliasType, TypeVar

from ommi.effects.effect import Do, Effect, Raises, Sent

__all__ = ["Prog", "effect"]

T = TypeVar("T")
E = TypeVar("E")
P = ParamSpec("P")

Prog = TypeAliasType("Prog", Generator[Raises[E], Sent, T], type_params=(T, E))
"""The return type of a program: `def sign_up(name: str) -> Prog[User, ConstraintViolation | DatabaseError]`."""


def effect(function: Callable[P, Generator[Raises[E], Sent, T]]) -> Callable[P, Effect[T, E]]:
    """A generator function as a function that makes an effect; every run of it calls the function anew.

    Inside, `x = yield from eff` runs an effect and gives its value; a failure ends the program there. Two calls
    with equal arguments make equal effects.
    """
    if iscoroutinefunction(function) or isasyncgenfunction(function):
        raise TypeError(
            f"@effect takes a plain generator function, and {function.__qualname__!r} is async: write `def`, and "
            "`x = yield from Effect.from_awaitable(lambda: …)` where it awaits"
        )
    if not isgeneratorfunction(function):
        raise TypeError(
            f"@effect takes a generator function, and {getattr(function, '__qualname__', function)!r} has no "
            "`yield from`: run effects in it with `x = yield from eff`, or return an effect without @effect"
        )

    @wraps(function)
    def make(*args: P.args, **kwargs: P.kwargs) -> Effect[T, E]:
        return Do(function, args, tuple(kwargs.items()))

    return make
