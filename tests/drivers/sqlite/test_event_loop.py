"""How jobs that end wake the tasks that wait for them."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from ommi.drivers.sqlite.event_loop import EventLoop, running_loop
from ommi.drivers.sqlite.worker import Job

pytestmark = pytest.mark.anyio


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
