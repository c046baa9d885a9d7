"""What happens after the commit: effects, and the instances that were passed in (semantics §1, §5)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather
from ommi.effects.operations import add, save
from ommi.effects.schedule import Schedule
from ommi.errors import SerializationConflict
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_savepoints
from ommi.testing.conformance.transactions import Mishap, failing, fails_at, names, tagged
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Page, Player, Point, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Committed"]


class Committed(DatabaseTests):
    """`after_commit`, and what is filled in."""

    # -- after the commit
    async def test_after_commit_runs_in_order_after_the_outermost(self, db: Ommi) -> None:
        log: list[Any] = []
        inner = tagged("a").after_commit(noting(log, 1)).transactional(flatten=not db.driver.capabilities.savepoints)
        program = inner.bind(lambda _: tagged("b").after_commit(noting(log, 2))).tap(lambda _: noting(log, "body"))
        await succeeds(db, program.transactional().after_commit(noting(log, 3)))
        assert log == ["body", 1, 2, 3]

    async def test_after_commit_can_use_the_database(self, db: Ommi) -> None:
        log: list[Any] = []
        later = find(Tag).count().bind(lambda found: noting(log, found)).lash(lambda _: noting(log, "failed"))
        await succeeds(db, tagged("a").after_commit(later).transactional())
        assert log == [1]

    async def test_after_commit_is_dropped_with_the_transaction(self, db: Ommi) -> None:
        log: list[Any] = []
        await fails(db, tagged("a").after_commit(noting(log, 1)).bind(lambda _: failing()).transactional(), Mishap)
        assert log == []

    async def test_after_commit_is_dropped_with_its_savepoint(self, db: Ommi) -> None:
        log: list[Any] = []
        undone = tagged("a").after_commit(noting(log, 1)).bind(lambda _: failing()).savepoint()
        program = undone.lash(lambda _: tagged("b").after_commit(noting(log, 2)))
        await succeeds(db, program.transactional())
        assert log == [2]

    async def test_after_commit_outside_a_transaction_follows_the_effect(self, db: Ommi) -> None:
        log: list[Any] = []
        await succeeds(db, tagged("a").after_commit(noting(log, 1)))
        await fails(db, failing().after_commit(noting(log, 2)), Mishap)
        assert log == [1]

    async def test_a_defect_after_the_commit_is_raised_after_the_rest(self, db: Ommi) -> None:
        log: list[Any] = []
        defective: Effect[Any, Any] = noting(log, 1).map(lambda _: 1 // 0)
        program = tagged("a").after_commit(defective).after_commit(noting(log, 2)).transactional()
        with pytest.raises(ZeroDivisionError):
            await db.run(program)
        assert log == [1, 2]
        assert await names(db) == ["a"]

    async def test_a_second_defect_after_the_commit_is_not_lost(self, db: Ommi) -> None:
        def defective(error: Exception) -> Effect[Any, Any]:
            async def fail() -> None:
                raise error

            return Effect.from_awaitable(fail)

        program = tagged("a").after_commit(defective(KeyError("first"))).after_commit(defective(ValueError("second")))
        with pytest.raises(KeyError) as raised:
            await db.run(program.transactional())
        assert "second" in "".join(raised.value.__notes__)

    async def test_after_commit_runs_when_the_connection_is_released(self, db: Ommi) -> None:
        steps: list[Any] = []

        async def record(step: DriverStep) -> None:
            steps.append(step)

        later = tagged("b").transactional().lash(lambda error: noting(steps, error))
        async with Ommi(Interposed(db.driver, after=record)) as recorded:
            with anyio.fail_after(10):
                await succeeds(recorded, tagged("a").after_commit(later.map(lambda _: None)).transactional())
        assert steps == ["begin", "execute", "commit"] * 2
        assert await names(db) == ["a", "b"]

    async def test_after_commit_does_not_run_when_the_commit_was_refused(self, db: Ommi) -> None:
        log: list[Any] = []
        refusing = Ommi(Interposed(db.driver, before=fails_at("commit", 1, SerializationConflict("late"))))
        async with refusing:
            await fails(refusing, tagged("a").after_commit(noting(log, 1)).transactional(), SerializationConflict)
        assert log == []

    @with_savepoints
    async def test_after_commit_in_blocks(self, db: Ommi) -> None:
        log: list[Any] = []
        async with db.transaction() as tx:
            await tx.run(tagged("a").after_commit(noting(log, 1)))
            await tx.savepoint("here")
            await tx.run(tagged("b").after_commit(noting(log, "dropped with its savepoint")))
            await tx.rollback_to_savepoint("here")
            with pytest.raises(Mishap):
                async with tx.transaction() as nested:
                    await nested.run(tagged("c").after_commit(noting(log, "dropped with its block")))
                    raise Mishap
            async with tx.transaction() as nested:
                await nested.run(tagged("d").after_commit(noting(log, 2)))
            assert log == []
        assert log == [1, 2]
        assert await names(db) == ["a", "d"]

    async def test_a_cancellation_does_not_stop_what_follows_the_commit(self, db: Ommi) -> None:
        log: list[Any] = []

        async def cancel(step: DriverStep) -> None:
            if step == "commit":
                scope.cancel()

        later = tagged("b").bind(lambda _: noting(log, 1)).lash(lambda error: noting(log, error))
        async with Ommi(Interposed(db.driver, after=cancel)) as cancelled:
            with anyio.CancelScope() as scope:
                await cancelled.run(tagged("a").after_commit(later).transactional())
        assert log == [1]
        assert await names(db) == ["a", "b"]

    # -- instances
    async def test_instances_are_filled_after_the_commit(self, db: Ommi) -> None:
        player, seen = Player("Ada"), list[Any]()
        program = add(player).tap(lambda added: noting(seen, (player.id, added.id is not None)))
        await succeeds(db, program.transactional())
        assert seen == [(None, True)]
        assert player.id is not None

    async def test_instances_stay_untouched_by_a_rollback(self, db: Ommi) -> None:
        player, page = Player("Ada"), await succeeds(db, add(Page("a")))
        version = page.version
        program = add(player).bind(lambda _: save(page)).bind(lambda _: failing())
        await fails(db, program.transactional(), Mishap)
        assert player == Player("Ada")
        assert page.version == version

    async def test_instances_of_a_rolled_back_savepoint_stay_untouched(self, db: Ommi) -> None:
        lost, kept = Player("Ada"), Player("Bob")
        undone = add(lost).bind(lambda _: failing()).savepoint().lash(lambda _: add(kept))
        await succeeds(db, undone.transactional())
        assert lost.id is None
        assert kept.id is not None

    async def test_frozen_records_come_out_with_their_keys(self, db: Ommi) -> None:
        point = Point(0.0, 1.0)
        program = gather(add(point), add(point)).transactional()
        one, other = await succeeds(db, program)
        assert one.id != other.id
        assert point.id is None

    async def test_a_retry_is_not_poisoned_by_the_key_of_the_first_try(self, db: Ommi) -> None:
        refusing = Ommi(Interposed(db.driver, before=fails_at("commit", 1, SerializationConflict("late"))))
        player = Player("Ada")
        async with refusing:
            added = await succeeds(refusing, add(player).transactional().retry(Schedule.recurs(1)))
        assert player.id == added.id
        assert await succeeds(db, find(Player).all()) == [added]

    async def test_instances_stay_untouched_by_a_refused_commit(self, db: Ommi) -> None:
        refusing = Ommi(Interposed(db.driver, before=fails_at("commit", 1, SerializationConflict("late"))))
        page = Page("a")
        async with refusing:
            await fails(refusing, add(page).transactional(), SerializationConflict)
        assert page == Page("a")
        assert await succeeds(db, find(Page).count()) == 0
