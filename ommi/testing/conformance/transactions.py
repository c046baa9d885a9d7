"""Transactions: all or nothing, nested ones undone alone, doomed ones ended (semantics §5)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio import CancelScope

from ommi.database import Ommi
from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather, race, traverse
from ommi.effects.operations import add, add_all
from ommi.effects.program import Prog, effect
from ommi.errors import (
    CheckViolation,
    DatabaseError,
    OmmiError,
    UniqueViolation,
)
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_recovery, with_savepoints
from ommi.testing.interposed import DriverStep
from ommi.testing.models import Account, Player, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Mishap", "Transactions", "failing", "fails_at", "names", "tagged"]


class Mishap(Exception):
    """A failure of the program's own."""


async def names(db: Ommi) -> list[str]:
    """The tags that are there."""
    return [tag.name for tag in await succeeds(db, find(Tag).order_by(Tag.name).all())]


def failing(error: object = Mishap("no")) -> Effect[Any, Any]:
    """An effect that fails."""
    return Effect.from_failure(error)


def tagged(*wanted: str) -> Effect[Any, Any]:
    """Add tags, one after the other."""
    found: Effect[Any, Any] = Effect.from_value(None)
    for name in wanted:
        found = found.bind(lambda _, name=name: add(Tag(name)))  # type: ignore[misc]
    return found


def fails_at(step: DriverStep, number: int, error: OmmiError) -> Any:
    """A hook that fails once, at the n-th step of a kind."""
    met: list[DriverStep] = []

    async def hook(found: DriverStep) -> None:
        met.append(found)
        if found == step and met.count(step) == number:
            raise error

    return hook


