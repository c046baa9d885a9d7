"""Foreign keys: what a row refers to is there, and what happens to the rows that refer to one that goes away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, final

from ommi.drivers.memory.evaluate import Stored
from ommi.drivers.memory.rules import require
from ommi.drivers.memory.tables import Journal, ReferenceRule, Table, View
from ommi.drivers.violations import missing_row, still_referred
from ommi.schema import Field, OnDelete

__all__ = ["References"]


_GONE: Final = 1_000_000  # after all that changed rows refer to


@final
@dataclass(slots=True)
class References:
    """Gathers what one statement did to references, and enforces them at its end."""

    view: View
    journal: Journal
    _doubtful: list[tuple[int, Table, ReferenceRule, tuple[Any, ...]]] = field(default_factory=list)
    """Values that rows may refer to in vain, in the order of the reference's fields.

    The number says which to look at first: of changed rows what they refer to, by reference as declared, and then
    what refers to them, as databases do that look at a whole statement.
    """

    def added(self, table: Table, row: Stored, old: Stored | None = None) -> None:
        """A row was inserted, or `old` was changed to it."""
        for rule in table.references:
            if rule.reference.enforced and (old is None or rule.lookup.token(old) != rule.lookup.token(row)):
                rank = 0 if old is None else table.references.index(rule)
                self._doubt(rank, table, rule, tuple([row[place] for place in rule.lookup.positions]))

    def changed(self, table: Table, old: Stored, row: Stored, fields: Iterable[Field]) -> None:
        """A row was updated in these fields."""
        self.added(table, row, old)
        columns = {f.column for f in fields}
        for child, rule, target in self._rules_to(table):
            if any(table.schema.fields[place].column in columns for place in target):
                self._doubt(_GONE, child, rule, tuple([old[place] for place in target]))

    def removed(self, table: Table, row: Stored) -> None:
        """A row was deleted: delete, or set to null, what refers to it, and what refers to that."""
        going = [(table, row)]
        for parent, old in going:  # grows
            for child, rule, target in self._rules_to(parent):
                values = tuple([old[place] for place in target])
                match rule.reference.on_delete:
                    case OnDelete.RESTRICT:
                        self._doubt(_GONE, child, rule, values)
                    case OnDelete.CASCADE:
                        going.extend(self._cascade(child, rule, values))
                    case OnDelete.SET_NULL:
                        self._set_null(child, rule, values)

    def enforce(self) -> None:
        """`ForeignKeyViolation` if rows refer to one that is not there."""
        for rank, child, rule, values in sorted(self._doubtful, key=itemgetter(0)):
            if not _numbers(rule, values):
                continue
            schema, fields = rule.reference.target()
            table = self.view.table(schema)
            if not table.holds(_positions(table, fields), values):
                raise (still_referred if rank == _GONE else missing_row)(child.schema, rule.reference)

    def _doubt(self, rank: int, child: Table, rule: ReferenceRule, values: tuple[Any, ...]) -> None:
        if None not in values:
            self._doubtful.append((rank, child, rule, values))

    def _cascade(self, child: Table, rule: ReferenceRule, values: tuple[Any, ...]) -> Iterator[tuple[Table, Stored]]:
        for number in _numbers(rule, values):
            row = child.rows[number]
            child.write(self.journal, number, None)
            yield child, row

    def _set_null(self, child: Table, rule: ReferenceRule, values: tuple[Any, ...]) -> None:
        for number in _numbers(rule, values):
            old = child.rows[number]
            new = tuple([None if place in rule.lookup.positions else value for place, value in enumerate(old)])
            require(child, new)
            child.write(self.journal, number, new)
            self.changed(child, old, new, rule.reference.fields)

    def _rules_to(self, parent: Table) -> Iterator[tuple[Table, ReferenceRule, tuple[int, ...]]]:
        """The enforced references to a table, and the positions there, in the order of the reference's fields."""
        for child in self.view.catalog.tables.values():
            for rule in child.references:
                if rule.reference.enforced:
                    schema, fields = rule.reference.target()
                    if schema.table == parent.schema.table:
                        yield child, rule, _positions(parent, fields)


def _numbers(rule: ReferenceRule, values: tuple[Any, ...]) -> Collection[int]:
    token = rule.lookup.token_of(values)
    return () if token is None else rule.lookup.rows(token)


def _positions(table: Table, fields: tuple[Field, ...]) -> tuple[int, ...]:
    columns = [f.column for f in table.schema.fields]
    return tuple(columns.index(f.column) for f in fields)
