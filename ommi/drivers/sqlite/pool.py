"""The workers of one kind, and the order in which they serve."""

from __future__ import annotations

import sqlite3
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from threading import Lock
from typing import Any, Final, Protocol, TypeVar, TypeVarTuple

import anyio

from ommi.drivers.sqlite.event_loop import EventLoop
from ommi.drivers.sqlite.worker import RETIRE, Hold, Job, Worker
from ommi.errors import ConnectionFailed, LockTimeout, PoolTimeout

__all__ = ["CLOSED", "Closed", "Lease", "Pool", "Spawn"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

CLOSED: Final = "the database is not open: open it first, and close it only after its last use"
_FIRST_DELAY: Final = 0.001
_LONGEST_DELAY: Final = 0.05
_SHORT: Final = 0.0003  # seconds; a job that takes longer justifies another thread beside it
_GLANCE: Final = 0.001  # how long a job waits, at worst, behind one that turned out long
_REST: Final = 0.02


class Closed(RuntimeError):
    """The database was closed, or never opened, or took this connection back when it was closed."""


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
    served. Waiting jobs are taken by the workers themselves, without a detour through the event loop. Short jobs
    wait for a worker at work rather than engage another one: threads that share an interpreter lock would only
    be in each other's way (20 tasks: 8 microseconds a job with one thread, 19 with four).

    Seconds: `acquire_timeout` bounds the wait for a turn, `busy_timeout` that for a lock of another connection
    to the file, which passes in the event loop, with the worker held.
    """

    def __init__(
        self, loop: EventLoop, spawn: Spawn, *, purpose: str, size: int, acquire_timeout: float, busy_timeout: float
    ) -> None:
        self._loop = loop
        loop.used(self)
        self._spawn = spawn
        self._purpose = purpose
        self._size = size
        self._acquire_timeout = acquire_timeout
        self._busy_timeout = busy_timeout
        self._mutex = Lock()
        self._workers: list[Worker] = []
        self._active = 0
        self._idle: list[Worker] = []
        self._busy: dict[Worker, float] = {}
        self._held: dict[Worker, float] = {}
        self._purposes: dict[Worker, str] = {}
        self._engaged: set[Worker] = set()
        self._backlog: OrderedDict[Job, None] = OrderedDict()
        self._stop_watch: Callable[[], object] | None = None
        self._closing = False
        self._forced = False
        self._abandoned = False
        self._closers: list[Job] = []

    @property
    def in_use(self) -> int:
        """How many workers are at work, or kept."""
        with self._mutex:
            return len(self._busy.keys() | self._held.keys())

    def run(self, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> Coroutine[Any, Any, T]:
        """Call a function with any connection, in its thread. A transaction it leaves open is rolled back."""
        return self._do(self._loop.job(function, arguments))

    async def lease(
        self,
        function: Callable[[sqlite3.Connection, *Ts], object],
        /,
        *arguments: *Ts,
        purpose: str = "a transaction",
        undo: Callable[[sqlite3.Connection], object] | None = None,
    ) -> Lease:
        """Call a function with any connection and, when it succeeds, keep that connection; messages say for what.

        `undo` is called if it succeeds and the caller is cancelled all the same; a transaction is rolled back.
        """
        job = self._loop.job(function, arguments, Hold.ON_SUCCESS)
        job.undo = undo
        await self._do(job)
        assert job.worker is not None
        self._purposes[job.worker] = purpose
        return Lease(self, job.worker)

    async def leased(self, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> tuple[Lease, T]:
        """As `lease`, for a transaction, and what the function gives."""
        job = self._loop.job(function, arguments, Hold.ON_SUCCESS)
        value: T = await self._do(job)
        assert job.worker is not None
        self._purposes[job.worker] = "a transaction"
        return Lease(self, job.worker), value

    def at_hand(self) -> Worker | None:
        """An idle worker that nobody waits for: until it awaits, the caller may use its connection, if it lends that.

        Only where none is at work: who uses a connection waits for the interpreter's lock as often as a thread does.
        """
        if self._busy or self._backlog or not self._idle or self._closing or not self._loop.is_running_here():
            return None
        return self._idle[-1]  # only this thread takes workers from there

    def turn(self) -> Awaitable[None]:
        """Let other tasks go on, and a cancellation come."""
        return self._loop.turn()

    def at_once(self, function: Callable[[*Ts], T], /, *arguments: *Ts) -> T:
        """Call a function that uses a worker at hand; see `EventLoop.at_once`."""
        return self._loop.at_once(function, *arguments)

    def hold(self, worker: Worker) -> Lease:
        """Keep a worker that is at hand, for a transaction."""
        with self._mutex:
            self._held[worker] = time.monotonic()
            self._idle.remove(worker)
        self._purposes[worker] = "a transaction"
        return Lease(self, worker)

    def held_at_hand(self, worker: Worker) -> Worker | None:
        """The worker, if it is kept and idle; see `at_hand`."""
        if worker not in self._held or worker in self._engaged or not self._loop.is_running_here():
            return None
        return worker

    def let_go(self, worker: Worker) -> None:
        """Keep a worker no longer that is at hand, and has no transaction."""
        following = self._following(worker, held=False)
        if following is not None:
            worker.give(following)

    def run_held(
        self, worker: Worker, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts
    ) -> Coroutine[Any, Any, T]:
        """Call a function with a connection that was kept, and go on keeping it."""
        return self._do(self._loop.job(function, arguments, Hold.ALWAYS, worker))

    def finish(
        self, worker: Worker, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts
    ) -> Coroutine[Any, Any, T]:
        """Call a function, even when the caller is cancelled, and keep the connection no longer."""
        return self._do(self._loop.job(function, arguments, Hold.NEVER, worker, True))

    def release(self, worker: Worker, last: Callable[[sqlite3.Connection], object] | None = None) -> None:
        """Keep a connection no longer; its transaction is rolled back, after a `last` call, before it serves others."""
        with self._mutex:
            if self._held.pop(worker, None) is None:
                return
            self._busy[worker] = time.monotonic()
        worker.give(Job(last or _nothing, worker=worker))

    async def close(self, *, at_once: bool = False) -> None:
        """Wait for the work under way, and up to `acquire_timeout` for connections that are kept; end all threads.

        Cancelled, or `at_once`: what runs is interrupted, what waits is refused, and what is kept is taken back.
        """
        if not self._loop.is_running_here():  # that loop is over, or cannot be waited for
            self.abandon()
            await anyio.to_thread.run_sync(self._join)
            return
        if not at_once:
            await self._go_on()
        with self._mutex:
            self._closing = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.give(RETIRE)
        try:
            if at_once:
                await self._end_now()
            else:
                await self._end()
        finally:
            if self._stop_watch is not None:
                self._stop_watch()
            if not self._active:  # nothing is left to the threads but to end
                self._join()

    async def _go_on(self) -> None:
        """Let those who gave others their turn, with a worker at hand, begin; trio wakes tasks in any order."""
        try:
            await self._loop.turn()
            await self._loop.turn()
        except BaseException:
            await self.close(at_once=True)
            raise

    async def _end(self) -> None:
        stop = self._loop.call_later(self._acquire_timeout, self._force)
        try:
            await self._loop.wait_for(self._loop.job(_nothing), self._await_end, self._withdraw_closer)
        except BaseException:
            await self._end_now()
            raise
        finally:
            stop()

    async def _end_now(self) -> None:
        self._force()
        for worker in self._workers:
            worker.interrupt()
        await self._loop.wait_for(self._loop.job(_nothing, protected=True), self._await_end, _never)

    def abandon(self) -> None:
        """End all threads, without waiting for that; takes no lock, so that a finalizer may call it anywhere."""
        self._closing = self._forced = self._abandoned = True
        for worker in list(self._workers):
            worker.abandon()

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
        while (left := deadline - time.monotonic()) > 0:
            job = self._again(job)
            try:
                await anyio.sleep(min(delay, left))
                return await self._loop.wait_for(job, self._start, self._withdraw)
            except LockTimeout as again:
                locked = again
            except BaseException:
                self._let_go(job)
                raise
            delay = min(2 * delay, _LONGEST_DELAY)
        self._let_go(job)
        raise self._still(locked) from locked.__cause__

    def _still(self, locked: LockTimeout) -> LockTimeout:
        return LockTimeout(
            f"the database stayed locked by another connection for {self._busy_timeout:g} s",
            code=locked.code,
            hint="look for a process that keeps a transaction open, or raise busy_timeout",
        )

    def _again(self, job: Job) -> Job:
        again = self._loop.job(job.function, job.arguments, job.hold, job.worker, job.protected)
        again.held = True
        again.undo = job.undo
        return again

    def _let_go(self, job: Job) -> None:
        if job.held and job.hold is not Hold.ALWAYS and job.worker is not None:
            self.release(job.worker, job.undo)

    def _start(self, job: Job) -> None:
        worker = job.worker
        with self._mutex:
            if worker is not None:
                self._engage(worker)
            elif self._closing:
                raise Closed(CLOSED)
            else:
                now = time.monotonic()
                if not self._busy and self._idle:  # the common case, spelled out
                    worker = self._idle.pop()
                    self._busy[worker] = now
                elif self._can_engage_another(now):
                    worker = self._another(now)
                else:
                    job.queued_at = now
                    self._backlog[job] = None
        if worker is not None:
            worker.give(job)
        elif self._stop_watch is None:
            self._stop_watch = self._loop.call_later(self._pause(self._acquire_timeout), self._watch)

    def _engage(self, worker: Worker) -> None:
        if worker not in self._held or self._abandoned:
            raise Closed(CLOSED)
        if worker in self._engaged:
            raise RuntimeError("two tasks use one transaction at the same time; they must take turns")
        self._engaged.add(worker)

    def _can_engage_another(self, now: float) -> bool:
        return bool(self._idle or self._active < self._size) and not self._is_brisk(now)

    def _is_brisk(self, now: float) -> bool:
        """Whether a worker is doing a job that is, so far, short, and will soon be free for the next."""
        return any(now - since < _SHORT for since in self._busy.values())

    def _another(self, now: float) -> Worker:
        if self._idle:
            worker = self._idle.pop()
        else:
            try:
                worker = self._spawn(following=self._following, deliver=self._loop.deliver, retired=self._retired)
            except (OSError, RuntimeError) as error:  # no more files, no more threads
                raise ConnectionFailed(f"no {self._purpose} connection could be made: {error}") from error
            self._workers.append(worker)
            self._active += 1
        self._busy[worker] = now
        return worker

    def _withdraw(self, job: Job) -> bool:
        with self._mutex:
            return self._backlog.pop(job, _ABSENT) is None

    def _following(self, worker: Worker, held: bool) -> Job | None:
        with self._mutex:
            now = time.monotonic()
            since = self._busy.pop(worker, now)
            self._engaged.discard(worker)
            if held:
                self._held.setdefault(worker, now)
                if not self._forced:
                    return None
            self._held.pop(worker, None)
            # one that leaves the rest to a brisk colleague is called back by `_watch` if that was a mistake
            if self._backlog and not held and not (now - since < _SHORT and self._is_brisk(now)):
                self._busy[worker] = now
                return self._backlog.popitem(last=False)[0]
            if self._closing:
                return RETIRE
            self._idle.append(worker)
            return None

    def _watch(self) -> float | None:
        """Refuse jobs that have waited too long, and give the others to idle workers; called while jobs wait."""
        late = []
        relieved = []
        with self._mutex:
            now = time.monotonic()
            while self._backlog and next(iter(self._backlog)).queued_at + self._acquire_timeout <= now:
                late.append(self._backlog.popitem(last=False)[0])
            while self._backlog and self._can_engage_another(now):
                worker = self._another(now)
                relieved.append((worker, self._backlog.popitem(last=False)[0]))
            left = next(iter(self._backlog)).queued_at + self._acquire_timeout - now if self._backlog else None
            held = [
                f"{self._purposes.get(worker, 'a transaction')} for {now - since:.1f} s"
                for worker, since in sorted(self._held.items(), key=lambda each: each[1])
            ]
        for worker, job in relieved:
            worker.give(job)
        for job in late:
            self._refuse(job, self._timeout(held))
        if left is None:
            self._stop_watch = None
            return None
        return self._pause(left)

    def _pause(self, left: float) -> float:
        if self._size == 1:
            return left
        return min(left, _GLANCE if self._idle or self._active < self._size else _REST)

    def _timeout(self, held: list[str]) -> PoolTimeout:
        message = f"no {self._purpose} connection became free within {self._acquire_timeout:g} s"
        if held:
            message += f"; {len(held)} of {self._size} are held by {', '.join(held)}"
        else:
            message += f"; statements keep all {self._size} of them busy"
        return PoolTimeout(
            message,
            hint="end transactions and streams sooner, never wait inside one for another, or raise acquire_timeout",
        )

    def _refuse(self, job: Job, error: BaseException) -> None:
        job.error = error
        self._loop.deliver(job)

    def _force(self) -> None:
        """Take connections back from those who keep them, which rolls their transactions back."""
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
            self._refuse(job, Closed(CLOSED))

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
        self._loop.left(self)


class Lease:
    """A connection of a pool, kept by one task until `finish` or `roll_back`."""

    __slots__ = ("_pool", "_worker")

    def __init__(self, pool: Pool, worker: Worker) -> None:
        self._pool = pool
        self._worker = worker

    def at_hand(self) -> Worker | None:
        """The worker, if it has nothing to do: until it awaits, the caller may use its connection."""
        return self._pool.held_at_hand(self._worker)

    def turn(self) -> Awaitable[None]:
        """Let other tasks go on, and a cancellation come."""
        return self._pool.turn()

    def at_once(self, function: Callable[[*Ts], T], /, *arguments: *Ts) -> T:
        """Call a function that uses the worker at hand; see `Pool.at_once`."""
        return self._pool.at_once(function, *arguments)

    def let_go(self) -> None:
        """Give the connection back, which is at hand and has no transaction."""
        self._pool.let_go(self._worker)

    def release(self) -> None:
        """Give the connection back, from which its thread takes the transaction."""
        self._pool.release(self._worker)

    def run(self, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> Coroutine[Any, Any, T]:
        """Call a function with the connection, in its thread."""
        return self._pool.run_held(self._worker, function, *arguments)

    def finish(self, function: Callable[[sqlite3.Connection, *Ts], T], /, *arguments: *Ts) -> Coroutine[Any, Any, T]:
        """Call a function with the connection, even when the caller is cancelled, and give the connection back.

        A transaction the function leaves open is rolled back.
        """
        return self._pool.finish(self._worker, function, *arguments)

    async def roll_back(self) -> None:
        """Give the connection back without a transaction on it, even when the caller is cancelled."""
        await self._pool.finish(self._worker, _nothing)


_ABSENT: Final = object()


def _nothing(_connection: sqlite3.Connection) -> None: ...


def _never(_job: Job) -> bool:
    return False
