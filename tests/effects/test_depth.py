"""Programs of any depth need no recursion, to run or to be shown."""

from typing import Any

from ommi import Effect, Prog, Success, effect, gather
from ommi.testing import run_script

DEPTH = 100_000


def plus_one(number: int) -> Effect[int, Any]:
    return Effect.from_value(number + 1)


def nested_to_the_left() -> Effect[int, Any]:
    made: Effect[int, Any] = Effect.from_value(0)
    for _ in range(DEPTH):
        made = made.bind(plus_one)
    return made


def test_binds_nested_to_the_left() -> None:
    assert run_script(nested_to_the_left(), []) == Success(DEPTH)


def test_binds_nested_to_the_right() -> None:
    def further(number: int) -> Effect[int, Any]:
        return Effect.from_value(number) if number == DEPTH else Effect.from_value(number + 1).bind(further)

    assert run_script(further(0), []) == Success(DEPTH)


def test_maps_and_recoveries() -> None:
    made: Effect[int, Any] = Effect.from_failure(0)
    for _ in range(DEPTH // 2):
        made = made.alt(lambda number: number + 1).swap().map(lambda number: number + 1).swap()
    assert run_script(made.lash(Effect.from_value), []) == Success(DEPTH)


def test_programs_that_call_programs() -> None:
    @effect
    def descend(depth: int) -> Prog[int, Any]:
        return 0 if depth == 0 else 1 + (yield from descend(depth - 1))

    assert run_script(descend(20_000), []) == Success(20_000)


def test_a_program_that_loops() -> None:
    @effect
    def count() -> Prog[int, Any]:
        total = 0
        for _ in range(DEPTH):
            total += yield from Effect.from_value(1)
        return total

    assert run_script(count(), []) == Success(DEPTH)


def test_a_failure_in_the_depth_comes_out() -> None:
    made: Effect[int, Any] = Effect.from_failure("deep")
    for _ in range(DEPTH):
        made = made.bind(plus_one)
    assert run_script(made, []).failure() == "deep"


def test_many_at_once() -> None:
    made = gather(*(Effect.from_value(number).bind(plus_one) for number in range(10_000)))
    assert run_script(made, []) == Success(tuple(range(1, 10_001)))


def test_repr_of_a_deep_program() -> None:
    shown = repr(nested_to_the_left())
    assert shown.startswith("Effect.from_value(0).bind(plus_one).bind(plus_one)")
    assert shown.count(".bind(plus_one)") == DEPTH
