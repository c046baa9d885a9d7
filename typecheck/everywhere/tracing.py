"""A traced run has the outcome of the run."""

from __future__ import annotations

from typing import assert_type

from models import User

from ommi import ConstraintViolation, DatabaseError, Failure, Ommi, Success, Trace, Traced, add, find


async def traced(db: Ommi, user: User) -> None:
    assert_type(await db.run(find(User).count(), trace=True), Traced[int, DatabaseError])
    found = await db.run(add(user), trace=True)
    assert_type(found.outcome, Success[User] | Failure[ConstraintViolation | DatabaseError])
    assert_type(found.trace, Trace)
    assert_type(await db.run(find(User).count()), Success[int] | Failure[DatabaseError])
    async with db.transaction() as tx:
        assert_type(await tx.run(find(User).count(), trace=True), Traced[int, DatabaseError])
