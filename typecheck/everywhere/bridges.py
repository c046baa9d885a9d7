"""To and from the containers of `returns`."""

from __future__ import annotations

from typing import assert_type

from models import User
from returns.context import RequiresContextFutureResult
from returns.future import FutureResult
from returns.io import IOResult

from ommi import DatabaseError, Effect, MultipleFound, NotFound, Ommi, find, requires_database


def name(user: User) -> str:
    return user.name


async def bridges(db: Ommi) -> None:
    future = db.future(find(User).one())
    assert_type(future, FutureResult[User, NotFound | MultipleFound | DatabaseError])
    assert_type(future.map(name), FutureResult[str, NotFound | MultipleFound | DatabaseError])
    assert_type(await future, IOResult[User, NotFound | MultipleFound | DatabaseError])

    reader = requires_database(find(User).one())
    assert_type(reader, RequiresContextFutureResult[User, NotFound | MultipleFound | DatabaseError, Ommi])
    assert_type(reader(db), FutureResult[User, NotFound | MultipleFound | DatabaseError])
    assert_type(await reader(db), IOResult[User, NotFound | MultipleFound | DatabaseError])

    back = Effect.from_future_result(lambda: db.future(find(User).one()))
    assert_type(back, Effect[User, NotFound | MultipleFound | DatabaseError])
