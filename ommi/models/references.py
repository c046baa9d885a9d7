"""References between models, found when they are first needed, since the other model may come later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from ommi.frozen import frozen
from ommi.models.collection import ModelCollection
from ommi.models.declared import declared_on, schema_of
from ommi.models.facts import OnDelete, ReferenceTo
from ommi.query.checks import constraint_name
from ommi.query.expressions import Column
from ommi.schema import Field, Reference, Schema

__all__ = ["references_of"]


@frozen
class _Part:
    """One field's reference: `other` tells which references lead to one model; `named` is the field said there."""

    field: Field
    said: ReferenceTo
    other: Hashable
    named: str | None
    find: Callable[[], tuple[Schema, str | None]]


def references_of(
    model: type[Any], table: str, said: Sequence[tuple[Field, ReferenceTo]], collection: ModelCollection
) -> tuple[Reference, ...]:
    """The references a model declares; those whose fields are together one key of another model are one reference.

    Raises `TypeError` for one that can be seen to be wrong already.
    """
    parts = [_part(model, field, reference, collection) for field, reference in said]
    return tuple(_reference(model, table, group) for group in _grouped(parts))


def _part(model: type[Any], field: Field, said: ReferenceTo, collection: ModelCollection) -> _Part:
    place = f"{model.__name__}.{field.name}"
    if said.on_delete is OnDelete.SET_NULL and not field.nullable:
        raise TypeError(f"{place}: on_delete='set null' needs a field that may be missing: write `… | None`")
    target = said.target
    if isinstance(target, Column):
        schema, name = target.schema, target.field.name
        return _Part(field, said, schema, name, lambda: (schema, name))
    if isinstance(target, type):
        if declared_on(target) is None:
            raise TypeError(
                f"{place}: ReferenceTo({target.__name__}): {target.__name__} is no model, put @ommi_model on it"
            )
        known = schema_of(target)
        return _Part(field, said, known, None, lambda: (known, None))
    if isinstance(target, str):
        other, _, named = target.partition(".")
        if not other.isidentifier() or (named and not named.isidentifier()):
            raise TypeError(
                f"{place}: ReferenceTo({target!r}): write 'Other' or 'Other.field', or a function, lambda: Other"
            )
        return _Part(
            field, said, other, named or None, lambda: (_named(other, place, model, collection), named or None)
        )
    if callable(target):
        return _Part(field, said, id(said), None, lambda: _called(target, place))
    raise TypeError(f"{place}: ReferenceTo(…) takes a model, one of its columns, a name or a function, not {target!r}")


def _named(name: str, place: str, model: type[Any], collection: ModelCollection) -> Schema:
    found = collection.named(name, model.__module__)
    if len(found) == 1:
        return found[0]
    if found:
        raise TypeError(f"{place}: ReferenceTo({name!r}): several models have that name; write lambda: {name}")
    known = ", ".join(collection.names) or "none"
    raise TypeError(
        f"{place}: ReferenceTo({name!r}): its collection has no model {name!r} (it has {known}); "
        f"declare it before it is used, or write lambda: {name}"
    )


def _called(target: Callable[[], object], place: str) -> tuple[Schema, str | None]:
    try:
        found = target()
    except NameError as error:
        raise TypeError(f"{place}: ReferenceTo(lambda: …): {error}") from error
    if isinstance(found, Column):
        return found.schema, found.field.name
    if isinstance(found, type):
        return schema_of(found), None
    raise TypeError(f"{place}: ReferenceTo(lambda: …) gave {found!r}, which is no model or column")


def _grouped(parts: Sequence[_Part]) -> list[list[_Part]]:
    """Parts that name different fields of one model belong together, the first of each, the second of each, …"""
    groups: dict[Hashable, list[_Part]] = {}
    times: defaultdict[Hashable, int] = defaultdict(int)
    for part in parts:
        if part.named is None or _stands_alone(part):
            groups[part] = [part]
            continue
        times[part.other, part.named] += 1
        groups.setdefault((part.other, times[part.other, part.named]), []).append(part)
    return list(groups.values())


def _stands_alone(part: _Part) -> bool:
    if not isinstance(part.other, Schema) or part.named is None:
        return False
    return _is_unique(part.other, {part.named})


def _is_unique(schema: Schema, names: set[str]) -> bool:
    if names == {field.name for field in schema.key}:
        return True
    return any(index.unique and names == {field.name for field in index.fields} for index in schema.indexes)


def _reference(model: type[Any], table: str, group: Sequence[_Part]) -> Reference:
    first = group[0].said
    fields = tuple(part.field for part in group)
    place = f"{model.__name__}.{', '.join(field.name for field in fields)}"
    if any((part.said.on_delete, part.said.enforced) != (first.on_delete, first.enforced) for part in group):
        raise TypeError(f"{place}: the parts of one reference must agree in on_delete and enforced")
    known: list[tuple[Schema, tuple[Field, ...]]] = []

    def target() -> tuple[Schema, tuple[Field, ...]]:
        found = [part.find() for part in group]
        schema = found[0][0]
        if not known or known[0][0] is not schema:
            known[:] = [(schema, _targets(schema, fields, [name for _, name in found], place))]
        return known[0]

    if all(isinstance(part.other, Schema) for part in group):
        target()
    name = constraint_name("fk", table, *(field.column for field in fields))
    return Reference(name, fields, target, first.on_delete, first.enforced)


def _targets(schema: Schema, fields: tuple[Field, ...], named: list[str | None], place: str) -> tuple[Field, ...]:
    names = [name for name in named if name is not None]
    for name in names:
        if name not in schema.by_name:
            raise TypeError(f"{place}: {schema.name} has no field {name!r}; its fields are {', '.join(schema.by_name)}")
    if names and not _is_unique(schema, set(names)):
        part = (
            f"; its key is {', '.join(field.name for field in schema.key)}, refer to all of it"
            if len(schema.key) > 1
            else ""
        )
        raise TypeError(
            f"{place}: {schema.name}.{', '.join(names)} is neither the key nor unique, so it names no one row{part}"
        )
    targets = tuple(schema.by_name[name] for name in names) if names else schema.key
    if len(targets) != len(fields):
        said = ", ".join(f"ReferenceTo({schema.name}.{field.name})" for field in targets)
        raise TypeError(
            f"{place}: the key of {schema.name} has {len(targets)} fields; refer to each from one of yours: {said}"
        )
    for field, other in zip(fields, targets, strict=True):
        if field.type.kind is not other.type.kind:
            raise TypeError(
                f"{place}: {field.name} holds {field.type.name} and {schema.name}.{other.name} holds {other.type.name}"
            )
    return targets
