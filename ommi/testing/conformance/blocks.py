"""Transaction blocks, and runs that join the transaction they are started in (semantics §5, api §4)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add
from ommi.errors import EncodeError, QueryRejected, StatementTimeout, UniqueViolation
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.lacking import with_recovery, with_savepoints
from ommi.testing.conformance.transactions import Mishap, names
from ommi.testing.models import Player, Tag
from ommi.testing.outcomes import succeeds
from ommi.transactions import TransactionOptions

__all__ = ["Blocks"]


class Blocks(DatabaseTests):
    """`async with db.transaction() as tx:`."""

    async def test_leaving_a_block_commits(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            assert isinstance(await tx.run(add(Tag("a"))), Success)
            await tx.add(Tag("b")).value
        assert await names(db) == ["a", "b"]

    async def test_an_exception_that_leaves_a_block_rolls_back(self, db: Ommi) -> None:
        with pytest.raises(Mishap):
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                raise Mishap
        assert await names(db) == []

    async def test_an_ignored_failure_of_a_write_is_never_half_a_commit(self, db: Ommi) -> None:
        with pytest.raises(UniqueViolation) as raised:
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                first = await tx.add(Tag("a"))
                assert isinstance(first, Failure)
                assert await tx.add(Tag("b")) == first
                assert await tx.find(Tag).count() == first
        assert raised.value == first.failure()
        assert await names(db) == []

    async def test_a_failure_that_is_no_failed_write_dooms_nothing(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            await tx.add(Tag("a")).value
            assert isinstance(await tx.find(Tag).where(lambda t: t.name == "z").one(), Failure)
            assert isinstance(await tx.run(Effect.from_failure(Mishap())), Failure)
            await tx.add(Tag("b")).value
        assert await names(db) == ["a", "b"]

    @with_recovery
    async def test_a_block_recovers_from_a_failed_write_with_catch(self, db: Ommi) -> None:
        again = add(Tag("a")) >> catch(UniqueViolation)(lambda _: add(Tag("b")))
        async with db.transaction() as tx:
            await tx.add(Tag("a")).value
            assert isinstance(await tx.run(again), Success)
            await tx.add(Tag("c")).value
        assert await names(db) == ["a", "b", "c"]

    @with_savepoints
    async def test_a_nested_block_is_undone_alone(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            await tx.add(Tag("a")).value
            with pytest.raises(UniqueViolation):
                async with tx.transaction() as nested:
                    await nested.add(Tag("b")).value
                    await nested.add(Tag("a"))
            async with tx.transaction() as nested:
                await nested.add(Tag("c")).value
        assert await names(db) == ["a", "c"]

    @with_savepoints
    async def test_a_named_savepoint_is_rolled_back_to_more_than_once(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            await tx.add(Tag("a")).value
            await tx.savepoint("here")
            for name in ("b", "c"):
                await tx.add(Tag(name)).value
                assert isinstance(await tx.add(Tag(name)), Failure)
                await tx.rollback_to_savepoint("here")
            await tx.add(Tag("d")).value
        assert await names(db) == ["a", "d"]

    @with_savepoints
    async def test_an_unknown_savepoint_is_refused_by_name(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            await tx.savepoint("here")
            with pytest.raises(ValueError, match="no savepoint 'there'; it has 'here'"):
                await tx.rollback_to_savepoint("there")

    async def test_a_block_whose_time_is_over_is_rolled_back(self, db: Ommi) -> None:
        with pytest.raises(StatementTimeout, match="the transaction block had not ended"):
            async with db.transaction(TransactionOptions(timeout=0.05)) as tx:
                await tx.add(Tag("a")).value
                await anyio.sleep_forever()
        assert await names(db) == []

    async def test_a_cancelled_block_is_rolled_back(self, db: Ommi) -> None:
        with anyio.CancelScope() as scope:
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert await names(db) == []

    async def test_runs_on_the_database_inside_a_block_join_it(self, db: Ommi) -> None:
        with pytest.raises(Mishap):
            async with db.transaction() as tx:
                await db.add(Tag("a")).value
                assert await tx.find(Tag).count().value == 1
                raise Mishap
        assert await names(db) == []

    async def test_tasks_of_a_block_take_turns(self, db: Ommi) -> None:
        async def work(number: int) -> None:
            both = add(Tag(f"{number}a")).bind(lambda _: add(Tag(f"{number}b")))
            await succeeds(db, both.transactional(flatten=not db.driver.capabilities.savepoints))

        async with db.transaction(), anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(work, number)
        assert await names(db) == [f"{number}{letter}" for number in range(5) for letter in "ab"]

    async def test_a_task_that_outlives_its_block_is_told_so(self, db: Ommi) -> None:
        left = anyio.Event()
        refused: list[str] = []

        async def late() -> None:
            await left.wait()
            try:
                await db.run(find(Tag).all())
            except RuntimeError as error:
                refused.append(str(error))

        async with anyio.create_task_group() as group:
            async with db.transaction():
                group.start_soon(late)
            left.set()
        assert len(refused) == 1
        assert "has ended" in refused[0]

    async def test_a_block_is_entered_once_and_used_while_it_is_open(self, db: Ommi) -> None:
        tx = db.transaction()
        with pytest.raises(RuntimeError, match="not open"):
            await tx.run(find(Tag).all())
        async with tx:
            pass
        with pytest.raises(RuntimeError, match="entered once"):
            async with tx:
                pass

    async def test_after_commit_runs_when_the_block_is_left(self, db: Ommi) -> None:
        done: list[str] = []
        noted: Effect[Any, Any] = Effect.from_value("x").map(done.append)
        async with db.transaction() as tx:
            await tx.run(add(Tag("a")).after_commit(noted))
            assert done == []
        assert done == ["x"]

    async def test_instances_are_filled_when_the_block_is_left(self, db: Ommi) -> None:
        player = Player("Ada")
        async with db.transaction() as tx:
            added = await tx.add(player).value
            assert player.id is None
        assert player.id == added.id

    async def test_a_reading_block_refuses_writes(self, db: Ommi) -> None:
        with pytest.raises(QueryRejected, match="read_only"):
            async with db.transaction(TransactionOptions(read_only=True)) as tx:
                assert await tx.find(Tag).all().value == []
                assert isinstance(await tx.add(Tag("a")), Failure)
        assert await names(db) == []

    async def test_a_run_inside_the_body_of_a_transaction_joins_it(self, db: Ommi) -> None:
        async def outside() -> int:
            await db.add(Tag("b")).value
            return await db.find(Tag).count().value

        counting = add(Tag("a")).bind(lambda _: Effect.from_awaitable(outside))
        assert await succeeds(db, counting.transactional()) == 2
        failing = add(Tag("c")).bind(lambda _: Effect.from_awaitable(outside, catching=(UniqueViolation,)))
        assert isinstance(await db.run(failing.transactional()), Failure)
        assert await names(db) == ["a", "b"]

    # -- a failed write, wherever it was made
    async def test_an_ignored_failure_of_a_run_on_the_database_dooms_its_block(self, db: Ommi) -> None:
        with pytest.raises(UniqueViolation):
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                assert isinstance(await db.add(Tag("a")), Failure)
        assert await names(db) == []

    async def test_an_ignored_write_of_a_value_that_cannot_be_stored_dooms_its_block(self, db: Ommi) -> None:
        with pytest.raises(EncodeError):
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                assert isinstance(await tx.add(Tag("n\0ul")), Failure)
        assert await names(db) == []

    async def test_what_a_finalizer_recovers_from_is_not_the_failure_of_its_effect(self, db: Ommi) -> None:
        finalizer = find(Tag, Tag.name == "z").one().map(lambda _: None).lash(lambda _: Effect.from_value(None))
        with pytest.raises(UniqueViolation):
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                assert isinstance(await tx.run(add(Tag("a")).ensure(finalizer)), Failure)
        assert await names(db) == []

    async def test_a_savepoint_after_a_failed_write_is_refused(self, db: Ommi) -> None:
        with pytest.raises(UniqueViolation):
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                await tx.add(Tag("a"))
                await tx.savepoint("late")
                pytest.fail("the block is doomed")
        assert await names(db) == []

    @with_savepoints
    async def test_a_savepoint_that_was_moved_comes_after_the_others(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            for savepoint, name in (("here", "a"), ("there", "b"), ("here", "c")):
                await tx.savepoint(savepoint)
                await tx.add(Tag(name)).value
            await tx.rollback_to_savepoint("here")
            await tx.rollback_to_savepoint("there")
        assert await names(db) == ["a"]

    async def test_an_exception_that_is_false_rolls_back(self, db: Ommi) -> None:
        with pytest.raises(Falsy):
            async with db.transaction() as tx:
                await tx.add(Tag("a")).value
                raise Falsy
        assert await names(db) == []

    # -- one in the other
    async def test_the_outer_block_is_usable_in_a_nested_one(self, db: Ommi) -> None:
        joined = TransactionOptions(flatten=not db.driver.capabilities.savepoints)
        with anyio.fail_after(5):
            async with db.transaction() as tx, tx.transaction(joined):
                await tx.add(Tag("a")).value
        assert await names(db) == ["a"]

    async def test_a_block_is_usable_in_what_one_of_its_runs_awaits(self, db: Ommi) -> None:
        async with db.transaction() as tx:

            async def inside() -> int:
                await tx.add(Tag("a")).value
                return await tx.find(Tag).count().value

            assert await tx.run(Effect.from_awaitable(inside)) == Success(1)
        assert await names(db) == ["a"]

    async def test_a_run_in_the_block_of_another_database_joins_the_one_around_it(self, db: Ommi) -> None:
        async with Ommi.connect("memory://") as other:
            with anyio.fail_after(5), pytest.raises(Mishap):
                async with db.transaction(), other.transaction():
                    await db.add(Tag("a")).value
                    raise Mishap
        assert await names(db) == []


class Falsy(Exception):
    """An exception that is false, as a group of errors may be that counts them."""

    def __len__(self) -> int:
        return 0
