"""With the plugin, class access to a field of a model is its column."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, TypeVar, assert_type
from uuid import UUID

import attrs
import pydantic
from models import (
    Admin,
    Attrs,
    Colour,
    FrozenAttrs,
    FrozenSlotted,
    Guest,
    KeywordOnly,
    NoModel,
    Order,
    Pydantic,
    Slotted,
    Struct,
    User,
)

import ommi
from ommi import (
    Column,
    ConstraintViolation,
    DatabaseError,
    Effect,
    Expression,
    Key,
    Ommi,
    Predicate,
    Query,
    ReferenceTo,
    Rows,
    all_of,
    any_of,
    auto,
    col,
    count,
    find,
    not_,
    ommi_model,
    sum_,
    upsert,
)
from ommi.bound import BoundQuery, BoundRows

# of every kind of model
assert_type(User.age, Column[User, int])
assert_type(User.email, Column[User, str])
assert_type(User.tags, Column[User, list[str]])
assert_type(User.deleted_at, Column[User, dt.datetime | None])
assert_type(User.id, Column[User, int])
assert_type(Order.total, Column[Order, int])
assert_type(Order.colour, Column[Order, Colour])
assert_type(Order.id, Column[Order, UUID])
assert_type(User.age.avg(), Expression[User, float | None])
assert_type(User.name.max_(), Expression[User, str | None])
assert_type(sum_(User.age), Expression[User, int | None])
assert_type(find(User).select(count(), User.age.sum_()), Rows[tuple[int, int | None]])
assert_type(
    find(User).group_by(User.name).having(count() > 3, User.age.avg() > 30).select(User.name, count()),
    Rows[tuple[str, int]],
)
assert_type(Slotted.age, Column[Slotted, int])
assert_type(Slotted.deleted_at, Column[Slotted, dt.datetime | None])
assert_type(FrozenSlotted.age, Column[FrozenSlotted, int])
assert_type(KeywordOnly.age, Column[KeywordOnly, int])
assert_type(KeywordOnly._hidden, Column[KeywordOnly, int])
assert_type(Attrs.age, Column[Attrs, int])
assert_type(FrozenAttrs.age, Column[FrozenAttrs, int])
assert_type(Pydantic.age, Column[Pydantic, int])
assert_type(Pydantic.id, Column[Pydantic, int | None])
assert_type(Struct.age, Column[Struct, int])
assert_type(Admin.age, Column[Admin, int])
assert_type(Admin.level, Column[Admin, int])
assert_type(User.age.name, str)


# of a class in a function, of a subclass with another library's decorator, of one named by its module
def local() -> None:
    @ommi_model
    @dataclass(slots=True)
    class Local:
        age: int
        id: Annotated[int, Key] = auto()

        def older(self) -> None:
            self.age += 1

    assert_type(Local.age, Column[Local, int])
    assert_type(Local(3).age, int)


@ommi.ommi_model
@attrs.define
class Child(Attrs):
    size: int = 3


@ommi.ommi_model(name="children")
class PydanticChild(Pydantic):
    size: int = 3
    owner: Annotated[int, ReferenceTo(User.id)] = pydantic.Field(default=1)


assert_type(Child.size, Column[Child, int])
assert_type(Child.age, Column[Child, int])
assert_type(PydanticChild.size, Column[PydanticChild, int])
assert_type(PydanticChild.name, Column[PydanticChild, str])
assert_type(PydanticChild.owner, Column[PydanticChild, int])

# of a class in a variable
M = TypeVar("M", bound=User)


def of_variables(one: type[User], any_of_them: type[M], either: type[User] | type[Admin]) -> None:
    assert_type(one.age, Column[User, int])
    assert_type(any_of_them.age, Column[User, int])
    assert_type(either.age, Column[User, int] | Column[Admin, int])


@ommi_model
@dataclass
class WithMethods:
    age: int
    id: Annotated[int, Key] = auto()

    @classmethod
    def grown_up(cls) -> Query[WithMethods]:
        assert_type(cls.age, Column[WithMethods, int])
        return find(cls.age > 18)

    def same_age(self) -> Predicate[WithMethods]:
        assert_type(self.age, int)
        return WithMethods.age == self.age


# instances have values
user = User.make()
assert_type(user.age, int)
assert_type(Slotted("Ada", 3).age, int)
assert_type(FrozenSlotted(name="Ada", age=3).age, int)
assert_type(Attrs("Ada", 3).age, int)
assert_type(FrozenAttrs("Ada", 3).age, int)
assert_type(Pydantic(name="Ada", age=3).age, int)
assert_type(Struct("Ada", 3).age, int)
user.age = 3
Slotted("Ada", 3).age = 3
Attrs("Ada", 3).age = 3

# what is no column, or not of a model, stays what it was
assert_type(User.table, str)
assert_type(User.make(), User)
assert_type(User.limit(), int)
assert_type(User.greet(user, user), str)
assert_type(User.__name__, str)
assert_type(Pydantic._cache, dict[str, int])
assert_type(NoModel.age, int)
assert_type(Guest.visits, int)
assert_type(Guest.height, float | None)
assert_type(Order.__doc__, str | None)

# conditions know their model
now = dt.datetime.now(dt.timezone.utc)
assert_type(User.age > 18, Predicate[User])
assert_type(18 < User.age, Predicate[User])
assert_type(User.age == 3, Predicate[User])
assert_type(User.age != 3, Predicate[User])
assert_type(User.height == None, Predicate[User])  # noqa: E711
assert_type(User.deleted_at > now, Predicate[User])
assert_type(Order.colour == Colour.RED, Predicate[Order])
assert_type(Pydantic.age >= 18, Predicate[Pydantic])
assert_type(User.age.in_([1, 2]), Predicate[User])
assert_type(User.id.in_(find(Order).select(Order.user_id)), Predicate[User])
assert_type(User.age.between(1, 3), Predicate[User])
assert_type(~User.deleted_at.is_null(), Predicate[User])
assert_type(User.name.starts_with("A") & (User.age > 3), Predicate[User])
assert_type(User.name.lower() == "ada", Predicate[User])
assert_type(User.tags.contains("x"), Predicate[User])
assert_type(User.age > User.height, Predicate[User])
assert_type(any_of(User.age > 3, User.name == "x"), Predicate[User])
assert_type(all_of(User.age > 3, User.name == "x"), Predicate[User])
assert_type(not_(User.age > 3), Predicate[User])
assert_type(col(User.age), Expression[User, int])

# arithmetic
assert_type(User.age + 1, Expression[User, int])
assert_type(User.age + User.age, Expression[User, int])
assert_type(User.age / 2, Expression[User, float])
assert_type(User.age * User.height, Expression[User, float | None])
assert_type(2 - User.age % 3, Expression[User, int])

# queries
assert_type(find(User.age > 18), Query[User])
assert_type(find(User.age > 18, User.name.starts_with("A")), Query[User])
assert_type(find((User.age > 18) | (User.name == "x")), Query[User])
assert_type(find(User).where(User.age > 18).order_by(User.age.desc, User.name), Query[User])
assert_type(find(User).select(User.name), Rows[tuple[str]])
assert_type(find(User).select(User.name, User.age, User.height), Rows[tuple[str, int, float | None]])
assert_type(find(User).select(User.name, User.age + 1), Rows[tuple[str, int]])
assert_type(
    find(User).select(User.name, User.age, User.id, User.tags, User.email, User.height, User.deleted_at, User.age),
    Rows[tuple[str, int, int, list[str], str, float | None, dt.datetime | None, int]],
)
assert_type(find(User).select(lambda u: (u.name, u.age)), Rows[tuple[str, int]])
assert_type(find(User.age > 3).update(age=User.age + 1), Effect[int, ConstraintViolation | DatabaseError])
assert_type(find(User).set(User.age, User.age + 1).map(str), Effect[str, ConstraintViolation | DatabaseError])
assert_type(upsert(user, on=User.email, update=[User.name]), Effect[User, ConstraintViolation | DatabaseError])


def bound(db: Ommi) -> None:
    assert_type(db.find(User.age > 18), BoundQuery[User])
    assert_type(db.find(User, User.age > 18).order_by(User.age.desc), BoundQuery[User])
    assert_type(db.find(User).select(User.name, User.age), BoundRows[tuple[str, int]])


# what must be found
User.nope  # WANT plugins[attr-defined]
User.age > "x"  # WANT plugins[operator]
find(User).where(User.age < None)  # WANT plugins[arg-type]
User.age > User.name  # WANT plugins[operator]
User.age.is_null()  # WANT plugins[misc]
User.age.starts_with("a")  # WANT plugins[misc]
User.age.in_(["a"])  # WANT plugins[list-item]
User.name.in_(find(Order).select(Order.total))  # WANT plugins[arg-type]
User.age.between("a", "b")  # WANT plugins[arg-type]
User.name + "x"  # WANT plugins[misc]
User.name.sum_()  # WANT plugins[misc]
User.age.avg() > "x"  # WANT plugins[operator]
User.tags.contains(3)  # WANT plugins[arg-type]
User.height.coalesce("x")  # WANT plugins[call-overload]
Slotted.age > "x"  # WANT plugins[operator]
FrozenSlotted.age > "x"  # WANT plugins[operator]
Attrs.age > "x"  # WANT plugins[operator]
Pydantic.age > "x"  # WANT plugins[operator]
Struct.age > "x"  # WANT plugins[operator]
Admin.level > "x"  # WANT plugins[operator]
find(User).where(User.age == "x")  # WANT plugins[arg-type]
find(User).where(User.age != User.name)  # WANT plugins[arg-type]
find(User).where(User.age == None)  # WANT plugins[arg-type]
find(User).where(Order.colour == "red")  # WANT plugins[arg-type]
find(User).where(User.name)  # WANT plugins[arg-type]
find(User.name)  # WANT plugins[call-overload]
find(user.age > 18)  # WANT plugins[call-overload]
find(NoModel.age > 18)  # WANT plugins[call-overload]
find(User).set(User.age, "x")  # WANT plugins[misc]
find(User).set(User.age, User.name)  # WANT plugins[arg-type]
other: Query[Order] = find(User.age > 18)  # WANT plugins[arg-type]
number: int = User.age  # WANT plugins[assignment]
KeywordOnly.secret  # WANT plugins[attr-defined]
Pydantic(name="Ada", age="36")  # WANT plugins[arg-type]
if User.name.starts_with("A"):  # WANT plugins[truthy-bool]
    pass
if User.age:  # WANT plugins[truthy-bool]
    pass
neither = not (User.age > 18)  # WANT plugins[truthy-bool]
User.age = 3  # WANT plugins[misc]
Slotted.age = 3  # WANT plugins[misc]
