"""The mypy plugin: `User.age` on a model class is a column, and `catch` subtracts exactly.

It is optional: `plugins = ["ommi.mypy"]` in mypy's configuration, beside those of `returns` and pydantic.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from mypy.maptype import map_instance_to_supertype
from mypy.nodes import SymbolTableNode, TypeInfo, Var
from mypy.plugin import AttributeContext, ClassDefContext, MethodContext, Plugin
from mypy.subtypes import is_subtype
from mypy.typeops import make_simplified_union
from mypy.types import AnyType, Instance, ProperType, Type, UnionType, get_proper_type
from mypy.typevars import fill_typevars_with_any

__all__ = ["OmmiPlugin", "plugin"]

_MARK: Final = "ommi"
_MODEL: Final = "ommi.models.decorator.ommi_model"
_COLUMN: Final = "ommi.query.expressions.Column"
_EFFECT: Final = "ommi.effects.effect.Effect"
_CATCHING: Final = "ommi.effects.catching.Catching"
_BOUND_STEP: Final = "ommi.bound.BoundEffect.__rshift__"
_PYDANTIC: Final = "pydantic.main.BaseModel"


class OmmiPlugin(Plugin):
    """What mypy asks; everything else stays mypy's own."""

    def get_class_decorator_hook_2(self, fullname: str) -> Callable[[ClassDefContext], bool] | None:
        """Remember which classes are models."""
        return _mark if fullname == _MODEL else None

    def get_class_attribute_hook(self, fullname: str) -> Callable[[AttributeContext], Type] | None:
        """Make class access to a field of a model a column."""
        owner, _, name = fullname.rpartition(".")
        found = self.lookup_fully_qualified(owner)
        if found is None or not isinstance(found.node, TypeInfo) or not _is_field(found.node, name):
            return None
        column = self.lookup_fully_qualified(_COLUMN)
        if column is None or not isinstance(column.node, TypeInfo):
            return None
        return partial(_column, column=column.node, model=found.node, restore=_permitted(found.node, name))

    def get_method_hook(self, fullname: str) -> Callable[[MethodContext], Type] | None:
        """Subtract what `catch` handles from the errors."""
        if fullname in (f"{_CATCHING}.__rrshift__", f"{_CATCHING}.__call__"):
            return _caught
        return _caught_bound if fullname == _BOUND_STEP else None


def plugin(version: str) -> type[Plugin]:
    """The entry point that mypy calls."""
    return OmmiPlugin


def _mark(context: ClassDefContext) -> bool:
    context.cls.info.metadata[_MARK] = {"model": True}
    return True


def _is_field(info: TypeInfo, name: str) -> bool:
    # a subclass of a model is no model until it is decorated itself, so its bases are not asked
    if _MARK not in info.metadata or name.startswith("__") or name == "_":
        return False
    found = info.get(name)
    # frozen classes mark their fields as properties; a real property is no Var
    if found is None or not isinstance(found.node, Var) or found.node.is_classvar or found.node.is_inferred:
        return False
    return not (name.startswith("_") and info.has_base(_PYDANTIC))


def _permitted(info: TypeInfo, name: str) -> Callable[[], None]:
    """Make mypy let class access through to the hook, for slots and fields without a default; a call undoes it."""
    found = info.get(name)
    implicit = found is not None and found.implicit
    slot = bool(info.slots) and name in (info.slots or ())
    if implicit and found is not None:
        found.implicit = False
    if slot and info.slots is not None:
        info.slots.discard(name)
    return partial(_restore, info, name, found if implicit else None, slot=slot)


def _restore(info: TypeInfo, name: str, implicit: SymbolTableNode | None, *, slot: bool) -> None:
    if implicit is not None:
        implicit.implicit = True
    if slot and info.slots is not None:
        info.slots.add(name)


def _column(context: AttributeContext, *, column: TypeInfo, model: TypeInfo, restore: Callable[[], None]) -> Type:
    restore()
    if context.is_lvalue:
        context.api.fail("A column cannot be assigned; set the field on an instance", context.context)
        return context.default_attr_type
    return Instance(column, [fill_typevars_with_any(model), context.default_attr_type])


def _caught(context: MethodContext) -> Type:
    given = context.arg_types[0] if context.arg_types else []
    return _subtracted(context, context.type, given[0]) if given else context.default_return_type


def _caught_bound(context: MethodContext) -> Type:
    given = context.arg_types[0] if context.arg_types else []
    return _subtracted(context, get_proper_type(given[0]), context.type) if given else context.default_return_type


def _subtracted(context: MethodContext, handler: Type, source: Type) -> Type:
    """`Effect[T, E] >> Catching[X, U, E2]` is an `Effect[T | U, (E without X) | E2]`, its unions kept unions."""
    catching, effect = get_proper_type(handler), _effect_in(get_proper_type(source))
    result = get_proper_type(context.default_return_type)
    if not isinstance(catching, Instance) or catching.type.fullname != _CATCHING or effect is None:
        return result
    if not isinstance(result, Instance) or len(result.args) != 2:
        return result
    kind, value, error = catching.args
    left = [item for item in _members(effect.args[1]) if isinstance(item, AnyType) or not is_subtype(item, kind)]
    values = make_simplified_union([effect.args[0], value])
    return result.copy_modified(args=[values, make_simplified_union([*left, error])])


def _effect_in(found: ProperType) -> Instance | None:
    if not isinstance(found, Instance):
        return None
    base = next((base for base in found.type.mro if base.fullname == _EFFECT), None)
    return None if base is None else map_instance_to_supertype(found, base)


def _members(found: Type) -> list[ProperType]:
    proper = get_proper_type(found)
    items = proper.items if isinstance(proper, UnionType) else [proper]
    return [get_proper_type(item) for item in items]
