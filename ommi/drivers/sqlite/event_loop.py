"""How a task waits for a job of another thread: once for asyncio, once for trio (`trio_loop`)."""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any, Final, Self, TypeVar, TypeVarTuple

import anyio

from ommi.drivers.sqlite.worker import Bell, Hold, Job, Worker

__all__ = ["ANOTHER_LOOP", "AsyncioLoop", "EventLoop", "running_loop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

ANOTHER_LOOP: Final = "the database was opened in another event loop; open it in the one that uses it"

_BY_SCOPE: Final = ("Cancelled by cancel scope ", "Cancelled via cancel scope ")  # the older and the newer anyio


_WOKEN_AT_ONCE: Final = 16


class EventLoop(ABC):
    """The event loop that a database was opened in.

    Jobs that end while the loop is busy wake it once, together.
    """

    def __init__(self) -> None:
        self._ended: deque[Job] = deque()
        self._woken = False

    @property
    @abstractmethod
    def job(self) -> type[Job]:
        """The kind of job that can be waited for in this loop."""

    @abstractmethod
    def is_running_here(self) -> bool:
        """Whether the caller runs in this loop."""

    @abstractmethod
    def turn(self) -> Awaitable[None]:
        """Let other tasks go on, and a cancellation come."""

    @abstractmethod
    def at_once(self, function: Callable[[*Ts], T], /, *arguments: *Ts) -> T:
        """Call a function; where the loop can hold KeyboardInterrupt back meanwhile, it does.

        Raised in a function that SQLite calls, it would be lost, and the statement with it.
        """

    @abstractmethod
    async def wait_for(self, job: Job, start: Callable[[Job], None], withdraw: Callable[[Job], bool]) -> Any:
        """Start a job and return its outcome.

        Cancelled: if `withdraw` can still take the job back, that is all; otherwise it is told to stop, and the
        wait ends when it has.
        """

    @abstractmethod
    def call_later(self, seconds: float, function: Callable[[], float | None]) -> Callable[[], object]:
        """Call a function in this loop after some time, and again after what it returns, until that is `None`.

        Returns what ends it.
        """

    @abstractmethod
    def wake_up(self) -> None:
        """Have the loop call `_wake`, from any thread; `RuntimeError` if the loop is over."""

    @abstractmethod
    def used(self, pool: object) -> None:
        """One more pool has its jobs waited for in this loop."""

    @abstractmethod
    def left(self, pool: object) -> None:
        """A pool has ended."""

    def deliver(self, job: Job) -> None:
        """Let the task that waits for a job go on; from any thread."""
        self._ended.append(job)
        if self._woken:
            return
        self._woken = True
        try:
            self.wake_up()
        except RuntimeError:  # the loop is over, and with it every task that waited
            self._ended.clear()
            self._woken = False

    def _wake(self) -> None:
        self._woken = False  # before looking: what comes later wakes again
        try:
            # a task with one statement after the other would keep the loop to itself; a turn for each costs 9 of 31 us
            for _ in range(max(_WOKEN_AT_ONCE, len(self._ended))):
                if not self._ended:
                    break
                self._ended.popleft().wake()
        finally:
            if self._ended and not self._woken:  # a task let KeyboardInterrupt or SystemExit through
                self._woken = True
                self.wake_up()


class _AsyncioJob(Job, asyncio.Future[None]):
    """A job that is the future of its own end.

    Cancelling it, which is what cancelling the task that waits does, stops the job and waits for that. A job
    that was done before it could be stopped has still ended in a cancellation, for a task that swallows one
    may never end; unless a scope of anyio cancels it, which does so again at the next await. The task goes on
    at once when the job is over, which spares a turn of the loop: a fifth of what a hop to the thread and back
    costs.
    """

    awaited = True
    withdraw: Callable[[Job], bool]
    _asked = False
    _reason: Any = None
    _by_scope = True
    _resume: Callable[[Any], object] | None = None
    _context: Context | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        hold: Hold = Hold.NEVER,
        worker: Worker | None = None,
        protected: bool = False,
    ) -> None:
        asyncio.Future.__init__(self)
        self.function = function
        self.arguments = arguments
        self.hold = hold
        self.worker = worker
        self.protected = protected

    def add_done_callback(self, fn: Callable[[Self], object], /, *, context: Context | None = None) -> None:
        if self._resume is None and context is not None and not self.done():
            self._resume = fn
            self._context = context
        else:
            super().add_done_callback(fn, context=context)

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        # Task.cancel() says nothing, or what its caller says; the scopes of anyio name themselves
        self._by_scope = self._by_scope and isinstance(msg, str) and msg.startswith(_BY_SCOPE)
        if self.withdraw(self):
            self._end_cancelled(msg)
        elif not self._asked:
            self._asked = True
            self._reason = msg
            self.to_stop = not self.protected
        return True

    @property
    def has_outcome(self) -> bool:
        """Whether it was done before it could be stopped, by a scope that will cancel again."""
        return self._asked and self._by_scope and not (self.interrupted and self.error is not None)

    def wake(self) -> None:
        if self.done():
            return
        if self._asked:
            self._end_cancelled(self._reason)
            return
        self.set_result(None)
        if self._resume is not None and self._context is not None:
            self._context.run(self._resume, self)

    def _end_cancelled(self, reason: Any) -> None:
        super().cancel(reason)
        if self._resume is not None:
            self.get_loop().call_soon(self._resume, self, context=self._context)


