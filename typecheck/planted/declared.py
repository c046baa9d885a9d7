"""Errors that every checker must find where models are declared and made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from models import Admin, Attrs, FrozenSlotted, KeywordOnly, Order, Pydantic, Slotted, Struct, User

from ommi import Check, Key, MaxLength, ModelCollection, OnDelete, ReferenceTo, StoreAs, auto, ommi_model

# the constructor is the class's own
User("Ada")  # WANT mypy pyright
User("Ada", "ada@example.org", "36")  # WANT mypy pyright
User("Ada", "ada@example.org", 36, nope=1)  # WANT mypy pyright
Order(1)  # WANT mypy pyright
Order(1, 2, colour="red")  # WANT mypy pyright
Slotted("Ada", "36")  # WANT mypy pyright
FrozenSlotted("Ada", 36)  # WANT mypy pyright
KeywordOnly("Ada", "x", 3)  # WANT mypy pyright
Attrs("Ada", "36")  # WANT mypy pyright
Attrs("Ada", 36, nope=1)  # WANT mypy pyright
Pydantic(name="Ada")  # WANT mypy pyright
Pydantic(name="Ada", age="36")  # WANT mypy pyright
Pydantic(name="Ada", age=36, nope=1)  # WANT mypy pyright
Struct("Ada", "36")  # WANT mypy pyright
Admin("Ada", "ada@example.org", 36, level="x")  # WANT mypy pyright

# so are its instances
user = User.make()
user.nope  # WANT mypy pyright
user.age = "x"  # WANT mypy pyright
user.label = "x"  # WANT mypy pyright
Order(1, 2).total = 3  # WANT mypy pyright
FrozenSlotted(name="x", age=3).age = 3  # WANT mypy pyright
text: str = user.age  # WANT mypy pyright

# the decorator
ommi_model(3)  # WANT mypy pyright
ommi_model(nope=3)  # WANT mypy pyright
ommi_model(name=3)  # WANT mypy pyright
ommi_model(collection="users")  # WANT mypy pyright
ommi_model(indexes=[3])  # WANT mypy pyright
ommi_model(User, name="users")  # WANT mypy pyright
ModelCollection(3)  # WANT mypy pyright
MaxLength("3")  # WANT mypy pyright
StoreAs(3)  # WANT mypy pyright
StoreAs()  # WANT mypy pyright
ReferenceTo(User, on_delete=3)  # WANT mypy pyright
Check("age > 3")  # WANT mypy pyright
OnDelete.NOPE  # WANT mypy pyright


@ommi_model
@dataclass
class Late:
    id: Annotated[int, Key] = auto()
    name: str  # WANT mypy pyright
