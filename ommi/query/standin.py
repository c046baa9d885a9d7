"""What a condition's lambda is given in place of a row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, final

from ommi.query.expressions import Column
from ommi.schema import Schema

__all__ = ["StandIn", "columns_in", "key_column", "schema_in"]


@final
class StandIn:
    """Stands for a row of a model: each of its attributes is a column."""

    def __init__(self, columns: Iterable[Column[Any, Any]]) -> None:
        self.__dict__.update({column.name: column for column in columns})

    def __getattr__(self, name: str) -> NoReturn:
        if not self.__dict__:  # a copy being made
            raise AttributeError(name)
        fields = ", ".join(self.__dict__)
        column: Column[Any, Any] = next(iter(self.__dict__.values()))
        raise AttributeError(f"{column.schema.name} has no field {name!r}; its fields are {fields}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{name} cannot be set: this is no row but stands for one in a condition")

    def __repr__(self) -> str:
        column: Column[Any, Any] = next(iter(self.__dict__.values()))
        return f"<any {column.schema.name}>"


def columns_in(row: StandIn) -> tuple[Column[Any, Any], ...]:
    """The columns of what a stand-in stands for, in the order of the fields."""
    return tuple(vars(row).values())


def schema_in(row: StandIn) -> Schema:
    """The model that a stand-in stands for a row of."""
    return columns_in(row)[0].schema


def key_column(row: StandIn) -> Column[Any, Any]:
    """A column that is there wherever the row is: of its key."""
    return next(column for column in columns_in(row) if column.field.is_key)
