"""When to try again: an algebra of values, tried with a clock and a source of randomness that are given."""

from itertools import accumulate, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ommi import Effect, NotFound, OmmiError, Schedule, SerializationConflict, errors
from ommi.testing import FakeClock, run_script

SECONDS = st.floats(0, 100, allow_nan=False)
BASIC = st.one_of(
    st.integers(0, 9).map(Schedule.recurs),
    SECONDS.map(Schedule.fixed),
    SECONDS.map(Schedule.exponential),
    st.builds(Schedule.exponential, SECONDS, st.floats(0.1, 4)),
    SECONDS.map(Schedule.fibonacci),
)
SCHEDULES = st.recursive(
    BASIC,
    lambda part: st.one_of(
        st.builds(Schedule.up_to, part, st.integers(0, 9)),
        st.builds(Schedule.capped, part, SECONDS),
        st.builds(Schedule.within, part, SECONDS),
        st.builds(Schedule.jittered, part),
        st.builds(lambda one, other: one & other, part, part),
        st.builds(lambda one, other: one | other, part, part),
        st.builds(Schedule.then, part, part),
    ),
    max_leaves=5,
)

TIMELESS = st.recursive(  # neither chance nor the clock
    BASIC,
    lambda part: st.one_of(
        st.builds(Schedule.up_to, part, st.integers(0, 9)),
        st.builds(Schedule.capped, part, SECONDS),
        st.builds(lambda one, other: one & other, part, part),
        st.builds(lambda one, other: one | other, part, part),
        st.builds(Schedule.then, part, part),
    ),
    max_leaves=4,
)
CALM = TIMELESS | st.builds(Schedule.within, TIMELESS, SECONDS)


def delays(schedule: Schedule, most: int = 12, seed: int = 0) -> list[float]:
    """The first delays, on a clock that the delays themselves move."""
    clock = FakeClock(seed=seed)
    found: list[float] = []
    for delay in islice(schedule.delays(clock.random, clock.now), most):
        clock.advance(delay)
        found.append(delay)
    return found


def test_recurs_tries_again_at_once() -> None:
    assert delays(Schedule.recurs(3)) == [0, 0, 0]


def test_fixed_waits_alike_for_ever() -> None:
    assert delays(Schedule.fixed(2)) == [2.0] * 12


def test_exponential_doubles() -> None:
    assert delays(Schedule.exponential(0.1), 4) == [0.1, 0.2, 0.4, 0.8]
    assert delays(Schedule.exponential(1, 3), 4) == [1, 3, 9, 27]


def test_exponential_never_becomes_infinite() -> None:
    assert delays(Schedule.exponential(1, 10), 2000)[-1] == 1e9


def test_fibonacci() -> None:
    assert delays(Schedule.fibonacci(0.5), 6) == [0.5, 0.5, 1.0, 1.5, 2.5, 4.0]


def test_up_to_ends_it() -> None:
    assert delays(Schedule.fixed(1).up_to(2)) == [1, 1]
    assert delays(Schedule.fixed(1).up_to(0)) == []


def test_capped_cuts_delays() -> None:
    assert delays(Schedule.exponential(1).capped(3), 4) == [1, 2, 3, 3]


def test_within_starts_no_try_too_late() -> None:
    assert delays(Schedule.fixed(2).within(5)) == [2, 2]


def test_jittered_stays_between_half_and_all() -> None:
    found = delays(Schedule.fixed(2).jittered(), 200)
    assert all(1 <= delay <= 2 for delay in found)
    assert len(set(found)) > 100


def test_both_goes_on_while_both_do() -> None:
    assert delays(Schedule.exponential(1) & Schedule.fixed(3).up_to(4)) == [3, 3, 4, 8]


def test_either_goes_on_while_one_does() -> None:
    assert delays(Schedule.exponential(1).up_to(3) | Schedule.fixed(2).up_to(5)) == [1, 2, 2, 2, 2]


def test_then_follows() -> None:
    assert delays(Schedule.recurs(2).then(Schedule.fixed(1).up_to(2))) == [0, 0, 1, 1]


