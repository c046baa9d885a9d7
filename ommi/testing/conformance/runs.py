"""Effects that take turns in a transaction: what they ask for may go together, and means what it means one by one."""

from __future__ import annotations

from typing import Any

from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather, traverse, validate
from ommi.effects.operations import add, save
from ommi.errors import UniqueViolation
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.lacking import with_recovery
from ommi.testing.conformance.transactions import names
from ommi.testing.models import Page, Player, Tag

__all__ = ["Runs"]


class Runs(DatabaseTests):
    """Writes of a `gather` in a transaction."""

    async def test_reads_behind_writes_see_them(self, db: Ommi) -> None:
        program = gather(add(Tag("a")), find(Tag).count(), add(Tag("b")), find(Tag).count().map(str)).transactional()
        traced = await db.run(program, trace=True)
        assert traced.outcome == Success((Tag("a"), 1, Tag("b"), "2"))

    @with_recovery
    async def test_what_follows_a_failure_was_not_made(self, db: Ommi) -> None:
        doubled = gather(add(Tag("a")), add(Tag("a")), add(Tag("b"))) >> catch(UniqueViolation)(lambda _: add(Tag("c")))
        assert isinstance(await db.run(doubled.transactional()), Success)
        assert await names(db) == ["a", "c"]

    async def test_what_may_fail_by_its_answer_is_the_last_of_a_run(self, db: Ommi) -> None:
        absent = gather(add(Tag("a")), save(Page("x", 0, 99)), add(Tag("b"))).either()
        assert isinstance((await db.run(absent.transactional())).unwrap(), Failure)
        assert await names(db) == ["a"]

    @with_recovery
    async def test_all_of_a_validation_are_tried(self, db: Ommi) -> None:
        program = validate(*(add(Tag(name)) for name in "abacb")).either().bind(lambda _: find(Tag).count())
        assert await db.run(program.transactional()) == Success(3)

    async def test_a_program_that_goes_on_keeps_its_turn(self, db: Ommi) -> None:
        seen: list[int] = []
        first = add(Tag("a")).bind(lambda _: find(Tag).count()).map(seen.append)
        assert isinstance(await db.run(gather(first, add(Tag("b")), add(Tag("c"))).transactional()), Success)
        assert seen == [1]

    async def test_functions_see_what_was_done_before_them(self, db: Ommi) -> None:
        done: list[str] = []

        def step(name: str) -> Effect[Any, Any]:
            before = len(done)
            return add(Tag(f"{name}{before}")).map(lambda tag: done.append(tag.name))

        await db.run(traverse("xyz", step).transactional())
        assert await names(db) == ["x0", "y1", "z2"]

    async def test_instances_of_a_run_are_filled_in_after_the_commit(self, db: Ommi) -> None:
        players = [Player(f"p{n}") for n in range(5)]
        failed = traverse([*players, Player("p9", age=-1)], add).transactional()
        assert isinstance(await db.run(failed), Failure)
        assert {player.id for player in players} == {None}
        added = (await db.run(traverse(players, add).transactional())).unwrap()
        assert added == players
