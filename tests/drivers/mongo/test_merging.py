"""Statements of a transaction that are known together are few commands, and nothing but their number tells."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import pytest
from bson import Int64, ObjectId
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from returns.result import Success

from ommi import Effect, Key, ModelCollection, Ommi, add, add_all, col, find, gather, ommi_model, traverse
from ommi.errors import CheckViolation, EncodeError, ForeignKeyViolation, NotNullViolation, OmmiError, UniqueViolation
from ommi.models import schema_of
from ommi.testing import succeeds
from ommi.testing.comparison import tables
from ommi.testing.models import Account, Author, Book, Loan, Player, Remark, Sample, Seat, Shelf, Tag, suite_models
from tests.servers.mongo import Database

pytestmark = pytest.mark.anyio

MODELS: Any = (Account, Author, Book, Loan, Player, Remark, Sample, Seat, Shelf, Tag)
NONE: Any = None


@ommi_model(collection=ModelCollection(), name="shelf")
@dataclass
class Bare:
    """The rows of `Shelf`, as a program sees them that knows nothing of what refers to them."""

    id: Annotated[int, Key]
    code: str


class Commands(CommandListener):
    """What the client was asked to send."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        if event.command.get(event.command_name) != "ommi_tables":
            self.found.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None: ...

    def failed(self, event: CommandFailedEvent) -> None: ...


class Watched:
    """A database, with the commands that reach it."""

    def __init__(self, db: Ommi, database: Database, commands: Commands) -> None:
        self.db = db
        self.database = database
        self.commands = commands

    def clear(self) -> None:
        """Delete the rows that a test may have left."""
        for model in MODELS:
            self.database.db[schema_of(model).table].delete_many({})

    def fill(self) -> None:
        """Begin with `ROWS`."""
        self.clear()
        for table, documents in ROWS.items():
            self.database.db[table].insert_many([dict(document) for document in documents])

    async def outcome(self, effect: Effect[Any, Any], *, batching: bool) -> Any:
        """What the effect gives in a transaction, how its statements end, and the rows it leaves."""
        self.fill()
        self.commands.found.clear()
        self.db._pump.batching = batching
        traced = await self.db.run(effect.transactional(), trace=True)
        self.db._pump.batching = True
        outcome = traced.outcome
        ends = [(step.rows, step.error) for step in traced.trace.steps if step.kind == "statement"]
        sent = [name for name in self.commands.found if name in ("insert", "update", "aggregate", "find")]
        rows = await tables(self.db, MODELS, unkeyed=(Player,))
        if isinstance(outcome, Success):
            return _unkeyed(outcome.unwrap()), ends, rows, sent
        error = outcome.failure()
        assert isinstance(error, OmmiError)
        return (*facts(error), error.operation, error.origin), ends, rows, sent

    async def agree(self, effect: Effect[Any, Any], *commands: str, error: type[OmmiError] | None = None) -> Any:
        """The outcome in these commands, as it is in those of one statement after the other."""
        *expected, _ = await self.outcome(effect, batching=False)
        *found, sent = await self.outcome(effect, batching=True)
        assert found == expected
        assert sent == list(commands)
        value, ends, _ = found
        assert error in (None, ends[-1][1])
        return value if error is None else len(ends)


def facts(error: OmmiError) -> tuple[Any, ...]:
    return type(error), error.message, *(getattr(error, name, None) for name in ("model", "fields", "constraint"))


def _unkeyed(found: Any) -> Any:
    return [Player(p.name, p.email, p.age) if isinstance(p, Player) else p for p in found]


ROWS: dict[str, list[dict[str, Any]]] = {
    "account": [{"_id": Int64(n), "owner": "Ada", "balance": Int64(n), "code": f"c{n}"} for n in range(1, 6)],
    "seat": [{"row": Int64(1), "number": Int64(n)} for n in range(1, 4)],
    "author": [{"_id": Int64(n), "name": "Ada"} for n in (1, 2)],
    "shelf": [{"_id": Int64(n), "code": f"s{n}"} for n in (1, 2)],
    "tag": [{"_id": "there", "color": "red"}],
}


