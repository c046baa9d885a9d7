"""Many tasks on one database, each stopped at some moment, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, final

import anyio
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import bracket, gather
from ommi.effects.operations import add, add_all
from ommi.errors import CommitUnknown, ConnectionLost, OmmiError, PoolTimeout, StatementTimeout, TransactionConflict
from ommi.testing.models import Tag
from ommi.testing.outcomes import succeeds
from ommi.transactions import IsolationLevel, TransactionOptions

__all__ = ["Aftermath", "storm"]

Work: TypeAlias = Callable[[Ommi, "Story"], Awaitable[Any]]
_AT_ONCE: Final = 100
_EXPECTED: Final = (TransactionConflict, PoolTimeout, StatementTimeout, ConnectionLost, CommitUnknown)


@final
@dataclass
class Story:
    """One task: what it is to write (all of it or nothing), how far it came, and how it was stopped."""

    number: int
    wanted: tuple[str, ...]
    begun: Counter[str] = field(default_factory=Counter)
    finalized: Counter[str] = field(default_factory=Counter)
    acknowledged: bool = False
    refused: BaseException | None = None
    stopped: bool = False
    saw_change: bool = False

    def begins(self, what: str) -> Effect[None, Any]:
        """Note that what has a finalizer has begun."""
        return Effect.from_value(None).map(lambda _: self.begun.update([what]))

    def ends(self, what: str) -> Effect[None, Any]:
        """Note that a finalizer has run."""
        return Effect.from_value(None).map(lambda _: self.finalized.update([what]))


@final
@dataclass(frozen=True)
class Aftermath:
    """How many tasks came to their end, were refused with a typed error, and were stopped."""

    tasks: int
    finished: int
    refused: int
    stopped: int
    rows: int


async def storm(db: Ommi, *, tasks: int, seed: int, native: bool = False) -> Aftermath:
    """Run so many tasks, each stopped at a random moment by a scope or a timeout, or (`native`) by `Task.cancel`.

    They read, write, and run transactions and blocks, on the tags of the suite's models, which are to be there.
    `AssertionError`, with the seed, where afterwards an acknowledged write is missing, half a transaction or a
    refused write is there, a finalizer ran twice or not at all, an error is none of those that may be, or the
    database does not begin a transaction at once. `native` needs asyncio.
    """
    chance = random.Random(seed)  # noqa: S311  # chance that repeats is what a test wants
    stories: list[Story] = []
    try:
        with anyio.fail_after(600):
            for first in range(0, tasks, _AT_ONCE):
                async with anyio.create_task_group() as group:
                    for number in range(first, min(first + _AT_ONCE, tasks)):
                        work, wanted = chance.choice(_WORKS)
                        story = Story(number, tuple(f"{number} {part}" for part in wanted))
                        stories.append(story)
                        stop = chance.choice([*_STOPS, _by_task] if native else _STOPS)
                        group.start_soon(stop, work, db, story, random.Random(chance.random()))  # noqa: S311
        with anyio.fail_after(10):
            there = {tag.name for tag in await succeeds(db, find(Tag).all().transactional())}
            more = add(Tag("after")).bind(lambda _: find(Tag, Tag.name == "after").delete())
            assert await succeeds(db, more.transactional()) == 1
        for story in stories:
            _check(story, there)
        strangers = there.difference(name for story in stories for name in story.wanted)
        assert not strangers, f"rows that nobody was to write: {sorted(strangers)}"
    except Exception as error:
        error.add_note(f"a storm of {tasks} tasks, seed={seed}")
        raise
    return Aftermath(
        tasks,
        sum(story.acknowledged for story in stories),
        sum(story.refused is not None for story in stories),
        sum(story.stopped for story in stories),
        len(there),
    )


def _check(story: Story, there: set[str]) -> None:
    kept = [name in there for name in story.wanted]
    assert all(kept) or not any(kept), f"half of it is there: {story}"
    assert all(kept) or not story.acknowledged, f"an acknowledged write is lost: {story}"
    if story.refused is not None:
        assert isinstance(story.refused, _EXPECTED), f"refused with an unexpected error: {story}"
        assert not any(kept) or isinstance(story.refused, CommitUnknown), f"a refused write is there: {story}"
    assert story.begun == story.finalized, f"finalizers did not run exactly once: {story}"
    assert not story.saw_change, f"a transaction that only reads saw rows come or go: {story}"
    assert story.acknowledged or story.stopped or story.refused is not None, f"it never ended: {story}"


# -- what tasks do


async def _transaction(db: Ommi, story: Story) -> Any:
    one, two = story.wanted
    body = add(Tag(one)).bind(lambda _: find(Tag).count()).bind(lambda _: add(Tag(two)))
    return await db.run(story.begins("body").bind(lambda _: body.ensure(story.ends("body"))).transactional())


async def _savepoints(db: Ommi, story: Story) -> Any:
    one, two = story.wanted
    undone = add(Tag(f"{story.number} undone")).bind(lambda _: Effect.from_failure("no")).savepoint().either()
    held = bracket(story.begins("held"), lambda _: add(Tag(two)), lambda _: story.ends("held"))
    if not db.driver.capabilities.savepoints:
        return await db.run(add(Tag(one)).bind(lambda _: held.transactional(flatten=True)).transactional())
    return await db.run(add(Tag(one)).bind(lambda _: undone).bind(lambda _: held.savepoint()).transactional())


async def _block(db: Ommi, story: Story) -> Any:
    one, two = story.wanted
    joined = TransactionOptions(flatten=not db.driver.capabilities.savepoints)
    async with db.transaction() as tx:
        await tx.add(Tag(one)).value
        async with tx.transaction(joined) as nested:
            await nested.add(Tag(two)).value
    return Success(None)


async def _write(db: Ommi, story: Story) -> Any:
    return await db.run(add(Tag(story.wanted[0])))


async def _rows(db: Ommi, story: Story) -> Any:
    return await db.run(add_all([Tag(name) for name in story.wanted]))


async def _timed(db: Ommi, story: Story) -> Any:
    one, two = story.wanted
    seconds = (story.number % 20) / 1000
    body = add(Tag(one)).bind(lambda _: find(Tag).count()).bind(lambda _: add(Tag(two)))
    return await db.run(body.transactional(timeout=seconds))


async def _timed_write(db: Ommi, story: Story) -> Any:
    return await db.run(add(Tag(story.wanted[0])).timeout((story.number % 20) / 2000))


async def _read(db: Ommi, story: Story) -> Any:
    return await db.run(story.begins("read").bind(lambda _: find(Tag).all().ensure(story.ends("read"))))


async def _reads_at_once(db: Ommi, _: Story) -> Any:
    return await db.run(gather(find(Tag).count(), find(Tag).all(), find(Tag).exists()))


async def _snapshot(db: Ommi, story: Story) -> Any:
    async with db.transaction(TransactionOptions(IsolationLevel.REPEATABLE_READ, read_only=True)) as tx:
        first = await tx.find(Tag).count().value
        story.saw_change = await tx.find(Tag).count().value != first
    return Success(None)


_WORKS: Final[tuple[tuple[Work, str], ...]] = (
    (_transaction, "ab"),
    (_savepoints, "ab"),
    (_block, "ab"),
    (_timed, "ab"),
    (_rows, "abc"),
    (_write, "a"),
    (_timed_write, "a"),
    (_read, ""),
    (_reads_at_once, ""),
    (_snapshot, ""),
)


# -- how they are stopped


async def _tell(work: Work, db: Ommi, story: Story) -> None:
    try:
        outcome = await work(db, story)
    except OmmiError as error:  # what leaves a block
        story.refused = error
        return
    if isinstance(outcome, Failure):
        story.refused = outcome.failure()
    else:
        story.acknowledged = True


async def _not(work: Work, db: Ommi, story: Story, _: random.Random) -> None:
    await _tell(work, db, story)


async def _by_scope(work: Work, db: Ommi, story: Story, chance: random.Random) -> None:
    with CancelScope() as scope:
        async with anyio.create_task_group() as group:

            async def stop() -> None:
                for _ in range(chance.randrange(200)):
                    await checkpoint()
                scope.cancel()

            group.start_soon(stop)
            await _tell(work, db, story)
            group.cancel_scope.cancel()
    story.stopped = not story.acknowledged and story.refused is None


async def _by_time(work: Work, db: Ommi, story: Story, chance: random.Random) -> None:
    with anyio.move_on_after(chance.random() * 0.1):
        await _tell(work, db, story)
    story.stopped = not story.acknowledged and story.refused is None


async def _by_task(work: Work, db: Ommi, story: Story, chance: random.Random) -> None:
    task = asyncio.ensure_future(_tell(work, db, story))
    for _ in range(chance.randrange(200)):
        await checkpoint()
    for _ in range(chance.choice([1, 1, 2, 3])):
        task.cancel()
        await checkpoint()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()
    story.stopped = not story.acknowledged and story.refused is None


_STOPS: Final = (_not, _by_scope, _by_scope, _by_time)
