"""Piccolo on aiosqlite and asyncpg."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from piccolo.columns import (
    BigInt,
    BigSerial,
    Boolean,
    DoublePrecision,
    ForeignKey,
    Text,
    Timestamptz,
)
from piccolo.columns.indexes import IndexMethod
from piccolo.engine.postgres import PostgresEngine
from piccolo.engine.sqlite import SQLiteEngine, TransactionType
from piccolo.query.functions.aggregate import Avg, Count
from piccolo.table import Table, create_db_tables, drop_db_tables

from benchmarks.places import SQLITE_SETTINGS, Place, server_url
from benchmarks.records import Child, Parent, Record

__all__ = ["Piccolo", "Stored", "StoredChild", "StoredParent"]

_AT_ONCE = 1000
"""Rows of one INSERT: the library writes all it is given into one, and both databases limit its parameters."""


class Stored(Table, tablename="record"):
    """The table."""

    name = Text()
    email = Text()
    age = BigInt()
    score = DoublePrecision()
    active = Boolean()
    joined = Timestamptz()
    nick = Text(null=True, default=None)
    id = BigSerial(primary_key=True)


class StoredParent(Table, tablename="parent"):
    """What children refer to."""

    name = Text()
    id = BigSerial(primary_key=True)


class StoredChild(Table, tablename="child"):
    """What refers to a parent."""

    parent = ForeignKey(StoredParent, index=True, index_method=IndexMethod.btree)
    name = Text()
    age = BigInt()
    score = DoublePrecision()
    joined = Timestamptz()
    id = BigSerial(primary_key=True)


_TABLES: tuple[type[Table], ...] = (Stored, StoredParent, StoredChild)


class _Connection(sqlite3.Connection):
    """The library opens one for each statement; this is where one can be told something."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for name, value in SQLITE_SETTINGS.items():
            if name != "journal_mode":  # the file remembers it
                self.execute(f"PRAGMA {name}={value}")


class Piccolo:
    """Its tables; on PostgreSQL with its pool of up to ten connections, on SQLite it has none."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def open(self, path: Path) -> None:
        self.engine: Any
        if self.place.database == "sqlite":
            self.idle = sqlite3.connect(path)
            self.idle.execute(f"PRAGMA journal_mode={SQLITE_SETTINGS['journal_mode']}")
            self.engine = SQLiteEngine(path=str(path), factory=_Connection)
        else:
            self.engine = PostgresEngine(config={"dsn": server_url()})
            await self.engine.start_connection_pool(min_size=1, max_size=10)
        for table in _TABLES:
            table._meta.db = self.engine  # noqa: SLF001 - its documentation has it in a module of settings
        await drop_db_tables(*_TABLES)
        await create_db_tables(*_TABLES)
        if self.place.database == "sqlite":  # else each statement's connection, as the last to close, made a checkpoint
            self.idle.execute("SELECT count(*) FROM record").fetchall()

    async def close(self) -> None:
        if self.place.database == "postgres":
            await self.engine.close_connection_pool()
        else:
            self.idle.close()

    def transacted(self) -> Any:
        """A transaction that writes from the beginning."""
        if self.place.database == "sqlite":
            return self.engine.transaction(transaction_type=TransactionType.immediate)
        return self.engine.transaction()

    async def add(self, table: type[Table], rows: list[Any]) -> int:
        """All rows, in one transaction."""
        number = 0
        async with self.transacted():
            for begin in range(0, len(rows), _AT_ONCE):
                number += len(await table.insert(*rows[begin : begin + _AT_ONCE]))
        return number

    def made(self, record: Record) -> Stored:
        return Stored(
            name=record.name, email=record.email, age=record.age, score=record.score, active=record.active,
            joined=record.joined, nick=record.nick,
        )  # fmt: skip

    async def insert(self, made: Stored) -> int:
        await made.save()
        return int(made.id)

    async def insert_many(self, made: list[Stored]) -> int:
        return await self.add(Stored, made)

    async def fetch(self) -> list[Stored]:
        return await Stored.objects()

    async def stream(self) -> int:
        count = 0
        async with await Stored.objects().batch(batch_size=1000) as batches:
            async for some in batches:
                count += len(some)
        return count

    async def get(self, key: int) -> Stored:
        found = await Stored.objects().get(Stored.id == key)
        assert found is not None
        return found

    async def get_at_once(self, key: int) -> Stored:
        return await self.get(key)

    async def page(self, age: int) -> list[Stored]:
        found = Stored.objects().where(Stored.age > age, Stored.active.eq(True), Stored.name.like("name%"))
        return await found.order_by(Stored.age, ascending=False).order_by(Stored.id, ascending=False).limit(20)

    async def update(self, key: int, age: int) -> int:
        return len(await Stored.update({Stored.age: age}).where(Stored.id == key).returning(Stored.id))

    async def count(self, age: int) -> int:
        return await Stored.count().where(Stored.age > age)

    async def summary(self, age: int) -> tuple[int, float]:
        (found,) = await Stored.select(Count(), Avg(Stored.age)).where(Stored.age > age)
        return found["count"], float(found["avg"])

    async def delete(self, key: int) -> int:
        return len(await Stored.delete().where(Stored.id == key).returning(Stored.id))

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with self.transacted():
            for key in keys:
                matched += await self.update(key, age)
        return matched

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        await self.add(StoredParent, [StoredParent(name=one.name, id=one.id) for one in parents])
        await self.add(
            StoredChild,
            [
                StoredChild(
                    parent=one.parent, name=one.name, age=one.age, score=one.score, joined=one.joined, id=one.id
                )
                for one in children
            ],
        )

    async def families(self) -> list[tuple[StoredParent, list[StoredChild]]]:
        parents = await StoredParent.objects().order_by(StoredParent.id)
        keys = [parent.id for parent in parents]
        # it has no relation from a parent to its children, so that one groups them oneself
        found = await StoredChild.objects().where(StoredChild.parent.is_in(keys)).order_by(StoredChild.id)
        return list(zip(parents, _grouped(keys, found), strict=True))

    async def children(self, parents: list[Parent]) -> list[list[StoredChild]]:
        return [
            await StoredChild.objects().where(StoredChild.parent == parent.id).order_by(StoredChild.id)
            for parent in parents
        ]

    async def pairs(self) -> list[tuple[Any, StoredChild]]:
        found = await StoredChild.objects(StoredChild.parent).order_by(StoredChild.id)
        return [(child.parent, child) for child in found]


def _grouped(keys: list[Any], children: Iterable[StoredChild]) -> list[list[StoredChild]]:
    found: dict[Any, list[StoredChild]] = {key: [] for key in keys}
    for child in children:
        found[child.parent].append(child)
    return list(found.values())