@pytest.mark.parametrize(
    "written",
    [
        "Schedule.recurs(3)",
        "Schedule.fixed(1.0)",
        "Schedule.exponential(0.05).jittered().up_to(5)",
        "Schedule.exponential(0.05, 3.0)",
        "Schedule.fibonacci(1.0).capped(30.0).within(60.0)",
        "(Schedule.fixed(1.0) & Schedule.recurs(2))",
        "(Schedule.fixed(1.0) | Schedule.fixed(2.0)).then(Schedule.recurs(1))",
    ],
)
def test_repr_is_the_code(written: str) -> None:
    assert repr(eval(written)) == written


@given(SCHEDULES)
def test_repr_builds_an_equal_schedule(schedule: Schedule) -> None:
    assert delays(eval(repr(schedule))) == delays(schedule)


@given(CALM, CALM)
def test_both_and_either_commute(one: Schedule, other: Schedule) -> None:
    assert delays(one & other) == delays(other & one)
    assert delays(one | other) == delays(other | one)


@given(SCHEDULES)
def test_a_schedule_is_a_value_that_can_be_used_again(schedule: Schedule) -> None:
    assert delays(schedule) == delays(schedule)
    assert hash(schedule) == hash(schedule)


@given(SCHEDULES, st.integers(0, 9))
def test_up_to_is_a_prefix(schedule: Schedule, times: int) -> None:
    assert delays(schedule.up_to(times)) == delays(schedule)[:times]


@given(SCHEDULES)
def test_delays_are_never_negative(schedule: Schedule) -> None:
    assert all(delay >= 0 for delay in delays(schedule))


# -- laws: `&` and `|` make a distributive lattice, `then` a monoid, of schedules that hold still


@given(SCHEDULES, SCHEDULES, SCHEDULES)
def test_both_either_and_then_are_associative(one: Schedule, two: Schedule, three: Schedule) -> None:
    assert delays((one & two) & three) == delays(one & (two & three))
    assert delays((one | two) | three) == delays(one | (two | three))
    assert delays(one.then(two).then(three)) == delays(one.then(two.then(three)))


@given(CALM)
def test_both_and_either_are_idempotent(one: Schedule) -> None:
    assert delays(one & one) == delays(one | one) == delays(one)


@given(CALM, CALM)
def test_both_and_either_absorb_each_other(one: Schedule, other: Schedule) -> None:
    assert delays(one & (one | other)) == delays(one | (one & other)) == delays(one)


@given(CALM, CALM, CALM)
def test_both_and_either_distribute_over_each_other(one: Schedule, two: Schedule, three: Schedule) -> None:
    assert delays(one & (two | three)) == delays((one & two) | (one & three))
    assert delays(one | (two & three)) == delays((one | two) & (one | three))


@given(SCHEDULES)
def test_recurs_zero_is_nothing(schedule: Schedule) -> None:
    nothing = Schedule.recurs(0)
    assert delays(nothing) == delays(nothing & schedule) == delays(schedule & nothing) == []
    assert delays(nothing | schedule) == delays(schedule | nothing) == delays(schedule)
    assert delays(nothing.then(schedule)) == delays(schedule.then(nothing)) == delays(schedule)


@given(TIMELESS, TIMELESS)
def test_the_number_of_tries(one: Schedule, other: Schedule) -> None:
    ones, others = len(delays(one)), len(delays(other))
    assert len(delays(one & other)) == min(ones, others)
    assert len(delays(one | other)) == max(ones, others)
    assert len(delays(one.then(other))) == min(ones + others, 12)


@given(TIMELESS, TIMELESS)
def test_the_longer_delay_of_both_and_the_shorter_of_either(one: Schedule, other: Schedule) -> None:
    pairs = list(zip(delays(one), delays(other), strict=False))
    assert delays(one & other) == [max(pair) for pair in pairs]
    assert delays(one | other)[: len(pairs)] == [min(pair) for pair in pairs]


@given(SCHEDULES, st.integers(0, 9), st.integers(0, 9))
def test_the_smaller_limit_counts(schedule: Schedule, one: int, other: int) -> None:
    assert delays(schedule.up_to(one).up_to(other)) == delays(schedule.up_to(min(one, other)))
    assert delays(schedule.up_to(one)) == delays(schedule & Schedule.recurs(one))


@given(TIMELESS, SECONDS, SECONDS)
def test_capped_cuts_each_delay_and_the_smaller_cap_counts(schedule: Schedule, one: float, other: float) -> None:
    assert delays(schedule.capped(one)) == [min(delay, one) for delay in delays(schedule)]
    assert delays(schedule.capped(one).capped(other)) == delays(schedule.capped(min(one, other)))


