"""How a trio task waits for a job of another thread; imported only under trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple

import trio
from trio import lowlevel

from ommi.drivers.sqlite.event_loop import ANOTHER_LOOP, EventLoop
from ommi.drivers.sqlite.worker import Job

__all__ = ["TrioLoop"]


T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class _TrioJob(Job):
    awaited = True
    task: lowlevel.Task

    def wake(self) -> None:
        lowlevel.reschedule(self.task)


class TrioLoop(EventLoop):
    """A run of trio."""

    job = _TrioJob

    def __init__(self) -> None:
        super().__init__()
        self._token = lowlevel.current_trio_token()

    def is_running_here(self) -> bool:
        try:
            return lowlevel.current_trio_token() is self._token
        except RuntimeError:
            return False

    def turn(self) -> Awaitable[None]:
        return lowlevel.checkpoint()  # noqa: ASYNC105 - the caller awaits it

    @lowlevel.enable_ki_protection
    def at_once(self, function: Callable[[*Ts], T], /, *arguments: *Ts) -> T:
        return function(*arguments)

    @lowlevel.enable_ki_protection
    async def wait_for(self, job: Job, start: Callable[[Job], None], withdraw: Callable[[Job], bool]) -> Any:
        """See `EventLoop`. A job that was done before it could be stopped ends in its outcome: trio cancels again."""
        if lowlevel.current_trio_token() is not self._token:
            raise RuntimeError(ANOTHER_LOOP)
        if not job.protected:
            await lowlevel.checkpoint_if_cancelled()
        raise_cancel: Callable[[], Any] | None = None

        def abort(raise_: Callable[[], Any]) -> lowlevel.Abort:
            nonlocal raise_cancel
            if withdraw(job):
                return lowlevel.Abort.SUCCEEDED
            if not job.protected:
                raise_cancel = raise_
                job.to_stop = True
            return lowlevel.Abort.FAILED

        assert isinstance(job, _TrioJob)
        job.task = lowlevel.current_task()
        start(job)
        await lowlevel.wait_task_rescheduled(abort)
        if job.interrupted and job.error is not None and raise_cancel is not None:
            job.error = None
            raise_cancel()
        return job.outcome()

    def call_later(self, seconds: float, function: Callable[[], float | None]) -> Callable[[], object]:
        scope = trio.CancelScope()

        async def call() -> None:
            again: float | None = seconds
            with scope:
                while again is not None:
                    await trio.sleep(again)
                    again = function()

        lowlevel.spawn_system_task(call)
        return scope.cancel

    def wake_up(self) -> None:
        self._token.run_sync_soon(self._wake)

    def used(self, pool: object) -> None:
        return

    def left(self, pool: object) -> None:
        return
