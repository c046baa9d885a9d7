"""The clock for tests."""

import pytest

from ommi import Effect, Ommi, Schedule, SerializationConflict, Success, sleep
from ommi.testing import FakeClock


def test_it_stands_still_until_it_is_moved() -> None:
    clock = FakeClock(start=5)
    assert (clock.now(), clock.now()) == (5, 5)
    clock.advance(2.5)
    assert clock.now() == 7.5
    assert clock.pauses == []


def test_its_chance_repeats() -> None:
    one, same, other = FakeClock(seed=1), FakeClock(seed=1), FakeClock(seed=2)
    numbers = [one.random() for _ in range(5)]
    assert numbers == [same.random() for _ in range(5)]
    assert numbers != [other.random() for _ in range(5)]
    assert all(0 <= number < 1 for number in numbers)


@pytest.mark.anyio
async def test_a_database_waits_on_it() -> None:
    clock = FakeClock()
    async with Ommi.connect("memory://") as db, Ommi(db.driver, clock=clock) as faked:
        assert await faked.run(sleep(86_400)) == Success(None)
        conflict = Effect.from_failure(SerializationConflict("again"))
        await faked.run(conflict.retry(Schedule.fibonacci(1).up_to(4)))
    assert clock.pauses == [86_400, 1, 1, 2, 3]
