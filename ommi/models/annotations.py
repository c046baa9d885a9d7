"""Annotations: evaluating those that are text, and taking the facts out of them."""

from __future__ import annotations

import sys
import typing
from collections import ChainMap
from collections.abc import Mapping, Sequence
from types import FrameType, GenericAlias, NoneType, UnionType
from typing import Annotated, Any, Final, ForwardRef, NewType, TypeVar, Union, get_args, get_origin

import typing_extensions

from ommi.frozen import frozen
from ommi.models.facts import (
    Check,
    Fact,
    Marker,
    MaxLength,
    ReferenceTo,
    ServerDefault,
    StoreAs,
)

__all__ = ["Bare", "Names", "evaluated", "names_at", "spelled", "unwrapped"]

_FACTS = (Marker, StoreAs, ReferenceTo, MaxLength, Check, ServerDefault)
_UNIONS = (Union, UnionType)
_ALIASES: tuple[Any, ...] = tuple(
    {alias for module in (typing, typing_extensions) if (alias := getattr(module, "TypeAliasType", None)) is not None}
)

Names = Mapping[str, Any]
"""What annotations that are text can name besides their module's globals."""


@frozen
class Bare:
    """An annotation without what surrounds it: the type, whether it may be `None`, and the facts."""

    type: Any
    nullable: bool
    facts: tuple[Fact, ...]


def names_at(frame: FrameType) -> Names:
    """The local names at a class statement; at module level none, since those are globals."""
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def evaluated(annotation: object, owner: type[Any], place: str, names: Names) -> Any:
    """The annotation of a field that `owner` declares, with all text in it evaluated; facts are kept.

    Raises `TypeError` naming `place` where a name in it is unknown.
    """
    module = sys.modules.get(owner.__module__)
    # a field may have the name of its type (`date: date`): what the class body defines is looked up last
    around = {**vars(owner), **(vars(module) if module is not None else {})}
    local = ChainMap({owner.__name__: owner}, dict(names))
    holder = type(owner.__name__, (), {"__annotations__": {"field": annotation}, "__module__": owner.__module__})
    try:
        return typing.get_type_hints(holder, around, local, include_extras=True)["field"]
    except NameError as error:
        raise TypeError(
            f"{place}: the annotation {spelled(annotation)} cannot be evaluated, {error}. "
            f"Import or define it in {owner.__module__} before the class, not only under TYPE_CHECKING"
        ) from error
    except (SyntaxError, TypeError, AttributeError) as error:
        raise TypeError(f"{place}: the annotation {spelled(annotation)} cannot be evaluated: {error}") from error


def unwrapped(annotation: Any, place: str) -> Bare:
    """The annotation without `Annotated`, `Final`, `| None`, `NewType` and aliases.

    Raises `TypeError` naming `place` for a union of several types.
    """
    facts: list[Fact] = []
    nullable = False
    found = annotation
    while True:
        origin = get_origin(found)
        if origin is Annotated or origin is typing_extensions.Annotated:
            facts.extend(_facts(found.__metadata__, place))
            found = found.__origin__
        elif origin is Final:
            (found,) = get_args(found)
        elif origin in _UNIONS:
            members = [member for member in get_args(found) if member is not NoneType]
            nullable = nullable or len(members) < len(get_args(found))
            if len(members) != 1:
                raise TypeError(
                    f"{place}: {spelled(found)} cannot be stored: a column holds one type. "
                    "Choose one of them, or store them in fields of their own, each `| None`"
                )
            found = members[0]
        elif origin is typing.Literal and None in get_args(found) and len(get_args(found)) > 1:
            nullable = True
            found = typing.Literal[tuple(value for value in get_args(found) if value is not None)]
        elif isinstance(found, NewType):
            found = found.__supertype__
        elif isinstance(found, _ALIASES):
            found = found.__value__
        elif isinstance(origin, _ALIASES):
            found = origin.__value__[get_args(found)]
        else:
            return Bare(found, nullable, tuple(facts))


def _facts(metadata: Sequence[object], place: str) -> list[Fact]:
    for said in metadata:
        if isinstance(said, type) and said in _FACTS:
            raise TypeError(f"{place}: {said.__name__} needs its value: write {said.__name__}(…)")
    return [said for said in metadata if isinstance(said, _FACTS)]


def spelled(annotation: object) -> str:
    """An annotation as it is written, for messages."""
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, ForwardRef):
        return annotation.__forward_arg__
    if isinstance(annotation, TypeVar):
        return f"the type variable {annotation.__name__}"
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias):
        return annotation.__name__
    return repr(annotation).replace("typing.", "")
