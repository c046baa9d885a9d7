"""Whatever goes wrong at whatever step, a program is whole or undone and leaves nothing behind (semantics §5, §7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import pytest
from returns.result import Failure

from ommi.database import Ommi
from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import bracket, gather, race, sleep
from ommi.effects.operations import add, add_all, add_stream, save, upsert
from ommi.effects.program import Prog, effect
from ommi.effects.schedule import Schedule
from ommi.errors import CommitUnknown, NotFound, OmmiError, UniqueViolation, UnsupportedOperation
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.transactions import Mishap, failing, names, tagged
from ommi.testing.faults.exploring import faults
from ommi.testing.faults.kinds import CANCELLATIONS, Fault
from ommi.testing.faults.probe import Probe
from ommi.testing.faults.report import FaultReport, FaultRun
from ommi.testing.faults.running import Program
from ommi.testing.models import Account, Page, Player, Tag
from ommi.testing.outcomes import succeeds

__all__ = ["Faults"]

NOTHING: Final[Effect[None, Any]] = Effect.from_value(None)
balance = col(Account.balance)


@dataclass(frozen=True)
class Found:
    """What the programs below change."""

    balances: tuple[int, ...]
    tags: tuple[str, ...]
    page: tuple[str, int]
    players: tuple[str, ...]

    @property
    def is_transferred(self) -> bool:
        """Whether the transfer happened; an `AssertionError` if half of it did."""
        assert self.balances in ((100, 0), (70, 30))
        return self.balances == (70, 30)


async def prepare(db: Ommi) -> None:
    """Two accounts and a page, whatever was there before."""
    emptied = [find(model).everything().delete() for model in (Tag, Account, Page, Player)]
    begun = add_all([Account(1, "Ada", 100), Account(2, "Bob", 0)]).bind(lambda _: add(Page("draft", 0, 1)))
    await succeeds(db, gather(*emptied).bind(lambda _: begun).transactional())


async def observe(db: Ommi) -> Found:
    """All of it, in order."""
    accounts = await succeeds(db, find(Account).order_by(Account.id).all())
    page = await succeeds(db, find(Page).one())
    players = await succeeds(db, find(Player).order_by(Player.name).all())
    return Found(
        tuple(account.balance for account in accounts),
        tuple(await names(db)),
        (page.text, page.version),
        tuple(player.name for player in players),
    )


@effect
def transfer() -> Prog[None, Any]:
    """Three writes that belong together."""
    yield from find(Account, Account.id == 1).update(balance=balance - 30)
    yield from find(Account, Account.id == 2).update(balance=balance + 30)
    yield from add(Tag("moved"))


def transferred(state: Found) -> bool:
    """All of the transfer or nothing of it."""
    return state.is_transferred is ("moved" in state.tags)


def undone(part: Effect[Any, Any]) -> Effect[Any, Any]:
    """A part that fails, and is recovered from."""
    return part.bind(lambda _: failing()).savepoint().lash(lambda _: NOTHING)


@effect
def nested() -> Prog[None, Any]:
    """Savepoints in savepoints; inner ones fail and are recovered from."""
    yield from add(Tag("a"))
    yield from tagged("b").bind(lambda _: undone(tagged("lost"))).savepoint().lash(lambda _: NOTHING)
    yield from add(Tag("c"))


@effect
def recovering() -> Prog[None, Any]:
    """A write that is there already, and the handler's in its place."""
    yield from add(Tag("a"))
    yield from (add(Tag("a")) >> catch(UniqueViolation)(lambda _: tagged("b")))
    yield from add(Tag("c"))


@effect
def bulk() -> Prog[None, Any]:
    """Many rows, and one that is there."""
    yield from add_all([Player(f"p{n}", f"{n}") for n in range(3)])
    yield from upsert(Player("q1", "1", 7), on=Player.email)
    yield from upsert(Tag("a"))


@effect
def edited() -> Prog[Page, Any]:
    """A record that is saved as long as nobody else has."""
    page = yield from find(Page).one()
    page.text = "edited"
    return (yield from save(page))


async def in_blocks(db: Ommi) -> None:
    """Code, in a block with a nested block and a named savepoint."""
    async with db.transaction() as tx:
        await tx.add(Tag("a")).value
        await tx.savepoint("here")
        await tx.add(Tag("lost")).value
        await tx.rollback_to_savepoint("here")
        async with tx.transaction() as part:
            await part.add(Tag("b")).value
            await part.savepoint("there")
            await part.add(Tag("lost")).value
            await part.rollback_to_savepoint("there")
            await db.add(Tag("c")).value


def _raised(error: Exception) -> NoReturn:
    raise error


async def recovering_in_blocks(db: Ommi) -> None:
    """A nested block that fails, and is recovered from."""
    async with db.transaction() as tx:
        await tx.add(Tag("a")).value
        try:
            async with tx.transaction() as part:
                await part.add(Tag("lost")).value
                (await part.run(failing(Mishap("no")))).alt(_raised)
        except Mishap:
            await tx.add(Tag("b")).value


