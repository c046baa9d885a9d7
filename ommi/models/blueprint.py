"""A class as its library declares it: the one shape all readers give."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any

from ommi.frozen import frozen

__all__ = ["Attribute", "Blueprint", "Making", "own_annotations"]


@frozen
class Attribute:
    """A field as its library declares it.

    `annotation` may be text; `owner` is the class of the inheritance that declares it. `argument` is the
    constructor's word for it, `None` where it takes none. `default` makes a default value.
    """

    name: str
    annotation: Any
    owner: type[Any]
    argument: str | None
    keyword_only: bool = False
    default: Callable[[], Any] | None = None
    frozen: bool = False


class Making(Enum):
    """How an instance is made of stored values, so that they stay as they are and the class's own logic runs."""

    CALL = auto()
    """The constructor is called: it has logic that an instance needs, or it is the only way."""
    ASSIGN = auto()
    """The constructor does nothing but assign, so that calling it and storing the values come to the same."""
    STORE = auto()
    """The values are put where the instance keeps them: the constructor would refuse, convert or be slow."""
    PYDANTIC = auto()
    """As STORE, with what pydantic keeps beside the values."""


@frozen
class Blueprint:
    """A class as its library declares it."""

    model: type[Any]
    attributes: tuple[Attribute, ...]
    making: Making
    frozen: bool
    library: str


def own_annotations(cls: type[Any]) -> Mapping[str, Any]:
    """The annotations in the class's own body."""
    if sys.version_info >= (3, 14):
        import annotationlib

        return annotationlib.get_annotations(cls, format=annotationlib.Format.FORWARDREF)
    return inspect.get_annotations(cls)
