"""`run(…, trace=True)` shows the commands that were sent, without values, and how many trips they took."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ommi import Effect, Ommi, add, add_all, col, find, gather, mongo
from ommi.testing import succeeds
from ommi.testing.models import Account, Author, Book, Sample, Tag, suite_models
from tests.servers.mongo import Database

pytestmark = pytest.mark.anyio

ACCOUNT = col(Account.id)
OWNER = col(Account.owner)
BALANCE = col(Account.balance)
EXTRA = col(Sample.extra)
NONE: Any = None

TEXTS: list[tuple[Effect[Any, Any], list[str]]] = [
    (find(Account, ACCOUNT == 1).all(), ["find account {_id: ?}"]),
    (
        find(Account, (OWNER == "Ada") | (BALANCE > 3)).order_by(BALANCE.desc).limit(2).all(),
        ["find account {$or: [{owner: ?}, {balance: {$gt: ?}}]} sort {balance: -1, _id: -1} limit ?"],
    ),
    (find(Account, ACCOUNT.in_([1, 2])).count(), ["aggregate account [{$match: {_id: {$in: ?}}}, {$count: ?}]"]),
    (find(Account, ACCOUNT == 1).update(owner="s3cret"), ["updateOne account {_id: ?} {$set: {owner: ?}}"]),
    (
        find(Account, ACCOUNT > 8, OWNER == "s3cret").update(owner=OWNER.coalesce("$s3cret"), code=None),
        [
            "updateMany account {$and: [{_id: {$gt: ?}}, {owner: ?}]} "
            "[{$set: {owner: {$ifNull: [$owner, {$literal: ?}]}, code: {$ifNull: [?, $$REMOVE]}}}]",
            "commitTransaction",
        ],
    ),
    (find(Account, ACCOUNT == 9).delete(), ["deleteOne account {_id: ?}"]),
    (add(Tag("s3cret")), ["insertOne tag {_id: ?, color: ?}"]),
    (add_all([Tag("b"), Tag("c")]), ["insertMany tag {_id: ?, color: ?} × 2", "commitTransaction"]),
    (
        find(Sample, col(Sample.extra) == {"s3cret": "s3cret"}).all(),
        ["find sample {$expr: {$eq: [$extra, {$literal: ?}]}}"],
    ),
    (find(Sample, col(Sample.words).contains("s3cret")).all(), ["find sample {words: {$elemMatch: ?}}"]),
    (mongo(Account, [{"$match": {"s3cret": 1}}, {"$count": "n"}]), ["aggregate account [$match, $count]"]),
    (mongo(Account, {"distinct": None, "key": "s3cret"}, writes=False), ["distinct account"]),
]


@pytest.fixture
async def db(mongo: Database) -> AsyncIterator[Ommi]:
    async with Ommi.connect(mongo.url) as db:
        await succeeds(db, db.schema.create(suite_models))
        mongo.empty()
        await succeeds(db, add_all([Account(n, "Ada", n) for n in range(1, 4)]))
        await succeeds(db, find(Account, ACCOUNT == 9).delete())  # so that the references are known
        yield db


async def test_each_command_is_told_without_its_values(db: Ommi) -> None:
    for effect, texts in TEXTS:
        traced = await db.run(effect, trace=True)
        traced.outcome.unwrap()
        (step,) = traced.trace.steps
        assert [*step.sent] == texts
        assert traced.trace.trips == len(texts)
        assert "s3cret" not in repr(traced.trace)


async def test_a_reference_is_a_command_more(db: Ommi) -> None:
    await succeeds(db, add(Author(1)))
    await succeeds(db, add(Book(1, 1)))
    trace = (await db.run(add(Book(2, 1)), trace=True)).trace
    assert [text.split(" {")[0] for text in trace.steps[0].sent] == [
        "insertOne book",
        "updateMany author",
        "commitTransaction",
    ]


async def test_many_documents_are_another_trip(db: Ommi) -> None:
    await succeeds(db, add_all([Tag(f"t{n}") for n in range(102)]))
    trace = (await db.run(find(Tag).all(), trace=True)).trace
    assert (trace.steps[0].sent, trace.trips) == (("find tag {}", "getMore"), 2)


async def test_a_run_is_told_to_each_that_it_is_made_for(db: Ommi) -> None:
    updates = [find(Account, n == ACCOUNT).update(balance=0) for n in (1, 2, 3)]
    trace = (await db.run(gather(*updates, add(Tag("a")), add(Tag("b"))).transactional(), trace=True)).trace
    assert [step.kind for step in trace.steps] == ["begin", *["statement"] * 5, "commit"]
    update = "bulkWrite account updateOne {_id: ?} {$set: {balance: ?}} × 3"
    assert [step.sent for step in trace.steps[1:-1]] == [(update,)] * 3 + [
        ("insertMany tag {_id: ?, color: ?} × 2",)
    ] * 2
    assert trace.trips == 3


async def test_a_transaction_begins_with_its_first_statement(db: Ommi) -> None:
    assert (await db.run(add(Tag("a")).transactional(), trace=True)).trace.trips == 2
    await succeeds(db, find(Tag).everything().delete())
    several = add(Tag("a")).bind(lambda _: add(Tag("b"))).transactional()
    assert (await db.run(several, trace=True)).trace.trips == 3


async def test_a_stream_tells_what_it_asks(db: Ommi) -> None:
    trace = (await db.run(find(Account).stream(chunk=2).to_list(), trace=True)).trace
    assert trace.steps[0].sent == ("find account {}",)


async def test_keys_of_the_programs_own_that_follow_each_other_are_no_trip_each(db: Ommi) -> None:
    await succeeds(db, add(Author(500)))
    for key in (501, 502, 3):
        assert (await db.run(add(Author(key)), trace=True)).trace.trips == 1
    again = await succeeds(db, add(Author(NONE)))
    assert again.id > 502
