"""Order, limit and offset: missing values first, text by code point, the key last under a limit (semantics §3)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ommi.database import Ommi
from ommi.effects.finding import Query, find
from ommi.effects.operations import add_all
from ommi.errors import MultipleFound, NotFound, QueryRejected
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Author, Sample, Seat
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Ordering"]

whole, count, title, text = col(Sample.whole), col(Sample.count), col(Sample.title), col(Sample.text)
IN_ORDER = ["", "A", "Z", "a", "aa", "z", "é", "ﬁ", "\ufffd", "😀"]


async def shown(db: Ommi, query: Query[Sample]) -> list[int]:
    """The keys of the rows, in the order they come."""
    return [sample.id for sample in await succeeds(db, query.all())]


class Ordering(DatabaseTests):
    """The order of rows, and parts of it."""

    @pytest.fixture
    async def tied(self, db: Ommi) -> Ommi:
        wholes = [3, None, 1, 3, None, 2]
        await succeeds(db, add_all([Sample(n, whole=w, count=n % 2) for n, w in enumerate(wholes, 1)]))
        return db

    @pytest.mark.parametrize(
        "field, values",
        [
            ("title", IN_ORDER),
            ("real", [float("-inf"), -1.5, 0.0, 5e-324, 1.0, float("inf")]),
            ("whole", [-(2**63), -1, 0, 10, 2**63 - 1]),
            ("amount", [Decimal(v) for v in ("-1E+30", "-2", "-0.1", "0", "1E-30", "9", "10", "10.5", "1E+30")]),
            ("span", [timedelta(days=-9), timedelta(microseconds=-1), timedelta(), timedelta(days=9)]),
            ("flag", [False, True]),
        ],
    )
    async def test_values_have_their_own_order(self, db: Ommi, field: str, values: list[Any]) -> None:
        shuffled = [*values[1::2], *values[::2]]
        await succeeds(db, add_all([Sample(**{field: value}) for value in shuffled]))
        column = col(getattr(Sample, field))
        found = await succeeds(db, find(Sample).order_by(column).select(column).all())
        assert [value for (value,) in found] == values
        found = await succeeds(db, find(Sample).order_by(column.desc).select(column).all())
        assert [value for (value,) in found] == values[::-1]

    async def test_missing_values_come_first(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole, Sample.id)) == [2, 5, 3, 6, 1, 4]

    async def test_missing_values_come_last_when_descending(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole.desc, Sample.id)) == [1, 4, 6, 3, 2, 5]

    async def test_missing_values_last(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole.asc.nulls_last(), Sample.id)) == [3, 6, 1, 4, 2, 5]

    async def test_missing_values_first_when_descending(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole.desc.nulls_first(), Sample.id)) == [2, 5, 1, 4, 6, 3]

    async def test_missing_first_and_last_said_though_they_are_so(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole.asc.nulls_first(), Sample.id)) == [2, 5, 3, 6, 1, 4]
        assert await shown(tied, find(Sample).order_by(whole.desc.nulls_last(), Sample.id)) == [1, 4, 6, 3, 2, 5]

    async def test_several_parts(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(count.desc, whole, col(Sample.id).desc)) == [5, 3, 1, 2, 6, 4]

    async def test_an_order_by_what_is_computed(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by((whole.coalesce(0) * -1).asc, Sample.id)) == [1, 4, 6, 3, 2, 5]

    async def test_a_limit_appends_the_key(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole).limit(5)) == [2, 5, 3, 6, 1]

    async def test_a_limit_appends_the_key_in_the_direction_of_the_last_part(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole.desc).limit(5)) == [4, 1, 6, 3, 5]

    async def test_a_limit_without_an_order_goes_by_the_key(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).limit(3)) == [1, 2, 3]

    async def test_pages_cover_all_rows_once(self, tied: Ommi) -> None:
        query = find(Sample).order_by(count)
        pages = [await shown(tied, query.offset(start).limit(2)) for start in (0, 2, 4, 6)]
        assert pages == [[2, 4], [6, 1], [3, 5], []]

    async def test_an_offset_without_a_limit(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).order_by(whole).offset(4)) == [1, 4]

    async def test_a_limit_of_nothing(self, tied: Ommi) -> None:
        assert await shown(tied, find(Sample).limit(0)) == []

    async def test_a_limit_beyond_the_rows(self, tied: Ommi) -> None:
        assert len(await shown(tied, find(Sample).limit(2**62).offset(1))) == 5

    async def test_count_and_exists_respect_limit_and_offset(self, tied: Ommi) -> None:
        assert await succeeds(tied, find(Sample).limit(4).count()) == 4
        assert await succeeds(tied, find(Sample).offset(5).count()) == 1
        assert await succeeds(tied, find(Sample).offset(6).exists()) is False

    async def test_a_composite_key_is_appended_whole(self, db: Ommi) -> None:
        await succeeds(db, add_all([Seat(row, number, "x") for row in (2, 1) for number in (2, 1)]))
        found = await succeeds(db, find(Seat).order_by(Seat.guest).limit(3).all())
        assert [(seat.row, seat.number) for seat in found] == [(1, 1), (1, 2), (2, 1)]

    async def test_first_is_the_first_by_the_key(self, tied: Ommi) -> None:
        first = await succeeds(tied, find(Sample).order_by(whole.desc).first())
        assert first is not None
        assert first.id == 4

    async def test_first_of_nothing_is_none(self, db: Ommi) -> None:
        assert await succeeds(db, find(Sample).first()) is None

    async def test_one(self, tied: Ommi) -> None:
        assert (await succeeds(tied, find(Sample, whole == 2).one())).id == 6

    async def test_one_of_nothing_is_not_found(self, tied: Ommi) -> None:
        error = await fails(tied, find(Sample, whole == 77).one(), NotFound)
        assert error.model is Sample

    async def test_one_of_several_is_multiple_found(self, tied: Ommi) -> None:
        error = await fails(tied, find(Sample, whole == 3).one(), MultipleFound)
        assert error.model is Sample

    async def test_selected_columns_are_tuples(self, tied: Ommi) -> None:
        found = await succeeds(tied, find(Sample, whole == 3).order_by(Sample.id).select(Sample.id, whole, count).all())
        assert found == [(1, 3, 1), (4, 3, 0)]

    async def test_distinct_computations_with_a_field_that_stands_in_them_twice(self, db: Ommi) -> None:
        await succeeds(db, add_all([Sample(1, text="a"), Sample(2, text="a"), Sample(3)]))
        twice = find(Sample).select(col(Sample.text).coalesce(col(Sample.text))).distinct()
        assert sorted(await succeeds(db, twice.all()), key=repr) == [("a",), (None,)]
        assert await succeeds(db, twice.count()) == 2

    async def test_distinct_rows(self, tied: Ommi) -> None:
        found = await succeeds(tied, find(Sample).order_by(whole).select(whole).distinct().all())
        assert found == [(None,), (1,), (2,), (3,)]

    async def test_distinct_rows_are_counted(self, tied: Ommi) -> None:
        assert await succeeds(tied, find(Sample).select(whole).distinct().count()) == 4

    async def test_distinct_rows_are_limited(self, tied: Ommi) -> None:
        query = find(Sample).order_by(whole.desc).limit(2).select(whole).distinct()
        assert await succeeds(tied, query.all()) == [(3,), (2,)]

    async def test_distinct_rows_cannot_be_ordered_by_what_is_not_selected(self, tied: Ommi) -> None:
        await fails(tied, find(Sample).order_by(count).select(whole).distinct().all(), QueryRejected)

    async def test_distinct_texts_differ_in_case(self, db: Ommi) -> None:
        await succeeds(db, add_all([Author(1, "a"), Author(2, "A"), Author(3, "a")]))
        found = await succeeds(db, find(Author).order_by(Author.name).select(Author.name).distinct().all())
        assert found == [("A",), ("a",)]
