"""Streams in the making: elements are pulled, a list of them at a time, from sources that are open meanwhile.

As with scopes, what a source does is a generator: it yields effects and calls, and is sent how they ended.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never, cast, final

from ommi.effects.effect import Await, Bind, Fold, Folding, Succeed
from ommi.effects.stream import (
    Attached,
    Bound,
    Chunked,
    Effected,
    Filtered,
    Mapped,
    Produced,
    Retried,
    Selected,
    Stream,
    StreamNode,
    Taken,
)
from ommi.runtime.calls import CloseCursor, Ending, Fetch, OpenCursor, Pause
from ommi.runtime.fibers import Fiber, OpenTransaction, Outcome, ScopeSteps
from ommi.runtime.loading import load
from ommi.runtime.scopes import delays, is_again

if TYPE_CHECKING:
    from ommi.runtime.interpreter import Machine

__all__ = ["Pulling", "fold", "pulling"]

VALUE, ERROR, DOOM, DEFECT, CANCELLED, NOT_MADE = Ending

_OVER = (
    "this stream is over: it was opened in a part of the transaction that was rolled back. "
    "Open it before the savepoint, or read it to its end inside"
)

Steps: TypeAlias = ScopeSteps


class Pulling(ABC):
    """A stream that is being read; each method may be another run, or another fiber, than the one before."""

    @abstractmethod
    def start(self, fiber: Fiber, machine: Machine) -> Steps:
        """Open what has to be open before the first element."""

    @abstractmethod
    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        """The next elements, a list with one at least; `None` when there are no more."""

    @abstractmethod
    def close(self, fiber: Fiber, machine: Machine) -> Steps:
        """Close what is open, if anything is."""


def pulling(stream: Stream[Any, Any]) -> Pulling:
    """The stream, to be read once."""
    node = cast("StreamNode", stream)
    match node:
        case Selected():
            return _Rows(node)
        case Produced():
            return _Elements(node)
        case Mapped() | Filtered():
            return _Changing(node)
        case Effected():
            return _Running(node)
        case Bound():
            return _Binding(node)
        case Taken():
            return _Taking(node)
        case Chunked():
            return _Regrouping(node)
        case Retried():
            return _Retrying(node)
        case Attached():
            return pulling(node.source)
        case _:
            assert_never(node)


def fold(fiber: Fiber, node: Fold[Any, Any], machine: Machine) -> Steps:
    """All elements, as one value."""
    how, function = node.how, node.function
    found: Any = node.initial if how is Folding.FOLD else [] if how is Folding.LIST else 0
    source = pulling(node.stream)
    outcome = yield from source.start(fiber, machine)
    while outcome[0] is VALUE:
        outcome = yield from source.pull(fiber, machine)
        ending, elements = outcome
        if ending is not VALUE or elements is None:
            break
        try:
            if function is not None:
                for element in elements:
                    found = function(found, element)
            elif how is Folding.LIST:
                found += elements
            elif how is Folding.ADDED:
                found += sum(elements)
            else:
                found += len(elements)
        except BaseException as defect:
            outcome = DEFECT, defect
    closed = yield from source.close(fiber, machine)
    if closed[0] is not VALUE:
        return closed
    return (VALUE, found) if outcome[0] is VALUE else outcome


@final
class _Rows(Pulling):
    """The rows of a query."""

    def __init__(self, node: Selected[Any, Any]) -> None:
        self.node = node
        self.cursor: Any = None
        self.transaction: OpenTransaction | None = None
        self.over = False

    def start(self, fiber: Fiber, machine: Machine) -> Steps:
        recoverable = fiber.covered > 0 or machine.in_block
        ending, payload = yield OpenCursor(self.node.perform, self.node.chunk, fiber.transaction, recoverable)
        if ending is not VALUE:
            return ending, payload
        self.cursor, self.transaction = payload, fiber.transaction
        if self.transaction is not None:
            self.transaction.streams.append(self)
        return VALUE, None

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        node = self.node
        if self.cursor is None:
            return VALUE, None
        if self.over:
            return DEFECT, RuntimeError(_OVER)
        ending, records = yield Fetch(self.cursor, node.perform, self.transaction)
        if ending is not VALUE:
            return ending, records
        if len(records) < node.chunk:
            closed = yield from self.close(fiber, machine)
            if closed[0] is not VALUE:
                return closed
        if node.relations and records:
            model = node.perform.statement.schema.model  # type: ignore[union-attr]  # a query
            loaded = yield from load(fiber, records, model, node.relations, node.perform.origin, machine)
            if loaded[0] is not VALUE:
                return loaded
        return VALUE, records or None

    def close(self, fiber: Fiber, machine: Machine) -> Steps:
        cursor, self.cursor = self.cursor, None
        if cursor is None:
            return VALUE, None
        if self.transaction is not None:
            self.transaction.streams.remove(self)
        if self.over:  # the database has closed it
            return VALUE, None
        fiber.masked += 1
        outcome = yield CloseCursor(cursor)
        fiber.masked -= 1
        return outcome


@final
class _Elements(Pulling):
    """What the application has."""

    def __init__(self, node: Produced[Any, Any]) -> None:
        self.node = node
        self.iterator: Iterator[Any] | AsyncIterator[Any] | None = None

    def start(self, fiber: Fiber, machine: Machine) -> Steps:
        source = self.node.source
        try:
            found = source if isinstance(source, (Iterable, AsyncIterable)) else source()
            self.iterator = aiter(found) if isinstance(found, AsyncIterable) else iter(found)
        except self.node.catching as error:
            return ERROR, error
        except BaseException as defect:
            return DEFECT, defect
        return VALUE, None
        yield  # a generator, as the others are

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        iterator, chunk = self.iterator, self.node.chunk
        if isinstance(iterator, AsyncIterator):
            ending, found = yield Await(lambda: _some(iterator, chunk), self.node.catching)
            return (VALUE, found or None) if ending is VALUE else (ending, found)
        try:
            return VALUE, None if iterator is None else list(islice(iterator, chunk)) or None
        except self.node.catching as error:
            return ERROR, error
        except BaseException as defect:
            return DEFECT, defect

    def close(self, fiber: Fiber, machine: Machine) -> Steps:
        iterator, self.iterator = self.iterator, None
        close = getattr(iterator, "aclose", None)
        if close is not None:
            fiber.masked += 1
            outcome = yield Await(close)
            fiber.masked -= 1
            return outcome
        close = getattr(iterator, "close", None)
        if close is not None:
            try:
                close()
            except BaseException as defect:
                return DEFECT, defect
        return VALUE, None


async def _some(iterator: AsyncIterator[Any], most: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < most:
        try:
            found.append(await anext(iterator))
        except StopAsyncIteration:
            break
    return found


class _Derived(Pulling):
    """What is made of another stream."""

    def __init__(self, source: Stream[Any, Any]) -> None:
        self.source = pulling(source)

    def start(self, fiber: Fiber, machine: Machine) -> Steps:
        return self.source.start(fiber, machine)

    def close(self, fiber: Fiber, machine: Machine) -> Steps:
        return self.source.close(fiber, machine)


@final
class _Changing(_Derived):
    """What a function makes of each element, or the elements that fit."""

    def __init__(self, node: Mapped[Any, Any] | Filtered[Any, Any]) -> None:
        super().__init__(node.source)
        self.node = node

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        node = self.node
        while True:
            ending, elements = yield from self.source.pull(fiber, machine)
            if ending is not VALUE or elements is None:
                return ending, elements
            try:
                if isinstance(node, Mapped):
                    return VALUE, list(map(node.function, elements))
                found = list(filter(node.predicate, elements))
            except BaseException as defect:
                return DEFECT, defect
            if found:
                return VALUE, found


class _OneByOne(_Derived):
    """What looks at one element only when the one before is done with."""

    def __init__(self, source: Stream[Any, Any]) -> None:
        super().__init__(source)
        self.waiting: deque[Any] = deque()

    def next(self, fiber: Fiber, machine: Machine) -> Steps:
        """The next element, in a tuple; `None` when there are no more."""
        if not self.waiting:
            ending, elements = yield from self.source.pull(fiber, machine)
            if ending is not VALUE or elements is None:
                return ending, elements
            self.waiting.extend(elements)
        return VALUE, (self.waiting.popleft(),)


@final
class _Running(_OneByOne):
    """The values of effects."""

    def __init__(self, node: Effected[Any, Any]) -> None:
        super().__init__(node.source)
        self.function = node.function

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        ending, found = yield from self.next(fiber, machine)
        if ending is not VALUE or found is None:
            return ending, found
        ending, value = yield Bind(Succeed(found[0]), self.function)
        return (VALUE, [value]) if ending is VALUE else (ending, value)


@final
class _Binding(_OneByOne):
    """The elements of streams."""

    def __init__(self, node: Bound[Any, Any]) -> None:
        super().__init__(node.source)
        self.function = node.function
        self.inner: Pulling | None = None

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        while True:
            if self.inner is not None:
                ending, elements = yield from self.inner.pull(fiber, machine)
                if ending is not VALUE or elements is not None:
                    return ending, elements
                closed = yield from self.close_inner(fiber, machine)
                if closed[0] is not VALUE:
                    return closed
            ending, found = yield from self.next(fiber, machine)
            if ending is not VALUE or found is None:
                return ending, found
            try:
                stream: object = self.function(found[0])
            except BaseException as defect:
                return DEFECT, defect
            if not isinstance(stream, Stream):
                return DEFECT, TypeError(
                    f"bind of a stream takes a function that makes a stream, and {self.function!r} made {stream!r}: "
                    "use map for values, and map_effect for effects"
                )
            self.inner = pulling(stream)
            started = yield from self.inner.start(fiber, machine)
            if started[0] is not VALUE:
                return started

    def close_inner(self, fiber: Fiber, machine: Machine) -> Steps:
        inner, self.inner = self.inner, None
        if inner is None:
            return VALUE, None
        return (yield from inner.close(fiber, machine))

    def close(self, fiber: Fiber, machine: Machine) -> Steps:
        inner = yield from self.close_inner(fiber, machine)
        outer = yield from self.source.close(fiber, machine)
        return outer if inner[0] is VALUE else inner


@final
class _Taking(_Derived):
    """The first elements."""

    def __init__(self, node: Taken[Any, Any]) -> None:
        super().__init__(node.source)
        self.left = node.count

    def start(self, fiber: Fiber, machine: Machine) -> Steps:
        if not self.left:
            return VALUE, None
        return (yield from self.source.start(fiber, machine))

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        if not self.left:
            return VALUE, None
        ending, elements = yield from self.source.pull(fiber, machine)
        if ending is not VALUE or elements is None:
            return ending, elements
        found = elements[: self.left]
        self.left -= len(found)
        if not self.left:
            closed = yield from self.source.close(fiber, machine)
            if closed[0] is not VALUE:
                return closed
        return VALUE, found


@final
class _Regrouping(_Derived):
    """Lists of elements."""

    def __init__(self, node: Chunked[Any, Any]) -> None:
        super().__init__(node.source)
        self.size = node.size
        self.begun: list[Any] = []

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        size = self.size
        while True:
            ending, elements = yield from self.source.pull(fiber, machine)
            if ending is not VALUE:
                return ending, elements
            if elements is None:
                left, self.begun = self.begun, []
                return VALUE, [left] if left else None
            if size is None:
                return VALUE, [elements]
            found = self.begun + elements if self.begun else elements
            full = len(found) - len(found) % size
            self.begun = found[full:]
            if full:
                return VALUE, [found[at : at + size] for at in range(0, full, size)]


@final
class _Retrying(_Derived):
    """Another beginning, after a failure before the first element."""

    def __init__(self, node: Retried[Any, Any]) -> None:
        super().__init__(node.source)
        self.node = node
        self.waits: Iterator[float] | None = None
        self.given = False

    def start(self, fiber: Fiber, machine: Machine) -> Steps:
        while True:
            fiber.covered += 1
            outcome = yield from self.source.start(fiber, machine)
            fiber.covered -= 1
            if outcome[0] is VALUE:
                return outcome
            going_on = yield from self.begin_anew(outcome, fiber, machine)
            if going_on is not None:
                return going_on

    def pull(self, fiber: Fiber, machine: Machine) -> Steps:
        while not self.given:
            fiber.covered += 1
            outcome = yield from self.source.pull(fiber, machine)
            fiber.covered -= 1
            if outcome[0] is VALUE:
                self.given = True
                return outcome
            going_on = yield from self.begin_anew(outcome, fiber, machine)
            if going_on is not None:
                return going_on
            started = yield from self.start(fiber, machine)
            if started[0] is not VALUE:
                return started
        return (yield from self.source.pull(fiber, machine))

    def begin_anew(self, outcome: Outcome, fiber: Fiber, machine: Machine) -> Generator[Any, Outcome, Outcome | None]:
        """Wait as long as the schedule says, with another source in place of the one that failed.

        `None` then; the outcome where it is the last.
        """
        ending, payload = outcome
        if ending is not ERROR or not is_again(payload, self.node.on):
            return outcome
        if self.waits is None:
            self.waits = delays(self.node.schedule, machine.clock)
        delay = next(self.waits, None)
        if delay is None:
            return outcome
        closed = yield from self.source.close(fiber, machine)
        if closed[0] is not VALUE:
            return closed
        if fiber.transaction is not None:
            fiber.transaction.failed = None
        if delay > 0:
            slept = yield Pause(delay)
            if slept[0] is not VALUE:
                return slept
        self.source = pulling(self.node.source)
        return None
