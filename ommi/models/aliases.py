"""A model under another name: for queries that name it more than once."""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar, cast, final

from ommi.frozen import replace
from ommi.models.declared import Declared, declared_on, ref, schema_of
from ommi.query.expressions import Column
from ommi.query.standin import StandIn
from ommi.schema import Schema

__all__ = ["Alias", "alias", "row_of"]

M = TypeVar("M")


@final
class Alias:
    """A model under another name; its attributes are columns of their own."""

    def __init__(self, declared: Declared) -> None:
        self.__dict__.update(vars(declared.row))
        self.__ommi__ = declared

    def __getattr__(self, name: str) -> NoReturn:
        declared = self.__dict__.get("__ommi__")
        if declared is None:  # a copy being made
            raise AttributeError(name)
        fields = ", ".join(declared.schema.by_name)
        raise AttributeError(f"{self!r} has no field {name!r}; its fields are {fields}")

    def __repr__(self) -> str:
        schema = self.__ommi__.schema
        return f"alias({schema.name}, {schema.alias!r})"


def alias(model: type[M], name: str) -> type[M]:
    """The model under another name, for a query that names it twice: `manager = alias(Employee, "manager")`.

    It is used like the model: `find(Employee).join(manager, on=lambda e, m: e.manager_id == m.id)`, `manager.name`.
    """
    given: object = name
    if not isinstance(given, str) or not given.isidentifier():
        raise TypeError(f"alias({model.__name__}, …) takes a name, such as 'other', not {name!r}")
    base = schema_of(model)
    declared = declared_on(model)
    assert declared is not None
    found: Alias | None = declared.aliases.get(name)
    if found is None:
        fields = tuple([replace(field) for field in base.fields])
        schema = replace(base, fields=fields, indexes=(), references=(), checks=(), alias=name)
        row = StandIn(Column(schema, field) for field in fields)
        found = declared.aliases[name] = Alias(Declared(schema, row, declared.annotations, declared.remembered))
    return cast("type[M]", found)


def row_of(schema: Schema) -> Any:
    """What stands for a row of a schema in a condition."""
    if schema.alias is None:
        return ref(schema.model)
    declared = declared_on(schema.model)
    assert declared is not None
    return declared.aliases[schema.alias].__ommi__.row
