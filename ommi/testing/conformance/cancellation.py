"""What is cancelled, or over its time, is undone to where it began, and what must end is not stopped (semantics §7)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import anyio
import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather, race
from ommi.effects.operations import add
from ommi.effects.schedule import Schedule
from ommi.errors import DatabaseError, SerializationConflict, StatementTimeout, UniqueViolation
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_recovery, with_savepoints
from ommi.testing.conformance.transactions import Mishap, fails_at, names, tagged
from ommi.testing.conformance.waiting import Bell, cancelling
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Tag
from ommi.testing.outcomes import fails, succeeds
from ommi.transactions import TransactionOptions

__all__ = ["Cancellation"]

FOREVER: Effect[None, Any] = Effect.from_awaitable(anyio.sleep_forever)


class Quit(BaseException):
    """The end of the whole process."""


class Cancellation(DatabaseTests):
    """Cancelled from inside and outside: by a timeout, by a scope, by a sibling."""

    # -- what is nested is undone alone
    async def test_a_nested_transaction_that_is_over_its_time_is_undone_alone(self, db: Ommi) -> None:
        bell = Bell()
        nested = tagged("a").bind(lambda _: Effect.from_awaitable(bell.ring)).transactional(timeout=1)
        program = nested.lash(lambda _: tagged("b")).transactional()
        async with Ommi(Interposed(db.driver), clock=bell) as rung:
            await succeeds(rung, program)
        assert await names(db) == ["b"]

    @with_savepoints
    async def test_a_savepoint_that_is_cancelled_in_a_block_is_undone_alone(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            with CancelScope() as scope:
                await tx.run(tagged("a").bind(lambda _: Effect.from_awaitable(cancelling(scope))).savepoint())
            await tx.add(Tag("b")).value
        assert scope.cancelled_caught
        assert await names(db) == ["b"]

    @with_savepoints
    async def test_a_nested_block_that_is_cancelled_is_undone_alone(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            with CancelScope() as scope:
                async with tx.transaction() as nested:
                    await nested.add(Tag("a")).value
                    await cancelling(scope)()
            await tx.add(Tag("b")).value
        assert scope.cancelled_caught
        assert await names(db) == ["b"]

    @with_savepoints
    async def test_a_nested_block_that_is_over_its_time_is_undone_alone(self, db: Ommi) -> None:
        bell = Bell()
        async with Ommi(Interposed(db.driver), clock=bell) as rung, rung.transaction() as tx:
            with pytest.raises(StatementTimeout):
                async with tx.transaction(TransactionOptions(timeout=1)) as nested:
                    await nested.add(Tag("a")).value
                    await bell.ring()
            await tx.add(Tag("b")).value
        assert await names(db) == ["b"]

    async def test_a_savepoint_that_was_stopped_while_it_was_set_dooms_the_transaction(self, db: Ommi) -> None:
        bell = Bell()

        async def ring_at_savepoint(step: DriverStep) -> None:
            if step == "savepoint":
                await bell.ring()

        part = tagged("b").savepoint().timeout(1).lash(lambda _: Effect.from_value(None))
        program = tagged("a").bind(lambda _: part).bind(lambda _: tagged("c")).transactional()
        async with Ommi(Interposed(db.driver, before=ring_at_savepoint), clock=bell) as slow:
            await fails(slow, program, StatementTimeout)
        assert await names(db) == []

    @with_savepoints
    async def test_a_block_cancelled_at_each_turn_of_the_event_loop_is_whole_and_over(self, db: Ommi) -> None:
        turn, left = 0, False
        while not left:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_after, group.cancel_scope, turn)
                async with db.transaction() as tx:
                    await tx.run(tagged(f"{turn} outer"))
                    async with tx.transaction() as nested:
                        await nested.run(tagged(f"{turn} nested"))
                    with suppress(Mishap):
                        async with tx.transaction() as nested:
                            await nested.run(tagged(f"{turn} undone"))
                            raise Mishap
                left = not group.cancel_scope.cancel_called
                group.cancel_scope.cancel()
            with anyio.fail_after(10):
                assert [name.split()[1] for name in await names(db)] in ([], ["nested", "outer"]), turn
                await succeeds(db, find(Tag).everything().delete())
            turn += 1 if turn < 60 else turn // 4
        assert turn > 5

    # -- finalizers stop what they started, and nobody else stops them
    async def test_a_timeout_in_a_finalizer_ends_with_its_effect(self, db: Ommi) -> None:
        def program(bell: Bell) -> Effect[Any, Any]:
            return tagged("a").ensure(noting([], 1).timeout(1).merge())

        assert await _ends_by_itself(db, program)

    async def test_a_race_in_a_finalizer_stops_the_loser(self, db: Ommi) -> None:
        def program(bell: Bell) -> Effect[Any, Any]:
            return tagged("a").ensure(race(noting([], 1), Effect.from_awaitable(bell.rung.wait)).merge())

        assert await _ends_by_itself(db, program)

    async def test_a_timeout_after_the_commit_ends_with_its_effect(self, db: Ommi) -> None:
        def program(bell: Bell) -> Effect[Any, Any]:
            return tagged("a").after_commit(noting([], 1).timeout(1).merge()).transactional()

        assert await _ends_by_itself(db, program)

    async def test_a_finalizer_in_a_doomed_transaction_runs_no_statement(self, db: Ommi) -> None:
        conflict = fails_at("execute", 2, SerializationConflict("conflict"))
        steps: list[DriverStep] = []

        async def disturb(step: DriverStep) -> None:
            steps.append(step)
            await conflict(step)

        finalizer = tagged("c").lash(lambda _: Effect.from_value(None))
        async with Ommi(Interposed(db.driver, before=disturb)) as disturbed:
            await fails(disturbed, tagged("a", "b").ensure(finalizer).transactional(), SerializationConflict)
        assert steps == ["begin", "execute", "execute", "rollback"]
        assert await names(db) == []

    async def test_a_conflict_met_by_a_run_that_joined_dooms_the_transaction(self, db: Ommi) -> None:
        seen: list[Any] = []
        conflicting = Ommi(Interposed(db.driver, before=fails_at("execute", 2, SerializationConflict("conflict"))))

        async def outside() -> None:
            await conflicting.add(Tag("b")).value

        joined = Effect.from_awaitable(outside, catching=(DatabaseError,)).lash(lambda error: noting(seen, error))
        async with conflicting:
            program = tagged("a").bind(lambda _: joined).transactional()
            await fails(conflicting, program, SerializationConflict)
        assert seen == []
        assert await names(db) == []

    # -- defects and the end of the process
    @pytest.mark.parametrize("siblings", [False, True])
    async def test_a_defect_while_a_timed_out_effect_cleans_up_is_raised(self, db: Ommi, siblings: bool) -> None:
        defective: Effect[Any, Any] = FOREVER.ensure(Effect.from_value(0).map(lambda zero: 1 // zero))
        with pytest.raises(ZeroDivisionError):
            await db.run((gather(defective, FOREVER) if siblings else defective.timeout(60)).timeout(0.1))

    async def test_a_value_that_cannot_be_shown_does_not_hinder_a_timeout(self, db: Ommi) -> None:
        program = tagged("a").bind(lambda _: Effect.from_value(Unshowable()).bind(lambda _: FOREVER).timeout(0.02))
        await fails(db, program.transactional(), StatementTimeout)
        await succeeds(db, tagged("b"))
        assert await names(db) == ["b"]

    async def test_the_end_of_the_process_rolls_back_and_runs_finalizers(self, db: Ommi) -> None:
        log: list[Any] = []
        program = tagged("a").bind(lambda _: Effect.from_awaitable(_quit)).ensure(noting(log, 1)).transactional()
        with pytest.raises(Quit):
            await db.run(program)
        assert log == [1]
        await succeeds(db, tagged("b"))
        assert await names(db) == ["b"]

    async def test_the_end_of_the_process_among_siblings_is_raised_as_it_is(self, db: Ommi) -> None:
        log: list[Any] = []
        with pytest.raises(Quit):
            await db.run(gather(FOREVER.ensure(noting(log, 1)), Effect.from_awaitable(_quit)))
        with pytest.raises(Quit):
            await db.run(Effect.from_awaitable(_quit).timeout(60))
        assert log == [1]

    # -- recovering
    @with_recovery
    async def test_a_failure_that_a_retry_recovered_from_is_no_longer_the_blocks(self, db: Ommi) -> None:
        wanted = iter(["a", "b"])
        retried = Effect.from_value(None).bind(lambda _: add(Tag(next(wanted))))
        async with db.transaction() as tx:
            await tx.add(Tag("a")).value
            again = retried.retry(Schedule.recurs(1), on=UniqueViolation).bind(
                lambda _: find(Tag, Tag.name == "z").one()
            )
            await tx.run(again)
            await tx.add(Tag("c")).value
        assert await names(db) == ["a", "b", "c"]


class Unshowable:
    """A value whose repr is broken."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


async def _quit() -> None:
    raise Quit


async def _cancel_after(scope: CancelScope, turns: int) -> None:
    for _ in range(turns):
        await checkpoint()
    scope.cancel()


async def _ends_by_itself(db: Ommi, program: Callable[[Bell], Effect[Any, Any]]) -> bool:
    """Whether the program ends before its clock is rung, which it is when it hangs."""
    bell, ended = Bell(), anyio.Event()

    async def watch() -> None:
        with anyio.move_on_after(5):
            await ended.wait()
        bell.rung.set()

    async with Ommi(Interposed(db.driver), clock=bell) as rung, anyio.create_task_group() as group:
        group.start_soon(watch)
        await succeeds(rung, program(bell))
        by_itself = not bell.rung.is_set()
        ended.set()
    return by_itself
