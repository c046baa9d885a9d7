"""Effects and queries bound to a database, for application code: the same words, and they can be awaited.

`await db.add(user)` gives `Success` or `Failure`; `.value` gives the value or raises the error; what is composed
from a bound effect stays bound.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, final, overload

from returns.primitives.exceptions import UnwrapFailedError
from returns.result import Failure, Result, Success
from typing_extensions import TypeVar, TypeVarTuple

from ommi.effects.effect import Binding, Effect
from ommi.effects.finding import Query
from ommi.effects.grouping import Grouped
from ommi.effects.joining import Joined, On
from ommi.effects.paging import Page
from ommi.effects.related import ToMany, ToOne, adopt
from ommi.effects.rows import Rows, not_run
from ommi.effects.schedule import Schedule
from ommi.effects.selecting import Scalar
from ommi.effects.stream import CHUNK, Attached, Stream
from ommi.errors import ConstraintViolation, DatabaseError, MultipleFound, NotFound
from ommi.query.expressions import Expression, Order, Predicate
from ommi.transactions import IsolationLevel

if TYPE_CHECKING:
    from ommi.opened import OpenStream
    from ommi.session import Session

__all__ = ["BoundEffect", "BoundGrouped", "BoundJoined", "BoundQuery", "BoundRows", "BoundStream", "Fetch", "FetchRows"]

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
T = TypeVar("T")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")
Rs = TypeVarTuple("Rs")
R = TypeVar("R")
M = TypeVar("M")
V = TypeVar("V")
U = TypeVar("U")
E2 = TypeVar("E2")
A1 = TypeVar("A1")
A2 = TypeVar("A2")
A3 = TypeVar("A3")
A4 = TypeVar("A4")
A5 = TypeVar("A5")
A6 = TypeVar("A6")
A7 = TypeVar("A7")
A8 = TypeVar("A8")
S = TypeVar("S", bound=Scalar)


@final
class BoundEffect(Binding[T_co, E_co]):
    """An effect and the database to run it on."""

    __slots__ = ("database", "source")

    source: Effect[T_co, E_co]

    def __init__(self, source: Effect[T_co, E_co], database: Session) -> None:
        self.source = source
        self.database = database

    def __await__(self) -> Generator[Any, Any, Success[T_co] | Failure[E_co]]:
        return self._outcome().__await__()

    async def _outcome(self) -> Success[T_co] | Failure[E_co]:
        outcome = await self.database.run(self.source)
        if isinstance(outcome, Success):
            adopt(outcome._inner_value, self.database)
        return outcome

    @property
    def value(self) -> Awaitable[T_co]:
        """Await it for the value; a failure is raised, as itself where it is an exception."""
        return self._value()

    async def _value(self) -> T_co:
        outcome = await self._outcome()
        if isinstance(outcome, Success):
            return outcome.unwrap()
        error = outcome.failure()
        if isinstance(error, Exception):
            raise error
        raise UnwrapFailedError(outcome)

    def value_or(self, default: U) -> Awaitable[T_co | U]:
        """Await it for the value, or the default after a failure."""
        return self._value_or(default)

    async def _value_or(self, default: U) -> T_co | U:
        outcome = await self._outcome()
        return outcome.unwrap() if isinstance(outcome, Success) else default

    def _bound(self, effect: Effect[U, E2]) -> BoundEffect[U, E2]:
        return BoundEffect(effect, self.database)

    def __rshift__(self, step: Callable[[Effect[T_co, E_co]], Effect[U, E2]], /) -> BoundEffect[U, E2]:
        if not callable(step):
            return NotImplemented
        after = step(self.source)
        if not isinstance(after, Effect):  # catch(NotFound) without its handler takes anything
            raise TypeError(f">> takes what makes an effect of an effect, such as bind(f), not {step!r}")
        return self._bound(after)

    def map(self, function: Callable[[T_co], U]) -> BoundEffect[U, E_co]:  # type: ignore[override]
        return self._bound(self.source.map(function))

    def bind(self, function: Callable[[T_co], Effect[U, E2]]) -> BoundEffect[U, E_co | E2]:  # type: ignore[override]
        return self._bound(self.source.bind(function))

    def tap(self, function: Callable[[T_co], Effect[Any, E2]]) -> BoundEffect[T_co, E_co | E2]:
        return self._bound(self.source.tap(function))

    def bind_result(  # type: ignore[override]
        self, function: Callable[[T_co], Result[U, E2]]
    ) -> BoundEffect[U, E_co | E2]:
        return self._bound(self.source.bind_result(function))

    def apply(self, container: Effect[Callable[[T_co], U], E2]) -> BoundEffect[U, E_co | E2]:  # type: ignore[override]
        return self._bound(self.source.apply(container))

    def alt(self, function: Callable[[E_co], E2]) -> BoundEffect[T_co, E2]:  # type: ignore[override]
        return self._bound(self.source.alt(function))

    def lash(self, function: Callable[[E_co], Effect[U, E2]]) -> BoundEffect[T_co | U, E2]:  # type: ignore[override]
        return self._bound(self.source.lash(function))

    def _catch(
        self, kinds: tuple[type[Any], ...], function: Callable[[Any], Effect[Any, Any]]
    ) -> BoundEffect[Any, Any]:
        return self._bound(self.source._catch(kinds, function))

    def swap(self) -> BoundEffect[E_co, T_co]:  # type: ignore[override]
        return self._bound(self.source.swap())

    def either(self) -> BoundEffect[Success[T_co] | Failure[E_co], Never]:
        return self._bound(self.source.either())

    def merge(self) -> BoundEffect[T_co | E_co, Never]:
        return self._bound(self.source.merge())

    def transactional(
        self,
        *,
        isolation: IsolationLevel | None = None,
        read_only: bool = False,
        timeout: float | None = None,
        deferrable: bool = False,
        flatten: bool = False,
    ) -> BoundEffect[T_co, E_co | DatabaseError]:
        return self._bound(
            self.source.transactional(
                isolation=isolation, read_only=read_only, timeout=timeout, deferrable=deferrable, flatten=flatten
            )
        )

    def savepoint(self) -> BoundEffect[T_co, E_co | DatabaseError]:
        return self._bound(self.source.savepoint())

    def retry(
        self, schedule: Schedule, *, on: tuple[type[Exception], ...] | type[Exception] | None = None
    ) -> BoundEffect[T_co, E_co | DatabaseError]:
        return self._bound(self.source.retry(schedule, on=on))

    def timeout(self, seconds: float) -> BoundEffect[T_co, E_co | DatabaseError]:
        return self._bound(self.source.timeout(seconds))

    def ensure(self, finalizer: Effect[Any, Never]) -> BoundEffect[T_co, E_co]:
        return self._bound(self.source.ensure(finalizer))

    def after_commit(self, effect: Effect[Any, Never]) -> BoundEffect[T_co, E_co]:
        return self._bound(self.source.after_commit(effect))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundEffect):
            return NotImplemented
        return self.database is other.database and bool(self.source == other.source)

    def __hash__(self) -> int:
        return hash((id(self.database), self.source))


@final
class BoundStream(Attached[T_co, E_co]):
    """A stream and the database to read it from; what is made of it stays bound."""

    __slots__ = ("database", "source")

    source: Stream[T_co, E_co]

    def __init__(self, source: Stream[T_co, E_co], database: Session) -> None:
        self.source = source
        self.database = database

    def open(self) -> OpenStream[T_co]:
        """The stream to be read: `async with db.find(User).stream().open() as rows:`."""
        return self.database.open(self.source)

    def _bound(self, stream: Stream[U, E2]) -> BoundStream[U, E2]:
        return BoundStream(stream, self.database)

    def map(self, function: Callable[[T_co], U]) -> BoundStream[U, E_co]:
        return self._bound(self.source.map(function))

    def filter(self, predicate: Callable[[T_co], bool]) -> BoundStream[T_co, E_co]:
        return self._bound(self.source.filter(predicate))

    def map_effect(self, function: Callable[[T_co], Effect[U, E2]]) -> BoundStream[U, E_co | E2]:
        return self._bound(self.source.map_effect(function))

    def bind(self, function: Callable[[T_co], Stream[U, E2]]) -> BoundStream[U, E_co | E2]:
        return self._bound(self.source.bind(function))

    def take(self, count: int) -> BoundStream[T_co, E_co]:
        return self._bound(self.source.take(count))

    def chunks(self, size: int | None = None) -> BoundStream[list[T_co], E_co]:
        return self._bound(self.source.chunks(size))

    def retry(
        self, schedule: Schedule, *, on: tuple[type[Exception], ...] | type[Exception] | None = None
    ) -> BoundStream[T_co, E_co | DatabaseError]:
        return self._bound(self.source.retry(schedule, on=on))

    def fold(self, initial: U, function: Callable[[U, T_co], U]) -> BoundEffect[U, E_co]:
        return BoundEffect(self.source.fold(initial, function), self.database)

    def for_each(self, function: Callable[[T_co], Effect[Any, E2]]) -> BoundEffect[int, E_co | E2]:
        return BoundEffect(self.source.for_each(function), self.database)

    def to_list(self) -> BoundEffect[list[T_co], E_co]:
        return BoundEffect(self.source.to_list(), self.database)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundStream):
            return NotImplemented
        return self.database is other.database and bool(self.source == other.source)

    def __hash__(self) -> int:
        return hash((id(self.database), self.source))


@final
class FetchRows(Generic[T]):
    """Plain values, failures raised: for code that is not on the railway yet."""

    __slots__ = ("_rows",)

    def __init__(self, rows: BoundRows[T]) -> None:
        self._rows = rows

    def all(self) -> Awaitable[list[T]]:
        """All rows."""
        return self._rows.all().value

    def one(self) -> Awaitable[T]:
        """The only row; raises `NotFound` or `MultipleFound`."""
        return self._rows.one().value

    def first(self) -> Awaitable[T | None]:
        """The first row, or `None`."""
        return self._rows.first().value


@final
class Fetch(Generic[M]):
    """Plain values, failures raised: for code that is not on the railway yet."""

    __slots__ = ("_query",)

    def __init__(self, query: BoundQuery[M]) -> None:
        self._query = query

    def all(self) -> Awaitable[list[M]]:
        """All records."""
        return self._query.all().value

    def one(self) -> Awaitable[M]:
        """The only record; raises `NotFound` or `MultipleFound`."""
        return self._query.one().value

    def first(self) -> Awaitable[M | None]:
        """The first record, or `None`."""
        return self._query.first().value

    def count(self) -> Awaitable[int]:
        """How many records there are."""
        return self._query.count().value

    def exists(self) -> Awaitable[bool]:
        """Whether there is a record."""
        return self._query.exists().value


@final
class BoundRows(Generic[T]):
    """A query for selected columns, and the database to run it on."""

    __slots__ = ("_database", "_rows")

    def __init__(self, rows: Rows[T], database: Session) -> None:
        self._rows = rows
        self._database = database

    def distinct(self) -> BoundRows[T]:
        """Each different row once."""
        return BoundRows(self._rows.distinct(), self._database)

    def into(self, row: type[R], /) -> BoundRows[R]:
        """Rows as instances of a class, by the names of its fields."""
        return BoundRows(self._rows.into(row), self._database)

    def all(self) -> BoundEffect[list[T], DatabaseError]:
        """All rows, in order."""
        return BoundEffect(self._rows.all(), self._database)

    def page(self, size: int) -> BoundEffect[Page[T], DatabaseError]:
        """So many rows, and the cursors for what comes after and before them."""
        return BoundEffect(self._rows.page(size), self._database)

    def one(self) -> BoundEffect[T, NotFound | MultipleFound | DatabaseError]:
        """The only row."""
        return BoundEffect(self._rows.one(), self._database)

    def first(self) -> BoundEffect[T | None, DatabaseError]:
        """The first row, or `None`."""
        return BoundEffect(self._rows.first(), self._database)

    def count(self) -> BoundEffect[int, DatabaseError]:
        """How many rows there are."""
        return BoundEffect(self._rows.count(), self._database)

    def exists(self) -> BoundEffect[bool, DatabaseError]:
        """Whether there is a row."""
        return BoundEffect(self._rows.exists(), self._database)

    @property
    def fetch(self) -> FetchRows[T]:
        """The door for code that is not on the railway: plain values, failures raised."""
        return FetchRows(self)

    def stream(self, *, chunk: int = CHUNK) -> BoundStream[T, DatabaseError]:
        """The rows as a stream."""
        return BoundStream(self._rows.stream(chunk=chunk), self._database)

    def __repr__(self) -> str:
        return f"db.{self._rows!r}"

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError(not_run(self))

        __await__ = __iter__


class BoundSelecting(Generic[*Ts]):
    """A query for rows of models `*Ts`, and the database to run it on."""

    __slots__ = ()

    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1]], /) -> BoundRows[tuple[A1]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2]], /) -> BoundRows[tuple[A1, A2]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2, A3]], /) -> BoundRows[tuple[A1, A2, A3]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4]], /) -> BoundRows[tuple[A1, A2, A3, A4]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5]], /) -> BoundRows[tuple[A1, A2, A3, A4, A5]]: ...
    @overload
    def select(
        self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5, A6]], /
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6]]: ...
    @overload
    def select(
        self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5, A6, A7]], /
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6, A7]]: ...
    @overload
    def select(
        self, shape: Callable[[*Ts], tuple[A1, A2, A3, A4, A5, A6, A7, A8]], /
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6, A7, A8]]: ...
    @overload
    def select(self, c1: Expression[Any, A1], /) -> BoundRows[tuple[A1]]: ...
    @overload
    def select(self, c1: Expression[Any, A1], c2: Expression[Any, A2], /) -> BoundRows[tuple[A1, A2]]: ...
    @overload
    def select(
        self, c1: Expression[Any, A1], c2: Expression[Any, A2], c3: Expression[Any, A3], /
    ) -> BoundRows[tuple[A1, A2, A3]]: ...
    @overload
    def select(
        self, c1: Expression[Any, A1], c2: Expression[Any, A2], c3: Expression[Any, A3], c4: Expression[Any, A4], /
    ) -> BoundRows[tuple[A1, A2, A3, A4]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        /,
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        c6: Expression[Any, A6],
        /,
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        c6: Expression[Any, A6],
        c7: Expression[Any, A7],
        /,
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6, A7]]: ...
    @overload
    def select(
        self,
        c1: Expression[Any, A1],
        c2: Expression[Any, A2],
        c3: Expression[Any, A3],
        c4: Expression[Any, A4],
        c5: Expression[Any, A5],
        c6: Expression[Any, A6],
        c7: Expression[Any, A7],
        c8: Expression[Any, A8],
        /,
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6, A7, A8]]: ...
    @overload
    def select(self, c1: S, /) -> BoundRows[tuple[S]]: ...
    @overload
    def select(self, c1: A1, c2: A2, /) -> BoundRows[tuple[A1, A2]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, /) -> BoundRows[tuple[A1, A2, A3]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, c4: A4, /) -> BoundRows[tuple[A1, A2, A3, A4]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, /) -> BoundRows[tuple[A1, A2, A3, A4, A5]]: ...
    @overload
    def select(self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, c6: A6, /) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6]]: ...
    @overload
    def select(
        self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, c6: A6, c7: A7, /
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6, A7]]: ...
    @overload
    def select(
        self, c1: A1, c2: A2, c3: A3, c4: A4, c5: A5, c6: A6, c7: A7, c8: A8, /
    ) -> BoundRows[tuple[A1, A2, A3, A4, A5, A6, A7, A8]]: ...
    @overload
    def select(self, shape: Callable[[*Ts], Mapping[str, object]], /) -> BoundRows[tuple[Any, ...]]: ...
    @overload
    def select(self, /, **columns: object) -> BoundRows[tuple[Any, ...]]: ...
    def select(self, /, *columns: Any, **named: Any) -> BoundRows[Any]:
        """Only these columns, as tuples."""
        return self._selected(columns, named)

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> BoundRows[Any]:
        raise NotImplementedError(type(self).__name__)


@final
class BoundGrouped(BoundSelecting[*Ts], Generic[*Ts]):
    """Rows in groups, and the database to run it on; the methods are those of `Grouped`."""

    __slots__ = ("_database", "_grouped")

    def __init__(self, grouped: Grouped[*Ts], database: Session) -> None:
        self._grouped = grouped
        self._database = database

    def having(self, *conditions: Predicate[Any] | bool | Callable[[*Ts], Predicate[Any] | bool]) -> BoundGrouped[*Ts]:
        """Only groups for which all conditions hold, too."""
        return BoundGrouped(self._grouped.having(*conditions), self._database)

    def order_by(self, *parts: Order | Expression[Any, Any] | Callable[[*Ts], Any]) -> BoundGrouped[*Ts]:
        """In this order, first part first."""
        return BoundGrouped(self._grouped.order_by(*parts), self._database)

    def limit(self, rows: int) -> BoundGrouped[*Ts]:
        """At most this many groups."""
        return BoundGrouped(self._grouped.limit(rows), self._database)

    def offset(self, rows: int) -> BoundGrouped[*Ts]:
        """Without the first groups."""
        return BoundGrouped(self._grouped.offset(rows), self._database)

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> BoundRows[Any]:
        return BoundRows(self._grouped.select(*columns, **named), self._database)

    def __repr__(self) -> str:
        return f"db.{self._grouped!r}"


@final
class BoundJoined(BoundSelecting[*Ts], Generic[R, *Ts]):
    """Rows of several models side by side, and the database to run it on; the methods are those of `Joined`."""

    __slots__ = ("_database", "_joined")

    def __init__(self, joined: Joined[R, *Ts], database: Session) -> None:
        self._joined = joined
        self._database = database

    @overload
    def join(
        self: BoundJoined[tuple[*Rs], *Ts],
        target: type[B],
        /,
        *,
        on: Callable[[*Ts, B], Predicate[Any] | bool] | Predicate[Any] | bool | ToMany[Any] | ToOne[Any] | None = None,
    ) -> BoundJoined[tuple[*Rs, B], *Ts, B]: ...
    @overload
    def join(self: BoundJoined[tuple[*Rs], *Ts], target: ToMany[B], /) -> BoundJoined[tuple[*Rs, B], *Ts, B]: ...
    @overload
    def join(self: BoundJoined[tuple[*Rs], *Ts], target: ToOne[B | None], /) -> BoundJoined[tuple[*Rs, B], *Ts, B]: ...
    @overload
    def join(self: BoundJoined[tuple[*Rs], *Ts], target: ToOne[B], /) -> BoundJoined[tuple[*Rs, B], *Ts, B]: ...
    def join(self, target: Any, /, *, on: Any = None) -> BoundJoined[Any, *tuple[Any, ...]]:
        """With the records of one more model."""
        joined: Any = self._joined
        return BoundJoined(joined.join(target, on=on), self._database)

    @overload
    def left_join(
        self: BoundJoined[tuple[*Rs], *Ts],
        target: type[B],
        /,
        *,
        on: Callable[[*Ts, B], Predicate[Any] | bool] | Predicate[Any] | bool | ToMany[Any] | ToOne[Any] | None = None,
    ) -> BoundJoined[tuple[*Rs, B | None], *Ts, B]: ...
    @overload
    def left_join(
        self: BoundJoined[tuple[*Rs], *Ts], target: ToMany[B], /
    ) -> BoundJoined[tuple[*Rs, B | None], *Ts, B]: ...
    @overload
    def left_join(
        self: BoundJoined[tuple[*Rs], *Ts], target: ToOne[B | None], /
    ) -> BoundJoined[tuple[*Rs, B | None], *Ts, B]: ...
    @overload
    def left_join(
        self: BoundJoined[tuple[*Rs], *Ts], target: ToOne[B], /
    ) -> BoundJoined[tuple[*Rs, B | None], *Ts, B]: ...
    def left_join(self, target: Any, /, *, on: Any = None) -> BoundJoined[Any, *tuple[Any, ...]]:
        """With the records of one more model, or `None`."""
        joined: Any = self._joined
        return BoundJoined(joined.left_join(target, on=on), self._database)

    def where(self, *conditions: Predicate[Any] | bool | Callable[[*Ts], Predicate[Any] | bool]) -> BoundJoined[R, *Ts]:
        """Only rows for which all conditions hold, too."""
        return BoundJoined(self._joined.where(*conditions), self._database)

    def order_by(self, *parts: Order | Expression[Any, Any] | Callable[[*Ts], Any]) -> BoundJoined[R, *Ts]:
        """In this order, first part first."""
        return BoundJoined(self._joined.order_by(*parts), self._database)

    def limit(self, rows: int) -> BoundJoined[R, *Ts]:
        """At most this many rows."""
        return BoundJoined(self._joined.limit(rows), self._database)

    def offset(self, rows: int) -> BoundJoined[R, *Ts]:
        """Without the first rows."""
        return BoundJoined(self._joined.offset(rows), self._database)

    def group_by(self, *parts: Expression[Any, Any] | Callable[[*Ts], Any]) -> BoundGrouped[*Ts]:
        """The rows that are alike in these, as groups."""
        return BoundGrouped(self._joined.group_by(*parts), self._database)

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> BoundRows[Any]:
        return BoundRows(self._joined.select(*columns, **named), self._database)

    # -- terminals
    def all(self) -> BoundEffect[list[R], DatabaseError]:
        """All rows, in order."""
        return BoundEffect(self._joined.all(), self._database)

    def one(self) -> BoundEffect[R, NotFound | MultipleFound | DatabaseError]:
        """The only row."""
        return BoundEffect(self._joined.one(), self._database)

    def first(self) -> BoundEffect[R | None, DatabaseError]:
        """The first row, or `None`."""
        return BoundEffect(self._joined.first(), self._database)

    def count(self) -> BoundEffect[int, DatabaseError]:
        """How many rows there are."""
        return BoundEffect(self._joined.count(), self._database)

    def exists(self) -> BoundEffect[bool, DatabaseError]:
        """Whether there is a row."""
        return BoundEffect(self._joined.exists(), self._database)

    def stream(self, *, chunk: int = CHUNK) -> BoundStream[R, DatabaseError]:
        """The rows as a stream."""
        return BoundStream(self._joined.stream(chunk=chunk), self._database)

    def __repr__(self) -> str:
        return f"db.{self._joined!r}"


@final
class BoundQuery(BoundSelecting[M], Generic[M]):
    """A query for records, and the database to run it on; the methods are those of `Query`."""

    __slots__ = ("_database", "_query")

    def __init__(self, query: Query[M], database: Session) -> None:
        self._query = query
        self._database = database

    def where(self, *conditions: Predicate[Any] | bool | Callable[[M], Predicate[Any] | bool]) -> BoundQuery[M]:
        """Only rows for which all conditions hold, too."""
        return BoundQuery(self._query.where(*conditions), self._database)

    def order_by(self, *parts: Order | Expression[Any, Any] | Callable[[M], Any]) -> BoundQuery[M]:
        """In this order, first part first."""
        return BoundQuery(self._query.order_by(*parts), self._database)

    def limit(self, rows: int) -> BoundQuery[M]:
        """At most this many rows."""
        return BoundQuery(self._query.limit(rows), self._database)

    def offset(self, rows: int) -> BoundQuery[M]:
        """Without the first rows."""
        return BoundQuery(self._query.offset(rows), self._database)

    def after(self, cursor: str | None) -> BoundQuery[M]:
        """Only rows after this cursor in the order, which is given before; all rows with `None`."""
        return BoundQuery(self._query.after(cursor), self._database)

    def before(self, cursor: str | None) -> BoundQuery[M]:
        """Only rows before this cursor in the order; a page of them has the last ones, in order."""
        return BoundQuery(self._query.before(cursor), self._database)

    def cursor_of(self, record: M) -> str:
        """The cursor of a record in this order, for `after` and `before`."""
        return self._query.cursor_of(record)

    def for_update(self, *, skip_locked: bool = False, no_wait: bool = False) -> BoundQuery[M]:
        """Lock the rows until the transaction ends; it needs one."""
        return BoundQuery(self._query.for_update(skip_locked=skip_locked, no_wait=no_wait), self._database)

    def everything(self) -> BoundQuery[M]:
        """Say that an update or delete without a condition is meant."""
        return BoundQuery(self._query.everything(), self._database)

    def _selected(self, columns: tuple[Any, ...], named: Mapping[str, Any]) -> BoundRows[Any]:
        return BoundRows(self._query.select(*columns, **named), self._database)

    def group_by(self, *parts: Expression[Any, Any] | Callable[[M], Any]) -> BoundGrouped[M]:
        """The rows that are alike in these, as groups."""
        return BoundGrouped(self._query.group_by(*parts), self._database)

    @overload
    def join(self, target: type[B], /, *, on: On[M, B] = None) -> BoundJoined[tuple[M, B], M, B]: ...
    @overload
    def join(self, target: ToMany[B], /) -> BoundJoined[tuple[M, B], M, B]: ...
    @overload
    def join(self, target: ToOne[B | None], /) -> BoundJoined[tuple[M, B], M, B]: ...
    @overload
    def join(self, target: ToOne[B], /) -> BoundJoined[tuple[M, B], M, B]: ...
    def join(self, target: Any, /, *, on: Any = None) -> BoundJoined[Any, *tuple[Any, ...]]:
        """The records with those of another model that belong to them, as pairs."""
        return BoundJoined(self._query.join(target, on=on), self._database)

    @overload
    def left_join(self, target: type[B], /, *, on: On[M, B] = None) -> BoundJoined[tuple[M, B | None], M, B]: ...
    @overload
    def left_join(self, target: ToMany[B], /) -> BoundJoined[tuple[M, B | None], M, B]: ...
    @overload
    def left_join(self, target: ToOne[B | None], /) -> BoundJoined[tuple[M, B | None], M, B]: ...
    @overload
    def left_join(self, target: ToOne[B], /) -> BoundJoined[tuple[M, B | None], M, B]: ...
    def left_join(self, target: Any, /, *, on: Any = None) -> BoundJoined[Any, *tuple[Any, ...]]:
        """As `join`, with `None` beside a record to which nothing belongs."""
        return BoundJoined(self._query.left_join(target, on=on), self._database)

    def prefetch(self, *relations: ToMany[Any] | ToOne[Any]) -> BoundQuery[M]:
        """Load what these relations lead to with the records, one statement for each."""
        return BoundQuery(self._query.prefetch(*relations), self._database)

    def distinct(self) -> BoundQuery[M]:
        """Each different record once."""
        return BoundQuery(self._query.distinct(), self._database)

    # -- terminals
    def all(self) -> BoundEffect[list[M], DatabaseError]:
        """All records, in order."""
        return BoundEffect(self._query.all(), self._database)

    def page(self, size: int) -> BoundEffect[Page[M], DatabaseError]:
        """So many records, and the cursors for what comes after and before them."""
        return BoundEffect(self._query.page(size), self._database)

    def one(self) -> BoundEffect[M, NotFound | MultipleFound | DatabaseError]:
        """The only record."""
        return BoundEffect(self._query.one(), self._database)

    def first(self) -> BoundEffect[M | None, DatabaseError]:
        """The first record, or `None`."""
        return BoundEffect(self._query.first(), self._database)

    def count(self) -> BoundEffect[int, DatabaseError]:
        """How many records there are."""
        return BoundEffect(self._query.count(), self._database)

    def exists(self) -> BoundEffect[bool, DatabaseError]:
        """Whether there is a record."""
        return BoundEffect(self._query.exists(), self._database)

    def stream(self, *, chunk: int = CHUNK) -> BoundStream[M, DatabaseError]:
        """The records as a stream."""
        return BoundStream(self._query.stream(chunk=chunk), self._database)

    def update(
        self, assignments: Callable[[M], Mapping[Any, Any]] | None = None, /, **named: object
    ) -> BoundEffect[int, ConstraintViolation | DatabaseError]:
        """Set fields; the number of rows matched."""
        return BoundEffect(self._query.update(assignments, **named), self._database)

    @overload
    def set(
        self, column: Expression[Any, V], value: V | Expression[Any, V]
    ) -> BoundEffect[int, ConstraintViolation | DatabaseError]: ...
    @overload
    def set(
        self, column: Expression[Any, V | None], value: Expression[Any, V]
    ) -> BoundEffect[int, ConstraintViolation | DatabaseError]: ...
    @overload
    def set(
        self, column: Callable[[M], Expression[Any, V]], value: V | Expression[Any, V]
    ) -> BoundEffect[int, ConstraintViolation | DatabaseError]: ...
    def set(self, column: Any, value: Any) -> BoundEffect[int, ConstraintViolation | DatabaseError]:
        """Set one field; the number of rows matched."""
        return BoundEffect(self._query.set(column, value), self._database)

    def delete(self) -> BoundEffect[int, ConstraintViolation | DatabaseError]:
        """Delete the rows; the number of rows matched."""
        return BoundEffect(self._query.delete(), self._database)

    @property
    def fetch(self) -> Fetch[M]:
        """The door for code that is not on the railway: plain values, failures raised."""
        return Fetch(self)

    def __repr__(self) -> str:
        return f"db.{self._query!r}"

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError(not_run(self))

        __await__ = __iter__
