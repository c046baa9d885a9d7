"""Doomed transactions (semantics §5): for every reason, nothing more runs, nothing inside sees it, all of it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from returns.result import Failure

from ommi.database import Ommi
from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import validate
from ommi.effects.schedule import Schedule
from ommi.errors import (
    ConnectionLost,
    DatabaseError,
    Deadlock,
    LockTimeout,
    OmmiError,
    SerializationConflict,
    StatementTimeout,
    TransactionConflict,
    UniqueViolation,
)
from ommi.testing.clock import FakeClock
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_savepoints
from ommi.testing.conformance.transactions import failing, names, tagged
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Tag
from ommi.testing.outcomes import fails, succeeds
from ommi.transactions import TransactionOptions

__all__ = ["Dooming"]

DOOMING: list[OmmiError] = [
    TransactionConflict("conflict"),
    SerializationConflict("conflict"),
    Deadlock("deadlock"),
    ConnectionLost("lost"),
    StatementTimeout("the database's own limit of time"),
]
REASONS = pytest.mark.parametrize("reason", [pytest.param(error, id=type(error).__name__) for error in DOOMING])
STATEMENTS: dict[str, Callable[[], Effect[Any, Any]]] = {
    "read": lambda: find(Tag).all(),
    "write": lambda: tagged("b"),
}
KINDS = pytest.mark.parametrize("kind", list(STATEMENTS))


class Dooming(DatabaseTests):
    """Every reason there is, in effects and in blocks."""

    # -- errors of a statement
    @REASONS
    @KINDS
    async def test_no_statement_runs_after_it(self, db: Ommi, reason: OmmiError, kind: str) -> None:
        part = STATEMENTS[kind]().lash(lambda _: tagged("c"))
        async with meeting(db, reason, "execute", 2) as (on, steps):
            await fails(on, tagged("a").bind(lambda _: part).lash(lambda _: tagged("d")).transactional(), type(reason))
        assert steps == ["begin", "execute", "execute", "rollback"]
        assert await names(db) == []

    @REASONS
    @KINDS
    @with_savepoints
    async def test_no_catch_inside_sees_it(self, db: Ommi, reason: OmmiError, kind: str) -> None:
        seen: list[Any] = []
        again = Schedule.recurs(3)

        def covered(effect: Effect[Any, Any]) -> Effect[Any, Any]:
            caught = (
                effect.lash(lambda e: noting(seen, e)) >> catch(DatabaseError)(lambda e: noting(seen, e))
            ).either()
            retried = caught.tap(lambda _: noting(seen, "either")).retry(again, on=DatabaseError).savepoint()
            return validate(retried.lash(lambda e: noting(seen, e)), noting(seen, "sibling")).swap().swap()

        async with meeting(db, reason, "execute", 2) as (on, steps):
            error = await fails(
                on, tagged("a").bind(lambda _: covered(STATEMENTS[kind]())).transactional(), type(reason)
            )
        assert (error, seen) == (reason, [])
        assert steps == ["begin", "execute", "savepoint", "execute", "rollback"]

    @REASONS
    async def test_catch_and_retry_around_the_outermost_see_it(self, db: Ommi, reason: OmmiError) -> None:
        program = tagged("a", "b").transactional()
        async with meeting(db, reason, "execute", 2) as (on, _):
            caught = program >> catch(DatabaseError)(Effect.from_value)
            assert await succeeds(on, caught) == reason
            assert await names(db) == []
        async with meeting(db, reason, "execute", 2) as (on, steps):
            await succeeds(on, program.retry(Schedule.recurs(1)))
        assert steps == ["begin", "execute", "execute", "rollback", "begin", "execute", "execute", "commit"]
        assert await names(db) == ["a", "b"]

    @REASONS
    @pytest.mark.parametrize("step", ["savepoint", "rollback_to", "release"])
    @with_savepoints
    async def test_met_at_a_savepoint_it_dooms_as_well(self, db: Ommi, reason: OmmiError, step: DriverStep) -> None:
        seen: list[Any] = []
        body = tagged("b") if step != "rollback_to" else tagged("b").bind(lambda _: failing())
        part = body.savepoint().lash(lambda error: noting(seen, error)).bind(lambda _: tagged("c"))
        async with meeting(db, reason, step, 1) as (on, steps):
            await fails(on, tagged("a").bind(lambda _: part).transactional(), type(reason))
        assert (seen, steps[-2:]) == ([], [step, "rollback"])
        assert await names(db) == []

    @REASONS
    @KINDS
    async def test_a_doomed_block_answers_with_the_error_and_leaving_raises_it(
        self, db: Ommi, reason: OmmiError, kind: str
    ) -> None:
        async with meeting(db, reason, "execute", 2) as (on, steps):
            with pytest.raises(type(reason)) as raised:
                async with on.transaction() as tx:
                    await tx.run(tagged("a"))
                    assert await tx.run(STATEMENTS[kind]()) == Failure(reason)
                    assert await tx.run(tagged("c").lash(lambda _: tagged("d"))) == Failure(reason)
                    assert await on.find(Tag).count() == Failure(reason)
                    with pytest.raises(type(reason)):
                        await tx.savepoint("late")
        assert raised.value == reason
        assert steps == ["begin", "execute", "execute", "rollback"]
        assert await names(db) == []

    @REASONS
    @with_savepoints
    async def test_met_in_a_nested_block_it_dooms_the_outermost(self, db: Ommi, reason: OmmiError) -> None:
        async with meeting(db, reason, "execute", 2) as (on, steps):
            with pytest.raises(type(reason)):
                async with on.transaction() as tx:
                    await tx.run(tagged("a"))
                    with pytest.raises(type(reason)):
                        async with tx.transaction() as inner:
                            await inner.run(tagged("b"))
                    assert await tx.run(tagged("c")) == Failure(reason)
        assert steps == ["begin", "execute", "savepoint", "execute", "rollback"]
        assert await names(db) == []

    @REASONS
    async def test_a_savepoint_of_a_block_that_meets_it_dooms_the_block(self, db: Ommi, reason: OmmiError) -> None:
        async with meeting(db, reason, "savepoint", 1) as (on, steps):
            with pytest.raises(type(reason)):
                async with on.transaction() as tx:
                    await tx.run(tagged("a"))
                    with pytest.raises(type(reason)):
                        await tx.savepoint("here")
                    assert await tx.run(tagged("b")) == Failure(reason)
        assert steps == ["begin", "execute", "savepoint", "rollback"]
        assert await names(db) == []

    async def test_a_nested_block_in_a_doomed_one_is_not_tried_again(self, db: Ommi) -> None:
        conflict, clock = SerializationConflict("conflict"), FakeClock()
        again = TransactionOptions(retry_on_conflict=True)

        async def meet(step: DriverStep) -> None:
            if step == "savepoint":
                raise conflict

        async with Ommi(Interposed(db.driver, before=meet), clock=clock) as on:
            with pytest.raises(SerializationConflict):
                async with on.transaction(again) as tx, tx.transaction(again):
                    pytest.fail("it has not begun")
        assert clock.pauses == []

    # -- what was stopped
    @KINDS
    async def test_a_statement_that_was_stopped_by_a_timeout(self, db: Ommi, kind: str) -> None:
        seen: list[Any] = []
        part = STATEMENTS[kind]().timeout(0.1).lash(lambda error: noting(seen, error)).bind(lambda _: tagged("c"))
        async with hanging(db, 2) as (on, steps):
            await fails(on, tagged("a").bind(lambda _: part).transactional(), StatementTimeout)
        assert (seen, steps) == ([], ["begin", "execute", "execute", "rollback"])
        assert await names(db) == []

    @KINDS
    async def test_a_statement_that_was_cancelled_in_a_block(self, db: Ommi, kind: str) -> None:
        async with hanging(db, 2) as (on, steps):
            with pytest.raises(StatementTimeout, match="was stopped before it had ended"):
                async with on.transaction() as tx:
                    await tx.run(tagged("a"))
                    with anyio.move_on_after(0.1):
                        await tx.run(STATEMENTS[kind]())
                    assert isinstance((await tx.run(tagged("c").lash(lambda _: tagged("d")))).failure(), DatabaseError)
        assert steps == ["begin", "execute", "execute", "rollback"]
        assert await names(db) == []

    async def test_an_unrecovered_write_error_in_a_block(self, db: Ommi) -> None:
        async with meeting(db, SerializationConflict("never met"), "execute", 99) as (on, steps):
            with pytest.raises(UniqueViolation):
                async with on.transaction() as tx:
                    await tx.run(tagged("a"))
                    failed = await tx.run(tagged("a"))
                    assert await tx.run(tagged("b").lash(lambda _: tagged("c"))) == failed
        assert steps == ["begin", "execute", "execute", "rollback"]
        assert await names(db) == []

    # -- what does not doom
    @KINDS
    async def test_a_lock_timeout_does_not(self, db: Ommi, kind: str) -> None:
        seen: list[Any] = []
        part = STATEMENTS[kind]().lash(lambda error: noting(seen, error)).bind(lambda _: tagged("c"))
        async with meeting(db, LockTimeout("locked"), "execute", 2) as (on, _):
            await succeeds(on, tagged("a").bind(lambda _: part).transactional())
        assert [type(error) for error in seen] == [LockTimeout]
        assert await names(db) == ["a", "c"]

    async def test_a_timeout_that_stopped_no_statement_does_not(self, db: Ommi) -> None:
        forever: Effect[Any, Any] = Effect.from_awaitable(anyio.sleep_forever)
        part = forever.timeout(0.01).lash(lambda _: tagged("b"))
        await succeeds(db, tagged("a").bind(lambda _: part).transactional())
        assert await names(db) == ["a", "b"]


@asynccontextmanager
async def meeting(
    db: Ommi, error: OmmiError, step: DriverStep, number: int
) -> AsyncIterator[tuple[Ommi, list[DriverStep]]]:
    """The database, which meets an error at the n-th step of a kind, and the steps of its driver."""
    steps: list[DriverStep] = []

    async def meet(found: DriverStep) -> None:
        steps.append(found)
        if found == step and steps.count(step) == number:
            raise error

    async with _hooked(db, meet) as on:
        yield on, steps


@asynccontextmanager
async def hanging(db: Ommi, number: int) -> AsyncIterator[tuple[Ommi, list[DriverStep]]]:
    """The database, whose n-th statement takes for ever, and the steps of its driver."""
    steps: list[DriverStep] = []

    async def hang(found: DriverStep) -> None:
        steps.append(found)
        if found == "execute" and steps.count(found) == number:
            await anyio.sleep_forever()

    async with Ommi(Interposed(db.driver, before=hang)) as on:
        yield on, steps


@asynccontextmanager
async def _hooked(db: Ommi, before: Callable[[DriverStep], Awaitable[None]]) -> AsyncIterator[Ommi]:
    async with Ommi(Interposed(db.driver, before=before), clock=FakeClock()) as on:
        yield on
