"""Which statements may be one: what is looked at before a server is asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ommi import Effect, add, add_all, col, find
from ommi.drivers.driver import Request
from ommi.drivers.merging import BYTES, PARAMETERS, merged
from ommi.effects.effect import Perform
from ommi.testing.models import Player, Tag
from ommi.testing.relatives import Bench, Booking, Person, Profile, Team


def numbers(*effects: Effect[Any, Any], updates: int = 100, alike: bool = False) -> list[int]:
    """How many statements are in each of those that are sent."""
    return [len(run) for run in merged(list(_requests(effects)), rows=10, updates=updates, alike=alike)]


def _requests(effects: Iterable[Effect[Any, Any]]) -> Iterable[Request]:
    for each in effects:
        assert isinstance(each, Perform)
        yield Request(each.statement)


def named(key: int, name: str | None = "x") -> Effect[Any, Any]:
    return find(Person, col(Person.id) == key).update(name=name)


def test_inserts_into_one_table() -> None:
    assert numbers(add(Tag("a")), add(Tag("b")), add(Player("c")), add(Player("d")), add(Player("e"))) == [2, 3]
    assert numbers(add(Tag("a")), add_all([Tag("b"), Tag("c")]), add(Tag("d"))) == [3]


def test_inserts_that_leave_different_fields_to_the_database() -> None:
    assert numbers(add(Player("a")), add(Player("b", id=7)), add(Player("c", id=8)), add(Player("d"))) == [1, 2, 1]


def test_rows_that_may_refer_to_each_other() -> None:
    assert numbers(add(Person(1)), add(Person(2, mentor_id=1))) == [1, 1]
    assert numbers(add(Booking(1, row=1)), add(Booking(2))) == [2]


def test_no_more_rows_than_are_wanted() -> None:
    assert numbers(*[add_all([Tag(f"{n} {m}") for m in range(4)]) for n in range(5)]) == [2, 2, 1]


def test_no_more_bytes_than_a_server_takes() -> None:
    half = "x" * (BYTES // 2)
    assert numbers(*[add(Tag(half)) for _ in range(5)]) == [1, 1, 1, 1, 1]
    assert numbers(*[add(Tag(half[:-100])) for _ in range(5)]) == [2, 2, 1]
    assert numbers(*[named(n, half[:-100]) for n in range(1, 6)]) == [2, 2, 1]


def test_no_more_parameters_than_the_protocol_has() -> None:
    def long(key: int) -> Effect[Any, Any]:
        parts: list[Any] = [col(Player.age) + 1] * 4096
        while len(parts) > 1:
            parts = [one + other for one, other in zip(parts[::2], parts[1::2], strict=True)]
        return find(Player, col(Player.id) == key).update(age=parts[0])

    assert PARAMETERS // 4097 == 7
    assert numbers(*[long(n) for n in range(1, 10)]) == [7, 2]


def test_a_long_run_is_looked_through_once() -> None:
    looked_at = 0

    class Counted(list[Request]):
        def __getitem__(self, place: Any) -> Any:
            nonlocal looked_at
            found = super().__getitem__(place)
            looked_at += len(found) if isinstance(place, slice) else 1
            return found

    several = Counted(_requests([add(Tag("a")), add(Player("b")), named(1)] * 1_000))
    assert len(merged(several, rows=10_000, updates=16)) == 3_000
    assert looked_at < 10 * len(several)


def test_updates_by_key() -> None:
    assert numbers(named(1), named(2), named(3)) == [3]
    assert numbers(named(1), named(2), named(1), named(3)) == [2, 2]
    assert numbers(named(1), named(2), named(3), updates=2) == [2, 1]
    assert numbers(named(1), find(Person, col(Person.name) == "a").update(name="b"), named(2)) == [1, 1, 1]
    either = find(Person, (col(Person.id) == 3) | (col(Person.id) == 4)).update(name="b")
    assert numbers(named(1), either, named(2)) == [1, 1, 1]


def test_updates_of_several_shapes() -> None:
    lower = find(Person, col(Person.id) == 3).update(name=col(Person.name).lower())
    assert numbers(named(1), named(2), lower) == [3]
    assert numbers(named(1), named(2), lower, alike=True) == [2, 1]
    profile = find(Profile, col(Profile.id) == 1)
    assert numbers(profile.update(text="a"), named(1), named(2)) == [1, 2]


def test_a_key_of_two_parts() -> None:
    first = find(Bench, col(Bench.row) == 1)
    assert numbers(first.update(number=3), first.update(number=4)) == [1, 1]


def test_values_that_rules_look_at() -> None:
    assert numbers(*[find(Team, col(Team.id) == n).update(code=f"{n}") for n in (1, 2)]) == [1, 1]
    assert numbers(*[find(Person, col(Person.id) == n).update(team_id=n) for n in (1, 2)]) == [1, 1]
    assert numbers(*[find(Person, col(Person.id) == n).update(id=n + 1) for n in (1, 2)]) == [1, 1]


def test_a_value_that_does_not_fit() -> None:
    assert numbers(named(1), named(2**70), named(2)) == [1, 1, 1]
