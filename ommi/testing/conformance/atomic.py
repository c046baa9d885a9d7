"""Each write effect is atomic, however many rows and statements it takes (semantics §5)."""

from __future__ import annotations

from typing import Any

import pytest

from ommi.database import Ommi
from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add_all, upsert
from ommi.errors import ConstraintViolation
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_recovery
from ommi.testing.conformance.transactions import names, tagged
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.models import Account, Author, Book, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Atomic"]

balance = col(Account.balance)
BREAKING: dict[str, Effect[Any, Any]] = {
    "add_all, the last row": add_all([*(Tag(f"new {n}") for n in range(50)), Tag("there")]),
    "add_all, the first row": add_all([Tag("there"), *(Tag(f"new {n}") for n in range(50))]),
    "add_all, a check": add_all([Account(7, "Gus", 1), Account(8, "Hal", -1)]),
    "update of many": find(Account).everything().update(balance=balance - 10),
    "delete of many": find(Author).everything().delete(),
    "upsert": upsert(Account(1, "Ada", -5)),
}
WRITES = pytest.mark.parametrize("write", [pytest.param(write, id=name) for name, write in BREAKING.items()])


class Atomic(DatabaseTests):
    """Writes of which one row breaks a rule."""

    @pytest.fixture
    async def breakable(self, db: Ommi) -> Ommi:
        for records in (
            [Tag("there")],
            [Account(1, "Ada", 50), Account(2, "Bob", 5), Account(3, "Cid", 50)],
            [Author(1), Author(2), Author(3)],
            [Book(1, 2)],
        ):
            await succeeds(db, add_all(records))
        return db

    @WRITES
    async def test_a_write_on_its_own_is_whole_or_nothing(self, breakable: Ommi, write: Effect[Any, Any]) -> None:
        before = await everything(breakable)
        await fails(breakable, write, ConstraintViolation)
        assert await everything(breakable) == before

    @WRITES
    @with_recovery
    async def test_a_write_that_is_recovered_from_in_a_transaction_is_undone_alone(
        self, breakable: Ommi, write: Effect[Any, Any]
    ) -> None:
        before = await everything(breakable)
        recovered = write.map(lambda _: None) >> catch(ConstraintViolation)(lambda error: noting([], error))
        await succeeds(breakable, tagged("a").bind(lambda _: recovered).bind(lambda _: tagged("z")).transactional())
        assert await names(breakable) == ["a", "there", "z"]
        await succeeds(breakable, find(Tag, Tag.name != "there").delete())
        assert await everything(breakable) == before

    @WRITES
    async def test_a_write_that_is_not_recovered_from_undoes_its_transaction(
        self, breakable: Ommi, write: Effect[Any, Any]
    ) -> None:
        before = await everything(breakable)
        await fails(breakable, tagged("a").bind(lambda _: write).transactional(), ConstraintViolation)
        assert await everything(breakable) == before

    async def test_a_write_on_its_own_begins_no_transaction_of_the_program(self, breakable: Ommi) -> None:
        steps: list[DriverStep] = []

        async def record(step: DriverStep) -> None:
            steps.append(step)

        async with Ommi(Interposed(breakable.driver, before=record)) as recorded:
            for write in BREAKING.values():
                await fails(recorded, write, ConstraintViolation)
        assert steps == ["execute"] * len(BREAKING)


async def everything(db: Ommi) -> list[Any]:
    """All rows the writes could touch."""
    return [
        await succeeds(db, find(Tag).order_by(Tag.name).all()),
        await succeeds(db, find(Account).order_by(Account.id).all()),
        await succeeds(db, find(Author).order_by(Author.id).all()),
        await succeeds(db, find(Book).order_by(Book.id).all()),
    ]
