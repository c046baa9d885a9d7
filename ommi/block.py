"""`async with db.transaction() as tx:`: a transaction around code that awaits, rather than around a program."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Self, final, overload

import anyio
from anyio import CancelScope, get_cancelled_exc_class
from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.effects.effect import Await, Bind, Effect, Fail, Succeed, Transact
from ommi.effects.related import Runner
from ommi.effects.schedule import Schedule
from ommi.effects.stream import Stream
from ommi.errors import OmmiError, StatementTimeout
from ommi.opened import OpenStream
from ommi.runtime.background import start
from ommi.runtime.calls import Ending, Mark, Marking
from ommi.runtime.fibers import OpenTransaction, Outcome, Point
from ommi.runtime.pump import Pump
from ommi.runtime.trace import Traced
from ommi.runtime.turns import Turn, current_turn, enter, leave
from ommi.session import Session, check_effect, check_stream, outcome
from ommi.transactions import TransactionOptions

__all__ = ["Transaction"]

T = TypeVar("T")
E = TypeVar("E")

_RETRIES = Schedule.exponential(0.01).capped(1.0).jittered()


@final
class Transaction(Session):
    """A transaction that is open while its block runs.

    Leaving the block commits; an exception that leaves it rolls back. A write that failed, and that nothing
    recovered from, dooms the block: what follows answers with that error, and leaving rolls back and raises it, so
    that an ignored `Failure` is never half a commit. To recover, put the write in a nested block, or give it a
    `catch`. Runs on the same database in the block, and in tasks started in it, are part of it and take turns.

    Leaving waits for those under way; cancelled, or out of time, it stops them, which is a `RuntimeError` in their
    tasks. The exception that leaves the block is raised as it is. A block without a timeout may be left in another task
    than entered it.
    """

    # The block is the body of an effect: a task beside the caller's runs `Transact`, whose source waits until the
    # block is left. So commit, rollback, savepoints and after_commit are those of every other transaction.

    __slots__ = ("_block", "_check_open", "_marks", "_options", "_pump")

    def __init__(self, pump: Pump, options: TransactionOptions, check_open: Callable[[], None]) -> None:
        self._pump = pump
        self._options = options
        self._check_open = check_open
        self._marks: dict[str, tuple[str, Point]] = {}
        self._block: _Block | None = None

    async def __aenter__(self) -> Self:
        self._check_open()
        if self._block is not None:
            raise RuntimeError("a transaction block is entered once: call db.transaction() again for another one")
        clock = self._pump.clock
        # a nested one begins with a savepoint: an error of that is the outer transaction's, which cannot be tried again
        again = self._options.retry_on_conflict and current_turn(self._pump) is None
        tries = self._options.max_retries if again else 0
        for delay in (*_RETRIES.up_to(tries).delays(clock.random, lambda: 0.0), None):
            block = _Block(self._pump, self._options)
            reason = await block.begin()
            if reason is None:
                self._block = block
                return self
            if delay is None or not (isinstance(reason, OmmiError) and reason.retryable):
                raise reason
            waiting = clock.pause(delay)
            await (anyio.sleep(delay) if waiting is None else waiting)
        raise AssertionError("the last try is not followed by a delay")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return await self._opened().end(error)

    @property
    def home(self) -> Runner:
        """The database: what runs on it in the block joins, and after the block it is still there."""
        return _Home(self._pump, self._check_open)

    @overload
    async def run(self, effect: Effect[T, E], /, *, trace: Literal[False] = False) -> Success[T] | Failure[E]: ...
    @overload
    async def run(self, effect: Effect[T, E], /, *, trace: Literal[True]) -> Traced[T, E]: ...
    async def run(self, effect: Effect[T, E], /, *, trace: bool = False) -> Success[T] | Failure[E] | Traced[T, E]:
        """Run an effect as part of this transaction; with `trace`, see `Ommi.run`."""
        check_effect(effect)
        if trace:
            ended, asked = await self._pump.traced(effect, self._turn())
            return Traced(outcome(ended), asked)
        return outcome(await self._pump.join(effect, self._turn()))

    def open(self, stream: Stream[T, Any], /) -> OpenStream[T]:
        """A stream to be read as part of this transaction, on its connection."""
        check_stream(stream)
        return OpenStream(stream, self._pump, self, self._turn)

    def transaction(self, options: TransactionOptions | None = None, /) -> Transaction:
        """A nested block: undone alone when an exception leaves it."""
        return Transaction(self._pump, TransactionOptions() if options is None else options, self._check_open)

    async def savepoint(self, name: str, /) -> None:
        """Remember this point under a name; a name used before in the block is moved here."""
        async with self._own_turn().taken() as transaction:
            real = transaction.name_savepoint()
            await self._mark(transaction, Mark.SET, real)
            self._marks.pop(name, None)  # it comes after the others now
            self._marks[name] = real, transaction.point()

    async def rollback_to_savepoint(self, name: str, /) -> None:
        """Undo what was done in the block since that point, a failed write included; the point stays."""
        async with self._own_turn().taken() as transaction:
            if name not in self._marks:
                known = ", ".join(map(repr, self._marks)) or "none"
                raise ValueError(f"this block has no savepoint {name!r}; it has {known}")
            real, point = self._marks[name]
            await self._mark(transaction, Mark.ROLL_BACK_TO, real)
            transaction.undone(point)
            recovered(transaction)
            names = list(self._marks)
            for later in names[names.index(name) + 1 :]:
                del self._marks[later]

    async def _mark(self, transaction: OpenTransaction, mark: Mark, name: str) -> None:
        doomed = transaction.doomed
        if doomed is not None and (mark is Mark.SET or doomed is not transaction.failed):
            raise doomed
        try:
            ending, payload = await self._pump.call(Marking(transaction.handle, mark, name))
        except BaseException:
            transaction.doom(StatementTimeout("a savepoint was stopped halfway, so its transaction was rolled back"))
            raise
        if ending is Ending.DOOM:
            transaction.doom(payload)
        if ending is not Ending.VALUE:
            raise payload

    def _turn(self) -> Turn:
        """The innermost body of the transaction that the caller is in: it has the turn of those around it."""
        turn, current = self._opened().turn, current_turn(self._pump)
        joins = current is not None and not turn.ended and current.transaction is turn.transaction
        return current if current is not None and joins else turn

    def _own_turn(self) -> Turn:
        """The turn of the block itself: what is nested in it has savepoints inside of, or around, the block's own."""
        own = self._opened().turn
        if self._turn() is not own:
            raise RuntimeError(
                "a savepoint of this block cannot be set or rolled back to while a nested one is open, "
                "or from inside one of its runs: use those of the nested block, or leave it first"
            )
        return own

    def _opened(self) -> _Block:
        if self._block is None:
            raise RuntimeError("this transaction block is not open: use it inside `async with db.transaction() as tx:`")
        return self._block


