"""Keyset pages: together they are the whole list, whatever the order, and no row before them moves them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ommi.database import Ommi
from ommi.effects.finding import Query, find
from ommi.effects.operations import add, add_all, delete
from ommi.effects.paging import Page
from ommi.errors import InvalidCursor
from ommi.query.expressions import Order, Predicate, col, not_
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Color, Sample, Seat, Tag
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Paging"]

NONE: Any = None
count, whole, other, title = col(Sample.count), col(Sample.whole), col(Sample.other), col(Sample.title)
ORDERS: dict[str, tuple[Order, ...]] = {
    "the key": (),
    "the key descending": (col(Sample.id).desc,),
    "one direction": (count.asc, title.asc),
    "the other direction": (count.desc, title.desc),
    "both directions": (count.asc, title.desc),
    "missing first": (whole.asc, count.asc),
    "missing last": (whole.desc, other.asc),
    "missing last, ascending": (whole.asc.nulls_last(), other.desc.nulls_first()),
    "missing first, descending": (other.desc.nulls_first(), whole.desc),
    "the key in between": (count.desc, col(Sample.id).asc, title.asc),
    "computed": ((count * -2 + col(Sample.id) % 3).asc, title.length().desc),
    "computed of what may be missing": ((whole + other).desc, whole.coalesce(-1).asc),
}


def samples() -> list[Sample]:
    """Rows with many ties, in a few of which values are missing."""
    values = [None, 1, 2, 2, None, 3, 1]
    return [
        Sample(n, whole=values[n % 7], other=values[n * 3 % 5], count=n % 3, title="aab"[: n % 4]) for n in range(1, 22)
    ]


async def pages(db: Ommi, query: Query[Any], size: int) -> list[Page[Any]]:
    """All pages of a query, from the first to the last."""
    found = [await succeeds(db, query.page(size))]
    while found[-1].next_cursor is not None:
        found.append(await succeeds(db, query.after(found[-1].next_cursor).page(size)))
    return found


def _negation(query: Query[Any]) -> Predicate[Any]:
    assert query.query.where is not None
    return not_(query.query.where)


class Paging(DatabaseTests):
    """`page`, `after`, `before` and `cursor_of`."""

    @pytest.fixture
    async def paged(self, db: Ommi) -> Ommi:
        await succeeds(db, add_all(samples()))
        return db

    @pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
    async def test_pages_in_an_order_are_the_whole_list(self, paged: Ommi, order: tuple[Order, ...]) -> None:
        query = find(Sample, col(Sample.id) != 8).order_by(*order)
        whole = await succeeds(paged, query.limit(99).all())
        found = await pages(paged, query, 3)
        assert [sample for page in found for sample in page.rows] == whole
        assert [len(page.rows) for page in found] == [3, 3, 3, 3, 3, 3, 2]
        back = [found[-1]]
        while back[-1].previous_cursor is not None:
            back.append(await succeeds(paged, query.before(back[-1].previous_cursor).page(3)))
        assert [sample for page in reversed(back) for sample in page.rows] == whole

    async def test_one_page_that_has_all(self, paged: Ommi) -> None:
        page = await succeeds(paged, find(Sample).page(21))
        assert len(page.rows) == 21
        assert (page.has_more, page.next_cursor, page.previous_cursor) == (False, None, None)

    async def test_a_page_of_nothing(self, db: Ommi) -> None:
        assert await succeeds(db, find(Sample).order_by(count).page(5)) == Page([])

    async def test_rows_added_or_deleted_before_a_cursor_move_nothing(self, paged: Ommi) -> None:
        query = find(Sample).order_by(count.desc)
        expected = [sample.id for sample in await succeeds(paged, query.limit(99).all())]
        first = await succeeds(paged, query.page(4))
        await succeeds(paged, add_all([Sample(99, count=9), Sample(98, count=2)]))
        await succeeds(paged, delete(first.rows[0]))
        await succeeds(paged, delete(first.rows[-1]))
        second = await succeeds(paged, query.after(first.next_cursor).page(4))
        assert [sample.id for sample in second.rows] == expected[4:8]

    async def test_a_cursor_of_a_record(self, paged: Ommi) -> None:
        query = find(Sample).order_by(whole.desc, count)
        listed = await succeeds(paged, query.limit(99).all())
        cursor = query.cursor_of(listed[9])
        assert await succeeds(paged, query.after(cursor).all()) == listed[10:]
        assert await succeeds(paged, query.after(cursor).limit(2).all()) == listed[10:12]
        assert await succeeds(paged, query.before(cursor).all()) == listed[:9]
        assert await succeeds(paged, query.after(cursor).count()) == 11
        assert await succeeds(paged, query.before(cursor).where(count == 1).exists()) is True
        assert await succeeds(paged, find(Sample).where(_negation(query.after(cursor))).count()) == 10
        page = await succeeds(paged, query.before(cursor).page(2))
        assert page.rows == listed[7:9]
        assert page.next_cursor == query.cursor_of(listed[8])

    async def test_a_cursor_holds_values_of_every_kind_exactly(self, db: Ommi) -> None:
        exact: dict[str, list[Any]] = {
            "real": [-1e300, 0.1, 0.30000000000000004, 5e300, float("inf")],
            "whole": [-(2**63), 2**53, 2**53 + 1, 2**63 - 1],
            "amount": [Decimal(v) for v in ("-1E+30", "0.1", "1234567890123456789012.5", "1234567890123456789012.6")],
            "moment": [datetime(2024, 2, 29, 0, 0, 0, n, tzinfo=UTC) for n in range(3)],
            "local": [datetime(2024, 2, 29, 0, 0, 0, n) for n in range(3)],  # noqa: DTZ001
            "day": [date.min, date(2024, 2, 29), date.max],
            "span": [timedelta(days=-9), timedelta(microseconds=1), timedelta(microseconds=2)],
            "text": ["", "A", "a\n'\"", "é", "😀"],
            "flag": [False, True],
            "token": [UUID(int=0), UUID(int=1), UUID(int=2**127)],
            "color": [Color.BLUE, Color.GREEN, Color.RED],
        }
        await succeeds(db, add_all([Sample(**{name: value}) for name, some in exact.items() for value in some]))
        for name, some in exact.items():
            column = col(getattr(Sample, name))
            query = find(Sample, column.is_not_null()).order_by(column)
            found = await pages(db, query, 1)
            assert [getattr(sample, name) for page in found for sample in page.rows] == some

    async def test_pages_by_a_key_of_two_parts(self, db: Ommi) -> None:
        await succeeds(db, add_all([Seat(row, number, "x") for row in (2, 1, 3) for number in (2, 1)]))
        found = await pages(db, find(Seat).order_by(col(Seat.row).desc), 4)
        assert [(s.row, s.number) for page in found for s in page.rows] == [
            (3, 2),
            (3, 1),
            (2, 2),
            (2, 1),
            (1, 2),
            (1, 1),
        ]

    async def test_pages_of_selected_columns(self, paged: Ommi) -> None:
        query = find(Sample).order_by(whole.desc).select(title, count + 1)
        listed = await succeeds(paged, find(Sample).order_by(whole.desc).limit(99).select(title, count + 1).all())
        first = await succeeds(paged, query.page(5))
        assert first.rows == listed[:5]
        rest = find(Sample).order_by(whole.desc).after(first.next_cursor).select(title, count + 1)
        assert (await succeeds(paged, rest.page(50))).rows == listed[5:]

    async def test_pages_within_a_transaction_see_its_rows(self, db: Ommi) -> None:
        tags = add_all([Tag(name) for name in "cab"]).bind(lambda _: find(Tag).page(2)).transactional()
        page = await succeeds(db, tags)
        assert [tag.name for tag in page.rows] == ["a", "b"]
        assert [tag.name for tag in (await succeeds(db, find(Tag).after(page.next_cursor).page(2))).rows] == ["c"]

    @pytest.mark.parametrize("garbage", ["", "x", "AAAA", "é", "Zm9vYmFy" * 9, "=", "-_" * 99], ids=range(7))
    async def test_what_is_no_cursor_is_refused(self, db: Ommi, garbage: str) -> None:
        await fails(db, find(Tag).after(garbage).page(2), InvalidCursor)
        await fails(db, find(Tag).before(garbage).all(), InvalidCursor)

    async def test_a_cursor_of_another_order_is_refused(self, db: Ommi) -> None:
        sample = await succeeds(db, add(Sample(1)))
        cursor = find(Sample).order_by(count).cursor_of(sample)
        error = await fails(db, find(Sample).order_by(count.desc).after(cursor).page(2), InvalidCursor)
        assert "Sample.count.desc" in error.message
        await fails(db, find(Tag).after(cursor).page(2), InvalidCursor)

    async def test_a_cursor_that_was_changed_is_refused(self, db: Ommi) -> None:
        cursor = find(Tag).cursor_of(Tag("abcdefgh"))
        for at in range(0, len(cursor), 3):
            changed = cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :]
            await fails(db, find(Tag).after(changed).all(), InvalidCursor)
        await fails(db, find(Tag).after(cursor[:-4]).all(), InvalidCursor)

    async def test_bound_pages(self, paged: Ommi) -> None:
        query = paged.find(Sample).where(count == 1).order_by(title)
        first = await query.page(3).value
        second = await query.after(first.next_cursor).page(9).value
        assert [s.id for s in [*first.rows, *second.rows]] == [s.id for s in await query.limit(99).fetch.all()]
        back = await query.before(query.cursor_of(second.rows[0])).page(3).value
        assert back.rows == first.rows
        assert (await query.select(title).page(1).value).rows == [(first.rows[0].title,)]
