"""Joins and subqueries, without a plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_type

from models import Book, Genre, Order, Review, Shelving, User, Writer

from ommi import (
    DatabaseError,
    Effect,
    Expression,
    Grouped,
    Joined,
    MultipleFound,
    NotFound,
    Ommi,
    Predicate,
    Query,
    Rows,
    alias,
    avg,
    col,
    count,
    exists_,
    find,
    optional,
    ref,
)
from ommi.bound import BoundGrouped, BoundJoined, BoundRows


@dataclass
class Line:
    writer: Writer
    title: str | None


pairs = find(Writer).join(Book)
assert_type(pairs, Joined[tuple[Writer, Book], Writer, Book])
assert_type(pairs.all(), Effect[list[tuple[Writer, Book]], DatabaseError])
assert_type(pairs.one(), Effect[tuple[Writer, Book], NotFound | MultipleFound | DatabaseError])
assert_type(pairs.first(), Effect[tuple[Writer, Book] | None, DatabaseError])
assert_type(pairs.count(), Effect[int, DatabaseError])
assert_type(pairs.exists(), Effect[bool, DatabaseError])

# by a relation, by a condition
assert_type(find(Writer).join(Writer.books), Joined[tuple[Writer, Book], Writer, Book])
assert_type(find(Review).join(Review.about), Joined[tuple[Review, Book], Review, Book])
assert_type(find(Book).left_join(Book.writer), Joined[tuple[Book, Writer | None], Book, Writer])
assert_type(find(Writer).join(Book, on=Writer.books), Joined[tuple[Writer, Book], Writer, Book])
assert_type(find(User).join(Order, on=lambda u, o: u.id == o.user_id), Joined[tuple[User, Order], User, Order])
assert_type(find(User).join(Order, on=col(ref(User).id) == 3), Joined[tuple[User, Order], User, Order])

# outer joins: None beside the record
outer = find(Writer).left_join(Book)
assert_type(outer.all(), Effect[list[tuple[Writer, Book | None]], DatabaseError])

# several joins
several = pairs.join(Shelving).left_join(Genre, on=lambda w, b, s, g: s.genre == g.id)
assert_type(
    several, Joined[tuple[Writer, Book, Shelving, Genre | None], Writer, Book, Shelving, Genre]
)
assert_type(several.all(), Effect[list[tuple[Writer, Book, Shelving, Genre | None]], DatabaseError])

# the model once more
mentor = alias(Writer, "mentor")
assert_type(mentor, type[Writer])
assert_type(
    find(Writer).left_join(mentor, on=lambda w, m: col(w.mentor_id) == m.id),
    Joined[tuple[Writer, Writer | None], Writer, Writer],
)

# conditions, order, columns
assert_type(
    pairs.where(lambda w, b: (w.name == "x") & (b.title != "y")).order_by(lambda w, b: (w.name, col(b.title).desc)).limit(3),
    Joined[tuple[Writer, Book], Writer, Book],
)
assert_type(pairs.select(lambda w, b: (w.name, b.title)), Rows[tuple[str, str]])
assert_type(pairs.select(lambda w, b: (w, b.title)), Rows[tuple[Writer, str]])
assert_type(outer.select(lambda w, b: (w.name, optional(b.title))), Rows[tuple[str, str | None]])
assert_type(outer.select(lambda w, b: (w, optional(b))), Rows[tuple[Writer, Book | None]])
assert_type(outer.select(lambda w, b: {"writer": w, "title": optional(b.title)}).into(Line), Rows[Line])
assert_type(optional(col(ref(Book).title)), Expression[object, str | None])
assert_type(pairs.select(col(ref(Writer).name), col(ref(Book).id)), Rows[tuple[str, int]])

# groups
by_writer = outer.group_by(lambda w, b: w.id)
assert_type(by_writer, Grouped[Writer, Book])
assert_type(
    by_writer.having(lambda w, b: count(b) > 1).order_by(lambda w, b: w.name).select(lambda w, b: (w, count(b), avg(b.id))),
    Rows[tuple[Writer, int, float | None]],
)

# subqueries
assert_type(exists_(Book, lambda b: b.writer_id == 3), Predicate[Any])
assert_type(exists_(Writer.books, lambda b: b.title == "x"), Predicate[Any])
assert_type(exists_(Writer.books), Predicate[Any])
assert_type(exists_(find(Book).join(Shelving), lambda b, s: b.id == s.book), Predicate[Any])
assert_type(~exists_(find(Book)), Predicate[Any])
assert_type(find(Writer).where(lambda w: exists_(find(Book), lambda b: b.writer_id == w.id)), Query[Writer])
assert_type(col(ref(Writer).id).in_(pairs.select(lambda w, b: (b.writer_id,))), Predicate[object])


async def bound(db: Ommi) -> None:
    found = db.find(Writer).join(Book)
    assert_type(found, BoundJoined[tuple[Writer, Book], Writer, Book])
    assert_type(await found.where(lambda w, b: w.name == "x").all().value, list[tuple[Writer, Book]])
    assert_type(found.left_join(Shelving), BoundJoined[tuple[Writer, Book, Shelving | None], Writer, Book, Shelving])
    assert_type(found.select(lambda w, b: (w.name, b.title)), BoundRows[tuple[str, str]])
    assert_type(found.group_by(lambda w, b: w.id), BoundGrouped[Writer, Book])
