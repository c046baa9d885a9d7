"""Making instances of stored values: the source text that does it, written per class."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from keyword import iskeyword
from types import MemberDescriptorType
from typing import Any

from ommi.frozen import frozen
from ommi.models.blueprint import Attribute, Blueprint, Making
from ommi.models.descriptors import placed, slot_alias

__all__ = ["Source", "compiled", "constructor", "making", "reading", "setter"]


@frozen
class Source:
    """Statements, the expression that holds their outcome, and the values of the names both use."""

    lines: tuple[str, ...]
    expression: str
    names: dict[str, Any]


def compiled(name: str, lines: Sequence[str], names: dict[str, Any]) -> Callable[..., Any]:
    """The function `name` that the lines define."""
    namespace = dict(names)
    # the text holds nothing of the user's but names of fields, which are known to be identifiers
    exec(compile("\n".join(lines), f"<ommi {name}>", "exec"), namespace)  # noqa: S102
    function: Callable[..., Any] = namespace[name]
    return function


def constructor(blueprint: Blueprint, validate: bool = False) -> Callable[..., Any]:
    """A function of the values of all attributes, in order, that makes an instance."""
    variables = [f"v{i}" for i in range(len(blueprint.attributes))]
    source = making(blueprint, variables, validate)
    body = [*source.lines, f"return {source.expression}"]
    return compiled("make", [f"def make({', '.join(variables)}):", *(f"    {line}" for line in body)], source.names)


def making(blueprint: Blueprint, values: Sequence[str], validate: bool = False) -> Source:
    """How an instance is made of the values of its attributes, given as expressions that are each used once.

    With `validate`, the library's validation runs over them.
    """
    if validate and blueprint.library == "msgspec":
        return _validated_msgspec(blueprint, values)
    match blueprint.making:
        case Making.PYDANTIC:
            return _validated_pydantic(blueprint, values) if validate else _pydantic(blueprint, values)
        case Making.STORE:
            return _called(blueprint, values) if validate else _stored(blueprint, values)
        case Making.ASSIGN if _sets_plainly(blueprint.model):
            return _assigned(blueprint, values)
        case Making.ASSIGN | Making.CALL:
            return _called(blueprint, values)


def reading(blueprint: Blueprint, instance: str) -> str:
    """The expression of a tuple with the values of all attributes of an instance."""
    cls = blueprint.model
    names = [slot_alias(cls, attribute.name) or attribute.name for attribute in blueprint.attributes]
    return f"({''.join(f'{instance}.{name}, ' for name in names)})"


def setter(blueprint: Blueprint, name: str) -> Callable[[Any, Any], None]:
    """A function that sets an attribute of an instance and runs none of the class's own code."""
    slot = placed(blueprint.model, name)
    if isinstance(slot, MemberDescriptorType):
        return slot.__set__
    if blueprint.making is not Making.PYDANTIC:
        return lambda instance, value: object.__setattr__(instance, name, value)

    def set_of_pydantic(instance: Any, value: Any) -> None:
        instance.__dict__[name] = value
        instance.__pydantic_fields_set__.add(name)

    return set_of_pydantic


def _called(blueprint: Blueprint, values: Sequence[str]) -> Source:
    names: dict[str, Any] = {"model": blueprint.model}
    arguments: list[str] = []
    later: list[tuple[Attribute, str]] = []
    positional = True
    for i, (attribute, value) in enumerate(zip(blueprint.attributes, values, strict=True)):
        if attribute.argument is None:
            later.append((attribute, value))
        elif positional and not attribute.keyword_only:
            arguments.append(value)
        elif attribute.argument.isidentifier() and not iskeyword(attribute.argument):
            positional = False
            arguments.append(f"{attribute.argument}={value}")
        else:
            positional = False
            names[f"argument{i}"] = attribute.argument
            arguments.append(f"**{{argument{i}: {value}}}")
    call = f"model({', '.join(arguments)})"
    if not later:
        return Source((), call, names)
    lines = [f"made = {call}"]
    for i, (attribute, value) in enumerate(later):
        names[f"set{i}"] = setter(blueprint, attribute.name)
        lines.append(f"set{i}(made, {value})")
    return Source(tuple(lines), "made", names)


