"""What can be asked of a transaction, as data."""

from __future__ import annotations

from enum import IntEnum

from ommi.frozen import frozen

__all__ = ["IsolationLevel", "TransactionOptions"]


class IsolationLevel(IntEnum):
    """How much concurrent transactions see of each other, weakest first (SQL:2016 §4.41, and snapshot isolation)."""

    READ_UNCOMMITTED = 1
    READ_COMMITTED = 2
    REPEATABLE_READ = 3
    SNAPSHOT = 4
    SERIALIZABLE = 5


@frozen
class TransactionOptions:
    """How a transaction is to run; `None` leaves the choice to the database. `timeout` is in seconds.

    `deferrable`: a serializable, read-only transaction waits at its beginning until it can neither fail nor make
    another one fail, where the database has such transactions.
    `flatten`: inside another transaction it is no savepoint but a part of that one, so that its failure is the
    failure of the whole; so it can be nested in databases without savepoints, too.

    `retry_on_conflict` and `max_retries` are for `async with db.transaction(…)`, where only the beginning can be
    tried again: a block of code cannot be run twice. A program can, with `.transactional().retry(…)`.
    """

    isolation_level: IsolationLevel | None = None
    read_only: bool = False
    timeout: float | None = None
    retry_on_conflict: bool = False
    max_retries: int = 3
    deferrable: bool = False
    flatten: bool = False

    def __post_init__(self) -> None:
        level: object = self.isolation_level
        if level is not None and not isinstance(level, IsolationLevel):
            raise TypeError(f"an isolation level is a member such as IsolationLevel.SERIALIZABLE, not {level!r}")
        if self.deferrable and not (self.read_only and level is IsolationLevel.SERIALIZABLE):
            raise ValueError("deferrable=True is said of a transaction that is SERIALIZABLE and read_only: say so, too")
        if self.timeout is not None and not self.timeout >= 0:
            raise ValueError(f"the timeout of a transaction is in seconds, zero or more, not {self.timeout!r}")
