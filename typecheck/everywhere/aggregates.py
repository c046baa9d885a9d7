"""Aggregates, groups and rows read into classes, without a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, assert_type

from models import Order, User

from ommi import (
    DatabaseError,
    Effect,
    Expression,
    Grouped,
    Ommi,
    Predicate,
    Rows,
    avg,
    col,
    count,
    find,
    max_,
    min_,
    ref,
    sum_,
)
from ommi.bound import BoundGrouped, BoundRows


@dataclass
class Summary:
    name: str
    number: int


class Pair(NamedTuple):
    name: str
    number: int


u = ref(User)
name, age, height = col(u.name), col(u.age), col(u.height)

# of columns
assert_type(count(), Expression[Any, int])
assert_type(name.count(), Expression[object, int])
assert_type(name.count(distinct=True), Expression[object, int])
assert_type(age.sum_(), Expression[object, int | None])
assert_type(height.sum_(), Expression[object, float | None])
assert_type(age.avg(), Expression[object, float | None])
assert_type(height.avg(), Expression[object, float | None])
assert_type(age.min_(), Expression[object, int | None])
assert_type(name.max_(), Expression[object, str | None])
assert_type(height.max_(), Expression[object, float | None])
assert_type(count(name), Expression[object, int])
assert_type(sum_(age), Expression[object, int | None])
assert_type(sum_(height), Expression[object, float | None])
assert_type(avg(age), Expression[object, float | None])
assert_type(min_(name), Expression[object, str | None])
assert_type(max_(height), Expression[object, float | None])
assert_type(age.avg() > 30, Predicate[object])
assert_type(age.sum_() == None, Predicate[object])  # noqa: E711
assert_type(age.sum_().coalesce(0) + 1, Expression[object, int])


def exact(price: Expression[User, Decimal], discount: Expression[User, Decimal | None]) -> None:
    assert_type(price.sum_(), Expression[User, Decimal | None])
    assert_type(discount.avg(), Expression[User, Decimal | None])
    assert_type(avg(price), Expression[User, Decimal | None])
    assert_type(sum_(discount), Expression[User, Decimal | None])


# of what a lambda's row has in their place
assert_type(count(u), int)
assert_type(count(u.name), int)
assert_type(sum_(u.age), int | None)
assert_type(sum_(u.height), float | None)
assert_type(avg(u.age), float | None)
assert_type(avg(u.height), float | None)
assert_type(min_(u.name), str | None)

# all rows
assert_type(find(User).select(lambda u: (count(u), avg(u.age))), Rows[tuple[int, float | None]])
assert_type(find(User).select(count(), age.max_()), Rows[tuple[int, int | None]])

# groups
grouped = find(User).group_by(lambda u: u.name)
assert_type(grouped, Grouped[User])
assert_type(find(User).group_by(name, age), Grouped[User])
assert_type(find(User).group_by(lambda u: (u.name, u.age)).limit(3).offset(1), Grouped[User])
assert_type(grouped.having(lambda u: count(u) > 3, age.avg() > 30), Grouped[User])
assert_type(grouped.order_by(lambda u: col(count(u)).desc), Grouped[User])
assert_type(grouped.select(lambda u: (u.name, count(u))), Rows[tuple[str, int]])
assert_type(grouped.select(name, age.avg(), count()), Rows[tuple[str, float | None, int]])
assert_type(grouped.select(name, count()).all(), Effect[list[tuple[str, int]], DatabaseError])
assert_type(find(Order).group_by(lambda o: o.colour).select(lambda o: (sum_(o.total),)), Rows[tuple[int | None]])

# rows as instances
named = grouped.select(name=name, number=count())
assert_type(named, Rows[tuple[Any, ...]])
assert_type(named.into(Summary), Rows[Summary])
assert_type(named.into(Pair).all(), Effect[list[Pair], DatabaseError])
assert_type(grouped.select(lambda u: {"name": u.name, "number": count(u)}).into(Summary), Rows[Summary])


async def bound(db: Ommi) -> None:
    users = db.find(User).group_by(lambda u: u.name)
    assert_type(users, BoundGrouped[User])
    assert_type(users.having(lambda u: count(u) > 1).select(lambda u: (u.name, count(u))), BoundRows[tuple[str, int]])
    assert_type(await users.select(name=name, number=count()).into(Summary).all().value, list[Summary])