class AsyncioLoop(EventLoop):
    """An asyncio event loop, of any implementation."""

    job = _AsyncioJob

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        # a reader of its own: `call_soon_threadsafe` makes a handle each time, and reads its socket until that blocks
        self._bell: Bell | None = Bell()
        self._users: set[object] = set()
        try:
            self._loop.add_reader(self._bell.fileno(), self._rung)
        except NotImplementedError:  # on Windows
            self._bell = None

    def is_running_here(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def turn(self) -> Awaitable[None]:
        return asyncio.sleep(0)

    def at_once(self, function: Callable[[*Ts], T], /, *arguments: *Ts) -> T:
        return function(*arguments)

    async def wait_for(self, job: Job, start: Callable[[Job], None], withdraw: Callable[[Job], bool]) -> Any:
        assert isinstance(job, _AsyncioJob)
        if job.get_loop() is not self._loop:
            raise RuntimeError(ANOTHER_LOOP)
        job.withdraw = withdraw
        start(job)
        try:
            await job
        except asyncio.CancelledError:
            # a caller that heard of a timeout, and not of the write that was done, would write again
            if not job.has_outcome or anyio.current_effective_deadline() > -math.inf:
                raise
        return job.outcome()

    def call_later(self, seconds: float, function: Callable[[], float | None]) -> Callable[[], object]:
        call = _RepeatedCall(self._loop, function)
        call.schedule(seconds)
        return call.cancel

    def wake_up(self) -> None:
        bell = self._bell
        if bell is None:
            self._loop.call_soon_threadsafe(self._wake)
        else:
            bell.ring()

    def _rung(self) -> None:
        if self._bell is not None:
            self._bell.wait()
            self._wake()

    def used(self, pool: object) -> None:
        self._users.add(pool)

    def left(self, pool: object) -> None:
        if pool not in self._users or not self.is_running_here():
            return
        self._users.remove(pool)
        if self._bell is not None and not self._users:
            self._loop.remove_reader(self._bell.fileno())
            self._bell = None  # which closes it, when nobody is about to ring it any more
            self._loop.call_soon(self._wake)  # for what it was rung for last


class _RepeatedCall:
    def __init__(self, loop: asyncio.AbstractEventLoop, function: Callable[[], float | None]) -> None:
        self._loop = loop
        self._function = function
        self._handle: asyncio.TimerHandle | None = None

    def schedule(self, seconds: float) -> None:
        self._handle = self._loop.call_later(seconds, self._call)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    def _call(self) -> None:
        again = self._function()
        if again is not None:
            self.schedule(again)


def running_loop() -> EventLoop:
    """The event loop the caller runs in; `RuntimeError` if there is none."""
    if anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return AsyncioLoop()
    from ommi.drivers.sqlite.trio_loop import TrioLoop

    return TrioLoop()
