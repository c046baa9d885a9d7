"""From a class and what its annotations say to its schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar

from ommi.frozen import frozen, replace
from ommi.models.annotations import Names
from ommi.models.codec import ModelCodec
from ommi.models.collection import ModelCollection
from ommi.models.facts import (
    Check,
    Fact,
    Index,
    Key,
    MaxLength,
    ReferenceTo,
    ServerDefault,
    StoreAs,
    Unique,
    Version,
)
from ommi.models.readers import blueprint_of
from ommi.models.references import references_of
from ommi.models.relations import refuse_relations_as_fields
from ommi.models.types import TypedAttribute, typed_attribute
from ommi.query.checks import constraint_name, max_length_name
from ommi.query.expressions import And, Column, InQuery, Literal, Not, Or, PredicateNode, RowExists, predicate
from ommi.query.outline import outline
from ommi.query.standin import StandIn
from ommi.query.walk import columns_of
from ommi.schema import CheckRule, Field, Schema
from ommi.schema import Index as SchemaIndex
from ommi.values import Kind

__all__ = ["Options", "declaration"]

F = TypeVar("F", StoreAs, ReferenceTo, MaxLength, ServerDefault)

_LONGEST_NAME: Final = 63


@frozen
class Options:
    """What `@ommi_model(…)` was told."""

    collection: ModelCollection
    name: str | None
    indexes: Sequence[str | Sequence[str]]
    unique: Sequence[str | Sequence[str]]
    checks: Sequence[Check]
    validate: bool


def declaration(cls: type[Any], options: Options, names: Names) -> tuple[Schema, dict[str, Any]]:
    """The schema of a class and the evaluated annotations of its fields; `TypeError` for what cannot be."""
    blueprint = blueprint_of(cls)
    refuse_relations_as_fields(blueprint)
    table = _checked_name(
        options.name if options.name is not None else _snake_case(cls.__name__), f"{cls.__name__}: the table"
    )
    if table.lower().startswith(("sqlite_", "system.")):
        raise TypeError(f"{cls.__name__}: the table name {table!r} is reserved by a database; choose another, name=…")
    typed = [
        typed_attribute(attribute, f"{cls.__name__}.{attribute.name}", names) for attribute in blueprint.attributes
    ]
    key = _key_names(cls, typed)
    fields = tuple(_field(cls, part, key) for part in typed)
    _refuse_twins(cls, fields)
    said = [(field, fact) for field, part in zip(fields, typed, strict=True) for fact in part.facts]
    referring = [(field, fact) for field, fact in said if isinstance(fact, ReferenceTo)]
    schema = Schema(
        cls,
        table,
        fields,
        ModelCodec(blueprint, table, fields, options.validate),
        _indexes(cls, table, fields, said, options),
        references_of(cls, table, referring, options.collection),
        version=_version(cls, said),
    )
    schema = replace(schema, checks=_checks(schema, said, options.checks))
    return schema, {part.attribute.name: part.annotation for part in typed}


# -- names


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _checked_name(name: str, place: str) -> str:
    if not name or any(character in name for character in "\0.$"):
        raise TypeError(f"{place} cannot be called {name!r}: a name has at least one character and no NUL, '.' or '$'")
    if len(name.encode(errors="surrogatepass")) > _LONGEST_NAME:
        raise TypeError(f"{place} cannot be called {name!r}: a name has at most {_LONGEST_NAME} bytes")
    return name


def _refuse_twins(cls: type[Any], fields: Iterable[Field]) -> None:
    seen: dict[str, Field] = {}
    for field in fields:
        other = seen.setdefault(field.column.casefold(), field)
        if other is not field:
            raise TypeError(
                f"{cls.__name__}: {other.name} and {field.name} would both have the column {field.column!r} "
                "(databases do not tell upper and lower case apart): give one another with StoreAs(…)"
            )


# -- fields


def _key_names(cls: type[Any], typed: Sequence[TypedAttribute]) -> tuple[str, ...]:
    names = tuple(part.attribute.name for part in typed if Key in part.facts)
    if names:
        return names
    if any(part.attribute.name == "id" for part in typed):
        return ("id",)
    raise TypeError(
        f"{cls.__name__} has no key, so its rows could not be told apart: "
        "annotate a field Annotated[int, Key], or add a field `id: Annotated[int, Key] = auto()`"
    )


def _field(cls: type[Any], part: TypedAttribute, key: tuple[str, ...]) -> Field:
    name, type_ = part.attribute.name, part.type
    place = f"{cls.__name__}.{name}"
    stored_as = _only(part.facts, StoreAs, place)
    max_length = _only(part.facts, MaxLength, place)
    server_default = _only(part.facts, ServerDefault, place)
    reference = _only(part.facts, ReferenceTo, place)
    if max_length is not None and type_.kind is not Kind.STR:
        raise TypeError(f"{place} holds {type_.name}: MaxLength is said of a text")
    if type_.kind is Kind.JSON and (name in key or Unique in part.facts or Index in part.facts):
        raise TypeError(f"{place} holds {type_.name}: a structure can be neither key, Unique nor Index")
    is_key = name in key
    plain = (type_.kind is Kind.INT and type_.load is None) or type_.generate is not None
    generated = is_key and len(key) == 1 and plain and server_default is None and reference is None
    if is_key and part.nullable and not generated and server_default is None:
        raise TypeError(f"{place} is a key, which is never missing: leave out `| None`")
    return Field(
        name,
        _checked_name(name if stored_as is None else stored_as.column, f"{place}: the column"),
        type_,
        part.nullable and not is_key,
        is_key,
        generated,
        None if max_length is None else max_length.length,
        None if server_default is None else server_default.expression,
    )


def _only(facts: Iterable[Fact], kind: type[F], place: str) -> F | None:
    found = [fact for fact in facts if isinstance(fact, kind)]
    if len(found) > 1:
        raise TypeError(f"{place} has {kind.__name__} twice: keep one")
    return found[0] if found else None


def _version(cls: type[Any], said: Sequence[tuple[Field, Fact]]) -> Field | None:
    found = [field for field, fact in said if fact is Version]
    if len(found) > 1:
        raise TypeError(
            f"{cls.__name__}: {' and '.join(field.name for field in found)} are both Version: a row has one"
        )
    for field in found:
        if field.type.kind is not Kind.INT or field.type.load is not None or field.nullable or field.is_key:
            raise TypeError(f"{cls.__name__}.{field.name} is the Version: declare it int, not missing and not the key")
    return found[0] if found else None


# -- indexes and checks


def _indexes(
    cls: type[Any], table: str, fields: tuple[Field, ...], said: Sequence[tuple[Field, Fact]], options: Options
) -> tuple[SchemaIndex, ...]:
    by_name = {field.name: field for field in fields}
    key = tuple(field for field in fields if field.is_key)
    unique: list[tuple[Field, ...]] = [(field,) for field, fact in said if fact is Unique]
    unique += [_named_fields(cls, names, by_name, "unique") for names in options.unique]
    plain: list[tuple[Field, ...]] = [(field,) for field, fact in said if fact is Index]
    plain += [_named_fields(cls, names, by_name, "indexes") for names in options.indexes]
    chosen = [group for group in dict.fromkeys(unique) if set(group) != set(key)]
    others = [group for group in dict.fromkeys(plain) if group not in chosen and group != key]
    return (
        *(SchemaIndex(_index_name("ux", table, group), group, unique=True) for group in chosen),
        *(SchemaIndex(_index_name("ix", table, group), group) for group in others),
    )


def _named_fields(
    cls: type[Any], names: str | Sequence[str], by_name: dict[str, Field], option: str
) -> tuple[Field, ...]:
    wanted = (names,) if isinstance(names, str) else tuple(names)
    for name in wanted:
        if name not in by_name:
            raise TypeError(f"{cls.__name__}: {option}= names {name!r}, but its fields are {', '.join(by_name)}")
        if by_name[name].type.kind is Kind.JSON:
            raise TypeError(f"{cls.__name__}: {option}= names {name}, which holds a structure")
    if not wanted or len(set(wanted)) < len(wanted):
        raise TypeError(f"{cls.__name__}: {option}= has {wanted!r}: name at least one field, and each once")
    return tuple(by_name[name] for name in wanted)


def _index_name(prefix: str, table: str, group: Iterable[Field]) -> str:
    return constraint_name(prefix, table, *(field.column for field in group))


def _checks(schema: Schema, said: Sequence[tuple[Field, Fact]], of_table: Sequence[Check]) -> tuple[CheckRule, ...]:
    row = StandIn(Column(schema, field) for field in schema.fields)
    taken = {max_length_name(schema.table, field.column) for field in schema.fields if field.max_length is not None}
    rules = []
    for field, fact in said:
        if isinstance(fact, Check):
            _mentioned(schema, fact, row, f"{schema.name}.{field.name}: the Check")
            rules.append(CheckRule(_free_name(fact, schema.table, (field,), taken), (field.name,), fact.condition))
    for check in of_table:
        if not isinstance(check, Check):
            raise TypeError(f"{schema.name}: checks= takes Check(lambda u: …), not {check!r}")
        fields = _mentioned(schema, check, row, f"{schema.name}: a Check")
        names = tuple(field.name for field in fields)
        rules.append(CheckRule(_free_name(check, schema.table, fields, taken), names, check.condition))
    return tuple(rules)


def _mentioned(schema: Schema, check: Check, row: StandIn, place: str) -> tuple[Field, ...]:
    """The fields a check is about; its mistakes are found here, not when the table is made."""
    try:
        condition = predicate(check.condition(row), place)
    except AttributeError as error:
        raise TypeError(f"{place} cannot be evaluated: {error}") from error
    values: list[Literal] = []
    outline(condition, values)
    for value in values:
        if value.unfit is not None:
            raise TypeError(f"{place} compares with a value that no row can have: {value.unfit.message}")
    if _has_subquery(condition):
        raise TypeError(f"{place} asks another table, and a database checks a row alone")
    columns = list(columns_of(condition))
    for column in columns:
        if column.schema is not schema:
            raise TypeError(f"{place} asks for {column!r}: a check sees its own row, through the lambda's argument")
    found = {column.field for column in columns}
    return tuple(field for field in schema.fields if field in found)


def _has_subquery(found: PredicateNode) -> bool:
    match found:
        case InQuery() | RowExists():
            return True
        case And(parts) | Or(parts):
            return any(map(_has_subquery, parts))
        case Not(part):
            return _has_subquery(part)
        case _:
            return False


def _free_name(check: Check, table: str, fields: Iterable[Field], taken: set[str]) -> str:
    columns = [field.column for field in fields]
    name, number = check.name or constraint_name("ck", table, *columns), 1
    while name in taken:
        if check.name is not None:
            raise TypeError(f"the name {name!r} of {check!r} is taken by another check of the table {table!r}")
        number += 1
        name = constraint_name("ck", table, *columns, str(number))
    taken.add(name)
    return _checked_name(name, f"the check {name!r}")
