"""`catch` subtracts exactly without a plugin, as long as what is left over consists of Ommi's families."""

from __future__ import annotations

from typing import Never, assert_type

from models import Closed, TooPoor, User

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Deadlock,
    Effect,
    MultipleFound,
    NotFound,
    StaleRecord,
    TransactionConflict,
    UniqueViolation,
    catch,
    find,
    save,
)


def all_families() -> Effect[int, NotFound | MultipleFound | StaleRecord | ConstraintViolation | DatabaseError]:
    return save(User.make()).bind(lambda user: find(User).one()).map(lambda user: user.age)


def to_none(error: object) -> Effect[None, Never]:
    return Effect.from_value(None)


one = find(User).one()
four = save(User.make())
five = all_families()

# one family of one, three, four, five
assert_type(Effect.from_failure(NotFound("nobody")) >> catch(NotFound)(to_none), Effect[None, Never])
assert_type(one >> catch(NotFound)(to_none), Effect[User | None, MultipleFound | DatabaseError])
assert_type(one >> catch(MultipleFound)(to_none), Effect[User | None, NotFound | DatabaseError])
assert_type(one >> catch(DatabaseError)(to_none), Effect[User | None, NotFound | MultipleFound])
assert_type(four >> catch(NotFound)(to_none), Effect[User | None, StaleRecord | ConstraintViolation | DatabaseError])
assert_type(four >> catch(StaleRecord)(to_none), Effect[User | None, NotFound | ConstraintViolation | DatabaseError])
assert_type(four >> catch(ConstraintViolation)(to_none), Effect[User | None, NotFound | StaleRecord | DatabaseError])
assert_type(four >> catch(DatabaseError)(to_none), Effect[User | None, NotFound | StaleRecord | ConstraintViolation])
assert_type(
    five >> catch(NotFound)(to_none),
    Effect[int | None, MultipleFound | StaleRecord | ConstraintViolation | DatabaseError],
)
assert_type(
    five >> catch(MultipleFound)(to_none),
    Effect[int | None, NotFound | StaleRecord | ConstraintViolation | DatabaseError],
)
assert_type(
    five >> catch(StaleRecord)(to_none),
    Effect[int | None, NotFound | MultipleFound | ConstraintViolation | DatabaseError],
)
assert_type(
    five >> catch(ConstraintViolation)(to_none),
    Effect[int | None, NotFound | MultipleFound | StaleRecord | DatabaseError],
)
assert_type(
    five >> catch(DatabaseError)(to_none),
    Effect[int | None, NotFound | MultipleFound | StaleRecord | ConstraintViolation],
)

# several at once
assert_type(one >> catch(NotFound, MultipleFound)(to_none), Effect[User | None, DatabaseError])
assert_type(one >> catch(NotFound, DatabaseError)(to_none), Effect[User | None, MultipleFound])
assert_type(one >> catch(NotFound, MultipleFound, DatabaseError)(to_none), Effect[User | None, Never])
assert_type(four >> catch(NotFound, StaleRecord)(to_none), Effect[User | None, ConstraintViolation | DatabaseError])
assert_type(
    five >> catch(NotFound, MultipleFound)(to_none),
    Effect[int | None, StaleRecord | ConstraintViolation | DatabaseError],
)
assert_type(
    five >> catch(NotFound, MultipleFound, StaleRecord)(to_none),
    Effect[int | None, ConstraintViolation | DatabaseError],
)
assert_type(
    five >> catch(NotFound, MultipleFound, StaleRecord, ConstraintViolation)(to_none),
    Effect[int | None, DatabaseError],
)

# chained
assert_type(
    one >> catch(NotFound)(to_none) >> catch(MultipleFound)(lambda e: Effect.from_value("many")),
    Effect[User | str | None, DatabaseError],
)
assert_type(
    one
    >> catch(NotFound)(lambda e: Effect.from_value(0))
    >> catch(MultipleFound)(lambda e: Effect.from_value(""))
    >> catch(DatabaseError)(lambda e: Effect.from_value(None)),
    Effect[User | int | str | None, Never],
)

# the error has the class that was named
assert_type(
    one >> catch(NotFound)(lambda error: Effect.from_value(error)),
    Effect[User | NotFound, MultipleFound | DatabaseError],
)
assert_type(
    one >> catch(NotFound, MultipleFound)(lambda error: Effect.from_value(error)),
    Effect[User | NotFound | MultipleFound, DatabaseError],
)

# a member of a family is handled, and its family stays
assert_type(four >> catch(UniqueViolation)(lambda e: Effect.from_value(e.fields)), Effect[
    User | tuple[str, ...], NotFound | StaleRecord | ConstraintViolation | DatabaseError
])
assert_type(
    one >> catch(Deadlock, TransactionConflict)(to_none), Effect[User | None, NotFound | MultipleFound | DatabaseError]
)

# a base class takes all below it
assert_type(one >> catch(Exception)(to_none), Effect[User | None, Never])

# what a handler fails with is added
assert_type(
    one >> catch(NotFound)(lambda e: Effect.from_failure(TooPoor())),
    Effect[User, MultipleFound | DatabaseError | TooPoor],
)
assert_type(one >> catch(NotFound)(Effect.from_failure), Effect[User, NotFound | MultipleFound | DatabaseError])


# an application's own errors: caught they are gone
def shop() -> Effect[int, TooPoor | NotFound | DatabaseError]:
    return Effect.from_value(3)


def closed_shop() -> Effect[int, TooPoor | Closed | DatabaseError]:
    return Effect.from_value(3)


assert_type(shop() >> catch(TooPoor)(to_none), Effect[int | None, NotFound | DatabaseError])
assert_type(shop() >> catch(TooPoor, NotFound)(to_none), Effect[int | None, DatabaseError])
assert_type(shop() >> catch(TooPoor, NotFound, DatabaseError)(to_none), Effect[int | None, Never])

# left over, mypy without the plugin widens them to their common base; nobody else does
assert_type(shop() >> catch(NotFound)(to_none), Effect[int | None, TooPoor | DatabaseError])  # WANT plain[assert-type]
assert_type(closed_shop() >> catch(DatabaseError)(to_none), Effect[int | None, TooPoor | Closed])  # WANT plain[assert-type]


def annotated() -> Effect[int | None, TooPoor | DatabaseError]:
    return shop() >> catch(NotFound)(to_none)  # an annotation helps mypy
