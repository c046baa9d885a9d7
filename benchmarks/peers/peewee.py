"""peewee: by its own `playhouse.pwasyncio` on aiosqlite and asyncpg, and by peewee-async on psycopg."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from peewee import (
    BigAutoField,
    BigIntegerField,
    BooleanField,
    DoubleField,
    Field,
    ForeignKeyField,
    Model,
    TextField,
    chunked,
    fn,
)

from benchmarks.places import SQLITE_SETTINGS, Place, server_url
from benchmarks.records import Child, Parent, Record

__all__ = ["Instant", "Peewee", "tables"]

_AT_ONCE = 1000
"""Rows of one INSERT, as its documentation has it; the databases limit the parameters."""


class Instant(Field):
    """A moment in time: on SQLite the library does not read a text with a time zone."""

    field_type = "TIMESTAMPTZ"

    def python_value(self, value: Any) -> Any:
        return datetime.fromisoformat(value) if isinstance(value, str) else value


def tables(model: type[Any]) -> tuple[Any, Any, Any]:
    """The three tables, as classes of a flavour of the library."""

    class Stored(model):
        name = TextField()
        email = TextField()
        age = BigIntegerField()
        score = DoubleField()
        active = BooleanField()
        joined = Instant()
        nick = TextField(null=True)
        id = BigAutoField()

        class Meta:
            table_name = "record"

    class StoredParent(model):
        name = TextField()
        id = BigAutoField()

        class Meta:
            table_name = "parent"

    class StoredChild(model):
        parent = ForeignKeyField(StoredParent, backref="children", column_name="parent")
        name = TextField()
        age = BigIntegerField()
        score = DoubleField()
        joined = Instant()
        id = BigAutoField()

        class Meta:
            table_name = "child"

    return Stored, StoredParent, StoredChild


class Peewee:
    """`playhouse.pwasyncio`, with its pool of up to ten connections; a task keeps the one it has."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def open(self, path: Path) -> None:
        from playhouse.pwasyncio import AsyncModel, AsyncPostgresqlDatabase, AsyncSqliteDatabase

        if self.place.database == "sqlite":
            self.database: Any = AsyncSqliteDatabase(str(path), pragmas=SQLITE_SETTINGS, pool_size=10)
        else:
            self.database = AsyncPostgresqlDatabase(server_url(), pool_size=10)
        self.record, self.parent, self.child = found = tables(AsyncModel)
        self.database.bind(found)
        await self.database.adrop_tables(found)
        await self.database.acreate_tables(found)

    async def close(self) -> None:
        await self.database.aclose()
        await self.database.close_pool()

    def made(self, record: Record) -> Any:
        return self.record(
            name=record.name, email=record.email, age=record.age, score=record.score, active=record.active,
            joined=record.joined, nick=record.nick,
        )  # fmt: skip

    async def rows(self, query: Any) -> list[Any]:
        """The objects of a query."""
        return list(await self.database.list(query))

    async def run(self, query: Any) -> int:
        """How many rows an UPDATE or a DELETE matched."""
        return int(await self.database.aexecute(query))

    async def add(self, table: Any, some: Iterable[Model]) -> None:
        """All objects, in one transaction."""
        async with self.database.atomic():
            await table.abulk_create(list(some), batch_size=_AT_ONCE)

    async def insert(self, made: Any) -> int:
        await made.asave()
        return int(made.id)

    async def insert_many(self, made: list[Any]) -> int:
        await self.add(self.record, made)
        return len(made)

    async def fetch(self) -> list[Any]:
        return await self.rows(self.record.select())

    async def stream(self) -> int:
        count = 0
        async for _ in self.database.iterate(self.record.select(), buffer_size=1000):
            count += 1
        return count

    async def get(self, key: int) -> Any:
        return await self.record.aget_by_id(key)

    async def get_at_once(self, key: int) -> Any:
        return await self.get(key)

    async def page(self, age: int) -> list[Any]:
        table = self.record
        found = table.select().where(table.age > age, table.active == True, table.name.startswith("name"))
        return await self.rows(found.order_by(table.age.desc(), table.id.desc()).limit(20))

    async def update(self, key: int, age: int) -> int:
        return await self.run(self.record.update(age=age).where(self.record.id == key))

    async def count(self, age: int) -> int:
        return int(await self.database.count(self.record.select().where(self.record.age > age)))

    async def summary(self, age: int) -> tuple[int, float]:
        query = self.record.select(fn.COUNT(self.record.id), fn.AVG(self.record.age)).where(self.record.age > age)
        ((found, mean),) = await self.rows(query.tuples())
        return found, float(mean)

    async def delete(self, key: int) -> int:
        return await self.run(self.record.delete().where(self.record.id == key))

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with self.database.atomic():
            for key in keys:
                matched += await self.update(key, age)
        return matched

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        await self.add(self.parent, [self.parent(name=one.name, id=one.id) for one in parents])
        await self.add(
            self.child,
            [
                self.child(parent=one.parent, name=one.name, age=one.age, score=one.score, joined=one.joined, id=one.id)
                for one in children
            ],
        )

    async def families(self) -> list[tuple[Any, list[Any]]]:
        parents = self.parent.select().order_by(self.parent.id)
        children = self.child.select().order_by(self.child.id)
        return [(parent, list(parent.children)) for parent in await self.prefetched(parents, children)]

    async def prefetched(self, query: Any, *others: Any) -> Any:
        """The objects of a query, with those that refer to them."""
        return await self.database.aprefetch(query, *others)

    async def children(self, parents: list[Parent]) -> list[list[Any]]:
        table = self.child
        return [await self.rows(table.select().where(table.parent == one.id).order_by(table.id)) for one in parents]

    async def pairs(self) -> list[tuple[Any, Any]]:
        query = self.child.select(self.child, self.parent).join(self.parent).order_by(self.child.id)
        return [(child.parent, child) for child in await self.rows(query)]


