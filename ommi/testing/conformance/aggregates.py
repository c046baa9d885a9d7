"""Aggregates of all rows and of groups: of what is there, exact, and refused alike where there is no answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.effects.operations import add_all
from ommi.errors import QueryRejected
from ommi.query.aggregates import avg, count, max_, min_, sum_
from ommi.query.expressions import Expression, any_of, col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Color, Level, Sample
from ommi.testing.outcomes import fails, succeeds
from ommi.values import MAX_INT, MIN_INT

__all__ = ["Aggregates"]

number, whole, other, real, flag = (
    col(Sample.count),
    col(Sample.whole),
    col(Sample.other),
    col(Sample.real),
    col(Sample.flag),
)
title, text, amount, color = col(Sample.title), col(Sample.text), col(Sample.amount), col(Sample.color)

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(microseconds=1)


def samples() -> list[Sample]:
    """Rows with missing values, with the same values again, and with one value of every kind in two of them."""
    return [
        Sample(1, whole=1, other=3, real=0.5, text="b", title="a", amount=Decimal("0.1"), moment=LATER),
        Sample(2, whole=1, other=None, real=1.25, text="B", title="a", amount=Decimal("10.05"), moment=NOON),
        Sample(3, whole=None, other=-2, real=None, text="é", title="b", count=5, day=date(2024, 1, 2), flag=True),
        Sample(4, whole=None, other=4, real=-3.0, title="b", count=5, day=date(1, 1, 1), flag=False),
        Sample(5, whole=2, real=4.0, title="a", amount=Decimal(-2), span=timedelta(-1), token=UUID(int=2**127)),
        Sample(6, hour=time(1), span=timedelta(1), token=UUID(int=1), color=Color.RED, level=Level.LOW, size="M"),
        Sample(7, hour=time(0, 0, 0, 1), color=Color.BLUE, level=Level.HIGH, size="L"),
    ]


CASES: list[tuple[str, Expression[Any, Any], Any]] = [
    ("the number of rows", count(), 7),
    ("the number of rows where a value is there", whole.count(), 3),
    ("the number of different values", title.count(distinct=True), 3),
    ("the number of different values that are there", whole.count(distinct=True), 2),
    ("the sum of ints", whole.sum_(), 4),
    ("the sum of floats", real.sum_(), 2.75),
    ("the sum of decimals, exactly", amount.sum_(), Decimal("8.15")),
    ("the mean of ints", whole.avg(), 4 / 3),
    ("the mean of floats", real.avg(), 0.6875),
    ("the mean of decimals, to 28 digits", amount.avg(), Decimal("2.716666666666666666666666667")),
    ("the smallest int", other.min_(), -2),
    ("the largest float", real.max_(), 4.0),
    ("the smallest text, by code point", text.min_(), "B"),
    ("the largest text, by code point", text.max_(), "é"),
    ("the smallest decimal, as a number", amount.min_(), Decimal(-2)),
    ("the largest decimal, as a number", amount.max_(), Decimal("10.05")),
    ("the smallest bool", flag.min_(), False),
    ("the largest bool", flag.max_(), True),
    ("the smallest moment", col(Sample.moment).min_(), NOON),
    ("the largest moment", col(Sample.moment).max_(), LATER),
    ("the smallest day", col(Sample.day).min_(), date(1, 1, 1)),
    ("the largest time", col(Sample.hour).max_(), time(1)),
    ("the smallest span", col(Sample.span).min_(), timedelta(-1)),
    ("the largest UUID", col(Sample.token).max_(), UUID(int=2**127)),
    ("the smallest UUID", col(Sample.token).min_(), UUID(int=1)),
    ("the smallest enum of texts", color.min_(), Color.BLUE),
    ("the largest enum of numbers", col(Sample.level).max_(), Level.HIGH),
    ("the smallest literal", col(Sample.size).min_(), "L"),
    ("the sum of what is computed", (whole * 2 + 1).sum_(), 11),
    ("what is computed of aggregates", whole.sum_() + number.max_(), 9),
    ("an aggregate where it is there", real.sum_().coalesce(0.0) * 2, 5.5),
]

REFUSED: list[tuple[str, Expression[Any, Any], list[Sample]]] = [
    ("a sum too large", whole.sum_(), [Sample(whole=MAX_INT), Sample(whole=1)]),
    ("a sum too small", whole.sum_(), [Sample(whole=MIN_INT), Sample(whole=-1)]),
    ("a sum of floats too large", real.sum_(), [Sample(real=1.7e308), Sample(real=1.7e308)]),
    ("the sum of both infinities", real.sum_(), [Sample(real=float("inf")), Sample(real=float("-inf"))]),
    ("the mean of both infinities", real.avg(), [Sample(real=float("inf")), Sample(real=float("-inf"))]),
]


@dataclass
class Summary:
    """A row of three columns, in another order."""

    number: int
    title: str
    mean: float | None = None


class Pair(NamedTuple):
    """A row of two columns."""

    title: str
    number: int


class Aggregates(DatabaseTests):
    """`count`, `sum_`, `avg`, `min_`, `max_`, `group_by`, `having`, and rows read into classes."""

    @pytest.fixture
    async def some(self, db: Ommi) -> Ommi:
        await succeeds(db, add_all(samples()))
        return db

    async def test_aggregates_of_all_rows(self, some: Ommi) -> None:
        for name, expression, expected in CASES:
            (found,) = await succeeds(some, find(Sample).select(expression).one())
            assert (type(found), found) == (type(expected), pytest.approx(expected) if found == 4 / 3 else expected), (
                name
            )

    async def test_aggregates_of_nothing(self, db: Ommi) -> None:
        everything = find(Sample).select(count(), whole.count(), whole.sum_(), real.avg(), amount.sum_(), text.min_())
        assert await succeeds(db, everything.all()) == [(0, 0, None, None, None, None)]
        assert await succeeds(db, everything.count()) == 1
        assert await succeeds(db, find(Sample).group_by(title).select(title, count()).all()) == []

    async def test_the_mean_and_sum_of_large_ints_are_exact(self, db: Ommi) -> None:
        await succeeds(db, add_all([Sample(whole=MAX_INT), Sample(whole=1), Sample(whole=MIN_INT), Sample(whole=-3)]))
        assert await succeeds(db, find(Sample).select(whole.sum_(), whole.avg()).one()) == (-3, -0.75)
        assert await succeeds(db, find(Sample, whole > 0).select(whole.avg()).one()) == (2.0**62,)
        await succeeds(db, add_all([Sample(whole=at) for at in [MAX_INT] * 4 + [MIN_INT] * 4]))
        assert await succeeds(db, find(Sample).select(whole.sum_(), whole.avg()).one()) == (-7, -7 / 12)

    async def test_decimals_are_compared_as_numbers(self, db: Ommi) -> None:
        amounts = [Decimal(9), Decimal("10.05"), None, Decimal(-2), Decimal("-1.5")]
        await succeeds(db, add_all([Sample(amount=one) for one in amounts]))
        found = await succeeds(db, find(Sample).select(amount.min_(), amount.max_(), amount.sum_()).one())
        assert found == (Decimal(-2), Decimal("10.05"), Decimal("15.55"))

    async def test_the_sum_of_floats_with_an_infinity(self, db: Ommi) -> None:
        await succeeds(db, add_all([Sample(real=float("inf")), Sample(real=-1.0), Sample(real=None)]))
        assert await succeeds(db, find(Sample).select(real.sum_(), real.avg()).one()) == (float("inf"), float("inf"))

    async def test_sums_that_cannot_be_stored_are_refused(self, db: Ommi) -> None:
        for name, expression, rows in REFUSED:
            await succeeds(db, find(Sample).everything().delete())
            await succeeds(db, add_all(rows))
            error = await fails(db, find(Sample).select(expression).all(), QueryRejected)
            assert error.message, name

    async def test_groups(self, some: Ommi) -> None:
        by_title = find(Sample).group_by(title).select(title, count(), real.avg())
        assert sorted(await succeeds(some, by_title.all())) == [("", 2, None), ("a", 3, 23 / 12), ("b", 2, -3.0)]
        assert await succeeds(some, by_title.count()) == 3
        assert await succeeds(some, by_title.exists()) is True

    async def test_missing_values_are_one_group(self, some: Ommi) -> None:
        by_whole = find(Sample).group_by(whole).order_by(whole).select(whole, count(), other.sum_())
        assert await succeeds(some, by_whole.all()) == [(None, 4, 2), (1, 2, 3), (2, 1, None)]

    async def test_groups_of_several_columns(self, some: Ommi) -> None:
        query = find(Sample, Sample.id < 6).group_by(title, whole).order_by(title, whole).select(title, whole, count())
        assert await succeeds(some, query.all()) == [("a", 1, 2), ("a", 2, 1), ("b", None, 2)]

    @pytest.mark.parametrize(
        "key, expected",
        [
            (number % 3, [(0, 5), (2, 2)]),
            (whole.coalesce(7) + number, [(1, 2), (2, 1), (7, 2), (12, 2)]),
            (title.upper(), [("", 2), ("A", 3), ("B", 2)]),
            (real.coalesce(0.5) / 2, [(-1.5, 1), (0.25, 4), (0.625, 1), (2.0, 1)]),
            (amount.coalesce(Decimal("0.10")), [(Decimal(-2), 1), (Decimal("0.1"), 5), (Decimal("10.05"), 1)]),
            (color, [(None, 5), (Color.BLUE, 1), (Color.RED, 1)]),
        ],
    )
    async def test_groups_of_what_is_computed(self, some: Ommi, key: Any, expected: list[Any]) -> None:
        grouped = find(Sample).group_by(key)
        assert await succeeds(some, grouped.order_by(key).select(key, count()).all()) == expected
        assert await succeeds(some, grouped.order_by(key.desc).limit(1).select(key, count()).all()) == expected[-1:]
        many = grouped.having((count() > 1) & ~(key == expected[0][0])).order_by(key).select(key, count())
        assert await succeeds(some, many.all()) == [row for row in expected[1:] if row[1] > 1]

    async def test_having_is_a_condition_on_groups(self, some: Ommi) -> None:
        by_title = find(Sample, Sample.id < 7).group_by(title).order_by(title)
        for condition, expected in [
            (count() > 1, ["a", "b"]),
            (real.avg() < 0, ["b"]),
            (~(real.avg() < 0), ["", "a"]),
            (real.avg() == None, [""]),  # noqa: E711
            (whole.sum_().in_([4, None]), ["", "a", "b"]),
            (any_of(title == "b", number.max_() == 0) & (title != "a"), ["", "b"]),
            (title.max_() == title, ["", "a", "b"]),
        ]:
            found = await succeeds(some, by_title.having(condition).select(title).all())
            assert [name for (name,) in found] == expected, repr(condition)
        assert await succeeds(some, by_title.having(count() > 1).having(count() < 3).select(title).count()) == 1

    async def test_groups_in_an_order_with_a_limit(self, some: Ommi) -> None:
        by_whole = find(Sample).group_by(whole)
        largest = by_whole.order_by(count().desc).select(whole)
        assert await succeeds(some, largest.first()) == (None,)
        tied = by_whole.order_by(number.min_().desc).limit(2).offset(1).select(whole)
        assert await succeeds(some, tied.all()) == [(1,), (None,)]
        assert await succeeds(some, tied.count()) == 2
        assert await succeeds(some, by_whole.limit(2).select(whole, count()).all()) == [(None, 4), (1, 2)]

    async def test_different_rows_of_groups(self, some: Ommi) -> None:
        query = find(Sample).group_by(title, whole).select(count()).distinct()
        assert sorted(await succeeds(some, query.all())) == [(1,), (2,)]
        assert await succeeds(some, query.count()) == 2

    async def test_columns_of_a_row_whose_key_is_grouped_by(self, some: Ommi) -> None:
        query = find(Sample, Sample.id < 3).group_by(Sample.id).order_by(title, Sample.id)
        assert await succeeds(some, query.select(text, count(), title.upper()).all()) == [("b", 1, "A"), ("B", 1, "A")]

    async def test_lambdas_say_the_same(self, some: Ommi) -> None:
        query = (
            find(Sample)
            .group_by(lambda s: s.title)
            .having(lambda s: col(count(s)) > 1)
            .order_by(lambda s: (col(count(s.real)).desc, s.title))
            .select(lambda s: (s.title, count(s), sum_(s.whole), avg(s.real), min_(s.id), max_(s.text)))
        )
        expected = [("a", 3, 4, 23 / 12, 1, "b"), ("b", 2, None, -3.0, 3, "é"), ("", 2, None, None, 6, None)]
        assert await succeeds(some, query.all()) == expected

    async def test_rows_are_read_into_classes(self, some: Ommi) -> None:
        grouped = find(Sample).group_by(title).order_by(title)
        summaries = grouped.select(title=title, number=count(), mean=real.avg()).into(Summary)
        assert await succeeds(some, summaries.first()) == Summary(2, "", None)
        pairs = grouped.select(lambda s: {"title": s.title, "number": count(s)}).into(Pair)
        assert await succeeds(some, pairs.all()) == [Pair("", 2), Pair("a", 3), Pair("b", 2)]
        plain = find(Sample, Sample.id == 3).select(title=title, number=number).into(Summary)
        assert await succeeds(some, plain.one()) == Summary(5, "b")

    async def test_a_subquery_of_groups(self, some: Ommi) -> None:
        often = find(Sample).group_by(whole).having(count() > 1).select(whole)
        assert await succeeds(some, find(Sample, whole.in_(often)).count()) == 6
        assert await succeeds(some, find(Sample, whole.not_in(often)).select(Sample.id).all()) == [(5,)]
        largest = find(Sample).select(number.max_())
        assert await succeeds(some, find(Sample, whole.in_(largest)).count()) == 0
        assert await succeeds(some, find(Sample, number.in_(largest)).order_by(Sample.id).select(Sample.id).all()) == [
            (3,),
            (4,),
        ]
