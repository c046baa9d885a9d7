"""Trying again, and what is not known to have happened (semantics §2, §6)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from returns.result import Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add
from ommi.effects.schedule import Schedule
from ommi.errors import (
    CommitUnknown,
    ConnectionLost,
    LockTimeout,
    OmmiError,
    SerializationConflict,
    UniqueViolation,
)
from ommi.runtime.calls import Ending
from ommi.runtime.pump import Pump
from ommi.testing.clock import FakeClock
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_recovery, with_savepoints
from ommi.testing.conformance.transactions import Mishap, failing, names, tagged
from ommi.testing.interposed import DriverStep, Hook, Interposed
from ommi.testing.models import Player, Tag
from ommi.testing.outcomes import fails, succeeds
from ommi.transactions import TransactionOptions

__all__ = ["Retrying"]

AGAIN = Schedule.fixed(1).up_to(3)


class Pausing(FakeClock):
    """A clock that does something in each pause."""

    def __init__(self, then: Any) -> None:
        super().__init__()
        self.then = then

    async def pause(self, seconds: float, /) -> None:
        await super().pause(seconds)
        await self.then()


class Retrying(DatabaseTests):
    """`.retry(schedule, on=(…))`, and `CommitUnknown`."""

    # -- around a transaction
    async def test_the_connection_is_released_before_the_pause(self, db: Ommi) -> None:
        steps: list[Any] = []

        async def disturb(step: DriverStep) -> None:
            steps.append(step)
            if step == "execute" and steps.count(step) == 2:
                raise SerializationConflict("conflict")

        async def use_the_connection() -> None:
            steps.append("pause")
            with anyio.fail_after(10):
                await succeeds(db, tagged("meanwhile").transactional())

        async with Ommi(Interposed(db.driver, before=disturb), clock=Pausing(use_the_connection)) as disturbed:
            await succeeds(disturbed, tagged("a", "b").transactional().retry(AGAIN))
        whole = ["begin", "execute", "execute"]
        assert steps == [*whole, "rollback", "pause", *whole, "commit"]
        assert await names(db) == ["a", "b", "meanwhile"]

    async def test_the_whole_transaction_runs_again(self, db: Ommi) -> None:
        bodies: list[Any] = []
        program = noting(bodies, "body").bind(lambda _: tagged("a")).transactional().retry(AGAIN)
        async with disturbed_once(db, "commit", SerializationConflict("late")) as on:
            await succeeds(on, program)
        assert bodies == ["body", "body"]
        assert await names(db) == ["a"]

    async def test_a_conflict_at_commit_counts(self, db: Ommi) -> None:
        clock = FakeClock()
        hook = once("commit", SerializationConflict("late"))
        async with Ommi(Interposed(db.driver, before=hook), clock=clock) as on:
            await succeeds(on, tagged("a").transactional().retry(AGAIN))
        assert clock.pauses == [1]

    async def test_after_commit_runs_once_for_all_tries(self, db: Ommi) -> None:
        log: list[Any] = []
        program = tagged("a").after_commit(noting(log, 1)).transactional().retry(AGAIN)
        async with disturbed_once(db, "commit", SerializationConflict("late")) as on:
            await succeeds(on, program)
        assert log == [1]

    async def test_within_ends_the_tries_by_the_clock(self, db: Ommi) -> None:
        clock = FakeClock()
        program = failing(SerializationConflict("always")).transactional()
        async with Ommi(Interposed(db.driver), clock=clock) as on:
            await fails(on, program.retry(Schedule.fixed(2).within(5)), SerializationConflict)
        assert clock.pauses == [2, 2]

    async def test_a_block_tries_its_beginning_again(self, db: Ommi) -> None:
        conflicts = iter([SerializationConflict("1"), LockTimeout("2")])
        clock = FakeClock()

        async def disturb(step: DriverStep) -> None:
            if step == "begin" and (error := next(conflicts, None)) is not None:
                raise error

        options = TransactionOptions(retry_on_conflict=True, max_retries=2)
        async with Ommi(Interposed(db.driver, before=disturb), clock=clock) as on, on.transaction(options) as tx:
            await tx.run(tagged("a"))
        assert len(clock.pauses) == 2
        assert await names(db) == ["a"]

    async def test_a_block_is_tried_no_more_often_than_it_says(self, db: Ommi) -> None:
        async def refuse(step: DriverStep) -> None:
            if step == "begin":
                raise SerializationConflict("always")

        clock = FakeClock()
        async with Ommi(Interposed(db.driver, before=refuse), clock=clock) as on:
            for options in (TransactionOptions(retry_on_conflict=True, max_retries=2), TransactionOptions()):
                with pytest.raises(SerializationConflict):
                    await on.transaction(options).__aenter__()
        assert len(clock.pauses) == 2

    # -- inside one
    async def test_retry_inside_a_transaction_runs_a_part_again_in_it(self, db: Ommi) -> None:
        steps: list[DriverStep] = []
        lock = once("execute", LockTimeout("locked"), 2)

        async def disturb(step: DriverStep) -> None:
            steps.append(step)
            await lock(step)

        async with Ommi(Interposed(db.driver, before=disturb), clock=FakeClock()) as on:
            await succeeds(on, tagged("a").bind(lambda _: tagged("b").retry(AGAIN)).transactional())
        assert steps == ["begin", "execute", "execute", "execute", "commit"]
        assert await names(db) == ["a", "b"]

    @with_savepoints
    async def test_retry_inside_a_transaction_undoes_nothing_without_a_savepoint(self, db: Ommi) -> None:
        def part(number: int) -> Effect[Any, Any]:
            tries: list[int] = []

            def fail_at_first() -> Effect[Any, Any]:
                tries.append(1)
                return failing(Mishap("first")) if len(tries) == 1 else Effect.from_value(None)

            return tagged(str(number)).bind(lambda _: fail_at_first())

        whole = tagged("a").bind(lambda _: part(1).savepoint().retry(AGAIN, on=Mishap))
        async with Ommi(Interposed(db.driver), clock=FakeClock()) as on:
            await succeeds(on, whole.transactional())
            assert await names(db) == ["1", "a"]
            await fails(on, part(2).retry(AGAIN, on=Mishap).transactional(), UniqueViolation)
        assert await names(db) == ["1", "a"]

    async def test_a_conflict_inside_a_transaction_is_not_retried_inside_it(self, db: Ommi) -> None:
        runs: list[Any] = []
        inner = noting(runs, "inner").bind(lambda _: tagged("a")).retry(AGAIN)
        outer = noting(runs, "outer").bind(lambda _: inner).transactional().retry(AGAIN)
        async with disturbed_once(db, "execute", SerializationConflict("conflict")) as on:
            await succeeds(on, outer)
        assert runs == ["outer", "inner"] * 2

    # -- what is not known
    async def test_cut_before_commit_it_is_lost_rolled_back_and_retried(self, db: Ommi) -> None:
        async with disturbed_once(db, "commit", ConnectionLost("cut")) as on:
            await fails(on, tagged("a").transactional(), ConnectionLost)
        assert await names(db) == []
        async with disturbed_once(db, "commit", ConnectionLost("cut")) as on:
            await succeeds(on, tagged("a").transactional().retry(AGAIN))
        assert await names(db) == ["a"]

    async def test_cut_after_commit_it_is_unknown_and_not_retried(self, db: Ommi) -> None:
        log: list[Any] = []
        player, clock = Player("Ada"), FakeClock()
        program = add(player).after_commit(noting(log, "committed")).transactional().retry(AGAIN)
        async with Ommi(Interposed(db.driver, after=once("commit", CommitUnknown("cut"))), clock=clock) as on:
            await fails(on, program, CommitUnknown)
        assert player.id is None
        assert log == clock.pauses == []
        assert await succeeds(db, find(Player).count()) == 1

    async def test_cut_after_commit_a_block_raises_it(self, db: Ommi) -> None:
        async with Ommi(Interposed(db.driver, after=once("commit", CommitUnknown("cut")))) as on:
            with pytest.raises(CommitUnknown):
                async with on.transaction() as tx:
                    await tx.run(tagged("a"))
        assert await names(db) == ["a"]

    async def test_cut_during_a_write_on_its_own_it_is_unknown_and_not_retried(self, db: Ommi) -> None:
        clock = FakeClock()
        async with Ommi(Interposed(db.driver, after=once("execute", CommitUnknown("cut"))), clock=clock) as on:
            await fails(on, tagged("a").retry(AGAIN), CommitUnknown)
        assert clock.pauses == []
        assert await names(db) == ["a"]

    async def test_cut_during_a_read_on_its_own_it_is_lost_and_retried(self, db: Ommi) -> None:
        async with disturbed_once(db, "execute", ConnectionLost("cut"), after=True) as on:
            assert await succeeds(on, find(Tag).count().retry(AGAIN)) == 0

    @with_recovery
    async def test_commit_unknown_is_retried_by_no_one_who_does_not_name_it(self, db: Ommi) -> None:
        async with Ommi(Interposed(db.driver, after=once("commit", CommitUnknown("cut"))), clock=FakeClock()) as on:
            await succeeds(on, tagged("a").lash(lambda _: tagged("b")).transactional().retry(AGAIN, on=CommitUnknown))
        assert await names(db) == ["a", "b"]

    async def test_a_commit_past_its_time_budget_is_unknown(self, db: Ommi) -> None:
        async def hang(step: DriverStep) -> None:
            if step == "commit":
                await anyio.sleep_forever()

        pump = Pump(Interposed(db.driver, after=hang), FakeClock(), shutdown_seconds=0.02)
        ending, error = await pump.run(tagged("a").transactional().retry(AGAIN))
        assert (ending, type(error)) == (Ending.ERROR, CommitUnknown)
        assert await names(db) == ["a"]

    async def test_a_cancel_during_commit_waits_for_the_answer(self, db: Ommi) -> None:
        async def cancel(step: DriverStep) -> None:
            if step == "commit":
                scope.cancel()
                await checkpoint()

        async with Ommi(Interposed(db.driver, before=cancel)) as on:
            with anyio.CancelScope() as scope:
                assert await on.run(tagged("a").transactional()) == Success(Tag("a"))
        assert await names(db) == ["a"]


def once(step: DriverStep, error: OmmiError, number: int = 1) -> Hook:
    """A hook that raises an error at the n-th step of a kind, once."""
    met: list[DriverStep] = []

    async def hook(found: DriverStep) -> None:
        met.append(found)
        if found == step and met.count(step) == number:
            raise error

    return hook


def disturbed_once(db: Ommi, step: DriverStep, error: OmmiError, *, after: bool = False) -> Ommi:
    """The database, which meets an error at a step, once; no time passes in its pauses."""
    hook = once(step, error)
    hooks: dict[str, Hook] = {"after" if after else "before": hook}
    return Ommi(Interposed(db.driver, **hooks), clock=FakeClock())
