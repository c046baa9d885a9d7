"""Groups of models, whose tables are created together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ommi.models.declared import schema_of
from ommi.schema import Schema

__all__ = ["ModelCollection", "global_collection", "ordered"]


class ModelCollection:
    """Models in the order they were declared.

    A class declared again under the same qualified name (a module reloaded, a cell run twice) takes the place of
    the older one. A model declared in a function takes the place of one with the same table declared in another
    function, whose run is over.
    """

    __slots__ = ("_schemas", "changes")

    def __init__(self, *models: type[Any]) -> None:
        self._schemas: dict[str, Schema] = {}
        self.changes = 0
        """Grows with every model: what was found by a name may be another one since."""
        for model in models:
            self.add(model)

    def add(self, model: type[Any]) -> None:
        """Put a model in; `TypeError` if another model of the same module has its table."""
        schema = schema_of(model)
        name, scope = _qualified(model), _scope(model)
        self._schemas.pop(name, None)
        for other in [other for other in self._schemas.values() if _same_table(schema, other)]:
            if _scope(other.model) == scope:
                raise _refused(other, schema)
            if "<locals>" in _scope(other.model):
                self._forget(_scope(other.model))
        self._schemas[name] = schema
        self.changes += 1

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(schema.name for schema in self._schemas.values())

    @property
    def schemas(self) -> tuple[Schema, ...]:
        """The schemas of the models, as declared."""
        return tuple(self._schemas.values())

    def named(self, name: str, module: str) -> tuple[Schema, ...]:
        """The models whose class has the name; if there are several, only those of the module if it has any."""
        found = [schema for schema in self._schemas.values() if schema.name == name]
        near = [schema for schema in found if schema.model.__module__ == module]
        return tuple(near or found)

    def _forget(self, scope: str) -> None:
        self._schemas = {name: schema for name, schema in self._schemas.items() if _scope(schema.model) != scope}

    def __iter__(self) -> Iterator[type[Any]]:
        return iter([schema.model for schema in self._schemas.values()])

    def __len__(self) -> int:
        return len(self._schemas)

    def __contains__(self, model: object) -> bool:
        return any(schema.model is model for schema in self._schemas.values())

    def __repr__(self) -> str:
        return f"ModelCollection({', '.join(self.names)})"


_GLOBAL: Final = ModelCollection()


def global_collection() -> ModelCollection:
    """The collection of the models that name none."""
    return _GLOBAL


def ordered(collection: ModelCollection) -> tuple[Schema, ...]:
    """The schemas, each after those it refers to, otherwise as declared; models that refer to each other in a circle
    come in the order they are met.

    Raises `TypeError` for two models with one table, or a reference that leads nowhere.
    """
    if not isinstance(collection, ModelCollection):
        raise TypeError(
            f"tables are made for a ModelCollection, not for {collection!r}: say ModelCollection(User, …), or nothing "
            "for all models"
        )
    _refuse_clashes(collection)
    schemas = collection.schemas
    inside = set(schemas)
    done: dict[Schema, None] = {}
    met: set[Schema] = set()
    for start in schemas:
        stack = [start]
        while stack:
            schema = stack[-1]
            later = [] if schema in met else _referred(schema)
            met.add(schema)
            if missing := [other for other in later if other in inside and other not in met]:
                stack.extend(reversed(missing))
            else:
                done.setdefault(stack.pop())
    return tuple(done)


def _referred(schema: Schema) -> list[Schema]:
    return [reference.target()[0] for reference in schema.references]


def _refuse_clashes(collection: ModelCollection) -> None:
    tables: dict[str, Schema] = {}
    indexes: dict[str, Schema] = {}
    for schema in collection.schemas:
        other = tables.setdefault(schema.table.casefold(), schema)
        if other is not schema:
            raise _refused(other, schema)
        for index in schema.indexes:
            holder = indexes.setdefault(index.name.casefold(), schema)
            if holder is not schema:
                raise TypeError(
                    f"{holder.name} and {schema.name} would both have the index {index.name}: "
                    f"give one another table name, @ommi_model(name=…)"
                )


def _same_table(one: Schema, other: Schema) -> bool:
    return one.table.casefold() == other.table.casefold()


def _refused(one: Schema, other: Schema) -> TypeError:
    return TypeError(
        f"{_qualified(one.model)} and {_qualified(other.model)} would both have the table {other.table!r}: "
        "give one another name, @ommi_model(name=…), or a collection of its own, @ommi_model(collection=…)"
    )


def _qualified(model: type[Any]) -> str:
    return f"{model.__module__}.{model.__qualname__}"


def _scope(model: type[Any]) -> str:
    """The function a class was declared in, or its module."""
    function, local, _ = model.__qualname__.rpartition("<locals>")
    return f"{model.__module__}.{function}{local}" if local else model.__module__
