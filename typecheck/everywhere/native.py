"""A database's own language: what rows are read into is what comes out."""

from __future__ import annotations

from typing import Any, NamedTuple, assert_type

from models import User

from ommi import ConstraintViolation, DatabaseError, Effect, Ommi, execute, mongo, sql


class Row(NamedTuple):
    name: str
    age: int


def native(age: int) -> None:
    assert_type(sql("SELECT 1"), Effect[list[tuple[Any, ...]], DatabaseError])
    assert_type(sql("SELECT * FROM {u} WHERE age > {}", age, u=User, into=User), Effect[list[User], DatabaseError])
    assert_type(sql("SELECT name, age FROM u", into=Row), Effect[list[Row], DatabaseError])
    assert_type(sql("SELECT name, age FROM u", into=tuple[str, int]), Effect[list[tuple[str, int]], DatabaseError])
    assert_type(
        sql("DELETE FROM u RETURNING *", into=User, writes=True), Effect[list[User], ConstraintViolation | DatabaseError]
    )
    assert_type(execute("DELETE FROM u"), Effect[int, ConstraintViolation | DatabaseError])
    assert_type(mongo(User, [{"$match": {}}]), Effect[list[dict[str, Any]], DatabaseError])
    assert_type(mongo(User, {"distinct": None}), Effect[dict[str, Any], DatabaseError])


async def bound(db: Ommi) -> None:
    assert_type(await db.sql("SELECT name, age FROM u", into=Row).value, list[Row])
    assert_type(await db.execute("DELETE FROM u").value, int)
