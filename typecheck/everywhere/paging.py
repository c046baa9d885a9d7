"""Pages have the rows of their query."""

from __future__ import annotations

from typing import assert_type

from models import User

from ommi import DatabaseError, Effect, Ommi, Page, find


def pages(cursor: str | None) -> None:
    query = find(User).after(cursor)
    assert_type(query.page(20), Effect[Page[User], DatabaseError])
    assert_type(query.select(lambda u: (u.name, u.age)).page(3), Effect[Page[tuple[str, int]], DatabaseError])


async def bound(db: Ommi, user: User) -> None:
    query = db.find(User)
    page = await query.before(query.cursor_of(user)).page(20).value
    assert_type(page, Page[User])
    assert_type(page.rows, list[User])
    assert_type(page.next_cursor, str | None)
