"""What the interpreter asks of its pump: a closed union of calls, and how each can end."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias, final

from ommi.effects.effect import Await, Keys, Perform
from ommi.models.remembered import Flight
from ommi.schema import Field, Row, Schema
from ommi.transactions import TransactionOptions

if TYPE_CHECKING:
    from ommi.runtime.fibers import Fiber, OpenTransaction

__all__ = [
    "Awaiting",
    "Batch",
    "Begin",
    "Call",
    "Cancel",
    "CloseCursor",
    "Command",
    "Commit",
    "Completed",
    "Ending",
    "Execute",
    "Fetch",
    "Fill",
    "Group",
    "Mark",
    "Marking",
    "OpenCursor",
    "Pause",
    "Rollback",
    "Watch",
]

Fill: TypeAlias = tuple[Schema, tuple[Field, ...], Sequence[Any], Sequence[Row]]
"""Fields of a model, instances of it, and for each of them the canonical values that these get after the commit."""


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
    NOT_MADE = 5
    """One before it in a run failed; it is to be made anew, if the program goes on."""


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
class OpenCursor(_Call):
    """Open the rows of a query, to be read `chunk` at a time; its value is the cursor that later calls carry."""

    __slots__ = ("chunk", "perform", "recoverable", "transaction")

    def __init__(
        self, perform: Perform[Any, Any], chunk: int, transaction: OpenTransaction | None, recoverable: bool
    ) -> None:
        self.perform = perform
        self.chunk = chunk
        self.transaction = transaction
        self.recoverable = recoverable


@final
class Fetch(_Call):
    """The next records of a cursor: a list, shorter than the chunk at the end."""

    __slots__ = ("cursor", "perform", "transaction")

    def __init__(self, cursor: Any, perform: Perform[Any, Any], transaction: OpenTransaction | None) -> None:
        self.cursor = cursor
        self.perform = perform
        self.transaction = transaction


@final
class CloseCursor(_Call):
    """Close a cursor; only a bug makes it fail."""

    __slots__ = ("cursor",)

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor


@final
class Group:
    """Reads that differ only in the values that the fields of `keys` are to have: `asked` are those of each member.

    Without `keys`, it is a read that no other is like.
    """

    __slots__ = ("_keys", "asked", "members")

    def __init__(self, keys: Keys | None) -> None:
        self._keys = keys
        self.members: list[Execute] = []
        self.asked: list[tuple[tuple[Any, ...], ...]] = []

    @property
    def keys(self) -> Keys:
        """The fields, and the values that one member asks for."""
        assert self._keys is not None
        return self._keys


@final
class Batch(_Call):
    """Reads of one round made as fewer statements, group after group; a group of one is that read as it is.

    Its value are the ends of all its members. The interpreter knows nothing of it. If it is `ordered`, its groups are
    single statements of a transaction, writes among them, to be made one after the other up to the first that fails.
    """

    __slots__ = ("groups", "ordered", "transaction")

    def __init__(self, transaction: OpenTransaction | None, shielded: bool, *, ordered: bool = False) -> None:
        self.transaction = transaction
        self.shielded = shielded
        self.ordered = ordered
        self.groups: list[Group] = []

    @property
    def members(self) -> list[Execute]:
        """The reads it stands for."""
        return [member for group in self.groups for member in group.members]


@final
class Watch(_Call):
    """Wait until a load that another run has under way has ended, in whatever way."""

    __slots__ = ("flight",)

    def __init__(self, flight: Flight) -> None:
        self.flight = flight


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


Call: TypeAlias = (
    Execute | OpenCursor | Fetch | CloseCursor | Begin | Commit | Rollback | Marking | Pause | Awaiting | Watch | Batch
)
Command: TypeAlias = Call | Cancel
Completed: TypeAlias = tuple[Call | None, Ending, Any]
"""A call with its end; `None` in place of the call says that the whole program is cancelled."""
