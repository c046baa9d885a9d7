"""A worker: one SQLite connection and the one thread that uses it.

A job is done in one hop there and one back. Cancelling goes through SQLite's progress handler, not through
`interrupt()`, which could hit the next job.
"""

from __future__ import annotations

import math
import os
import sqlite3
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, auto
from threading import Lock, Thread
from time import perf_counter
from typing import Any, ClassVar, Final

from ommi.errors import LockTimeout

__all__ = ["RETIRE", "Bell", "Hold", "Job", "ThreadWorker", "Worker"]

_STEPS_BETWEEN_CHECKS: Final = 1000  # of SQLite's virtual machine: 10 to 20 microseconds


class Hold(Enum):
    """When a worker stays with whoever gave it a job, rather than going on to the next one.

    After a `LockTimeout` it always stays, so that the job can be tried again without losing its turn.
    """

    NEVER = auto()
    ON_SUCCESS = auto()
    ALWAYS = auto()


class Job:
    """A function to call with a connection, and what became of it; each event loop has its own kind.

    A `protected` job is neither dropped nor interrupted when its caller is cancelled. After its end, `held` says
    that `worker` stays with the caller. `undo` is called with the connection if the caller does not want it any more.
    """

    awaited: ClassVar[bool] = False
    value: Any = None
    error: BaseException | None = None
    to_stop: bool = False
    interrupted: bool = False
    held: bool = False
    queued_at: float = 0.0
    undo: Callable[[sqlite3.Connection], object] | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        hold: Hold = Hold.NEVER,
        worker: Worker | None = None,
        protected: bool = False,
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.hold = hold
        self.worker = worker
        self.protected = protected

    def wake(self) -> None:
        """Let the task that waits for the job go on; in its event loop."""

    def outcome(self) -> Any:
        """The value, or the error raised; once, because an error that is kept would keep its frames, too."""
        error = self.error
        if error is None:
            return self.value
        self.error = None
        try:
            raise error
        finally:
            del error


def _nothing(_connection: sqlite3.Connection) -> None: ...


RETIRE: Final = Job(_nothing)
"""Given to a worker instead of a job: close the connection and end."""


