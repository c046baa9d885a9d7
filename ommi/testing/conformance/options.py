"""What may be asked of a transaction: isolation, read-only, a time (semantics §5), and what needs one at all."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add
from ommi.errors import DatabaseError, QueryRejected, StatementTimeout, TransactionConflict, UnsupportedOperation
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.transactions import names, tagged
from ommi.testing.interposed import Interposed
from ommi.testing.models import Account, Tag
from ommi.testing.outcomes import fails, succeeds
from ommi.transactions import IsolationLevel, TransactionOptions

__all__ = ["Options"]

STRONGEST_FIRST = sorted(IsolationLevel, reverse=True)


class Options(DatabaseTests):
    """`transactional(isolation=, read_only=, timeout=)`, and the same of blocks."""

    # -- isolation
    async def test_isolation_that_the_driver_has_or_refuses(self, db: Ommi) -> None:
        for level in IsolationLevel:
            program = tagged(level.name).transactional(isolation=level)
            if level <= db.driver.capabilities.isolation:
                await succeeds(db, program)
            else:
                await fails(db, program, UnsupportedOperation)

    async def test_a_nested_one_cannot_ask_for_more(self, db: Ommi) -> None:
        nested = find(Tag).count().transactional(isolation=IsolationLevel.SERIALIZABLE)
        await fails(db, tagged("a").bind(lambda _: nested).transactional(), UnsupportedOperation)
        await fails(db, find(Tag).count().transactional(read_only=True).transactional(), UnsupportedOperation)
        assert await names(db) == []

    async def test_a_read_only_one_reads(self, db: Ommi) -> None:
        await succeeds(db, tagged("a"))
        assert await succeeds(db, find(Tag).count().transactional(read_only=True)) == 1

    async def test_a_read_only_one_does_not_write(self, db: Ommi) -> None:
        await fails(db, tagged("a").transactional(read_only=True), QueryRejected)
        await fails(db, find(Tag).everything().delete().transactional(read_only=True), QueryRejected)
        assert await names(db) == []

    async def test_isolation_of_a_block_that_the_driver_has_or_refuses(self, db: Ommi) -> None:
        for level in IsolationLevel:
            block = db.transaction(TransactionOptions(isolation_level=level))
            if level <= db.driver.capabilities.isolation:
                async with block as tx:
                    await tx.run(tagged(level.name))
            else:
                with pytest.raises(UnsupportedOperation):
                    await block.__aenter__()

    async def test_a_nested_one_may_ask_for_no_more_than_the_outermost_asked_for(self, db: Ommi) -> None:
        allowed = [level for level in STRONGEST_FIRST if level <= db.driver.capabilities.isolation]
        count, flatten = find(Tag).count(), not db.driver.capabilities.savepoints
        for outer in allowed:
            for inner in allowed:
                part = count.transactional(isolation=inner, flatten=flatten)
                nested = count.bind(lambda _, part=part: part)  # type: ignore[misc]
                program = nested.transactional(isolation=outer)
                await (succeeds(db, program) if inner <= outer else fails(db, program, UnsupportedOperation))

    async def test_a_nested_block_cannot_ask_for_more(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            for options in (TransactionOptions(IsolationLevel.SERIALIZABLE), TransactionOptions(read_only=True)):
                with pytest.raises(UnsupportedOperation):
                    await tx.transaction(options).__aenter__()
            await tx.run(tagged("a"))
        assert await names(db) == ["a"]

    async def test_a_nested_one_in_a_read_only_one_reads_only(self, db: Ommi) -> None:
        count, flatten = find(Tag).count(), not db.driver.capabilities.savepoints
        for part in (count.transactional(read_only=True, flatten=flatten), count.transactional(flatten=flatten)):
            assert await succeeds(db, part.transactional(read_only=True)) == 0
        await fails(db, tagged("a").transactional(flatten=flatten).transactional(read_only=True), QueryRejected)

    # -- affinity
    async def test_for_update_needs_a_transaction(self, db: Ommi) -> None:
        await succeeds(db, add(Account(1, "Ada")))
        await fails(db, find(Account).for_update().all(), UnsupportedOperation)
        outcome = await db.run(find(Account).for_update().all().transactional())
        assert outcome.value_or(None) == [Account(1, "Ada")] or isinstance(outcome.failure(), UnsupportedOperation)

    async def test_for_update_in_a_run_that_joined_has_its_transaction(self, db: Ommi) -> None:
        async def body() -> Any:
            return await db.run(find(Account).for_update().all())

        alone = await db.run(find(Account).for_update().all().transactional())
        assert await succeeds(db, Effect.from_awaitable(body).transactional()) == alone

    # -- time
    async def test_a_timeout_rolls_back(self, db: Ommi) -> None:
        forever: Effect[None, Any] = Effect.from_awaitable(anyio.sleep_forever)
        await fails(db, tagged("a").bind(lambda _: forever).transactional(timeout=0.02), StatementTimeout)
        assert await names(db) == []

    async def test_the_time_of_a_transaction_includes_the_wait_for_others(self, db: Ommi) -> None:
        async with Ommi(Interposed(db.driver)) as other:

            async def meanwhile() -> None:
                with anyio.fail_after(10):
                    await fails(other, tagged("a").transactional(timeout=_little(db)), _in_the_way(db))

            await succeeds(db, tagged("a").bind(lambda _: Effect.from_awaitable(meanwhile)).transactional())
        assert await names(db) == ["a"]

    async def test_the_time_of_a_block_includes_the_wait_for_others(self, db: Ommi) -> None:
        async with Ommi(Interposed(db.driver)) as other, db.transaction() as tx:
            await tx.run(tagged("a"))
            with anyio.fail_after(10), pytest.raises(_in_the_way(db)):
                async with other.transaction(TransactionOptions(timeout=_little(db))) as late:
                    await late.run(tagged("a"))
        assert await names(db) == ["a"]


def _little(db: Ommi) -> float:
    """Seconds that are over before the other transaction is; where nothing waits, it is a conflict, however late."""
    return 0.02 if db.driver.capabilities.waits else 60


def _in_the_way(db: Ommi) -> type[DatabaseError]:
    """What becomes of a write in the way of which another transaction's is."""
    return StatementTimeout if db.driver.capabilities.waits else TransactionConflict
