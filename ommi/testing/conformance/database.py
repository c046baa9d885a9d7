"""What the groups of tests share: an open database with the tables of the suite."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add_all
from ommi.models import ModelCollection
from ommi.query.expressions import Predicate, not_
from ommi.testing.models import Sample, suite_models
from ommi.testing.outcomes import succeeds

__all__ = ["DatabaseTests", "keys", "noting"]


class DatabaseTests(ABC):
    """Tests with a database; the tables of `ommi.testing.models` are dropped and made anew for each of them."""

    pytestmark = pytest.mark.anyio

    @abstractmethod
    def database(self) -> AbstractAsyncContextManager[Ommi]:
        """A database for one test: open inside `async with`, and its own or at least without other users."""

    @pytest.fixture
    async def db(self) -> AsyncIterator[Ommi]:
        async with self.database() as db:
            await self.prepare(db, suite_models)
            yield db

    async def prepare(self, db: Ommi, models: ModelCollection) -> None:
        """Leave the tables of models there, and empty, whatever there was before.

        To be done otherwise where making tables takes long; a test may have left some of them out.
        """
        await succeeds(db, db.schema.drop(models))
        await succeeds(db, db.schema.create(models))


async def keys(db: Ommi, samples: list[Sample], condition: Predicate[Any]) -> list[int]:
    """Add the samples, and give the keys of those that meet the condition.

    An `AssertionError` where the others are not exactly those that meet its negation.
    """
    await succeeds(db, add_all(samples))
    found = [sample.id for sample in await succeeds(db, find(Sample, condition).order_by(Sample.id).all())]
    others = [sample.id for sample in await succeeds(db, find(Sample, not_(condition)).order_by(Sample.id).all())]
    assert sorted(found + others) == sorted(sample.id for sample in samples), f"{condition!r} and its negation"
    assert await succeeds(db, find(Sample, condition).count()) == len(found)
    assert await succeeds(db, find(Sample, condition).exists()) is bool(found)
    return found


def noting(log: list[Any], entry: object) -> Effect[None, Any]:
    """An effect that puts an entry into a log when it runs."""
    return Effect.from_value(None).map(lambda _: log.append(entry))
