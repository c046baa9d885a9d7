"""`User.age` on the class is a column; on an instance it stays the value.

The descriptors are put on the class after its library has made it: no class is rebuilt, and reading an instance
that has a `__dict__` never comes through here.
"""

from __future__ import annotations

import sys
from typing import Any, Final, Protocol, cast, final

from ommi.query.expressions import Column
from ommi.schema import Field, Schema

__all__ = ["ColumnAttribute", "Slot", "SlotColumn", "install_column", "placed", "slot_alias"]

_MISSING: Final = object()


class Slot(Protocol):
    """A descriptor that keeps the value of a field: what `__slots__` makes, or a property of the user's."""

    def __get__(self, instance: Any, owner: type[Any] | None = None, /) -> Any: ...

    def __set__(self, instance: Any, value: Any, /) -> None: ...

    def __delete__(self, instance: Any, /) -> None: ...


class ColumnAttribute:
    """A column, and the default that stood in its place; an instance's own `__dict__` is looked up before it."""

    __slots__ = ("column", "default")

    def __init__(self, column: Column[Any, Any], default: object) -> None:
        self.column = column
        self.default = default

    def __get__(self, instance: object, owner: type[Any]) -> object:
        # a subclass is no model until it is decorated, and while its library makes it, it asks for its defaults
        if instance is None and owner is self.column.schema.model:
            return self.column
        if self.default is _MISSING:
            raise AttributeError(f"type object {owner.__name__!r} has no attribute {self.column.name!r}")
        return self.default


@final
class PydanticColumnAttribute(ColumnAttribute):
    """A column that pydantic does not see: it warns of a field for which the parent class has an attribute."""

    __slots__ = ()

    def __get__(self, instance: object, owner: type[Any]) -> object:
        if instance is None and owner is self.column.schema.model:
            asking = sys._getframe(1).f_globals.get("__name__", "")
            if not asking.startswith("pydantic."):
                return self.column
        return super().__get__(owner, owner)


@final
class SlotColumn(Column[Any, Any]):
    """The column of a slot, which is also the slot's descriptor.

    attrs copies what class access returns into a subclass that declares the slot again, so it must still work there.
    """

    __slots__ = ("_get", "_set", "slot")

    def __init__(self, schema: Schema, field: Field, slot: Slot) -> None:
        super().__init__(schema, field)
        self.slot = slot
        self._get, self._set = slot.__get__, slot.__set__

    def __get__(self, instance: Any, owner: type[Any]) -> Any:
        if instance is not None:
            try:
                return self._get(instance, owner)
            except TypeError:  # an attribute of a class that has no such slot, which just holds this column
                return self
        if owner is self.schema.model or not issubclass(owner, self.schema.model):
            return self
        raise AttributeError(f"type object {owner.__name__!r} has no attribute {self.name!r}")

    def __set__(self, instance: Any, value: Any) -> None:
        self._set(instance, value)

    def __delete__(self, instance: Any) -> None:
        self.slot.__delete__(instance)


def placed(cls: type[Any], name: str) -> object:
    """What the class has under a field's name, as its library left it; `None` for nothing."""
    found = _left(_found(cls, name))
    return None if found is _MISSING else found


def slot_alias(cls: type[Any], name: str) -> str | None:
    """Another name for the slot that a column stands before, under which it is read and set without a detour."""
    return _alias(name) if isinstance(cls.__dict__.get(name), SlotColumn) else None


def install_column(schema: Schema, field: Field) -> Column[Any, Any]:
    """Make class access to a field give its column."""
    cls = schema.model
    found = _left(_found(cls, field.name))
    if hasattr(type(found), "__set__"):
        slot_column = SlotColumn(schema, field, cast("Slot", found))
        type.__setattr__(cls, field.name, slot_column)
        type.__setattr__(cls, _alias(field.name), found)
        return slot_column
    column: Column[Any, Any] = Column(schema, field)
    of_pydantic = hasattr(cls, "__pydantic_core_schema__") and not hasattr(cls, "__dataclass_fields__")
    attribute = PydanticColumnAttribute if of_pydantic else ColumnAttribute
    type.__setattr__(cls, field.name, attribute(column, found))
    return column


def _alias(name: str) -> str:
    return f"__ommi_slot_{name}__"


def _found(cls: type[Any], name: str) -> object:
    return next((base.__dict__[name] for base in cls.__mro__ if name in base.__dict__), _MISSING)


def _left(found: object) -> object:
    if isinstance(found, ColumnAttribute):
        return found.default
    return found.slot if isinstance(found, SlotColumn) else found
