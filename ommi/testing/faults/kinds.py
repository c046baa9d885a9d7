"""What can go wrong, and at which steps."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from ommi.query.statements import (
    AdvisoryLock,
    Count,
    CreateTables,
    Delete,
    DropTables,
    Exists,
    Insert,
    MongoCommand,
    Select,
    Sql,
    Statement,
    Update,
)
from ommi.testing.interposed import DriverStep

__all__ = ["CANCELLATIONS", "NATIVE", "Fault", "FaultStep", "Planned", "faults_at", "statement_label"]


class Fault(Enum):
    """What goes wrong at a step; the value is how cases are named."""

    REJECTED = "rejected"
    """The database refuses it, and no more: the transaction around it can go on. A begin finds no free connection."""
    VIOLATED = "constraint violated"
    """A write, or the COMMIT, breaks a rule of the schema."""
    CONFLICT = "conflict"
    """`Deadlock` at a statement and `SerializationConflict` at COMMIT end the transaction; `LockTimeout` at begin."""
    LOST_BEFORE = "connection lost before it"
    """Nothing of it happened."""
    LOST_DURING = "connection lost during it"
    """Nothing of it happened, and nobody can know: a `CommitUnknown`."""
    LOST_AFTER = "connection lost after it"
    """It happened, and no answer came."""
    OVERDUE = "time over at it"
    """Every timer of the program rings."""
    CANCELLED_BEFORE = "cancelled before it"
    """By a cancel scope around the run; so the next two."""
    CANCELLED_DURING = "cancelled during it"
    CANCELLED_AFTER = "cancelled after it"
    TASK_CANCELLED_BEFORE = "task cancelled before it"
    """By asyncio's own `Task.cancel()`, which no shield holds off; so the next two."""
    TASK_CANCELLED_DURING = "task cancelled during it"
    TASK_CANCELLED_AFTER = "task cancelled after it"


_BY_SCOPE: Final = (Fault.CANCELLED_BEFORE, Fault.CANCELLED_DURING, Fault.CANCELLED_AFTER)
NATIVE: Final = (Fault.TASK_CANCELLED_BEFORE, Fault.TASK_CANCELLED_DURING, Fault.TASK_CANCELLED_AFTER)
CANCELLATIONS: Final = frozenset((*_BY_SCOPE, *NATIVE))


@dataclass(frozen=True, slots=True)
class FaultStep:
    """A step of the driver: the `occurrence`-th (from 1) that reads like `label`, in order of arrival.

    `timed`: the program had a timer running when it came.
    """

    number: int
    kind: DriverStep
    label: str
    occurrence: int
    in_transaction: bool = False
    is_write: bool = False
    timed: bool = False

    @property
    def identity(self) -> tuple[str, int]:
        """What it is recognised by in another run, where siblings may arrive in another order."""
        return self.label, self.occurrence


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault, and the step it is for."""

    step: FaultStep
    fault: Fault


def faults_at(step: FaultStep, *, native: bool) -> tuple[Fault, ...]:
    """All that can go wrong at a step; `native`: the event loop has a cancellation of its own."""
    return (*_errors_at(step), *([Fault.OVERDUE] if step.timed else []), *_BY_SCOPE, *(NATIVE if native else ()))


def _errors_at(step: FaultStep) -> tuple[Fault, ...]:
    lost = (Fault.LOST_BEFORE, Fault.LOST_AFTER)
    match step.kind:
        case "execute":
            violated = (Fault.VIOLATED,) if step.is_write else ()
            unknown = (Fault.LOST_DURING,) if step.is_write and not step.in_transaction else ()
            return (Fault.REJECTED, *violated, Fault.CONFLICT, *lost, *unknown)
        case "stream" | "fetch":
            return (Fault.REJECTED, Fault.CONFLICT, *lost)
        case "close":
            return ()
        case "begin":
            return (Fault.REJECTED, Fault.CONFLICT, *lost)
        case "commit":
            return (Fault.VIOLATED, Fault.CONFLICT, *lost, Fault.LOST_DURING)
        case "rollback":
            return lost
        case "savepoint" | "release" | "rollback_to":
            return (Fault.REJECTED, *lost)
        case _:
            assert_never(step.kind)


def statement_label(statement: Statement) -> str:
    """A statement in few words: what is done to which model."""
    match statement:
        case Select(schema=schema):
            return f"find({schema.name})"
        case Count(query):
            return f"count({query.schema.name})"
        case Exists(query):
            return f"exists({query.schema.name})"
        case Insert(schema=schema, rows=rows, on_conflict=on_conflict):
            said = "upsert" if on_conflict is not None else "add" if len(rows) == 1 else "add_all"
            return f"{said}({schema.name})"
        case Update(schema=schema):
            return f"update({schema.name})"
        case Delete(schema=schema):
            return f"delete({schema.name})"
        case CreateTables():
            return "create tables"
        case DropTables():
            return "drop tables"
        case AdvisoryLock(key):
            return f"advisory_lock({key})"
        case Sql(writes=writes):
            return "execute(…)" if writes else "sql(…)"
        case MongoCommand(collection):
            return f"mongo({collection})"
        case _:
            assert_never(statement)
