"""An asyncio loop behind trio: values, errors, cancellation in every order, and its end."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import anyio
import pytest
import trio

from ommi.drivers.bridge import LoopThread

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["trio"])]

WHO: ContextVar[str] = ContextVar("who")


@asynccontextmanager
async def running() -> AsyncIterator[LoopThread]:
    bridge = LoopThread("ommi test bridge")
    await bridge.start()
    try:
        yield bridge
    finally:
        await bridge.stop()


class Work:
    """Something that waits in the loop until it is let go or cancelled, and keeps what happened to it."""

    def __init__(self, cleaning: Callable[[], Awaitable[None]] | None = None) -> None:
        self.cleaning = cleaning
        self.started = threading.Event()
        self.go = threading.Event()
        self.cancelled = 0
        self.cleaned = False

    async def wait(self) -> str:
        self.started.set()
        try:
            while not self.go.is_set():  # noqa: ASYNC110 - the event is another thread's
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            if self.cleaning is not None:
                await self.cleaning()
            self.cleaned = True
            raise
        return "done"

    async def until_started(self) -> None:
        with trio.fail_after(20):
            while not self.started.is_set():
                await trio.lowlevel.checkpoint()


async def add(one: int, other: int) -> int:
    await asyncio.sleep(0)
    return one + other


async def fail() -> None:
    raise LookupError("no")


async def test_a_value_comes_back() -> None:
    async with running() as bridge:
        assert await bridge.call(add, 1, 2) == 3


async def test_an_error_comes_back_as_it_is_and_the_loop_goes_on() -> None:
    async with running() as bridge:
        with pytest.raises(LookupError, match="no"):
            await bridge.call(fail)
        assert await bridge.call(add, 1, 2) == 3


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_the_end_of_a_process_is_raised_in_the_caller_and_does_not_end_the_loop(
    kind: type[BaseException],
) -> None:
    async def leave() -> None:
        raise kind("now")

    async with running() as bridge:
        with pytest.raises(kind):
            await bridge.call(leave)
        assert await bridge.call(add, 1, 2) == 3


async def test_calls_run_at_once() -> None:
    async with running() as bridge:
        works = [Work() for _ in range(50)]
        found: list[str] = []

        async def ask(work: Work) -> None:
            found.append(await bridge.call(work.wait))

        async with trio.open_nursery() as nursery:
            for work in works:
                nursery.start_soon(ask, work)
            for work in works:
                await work.until_started()
            for work in works:
                work.go.set()
    assert found == ["done"] * 50


async def test_context_variables_of_the_caller_are_seen() -> None:
    async def who() -> str:
        return WHO.get()

    WHO.set("Ada")
    async with running() as bridge:
        assert await bridge.call(who) == "Ada"


async def test_a_cancelled_call_cancels_its_task_once_and_waits_for_it() -> None:
    async def clean() -> None:
        for _ in range(100):  # trio would cancel again at each of them
            await asyncio.sleep(0)

    work = Work(clean)
    async with running() as bridge:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bridge.call, work.wait)
                await work.until_started()
                scope.cancel()
        assert scope.cancelled_caught
        assert work.cancelled == 1
        assert work.cleaned


async def test_a_value_that_comes_all_the_same_is_kept() -> None:
    started = threading.Event()
    found: list[str] = []

    async def stubborn() -> str:
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "kept"
        return "never"

    async with running() as bridge:

        async def ask() -> None:
            found.append(await bridge.call(stubborn))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ask)
                while not started.is_set():
                    await trio.lowlevel.checkpoint()
                nursery.cancel_scope.cancel()
    assert found == ["kept"]


async def test_a_call_under_cancellation_does_not_begin() -> None:
    began: list[int] = []

    async def begin() -> None:
        began.append(1)

    async with running() as bridge:
        with trio.CancelScope() as scope:
            scope.cancel()
            await bridge.call(begin)
        assert scope.cancelled_caught
    assert began == []


async def test_a_call_that_is_cancelled_before_its_task_runs_leaves_nothing() -> None:
    async with running() as bridge:
        for _ in range(200):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(bridge.call, asyncio.sleep, 3600)
                    await trio.lowlevel.checkpoint()
                    scope.cancel()
        assert await bridge.call(add, 1, 2) == 3


async def test_stopping_ends_what_still_runs() -> None:
    work = Work()
    bridge = LoopThread("ommi test bridge")
    await bridge.start()
    async with trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(RuntimeError, match="closed"):
                await bridge.call(work.wait)

        nursery.start_soon(ask)
        await work.until_started()
        await bridge.stop()
    assert work.cleaned
    assert "ommi test bridge" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(RuntimeError, match="closed"):
        await bridge.call(add, 1, 2)
    await bridge.stop()


@pytest.fixture
def control_c() -> Iterator[None]:
    """Python's own handler: a shell that starts the tests in the background has them ignore the signal."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("control_c")
def test_control_c_cancels_the_call(anyio_backend: str) -> None:
    work = Work()

    async def main() -> None:
        async def interrupt() -> None:
            await work.until_started()
            signal.raise_signal(signal.SIGINT)

        async with running() as bridge, trio.open_nursery() as nursery:
            nursery.start_soon(interrupt)
            await bridge.call(work.wait)

    with pytest.raises((KeyboardInterrupt, BaseExceptionGroup)):
        anyio.run(main, backend=anyio_backend)
    assert work.cleaned
