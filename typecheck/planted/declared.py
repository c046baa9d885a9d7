"""Errors that every checker must find where models are declared and made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from models import Admin, Attrs, FrozenSlotted, KeywordOnly, Order, Pydantic, Slotted, Struct, User

from ommi import Check, Key, MaxLength, ModelCollection, OnDelete, ReferenceTo, StoreAs, auto, ommi_model

# the constructor is the class's own
User("Ada")  # WANT mypy[call-arg] pyright[reportCallIssue]
User("Ada", "ada@example.org", "36")  # WANT mypy[arg-type] pyright[reportArgumentType]
User("Ada", "ada@example.org", 36, nope=1)  # WANT mypy[call-arg] pyright[reportCallIssue]
Order(1)  # WANT mypy[call-arg] pyright[reportCallIssue]
Order(1, 2, colour="red")  # WANT mypy[arg-type] pyright[reportArgumentType]
Slotted("Ada", "36")  # WANT mypy[arg-type] pyright[reportArgumentType]
FrozenSlotted("Ada", 36)  # WANT mypy pyright[reportCallIssue]
KeywordOnly("Ada", "x", 3)  # WANT mypy pyright[reportCallIssue]
Attrs("Ada", "36")  # WANT mypy[arg-type] pyright[reportArgumentType]
Attrs("Ada", 36, nope=1)  # WANT mypy[call-arg] pyright[reportCallIssue]
Pydantic(name="Ada")  # WANT mypy[call-arg] pyright[reportCallIssue]
Pydantic(name="Ada", age="36")  # WANT mypy[arg-type] pyright[reportArgumentType]
Pydantic(name="Ada", age=36, nope=1)  # WANT mypy[call-arg] pyright[reportCallIssue]
Struct("Ada", "36")  # WANT mypy[arg-type] pyright[reportArgumentType]
Admin("Ada", "ada@example.org", 36, level="x")  # WANT mypy[arg-type] pyright[reportArgumentType]

# so are its instances
user = User.make()
user.nope  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
user.age = "x"  # WANT mypy[assignment] pyright[reportAttributeAccessIssue]
user.label = "x"  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
Order(1, 2).total = 3  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
FrozenSlotted(name="x", age=3).age = 3  # WANT mypy[misc] pyright[reportAttributeAccessIssue]
text: str = user.age  # WANT mypy[assignment] pyright[reportAssignmentType]

# the decorator
ommi_model(3)  # WANT mypy[call-overload] pyright[reportArgumentType]
ommi_model(nope=3)  # WANT mypy[call-overload] pyright[reportCallIssue]
ommi_model(name=3)  # WANT mypy[call-overload] pyright[reportArgumentType]
ommi_model(collection="users")  # WANT mypy[call-overload] pyright[reportArgumentType]
ommi_model(indexes=[3])  # WANT mypy[list-item] pyright[reportArgumentType]
ommi_model(User, name="users")  # WANT mypy[call-overload] pyright[reportCallIssue]
ModelCollection(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
MaxLength("3")  # WANT mypy[arg-type] pyright[reportArgumentType]
StoreAs(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
StoreAs()  # WANT mypy[call-arg] pyright[reportCallIssue]
ReferenceTo(User, on_delete=3)  # WANT mypy[arg-type] pyright[reportArgumentType]
Check("age > 3")  # WANT mypy[arg-type] pyright[reportArgumentType]
OnDelete.NOPE  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]


@ommi_model
@dataclass
class Late:
    id: Annotated[int, Key] = auto()
    name: str  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
