"""Transactions, retries, time, finalizers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Never, assert_type

from models import Order, TooPoor, User

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Deadlock,
    Effect,
    IsolationLevel,
    Schedule,
    TransactionConflict,
    add,
    catch,
    find,
    sleep,
)


def buy() -> Effect[int, TooPoor]:
    return Effect.from_value(3)


poor = buy()

# each of these can fail in the database
assert_type(poor.transactional(), Effect[int, TooPoor | DatabaseError])
assert_type(
    poor.transactional(isolation=IsolationLevel.SERIALIZABLE, read_only=True, timeout=2.5),
    Effect[int, TooPoor | DatabaseError],
)
assert_type(poor.savepoint(), Effect[int, TooPoor | DatabaseError])
assert_type(poor.timeout(1), Effect[int, TooPoor | DatabaseError])
assert_type(poor.retry(Schedule.recurs(3)), Effect[int, TooPoor | DatabaseError])
assert_type(poor.retry(Schedule.recurs(3), on=TooPoor), Effect[int, TooPoor | DatabaseError])
assert_type(poor.retry(Schedule.recurs(3), on=(TooPoor, Deadlock)), Effect[int, TooPoor | DatabaseError])
assert_type(
    add(User.make()).bind(lambda user: add(Order(user.id, 3))).transactional().retry(Schedule.fixed(0.5)).timeout(3),
    Effect[Order, ConstraintViolation | DatabaseError],
)
assert_type(
    find(User).count().transactional() >> catch(TransactionConflict)(lambda e: Effect.from_value(0)),
    Effect[int, DatabaseError],
)

# these take effects that cannot fail, and add nothing
assert_type(poor.ensure(sleep(1)), Effect[int, TooPoor])
assert_type(poor.after_commit(sleep(1)), Effect[int, TooPoor])
assert_type(
    poor.ensure(find(User).count().lash(lambda error: Effect.from_value(0))),
    Effect[int, TooPoor],
)
assert_type(poor.after_commit(add(User.make()).either()), Effect[int, TooPoor])

# schedules are values
schedule = (
    Schedule.exponential(0.05).jittered().capped(3).up_to(5) | Schedule.fibonacci(1).within(60) & Schedule.recurs(3)
).then(Schedule.fixed(60))
assert_type(schedule, Schedule)
assert_type(Schedule.exponential(base=1, factor=3), Schedule)
assert_type(schedule.delays(lambda: 0.5, lambda: 0.0), Iterator[float])
assert_type(Effect.from_value(1).retry(schedule), Effect[int, DatabaseError])
assert_type(Effect.from_value(1).ensure(sleep(1)), Effect[int, Never])
