"""A decorated class is the class it was."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Any, assert_type
from uuid import UUID

from models import (
    Admin,
    Attrs,
    Colour,
    FrozenAttrs,
    FrozenSlotted,
    KeywordOnly,
    Order,
    Pydantic,
    Slotted,
    Struct,
    User,
    collection,
)

from ommi import (
    Check,
    Index,
    Key,
    MaxLength,
    ModelCollection,
    Naive,
    OnDelete,
    ReferenceTo,
    ServerDefault,
    StoreAs,
    Unique,
    Version,
    auto,
    ommi_model,
)

# the constructor
assert_type(User("Ada", "ada@example.org", 36), User)
assert_type(User(name="Ada", email="ada@example.org", age=36, id=3), User)
assert_type(Order(1, 2, note=None), Order)
assert_type(Slotted("Ada", 36), Slotted)
assert_type(FrozenSlotted(name="Ada", age=36), FrozenSlotted)
assert_type(KeywordOnly("Ada", "x", age=3), KeywordOnly)
assert_type(Attrs("Ada", 36), Attrs)
assert_type(FrozenAttrs("Ada", 36), FrozenAttrs)
assert_type(Pydantic(name="Ada", age=36), Pydantic)
assert_type(Struct("Ada", 36), Struct)
assert_type(Admin("Ada", "ada@example.org", 36, level=3), Admin)

# instances
assert_type(User.make().age, int)
assert_type(User.make().id, int)
assert_type(User.make().height, float | None)
assert_type(User.make().label, str)
assert_type(User.make().greet(User.make()), str)
assert_type(Order(1, 2).id, UUID)
assert_type(Order(1, 2).colour, Colour)
assert_type(Slotted("Ada", 36).age, int)
assert_type(Attrs("Ada", 36).deleted_at, dt.datetime | None)
assert_type(FrozenAttrs("Ada", 36).age, int)
assert_type(Pydantic(name="Ada", age=36).id, int | None)
assert_type(Struct("Ada", 36).age, int)
assert_type(Admin("Ada", "ada@example.org", 36).level, int)
user = User.make()
user.age = 4
Slotted("Ada", 36).age = 4
Attrs("Ada", 36).age = 4
Struct("Ada", 36).age = 4

# what is no column
assert_type(User.table, str)
assert_type(User.make(), User)
assert_type(User.limit(), int)
assert_type(User.greet(user, user), str)
assert_type(auto(), Any)


@ommi_model(
    collection=ModelCollection(User, Order),
    name="notes",
    indexes=["text", ("text", "written")],
    unique=[("author", "text")],
    checks=[Check(lambda note: note.author > 0)],
    validate=True,
)
@dataclass
class Note:
    text: Annotated[str, MaxLength(80), StoreAs("body"), Check(lambda n: n.text != "", name="not_empty")]
    author: Annotated[int, ReferenceTo(User, on_delete=OnDelete.CASCADE), Index]
    order: Annotated[UUID | None, ReferenceTo("Order", enforced=False)]
    written: Annotated[dt.datetime, Naive]
    place: Annotated[str, ServerDefault("'here'")] = auto()
    version: Annotated[int, Version] = 0
    first: Annotated[int, Key] = auto()
    second: Annotated[int, Key, Unique] = auto()


assert_type(Note("x", 1, None, dt.datetime.min), Note)
assert_type(Note("x", 1, None, dt.datetime.min).text, str)
assert_type(collection.names, tuple[str, ...])
