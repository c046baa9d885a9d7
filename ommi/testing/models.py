"""The models of the conformance suite, in a collection of their own; dataclasses, so that they need no extra."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

from ommi.models import (
    Check,
    Index,
    Key,
    MaxLength,
    ModelCollection,
    Naive,
    ReferenceTo,
    ServerDefault,
    StoreAs,
    Unique,
    Version,
    auto,
    ommi_model,
)
from ommi.query.expressions import col

__all__ = [
    "Account",
    "Address",
    "Author",
    "Badge",
    "Book",
    "Chapter",
    "Color",
    "Job",
    "Level",
    "Loan",
    "Node",
    "Note",
    "Order",
    "Page",
    "Parcel",
    "Player",
    "Point",
    "Remark",
    "Sample",
    "Seat",
    "Shelf",
    "Tag",
    "Ticket",
    "suite_models",
]

suite_models = ModelCollection()


class Color(Enum):
    """An enum kept as text."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"


class Level(Enum):
    """An enum kept as a number."""

    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Address:
    """A structure inside a model."""

    street: str
    number: int
    since: date | None = None
    rent: Decimal | None = None


@ommi_model(collection=suite_models)
@dataclass
class Sample:
    """A value of every kind that may be missing, and of some that may not."""

    id: Annotated[int, Key] = auto()
    whole: int | None = None
    other: int | None = None
    real: float | None = None
    flag: bool | None = None
    text: str | None = None
    label: str | None = None
    data: bytes | None = None
    amount: Decimal | None = None
    moment: datetime | None = None
    local: Annotated[datetime | None, Naive] = None
    day: date | None = None
    hour: time | None = None
    span: timedelta | None = None
    token: UUID | None = None
    color: Color | None = None
    level: Level | None = None
    size: Literal["S", "M", "L"] | None = None
    words: list[str] | None = None
    numbers: list[int] | None = None
    extra: dict[str, Any] | None = None
    address: Address | None = None
    addresses: list[Address] = field(default_factory=list)
    count: Annotated[int, Index] = 0
    title: str = ""


@ommi_model(collection=suite_models, unique=[("team", "shirt")])
@dataclass
class Player:
    """A row with rules: a unique text, a unique pair, a check, and a longest name."""

    name: Annotated[str, MaxLength(8)]
    email: Annotated[str | None, Unique] = None
    age: Annotated[int, Check(lambda p: p.age >= 0)] = 0
    team: str | None = None
    shirt: int | None = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=suite_models)
@dataclass
class Account:
    """A key that the program chooses."""

    id: Annotated[int, Key]
    owner: str
    balance: Annotated[int, Check(lambda a: a.balance >= 0, name="balance_counts")] = 0
    code: Annotated[str | None, Unique] = None


@ommi_model(collection=suite_models)
@dataclass
class Parcel:
    """Checks on values that may be missing: one forbids it, one says otherwise."""

    weight: Annotated[int | None, Check(lambda p: p.weight > 0)] = 1
    depth: Annotated[int | None, Check(lambda p: col(p.depth).is_null() | (p.depth > 0))] = None
    note: Annotated[str | None, MaxLength(3)] = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=suite_models)
@dataclass(frozen=True)
class Point:
    """A frozen record with a generated key."""

    x: float
    y: float
    id: Annotated[int, Key] = auto()


@ommi_model(collection=suite_models)
@dataclass
class Badge:
    """A key that is a generated UUID."""

    name: str
    id: Annotated[UUID, Key] = auto()


@ommi_model(collection=suite_models)
@dataclass
class Tag:
    """A key that is a text."""

    name: Annotated[str, Key]
    color: Color = Color.RED


@ommi_model(collection=suite_models)
@dataclass
class Page:
    """A row with an optimistic lock."""

    text: str
    version: Annotated[int, Version] = 0
    id: Annotated[int, Key] = auto()


@ommi_model(collection=suite_models)
@dataclass
class Job:
    """Values that the database assigns where none is given."""

    name: str
    state: Annotated[str, ServerDefault("'new'")] = auto()
    tries: Annotated[int, ServerDefault("3")] = auto()
    note: Annotated[str | None, ServerDefault("'none'")] = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=suite_models)
@dataclass
class Order:
    """Names that are words of SQL, or hold what a name rarely holds."""

    group: int
    select: Annotated[str, StoreAs('a "quoted" name')] = ""
    where: Annotated[str | None, StoreAs("Mixed Case"), Index] = None
    limit: Annotated[int, Check(lambda o: o.limit < 1000)] = 0
    id: Annotated[int, Key] = auto()


@ommi_model(collection=suite_models)
@dataclass
class Seat:
    """A key of two parts."""

    row: Annotated[int, Key]
    number: Annotated[int, Key]
    guest: str | None = None


@ommi_model(collection=suite_models)
@dataclass
class Ticket:
    """A reference of two parts."""

    id: Annotated[int, Key]
    row: Annotated[int | None, ReferenceTo(Seat.row)] = None
    number: Annotated[int | None, ReferenceTo(Seat.number)] = None


@ommi_model(collection=suite_models)
@dataclass
class Author:
    """What others refer to."""

    id: Annotated[int, Key]
    name: str = ""


@ommi_model(collection=suite_models)
@dataclass
class Book:
    """A reference that holds what it refers to."""

    id: Annotated[int, Key]
    author: Annotated[int, ReferenceTo(Author)]
    editor: Annotated[int | None, ReferenceTo(Author)] = None


@ommi_model(collection=suite_models)
@dataclass
class Chapter:
    """A reference that is deleted with what it refers to."""

    id: Annotated[int, Key]
    book: Annotated[int, ReferenceTo(Book, on_delete="cascade")]


@ommi_model(collection=suite_models)
@dataclass
class Note:
    """A reference that goes missing with what it refers to."""

    id: Annotated[int, Key]
    chapter: Annotated[int | None, ReferenceTo(Chapter, on_delete="set null")] = None


@ommi_model(collection=suite_models)
@dataclass
class Remark:
    """A reference that nobody checks."""

    id: Annotated[int, Key]
    author: Annotated[int, ReferenceTo(Author, enforced=False)]


@ommi_model(collection=suite_models)
@dataclass
class Node:
    """A reference to its own table."""

    id: Annotated[int, Key]
    parent: Annotated[int | None, ReferenceTo("Node", on_delete="cascade")] = None


@ommi_model(collection=suite_models)
@dataclass
class Shelf:
    """A unique text that others refer to."""

    id: Annotated[int, Key]
    code: Annotated[str, Unique]


@ommi_model(collection=suite_models)
@dataclass
class Loan:
    """A reference to a unique field that is not the key."""

    id: Annotated[int, Key]
    shelf: Annotated[str, ReferenceTo(Shelf.code)]
