"""When to try again: an algebra of pure values.

A schedule answers, after the n-th failure, how long to wait before the next try, or that there is none. It holds
no clock and no randomness; the runtime passes in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, assert_never, final

from ommi.frozen import frozen

__all__ = ["Schedule"]


@frozen
class Schedule:
    """A value that says how often, and after which delays in seconds, something is tried again.

    `a & b` goes on while both do and waits the longer delay; `a | b` goes on while either does and waits the
    shorter one; `a.then(b)` is `a` until it ends, then `b`.
    """

    rule: Rule

    @classmethod
    def recurs(cls, times: int) -> Schedule:
        """Try again `times` times, at once."""
        return cls(Recurs(_count(times)))

    @classmethod
    def fixed(cls, seconds: float) -> Schedule:
        """Try again for ever, always after the same delay."""
        return cls(Exponential(_seconds(seconds), 1.0))

    @classmethod
    def exponential(cls, base: float, factor: float = 2.0) -> Schedule:
        """Try again for ever, after `base`, `base * factor`, `base * factor ** 2` … seconds."""
        if not factor > 0:
            raise ValueError(f"the factor of a schedule is a number above zero, not {factor!r}")
        return cls(Exponential(_seconds(base), factor))

    @classmethod
    def fibonacci(cls, base: float) -> Schedule:
        """Try again for ever, after `base` times 1, 1, 2, 3, 5 … seconds."""
        return cls(Fibonacci(_seconds(base)))

    def up_to(self, times: int) -> Schedule:
        """Try again at most `times` times."""
        return Schedule(Both(self.rule, Limit(_count(times))))

    def capped(self, seconds: float) -> Schedule:
        """Wait at most this long at a time."""
        return Schedule(Capped(self.rule, _seconds(seconds)))

    def within(self, seconds: float) -> Schedule:
        """Start no try later than this many seconds after the first failure."""
        return Schedule(Within(self.rule, _seconds(seconds)))

    def jittered(self) -> Schedule:
        """Wait a random part of each delay, between half of it and all of it."""
        return Schedule(Jittered(self.rule))

    def then(self, other: Schedule) -> Schedule:
        """Go on with the other schedule when this one ends."""
        return Schedule(Then(self.rule, other.rule))

    def __and__(self, other: Schedule) -> Schedule:
        return Schedule(Both(self.rule, other.rule))

    def __or__(self, other: Schedule) -> Schedule:
        return Schedule(Union(self.rule, other.rule))

    def delays(self, random: Callable[[], float], elapsed: Callable[[], float]) -> Iterator[float]:
        """The delays in seconds, one for each failure; it ends when no further try is due.

        `random` gives numbers from 0 to 1, `elapsed` the seconds since the first failure.
        """
        return _delays(self.rule, random, elapsed)

    def __repr__(self) -> str:
        return _text(self.rule)


@final
@frozen
class Recurs:
    times: int


@final
@frozen
class Limit:
    times: int


@final
@frozen
class Exponential:
    base: float
    factor: float


@final
@frozen
class Fibonacci:
    base: float


@final
@frozen
class Capped:
    rule: Rule
    seconds: float


@final
@frozen
class Within:
    rule: Rule
    seconds: float


@final
@frozen
class Jittered:
    rule: Rule


@final
@frozen
class Both:
    left: Rule
    right: Rule


@final
@frozen
class Union:
    left: Rule
    right: Rule


@final
@frozen
class Then:
    first: Rule
    second: Rule


Rule: TypeAlias = Recurs | Limit | Exponential | Fibonacci | Capped | Within | Jittered | Both | Union | Then


def _delays(rule: Rule, random: Callable[[], float], elapsed: Callable[[], float]) -> Iterator[float]:
    match rule:
        case Recurs(times) | Limit(times):
            yield from (0.0 for _ in range(times))
        case Exponential(base, factor):
            delay = base
            while True:
                yield delay
                delay = min(delay * factor, _FOREVER)
        case Fibonacci(base):
            delay, following = base, base
            while True:
                yield delay
                delay, following = following, min(delay + following, _FOREVER)
        case Capped(inner, seconds):
            yield from (min(delay, seconds) for delay in _delays(inner, random, elapsed))
        case Within(inner, seconds):
            for delay in _delays(inner, random, elapsed):
                if elapsed() + delay > seconds:
                    return
                yield delay
        case Jittered(inner):
            yield from (delay * (0.5 + random() / 2) for delay in _delays(inner, random, elapsed))
        case Both(left, right):
            for one, other in zip(_delays(left, random, elapsed), _delays(right, random, elapsed), strict=False):
                yield max(one, other)
        case Union(left, right):
            yield from _either(_delays(left, random, elapsed), _delays(right, random, elapsed))
        case Then(first, second):
            yield from _delays(first, random, elapsed)
            yield from _delays(second, random, elapsed)
        case _:
            assert_never(rule)


_FOREVER = 1e9  # seconds; keeps a growing delay from becoming inf


def _either(left: Iterator[float], right: Iterator[float]) -> Iterator[float]:
    while True:
        due = [delay for delay in (next(left, None), next(right, None)) if delay is not None]
        if not due:
            return
        yield min(due)


def _text(rule: Rule) -> str:
    match rule:
        case Recurs(times):
            return f"Schedule.recurs({times})"
        case Exponential(base, 1.0):
            return f"Schedule.fixed({base})"
        case Exponential(base, factor):
            return f"Schedule.exponential({base})" if factor == 2.0 else f"Schedule.exponential({base}, {factor})"
        case Fibonacci(base):
            return f"Schedule.fibonacci({base})"
        case Capped(inner, seconds):
            return f"{_text(inner)}.capped({seconds})"
        case Within(inner, seconds):
            return f"{_text(inner)}.within({seconds})"
        case Jittered(inner):
            return f"{_text(inner)}.jittered()"
        case Both(left, Limit(times)):
            return f"{_text(left)}.up_to({times})"
        case Both(left, right):
            return f"({_text(left)} & {_text(right)})"
        case Union(left, right):
            return f"({_text(left)} | {_text(right)})"
        case Then(first, second):
            return f"{_text(first)}.then({_text(second)})"
        case Limit(times):
            return f"Schedule.recurs({times})"
        case _:
            assert_never(rule)


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ValueError(f"a schedule takes seconds, zero or more, not {value!r}")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"a schedule takes a number of tries, zero or more, not {value!r}")
    return value
