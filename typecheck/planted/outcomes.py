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


def missing_failure(outcome: Outcome[User, NotFound | DatabaseError]) -> str:  # WANT mypy[return] pyright[reportReturnType]
    match outcome:  # WANT mypy[exhaustive-match] pyright[reportMatchNotExhaustive]
        case Success(user):
            return user.name


def missing_success(outcome: Outcome[User, NotFound | DatabaseError]) -> str:
    match outcome:
        case Failure(error):
            return error.hint or ""
        case _:
            assert_never(outcome)  # WANT mypy[arg-type] pyright[reportArgumentType]


def missing_member(outcome: Outcome[User, NotFound | ConstraintViolation]) -> str:
    match outcome:
        case Success(user):
            return user.name
        case Failure(NotFound()):
            return ""
        case Failure(UniqueViolation()):
            return ""
        case _:
            assert_never(outcome)  # WANT mypy[arg-type] pyright[reportArgumentType]


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
                    assert_never(error)  # WANT mypy[arg-type] pyright[reportArgumentType]


def silent(outcome: Outcome[User, NotFound | DatabaseError]) -> None:
    match outcome:
        case Success(user):
            print(user)
        case Failure(error):
            match error:  # WANT mypy[exhaustive-match] pyright[reportMatchNotExhaustive]
                case NotFound():
                    print()


async def run(db: Ommi) -> None:
    outcome = await db.run(find(User).one())
    fewer: Result[User, NotFound] = outcome  # WANT mypy[assignment] pyright[reportAssignmentType]
    other: Result[int, NotFound | MultipleFound | DatabaseError] = outcome  # WANT mypy[assignment] pyright[reportAssignmentType]
    print(outcome.name)  # WANT mypy[union-attr] pyright[reportAttributeAccessIssue]
    await db.run(find(User))  # WANT mypy[call-overload] pyright[reportArgumentType]
    await db.run(User)  # WANT mypy[call-overload] pyright[reportArgumentType]
    await db.run(add)  # WANT mypy[call-overload] pyright[reportArgumentType]
    db.run(add(User.make()))  # WANT mypy[unused-coroutine] pyright[reportUnusedCoroutine]
    match outcome:
        case Success(user):
            user.nope  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
        case Failure(error):
            error.fields  # WANT mypy[union-attr] pyright[reportAttributeAccessIssue]


async def awaiting(db: Ommi) -> None:
    await find(User).one()  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
    await add(User.make())  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
    await add(User.make()).transactional()  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
    await find(User)  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
    await db.find(User)  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
    await db.add(3).value_or()  # WANT mypy[call-arg] pyright[reportCallIssue]
    db.add(User.make())  # WANT mypy[unused-awaitable]
    db.find(User).all().value  # WANT mypy[unused-awaitable]
    user: User = await db.add(User.make())  # WANT mypy[assignment] pyright[reportAssignmentType]
    name: str = await db.find(User).fetch.one()  # WANT mypy[assignment] pyright[reportAssignmentType]
    users: list[int] = await db.find(User).all().value  # WANT mypy[assignment] pyright[reportAssignmentType]
    count: int = await db.find(User).count().value_or(None)  # WANT mypy[arg-type] pyright[reportAssignmentType]
    await (db.find(User).one() >> bind(len))  # WANT mypy[operator] pyright[reportOperatorIssue]
    await (find(User).one() >> catch(NotFound)(lambda e: Effect.from_value(None)))  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
    some = db.find(User).one() >> catch(NotFound)(lambda e: Effect.from_value(None))
    fewer: BoundEffect[User | None, DatabaseError] = some  # WANT mypy[assignment] pyright[reportAssignmentType]
    unbound: BoundEffect[User, ConstraintViolation | DatabaseError] = add(User.make())  # WANT mypy[assignment] pyright[reportAssignmentType]
    if find(User).exists():  # WANT mypy[truthy-bool]
        pass
    db.find(User).one() >> catch(NotFound)  # WANT mypy pyright
    db.find(User).where(lambda u: u.age > "x")  # WANT mypy[operator] pyright[reportOperatorIssue]
    db.find(User).fetch.nope()  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
    db.schema.create("users")  # WANT mypy[arg-type] pyright[reportArgumentType]
    requires_database(find(User).one())(3)  # WANT mypy[unused-awaitable] pyright[reportArgumentType]
    db.future(3)  # WANT mypy[unused-awaitable] pyright[reportArgumentType]


async def with_errors(db: Ommi) -> None:
    match await db.find(User).one():
        case Success(user):
            print(user.name)
        case Failure(TooPoor()):  # WANT pyright[reportUnnecessaryComparison]
            print()
        case Failure(error):
            print(error)


async def transactions(db: Ommi) -> None:
    with db.transaction():  # WANT mypy[attr-defined] pyright[reportGeneralTypeIssues]
        pass
    async with db.transaction(3) as tx:  # WANT mypy[arg-type] pyright[reportArgumentType]
        await tx.savepoint()  # WANT mypy[call-arg] pyright[reportCallIssue]
        await tx.add(User.make()).nope  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
        tx.savepoint("before")  # WANT mypy[unused-coroutine] pyright[reportUnusedCoroutine]
    await db.transaction()  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
