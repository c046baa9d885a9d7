"""The references that relations go along: found by the models at both ends, and by `on=` where there are several."""

from __future__ import annotations

from typing import NamedTuple

from ommi.frozen import frozen
from ommi.schema import Field, Schema

__all__ = ["Meant", "Path", "chosen", "linked", "paths", "to_one"]


class Path(NamedTuple):
    """The fields of a reference, and those they refer to."""

    fields: tuple[Field, ...]
    targets: tuple[Field, ...]


@frozen
class Meant:
    """A relation, for messages, and what its `on=` says."""

    place: str
    kind: str
    on: tuple[tuple[str, ...], ...] | None


def chosen(meant: Meant, holder: Schema, about: Schema) -> Path:
    """The one reference of `holder` to `about` that is meant; `TypeError` where there is none, or no one."""
    names = None if meant.on is None else tuple(name for each in meant.on for name in each)
    found = paths(holder, about)
    if not found:
        raise TypeError(
            f"{meant.place}: no field of {holder.name} refers to {about.name}: "
            f"annotate one, Annotated[…, ReferenceTo({about.name})]"
        )
    return _only(meant, holder, about, found, names, f"on={found[0].fields[0].name!r}")


def to_one(meant: Meant, owner: Schema, target: Schema) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
    """The fields of the owner and of the target that are equal: the owner refers to it, or it to the owner alone."""
    if paths(owner, target) or owner is target:
        near, far = chosen(meant, owner, target)
        return near, far
    if not paths(target, owner):
        raise TypeError(
            f"{meant.place}: no field of {owner.name} or {target.name} refers to the other: "
            f"annotate one, Annotated[…, ReferenceTo({target.name})]"
        )
    fields, near = chosen(meant, target, owner)
    if not _is_unique(target, fields):
        names = ", ".join(field.name for field in fields)
        raise TypeError(
            f"{meant.place}: {target.name}.{names} is not unique, so several {target.name} may belong to one "
            f"{owner.name}: write ToMany, or make it Unique"
        )
    return near, fields


def linked(meant: Meant, owner: Schema, via: Schema, target: Schema) -> tuple[Path, Path]:
    """The references of the model in between to the owner and to the target."""
    if via is target or via is owner:
        raise TypeError(f"{meant.place}: through= takes a model of its own, between {owner.name} and {target.name}")
    if meant.on is not None and len(meant.on) != 2:
        raise TypeError(
            f"{meant.place}: with through=, on= takes two fields of {via.name}: the one that refers to {owner.name}, "
            f"and the one that refers to {target.name}"
        )
    first, second = (None, None) if meant.on is None else meant.on
    sides: list[Path] = []
    for about, names in ((owner, first), (target, second)):
        found = paths(via, about)
        if not found:
            raise TypeError(
                f"{meant.place}: no field of {via.name} refers to {about.name}: "
                f"annotate one, Annotated[…, ReferenceTo({about.name})]"
            )
        remedy = f"on=('…', '…') with the field of {via.name} that refers to each side"
        sides.append(_only(meant, via, about, found, names, remedy))
    if sides[0].fields == sides[1].fields:
        raise TypeError(
            f"{meant.place}: {via.name} refers to {owner.name} once, and a link needs two references, one to each side"
        )
    return sides[0], sides[1]


def _only(
    meant: Meant, holder: Schema, about: Schema, found: list[Path], names: tuple[str, ...] | None, remedy: str
) -> Path:
    if names is not None:
        said = [path for path in found if set(names) <= {field.name for field in path.fields}]
        if len(said) != 1:
            raise TypeError(
                f"{meant.place}: on={', '.join(names)!r} is no reference of {holder.name} to {about.name}; "
                f"it has {_listed(found)}"
            )
        return said[0]
    if len(found) > 1:
        raise TypeError(
            f"{meant.place}: {holder.name} refers to {about.name} several times ({_listed(found)}): "
            f"say which is meant, {meant.kind}({remedy})"
        )
    return found[0]


def paths(holder: Schema, about: Schema) -> list[Path]:
    """The references of one model to another."""
    found: list[Path] = []
    for reference in holder.references:
        schema, fields = reference.target()
        if schema is about:
            found.append(Path(reference.fields, fields))
    return found


def _is_unique(schema: Schema, fields: tuple[Field, ...]) -> bool:
    wanted = set(fields)
    return wanted == set(schema.key) or any(index.unique and set(index.fields) == wanted for index in schema.indexes)


def _listed(found: list[Path]) -> str:
    return ", ".join(
        f"({', '.join(f.name for f in fields)})" if len(fields) > 1 else fields[0].name for fields, _ in found
    )
