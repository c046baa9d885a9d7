"""Runs that join the transaction they are started in (semantics §5, Joining)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio import CancelScope
from returns.result import Failure

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.operations import add
from ommi.effects.schedule import Schedule
from ommi.errors import SerializationConflict, StatementTimeout, UniqueViolation
from ommi.testing.clock import FakeClock
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_recovery, with_savepoints
from ommi.testing.conformance.transactions import Mishap, failing, fails_at, names, tagged
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Joining"]

FOREVER: Effect[None, Any] = Effect.from_awaitable(anyio.sleep_forever)


class Joining(DatabaseTests):
    """`db.run` in the body of a transaction, and in tasks that inherited its context."""

    # -- it joins
    @with_savepoints
    async def test_a_run_in_the_body_takes_no_second_connection(self, db: Ommi) -> None:
        steps: list[DriverStep] = []

        async def record(step: DriverStep) -> None:
            steps.append(step)

        async with Ommi(Interposed(db.driver, before=record)) as recorded:

            async def body() -> None:
                await succeeds(recorded, tagged("a"))
                await succeeds(recorded, tagged("b").transactional())

            with anyio.fail_after(10):
                await succeeds(recorded, Effect.from_awaitable(body).transactional())
                async with recorded.transaction():
                    await recorded.add(Tag("c")).value
        assert steps == ["begin", "execute", "savepoint", "execute", "release", "commit", "begin", "execute", "commit"]
        assert await names(db) == ["a", "b", "c"]

    @with_recovery
    async def test_a_failure_of_a_joined_run_in_the_body_of_an_effect_is_its_caller_s_to_deal_with(
        self, db: Ommi
    ) -> None:
        async def body() -> None:
            assert isinstance(await db.run(tagged("b", "b")), Failure)

        await succeeds(db, tagged("a").bind(lambda _: Effect.from_awaitable(body)).transactional())
        assert await names(db) == ["a", "b"]

    @pytest.mark.parametrize("how", ["effect", "block"])
    @with_savepoints
    async def test_tasks_that_inherited_the_context_join_and_take_turns(self, db: Ommi, how: str) -> None:
        steps: list[DriverStep] = []

        async def record(step: DriverStep) -> None:
            steps.append(step)

        async with Ommi(Interposed(db.driver, before=record)) as recorded:

            async def children() -> None:
                async with anyio.create_task_group() as group:
                    for number in range(3):
                        group.start_soon(succeeds, recorded, tagged(f"{number}a", f"{number}b").transactional())

            if how == "effect":
                await succeeds(recorded, Effect.from_awaitable(children).transactional())
            else:
                async with recorded.transaction():
                    await children()
        assert steps == ["begin", *["savepoint", "execute", "execute", "release"] * 3, "commit"]
        assert await names(db) == [f"{number}{letter}" for number in range(3) for letter in "ab"]

    # -- after it ended
    @pytest.mark.parametrize("how", ["effect", "block"])
    async def test_a_run_after_its_transaction_ended_is_a_defect_that_says_so(self, db: Ommi, how: str) -> None:
        ended, started = anyio.Event(), anyio.Event()
        told: list[str] = []

        async def late() -> None:
            started.set()
            await ended.wait()
            for attempt in (db.run(tagged("late")), _enter(db)):
                with pytest.raises(RuntimeError) as caught:
                    await attempt
                told.append(str(caught.value))

        async with anyio.create_task_group() as group:

            async def body() -> None:
                group.start_soon(late)
                await started.wait()

            if how == "effect":
                await succeeds(db, Effect.from_awaitable(body).transactional())
            else:
                async with db.transaction():
                    await body()
            ended.set()
        assert len(told) == 2
        assert all("started in the body of a transaction that has ended since" in text for text in told)
        assert await names(db) == []

    @pytest.mark.parametrize("how", ["effect", "block"])
    async def test_the_commit_waits_for_a_child_under_way(self, db: Ommi, how: str) -> None:
        under_way, go_on = anyio.Event(), anyio.Event()
        steps: list[str] = []

        async def record(step: DriverStep) -> None:
            steps.append(step)
            if step == "commit":
                assert go_on.is_set()

        async def hold() -> None:
            under_way.set()
            await go_on.wait()
            steps.append("child")

        async def let_go() -> None:
            await anyio.wait_all_tasks_blocked()
            go_on.set()

        async with Ommi(Interposed(db.driver, before=record)) as recorded, anyio.create_task_group() as group:
            child = Effect.from_awaitable(hold).bind(lambda _: add(Tag("child")))

            async def body() -> None:
                group.start_soon(succeeds, recorded, child)
                await under_way.wait()
                group.start_soon(let_go)

            if how == "effect":
                await succeeds(recorded, Effect.from_awaitable(body).transactional())
            else:
                async with recorded.transaction():
                    await body()
        assert steps == ["begin", "child", "execute", "commit"]
        assert await names(db) == ["child"]

    @pytest.mark.parametrize("how", ["effect", "block", "timeout"])
    async def test_a_cancelled_transaction_stops_a_child_that_does_not_end(self, db: Ommi, how: str) -> None:
        under_way = anyio.Event()
        log: list[Any] = []
        told: list[str] = []

        async def hold() -> None:
            under_way.set()
            await anyio.sleep_forever()

        async def child() -> None:
            held = tagged("child").bind(lambda _: Effect.from_awaitable(hold)).ensure(noting(log, "cleaned up"))
            with pytest.raises(RuntimeError) as caught:
                await db.run(held)
            told.append(str(caught.value))

        async with anyio.create_task_group() as group:

            async def body() -> None:
                group.start_soon(child)
                await under_way.wait()
                scope.cancel()

            with anyio.fail_after(10), CancelScope() as scope:
                if how == "effect":
                    await db.run(Effect.from_awaitable(body).transactional())
                elif how == "block":
                    async with db.transaction():
                        await body()
                else:
                    scope = CancelScope()
                    program = Effect.from_awaitable(body).transactional(timeout=0.2)
                    await fails(db, program, StatementTimeout)
                    told.append("timed out")
            assert scope.cancelled_caught or "timed out" in told
            assert log == ["cleaned up"]
            await anyio.wait_all_tasks_blocked()
        assert any("was cancelled" in text for text in told)
        assert await names(db) == []

    @pytest.mark.parametrize("how", ["effect", "block"])
    async def test_a_cancellation_while_it_waits_for_a_child_stops_that(self, db: Ommi, how: str) -> None:
        under_way = anyio.Event()
        told: list[str] = []

        async def hold() -> None:
            under_way.set()
            await anyio.sleep_forever()

        async def child() -> None:
            with pytest.raises(RuntimeError) as caught:
                await db.run(tagged("child").bind(lambda _: Effect.from_awaitable(hold)))
            told.append(str(caught.value))

        async def cancel_later(scope: CancelScope) -> None:
            await anyio.wait_all_tasks_blocked()
            scope.cancel()

        async with anyio.create_task_group() as group:

            async def body() -> None:
                group.start_soon(child)
                await under_way.wait()
                group.start_soon(cancel_later, scope)

            with anyio.fail_after(10), CancelScope() as scope:
                if how == "effect":
                    await db.run(Effect.from_awaitable(body).transactional())
                else:
                    async with db.transaction():
                        await body()
            assert scope.cancelled_caught
        assert ["was cancelled" in text for text in told] == [True]
        assert await names(db) == []

    # -- doomed, and then another error
    async def test_a_doomed_transaction_whose_body_fails_with_another_error_ends_with_the_first(self, db: Ommi) -> None:
        conflicting = Ommi(Interposed(db.driver, before=fails_at("execute", 1, SerializationConflict("conflict"))))

        async def body() -> None:
            await conflicting.run(tagged("a"))

        async with conflicting:
            program = Effect.from_awaitable(body).bind(lambda _: failing()).transactional()
            error = await fails(conflicting, program, SerializationConflict)
        assert "Mishap" in "".join(error.__notes__)

    async def test_a_doomed_transaction_whose_body_fails_with_another_error_is_retried(self, db: Ommi) -> None:
        conflicting = Ommi(
            Interposed(db.driver, before=fails_at("execute", 1, SerializationConflict("conflict"))), clock=FakeClock()
        )

        async def body() -> bool:
            return isinstance(await conflicting.run(tagged("a")), Failure)

        program: Effect[Any, Any] = Effect.from_awaitable(body).bind(
            lambda failed: failing() if failed else Effect.from_value("done")
        )
        async with conflicting:
            assert await succeeds(conflicting, program.transactional().retry(Schedule.recurs(1))) == "done"
        assert await names(db) == ["a"]

    async def test_a_doomed_transaction_whose_body_ends_in_a_defect_raises_it(self, db: Ommi) -> None:
        conflicting = Ommi(Interposed(db.driver, before=fails_at("execute", 1, SerializationConflict("conflict"))))

        async def body() -> None:
            await conflicting.run(tagged("a"))
            raise ZeroDivisionError

        async with conflicting:
            with pytest.raises(ZeroDivisionError):
                await conflicting.run(Effect.from_awaitable(body).transactional())
            assert await names(db) == []

    async def test_an_exception_that_leaves_a_doomed_block_is_raised_as_it_is(self, db: Ommi) -> None:
        conflicting = Ommi(Interposed(db.driver, before=fails_at("execute", 1, SerializationConflict("conflict"))))
        async with conflicting:
            with pytest.raises(Mishap) as caught:
                async with conflicting.transaction() as tx:
                    await tx.run(tagged("a"))
                    raise Mishap("mine")
        assert "conflict" in "".join(caught.value.__notes__)
        assert await names(db) == []

    @with_savepoints
    async def test_a_failed_write_of_a_run_in_a_nested_block_is_that_one_s(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            await tx.add(Tag("a")).value
            with pytest.raises(UniqueViolation):
                async with tx.transaction():
                    assert isinstance(await db.run(tagged("b", "a")), Failure)
            assert await tx.find(Tag).count().value == 1


async def _enter(db: Ommi) -> None:
    async with db.transaction():
        pytest.fail("the transaction has ended")
