"""Retry, timeouts, finalizers, and cancellation at every step (semantics §6, §7)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

import anyio
import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from returns.result import Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import bracket, gather, sleep
from ommi.effects.operations import add, add_all
from ommi.effects.program import Prog, effect
from ommi.effects.schedule import Schedule
from ommi.errors import LockTimeout, SerializationConflict, StatementTimeout, Unavailable, UniqueViolation
from ommi.query.expressions import col
from ommi.testing.clock import FakeClock
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.transactions import Mishap, failing, names, tagged
from ommi.testing.conformance.waiting import Bell, cancelling
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Account, Player, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Resources"]

ENDINGS: list[tuple[str, Effect[Any, Any]]] = [
    ("success", Effect.from_value(1)),
    ("failure", failing()),
    ("defect", Effect.from_value(0).map(lambda zero: 1 // zero)),
    ("violation", tagged("twice", "twice")),
]


@effect
def long_program(savepoints: bool) -> Prog[int, Any]:
    """Transactions in and out of each other, writes of all kinds, several at once: many steps to be cancelled at."""
    yield from add(Account(1, "Ada", 100))
    yield from transfer(savepoints).transactional()
    yield from gather(add(Tag("x")).transactional(), find(Account).all(), add_all([Tag("y"), Tag("z")]))
    yield from find(Tag, Tag.name == "x").delete()
    return (yield from find(Account).count().transactional(read_only=True))


@effect
def transfer(savepoints: bool) -> Prog[None, Any]:
    """Two writes that belong together, with a savepoint between them that is undone."""
    balance = col(Account.balance)
    yield from find(Account, Account.id == 1).update(balance=balance - 30)
    if savepoints:
        yield from tagged("lost").bind(lambda _: failing()).savepoint().lash(lambda _: Effect.from_value(None))
    yield from gather(find(Account).count(), tagged("kept").transactional(flatten=not savepoints))
    yield from add(Account(2, "Bob", 30))


async def require_whole(db: Ommi) -> None:
    """What the program did is there as a whole, transaction by transaction."""
    accounts = {account.id: account.balance for account in await succeeds(db, find(Account).all())}
    assert accounts in ({}, {1: 100}, {1: 70, 2: 30})
    found = await names(db)
    assert "lost" not in found
    assert ("kept" in found) is (2 in accounts)
    assert ("y" in found) is ("z" in found)


class Resources(DatabaseTests):
    """What is undone, what is done again, and what is always done."""

    # -- retry
    async def test_retry_after_conflicts_on_a_fake_clock(self, db: Ommi) -> None:
        clock = FakeClock()
        schedule = Schedule.exponential(0.05).up_to(5)
        for step in ("begin", "execute", "commit"):
            conflicts = iter([SerializationConflict("1"), LockTimeout("2"), Unavailable("3")])

            async def disturb(found: DriverStep, step: str = step, conflicts: Any = conflicts) -> None:
                if found == step and (error := next(conflicts, None)) is not None:
                    raise error

            clock.pauses.clear()
            async with Ommi(Interposed(db.driver, before=disturb), clock=clock) as disturbed:
                await succeeds(disturbed, tagged(step).transactional().retry(schedule))
            assert clock.pauses == [0.05, 0.1, 0.2]
        assert await names(db) == ["begin", "commit", "execute"]

    async def test_retry_ends_with_the_last_failure(self, db: Ommi) -> None:
        clock, runs = FakeClock(), list[Any]()
        program = noting(runs, 1).bind(lambda _: failing(SerializationConflict(f"try {len(runs)}")))
        async with Ommi(Interposed(db.driver), clock=clock) as faked:
            error = await fails(faked, program.retry(Schedule.fixed(2.0).up_to(3)), SerializationConflict)
        assert error.message == "try 4"
        assert clock.pauses == [2.0, 2.0, 2.0]

    async def test_retry_leaves_other_failures_alone(self, db: Ommi) -> None:
        runs: list[Any] = []
        await succeeds(db, tagged("a"))
        again = Schedule.recurs(3)
        await fails(db, noting(runs, 1).bind(lambda _: add(Tag("a"))).retry(again), UniqueViolation)
        assert len(runs) == 1
        await fails(
            db, noting(runs, 1).bind(lambda _: add(Tag("a"))).retry(again, on=(UniqueViolation,)), UniqueViolation
        )
        assert len(runs) == 5

    async def test_retry_around_a_transaction_begins_it_anew(self, db: Ommi) -> None:
        errors = iter([Mishap("1"), Mishap("2")])
        program = tagged("a").bind(lambda _: failing(e) if (e := next(errors, None)) else Effect.from_value("done"))
        assert await succeeds(db, program.transactional().retry(Schedule.recurs(2), on=Mishap)) == "done"
        assert await names(db) == ["a"]

    # -- time
    async def test_a_timeout_stops_what_takes_too_long(self, db: Ommi) -> None:
        bell = Bell()
        async with Ommi(Interposed(db.driver), clock=bell) as rung:
            forever: Effect[None, Any] = Effect.from_awaitable(bell.ring)
            await fails(rung, tagged("a").bind(lambda _: forever).timeout(1), StatementTimeout)
        assert await names(db) == ["a"]

    async def test_a_timeout_that_is_not_reached_changes_nothing(self, db: Ommi) -> None:
        assert await succeeds(db, tagged("a").bind(lambda _: find(Tag).count()).timeout(60)) == 1
        await fails(db, failing().timeout(60), Mishap)
        assert await succeeds(db, tagged("b").transactional(timeout=60)) == Tag("b")

    async def test_sleep_goes_by_the_clock(self, db: Ommi) -> None:
        clock = FakeClock()
        async with Ommi(Interposed(db.driver), clock=clock) as faked:
            await succeeds(faked, sleep(3600).bind(lambda _: tagged("a")))
        assert clock.now() == 3600

    # -- finalizers
    @pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in ENDINGS])
    async def test_ensure_runs_exactly_once(self, db: Ommi, body: Effect[Any, Any]) -> None:
        for effect_ in (body, body.transactional()):
            log: list[Any] = []
            with _defects():
                await db.run(effect_.ensure(noting(log, 1)))
            assert log == [1]

    @pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in ENDINGS])
    async def test_bracket_releases_exactly_once(self, db: Ommi, body: Effect[Any, Any]) -> None:
        log: list[Any] = []
        acquire = noting(log, "acquired").map(lambda _: "it")
        with _defects():
            await db.run(bracket(acquire, lambda _: body, lambda it: noting(log, f"released {it}")))
        assert log == ["acquired", "released it"]

    async def test_bracket_releases_nothing_that_was_not_acquired(self, db: Ommi) -> None:
        log: list[Any] = []
        await fails(db, bracket(failing(), lambda _: tagged("a"), lambda _: noting(log, 1)), Mishap)
        assert log == []

    async def test_finalizers_run_in_a_cancelled_program_and_can_use_the_database(self, db: Ommi) -> None:
        log: list[Any] = []
        cleanup = tagged("clean").bind(lambda _: noting(log, 1)).lash(lambda error: noting(log, error))
        with CancelScope() as scope:
            forever: Effect[None, Any] = Effect.from_awaitable(cancelling(scope))
            await db.run(tagged("a").bind(lambda _: forever).transactional().ensure(cleanup))
        assert log == [1]
        assert await names(db) == ["clean"]

    async def test_a_bracket_that_is_cancelled_releases_exactly_once_and_can_use_the_database(self, db: Ommi) -> None:
        log: list[Any] = []
        release = tagged("released").bind(lambda _: noting(log, 1)).lash(lambda error: noting(log, error))
        with CancelScope() as scope:
            forever: Effect[None, Any] = Effect.from_awaitable(cancelling(scope))
            await db.run(bracket(tagged("acquired"), lambda _: forever, lambda _: release))
        assert log == [1]
        assert await names(db) == ["acquired", "released"]

    async def test_finalizers_run_from_the_inside_out(self, db: Ommi) -> None:
        log: list[Any] = []
        await fails(db, failing().ensure(noting(log, 1)).transactional().ensure(noting(log, 2)), Mishap)
        assert log == [1, 2]

    # -- cancellation
    async def test_the_program_that_is_cancelled_below_succeeds_when_it_is_not(self, db: Ommi) -> None:
        assert await succeeds(db, long_program(db.driver.capabilities.savepoints)) == 2
        await require_whole(db)
        assert await names(db) == ["kept", "y", "z"]

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_cancelled_at_each_step_it_leaves_nothing_half_done(self, db: Ommi, when: str) -> None:
        number, reached = 0, True
        while reached:
            number += 1
            reached = await _cancelled_at(db, when, number)
            await require_whole(db)
            await _clean(db)
        assert number > (20 if db.driver.capabilities.savepoints else 15)

    async def test_cancelled_at_each_turn_of_the_event_loop_it_leaves_nothing_half_done(self, db: Ommi) -> None:
        turn, finished, runs = 0, False, 0
        while not finished:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_later, group.cancel_scope, turn)
                finished = isinstance(await db.run(long_program(db.driver.capabilities.savepoints)), Success)
                assert finished
                group.cancel_scope.cancel()
            await require_whole(db)
            await _clean(db)
            runs += 1
            turn += 1 if turn < 40 else turn // 4
        assert runs > 5

    async def test_after_cancellations_everything_is_free_again(self, db: Ommi) -> None:
        for turn in range(30):
            async with anyio.create_task_group() as group:
                for number in range(6):
                    group.start_soon(db.run, add(Player(f"{turn}-{number}")).transactional())
                    group.start_soon(db.run, find(Player).count())
                await _cancel_later(group.cancel_scope, turn)
        await succeeds(db, gather(*(tagged(str(n)).transactional() for n in range(20))))
        assert len(await names(db)) == 20


async def _clean(db: Ommi) -> None:
    await succeeds(db, find(Account).everything().delete())
    await succeeds(db, find(Tag).everything().delete())


async def _cancel_later(scope: CancelScope, turns: int) -> None:
    for _ in range(turns):
        await checkpoint()
    scope.cancel()


async def _cancelled_at(db: Ommi, when: str, number: int) -> bool:
    """Cancel the program at a step of the driver; whether there was such a step."""
    met = 0

    async def hook(_: DriverStep) -> None:
        nonlocal met
        met += 1
        if met == number:
            scope.cancel()

    hooks: dict[str, Callable[[DriverStep], Awaitable[None]]] = {when: hook}
    with CancelScope() as scope:
        async with Ommi(Interposed(db.driver, **hooks)) as disturbed:
            outcome = await disturbed.run(long_program(db.driver.capabilities.savepoints))
            assert isinstance(outcome, Success), outcome
    return met >= number


def _defects() -> AbstractContextManager[None]:
    """Let the one defect of `ENDINGS` pass."""
    return suppress(ZeroDivisionError)
