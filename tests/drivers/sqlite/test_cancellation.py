"""Jobs that are cancelled: at every moment of their lives, once and often."""

import asyncio
import gc
import logging
import random
import signal
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.drivers.sqlite.pool import Pool

from .conftest import Endless, Gate, our_threads, until
from .test_pool import begin, identity, in_transaction, make_pool, pool_of, select

pytestmark = pytest.mark.anyio

asyncio_only = pytest.mark.parametrize("anyio_backend", ["asyncio"])


async def test_a_job_that_waits_is_dropped() -> None:
    async with pool_of() as pool, anyio.create_task_group() as outer:
        gate = Gate()
        outer.start_soon(pool.run, gate)
        await until(gate.started.is_set)
        dropped = Gate()
        async with anyio.create_task_group() as inner:
            inner.start_soon(pool.run, dropped)
            await checkpoint()
            await checkpoint()
            inner.cancel_scope.cancel()
        assert not gate.passed  # the cancelled task did not have to wait for its turn
        gate.opened.set()
        assert await pool.run(select, 1) == 1
        assert not dropped.started.is_set()


async def test_a_job_that_runs_is_interrupted_and_the_connection_stays_usable() -> None:
    async with pool_of() as pool:
        before = await pool.run(identity)
        job = Endless()
        async with anyio.create_task_group() as group:
            group.start_soon(pool.run, job)
            await until(job.started.is_set)
            group.cancel_scope.cancel()
        assert job.ended
        assert await pool.run(identity) == before


async def test_a_cancelled_task_waits_for_the_real_end_of_its_job() -> None:
    async with pool_of() as pool, anyio.create_task_group() as outer:
        gate = Gate()
        over = False

        async def ask() -> None:
            nonlocal over
            with anyio.CancelScope() as scope:
                outer.start_soon(cancel, scope)
                await pool.run(gate)
            over = True

        async def cancel(scope: anyio.CancelScope) -> None:
            await until(gate.started.is_set)
            scope.cancel()

        outer.start_soon(ask)
        await until(gate.started.is_set)
        for _ in range(20):
            await checkpoint()
        assert not over
        gate.opened.set()
        await until(lambda: over)
        assert gate.passed


@asyncio_only
async def test_on_asyncio_a_job_that_won_the_race_still_ends_cancelled(anyio_backend: str) -> None:
    async with pool_of() as pool:
        gate = Gate()
        task = asyncio.create_task(pool.run(gate))
        await until(gate.started.is_set)
        task.cancel()
        await checkpoint()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gate.passed


async def test_a_job_that_won_the_race_against_a_scope_is_answered() -> None:
    async with pool_of() as pool, anyio.create_task_group() as group:
        gate = Gate()
        answers: list[str] = []
        again: list[bool] = []

        async def ask(scope: anyio.CancelScope) -> None:
            with scope:
                answers.append(await pool.run(gate))
                await checkpoint()
            again.append(scope.cancelled_caught)

        scope = anyio.CancelScope()
        group.start_soon(ask, scope)
        await until(gate.started.is_set)
        scope.cancel()
        await checkpoint()
        gate.opened.set()
        await until(lambda: bool(again))
        assert answers == ["through"]
        assert again == [True]  # and is cancelled at its next step


@asyncio_only
async def test_cancelling_a_task_twice_waits_as_well(anyio_backend: str) -> None:
    async with pool_of() as pool:
        gate = Gate()
        task = asyncio.create_task(pool.run(gate))
        await until(gate.started.is_set)
        for _ in range(3):
            task.cancel("stop")
            await checkpoint()
            await checkpoint()
        assert not task.done()
        gate.opened.set()
        with pytest.raises(asyncio.CancelledError, match="stop"):
            await task
        assert await pool.run(select, 1) == 1


@asyncio_only
async def test_a_task_cancelled_between_the_end_of_its_job_and_its_own_step_gives_its_lease_back(
    anyio_backend: str,
) -> None:
    async with pool_of() as pool:
        for _ in range(50):
            task = asyncio.create_task(pool.lease(begin))
            for _ in range(random.randrange(40)):
                await asyncio.sleep(0)
            task.cancel()
            try:
                lease = await task
            except asyncio.CancelledError:
                pass
            else:
                await lease.roll_back()
            assert not await pool.run(in_transaction)


@asyncio_only
async def test_a_timeout_of_asyncio_is_a_timeout(anyio_backend: str) -> None:
    async with pool_of() as pool:
        job = Endless()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await pool.run(job)
        assert job.ended or not job.started.is_set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.run(Endless()), 0.01)
        assert await pool.run(select, 1) == 1


async def test_a_cancelled_begin_gives_the_connection_back_without_a_transaction() -> None:
    class SlowBegin(Gate):
        def __call__(self, connection: sqlite3.Connection) -> str:
            connection.execute("BEGIN IMMEDIATE")
            return super().__call__(connection)

    async with pool_of() as pool:
        slow = SlowBegin()
        leases: list[Any] = []

        async def take() -> None:
            leases.append(await pool.lease(slow))

        async with anyio.create_task_group() as group:
            group.start_soon(take)
            await until(slow.started.is_set)
            group.cancel_scope.cancel()
            slow.opened.set()
        for lease in leases:  # trio answers with it, since it was there in time
            await lease.roll_back()
        assert not await pool.run(in_transaction)


