"""Workers and their pool, with plain functions as jobs."""

import gc
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.drivers.sqlite.event_loop import running_loop
from ommi.drivers.sqlite.pool import Closed, Pool
from ommi.drivers.sqlite.worker import ThreadWorker
from ommi.errors import LockTimeout, PoolTimeout

from .conftest import Endless, Gate, our_threads, until

pytestmark = pytest.mark.anyio


def connect() -> sqlite3.Connection:
    return sqlite3.connect(":memory:", isolation_level=None, timeout=0)


def make_pool(
    size: int = 1,
    *,
    connect: Callable[[], sqlite3.Connection] = connect,
    acquire_timeout: float = 20,
    busy_timeout: float = 20,
) -> Pool:
    return Pool(
        running_loop(),
        partial(ThreadWorker, connect, name="ommi sqlite test"),
        purpose="testing",
        size=size,
        acquire_timeout=acquire_timeout,
        busy_timeout=busy_timeout,
    )


@asynccontextmanager
async def pool_of(size: int = 1, **options: Any) -> AsyncIterator[Pool]:
    pool = make_pool(size, **options)
    try:
        yield pool
    finally:
        await pool.close()


def select(connection: sqlite3.Connection, value: object) -> Any:
    return connection.execute("SELECT ?", (value,)).fetchone()[0]


def in_transaction(connection: sqlite3.Connection) -> bool:
    return connection.in_transaction


def begin(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")


def identity(connection: sqlite3.Connection) -> int:
    return id(connection)


# -- jobs


async def test_a_job_is_answered_with_its_value() -> None:
    async with pool_of() as pool:
        assert await pool.run(select, 7) == 7


async def test_what_a_job_raises_is_raised_where_it_is_awaited() -> None:
    def fail(_connection: sqlite3.Connection) -> None:
        raise ValueError("from the thread")

    async with pool_of() as pool:
        with pytest.raises(ValueError, match="from the thread"):
            await pool.run(fail)
        assert await pool.run(select, 1) == 1


async def test_a_stop_iteration_does_not_hang_the_task() -> None:
    def fail(_connection: sqlite3.Connection) -> Any:
        return next(iter(()))

    async with pool_of() as pool:
        with pytest.raises(RuntimeError):
            await pool.run(fail)


async def test_an_error_is_not_kept_alive_by_its_own_frames() -> None:
    class Payload:
        alive = 0

        def __init__(self) -> None:
            Payload.alive += 1

        def __del__(self) -> None:
            Payload.alive -= 1

    def fail(_connection: sqlite3.Connection) -> None:
        payload = Payload()
        raise ValueError(payload)

    async with pool_of() as pool:
        gc.collect()
        gc.disable()
        try:
            with suppress(ValueError):
                await pool.run(fail)
            await checkpoint()
            assert Payload.alive == 0
        finally:
            gc.enable()


async def test_the_jobs_of_one_worker_run_in_the_order_in_which_they_were_given() -> None:
    ran: list[int] = []

    def note(_connection: sqlite3.Connection, number: int) -> None:
        ran.append(number)

    async with pool_of() as pool, anyio.create_task_group() as group:
        gate = Gate()
        group.start_soon(pool.run, gate)
        await until(gate.started.is_set)
        for number in range(50):
            group.start_soon(pool.run, note, number)
            await checkpoint()
            await checkpoint()
        gate.opened.set()
    assert ran == list(range(50))


async def test_a_pool_makes_no_more_threads_than_it_needs() -> None:
    async with pool_of(4) as pool:
        for number in range(20):
            await pool.run(select, number)
        assert len(our_threads()) == 1


async def test_a_long_job_does_not_hold_up_a_short_one_if_there_is_another_worker() -> None:
    async with pool_of(2) as pool, anyio.create_task_group() as group:
        gate = Gate()
        group.start_soon(pool.run, gate)
        assert await pool.run(select, 1) == 1
        assert not gate.passed
        gate.opened.set()


async def test_many_long_jobs_get_all_workers() -> None:
    gates = [Gate() for _ in range(4)]
    async with pool_of(4) as pool, anyio.create_task_group() as group:
        for gate in gates:
            group.start_soon(pool.run, gate)
        await until(lambda: all(gate.started.is_set() for gate in gates))
        for gate in gates:
            gate.opened.set()


async def test_fifty_tasks_on_four_workers_all_get_their_own_answers() -> None:
    answers: dict[int, list[int]] = {}

    async def ask(pool: Pool, task: int) -> None:
        answers[task] = [await pool.run(select, task * 1000 + number) for number in range(20)]

    async with pool_of(4) as pool, anyio.create_task_group() as group:
        for task in range(50):
            group.start_soon(ask, pool, task)
    assert answers == {task: [task * 1000 + number for number in range(20)] for task in range(50)}


async def test_a_transaction_left_open_by_a_job_is_rolled_back_before_the_next() -> None:
    async with pool_of() as pool:
        await pool.run(begin)
        assert not await pool.run(in_transaction)


async def test_a_connection_that_cannot_roll_back_is_replaced() -> None:
    class Stubborn(sqlite3.Connection):
        def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
            if sql == "ROLLBACK":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *parameters)

    made: list[sqlite3.Connection] = []

    def connect() -> sqlite3.Connection:
        made.append(sqlite3.connect(":memory:", isolation_level=None, factory=Stubborn, check_same_thread=False))
        return made[-1]

    async with pool_of(connect=connect) as pool:
        await pool.run(begin)
        assert not await pool.run(in_transaction)
        assert len(made) == 2
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            made[0].execute("SELECT 1")