def _sets_plainly(cls: type[Any]) -> bool:
    how: object = cls.__setattr__
    return how is object.__setattr__


def _assigned(blueprint: Blueprint, values: Sequence[str]) -> Source:
    # as fast as the constructor, and for slots faster: under their own names they come through their columns
    names = {"model": blueprint.model, "new": object.__new__}
    lines = [
        f"made.{slot_alias(blueprint.model, attribute.name) or attribute.name} = {value}"
        for attribute, value in zip(blueprint.attributes, values, strict=True)
    ]
    return Source(("made = new(model)", *lines), "made", names)


def _stored(blueprint: Blueprint, values: Sequence[str]) -> Source:
    cls = blueprint.model
    names: dict[str, Any] = {"model": cls, "new": object.__new__}
    lines = ["made = new(model)"]
    in_dict: list[str] = []
    for i, (attribute, value) in enumerate(zip(blueprint.attributes, values, strict=True)):
        place = placed(cls, attribute.name)
        if cls.__dictoffset__ != 0 and not hasattr(type(place), "__set__"):
            in_dict.append(f"fields[{attribute.name!r}] = {value}")
        else:
            names[f"set{i}"] = setter(blueprint, attribute.name)
            lines.append(f"set{i}(made, {value})")
    if in_dict:
        lines += ["fields = made.__dict__", *in_dict]
    return Source(tuple(lines), "made", names)


def _pydantic(blueprint: Blueprint, values: Sequence[str]) -> Source:
    model: Any = blueprint.model
    pairs = zip(blueprint.attributes, values, strict=True)
    names = {
        "model": model,
        "new": object.__new__,
        "set_values": _slot_of(model, "__dict__"),
        "set_names": _slot_of(model, "__pydantic_fields_set__"),
        "names_set": {attribute.name for attribute in blueprint.attributes},
    }
    lines = [
        "made = new(model)",
        f"set_values(made, {{{', '.join(f'{attribute.name!r}: {value}' for attribute, value in pairs)}}})",
        "set_names(made, names_set.copy())",
    ]
    if not getattr(model, "__pydantic_root_model__", False):
        names["set_extra"] = _slot_of(model, "__pydantic_extra__")
        lines.append(f"set_extra(made, {'{}' if model.model_config.get('extra') == 'allow' else None})")
    if getattr(model, "__pydantic_post_init__", None):
        lines.append("made.model_post_init(None)")
    else:
        names["set_private"] = _slot_of(model, "__pydantic_private__")
        lines.append("set_private(made, None)")
    return Source(tuple(lines), "made", names)


def _slot_of(model: type[Any], name: str) -> Callable[[Any, Any], None]:
    found: Any = next(base.__dict__[name] for base in model.__mro__ if name in base.__dict__)
    setter_: Callable[[Any, Any], None] = found.__set__
    return setter_


def _validated_pydantic(blueprint: Blueprint, values: Sequence[str]) -> Source:
    model: Any = blueprint.model
    names: dict[str, Any] = {"validate": model.model_validate}
    takes_names = "by_name" in inspect.signature(model.model_validate).parameters  # since pydantic 2.11
    given = []
    for i, (attribute, value) in enumerate(zip(blueprint.attributes, values, strict=True)):
        names[f"key{i}"] = attribute.name if takes_names else attribute.argument
        given.append(f"key{i}: {value}")
    how = ", by_alias=False, by_name=True" if takes_names else ""
    return Source((), f"validate({{{', '.join(given)}}}{how})", names)


def _validated_msgspec(blueprint: Blueprint, values: Sequence[str]) -> Source:
    model: Any = blueprint.model
    msgspec: Any = sys.modules["msgspec"]
    names = {"convert": msgspec.convert, "model": model}
    given = []
    for i, (name, value) in enumerate(zip(model.__struct_encode_fields__, values, strict=True)):
        names[f"key{i}"] = name
        given.append(f"key{i}: {value}")
    return Source((), f"convert({{{', '.join(given)}}}, model)", names)
