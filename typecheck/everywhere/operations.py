"""Reading and writing records."""

from __future__ import annotations

from typing import assert_type

from models import Attrs, Order, Pydantic, Struct, User, collection

from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    ModelCollection,
    NotFound,
    Ommi,
    StaleRecord,
    add,
    add_all,
    col,
    delete,
    global_collection,
    ref,
    reload,
    save,
    upsert,
    upsert_all,
)

user = User("Ada", "ada@example.org", 36)
assert_type(add(user), Effect[User, ConstraintViolation | DatabaseError])
assert_type(add(Attrs("Ada", 36)), Effect[Attrs, ConstraintViolation | DatabaseError])
assert_type(add(Pydantic(name="Ada", age=36)), Effect[Pydantic, ConstraintViolation | DatabaseError])
assert_type(add(Struct("Ada", 36)), Effect[Struct, ConstraintViolation | DatabaseError])
assert_type(add_all([user, user]), Effect[list[User], ConstraintViolation | DatabaseError])
assert_type(add_all(Order(i, 1) for i in range(3)), Effect[list[Order], ConstraintViolation | DatabaseError])
assert_type(save(user), Effect[User, NotFound | StaleRecord | ConstraintViolation | DatabaseError])
assert_type(upsert(user), Effect[User, ConstraintViolation | DatabaseError])
u = ref(User)
assert_type(
    upsert(user, on=col(u.email), update=[col(u.name), col(u.age)]), Effect[User, ConstraintViolation | DatabaseError]
)
assert_type(upsert_all([user]), Effect[list[User], ConstraintViolation | DatabaseError])
assert_type(delete(user), Effect[None, NotFound | ConstraintViolation | DatabaseError])
assert_type(reload(user), Effect[User, NotFound | DatabaseError])


def tables(db: Ommi) -> None:
    assert_type(db.schema.create(), Effect[None, DatabaseError])
    assert_type(db.schema.create(collection), Effect[None, DatabaseError])
    assert_type(db.schema.drop(collection), Effect[None, ConstraintViolation | DatabaseError])


assert_type(global_collection(), ModelCollection)
