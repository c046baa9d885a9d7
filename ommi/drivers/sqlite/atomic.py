"""Several statements, all or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["atomic", "checking_references_later"]


@contextmanager
def atomic(connection: sqlite3.Connection, *, in_transaction: bool) -> Iterator[None]:
    """A transaction, or a savepoint in the one there is; undone if an exception leaves the block."""
    begin, end, undo = _SAVEPOINT if in_transaction else _TRANSACTION
    connection.execute(begin)
    try:
        yield
        connection.execute(end)
    except BaseException:
        if connection.in_transaction:  # an interrupted write has ended the whole transaction already
            for statement in undo:
                connection.execute(statement)
        raise


# nothing else runs before it is released, so the name is unique as long as it lives
_SAVEPOINT = ("SAVEPOINT ommi_rows", "RELEASE ommi_rows", ("ROLLBACK TO ommi_rows", "RELEASE ommi_rows"))
_TRANSACTION = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))


@contextmanager
def checking_references_later(connection: sqlite3.Connection) -> Iterator[None]:
    """Let references dangle within the block, in a transaction; whoever uses it looks at them before its end.

    Otherwise what dangles is forgotten, unless the program itself had put the checks off until COMMIT.
    """
    if connection.execute("PRAGMA defer_foreign_keys").fetchone()[0]:
        yield
        return
    connection.execute("PRAGMA defer_foreign_keys = ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA defer_foreign_keys = OFF")
