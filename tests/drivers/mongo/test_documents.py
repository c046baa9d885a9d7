"""How rows are kept as documents, looked at without the driver, and that what looks like an operator is data."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from bson import Decimal128, Int64
from bson.binary import Binary

from ommi import Key, ModelCollection, Ommi, StoreAs, Unique, add, auto, col, find, ommi_model, save
from ommi.errors import UnsupportedOperation
from ommi.testing import fails, succeeds
from tests.servers.mongo import Database

pytestmark = pytest.mark.anyio
models = ModelCollection()


@ommi_model(collection=models, name="kept")
@dataclass
class Kept:
    token: Annotated[UUID, Key]
    number: int = 1
    moment: datetime = datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)
    amount: Decimal = Decimal("1.10")
    extra: dict[str, Any] = field(default_factory=dict)
    email: Annotated[str | None, Unique] = None


@ommi_model(collection=models, name="part")
@dataclass
class Part:
    row: Annotated[int, Key]
    number: Annotated[int, Key]


@ommi_model(collection=ModelCollection(), name="numbered")
@dataclass
class Numbered:
    text: str = ""
    id: Annotated[int, Key] = auto()


numbered = ModelCollection(Numbered)


@pytest.fixture
async def db(mongo: Database) -> AsyncIterator[Ommi]:
    async with Ommi.connect(mongo.url) as db:
        for collection in (models, numbered):
            await succeeds(db, db.schema.drop(collection))
            await succeeds(db, db.schema.create(collection))
        yield db
        for collection in (models, numbered):
            await succeeds(db, db.schema.drop(collection))


async def test_a_row_is_a_document_whose_id_is_the_key(db: Ommi, mongo: Database) -> None:
    await succeeds(db, add(Kept(UUID(int=7), extra={"b": 1, "a": [True]})))
    document = mongo.db["kept"].find_one()
    assert document == {
        "_id": Binary(UUID(int=7).bytes, 4),
        "number": Int64(1),
        "moment": Int64(1_000_005),
        "amount": Decimal128("1.1"),
        "extra": {"a": [True], "b": Int64(1)},
    }
    assert list(document["extra"]) == ["a", "b"]
    assert type(document["number"]) is Int64


async def test_a_key_of_several_parts_is_a_unique_index(db: Ommi, mongo: Database) -> None:
    await succeeds(db, add(Part(1, 2)))
    assert mongo.db["part"].index_information()["pk_part"]["unique"] is True


VALUES: list[dict[str, Any]] = [
    {"$gt": ""},
    {"$ne": None},
    {"$where": "true"},
    {"$ref": "kept", "$id": 1},
    {"$expr": {"$eq": [1, 1]}},
    {"a.b": {"$in": [1]}, "": 1, "\\$gt": 2},
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(next(iter(value))))
async def test_a_dict_with_dollars_is_data(db: Ommi, value: dict[str, Any]) -> None:
    await succeeds(db, add(Kept(UUID(int=1), extra=value)))
    await succeeds(db, add(Kept(UUID(int=2), extra={"x": 1})))
    found = await succeeds(db, find(Kept, col(Kept.extra) == value).all())
    assert [(kept.token, kept.extra) for kept in found] == [(UUID(int=1), value)]
    assert await succeeds(db, find(Kept, col(Kept.extra) != value).count()) == 1
    assert await succeeds(db, find(Kept, Kept.token == UUID(int=2)).update(extra=value)) == 1
    await succeeds(db, save(Kept(UUID(int=1), extra={})))
    assert [kept.extra for kept in await succeeds(db, find(Kept).order_by(Kept.token).all())] == [{}, value]


@pytest.mark.parametrize("text", ["$email", "$$ROOT", "$where", "{$gt: ''}", "^a.*"])
async def test_a_text_with_dollars_is_data(db: Ommi, text: str) -> None:
    await succeeds(db, add(Kept(UUID(int=1), email=text)))
    await succeeds(db, add(Kept(UUID(int=2), email="a")))
    email = col(Kept.email)
    for condition in (email == text, email.contains(text), email.coalesce("x") == text, email.in_([text])):
        assert [kept.email for kept in await succeeds(db, find(Kept, condition).all())] == [text]
    await succeeds(db, find(Kept).where(email == "a").update(email=email.coalesce("x")))
    assert await succeeds(db, find(Kept).order_by(Kept.token).select(email.coalesce(text)).all()) == [(text,), ("a",)]


async def test_an_int_and_a_float_in_a_structure_are_not_the_same(db: Ommi) -> None:
    await succeeds(db, add(Kept(UUID(int=1), extra={"a": [1]})))
    assert await succeeds(db, find(Kept, col(Kept.extra) == {"a": [1]}).count()) == 1
    assert await succeeds(db, find(Kept, col(Kept.extra) == {"a": [1.0]}).count()) == 0


async def test_a_generated_key_follows_those_that_others_chose(db: Ommi, mongo: Database) -> None:
    first = await succeeds(db, add(Numbered()))
    for ahead in range(1, 4):  # another client, that knows nothing of numbers given out
        mongo.db["numbered"].insert_one({"_id": Int64(first.id + ahead), "text": "theirs"})
    added = await succeeds(db, add(Numbered()))
    assert added.id > first.id + 3
    async with Ommi.connect(mongo.url) as other:
        theirs = await succeeds(other, add(Numbered()))
    assert theirs.id > added.id


async def test_names_that_mean_something_to_mongodb_are_refused(db: Ommi) -> None:
    for number, column in enumerate(("_id", "_ommi")):

        @dataclass
        class Odd:
            id: Annotated[int, Key]
            value: Annotated[int, StoreAs(column)] = 0

        odd = ommi_model(collection=ModelCollection(), name=f"odd{number}")(Odd)
        error = await fails(db, find(odd).all(), UnsupportedOperation)
        assert "StoreAs" in error.message
