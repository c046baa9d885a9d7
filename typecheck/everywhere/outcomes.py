"""What `run` gives back is a closed union, so `match` is checked for exhaustiveness."""

from __future__ import annotations

from typing import assert_never, assert_type

from models import User
from returns.result import Result

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Failure,
    MultipleFound,
    NotFound,
    Ommi,
    Outcome,
    Success,
    UniqueViolation,
    add,
    find,
)


async def ran(db: Ommi) -> None:
    outcome = await db.run(find(User).one())
    assert_type(outcome, Success[User] | Failure[NotFound | MultipleFound | DatabaseError])
    result: Result[User, NotFound | MultipleFound | DatabaseError] = outcome
    same: Outcome[User, NotFound | MultipleFound | DatabaseError] = outcome
    if isinstance(outcome, Success):
        assert_type(outcome.unwrap(), User)
    else:
        assert_type(outcome.failure(), NotFound | MultipleFound | DatabaseError)


def nested(outcome: Outcome[User, NotFound | MultipleFound | DatabaseError]) -> str:
    match outcome:
        case Success(user):
            assert_type(user, User)
            return user.name
        case Failure(error):
            assert_type(error, NotFound | MultipleFound | DatabaseError)
            match error:
                case NotFound() | MultipleFound():
                    return "not one"
                case DatabaseError(code=code):
                    return code or ""


def members_first(outcome: Outcome[User, NotFound | ConstraintViolation | DatabaseError]) -> str:
    match outcome:
        case Success(user):
            return user.name
        case Failure(UniqueViolation(fields=fields)):
            return ", ".join(fields)
        case Failure(NotFound() as error):
            assert_type(error, NotFound)
            return "nobody"
        case Failure(error):
            return error.hint or ""
        case _:
            assert_never(outcome)


async def in_place(db: Ommi) -> int:
    match await db.run(add(User.make())):
        case Success(user):
            return user.id
        case Failure(UniqueViolation()):
            return 0
        case Failure(_):
            return 1


async def merged(db: Ommi) -> str:
    match (await db.run(find(User).one().merge())).unwrap():
        case User(name):
            return name
        case NotFound() | MultipleFound():
            return "not one"
        case DatabaseError():
            return "later"
