"""One run of a program, disturbed or not, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import anyio
from anyio import CancelScope, get_cancelled_exc_class
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.errors import OmmiError
from ommi.testing.faults.driver import FaultyDriver
from ommi.testing.faults.kinds import NATIVE, Fault
from ommi.testing.faults.trace import Trace

__all__ = ["Ended", "Ending", "Program", "is_native", "perform"]

Program: TypeAlias = Effect[Any, Any] | Callable[[Ommi], Awaitable[object]]
"""An effect, or an asynchronous function that is given the database."""

Ending: TypeAlias = Literal["success", "failure", "cancelled", "defect", "hung"]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run came out: with its value, its error, or, where it hung, with the place."""

    ending: Ending
    result: Any = None


def is_native() -> bool:
    """Whether tasks of this event loop have a cancellation of their own: asyncio."""
    return get_cancelled_exc_class() is asyncio.CancelledError


async def perform(
    program: Program, db: Ommi, trace: Trace, *, raises: tuple[type[Exception], ...], seconds: float
) -> Ended:
    """Run the program on a driver around that of `db`, within some seconds."""
    run = _Performance(program, Ommi(FaultyDriver(db.driver, trace), clock=trace.clock), trace, raises)
    async with anyio.create_task_group() as group:
        run.group = group
        group.start_soon(run.perform)
        await run.watch(seconds)
    assert run.ended is not None
    return run.ended


@final
class _Performance:
    """A run in a task of its own, which can be cancelled as the task of an application can."""

    group: TaskGroup

    def __init__(self, program: Program, db: Ommi, trace: Trace, raises: tuple[type[Exception], ...]) -> None:
        self.program = program
        self.db = db
        self.trace = trace
        self.raises = raises
        self.scope = CancelScope()
        self.task: asyncio.Task[Any] | None = None
        self.over = anyio.Event()
        self.ended: Ended | None = None
        trace.cancel = self.cancel
        trace.cancel_soon = self.cancel_soon

    async def perform(self) -> None:
        self.task = asyncio.current_task() if is_native() else None
        ended = Ended("cancelled")
        try:
            async with self.db:
                with self.scope:
                    ended = await self.outcome()
            await checkpoint()  # a cancellation by the task that came too late for the program ends here
        except Exception as defect:  # noqa: BLE001  # reported by the case
            ended = Ended("defect", defect)
        except asyncio.CancelledError:
            if self.task is None or not self.task.cancelling():
                raise
        finally:
            if self.task is not None:
                while self.task.uncancel():
                    continue
            self.ended = self.ended or ended
            self.over.set()

    async def outcome(self) -> Ended:
        """How the program came out; a cancellation is raised."""
        try:
            if isinstance(self.program, Effect):
                found: object = await self.db.run(self.program)
            else:
                found = await self.program(self.db)
        except Exception as error:  # noqa: BLE001  # reported by the case
            return Ended("failure" if self.is_declared(error) else "defect", error)
        match found:
            case Failure(error):
                return Ended("failure", error)
            case Success(value):
                return Ended("success", value)
            case _:
                return Ended("success", found)

    def is_declared(self, error: BaseException) -> bool:
        """Whether an exception is an ending of code; one that leaves the run of an effect is always a defect."""
        if isinstance(self.program, Effect):
            return False
        if isinstance(error, BaseExceptionGroup):
            return all(map(self.is_declared, error.exceptions))
        return isinstance(error, (OmmiError, *self.raises))

    def cancel(self, fault: Fault) -> None:
        if fault in NATIVE and self.task is not None:
            self.task.cancel()
        else:
            self.scope.cancel()

    def cancel_soon(self, fault: Fault) -> None:
        self.group.start_soon(_called, self.cancel, fault)

    async def watch(self, seconds: float) -> None:
        """Wait for the end; after some seconds stop the run, and say where it was.

        What waits under a shield is ended if that is a step of the driver, or on asyncio; trio knows no way.
        """
        with anyio.move_on_after(seconds):
            await self.over.wait()
        for stop in (self.scope.cancel, self.trace.give_up, self.cancel_task):
            if self.over.is_set():
                return
            self.ended = self.ended or Ended("hung", self.trace.place())
            stop()
            with anyio.move_on_after(min(seconds, 1)):
                await self.over.wait()

    def cancel_task(self) -> None:
        if self.task is not None:
            self.task.cancel()


async def _called(function: Callable[[Fault], None], fault: Fault) -> None:
    function(fault)
