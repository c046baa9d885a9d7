"""The memory driver on an event loop: turns, cancellation, closing."""

from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import anyio.lowlevel
import pytest

from ommi import Key, ModelCollection, PoolTimeout, QueryRejected, add, find, ommi_model
from ommi.drivers.driver import Driver, Request
from ommi.drivers.memory import MemoryDriver, from_url
from ommi.models import schema_of
from ommi.query.statements import CreateTables
from ommi.transactions import IsolationLevel, TransactionOptions

pytestmark = pytest.mark.anyio


@ommi_model(collection=ModelCollection())
@dataclass
class Item:
    id: Annotated[int, Key]


OPTIONS = TransactionOptions()
READING = TransactionOptions(read_only=True)


async def opened(**options: Any) -> MemoryDriver:
    driver = MemoryDriver(**options)
    await driver.open()
    await driver.execute(Request(CreateTables((schema_of(Item),))))
    return driver


async def insert(on: Any, number: int) -> None:
    effect: Any = add(Item(number))
    await on.execute(Request(effect.statement))


async def ids(on: Any) -> list[int]:
    rows: list[tuple[int]] = await on.execute(Request(find(Item).query))
    return [number for (number,) in rows]


async def settled() -> None:
    """Let the other tasks run until they wait."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def test_every_level_is_met() -> None:
    driver = await opened()
    assert driver.capabilities.isolation is IsolationLevel.SERIALIZABLE
    for level in IsolationLevel:
        transaction = await driver.begin(TransactionOptions(level))
        await transaction.rollback()


async def test_a_commit_keeps_and_a_rollback_undoes() -> None:
    driver = await opened()
    transaction = await driver.begin(OPTIONS)
    await insert(transaction, 1)
    await transaction.savepoint("s")
    await insert(transaction, 2)
    await transaction.rollback_to("s")
    await transaction.release("s")
    await transaction.commit()
    transaction = await driver.begin(OPTIONS)
    await insert(transaction, 3)
    await transaction.rollback()
    assert await ids(driver) == [1]


async def test_rolling_back_after_the_end_does_nothing() -> None:
    driver = await opened()
    first = await driver.begin(OPTIONS)
    await first.commit()
    second = await driver.begin(OPTIONS)
    await first.rollback()
    await insert(second, 1)
    await second.commit()
    assert await ids(driver) == [1]


async def test_readers_do_not_wait_for_a_writer() -> None:
    driver = await opened()
    transaction = await driver.begin(OPTIONS)
    await insert(transaction, 1)
    assert await ids(driver) == []
    reading = await driver.begin(READING)
    await transaction.commit()
    assert await ids(reading) == []
    assert await ids(driver) == [1]
    await reading.commit()


async def test_a_read_only_transaction_refuses_to_write() -> None:
    driver = await opened()
    reading = await driver.begin(READING)
    with pytest.raises(QueryRejected):
        await insert(reading, 1)


async def test_writers_take_turns_first_come_first_served() -> None:
    driver = await opened()
    order: list[int] = []

    async def write(number: int) -> None:
        if number % 2:
            await insert(driver, number)
        else:
            transaction = await driver.begin(OPTIONS)
            await insert(transaction, number)
            await settled()
            await transaction.commit()
        order.append(number)

    holding = await driver.begin(OPTIONS)
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            tasks.start_soon(write, number)
            await settled()
        assert order == []
        await holding.commit()
    assert order == [0, 1, 2, 3, 4, 5]
    assert await ids(driver) == [0, 1, 2, 3, 4, 5]


async def test_a_waiting_writer_that_is_cancelled_leaves_the_queue() -> None:
    driver = await opened()
    holding = await driver.begin(OPTIONS)
    scope = anyio.CancelScope()

    async def write() -> None:
        with scope:
            await insert(driver, 1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await settled()
        tasks.start_soon(insert, driver, 2)
        await settled()
        scope.cancel()
        await settled()
        await holding.commit()
    assert await ids(driver) == [2]
    await insert(driver, 3)


async def test_a_turn_that_comes_together_with_a_cancellation_goes_to_the_next() -> None:
    driver = await opened()
    holding = await driver.begin(OPTIONS)
    scope = anyio.CancelScope()

    async def write() -> None:
        with scope:
            await insert(driver, 1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await settled()
        tasks.start_soon(insert, driver, 2)
        await settled()
        await holding.commit()
        scope.cancel()
    found = await ids(driver)
    assert found in ([1, 2], [2])
    await insert(driver, 3)


async def test_a_statement_notices_a_cancellation_before_it_begins() -> None:
    driver = await opened()
    transaction = await driver.begin(OPTIONS)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await insert(transaction, 1)
    assert scope.cancelled_caught
    await transaction.commit()
    with anyio.CancelScope() as scope:
        scope.cancel()
        await insert(driver, 1)
    assert await ids(driver) == []


async def test_a_commit_happens_even_when_it_is_cancelled() -> None:
    driver = await opened()
    transaction = await driver.begin(OPTIONS)
    await insert(transaction, 1)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await transaction.commit()
    assert await ids(driver) == [1]


async def test_a_turn_that_does_not_come_is_a_pool_timeout() -> None:
    driver = await opened(acquire_timeout=0.001)
    holding = await driver.begin(OPTIONS)
    with pytest.raises(PoolTimeout, match=r"0\.001 s"):
        await insert(driver, 1)
    await holding.commit()
    await insert(driver, 1)


async def test_statements_let_other_tasks_run() -> None:
    driver = await opened()
    with anyio.move_on_after(0.01) as scope:
        while True:
            await ids(driver)
    assert scope.cancelled_caught


async def test_a_driver_that_is_not_open_says_so() -> None:
    driver = MemoryDriver()
    with pytest.raises(RuntimeError, match="not open"):
        await ids(driver)
    await driver.open()
    await driver.close()
    await driver.close()
    with pytest.raises(RuntimeError, match="not open"):
        await insert(driver, 1)
    with pytest.raises(RuntimeError, match="not open"):
        await driver.begin(OPTIONS)


async def test_a_store_outlives_its_driver() -> None:
    driver = await opened()
    await insert(driver, 1)
    await driver.close()
    other = MemoryDriver(driver.store)
    await other.open()
    assert await ids(other) == [1]


async def test_closing_waits_for_open_transactions_and_those_that_queue() -> None:
    driver = await opened()
    holding = await driver.begin(OPTIONS)
    reading = await driver.begin(READING)
    steps: list[str] = []

    async def close() -> None:
        await driver.close()
        steps.append("closed")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(insert, driver, 2)
        await settled()
        tasks.start_soon(close)
        await settled()
        await insert(holding, 1)
        await holding.commit()
        await settled()
        assert steps == []
        steps.append("last transaction ends")
        await reading.commit()
    assert steps == ["last transaction ends", "closed"]
    await driver.open()
    assert await ids(driver) == [1, 2]


async def test_closing_goes_on_when_the_last_waiting_writer_is_cancelled() -> None:
    driver = await opened()
    holding = await driver.begin(OPTIONS)
    scope = anyio.CancelScope()

    async def write() -> None:
        with scope:
            await insert(driver, 1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        await settled()
        tasks.start_soon(driver.close)
        await settled()
        await holding.rollback()
        scope.cancel()


async def test_closing_rolls_back_what_stays_open() -> None:
    driver = await opened(acquire_timeout=0.001)
    forgotten = await driver.begin(OPTIONS)
    await insert(forgotten, 1)
    await driver.close()
    with pytest.raises(RuntimeError, match="is over"):
        await insert(forgotten, 2)
    await driver.open()
    assert await ids(driver) == []
    await insert(driver, 3)


def test_a_url_makes_a_driver_of_its_own_tables() -> None:
    first, second = from_url("memory://"), from_url("memory://", acquire_timeout=1.0)
    assert isinstance(first, MemoryDriver)
    assert isinstance(second, MemoryDriver)
    assert first.store is not second.store
    driver: Driver = first
    assert driver.name == "memory"


def test_a_timeout_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="acquire_timeout=-1"):
        MemoryDriver(acquire_timeout=-1)


def test_a_url_with_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'memory://'"):
        from_url("memory://shared")
