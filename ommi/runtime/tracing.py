"""A driver around a driver that notes what it is asked, for one run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from time import perf_counter
from typing import Any, TypeVar, final

from ommi.drivers.driver import (
    BeginsWithRuns,
    Capabilities,
    Cursor,
    Driver,
    Executor,
    Failed,
    MakesRuns,
    Request,
    Transaction,
)
from ommi.effects.effect import Perform
from ommi.effects.text import operation_text
from ommi.frozen import replace
from ommi.query.statements import is_write, schemas_of
from ommi.runtime.trace import Operation, StepKind, Trace, TraceStep
from ommi.schema import Row
from ommi.transactions import TransactionOptions
from ommi.values import Storage

__all__ = ["Recorder", "RecordingCursor", "RecordingDriver", "RecordingTransaction"]

T = TypeVar("T")


@final
class Recorder:
    """Notes steps. A trip is one call of the driver underneath, and what it says it took besides."""

    def __init__(self) -> None:
        self._steps: list[TraceStep] = []
        self._trips = 0
        self._transactions = 0

    def trace(self) -> Trace:
        """What was noted so far."""
        return Trace(tuple(self._steps))

    def next_transaction(self) -> int:
        """A number for one more transaction."""
        self._transactions += 1
        return self._transactions

    async def step(self, kind: StepKind, awaited: Awaitable[T], transaction: int | None, name: str | None = None) -> T:
        """Note what has no statement."""
        self._trips += 1
        trip, since = self._trips, perf_counter()
        error: type[BaseException] | None = None
        try:
            return await awaited
        except BaseException as raised:
            error = type(raised)
            raise
        finally:
            seconds = perf_counter() - since
            self._steps.append(
                TraceStep(kind, seconds=seconds, trip=trip, transaction=transaction, savepoint=name, error=error)
            )

    async def fetch(self, awaited: Awaitable[list[Any]], transaction: int | None) -> list[Any]:
        """Note a chunk of a stream."""
        found = await self.step("fetch", awaited, transaction)
        self._steps[-1] = replace(self._steps[-1], rows=len(found))
        return found

    async def statement(
        self, execute: Callable[[Request], Awaitable[Any]], request: Request, transaction: int | None
    ) -> Any:
        """Note one statement."""
        self._trips += 1
        noted, trip, since = _Noted(request), self._trips, perf_counter()
        try:
            answer = await execute(noted.request)
        except BaseException as raised:
            self._steps.append(noted.step(trip, perf_counter() - since, transaction, error=type(raised)))
            raise
        self._steps.append(noted.step(trip, perf_counter() - since, transaction, answer))
        return answer

    async def run(
        self, execute: Callable[[Sequence[Request]], Awaitable[list[Any]]], requests: Sequence[Request], number: int
    ) -> list[Any]:
        """Note statements that are made in one trip."""
        self._trips += 1
        noted, since = [_Noted(request) for request in requests], perf_counter()
        answers = await execute([one.request for one in noted])
        self._made(noted, answers, perf_counter() - since, number)
        return answers

    async def begin_with(
        self, driver: BeginsWithRuns, options: TransactionOptions, requests: Sequence[Request], number: int
    ) -> tuple[Transaction, list[Any]]:
        """Note the beginning of a transaction and the statements that are made with it."""
        self._trips += 1
        noted, trip, since = [_Noted(request) for request in requests], self._trips, perf_counter()
        try:
            begun, answers = await driver.begin_with(options, [one.request for one in noted])
        except BaseException as raised:
            seconds = perf_counter() - since
            self._steps.append(TraceStep("begin", seconds=seconds, trip=trip, transaction=number, error=type(raised)))
            raise
        # to a database that is gone to, BEGIN is a trip of its own, unless it tells of none for the first text
        own = int(noted[0].trips > 0)
        self._steps.append(TraceStep("begin", trip=trip, trips=own, transaction=number))
        self._made(noted, answers, perf_counter() - since, number)
        return begun, answers

    def _made(self, noted: Sequence[_Noted], answers: Sequence[Any], seconds: float, number: int) -> None:
        for place, (one, answer) in enumerate(zip(noted, answers, strict=False)):
            error = type(answer.error) if isinstance(answer, Failed) else None
            step = one.step(self._trips, seconds / len(answers), number, answer, error)
            # the first trip is that of all; a driver that needs one for each tells so
            self._steps.append(replace(step, trips=one.trips) if place else step)

    async def opened(self, executor: Executor, request: Request, chunk: int, transaction: int | None) -> Cursor:
        """Note the statement of a stream, and what it will do."""
        self._trips += 1
        noted, trip, since = _Noted(request, counts=False), self._trips, perf_counter()
        try:
            cursor = await executor.stream(noted.request, chunk)
        except BaseException as raised:
            self._steps.append(noted.step(trip, perf_counter() - since, transaction, error=type(raised)))
            raise
        self._steps.append(noted.step(trip, perf_counter() - since, transaction))
        return RecordingCursor(cursor, self, transaction)


async def one_by_one(transaction: Transaction, requests: Sequence[Request]) -> list[Any]:
    """What `execute_all` gives, of a transaction that does not have it."""
    answers: list[Any] = []
    for request in requests:
        try:
            answers.append(await transaction.execute(request))
        except Exception as error:
            answers.append(Failed(error))
            break
    return answers


@final
class _Noted:
    """One request, and what is seen of it on its way."""

    __slots__ = ("request", "rows", "sent", "trips", "whole")

    def __init__(self, request: Request, *, counts: bool = True) -> None:
        self.whole = request
        self.rows: int | None = None
        self.sent: list[str] = []
        self.trips = 0
        self.request = replace(request, read=self._read if counts else request.read, sent=self._note)

    def _note(self, text: str, trips: int) -> None:
        self.sent.append(text)
        self.trips += trips

    def _read(self, rows: Iterable[Row]) -> Any:
        return self.whole.read(self._counted(rows))

    def _counted(self, rows: Iterable[Row]) -> Iterable[Row]:
        self.rows = 0
        for row in rows:
            self.rows += 1
            yield row

    def step(
        self,
        trip: int,
        seconds: float,
        transaction: int | None,
        answer: Any = None,
        error: type[BaseException] | None = None,
    ) -> TraceStep:
        rows = self.rows
        if rows is None and isinstance(answer, list):
            rows = len(answer)
        elif type(answer) is int and is_write(self.whole.statement):
            rows = answer
        models = tuple(schema.model for schema in schemas_of(self.whole.statement))
        asked = self.whole.asked_by if isinstance(self.whole.asked_by, Sequence) else ()
        operations = tuple(
            Operation(operation_text(one), models, one.origin) for one in asked if isinstance(one, Perform)
        )
        more = max(self.trips - 1, 0)
        return TraceStep("statement", operations, tuple(self.sent), rows, seconds, trip, more, transaction, None, error)


@final
class RecordingDriver:
    """Asks another driver, and notes it. It neither opens nor closes that one."""

    def __init__(self, driver: Driver, recorder: Recorder) -> None:
        self._driver = driver
        self._recorder = recorder

    @property
    def name(self) -> str:
        return self._driver.name

    @property
    def storage(self) -> Storage:
        return self._driver.storage

    @property
    def capabilities(self) -> Capabilities:
        return self._driver.capabilities

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def execute(self, request: Request, /) -> Any:
        return await self._recorder.statement(self._driver.execute, request, None)

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        return await self._recorder.opened(self._driver, request, chunk, None)

    async def begin(self, options: TransactionOptions, /) -> Transaction:
        number = self._recorder.next_transaction()
        transaction = await self._recorder.step("begin", self._driver.begin(options), number)
        return RecordingTransaction(transaction, self._recorder, number)

    async def begin_with(
        self, options: TransactionOptions, requests: Sequence[Request], /
    ) -> tuple[Transaction, list[Any]]:
        if not isinstance(self._driver, BeginsWithRuns):
            transaction = await self.begin(options)
            return transaction, await one_by_one(transaction, requests)
        number = self._recorder.next_transaction()
        begun, answers = await self._recorder.begin_with(self._driver, options, requests, number)
        return RecordingTransaction(begun, self._recorder, number), answers


@final
class RecordingTransaction:
    """Asks a transaction, and notes it."""

    def __init__(self, transaction: Transaction, recorder: Recorder, number: int) -> None:
        self._transaction = transaction
        self._recorder = recorder
        self._number = number

    @property
    def usable(self) -> bool:
        return self._transaction.usable

    async def execute(self, request: Request, /) -> Any:
        return await self._recorder.statement(self._transaction.execute, request, self._number)

    async def execute_all(self, requests: Sequence[Request], /) -> list[Any]:
        if not isinstance(self._transaction, MakesRuns):
            return await one_by_one(self, requests)
        return await self._recorder.run(self._transaction.execute_all, requests, self._number)

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        return await self._recorder.opened(self._transaction, request, chunk, self._number)

    async def commit(self) -> None:
        await self._recorder.step("commit", self._transaction.commit(), self._number)

    async def rollback(self) -> None:
        await self._recorder.step("rollback", self._transaction.rollback(), self._number)

    async def savepoint(self, name: str, /) -> None:
        await self._recorder.step("savepoint", self._transaction.savepoint(name), self._number, name)

    async def release(self, name: str, /) -> None:
        await self._recorder.step("release", self._transaction.release(name), self._number, name)

    async def rollback_to(self, name: str, /) -> None:
        await self._recorder.step("rollback to", self._transaction.rollback_to(name), self._number, name)


@final
class RecordingCursor:
    """Asks a cursor, and notes it."""

    def __init__(self, cursor: Cursor, recorder: Recorder, transaction: int | None) -> None:
        self._cursor = cursor
        self._recorder = recorder
        self._transaction = transaction

    async def next_rows(self) -> list[Any]:
        return await self._recorder.fetch(self._cursor.next_rows(), self._transaction)

    async def close(self) -> None:
        await self._recorder.step("close", self._cursor.close(), self._transaction)