class Worker(ABC):
    """Does jobs with one connection, in one thread, and leaves no transaction open when it goes on.

    `connect` makes the connection when it is first needed, and again after a rollback failed. `following` is
    asked after each job, with whether the worker is held, for the next one; `deliver` takes a job that is over.
    Both are called in the worker's thread.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        following: Callable[[Worker, bool], Job | None],
        deliver: Callable[[Job], None],
        retired: Callable[[Worker], None],
    ) -> None:
        self._connect = connect
        self._following = following
        self._deliver = deliver
        self._retired = retired
        self._connection: sqlite3.Connection | None = None
        self._job: Job | None = None
        self.lent: Final = Lock()
        """Held by whoever uses the connection: it is not closed meanwhile."""
        self.patience = math.inf
        """Until when a statement of another thread that has lent the connection may take."""

    @abstractmethod
    def give(self, job: Job) -> None:
        """Have a job done by this worker, which is idle or held by the caller; from any thread, without waiting."""

    @abstractmethod
    def abandon(self) -> None:
        """End some time, without a word to anyone; from any thread, even from a finalizer."""

    @property
    def lendable(self) -> sqlite3.Connection | None:
        """The connection, if other threads may use it while they hold `lent` and the worker has nothing to do."""
        return None

    def interrupt(self) -> None:
        """Stop the job under way, if it may be stopped."""
        job = self._job
        if job is not None and not job.protected:
            job.to_stop = True

    @abstractmethod
    def join(self) -> None:
        """Wait for the end of the thread of a worker that has retired, if it has one."""

    def work(self, job: Job) -> bool:
        """Do a job and those that follow it, until there is none; whether the worker goes on. In its thread."""
        following: Job | None = job
        del job
        while following is not None:
            if following is RETIRE:
                self.disconnect()
                self._retired(self)
                return False
            following = self._do(following)
        return True

    def _do(self, job: Job) -> Job | None:
        if job.to_stop:
            job.interrupted = True
            job.error = sqlite3.OperationalError("interrupted")
        else:
            self._job = job
            try:
                job.value = self.perform(job)
            except BaseException as error:  # noqa: BLE001 - it is raised again where the job is awaited
                job.error = error
            self._job = None
        if job.error is None:
            job.held = job.hold is not Hold.NEVER
        else:
            job.held = job.hold is Hold.ALWAYS or isinstance(job.error, LockTimeout)
        if not job.held:
            self._clean()
        job.worker = self if job.held else None
        # first be idle, then answer: whoever gets the answer and asks again finds this worker, not a cold one
        following = self._following(self, job.held)
        if job.awaited:
            self._deliver(job)
        return following

    def perform(self, job: Job) -> Any:
        """Call the job's function; in the worker's thread."""
        return job.function(self._connection or self._connected(), *job.arguments)

    def _connected(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.set_progress_handler(self.is_to_stop, _STEPS_BETWEEN_CHECKS)
        self._connection = connection
        return connection

    def is_to_stop(self) -> bool:
        """Whether the statement under way is to be interrupted. Says so once: what then undoes its work is not."""
        job = self._job
        if job is None:
            if perf_counter() < self.patience:
                return False
            self.patience = math.inf
            return True
        if not job.to_stop or job.interrupted:
            return False
        job.interrupted = True
        return True

    def disconnect(self) -> None:
        """Give the connection up, which rolls an open transaction back; in the worker's thread."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with self.lent, suppress(sqlite3.Error):
                connection.close()

    def _clean(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            if connection.in_transaction:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
            is_clean = not connection.in_transaction
        except sqlite3.ProgrammingError:  # somebody has closed it
            is_clean = False
        if not is_clean:
            self.disconnect()


class ThreadWorker(Worker):
    """A worker with a thread of its own: a daemon, so that a database nobody closed does not keep Python alive."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        *,
        following: Callable[[Worker, bool], Job | None],
        deliver: Callable[[Job], None],
        retired: Callable[[Worker], None],
        name: str,
    ) -> None:
        super().__init__(connect, following=following, deliver=deliver, retired=retired)
        self._inbox: deque[Job] = deque()
        self._bell = Bell()
        self._thread = Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    @property
    def lendable(self) -> sqlite3.Connection | None:
        return self._connection

    def give(self, job: Job) -> None:
        self._inbox.append(job)
        self._bell.ring()

    def abandon(self) -> None:
        if self._thread.is_alive():
            self.give(RETIRE)

    def join(self) -> None:
        self._thread.join()
        self._bell.close()

    def _serve(self) -> None:
        wait, inbox = self._bell.wait, self._inbox
        wait()
        while self.work(inbox.popleft()):
            wait()


class Bell:
    """A pipe that one thread waits at. Unlike a lock, it wakes the thread on the processor of the one that rings.

    That one is about to sleep in its event loop, and another processor may be asleep: waking it takes four times
    as long as all the rest (measured: 9 microseconds there and back with a pipe, 12 to 60 with a lock).
    """

    _ends = (-1, -1)

    def __init__(self) -> None:
        self._ends = os.pipe()

    def fileno(self) -> int:
        """The end to wait at."""
        return self._ends[0]

    def ring(self) -> None:
        """Wake the one that waits, from any thread."""
        os.write(self._ends[1], b"!")

    def wait(self) -> None:
        """Until it is rung; once for each time."""
        os.read(self._ends[0], 1)

    def close(self, close: Callable[[int], None] = os.close) -> None:
        """Only when nobody rings or waits any more: the numbers may be another file's afterwards."""
        ends, self._ends = self._ends, (-1, -1)
        for end in ends:
            if end >= 0:
                close(end)

    __del__ = close