async def test_a_connection_that_cannot_be_made_is_tried_again_by_the_next_job() -> None:
    attempts: list[int] = []

    def flaky() -> sqlite3.Connection:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("not yet")
        return connect()

    async with pool_of(connect=flaky) as pool:
        with pytest.raises(OSError, match="not yet"):
            await pool.run(select, 1)
        assert await pool.run(select, 2) == 2


# -- leases


async def test_a_lease_keeps_its_connection_and_others_queue() -> None:
    async with pool_of() as pool, anyio.create_task_group() as group:
        lease = await pool.lease(begin)
        other = Gate()
        other.opened.set()
        group.start_soon(pool.run, other)
        assert await lease.run(in_transaction)
        assert await lease.run(select, 3) == 3
        assert not other.started.is_set()
        await lease.roll_back()
        await until(other.started.is_set)


async def test_leases_are_given_in_the_order_in_which_they_were_asked_for() -> None:
    order: list[int] = []

    async def take(pool: Pool, number: int) -> None:
        lease = await pool.lease(begin)
        order.append(number)
        await lease.run(select, number)
        await lease.roll_back()

    async with pool_of() as pool, anyio.create_task_group() as group:
        first = await pool.lease(begin)
        for number in range(20):
            group.start_soon(take, pool, number)
            await checkpoint()
            await checkpoint()
        await first.roll_back()
    assert order == list(range(20))


async def test_a_lease_whose_first_job_fails_is_none() -> None:
    def fail(_connection: sqlite3.Connection) -> None:
        raise ValueError("no")

    async with pool_of() as pool:
        with pytest.raises(ValueError, match="no"):
            await pool.lease(fail)
        assert await pool.run(select, 1) == 1


async def test_a_lease_that_was_given_back_cannot_be_used() -> None:
    async with pool_of() as pool:
        lease = await pool.lease(begin)
        await lease.roll_back()
        with pytest.raises(Closed):
            await lease.run(select, 1)


async def test_a_lease_used_by_two_tasks_at_once_says_so() -> None:
    async with pool_of() as pool, anyio.create_task_group() as group:
        lease = await pool.lease(begin)
        gate = Gate()
        group.start_soon(lease.run, gate)
        await until(gate.started.is_set)
        with pytest.raises(RuntimeError, match="take turns"):
            await lease.run(select, 1)
        gate.opened.set()
        await until(lambda: gate.passed)
        with anyio.fail_after(20):
            while True:
                try:
                    await lease.roll_back()
                    break
                except RuntimeError:
                    await checkpoint()


async def test_whoever_waits_too_long_for_a_connection_is_told_who_has_it() -> None:
    async with pool_of(acquire_timeout=0.05) as pool:
        lease = await pool.lease(begin)
        with pytest.raises(PoolTimeout, match=r"no testing connection .* 0\.05 s; 1 of 1 are held by a transaction"):
            await pool.run(select, 1)
        await lease.roll_back()
        assert await pool.run(select, 1) == 1


async def test_the_wait_for_a_connection_is_as_long_for_those_who_came_later() -> None:
    refused: list[int] = []

    async def ask(pool: Pool, number: int) -> None:
        with pytest.raises(PoolTimeout):
            await pool.run(select, number)
        refused.append(number)

    async with pool_of(acquire_timeout=0.05) as pool:
        lease = await pool.lease(begin)
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(ask, pool, number)
                await anyio.sleep(0.01)
        assert refused == [0, 1, 2]
        await lease.roll_back()


# -- locks of others


class Locked:
    """A job that meets a lock some times, and then goes through."""

    def __init__(self, times: int, ran: list[object] | None = None) -> None:
        self.times = times
        self.ran = [] if ran is None else ran

    def __call__(self, _connection: sqlite3.Connection) -> str:
        self.ran.append(self)
        if self.times > 0:
            self.times -= 1
            raise LockTimeout("locked", code="SQLITE_BUSY")
        return "through"


async def test_a_job_that_meets_a_lock_is_tried_again() -> None:
    async with pool_of() as pool:
        job = Locked(3)
        assert await pool.run(job) == "through"
        assert len(job.ran) == 4


async def test_a_job_that_meets_a_lock_keeps_its_turn() -> None:
    ran: list[object] = []
    first, second = Locked(3, ran), Locked(0, ran)
    async with pool_of() as pool, anyio.create_task_group() as group:
        group.start_soon(pool.run, first)
        await until(lambda: bool(ran))
        group.start_soon(pool.run, second)
    assert ran == [first, first, first, first, second]


