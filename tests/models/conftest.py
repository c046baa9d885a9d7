"""The same model in every library and variant, with a field of every kind."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from ommi.models import Key, ModelCollection, Naive, ommi_model


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


Code = NewType("Code", str)


@attrs.frozen
class Street:
    name: str
    number: int = 1


@dataclass
class Address:
    street: Street
    since: date
    rate: float
    notes: dict[str, list[Decimal | None]]
    color: Color = Color.RED


class Point(pydantic.BaseModel):
    x: float
    at: datetime


class Tag(msgspec.Struct):
    label: str
    raw: bytes
    children: list["Tag"] = msgspec.field(default_factory=list)


FIELDS: dict[str, Any] = {
    "name": str,
    "count": int,
    "ratio": float,
    "on": bool,
    "raw": bytes,
    "price": Decimal,
    "at": datetime,
    "local": Annotated[datetime, Naive],
    "day": date,
    "hour": time,
    "span": timedelta,
    "token": UUID,
    "color": Color,
    "level": Level,
    "mode": Literal["a", "b"],
    "code": Code,
    "note": str | None,
    "moment": datetime | None,
    "tags": list[str],
    "scores": dict[str, float],
    "spans": list[timedelta | None],
    "home": Address,
    "homes": list[Address],
    "point": Point | None,
    "tag": Tag,
    "anything": dict[str, Any],
    "id": Annotated[int | None, Key],
}


def _dataclass(name: str, **options: Any) -> type[Any]:
    return dataclasses.make_dataclass(name, list(FIELDS.items()), **options)


def _attrs(name: str, make: Callable[..., Any], **options: Any) -> type[Any]:
    made: type[Any] = make(type(name, (), {"__annotations__": dict(FIELDS), "__module__": __name__}), **options)
    return made


def _pydantic(name: str, **config: Any) -> type[Any]:
    namespace = {"__annotations__": dict(FIELDS), "__module__": __name__}
    namespace["model_config"] = pydantic.ConfigDict(arbitrary_types_allowed=True, **config)
    return type(pydantic.BaseModel)(name, (pydantic.BaseModel,), namespace)


def _pydantic_dataclass(name: str, **options: Any) -> type[Any]:
    plain = type(name, (), {"__annotations__": dict(FIELDS), "__module__": __name__})
    config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    made: type[Any] = pydantic.dataclasses.dataclass(plain, config=config, **options)
    return made


def _struct(name: str, **options: Any) -> type[Any]:
    return msgspec.defstruct(name, list(FIELDS.items()), module=__name__, **options)


def _inherited() -> type[Any]:
    items = list(FIELDS.items())
    parent = dataclasses.make_dataclass("Parent", items[:10])
    return dataclasses.make_dataclass("Inherited", items[10:], bases=(parent,))


VARIANTS: dict[str, type[Any]] = {
    "dataclass": _dataclass("Plain"),
    "dataclass frozen": _dataclass("Frozen", frozen=True),
    "dataclass slots": _dataclass("Slots", slots=True),
    "dataclass frozen slots": _dataclass("FrozenSlots", frozen=True, slots=True),
    "dataclass kw_only": _dataclass("KwOnly", kw_only=True),
    "dataclass inherited": _inherited(),
    "attrs define": _attrs("Define", attrs.define),
    "attrs frozen": _attrs("AttrsFrozen", attrs.frozen),
    "attrs dict": _attrs("AttrsDict", attrs.define, slots=False),
    "attrs frozen dict": _attrs("AttrsFrozenDict", attrs.frozen, slots=False),
    "pydantic": _pydantic("Pydantic"),
    "pydantic frozen": _pydantic("PydanticFrozen", frozen=True),
    "pydantic validate_assignment": _pydantic("PydanticAssigning", validate_assignment=True),
    "pydantic dataclass": _pydantic_dataclass("PydanticDataclass"),
    "pydantic dataclass frozen slots": _pydantic_dataclass("PydanticDataclassSlots", frozen=True, slots=True),
    "struct": _struct("Struct"),
    "struct frozen": _struct("StructFrozen", frozen=True),
    "struct kw_only": _struct("StructKwOnly", kw_only=True),
}

for _variant in VARIANTS.values():
    ommi_model(collection=ModelCollection())(_variant)


@pytest.fixture(scope="session", params=VARIANTS.values(), ids=VARIANTS.keys())
def everything(request: pytest.FixtureRequest) -> type[Any]:
    """A model with a field of every kind, in every library and variant."""
    model: type[Any] = request.param
    return model


@pytest.fixture(scope="session")
def kinds() -> Any:
    """The classes the fields of `everything` hold."""
    return _Kinds()


class _Kinds:
    Color = Color
    Level = Level
    Street = Street
    Address = Address
    Point = Point
    Tag = Tag
