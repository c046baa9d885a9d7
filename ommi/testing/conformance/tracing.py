"""`run(…, trace=True)`: what a run asked its database, whatever way it came out."""

from __future__ import annotations

from typing import Any

import pytest
from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather, traverse
from ommi.effects.operations import add, add_all, upsert
from ommi.errors import UniqueViolation
from ommi.query.expressions import col
from ommi.runtime.trace import Trace
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.lacking import with_savepoints
from ommi.testing.conformance.transactions import Mishap, failing, names
from ommi.testing.models import Account, Tag
from ommi.testing.outcomes import succeeds

__all__ = ["Tracing"]


def kinds(trace: Trace) -> list[str]:
    """The steps, statements by the word of the operation."""
    return [step.kind if step.kind != "statement" else step.operations[0].text.split("(")[0] for step in trace.steps]


class Tracing(DatabaseTests):
    """The trace of a run."""

    async def test_a_trace_has_the_outcome_and_the_steps(self, db: Ommi) -> None:
        traced = await db.run(add_all([Tag("a"), Tag("b")]).bind(lambda _: find(Tag).all()), trace=True)
        assert traced.outcome == Success([Tag("a"), Tag("b")])
        assert kinds(traced.trace) == ["add_all", "find"]
        assert traced.trace.statements == 2
        assert [step.rows for step in traced.trace.steps] == [2, 2]
        assert [step.operations[0].models for step in traced.trace.steps] == [(Tag,), (Tag,)]
        assert {step.transaction for step in traced.trace.steps} == {None}
        assert traced.trace.trips >= 2
        assert all(step.seconds > 0 for step in traced.trace.steps)

    async def test_a_trace_of_nothing(self, db: Ommi) -> None:
        traced = await db.run(Effect.from_value(3), trace=True)
        assert (traced.outcome, traced.trace) == (Success(3), Trace())
        assert str(traced.trace) == "0 statements in 0 trips"

    @with_savepoints
    async def test_a_trace_of_transactions_and_savepoints(self, db: Ommi) -> None:
        inner = add(Tag("b")).bind(lambda _: failing(Mishap("no"))).savepoint()
        program = gather(add(Tag("a")), inner.lash(lambda _: Effect.from_value(None))).transactional()
        traced = await db.run(program.bind(lambda _: add(Tag("c")).transactional()), trace=True)
        assert isinstance(traced.outcome, Success)
        steps = [step for step in traced.trace.steps if step.kind != "statement"]
        expected = ["begin", "savepoint", "rollback to", "release", "commit", "begin", "commit"]
        assert [step.kind for step in steps] == expected
        assert [step.transaction for step in steps] == [1, 1, 1, 1, 1, 2, 2]
        assert len({step.savepoint for step in steps[1:4]}) == 1
        assert traced.trace.statements == 3
        assert await names(db) == ["a", "c"]

    async def test_a_trace_of_a_failure_tells_which_step_failed(self, db: Ommi) -> None:
        program = gather(add(Tag("a")), add(Tag("a"))).transactional()
        traced = await db.run(program, trace=True)
        assert isinstance(traced.outcome, Failure)
        assert isinstance(traced.outcome.failure(), UniqueViolation)
        assert [step.error for step in traced.trace.steps if step.error is not None] == [UniqueViolation]
        assert traced.trace.steps[-1].kind == "rollback"
        assert await names(db) == []

    async def test_a_batched_read_is_one_statement_for_its_members(self, db: Ommi) -> None:
        await succeeds(db, add_all([Account(n, "x") for n in range(5)]))
        reads = traverse(range(5), lambda n: find(Account, col(Account.id) == n).one())
        traced = await db.run(reads, trace=True)
        assert isinstance(traced.outcome, Success)
        (step,) = traced.trace.steps
        assert len(step.operations) == 5
        assert step.rows == 5
        assert "and 4 more" in str(traced.trace)

    async def test_values_are_not_in_a_trace(self, db: Ommi) -> None:
        program = upsert(Tag("s3cret")).bind(lambda _: find(Tag, col(Tag.name) == "s3cret").update(name="s3cret2"))
        traced = await db.run(program.bind(lambda _: add(Tag("s3cret2"))), trace=True)
        assert isinstance(traced.outcome, Failure)
        assert "s3cret" not in str(traced.trace)
        assert "s3cret" not in repr(traced.trace)

    async def test_runs_that_join_are_in_the_trace(self, db: Ommi) -> None:
        joined: Effect[Any, Any] = Effect.from_awaitable(lambda: db.run(add(Tag("b"))))
        traced = await db.run(gather(add(Tag("a")), joined).transactional(), trace=True)
        assert traced.trace.statements == 2
        assert {step.transaction for step in traced.trace.steps} == {1}
        assert await names(db) == ["a", "b"]

    @with_savepoints
    async def test_a_run_in_a_block_can_be_traced(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            traced = await tx.run(add(Tag("a")), trace=True)
            again = await db.run(add(Tag("b")).savepoint(), trace=True)
            await tx.run(add(Tag("c")))
        assert kinds(traced.trace) == ["add"]
        assert kinds(again.trace) == ["savepoint", "add", "release"]
        assert await names(db) == ["a", "b", "c"]

    async def test_a_traced_run_means_what_it_means_untraced(self, db: Ommi) -> None:
        tag = Tag("a")
        program = add(tag).bind(lambda _: find(Tag).one()).transactional()
        assert (await db.run(program, trace=True)).outcome == Success(Tag("a"))
        with pytest.raises(ZeroDivisionError):
            await db.run(add(Tag("b")).map(lambda _: 1 // 0).transactional(), trace=True)
        assert await names(db) == ["a"]
