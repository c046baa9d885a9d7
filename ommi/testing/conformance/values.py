"""What is written is read back equal, class included, or is refused naming the field (semantics §4)."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from typing import Any
from uuid import UUID

import pytest

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.effects.operations import add, add_all, save, upsert
from ommi.errors import EncodeError
from ommi.query.expressions import col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Address, Color, Level, Sample
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Values"]

WIDE = Context(prec=10_000)
INDIA = timezone(timedelta(hours=5, minutes=30))

KEPT: list[tuple[str, Any]] = [
    *[("whole", value) for value in (0, -1, 2**53 + 1, 2**63 - 1, -(2**63))],
    *[("real", value) for value in (0.0, 0.1, -1.5, 5e-324, 1.7976931348623157e308, math.inf, -math.inf)],
    *[("flag", value) for value in (True, False)],
    *[("text", value) for value in ("", " ", "é", "e\u0301", "😀", "\ufffd", "\n\t\r", "'\"\\;--", "x" * 100_000)],
    *[("data", value) for value in (b"", b"\x00", bytes(range(256)))],
    *[
        ("amount", Decimal(value))
        for value in (
            "0",
            "1.10",
            "-0.0",
            "1E+30",
            "1E-30",
            "1234567890123456789012345.6789",
            "9" * 60,
            "0." + "1" * 50,
        )
    ],
    *[
        ("moment", value)
        for value in (
            datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2024, 5, 1, 12, 0, 0, 1, tzinfo=INDIA),
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        )
    ],
    *[
        ("local", value)
        for value in (datetime(2024, 5, 1, 12, 0, 0, 1), datetime(1, 1, 1), datetime.max)  # noqa: DTZ001, DTZ901
    ],
    *[("day", value) for value in (date(2024, 2, 29), date.min, date.max)],
    *[("hour", value) for value in (time(), time(23, 59, 59, 999_999), time(12, 0, 0, 1))],
    *[
        ("span", value)
        for value in (
            timedelta(),
            timedelta(microseconds=-1),
            timedelta(days=-1, microseconds=1),
            timedelta(microseconds=2**63 - 1),
            timedelta(microseconds=-(2**63)),
        )
    ],
    *[("token", UUID(int=value)) for value in (0, 1, 2**128 - 1)],
    *[("color", value) for value in Color],
    *[("level", value) for value in Level],
    *[("size", value) for value in ("S", "L")],
    *[("words", value) for value in ([], [""], ["b", "a", "b"], ["😀", "'"])],
    *[("numbers", value) for value in ([], [2**63 - 1, -(2**63), 0])],
    *[("extra", value) for value in ({}, {"b": 1, "a": [None, True, 1.5, "é", {"": {}}]}, {"z": 1, "y": 2**60})],
    *[
        ("address", value)
        for value in (Address("", 0), Address("Elm", 1, date(2024, 2, 29), Decimal("1234567890123456789012.5")))
    ],
    *[("addresses", value) for value in ([], [Address("a", 1), Address("b", 2, None)])],
]

REFUSED: list[tuple[str, Any]] = [
    ("whole", 2**63),
    ("whole", -(2**63) - 1),
    ("whole", True),
    ("whole", 1.0),
    ("count", "1"),
    ("real", math.nan),
    ("real", 2**53 + 1),
    ("flag", 1),
    ("text", "a\0b"),
    ("text", "\ud800"),
    ("text", b"a"),
    ("data", "a"),
    ("data", bytearray(b"a")),
    ("amount", Decimal("nan")),
    ("amount", Decimal("inf")),
    ("amount", 1.5),
    ("moment", datetime(2024, 5, 1)),  # noqa: DTZ001
    ("moment", datetime(1, 1, 1, tzinfo=INDIA)),
    ("local", datetime(2024, 5, 1, tzinfo=UTC)),
    ("day", datetime(2024, 5, 1, tzinfo=UTC)),
    ("hour", time(12, tzinfo=UTC)),
    ("span", timedelta.max),
    ("token", "00000000-0000-0000-0000-000000000000"),
    ("color", "red"),
    ("level", 1),
    ("size", "XL"),
    ("words", ["a", 1]),
    ("words", ("a",)),
    ("numbers", [2**63]),
    ("extra", {"a": math.nan}),
    ("extra", {"a": object()}),
    ("extra", {1: "a"}),
    ("address", {"street": "Elm", "number": 1}),
    ("address", Address("Elm", 2**63)),
]


class Values(DatabaseTests):
    """Nothing is lost silently."""

    async def refuses(self, db: Ommi, field: str, value: Any) -> bool:
        """Whether the driver keeps fewer digits than a value has, in which case it says so and writes nothing."""
        if not _is_too_wide(value, db.driver.capabilities.decimal_digits):
            return False
        column = col(getattr(Sample, field))
        await succeeds(db, add(Sample(1)))
        for effect in (
            add(Sample(2, **{field: value})),
            add_all([Sample(2), Sample(3, **{field: value})]),
            save(Sample(1, **{field: value})),
            upsert(Sample(1, **{field: value})),
            find(Sample).everything().update(**{field: value}),
            find(Sample, column == value).all(),
            find(Sample, column.in_([value])).count(),
        ):
            assert f"Sample.{field}" in (await fails(db, effect, EncodeError)).message
        assert await succeeds(db, find(Sample).all()) == [Sample(1)]
        return True

    @pytest.mark.parametrize("field, value", [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(KEPT)])
    async def test_a_value_is_read_back_equal(self, db: Ommi, field: str, value: Any) -> None:
        if await self.refuses(db, field, value):
            return
        added = await succeeds(db, add(Sample(1, **{field: value})))
        found = await succeeds(db, find(Sample).one())
        ((column,),) = await succeeds(db, find(Sample).select(col(getattr(Sample, field))).all())
        for back in (getattr(added, field), getattr(found, field), column):
            assert back == value
            assert type(back) is type(value)

    @pytest.mark.parametrize("field, value", [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(KEPT)])
    async def test_a_value_is_found_by_itself(self, db: Ommi, field: str, value: Any) -> None:
        if await self.refuses(db, field, value):
            return
        await succeeds(db, add_all([Sample(1, **{field: value}), Sample(2)]))
        column = col(getattr(Sample, field))
        assert 1 in [sample.id for sample in await succeeds(db, find(Sample, column == value).all())]
        assert await succeeds(db, find(Sample, column.in_([value]), Sample.id == 1).exists()) is True
        assert await succeeds(db, find(Sample, column != value, Sample.id == 1).exists()) is False

    @pytest.mark.parametrize("field, value", [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(KEPT)])
    async def test_a_value_is_set_by_an_update(self, db: Ommi, field: str, value: Any) -> None:
        if await self.refuses(db, field, value):
            return
        await succeeds(db, add(Sample(1)))
        assert await succeeds(db, find(Sample).everything().update(**{field: value})) == 1
        assert getattr(await succeeds(db, find(Sample).one()), field) == value

    async def test_a_negative_zero_becomes_zero(self, db: Ommi) -> None:
        added = await succeeds(db, add(Sample(1, real=-0.0)))
        found = await succeeds(db, find(Sample).one())
        assert added.real is not None
        assert found.real is not None
        assert (math.copysign(1, added.real), math.copysign(1, found.real)) == (1, 1)

    async def test_an_int_in_a_float_field_becomes_a_float(self, db: Ommi) -> None:
        real: Any = 3
        added = await succeeds(db, add(Sample(1, real=real)))
        assert type(added.real) is float
        assert type((await succeeds(db, find(Sample).one())).real) is float

    async def test_a_moment_comes_back_in_utc(self, db: Ommi) -> None:
        await succeeds(db, add(Sample(1, moment=datetime(2024, 5, 1, 5, 30, tzinfo=INDIA))))
        moment = (await succeeds(db, find(Sample).one())).moment
        assert moment == datetime(2024, 5, 1, tzinfo=UTC)
        assert moment is not None
        assert moment.utcoffset() == timedelta()

    async def test_missing_values_stay_missing(self, db: Ommi) -> None:
        await succeeds(db, add(Sample(1)))
        assert await succeeds(db, find(Sample).one()) == Sample(1)

    async def test_a_later_change_of_a_structure_changes_nothing_stored(self, db: Ommi) -> None:
        words = ["a"]
        effect = add(Sample(1, words=words))
        words.append("b")
        added = await succeeds(db, effect)
        assert added.words == ["a"]
        added.words.append("c")
        assert (await succeeds(db, find(Sample).one())).words == ["a"]

    @pytest.mark.parametrize("field, value", [pytest.param(*row, id=f"{row[0]}-{n}") for n, row in enumerate(REFUSED)])
    async def test_a_value_is_refused_and_nothing_is_written(self, db: Ommi, field: str, value: Any) -> None:
        for effect in (
            add(Sample(1, **{field: value})),
            add_all([Sample(2), Sample(3, **{field: value})]),
            save(Sample(4, **{field: value})),
            upsert(Sample(5, **{field: value})),
        ):
            error = await fails(db, effect, EncodeError)
            assert f"Sample.{field}" in error.message
        assert await succeeds(db, find(Sample).count()) == 0

    @pytest.mark.parametrize(
        "field, value", [("whole", 2**63), ("real", math.nan), ("text", "\0"), ("amount", Decimal("nan"))]
    )
    async def test_a_value_is_refused_in_conditions_and_updates(self, db: Ommi, field: str, value: Any) -> None:
        await succeeds(db, add(Sample(1)))
        column = col(getattr(Sample, field))
        assert f"Sample.{field}" in (await fails(db, find(Sample, column == value).all(), EncodeError)).message
        assert f"Sample.{field}" in (await fails(db, find(Sample, column.in_([value])).count(), EncodeError)).message
        effect = find(Sample, Sample.id == 1).update(**{field: value})
        assert f"Sample.{field}" in (await fails(db, effect, EncodeError)).message
        assert await succeeds(db, find(Sample).one()) == Sample(1)


def _is_too_wide(value: object, digits: int | None) -> bool:
    """Whether a value is a Decimal of more than so many digits."""
    if digits is None or not isinstance(value, Decimal):
        return False
    return len(value.normalize(WIDE).as_tuple().digits) > digits
