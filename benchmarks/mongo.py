"""The same operations on MongoDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import Contender, Plain, WithOmmi
from benchmarks.places import mongo_url
from benchmarks.records import COLLECTION, Child, Parent, Record
from ommi import Ommi

__all__ = ["CONTENDERS", "DATABASE", "summary_of"]

DATABASE: Final = "benchmark"


def _document(found: Record, key: int) -> dict[str, Any]:
    return {
        "_id": key, "name": found.name, "email": found.email, "age": found.age, "score": found.score,
        "active": found.active, "joined": found.joined, **({} if found.nick is None else {"nick": found.nick}),
    }  # fmt: skip


def _record(row: Mapping[str, Any]) -> Record:
    return Record(
        row["name"], row["email"], row["age"], row["score"], row["active"], row["joined"], row.get("nick"), row["_id"]
    )


def _child(row: Mapping[str, Any]) -> Child:
    return Child(row["parent"], row["name"], row["age"], row["score"], row["joined"], row["_id"])


def summary_of(age: int) -> list[dict[str, Any]]:
    """The pipeline for how many are older, and how old they are on average."""
    grouped = {"_id": None, "number": {"$sum": 1}, "mean": {"$avg": "$age"}}
    return [{"$match": {"age": {"$gt": age}}}, {"$group": grouped}]


_PAIRS: Final[list[dict[str, Any]]] = [
    {"$lookup": {"from": "parent", "localField": "parent", "foreignField": "_id", "as": "its"}},
    {"$unwind": "$its"},
    {"$sort": {"_id": 1}},
]


class RawPyMongo(Plain):
    """PyMongo's asynchronous client used well: keys counted by itself, and dataclasses built by hand."""

    async def open(self, path: Path) -> None:
        from bson.codec_options import CodecOptions
        from pymongo import AsyncMongoClient, WriteConcern

        self.client: Any = AsyncMongoClient(mongo_url())
        await self.client.drop_database(DATABASE)
        self.db: Any = self.client.get_database(
            DATABASE, codec_options=CodecOptions(tz_aware=True), write_concern=WriteConcern("majority")
        )
        self.keys = count(1)
        await self.db.child.create_index("parent")
        await self.db.create_collection("record")

    async def close(self) -> None:
        await self.client.close()

    async def insert(self, record: Record) -> int:
        return int((await self.db.record.insert_one(_document(record, next(self.keys)))).inserted_id)

    async def insert_many(self, records: list[Record]) -> int:
        documents = [_document(record, next(self.keys)) for record in records]
        return len((await self.db.record.insert_many(documents)).inserted_ids)

    async def fetch(self) -> list[Record]:
        return [_record(row) for row in await self.db.record.find().to_list()]

    async def stream(self) -> int:
        count = 0
        async for row in self.db.record.find(batch_size=1000):
            _record(row)
            count += 1
        return count

    async def get(self, key: int) -> Record:
        return _record(await self.db.record.find_one({"_id": key}))

    async def get_at_once(self, key: int) -> Record:
        return await self.get(key)

    async def page(self, age: int) -> list[Record]:
        where = {"age": {"$gt": age}, "active": True, "name": {"$gte": "name", "$lt": "namf"}}
        found = self.db.record.find(where, sort=[("age", -1), ("_id", -1)], limit=20)
        return [_record(row) for row in await found.to_list()]

    async def update(self, key: int, age: int, session: Any = None) -> int:
        return int(
            (await self.db.record.update_one({"_id": key}, {"$set": {"age": age}}, session=session)).matched_count
        )

    async def count(self, age: int) -> int:
        return int(await self.db.record.count_documents({"age": {"$gt": age}}))

    async def summary(self, age: int) -> tuple[int, float]:
        (found,) = await (await self.db.record.aggregate(summary_of(age))).to_list()
        return found["number"], found["mean"]

    async def delete(self, key: int) -> int:
        return int((await self.db.record.delete_one({"_id": key})).deleted_count)

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with self.client.start_session() as session, await session.start_transaction():
            for key in keys:
                matched += await self.update(key, age, session)
        return matched

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        await self.db.parent.insert_many([{"_id": one.id, "name": one.name} for one in parents])
        await self.db.child.insert_many(
            [
                {"_id": c.id, "parent": c.parent, "name": c.name, "age": c.age, "score": c.score, "joined": c.joined}
                for c in children
            ]
        )

    async def families(self) -> list[tuple[Parent, list[Child]]]:
        parents = [Parent(row["name"], row["_id"]) for row in await self.db.parent.find().to_list()]
        return list(zip(parents, await self.children(parents), strict=True))

    async def children(self, parents: list[Parent]) -> list[list[Child]]:
        found: dict[int, list[Child]] = {parent.id: [] for parent in parents}
        rows = self.db.child.find({"parent": {"$in": list(found)}}, sort=[("_id", 1)])
        for row in await rows.to_list():
            found[row["parent"]].append(_child(row))
        return list(found.values())

    async def pairs(self) -> list[tuple[Parent, Child]]:
        rows = await (await self.db.child.aggregate(_PAIRS)).to_list()
        return [(Parent(row["its"]["name"], row["its"]["_id"]), _child(row)) for row in rows]


class OmmiOnMongo(WithOmmi):
    """Ommi, with the pool that PyMongo has."""

    async def open(self, path: Path) -> None:
        self.database = Ommi.connect(mongo_url(), database=DATABASE)
        await self.database.__aenter__()
        (await self.database.run(self.database.schema.drop(COLLECTION))).unwrap()
        (await self.database.run(self.database.schema.create(COLLECTION))).unwrap()


def _beanie() -> Contender[Any]:
    from benchmarks.peers.beanie import Beanie

    return Beanie()


CONTENDERS: dict[str, tuple[Callable[[], Contender[Any]], str]] = {
    "raw": (RawPyMongo, "asyncio"),
    "ommi": (OmmiOnMongo, "asyncio"),
    "ommi-trio": (OmmiOnMongo, "trio"),
    "beanie": (_beanie, "asyncio"),
}
"""Every contender and its event loop; `raw` is what the ratios are relative to."""