@final
class _Home:
    """The database of a block, as far as its records' relations need it."""

    __slots__ = ("_check_open", "_pump")

    def __init__(self, pump: Pump, check_open: Callable[[], None]) -> None:
        self._pump = pump
        self._check_open = check_open

    @property
    def home(self) -> Runner:
        return self

    async def run(self, effect: Effect[T, E], /) -> Success[T] | Failure[E]:
        """Run an effect: in the block as part of it, otherwise on its own."""
        self._check_open()
        return outcome(await self._pump.run(effect))


def recovered(transaction: OpenTransaction) -> BaseException | None:
    """Forget the failed write that doomed a block, now that it is undone; that error."""
    error = None
    if transaction.doomed is not None and transaction.doomed is transaction.failed:
        error, transaction.doomed = transaction.doomed, None
    transaction.failed = None
    return error


class _Block:
    """The task that holds the transaction, and how it and the caller tell each other.

    That task belongs to no scope of the caller: a block may be left in another task than entered it, as fixtures of
    tests are, and the scopes of a task cannot be.
    """

    __slots__ = (
        "_caller",
        "_fatal",
        "_holder",
        "_leaving",
        "_options",
        "_outcome",
        "_over",
        "_problem",
        "_pump",
        "_ready",
        "_task",
        "turn",
    )

    turn: Turn

    def __init__(self, pump: Pump, options: TransactionOptions) -> None:
        self._pump = pump
        self._options = options
        self._holder = CancelScope()
        # a block whose time is over is stopped; without a time there is no need for a scope, which binds it to a task
        self._caller = None if options.timeout is None else CancelScope()
        self._ready = anyio.Event()
        self._leaving = anyio.Event()
        self._over = anyio.Event()
        self._problem: BaseException | None = None
        self._fatal: BaseException | None = None
        self._outcome: Outcome | None = None
        self._task: object = None

    async def begin(self) -> Any:
        """Begin; the error if that is not possible."""
        self._task = start(self._hold)
        try:
            await self._ready.wait()
        except BaseException:
            self._holder.cancel()
            await self._ended()
            raise
        if self._over.is_set():
            return self._fatal if self._outcome is None else self._outcome[1]
        if self._caller is not None:
            self._caller.__enter__()
        enter(self.turn)
        return None

    async def _hold(self) -> None:
        body: Effect[None, Any] = Bind(Await(self._wait), self._decide)
        try:
            with self._holder:
                self._outcome = await self._pump.run(Transact(body, self._options))
        except get_cancelled_exc_class():
            self._fatal = RuntimeError(_CANCELLED)
            raise
        except BaseException as fatal:  # noqa: BLE001 - it is raised where the block is left
            self._fatal = fatal
        finally:
            self._over.set()
            self._ready.set()

    async def _wait(self) -> None:
        turn = current_turn(self._pump)
        assert turn is not None
        self.turn = turn
        turn.in_block = True
        self._ready.set()
        try:
            await self._leaving.wait()
        except BaseException:
            if self._caller is not None:
                self._caller.cancel()  # its time is over: so is that of the code in the block
            raise

    def _decide(self, _: None) -> Effect[None, BaseException]:
        error = recovered(self.turn.transaction)
        problem = error if self._problem is None else self._problem
        return Succeed(None) if problem is None else Fail(problem)

    async def end(self, error: BaseException | None) -> bool:
        """Commit, or undo because of the error that leaves the block; whether that error ends here."""
        leave(self.turn)
        self._problem = error
        self._leaving.set()
        elsewhere = self._caller is not None and self.turn.entered_by != anyio.get_current_task().id
        ended_here = self._caller is not None and not elsewhere and _exited(self._caller, error)
        stopped = await self._ended()
        if stopped is not None and not isinstance(error, get_cancelled_exc_class()):
            raise stopped
        ending, payload = (Ending.CANCELLED, self._fatal) if self._outcome is None else self._outcome
        if error is None or ended_here:
            self._raise(ending, payload)
        elif payload is not error and isinstance(error, Exception) and payload is not None:
            error.add_note(f"the transaction block that it left ended with: {payload!r}")
        if elsewhere:
            did = "committed" if ending is Ending.VALUE else "rolled back"
            raise RuntimeError(
                "a transaction block with a timeout was left by another task than entered it; "
                f"it was {did}, but the first task cannot go on: leave it where it was entered, or say no timeout"
            ) from error
        return ended_here

    async def _ended(self) -> BaseException | None:
        """Wait for the end of the transaction, and do not leave it alone before; what stopped this meanwhile."""
        stopped: BaseException | None = None
        while not self._over.is_set():
            try:
                with CancelScope(shield=stopped is not None):
                    await self._over.wait()
            except BaseException as reason:  # noqa: BLE001 - it is raised when all has ended
                stopped = stopped or reason
                self._holder.cancel()
        return stopped

    def _raise(self, ending: Ending, payload: Any) -> None:
        if ending is Ending.VALUE:
            return
        if ending is Ending.CANCELLED and payload is None:
            raise RuntimeError(_CANCELLED)
        if isinstance(payload, StatementTimeout) and self._options.timeout is not None:
            raise StatementTimeout(
                f"the transaction block had not ended after {self._options.timeout} seconds"
            ) from payload
        raise payload


_CANCELLED = "the task that held the transaction was cancelled, so it was rolled back"


def _exited(scope: CancelScope, error: BaseException | None) -> bool:
    """Leave a scope with an error; whether that ends there."""
    trace = None if error is None else error.__traceback__
    return bool(scope.__exit__(None if error is None else type(error), error, trace))
