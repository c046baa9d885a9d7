"""What the interpreter runs: fibers, what they are forked and joined by, and the transaction they run in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, final

from ommi.effects.effect import Effect
from ommi.errors import ConnectionLost, LockTimeout, StatementTimeout, TransactionConflict
from ommi.models.remembered import Cell, Entry
from ommi.runtime.calls import Call, Command, Completed, Ending, Fill
from ommi.transactions import TransactionOptions

__all__ = [
    "Fiber",
    "Fork",
    "Joined",
    "OpenRows",
    "OpenTransaction",
    "Outcome",
    "Point",
    "Program",
    "Scope",
    "ScopeSteps",
    "dooms",
    "fill",
]

Outcome: TypeAlias = tuple[Ending, Any]
Program: TypeAlias = Generator[list[Command], list[Completed], Outcome]
ScopeSteps: TypeAlias = "Generator[Effect[Any, Any] | Call | Fork, Outcome, Outcome]"
"""A scope in the making: it yields an effect to run, a call to make or fibers to fork, and is sent the outcome."""


class OpenRows(Protocol):
    """A cursor in a transaction; `over` when the savepoint that it was opened in was rolled back."""

    over: bool


class Point(NamedTuple):
    """How far a transaction is: how much is to be done after its commit, and what is open in it."""

    after: int = 0
    fills: int = 0
    loads: int = 0
    streams: tuple[OpenRows, ...] = ()


@final
class OpenTransaction:
    """A transaction that fibers run in.

    `doomed` is the error it will end with; nothing more runs in it. `failed` is the error of a write that no
    handler has dealt with so far.
    """

    __slots__ = ("after", "doomed", "failed", "fills", "handle", "loads", "options", "savepoints", "streams")

    def __init__(self, handle: Any, options: TransactionOptions) -> None:
        self.handle = handle
        self.options = options
        self.doomed: BaseException | None = None
        self.failed: BaseException | None = None
        self.after: list[Effect[Any, Any]] = []
        self.fills: list[Fill] = []
        self.loads: list[tuple[Cell, Entry]] = []
        self.streams: list[OpenRows] = []
        self.savepoints = 0

    def point(self) -> Point:
        """How far it is, for `undone`."""
        return Point(len(self.after), len(self.fills), len(self.loads), tuple(self.streams))

    def undone(self, point: Point | None = None) -> None:
        """What was done since a point was rolled back, and with it what was to happen after the commit."""
        after, fills, loads, streams = point or Point()
        for stream in self.streams:
            stream.over = stream.over or stream not in streams
        del self.after[after:], self.fills[fills:]
        for cell, entry in self.loads[loads:]:
            cell.drop(entry)
        del self.loads[loads:]

    def committed(self) -> None:
        """What was loaded in it is so for all."""
        for cell, entry in self.loads:
            cell.keep(entry)
        self.loads.clear()

    def doom(self, error: BaseException) -> None:
        """Nothing of it can stay; the first error counts."""
        if self.doomed is None:
            self.doomed = error

    def name_savepoint(self) -> str:
        """A name that no other savepoint of the transaction has."""
        self.savepoints += 1
        return f"ommi_{self.savepoints}"


@final
class Fork:
    """Run effects in fibers of their own; answered by a `Joined` when all of them have ended.

    `stop` is asked how a fiber ended; when it says so, the others are cancelled and no more are started.

    `in_turn`: as if each began when the one before it has ended. Until then it may read ahead, so that what all of
    them read at once can be merged; where one does anything but read, those after it are forgotten and begin anew in
    their turn, since what they read may have changed.

    Where all a fiber still does is one statement, the one after it may ask for its first statement, too: they are made
    in this order.
    """

    __slots__ = ("effects", "in_turn", "limit", "stop")

    def __init__(
        self,
        effects: Sequence[Effect[Any, Any]],
        stop: Callable[[Ending], bool],
        limit: int | None = None,
        *,
        in_turn: bool = False,
    ) -> None:
        self.effects = effects
        self.stop = stop
        self.limit = limit
        self.in_turn = in_turn


@final
class Joined:
    """How forked fibers ended; `None` for those never started."""

    __slots__ = ("ahead", "closing", "first", "fork", "outcomes", "parent", "running", "started", "stopping", "until")

    def __init__(self, parent: Fiber, fork: Fork) -> None:
        self.parent = parent
        self.fork = fork
        self.outcomes: list[Outcome | None] = [None] * len(fork.effects)
        self.running: dict[int, Fiber] = {}
        self.started = 0
        self.stopping = False
        self.first: int | None = None
        self.until = len(fork.effects)
        # whether fibers that do not have their turn may run
        self.ahead = True
        # how many of those that run wait for a statement, in a transaction, after which they have ended
        self.closing = 0


@final
class Fiber:
    """One line of a program: its frames, its transaction, and what it waits for."""

    __slots__ = (
        "closing",
        "covered",
        "index",
        "interrupted",
        "join",
        "masked",
        "outcome",
        "parked",
        "shielded",
        "stack",
        "transaction",
        "turns",
        "waiting",
    )

    def __init__(self, join: Joined | None = None, index: int = 0) -> None:
        self.stack: list[Any] = []
        self.join = join
        self.index = index
        self.transaction: OpenTransaction | None = join.parent.transaction if join is not None else None
        self.masked: int = 0
        # how many frames, in the innermost transaction or savepoint, would go on in it after a failure
        self.covered: int = 0 if join is None else join.parent.covered
        # a fiber forked by one that is masked can be stopped by its siblings, but not from outside
        self.shielded: bool = join is not None and (join.parent.shielded or join.parent.masked > 0)
        self.interrupted = False
        self.closing = False
        self.waiting: Call | Joined | None = None
        self.outcome: Outcome | None = None
        # whether it, or one it was forked by, has to wait for its turn before it does anything but read
        self.turns: bool = join is not None and (join.fork.in_turn or join.parent.turns)
        self.parked: Effect[Any, Any] | None = None


@final
class Scope:
    """A frame that is itself a small program (`ommi.runtime.scopes`)."""

    __slots__ = ("steps",)

    def __init__(self, steps: ScopeSteps) -> None:
        self.steps = steps


def fill(fills: Sequence[Fill]) -> BaseException | None:
    """Fill the instances passed in; what the first of them raised, after all were tried."""
    first: BaseException | None = None
    for schema, fields, instances, rows in fills:
        try:
            schema.codec.fill(fields, instances, rows)
        except Exception as defect:
            first = first or defect
    return first


def dooms(error: object) -> bool:
    """Whether a transaction in which a statement failed so can only be rolled back (semantics §5)."""
    return isinstance(error, (TransactionConflict, ConnectionLost, StatementTimeout)) and not isinstance(
        error, LockTimeout
    )
