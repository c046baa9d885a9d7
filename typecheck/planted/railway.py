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
one.map(lambda user: user.nope)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
one.map(pay)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.bind(pay)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.bind(lambda user: user.age)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.tap(pay)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.bind_result(parse)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.bind_result(order)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.apply(Effect.from_value(parse))  # WANT mypy[arg-type] pyright[reportArgumentType]
one.alt(lambda error: error.nope)  # WANT mypy[union-attr] pyright[reportAttributeAccessIssue]
one.lash(lambda error: error)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.lash(lambda error: Effect.from_value(error.fields))  # WANT mypy[union-attr] pyright[reportAttributeAccessIssue]
one >> bind(pay)  # WANT mypy[operator] pyright[reportOperatorIssue]
one >> map_(parse)  # WANT mypy[operator] pyright[reportOperatorIssue]
one >> 3  # WANT mypy[operator] pyright[reportOperatorIssue]


def wrong(error: UniqueViolation) -> str:
    return ""


def recover(error: UniqueViolation) -> Effect[int, Never]:
    return Effect.from_value(3)


one >> alt(wrong)  # WANT mypy[operator] pyright[reportOperatorIssue]
one >> lash(recover)  # WANT mypy[operator] pyright[reportOperatorIssue]
one >> catch(NotFound)(recover)  # WANT mypy[arg-type] pyright[reportArgumentType]
one >> catch(int)(lambda e: Effect.from_value(3))  # WANT mypy[type-var] pyright[reportArgumentType]
one >> catch(NotFound)(lambda e: Effect.from_value(e.fields))  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
one >> catch(NotFound)  # WANT mypy[operator] pyright[reportOperatorIssue]
catch()  # WANT mypy[call-overload] pyright[reportCallIssue]

# declaring fewer errors, or another value
fewer: Effect[User, DatabaseError] = one  # WANT mypy[assignment] pyright[reportAssignmentType]
other: Effect[Order, NotFound | MultipleFound | DatabaseError] = one  # WANT mypy[assignment] pyright[reportAssignmentType]
left: Effect[User | None, DatabaseError] = one >> catch(NotFound)(lambda e: Effect.from_value(None))  # WANT mypy[assignment] pyright[reportAssignmentType]


def undeclared() -> Effect[Order, NotFound | MultipleFound | DatabaseError]:
    return one.bind(order)  # WANT mypy[arg-type] pyright[reportReturnType]


def still_there() -> Effect[User | int, MultipleFound]:
    return one >> catch(NotFound)(lambda e: Effect.from_value(3))  # WANT mypy[return-value] pyright[reportReturnType]


def not_recovered() -> Effect[User, ConstraintViolation | DatabaseError]:
    return add(User.make()) >> catch(UniqueViolation)(lambda e: Effect.from_failure(TooPoor()))  # WANT mypy[return-value] pyright[reportReturnType]


def member_leaves_family() -> Effect[User | None, DatabaseError]:
    return add(User.make()) >> catch(UniqueViolation)(lambda e: Effect.from_value(None))  # WANT mypy[return-value] pyright[reportReturnType]


# programs
@effect
def forgotten(id: int) -> Prog[Order, ConstraintViolation | DatabaseError]:
    user = yield from one  # WANT mypy[misc] pyright[reportReturnType]
    return (yield from order(user))


@effect
def wrong_value(id: int) -> Prog[Order, ConstraintViolation | DatabaseError]:
    user = yield from add(User.make())
    return user  # WANT mypy[return-value] pyright[reportReturnType]


@effect
def wrong_step(id: int) -> Prog[int, ConstraintViolation | DatabaseError | TooPoor]:
    user = yield from add(User.make())
    return (yield from pay(user))  # WANT mypy[arg-type] pyright[reportArgumentType]


@effect
def bare_yield(id: int) -> Prog[Order, ConstraintViolation | DatabaseError]:
    user = yield add(User.make())
    return (yield from order(user))  # WANT mypy[arg-type] pyright[reportArgumentType]


@effect  # WANT mypy[arg-type] pyright[reportArgumentType]
def no_program(id: int) -> Effect[User, ConstraintViolation | DatabaseError]:  # WANT mypy[misc] pyright[reportInvalidTypeForm]
    user = yield from add(User.make())  # WANT pyright[reportReturnType]
    return user


@effect  # WANT mypy[arg-type] pyright[reportArgumentType]
def no_generator(id: int) -> Effect[User, ConstraintViolation | DatabaseError]:
    return add(User.make())


@effect
def awaiting(db: Ommi) -> Prog[User, ConstraintViolation | DatabaseError]:
    user = await add(User.make())  # WANT mypy[await-not-async] pyright[]
    return (yield from add(User.make()))


@effect
def forgotten_generic(program: Effect[T, E]) -> Prog[T, E]:
    yield from sleep(1).transactional()  # WANT mypy[misc] pyright[reportReturnType]
    return (yield from program)


class Repository:
    @effect
    def named(self, name: str) -> Prog[User, DatabaseError]:
        return (yield from find(User).where(lambda u: u.name == name).one())  # WANT mypy[misc] pyright[reportReturnType]


forgotten("x")  # WANT mypy[arg-type] pyright[reportArgumentType]
forgotten()  # WANT mypy[call-arg] pyright[reportCallIssue]
forgotten(1, 2)  # WANT mypy[call-arg] pyright[reportCallIssue]
Repository().named(3)  # WANT mypy[arg-type] pyright[reportArgumentType]

# several
traverse([1, 2], pay)  # WANT mypy[arg-type] pyright[reportArgumentType]
traverse(3, order)  # WANT mypy[arg-type] pyright[reportArgumentType]
traverse([User.make()], lambda user: Effect.from_value(user.nope))  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
gather(1, one)  # WANT mypy[call-overload] pyright[reportCallIssue]
gather([one, one])  # WANT mypy[call-overload] pyright[reportCallIssue]
pair: Effect[tuple[User, str], NotFound | MultipleFound | DatabaseError | TooPoor] = gather(one, pay(Order(1, 1)))  # WANT mypy[assignment] pyright[reportAssignmentType]
attempt(lambda: int("3"), catching=ValueError)  # WANT mypy[call-overload] pyright[reportCallIssue]
attempt(lambda: int("3"), catching=(int,))  # WANT mypy[arg-type] pyright[reportCallIssue]
attempt(lambda: int("3"))  # WANT mypy[call-overload] pyright[reportCallIssue]

# scopes: finalizers must not be able to fail
one.ensure(one)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.ensure(sleep(1).transactional())  # WANT mypy[arg-type] pyright[reportArgumentType]
one.after_commit(add(User.make()))  # WANT mypy[arg-type] pyright[reportArgumentType]
bracket(one, order, order)  # WANT mypy[arg-type] pyright[reportArgumentType]
bracket(one, pay, lambda user: sleep(1))  # WANT mypy[arg-type] pyright[reportArgumentType]
one.timeout("3")  # WANT mypy[arg-type] pyright[reportArgumentType]
one.transactional(isolation="serializable")  # WANT mypy[arg-type] pyright[reportArgumentType]
one.transactional(True)  # WANT mypy pyright[reportCallIssue]
one.retry(3)  # WANT mypy[arg-type] pyright[reportArgumentType]
one.retry(Schedule.recurs(3), on=int)  # WANT mypy[arg-type] pyright[reportArgumentType]
Schedule.recurs("3")  # WANT mypy[arg-type] pyright[reportArgumentType]
Schedule.recurs(3) & 3  # WANT mypy[operator] pyright[reportOperatorIssue]
Schedule.exponential(0.1).nope()  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
