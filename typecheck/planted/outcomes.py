"""Errors that every checker must find where an effect is run."""

from __future__ import annotations

from typing import assert_never

from models import TooPoor, User
from returns.result import Result

from ommi import (
    BoundEffect,
    ConstraintViolation,
    DatabaseError,
    Effect,
    Failure,
    MultipleFound,
    NotFound,
    Ommi,
    Outcome,
    Success,
    UniqueViolation,
    add,
    bind,
    catch,
    find,
    requires_database,
)


def missing_failure(outcome: Outcome[User, NotFound | DatabaseError]) -> str:  # WANT mypy[return] pyright
    match outcome:  # WANT mypy pyright
        case Success(user):
            return user.name


def missing_success(outcome: Outcome[User, NotFound | DatabaseError]) -> str:
    match outcome:
        case Failure(error):
            return error.hint or ""
        case _:
            assert_never(outcome)  # WANT mypy pyright


def missing_member(outcome: Outcome[User, NotFound | ConstraintViolation]) -> str:
    match outcome:
        case Success(user):
            return user.name
        case Failure(NotFound()):
            return ""
        case Failure(UniqueViolation()):
            return ""
        case _:
            assert_never(outcome)  # WANT mypy pyright


def missing_error(outcome: Outcome[User, NotFound | ConstraintViolation | DatabaseError]) -> str:
    match outcome:
        case Success(user):
            return user.name
        case Failure(error):
            match error:
                case NotFound():
                    return ""
                case DatabaseError():
                    return ""
                case _:
                    assert_never(error)  # WANT mypy pyright


def silent(outcome: Outcome[User, NotFound | DatabaseError]) -> None:
    match outcome:
        case Success(user):
            print(user)
        case Failure(error):
            match error:  # WANT mypy pyright
                case NotFound():
                    print()


async def run(db: Ommi) -> None:
    outcome = await db.run(find(User).one())
    fewer: Result[User, NotFound] = outcome  # WANT mypy pyright
    other: Result[int, NotFound | MultipleFound | DatabaseError] = outcome  # WANT mypy pyright
    print(outcome.name)  # WANT mypy pyright
    await db.run(find(User))  # WANT mypy pyright
    await db.run(User)  # WANT mypy pyright
    await db.run(add)  # WANT mypy pyright
    db.run(add(User.make()))  # WANT mypy pyright
    match outcome:
        case Success(user):
            user.nope  # WANT mypy pyright
        case Failure(error):
            error.fields  # WANT mypy pyright


async def awaiting(db: Ommi) -> None:
    await find(User).one()  # WANT mypy pyright
    await add(User.make())  # WANT mypy pyright
    await add(User.make()).transactional()  # WANT mypy pyright
    await find(User)  # WANT mypy pyright
    await db.find(User)  # WANT mypy pyright
    await db.add(3).value_or()  # WANT mypy pyright
    db.add(User.make())  # WANT mypy
    db.find(User).all().value  # WANT mypy
    user: User = await db.add(User.make())  # WANT mypy pyright
    name: str = await db.find(User).fetch.one()  # WANT mypy pyright
    users: list[int] = await db.find(User).all().value  # WANT mypy pyright
    count: int = await db.find(User).count().value_or(None)  # WANT mypy pyright
    await (db.find(User).one() >> bind(len))  # WANT mypy pyright
    await (find(User).one() >> catch(NotFound)(lambda e: Effect.from_value(None)))  # WANT mypy pyright
    some = db.find(User).one() >> catch(NotFound)(lambda e: Effect.from_value(None))
    fewer: BoundEffect[User | None, DatabaseError] = some  # WANT mypy pyright
    unbound: BoundEffect[User, ConstraintViolation | DatabaseError] = add(User.make())  # WANT mypy pyright
    db.find(User).where(lambda u: u.age > "x")  # WANT mypy pyright
    db.find(User).fetch.nope()  # WANT mypy pyright
    db.schema.create("users")  # WANT mypy pyright
    requires_database(find(User).one())(3)  # WANT mypy pyright
    db.future(3)  # WANT mypy pyright


async def with_errors(db: Ommi) -> None:
    match await db.find(User).one():
        case Success(user):
            print(user.name)
        case Failure(TooPoor()):  # WANT pyright
            print()
        case Failure(error):
            print(error)
