"""How jobs that end wake the tasks that wait for them."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.drivers.sqlite.event_loop import EventLoop, running_loop
from ommi.drivers.sqlite.pool import Pool
from ommi.drivers.sqlite.worker import Job, ThreadWorker


class Chain(Job):
    """A job whose end lets another one end at once, as a task does that has one statement after the other."""

    def __init__(self, loop: EventLoop, woken: list[int]) -> None:
        super().__init__(len)
        self.loop = loop
        self.woken = woken

    def wake(self) -> None:
        self.woken.append(len(self.woken))
        if len(self.woken) < 1000:
            self.loop.deliver(Chain(self.loop, self.woken))


@pytest.mark.anyio
async def test_a_busy_task_leaves_the_event_loop_to_others() -> None:
    loop = running_loop()
    woken: list[int] = []
    loop.deliver(Chain(loop, woken))
    for _ in range(10):
        await checkpoint()
    assert 0 < len(woken) < 1000
    with anyio.fail_after(10):
        while len(woken) < 1000:
            await checkpoint()


@pytest.mark.anyio
async def test_jobs_that_have_ended_are_woken_in_one_turn() -> None:
    loop = running_loop()
    woken: list[str] = []

    class Ended(Job):
        def wake(self) -> None:
            woken.append("job")

    for _ in range(50):
        loop.deliver(Ended(len))
    while not woken:
        await checkpoint()
    assert len(woken) == 50


def made_pool(loop: EventLoop) -> Pool:
    connect: Callable[[], sqlite3.Connection] = partial(sqlite3.connect, ":memory:", isolation_level=None)
    spawn = partial(ThreadWorker, connect, name="ommi sqlite test")
    return Pool(loop, spawn, purpose="testing", size=1, acquire_timeout=20, busy_timeout=20)


def one(connection: sqlite3.Connection) -> Any:
    return connection.execute("SELECT 1").fetchone()[0]


@pytest.mark.anyio
async def test_a_pool_that_ends_leaves_the_others_of_its_loop_awake() -> None:
    loop = running_loop()
    first, second = made_pool(loop), made_pool(loop)
    with anyio.fail_after(20):
        assert await first.run(one) == await second.run(one) == 1
        await first.close()
        await first.close()
        assert await second.run(one) == 1
        await second.close()


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """As that of Windows."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> NoReturn:
        raise NotImplementedError


def test_a_loop_that_watches_no_pipes_is_woken_all_the_same() -> None:
    async def work() -> None:
        pool = made_pool(running_loop())
        try:
            async with asyncio.timeout(20):
                assert await pool.run(one) == 1
        finally:
            await pool.close()

    loop = LoopWithoutReaders()
    try:
        loop.run_until_complete(work())
    finally:
        loop.close()
