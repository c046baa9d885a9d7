"""The types of streams: elements and failures, through all that is made of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from models import User

from ommi import (
    BoundEffect,
    BoundStream,
    ConstraintViolation,
    DatabaseError,
    Effect,
    MultipleFound,
    NotFound,
    Ommi,
    Schedule,
    Stream,
    add,
    add_stream,
    find,
)

users = find(User).stream()
assert_type(users, Stream[User, DatabaseError])
assert_type(find(User).select(lambda u: (u.name, u.age)).stream(chunk=5), Stream[tuple[str, int], DatabaseError])

assert_type(users.map(lambda user: user.age), Stream[int, DatabaseError])
assert_type(users.filter(lambda user: user.age > 3), Stream[User, DatabaseError])
assert_type(users.take(3), Stream[User, DatabaseError])
assert_type(users.chunks(3), Stream[list[User], DatabaseError])
assert_type(users.retry(Schedule.recurs(3)), Stream[User, DatabaseError])


def one(user: User) -> Effect[User, NotFound | MultipleFound | DatabaseError]:
    return find(User).where(lambda u: u.name == user.name).one()


def of_its_age(user: User) -> Stream[User, NotFound]:
    raise NotImplementedError


assert_type(users.map_effect(one), Stream[User, DatabaseError | NotFound | MultipleFound])
assert_type(users.bind(of_its_age), Stream[User, DatabaseError | NotFound])

assert_type(users.to_list(), Effect[list[User], DatabaseError])
assert_type(users.map(lambda user: user.age).fold(0, lambda found, age: found + age), Effect[int, DatabaseError])
assert_type(users.for_each(add), Effect[int, DatabaseError | ConstraintViolation])


def made() -> Iterator[User]:
    raise NotImplementedError


async def arriving() -> AsyncIterator[User]:
    raise NotImplementedError
    yield


assert_type(Stream.from_iterable(arriving, catching=(OSError,)), Stream[User, OSError])
assert_type(add_stream(made), Effect[int, ConstraintViolation | DatabaseError])
assert_type(add_stream(arriving), Effect[int, ConstraintViolation | DatabaseError])
assert_type(add_stream(users), Effect[int, DatabaseError | ConstraintViolation])
assert_type(
    add_stream(Stream.from_iterable(arriving, catching=(OSError,))),
    Effect[int, OSError | ConstraintViolation | DatabaseError],
)


async def read(db: Ommi) -> None:
    async with db.open(users.map(lambda user: user.name)) as rows:
        async for name in rows:
            assert_type(name, str)
    async with db.transaction() as tx, tx.open(users) as records:
        async for user in records:
            assert_type(user, User)
    bound = db.find(User).stream()
    assert_type(bound, BoundStream[User, DatabaseError])
    async with bound.map(lambda user: user.age).open() as ages:
        assert_type(await anext(ages), int)
    assert_type(bound.to_list(), BoundEffect[list[User], DatabaseError])
    assert_type(db.add_stream(made), BoundEffect[int, ConstraintViolation | DatabaseError])
