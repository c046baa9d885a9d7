"""Tables and indexes of a schema. Nothing in them needs a function that only Ommi's connections have."""

from __future__ import annotations

from ommi.drivers.sql.dialect import Dialect
from ommi.drivers.sql.fragment import Place, render
from ommi.drivers.sql.translation import Scope, Translation
from ommi.errors import UnsupportedOperation
from ommi.query.checks import check_predicates, choice_predicates
from ommi.query.expressions import Literal, PredicateNode
from ommi.query.outline import outline
from ommi.schema import CheckRule, Field, Index, OnDelete, Reference, Schema

__all__ = ["create_index", "create_table", "drop_table", "named_checks", "reference_definition"]

_ON_DELETE = {OnDelete.RESTRICT: "", OnDelete.CASCADE: " ON DELETE CASCADE", OnDelete.SET_NULL: " ON DELETE SET NULL"}
"""RESTRICT is left to the default, NO ACTION: that one looks when the statement is over, so that a statement may
delete a row together with those that refer to it."""


def create_table(schema: Schema, dialect: Dialect) -> list[str]:
    """The statements that create what is missing of a table and its indexes.

    Raises `UnsupportedOperation` for a check that cannot be said in the schema.
    """
    quote = dialect.schema.quote
    parts = [_column(field, schema, dialect) for field in schema.fields]
    if _definition(schema, dialect) is None:
        parts.append(f"PRIMARY KEY ({_columns(schema.key, dialect)})")
    parts += [_check(name, rule, condition, schema, dialect) for name, rule, condition in named_checks(schema, dialect)]
    if not dialect.references_apart:
        parts += [reference_definition(reference, dialect) for reference in schema.references if reference.enforced]
    inside = ",\n  ".join(parts)
    table = f"CREATE TABLE IF NOT EXISTS {quote(schema.table)} (\n  {inside}\n){dialect.table_options}"
    # of several that a row violates, the one declared first is to be reported
    indexes = schema.indexes[::-1] if dialect.newest_index_first else schema.indexes
    return [table, *(create_index(index, schema, dialect) for index in indexes)]


def named_checks(schema: Schema, dialect: Dialect) -> list[tuple[str, CheckRule, PredicateNode]]:
    """The rules for each row, with the names of their constraints in the database."""
    rules = [*check_predicates(schema), *(choice_predicates(schema) if dialect.checks_choices else ())]
    names = dialect.check_names([rule.name for rule, _ in rules])
    return [(name, *rule) for name, rule in zip(names, rules, strict=True)]


def drop_table(schema: Schema, dialect: Dialect) -> str:
    """The statement that drops a table, if it is there, and its indexes with it."""
    return f"DROP TABLE IF EXISTS {dialect.schema.quote(schema.table)}"


def _definition(schema: Schema, dialect: Dialect) -> str | None:
    """The definition of the key, if it is one column that the database assigns."""
    match schema.key:
        case (key,) if key.generated:
            return dialect.generated.get(key.type.kind)
        case _:
            return None


def _column(field: Field, schema: Schema, dialect: Dialect) -> str:
    name = dialect.schema.quote(field.column)
    definition = _definition(schema, dialect)
    if field.is_key and definition is not None:
        return f"{name} {definition}"
    required = "" if field.nullable else " NOT NULL"
    default = "" if field.server_default is None else f" DEFAULT ({dialect.server_default(schema, field)})"
    return f"{name} {dialect.types[field.type.kind]}{required}{default}"


def _columns(fields: tuple[Field, ...], dialect: Dialect) -> str:
    return ", ".join(dialect.schema.quote(field.column) for field in fields)


def _check(name: str, rule: CheckRule, condition: PredicateNode, schema: Schema, dialect: Dialect) -> str:
    literals: list[Literal] = []
    outline(condition, literals)
    for literal in literals:
        if literal.unfit is not None:
            raise literal.unfit
    values = [literal.value for literal in literals]
    try:
        sql = Translation(dialect, dialect.schema).where(condition, Scope(schema))
    except UnsupportedOperation as error:
        raise UnsupportedOperation(
            f"the check {rule.name!r} of {schema.name}, {condition!r}, cannot be part of the table: {error.message} "
            "without a function of its own, and the file must stay usable by other tools. "
            "Check the value in the model instead, or write the check in other words",
            model=schema.model,
            constraint=rule.name,
        ) from error

    def inline(number: int, place: Place) -> str:
        return dialect.inline(place.value(values), place.kind)

    # unknown would pass a CHECK, and a missing value is to violate it
    return f"CONSTRAINT {dialect.schema.quote(name)} CHECK (coalesce({render(sql, inline)}, FALSE))"


def reference_definition(reference: Reference, dialect: Dialect) -> str:
    """The constraint of a reference that is enforced."""
    quote = dialect.schema.quote
    schema, fields = reference.target()
    return (
        f"CONSTRAINT {quote(reference.name)} FOREIGN KEY ({_columns(reference.fields, dialect)}) "
        f"REFERENCES {quote(schema.table)} ({_columns(fields, dialect)}){_ON_DELETE[reference.on_delete]}"
        f"{dialect.reference_options}"
    )


def create_index(index: Index, schema: Schema, dialect: Dialect) -> str:
    """The statement that creates an index, if it is missing."""
    quote = dialect.schema.quote
    nulls = ["" if dialect.nulls_smallest or not field.nullable else " NULLS FIRST" for field in index.fields]
    columns = ", ".join(quote(field.column) + null for field, null in zip(index.fields, nulls, strict=True))
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX IF NOT EXISTS {quote(index.name)} ON {quote(schema.table)} ({columns})"
