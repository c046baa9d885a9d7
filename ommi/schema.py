"""What a model is, as data: table, fields, key, references, indexes. Made once per class, never changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from enum import Enum
from typing import Any, Protocol

from ommi.frozen import frozen
from ommi.values import FieldType, Storage

__all__ = ["CheckRule", "Field", "Index", "OnDelete", "Reference", "Row", "RowCodec", "Schema"]

Row = Sequence[Any]


class OnDelete(Enum):
    """What happens to the rows that refer to a row when it is deleted."""

    RESTRICT = "restrict"
    CASCADE = "cascade"
    SET_NULL = "set null"


@frozen(eq=False)
class Field:
    """One stored field: `name` on the model, `column` in the database. Compared by identity."""

    name: str
    column: str
    type: FieldType
    nullable: bool = False
    is_key: bool = False
    generated: bool = False
    """The only key, an int or UUID: assigned when it is `None` on insert."""
    max_length: int | None = None
    server_default: str | None = None
    """An SQL expression that the database evaluates when the value is left to it."""


@frozen
class Index:
    """An index over fields, in order; `unique` allows many rows with a missing value."""

    name: str
    fields: tuple[Field, ...]
    unique: bool = False


@frozen
class CheckRule:
    """A condition on every row: given a `ref` of the model, it returns a predicate."""

    name: str
    fields: tuple[str, ...]
    condition: Callable[[Any], object]


@frozen
class Reference:
    """Fields whose values are the key (or unique fields) of a row of another model.

    `target` gives that model's schema and the fields there; it is a function because the other model may be
    declared later.
    """

    name: str
    fields: tuple[Field, ...]
    target: Callable[[], tuple[Schema, tuple[Field, ...]]]
    on_delete: OnDelete = OnDelete.RESTRICT
    enforced: bool = True


class RowCodec(Protocol):
    """Turns instances of one model into rows of canonical values, and rows into instances."""

    def read(self, instance: Any, /) -> tuple[Any, ...]:
        """The values of all fields, canonical, in the schema's order; `DEFAULT` where the database assigns one.

        Raises `EncodeError`, naming model and field.
        """
        ...

    def build(self, row: Row, /) -> Any:
        """A new instance from canonical values of all fields, in the schema's order."""
        ...

    def build_all(self, rows: Sequence[Row], fields: tuple[Field, ...], values: Sequence[Row], /) -> list[Any]:
        """As `build` of each row, with canonical values of some fields in place of the row's own."""
        ...

    def fill(self, fields: Sequence[Field], instances: Sequence[Any], rows: Sequence[Row], /) -> None:
        """Set canonical values of some fields on mutable instances, a row on each; frozen ones stay as they are.

        What the first raises is raised when all were tried.
        """
        ...

    def reader(self, storage: Storage, /) -> Callable[[Iterable[Row]], list[Any]]:
        """A function from stored rows (all fields, in the schema's order) to instances.

        It takes the rows one by one and raises `DecodeError` naming table, column, key and value.
        """
        ...


@frozen(eq=False)
class Schema:
    """A model: its class, its table, and all the facts declared on it. Compared by identity."""

    model: type[Any]
    table: str
    fields: tuple[Field, ...]
    codec: RowCodec
    indexes: tuple[Index, ...] = ()
    """Unique ones first, each group as declared."""
    references: tuple[Reference, ...] = ()
    checks: tuple[CheckRule, ...] = ()
    version: Field | None = None
    alias: str | None = None
    """What the table is called in a query that names it more than once; such a schema has fields of its own."""
    key: tuple[Field, ...] = field(init=False)
    assigned: tuple[Field, ...] = field(init=False)
    """The fields a database may assign on insert."""
    by_name: dict[str, Field] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        assigned = tuple(f for f in self.fields if f.generated or f.server_default is not None)
        object.__setattr__(self, "assigned", assigned)
        object.__setattr__(self, "key", tuple(f for f in self.fields if f.is_key))
        object.__setattr__(self, "by_name", {f.name: f for f in self.fields})

    @property
    def name(self) -> str:
        """The model's name, for messages."""
        return self.model.__name__

    @property
    def label(self) -> str:
        """What the model is called in a query."""
        return self.name if self.alias is None else self.alias

    def __repr__(self) -> str:
        return f"<schema of {self.name}>"
