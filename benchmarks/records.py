"""The table every contender works on: 8 columns, the same rows, the same checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from ommi import Index, Key, ModelCollection, ReferenceTo, ToMany, auto, ommi_model

__all__ = [
    "CHILDREN",
    "COLLECTION",
    "CREATE",
    "CREATE_FAMILY",
    "FIELDS",
    "INSERT",
    "PAIRS",
    "PARENTS",
    "SELECT",
    "Child",
    "Parent",
    "Record",
    "check",
    "check_child",
    "family",
    "parameters",
    "record",
    "records",
    "stored",
]

COLLECTION = ModelCollection()
_START = datetime(2026, 1, 1, tzinfo=UTC)


@ommi_model(collection=COLLECTION, name="record")
@dataclass
class Record:
    """An int key, two texts, int, float, bool, datetime, and a text that may be missing."""

    name: str
    email: str
    age: int
    score: float
    active: bool
    joined: datetime
    nick: str | None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=COLLECTION, name="parent")
@dataclass
class Parent:
    """What children refer to."""

    name: str
    id: Annotated[int, Key] = auto()
    children: ClassVar[ToMany[Child]] = ToMany()


@ommi_model(collection=COLLECTION, name="child")
@dataclass
class Child:
    """What refers to a parent, and a few values."""

    parent: Annotated[int, ReferenceTo(Parent), Index]
    name: str
    age: int
    score: float
    joined: datetime
    id: Annotated[int, Key] = auto()


CREATE_FAMILY = """CREATE TABLE IF NOT EXISTS "parent" ("name" TEXT NOT NULL, "id" INTEGER PRIMARY KEY NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS "child" ("parent" INTEGER NOT NULL REFERENCES "parent", "name" TEXT NOT NULL,
"age" INTEGER NOT NULL, "score" REAL NOT NULL, "joined" TEXT NOT NULL, "id" INTEGER PRIMARY KEY NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS ix_child_parent ON child (parent)"""
PARENTS = "SELECT name, id FROM parent"
PAIRS = (
    "SELECT p.name, p.id, c.parent, c.name, c.age, c.score, c.joined, c.id "
    "FROM parent AS p JOIN child AS c ON c.parent = p.id ORDER BY c.id"
)
CHILDREN = "SELECT parent, name, age, score, joined, id FROM child"


def family(parents: int, children: int) -> tuple[list[Parent], list[Child]]:
    """So many parents with so many children each; keys count from 1, and the children of one are far apart."""
    some = [Child(n % parents + 1, f"child {n}", n % 90, n / 7, _START, n + 1) for n in range(parents * children)]
    return [Parent(f"parent {n}", n + 1) for n in range(parents)], some


FIELDS = ("name", "email", "age", "score", "active", "joined", "nick", "id")
CREATE = """CREATE TABLE IF NOT EXISTS "record" ("name" TEXT NOT NULL, "email" TEXT NOT NULL, "age" INTEGER NOT NULL,
"score" REAL NOT NULL, "active" INTEGER NOT NULL, "joined" TEXT NOT NULL, "nick" TEXT,
"id" INTEGER PRIMARY KEY NOT NULL) STRICT"""
INSERT = "INSERT INTO record (name, email, age, score, active, joined, nick) VALUES (?, ?, ?, ?, ?, ?, ?)"
SELECT = "SELECT name, email, age, score, active, joined, nick, id FROM record"


def record(number: int) -> Record:
    """The n-th record, without a key."""
    return Record(
        name=f"name {number}",
        email=f"user{number}@example.org",
        age=number % 90,
        score=number / 7,
        active=number % 3 == 0,
        joined=_START + timedelta(seconds=number),
        nick=None if number % 2 else f"nick {number}",
    )


def records(count: int) -> Iterator[Record]:
    """The first records."""
    return map(record, range(count))


def parameters(found: Record) -> tuple[object, ...]:
    """What a hand-written insert passes."""
    return (
        found.name, found.email, found.age, found.score, found.active,
        found.joined.isoformat(" ", "microseconds"), found.nick,
    )  # fmt: skip


def stored(row: sqlite3.Row | tuple[object, ...]) -> Record:
    """A record from a row of `SELECT`, as one would write it by hand."""
    name, email, age, score, active, joined, nick, key = row
    return Record(name, email, age, score, bool(active), datetime.fromisoformat(joined), nick, key)  # type: ignore[arg-type]


def check(found: object, number: int) -> None:
    """The record is the n-th, whatever its class and its key."""
    expected = record(number)
    for name in FIELDS[:-1]:
        if getattr(found, name) != getattr(expected, name):
            raise AssertionError(f"{name} of record {number} came back as {getattr(found, name)!r}")


def check_child(found: object, expected: Child) -> None:
    """The child has the values expected, whatever its class; `parent` may be an object there."""
    for name in ("name", "age", "score", "joined", "id"):
        if getattr(found, name) != getattr(expected, name):
            raise AssertionError(f"{name} of child {expected.id} came back as {getattr(found, name)!r}")
