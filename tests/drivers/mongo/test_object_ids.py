"""A model may have ObjectIds: MongoDB keeps them as such, other databases as their digits, in the same order."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from bson import ObjectId

from ommi import Key, ModelCollection, Ommi, ReferenceTo, Unique, add, add_all, auto, col, find, ommi_model, upsert
from ommi.errors import EncodeError, ForeignKeyViolation, UniqueViolation
from ommi.testing import fails, succeeds
from tests.servers.mongo import Database

pytestmark = pytest.mark.anyio

parcels = ModelCollection()
FIRST, SECOND, THIRD = (ObjectId(digits * 12) for digits in ("01", "a0", "ff"))


@ommi_model(collection=parcels)
@dataclass
class Parcel:
    label: str
    token: Annotated[ObjectId | None, Unique] = None
    id: Annotated[ObjectId, Key] = auto()


@ommi_model(collection=parcels)
@dataclass
class Scan:
    parcel: Annotated[ObjectId, ReferenceTo(Parcel)]
    at: Annotated[int, Key]


@pytest.fixture(params=["mongo", "sqlite", "memory", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres":
        return str(request.getfixturevalue("postgres_18"))
    if request.param == "mongo":
        return str(request.getfixturevalue("mongo").url)
    return f"{request.param}://"


@pytest.fixture
async def db(url: str) -> AsyncIterator[Ommi]:
    async with Ommi.connect(url) as db:
        await succeeds(db, db.schema.drop(parcels))
        await succeeds(db, db.schema.create(parcels))
        yield db
        await succeeds(db, db.schema.drop(parcels))


async def labels(db: Ommi, *conditions: Any) -> list[str]:
    return [parcel.label for parcel in await succeeds(db, find(Parcel, *conditions).order_by(Parcel.id).all())]


async def test_a_key_is_generated_when_the_row_is_added(db: Ommi) -> None:
    given = Parcel("a")
    one, other = await succeeds(db, add(given)), await succeeds(db, add(Parcel("b")))
    assert type(one.id) is ObjectId
    assert given.id == one.id
    assert one.id != other.id
    several = await succeeds(db, add_all([Parcel("c"), Parcel("d", id=THIRD)]))
    assert [type(parcel.id) for parcel in several] == [ObjectId, ObjectId]
    assert await succeeds(db, find(Parcel, Parcel.id == several[0].id).one()) == several[0]
    assert several[1].id == THIRD


async def test_object_ids_are_compared_and_ordered(db: Ommi) -> None:
    await succeeds(db, add_all([Parcel("c", id=THIRD), Parcel("a", SECOND, FIRST), Parcel("b", id=SECOND)]))
    key, token = col(Parcel.id), col(Parcel.token)
    assert await labels(db) == ["a", "b", "c"]
    assert await labels(db, key > FIRST) == ["b", "c"]
    assert await labels(db, key != SECOND) == ["a", "c"]
    assert await labels(db, key.in_([FIRST, THIRD])) == ["a", "c"]
    assert await labels(db, token == SECOND) == ["a"]
    assert await labels(db, token.is_null()) == ["b", "c"]
    assert await labels(db, token != key) == ["a", "b", "c"]
    assert await labels(db, key.in_(find(Parcel).select(Parcel.token))) == ["b"]
    rows = find(Parcel).order_by(key.desc).select(key, token).all()
    assert await succeeds(db, rows) == [(THIRD, None), (SECOND, None), (FIRST, SECOND)]
    assert await succeeds(db, find(Parcel).select(token.coalesce(THIRD)).distinct().count()) == 2


async def test_object_ids_are_changed(db: Ommi) -> None:
    await succeeds(db, add_all([Parcel("a", id=FIRST), Parcel("b", id=SECOND)]))
    await succeeds(db, find(Parcel, col(Parcel.id) == FIRST).update(token=THIRD))
    await succeeds(db, find(Parcel, col(Parcel.id) == SECOND).update(token=col(Parcel.id)))
    assert await succeeds(db, find(Parcel).order_by(Parcel.id).all()) == [
        Parcel("a", THIRD, FIRST),
        Parcel("b", SECOND, SECOND),
    ]
    error = await fails(db, add(Parcel("c", THIRD)), UniqueViolation)
    assert error.fields == ("token",)
    assert await succeeds(db, upsert(Parcel("c", THIRD, FIRST), on=Parcel.token)) == Parcel("c", THIRD, FIRST)


async def test_object_ids_are_references(db: Ommi) -> None:
    await succeeds(db, add(Parcel("a", id=FIRST)))
    await succeeds(db, add(Scan(FIRST, 1)))
    await fails(db, add(Scan(SECOND, 2)), ForeignKeyViolation)
    await fails(db, find(Parcel).everything().delete(), ForeignKeyViolation)
    assert await succeeds(db, find(Scan).all()) == [Scan(FIRST, 1)]


async def test_what_is_no_object_id_is_refused(db: Ommi) -> None:
    parcel: Any = Parcel("a", id="01" * 12)  # type: ignore[arg-type]
    await fails(db, add(parcel), EncodeError)


async def test_mongodb_keeps_object_ids_and_dates_as_such(mongo: Database) -> None:
    async with Ommi.connect(mongo.url) as db:
        await succeeds(db, db.schema.create(parcels))
        await succeeds(db, add(Parcel("a", SECOND, FIRST)))
        assert mongo.db["parcel"].find_one() == {"_id": FIRST, "label": "a", "token": SECOND}
        mongo.db["parcel"].insert_one({"_id": THIRD, "label": "b"})
        assert await labels(db) == ["a", "b"]
        await succeeds(db, db.schema.drop(parcels))