async def test_a_lock_that_stays_is_a_lock_timeout_and_the_connection_is_free_again() -> None:
    async with pool_of(busy_timeout=0.02) as pool:
        with pytest.raises(LockTimeout, match=r"locked by another connection for 0\.02 s") as caught:
            await pool.run(Locked(1_000_000))
        assert caught.value.code == "SQLITE_BUSY"
        assert caught.value.retryable
        assert await pool.run(select, 1) == 1


async def test_without_time_to_wait_a_lock_is_reported_at_once() -> None:
    async with pool_of(busy_timeout=0) as pool:
        job = Locked(1_000_000)
        with pytest.raises(LockTimeout):
            await pool.run(job)
        assert len(job.ran) == 1


async def test_a_wait_for_a_lock_can_be_cancelled() -> None:
    async with pool_of() as pool:
        job = Locked(1_000_000)
        async with anyio.create_task_group() as group:
            group.start_soon(pool.run, job)
            await until(lambda: len(job.ran) > 2)
            group.cancel_scope.cancel()
        assert await pool.run(select, 1) == 1


async def test_a_lease_that_meets_a_lock_stays_a_lease() -> None:
    async with pool_of(busy_timeout=0.02) as pool:
        lease = await pool.lease(begin)
        assert await lease.run(Locked(2)) == "through"
        with pytest.raises(LockTimeout):
            await lease.run(Locked(1_000_000))
        assert await lease.run(in_transaction)
        await lease.roll_back()


async def test_the_last_job_of_a_lease_waits_for_a_lock_and_gives_the_connection_back_if_it_stays() -> None:
    async with pool_of(busy_timeout=0.02) as pool:
        lease = await pool.lease(begin)
        with pytest.raises(LockTimeout):
            await lease.finish(Locked(1_000_000))
        assert not await pool.run(in_transaction)


# -- closing


async def test_closing_waits_for_what_runs_and_what_waits() -> None:
    gate = Gate()
    answers: list[Any] = []

    async def ask(pool: Pool, job: Any, *arguments: Any) -> None:
        answers.append(await pool.run(job, *arguments))

    async with anyio.create_task_group() as group, pool_of() as pool:
        group.start_soon(ask, pool, gate)
        await until(gate.started.is_set)
        group.start_soon(ask, pool, select, 2)
        await checkpoint()
        group.start_soon(pool.close)
        await checkpoint()
        gate.opened.set()
    assert set(answers) == {"through", 2}
    assert our_threads() == []


async def test_a_closed_pool_says_so() -> None:
    async with pool_of() as pool:
        await pool.run(select, 1)
    with pytest.raises(Closed, match="not open"):
        await pool.run(select, 1)


async def test_closing_twice_and_at_the_same_time_is_allowed() -> None:
    async with pool_of() as pool:
        await pool.run(select, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(pool.close)
            group.start_soon(pool.close)
        await pool.close()


async def test_closing_a_pool_that_was_never_used_is_allowed() -> None:
    async with pool_of():
        pass


async def test_closing_waits_for_a_lease() -> None:
    async with anyio.create_task_group() as group, pool_of() as pool:
        lease = await pool.lease(begin)
        group.start_soon(pool.close)
        await checkpoint()
        assert await lease.run(select, 1) == 1
        assert our_threads()
        await lease.roll_back()


async def test_closing_takes_a_lease_back_in_the_end() -> None:
    async with pool_of(acquire_timeout=0.02) as pool:
        lease = await pool.lease(begin)
        await pool.close()
        assert our_threads() == []
        with pytest.raises(Closed):
            await lease.run(select, 1)


async def test_a_cancelled_close_interrupts_what_runs() -> None:
    job = Endless()
    async with pool_of() as pool, anyio.create_task_group() as group:

        async def ask() -> None:
            with pytest.raises(sqlite3.OperationalError, match="interrupted"):
                await pool.run(job)

        group.start_soon(ask)
        await until(job.started.is_set)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await pool.close()
        assert scope.cancelled_caught
        assert job.ended
        assert our_threads() == []


async def test_a_cancelled_close_takes_leases_back_and_refuses_what_waits() -> None:
    async with anyio.create_task_group() as group, pool_of() as pool:
        lease = await pool.lease(begin)

        async def ask() -> None:
            with pytest.raises(Closed):
                await pool.run(select, 1)

        group.start_soon(ask)
        await checkpoint()
        await checkpoint()
        with anyio.fail_after(10), anyio.CancelScope() as scope:
            scope.cancel()
            await pool.close()
        assert our_threads() == []
        with pytest.raises(Closed):
            await lease.run(select, 1)


async def test_an_abandoned_pool_ends_its_threads() -> None:
    async with pool_of(2) as pool:
        await pool.lease(begin)
        await pool.run(select, 1)
        assert len(our_threads()) == 2
        pool.abandon()
        await until(lambda: our_threads() == [])


async def test_a_closed_pool_leaves_no_file_open() -> None:
    def open_descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_descriptors()
    async with pool_of(3) as pool, anyio.create_task_group() as group:
        for _ in range(3):
            gate = Gate()
            group.start_soon(pool.run, gate)
            await until(gate.started.is_set)
            gate.opened.set()
        assert open_descriptors() > before
    assert open_descriptors() == before
