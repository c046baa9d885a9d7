"""The database without an event loop: one writer at a time, and readers that see only what was committed."""

from __future__ import annotations

from typing import Any, final

from ommi.drivers.driver import Request
from ommi.drivers.memory.reading import count, exists, select
from ommi.drivers.memory.tables import Catalog, Journal, Restorable, View
from ommi.drivers.memory.writing import Writer
from ommi.errors import LockTimeout, QueryRejected, UnsupportedOperation
from ommi.query.outline import literals
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
    Update,
    is_write,
)

__all__ = ["MemoryStore", "MemoryTransaction"]

Before = dict[Restorable, dict[Any, Any]]


@final
class MemoryStore:
    """Tables in memory. Nothing here waits: a second writer is refused with `LockTimeout`.

    For one thread at a time. A read-only transaction sees the rows as they were when it began, however many
    writers commit meanwhile, and holds no one up.
    """

    def __init__(self) -> None:
        self.catalog = Catalog()
        self._writing: Journal | None = None
        self._snapshots: list[Before] = []

    def execute(self, request: Request) -> Any:
        """Run one statement by itself and commit it."""
        statement = request.statement
        if not is_write(statement):
            return _run(request, self.committed(), None)
        journal = self._start_writing()
        try:
            answer = _run(request, View(self.catalog), journal)
            self._publish(journal)
        finally:
            self._writing = None
        return answer

    def begin(self, *, read_only: bool = False) -> MemoryTransaction:
        """Begin a transaction."""
        if not read_only:
            return MemoryTransaction(self, self._start_writing())
        before: Before = {}
        self._snapshots.append(before)
        return MemoryTransaction(self, before)

    def _start_writing(self) -> Journal:
        if self._writing is not None:
            raise LockTimeout("another transaction is writing to this store: end it first")
        self._writing = Journal()
        return self._writing

    def committed(self, before: Before | None = None) -> View:
        """What others than the writer see, or one that keeps images of before."""
        writing = self._writing
        return View(
            self.catalog, tuple(images for images in (before, writing and writing.before) if images is not None)
        )

    def _publish(self, journal: Journal) -> None:
        """Keep for open read-only transactions what a commit replaces."""
        for before in self._snapshots:
            for owner, images in journal.before.items():
                kept = before.setdefault(owner, {})
                for key, old in images.items():
                    kept.setdefault(key, old)

    def end(self, state: Journal | Before, *, commit: bool) -> None:
        """End a transaction; its own methods are the way to it."""
        if not isinstance(state, Journal):
            self._snapshots[:] = [before for before in self._snapshots if before is not state]
            return
        if commit:
            self._publish(state)
        else:
            state.undo()
        self._writing = None


@final
class MemoryTransaction:
    """One open transaction of a `MemoryStore`."""

    def __init__(self, store: MemoryStore, state: Journal | Before) -> None:
        self._store = store
        self._state: Journal | Before | None = state
        self._savepoints: list[tuple[str, int]] = []

    @property
    def is_over(self) -> bool:
        """Whether it was committed or rolled back."""
        return self._state is None

    @property
    def read_only(self) -> bool:
        """Whether it only reads."""
        return not isinstance(self._state, Journal)

    def execute(self, request: Request) -> Any:
        """Run one statement; one that fails leaves nothing behind."""
        state = self._open()
        if isinstance(state, Journal):
            return _run(request, View(self._store.catalog), state)
        statement = request.statement
        if is_write(statement) or (isinstance(statement, Select) and statement.lock is not None):
            raise QueryRejected("this transaction is read-only: begin it without read_only=True to write or lock")
        return _run(request, self._store.committed(state), None)

    def commit(self) -> None:
        """Keep what was done, and end."""
        self._end(commit=True)

    def rollback(self) -> None:
        """Undo what was done, and end; nothing, if the transaction is over."""
        if self._state is not None:
            self._end(commit=False)

    def savepoint(self, name: str) -> None:
        """Mark a place to go back to; a name in use is hidden until the new one is released."""
        state = self._open()
        self._savepoints.append((name, len(state.entries) if isinstance(state, Journal) else 0))

    def release(self, name: str) -> None:
        """Forget a savepoint and those after it; what was done since stays."""
        del self._savepoints[self._find(name) :]

    def rollback_to(self, name: str) -> None:
        """Undo what was done since a savepoint, which stays; those after it are forgotten."""
        place = self._find(name)
        del self._savepoints[place + 1 :]
        if isinstance(self._state, Journal):
            self._state.undo(self._savepoints[place][1])

    def _find(self, name: str) -> int:
        self._open()
        for place in reversed(range(len(self._savepoints))):
            if self._savepoints[place][0] == name:
                return place
        raise QueryRejected(f"there is no savepoint {name!r} in this transaction")

    def _open(self) -> Journal | Before:
        if self._state is None:
            raise RuntimeError("this transaction is over: it was committed or rolled back")
        return self._state

    def _end(self, *, commit: bool) -> None:
        state = self._open()
        self._state = None
        self._store.end(state, commit=commit)


def _run(request: Request, view: View, journal: Journal | None) -> Any:
    statement = request.statement
    literals(statement)  # an unfit one is refused before anything happens
    match statement:
        case Select():
            return request.read(select(view, statement))
        case Count(query):
            return count(view, query)
        case Exists(query):
            return exists(view, query)
        case AdvisoryLock():
            raise UnsupportedOperation(
                "memory has no advisory locks: a transaction that writes is the only one, so none is needed"
            )
        case Sql():
            raise UnsupportedOperation("memory runs no SQL: say it as a query, or run the program on another database")
        case MongoCommand():
            raise UnsupportedOperation("memory runs no commands of MongoDB: say it as a query")
        case _:
            assert journal is not None
            return _write(statement, Writer(view.catalog, journal))


def _write(statement: Insert | Update | Delete | CreateTables | DropTables, writer: Writer) -> Any:
    mark = len(writer.journal.entries)
    try:
        match statement:
            case Insert():
                return writer.insert(statement)
            case Update():
                return writer.update(statement)
            case Delete():
                return writer.delete(statement)
            case CreateTables():
                return writer.create(statement)
            case DropTables():
                return writer.drop(statement)
    except BaseException:
        writer.journal.undo(mark)
        raise
