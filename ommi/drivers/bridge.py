"""An asyncio event loop in a thread of its own, called from trio: for drivers whose library knows only asyncio.

Imported only under trio.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Final, TypeAlias, TypeVar, TypeVarTuple, final

import trio
from trio import lowlevel

__all__ = ["LoopThread"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_Outcome: TypeAlias = tuple[Any, BaseException | None]
_ENDED: Final = "the event loop behind this driver has ended: the database was closed"


@final
class LoopThread:
    """One asyncio event loop; `call` awaits a coroutine function in it from a trio task.

    A cancelled call cancels its asyncio task, once, and is over when that task is: what the task does in its
    `finally` has happened, and a value that was there before the cancellation could stop it is not lost. The
    context variables of the caller are those of the task.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._inbox: deque[Callable[[], None]] = deque()
        self._awake = False
        self._ending = False

    async def start(self) -> None:
        """Start the thread and wait until its loop runs."""
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=[ready], name=self._name, daemon=True)
        thread.start()
        self._thread = thread
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(ready.wait)

    async def stop(self) -> None:
        """End the loop, cancelling what still runs in it, and wait for the thread; stopping twice is allowed."""
        if self._ending:
            return
        self._ending = True
        self._post(self._stopping.set)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)

    def abandon(self) -> None:
        """End the loop without waiting; a finalizer may call it anywhere."""
        if not self._ending:
            self._ending = True
            self._post(self._stopping.set)

    @lowlevel.enable_ki_protection
    async def call(self, function: Callable[[*Ts], Coroutine[Any, Any, T]], /, *arguments: *Ts) -> T:
        """Await `function(*arguments)` in the loop."""
        await lowlevel.checkpoint_if_cancelled()
        if self._ending:
            raise RuntimeError(_ENDED)
        made = _Call()
        self._post(lambda: made.start(self._loop, _ended(function, arguments)))
        await lowlevel.wait_task_rescheduled(lambda raise_cancel: made.abort(raise_cancel, self._post))
        task = made.task
        assert task is not None
        if task.cancelled():
            if made.raise_cancel is not None:
                made.raise_cancel()
            raise RuntimeError(_ENDED)
        value, error = task.result()
        if error is not None:
            try:
                raise error
            finally:
                del error, task, made  # the traceback holds this frame
        result: T = value
        return result

    def _run(self, ready: threading.Event) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            self._stopping = asyncio.Event()
            ready.set()
            await self._stopping.wait()  # what is left then is cancelled by the runner

        with asyncio.Runner() as runner:
            runner.run(main())

    def _post(self, function: Callable[[], None]) -> None:
        """Have a function called in the loop; a loop that is awake already need not be woken for it."""
        self._inbox.append(function)
        if not self._awake:
            self._awake = True
            with suppress(RuntimeError):  # the loop has ended, and everything in it
                self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        self._awake = False  # before the inbox is empty: what comes from now on wakes the loop again
        while self._inbox:
            self._inbox.popleft()()


class _Call:
    """A trio task that waits for an asyncio task."""

    __slots__ = ("context", "raise_cancel", "task", "token", "waiting")

    def __init__(self) -> None:
        self.context = copy_context()
        self.waiting = lowlevel.current_task()
        self.token = lowlevel.current_trio_token()
        self.task: asyncio.Task[_Outcome] | None = None
        self.raise_cancel: Callable[[], Any] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, _Outcome]) -> None:
        self.task = loop.create_task(work, context=self.context)
        self.task.add_done_callback(self._wake)

    def abort(self, raise_cancel: Callable[[], Any], post: Callable[[Callable[[], None]], None]) -> lowlevel.Abort:
        self.raise_cancel = raise_cancel
        post(self._cancel)
        return lowlevel.Abort.FAILED

    def _cancel(self) -> None:
        assert self.task is not None
        self.task.cancel()

    def _wake(self, _: object) -> None:
        with suppress(trio.RunFinishedError):  # nobody waits any more
            self.token.run_sync_soon(lowlevel.reschedule, self.waiting)


async def _ended(function: Callable[..., Coroutine[Any, Any, Any]], arguments: tuple[Any, ...]) -> _Outcome:
    """What a function gives or raises, as a value: an exception that ends processes would end the loop."""
    try:
        return await function(*arguments), None
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - raised in the caller
        return None, error
