"""Errors that every checker must find in composed effects and programs."""

from __future__ import annotations

from typing import Never, TypeVar

from models import Order, TooPoor, User
from returns.result import Result

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    MultipleFound,
    NotFound,
    Ommi,
    Prog,
    Schedule,
    UniqueViolation,
    add,
    alt,
    attempt,
    bind,
    bracket,
    catch,
    effect,
    find,
    gather,
    lash,
    map_,
    sleep,
    traverse,
)

T = TypeVar("T")
E = TypeVar("E")


def order(user: User) -> Effect[Order, ConstraintViolation | DatabaseError]:
    return add(Order(user.id, 3))


def pay(order: Order) -> Effect[int, TooPoor]:
    return Effect.from_value(order.total)


def parse(order: Order) -> Result[int, ValueError]:
    raise NotImplementedError


one = find(User).one()

# composing
one.map(lambda user: user.nope)  # WANT mypy pyright
one.map(pay)  # WANT mypy pyright
one.bind(pay)  # WANT mypy pyright
one.bind(lambda user: user.age)  # WANT mypy pyright
one.tap(pay)  # WANT mypy pyright
one.bind_result(parse)  # WANT mypy pyright
one.bind_result(order)  # WANT mypy pyright
one.apply(Effect.from_value(parse))  # WANT mypy pyright
one.alt(lambda error: error.nope)  # WANT mypy pyright
one.lash(lambda error: error)  # WANT mypy pyright
one.lash(lambda error: Effect.from_value(error.fields))  # WANT mypy pyright
one >> bind(pay)  # WANT mypy pyright
one >> map_(parse)  # WANT mypy pyright
one >> 3  # WANT mypy pyright


def wrong(error: UniqueViolation) -> str:
    return ""


def recover(error: UniqueViolation) -> Effect[int, Never]:
    return Effect.from_value(3)


one >> alt(wrong)  # WANT mypy pyright
one >> lash(recover)  # WANT mypy pyright
one >> catch(NotFound)(recover)  # WANT mypy pyright
one >> catch(int)(lambda e: Effect.from_value(3))  # WANT mypy pyright
one >> catch(NotFound)(lambda e: Effect.from_value(e.fields))  # WANT mypy pyright
one >> catch(NotFound)  # WANT mypy pyright
catch()  # WANT mypy pyright

# declaring fewer errors, or another value
fewer: Effect[User, DatabaseError] = one  # WANT mypy pyright
other: Effect[Order, NotFound | MultipleFound | DatabaseError] = one  # WANT mypy pyright
left: Effect[User | None, DatabaseError] = one >> catch(NotFound)(lambda e: Effect.from_value(None))  # WANT mypy pyright


def undeclared() -> Effect[Order, NotFound | MultipleFound | DatabaseError]:
    return one.bind(order)  # WANT mypy pyright


def still_there() -> Effect[User | int, MultipleFound]:
    return one >> catch(NotFound)(lambda e: Effect.from_value(3))  # WANT mypy pyright


def not_recovered() -> Effect[User, ConstraintViolation | DatabaseError]:
    return add(User.make()) >> catch(UniqueViolation)(lambda e: Effect.from_failure(TooPoor()))  # WANT mypy pyright


def member_leaves_family() -> Effect[User | None, DatabaseError]:
    return add(User.make()) >> catch(UniqueViolation)(lambda e: Effect.from_value(None))  # WANT mypy pyright


# programs
@effect
def forgotten(id: int) -> Prog[Order, ConstraintViolation | DatabaseError]:
    user = yield from one  # WANT mypy pyright
    return (yield from order(user))


@effect
def wrong_value(id: int) -> Prog[Order, ConstraintViolation | DatabaseError]:
    user = yield from add(User.make())
    return user  # WANT mypy pyright


@effect
def wrong_step(id: int) -> Prog[int, ConstraintViolation | DatabaseError | TooPoor]:
    user = yield from add(User.make())
    return (yield from pay(user))  # WANT mypy pyright


@effect
def bare_yield(id: int) -> Prog[Order, ConstraintViolation | DatabaseError]:
    user = yield add(User.make())
    return (yield from order(user))  # WANT mypy pyright


@effect  # WANT mypy pyright
def no_program(id: int) -> Effect[User, ConstraintViolation | DatabaseError]:  # WANT mypy pyright
    user = yield from add(User.make())  # WANT pyright
    return user


@effect  # WANT mypy pyright
def no_generator(id: int) -> Effect[User, ConstraintViolation | DatabaseError]:
    return add(User.make())


@effect
def awaiting(db: Ommi) -> Prog[User, ConstraintViolation | DatabaseError]:
    user = await add(User.make())  # WANT mypy pyright
    return (yield from add(User.make()))


@effect
def forgotten_generic(program: Effect[T, E]) -> Prog[T, E]:
    yield from sleep(1).transactional()  # WANT mypy pyright
    return (yield from program)


class Repository:
    @effect
    def named(self, name: str) -> Prog[User, DatabaseError]:
        return (yield from find(User).where(lambda u: u.name == name).one())  # WANT mypy pyright


forgotten("x")  # WANT mypy pyright
forgotten()  # WANT mypy pyright
forgotten(1, 2)  # WANT mypy pyright
Repository().named(3)  # WANT mypy pyright

# several
traverse([1, 2], pay)  # WANT mypy pyright
traverse(3, order)  # WANT mypy pyright
traverse([User.make()], lambda user: Effect.from_value(user.nope))  # WANT mypy pyright
gather(1, one)  # WANT mypy pyright
gather([one, one])  # WANT mypy pyright
pair: Effect[tuple[User, str], NotFound | MultipleFound | DatabaseError | TooPoor] = gather(one, pay(Order(1, 1)))  # WANT mypy pyright
attempt(lambda: int("3"), catching=ValueError)  # WANT mypy pyright
attempt(lambda: int("3"), catching=(int,))  # WANT mypy pyright
attempt(lambda: int("3"))  # WANT mypy pyright

# scopes: finalizers must not be able to fail
one.ensure(one)  # WANT mypy pyright
one.ensure(sleep(1).transactional())  # WANT mypy pyright
one.after_commit(add(User.make()))  # WANT mypy pyright
bracket(one, order, order)  # WANT mypy pyright
bracket(one, pay, lambda user: sleep(1))  # WANT mypy pyright
one.timeout("3")  # WANT mypy pyright
one.transactional(isolation="serializable")  # WANT mypy pyright
one.transactional(True)  # WANT mypy pyright
one.retry(3)  # WANT mypy pyright
one.retry(Schedule.recurs(3), on=int)  # WANT mypy pyright
Schedule.recurs("3")  # WANT mypy pyright
Schedule.recurs(3) & 3  # WANT mypy pyright
Schedule.exponential(0.1).nope()  # WANT mypy pyright
