"""With the plugin of `returns`, the steps in its pipelines."""

from __future__ import annotations

from typing import Never, assert_type

from models import Order, TooPoor, User, name_of
from returns.converters import flatten
from returns.pipeline import flow, is_successful
from returns.pointfree import bind as bind_of_returns
from returns.pointfree import map_ as map_of_returns
from returns.result import Result

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    MultipleFound,
    NotFound,
    Ommi,
    add,
    alt,
    bind,
    catch,
    find,
    lash,
    map_,
    tap,
)


def order(user: User) -> Effect[Order, ConstraintViolation | DatabaseError]:
    return add(Order(user.id, 3))


def pay(order: Order) -> Effect[int, TooPoor]:
    return Effect.from_value(order.total)


def nobody(error: NotFound) -> Effect[User, Never]:
    return Effect.from_value(User.make())


def nothing(error: object) -> Effect[None, Never]:
    return Effect.from_value(None)


assert_type(
    flow(find(User).one(), bind(order), bind(pay), map_(str)),
    Effect[str, NotFound | MultipleFound | ConstraintViolation | DatabaseError | TooPoor],
)
assert_type(
    flow(find(User).one(), catch(NotFound)(nobody), tap(order), map_(name_of)),
    Effect[str, MultipleFound | ConstraintViolation | DatabaseError],
)
assert_type(flow(find(User).one(), lash(nothing)), Effect[User | None, Never])
assert_type(flow(find(User).one(), alt(str)), Effect[User, str])
flow(find(User).one(), bind(pay))  # WANT plugins[arg-type]


async def outcomes(db: Ommi) -> None:
    outcome: Result[User, NotFound | MultipleFound | DatabaseError] = await db.run(find(User).one())
    assert_type(outcome.map(name_of), Result[str, NotFound | MultipleFound | DatabaseError])
    assert_type(is_successful(outcome), bool)
