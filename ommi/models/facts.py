"""What a field's annotation can say about it: `Annotated[str, Unique, MaxLength(80)]`."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, NoReturn, TypeAlias, final

from ommi.query.expressions import Predicate
from ommi.schema import OnDelete

__all__ = [
    "BsonDate",
    "Check",
    "Fact",
    "Index",
    "Key",
    "Marker",
    "MaxLength",
    "Naive",
    "OnDelete",
    "ReferenceTo",
    "ServerDefault",
    "StoreAs",
    "Unique",
    "Version",
    "auto",
]


@final
class Marker(Enum):
    """A fact that needs no value."""

    KEY = "Key"
    UNIQUE = "Unique"
    INDEX = "Index"
    NAIVE = "Naive"
    VERSION = "Version"
    BSON_DATE = "BsonDate"

    def __repr__(self) -> str:
        return self.value

    def __call__(self, *_: object) -> NoReturn:
        raise TypeError(f"{self.value} takes no arguments: write Annotated[int, {self.value}], without parentheses")


Key: Final = Marker.KEY
"""The field is the key; several make a composite one."""
Unique: Final = Marker.UNIQUE
"""No two rows have the same value; many may have none."""
Index: Final = Marker.INDEX
"""Rows are found quickly by this field."""
Naive: Final = Marker.NAIVE
"""The datetime has no time zone."""
BsonDate: Final = Marker.BSON_DATE
"""MongoDB keeps the datetime as a date of its own, which has milliseconds; what has microseconds is refused."""
Version: Final = Marker.VERSION
"""The field counts the saves, so that saving an outdated instance is a `StaleRecord`."""


# The facts below are compared by identity: `typing` compares what is annotated, and a column compared is a
# condition, which has no truth value.


@final
class StoreAs:
    """The column's name in the database, where it is not the field's."""

    __slots__ = ("column",)

    def __init__(self, column: str) -> None:
        self.column = column

    def __repr__(self) -> str:
        return f"StoreAs({self.column!r})"


@final
class ReferenceTo:
    """The value is the key (or a unique field) of a row of another model.

    `target` is that model, one of its columns (`Other.id`), or, where it is declared later, its name (`"Other"`,
    `"Other.id"`) or a function (`lambda: Other`). `enforced=False` lets values stand that no row has.
    """

    __slots__ = ("enforced", "on_delete", "target")

    def __init__(self, target: object, *, on_delete: OnDelete | str = OnDelete.RESTRICT, enforced: bool = True) -> None:
        self.target = target
        self.on_delete = _on_delete(on_delete)
        self.enforced = enforced

    def __repr__(self) -> str:
        name = self.target.__name__ if isinstance(self.target, type) else repr(self.target)
        return f"ReferenceTo({name})"


def _on_delete(said: OnDelete | str) -> OnDelete:
    if isinstance(said, OnDelete):
        return said
    try:
        return OnDelete(said.lower().replace("_", " "))
    except (AttributeError, ValueError):
        choices = ", ".join(repr(choice.value) for choice in OnDelete)
        raise ValueError(f"on_delete={said!r} is none of {choices}") from None


@final
class MaxLength:
    """A text has at most so many characters (code points)."""

    __slots__ = ("length",)

    def __init__(self, length: int) -> None:
        if type(length) is not int or length < 1:
            raise TypeError(f"MaxLength(…) takes a number of characters of at least 1, not {length!r}")
        self.length = length

    def __repr__(self) -> str:
        return f"MaxLength({self.length})"


@final
class Check:
    """A condition that every row meets: `Check(lambda u: u.age >= 0)`. A missing value does not meet it.

    The name of the constraint is made from table and fields unless `name` gives one.
    """

    __slots__ = ("condition", "name")

    def __init__(self, condition: Callable[[Any], Predicate[Any] | bool], name: str | None = None) -> None:
        if not callable(condition):
            raise TypeError(f"Check(…) takes a function of the row, Check(lambda u: u.age >= 0), not {condition!r}")
        self.condition = condition
        self.name = name

    def __repr__(self) -> str:
        return f"Check({'' if self.name is None else self.name})"


@final
class ServerDefault:
    """An SQL expression whose value the database puts in where none is given."""

    __slots__ = ("expression",)

    def __init__(self, expression: str) -> None:
        if not expression.strip():
            raise TypeError("ServerDefault(…) takes an SQL expression, not an empty text")
        self.expression = expression

    def __repr__(self) -> str:
        return f"ServerDefault({self.expression!r})"


Fact: TypeAlias = Marker | StoreAs | ReferenceTo | MaxLength | Check | ServerDefault


def auto() -> Any:
    """`None` for a checker that wants an `int`: the database assigns the value on insert."""
    return None
