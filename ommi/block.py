"""`async with db.transaction() as tx:`: a transaction around code that awaits, rather than around a program."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any, Self, final

import anyio
from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.effects.effect import Await, Bind, Effect, Fail, Succeed, Transact
from ommi.effects.schedule import Schedule
from ommi.errors import OmmiError, StatementTimeout
from ommi.runtime.calls import Ending, Mark, Marking
from ommi.runtime.interpreter import OpenTransaction, Outcome
from ommi.runtime.pump import Pump
from ommi.runtime.turns import Turn, current_turn, enter, leave
from ommi.session import Session, check_effect, outcome
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
    """

    # The block is the body of an effect: a task beside the caller's runs `Transact`, whose source waits until the
    # block is left. So commit, rollback, savepoints and after_commit are those of every other transaction.

    __slots__ = ("_block", "_check_open", "_marks", "_options", "_pump")

    def __init__(self, pump: Pump, options: TransactionOptions, check_open: Callable[[], None]) -> None:
        self._pump = pump
        self._options = options
        self._check_open = check_open
        self._marks: dict[str, tuple[str, int, int]] = {}
        self._block: _Block | None = None

    async def __aenter__(self) -> Self:
        self._check_open()
        if self._block is not None:
            raise RuntimeError("a transaction block is entered once: call db.transaction() again for another one")
        clock = self._pump.clock
        tries = self._options.max_retries if self._options.retry_on_conflict else 0
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

    async def run(self, effect: Effect[T, E], /) -> Success[T] | Failure[E]:
        """Run an effect as part of this transaction."""
        check_effect(effect)
        return outcome(await self._pump.join(effect, self._turn()))

    def transaction(self, options: TransactionOptions | None = None, /) -> Transaction:
        """A nested block: undone alone when an exception leaves it."""
        return Transaction(self._pump, TransactionOptions() if options is None else options, self._check_open)

    async def savepoint(self, name: str, /) -> None:
        """Remember this point under a name; a name used before in the block is moved here."""
        async with self._turn().taken() as transaction:
            real = transaction.name_savepoint()
            await self._mark(transaction, Mark.SET, real)
            self._marks.pop(name, None)  # it comes after the others now
            self._marks[name] = real, len(transaction.after), len(transaction.fills)

    async def rollback_to_savepoint(self, name: str, /) -> None:
        """Undo what was done in the block since that point, a failed write included; the point stays."""
        async with self._turn().taken() as transaction:
            if name not in self._marks:
                known = ", ".join(map(repr, self._marks)) or "none"
                raise ValueError(f"this block has no savepoint {name!r}; it has {known}")
            real, after, fills = self._marks[name]
            await self._mark(transaction, Mark.ROLL_BACK_TO, real)
            del transaction.after[after:], transaction.fills[fills:]
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

    def _opened(self) -> _Block:
        if self._block is None:
            raise RuntimeError("this transaction block is not open: use it inside `async with db.transaction() as tx:`")
        return self._block


def recovered(transaction: OpenTransaction) -> BaseException | None:
    """Forget the failed write that doomed a block, now that it is undone; that error."""
    error = None
    if transaction.doomed is not None and transaction.doomed is transaction.failed:
        error, transaction.doomed = transaction.doomed, None
    transaction.failed = None
    return error


class _Block:
    """The task that holds the transaction, and how it and the caller tell each other."""

    __slots__ = (
        "_group",
        "_leaving",
        "_options",
        "_outcome",
        "_problem",
        "_pump",
        "_ready",
        "_scope",
        "_token",
        "turn",
    )

    turn: Turn
    _token: Token[Turn | None]

    def __init__(self, pump: Pump, options: TransactionOptions) -> None:
        self._pump = pump
        self._options = options
        self._group = anyio.create_task_group()
        self._scope = anyio.CancelScope()
        self._ready = anyio.Event()
        self._leaving = anyio.Event()
        self._problem: BaseException | None = None
        self._outcome: Outcome | None = None

    async def begin(self) -> Any:
        """Begin; the error if that is not possible."""
        await self._group.__aenter__()
        self._group.start_soon(self._hold)
        try:
            await self._ready.wait()
        except BaseException:
            self._group.cancel_scope.cancel()
            await self._group.__aexit__(None, None, None)
            raise
        if self._outcome is not None:
            await self._group.__aexit__(None, None, None)
            return self._outcome[1]
        self._scope.__enter__()
        self._token = enter(self.turn)
        return None

    async def _hold(self) -> None:
        body: Effect[None, Any] = Bind(Await(self._wait), self._decide)
        try:
            self._outcome = await self._pump.run(Transact(body, self._options))
        finally:
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
            self._scope.cancel()  # its time is over: so is that of the code in the block
            raise

    def _decide(self, _: None) -> Effect[None, BaseException]:
        error = recovered(self.turn.transaction)
        problem = error if self._problem is None else self._problem
        return Succeed(None) if problem is None else Fail(problem)

    async def end(self, error: BaseException | None) -> bool:
        """Commit, or undo because of the error that leaves the block; whether that error ends here."""
        leave(self._token)
        self._problem = error
        self._leaving.set()
        trace = None if error is None else error.__traceback__
        ended_here = self._scope.__exit__(None if error is None else type(error), error, trace)
        await self._group.__aexit__(None, None, None)
        if self._outcome is None:
            if error is None:
                raise RuntimeError("the task that held the transaction was cancelled, so it was rolled back")
            return False
        ending, payload = self._outcome
        if ending is Ending.VALUE:
            return bool(ended_here)
        if payload is error:
            return False
        if isinstance(payload, StatementTimeout) and self._options.timeout is not None:
            raise StatementTimeout(
                f"the transaction block had not ended after {self._options.timeout} seconds"
            ) from payload
        raise payload
