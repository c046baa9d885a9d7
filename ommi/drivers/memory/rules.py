"""The rules a row meets by itself and among the others of its table."""

from __future__ import annotations

from ommi.drivers.memory.evaluate import Stored
from ommi.drivers.memory.tables import Table
from ommi.drivers.violations import check_fails, required, taken

__all__ = ["require", "require_unique"]


def require(table: Table, row: Stored) -> None:
    """`NotNullViolation` or `CheckViolation` if the row breaks a rule by itself."""
    for place, f in table.required:
        if row[place] is None:
            raise required(table.schema, f)
    for rule, holds in table.checks:
        if not holds(row):
            raise check_fails(table.schema, rule)


def require_unique(table: Table, row: Stored, number: int | None = None) -> None:
    """`UniqueViolation` if another row than that of the number has the key or unique values already."""
    for rule in table.uniques:
        token = rule.lookup.token(row)
        if token is not None and any(other != number for other in rule.lookup.rows(token)):
            raise taken(table.schema, rule.fields, rule.constraint)