@given(SCHEDULES, SECONDS)
def test_within_starts_no_try_after_its_time(schedule: Schedule, seconds: float) -> None:
    assert all(time <= seconds for time in accumulate(delays(schedule.within(seconds))))


@given(TIMELESS, SECONDS)
def test_within_is_a_prefix(schedule: Schedule, seconds: float) -> None:
    whole, found = delays(schedule), delays(schedule.within(seconds))
    assert found == whole[: len(found)]
    assert found == whole or list(accumulate(whole))[len(found)] > seconds


@given(TIMELESS, st.integers())
def test_jittered_keeps_each_delay_between_half_and_all_of_it(schedule: Schedule, seed: int) -> None:
    whole, found = delays(schedule), delays(schedule.jittered(), seed=seed)
    assert all(delay / 2 <= part <= delay for part, delay in zip(found, whole, strict=True))


@given(SCHEDULES)
def test_two_uses_at_the_same_time_do_not_meet(schedule: Schedule) -> None:
    alone = list(islice(schedule.delays(lambda: 0.5, lambda: 0.0), 12))
    one, other = (schedule.delays(lambda: 0.5, lambda: 0.0) for _ in range(2))
    assert list(islice(zip(one, other, strict=True), 12)) == [(delay, delay) for delay in alone]


# -- on a program


def test_retry_follows_the_schedule_on_the_clock() -> None:
    clock = FakeClock()
    conflict: Effect[None, SerializationConflict] = Effect.from_failure(SerializationConflict("again"))
    outcome = run_script(conflict.retry(Schedule.exponential(0.5).up_to(3)), [], clock=clock)
    assert clock.pauses == [0.5, 1.0, 2.0]
    assert str(outcome.failure()) == "again"


def test_retry_begins_its_schedule_anew_in_every_run() -> None:
    clock = FakeClock()
    program = Effect.from_failure(SerializationConflict("again")).retry(Schedule.fixed(1).up_to(2))
    run_script(program, [], clock=clock)
    run_script(program, [], clock=clock)
    assert clock.pauses == [1, 1, 1, 1]


def test_retry_leaves_what_is_not_retryable() -> None:
    clock = FakeClock()
    run_script(Effect.from_failure(NotFound("no")).retry(Schedule.fixed(1).up_to(2)), [], clock=clock)
    run_script(Effect.from_failure(KeyError()).retry(Schedule.fixed(1).up_to(2)), [], clock=clock)
    assert clock.pauses == []


def test_recurs_zero_tries_once() -> None:
    clock, runs = FakeClock(), list[int]()
    program = Effect.from_value(1).map(runs.append).bind(lambda _: Effect.from_failure(SerializationConflict("no")))
    run_script(program.retry(Schedule.recurs(0)), [], clock=clock)
    assert (runs, clock.pauses) == ([1], [])


ERRORS: list[type[OmmiError]] = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, OmmiError)
]


@pytest.mark.parametrize("kind", ERRORS)
def test_without_on_exactly_the_errors_that_are_retryable_are_tried_again(kind: type[OmmiError]) -> None:
    for retryable in (kind.retryable, True, False):
        error, clock = kind("again"), FakeClock()
        error.retryable = retryable
        run_script(Effect.from_failure(error).retry(Schedule.fixed(1).up_to(2)), [], clock=clock)
        assert clock.pauses == ([1, 1] if retryable else [])


def test_with_on_exactly_those_errors_are_tried_again() -> None:
    clock = FakeClock()
    for error in (NotFound("no"), KeyError(), SerializationConflict("not named")):
        run_script(
            Effect.from_failure(error).retry(Schedule.fixed(1).up_to(1), on=(NotFound, KeyError)), [], clock=clock
        )
    assert clock.pauses == [1, 1]


def test_errors_say_themselves_whether_trying_again_may_help() -> None:
    retryable = {kind.__name__ for kind in ERRORS if kind.retryable}
    assert retryable == {
        *("TransactionConflict", "SerializationConflict", "Deadlock", "LockTimeout"),
        *("Unavailable", "ConnectionLost", "ConnectionFailed", "PoolTimeout", "StatementTimeout"),
    }
