"""The blocking pump: one call after another, in the thread that asks."""

from typing import Any

from ommi import Effect, NotFound, gather, race, sleep
from ommi.runtime.blocking import run_blocking
from ommi.runtime.calls import Awaiting, Call, Ending, Pause
from ommi.testing import FakeClock


async def nothing() -> None:
    return


def call(_: Any = None) -> Effect[Any, Any]:
    return Effect.from_awaitable(nothing)


def counting(clock: FakeClock, log: list[Any]) -> Any:
    """Answers what is awaited with the number of the call."""

    def handle(asked: Call) -> Any:
        if isinstance(asked, Pause):
            clock.skip(asked.seconds)
            log.append(asked.seconds)
            return None
        assert isinstance(asked, Awaiting)
        log.append("call")
        return log.count("call")

    return handle


def run(effect: Effect[Any, Any]) -> tuple[Any, list[Any]]:
    clock, log = FakeClock(), list[Any]()
    return run_blocking(effect, counting(clock, log), clock), log


def test_a_program_without_calls() -> None:
    assert run(Effect.from_value(3)) == ((Ending.VALUE, 3), [])


def test_calls_are_made_in_order() -> None:
    assert run(call().bind(call).bind(call)) == ((Ending.VALUE, 3), ["call"] * 3)


def test_an_error_of_the_handler_is_a_failure() -> None:
    error = NotFound("no")

    def handle(_: Call) -> Any:
        raise error

    assert run_blocking(call(), handle, FakeClock()) == (Ending.ERROR, error)


def test_any_other_exception_of_the_handler_is_a_defect() -> None:
    def handle(_: Call) -> Any:
        raise KeyError("x")

    ending, payload = run_blocking(call().lash(call), handle, FakeClock())
    assert ending is Ending.DEFECT
    assert isinstance(payload, KeyError)


def test_effects_at_once_take_turns() -> None:
    assert run(gather(call().bind(call), call())) == ((Ending.VALUE, (3, 2)), ["call"] * 3)


def test_a_race_makes_no_call_of_the_loser() -> None:
    assert run(race(call(), call().bind(call))) == ((Ending.VALUE, 1), ["call"])


def test_pauses_come_last_the_shortest_first() -> None:
    program = gather(sleep(3), call().bind(call), sleep(1))
    assert run(program) == ((Ending.VALUE, (None, 2, None)), ["call", "call", 1, 2])


def test_a_pause_that_is_cancelled_is_not_made() -> None:
    assert run(race(sleep(3), sleep(1).map(lambda _: "won"))) == ((Ending.VALUE, "won"), [1])


def test_a_timer_ends_a_longer_pause() -> None:
    (ending, _), log = run(sleep(9).timeout(2))
    assert ending is Ending.ERROR
    assert log == [2]
