"""The railway as functions, for `effect >> bind(f)` and for `returns.pipeline.flow`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, final

from typing_extensions import TypeVar

from ommi.effects.effect import Effect
from ommi.frozen import frozen

__all__ = ["alt", "bind", "lash", "map_", "tap"]

T = TypeVar("T")
U = TypeVar("U")
E = TypeVar("E")
E2 = TypeVar("E2")
T_contra = TypeVar("T_contra", contravariant=True)
E_contra = TypeVar("E_contra", contravariant=True)
U_co = TypeVar("U_co", covariant=True)
E2_co = TypeVar("E2_co", covariant=True)


@final
@frozen
class Bind(Generic[T_contra, U_co, E2_co]):
    function: Callable[[T_contra], Effect[U_co, E2_co]]

    def __call__(self, effect: Effect[T_contra, E], /) -> Effect[U_co, E | E2_co]:
        return effect.bind(self.function)

    def __rrshift__(self, effect: Effect[T_contra, E], /) -> Effect[U_co, E | E2_co]:
        return effect.bind(self.function)


@final
@frozen
class Map(Generic[T_contra, U_co]):
    function: Callable[[T_contra], U_co]

    def __call__(self, effect: Effect[T_contra, E], /) -> Effect[U_co, E]:
        return effect.map(self.function)

    def __rrshift__(self, effect: Effect[T_contra, E], /) -> Effect[U_co, E]:
        return effect.map(self.function)


@final
@frozen
class Tap(Generic[T, E2_co]):
    function: Callable[[T], Effect[Any, E2_co]]

    def __call__(self, effect: Effect[T, E], /) -> Effect[T, E | E2_co]:
        return effect.tap(self.function)

    def __rrshift__(self, effect: Effect[T, E], /) -> Effect[T, E | E2_co]:
        return effect.tap(self.function)


@final
@frozen
class Lash(Generic[E_contra, U_co, E2_co]):
    function: Callable[[E_contra], Effect[U_co, E2_co]]

    def __call__(self, effect: Effect[T, E_contra], /) -> Effect[T | U_co, E2_co]:
        return effect.lash(self.function)

    def __rrshift__(self, effect: Effect[T, E_contra], /) -> Effect[T | U_co, E2_co]:
        return effect.lash(self.function)


@final
@frozen
class Alt(Generic[E_contra, E2_co]):
    function: Callable[[E_contra], E2_co]

    def __call__(self, effect: Effect[T, E_contra], /) -> Effect[T, E2_co]:
        return effect.alt(self.function)

    def __rrshift__(self, effect: Effect[T, E_contra], /) -> Effect[T, E2_co]:
        return effect.alt(self.function)


def bind(function: Callable[[T], Effect[U, E2]]) -> Bind[T, U, E2]:
    """`Effect.bind` as a step: `effect >> bind(function)`."""
    return Bind(function)


def map_(function: Callable[[T], U]) -> Map[T, U]:
    """`Effect.map` as a step: `effect >> map_(function)`."""
    return Map(function)


def tap(function: Callable[[T], Effect[Any, E2]]) -> Tap[T, E2]:
    """`Effect.tap` as a step: `effect >> tap(function)`."""
    return Tap(function)


def lash(function: Callable[[E], Effect[U, E2]]) -> Lash[E, U, E2]:
    """`Effect.lash` as a step: `effect >> lash(function)`."""
    return Lash(function)


def alt(function: Callable[[E], E2]) -> Alt[E, E2]:
    """`Effect.alt` as a step: `effect >> alt(function)`."""
    return Alt(function)
