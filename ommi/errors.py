"""Everything that can go wrong, as one small tree.

Five families appear in the types of effects: `NotFound`, `MultipleFound`, `ConstraintViolation`,
`StaleRecord` and `DatabaseError`. Their members are subclasses, so that catching a family removes it from
the type exactly and catching a member stays sound.
"""

from __future__ import annotations

from typing import Any

from ommi.frozen import frozen

__all__ = [
    "CheckViolation",
    "CommitUnknown",
    "ConnectionFailed",
    "ConnectionLost",
    "ConstraintViolation",
    "DatabaseError",
    "Deadlock",
    "DecodeError",
    "EncodeError",
    "ForeignKeyViolation",
    "InvalidCursor",
    "LockTimeout",
    "MultipleFound",
    "NotFound",
    "NotNullViolation",
    "OmmiError",
    "Origin",
    "PermissionDenied",
    "PoolTimeout",
    "QueryRejected",
    "SchemaMismatch",
    "SerializationConflict",
    "StaleRecord",
    "StatementTimeout",
    "TransactionConflict",
    "Unavailable",
    "UniqueViolation",
    "UnsupportedOperation",
]


@frozen
class Origin:
    """The line of user code that built an operation."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class OmmiError(Exception):
    """The base of all errors a program can fail with: a message and facts, the facts as attributes.

    Two errors are equal when their classes, messages and facts are. What the runtime adds later (`origin`,
    `operation`, `statement`, `parameters`) tells where an error came from and takes no part in equality.
    """

    retryable: bool = False
    hint: str | None = None
    origin: Origin | None = None
    operation: str | None = None
    statement: str | None = None
    parameters: tuple[str, ...] = ()

    def __init__(self, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        lines = [self.message]
        if self.operation is not None:
            lines.append(f"  while running: {self.operation}")
        if self.statement is not None:
            lines.append(f"  statement: {self.statement}")
        if self.parameters:
            lines.append(f"  parameters: {', '.join(self.parameters)}")
        if self.origin is not None:
            lines.append(f"  built at: {self.origin}")
        if self.hint is not None:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        facts = "".join(f", {name}={value!r}" for name, value in self.facts.items())
        return f"{type(self).__name__}({self.message!r}{facts})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, OmmiError):
            return NotImplemented
        return self.message == other.message and self.facts == other.facts

    def __hash__(self) -> int:
        return hash((type(self), self.message))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.message, self.facts)


def _restore(kind: type[OmmiError], message: str, facts: dict[str, Any]) -> OmmiError:
    return kind(message, **facts)


class NotFound(OmmiError):
    """No row matched where exactly one was asked for."""

    model: type[Any] | None = None


class MultipleFound(OmmiError):
    """More than one row matched where exactly one was asked for."""

    model: type[Any] | None = None


class StaleRecord(OmmiError):
    """The row was changed since it was read: its `Version` differs."""

    model: type[Any] | None = None


class ConstraintViolation(OmmiError):
    """A write, or a COMMIT, broke a rule of the schema; `model` and `fields` are those the rule was declared on."""

    model: type[Any] | None = None
    fields: tuple[str, ...] = ()
    constraint: str | None = None


class UniqueViolation(ConstraintViolation):
    """A key, or a value declared `Unique`, is there already."""


class ForeignKeyViolation(ConstraintViolation):
    """A reference names a row that is missing, or a row that is still referred to was deleted.

    `model` and `fields` are those of the reference, also when the referenced row was the one deleted.
    """


class NotNullViolation(ConstraintViolation):
    """A required value is missing."""


class CheckViolation(ConstraintViolation):
    """A `Check` or a `MaxLength` does not hold."""


class DatabaseError(OmmiError):
    """The database, the way to it, or the fit between it and the models failed.

    `code` is the database's own: an SQLSTATE, or the name of an SQLite result code.
    """

    code: str | None = None


class TransactionConflict(DatabaseError):
    """Two transactions could not both go on; running the whole transaction again may succeed."""

    retryable = True


class SerializationConflict(TransactionConflict):
    """The transaction could not be ordered after the others."""


class Deadlock(TransactionConflict):
    """The database ended this transaction to resolve a deadlock."""


class LockTimeout(TransactionConflict):
    """A lock was not free within its time."""


class Unavailable(DatabaseError):
    """The database could not be reached or did not answer; nothing was written."""

    retryable = True


class ConnectionLost(Unavailable):
    """The connection broke during the work."""


class ConnectionFailed(Unavailable):
    """No connection could be made."""


class PoolTimeout(Unavailable):
    """No connection of the pool became free within its time."""


class StatementTimeout(Unavailable):
    """The time given was over; the statement was stopped."""


class CommitUnknown(DatabaseError):
    """COMMIT, or an autocommitted write, was sent and no answer came: it may have happened."""


class QueryRejected(DatabaseError):
    """The database refused the statement as it is."""


class PermissionDenied(DatabaseError):
    """The database user may not do this."""


class SchemaMismatch(DatabaseError):
    """The tables in the database are not those the models describe."""


class DecodeError(DatabaseError):
    """A stored value does not fit its field."""


class EncodeError(DatabaseError):
    """A value cannot be stored in its field without loss."""


class InvalidCursor(DatabaseError):
    """A cursor of a page is none, was cut off or changed, or belongs to another order."""


class UnsupportedOperation(DatabaseError):
    """This driver cannot do what the program asks for."""
