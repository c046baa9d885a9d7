"""`Ommi`: a database to run programs on."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from returns.result import Failure, Result, Success
from typing_extensions import TypeVar

from ommi.block import Transaction
from ommi.drivers.driver import Driver, Pooled
from ommi.drivers.registry import driver_for, redacted
from ommi.effects.effect import Effect
from ommi.effects.operations import SchemaOperations
from ommi.effects.stream import Stream
from ommi.errors import UnsupportedOperation
from ommi.opened import OpenStream
from ommi.runtime.clock import Clock, SystemClock
from ommi.runtime.pump import Pump
from ommi.runtime.trace import Traced
from ommi.runtime.turns import Turn
from ommi.session import Session, check_effect, check_stream, outcome
from ommi.transactions import TransactionOptions

if TYPE_CHECKING:
    from returns.context import RequiresContextFutureResult
    from returns.future import FutureResult

__all__ = ["Ommi", "requires_database"]

T = TypeVar("T")
E = TypeVar("E")


class Ommi(Session):
    """A database, and `run`.

    `async with Ommi.connect("sqlite:///app.db") as db:` opens it, checks that it answers, and closes it. Any number
    of tasks may run programs on it at once.
    """

    __slots__ = ("_driver", "_is_open", "_pump", "schema")

    def __init__(self, driver: Driver, *, clock: Clock | None = None) -> None:
        if isinstance(driver, str):
            raise TypeError(f"Ommi(…) takes a driver; for a URL write Ommi.connect({redacted(driver)!r})")
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

    @property
    def pool(self) -> Pooled:
        """The pool of connections, for its figures: `db.pool.stats()`.

        `UnsupportedOperation` where the driver has none that anybody could run out of.
        """
        self._check_open()
        pool: Pooled | None = getattr(self._driver, "pool", None)
        if pool is None:
            raise UnsupportedOperation(
                f"{self._driver.name} has no pool of connections whose figures say anything",
                hint="ask on a database behind a network, such as PostgreSQL",
            )
        return pool

    async def __aenter__(self) -> Self:
        await self._driver.open()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        await self._driver.close()

    @overload
    async def run(self, effect: Effect[T, E], /, *, trace: Literal[False] = False) -> Success[T] | Failure[E]: ...
    @overload
    async def run(self, effect: Effect[T, E], /, *, trace: Literal[True]) -> Traced[T, E]: ...
    async def run(self, effect: Effect[T, E], /, *, trace: bool = False) -> Success[T] | Failure[E] | Traced[T, E]:
        """Run an effect: `Success` with its value or `Failure` with its error.

        A defect (a bug in a function of the program) is raised as it is, and a cancellation passes through, both
        after everything was rolled back and cleaned up. With `trace=True`, a `Traced`: its `outcome` is that, and its
        `trace` says what the database was asked, in how many statements and trips.
        """
        check_effect(effect)
        self._check_open()
        if trace:
            ended, asked = await self._pump.traced(effect)
            return Traced(outcome(ended), asked)
        return outcome(await self._pump.run(effect))

    def open(self, stream: Stream[T, Any], /) -> OpenStream[T]:
        """A stream to be read: `async with db.open(find(User).stream()) as rows:`, `async for user in rows:`.

        It holds a connection of its own; in the body of a transaction it is part of that.
        """
        check_stream(stream)
        return OpenStream(stream, self._pump, self, self._where)

    def _where(self) -> Turn | None:
        self._check_open()
        return self._pump.turn()

    def transaction(self, options: TransactionOptions | None = None, /) -> Transaction:
        """A transaction as a block: `async with db.transaction() as tx:`; see `Transaction`.

        Inside the body of another one it is the part of that which can be undone alone.
        """
        return Transaction(self._pump, TransactionOptions() if options is None else options, self._check_open)

    def _check_open(self) -> None:
        if not self._is_open:
            raise RuntimeError(f"{self!r} is not open: use it inside `async with Ommi.connect(…) as db:`")

    def future(self, effect: Effect[T, E], /) -> FutureResult[T, E]:
        """The run as a `FutureResult` of `returns`; it starts when it is awaited, once."""
        from returns.future import FutureResult  # here, because it is slow to import

        return FutureResult(self._result(effect))

    async def _result(self, effect: Effect[T, E]) -> Result[T, E]:
        return await self.run(effect)

    def __repr__(self) -> str:
        return f"<Ommi on {self._driver!r}>"


def requires_database(effect: Effect[T, E]) -> RequiresContextFutureResult[T, E, Ommi]:
    """The effect as a `RequiresContextFutureResult`, which is given the database last."""
    from returns.context import RequiresContextFutureResult  # here, because it is slow to import

    return RequiresContextFutureResult(lambda database: database.future(effect))
