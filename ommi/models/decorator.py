"""`@ommi_model`: makes a model of a class, which stays what it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

from ommi.models.annotations import Names, names_at
from ommi.models.collection import ModelCollection, global_collection
from ommi.models.declaration import Options, declaration
from ommi.models.declared import Declared, mark_declared
from ommi.models.descriptors import install_column
from ommi.models.facts import Check
from ommi.models.relations import install_relations
from ommi.query.standin import StandIn

__all__ = ["ommi_model"]

C = TypeVar("C", bound=type)


@overload
def ommi_model(cls: C, /) -> C: ...
@overload
def ommi_model(
    *,
    collection: ModelCollection | None = None,
    name: str | None = None,
    indexes: Sequence[str | Sequence[str]] = (),
    unique: Sequence[str | Sequence[str]] = (),
    checks: Sequence[Check] = (),
    validate: bool = False,
) -> Callable[[C], C]: ...
def ommi_model(
    cls: Any = None,
    /,
    *,
    collection: ModelCollection | None = None,
    name: str | None = None,
    indexes: Sequence[str | Sequence[str]] = (),
    unique: Sequence[str | Sequence[str]] = (),
    checks: Sequence[Check] = (),
    validate: bool = False,
) -> Any:
    """Make a dataclass, attrs class, pydantic model or msgspec Struct a model with a table of its own.

    `name` is the table's, otherwise the class's in snake_case. `indexes` and `unique` name fields, or groups of
    them. With `validate`, loaded rows go through the library's validation. Without `collection`, the model is in
    `global_collection()`. Raises `TypeError`, naming model, field and remedy, for what cannot be stored.
    """
    options = Options(
        global_collection() if collection is None else collection, name, indexes, unique, checks, validate
    )
    # the frame that calls the decorator is where the class statement is, and its local names
    if cls is None:
        return lambda decorated: _declare(decorated, options, names_at(sys._getframe(1)))
    return _declare(cls, options, names_at(sys._getframe(1)))


def _declare(cls: Any, options: Options, names: Names) -> Any:
    if not isinstance(cls, type):
        raise TypeError(f"@ommi_model is put on a class, not on {cls!r}; its options are keywords, name=…")
    schema, annotations = declaration(cls, options, names)
    row = StandIn([install_column(schema, field) for field in schema.fields])
    mark_declared(Declared(schema, row, annotations, install_relations(schema, names, options.collection)))
    options.collection.add(cls)
    return cls