@pytest.fixture
async def watched(mongo: Database) -> AsyncIterator[Watched]:
    commands = Commands()
    async with Ommi.connect(mongo.url, event_listeners=[commands]) as db:
        await succeeds(db, db.schema.create(suite_models))
        mongo.empty()
        watched = Watched(db, mongo, commands)
        watched.fill()
        yield watched
        watched.clear()


def player(number: int, **values: Any) -> Player:
    return Player(f"p{number}", **{"email": f"{number}@x", **values})


def setting(number: int, **values: Any) -> Effect[Any, Any]:
    return find(Account, col(Account.id) == number).update(**values)


async def test_inserts_are_one_command(watched: Watched) -> None:
    found = await watched.agree(traverse([player(n) for n in range(20)], add), "insert")
    assert [one.name for one in found] == [f"p{n}" for n in range(20)]


async def test_the_keys_that_are_given_out_are_those_of_their_rows(watched: Watched) -> None:
    added = await succeeds(watched.db, traverse([player(n) for n in range(5)], add).transactional())
    assert await succeeds(watched.db, find(Player).order_by(Player.id).all()) == added


async def test_inserts_of_several_rows_and_of_a_key_of_two_parts_are_one_command(watched: Watched) -> None:
    several = gather(add(Seat(2, 1)), add_all([Seat(2, 2, "Bob"), Seat(2, 3)]), add(Seat(2, 4)))
    await watched.agree(several, "insert")
    assert {type(found["_id"]) for found in watched.database.db["seat"].find()} == {ObjectId}


async def test_inserts_into_other_collections_are_other_commands(watched: Watched) -> None:
    await watched.agree(gather(*map(add, (Tag("a"), Tag("b"), player(1), player(2), Tag("c")))), *["insert"] * 3)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (player(2), UniqueViolation),
        (player(9, age=-1), CheckViolation),
        (Player("too long a name"), CheckViolation),
    ],
    ids=["taken", "check", "length"],
)
async def test_an_insert_that_breaks_a_rule_is_the_one_that_fails(
    watched: Watched, bad: Player, error: type[OmmiError]
) -> None:
    players = [player(1), player(2), player(3), bad, player(4, age=-2)]
    made = await watched.agree(traverse(players, add), "insert", error=error)
    assert made == 4


async def test_a_key_that_is_taken_in_the_middle(watched: Watched) -> None:
    made = await watched.agree(traverse(["a", "b", "there", "a"], _tag), "insert", error=UniqueViolation)
    assert made == 3


@pytest.mark.parametrize(
    ("bad", "error", "commands"),
    [(Account(8, NONE), NotNullViolation, 1), (Account(2, "taken"), UniqueViolation, 2)],
    ids=["missing", "taken"],
)
async def test_a_required_field_that_is_missing_fails_in_its_turn(
    watched: Watched, bad: Account, error: type[OmmiError], commands: int
) -> None:
    accounts = [Account(7, "Bob"), bad, Account(9, NONE)]
    await watched.agree(traverse(accounts, add), *["insert"] * commands, error=error)


async def test_a_value_that_does_not_fit_fails_in_its_turn(watched: Watched) -> None:
    samples = [Sample(1), Sample(2, amount=Decimal("1." + "1" * 40)), Sample(3)]
    await watched.agree(traverse(samples, add), "insert", error=EncodeError)
    await watched.agree(traverse([Sample(1), Sample(1), *samples], add), *["insert"] * 2, error=UniqueViolation)


async def test_rows_that_refer_are_looked_at_after_each_insert(watched: Watched) -> None:
    books = [Book(1, 1), Book(2, 9), Book(1, 2)]
    commands = ["insert", "update", "insert", "update", "find"]
    assert await watched.agree(traverse(books, add), *commands, error=ForeignKeyViolation) == 2
    await watched.agree(traverse([Remark(1, 9), Remark(2, 9)], add), "insert")


async def test_updates_of_rows_by_key_are_one_command(watched: Watched) -> None:
    found = await watched.agree(traverse(range(1, 6), lambda n: setting(n, owner=f"o{n}", balance=7)), "update")
    assert found == [1] * 5


