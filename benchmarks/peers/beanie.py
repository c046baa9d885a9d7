"""Beanie, on PyMongo's asynchronous client."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from beanie import BackLink, Document, Link, WriteRules, init_beanie
from bson.codec_options import CodecOptions
from pydantic import Field
from pymongo import AsyncMongoClient, WriteConcern

from benchmarks.mongo import DATABASE, summary_of
from benchmarks.places import mongo_url
from benchmarks.records import Child, Parent, Record

__all__ = ["Beanie", "Stored", "StoredChild", "StoredParent"]


class Stored(Document):
    """The collection."""

    id: int | None = None  # a key of one's own, as Beanie's documentation declares it
    name: str
    email: str
    age: int
    score: float
    active: bool
    joined: datetime
    nick: str | None = None

    class Settings:
        name = "record"


class StoredParent(Document):
    """What children refer to."""

    id: int | None = None
    name: str
    children: list[BackLink[StoredChild]] = Field(default_factory=list, json_schema_extra={"original_field": "parent"})

    class Settings:
        name = "parent"


class StoredChild(Document):
    """What refers to a parent."""

    id: int | None = None
    parent: Link[StoredParent]
    name: str
    age: int
    score: float
    joined: datetime

    class Settings:
        name = "child"
        indexes = ("parent.$id",)


StoredParent.model_rebuild()


class Beanie:
    """Its documents; keys are counted by the application, since Beanie numbers nothing."""

    async def open(self, path: Path) -> None:
        self.client: Any = AsyncMongoClient(mongo_url())
        await self.client.drop_database(DATABASE)
        database = self.client.get_database(
            DATABASE, codec_options=CodecOptions(tz_aware=True), write_concern=WriteConcern("majority")
        )
        await init_beanie(database, document_models=[Stored, StoredParent, StoredChild])
        self.keys = count(1)

    async def close(self) -> None:
        await self.client.close()

    def made(self, record: Record) -> Stored:
        return Stored(
            id=next(self.keys), name=record.name, email=record.email, age=record.age, score=record.score,
            active=record.active, joined=record.joined, nick=record.nick,
        )  # fmt: skip

    async def insert(self, made: Stored) -> int:
        await made.insert()
        assert made.id is not None
        return made.id

    async def insert_many(self, made: list[Stored]) -> int:
        return len((await Stored.insert_many(made)).inserted_ids)

    async def fetch(self) -> Sequence[Stored]:
        return await Stored.find_all().to_list()

    async def stream(self) -> int:
        count = 0
        async for _ in Stored.find_all(batch_size=1000):
            count += 1
        return count

    async def get(self, key: int) -> Stored:
        found = await Stored.get(key)
        assert found is not None
        return found

    async def get_at_once(self, key: int) -> Stored:
        return await self.get(key)

    async def page(self, age: int) -> Sequence[Stored]:
        found = Stored.find(Stored.age > age, Stored.active == True, {"name": {"$regex": "^name"}})
        return await found.sort("-age", "-_id").limit(20).to_list()

    async def update(self, key: int, age: int, session: Any = None) -> int:
        found: Any = await Stored.find_one(Stored.id == key, session=session).update({"$set": {"age": age}})
        return int(found.matched_count)

    async def count(self, age: int) -> int:
        return await Stored.find(Stored.age > age).count()

    async def summary(self, age: int) -> tuple[int, float]:
        (found,) = await Stored.aggregate(summary_of(age)).to_list()
        return found["number"], found["mean"]

    async def delete(self, key: int) -> int:
        found: Any = await Stored.find_one(Stored.id == key).delete()
        return int(found.deleted_count)

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with self.client.start_session() as session, await session.start_transaction():
            for key in keys:
                matched += await self.update(key, age, session)
        return matched

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        stored = {one.id: StoredParent(id=one.id, name=one.name) for one in parents}
        await StoredParent.insert_many(list(stored.values()), link_rule=WriteRules.DO_NOTHING)
        await StoredChild.insert_many(
            [
                StoredChild(
                    id=one.id,
                    parent=stored[one.parent],
                    name=one.name,
                    age=one.age,
                    score=one.score,
                    joined=one.joined,
                )
                for one in children
            ],
            link_rule=WriteRules.DO_NOTHING,
        )

    async def families(self) -> Sequence[tuple[StoredParent, Sequence[Any]]]:
        found = await StoredParent.find_all(fetch_links=True).sort("_id").to_list()
        return [(parent, parent.children) for parent in found]

    async def children(self, parents: list[Parent]) -> list[list[StoredChild]]:
        return [await StoredChild.find({"parent.$id": parent.id}).sort("_id").to_list() for parent in parents]

    async def pairs(self) -> list[tuple[Any, StoredChild]]:
        return [(child.parent, child) for child in await StoredChild.find_all(fetch_links=True).sort("_id").to_list()]
