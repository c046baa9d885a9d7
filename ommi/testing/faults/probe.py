"""Counting what a program begins and ends."""

from __future__ import annotations

from typing import Never, final

from typing_extensions import TypeVar

from ommi.effects.effect import Effect

__all__ = ["Probe"]

T = TypeVar("T")
E = TypeVar("E")


@final
class Probe:
    """Effects that count how often they ran. `faults` resets it before each run.

    It requires as many ends as begins, so put `begin` where something is acquired and `end` into the finalizer that
    gives it back, or `around` an effect. `tick` is counted and left to your own `check`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.begun = self.ended = self.ticks = 0
        self.begin: Effect[None, Never] = _counting(self, "begun")
        self.end: Effect[None, Never] = _counting(self, "ended")
        self.tick: Effect[None, Never] = _counting(self, "ticks")

    def around(self, effect: Effect[T, E]) -> Effect[T, E]:
        """The effect, begun once and with a finalizer that ends it."""
        return self.begin.bind(lambda _: effect).ensure(self.end)

    def reset(self) -> None:
        """Count from nothing."""
        self.begun = self.ended = self.ticks = 0

    def __repr__(self) -> str:
        return f"<Probe {self.name}: {self.begun} begun, {self.ended} ended, {self.ticks} ticks>"


def _counting(probe: Probe, counter: str) -> Effect[None, Never]:
    return Effect.from_value(None).map(lambda _: setattr(probe, counter, getattr(probe, counter) + 1))
