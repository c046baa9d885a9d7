"""The escape hatches: a database's own language, whose values are parameters, and a refusal of any other's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather
from ommi.effects.native import execute, mongo, sql
from ommi.effects.operations import add, add_all
from ommi.errors import DecodeError, EncodeError, QueryRejected, UniqueViolation, UnsupportedOperation
from ommi.query.expressions import Column, col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.transactions import Mishap, failing, names
from ommi.testing.models import Account, Color, Level, Order, Player, Sample, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Native"]

EVIL = [
    "'",
    '"',
    "`",
    "; DROP TABLE tag; --",
    "' OR '1'='1",
    "{}",
    "{0}",
    "{x}",
    "%s",
    "?",
    "$1",
    ":a",
    "\\",
    "a\n--b",
    "é😀",
]


@dataclass
class Wealth:
    """What some SQL gives."""

    owner: str
    total: int
    color: Color = Color.RED


class Pair(NamedTuple):
    """What some SQL gives, by name."""

    id: int
    owner: str | None


class Native(DatabaseTests):
    """`sql`, `execute` and `mongo`."""

    @pytest.fixture
    def speaks_sql(self, db: Ommi) -> bool:
        """Whether the database runs SQL; where not, a test asks that it is refused."""
        return db.driver.capabilities.language == "sql"

    async def gives(self, db: Ommi, speaks_sql: bool, effect: Effect[Any, Any], expected: Any) -> None:
        """That the effect gives this, or is refused by a database without SQL."""
        if speaks_sql:
            assert await succeeds(db, effect) == expected
        else:
            error = await fails(db, effect, UnsupportedOperation)
            assert db.driver.name in error.message

    @pytest.fixture
    async def ledger(self, db: Ommi) -> Ommi:
        await succeeds(db, add_all([Account(1, "Ada", 10), Account(2, "Bob", 20), Account(3, "Ada", 5)]))
        return db

    async def test_rows_are_tuples(self, ledger: Ommi, speaks_sql: bool) -> None:
        effect = sql("SELECT id, owner FROM account WHERE balance >= {} ORDER BY id", 10)
        await self.gives(ledger, speaks_sql, effect, [(1, "Ada"), (2, "Bob")])

    async def test_rows_are_read_into_what_is_wanted(self, ledger: Ommi, speaks_sql: bool) -> None:
        grouped = sql(
            "SELECT owner, CAST(sum(balance) AS bigint) AS total FROM account GROUP BY owner ORDER BY owner",
            into=Wealth,
        )
        await self.gives(ledger, speaks_sql, grouped, [Wealth("Ada", 15), Wealth("Bob", 20)])
        pairs = sql("SELECT owner, id FROM account WHERE id = {id}", id=2, into=Pair)
        await self.gives(ledger, speaks_sql, pairs, [Pair(2, "Bob")])
        counted = sql("SELECT count(*), min(owner) FROM account", into=tuple[int, str])
        await self.gives(ledger, speaks_sql, counted, [(3, "Ada")])
        records = sql("SELECT code, balance, owner, id FROM account WHERE id = {}", 1, into=Account)
        await self.gives(ledger, speaks_sql, records, [Account(1, "Ada", 10)])
        nothing = sql("SELECT * FROM account WHERE id = {}", 9, into=Account)
        await self.gives(ledger, speaks_sql, nothing, [])

    async def test_models_and_columns_are_quoted_names(self, db: Ommi, speaks_sql: bool) -> None:
        await succeeds(db, add(Order(7, select="a", where="b")))
        column: Column[Any, Any] = col(Order.select)  # type: ignore[assignment]  # a plain str to a checker
        effect = sql("SELECT {}, {o.where} FROM {o} WHERE {o.group} = {group}", column, o=Order, group=7)
        await self.gives(db, speaks_sql, effect, [("a", "b")])
        await self.gives(
            db, speaks_sql, sql("SELECT * FROM {}", Order, into=Order), await succeeds(db, find(Order).all())
        )

    async def test_values_are_converted_as_fields_are(self, db: Ommi, speaks_sql: bool) -> None:
        given: dict[str, Any] = {
            "whole": 2**63 - 1,
            "real": 0.1,
            "flag": True,
            "text": "é'",
            "data": b"\x00'",
            "amount": Decimal("1234567890123456789012.50"),
            "moment": datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC),
            "local": datetime(2024, 2, 29, 12, 0, 0, 1),  # noqa: DTZ001
            "day": date(2024, 2, 29),
            "hour": time(23, 59, 59, 999_999),
            "span": timedelta(microseconds=-1),
            "token": UUID(int=7),
            "color": Color.BLUE,
            "level": Level.HIGH,
        }
        sample = await succeeds(db, add(Sample(1, **given)))
        for name, value in given.items():
            column = col(getattr(Sample, name))
            found = sql("SELECT * FROM {s} WHERE {c} = {}", value, s=Sample, c=column, into=Sample)
            await self.gives(db, speaks_sql, found, [sample])
            if speaks_sql:
                await succeeds(db, find(Sample).everything().update(**{name: None}))
                written = execute("UPDATE {s} SET {c} = {}", value, s=Sample, c=column)
                await self.gives(db, speaks_sql, written, 1)
                assert await succeeds(db, find(Sample).one()) == sample
        missing = execute("UPDATE {s} SET {s.whole} = {}, {s.text} = {}, {s.moment} = {}", None, None, None, s=Sample)
        await self.gives(db, speaks_sql, missing, 1)

    @pytest.mark.parametrize("evil", EVIL, ids=range(len(EVIL)))
    async def test_a_value_is_never_sql(self, db: Ommi, evil: str, speaks_sql: bool) -> None:
        await succeeds(db, add_all([Tag(evil), Tag("other")]))
        await self.gives(db, speaks_sql, sql("SELECT name FROM tag WHERE name = {}", evil), [(evil,)])
        await self.gives(db, speaks_sql, sql("SELECT name FROM tag WHERE name IN {}", (evil, evil + "x")), [(evil,)])
        await self.gives(db, speaks_sql, execute("DELETE FROM tag WHERE name = {evil}", evil=evil), 1)
        assert await names(db) == (["other"] if speaks_sql else sorted([evil, "other"]))

    async def test_execute_gives_the_rows_changed(self, ledger: Ommi, speaks_sql: bool) -> None:
        effect = execute("UPDATE account SET balance = balance + {by} WHERE owner = {owner}", by=1, owner="Ada")
        await self.gives(ledger, speaks_sql, effect, 2)
        if speaks_sql:
            assert sorted([a.balance for a in await succeeds(ledger, find(Account).all())]) == [6, 11, 20]

    async def test_rows_of_what_changes_something(self, ledger: Ommi, speaks_sql: bool) -> None:
        effect = sql("UPDATE account SET owner = {} WHERE id = 2 RETURNING owner, id", "Eve", into=Pair, writes=True)
        await self.gives(ledger, speaks_sql, effect, [Pair(2, "Eve")])
        if speaks_sql:
            assert (await succeeds(ledger, find(Account, Account.id == 2).one())).owner == "Eve"

    async def test_it_belongs_to_its_transaction(self, db: Ommi, speaks_sql: bool) -> None:
        if not speaks_sql:
            await fails(db, gather(add(Tag("a")), execute("DELETE FROM tag")).transactional(), UnsupportedOperation)
            assert await names(db) == []
            return
        inserted = execute("INSERT INTO tag (name, color) VALUES ({}, {})", "a", Color.RED)
        seen = inserted.bind(lambda _: sql("SELECT name FROM tag"))
        await fails(db, seen.bind(lambda rows: failing(Mishap(str(rows)))).transactional(), Mishap)
        assert await names(db) == []
        assert await succeeds(db, seen.transactional()) == [("a",)]
        assert await names(db) == ["a"]
        await fails(db, inserted.transactional(read_only=True), QueryRejected)

    async def test_errors_are_those_of_operations(self, db: Ommi, speaks_sql: bool) -> None:
        if not speaks_sql:
            return
        await succeeds(db, add(Player("Ada", "ada@x")))
        error = await fails(
            db, execute("INSERT INTO player (name, email, age) VALUES ('B', {}, 1)", "ada@x"), UniqueViolation
        )
        assert (error.model, error.fields) == (Player, ("email",))
        assert error.origin is not None
        rejected = await fails(db, sql("SELECT name FROM tag WHERE name = {} AND", "s3cret"), QueryRejected)
        assert "s3cret" not in str(rejected)
        assert 'execute("INSERT' in str(error)

    async def test_rows_that_do_not_fit_are_decode_errors(self, ledger: Ommi, speaks_sql: bool) -> None:
        if not speaks_sql:
            return
        for effect in (
            sql("SELECT 'x' AS id, 'y' AS owner", into=Pair),
            sql("SELECT id FROM account", into=Pair),
            sql("SELECT id, owner, owner AS id FROM account", into=Pair),
            sql("SELECT id FROM account", into=tuple[int, int]),
            sql("SELECT NULL, 1", into=tuple[int, int]),
            sql("SELECT id FROM account", into=Account),
        ):
            await fails(ledger, effect, DecodeError)

    async def test_a_value_that_no_field_could_hold(self, db: Ommi, speaks_sql: bool) -> None:
        await fails(db, sql("SELECT {}", 2**70), EncodeError if speaks_sql else (EncodeError, UnsupportedOperation))  # type: ignore[arg-type]
        await fails(db, sql("SELECT {}", "a\0b"), EncodeError)

    async def test_braces_are_doubled(self, db: Ommi, speaks_sql: bool) -> None:
        await self.gives(db, speaks_sql, sql("SELECT '{{}}', {}, '{{0}}'", 1), [("{}", 1, "{0}")])

    async def test_what_locks_needs_a_transaction(self, db: Ommi) -> None:
        await fails(db, sql("SELECT * FROM tag FOR UPDATE"), UnsupportedOperation)
        await fails(db, sql("SET LOCAL work_mem = '1MB'"), UnsupportedOperation)

    async def test_the_language_of_another_database_is_refused(self, db: Ommi) -> None:
        if db.driver.capabilities.language != "mongo":
            error = await fails(db, mongo(Tag, [{"$match": {"name": "a"}}]), UnsupportedOperation)
            assert db.driver.name in error.message

    async def test_bound_sql(self, ledger: Ommi, speaks_sql: bool) -> None:
        bound = ledger.sql("SELECT owner FROM account WHERE id = {}", 1, into=tuple[str])
        await self.gives(ledger, speaks_sql, bound, [("Ada",)])
        await self.gives(ledger, speaks_sql, ledger.execute("DELETE FROM account WHERE id = {}", 1), 1)