def all_of(*wanted: str) -> Callable[[Found], bool]:
    """Those tags together or none of them, and no others but those in brackets."""
    must = {name for name in wanted if not name.startswith("(")}
    may = {name.strip("()") for name in wanted}

    def holds(state: Found) -> bool:
        found = set(state.tags)
        return found <= may and (must <= found or not found)

    return holds


def pairs(state: Found) -> bool:
    """Each transaction as a whole."""
    return all((f"{name}1" in state.tags) is (f"{name}2" in state.tags) for name in "abc")


def in_order(state: Found) -> bool:
    """What was committed on its own came one after the other."""
    return state.tags in ((), ("a",), ("a", "b"), ("a", "b", "c"))


PROGRAMS: Final[Mapping[str, tuple[Program, Callable[[Found], bool] | None]]] = {
    "a transfer": (transfer().transactional(), transferred),
    "nested savepoints": (nested().transactional(), all_of("a", "(b)", "c")),
    "recovering in a transaction": (recovering().transactional(), all_of("a", "(b)", "c")),
    "a transaction that fails": (transfer().bind(lambda _: failing()).transactional(), lambda found: not found.tags),
    "recovering from a transaction": (
        transfer().bind(lambda _: failing()).transactional().lash(lambda _: tagged("a")),
        lambda found: found.tags in ((), ("a",)) and not found.is_transferred,
    ),
    "gathered transactions": (gather(*(tagged(f"{n}1", f"{n}2").transactional() for n in "abc")), pairs),
    "gathered in a transaction": (
        gather(tagged("a"), tagged("b").savepoint(), find(Tag).count()).transactional(),
        all_of("a", "b"),
    ),
    "bulk": (bulk().transactional(), None),
    "an optimistic lock": (edited().transactional(), None),
    "an optimistic lock, statement by statement": (edited(), None),
    "autocommitted writes": (tagged("a", "b", "c"), in_order),
    "a timeout": (transfer().timeout(60).bind(lambda _: sleep(1)).transactional(timeout=60), transferred),
    "a timeout in a transaction": (
        tagged("a")
        .bind(lambda _: tagged("b").timeout(60).lash(lambda _: NOTHING).bind(lambda _: tagged("c")))
        .transactional(),
        all_of("a", "(b)", "c"),
    ),
    "timeouts around a transaction": (
        transfer().timeout(5).transactional(timeout=60).timeout(100).retry(Schedule.recurs(1)),
        transferred,
    ),
    "a race against time": (race(transfer().transactional(), sleep(60)), transferred),
    "a finalizer in a transaction": (
        tagged("a").bind(lambda _: tagged("b")).ensure(tagged("c").lash(lambda _: NOTHING)).transactional(),
        all_of("a", "b", "(c)"),
    ),
    "a read-only transaction": (gather(find(Account).all(), find(Tag).count()).transactional(read_only=True), None),
    "blocks": (in_blocks, all_of("a", "b", "c")),
    "recovering in blocks": (recovering_in_blocks, all_of("a", "b")),
}

NESTED: Final = frozenset({"nested savepoints", "gathered in a transaction", "blocks", "recovering in blocks"})
"""Those of the programs that nest transactions, as is refused where there are no savepoints."""


