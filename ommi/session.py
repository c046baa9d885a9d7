"""The words of `ommi`, bound to where they run: what a database and a transaction block have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from types import CoroutineType, GeneratorType
from typing import Any, Literal, LiteralString, overload

from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.bound import BoundEffect, BoundQuery
from ommi.effects.effect import Effect
from ommi.effects.finding import Query, find
from ommi.effects.grouping import Grouped
from ommi.effects.joining import Joined
from ommi.effects.native import execute, sql
from ommi.effects.operations import add, add_all, add_stream, delete, reload, save, upsert, upsert_all
from ommi.effects.related import Runner
from ommi.effects.rows import Rows
from ommi.effects.stream import CHUNK, Source, Stream
from ommi.errors import ConstraintViolation, DatabaseError, NotFound, StaleRecord
from ommi.opened import OpenStream
from ommi.query.expressions import Predicate
from ommi.runtime.calls import Ending
from ommi.runtime.fibers import Outcome
from ommi.runtime.trace import Traced

__all__ = ["Session", "check_effect", "check_stream", "outcome"]

T = TypeVar("T")
E = TypeVar("E")
M = TypeVar("M")


class Session(ABC):
    """Something that runs effects, and makes them bound to itself."""

    __slots__ = ()

    @overload
    async def run(self, effect: Effect[T, E], /, *, trace: Literal[False] = False) -> Success[T] | Failure[E]: ...
    @overload
    async def run(self, effect: Effect[T, E], /, *, trace: Literal[True]) -> Traced[T, E]: ...
    @abstractmethod
    async def run(self, effect: Effect[T, E], /, *, trace: bool = False) -> Success[T] | Failure[E] | Traced[T, E]:
        """Run an effect: `Success` with its value or `Failure` with its error; with `trace`, in a `Traced`."""

    @abstractmethod
    def open(self, stream: Stream[T, Any], /) -> OpenStream[T]:
        """A stream to be read: `async with db.open(find(User).stream()) as rows:`, `async for user in rows:`."""

    @property
    def home(self) -> Runner:
        """Where the relations of a record that was loaded here are loaded, also when this is over."""
        return self

    @overload
    def find(
        self, model: type[M], /, *conditions: Predicate[Any] | bool | Callable[[M], Predicate[Any] | bool]
    ) -> BoundQuery[M]: ...
    @overload
    def find(self, condition: Predicate[M], /, *conditions: Predicate[Any] | bool) -> BoundQuery[M]: ...
    def find(self, subject: Any, /, *conditions: Any) -> BoundQuery[Any]:
        """`find`, bound to where it runs."""
        return BoundQuery(find(subject, *conditions), self)

    def add(self, record: M, /) -> BoundEffect[M, ConstraintViolation | DatabaseError]:
        """`add`, bound to where it runs."""
        return BoundEffect(add(record), self)

    def add_all(self, records: Iterable[M], /) -> BoundEffect[list[M], ConstraintViolation | DatabaseError]:
        """`add_all`, bound to where it runs."""
        return BoundEffect(add_all(records), self)

    @overload
    def add_stream(
        self, source: Stream[Any, E], /, *, chunk: int = CHUNK, flatten: bool = False
    ) -> BoundEffect[int, E | ConstraintViolation | DatabaseError]: ...
    @overload
    def add_stream(
        self, source: Source[Any], /, *, chunk: int = CHUNK, flatten: bool = False
    ) -> BoundEffect[int, ConstraintViolation | DatabaseError]: ...
    def add_stream(self, source: Any, /, *, chunk: int = CHUNK, flatten: bool = False) -> BoundEffect[int, Any]:
        """`add_stream`, bound to where it runs."""
        return BoundEffect(add_stream(source, chunk=chunk, flatten=flatten), self)

    def save(self, record: M, /) -> BoundEffect[M, NotFound | StaleRecord | ConstraintViolation | DatabaseError]:
        """`save`, bound to where it runs."""
        return BoundEffect(save(record), self)

    def upsert(
        self, record: M, /, *, on: object = None, update: Iterable[object] | None = None
    ) -> BoundEffect[M, ConstraintViolation | DatabaseError]:
        """`upsert`, bound to where it runs."""
        return BoundEffect(upsert(record, on=on, update=update), self)

    def upsert_all(
        self, records: Iterable[M], /, *, on: object = None, update: Iterable[object] | None = None
    ) -> BoundEffect[list[M], ConstraintViolation | DatabaseError]:
        """`upsert_all`, bound to where it runs."""
        return BoundEffect(upsert_all(records, on=on, update=update), self)

    @overload
    def sql(
        self,
        template: LiteralString,
        /,
        *values: object,
        into: None = None,
        writes: Literal[False] = False,
        **named: object,
    ) -> BoundEffect[list[tuple[Any, ...]], DatabaseError]: ...
    @overload
    def sql(
        self,
        template: LiteralString,
        /,
        *values: object,
        into: type[M],
        writes: Literal[False] = False,
        **named: object,
    ) -> BoundEffect[list[M], DatabaseError]: ...
    @overload
    def sql(
        self, template: LiteralString, /, *values: object, into: None = None, writes: Literal[True], **named: object
    ) -> BoundEffect[list[tuple[Any, ...]], ConstraintViolation | DatabaseError]: ...
    @overload
    def sql(
        self, template: LiteralString, /, *values: object, into: type[M], writes: Literal[True], **named: object
    ) -> BoundEffect[list[M], ConstraintViolation | DatabaseError]: ...
    def sql(
        self, template: LiteralString, /, *values: object, into: Any = None, writes: Any = False, **named: object
    ) -> BoundEffect[Any, Any]:
        """`sql`, bound to where it runs."""
        return BoundEffect(sql(template, *values, into=into, writes=writes, **named), self)

    def execute(
        self, template: LiteralString, /, *values: object, **named: object
    ) -> BoundEffect[int, ConstraintViolation | DatabaseError]:
        """`execute`, bound to where it runs."""
        return BoundEffect(execute(template, *values, **named), self)

    def delete(self, record: object, /) -> BoundEffect[None, NotFound | ConstraintViolation | DatabaseError]:
        """`delete`, bound to where it runs."""
        return BoundEffect(delete(record), self)

    def reload(self, record: M, /) -> BoundEffect[M, NotFound | DatabaseError]:
        """`reload`, bound to where it runs."""
        return BoundEffect(reload(record), self)


def outcome(ended: Outcome) -> Success[Any] | Failure[Any]:
    """How a run ended, for the caller; a defect is raised as it is."""
    ending, payload = ended
    if ending is Ending.VALUE:
        return Success(payload)
    if ending is Ending.DEFECT:
        raise payload
    return Failure(payload)


def check_effect(found: object) -> None:
    """`TypeError` for what is no effect, with what to write."""
    if isinstance(found, Effect):
        return
    if isinstance(found, (Query, Rows, Grouped, Joined, BoundQuery)):
        raise TypeError(f"run takes an effect, and {found!r} is a query: end it with .all(), .one(), .first(), …")
    if isinstance(found, Stream):
        raise TypeError(f"run takes an effect, and {found!r} is a stream: end it with .fold(…), .for_each(…), …")
    if isinstance(found, GeneratorType):
        raise TypeError(f"run takes an effect, and {found.__name__}(…) is a generator: put @effect on the function")
    if isinstance(found, CoroutineType):
        found.close()
        raise TypeError(f"run takes an effect, and {found.__name__}(…) is a coroutine: await it, or write a program")
    if callable(found):
        name = getattr(found, "__qualname__", repr(found))
        raise TypeError(f"run takes an effect, and {name} is a function: call it, and give @effect to a program")
    raise TypeError(f"run takes an effect, such as find(User).all(), not {found!r}")


def check_stream(found: object) -> None:
    """`TypeError` for what is no stream, with what to write."""
    if isinstance(found, Stream):
        return
    if isinstance(found, (Query, Rows, BoundQuery)):
        raise TypeError(f"open takes a stream, and {found!r} is a query: end it with .stream()")
    raise TypeError(f"open takes a stream, such as find(User).stream(), not {found!r}")
