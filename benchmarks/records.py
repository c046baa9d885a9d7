"""The table every contender works on: 8 columns, the same rows, the same checks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from ommi import Key, ModelCollection, auto, ommi_model

__all__ = ["COLLECTION", "CREATE", "INSERT", "SELECT", "Record", "check", "parameters", "record", "records", "stored"]

COLLECTION = ModelCollection()


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


CREATE = """CREATE TABLE IF NOT EXISTS "record" ("name" TEXT NOT NULL, "email" TEXT NOT NULL, "age" INTEGER NOT NULL,
"score" REAL NOT NULL, "active" INTEGER NOT NULL, "joined" TEXT NOT NULL, "nick" TEXT,
"id" INTEGER PRIMARY KEY NOT NULL) STRICT"""
INSERT = "INSERT INTO record (name, email, age, score, active, joined, nick) VALUES (?, ?, ?, ?, ?, ?, ?)"
SELECT = "SELECT name, email, age, score, active, joined, nick, id FROM record"
_START = datetime(2026, 1, 1, tzinfo=UTC)


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


def check(found: Record, number: int) -> None:
    """The record is the n-th, whatever its key."""
    expected = record(number)
    expected.id = found.id
    if found != expected:
        raise AssertionError(f"record {number} came back as {found!r}")
