"""What a model library says of a class: one reader each for dataclasses, attrs, pydantic and msgspec.

No library is imported here; a class is known by the attributes its library gave it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from keyword import iskeyword
from typing import Annotated, Any

from ommi.models.annotations import spelled
from ommi.models.blueprint import Attribute, Blueprint, Making, own_annotations

__all__ = ["blueprint_of", "is_structured"]


def blueprint_of(cls: type[Any]) -> Blueprint:
    """What the class's library says of it; `TypeError` with the remedy for a class of no known library."""
    for recognised, read in _READERS:
        if recognised(cls):
            blueprint = read(cls)
            _refuse_what_is_half_done(blueprint)
            return blueprint
    raise TypeError(
        f"{cls.__name__} is no dataclass, attrs class, pydantic model or msgspec Struct: "
        "put @dataclass (or the like) under @ommi_model"
    )


def is_structured(cls: type[Any]) -> bool:
    """Whether the class is of a known library."""
    return any(recognised(cls) for recognised, _ in _READERS)


def _refuse_what_is_half_done(blueprint: Blueprint) -> None:
    cls = blueprint.model
    if not blueprint.attributes:
        raise TypeError(f"{cls.__name__} has no fields, so there is nothing to store")
    for attribute in blueprint.attributes:
        if not attribute.name.isidentifier() or iskeyword(attribute.name):
            raise TypeError(
                f"{cls.__name__}: the field name {attribute.name!r} is no Python identifier; rename the field"
            )
    marks = {"dataclasses": "__dataclass_fields__", "attrs": "__attrs_attrs__"}
    mark = marks.get(blueprint.library)
    own = [name for name, annotation in own_annotations(cls).items() if "ClassVar" not in spelled(annotation)]
    if own and mark is not None and mark not in cls.__dict__:
        raise TypeError(
            f"{cls.__name__} declares {', '.join(own)} but is not itself decorated by {blueprint.library}, so "
            f"they are no fields: put @dataclass (or @define) on {cls.__name__}, under @ommi_model"
        )


def _owner(cls: type[Any], name: str) -> type[Any]:
    return next((base for base in cls.__mro__ if name in own_annotations(base)), cls)


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _init_is_generated(cls: type[Any], file: str) -> bool:
    code = getattr(cls.__init__, "__code__", None)
    return code is not None and code.co_filename.startswith(file)


def _is_made_plainly(cls: type[Any]) -> bool:
    new: object = cls.__new__
    return new is object.__new__ and type(cls).__call__ is type.__call__


# -- dataclasses, the standard ones and pydantic's


def _is_dataclass(cls: type[Any]) -> bool:
    return hasattr(cls, "__dataclass_fields__")


def _read_dataclass(cls: type[Any]) -> Blueprint:
    of_pydantic = "__pydantic_validator__" in cls.__dict__
    pydantic_fields: Mapping[str, Any] = getattr(cls, "__pydantic_fields__", {}) if of_pydantic else {}
    attributes = tuple(
        Attribute(
            field.name,
            field.type,
            _owner(cls, field.name),
            _argument_of_dataclass(cls, field.name, pydantic_fields) if field.init else None,
            bool(field.kw_only),
            _pydantic_default(pydantic_fields[field.name])
            if field.name in pydantic_fields
            else _dataclass_default(field),
        )
        for field in dataclasses.fields(cls)
    )
    frozen = bool(cls.__dataclass_params__.frozen)
    init_variables = [
        field
        for field in cls.__dataclass_fields__.values()
        if field._field_type.name == "_FIELD_INITVAR"  # noqa: SLF001
    ]
    generated = of_pydantic or _init_is_generated(cls, "<string>")
    if generated and hasattr(cls, "__post_init__"):
        _refuse_required(cls, init_variables)
        making = Making.CALL
    elif frozen or of_pydantic or init_variables or not generated or not _is_made_plainly(cls):
        making = Making.STORE
    else:
        making = Making.ASSIGN
    return Blueprint(cls, attributes, making, frozen, "dataclasses")


def _argument_of_dataclass(cls: Any, name: str, pydantic_fields: Mapping[str, Any]) -> str:
    if name not in pydantic_fields:
        return name
    return _pydantic_argument(pydantic_fields[name], getattr(cls, "__pydantic_config__", {})) or name


def _dataclass_default(field: dataclasses.Field[Any]) -> Callable[[], Any] | None:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    return None if field.default is dataclasses.MISSING else _constant(field.default)


def _refuse_required(cls: type[Any], init_variables: list[dataclasses.Field[Any]]) -> None:
    for variable in init_variables:
        if variable.default is dataclasses.MISSING and variable.default_factory is dataclasses.MISSING:
            raise TypeError(
                f"{cls.__name__}.{variable.name} is an InitVar, which is not stored, so a stored {cls.__name__} "
                "could not be made again: give it a default"
            )


