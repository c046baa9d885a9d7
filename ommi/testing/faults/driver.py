"""The driver around a driver at whose steps faults strike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias, assert_never, final

from anyio import CancelScope, get_cancelled_exc_class
from anyio.lowlevel import checkpoint

from ommi.drivers.driver import Capabilities, Cursor, Driver, Request, Transaction
from ommi.errors import (
    CommitUnknown,
    ConnectionLost,
    ConstraintViolation,
    Deadlock,
    ForeignKeyViolation,
    LockTimeout,
    OmmiError,
    PoolTimeout,
    QueryRejected,
    SerializationConflict,
    UniqueViolation,
)
from ommi.query.statements import Delete, Statement, is_write, schemas_of
from ommi.testing.faults.kinds import Fault, FaultStep, statement_label
from ommi.testing.faults.trace import Trace
from ommi.testing.interposed import DriverStep
from ommi.transactions import TransactionOptions
from ommi.values import Storage

__all__ = ["FaultyDriver"]

Failing: TypeAlias = Callable[[Fault], Awaitable[OmmiError]]
"""Does to the database what comes with a fault, and gives the error that the step fails with."""


@final
class FaultyDriver:
    """A driver that notes every step of another one in a trace, and lets go wrong what the trace has planned.

    It neither opens nor closes the driver underneath.
    """

    def __init__(self, driver: Driver, trace: Trace) -> None:
        self.driver = driver
        self.trace = trace

    @property
    def name(self) -> str:
        """That of the driver underneath."""
        return self.driver.name

    @property
    def storage(self) -> Storage:
        """That of the driver underneath."""
        return self.driver.storage

    @property
    def capabilities(self) -> Capabilities:
        """Those of the driver underneath."""
        return self.driver.capabilities

    async def open(self) -> None:
        """Nothing: the driver underneath is open."""

    async def close(self) -> None:
        """Nothing: the driver underneath stays open."""

    async def execute(self, request: Request, /) -> Any:
        """One statement, committed."""
        trace, statement = self.trace, request.statement
        writes = is_write(statement)
        trace.schemas.update(dict.fromkeys(schemas_of(statement)))
        step, fault = trace.arrive("execute", statement_label(statement), in_transaction=False, is_write=writes)

        async def act() -> Any:
            try:
                answer = await self.driver.execute(request)
            except get_cancelled_exc_class():
                trace.unknown |= writes  # it may have been done just before it could be stopped
                raise
            trace.writes += writes
            return answer

        async def fail(fault: Fault) -> OmmiError:
            if fault is Fault.LOST_DURING or (fault is Fault.LOST_AFTER and writes):
                trace.unknown = True
                return CommitUnknown(f"the connection was lost, and the answer to {step.label} with it")
            return _error(fault, step, statement)

        return await _take(trace, step, fault, act, fail)

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        """A cursor at whose steps faults strike, too."""
        trace, statement = self.trace, request.statement
        trace.schemas.update(dict.fromkeys(schemas_of(statement)))
        step, fault = trace.arrive("stream", _of("stream", statement), in_transaction=False)
        opened: list[Cursor] = []

        async def act() -> FaultyCursor:
            opened.append(await self.driver.stream(request, chunk))
            return FaultyCursor(trace, opened[0], request)

        async def fail(fault: Fault) -> OmmiError:
            for cursor in opened:
                await _close(cursor)
            return _error(fault, step, statement)

        found: FaultyCursor = await _take(trace, step, fault, act, fail)
        trace.streams += 1
        return found

    async def begin(self, options: TransactionOptions, /) -> Transaction:
        """A transaction in whose steps faults strike, too."""
        step, fault = self.trace.arrive("begin", in_transaction=False)
        begun: list[Transaction] = []

        async def act() -> FaultyTransaction:
            begun.append(await self.driver.begin(options))
            return FaultyTransaction(self, begun[0])

        async def fail(fault: Fault) -> OmmiError:
            for transaction in begun:
                await _undo(transaction)
            match fault:
                case Fault.REJECTED:
                    return PoolTimeout("no connection became free")
                case Fault.CONFLICT:
                    return LockTimeout("the database stayed locked")
                case _:
                    return _error(fault, step)

        found: FaultyTransaction = await _take(self.trace, step, fault, act, fail)
        self.trace.open += 1
        return found

    def __repr__(self) -> str:
        return f"FaultyDriver({self.driver!r})"


@final
class FaultyTransaction:
    """A transaction of a `FaultyDriver`.

    `over` says why nothing but the rollback is possible any more. `spoiled`: a statement failed that nobody had called
    recoverable, and the database wants to hear of nothing but going back, as PostgreSQL does. What is tried in such a
    transaction all the same is a problem of the run.
    """

    def __init__(self, owner: FaultyDriver, inner: Transaction) -> None:
        self.trace = owner.trace
        self.undoes_statements = owner.capabilities.undoes_statements
        self.inner = inner
        self.over: str | None = None
        self.lost = False
        self.spoiled = False
        self.ended = False
        self.busy = False

    @property
    def usable(self) -> bool:
        """Until it is over."""
        return self.over is None and self.inner.usable

    async def execute(self, request: Request, /) -> Any:
        statement = request.statement
        self.trace.schemas.update(dict.fromkeys(schemas_of(statement)))
        return await self._step("execute", lambda: self.inner.execute(request), request)

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        self.trace.schemas.update(dict.fromkeys(schemas_of(request.statement)))
        inner = await self._step("stream", lambda: self.inner.stream(request, chunk), request)
        self.trace.streams += 1
        return FaultyCursor(self.trace, inner, request, self)

    async def fetch(self, inner: Cursor, request: Request) -> list[Any]:
        """The next rows of one of its cursors."""
        found: list[Any] = await self._step("fetch", inner.next_rows, request)
        return found

    async def savepoint(self, name: str, /) -> None:
        await self._step("savepoint", lambda: self.inner.savepoint(name))

    async def release(self, name: str, /) -> None:
        await self._step("release", lambda: self.inner.release(name))

    async def rollback_to(self, name: str, /) -> None:
        self.spoiled = False
        await self._step("rollback_to", lambda: self.inner.rollback_to(name))

    async def _step(self, kind: DriverStep, act: Callable[[], Awaitable[Any]], request: Request | None = None) -> Any:
        statement = None if request is None else request.statement
        label = None if statement is None else statement_label(statement) if kind == "execute" else _of(kind, statement)
        self._enter(label or kind)
        try:
            step, fault = self.trace.arrive(kind, label, is_write=statement is not None and is_write(statement))

            async def fail(fault: Fault) -> OmmiError:
                if fault is not Fault.REJECTED and fault is not Fault.VIOLATED:
                    await self._lose(fault)
                elif request is not None and not self.undoes_statements:
                    self.over = "the database had ended"
                elif request is not None:
                    self.spoiled = not request.recoverable
                return _error(fault, step, statement)

            return await _take(self.trace, step, fault, act, fail)
        except get_cancelled_exc_class():
            self.over = self.over or "had a cancelled statement"
            raise
        finally:
            self.busy = False

    async def commit(self) -> None:
        trace = self.trace
        try:
            self._enter("commit")
        except OmmiError:
            await _undo(self.inner)
            raise
        finally:
            self._end()
        step, fault = trace.arrive("commit")

        async def act() -> None:
            await self.inner.commit()
            trace.commits += 1

        async def fail(fault: Fault) -> OmmiError:
            if fault is not Fault.LOST_AFTER:
                await self._lose(fault)
            match fault:
                case Fault.VIOLATED:
                    return ForeignKeyViolation("a deferred constraint does not hold")
                case Fault.CONFLICT:
                    return SerializationConflict("the transaction could not be ordered after the others")
                case Fault.LOST_DURING | Fault.LOST_AFTER:
                    trace.unknown = True
                    return CommitUnknown("the connection was lost, and the answer to COMMIT with it")
                case _:
                    return _error(fault, step)

        await _take(trace, step, fault, act, fail)
        trace.acknowledged += 1

    async def rollback(self) -> None:
        if self.ended:
            self.trace.problems.append("rollback in a transaction that had ended")
        self._end()
        if self.lost:
            raise ConnectionLost("the connection of this transaction is lost")
        step, fault = self.trace.arrive("rollback")

        async def fail(fault: Fault) -> OmmiError:
            if fault is not Fault.LOST_AFTER:
                await self._lose(fault)
            return _error(fault, step)

        await _take(self.trace, step, fault, self.inner.rollback, fail)

    async def _lose(self, fault: Fault) -> None:
        """The database ends the transaction, as it does when the connection is gone."""
        self.lost = fault is not Fault.CONFLICT and fault is not Fault.VIOLATED
        self.over = "had lost its connection" if self.lost else "the database had ended"
        await _undo(self.inner)

    def _enter(self, label: str) -> None:
        """Refuse what comes too late, and note it: the runtime is to know."""
        wrong = None
        if self.ended:
            wrong = f"{label} in a transaction that had ended"
        elif self.over is not None:
            wrong = f"{label} in a transaction that {self.over}"
        elif self.spoiled:
            wrong = f"{label} in a transaction after a failure that was not called recoverable"
        elif self.busy:
            wrong = f"{label} in a transaction while another task had a statement under way in it"
        if wrong is not None:
            self.trace.problems.append(wrong)
            raise ConnectionLost(wrong) if self.lost else QueryRejected(wrong)
        self.busy = True

    def _end(self) -> None:
        self.busy = False
        if not self.ended:
            self.ended = True
            self.trace.open -= 1


@final
class FaultyCursor:
    """A cursor of a `FaultyDriver`, or of one of its transactions.

    What is read after a failure is a problem of the run: the runtime is to close it.
    """

    def __init__(self, trace: Trace, inner: Cursor, request: Request, owner: FaultyTransaction | None = None) -> None:
        self.trace = trace
        self.inner = inner
        self.request = request
        self.owner = owner
        self.over: str | None = None

    async def next_rows(self) -> list[Any]:
        statement = self.request.statement
        if self.over is not None:
            wrong = f"fetch from a stream that {self.over}"
            self.trace.problems.append(wrong)
            raise QueryRejected(wrong)
        try:
            if self.owner is not None:
                return await self.owner.fetch(self.inner, self.request)
            step, fault = self.trace.arrive("fetch", _of("fetch", statement), in_transaction=False)

            async def fail(fault: Fault) -> OmmiError:
                return _error(fault, step, statement)

            found: list[Any] = await _take(self.trace, step, fault, self.inner.next_rows, fail)
        except BaseException:
            self.over = "had failed"
            raise
        return found

    async def close(self) -> None:
        if self.over != "was closed":
            self.trace.streams -= 1
        self.over = "was closed"
        label = _of("close", self.request.statement)
        step, fault = self.trace.arrive("close", label, in_transaction=self.owner is not None)

        async def fail(fault: Fault) -> OmmiError:
            return _error(fault, step)

        await _take(self.trace, step, fault, self.inner.close, fail)


def _of(kind: str, statement: Statement) -> str:
    return f"{kind}({schemas_of(statement)[0].name})"


async def _close(cursor: Cursor) -> None:
    with CancelScope(shield=True):
        await cursor.close()


async def _take(
    trace: Trace, step: FaultStep, fault: Fault | None, act: Callable[[], Awaitable[Any]], fail: Failing
) -> Any:
    with trace.during(step):
        match fault:
            case None:
                if trace.is_cancelled:
                    await checkpoint()  # a driver may take a few steps in one turn of the loop, and not hear of it yet
                return await act()
            case Fault.REJECTED | Fault.VIOLATED | Fault.CONFLICT | Fault.LOST_BEFORE | Fault.LOST_DURING:
                await checkpoint()
                raise await fail(fault)
            case Fault.LOST_AFTER:
                with suppress(OmmiError):  # whatever the answer was, it did not come
                    await act()
                raise await fail(fault)
            case Fault.OVERDUE:
                trace.clock.ring()
                await _turns()
                return await act()
            case Fault.CANCELLED_BEFORE | Fault.TASK_CANCELLED_BEFORE:
                trace.cancel(fault)
                await _turns()
                return await act()
            case Fault.CANCELLED_DURING | Fault.TASK_CANCELLED_DURING:
                trace.cancel_soon(fault)
                return await act()
            case Fault.CANCELLED_AFTER | Fault.TASK_CANCELLED_AFTER:
                answer = await act()
                trace.is_cancelled = True
                trace.cancel(fault)
                return answer
            case _:
                assert_never(fault)
    raise AssertionError("the step was given up")


def _error(fault: Fault, step: FaultStep, statement: Statement | None = None) -> OmmiError:
    match fault:
        case Fault.VIOLATED:
            return _violation(statement)
        case Fault.CONFLICT:
            return Deadlock("the database ended this transaction to resolve a deadlock")
        case Fault.LOST_BEFORE | Fault.LOST_AFTER:
            return ConnectionLost(f"the connection was lost at {step.label}")
        case _:
            return QueryRejected(f"the database refused {step.label}")


def _violation(statement: Statement | None) -> ConstraintViolation:
    model = schemas_of(statement)[0].model if statement is not None else None
    kind = ForeignKeyViolation if isinstance(statement, Delete) else UniqueViolation
    return kind("a constraint does not hold", model=model)


async def _undo(transaction: Transaction) -> None:
    with CancelScope(shield=True):
        await transaction.rollback()


async def _turns() -> None:
    """Let the tasks run that are told of something."""
    for _ in range(10):
        await checkpoint()
