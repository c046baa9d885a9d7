"""Queries without a plugin: lambdas, `ref`, `col`."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import assert_type
from uuid import UUID

from models import Admin, Attrs, Colour, FrozenAttrs, FrozenSlotted, Order, Pydantic, Slotted, Struct, User

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    Expression,
    MultipleFound,
    NotFound,
    Predicate,
    Query,
    Rows,
    all_of,
    any_of,
    col,
    find,
    not_,
    ref,
)
from ommi.effects.finding import Setting
from ommi.query.expressions import Order as By

# a query of every kind of model, by a typed lambda
assert_type(find(User), Query[User])
assert_type(find(User).where(lambda u: u.age > 18), Query[User])
assert_type(find(User, lambda u: u.age > 18, lambda u: u.name.startswith("A")), Query[User])
assert_type(find(Slotted).where(lambda u: u.age > 18), Query[Slotted])
assert_type(find(FrozenSlotted).where(lambda u: u.age > 18), Query[FrozenSlotted])
assert_type(find(Attrs).where(lambda u: (u.age > 18) & (u.name == "x")), Query[Attrs])
assert_type(find(FrozenAttrs).where(lambda u: u.age > 18), Query[FrozenAttrs])
assert_type(find(Pydantic).where(lambda u: (col(u.age) > 18) & ~col(u.deleted_at).is_null()), Query[Pydantic])
assert_type(find(Struct).where(lambda u: col(u.age).in_([1, 2])), Query[Struct])
assert_type(find(Admin).where(lambda u: u.level > 1, lambda u: u.age > 18), Query[Admin])
assert_type(find(User).where(lambda u: col(u.name).starts_with("A"), lambda u: u.name.endswith("z")), Query[User])
assert_type(find(User).where(lambda u: not_(u.age > 18)), Query[User])
assert_type(find(User).where(lambda u: any_of(u.age > 18, col(u.height) > 2)), Query[User])
assert_type(find(User).where(lambda u: all_of(u.age > 18, u.name == "x")), Query[User])

# `ref` is typed as an instance, `col` makes the column of it
u = ref(User)
o = ref(Order)
assert_type(u, User)
assert_type(find(User).where(u.age > 18, u.name.startswith("A")), Query[User])
assert_type(col(u.age), Expression[object, int])
assert_type(col(u.deleted_at), Expression[object, dt.datetime | None])
assert_type(col(u.tags), Expression[object, list[str]])
assert_type(col(o.id), Expression[object, UUID])
assert_type(find(User).where(col(u.age).in_([1, 2])), Query[User])

# conditions
age, height, name, deleted_at = col(u.age), col(u.height), col(u.name), col(u.deleted_at)
now = dt.datetime.now(dt.timezone.utc)
assert_type(age > 18, Predicate[object])
assert_type(18 < age, Predicate[object])
assert_type(age == 3, Predicate[object])
assert_type(age != 3, Predicate[object])
assert_type(age <= height, Predicate[object])
assert_type(age == height, Predicate[object])
assert_type(height == None, Predicate[object])  # noqa: E711
assert_type(height >= 3, Predicate[object])
assert_type(deleted_at > now, Predicate[object])
assert_type(col(o.colour) == Colour.RED, Predicate[object])
assert_type(name == col(o.note), Predicate[object])
assert_type(age.between(1, 3), Predicate[object])
assert_type(deleted_at.between(now, now), Predicate[object])
assert_type(age.in_({1, 2}), Predicate[object])
assert_type(age.not_in((1, 2)), Predicate[object])
assert_type(height.in_([1.5, None]), Predicate[object])
assert_type(age.in_(find(Order).select(lambda o: (o.user_id,))), Predicate[object])
assert_type(age.in_(find(Order).select(col(o.user_id))), Predicate[object])
assert_type(name.not_in(find(Order).select(lambda o: (o.note,))), Predicate[object])
assert_type(name.contains("x"), Predicate[object])
assert_type(col(u.tags).contains("x"), Predicate[object])
assert_type(col(u.tags).not_contains("x"), Predicate[object])
assert_type(name.like("A%") | name.ilike("ada") | name.regex("^A"), Predicate[object])
assert_type(name.lower().starts_with("a") & (name.upper() == "A"), Predicate[object])
assert_type(name.startswith("a") & name.endswith(name), Predicate[object])
assert_type(name.length() > 3, Predicate[object])
assert_type(col(o.note).ends_with("x"), Predicate[object])
assert_type(height.is_null(), Predicate[object])
assert_type(~height.is_not_null(), Predicate[object])
assert_type(True & (age > 3), Predicate[object])
assert_type((age > 3) | False, Predicate[object])

# arithmetic
assert_type(age + 1, Expression[object, int])
assert_type(1 - age, Expression[object, int])
assert_type(age * age, Expression[object, int])
assert_type(age % 2, Expression[object, int])
assert_type(age + 1.5, Expression[object, float])
assert_type(2.5 * age, Expression[object, float])
assert_type(age / 2, Expression[object, float])
assert_type(1 / age, Expression[object, float])
assert_type(age * height, Expression[object, float | None])
assert_type(height + 1, Expression[object, float | None])
assert_type(height / age, Expression[object, float | None])
assert_type(height.coalesce(0) + age, Expression[object, float])
assert_type(height.coalesce(age + 0.5), Expression[object, float])
assert_type(height.coalesce(height), Expression[object, float | None])


def exact(price: Expression[User, Decimal], discount: Expression[User, Decimal | None]) -> None:
    assert_type(price + Decimal(1), Expression[User, Decimal])
    assert_type(Decimal(1) * price, Expression[User, Decimal])
    assert_type(price / price, Expression[User, Decimal])
    assert_type(price - discount, Expression[User, Decimal | None])
    assert_type(discount / price, Expression[User, Decimal | None])
    assert_type(Decimal(1) - discount, Expression[User, Decimal | None])
    assert_type(discount.coalesce(Decimal(0)), Expression[User, Decimal])


def composed(first: Predicate[User], second: Predicate[User]) -> None:
    assert_type(first & second, Predicate[User])
    assert_type(~first | second, Predicate[User])
    assert_type(all_of(first, second), Predicate[User])
    assert_type(any_of(first, second), Predicate[User])
    assert_type(not_(first), Predicate[User])
    assert_type(find(first), Query[User])
    assert_type(find(first, second).where(lambda u: u.age > 3), Query[User])


# order, shape
assert_type(age.asc, By)
assert_type(age.desc.nulls_first().nulls_last(), By)
assert_type(find(User).order_by(lambda u: col(u.name).asc), Query[User])
assert_type(find(User).order_by(lambda u: u.name), Query[User])
assert_type(find(User).order_by(lambda u: (u.age, col(u.name).desc)), Query[User])
assert_type(find(User).order_by(age.desc, name), Query[User])
assert_type(find(User).limit(3).offset(3).distinct().everything().for_update(skip_locked=True), Query[User])

# select, to typed tuples
assert_type(find(User).select(lambda u: (u.name,)), Rows[tuple[str]])
assert_type(find(User).select(lambda u: (u.name, u.age)), Rows[tuple[str, int]])
assert_type(find(User).select(lambda u: (u.name, u.age, u.height)), Rows[tuple[str, int, float | None]])
assert_type(
    find(User).select(lambda u: (u.name, u.age, u.height, u.tags)), Rows[tuple[str, int, float | None, list[str]]]
)
assert_type(
    find(User).select(lambda u: (u.name, u.age, u.height, u.tags, u.deleted_at)),
    Rows[tuple[str, int, float | None, list[str], dt.datetime | None]],
)
assert_type(
    find(User).select(lambda u: (u.name, u.age, u.height, u.tags, u.deleted_at, u.id)),
    Rows[tuple[str, int, float | None, list[str], dt.datetime | None, int]],
)
assert_type(
    find(User).select(lambda u: (u.name, u.age, u.height, u.tags, u.deleted_at, u.id, u.email)),
    Rows[tuple[str, int, float | None, list[str], dt.datetime | None, int, str]],
)
assert_type(
    find(User).select(lambda u: (u.name, u.age, u.height, u.tags, u.deleted_at, u.id, u.email, u.age + 1)),
    Rows[tuple[str, int, float | None, list[str], dt.datetime | None, int, str, int]],
)
assert_type(find(Order).select(lambda o: (o.id, o.colour)).distinct(), Rows[tuple[UUID, Colour]])
assert_type(find(User).select(name), Rows[tuple[str]])
assert_type(find(User).select(name, age + 1), Rows[tuple[str, int]])
assert_type(find(User).select(name, age / 2, height), Rows[tuple[str, float, float | None]])
assert_type(
    find(User).select(name, age, height, name, age, height, name, age),
    Rows[tuple[str, int, float | None, str, int, float | None, str, int]],
)
assert_type(find(User).select(u.name), Rows[tuple[str]])
assert_type(find(User).select(u.name, u.age), Rows[tuple[str, int]])
assert_type(
    find(User).select(u.name, u.age, u.height, u.name, u.age, u.height, u.name, u.age),
    Rows[tuple[str, int, float | None, str, int, float | None, str, int]],
)

# terminals
users = find(User)
assert_type(users.all(), Effect[list[User], DatabaseError])
assert_type(users.one(), Effect[User, NotFound | MultipleFound | DatabaseError])
assert_type(users.first(), Effect[User | None, DatabaseError])
assert_type(users.count(), Effect[int, DatabaseError])
assert_type(users.exists(), Effect[bool, DatabaseError])
assert_type(users.where(lambda u: u.age > 3).update(age=4), Effect[int, ConstraintViolation | DatabaseError])
assert_type(
    users.where(lambda u: u.age > 3).update(lambda u: {u.age: u.age + 1, u.name: "x"}),
    Effect[int, ConstraintViolation | DatabaseError],
)
assert_type(users.everything().delete(), Effect[int, ConstraintViolation | DatabaseError])
rows = users.select(lambda u: (u.name, u.age))
assert_type(rows.all(), Effect[list[tuple[str, int]], DatabaseError])
assert_type(rows.one(), Effect[tuple[str, int], NotFound | MultipleFound | DatabaseError])
assert_type(rows.first(), Effect[tuple[str, int] | None, DatabaseError])
assert_type(rows.count(), Effect[int, DatabaseError])
assert_type(rows.exists(), Effect[bool, DatabaseError])

# set, the checked form of update
assert_type(users.set(col(u.age), 3), Setting)
assert_type(users.set(col(u.age), col(u.age) + 1).set(col(u.name), "x"), Setting)
assert_type(users.set(col(u.deleted_at), None).set(col(u.deleted_at), now), Setting)
assert_type(users.set(col(u.height), col(u.age) * 1.5), Setting)
assert_type(users.set(lambda u: col(u.age), 3).set(lambda u: col(u.name), "x"), Setting)
setting: Effect[int, ConstraintViolation | DatabaseError] = users.set(col(u.age), 3)
assert_type(users.set(col(u.age), 3).map(str), Effect[str, ConstraintViolation | DatabaseError])


def generic(model: type[User]) -> Query[User]:
    return find(model).where(lambda u: u.age > 3)
