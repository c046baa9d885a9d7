"""What a step of a program costs without any I/O, against a bare coroutine and against `FutureResult`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from returns.future import FutureResult

from benchmarks.figures.asked import Asked
from benchmarks.results import Figure
from ommi import Effect, Prog, effect
from ommi.runtime.blocking import run_blocking
from ommi.runtime.clock import SystemClock

__all__ = ["measure"]

_STEPS = 50_000
_DEEP = 100


def measure(asked: Asked) -> Figure:
    """Microseconds per step, the best of five, and how many times that of a coroutine it is."""
    found = {
        "coroutine: await per step": _best(_coroutine),
        "program: yield from per step": _best(_program),
        "chain: .map per step, built and run": _best(_maps),
        "chain: .bind per step, built and run": _best(_binds),
        "FutureResult: .map per step, built and run": _best(_future, 2_000),
        "FutureResult: .bind per step, built and run": _best(_future_binds, 2_000),
    }
    base = found["coroutine: await per step"]
    return Figure(
        "A step without input and output",
        "µs",
        {name: {"µs": one, "× coroutine": one / base} for name, one in found.items()},
    )


def _best(work: Callable[[int], int], steps: int = _STEPS) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        assert work(steps) == steps
        best = min(best, time.perf_counter() - start)
    return best / steps * 1e6


def _run(program: Effect[int, object]) -> int:
    _, value = run_blocking(program, _no_calls, SystemClock())
    return int(value)


def _no_calls(call: object) -> object:
    raise AssertionError(f"no call was expected: {call!r}")


def _coroutine(steps: int) -> int:
    async def one() -> int:
        return 1

    async def many() -> int:
        total = 0
        for _ in range(steps):
            total += await one()
        return total

    return asyncio.run(many())


@effect
def _sum(steps: int) -> Prog[int, object]:
    total = 0
    for _ in range(steps):
        total += yield from Effect.from_value(1)
    return total


def _program(steps: int) -> int:
    return _run(_sum(steps))


def _maps(steps: int) -> int:
    chain: Effect[int, object] = Effect.from_value(0)
    for _ in range(steps):
        chain = chain.map(_more)
    return _run(chain)


def _binds(steps: int) -> int:
    chain: Effect[int, object] = Effect.from_value(0)
    for _ in range(steps):
        chain = chain.bind(_then_more)
    return _run(chain)


def _future(steps: int) -> int:
    return _awaited(steps, lambda future: future.map(_more))


def _future_binds(steps: int) -> int:
    return _awaited(steps, lambda future: future.bind(_then_more_later))


def _awaited(steps: int, step: Callable[[FutureResult[int, object]], FutureResult[int, object]]) -> int:
    async def many() -> int:
        total = 0
        for _ in range(steps // _DEEP):
            future: FutureResult[int, object] = FutureResult.from_value(total)
            for _ in range(_DEEP):  # each is a frame deeper, and Python has a limit
                future = step(future)
            total = (await future)._inner_value.unwrap()
        return total

    return asyncio.run(many())


def _more(value: int) -> int:
    return value + 1


def _then_more(value: int) -> Effect[int, object]:
    return Effect.from_value(value + 1)


def _then_more_later(value: int) -> FutureResult[int, object]:
    return FutureResult.from_value(value + 1)
