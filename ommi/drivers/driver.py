"""The waist: what a database must be able to do for Ommi, in a handful of methods.

A driver returns rows or raises; it knows nothing of effects, results, retries or model libraries. Errors are
members of `ommi.errors`, with the database's own exception as `__cause__`; anything else it raises is a defect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Protocol, final, runtime_checkable

from ommi.frozen import frozen
from ommi.query.statements import Statement
from ommi.schema import Row
from ommi.transactions import IsolationLevel, TransactionOptions
from ommi.values import Storage

__all__ = [
    "BeginsWithRuns",
    "Capabilities",
    "Cursor",
    "Driver",
    "Executor",
    "Failed",
    "MakesRuns",
    "PoolStats",
    "Pooled",
    "Request",
    "Transaction",
]


@frozen
class Capabilities:
    """What databases differ in and programs can see.

    `isolation`: the strongest level there is. `savepoints`: a part of a transaction can be undone alone.
    `undoes_statements`: a `recoverable` write that failed leaves its transaction usable.
    `language`: what texts of an application's own it runs, by `sql(…)` or `mongo(…)`; the others are refused.
    `parameters`: how many values a condition of one statement may hold; reads of more keys are several statements.
    `waits`: a write that meets that of another transaction waits for its end; otherwise it is a conflict at once.
    `joins`: rows of several tables side by side, and `exists_`.
    `decimal_digits`: the most digits a Decimal can have; `None` for any number.
    """

    isolation: IsolationLevel
    savepoints: bool = True
    undoes_statements: bool = True
    parameters: int = 30_000
    language: Literal["sql", "mongo"] | None = None
    waits: bool = True
    decimal_digits: int | None = None
    joins: bool = True


@frozen(eq=False)
class Request:
    """A statement, and for a `Select` the function that makes the answer of its rows.

    The driver calls `read` once, or for a stream once a chunk, with an iterable of rows (tuples of stored values) that
    it may produce while `read` consumes them, in any thread; what `read` raises is the answer. So no second copy of the
    rows is held.

    `recoverable`: the program goes on in its transaction if this fails. A database in which a failed statement
    spoils the transaction then needs a savepoint around it, and none around all the others.

    `asked_by` is what the runtime makes it for. Where `sent` is there, the driver tells it each text that goes to the
    database, without values, and how many round trips that took: in any thread, before the answer.
    """

    statement: Statement
    read: Callable[[Iterable[Row]], Any] = list
    recoverable: bool = False
    asked_by: object = None
    sent: Callable[[str, int], None] | None = None


class Cursor(Protocol):
    """The rows of one `Select`, in order, as they were when it was opened; used by one task at a time."""

    async def next_rows(self) -> list[Any]:
        """What the request's `read` makes of the next rows: of as many as the chunk has, of fewer only at the end.

        Cancelled: the statement is stopped in the database, too. After an error or a cancellation it is only closed.
        """
        ...

    async def close(self) -> None:
        """Give back what it holds, even when cancelled meanwhile; closing twice is allowed.

        It raises no error of the database: nothing that was read is wrong then, and a transaction that has lost its
        connection says so at its next step.
        """
        ...


class Executor(Protocol):
    """Something that runs statements: a driver, each on its own, or one open transaction."""

    async def execute(self, request: Request, /) -> Any:
        """Run one statement, atomically, and return its answer (see each statement's docstring).

        Cancelled: the statement is stopped in the database too, and nothing of it remains, or, inside a
        transaction, that transaction can only be rolled back.
        """
        ...

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        """Open the rows of a `Select`, to be read so many at a time; `read` gives a list, of as many as there are rows.

        A driver's cursor holds a connection of its own until it is closed. That of a transaction shares its connection
        with what else runs in it, gives the rows as they were all the same, and is closed with it.
        """
        ...


class Transaction(Executor, Protocol):
    """One open transaction on one connection; used by one task at a time.

    After `commit` or `rollback`, whichever way they end, the connection is back in the pool or closed. A `commit`
    that raises has rolled back, unless it raises `CommitUnknown`.
    """

    @property
    def usable(self) -> bool:
        """Whether anything but the rollback of all of it is still possible; asked after an error."""
        ...

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def savepoint(self, name: str, /) -> None: ...

    async def release(self, name: str, /) -> None: ...

    async def rollback_to(self, name: str, /) -> None:
        """Undo what was done since the savepoint; the savepoint stays and is released next."""
        ...


@final
@frozen
class Failed:
    """In place of an answer: the error of a statement made in a run."""

    error: Exception


@runtime_checkable
class MakesRuns(Protocol):
    """What a transaction may have besides: several statements in one trip. Without it, each is one."""

    async def execute_all(self, requests: Sequence[Request], /) -> list[Any]:
        """Run statements one after the other, as `execute` does each, up to the first that fails; their answers.

        The last answer is a `Failed` if that failed; those after it were not run. Cancelled, see `execute`.
        """
        ...


@runtime_checkable
class BeginsWithRuns(Protocol):
    """What a driver may have besides: a transaction begun with its first statements, in one trip."""

    async def begin_with(
        self, options: TransactionOptions, requests: Sequence[Request], /
    ) -> tuple[Transaction, list[Any]]:
        """As `begin`, and then `execute_all`. What it raises is that nothing was begun."""
        ...


class Driver(Executor, Protocol):
    """A database. `execute` runs one statement and commits it, on any connection."""

    @property
    def name(self) -> str: ...

    @property
    def storage(self) -> Storage: ...

    @property
    def capabilities(self) -> Capabilities: ...

    async def open(self) -> None:
        """Connect, and check that the database answers."""
        ...

    async def close(self) -> None:
        """Wait for the work under way, then close every connection. Closing twice is allowed."""
        ...

    async def begin(self, options: TransactionOptions, /) -> Transaction:
        """Take a connection and begin. A level the database does not have is an `UnsupportedOperation`."""
        ...


@frozen
class PoolStats:
    """The figures of a pool: how things stand, and what happened since it was opened.

    `waited` is the time, in seconds, that all who asked have waited for a connection together.
    """

    in_use: int
    idle: int
    waiting: int
    acquired: int
    created: int
    closed: int
    waited: float


class Pooled(Protocol):
    """A pool of connections: what a driver's `pool` is, if it has one."""

    def stats(self) -> PoolStats:
        """The figures of this moment."""
        ...
