"""Errors accumulate in the type as effects are composed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Never, assert_type

from models import Order, TooPoor, User
from returns.future import FutureResult
from returns.io import IOResult
from returns.maybe import Maybe
from returns.result import Result

from ommi import ConstraintViolation, DatabaseError, Effect, Failure, MultipleFound, NotFound, Success, add, find
from ommi.effects.effect import Raises, Sent


def one_user() -> Effect[User, NotFound | MultipleFound | DatabaseError]:
    return find(User).one()


def place(user: User) -> Effect[Order, ConstraintViolation | DatabaseError]:
    return add(Order(user.id, 1))


def pay(order: Order) -> Effect[int, TooPoor]:
    return Effect.from_failure(TooPoor()) if order.total else Effect.from_value(3)


# making
assert_type(Effect.from_value(3), Effect[int, Never])
assert_type(Effect.from_failure(TooPoor()), Effect[Never, TooPoor])


def makings(
    result: Result[int, TooPoor],
    io_result: IOResult[int, TooPoor],
    maybe: Maybe[int],
    future: Callable[[], FutureResult[int, TooPoor]],
) -> None:
    assert_type(Effect.from_result(result), Effect[int, TooPoor])
    assert_type(Effect.from_ioresult(io_result), Effect[int, TooPoor])
    assert_type(Effect.from_maybe(maybe, TooPoor()), Effect[int, TooPoor])
    assert_type(Effect.from_future_result(future), Effect[int, TooPoor])


async def fetch() -> int:
    return 3


assert_type(Effect.from_awaitable(fetch), Effect[int, Never])
assert_type(Effect.from_awaitable(fetch, catching=(OSError,)), Effect[int, OSError])
assert_type(Effect.from_awaitable(fetch, catching=(OSError, ValueError)), Effect[int, OSError | ValueError])

# map, bind, tap
assert_type(one_user().map(lambda user: user.name), Effect[str, NotFound | MultipleFound | DatabaseError])
assert_type(
    one_user().bind(place),
    Effect[Order, NotFound | MultipleFound | DatabaseError | ConstraintViolation],
)
assert_type(
    one_user().bind(place).bind(pay),
    Effect[int, NotFound | MultipleFound | DatabaseError | ConstraintViolation | TooPoor],
)
assert_type(
    one_user().bind(lambda user: place(user).bind(pay)),
    Effect[int, NotFound | MultipleFound | DatabaseError | ConstraintViolation | TooPoor],
)
assert_type(
    one_user().bind(lambda user: Effect.from_value(user.age)),
    Effect[int, NotFound | MultipleFound | DatabaseError],
)
assert_type(
    one_user().bind(lambda user: Effect.from_failure(TooPoor())),
    Effect[Never, NotFound | MultipleFound | DatabaseError | TooPoor],
)
assert_type(
    one_user().tap(place),
    Effect[User, NotFound | MultipleFound | DatabaseError | ConstraintViolation],
)
assert_type(place(User.make()).bind(pay).map(float), Effect[float, ConstraintViolation | DatabaseError | TooPoor])
assert_type(Effect.from_value(User.make()).bind(add), Effect[User, ConstraintViolation | DatabaseError])


# branches of one function
def rich(user: User) -> Effect[Order, ConstraintViolation | DatabaseError | TooPoor]:
    if user.age < 18:
        return Effect.from_failure(TooPoor())
    return place(user)


assert_type(
    one_user().bind(rich),
    Effect[Order, NotFound | MultipleFound | DatabaseError | ConstraintViolation | TooPoor],
)


# bind_result, apply
def adult(user: User) -> Result[User, TooPoor]:
    return Success(user) if user.age > 18 else Failure(TooPoor())


def lengths() -> Effect[Callable[[Order], int], TooPoor]:
    return Effect.from_failure(TooPoor())


assert_type(one_user().bind_result(adult), Effect[User, NotFound | MultipleFound | DatabaseError | TooPoor])
assert_type(place(User.make()).apply(lengths()), Effect[int, ConstraintViolation | DatabaseError | TooPoor])

# alt, lash, swap, either, merge
assert_type(place(User.make()).alt(str), Effect[Order, str])
assert_type(place(User.make()).alt(lambda error: error.hint), Effect[Order, str | None])
assert_type(
    one_user().lash(lambda error: Effect.from_value(User.make())),
    Effect[User, Never],
)
assert_type(one_user().lash(lambda error: Effect.from_value(None)), Effect[User | None, Never])
assert_type(one_user().lash(lambda error: Effect.from_failure(TooPoor())), Effect[User, TooPoor])
assert_type(pay(Order(1, 1)).swap(), Effect[TooPoor, int])
assert_type(pay(Order(1, 1)).either(), Effect[Success[int] | Failure[TooPoor], Never])
assert_type(pay(Order(1, 1)).merge(), Effect[int | TooPoor, Never])
assert_type(place(User.make()).merge(), Effect[Order | ConstraintViolation | DatabaseError, Never])

# covariance
wider: Effect[object, NotFound | MultipleFound | DatabaseError | TooPoor] = one_user()
widest: Effect[object, Exception] = one_user()

# looking
assert_type(one_user().children(), tuple[Effect[Any, Any], ...])


def iterated(effect: Effect[int, TooPoor]) -> Generator[Raises[TooPoor], Sent, int]:
    return iter_of(effect)


def iter_of(effect: Effect[int, TooPoor]) -> Generator[Raises[TooPoor], Sent, int]:
    return effect.__iter__()
