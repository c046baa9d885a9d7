"""Where transactions and savepoints begin and end."""

from __future__ import annotations

import sqlite3

from ommi.drivers.sqlite.errors import translate

__all__ = ["begin_reading", "begin_writing", "control"]


def begin_writing(connection: sqlite3.Connection) -> None:
    """Begin, with the lock to write: a transaction that took it later might be refused it in the middle."""
    control(connection, "BEGIN IMMEDIATE")


def begin_reading(connection: sqlite3.Connection) -> None:
    """Begin, and see from now on what is committed now."""
    control(connection, "BEGIN")
    control(connection, "SELECT 1 FROM sqlite_schema LIMIT 1")


def control(connection: sqlite3.Connection, sql: str) -> None:
    """Run a statement without an answer. Raises members of `ommi.errors`."""
    try:
        connection.execute(sql).close()
    except sqlite3.Error as error:
        raise translate(error, connection) from error
