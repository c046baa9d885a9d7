"""SQLite 3.40 gives what follows a REAL column in RETURNING the wrong class; records must have the right one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from ommi import Key, ModelCollection, Ommi, ServerDefault, auto, ommi_model

COLLECTION = ModelCollection()


@ommi_model(collection=COLLECTION)
@dataclass
class Rating:
    stars: float
    id: Annotated[int, Key] = auto()


@ommi_model(collection=COLLECTION)
@dataclass
class Counter:
    share: float
    count: Annotated[int, ServerDefault("3")] = auto()
    id: Annotated[int, Key] = auto()


@pytest.mark.anyio
async def test_a_whole_float_before_the_key_leaves_the_key_an_int() -> None:
    async with Ommi.connect("sqlite://") as db:
        await db.run(db.schema.create(COLLECTION))
        for stars in (7.0, 8.0):
            found = await db.upsert(Rating(stars, id=1)).value
            assert (found.stars, type(found.stars), found.id, type(found.id)) == (stars, float, 1, int)


@pytest.mark.anyio
async def test_a_whole_float_before_a_default_leaves_the_default_an_int() -> None:
    async with Ommi.connect("sqlite://") as db:
        await db.run(db.schema.create(COLLECTION))
        one = await db.add(Counter(1.0)).value
        many = await db.add_all([Counter(1.0), Counter(2.0)]).value
        assert [(type(c.count), c.count, type(c.id), c.id) for c in (one, *many)] == [
            (int, 3, int, n) for n in (1, 2, 3)
        ]