async def test_the_last_job_of_a_lease_runs_although_its_task_is_cancelled_before() -> None:
    async with pool_of() as pool:
        lease = await pool.lease(begin)
        gate = Gate()
        gate.opened.set()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await lease.finish(gate)
            await checkpoint()
        assert gate.passed
        assert not await pool.run(in_transaction)


async def test_the_last_job_of_a_lease_is_not_interrupted() -> None:
    def finite(connection: sqlite3.Connection) -> Any:
        started.set()
        sql = "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 300000) SELECT max(x) FROM c"
        answers.append(connection.execute(sql).fetchone()[0])

    started = threading.Event()
    answers: list[int] = []
    async with pool_of() as pool:
        lease = await pool.lease(begin)
        async with anyio.create_task_group() as group:
            group.start_soon(lease.finish, finite)
            await until(started.is_set)
            group.cancel_scope.cancel()
        assert answers == [300000]


async def test_what_undoes_an_interrupted_statement_is_not_interrupted_itself() -> None:
    def job(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")
        try:
            endless(connection)
        finally:
            sql = (
                "WITH RECURSIVE c(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM c WHERE x < 99999) SELECT max(x) FROM c"
            )
            answers.append(connection.execute(sql).fetchone()[0])
            connection.execute("ROLLBACK")

    endless = Endless()
    answers: list[int] = []
    async with pool_of() as pool:
        async with anyio.create_task_group() as group:
            group.start_soon(pool.run, job)
            await until(endless.started.is_set)
            group.cancel_scope.cancel()
        assert answers == [99999]


@pytest.mark.parametrize("size", [1, 4])
async def test_after_a_storm_of_cancellations_the_pool_is_whole(size: int) -> None:
    async def ask(pool: Pool, chance: random.Random) -> None:
        with anyio.move_on_after(chance.random() * 0.02):
            match chance.randrange(4):
                case 0:
                    await pool.run(Endless())
                case 1:
                    lease = await pool.lease(begin)
                    try:
                        await lease.run(Endless())
                    finally:
                        await lease.roll_back()
                case _:
                    await pool.run(select, 1)

    chance = random.Random(7)
    async with pool_of(size) as pool:
        async with anyio.create_task_group() as group:
            for _ in range(200):
                group.start_soon(ask, pool, chance)
        gates = [Gate() for _ in range(size)]
        async with anyio.create_task_group() as group:  # every worker is there, and none has a transaction open
            for gate in gates:
                group.start_soon(pool.run, gate)
            await until(lambda: all(gate.started.is_set() for gate in gates))
            for gate in gates:
                gate.opened.set()
        assert not await pool.run(in_transaction)


# -- event loops that end


def ask_and_be_interrupted(job: Endless, ended: list[BaseException]) -> Any:
    async def interrupt() -> None:
        await until(job.started.is_set)
        signal.raise_signal(signal.SIGINT)

    async def main() -> None:
        async with pool_of() as pool, anyio.create_task_group() as group:
            group.start_soon(interrupt)
            try:
                await pool.run(job)
            except BaseException as error:
                ended.append(error)
                raise

    return main


@pytest.fixture
def control_c() -> Iterator[None]:
    """Python's own handler: a shell that starts the tests in the background has them ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("control_c")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_control_c_interrupts_a_job_and_ends_the_loop(backend: str) -> None:
    job = Endless()
    ended: list[BaseException] = []
    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)) as caught:
        anyio.run(ask_and_be_interrupted(job, ended), backend=backend)
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, KeyboardInterrupt)
    assert job.ended
    assert ended


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # asyncio, of the task that is lost
def test_a_thread_survives_that_its_loop_is_closed_while_it_works() -> None:
    gate = Gate()
    failed: list[object] = []

    async def start() -> Pool:
        pool = make_pool()
        tasks.append(asyncio.ensure_future(pool.run(gate)))
        await until(gate.started.is_set)
        return pool

    tasks: list[asyncio.Future[str]] = []
    hook, threading.excepthook = threading.excepthook, failed.append
    try:
        loop = asyncio.new_event_loop()
        pool = loop.run_until_complete(start())
        loop.close()
        gate.opened.set()
        asyncio.run(pool.close())
    finally:
        threading.excepthook = hook
    assert our_threads() == []
    assert gate.passed
    assert failed == []
    logging.getLogger("asyncio").disabled = True
    try:
        tasks.clear()
        gc.collect()
    finally:
        logging.getLogger("asyncio").disabled = False


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_pool_of_another_loop_says_so(backend: str) -> None:
    async def start() -> Pool:
        pool = make_pool()
        await pool.run(select, 1)
        return pool

    async def use_and_close(pool: Pool) -> None:
        with pytest.raises(RuntimeError, match="another event loop"):
            await pool.run(select, 1)
        await pool.close()

    pool = anyio.run(start, backend=backend)
    anyio.run(use_and_close, pool, backend=backend)
    assert our_threads() == []
