"""Relations as a class declares them: whose records belong to a record, found along references on first use."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, TypeAlias

from ommi.errors import EncodeError
from ommi.frozen import frozen
from ommi.models.annotations import Names, spelled
from ommi.models.blueprint import Blueprint, own_annotations
from ommi.models.collection import ModelCollection
from ommi.models.declared import declared_on, schema_of
from ommi.models.paths import Meant, chosen, linked, to_one
from ommi.models.remembered import Remembered, can_remember
from ommi.models.targets import target_said
from ommi.query.expressions import Column, Order
from ommi.query.statements import Link
from ommi.schema import Field, Schema

__all__ = ["Joined", "Relation", "install_relations", "refuse_relations_as_fields"]

Key: TypeAlias = tuple[Any, ...]


@frozen(eq=False)
class Joined:
    """A relation, resolved: to a record belong the rows of `target` whose `far` values are its `near` values.

    With a `link`, `far` are fields of that. `many` rows come in the order of their key.
    """

    owner: Schema
    target: Schema
    near: tuple[Field, ...]
    far: tuple[Field, ...]
    link: Link | None
    many: bool
    optional: bool
    order: tuple[Order, ...]

    @property
    def asked(self) -> Schema:
        """The model whose fields `far` are."""
        return self.target if self.link is None else self.link.schema

    def key(self, record: Any) -> Key | EncodeError:
        """The values that related rows have, canonical."""
        values: list[Any] = []
        for field in self.near:
            value = getattr(record, field.name)
            if value is not None:
                try:
                    value = field.type.dump(value)
                except (TypeError, ValueError) as error:
                    message = f"{self.owner.name}.{field.name}: {error}"
                    return EncodeError(message, model=self.owner.model, field=field.name)
            values.append(value)
        return tuple(values)


class Relation:
    """A class attribute that stands for the records of another model that belong to a record."""

    __slots__ = ("_collection", "_joined", "_names", "_on", "_said", "_through", "model", "name", "remembered")

    many: ClassVar[bool]
    kind: ClassVar[str]
    model: type[Any]
    name: str
    remembered: Remembered

    def __init__(self, on: object, through: object) -> None:
        self._on = on
        self._through = through
        self._joined: tuple[int, Joined] | None = None

    @property
    def place(self) -> str:
        """The relation as it is written, for messages."""
        return f"{self.model.__name__}.{self.name}"

    def installed(
        self, schema: Schema, name: str, said: object, names: Names, collection: ModelCollection, kept: Remembered
    ) -> None:
        """Take note of the class it is an attribute of."""
        self.model = schema.model
        self.name = name
        self.remembered = kept
        self._said = target_said(said, f"{schema.name}.{name}", self.kind)
        self._names = names
        self._collection = collection
        self._joined = None

    def inherited(
        self, schema: Schema, said: object, names: Names, collection: ModelCollection, kept: Remembered
    ) -> Relation:
        """The same relation of a model that inherits from the one it was declared on."""
        copy = object.__new__(type(self))
        Relation.__init__(copy, self._on, self._through)
        copy.installed(schema, self.name, said, {**self._names, **names}, collection, kept)
        return copy

    def joined(self) -> Joined:
        """What it means; `TypeError` naming model, relation and remedy where no reference or several say it."""
        known = self._joined
        changes = self._collection.changes
        if known is not None and known[0] == changes:
            return known[1]
        found = self._resolved()
        self._joined = changes, found
        return found

    def __repr__(self) -> str:
        return self.place if hasattr(self, "model") else f"{self.kind}()"

    # -- resolving

    def _resolved(self) -> Joined:
        owner, (said, optional) = schema_of(self.model), self._said
        target = self._schema(said, f"{self.place}: {self.kind}[{_named(said)!r}]")
        meant = Meant(self.place, self.kind, self._said_on())
        link: Link | None = None
        if self._through is not None:
            via = self._schema(self._through, f"{self.place}: through={_named(self._through)!r}")
            mine, theirs = linked(meant, owner, via, target)
            near, far = mine.targets, mine.fields
            link = Link(via, tuple(zip(theirs.fields, theirs.targets, strict=True)), far)
        elif self.many:
            far, near = chosen(meant, target, owner)
        else:
            near, far = to_one(meant, owner, target)
        order = tuple(Order(Column(target, field)) for field in target.key) if self.many else ()
        return Joined(owner, target, near, far, link, self.many, optional, order)

    def _said_on(self) -> tuple[tuple[str, ...], ...] | None:
        on = self._on
        if on is None:
            return None
        if callable(on) and not isinstance(on, Column):
            on = on()
        return tuple(_names_of(each, self.place) for each in (on if isinstance(on, tuple) else (on,)))

    def _schema(self, said: object, place: str) -> Schema:
        if isinstance(said, type):
            if declared_on(said) is None:
                raise TypeError(f"{place}: {said.__name__} is no model: put @ommi_model on it")
            return schema_of(said)
        if callable(said):
            return self._schema(said(), place)
        if not isinstance(said, str):
            raise TypeError(f"{place}: a model is wanted here, or its name, not {said!r}")
        found = self._collection.named(said, self.model.__module__)
        if len(found) == 1:
            return found[0]
        if found:
            raise TypeError(f"{place}: several models have that name; name the class itself, ToMany[Other]")
        module = sys.modules.get(self.model.__module__)
        around = {**(vars(module) if module is not None else {}), **self._names}
        named: Any = around.get(said.partition(".")[0])
        for part in said.split(".")[1:]:
            named = getattr(named, part, None)
        if isinstance(named, type) and declared_on(named) is not None:
            return schema_of(named)
        known = ", ".join(self._collection.names) or "none"
        raise TypeError(
            f"{place}: there is no model {said!r} in {self.model.__module__} or in the collection of "
            f"{self.model.__name__} (which has {known}): declare or import it before the relation is used"
        )


def refuse_relations_as_fields(blueprint: Blueprint) -> None:
    """`TypeError` for a relation whose annotation lets the model library take it for a field."""
    for attribute in blueprint.attributes:
        text = spelled(attribute.annotation)
        for kind in ("ToMany", "ToOne"):
            if f"{kind}[" in text or text.rpartition(".")[2] == kind:
                name, place = attribute.name, blueprint.model.__name__
                raise TypeError(
                    f"{place}.{name} is a relation, which is no field: "
                    f'write {name}: ClassVar[{kind}["Other"]] = {kind}()'
                )


def install_relations(schema: Schema, names: Names, collection: ModelCollection) -> Remembered | None:
    """Tell the relations of a class, its own and the inherited ones, where they are; `None` if it has none."""
    cls = schema.model
    found = dict(_relations(cls))
    if not found:
        return None
    if not can_remember(cls):
        raise TypeError(
            f"{cls.__name__}.{next(iter(found))}: an instance of {cls.__name__} has neither a __dict__ nor weak "
            f"references, so nothing can be remembered for it: write {_remedy(cls)}"
        )
    kept = Remembered(cls)
    for name, relation in found.items():
        said = _annotation(cls, name)
        if said is None:
            raise TypeError(
                f"{cls.__name__}.{name} does not say whose records are meant: "
                f'write {name}: ClassVar[{relation.kind}["Other"]] = {relation.kind}(…)'
            )
        if cls.__dict__.get(name) is relation:
            relation.installed(schema, name, said, names, collection, kept)
        else:
            type.__setattr__(cls, name, relation.inherited(schema, said, names, collection, kept))
    return kept


def _relations(cls: type[Any]) -> Iterator[tuple[str, Relation]]:
    seen: set[str] = set()
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if name not in seen:
                seen.add(name)
                if isinstance(value, Relation):
                    yield name, value


def _annotation(cls: type[Any], name: str) -> object:
    for base in cls.__mro__:
        own: Mapping[str, object] = own_annotations(base)
        if name in own:
            return own[name]
    return None


def _remedy(cls: type[Any]) -> str:
    if hasattr(cls, "__struct_fields__"):
        return f"class {cls.__name__}(Struct, weakref=True)"
    if hasattr(cls, "__attrs_attrs__"):
        return "@define(weakref_slot=True)"
    return "@dataclass(slots=True, weakref_slot=True)"


def _names_of(on: object, place: str) -> tuple[str, ...]:
    if isinstance(on, str):
        return (on,)
    if isinstance(on, Column):
        return (on.name,)
    if isinstance(on, tuple):
        return tuple(name for part in on for name in _names_of(part, place))
    raise TypeError(f"{place}: on= takes a field's name or column, or a tuple of them, not {on!r}")


def _named(said: object) -> str:
    return said.__name__ if isinstance(said, type) else str(said)
