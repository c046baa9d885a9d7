"""A program that goes on for long keeps nothing of what is over."""

import gc
from typing import Any

import pytest

from ommi import Effect, Ommi, Prog, effect
from ommi.runtime.calls import Awaiting, Pause


def alive() -> int:
    """The calls that something still refers to."""
    gc.collect()
    return sum(isinstance(found, Pause | Awaiting) for found in gc.get_objects())


@pytest.mark.anyio
async def test_timeouts_that_were_not_reached_are_forgotten_while_the_program_goes_on() -> None:
    async def count() -> int:
        return alive()

    counting: Effect[int, Any] = Effect.from_awaitable(count)

    @effect
    def program() -> Prog[tuple[int, int], Any]:
        first = yield from counting.timeout(60)
        for _ in range(50):
            yield from Effect.from_awaitable(nothing).timeout(60)
        return first, (yield from counting.timeout(60))

    async def nothing() -> None:
        return

    async with Ommi.connect("memory://") as db:
        first, last = (await db.run(program().timeout(60))).unwrap()
    assert last <= first + 5
