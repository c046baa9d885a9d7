"""Rules of the schema: the same mistake gives the same error with the same facts (semantics §2)."""

from __future__ import annotations

from typing import Any

import pytest

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add, add_all, save, upsert
from ommi.errors import (
    CheckViolation,
    ConstraintViolation,
    ForeignKeyViolation,
    NotNullViolation,
    UniqueViolation,
)
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Account, Badge, Book, Job, Order, Parcel, Player, Sample, Seat, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Constraints"]

Facts = tuple[type[ConstraintViolation], type[Any], tuple[str, ...], str | None]
EMAIL: Facts = (UniqueViolation, Player, ("email",), "ux_player_email")
SHIRT: Facts = (UniqueViolation, Player, ("team", "shirt"), "ux_player_team_shirt")
AGE: Facts = (CheckViolation, Player, ("age",), "ck_player_age")
LENGTH: Facts = (CheckViolation, Player, ("name",), "ck_player_name_max_length")
NAME: Facts = (NotNullViolation, Player, ("name",), None)
BALANCE: Facts = (CheckViolation, Account, ("balance",), "balance_counts")
NONE: Any = None


async def violates(db: Ommi, effect: Effect[Any, Any], facts: Facts) -> None:
    """Run an effect that breaks a rule, and compare what the error says of it."""
    error = await fails(db, effect, ConstraintViolation)
    assert (type(error), error.model, error.fields, error.constraint) == facts
    assert error.retryable is False


CASES: list[tuple[str, Effect[Any, Any], Facts]] = [
    ("a unique value on insert", add(Player("Bob", "ada@x")), EMAIL),
    ("a unique value on insert of many", add_all([Player("B", "b@x"), Player("C", "ada@x")]), EMAIL),
    ("a unique value twice in one insert", add_all([Player("B", "b@x"), Player("C", "b@x")]), EMAIL),
    ("a unique value on update", find(Player, Player.id == 2).update(email="ada@x"), EMAIL),
    ("a unique value on an update of many", find(Player).everything().update(email="new@x"), EMAIL),
    ("a unique value on save", save(Player("Eve", "ada@x", id=2)), EMAIL),
    ("a unique value on upsert by the key", upsert(Player("Eve", "ada@x", id=2)), EMAIL),
    ("a unique pair", add(Player("Bob", team="red", shirt=1)), SHIRT),
    ("a unique pair on update", find(Player, Player.id == 2).update(team="red", shirt=1), SHIRT),
    ("a key", add(Player("Bob", id=1)), (UniqueViolation, Player, ("id",), None)),
    ("a text as the key", add(Tag("ada")), (UniqueViolation, Tag, ("name",), None)),
    ("a composite key", add(Seat(1, 1)), (UniqueViolation, Seat, ("row", "number"), None)),
    ("a key on update", find(Account, Account.id == 2).update(id=1), (UniqueViolation, Account, ("id",), None)),
    ("a missing value on insert", add(Player(NONE)), NAME),
    ("a missing value on update", find(Player, Player.id == 1).update(name=None), NAME),
    ("a missing value on save", save(Player(NONE, id=1)), NAME),
    ("a missing value on upsert", upsert(Player(NONE, id=1)), NAME),
    ("a missing key", add(Tag(NONE)), (NotNullViolation, Tag, ("name",), None)),
    ("a missing part of a key", add(Seat(2, NONE)), (NotNullViolation, Seat, ("number",), None)),
    (
        "a key that goes missing",
        find(Account, Account.id == 1).update(id=None),
        (NotNullViolation, Account, ("id",), None),
    ),
    ("a check on insert", add(Player("Bob", age=-1)), AGE),
    ("a check on update", find(Player, Player.id == 1).update(age=-1), AGE),
    ("a check on an expression", find(Player, Player.id == 1).update(age=col(Player.age) - 100), AGE),
    ("a check on save", save(Player("Ada", "ada@x", -1, id=1)), AGE),
    ("a check with a name of its own", add(Account(3, "Bob", -1)), BALANCE),
    ("a check of a missing value", add(Parcel(None)), (CheckViolation, Parcel, ("weight",), "ck_parcel_weight")),
    ("a check that lets values be missing", add(Parcel(1, 0)), (CheckViolation, Parcel, ("depth",), "ck_parcel_depth")),
    ("a text that is too long", add(Player("123456789")), LENGTH),
    ("a text that is too long on update", find(Player, Player.id == 1).update(name="123456789"), LENGTH),
    (
        "a check on a field whose name is a word of SQL",
        add(Order(1, limit=1000)),
        (CheckViolation, Order, ("limit",), "ck_order_limit"),
    ),
    # several at once: not null, check, key, unique as declared, foreign key
    ("not null before check", add(Player(NONE, "ada@x", -1, id=1)), NAME),
    ("a length before a check", add(Player("123456789", age=-1)), LENGTH),
    ("check before key", add(Player("Bob", age=-1, id=1)), AGE),
    ("check before unique", add(Player("Bob", "ada@x", -1)), AGE),
    ("key before unique", add(Player("Bob", "ada@x", id=1)), (UniqueViolation, Player, ("id",), None)),
    ("unique ones as declared", add(Player("Bob", "ada@x", team="red", shirt=1)), EMAIL),
    ("key before a reference", add(Book(1, author=99)), (ForeignKeyViolation, Book, ("author",), "fk_book_author")),
    ("references as declared", add(Book(1, 99, 98)), (ForeignKeyViolation, Book, ("author",), "fk_book_author")),
    ("the first row that breaks a rule", add_all([Account(3, "B", -1), Account(1, "C")]), BALANCE),
]


