"""Tortoise ORM on aiosqlite and asyncpg."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from tortoise import Tortoise as Library
from tortoise import fields
from tortoise.functions import Avg, Count
from tortoise.models import Model
from tortoise.transactions import in_transaction

from benchmarks.places import SQLITE_SETTINGS, Place
from benchmarks.records import Child, Parent, Record

__all__ = ["Stored", "StoredChild", "StoredParent", "Tortoise"]

_DROP = "DROP TABLE IF EXISTS child; DROP TABLE IF EXISTS parent; DROP TABLE IF EXISTS record"


class Stored(Model):
    """The table."""

    name = fields.TextField()
    email = fields.TextField()
    age = fields.BigIntField()
    score = fields.FloatField()
    active = fields.BooleanField()
    joined = fields.DatetimeField()
    nick = fields.TextField(null=True)
    id = fields.BigIntField(primary_key=True)

    class Meta:
        table = "record"


class StoredParent(Model):
    """What children refer to."""

    name = fields.TextField()
    id = fields.BigIntField(primary_key=True)
    children: fields.ReverseRelation[StoredChild]

    class Meta:
        table = "parent"


class StoredChild(Model):
    """What refers to a parent."""

    parent = fields.ForeignKeyField(f"models.{StoredParent.__name__}", related_name="children", db_index=True)
    name = fields.TextField()
    age = fields.BigIntField()
    score = fields.FloatField()
    joined = fields.DatetimeField()
    id = fields.BigIntField(primary_key=True)

    class Meta:
        table = "child"
        ordering = ("id",)


class Tortoise:
    """Its querysets; on PostgreSQL with a pool of up to ten connections."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def open(self, path: Path) -> None:
        url = self.place.address(path, "sqlite://", "asyncpg://")
        settings = SQLITE_SETTINGS if self.place.database == "sqlite" else {"minsize": "1", "maxsize": "10"}
        await Library.init(
            db_url=f"{url}?{urlencode(settings)}", modules={"models": [__name__]}, use_tz=True, timezone="UTC"
        )
        await Library.get_connection("default").execute_script(_DROP)
        await Library.generate_schemas()

    async def close(self) -> None:
        await Library.close_connections()

    def made(self, record: Record) -> Stored:
        return Stored(
            name=record.name, email=record.email, age=record.age, score=record.score, active=record.active,
            joined=record.joined, nick=record.nick,
        )  # fmt: skip

    async def insert(self, made: Stored) -> int:
        await made.save()
        return int(made.id)

    async def insert_many(self, made: list[Stored]) -> int:
        await Stored.bulk_create(made)
        return len(made)

    async def fetch(self) -> list[Stored]:
        return list(await Stored.all())

    async def stream(self) -> int:
        count = 0
        async for _ in Stored.all():  # it has all of them before the first
            count += 1
        return count

    async def get(self, key: int) -> Stored:
        return await Stored.get(id=key)

    async def get_at_once(self, key: int) -> Stored:
        return await self.get(key)

    async def page(self, age: int) -> list[Stored]:
        found = Stored.filter(age__gt=age, active=True, name__startswith="name")
        return list(await found.order_by("-age", "-id").limit(20))

    async def update(self, key: int, age: int) -> int:
        return await Stored.filter(id=key).update(age=age)

    async def count(self, age: int) -> int:
        return await Stored.filter(age__gt=age).count()

    async def summary(self, age: int) -> tuple[int, float]:
        query = Stored.filter(age__gt=age).annotate(number=Count("id"), mean=Avg("age"))
        (found,) = await query.values("number", "mean")
        return found["number"], float(found["mean"])

    async def delete(self, key: int) -> int:
        return await Stored.filter(id=key).delete()

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with in_transaction():
            for key in keys:
                matched += await self.update(key, age)
        return matched

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        await StoredParent.bulk_create([StoredParent(name=one.name, id=one.id) for one in parents])
        await StoredChild.bulk_create(
            [
                StoredChild(
                    parent_id=one.parent, name=one.name, age=one.age, score=one.score, joined=one.joined, id=one.id
                )
                for one in children
            ]
        )

    async def families(self) -> list[tuple[StoredParent, list[StoredChild]]]:
        found = await StoredParent.all().order_by("id").prefetch_related("children")
        return [(parent, list(parent.children)) for parent in found]

    async def children(self, parents: list[Parent]) -> list[list[StoredChild]]:
        return [await StoredChild.filter(parent_id=parent.id) for parent in parents]

    async def pairs(self) -> list[tuple[StoredParent, StoredChild]]:
        return [(child.parent, child) for child in await StoredChild.all().select_related("parent")]
