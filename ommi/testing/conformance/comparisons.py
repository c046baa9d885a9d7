"""Comparison, membership, null and logic: two-valued, and negation is exactly the complement (semantics §3)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.query.expressions import Predicate, all_of, any_of, col, not_
from ommi.testing.conformance.database import DatabaseTests, keys
from ommi.testing.models import Address, Color, Level, Sample

__all__ = ["Comparisons"]

count, whole, other, real, flag = (
    col(Sample.count),
    col(Sample.whole),
    col(Sample.other),
    col(Sample.real),
    col(Sample.flag),
)
text, data, amount, moment = col(Sample.text), col(Sample.data), col(Sample.amount), col(Sample.moment)
day, span, token, color = col(Sample.day), col(Sample.span), col(Sample.token), col(Sample.color)
level, words, numbers, extra = col(Sample.level), col(Sample.words), col(Sample.numbers), col(Sample.extra)
address = col(Sample.address)

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
ADA, BOB = UUID(int=1), UUID(int=2**127)


def samples() -> list[Sample]:
    """Rows with ties, with values on either side of 5, and with missing ones."""
    return [
        Sample(1, whole=1, other=1, real=0.5, flag=True, text="a", count=1, data=b"\x00", amount=Decimal(9)),
        Sample(2, whole=5, other=None, real=5.0, flag=False, text="b", count=5, data=b"", amount=Decimal("10.50")),
        Sample(3, whole=None, other=5, real=None, flag=None, text=None, count=0, data=None, amount=None),
        Sample(4, whole=None, other=None, real=float("inf"), text="", count=9, amount=Decimal(-1), level=Level.LOW),
        Sample(5, whole=9, other=5, real=-1.5, text="b", count=-3, moment=NOON, day=date(1, 1, 1), token=ADA),
        Sample(6, whole=5, other=5, moment=NOON + timedelta(microseconds=1), day=date(9999, 12, 31), token=BOB),
        Sample(
            7, span=timedelta(seconds=-1), color=Color.RED, words=["a", "b"], numbers=[1, 2], extra={"b": 1, "a": [2]}
        ),
        Sample(8, span=timedelta(days=1), color=Color.BLUE, words=[], numbers=[], address=Address("Elm", 1)),
    ]


CASES: list[tuple[str, Predicate[Any], list[int]]] = [
    # comparison with a value: where it is missing, only != is true
    ("equal", whole == 5, [2, 6]),
    ("not equal is true of a missing value", whole != 5, [1, 3, 4, 5, 7, 8]),
    ("less", whole < 5, [1]),
    ("less or equal", whole <= 5, [1, 2, 6]),
    ("greater", whole > 5, [5]),
    ("greater or equal", whole >= 5, [2, 5, 6]),
    ("a column that is never missing", count > 0, [1, 2, 4]),
    ("between includes both ends", whole.between(1, 5), [1, 2, 6]),
    ("between with its ends in the wrong order", whole.between(5, 1), []),
    ("the column on the right", 5 < whole, [5]),  # noqa: SIM300  # the spelling is what is tried
    # column against column
    ("two missing values are equal", whole == other, [1, 4, 6, 7, 8]),
    ("one missing value is unequal", whole != other, [2, 3, 5]),
    ("columns less", other < whole, [5]),
    ("columns less or equal", other <= whole, [1, 5, 6]),
    ("a column with one that is never missing", whole == count, [1, 2]),
    ("a column unlike one that is never missing", count != whole, [3, 4, 5, 6, 7, 8]),
    ("int with float columns", count <= real, [2, 4, 5]),
    # membership
    ("in", whole.in_([1, 9, 100]), [1, 5]),
    ("in nothing", whole.in_([]), []),
    ("in with a missing value", whole.in_([1, None]), [1, 3, 4, 7, 8]),
    ("in only a missing value", whole.in_([None]), [3, 4, 7, 8]),
    ("not in is true of a missing value", whole.not_in([1, 9]), [2, 3, 4, 6, 7, 8]),
    ("not in with a missing value", whole.not_in([1, None]), [2, 5, 6]),
    ("not in nothing", whole.not_in([]), [1, 2, 3, 4, 5, 6, 7, 8]),
    ("in many", count.in_(list(range(1, 3000))), [1, 2, 4]),
    ("in a query", whole.in_(find(Sample, count == 1).select(Sample.other)), [1]),
    ("in a query that gives missing values", whole.in_(find(Sample).select(Sample.other)), [1, 2, 3, 4, 6, 7, 8]),
    ("not in a query that gives missing values", whole.not_in(find(Sample).select(Sample.other)), [5]),
    ("not in a query of values", whole.not_in(find(Sample, other == 5).select(Sample.other)), [1, 3, 4, 5, 7, 8]),
    ("in a query that gives nothing", whole.in_(find(Sample, count == 77).select(Sample.other)), []),
    (
        "in a query with a limit",
        count.in_(find(Sample).order_by(col(Sample.count).desc).limit(2).select(Sample.count)),
        [2, 4],
    ),
    # null
    ("is null", whole.is_null(), [3, 4, 7, 8]),
    ("is not null", whole.is_not_null(), [1, 2, 5, 6]),
    ("equal to None", whole == None, [3, 4, 7, 8]),  # noqa: E711  # a column compares, it has no identity
    ("unequal to None", whole != None, [1, 2, 5, 6]),  # noqa: E711
    ("an empty text is not missing", text.is_null(), [3, 6, 7, 8]),
    ("empty bytes are not missing", data.is_not_null(), [1, 2]),
    ("an empty list is not missing", words.is_null(), [1, 2, 3, 4, 5, 6]),
    # logic
    ("and", (whole == 5) & (other == 5), [6]),
    ("or", (whole == 1) | (other == 5), [1, 3, 5, 6]),
    ("not", ~(whole == 5), [1, 3, 4, 5, 7, 8]),
    ("not of an order", ~(whole > 5), [1, 2, 3, 4, 6, 7, 8]),
    ("not of an order of columns", ~(other < whole), [1, 2, 3, 4, 6, 7, 8]),
    ("not of and", ~((whole == 5) & (other == 5)), [1, 2, 3, 4, 5, 7, 8]),
    ("not of or", ~((whole == 1) | (other == 5)), [2, 4, 7, 8]),
    ("not of not", ~~(whole == 5), [2, 6]),
    ("not of between", not_(whole.between(1, 5)), [3, 4, 5, 7, 8]),
    ("all of none", all_of(), [1, 2, 3, 4, 5, 6, 7, 8]),
    ("any of none", any_of(), []),
    ("any of", any_of(whole == 1, whole == 9, other.is_null() & (count == 9)), [1, 4, 5]),
    # every kind
    ("bool", flag == True, [1]),  # a column compares
    ("not that bool", flag != True, [2, 3, 4, 5, 6, 7, 8]),
    ("float", real == 5, [2]),
    ("infinity", real > 1e300, [4]),
    ("text", text == "b", [2, 5]),
    ("text by code point", text >= "b", [2, 5]),
    ("bytes", data == b"\x00", [1]),
    ("bytes in", data.in_([b"", b"x"]), [2]),
    ("decimals by value", amount == Decimal("10.5"), [2]),
    ("decimals in order as numbers", amount > Decimal(9), [2]),
    ("decimals in", amount.in_([Decimal("9.0"), Decimal("-1.00")]), [1, 4]),
    ("moments to the microsecond", moment > NOON, [6]),
    ("moments in any zone", moment == NOON.astimezone(), [5]),
    ("dates", day < date(2000, 1, 1), [5]),
    ("spans of time", span < timedelta(), [7]),
    ("uuids", token == ADA, [5]),
    ("uuids in order", token > ADA, [6]),
    ("enums", color == Color.RED, [7]),
    ("enums in", color.in_([Color.BLUE, Color.GREEN]), [8]),
    ("enums kept as numbers", level == Level.LOW, [4]),
    # structures
    ("an element of a list of texts", words.contains("a"), [7]),
    ("no element of a list", words.not_contains("a"), [1, 2, 3, 4, 5, 6, 8]),
    ("an element of a list of numbers", numbers.contains(2), [7]),
    ("a list", words == ["a", "b"], [7]),
    ("a list in another order", words == ["b", "a"], []),
    ("a dict with its keys in another order", extra == {"a": [2], "b": 1}, [7]),
    ("a nested model", address == Address("Elm", 1), [8]),
    ("unlike a nested model", address != Address("Elm", 1), [1, 2, 3, 4, 5, 6, 7]),
]


class Comparisons(DatabaseTests):
    """A predicate is true or false of a row, never unknown."""

    @pytest.mark.parametrize("condition, expected", [pytest.param(c, k, id=name) for name, c, k in CASES])
    async def test_predicate_and_its_complement(self, db: Ommi, condition: Predicate[Any], expected: list[int]) -> None:
        assert await keys(db, samples(), condition) == expected
