"""Generated int keys: blocks of numbers, taken outside any transaction, since inside two of them would conflict."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, final

from bson import Int64
from pymongo import ReturnDocument

from ommi.drivers.mongo.client import Collections
from ommi.drivers.mongo.tables import CATALOG
from ommi.errors import QueryRejected
from ommi.schema import Schema
from ommi.values import MAX_INT

__all__ = ["Keys"]

_BLOCK: Final = 100


@final
class Keys:
    """The numbers that this client may give out, by table; those of a block that are not used are gaps."""

    def __init__(self, collections: Collections) -> None:
        self._collections = collections
        self._free: dict[str, range] = {}
        self._told: dict[str, int] = {}
        self._taking: dict[str, asyncio.Lock] = {}

    async def take(self, schema: Schema, count: int) -> list[int]:
        """New keys, in order."""
        free = self._free.get(schema.table, range(0))
        if len(free) < count:
            async with self._taking.setdefault(schema.table, asyncio.Lock()):
                free = self._free.get(schema.table, range(0))
                if len(free) < count:
                    free = await self._block(schema, max(count, _BLOCK))
        taken, self._free[schema.table] = free[:count], free[count:]
        return list(taken)

    async def given(self, schema: Schema, keys: Iterable[int]) -> None:
        """Keys were chosen by the program: none up to the largest will be given out from now on."""
        largest = max(keys, default=0)
        free = self._free.get(schema.table)
        if largest <= 0 or (free is not None and largest < free.start):
            return
        if free is not None and largest < free.stop:
            self._free[schema.table] = range(largest + 1, free.stop)
            return
        self._free.pop(schema.table, None)
        if largest <= self._told.get(schema.table, 0):
            return
        # those that follow are likely to be chosen next
        last = largest if largest > MAX_INT - _BLOCK else largest + _BLOCK - 1
        await self._collections[CATALOG].update_one({"_id": schema.table}, {"$max": {"last": Int64(last)}}, upsert=True)
        self._told[schema.table] = last

    def forget(self, *tables: str) -> None:
        """The tables are gone, or their keys are found to be taken."""
        for table in tables:
            self._free.pop(table, None)
            self._told.pop(table, None)

    async def _block(self, schema: Schema, size: int) -> range:
        largest = await self._collections.find(
            schema.table, {}, None, lambda found: int(found["_id"]), projection={"_id": 1}, sort={"_id": -1}, limit=1
        )
        floor = max([0, *largest])
        # in one step, so that two clients never take the same: the last number given out, or the largest there is
        found = await self._collections[CATALOG].find_one_and_update(
            {"_id": schema.table},
            [{"$set": {"last": {"$add": [{"$max": [{"$ifNull": ["$last", Int64(0)]}, Int64(floor)]}, Int64(size)]}}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        last = found["last"]
        if not isinstance(last, int) or last > MAX_INT:
            await self._collections[CATALOG].update_one({"_id": schema.table}, {"$set": {"last": Int64(floor)}})
            raise QueryRejected(
                f"{schema.name}.{schema.key[0].name}: there is no larger key left than {MAX_INT}", model=schema.model
            )
        return range(last - size + 1, last + 1)
