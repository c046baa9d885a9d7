"""`async with db.open(stream) as rows:`: a stream that is read by code that awaits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeAlias, final

from returns.primitives.exceptions import UnwrapFailedError
from returns.result import Failure
from typing_extensions import TypeVar

from ommi.effects.effect import Stepwise
from ommi.effects.related import Runner, adopt
from ommi.effects.stream import Stream
from ommi.runtime.calls import Ending
from ommi.runtime.fibers import Fiber, ScopeSteps
from ommi.runtime.interpreter import Machine
from ommi.runtime.pump import Pump
from ommi.runtime.turns import Turn

__all__ = ["OpenStream"]

T_co = TypeVar("T_co", covariant=True)

Steps: TypeAlias = Callable[[Fiber, Machine], ScopeSteps]

_TWICE = (
    "a stream that was opened is read once: open it again, `async with db.open(stream) as rows:`, for another reading"
)
_AT_ONCE = "two tasks read one open stream at the same time; they must take turns, or open one each"
_CLOSED = "this stream is not open: read it inside `async with db.open(stream) as rows:`"


@final
class OpenStream(Generic[T_co]):
    """The elements of a stream while its block runs: `async for row in rows:`.

    Entering the block opens what is read, outside of transactions on a connection of its own; leaving it closes that,
    whatever happened. A failure is raised, as itself where it is an exception, by entering or by the iteration, and
    again by every further one. Elements are read a chunk at a time, when those before have been taken. In the body of a
    transaction it is part of that.
    """

    __slots__ = ("_busy", "_chunk", "_failure", "_open", "_pump", "_runner", "_source", "_turn", "_where")

    def __init__(self, stream: Stream[T_co, Any], pump: Pump, runner: Runner, where: Callable[[], Turn | None]) -> None:
        from ommi.runtime.streaming import pulling  # here, because few programs stream

        self._source = pulling(stream)
        self._pump = pump
        self._runner = runner
        self._where = where
        self._turn: Turn | None = None
        self._open: bool | None = None
        self._busy = False
        self._chunk: Iterator[T_co] = iter(())
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        if self._open is not None:
            raise RuntimeError(_TWICE)
        self._turn = self._where()
        self._open = True
        try:
            await self._step(self._source.start)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        for element in self._chunk:
            return element
        found: list[T_co] | None = await self._step(self._source.pull)
        if found is None:
            raise StopAsyncIteration
        adopt(found, self._runner)
        self._chunk = iter(found)
        return next(self._chunk)

    async def _step(self, steps: Steps) -> Any:
        """What a step of the source gives; its failure raised."""
        if not self._open:
            raise RuntimeError(_CLOSED)
        if self._failure is not None:
            raise self._failure
        if self._busy:
            raise RuntimeError(_AT_ONCE)
        self._busy = True
        try:
            ending, payload = await self._pump.belonging(Stepwise(steps), self._turn)
        finally:
            self._busy = False
        if ending is Ending.VALUE:
            return payload
        self._failure = payload if isinstance(payload, BaseException) else UnwrapFailedError(Failure(payload))
        raise self._failure

    async def _close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._chunk = iter(())
        ending, payload = await self._pump.at_last(Stepwise(self._source.close), self._turn)
        if ending is not Ending.VALUE and isinstance(payload, BaseException):
            raise payload
