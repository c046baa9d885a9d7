"""How connections to a file, or to memory, are made."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias, final

from ommi.drivers.sqlite.functions import install
from ommi.errors import ConnectionFailed, DatabaseError, LockTimeout
from ommi.frozen import frozen

__all__ = ["OLDEST", "UNCHECKED", "Connection", "Location", "Synchronous", "check_version", "prepare"]

Synchronous: TypeAlias = Literal["FULL", "NORMAL"]

OLDEST: Final = (3, 37)
_CACHED_STATEMENTS: Final = 512
_LONG_LOG: Final = 1000  # pages, as in SQLite itself
UNCHECKED: Final = 500  # writes until it is time to look at the log, which is about so long then


def check_version(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse a library that knows no `STRICT` tables."""
    if version[:2] < OLDEST:
        raise ConnectionFailed(
            f"SQLite {'.'.join(map(str, version))} is too old: {'.'.join(map(str, OLDEST))} or later is needed",
            retryable=False,
            hint="use a Python that was built with a newer SQLite",
        )


@frozen
class Location:
    """A database and how it is to be opened; `path` is `None` for one in memory."""

    path: Path | None
    synchronous: Synchronous = "FULL"
    read_only: bool = False

    def connect(self) -> sqlite3.Connection:
        """The connection that writes; makes the file if there is none, and has it kept with a write-ahead log."""
        if self.path is None:
            connection = _connect(":memory:")
            prepare(connection)
            return connection
        return self._open(self.path, "ro" if self.read_only else "rwc")

    def connect_reader(self) -> sqlite3.Connection:
        """A connection that only reads, to a file that is there."""
        assert self.path is not None
        connection = self._open(self.path, "ro" if self.read_only else "rw")
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _open(self, path: Path, mode: str) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        try:
            connection = _connect(f"{path.as_uri()}?mode={mode}")
            log = connection.execute("PRAGMA journal_mode").fetchone()[0]
            if mode == "rwc" and log != "wal":
                connection.execute("PRAGMA journal_mode = WAL")
            prepare(connection)
            connection.execute(f"PRAGMA synchronous = {self.synchronous}")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise _failed(path, error) from error
        return connection


@final
class Connection(sqlite3.Connection):
    """A connection of our own, which several threads use, one at a time.

    `checkpoints`: a commit that finds the write-ahead log long moves it into the file, which waits for the disk.
    """

    checkpoints = True
    unchecked = 0
    """Writes in commits that could not do so, since the log was last moved for their sake."""

    def let_checkpoint(self, wanted: bool) -> None:
        """Say whether commits may wait for the disk to shorten the log."""
        if self.checkpoints is not wanted:
            self.execute(f"PRAGMA wal_autocheckpoint = {_LONG_LOG if wanted else 0}")
            self.checkpoints = wanted

    def shorten_log(self) -> None:
        """Move the log into the file if many commits could not do so; not in a transaction.

        The next commit begins the log anew, which waits for the disk as well. It is not left to SQLite, which looks at
        the log only when a commit adds to it: that of a write that fails, or matches nothing, does not.
        """
        if self.unchecked >= UNCHECKED:
            self.unchecked = 0
            with suppress(sqlite3.Error):
                self.execute("PRAGMA wal_checkpoint(PASSIVE)").close()


def prepare(connection: sqlite3.Connection) -> None:
    """Set what statements rely on: references are enforced, and the functions they call are there."""
    connection.execute("PRAGMA foreign_keys = ON")
    install(connection)


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(
        name,
        uri=True,
        timeout=0,
        isolation_level=None,
        cached_statements=_CACHED_STATEMENTS,
        check_same_thread=False,
        factory=Connection,
    )


def _failed(path: Path, error: sqlite3.Error) -> DatabaseError:
    code = getattr(error, "sqlite_errorname", None) or ""
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LockTimeout(f"{path} is locked by another connection", code=code)
    if code.startswith("SQLITE_NOTADB"):
        return _refusal(path, "the file is no SQLite database", "name another file, or move this one away", code)
    if code.startswith("SQLITE_CANTOPEN"):
        directory = path.parent
        if not directory.is_dir():
            return _refusal(path, f"there is no directory {directory}", "make it first, or name another one", code)
        if path.is_dir():
            return _refusal(path, "that is a directory", "name a file in it", code)
        if not path.exists():
            return _refusal(
                path, "the file is not there and cannot be made", f"may this user write in {directory}?", code
            )
        return _refusal(path, "the file cannot be opened", "may this user read and write it?", code)
    if code.startswith("SQLITE_READONLY"):
        return _refusal(path, "the file cannot be written", "let this user write it, or say read_only=True", code)
    return ConnectionFailed(f"cannot open the database {path}: {error}", code=code)


def _refusal(path: Path, reason: str, hint: str, code: str) -> ConnectionFailed:
    return ConnectionFailed(f"cannot open the database {path}: {reason}", retryable=False, code=code, hint=hint)
