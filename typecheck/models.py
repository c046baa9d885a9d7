"""The models of these files, one of each kind; loaded by the checkers only."""

from __future__ import annotations

import datetime as dt
from dataclasses import KW_ONLY, InitVar, dataclass, field
from enum import Enum
from typing import Annotated, ClassVar
from uuid import UUID

import attrs
import msgspec
import pydantic

import ommi
from ommi import Key, MaxLength, ModelCollection, ReferenceTo, ToMany, ToOne, Unique, auto, ommi_model

collection = ModelCollection()


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@ommi_model
@dataclass
class User:
    name: str
    email: Annotated[str, Unique, MaxLength(80)]
    age: int
    height: float | None = None
    tags: list[str] = field(default_factory=list[str])
    deleted_at: dt.datetime | None = None
    id: Annotated[int, Key] = auto()
    table: ClassVar[str] = "users"

    @property
    def label(self) -> str:
        return self.name

    def greet(self, other: User) -> str:
        return other.name

    @classmethod
    def make(cls) -> User:
        return cls("Ada", "ada@example.org", 36)

    @staticmethod
    def limit() -> int:
        return 3


@ommi_model(collection=collection, name="orders")
@dataclass(frozen=True)
class Order:
    user_id: int
    total: int
    colour: Colour = Colour.RED
    note: str | None = None
    id: Annotated[UUID, Key] = auto()


@ommi_model(collection=collection)
@dataclass(slots=True)
class Slotted:
    name: str
    age: int
    deleted_at: dt.datetime | None = None
    id: Annotated[int, Key] = auto()

    def older(self) -> None:
        self.age = self.age + 1


@ommi_model(collection=collection)
@dataclass(slots=True, frozen=True, kw_only=True)
class FrozenSlotted:
    name: str
    age: int
    id: Annotated[int, Key] = auto()


@ommi.ommi_model(collection=collection, indexes=["name", ("name", "age")], unique=["name"])
@dataclass
class KeywordOnly:
    name: str
    secret: InitVar[str]
    _: KW_ONLY
    age: int
    _hidden: int = 0
    id: Annotated[int, Key] = auto()


@ommi_model(collection=collection)
@attrs.define
class Attrs:
    name: str
    age: int
    deleted_at: dt.datetime | None = None
    id: Annotated[int, Key] = auto()

    def older(self) -> None:
        self.age = self.age + 1


@ommi_model(collection=collection)
@attrs.frozen(slots=False)
class FrozenAttrs:
    name: str
    age: int = attrs.field(validator=attrs.validators.instance_of(int))
    deleted_at: dt.datetime | None = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=collection)
class Pydantic(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    name: str
    age: int = pydantic.Field(gt=0)
    deleted_at: dt.datetime | None = None
    id: Annotated[int | None, Key] = None
    _cache: dict[str, int] = pydantic.PrivateAttr(default_factory=dict)


@ommi_model(collection=collection)
class Struct(msgspec.Struct):
    name: str
    age: int
    deleted_at: dt.datetime | None = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=collection)
@dataclass
class Admin(User):
    level: int = 0


@ommi_model(collection=collection)
@dataclass
class Writer:
    name: str
    mentor_id: Annotated[int | None, ReferenceTo("Writer")] = None
    id: Annotated[int, Key] = auto()
    books: ClassVar[ToMany["Book"]] = ToMany()
    mentor: ClassVar[ToOne["Writer | None"]] = ToOne(on="mentor_id")


@ommi_model(collection=collection)
@dataclass(slots=True, weakref_slot=True)
class Book:
    title: str
    writer_id: Annotated[int, ReferenceTo(Writer)]
    id: Annotated[int, Key] = auto()
    writer: ClassVar[ToOne[Writer]] = ToOne()
    genres: ClassVar[ToMany["Genre"]] = ToMany(through="Shelving")


@ommi_model(collection=collection)
class Genre(pydantic.BaseModel):
    id: Annotated[int | None, Key] = None
    name: str
    books: ClassVar[ToMany["Book"]] = ToMany(through="Shelving")


@ommi_model(collection=collection)
class Shelving(msgspec.Struct, weakref=True):
    book: Annotated[int, Key, ReferenceTo(Book)]
    genre: Annotated[int, Key, ReferenceTo(Genre)]
    genre_of: ClassVar[ToOne["Genre"]] = ToOne()


@ommi_model(collection=collection)
@attrs.define
class Review:
    book: Annotated[int | None, ReferenceTo(Book)]
    id: Annotated[int, Key] = auto()
    about: ClassVar[ToOne["Book | None"]] = ToOne()


@dataclass
class Guest(User):
    """A subclass of a model that is no model itself."""

    visits: int = 0


@dataclass
class NoModel:
    name: str
    age: int = 3


class TooPoor(Exception):
    """An application's own errors."""

    missing: int = 0


class Closed(Exception):
    reason: str = ""


def name_of(user: User) -> str:
    return user.name
