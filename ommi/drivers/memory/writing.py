"""Running `Insert`, `Update`, `Delete` and the statements on tables. Undoing a failed one is up to the caller."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, final

from ommi.drivers.defaults import server_default
from ommi.drivers.memory.evaluate import Stored
from ommi.drivers.memory.forms import stored
from ommi.drivers.memory.reading import evaluation, matching
from ommi.drivers.memory.references import References
from ommi.drivers.memory.rules import require, require_unique
from ommi.drivers.memory.tables import Catalog, Journal, Lookup, Table, View, check_columns
from ommi.drivers.violations import still_referred
from ommi.errors import QueryRejected
from ommi.frozen import frozen
from ommi.query.statements import CreateTables, Delete, DropTables, Insert, OnConflict, Update
from ommi.schema import Field, Schema
from ommi.values import DEFAULT, MAX_INT, Kind

__all__ = ["Writer"]


@final
@frozen
class Writer:
    """Writes statements of one transaction: it sees what is there and notes in the journal how to undo it."""

    catalog: Catalog
    journal: Journal

    @property
    def view(self) -> View:
        """What the transaction sees: everything, its own changes too."""
        return View(self.catalog)

    def insert(self, statement: Insert) -> list[Stored]:
        """Add rows, one after the other; see `Insert` for the answer."""
        schema, conflict = statement.schema, statement.on_conflict
        table = self.view.table(schema)
        references = References(self.view, self.journal)
        complete = _completion(schema, table)
        lookup = None if conflict is None else _conflict_lookup(table, conflict)
        assigned = [schema.fields.index(f) for f in schema.assigned]
        answer: list[Stored] = []
        for values in statement.rows:
            row = complete(values)
            require(table, row)
            if conflict is not None and lookup is not None:
                answer.append(self._upsert(table, schema, row, conflict, lookup, references))
                continue
            require_unique(table, row)
            table.insert(self.journal, row)
            references.added(table, row)
            answer.append(tuple([row[place] for place in assigned]))
        references.enforce()
        return answer

    def _upsert(
        self, table: Table, schema: Schema, row: Stored, conflict: OnConflict, lookup: Lookup, references: References
    ) -> Stored:
        token = lookup.token(row)
        for number in () if token is None else lookup.rows(token):
            old = table.rows[number]
            updated = {schema.fields.index(f) for f in conflict.update}
            new = tuple([row[place] if place in updated else value for place, value in enumerate(old)])
            self._replace(table, number, new)
            references.changed(table, old, new, conflict.update)
            return new
        require_unique(table, row)
        table.insert(self.journal, row)
        references.added(table, row)
        return row

    def _replace(self, table: Table, number: int, row: Stored) -> None:
        require(table, row)
        require_unique(table, row, number)
        table.write(self.journal, number, row)

    def update(self, statement: Update) -> int:
        """Set fields of the rows that fit, all at once: keys may change places. Answers with their number."""
        schema = statement.schema
        table = self.view.table(schema)
        found = evaluation(self.view, schema)
        values = {found.position(f): (f, found.value(expression)) for f, expression in statement.assignments}
        changes: list[tuple[int, Stored, Stored]] = []
        for number, old in matching(self.view, schema, statement.where).items():
            new = list(old)
            for place, (f, value) in values.items():
                new[place] = _fitting(schema, f, value(old))
            changes.append((number, old, tuple(new)))
        if len(changes) > 1 and any(values.keys() & set(rule.lookup.positions) for rule in table.uniques):
            for number, _, _ in changes:
                table.write(self.journal, number, None)
        references = References(self.view, self.journal)
        fields = [f for f, _ in values.values()]
        for number, old, row in changes:
            self._replace(table, number, row)
            references.changed(table, old, row, fields)
        references.enforce()
        return len(changes)

    def delete(self, statement: Delete) -> int:
        """Remove the rows that fit, and what refers to them as declared. Answers with the number of the former."""
        table = self.view.table(statement.schema)
        rows = matching(self.view, statement.schema, statement.where)
        references = References(self.view, self.journal)
        for number in rows:
            table.write(self.journal, number, None)
        for row in rows.values():
            references.removed(table, row)
        references.enforce()
        return len(rows)

    def create(self, statement: CreateTables) -> None:
        """Add the tables and the unique indexes that are missing."""
        for schema in statement.schemas:
            there = self.catalog.tables.get(schema.table)
            if there is None:
                self.catalog.write(self.journal, schema.table, Table(schema, schema.indexes))
                continue
            check_columns(there.schema, schema)
            names = {index.name for index in there.indexes}
            missing = tuple(index for index in schema.indexes if index.name not in names)
            if missing:
                self._add_indexes(there, Table(there.schema, (*there.indexes, *missing)))

    def _add_indexes(self, there: Table, table: Table) -> None:
        for row in there.ordered().values():
            require_unique(table, row)
            table.insert(self.journal, row)
        self.catalog.write(self.journal, table.schema.table, table)

    def drop(self, statement: DropTables) -> None:
        """Remove the tables that are there; `ForeignKeyViolation` if rows of another one refer to them."""
        names = {schema.table for schema in statement.schemas} & self.catalog.tables.keys()
        for child in self.catalog.tables.values():
            for rule in child.references if child.schema.table not in names else ():
                if rule.reference.enforced and rule.reference.target()[0].table in names and len(rule.lookup):
                    raise still_referred(child.schema, rule.reference)
        for name in names:
            self.catalog.write(self.journal, name, None)


def _completion(schema: Schema, table: Table) -> Callable[[tuple[Any, ...]], Stored]:
    """A function from canonical values to a stored row, in which the database's part is filled in."""
    now = datetime.now(UTC)

    def complete(values: tuple[Any, ...]) -> Stored:
        return tuple(
            [
                assigned(f) if value is DEFAULT else stored(f.type.kind, value)
                for f, value in zip(schema.fields, values, strict=True)
            ]
        )

    def assigned(f: Field) -> Any:
        if f.server_default is not None:
            return stored(f.type.kind, server_default(schema, f, now))
        if not f.generated:
            return None
        if f.type.generate is not None:
            return stored(f.type.kind, f.type.generate())
        key = table.next_key()
        if key > MAX_INT:
            raise QueryRejected(f"{schema.name}.{f.name}: there is no larger key left than {MAX_INT}")
        return key

    return complete


def _conflict_lookup(table: Table, conflict: OnConflict) -> Lookup:
    columns = {f.column for f in conflict.fields}
    for rule in table.uniques:
        if columns == {f.column for f in rule.fields}:
            return rule.lookup
    names = ", ".join(f.name for f in conflict.fields)
    raise QueryRejected(f"{table.schema.name} has no key or unique index of exactly {names} to find the row there by")


_CLASSES = {Kind.INT: int, Kind.FLOAT: float}


def _fitting(schema: Schema, field: Field, value: Any) -> Any:
    """The value as its field keeps it: an int may become a float, and nothing else changes its kind."""
    expected = _CLASSES.get(field.type.kind)
    if expected is None or value is None or type(value) is expected:
        return value
    if expected is float and type(value) is int and int(float(value)) == value:
        return float(value)
    raise QueryRejected(f"{schema.name}.{field.name} holds {field.type.name} and cannot be set to {value!r}")
