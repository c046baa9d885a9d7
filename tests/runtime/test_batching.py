"""Batching: what becomes one statement, what is taken apart again, and what happens to a member of a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import Enum
from typing import Annotated, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi import (
    ConnectionLost,
    DecodeError,
    Effect,
    Failure,
    Key,
    ModelCollection,
    Ommi,
    QueryRejected,
    add_all,
    col,
    find,
    gather,
    ommi_model,
    race,
    traverse,
)
from ommi.drivers.driver import Capabilities, Request
from ommi.drivers.memory import MemoryDriver
from ommi.effects.effect import Perform
from ommi.query.expressions import Comparison, Membership
from ommi.query.statements import Select
from ommi.runtime.batching import gathered, statements
from ommi.runtime.calls import Batch, Command, Execute, Pause
from ommi.runtime.fibers import OpenTransaction
from ommi.testing import Interposed
from ommi.transactions import TransactionOptions

models = ModelCollection()
narrow = ModelCollection()


class Kind(Enum):
    GOOD = "good"


@ommi_model(collection=models)
@dataclass
class Item:
    id: Annotated[int, Key]
    kind: str = "good"


@ommi_model(collection=models)
@dataclass
class Pair:
    left: Annotated[int, Key]
    right: Annotated[int, Key]


@ommi_model(collection=narrow, name="item")
@dataclass
class Strict:
    id: Annotated[int, Key]
    kind: Kind


def item(key: int) -> Effect[Item, Any]:
    return find(Item, col(Item.id) == key).one()


def pair(left: int, right: int) -> Effect[Pair, Any]:
    return find(Pair, col(Pair.left) == left, col(Pair.right) == right).one()


def call(effect: Effect[Any, Any], transaction: OpenTransaction | None = None, *, shielded: bool = False) -> Execute:
    assert isinstance(effect, Perform)
    made = Execute(effect, transaction)
    made.shielded = shielded
    return made


def sizes(commands: list[Command]) -> list[Any]:
    return [
        [len(group.members) for group in command.groups] if isinstance(command, Batch) else type(command).__name__
        for command in commands
    ]


# -- a round, made smaller


def test_a_round_of_nothing_stays_nothing() -> None:
    assert gathered([]) == []


def test_reads_that_differ_in_their_key_are_a_group_in_the_place_of_the_first() -> None:
    commands: list[Command] = [Pause(1), *(call(item(key)) for key in (1, 2, 1)), Pause(2)]
    assert sizes(gathered(commands)) == ["Pause", [3], "Pause"]


def test_a_read_that_no_other_is_like_stays_as_it_is() -> None:
    commands: list[Command] = [call(item(1)), call(find(Item).all()), call(find(Item).count())]
    assert gathered(commands) == commands


def test_writes_are_left_alone() -> None:
    commands: list[Command] = [call(find(Item, col(Item.id) == key).delete()) for key in (1, 2)]
    assert gathered(commands) == commands


def test_a_transaction_is_never_merged_with_another_or_with_none() -> None:
    one, other = (OpenTransaction(None, TransactionOptions()) for _ in range(2))
    commands: list[Command] = [call(item(key), where) for where in (one, other, None) for key in (1, 2)]
    assert sizes(gathered(commands)) == [[2], [2], [2]]


def test_the_reads_of_a_transaction_are_one_call_whatever_they_are() -> None:
    transaction = OpenTransaction(None, TransactionOptions())
    found = [item(1), find(Item).count(), item(2), find(Item).all()]
    assert sizes(gathered([call(each, transaction) for each in found])) == [[2, 1, 1]]


def test_what_may_not_be_interrupted_is_not_merged_with_what_may() -> None:
    commands: list[Command] = [call(item(key), shielded=shielded) for shielded in (True, False) for key in (1, 2)]
    assert [each.shielded for each in gathered(commands) if isinstance(each, Batch)] == [True, False]


def test_orders_and_limits_tell_reads_apart() -> None:
    queries = [find(Item, col(Item.id) == 1), find(Item, col(Item.id) == 2).order_by(col(Item.kind).desc)]
    commands: list[Command] = [call(query.all()) for query in queries]
    assert gathered(commands) == commands


# -- the statements of a group


def wheres(keys: list[int], parameters: int) -> list[Any]:
    (batch,) = gathered([call(item(key)) for key in keys])
    assert isinstance(batch, Batch)
    return [statement.where for statement in statements(batch.groups[0], parameters)]


def test_a_key_asked_for_twice_is_one_value() -> None:
    (where,) = wheres([3, 3], 100)
    assert isinstance(where, Comparison)


def test_the_number_of_values_is_a_power_of_two() -> None:
    (where,) = wheres([1, 2, 3, 4, 5], 100)
    assert isinstance(where, Membership)
    assert [literal.value for literal in where.values] == [1, 2, 3, 4, 5, 5, 5, 5]


def test_many_keys_are_several_statements() -> None:
    found = wheres(list(range(10)), 5)
    assert [len(where.values) for where in found] == [4, 4, 2]
    assert {literal.value for where in found for literal in where.values} == set(range(10))


def test_keys_of_two_parts_count_twice() -> None:
    (batch,) = gathered([call(pair(key, key)) for key in range(5)])
    assert isinstance(batch, Batch)
    assert len(list(statements(batch.groups[0], 4))) == 3


# -- what happens to a batch

Hook = Callable[[str], Awaitable[None]]


@asynccontextmanager
async def opened(hook: Hook) -> AsyncIterator[Ommi]:
    async with Ommi(MemoryDriver()) as db:
        (await db.run(db.schema.create(models))).unwrap()
        (await db.run(add_all([Item(1), Item(2), Item(3, "bad")]))).unwrap()
        async with Ommi(Interposed(db.driver, hook)) as interposed:
            yield interposed


async def nothing(_: str) -> None:
    return


@pytest.mark.anyio
async def test_a_member_that_is_cancelled_leaves_the_others_alone() -> None:
    stopped, statements = anyio.Event(), 0

    async def hook(step: str) -> None:
        nonlocal statements
        statements += 1
        await stopped.wait()

    async def stop() -> str:
        stopped.set()
        return "stopped"

    async with opened(hook) as db:
        program = gather(item(1), race(item(2), Effect.from_awaitable(stop)), item(2))
        assert (await db.run(program)).unwrap() == (Item(1), "stopped", Item(2))
        assert statements == 1


@pytest.mark.anyio
async def test_when_all_members_are_cancelled_the_statement_is() -> None:
    ended: list[str] = []

    async def hook(step: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(step)

    async def soon() -> str:
        return "soon"

    async with opened(hook) as db:
        program = traverse((1, 2), lambda key: race(item(key), Effect.from_awaitable(soon)))
        assert (await db.run(program)).unwrap() == ["soon", "soon"]
    assert ended == ["execute"]


@pytest.mark.anyio
async def test_a_statement_that_nobody_waits_for_ends_while_the_program_goes_on() -> None:
    ended = anyio.Event()

    async def hook(step: str) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await checkpoint()
            ended.set()

    async def soon() -> None:
        await checkpoint()

    async def later() -> str:
        await ended.wait()
        for _ in range(5):
            await checkpoint()
        return "later"

    async with opened(hook) as db:
        failing = Effect.from_awaitable(soon).bind(lambda _: Effect.from_failure("no"))
        program = gather(item(1), item(2), failing).lash(lambda _: Effect.from_awaitable(later))
        assert (await db.run(program)).unwrap() == "later"


@pytest.mark.anyio
@pytest.mark.parametrize("transactional", [False, True])
async def test_a_cancelled_run_stops_its_statement(transactional: bool) -> None:
    reached, ended = anyio.Event(), []

    async def hook(step: str) -> None:
        if step == "execute":
            reached.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.append(step)

    async with opened(hook) as db, anyio.create_task_group() as group:
        program = traverse((1, 2, 3), item)
        group.start_soon(db.run, program.transactional() if transactional else program)
        await reached.wait()
        group.cancel_scope.cancel()
    assert ended == ["execute"]


@pytest.mark.anyio
async def test_members_of_a_statement_that_failed_have_errors_of_their_own() -> None:
    async def hook(step: str) -> None:
        raise QueryRejected("no", code="42")

    async with opened(hook) as db:
        first = item(1).either()
        second = find(Item, col(Item.id) == 2).first().either()
        one, other = (each.failure() for each in (await db.run(gather(first, second))).unwrap())
    assert one == other
    assert one is not other
    assert (one.code, one.operation) == ("42", "find(Item) … .one()")
    assert other.operation == "find(Item) … .first()"
    assert one.origin.file == other.origin.file == __file__
    assert one.origin.line != other.origin.line


@pytest.mark.anyio
async def test_a_lost_connection_dooms_the_whole_transaction() -> None:
    async def hook(step: str) -> None:
        if step == "execute":
            raise ConnectionLost("gone")

    async with opened(hook) as db:
        program = traverse((1, 2), lambda key: item(key).either()).transactional()
        assert await db.run(program) == Failure(ConnectionLost("gone"))


@pytest.mark.anyio
@pytest.mark.parametrize("transactional", [False, True])
async def test_a_row_that_does_not_fit_fails_its_member_only(transactional: bool) -> None:
    async with opened(nothing) as db:
        program: Effect[Any, Any] = traverse((1, 2, 3), lambda key: find(Strict, col(Strict.id) == key).one().either())
        found = (await db.run(program.transactional() if transactional else program)).unwrap()
    assert [each._inner_value for each in found[:2]] == [Strict(1, Kind.GOOD), Strict(2, Kind.GOOD)]
    assert isinstance(found[2].failure(), DecodeError)


@pytest.mark.anyio
async def test_a_defect_of_the_driver_is_raised() -> None:
    async def hook(step: str) -> None:
        raise ZeroDivisionError

    async with opened(hook) as db:
        with pytest.raises(ZeroDivisionError):
            await db.run(traverse((1, 2), item))


class Few:
    """The memory driver with room for few values in a statement."""

    def __init__(self, driver: MemoryDriver, parameters: int) -> None:
        self.driver = driver
        self.capabilities: Capabilities = replace(driver.capabilities, parameters=parameters)
        self.asked: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)

    async def execute(self, request: Request) -> Any:
        if isinstance(request.statement, Select) and isinstance(request.statement.where, Membership):
            self.asked.append(len(request.statement.where.values))
        return await self.driver.execute(request)


@pytest.mark.anyio
async def test_no_statement_has_more_values_than_the_driver_takes() -> None:
    driver = Few(MemoryDriver(), 64)
    async with Ommi(driver) as db:  # type: ignore[arg-type]  # the rest is the driver's
        (await db.run(db.schema.create(models))).unwrap()
        (await db.run(add_all([Item(key) for key in range(300)]))).unwrap()
        found = (await db.run(traverse(range(300), item))).unwrap()
    assert [each.id for each in found] == list(range(300))
    assert driver.asked == [64] * 4 + [64]