class PeeweeAsync(Peewee):
    """peewee-async, with psycopg's pool of up to ten connections."""

    async def open(self, path: Path) -> None:
        from peewee_async import AioModel, Psycopg3Database

        at = urlsplit(server_url())
        self.database = Psycopg3Database(
            database=at.path.lstrip("/"), host=at.hostname, port=at.port, user=unquote(at.username or ""),
            password=unquote(at.password or ""), pool_params={"min_size": 1, "max_size": 10},
        )  # fmt: skip
        self.record, self.parent, self.child = found = tables(AioModel)
        self.database.bind(found)
        await self.database.aio_connect()
        await self.database.aio_drop_tables(list(found))
        await self.database.aio_create_tables(list(found))

    async def close(self) -> None:
        await self.database.aio_close()

    async def rows(self, query: Any) -> list[Any]:
        return list(await query.aio_execute())

    async def run(self, query: Any) -> int:
        return int(await query.aio_execute())

    async def add(self, table: Any, some: Iterable[Model]) -> None:
        """It has no call for a list of objects, only one for a list of their values."""
        async with self.database.aio_atomic():
            for batch in chunked([one.__data__ for one in some], _AT_ONCE):
                await table.insert_many(batch).aio_execute()

    async def insert(self, made: Any) -> int:
        await made.aio_save()
        return int(made.id)

    async def stream(self) -> int:
        return sum(1 for _ in await self.fetch())  # it has all of them before the first

    async def get(self, key: int) -> Any:
        return await self.record.aio_get(self.record.id == key)

    async def count(self, age: int) -> int:
        return int(await self.record.select().where(self.record.age > age).aio_count())

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with self.database.aio_atomic():
            for key in keys:
                matched += await self.update(key, age)
        return matched

    async def prefetched(self, query: Any, *others: Any) -> Any:
        return await query.aio_prefetch(*others)
