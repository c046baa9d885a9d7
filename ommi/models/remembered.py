"""What is remembered of records beside their fields: the related records loaded for them, and where to load more.

It is kept outside of the records, so that they compare, print, copy and pickle as their class says, and it goes when
they go.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

__all__ = ["Cell", "Entry", "Flight", "Notes", "Remembered", "can_remember"]

Key: TypeAlias = tuple[Any, ...]

_IN_DICT: Final = "__ommi_remembered__"


def can_remember(cls: type[Any]) -> bool:
    """Whether something can be remembered of the instances of a class."""
    return cls.__weakrefoffset__ != 0 or cls.__dictoffset__ != 0


@final
class Entry:
    """The rows that a relation had, for a key, in a database."""

    __slots__ = ("key", "owner", "rows")

    def __init__(self, owner: object, key: Key, rows: list[Any]) -> None:
        self.owner = owner
        self.key = key
        self.rows = rows


@final
class Flight:
    """A load under way outside of transactions, which others may wait for."""

    __slots__ = ("_told", "key", "over", "owner", "run")

    def __init__(self, owner: object, run: object, key: Key) -> None:
        self.owner = owner
        self.run = run
        self.key = key
        self.over = False
        self._told: list[Callable[[], None]] = []

    def tell(self, when_over: Callable[[], None]) -> None:
        """Call a function when the load has ended, in whatever way; at once if it has."""
        if self.over:
            when_over()
        else:
            self._told.append(when_over)

    def end(self) -> None:
        """The load has ended."""
        self.over = True
        told, self._told = self._told, []
        for when_over in told:
            when_over()


@final
class Cell:
    """One relation of one record: what was loaded, and what of it only a transaction may see until its commit."""

    __slots__ = ("_kept", "_pending", "failed", "flight", "loading")

    def __init__(self) -> None:
        self._kept: Entry | None = None
        self._pending: tuple[object, Entry] | None = None
        self.loading = 0
        self.failed = False
        self.flight: Flight | None = None

    def rows(self, owner: object, transaction: object, key: Key) -> list[Any] | None:
        """The rows as a run on a database, in a transaction or none, may see them; `None` if it has to load them."""
        pending = self._pending
        if pending is not None and pending[0] is transaction:
            found = pending[1]
            if found.owner is owner and found.key == key:
                return found.rows
        kept = self._kept
        return kept.rows if kept is not None and kept.owner is owner and kept.key == key else None

    def shown(self, key: Key) -> list[Any] | None:
        """The rows of the latest load for a key."""
        for entry in (self._pending[1] if self._pending is not None else None, self._kept):
            if entry is not None and entry.key == key:
                return entry.rows
        return None

    def keep(self, entry: Entry) -> None:
        """What was loaded is committed."""
        self._kept = entry
        self.failed = False
        if self._pending is not None and self._pending[1] is entry:
            self._pending = None

    def keep_for(self, transaction: object, entry: Entry) -> None:
        """What was loaded in a transaction may be rows that never come to be: nobody else gets them yet."""
        self._pending = transaction, entry
        self.failed = False

    def drop(self, entry: Entry) -> None:
        """What was loaded was rolled back."""
        if self._pending is not None and self._pending[1] is entry:
            self._pending = None


class Notes:
    """What is remembered of one instance: its cells by the name of the relation, and where it was loaded."""

    __slots__ = ()

    if TYPE_CHECKING:
        runner: Any
        cells: dict[str, Cell] | None

    def cell(self, name: str) -> Cell:
        """The cell of a relation."""
        if self.cells is None:
            self.cells = {}  # type: ignore[misc]  # the slot is that of each kind of notes
        found = self.cells.get(name)
        if found is None:
            found = self.cells[name] = Cell()
        return found


@final
class _Weak(weakref.ref[Any], Notes):
    """Notes that are themselves the weak reference by which they are known to be needed no more."""

    __slots__ = ("cells", "number", "runner")

    number: int


@final
class _InDict(Notes):
    """Notes in the `__dict__` of an instance that has no weak references; a copy of the instance begins anew."""

    __slots__ = ("cells", "number", "runner")

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.runner: Any = None
        self.cells: dict[str, Cell] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _InDict, ()


@final
class Remembered:
    """What is remembered of the instances of one model."""

    __slots__ = ("_forget", "_records", "_weak")

    def __init__(self, model: type[Any]) -> None:
        records: dict[int, _Weak] = {}
        self._records = records
        self._weak = model.__weakrefoffset__ != 0

        def forget(gone: weakref.ref[Any]) -> None:
            del records[gone.number]  # type: ignore[attr-defined]  # each of them is a _Weak

        self._forget = forget

    @property
    def known(self) -> int:
        """Of how many living instances something is remembered (of those that have weak references)."""
        return len(self._records)

    def of(self, instance: Any) -> Notes:
        """What is remembered of an instance, to be added to."""
        number = id(instance)
        if not self._weak:
            return self._in_dict(instance, number)
        found = self._records.get(number)
        if found is None:
            found = self._records[number] = _Weak(instance, self._forget)
            found.number = number
            found.runner = None
            found.cells = None
        return found

    def _in_dict(self, instance: Any, number: int) -> _InDict:
        values: dict[str, Any] = instance.__dict__
        kept: _InDict | None = values.get(_IN_DICT)
        if kept is None or kept.number != number:
            kept = values[_IN_DICT] = _InDict(number)
        return kept
