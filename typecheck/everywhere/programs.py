"""Do-notation: `@effect` and `Prog`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Never, ParamSpec, TypeVar, assert_type

from models import Order, TooPoor, User

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    Failure,
    MultipleFound,
    NotFound,
    Prog,
    Schedule,
    Success,
    UniqueViolation,
    add,
    catch,
    effect,
    find,
)

T = TypeVar("T")
E = TypeVar("E")
P = ParamSpec("P")


@effect
def sign_up(name: str, email: str, age: int = 18) -> Prog[User, ConstraintViolation | DatabaseError]:
    user = yield from add(User(name, email, age))
    assert_type(user, User)
    order = yield from add(Order(user.id, 3))
    assert_type(order, Order)
    return user


assert_type(sign_up("Ada", "ada@example.org", 36), Effect[User, ConstraintViolation | DatabaseError])
assert_type(sign_up(name="Ada", email="a"), Effect[User, ConstraintViolation | DatabaseError])


@effect
def programs_call_programs() -> Prog[str, ConstraintViolation | DatabaseError | TooPoor]:
    user = yield from sign_up("Ada", "ada@example.org")
    assert_type(user, User)
    if user.age < 18:
        yield from Effect.from_failure(TooPoor())
    return user.name


assert_type(programs_call_programs(), Effect[str, ConstraintViolation | DatabaseError | TooPoor])


@effect
def branches(id: int) -> Prog[Order | None, ConstraintViolation | DatabaseError | MultipleFound]:
    user = yield from find(User).where(lambda u: u.id == id).one() >> catch(NotFound)(lambda e: Effect.from_value(None))
    assert_type(user, User | None)
    if user is None:
        return None
    for total in range(3):
        yield from add(Order(user.id, total))
    return (yield from add(Order(user.id, 3)))


@effect
def outcomes(name: str) -> Prog[User | str, DatabaseError]:
    outcome = yield from sign_up(name, "ada@example.org").either()
    assert_type(outcome, Success[User] | Failure[ConstraintViolation | DatabaseError])
    match outcome:
        case Success(user):
            return user
        case Failure(error):
            if isinstance(error, ConstraintViolation):
                return error.constraint or ""
            assert_type(error, DatabaseError)
            return (yield from Effect.from_failure(error))


@effect
def cannot_fail() -> Prog[int, Never]:
    one = yield from Effect.from_value(1)
    return one + 1


assert_type(cannot_fail(), Effect[int, Never])


class Repository:
    @effect
    def named(self, name: str) -> Prog[User, NotFound | MultipleFound | DatabaseError]:
        return (yield from find(User).where(lambda u: u.name == name).one())

    @classmethod
    @effect
    def first(cls) -> Prog[User | None, DatabaseError]:
        return (yield from find(User).first())

    @staticmethod
    @effect
    def count() -> Prog[int, DatabaseError]:
        return (yield from find(User).count())


assert_type(Repository().named("Ada"), Effect[User, NotFound | MultipleFound | DatabaseError])
assert_type(Repository.first(), Effect[User | None, DatabaseError])
assert_type(Repository().first(), Effect[User | None, DatabaseError])
assert_type(Repository.count(), Effect[int, DatabaseError])


@effect
def twice(program: Effect[T, E]) -> Prog[tuple[T, T], E]:
    first = yield from program
    second = yield from program
    return first, second


assert_type(twice(find(User).count()), Effect[tuple[int, int], DatabaseError])
assert_type(twice(twice(Effect.from_value("x"))), Effect[tuple[tuple[str, str], tuple[str, str]], Never])


@effect
def with_audit(program: Effect[T, E], total: int) -> Prog[T, E | ConstraintViolation | DatabaseError]:
    value = yield from program
    yield from add(Order(1, total))
    return value


assert_type(
    with_audit(find(User).one(), 3),
    Effect[User, NotFound | MultipleFound | ConstraintViolation | DatabaseError],
)


def logged(make: Callable[P, Effect[T, E]]) -> Callable[P, Effect[T, E | TooPoor]]:
    def inner(*args: P.args, **kwargs: P.kwargs) -> Effect[T, E | TooPoor]:
        return make(*args, **kwargs).tap(lambda value: Effect.from_failure(TooPoor()))

    return inner


assert_type(logged(sign_up)("Ada", "a", age=3), Effect[User, ConstraintViolation | DatabaseError | TooPoor])

# the screen of the README
program = sign_up("Ada", "ada@example.org", 36).transactional().retry(
    Schedule.exponential(0.05).jittered().up_to(5)
) >> catch(UniqueViolation)(lambda e: find(User).where(lambda u: u.email == "ada@example.org").one())
assert_type(program, Effect[User, ConstraintViolation | NotFound | MultipleFound | DatabaseError])
