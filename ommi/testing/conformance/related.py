"""What the tests of relations and of batching share: tables, rows, and a count of statements."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, final

import pytest

from ommi.database import Ommi
from ommi.drivers.driver import Driver
from ommi.effects.effect import Effect
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.outcomes import succeeds
from ommi.testing.relatives import people, relatives

__all__ = ["Counted", "RelatedTests"]


@final
class Counted:
    """A database that counts its statements."""

    def __init__(self, driver: Driver) -> None:
        self.statements = 0
        self.db = Ommi(Interposed(driver, self._before))

    async def _before(self, step: DriverStep) -> None:
        self.statements += step == "execute"

    async def of(self, effect: Effect[Any, Any]) -> tuple[Any, int]:
        """What an effect gives, and in how many statements."""
        before = self.statements
        return await succeeds(self.db, effect), self.statements - before


class RelatedTests(DatabaseTests):
    """Tests with the tables of `ommi.testing.relatives`, and some rows in them."""

    @pytest.fixture
    async def counted(self) -> AsyncIterator[Counted]:
        async with self.database() as db:
            await self.prepare(db, relatives)
            await succeeds(db, people())
            counted = Counted(db.driver)
            async with counted.db:
                yield counted
