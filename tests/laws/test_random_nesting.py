"""Random nested programs and blocks, disturbed at random steps: every database does what the memory driver does."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, note, settings

from ommi import Effect, Ommi, add, find
from ommi.drivers.driver import Driver
from ommi.drivers.memory import MemoryDriver
from ommi.drivers.postgres import PostgresDriver
from ommi.drivers.sqlite import SQLiteDriver
from ommi.testing import succeeds
from ommi.testing.blocks import Block, blocks, play
from ommi.testing.comparison import answer, tables
from ommi.testing.disturbances import Disturbance, Intention, disturb, intentions, planned
from ommi.testing.models import Tag, suite_models
from ommi.testing.programs import MODELS, UNKEYED, in_turn, library, long_programs, programs

pytestmark = pytest.mark.soak

EXAMPLES = settings.default.max_examples if settings.default else 100
QUARTER = settings(max_examples=max(EXAMPLES // 4, 25))  # there are six pairs
EACH = settings(max_examples=EXAMPLES // 2) if EXAMPLES > 1_000 else QUARTER  # all of them, on a file and in memory
BEGINNING = in_turn(*(find(model).everything().delete() for model in MODELS), library()).transactional()


@dataclass
class Pair:
    """The database that defines what is right, and the one compared with it, behind one event loop."""

    portal: BlockingPortal
    memory: Ommi
    other: Ommi

    def agree(
        self, action: Callable[[Ommi], Awaitable[Any]], intended: tuple[Intention, ...] = (), *, in_order: bool = True
    ) -> None:
        """Do the same on both, from the same rows, and compare what it gave, the rows, and the steps taken.

        `in_order`: one step is under way at a time, so that their order is the same.
        """
        self.portal.call(self._agree, action, intended, in_order)

    async def _agree(
        self, action: Callable[[Ommi], Awaitable[Any]], intended: tuple[Intention, ...], in_order: bool
    ) -> None:
        ended = []
        disturbances: tuple[Disturbance, ...] = ()
        if intended:
            await succeeds(self.memory, BEGINNING)
            disturbances = planned(intended, (await disturb(self.memory, action))[1])
        for db in (self.memory, self.other):
            await succeeds(db, BEGINNING)
            given, steps = await disturb(db, action, disturbances)
            ended.append((given, await tables(db, MODELS, unkeyed=UNKEYED), steps if in_order else []))
            await succeeds(db, add(Tag("free")).bind(lambda _: find(Tag).everything().delete()).transactional())
        expected, found = ended
        assert found == expected, disturbances


@asynccontextmanager
async def with_tables(db: Ommi) -> AsyncIterator[Ommi]:
    async with db:
        await succeeds(db, db.schema.create(suite_models))
        yield db


@pytest.fixture(
    scope="module",
    params=["memory-asyncio", "memory-trio", "file-asyncio", "file-trio", "postgres-asyncio", "postgres-trio"],
)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    kind, backend = request.param.split("-")
    path = tmp_path_factory.mktemp("nesting") / "nesting.db" if kind == "file" else None
    driver: Driver = (
        sqlite(path)
        if kind != "postgres"
        else PostgresDriver(request.getfixturevalue("postgres_18"), acquire_timeout=5)
    )
    with (
        start_blocking_portal(backend) as portal,
        portal.wrap_async_context_manager(with_tables(Ommi(MemoryDriver(acquire_timeout=5)))) as memory,
        portal.wrap_async_context_manager(with_tables(Ommi(driver))) as other,
    ):
        yield Pair(portal, memory, other)


def sqlite(path: Path | None) -> SQLiteDriver:
    return SQLiteDriver(path, synchronous="NORMAL", acquire_timeout=5)


def runs(program: Effect[Any, Any]) -> Callable[[Ommi], Awaitable[Any]]:
    note(repr(program))
    return lambda db: answer(db, program, unkeyed=UNKEYED)


def plays(block: Block) -> Callable[[Ommi], Awaitable[Any]]:
    return lambda db: play(db, block, unkeyed=UNKEYED)


@QUARTER
@given(long_programs() | programs(fuses=True))
def test_programs_come_out_alike_and_leave_the_same_rows(pair: Pair, program: Effect[Any, Any]) -> None:
    pair.agree(runs(program), in_order=False)


@QUARTER
@given(programs(fuses=True))
def test_a_failed_transaction_leaves_no_trace(pair: Pair, program: Effect[Any, Any]) -> None:
    pair.agree(runs(program.bind(lambda _: Effect.from_failure("undo")).transactional()))


@EACH
@given(long_programs(), intentions(least=1))
def test_disturbed_programs_come_out_alike_and_leave_the_same_rows(
    pair: Pair, program: Effect[Any, Any], intended: tuple[Intention, ...]
) -> None:
    pair.agree(runs(program), intended)


@EACH
@given(programs(concurrent=False, fuses=True).map(lambda found: found.transactional()), intentions(least=1, most=1))
def test_disturbed_transactions_come_out_alike_and_leave_the_same_rows(
    pair: Pair, program: Effect[Any, Any], intended: tuple[Intention, ...]
) -> None:
    pair.agree(runs(program), intended)


@EACH
@given(blocks(concurrent=False), intentions(most=1))
def test_blocks_come_out_alike_and_leave_the_same_rows(
    pair: Pair, block: Block, intended: tuple[Intention, ...]
) -> None:
    # the code of a block hears of its cancellation at the next step that waits, and that depends on the driver
    in_order = all(one.mishap not in ("cancel", "late") for one in intended)
    pair.agree(plays(block), intended, in_order=in_order)