class Transactions(DatabaseTests):
    """`transactional`, `savepoint`, and what is done in them."""

    # -- the outermost
    async def test_success_commits(self, db: Ommi) -> None:
        await succeeds(db, tagged("a", "b").transactional())
        assert await names(db) == ["a", "b"]

    async def test_failure_rolls_back_and_is_the_outcome(self, db: Ommi) -> None:
        error = await fails(db, tagged("a").bind(lambda _: failing()).transactional(), Mishap)
        assert str(error) == "no"
        assert await names(db) == []

    async def test_a_violation_rolls_back(self, db: Ommi) -> None:
        await fails(db, tagged("a", "b", "a").transactional(), UniqueViolation)
        assert await names(db) == []

    async def test_a_defect_rolls_back_and_is_raised(self, db: Ommi) -> None:
        with pytest.raises(ZeroDivisionError):
            await db.run(tagged("a").map(lambda _: 1 // 0).transactional())
        assert await names(db) == []
        await succeeds(db, tagged("b").transactional())
        assert await names(db) == ["b"]

    async def test_cancellation_rolls_back(self, db: Ommi) -> None:
        async def cancel() -> None:
            scope.cancel()
            await anyio.sleep_forever()

        with CancelScope() as scope:
            await db.run(tagged("a").bind(lambda _: Effect.from_awaitable(cancel)).transactional())
        assert scope.cancelled_caught
        assert await names(db) == []

    async def test_a_transaction_reads_its_own_writes(self, db: Ommi) -> None:
        count = tagged("a", "b").bind(lambda _: find(Tag).count()).transactional()
        assert await succeeds(db, count) == 2

    async def test_two_runs_are_two_transactions(self, db: Ommi) -> None:
        program = add(Player("Ada")).bind(lambda player: add(Tag(str(player.id)))).transactional()
        await succeeds(db, program)
        await succeeds(db, program)
        assert len(await names(db)) == 2

    async def test_a_failed_transaction_can_be_recovered_from_outside(self, db: Ommi) -> None:
        program = tagged("a", "a").transactional() >> catch(UniqueViolation)(lambda _: tagged("z"))
        await succeeds(db, program)
        assert await names(db) == ["z"]

    @with_recovery
    async def test_catch_around_a_write_keeps_what_came_before(self, db: Ommi) -> None:
        @effect
        def program() -> Prog[str, Any]:
            yield from add(Tag("a"))
            said = yield from (
                add(Tag("a")).map(lambda _: "added") >> catch(UniqueViolation)(lambda _: Effect.from_value("was there"))
            )
            yield from add(Tag("b"))
            return said

        assert await succeeds(db, program().transactional()) == "was there"
        assert await names(db) == ["a", "b"]

    @with_recovery
    async def test_catch_undoes_nothing_else(self, db: Ommi) -> None:
        part = tagged("a", "b", "b") >> catch(UniqueViolation)(lambda _: Effect.from_value(None))
        await succeeds(db, part.transactional())
        assert await names(db) == ["a", "b"]

    @with_recovery
    async def test_a_failed_write_of_many_rows_is_undone_alone(self, db: Ommi) -> None:
        part = add_all([Tag("b"), Tag("c"), Tag("a")]) >> catch(UniqueViolation)(lambda _: Effect.from_value([]))
        program = tagged("a").bind(lambda _: part).transactional()
        await succeeds(db, program)
        assert await names(db) == ["a"]

    # -- nested ones
    @with_savepoints
    async def test_a_nested_success_is_part_of_the_outer_one(self, db: Ommi) -> None:
        program = tagged("a").bind(lambda _: tagged("b").transactional()).transactional()
        await succeeds(db, program)
        assert await names(db) == ["a", "b"]
        await fails(db, tagged("c").transactional().bind(lambda _: failing()).transactional(), Mishap)
        assert await names(db) == ["a", "b"]

    @with_savepoints
    async def test_a_nested_failure_is_undone_alone(self, db: Ommi) -> None:
        @effect
        def program() -> Prog[None, Any]:
            yield from add(Tag("a"))
            yield from (tagged("b").bind(lambda _: failing()).savepoint() >> catch(Mishap)(lambda _: noting([], "")))
            yield from add(Tag("c"))

        await succeeds(db, program().transactional())
        assert await names(db) == ["a", "c"]

    async def test_a_part_that_is_joined_is_a_part_of_the_whole(self, db: Ommi) -> None:
        joined = tagged("b").transactional(flatten=True)
        await succeeds(db, tagged("a").bind(lambda _: joined).bind(lambda _: tagged("c")).transactional())
        assert await names(db) == ["a", "b", "c"]

    async def test_the_failure_of_a_part_that_is_joined_is_that_of_the_whole(self, db: Ommi) -> None:
        seen: list[Any] = []
        joined = tagged("b").bind(lambda _: failing()).transactional(flatten=True)
        recovered = joined.lash(lambda error: noting(seen, error))
        await fails(db, tagged("a").bind(lambda _: recovered).bind(lambda _: tagged("c")).transactional(), Mishap)
        assert seen == []
        assert await names(db) == []

    async def test_a_part_to_be_joined_is_a_transaction_where_there_is_none(self, db: Ommi) -> None:
        await fails(db, tagged("a").bind(lambda _: failing()).transactional(flatten=True), Mishap)
        assert await names(db) == []

    @with_savepoints
    async def test_siblings_and_levels_have_savepoints_of_their_own(self, db: Ommi) -> None:
        def undone(part: Effect[Any, Any]) -> Effect[Any, Any]:
            return part.bind(lambda _: failing()).transactional().lash(lambda _: Effect.from_value(None))

        def kept(part: Effect[Any, Any]) -> Effect[Any, Any]:
            return part.transactional()

        @effect
        def program() -> Prog[None, Any]:
            yield from kept(tagged("a").bind(lambda _: undone(tagged("b").bind(lambda _: kept(tagged("c"))))))
            yield from undone(tagged("d"))
            yield from kept(kept(tagged("e")).bind(lambda _: undone(tagged("f"))).bind(lambda _: tagged("g")))
            yield from add(Tag("h"))

        await succeeds(db, program().transactional())
        assert await names(db) == ["a", "e", "g", "h"]

    async def test_a_savepoint_outside_a_transaction_is_one(self, db: Ommi) -> None:
        await fails(db, tagged("a").bind(lambda _: failing()).savepoint(), Mishap)
        assert await names(db) == []

    async def test_a_defect_in_a_nested_one_ends_all(self, db: Ommi) -> None:
        nested: Effect[Any, Any] = tagged("b").map(lambda _: 1 // 0).savepoint().lash(lambda _: Effect.from_value(0))
        if not db.driver.capabilities.savepoints:
            nested = tagged("b").map(lambda _: 1 // 0).transactional(flatten=True)
        with pytest.raises(ZeroDivisionError):
            await db.run(tagged("a").bind(lambda _: nested).transactional())
        assert await names(db) == []

    @with_savepoints
    async def test_many_savepoints_in_turn(self, db: Ommi) -> None:
        def part(number: int) -> Effect[Any, Any]:
            one = tagged(f"{number:03}")
            odd = one.bind(lambda _: failing()).savepoint().lash(lambda _: Effect.from_value(None))
            return odd if number % 2 else one.savepoint()

        await succeeds(db, traverse(range(100), part).transactional())
        assert await names(db) == [f"{number:03}" for number in range(0, 100, 2)]

    # -- several at once in one
    async def test_gather_takes_turns_and_fails_as_one(self, db: Ommi) -> None:
        program = gather(tagged("a"), tagged("b"), find(Tag).count()).transactional()
        assert (await succeeds(db, program))[2] == 2
        await fails(db, gather(tagged("c"), tagged("a"), tagged("d")).transactional(), UniqueViolation)
        assert await names(db) == ["a", "b"]

    async def test_race_is_refused(self, db: Ommi) -> None:
        await fails(db, tagged("a").bind(lambda _: race(tagged("b"), tagged("c"))).transactional(), DatabaseError)
        assert await names(db) == []

    async def test_a_run_in_the_body_joins_the_transaction(self, db: Ommi) -> None:
        async def inner() -> int:
            await db.run(tagged("b"))
            return await db.find(Tag).count().value

        program = tagged("a").bind(lambda _: Effect.from_awaitable(inner))
        assert await succeeds(db, program.transactional()) == 2
        assert await names(db) == ["a", "b"]
        await succeeds(db, find(Tag).everything().delete())
        await fails(db, program.bind(lambda _: failing()).transactional(), Mishap)
        assert await names(db) == []

    @with_recovery
    async def test_a_check_on_an_update_in_a_transaction_can_be_recovered_from(self, db: Ommi) -> None:
        await succeeds(db, add_all([Account(1, "Ada", 5), Account(2, "Bob", 50)]))
        balance = col(Account.balance)
        spend = find(Account).everything().update(balance=balance - 10)
        program = (spend >> catch(CheckViolation)(lambda _: Effect.from_value(0))).tap(lambda _: tagged("a"))
        assert await succeeds(db, program.transactional()) == 0
        assert await succeeds(db, find(Account).order_by(Account.id).select(balance).all()) == [(5,), (50,)]
        assert await names(db) == ["a"]
