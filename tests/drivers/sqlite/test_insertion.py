"""Many rows: which of them broke a rule, and what is left then."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ommi import CheckViolation, ForeignKeyViolation, Ommi, UniqueViolation, add_all, find
from ommi.testing import fails, succeeds
from ommi.testing.models import Author, Book, Player, suite_models

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db() -> AsyncIterator[Ommi]:
    async with Ommi.connect("sqlite://") as db:
        await succeeds(db, db.schema.create(suite_models))
        yield db


def players(count: int = 2_500) -> list[Player]:
    return [Player(f"p{n}", email=f"{n}") for n in range(count)]


async def test_the_first_row_that_breaks_a_rule_is_told(db: Ommi) -> None:
    several = players()
    several[1_700].email = "1500"
    several[1_900].age = -1
    error = await fails(db, add_all(several), UniqueViolation)
    assert error.fields == ("email",)
    several[1_650].age = -1
    error = await fails(db, add_all(several), CheckViolation)  # type: ignore[assignment]
    assert error.fields == ("age",)
    assert "-1" not in str(error)
    assert await succeeds(db, find(Player).count()) == 0
    assert all(one.id is None for one in several)


async def test_a_reference_in_the_middle(db: Ommi) -> None:
    await succeeds(db, add_all([Author(1)]))
    books = [Book(n, 1 if n != 1_200 else 7) for n in range(1, 2_001)]
    await fails(db, add_all(books), ForeignKeyViolation)
    books[1_199].author = 1
    assert len(await succeeds(db, add_all(books))) == 2_000


async def test_keys_in_the_order_of_the_rows(db: Ommi) -> None:
    several = players()
    several[1_100].id = 5_000
    added = await succeeds(db, add_all(several))
    keys = [one.id for one in added]
    assert keys == [*range(1, 1_101), 5_000, *range(5_001, 6_400)]
    assert keys == [one.id for one in several]
