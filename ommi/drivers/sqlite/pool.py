"""The workers of one kind, and the order in which they serve."""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

import anyio

from ommi.drivers.sqlite.event_loop import EventLoop
from ommi.drivers.sqlite.worker import RETIRE, Hold, Job, Worker
from ommi.errors import LockTimeout, PoolTimeout

__all__ = ["CLOSED", "Lease", "Pool", "Spawn"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CLOSED: Final = "the database is closed; open it again, or close it only after its last use"
_FIRST_DELAY: Final = 0.001
_LONGEST_DELAY: Final = 0.05


class Spawn(Protocol):
    """Makes a worker; the arguments are those of `Worker`."""

    def __call__(
        self,
        *,
        following: Callable[[Worker, bool], Job | None],
        deliver: Callable[[Job], None],
        retired: Callable[[Worker], None],
    ) -> Worker: ...


class Pool:
    """Up to `size` workers, made when they are needed.

    A job goes to the worker that was idle last, whose caches are warm, or else waits its turn, first come first
    served. Waiting jobs are taken by the workers themselves, without a detour through the event loop. Seconds:
    `acquire_timeout` bounds the wait for a turn, `busy_timeout` that for a lock of another connection to the
    file, which passes in the event loop, with the worker held.
    """

    def __init__(
        self, loop: EventLoop, spawn: Spawn, *, purpose: str, size: int, acquire_timeout: float, busy_timeout: float
    ) -> None:
        self._loop = loop
        self._spawn = spawn
        self._purpose = purpose
        self._size = size
        self._acquire_timeout = acquire_timeout
        self._busy_timeout = busy_timeout
        self._mutex = Lock()
        self._workers: list[Worker] = []
        self._active = 0
        self._idle: list[Worker] = []
        self._held: dict[Worker, float] = {}
        self._engaged: set[Worker] = set()
        self._backlog: OrderedDict[Job, None] = OrderedDict()
        self._stop_watch: Callable[[], object] | None = None
        self._closing = False
        self._forced = False
        self._closers: list[Job] = []

    async def run(self, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> T:
        """Call a function with any connection, in its thread. A transaction it leaves open is rolled back."""
        value: T = await self._do(self._loop.job(function, arguments))
        return value

    async def lease(self, function: Callable[[sqlite3.Connection, *Ts], object], /, *arguments: *Ts) -> Lease:
        """Call a function with any connection and, when it succeeds, keep that connection."""
        job = self._loop.job(function, arguments, Hold.ON_SUCCESS)
        await self._do(job)
        assert job.worker is not None
        return Lease(self, job.worker)

    async def run_held(
        self, worker: Worker, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts
    ) -> T:
        """Call a function with a connection that was kept, and go on keeping it."""
        value: T = await self._do(self._loop.job(function, arguments, Hold.ALWAYS, worker))
        return value

    async def finish(self, worker: Worker, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> T:
        """Call a function, even when the caller is cancelled, and keep the connection no longer."""
        value: T = await self._do(self._loop.job(function, arguments, worker=worker, protected=True))
        return value

    def release(self, worker: Worker) -> None:
        """Keep a connection no longer; its transaction is rolled back before it serves others."""
        with self._mutex:
            if self._held.pop(worker, None) is None:
                return
        worker.give(Job(_nothing))

    async def close(self) -> None:
        """Wait for the work under way, and up to `acquire_timeout` for connections that are kept; end all threads.

        Cancelled: what runs is interrupted, what waits is refused, and what is kept is taken back.
        """
        if not self._loop.is_running_here():
            self.abandon()
            await anyio.to_thread.run_sync(self._join)
            return
        with self._mutex:
            self._closing = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.give(RETIRE)
        stop_waiting = self._loop.call_later(self._acquire_timeout, self._force)
        try:
            await self._loop.wait_for(self._loop.job(_nothing), self._await_end, self._withdraw_closer)
        except BaseException:
            self._force()
            for worker in self._workers:
                worker.interrupt()
            await self._loop.wait_for(self._loop.job(_nothing, protected=True), self._await_end, _never)
            raise
        finally:
            stop_waiting()
            if self._stop_watch is not None:
                self._stop_watch()
        self._join()

    def abandon(self) -> None:
        """End all threads, without waiting for that; takes no lock, so that a finalizer may call it anywhere."""
        self._closing = self._forced = True
        for worker in list(self._workers):
            worker.give(RETIRE)

    async def _do(self, job: Job) -> Any:
        try:
            return await self._loop.wait_for(job, self._start, self._withdraw)
        except LockTimeout as locked:
            if not job.held:
                raise
            return await self._do_again(job, locked)
        except BaseException:
            self._let_go(job)
            raise

    async def _do_again(self, job: Job, locked: LockTimeout) -> Any:
        deadline = time.monotonic() + self._busy_timeout
        delay = _FIRST_DELAY
        try:
            while (left := deadline - time.monotonic()) > 0:
                await anyio.sleep(min(delay, left))
                delay = min(2 * delay, _LONGEST_DELAY)
                job = self._again(job)
                try:
                    return await self._loop.wait_for(job, self._start, self._withdraw)
                except LockTimeout as again:
                    locked = again
            raise LockTimeout(
                f"the database stayed locked by another connection for {self._busy_timeout:g} s",
                code=locked.code,
                hint="look for a process that keeps a transaction open, or raise busy_timeout",
            ) from locked.__cause__
        except BaseException:
            self._let_go(job)
            raise

    def _again(self, job: Job) -> Job:
        again = self._loop.job(job.function, job.arguments, job.hold, job.worker, job.protected)
        again.held = True
        return again

    def _let_go(self, job: Job) -> None:
        if job.held and job.hold is not Hold.ALWAYS and job.worker is not None:
            self.release(job.worker)

    def _start(self, job: Job) -> None:
        worker = job.worker
        with self._mutex:
            if worker is not None:
                if worker not in self._held:
                    raise RuntimeError(CLOSED)
                if worker in self._engaged:
                    raise RuntimeError("two tasks use one transaction at the same time; they must take turns")
                self._engaged.add(worker)
            elif self._closing:
                raise RuntimeError(CLOSED)
            elif self._idle:
                worker = self._idle.pop()
            elif self._active < self._size:
                worker = self._spawn(following=self._following, deliver=self._loop.deliver, retired=self._retired)
                self._workers.append(worker)
                self._active += 1
            else:
                job.queued_at = time.monotonic()
                self._backlog[job] = None
        if worker is not None:
            worker.give(job)
        elif self._stop_watch is None:
            self._stop_watch = self._loop.call_later(self._acquire_timeout, self._expire)

    def _withdraw(self, job: Job) -> bool:
        with self._mutex:
            return self._backlog.pop(job, _ABSENT) is None

    def _following(self, worker: Worker, held: bool) -> Job | None:
        with self._mutex:
            self._engaged.discard(worker)
            if held and not self._forced:
                self._held.setdefault(worker, time.monotonic())
                return None
            self._held.pop(worker, None)
            if self._backlog and not held:
                return self._backlog.popitem(last=False)[0]
            if self._closing:
                return RETIRE
            self._idle.append(worker)
            return None

    def _expire(self) -> None:
        """Refuse the jobs that have waited too long. One timer serves all: they wait equally long, in order."""
        self._stop_watch = None
        late = []
        with self._mutex:
            now = time.monotonic()
            while self._backlog:
                job = next(iter(self._backlog))
                left = job.queued_at + self._acquire_timeout - now
                if left > 0:
                    self._stop_watch = self._loop.call_later(left, self._expire)
                    break
                del self._backlog[job]
                late.append(job)
            held = [now - since for since in self._held.values()]
        for job in late:
            self._refuse(job, self._timeout(held))

    def _timeout(self, held: list[float]) -> PoolTimeout:
        message = f"no {self._purpose} connection became free within {self._acquire_timeout:g} s"
        if held:
            message += f"; open transactions hold {len(held)} of {self._size}, the oldest for {max(held):.1f} s"
        else:
            message += f"; statements keep all {self._size} of them busy"
        return PoolTimeout(
            message,
            hint="end transactions sooner, never wait inside one for another, or raise acquire_timeout",
        )

    def _refuse(self, job: Job, error: BaseException) -> None:
        job.error = error
        self._loop.deliver(job)

    def _force(self) -> None:
        with self._mutex:
            self._forced = True
            taken = [worker for worker in self._held if worker not in self._engaged]
            for worker in taken:
                del self._held[worker]
            waiting = list(self._backlog)
            self._backlog.clear()
        for worker in taken:
            worker.give(RETIRE)
        for job in waiting:
            self._refuse(job, RuntimeError(CLOSED))

    def _await_end(self, closer: Job) -> None:
        with self._mutex:
            if self._active:
                self._closers.append(closer)
                return
        self._loop.deliver(closer)

    def _withdraw_closer(self, closer: Job) -> bool:
        with self._mutex:
            if closer not in self._closers:
                return False
            self._closers.remove(closer)
            return True

    def _retired(self, _worker: Worker) -> None:
        with self._mutex:
            self._active -= 1
            if self._active:
                return
            closers, self._closers = self._closers, []
        for closer in closers:
            self._loop.deliver(closer)

    def _join(self) -> None:
        for worker in self._workers:
            worker.join()


class Lease:
    """A connection of a pool, kept by one task until `finish` or `release`."""

    __slots__ = ("_pool", "_worker")

    def __init__(self, pool: Pool, worker: Worker) -> None:
        self._pool = pool
        self._worker = worker

    async def run(self, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> T:
        """Call a function with the connection, in its thread."""
        return await self._pool.run_held(self._worker, function, *arguments)

    async def finish(self, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> T:
        """Call a function with the connection, even when the caller is cancelled, and give the connection back.

        A transaction the function leaves open is rolled back.
        """
        return await self._pool.finish(self._worker, function, *arguments)

    def release(self) -> None:
        """Give the connection back, at once; a transaction on it is rolled back in its thread."""
        self._pool.release(self._worker)


_ABSENT: Final = object()


def _nothing(_connection: sqlite3.Connection) -> None: ...


def _never(_job: Job) -> bool:
    return False