# -- attrs


def _is_attrs(cls: type[Any]) -> bool:
    return hasattr(cls, "__attrs_attrs__")


def _read_attrs(cls: type[Any]) -> Blueprint:
    attr: Any = sys.modules["attr"]
    declared: tuple[Any, ...] = cls.__attrs_attrs__
    attributes = tuple(
        Attribute(
            found.name,
            found.type,
            _owner(cls, found.name),
            found.alias if found.init else None,
            found.kw_only,
            _attrs_default(found.default, attr),
            found.on_setattr is attr.setters.frozen,
        )
        for found in declared
    )
    untyped = [found.name for found in declared if found.type is None]
    if untyped:
        raise TypeError(f"{cls.__name__}.{untyped[0]} has no annotation: write its type")
    frozen = getattr(cls.__setattr__, "__name__", "") == "_frozen_setattrs"
    generated = _init_is_generated(cls, "<attrs generated")
    has_logic = hasattr(cls, "__attrs_pre_init__") or hasattr(cls, "__attrs_post_init__")
    changes_values = any(found.converter is not None or found.validator is not None for found in declared)
    if generated and (has_logic or _keeps_its_hash(cls)):
        making = Making.CALL
    elif frozen or changes_values or not generated or not _is_made_plainly(cls):
        making = Making.STORE
    else:
        making = Making.ASSIGN
    return Blueprint(cls, attributes, making, frozen, "attrs")


def _attrs_default(default: Any, attr: Any) -> Callable[[], Any] | None:
    if default is attr.NOTHING:
        return None
    if isinstance(default, attr.Factory):
        factory: Callable[[], Any] | None = None if default.takes_self else default.factory
        return factory
    return _constant(default)


def _keeps_its_hash(cls: type[Any]) -> bool:
    code: Any = getattr(cls.__init__, "__code__", None)  # only the constructor makes room for a cached hash
    return code is not None and "_attrs_cached_hash" in (*code.co_names, *map(str, code.co_consts))


# -- pydantic


def _is_pydantic(cls: type[Any]) -> bool:
    return hasattr(cls, "__pydantic_core_schema__") and not hasattr(cls, "__dataclass_fields__")


def _read_pydantic(cls: type[Any]) -> Blueprint:
    model: Any = cls
    fields: Mapping[str, Any] = model.model_fields
    attributes = tuple(
        Attribute(
            name,
            Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation,
            _owner(cls, name),
            _pydantic_argument(info, model.model_config) or name,
            True,
            _pydantic_default(info),
            bool(info.frozen),
        )
        for name, info in fields.items()
    )
    return Blueprint(cls, attributes, Making.PYDANTIC, bool(model.model_config.get("frozen")), "pydantic")


def _pydantic_default(info: Any) -> Callable[[], Any] | None:
    if info.is_required() or getattr(info, "default_factory_takes_validated_data", False):
        return None
    return lambda: info.get_default(call_default_factory=True)


def _pydantic_argument(info: Any, config: Mapping[str, Any]) -> str | None:
    alias = info.validation_alias
    by_name = config.get("populate_by_name") or config.get("validate_by_name")
    return alias if isinstance(alias, str) and not by_name else None


# -- msgspec


def _is_msgspec(cls: type[Any]) -> bool:
    return hasattr(cls, "__struct_fields__")


def _read_msgspec(cls: type[Any]) -> Blueprint:
    struct: Any = cls
    names: tuple[str, ...] = struct.__struct_fields__
    positional: tuple[str, ...] = struct.__match_args__  # a signature would evaluate the annotations
    defaults = dict(zip(reversed(names), reversed(struct.__struct_defaults__), strict=False))
    attributes = tuple(
        Attribute(
            name,
            own_annotations(owner)[name],
            owner,
            name,
            name not in positional,
            _msgspec_default(defaults[name]) if name in defaults else None,
        )
        for name in names
        for owner in (_owner(cls, name),)
    )
    return Blueprint(cls, attributes, Making.CALL, bool(struct.__struct_config__.frozen), "msgspec")


def _msgspec_default(default: Any) -> Callable[[], Any] | None:
    msgspec: Any = sys.modules["msgspec"]
    if default is msgspec.NODEFAULT:
        return None
    factory: Callable[[], Any] | None = getattr(default, "factory", None)
    return factory if type(default).__module__.startswith("msgspec") and factory is not None else _constant(default)


_READERS: tuple[tuple[Callable[[type[Any]], bool], Callable[[type[Any]], Blueprint]], ...] = (
    (_is_msgspec, _read_msgspec),
    (_is_pydantic, _read_pydantic),
    (_is_attrs, _read_attrs),
    (_is_dataclass, _read_dataclass),
)