class Faults(DatabaseTests):
    """Programs, each run once for everything that can go wrong at each of its steps."""

    @pytest.mark.parametrize("name", PROGRAMS)
    async def test_whatever_goes_wrong(self, db: Ommi, name: str) -> None:
        program, invariant = PROGRAMS[name]
        if name in NESTED and not db.driver.capabilities.savepoints:
            await refused(db, program)
        else:
            await disturbed(db, program, invariant)

    async def test_whatever_goes_wrong_a_retry_gets_through(self, db: Ommi) -> None:
        def check(run: FaultRun) -> None:
            if run.fault in (Fault.CONFLICT, Fault.LOST_BEFORE) and run.reached and "; then" not in run.case:
                assert run.ending == "success"
                assert run.state.is_transferred
            if run.is_unknown and run.reached:
                assert isinstance(run.result, CommitUnknown)  # which is not tried again

        schedule = Schedule.exponential(0.1).up_to(3)
        await disturbed(db, transfer().transactional().retry(schedule), transferred, check=check)

    async def test_whatever_goes_wrong_what_was_acquired_is_released(self, db: Ommi) -> None:
        probe = Probe("lock")
        release = find(Tag, Tag.name == "lock").delete().map(lambda _: None).lash(lambda _: NOTHING)
        program = bracket(
            tagged("lock").bind(lambda _: find(Tag).count()).bind(lambda _: probe.begin),
            lambda _: probe.around(transfer()).transactional(),
            lambda _: release.bind(lambda _: probe.end),
        )

        def check(run: FaultRun) -> None:
            if run.fault in CANCELLATIONS and "; then" not in run.case:
                assert "lock" not in run.state.tags

        await disturbed(db, program, transferred, check=check, probe=probe)

    async def test_whatever_goes_wrong_a_finalizer_runs_once_and_can_write(self, db: Ommi) -> None:
        probe = Probe("finalizer")
        finalizer = probe.end.bind(lambda _: tagged("z")).lash(lambda _: NOTHING)
        program = probe.begin.bind(lambda _: transfer().transactional()).ensure(finalizer)

        def check(run: FaultRun) -> None:
            assert probe.ended == 1
            assert ("z" in run.state.tags) or run.fault is not None

        await disturbed(db, program, transferred, check=check, probe=probe)

    async def test_whatever_goes_wrong_what_follows_a_commit_runs_once(self, db: Ommi) -> None:
        probe = Probe("after the commit")
        part = tagged("a").after_commit(probe.tick).bind(lambda _: find(Tag).count())
        tried = part.savepoint().lash(lambda _: NOTHING)
        program = tried.bind(lambda _: tagged("b").after_commit(probe.tick)).transactional()

        def check(run: FaultRun) -> None:
            assert probe.ticks == (len(run.state.tags) if run.commits else 0)

        await disturbed(db, program, all_of("(a)", "b"), check=check, probe=probe)

    async def test_whatever_goes_wrong_what_joins_a_transaction_ends_with_it(self, db: Ommi) -> None:
        async def program(found: Ommi) -> object:
            async def body() -> None:
                await found.add(Tag("a")).value
                await found.find(Account, Account.id == 1).update(balance=0).value
                await found.add(Tag("b")).value

            return await found.run(Effect.from_awaitable(body, catching=(OmmiError,)).transactional())

        await disturbed(db, program, None)

    async def test_whatever_goes_wrong_writes_for_each_row_of_a_stream_are_all_done_or_none(self, db: Ommi) -> None:
        program = find(Account).order_by(Account.id).stream(chunk=1).for_each(lambda account: tagged(account.owner))
        await disturbed(db, program.transactional(), all_of("Ada", "Bob"))

    async def test_whatever_goes_wrong_a_stream_is_given_whole_or_fails(self, db: Ommi) -> None:
        stream = find(Account).order_by(Account.id).stream(chunk=1).map(lambda account: account.owner)
        again = Schedule.exponential(0.1).up_to(3)

        def check(run: FaultRun) -> None:
            assert run.ending != "success" or run.result == ["Ada", "Bob"]
            if run.fault in (Fault.CONFLICT, Fault.LOST_BEFORE) and run.reached and "; then" not in run.case:
                assert run.ending == "success"

        await disturbed(db, stream.retry(again).to_list().timeout(60).retry(again), None, check=check)

    async def test_whatever_goes_wrong_a_stream_is_inserted_whole_or_not(self, db: Ommi) -> None:
        copies = find(Account).stream(chunk=1).map(lambda account: Tag(account.owner))
        await disturbed(db, add_stream(copies, chunk=1), all_of("Ada", "Bob"))

    async def test_whatever_goes_wrong_an_open_stream_is_closed(self, db: Ommi) -> None:
        async def program(found: Ommi) -> object:
            stream = find(Account).order_by(Account.id).stream(chunk=1)
            async with found.transaction() as tx, tx.open(stream) as accounts:
                await tx.add(Tag((await anext(accounts)).owner)).value
            async with found.open(stream) as accounts:
                return (await anext(accounts)).owner

        def check(run: FaultRun) -> None:
            assert run.ending != "success" or run.result == "Ada"

        await disturbed(db, program, all_of("Ada"), check=check)

    async def test_whatever_goes_wrong_one_record_is_found_or_added(self, db: Ommi) -> None:
        program = (
            find(Player, Player.name == "Ada").one() >> catch(NotFound)(lambda _: add(Player("Ada")))
        ).savepoint()
        await disturbed(db, program, None)


async def refused(db: Ommi, program: Program) -> None:
    """The program is refused by name, and nothing of it stays."""
    await prepare(db)
    before = await observe(db)
    try:
        outcome = await db.run(program) if isinstance(program, Effect) else await program(db)
    except UnsupportedOperation as error:
        outcome = Failure(error)
    if isinstance(outcome, Failure):
        assert isinstance(outcome.failure(), UnsupportedOperation)
        assert await observe(db) == before
    else:  # what is refused was recovered from
        assert (await observe(db)).tags == ("a", "c")


async def disturbed(
    db: Ommi,
    program: Program,
    invariant: Callable[[Found], bool] | None,
    *,
    check: Callable[[FaultRun], object] | None = None,
    probe: Probe | None = None,
) -> FaultReport:
    """All faults, each of which meets its step."""
    probes = () if probe is None else (probe,)
    report = await faults(
        program, db, prepare=prepare, observe=observe, invariant=invariant, check=check, probes=probes, seconds=10
    )
    assert [case for case in report.missed if "; then" not in case] == []
    for fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER, Fault.CANCELLED_BEFORE, Fault.CANCELLED_AFTER):
        closing = 0 if fault in CANCELLATIONS else sum(step.startswith("close(") for step in report.steps)
        assert sum(report.outcomes[fault].values()) >= len(report.steps) - closing
    return report
