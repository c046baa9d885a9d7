"""A client that the application has already is used as it is, and stays open."""

from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient

from ommi import Ommi, add, add_all, col, find, gather, traverse
from ommi.drivers.mongo import MongoDriver
from ommi.errors import UniqueViolation
from ommi.testing import fails, succeeds
from ommi.testing.conformance.transactions import Mishap, failing, names, tagged
from ommi.testing.models import Account, Author, Book, Tag, suite_models
from tests.servers.mongo import Database

CLIENTS: list[Any] = [AsyncMongoClient, AsyncIOMotorClient]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _closed(client: Any) -> None:
    closing = client.close()
    if closing is not None:
        await closing


@pytest.mark.anyio
@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
async def test_programs_run_on_a_client_of_the_application(mongo: Database, kind: Any) -> None:
    client = kind(mongo.url)
    try:
        async with Ommi(MongoDriver(client)) as db:
            await succeeds(db, db.schema.create(suite_models))
            mongo.empty()
            await succeeds(db, add_all([Author(1), Author(2)]))
            await succeeds(db, add(Book(1, 2)).bind(lambda _: tagged("a")).transactional())
            await succeeds(db, gather(add(Account(1, "Ada")), add(Account(2, "Bob"))).transactional())
            changed = traverse([1, 2, 3], lambda n: find(Account, col(Account.id) == n).update(owner="Eve"))
            assert await succeeds(db, changed.transactional()) == [1, 1, 0]
            await fails(db, tagged("b").bind(lambda _: failing()).transactional(), Mishap)
            await fails(db, tagged("a"), UniqueViolation)
            assert await names(db) == ["a"]
            assert await succeeds(db, find(Author).where(Author.id.in_(find(Book).select(Book.author))).count()) == 1
            assert await succeeds(db, find(Tag).everything().delete()) == 1
        assert await client[mongo.db.name]["author"].count_documents({}) == 2
    finally:
        await _closed(client)


@pytest.mark.anyio
async def test_the_database_can_be_another_one_than_the_clients(mongo: Database) -> None:
    client = AsyncMongoClient[Any](mongo.url)
    try:
        async with Ommi(MongoDriver(client, f"{mongo.db.name}_other")) as db:
            await succeeds(db, db.schema.create(suite_models))
            await succeeds(db, tagged("a"))
        assert await client[f"{mongo.db.name}_other"]["tag"].count_documents({}) == 1
    finally:
        await client.drop_database(f"{mongo.db.name}_other")
        await client.close()


def test_a_client_that_names_no_database_needs_one() -> None:
    with pytest.raises(ValueError, match="name one"):
        MongoDriver("mongodb://localhost")


def test_options_are_those_of_the_client() -> None:
    with pytest.raises(TypeError, match="maxPoolSize"):
        MongoDriver(object(), "app", maxPoolSize=3)
