"""Effects bound to a database can be awaited, and what is composed from them stays bound."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Never, assert_type

from models import Order, TooPoor, User, collection, name_of
from returns.result import Result

from ommi import (
    BoundEffect,
    BoundQuery,
    BoundRows,
    ConstraintViolation,
    DatabaseError,
    Effect,
    Failure,
    IsolationLevel,
    MultipleFound,
    NotFound,
    Ommi,
    Predicate,
    Schedule,
    StaleRecord,
    Success,
    Transaction,
    TransactionOptions,
    UniqueViolation,
    add,
    alt,
    bind,
    catch,
    col,
    find,
    gather,
    lash,
    map_,
    ref,
    sleep,
    tap,
)

user = User.make()
u = ref(User)


def order(user: User) -> Effect[Order, ConstraintViolation | DatabaseError]:
    return add(Order(user.id, 3))


def pay(order: Order) -> Effect[int, TooPoor]:
    return Effect.from_value(order.total)


async def awaited(db: Ommi) -> None:
    assert_type(await db.add(user), Success[User] | Failure[ConstraintViolation | DatabaseError])
    assert_type(await db.add(user).value, User)
    assert_type(await db.add(user).value_or(None), User | None)
    assert_type(await db.find(User).all(), Success[list[User]] | Failure[DatabaseError])
    assert_type(await db.find(User).all().value, list[User])
    assert_type(await db.find(User).count().value_or(0), int)
    assert_type(await db.find(User).fetch.all(), list[User])
    assert_type(await db.find(User).fetch.one(), User)
    assert_type(await db.find(User).fetch.first(), User | None)
    assert_type(await db.find(User).fetch.count(), int)
    assert_type(await db.find(User).fetch.exists(), bool)
    assert_type(await db.find(User).select(lambda u: (u.name, u.age)).fetch.all(), list[tuple[str, int]])
    assert_type(await db.find(User).select(lambda u: (u.name, u.age)).fetch.one(), tuple[str, int])
    assert_type(await db.find(User).select(lambda u: (u.name, u.age)).fetch.first(), tuple[str, int] | None)
    match await db.find(User).one():
        case Success(found):
            assert_type(found, User)
        case Failure(error):
            assert_type(error, NotFound | MultipleFound | DatabaseError)


async def opened() -> None:
    async with Ommi.connect("sqlite:///app.db") as db:
        assert_type(db, Ommi)
        assert_type(await db.run(db.schema.create(collection)), Success[None] | Failure[DatabaseError])


async def transactions(db: Ommi) -> None:
    options = TransactionOptions(isolation_level=IsolationLevel.SERIALIZABLE, read_only=False, timeout=3)
    async with db.transaction(options) as tx:
        assert_type(tx, Transaction)
        assert_type(await tx.run(find(User).one()), Success[User] | Failure[NotFound | MultipleFound | DatabaseError])
        assert_type(await tx.add(user), Success[User] | Failure[ConstraintViolation | DatabaseError])
        assert_type(await tx.find(User).where(lambda u: u.age > 3).all().value, list[User])
        assert_type(tx.save(user), BoundEffect[User, NotFound | StaleRecord | ConstraintViolation | DatabaseError])
        async with tx.transaction() as nested:
            assert_type(nested, Transaction)
        assert_type(await tx.savepoint("before"), None)
        assert_type(await tx.rollback_to_savepoint("before"), None)


def words(db: Ommi) -> None:
    assert_type(db.add(user), BoundEffect[User, ConstraintViolation | DatabaseError])
    assert_type(db.add_all([user]), BoundEffect[list[User], ConstraintViolation | DatabaseError])
    assert_type(db.save(user), BoundEffect[User, NotFound | StaleRecord | ConstraintViolation | DatabaseError])
    assert_type(db.upsert(user, on=col(u.email)), BoundEffect[User, ConstraintViolation | DatabaseError])
    assert_type(db.delete(user), BoundEffect[None, NotFound | ConstraintViolation | DatabaseError])
    assert_type(db.reload(user), BoundEffect[User, NotFound | DatabaseError])


def queries(db: Ommi, adult: Predicate[User]) -> None:
    users = db.find(User)
    assert_type(users, BoundQuery[User])
    assert_type(db.find(adult), BoundQuery[User])
    assert_type(db.find(User, lambda u: u.age > 18, adult), BoundQuery[User])
    assert_type(users.where(lambda u: u.age > 18).order_by(lambda u: u.name).limit(3).offset(3), BoundQuery[User])
    assert_type(users.distinct().everything().for_update(no_wait=True), BoundQuery[User])
    assert_type(users.all(), BoundEffect[list[User], DatabaseError])
    assert_type(users.one(), BoundEffect[User, NotFound | MultipleFound | DatabaseError])
    assert_type(users.first(), BoundEffect[User | None, DatabaseError])
    assert_type(users.count(), BoundEffect[int, DatabaseError])
    assert_type(users.exists(), BoundEffect[bool, DatabaseError])
    assert_type(users.update(age=3), BoundEffect[int, ConstraintViolation | DatabaseError])
    assert_type(users.set(col(u.age), 3), BoundEffect[int, ConstraintViolation | DatabaseError])
    assert_type(users.set(lambda u: col(u.age), 3), BoundEffect[int, ConstraintViolation | DatabaseError])
    assert_type(users.everything().delete(), BoundEffect[int, ConstraintViolation | DatabaseError])
    rows = users.select(lambda u: (u.name, u.age))
    assert_type(rows, BoundRows[tuple[str, int]])
    assert_type(users.select(col(u.name), col(u.height)), BoundRows[tuple[str, float | None]])
    assert_type(users.select(u.name, u.height), BoundRows[tuple[str, float | None]])
    assert_type(rows.distinct().all(), BoundEffect[list[tuple[str, int]], DatabaseError])
    assert_type(rows.one(), BoundEffect[tuple[str, int], NotFound | MultipleFound | DatabaseError])
    assert_type(rows.first(), BoundEffect[tuple[str, int] | None, DatabaseError])
    assert_type(rows.count(), BoundEffect[int, DatabaseError])
    assert_type(rows.exists(), BoundEffect[bool, DatabaseError])


def adult(user: User) -> Result[User, TooPoor]:
    return Success(user)


def composed(db: Ommi) -> None:
    one = db.find(User).one()
    added = db.add(user)
    assert_type(added.map(name_of), BoundEffect[str, ConstraintViolation | DatabaseError])
    assert_type(added.bind(order).bind(pay), BoundEffect[int, ConstraintViolation | DatabaseError | TooPoor])
    assert_type(added.tap(order), BoundEffect[User, ConstraintViolation | DatabaseError])
    assert_type(added.bind_result(adult), BoundEffect[User, ConstraintViolation | DatabaseError | TooPoor])
    assert_type(added.apply(Effect.from_value(name_of)), BoundEffect[str, ConstraintViolation | DatabaseError])
    assert_type(added.alt(str), BoundEffect[User, str])
    assert_type(added.lash(lambda e: Effect.from_value(None)), BoundEffect[User | None, Never])
    assert_type(added.swap(), BoundEffect[ConstraintViolation | DatabaseError, User])
    assert_type(added.either(), BoundEffect[Success[User] | Failure[ConstraintViolation | DatabaseError], Never])
    assert_type(added.merge(), BoundEffect[User | ConstraintViolation | DatabaseError, Never])
    assert_type(added.transactional(), BoundEffect[User, ConstraintViolation | DatabaseError])
    assert_type(added.savepoint().timeout(3), BoundEffect[User, ConstraintViolation | DatabaseError])
    assert_type(added.retry(Schedule.recurs(3)), BoundEffect[User, ConstraintViolation | DatabaseError])
    assert_type(added.ensure(sleep(1)).after_commit(sleep(1)), BoundEffect[User, ConstraintViolation | DatabaseError])

    # with the pointfree steps and catch, too
    assert_type(added >> bind(order) >> bind(pay), BoundEffect[int, ConstraintViolation | DatabaseError | TooPoor])
    assert_type(added >> map_(name_of), BoundEffect[str, ConstraintViolation | DatabaseError])
    assert_type(added >> tap(order), BoundEffect[User, ConstraintViolation | DatabaseError])
    assert_type(added >> alt(str), BoundEffect[User, str])
    assert_type(one >> catch(NotFound)(lambda e: Effect.from_value(None)), BoundEffect[
        User | None, MultipleFound | DatabaseError
    ])
    assert_type(
        one >> catch(NotFound, MultipleFound)(lambda e: Effect.from_value(None)),
        BoundEffect[User | None, DatabaseError],
    )
    assert_type(
        one
        >> catch(NotFound)(lambda e: Effect.from_value(None))
        >> catch(MultipleFound)(lambda e: Effect.from_value(3))
        >> catch(DatabaseError)(lambda e: Effect.from_value("")),
        BoundEffect[User | None | int | str, Never],
    )
    assert_type(
        added >> catch(UniqueViolation)(lambda e: find(User).one()),
        BoundEffect[User, ConstraintViolation | NotFound | MultipleFound | DatabaseError],
    )
    assert_type(added >> bind(order) >> lash(to_zero), BoundEffect[Order | int, Never])

    # together with others they are a program, to be run
    assert_type(gather(one, added), Effect[
        tuple[User, User], NotFound | MultipleFound | ConstraintViolation | DatabaseError
    ])
    assert_type(one.value, Awaitable[User])
    assert_type(one.value_or(3), Awaitable[User | int])
    as_effect: Effect[object, Exception] = one


def to_zero(error: ConstraintViolation | DatabaseError) -> Effect[int, Never]:
    return Effect.from_value(0)
