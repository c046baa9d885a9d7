"""Fields that MongoDB keeps in types of its own, and other databases as others of their kind: with one meaning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pytest

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.effects.operations import add, add_all, save, upsert
from ommi.errors import EncodeError
from ommi.models import BsonDate, Key, ModelCollection, Naive, auto, ommi_model
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Natives"]

dated = ModelCollection()
MOMENT = datetime(2024, 2, 29, 12, 30, 0, 123_000, tzinfo=UTC)
LOCAL = datetime(1969, 12, 31, 23, 59, 59, 999_000)  # noqa: DTZ001
MILLISECOND = timedelta(milliseconds=1)


@ommi_model(collection=dated)
@dataclass
class Visit:
    """Dates with milliseconds, and one with microseconds."""

    at: Annotated[datetime, BsonDate]
    local: Annotated[datetime | None, Naive, BsonDate] = None
    exact: datetime | None = None
    id: Annotated[int, Key] = auto()


class Natives(DatabaseTests):
    """Dates of milliseconds."""

    @pytest.fixture
    async def visits(self) -> AsyncIterator[Ommi]:
        async with self.database() as db:
            await succeeds(db, db.schema.drop(dated))
            await succeeds(db, db.schema.create(dated))
            yield db
            await succeeds(db, db.schema.drop(dated))

    async def test_a_date_of_milliseconds_is_read_back_equal(self, visits: Ommi) -> None:
        moments = [MOMENT, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)]
        added = await succeeds(visits, add_all([Visit(moment, LOCAL, id=n) for n, moment in enumerate(moments, 1)]))
        found = await succeeds(visits, find(Visit).order_by(Visit.id).all())
        assert found == added
        assert [visit.at for visit in found] == moments
        assert found[0].local == LOCAL
        rows = find(Visit).order_by(Visit.id).limit(1).select(Visit.at, Visit.local).all()
        assert await succeeds(visits, rows) == [(MOMENT, LOCAL)]

    async def test_what_has_microseconds_is_refused(self, visits: Ommi) -> None:
        odd = MOMENT + timedelta(microseconds=1)
        for effect in (add(Visit(odd)), find(Visit).everything().update(at=odd), find(Visit, Visit.at < odd).all()):
            error: Any = await fails(visits, effect, EncodeError)
            assert "BsonDate" in error.message
        assert await succeeds(visits, find(Visit).count()) == 0

    async def test_dates_of_milliseconds_are_compared_and_ordered(self, visits: Ommi) -> None:
        moments = [MOMENT + n * MILLISECOND for n in (1, 0, 2)]
        exact = [moments[0], None, moments[2]]
        visited = [Visit(moment, exact=same, id=n) for n, (moment, same) in enumerate(zip(moments, exact, strict=True))]
        await succeeds(visits, add_all(visited))

        async def keys(*conditions: Any) -> list[int]:
            return [v.id for v in await succeeds(visits, find(Visit, *conditions).order_by(Visit.at.desc).all())]

        at: Any = col(Visit.at)
        assert await keys() == [2, 0, 1]
        assert await keys(at > MOMENT) == [2, 0]
        assert await keys(at == MOMENT) == [1]
        assert await keys(at != MOMENT) == [2, 0]
        assert await keys(at.in_([MOMENT, moments[2]])) == [2, 1]
        assert await keys(at == col(Visit.exact)) == [2, 0]
        assert await keys(col(Visit.local).is_null()) == [2, 0, 1]
        assert await keys(at.in_(find(Visit).select(Visit.exact))) == [2, 0]
        assert await keys(col(Visit.exact).in_(find(Visit).select(Visit.at))) == [2, 0]
        assert await keys(col(Visit.exact).coalesce(MOMENT) == at) == [2, 0, 1]
        first = await succeeds(visits, find(Visit).order_by(Visit.at).page(2))
        rest = await succeeds(visits, find(Visit).order_by(Visit.at).after(first.next_cursor or "").all())
        assert [visit.id for visit in [*first.rows, *rest]] == [1, 0, 2]

    async def test_dates_of_milliseconds_are_changed(self, visits: Ommi) -> None:
        visit = await succeeds(visits, add(Visit(MOMENT, id=1)))
        later = MOMENT + MILLISECOND
        await succeeds(visits, find(Visit).everything().update(local=LOCAL, exact=col(Visit.at)))
        assert await succeeds(visits, find(Visit).one()) == Visit(MOMENT, LOCAL, MOMENT, 1)
        await succeeds(visits, find(Visit).everything().update(at=col(Visit.exact).coalesce(MOMENT), local=None))
        assert await succeeds(visits, find(Visit).one()) == Visit(MOMENT, None, MOMENT, 1)
        visit.at = later
        assert await succeeds(visits, save(visit)) == visit
        assert await succeeds(visits, upsert(Visit(MOMENT, LOCAL, id=1))) == Visit(MOMENT, LOCAL, id=1)
        assert await succeeds(visits, find(Visit).all()) == [Visit(MOMENT, LOCAL, id=1)]
