"""Streams: read as they are needed, on one connection, as the rows were when they were opened (semantics §6, §7)."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from returns.result import Failure

from ommi.database import Ommi
from ommi.drivers.driver import Pooled
from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import Query, find
from ommi.effects.many import gather
from ommi.effects.operations import add, add_all, add_stream
from ommi.effects.program import Prog, effect
from ommi.effects.schedule import Schedule
from ommi.effects.stream import Stream
from ommi.errors import (
    ConnectionLost,
    DatabaseError,
    QueryRejected,
    SerializationConflict,
    StatementTimeout,
    UniqueViolation,
    UnsupportedOperation,
)
from ommi.query.aggregates import count, max_
from ommi.query.expressions import col
from ommi.testing.clock import FakeClock
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_recovery, with_savepoints
from ommi.testing.conformance.transactions import Mishap, failing, fails_at, names
from ommi.testing.faults.state import still_in_use
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Account, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Streams", "accounts", "ids"]

IDS = list(range(1, 8))
NOTHING: Effect[None, Any] = Effect.from_value(None)


def accounts() -> Query[Account]:
    """The accounts in order."""
    return find(Account).order_by(Account.id)


def ids(*, chunk: int = 2) -> Stream[int, DatabaseError]:
    """The keys of the accounts, in order."""
    return accounts().stream(chunk=chunk).map(lambda account: account.id)


def undividable() -> Stream[Any, Any]:
    """A stream that fails at its fourth row."""
    shares = accounts().select(col(Account.id), 60 / (col(Account.balance) - 40))
    return shares.stream(chunk=1)


class Steps:
    """The steps of the driver, and how many streams are open."""

    def __init__(self, db: Ommi) -> None:
        self.seen: list[DriverStep] = []
        self.db = Ommi(Interposed(db.driver, before=self.note))

    async def note(self, step: DriverStep) -> None:
        self.seen.append(step)

    def __getitem__(self, step: DriverStep) -> int:
        return Counter(self.seen)[step]


class Streams(DatabaseTests):
    """Streams opened by code that awaits, folded by programs, and inserted."""

    @pytest.fixture
    async def full(self, db: Ommi) -> Ommi:
        """The database with seven accounts."""
        await succeeds(db, add_all([Account(number, f"n{number}", 10 * number) for number in IDS]))
        return db

    # -- what they give
    @pytest.mark.parametrize("chunk", [1, 3, 7, 1000])
    async def test_a_stream_gives_what_its_query_gives(self, full: Ommi, chunk: int) -> None:
        expected = await succeeds(full, accounts().all())
        stream = accounts().stream(chunk=chunk)
        assert await succeeds(full, stream.to_list()) == expected
        assert await succeeds(full, stream.to_list().transactional()) == expected
        async with full.open(stream) as rows:
            assert [row async for row in rows] == expected
            assert [row async for row in rows] == []
        async with full.transaction() as tx, tx.open(stream) as rows:
            assert [row async for row in rows] == expected

    async def test_a_stream_of_columns_gives_tuples(self, full: Ommi) -> None:
        rows = find(Account, Account.id < 4).order_by(Account.id.desc).select(Account.id, Account.owner)
        assert await succeeds(full, rows.stream(chunk=2).to_list()) == [(3, "n3"), (2, "n2"), (1, "n1")]

    async def test_a_stream_of_groups_gives_theirs(self, full: Ommi) -> None:
        parity = col(Account.id) % 2
        groups = find(Account).group_by(parity).order_by(parity).select(parity, count())
        assert await succeeds(full, groups.stream(chunk=1).to_list()) == [(0, 3), (1, 4)]

    async def test_a_stream_of_all_rows_together_has_one_row_even_of_nothing(self, full: Ommi) -> None:
        for least, number in ((3, 5), (99, 0)):
            together = find(Account, Account.id >= least).select(count(), max_(Account.id))
            expected = [(number, 7 if number else None)]
            assert await succeeds(full, together.stream().to_list()) == await succeeds(full, together.all()) == expected

    async def test_a_stream_of_nothing_gives_nothing(self, full: Ommi) -> None:
        nothing = find(Account, Account.id > 99).stream()
        assert await succeeds(full, nothing.to_list()) == []
        assert await succeeds(full, nothing.fold("before", lambda _, account: account.owner)) == "before"
        assert await succeeds(full, nothing.for_each(lambda _: failing())) == 0

    async def test_limit_and_offset_are_those_of_the_whole_stream(self, full: Ommi) -> None:
        page = accounts().offset(1).limit(4).stream(chunk=3)
        assert [account.id for account in await succeeds(full, page.to_list())] == [2, 3, 4, 5]

    async def test_a_stream_run_twice_begins_twice(self, full: Ommi) -> None:
        total = ids().fold(0, lambda found, number: found + number)
        assert await succeeds(full, gather(total, total)) == (28, 28)

    async def test_elements_are_changed_left_out_and_put_together(self, full: Ommi) -> None:
        stream = ids().filter(lambda number: number % 2 == 1).map(str).chunks(3)
        assert await succeeds(full, stream.to_list()) == [["1", "3", "5"], ["7"]]
        assert await succeeds(full, ids(chunk=3).chunks().to_list()) == [[1, 2, 3], [4, 5, 6], [7]]

    async def test_a_stream_of_each_element_comes_in_order(self, full: Ommi) -> None:
        def below(number: int) -> Stream[int, DatabaseError]:
            return find(Account, Account.id < number).order_by(Account.id).stream(chunk=2).map(lambda found: found.id)

        assert await succeeds(full, ids().take(4).bind(below).to_list()) == [1, 1, 2, 1, 2, 3]

    async def test_an_effect_of_each_element_runs_when_its_turn_comes(self, full: Ommi) -> None:
        log: list[Any] = []
        stream = ids().map_effect(lambda number: noting(log, number).map(lambda _: -number))
        assert await succeeds(full, stream.take(3).to_list()) == [-1, -2, -3]
        assert log == [1, 2, 3]

    async def test_records_of_a_stream_can_be_changed_and_saved(self, full: Ommi) -> None:
        async with full.open(accounts().stream(chunk=2)) as rows:
            async for account in rows:
                account.balance += 1
                await full.save(account).value
        assert [account.balance for account in await succeeds(full, accounts().all())] == [11, 21, 31, 41, 51, 61, 71]

    # -- how they are read
    async def test_no_more_is_read_than_is_taken(self, full: Ommi) -> None:
        steps = Steps(full)
        async with steps.db, steps.db.open(ids(chunk=2)) as rows:
            assert steps.seen == ["stream"]
            for fetched in (1, 1, 2, 2, 3):
                await anext(rows)
                assert steps["fetch"] == fetched
        assert steps.seen == ["stream", "fetch", "fetch", "fetch", "close"]

    async def test_a_stream_read_to_its_end_is_closed_at_once(self, full: Ommi) -> None:
        steps = Steps(full)
        async with steps.db, steps.db.open(ids(chunk=4)) as rows:
            assert [number async for number in rows] == IDS
            assert steps.seen == ["stream", "fetch", "fetch", "close"]
        assert steps["close"] == 1

    async def test_a_stream_of_which_enough_was_taken_is_closed_at_once(self, full: Ommi) -> None:
        steps = Steps(full)
        async with steps.db:
            assert await succeeds(steps.db, ids(chunk=2).take(3).to_list()) == [1, 2, 3]
        assert steps.seen == ["stream", "fetch", "fetch", "close"]

    async def test_a_stream_can_be_left_early(self, full: Ommi) -> None:
        steps = Steps(full)
        async with steps.db:
            async with steps.db.open(ids(chunk=1)) as rows:
                async for number in rows:
                    if number == 2:
                        break
            async with steps.db.transaction() as tx:
                async with tx.open(ids(chunk=1)) as rows:
                    assert await anext(rows) == 1
                await tx.add(Tag("a")).value
        assert steps["close"] == 2
        assert await names(full) == ["a"]

    async def test_what_leaves_the_block_closes_the_stream(self, full: Ommi) -> None:
        steps = Steps(full)
        async with steps.db:
            with pytest.raises(Mishap):
                async with steps.db.open(ids()) as rows:
                    await anext(rows)
                    raise Mishap
        assert steps.seen[-1] == "close"

    async def test_an_open_stream_is_read_by_one_at_a_time_and_once(self, full: Ommi) -> None:
        stream = full.open(Stream.from_iterable(_forever, chunk=1))
        async with stream as rows, anyio.create_task_group() as group:
            group.start_soon(anext, rows)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="two tasks"):
                await anext(rows)
            group.cancel_scope.cancel()
        with pytest.raises(RuntimeError, match="read once"):
            await stream.__aenter__()
        with pytest.raises(RuntimeError, match="not open"):
            await anext(stream)

    # -- what they see
    async def test_a_stream_gives_the_rows_as_they_were_when_it_was_opened(self, full: Ommi) -> None:
        async with full.open(accounts().stream(chunk=2)) as rows:
            await succeeds(full, find(Account).everything().update(owner="changed"))
            await succeeds(full, find(Account, Account.id > 5).delete())
            found = [(row.id, row.owner) async for row in rows]
        assert found == [(number, f"n{number}") for number in IDS]

    async def test_a_stream_in_a_transaction_does_not_see_what_that_does_after_it_was_opened(self, full: Ommi) -> None:
        seen: list[Any] = []

        @effect
        def doubled(account: Account) -> Prog[None, Any]:
            seen.append((account.id, account.owner))
            yield from find(Account, Account.id >= account.id).update(owner="changed")
            yield from add(Account(100 + account.id, "new"))
            yield from find(Account, Account.id == account.id + 1).delete()

        assert await succeeds(full, accounts().stream(chunk=2).for_each(doubled).transactional()) == 7
        assert seen == [(number, f"n{number}") for number in IDS]

    async def test_a_stream_in_a_transaction_sees_what_that_did_before(self, full: Ommi) -> None:
        async with full.transaction() as tx:
            await tx.find(Account, Account.id > 2).delete().value
            await tx.add(Account(9, "new")).value
            async with tx.open(ids()) as rows:
                assert [number async for number in rows] == [1, 2, 9]

    async def test_others_do_not_wait_for_a_stream(self, full: Ommi) -> None:
        async with full.open(ids(chunk=1)) as rows:
            async for number in rows:
                await succeeds(full, add(Tag(str(number))).transactional())
                assert await succeeds(full, find(Tag).count()) == number

    async def test_two_streams_are_read_side_by_side(self, full: Ommi) -> None:
        async with full.open(ids(chunk=2)) as one, full.open(ids(chunk=3)) as other:
            assert [(await anext(one), await anext(other)) for _ in IDS] == [(number, number) for number in IDS]
        async with full.transaction() as tx, tx.open(ids(chunk=2)) as one, tx.open(ids(chunk=3)) as other:
            assert [(await anext(one), await anext(other)) for _ in IDS] == [(number, number) for number in IDS]

    async def test_a_stream_opened_in_the_body_of_a_transaction_is_part_of_it(self, full: Ommi) -> None:
        async def body() -> list[int]:
            await full.add(Account(8, "new")).value
            async with full.open(ids()) as rows:
                return [number async for number in rows]

        program = Effect.from_awaitable(body).bind(lambda found: failing(Mishap(found)))
        assert (await fails(full, program.transactional(), Mishap)).args == ([*IDS, 8],)
        async with full.transaction(), full.open(ids()) as rows:
            assert [number async for number in rows] == IDS

    async def test_a_stream_opened_outside_of_a_transaction_stays_outside(self, full: Ommi) -> None:
        async with full.open(ids()) as rows:
            async with full.transaction() as tx:
                await tx.add(Account(8, "new")).value
                assert await anext(rows) == 1
            assert [number async for number in rows] == IDS[1:]

    @with_savepoints
    async def test_a_stream_can_be_read_in_a_nested_part_of_its_transaction(self, full: Ommi) -> None:
        async with full.transaction() as tx, tx.open(ids(chunk=1)) as rows:
            async for number in rows:
                async with tx.transaction() as nested:
                    await nested.add(Tag(str(number))).value
                    if number == 3:
                        assert await anext(rows) == 4
        assert await names(full) == ["1", "2", "3", "5", "6", "7"]

    @with_savepoints
    async def test_a_stream_outlives_a_part_that_is_undone(self, full: Ommi) -> None:
        async with full.transaction() as tx, tx.open(ids(chunk=2)) as rows:
            assert await anext(rows) == 1
            with pytest.raises(Mishap):
                async with tx.transaction() as nested:
                    await nested.find(Account).everything().delete().value
                    assert await anext(rows) == 2
                    raise Mishap
            assert [number async for number in rows] == [3, 4, 5, 6, 7]

    @with_savepoints
    async def test_a_stream_that_was_opened_in_what_was_undone_is_over(self, full: Ommi) -> None:
        async with full.transaction() as tx:
            await tx.savepoint("begin")
            async with tx.open(ids(chunk=2)) as rows:
                assert await anext(rows) == 1
                await tx.rollback_to_savepoint("begin")
                with pytest.raises(RuntimeError, match="rolled back"):
                    [number async for number in rows]
            await tx.add(Tag("a")).value
        assert await names(full) == ["a"]

    async def test_a_stream_ends_with_its_transaction(self, full: Ommi) -> None:
        async with full.transaction() as tx:
            stream = tx.open(ids(chunk=2))
            assert await anext(await stream.__aenter__()) == 1
            await tx.add(Tag("a")).value
        with pytest.raises(RuntimeError, match="has ended"):
            [number async for number in stream]
        await stream.__aexit__(None, None, None)
        assert await names(full) == ["a"]
        await succeeds(full, find(Account).everything().delete().transactional())

    async def test_locking_rows_needs_a_transaction(self, full: Ommi) -> None:
        locking = accounts().for_update().stream(chunk=2)
        await fails(full, locking.to_list(), UnsupportedOperation)
        with pytest.raises(UnsupportedOperation):
            async with full.open(locking):
                pass
        outcome = await full.run(locking.to_list().transactional())
        assert not isinstance(outcome, Failure) or isinstance(outcome.failure(), UnsupportedOperation)

    # -- failures
    async def test_a_failure_is_raised_by_the_iteration_and_again(self, full: Ommi) -> None:
        disturbed = Ommi(Interposed(full.driver, before=fails_at("fetch", 2, ConnectionLost("gone"))))
        async with disturbed, disturbed.open(ids(chunk=2)) as rows:
            assert [await anext(rows), await anext(rows)] == [1, 2]
            with pytest.raises(ConnectionLost, match="gone") as raised:
                await anext(rows)
            assert raised.value.operation == "find(Account) … .stream()"
            with pytest.raises(ConnectionLost, match="gone"):
                await anext(rows)

    async def test_a_failure_of_a_stream_is_a_failure_of_its_effect(self, full: Ommi) -> None:
        log: list[Any] = []
        await fails(full, undividable().to_list(), QueryRejected)
        await fails(full, undividable().for_each(lambda row: noting(log, row)).transactional(), QueryRejected)
        with pytest.raises(QueryRejected):
            async with full.open(undividable()) as rows:
                [row async for row in rows]

    @with_recovery
    async def test_a_failed_stream_can_be_recovered_from_in_its_transaction(self, full: Ommi) -> None:
        recovered = undividable().to_list() >> catch(QueryRejected)(lambda _: add(Tag("recovered")))
        await succeeds(full, recovered.bind(lambda _: add(Tag("after"))).transactional())
        async with full.transaction() as tx:
            with pytest.raises(QueryRejected):
                async with tx.open(undividable()) as rows:
                    [row async for row in rows]
            await tx.add(Tag("block")).value
        assert await names(full) == ["after", "block", "recovered"]

    async def test_a_failure_in_the_middle_undoes_a_transaction_and_nothing_else(self, full: Ommi) -> None:
        @effect
        def tagging(number: int) -> Prog[None, Any]:
            yield from add(Tag(str(number)))
            if number == 3:
                yield from failing()

        await fails(full, ids().for_each(tagging).transactional(), Mishap)
        assert await names(full) == []
        await fails(full, ids().for_each(tagging), Mishap)
        assert await names(full) == ["1", "2", "3"]

    async def test_a_failed_write_of_an_element_dooms_a_block(self, full: Ommi) -> None:
        await succeeds(full, add(Tag("3")))
        with pytest.raises(UniqueViolation):
            async with full.transaction() as tx:
                with pytest.raises(UniqueViolation):
                    async with tx.open(ids().map_effect(lambda number: add(Tag(str(number))))) as rows:
                        [row async for row in rows]
        assert await names(full) == ["3"]

    async def test_a_failure_that_is_no_exception_is_in_the_one_raised(self, full: Ommi) -> None:
        from returns.primitives.exceptions import UnwrapFailedError

        with pytest.raises(UnwrapFailedError) as raised:
            async with full.open(ids().map_effect(failing)) as rows:
                [row async for row in rows]
        assert raised.value.halted_container.failure() == 1

    @pytest.mark.parametrize("kind", ["map", "filter", "map_effect", "bind", "fold"])
    async def test_a_bug_in_a_function_is_raised_and_the_stream_closed(self, full: Ommi, kind: str) -> None:
        steps = Steps(full)

        def bug(*_: object) -> Any:
            return 1 // 0

        program = ids().fold(0, bug) if kind == "fold" else getattr(ids(), kind)(bug).to_list()
        async with steps.db:
            for one in (program, program.transactional()):
                with pytest.raises(ZeroDivisionError):
                    await steps.db.run(one)
        assert steps["stream"] == steps["close"] == 2

    async def test_what_is_no_stream_or_effect_is_a_defect_that_says_so(self, full: Ommi) -> None:
        with pytest.raises(TypeError, match="use map for values"):
            await full.run(ids().bind(lambda number: number).to_list())  # type: ignore[arg-type, return-value]
        with pytest.raises(TypeError, match="must return an effect"):
            await full.run(ids().map_effect(lambda number: number).to_list())  # type: ignore[arg-type, return-value]

    # -- again
    async def test_a_stream_is_retried_until_its_first_row(self, full: Ommi) -> None:
        for step in ("stream", "fetch"):
            conflicts, clock = iter([SerializationConflict("1"), SerializationConflict("2")]), FakeClock()

            async def disturb(found: DriverStep, step: str = step, conflicts: Iterator[Any] = conflicts) -> None:
                if found == step and (error := next(conflicts, None)) is not None:
                    raise error

            stream = ids().retry(Schedule.exponential(0.1).up_to(2))
            disturbed = Ommi(Interposed(full.driver, before=disturb), clock=clock)
            async with disturbed, disturbed.open(stream) as rows:
                assert [number async for number in rows] == IDS
            assert clock.pauses == [0.1, 0.2]

    async def test_a_stream_is_not_retried_after_its_first_row(self, full: Ommi) -> None:
        conflict = fails_at("fetch", 2, SerializationConflict("conflict"))
        steps: list[DriverStep] = []

        async def disturb(step: DriverStep) -> None:
            steps.append(step)
            await conflict(step)

        async with Ommi(Interposed(full.driver, before=disturb), clock=FakeClock()) as disturbed:
            await fails(disturbed, ids().retry(Schedule.recurs(3)).to_list(), SerializationConflict)
        assert steps == ["stream", "fetch", "fetch", "close"]

    async def test_an_effect_of_a_stream_is_retried_from_its_beginning(self, full: Ommi) -> None:
        conflict = fails_at("fetch", 2, SerializationConflict("conflict"))
        async with Ommi(Interposed(full.driver, before=conflict), clock=FakeClock()) as disturbed:
            again = ids().to_list().transactional().retry(Schedule.recurs(1))
            assert await succeeds(disturbed, again) == IDS

    # -- cancelled
    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("joined", [False, True])
    async def test_cancelled_at_each_step_a_stream_leaves_nothing_open(
        self, full: Ommi, when: str, joined: bool
    ) -> None:
        number, reached = 0, True
        while reached:
            number += 1
            reached = await _cancelled_at(full, when, number, joined)
            with anyio.fail_after(10):
                assert await names(full) in ([], ["a"])
                await succeeds(full, find(Tag).everything().delete().transactional())
        assert number > 7

    async def test_cancelled_at_each_turn_of_the_event_loop_a_stream_leaves_nothing_open(self, full: Ommi) -> None:
        turn, left = 0, False
        while not left:
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_after, group.cancel_scope, turn)
                await _read(full, joined=turn % 2 == 1)
                left = not group.cancel_scope.cancel_called
                group.cancel_scope.cancel()
            with anyio.fail_after(10):
                assert await names(full) in ([], ["a"])
                await succeeds(full, find(Tag).everything().delete().transactional())
            turn += 1 if turn < 40 else turn // 4
        assert turn > 5

    async def test_a_stream_that_is_stopped_dooms_its_transaction(self, full: Ommi) -> None:
        met: list[DriverStep] = []

        async def wait_at_second(step: DriverStep) -> None:
            met.append(step)
            if step == "fetch" and met.count(step) == 2:
                await anyio.sleep_forever()

        part = ids().to_list().timeout(0.2).lash(lambda _: NOTHING)
        program = add(Tag("a")).bind(lambda _: part).bind(lambda _: add(Tag("b"))).transactional()
        async with Ommi(Interposed(full.driver, before=wait_at_second)) as slow:
            await fails(slow, program, StatementTimeout)
        assert await names(full) == []

    # -- inserting
    async def test_a_stream_is_inserted_some_at_a_time_and_counted(self, full: Ommi) -> None:
        steps = Steps(full)
        async with steps.db:
            assert await succeeds(steps.db, add_stream([Tag(str(number)) for number in range(5)], chunk=2)) == 5
        assert steps.seen == ["begin", "execute", "execute", "execute", "commit"]
        assert await names(full) == ["0", "1", "2", "3", "4"]

    async def test_a_stream_of_nothing_inserts_nothing(self, full: Ommi) -> None:
        assert await succeeds(full, add_stream([])) == 0

    async def test_an_inserted_stream_is_all_or_nothing(self, full: Ommi) -> None:
        records = [Tag("a"), Tag("b"), Tag("c"), Tag("a")]
        await fails(full, add_stream(records, chunk=2), UniqueViolation)
        assert await names(full) == []

    @with_savepoints
    async def test_an_inserted_stream_is_undone_alone(self, full: Ommi) -> None:
        records = [Tag("a"), Tag("b"), Tag("c"), Tag("a")]
        recovered = add_stream(records, chunk=2) >> catch(UniqueViolation)(lambda _: add(Tag("in place")))
        await succeeds(full, recovered.transactional())
        assert await names(full) == ["in place"]

    async def test_what_an_async_source_gives_is_inserted(self, full: Ommi) -> None:
        async def source() -> AsyncIterator[Tag]:
            for number in range(5):
                await checkpoint()
                yield Tag(str(number))

        program = add_stream(source, chunk=2)
        assert await succeeds(full, program) == 5
        await succeeds(full, find(Tag).everything().delete())
        assert await succeeds(full, program) == 5

    async def test_the_next_records_are_taken_when_those_before_are_inserted(self, full: Ommi) -> None:
        log: list[str] = []

        def source() -> Iterator[Tag]:
            for number in range(4):
                log.append(f"made {number}")
                yield Tag(str(number))

        async def note(step: DriverStep) -> None:
            log.append(step)

        async with Ommi(Interposed(full.driver, after=note)) as noted:
            await succeeds(noted, add_stream(source, chunk=2))
        assert log == ["begin", "made 0", "made 1", "execute", "made 2", "made 3", "execute", "commit"]

    async def test_a_source_that_breaks_undoes_what_was_inserted_and_is_closed(self, full: Ommi) -> None:
        log: list[str] = []

        async def source() -> AsyncIterator[Tag]:
            try:
                yield Tag("a")
                raise Mishap
            finally:
                log.append("closed")

        with pytest.raises(Mishap):
            await full.run(add_stream(source, chunk=1))
        await fails(full, add_stream(Stream.from_iterable(source, catching=(Mishap,), chunk=1)), Mishap)
        assert log == ["closed", "closed"]
        assert await names(full) == []

    async def test_a_stream_of_the_database_is_inserted_into_the_table_it_comes_from(self, full: Ommi) -> None:
        copies = accounts().stream(chunk=2).map(lambda one: Account(one.id + 100, one.owner, one.balance))
        assert await succeeds(full, add_stream(copies, chunk=3)) == 7
        assert await succeeds(full, find(Account, Account.id > 100).count()) == 7

    async def test_a_source_that_reads_the_database_is_part_of_the_transaction(self, full: Ommi) -> None:
        async def source() -> AsyncIterator[Account]:
            async with full.open(accounts().stream(chunk=2)) as rows:
                async for one in rows:
                    yield Account(one.id + 100, one.owner, one.balance)

        assert await succeeds(full, add_stream(source, chunk=3)) == 7
        assert await succeeds(full, find(Account).count()) == 14

    async def test_in_a_block_a_stream_is_inserted_as_a_part_of_it(self, full: Ommi) -> None:
        with pytest.raises(Mishap):
            async with full.transaction() as tx:
                flatten = not full.driver.capabilities.savepoints
                assert await tx.add_stream([Tag("a"), Tag("b")], chunk=1, flatten=flatten).value == 2
                assert await tx.find(Tag).count().value == 2
                raise Mishap
        assert await names(full) == []


async def _forever() -> AsyncIterator[int]:
    await anyio.sleep_forever()
    yield 1


async def _read(db: Ommi, *, joined: bool) -> None:
    """Read in a transaction, or outside of one."""
    if joined:
        async with db.transaction() as tx:
            await tx.run(add(Tag("a")))
            async with tx.open(ids(chunk=3)) as rows:
                assert [number async for number in rows] == IDS
            await tx.run(ids(chunk=3).to_list())
        return
    async with db.open(ids(chunk=3)) as rows:
        assert [number async for number in rows] == IDS
    await succeeds(db, ids(chunk=3).to_list())


async def _cancel_after(scope: CancelScope, turns: int) -> None:
    for _ in range(turns):
        await checkpoint()
    scope.cancel()


async def _cancelled_at(db: Ommi, when: str, number: int, joined: bool) -> bool:
    """Cancel the reading at a step of the driver; whether there was such a step."""
    steps: list[DriverStep] = []

    async def hook(step: DriverStep) -> None:
        steps.append(step)
        if len(steps) == number:
            scope.cancel()

    hooks: dict[str, Any] = {when: hook}
    with CancelScope() as scope:
        async with Ommi(Interposed(db.driver, **hooks)) as disturbed:
            await _read(disturbed, joined=joined)
    assert await still_in_use(db.driver, 5) == 0
    pool: Pooled | None = getattr(db.driver, "pool", None)
    assert pool is None or pool.stats().in_use == 0
    return len(steps) >= number
