"""Rows and their indexes, the journal that undoes changes, and the view that one reader has of them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import field
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias, final

from ommi.drivers.memory.evaluate import Evaluation, Stored, Test
from ommi.errors import SchemaMismatch
from ommi.frozen import frozen
from ommi.query.checks import check_predicates
from ommi.schema import CheckRule, Field, Index, Reference, Schema
from ommi.values import Kind

__all__ = ["Catalog", "Journal", "Lookup", "ReferenceRule", "Table", "UniqueRule", "View"]


class Restorable(Protocol):
    """What a journal can put back as it was."""

    def restore(self, key: Any, old: Any, /) -> None: ...


@final
class Journal:
    """What one transaction changed: how to undo it, and the first images, which others see until it commits."""

    __slots__ = ("before", "entries")

    def __init__(self) -> None:
        self.entries: list[tuple[Restorable, Any, Any]] = []
        self.before: dict[Restorable, dict[Any, Any]] = {}

    def record(self, owner: Restorable, key: Any, old: Any) -> None:
        """Note what stood under a key before it is changed; `None`, if nothing did."""
        self.entries.append((owner, key, old))
        self.before.setdefault(owner, {}).setdefault(key, old)

    def undo(self, mark: int = 0) -> None:
        """Undo all but the first `mark` changes, the latest first."""
        while len(self.entries) > mark:
            owner, key, old = self.entries.pop()
            owner.restore(key, old)


@final
class Lookup:
    """Rows by the values at some positions; rows where one of them is missing are left out."""

    __slots__ = ("_entries", "_read", "positions", "unique")

    def __init__(self, positions: tuple[int, ...], *, unique: bool) -> None:
        self.positions = positions
        self.unique = unique
        self._read: Callable[[Stored], Any] = itemgetter(*positions)
        self._entries: dict[Any, Any] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def token(self, row: Stored) -> Any:
        """What the row is found by, or `None` where a value is missing."""
        found = self._read(row)
        return found if len(self.positions) == 1 or None not in found else None

    def token_of(self, values: tuple[Any, ...]) -> Any:
        """The token of values in the order of the positions."""
        return values[0] if len(values) == 1 else None if None in values else values

    def rows(self, token: Any) -> Collection[int]:
        """The numbers of the rows with a token."""
        found = self._entries.get(token)
        if found is None:
            return ()
        return (found,) if self.unique else tuple(found)

    def add(self, token: Any, number: int) -> None:
        """Let the row be found; a unique token must be free."""
        if self.unique:
            self._entries[token] = number
        else:
            self._entries.setdefault(token, {})[number] = None

    def discard(self, token: Any, number: int) -> None:
        """Let the row be found no more."""
        if self.unique:
            del self._entries[token]
            return
        found = self._entries[token]
        del found[number]
        if not found:
            del self._entries[token]


@final
@frozen
class UniqueRule:
    """The key, or a unique index; `constraint` is `None` for the key."""

    fields: tuple[Field, ...]
    constraint: str | None
    lookup: Lookup


@final
@frozen
class ReferenceRule:
    """A reference, and the rows by what they refer to."""

    reference: Reference
    lookup: Lookup


@final
class Table:
    """The rows of one table by their numbers, which grow in the order of insertion."""

    def __init__(self, schema: Schema, indexes: tuple[Index, ...]) -> None:
        self.schema = schema
        self.indexes = indexes
        self.rows: dict[int, Stored] = {}
        self.uniques = (
            UniqueRule(schema.key, None, self._lookup(schema.key, unique=True)),
            *(UniqueRule(i.fields, i.name, self._lookup(i.fields, unique=True)) for i in indexes if i.unique),
        )
        self.references = tuple(ReferenceRule(r, self._lookup(r.fields, unique=False)) for r in schema.references)
        self.required = tuple((place, f) for place, f in enumerate(schema.fields) if not f.nullable)
        self.checks = _checks(schema)
        self.lookups: tuple[Lookup, ...] = (
            *(rule.lookup for rule in self.uniques),
            *(rule.lookup for rule in self.references),
            *(self._lookup(i.fields, unique=False) for i in indexes if not i.unique),
        )
        self._largest = _LargestKey(schema, self.uniques[0].lookup)
        self._newest = 0
        self._in_order = True

    def _lookup(self, fields: tuple[Field, ...], *, unique: bool) -> Lookup:
        columns = [f.column for f in self.schema.fields]
        return Lookup(tuple(columns.index(f.column) for f in fields), unique=unique)

    def next_key(self) -> int:
        """One more than the largest int key there is, and 1 at first."""
        return self._largest.read(self.rows.values()) + 1

    def insert(self, journal: Journal, row: Stored) -> int:
        """Add a row at the end; answers with its number."""
        number = self._newest + 1
        self.write(journal, number, row)
        return number

    def write(self, journal: Journal, number: int, row: Stored | None) -> None:
        """Put a row under a number, or remove the one there."""
        old = self.rows.get(number)
        journal.record(self, number, old)
        self._put(number, old, row)

    def restore(self, number: int, old: Stored | None) -> None:
        """Undo a `write`."""
        self._put(number, self.rows.get(number), old)

    def _put(self, number: int, old: Stored | None, row: Stored | None) -> None:
        for lookup in self.lookups:
            before = None if old is None else lookup.token(old)
            after = None if row is None else lookup.token(row)
            if before == after:
                continue
            if before is not None:
                lookup.discard(before, number)
            if after is not None:
                lookup.add(after, number)
        if row is None:
            del self.rows[number]
            return
        self._largest.note(old, row)
        if old is None and number < self._newest:
            self._in_order = False
        self._newest = max(self._newest, number)
        self.rows[number] = row

    def ordered(self) -> dict[int, Stored]:
        """All rows in the order of insertion."""
        if not self._in_order:  # a row was taken out and put back
            self.rows = dict(sorted(self.rows.items()))
            self._in_order = True
        return self.rows

    def holds(self, positions: tuple[int, ...], values: tuple[Any, ...]) -> bool:
        """Whether a row has these values at these positions."""
        wanted = dict(zip(positions, values, strict=True))
        for lookup in self.lookups:
            if wanted.keys() == set(lookup.positions):
                return bool(lookup.rows(lookup.token_of(tuple(wanted[place] for place in lookup.positions))))
        return any(all(row[place] == value for place, value in wanted.items()) for row in self.rows.values())


@final
class _LargestKey:
    """The largest int key: a heap in which keys that are gone are dropped when they come up."""

    __slots__ = ("_heap", "_lookup", "_position")

    def __init__(self, schema: Schema, lookup: Lookup) -> None:
        generated = len(schema.key) == 1 and schema.key[0].generated and schema.key[0].type.kind is Kind.INT
        self._position = lookup.positions[0] if generated else None
        self._lookup = lookup
        self._heap: list[int] = []

    def note(self, old: Stored | None, row: Stored) -> None:
        if self._position is None:
            return
        if old is None or old[self._position] != row[self._position]:
            heapq.heappush(self._heap, -row[self._position])

    def read(self, rows: Collection[Stored]) -> int:
        assert self._position is not None
        if len(self._heap) > 2 * len(rows) + 100:
            self._heap = [-row[self._position] for row in rows]
            heapq.heapify(self._heap)
        while self._heap:
            if self._lookup.rows(-self._heap[0]):
                return -self._heap[0]
            heapq.heappop(self._heap)
        return 0


def _checks(schema: Schema) -> tuple[tuple[CheckRule, Test], ...]:
    evaluation = Evaluation((schema,), subquery=lambda query, around: ())
    return tuple((rule, evaluation.test(condition)) for rule, condition in check_predicates(schema))


@final
class Catalog:
    """The tables by name."""

    __slots__ = ("tables",)

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def write(self, journal: Journal, name: str, table: Table | None) -> None:
        """Put a table under a name, or remove the one there."""
        journal.record(self, name, self.tables.get(name))
        self.restore(name, table)

    def restore(self, name: str, old: Table | None) -> None:
        """Undo a `write`."""
        if old is None:
            del self.tables[name]
        else:
            self.tables[name] = old


Images: TypeAlias = Mapping[Restorable, Mapping[Any, Any]]
_PRESENT: Final = object()


@final
@frozen
class View:
    """What one reader sees: what is there, but for the older images that are meant for it, the oldest first."""

    catalog: Catalog
    images: tuple[Images, ...] = field(default=())

    def table(self, schema: Schema) -> Table:
        """The table of a schema; `SchemaMismatch` if it was not created or has other columns."""
        found = self._image(self.catalog, schema.table, self.catalog.tables.get(schema.table))
        if found is None:
            raise SchemaMismatch(
                f"the table {schema.table!r} of {schema.name} is not there: create it first (db.schema.create())",
                model=schema.model,
            )
        table: Table = found
        check_columns(table.schema, schema)
        return table

    def rows(self, table: Table) -> dict[int, Stored]:
        """All rows in the order of insertion, by number; not to be changed."""
        changed = self._changed(table)
        if not changed:
            return table.ordered()
        return self.rows_at(table, table.rows)

    def rows_at(self, table: Table, numbers: Iterable[int]) -> dict[int, Stored]:
        """The rows with these numbers, and all that have an older image, in the order of insertion."""
        seen = {n: self._image(table, n, table.rows.get(n)) for n in sorted({*numbers, *self._changed(table)})}
        return {number: row for number, row in seen.items() if row is not None}

    def _changed(self, owner: Restorable) -> set[Any]:
        return {key for images in self.images for key in images.get(owner, ())}

    def _image(self, owner: Restorable, key: Any, present: Any) -> Any:
        for images in self.images:
            found = images.get(owner, {}).get(key, _PRESENT)
            if found is not _PRESENT:
                return found
        return present


def check_columns(there: Schema, schema: Schema) -> None:
    """`SchemaMismatch` if a table made for one schema does not fit another."""
    if there is schema:
        return
    has = [(f.column, f.type.kind) for f in there.fields]
    wants = [(f.column, f.type.kind) for f in schema.fields]
    if has == wants:
        return
    different = [column for column, _ in {*has} ^ {*wants}]
    said = f"differs in {', '.join(sorted(set(different)))}" if different else "has its columns in another order"
    raise SchemaMismatch(
        f"the table {schema.table!r} was created for {there.name} and does not fit {schema.name}: it {said}; "
        "drop it and create it anew, or give one model another name=",
        model=schema.model,
    )