async def test_updates_that_compute_are_one_command(watched: Watched) -> None:
    more = col(Account.balance) + 5
    await watched.agree(gather(setting(1, balance=more), setting(2, owner="Bob"), setting(3, balance=more)), "update")


async def test_updates_of_rows_that_are_not_there_change_none(watched: Watched) -> None:
    found = await watched.agree(traverse([9, 1, 8, 2], lambda n: setting(n, owner="Bob")), "update", "aggregate")
    assert found == [0, 1, 0, 1]
    seats = [(1, 1), (2, 1), (1, 3), (3, 1)]
    found = await watched.agree(traverse(seats, lambda key: _seated(*key)), "update", "aggregate")
    assert found == [1, 0, 1, 0]


async def test_a_row_that_is_changed_twice_is_changed_by_two_commands(watched: Watched) -> None:
    found = await watched.agree(
        gather(setting(1, balance=3), setting(2, balance=3), setting(1, balance=4)), *["update"] * 2
    )
    assert found == [1, 1, 1]


async def test_an_update_that_breaks_a_rule_is_the_one_that_fails(watched: Watched) -> None:
    less = col(Account.balance) - 3
    updates = traverse(range(1, 6), lambda n: setting(6 - n, balance=less))
    assert await watched.agree(updates, "update", error=CheckViolation) == 4


async def test_an_update_whose_value_does_not_fit_fails_in_its_turn(watched: Watched) -> None:
    amounts = [Decimal(1), Decimal("1." + "1" * 40), Decimal(2)]
    await succeeds(watched.db, add_all([Sample(n) for n in range(3)]))
    updates = traverse(range(3), lambda n: find(Sample, col(Sample.id) == n).update(amount=amounts[n]))
    await watched.agree(updates, "update", error=EncodeError)


async def test_updates_that_others_may_see_are_made_one_by_one(watched: Watched) -> None:
    codes = traverse([1, 2], lambda n: setting(n, code=f"c{3 - n}x"))
    await watched.agree(codes, "update", "update")
    await watched.agree(gather(setting(1, code="c2"), setting(2, code="c9")), "update", error=UniqueViolation)
    shelves = traverse([1, 2], lambda n: find(Shelf, col(Shelf.id) == n).update(code=f"s{n}"))
    assert (await watched.outcome(shelves, batching=True))[-1].count("update") == 2


async def test_updates_of_what_others_refer_to_are_made_one_by_one(watched: Watched) -> None:
    def renamed(number: int) -> Effect[Any, Any]:
        return find(Bare, col(Bare.id) == number).update(code=f"new {number}")

    referring = add(Loan(1, "s2")).bind(lambda _: traverse([1, 2], renamed))
    _, ends, _, _ = await watched.outcome(referring, batching=True)
    assert [error for _, error in ends] == [None, None, ForeignKeyViolation]


async def test_updates_with_a_condition_beside_the_key_are_made_one_by_one(watched: Watched) -> None:
    updates = traverse(
        [1, 2, 3], lambda n: find(Account, col(Account.id) == n, col(Account.owner) == "Ada").update(owner="Bob")
    )
    assert await watched.agree(updates, *["update"] * 3) == [1, 1, 1]


async def test_reads_between_writes_see_those_before_them(watched: Watched) -> None:
    effect = gather(add(Tag("a")), add(Tag("b")), find(Tag).count(), setting(1, balance=9), add(Tag("c")))
    found = await watched.agree(effect, "insert", "aggregate", "update", "insert")
    assert found[2] == 3


async def test_a_stream_sees_nothing_of_what_is_written_while_it_is_open(watched: Watched) -> None:
    watched.database.empty()
    await succeeds(watched.db, add_all([Tag(f"t{n}") for n in range(10)]))
    async with watched.db.transaction() as tx, tx.open(find(Tag).stream(chunk=2)) as rows:
        first = await anext(rows)
        await tx.run(traverse(["a", "b"], _tag))
        rest = [row async for row in rows]
    assert len([first, *rest]) == 10


def _tag(name: str) -> Effect[Any, Any]:
    return add(Tag(name))


def _seated(row: int, number: int) -> Effect[Any, Any]:
    return find(Seat, col(Seat.row) == row, col(Seat.number) == number).update(guest="Eve")
