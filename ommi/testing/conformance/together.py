"""Several effects at once, many tasks at once, and what they see of each other (semantics §5, §8)."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather, race, traverse, validate
from ommi.effects.operations import add
from ommi.effects.program import Prog, effect
from ommi.effects.schedule import Schedule
from ommi.errors import UniqueViolation
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.transactions import Mishap, failing, names, tagged
from ommi.testing.models import Account, Player, Tag
from ommi.testing.outcomes import fails, succeeds
from ommi.transactions import IsolationLevel

__all__ = ["Together"]

balance = col(Account.balance)
TASKS = 50
_AGAIN = Schedule.exponential(0.001).capped(0.05).jittered()
"""Until it succeeds: where writers do not queue, all but one of those that meet have to try again."""


async def turns(number: int = 5) -> None:
    """Let other tasks run."""
    for _ in range(number):
        await checkpoint()


class Together(DatabaseTests):
    """Concurrency in one program and between programs."""

    # -- in one program
    async def test_gather_gives_the_values_in_order(self, db: Ommi) -> None:
        one, other, count = await succeeds(db, gather(add(Tag("a")), add(Tag("b")), Effect.from_value(3)))
        assert (one, other, count) == (Tag("a"), Tag("b"), 3)
        assert await names(db) == ["a", "b"]

    async def test_gather_of_nothing(self, db: Ommi) -> None:
        assert await succeeds(db, gather()) == ()

    async def test_gather_runs_many(self, db: Ommi) -> None:
        added = await succeeds(db, gather(*(add(Player(f"p{n}")) for n in range(TASKS))))
        assert [player.name for player in added] == [f"p{n}" for n in range(TASKS)]
        assert len({player.id for player in added}) == TASKS

    async def test_gather_with_a_limit(self, db: Ommi) -> None:
        running, most = 0, 0

        async def work() -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await turns()
            running -= 1

        await succeeds(db, gather(*(Effect.from_awaitable(work) for _ in range(9)), limit=3))
        assert most == 3

    async def test_a_failure_cancels_the_siblings(self, db: Ommi) -> None:
        ended: list[str] = []

        async def forever() -> None:
            try:
                await anyio.sleep_forever()
            finally:
                ended.append("sibling")

        error = await fails(db, gather(Effect.from_awaitable(forever), tagged("a").bind(lambda _: failing())), Mishap)
        assert str(error) == "no"
        assert ended == ["sibling"]
        assert await names(db) == ["a"]

    async def test_the_first_failure_by_position_is_the_answer(self, db: Ommi) -> None:
        one, other = Mishap("one"), Mishap("other")
        assert await fails(db, gather(failing(one), failing(other)), Mishap) is one

    async def test_a_defect_among_siblings_is_raised(self, db: Ommi) -> None:
        defect: Effect[Any, Any] = tagged("a").map(lambda _: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await db.run(gather(defect, Effect.from_awaitable(anyio.sleep_forever)))

    async def test_traverse(self, db: Ommi) -> None:
        added = await succeeds(db, traverse(["a", "b", "c"], lambda name: add(Tag(name))))
        assert added == [Tag("a"), Tag("b"), Tag("c")]

    async def test_validate_collects_all_errors(self, db: Ommi) -> None:
        await succeeds(db, tagged("a"))
        errors = await fails(db, validate(add(Tag("a")), add(Tag("b")), failing()), tuple)  # type: ignore[type-var]
        assert [type(error) for error in errors] == [UniqueViolation, Mishap]
        assert await names(db) == ["a", "b"]
        assert await succeeds(db, validate(add(Tag("c")), Effect.from_value(1))) == (Tag("c"), 1)

    async def test_race_gives_the_first_and_cancels_the_others(self, db: Ommi) -> None:
        forever: Effect[None, Any] = Effect.from_awaitable(anyio.sleep_forever)
        loser = tagged("a").bind(lambda _: forever).transactional()
        assert await succeeds(db, race(loser, Effect.from_awaitable(turns).map(lambda _: "won"))) == "won"
        assert await names(db) == []
        await fails(db, race(forever, failing()), Mishap)

    async def test_transactions_at_once_are_transactions_of_their_own(self, db: Ommi) -> None:
        def part(number: int) -> Effect[Any, Any]:
            whole = tagged(f"{number}a", f"{number}b")
            return (whole.bind(lambda _: failing()) if number % 2 else whole).transactional().either()

        await succeeds(db, traverse(range(10), part))
        assert await names(db) == sorted(f"{n}{c}" for n in range(0, 10, 2) for c in "ab")

    # -- between programs
    async def test_many_tasks_lose_no_update(self, db: Ommi) -> None:
        await succeeds(db, add(Account(1, "Ada")))

        async def deposit() -> None:
            await succeeds(db, find(Account, Account.id == 1).update(balance=balance + 1))

        async with anyio.create_task_group() as group:
            for _ in range(TASKS):
                group.start_soon(deposit)
        assert (await succeeds(db, find(Account).one())).balance == TASKS

    async def test_many_transactions_at_once(self, db: Ommi) -> None:
        await succeeds(db, add(Account(1, "Ada", 100)).bind(lambda _: add(Account(2, "Bob", 100))))

        @effect
        def transfer(amount: int) -> Prog[int, Any]:
            yield from find(Account, Account.id == 1).update(balance=balance - amount)
            yield from find(Account, Account.id == 2).update(balance=balance + amount)
            found = yield from find(Account).select(balance).all()
            return sum(value for (value,) in found)

        sums: list[int] = []

        async def work(amount: int) -> None:
            whole = transfer(amount).transactional(isolation=_strongest(db))
            sums.append(await succeeds(db, whole.retry(_AGAIN)))

        async with anyio.create_task_group() as group:
            for number in range(TASKS):
                group.start_soon(work, 1 if number % 2 else -1)
        assert sums == [200] * TASKS
        assert [found.balance for found in await succeeds(db, find(Account).all())] == [100, 100]

    async def test_uncommitted_rows_are_seen_by_nobody_else(self, db: Ommi) -> None:
        written, ended = anyio.Event(), anyio.Event()
        seen: list[int] = []

        async def look() -> None:
            await written.wait()
            while not ended.is_set():
                seen.append(await succeeds(db, find(Tag).count()))
                await checkpoint()

        async def meanwhile() -> None:
            written.set()
            await turns(30)

        program = tagged("a", "b").bind(lambda _: Effect.from_awaitable(meanwhile)).bind(lambda _: failing())
        async with anyio.create_task_group() as group:
            group.start_soon(look)
            await checkpoint()
            await fails(db, program.transactional(), Mishap)
            await turns(30)
            ended.set()
        assert set(seen) == {0}

    async def test_a_transaction_sees_the_same_rows_again(self, db: Ommi) -> None:
        if db.driver.capabilities.isolation < IsolationLevel.REPEATABLE_READ:
            await fails(db, find(Tag).count().transactional(isolation=IsolationLevel.REPEATABLE_READ), Exception)
            return
        began = anyio.Event()

        async def write() -> None:
            await began.wait()
            await succeeds(db, tagged("a"))

        async def meanwhile() -> None:
            began.set()
            await turns(30)

        count = find(Tag).count()
        program = count.bind(
            lambda first: Effect.from_awaitable(meanwhile).bind(lambda _: count.map(lambda n: (first, n)))
        )
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await checkpoint()
            seen = await succeeds(db, program.transactional(isolation=IsolationLevel.REPEATABLE_READ, read_only=True))
        assert seen == (0, 0)
        assert await names(db) == ["a"]

    async def test_a_cancelled_task_does_not_hold_up_the_others(self, db: Ommi) -> None:
        forever: Effect[None, Any] = Effect.from_awaitable(anyio.sleep_forever)
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(db.run, tagged(str(number)).bind(lambda _: forever).transactional())
            await turns()
            group.cancel_scope.cancel()
        await succeeds(db, tagged("a").transactional())
        assert await names(db) == ["a"]


def _strongest(db: Ommi) -> IsolationLevel:
    return db.driver.capabilities.isolation
