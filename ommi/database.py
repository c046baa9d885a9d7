"""`Ommi`: a database to run programs on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, NoReturn, Self, overload

from returns.context import RequiresContextFutureResult
from returns.future import FutureResult
from returns.result import Failure, Result, Success
from typing_extensions import TypeVar

from ommi.bound import BoundEffect, BoundQuery
from ommi.drivers.driver import Driver
from ommi.drivers.registry import driver_for
from ommi.effects.effect import Effect
from ommi.effects.finding import Query, Rows, find
from ommi.effects.operations import SchemaOperations, add, add_all, delete, reload, save, upsert
from ommi.errors import ConstraintViolation, DatabaseError, NotFound, StaleRecord
from ommi.query.expressions import Predicate
from ommi.runtime.calls import Ending
from ommi.runtime.clock import Clock, SystemClock
from ommi.runtime.pump import Pump

__all__ = ["Ommi", "requires_database"]

T = TypeVar("T")
E = TypeVar("E")
M = TypeVar("M")


class Ommi:
    """A database, and `run`.

    `async with Ommi.connect("sqlite:///app.db") as db:` opens it, checks that it answers, and closes it. Any number
    of tasks may run programs on it at once.
    """

    __slots__ = ("_driver", "_is_open", "_pump", "schema")

    def __init__(self, driver: Driver, *, clock: Clock | None = None) -> None:
        self._driver = driver
        self._pump = Pump(driver, SystemClock() if clock is None else clock)
        self._is_open = False
        self.schema = SchemaOperations()

    @classmethod
    def connect(cls, url: str, **options: object) -> Ommi:
        """The database at a URL: `sqlite:///file.db`, `sqlite://` (in memory); options go to its driver.

        Nothing is opened until `async with`. A URL whose driver is not installed is refused with the line to run.
        """
        return cls(driver_for(url, **options))

    @property
    def driver(self) -> Driver:
        """The driver underneath."""
        return self._driver

    async def __aenter__(self) -> Self:
        await self._driver.open()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await self._driver.close()

    async def run(self, effect: Effect[T, E], /) -> Success[T] | Failure[E]:
        """Run an effect: `Success` with its value or `Failure` with its error.

        A defect (a bug in a function of the program) is raised as it is, and a cancellation passes through, both
        after everything was rolled back and cleaned up.
        """
        if not isinstance(effect, Effect):
            _refuse(effect)
        if not self._is_open:
            raise RuntimeError(f"{self!r} is not open: use it inside `async with Ommi.connect(…) as db:`")
        ending, payload = await self._pump.run(effect)
        if ending is Ending.VALUE:
            return Success(payload)
        if ending is Ending.DEFECT:
            raise payload
        return Failure(payload)

    def future(self, effect: Effect[T, E], /) -> FutureResult[T, E]:
        """The run as a `FutureResult` of `returns`; it starts when it is awaited, once."""
        return FutureResult(self._result(effect))

    async def _result(self, effect: Effect[T, E]) -> Result[T, E]:
        return await self.run(effect)

    # -- the words, bound to this database
    @overload
    def find(
        self, model: type[M], /, *conditions: Predicate[Any] | bool | Callable[[M], Predicate[Any] | bool]
    ) -> BoundQuery[M]: ...
    @overload
    def find(self, condition: Predicate[M], /, *conditions: Predicate[Any] | bool) -> BoundQuery[M]: ...
    def find(self, subject: Any, /, *conditions: Any) -> BoundQuery[Any]:
        """`find`, bound to this database."""
        return BoundQuery(find(subject, *conditions), self)

    def add(self, record: M, /) -> BoundEffect[M, ConstraintViolation | DatabaseError]:
        """`add`, bound to this database."""
        return BoundEffect(add(record), self)

    def add_all(self, records: Iterable[M], /) -> BoundEffect[list[M], ConstraintViolation | DatabaseError]:
        """`add_all`, bound to this database."""
        return BoundEffect(add_all(records), self)

    def save(
        self, record: M, /
    ) -> BoundEffect[M, NotFound | StaleRecord | ConstraintViolation | DatabaseError]:
        """`save`, bound to this database."""
        return BoundEffect(save(record), self)

    def upsert(
        self, record: M, /, *, on: object = None, update: Iterable[object] | None = None
    ) -> BoundEffect[M, ConstraintViolation | DatabaseError]:
        """`upsert`, bound to this database."""
        return BoundEffect(upsert(record, on=on, update=update), self)

    def delete(self, record: object, /) -> BoundEffect[None, NotFound | ConstraintViolation | DatabaseError]:
        """`delete`, bound to this database."""
        return BoundEffect(delete(record), self)

    def reload(self, record: M, /) -> BoundEffect[M, NotFound | DatabaseError]:
        """`reload`, bound to this database."""
        return BoundEffect(reload(record), self)

    def __repr__(self) -> str:
        return f"<Ommi on {self._driver!r}>"


def requires_database(effect: Effect[T, E]) -> RequiresContextFutureResult[T, E, Ommi]:
    """The effect as a `RequiresContextFutureResult`, which is given the database last."""
    return RequiresContextFutureResult(lambda database: database.future(effect))


def _refuse(found: object) -> NoReturn:
    if isinstance(found, (Query, Rows, BoundQuery)):
        raise TypeError(f"db.run takes an effect, and {found!r} is a query: end it with .all(), .one(), .first(), …")
    if callable(found):
        name = getattr(found, "__qualname__", repr(found))
        raise TypeError(f"db.run takes an effect, and {name} is a function: call it, and give @effect to a program")
    raise TypeError(f"db.run takes an effect, such as find(User).all(), not {found!r}")
