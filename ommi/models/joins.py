"""By what the rows of two models belong together: a reference between them, or a relation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ommi.models.declared import schema_of
from ommi.models.paths import paths
from ommi.models.relations import Relation
from ommi.query.expressions import And, Column, Paired, PredicateNode
from ommi.query.statements import Join, Select
from ommi.schema import Field, Schema

__all__ = ["along_reference", "along_relation", "related_rows", "target_of"]


def along_reference(sources: Sequence[Schema], target: Schema) -> PredicateNode:
    """The condition of the one reference between a model and those before it; `TypeError` unless there is one."""
    found = [
        pairs for source in sources for pairs in (*_references(source, target), *_references(target, source, back=True))
    ]
    names = " or ".join(source.label for source in sources)
    rows = ", ".join(_variable(schema) for schema in (*sources, target))
    remedy = f"join({target.label}, on=lambda {rows}: …)"
    if not found:
        raise TypeError(f"{target.label} and {names} do not refer to each other: say what belongs together, {remedy}")
    if len(found) > 1:
        said = ", ".join(" and ".join(f"{left!r} == {right!r}" for left, right in pairs) for pairs in found)
        raise TypeError(
            f"{target.label} and {names} refer to each other in several ways ({said}): say which is meant, {remedy}, "
            "or name a relation"
        )
    return _paired(found[0])


def along_relation(sources: Sequence[Schema], relation: Relation, target: Schema | None = None) -> PredicateNode:
    """The condition of a relation between one of the models and a further one."""
    joined = relation.joined()
    if joined.link is not None:
        via = joined.link.schema.name
        raise TypeError(f"{relation.place} leads through {via}: join({via}) first, and {joined.target.name} after it")
    owners = [source for source in sources if schema_of(source.model) is joined.owner]
    if target is None:
        target = joined.target
    if owners and schema_of(target.model) is joined.target:
        return _paired(_columns(_only(owners, relation), joined.near, target, joined.far))
    owned = [source for source in sources if schema_of(source.model) is joined.target]
    if owned and schema_of(target.model) is joined.owner:
        return _paired(_columns(_only(owned, relation), joined.far, target, joined.near))
    names = " or ".join(source.label for source in sources)
    raise TypeError(
        f"{relation.place} leads from {joined.owner.name} to {joined.target.name}, not from {names} to {target.label}"
    )


def target_of(relation: Relation) -> Schema:
    """The model that a relation leads to."""
    return relation.joined().target


def related_rows(relation: Relation) -> Select:
    """The rows that belong to one of the relation's model, by columns of that."""
    joined = relation.joined()
    near = [_column(joined.owner, field) for field in joined.near]
    far = [_column(joined.asked, field) for field in joined.far]
    where = _paired(list(zip(far, near, strict=True)))
    if joined.link is None:
        if joined.target is joined.owner:
            raise TypeError(
                f"{relation.place} leads to {joined.owner.name} itself: write "
                f"exists_(alias({joined.owner.name}, 'other'), lambda other: …)"
            )
        return Select(joined.target, where=where)
    if joined.target is joined.owner:
        raise TypeError(
            f"{relation.place} leads to {joined.owner.name} itself: "
            f"write exists_({joined.link.schema.name}, lambda …: …)"
        )
    link = [(_column(joined.link.schema, one), _column(joined.target, other)) for one, other in joined.link.pairs]
    return Select(joined.target, where=where, joins=(Join(joined.link.schema, _paired(link)),))


def _references(holder: Schema, about: Schema, *, back: bool = False) -> Iterator[list[tuple[_Column, _Column]]]:
    for fields, targets in paths(schema_of(holder.model), schema_of(about.model)):
        pairs = _columns(holder, fields, about, targets)
        yield [(right, left) for left, right in pairs] if back else pairs


def _columns(left: Schema, near: Iterable[Field], right: Schema, far: Iterable[Field]) -> list[tuple[_Column, _Column]]:
    return [(_column(left, one), _column(right, other)) for one, other in zip(near, far, strict=True)]


def _column(schema: Schema, field: Field) -> _Column:
    return Column(schema, schema.by_name[field.name])


def _paired(pairs: list[tuple[_Column, _Column]]) -> PredicateNode:
    parts = [Paired(left, right) for left, right in pairs]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _only(found: list[Schema], relation: Relation) -> Schema:
    if len(found) > 1:
        names = " and ".join(schema.label for schema in found)
        raise TypeError(f"{relation.place} can be of {names}: say which is meant, on=lambda …: …")
    return found[0]


def _variable(schema: Schema) -> str:
    return schema.label[0].lower()


_Column = Column[object, object]
