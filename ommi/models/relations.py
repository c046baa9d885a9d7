"""Relations as a class declares them: whose records belong to a record, found along references on first use."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, ClassVar, ForwardRef, TypeAlias, Union, get_args, get_origin

from ommi.errors import EncodeError
from ommi.models.annotations import Names, spelled
from ommi.models.blueprint import Blueprint, own_annotations
from ommi.models.collection import ModelCollection
from ommi.models.declared import declared_on, schema_of
from ommi.models.remembered import Remembered, can_remember
from ommi.query.expressions import Column, Order
from ommi.query.statements import Link
from ommi.schema import Field, Reference, Schema

__all__ = ["Joined", "Relation", "install_relations", "refuse_relations_as_fields"]

Key: TypeAlias = tuple[Any, ...]
Pairs: TypeAlias = tuple[tuple[Field, Field], ...]
"""Fields of one model, and those of another that hold the same values."""


@dataclass(frozen=True, slots=True, eq=False)
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
        self._said = _target_said(said, f"{schema.name}.{name}", self.kind)
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
        link: Link | None = None
        if self._through is not None:
            via = self._schema(self._through, f"{self.place}: through={_named(self._through)!r}")
            mine, theirs = self._through_link(owner, via, target)
            near, far = tuple(b for _, b in mine), tuple(a for a, _ in mine)
            link = Link(via, theirs, far)
        elif self.many:
            reference = self._only(owner, target, _references(target, owner))
            near, far = reference[1], reference[0]
        else:
            near, far = self._to_one(owner, target)
        order = tuple(Order(Column(target, field)) for field in target.key) if self.many else ()
        return Joined(owner, target, near, far, link, self.many, optional, order)

    def _to_one(self, owner: Schema, target: Schema) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
        own = _references(owner, target)
        inverse = [] if owner is target else _references(target, owner)
        if own or not inverse:
            return self._only(owner, target, own, holder=owner)
        fields, near = self._only(owner, target, inverse)
        if not _is_unique(target, fields):
            names = ", ".join(field.name for field in fields)
            raise TypeError(
                f"{self.place}: {target.name}.{names} is not unique, so several {target.name} may belong to one "
                f"{owner.name}: write ToMany, or make it Unique"
            )
        return near, fields

    def _through_link(self, owner: Schema, via: Schema, target: Schema) -> tuple[Pairs, Pairs]:
        if via is target or via is owner:
            raise TypeError(f"{self.place}: through= takes a model of its own, between {owner.name} and {target.name}")
        on = self._said_on()
        if on is not None and len(on) != 2:
            raise TypeError(
                f"{self.place}: with through=, on= takes two fields of {via.name}: the one that refers to "
                f"{owner.name}, and the one that refers to {target.name}"
            )
        first, second = (None, None) if on is None else on
        mine = self._only(owner, via, _references(via, owner), on=first, about=owner)
        theirs = self._only(owner, via, _references(via, target), on=second, about=target)
        if mine[0] == theirs[0]:
            raise TypeError(
                f"{self.place}: {via.name} refers to {owner.name} once, and {self.kind} needs two references: "
                "one to each side"
            )
        return tuple(zip(*mine, strict=True)), tuple(zip(*theirs, strict=True))

    def _only(
        self,
        owner: Schema,
        other: Schema,
        found: list[tuple[tuple[Field, ...], tuple[Field, ...]]],
        *,
        holder: Schema | None = None,
        on: object = None,
        about: Schema | None = None,
    ) -> tuple[tuple[Field, ...], tuple[Field, ...]]:
        """The one reference that is meant: its fields, and those it refers to."""
        holder, about = holder or other, about or (owner if holder is None else other)
        if on is not None:
            names: tuple[str, ...] | None = _names_of(on)
        elif self._through is None:
            said = self._said_on()
            names = None if said is None else tuple(name for one in said for name in _names_of(one))
        else:
            names = None
        if names is not None:
            chosen = [each for each in found if set(names) <= {field.name for field in each[0]}]
            if len(chosen) == 1:
                return chosen[0]
            raise TypeError(
                f"{self.place}: on={', '.join(names)!r} is no reference of {holder.name} to {about.name}; "
                f"it has {_listed(found) or 'none'}"
            )
        if len(found) == 1:
            return found[0]
        if not found:
            where = f"{owner.name} or {other.name}" if not self.many and holder is owner else holder.name
            raise TypeError(
                f"{self.place}: no field of {where} refers to {about.name}: "
                f"annotate one, Annotated[…, ReferenceTo({about.name})]"
            )
        if self._through is None:
            remedy = f"on={found[0][0][0].name!r}"
        else:
            remedy = f"on=('…', '…') with a field of {holder.name} for each side"
        raise TypeError(
            f"{self.place}: {holder.name} refers to {about.name} several times ({_listed(found)}): "
            f"say which is meant, {self.kind}({remedy})"
        )

    def _said_on(self) -> tuple[object, ...] | None:
        on = self._on
        if on is None:
            return None
        if callable(on) and not isinstance(on, Column):
            on = on()
        return on if isinstance(on, tuple) else (on,)

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


# -- what an annotation says: `ClassVar[ToOne["User | None"]]`, as text or as an object


def _target_said(annotation: object, place: str, kind: str) -> tuple[object, bool]:
    """The model (or its name) that an annotation names, and whether it says `| None`."""
    text = annotation if isinstance(annotation, str) else None
    if isinstance(annotation, ForwardRef):
        text = annotation.__forward_arg__
    found: object = None
    optional = False
    if text is not None:
        found, optional = _of_text(text, unwrapping=True)
    else:
        inner = annotation
        if get_origin(inner) is ClassVar:
            (inner,) = get_args(inner)
            if isinstance(inner, (str, ForwardRef)):
                return _target_said(inner, place, kind)
        if get_args(inner):
            found, optional = _of_object(get_args(inner)[0])
    if found is None:
        raise TypeError(f'{place}: {spelled(annotation)} does not name a model: write ClassVar[{kind}["Other"]]')
    return found, optional


def _of_object(found: object) -> tuple[object, bool]:
    if isinstance(found, ForwardRef):
        return _of_text(found.__forward_arg__)
    if isinstance(found, str):
        return _of_text(found)
    if get_origin(found) in (Union, UnionType):
        members = [member for member in get_args(found) if member is not NoneType]
        inner, _ = _of_object(members[0]) if len(members) == 1 else (None, False)
        return inner, len(members) < len(get_args(found))
    return (found, False) if isinstance(found, type) else (None, False)


def _of_text(text: str, *, unwrapping: bool = False) -> tuple[object, bool]:
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None, False
    if unwrapping:
        while isinstance(node, ast.Subscript):
            name = ast.unparse(node.value).rpartition(".")[2]
            node = node.slice
            if name != "ClassVar":
                return _of_node(node)
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                return _of_text(node.value, unwrapping=True)
        return None, False
    return _of_node(node)


def _of_node(node: ast.expr) -> tuple[object, bool]:
    match node:
        case ast.Constant(value=str() as text):
            return _of_text(text)
        case ast.Name() | ast.Attribute():
            return ast.unparse(node), False
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            sides = [side for side in (left, right) if not (isinstance(side, ast.Constant) and side.value is None)]
            return (_of_node(sides[0])[0], True) if len(sides) == 1 else (None, False)
        case ast.Subscript(value=value, slice=inner) if ast.unparse(value).rpartition(".")[2] == "Optional":
            return _of_node(inner)[0], True
        case _:
            return None, False


# -- references


def _references(holder: Schema, target: Schema) -> list[tuple[tuple[Field, ...], tuple[Field, ...]]]:
    """The references of one model to another: their fields, and those they refer to."""
    found = []
    for reference in holder.references:
        schema, fields = _target_of(reference)
        if schema is target:
            found.append((reference.fields, fields))
    return found


def _target_of(reference: Reference) -> tuple[Schema, tuple[Field, ...]]:
    target: Callable[[], tuple[Schema, tuple[Field, ...]]] = reference.target
    return target()


def _is_unique(schema: Schema, fields: tuple[Field, ...]) -> bool:
    wanted = set(fields)
    return wanted == set(schema.key) or any(index.unique and set(index.fields) == wanted for index in schema.indexes)


def _listed(found: list[tuple[tuple[Field, ...], tuple[Field, ...]]]) -> str:
    return ", ".join(
        f"({', '.join(f.name for f in fields)})" if len(fields) > 1 else fields[0].name for fields, _ in found
    )


def _names_of(on: object) -> tuple[str, ...]:
    if isinstance(on, str):
        return (on,)
    if isinstance(on, Column):
        return (on.name,)
    if isinstance(on, tuple):
        return tuple(name for part in on for name in _names_of(part))
    raise TypeError(f"on= takes a field's name or column, or a tuple of them, not {on!r}")


def _named(said: object) -> str:
    return said.__name__ if isinstance(said, type) else str(said)
