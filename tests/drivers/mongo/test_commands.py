"""`mongo(…)`: pipelines and commands reach the server as they are, in their transaction, with errors of ours."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ommi import Ommi, add, add_all, find, gather, mongo
from ommi.errors import QueryRejected, UniqueViolation
from ommi.testing import fails, succeeds
from ommi.testing.conformance.transactions import Mishap, failing, names
from ommi.testing.models import Account, Player, Tag, suite_models
from tests.servers.mongo import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(mongo: Database) -> AsyncIterator[Ommi]:
    async with Ommi.connect(mongo.url) as db:
        await succeeds(db, db.schema.create(suite_models))
        mongo.empty()
        await succeeds(db, add_all([Account(1, "Ada", 10), Account(2, "Bob", 20), Account(3, "Ada", 5)]))
        yield db


async def test_a_pipeline_gives_its_documents(db: Ommi) -> None:
    stages = [{"$group": {"_id": "$owner", "total": {"$sum": "$balance"}}}, {"$sort": {"_id": 1}}]
    assert await succeeds(db, mongo(Account, stages)) == [{"_id": "Ada", "total": 15}, {"_id": "Bob", "total": 20}]


async def test_a_command_gives_its_reply(db: Ommi) -> None:
    reply = await succeeds(db, mongo("account", {"distinct": None, "key": "owner"}, writes=False))
    assert reply == {"values": ["Ada", "Bob"]}


async def test_a_command_writes_in_its_transaction(db: Ommi) -> None:
    command: Any = mongo(Account, {"update": None, "updates": [{"q": {"_id": 1}, "u": {"$inc": {"balance": 1}}}]})
    await fails(db, command.bind(lambda _: failing()).transactional(), Mishap)
    assert (await succeeds(db, find(Account, Account.id == 1).one())).balance == 10
    reply = await succeeds(db, command)
    assert (reply["n"], (await succeeds(db, find(Account, Account.id == 1).one())).balance) == (1, 11)


async def test_a_command_sees_its_transaction(db: Ommi) -> None:
    program = gather(add(Tag("a")), mongo(Tag, [{"$count": "n"}])).transactional()
    assert (await succeeds(db, program))[1] == [{"n": 1}]


async def test_errors_are_those_of_operations(db: Ommi) -> None:
    await succeeds(db, add(Player("Ada", "ada@x")))
    row = {"_id": 99, "name": "Bob", "email": "ada@x", "age": 1}
    error = await fails(db, mongo(Player, {"insert": None, "documents": [row]}), UniqueViolation)
    assert (error.model, error.fields) == (Player, ("email",))
    await fails(db, mongo(Player, [{"$nonsense": 1}]), QueryRejected)


async def test_a_pipeline_that_writes_must_say_so(db: Ommi, mongo: Database) -> None:
    stages: list[dict[str, Any]] = [{"$match": {"owner": "Ada"}}, {"$out": "ada"}]
    error = await fails(db, _mongo(stages), QueryRejected)
    assert "writes=True" in error.message
    assert not mongo.holds(["ada"])
    assert await succeeds(db, _mongo(stages, writes=True)) == []
    assert mongo.db["ada"].count_documents({}) == 2
    mongo.db.drop_collection("ada")


async def test_a_read_only_transaction_runs_no_command_that_writes(db: Ommi) -> None:
    effect = mongo(Account, {"delete": None, "deletes": [{"q": {}, "limit": 0}]})
    await fails(db, effect.transactional(read_only=True), QueryRejected)
    assert await succeeds(db, find(Account).count()) == 3


async def test_transactions_are_not_ended_by_a_command(db: Ommi) -> None:
    await fails(db, gather(add(Tag("a")), mongo(Tag, {"commitTransaction": 1})).transactional(), QueryRejected)
    assert await names(db) == []


def _mongo(stages: list[dict[str, Any]], *, writes: bool = False) -> Any:
    return mongo(Account, stages, writes=writes)