class Constraints(DatabaseTests):
    """What a write that breaks a rule fails with, and that it leaves nothing."""

    @pytest.fixture
    async def ruled(self, db: Ommi) -> Ommi:
        await succeeds(db, add(Player("Ada", "ada@x", 36, "red", 1, id=1)))
        await succeeds(db, add(Player("Eve", id=2)))
        await succeeds(db, add_all([Account(1, "Ada"), Account(2, "Eve")]))
        await succeeds(db, add(Seat(1, 1)))
        await succeeds(db, add(Tag("ada")))
        return db

    @pytest.mark.parametrize("effect, facts", [pytest.param(e, facts, id=name) for name, e, facts in CASES])
    async def test_violation(self, ruled: Ommi, effect: Effect[Any, Any], facts: Facts) -> None:
        before = [await succeeds(ruled, find(model).all()) for model in (Player, Account, Seat, Parcel, Book)]
        await violates(ruled, effect, facts)
        assert [await succeeds(ruled, find(model).all()) for model in (Player, Account, Seat, Parcel, Book)] == before

    @pytest.mark.parametrize("effect, facts", [pytest.param(e, facts, id=name) for name, e, facts in CASES])
    async def test_violation_inside_a_transaction(self, ruled: Ommi, effect: Effect[Any, Any], facts: Facts) -> None:
        await violates(ruled, add(Sample(1)).bind(lambda _: effect).transactional(), facts)
        assert await succeeds(ruled, find(Sample).count()) == 0

    async def test_many_rows_have_no_unique_value(self, ruled: Ommi) -> None:
        await succeeds(ruled, add_all([Player("Bob"), Player("Cid")]))
        assert await succeeds(ruled, find(Player, col(Player.email).is_null()).count()) == 3

    async def test_a_unique_pair_ignores_rows_with_a_missing_part(self, ruled: Ommi) -> None:
        await succeeds(ruled, add_all([Player("Bob", team="red"), Player("Cid", team="red"), Player("D", shirt=1)]))

    async def test_unique_texts_differ_in_case_and_in_accents(self, ruled: Ommi) -> None:
        await succeeds(
            ruled, add_all([Player("B", "ADA@x"), Player("C", "é"), Player("D", "e\u0301"), Player("E", "")])
        )

    async def test_a_longest_text_counts_code_points(self, ruled: Ommi) -> None:
        await succeeds(ruled, add(Player("😀" * 8)))

    async def test_a_missing_text_is_not_too_long(self, db: Ommi) -> None:
        await succeeds(db, add(Parcel(1, None, None)))

    async def test_the_largest_value_a_check_allows(self, db: Ommi) -> None:
        await succeeds(db, add(Order(1, limit=999)))

    async def test_unique_values_change_places_in_one_update(self, db: Ommi) -> None:
        await succeeds(db, add_all([Account(1, "Ada"), Account(2, "Bob"), Account(3, "Cid")]))
        assert await succeeds(db, find(Account).everything().update(id=col(Account.id) * -1 + 4)) == 3
        found = await succeeds(db, find(Account).order_by(Account.id).all())
        assert [account.owner for account in found] == ["Cid", "Bob", "Ada"]

    async def test_a_uuid_key_is_unique(self, db: Ommi) -> None:
        badge = await succeeds(db, add(Badge("Ada")))
        await violates(db, add(Badge("Bob", badge.id)), (UniqueViolation, Badge, ("id",), None))

    async def test_a_missing_value_that_the_database_assigns_is_no_violation(self, db: Ommi) -> None:
        job = await succeeds(db, add(Job("a")))
        assert (job.state, job.tries) == ("new", 3)

    async def test_an_error_tells_where_it_comes_from(self, ruled: Ommi) -> None:
        error = await fails(ruled, add(Player("Bob", "ada@x")), UniqueViolation)
        assert error.origin is not None
        assert error.operation == "add(Player(…))"
        assert "Player.email" in str(error)
