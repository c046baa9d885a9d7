"""The railway as steps: `effect >> bind(f)`."""

from __future__ import annotations

from typing import Never, assert_type

from models import Order, TooPoor, User, name_of

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    MultipleFound,
    NotFound,
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


def total(order: Order) -> int:
    return order.total


def apology(error: NotFound | MultipleFound | DatabaseError) -> str:
    return error.hint or ""


def nobody(error: NotFound | MultipleFound | DatabaseError) -> Effect[None, Never]:
    return Effect.from_value(None)


one = find(User).one()
assert_type(one >> map_(name_of), Effect[str, NotFound | MultipleFound | DatabaseError])
assert_type(one >> bind(order), Effect[Order, NotFound | MultipleFound | ConstraintViolation | DatabaseError])
assert_type(
    one >> bind(order) >> bind(pay) >> map_(str),
    Effect[str, NotFound | MultipleFound | ConstraintViolation | DatabaseError | TooPoor],
)
assert_type(one >> tap(order), Effect[User, NotFound | MultipleFound | ConstraintViolation | DatabaseError])
assert_type(one >> alt(apology), Effect[User, str])
assert_type(one >> lash(nobody), Effect[User | None, Never])
assert_type(
    one >> catch(NotFound)(lambda e: Effect.from_value(User.make())) >> bind(order) >> map_(total),
    Effect[int, MultipleFound | ConstraintViolation | DatabaseError],
)

# a step is a function, too
assert_type(bind(order)(one), Effect[Order, NotFound | MultipleFound | ConstraintViolation | DatabaseError])
assert_type(map_(name_of)(one), Effect[str, NotFound | MultipleFound | DatabaseError])
assert_type(
    catch(NotFound)(lambda e: Effect.from_value(None))(one), Effect[User | None, MultipleFound | DatabaseError]
)
