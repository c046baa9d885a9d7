"""What the interpreter asks of its pump: a closed union of calls, and how each can end."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias, final

from ommi.effects.effect import Await, Perform
from ommi.schema import Field, Schema
from ommi.transactions import TransactionOptions

if TYPE_CHECKING:
    from ommi.runtime.interpreter import Fiber, OpenTransaction

__all__ = [
    "Awaiting",
    "Begin",
    "Call",
    "Cancel",
    "Command",
    "Commit",
    "Completed",
    "Ending",
    "Execute",
    "Fill",
    "Mark",
    "Marking",
    "Pause",
    "Rollback",
]

Fill: TypeAlias = tuple[Schema, Any, tuple[tuple[Field, Any], ...]]
"""An instance, and the canonical values it gets after the commit."""


class Ending(IntEnum):
    """How a call, and in the end a program, came out."""

    VALUE = 0
    """It succeeded; with the value."""
    ERROR = 1
    """It failed; with the error."""
    DOOM = 2
    """The transaction can only be rolled back; with the error that is the outcome of the whole of it."""
    DEFECT = 3
    """A bug showed; with the exception."""
    CANCELLED = 4
    """It was stopped from outside."""


class _Call:
    """A call; `fiber` waits for its end, and a `shielded` one is not to be cancelled from outside."""

    __slots__ = ("fiber", "shielded")

    fiber: Fiber
    shielded: bool


@final
class Execute(_Call):
    """Run one statement, in a transaction or on its own. The pump puts what the instances get into `fills`.

    `recoverable`: the program goes on in its transaction if this fails.
    """

    __slots__ = ("fills", "perform", "recoverable", "transaction")

    def __init__(
        self, perform: Perform[Any, Any], transaction: OpenTransaction | None, recoverable: bool = False
    ) -> None:
        self.perform = perform
        self.transaction = transaction
        self.recoverable = recoverable
        self.fills: tuple[Fill, ...] = ()


@final
class Begin(_Call):
    """Begin a transaction; its value is the handle that the following calls carry."""

    __slots__ = ("options",)

    def __init__(self, options: TransactionOptions) -> None:
        self.options = options


@final
class Commit(_Call):
    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:
        self.handle = handle


@final
class Rollback(_Call):
    __slots__ = ("handle",)

    def __init__(self, handle: Any) -> None:
        self.handle = handle


class Mark(IntEnum):
    """What is done with a savepoint."""

    SET = 0
    RELEASE = 1
    ROLL_BACK_TO = 2


@final
class Marking(_Call):
    """Set, release or roll back to a savepoint."""

    __slots__ = ("handle", "mark", "name")

    def __init__(self, handle: Any, mark: Mark, name: str) -> None:
        self.handle = handle
        self.mark = mark
        self.name = name


@final
class Pause(_Call):
    """Wait this many seconds."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


@final
class Awaiting(_Call):
    """Await something of the application's; a run in it joins the `transaction` there is."""

    __slots__ = ("effect", "transaction")

    def __init__(self, effect: Await[Any, Any], transaction: OpenTransaction | None) -> None:
        self.effect = effect
        self.transaction = transaction


@final
class Cancel:
    """Stop a call that was given before; its end is reported all the same, `CANCELLED` or as it came out."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call = call


Call: TypeAlias = Execute | Begin | Commit | Rollback | Marking | Pause | Awaiting
Command: TypeAlias = Call | Cancel
Completed: TypeAlias = tuple[Call | None, Ending, Any]
"""A call with its end; `None` in place of the call says that the whole program is cancelled."""
