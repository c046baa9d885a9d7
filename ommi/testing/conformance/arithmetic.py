"""Arithmetic: as Python does it, and refused where the answer does not fit (semantics §3)."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.effects.operations import add
from ommi.errors import QueryRejected
from ommi.query.expressions import Expression, col
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Sample
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Arithmetic"]

whole, other, real, amount = col(Sample.whole), col(Sample.other), col(Sample.real), col(Sample.amount)
count, text, label = col(Sample.count), col(Sample.text), col(Sample.label)
BIG = 2**63 - 1

VALUES: list[tuple[str, Expression[Any, Any], dict[str, Any], Any]] = [
    ("plus", whole + other, {"whole": 2, "other": 3}, 5),
    ("minus", whole - 3, {"whole": 2}, -1),
    ("a value first", 10 - whole, {"whole": 3}, 7),
    ("times", whole * other, {"whole": -4, "other": 3}, -12),
    ("a missing value makes it missing", whole + other, {"whole": 2}, None),
    ("true division of ints", whole / other, {"whole": 7, "other": 2}, 3.5),
    ("true division that comes out even", whole / other, {"whole": 6, "other": 3}, 2.0),
    ("modulo has the sign of the divisor", whole % 3, {"whole": -7}, 2),
    ("modulo by a negative divisor", whole % -3, {"whole": 7}, -2),
    ("modulo of floats", real % 2.0, {"real": -7.5}, 0.5),
    ("modulo of floats by a negative one", real % -2.0, {"real": 7.5}, -0.5),
    ("floats", real * 0.5, {"real": 3.0}, 1.5),
    ("an int with a float", whole + real, {"whole": 1, "real": 0.5}, 1.5),
    ("an int with a float value", whole * 0.5, {"whole": 3}, 1.5),
    ("the largest int", whole + 1, {"whole": BIG - 1}, BIG),
    ("the smallest int", whole - 1, {"whole": 1 - BIG}, -BIG),
    ("no negative zero", real * -1.0, {"real": 0.0}, 0.0),
    ("nested", (whole + 1) * (other - 1), {"whole": 2, "other": 5}, 12),
    ("exact decimals", amount + Decimal("0.2"), {"amount": Decimal("0.1")}, Decimal("0.3")),
    (
        "decimals of many digits",
        amount * Decimal(3),
        {"amount": Decimal("1234567890123456789012.5")},
        Decimal("3703703670370370367037.5"),
    ),
    ("decimals divided to 28 digits", amount / Decimal(3), {"amount": Decimal(1)}, Decimal("0." + "3" * 28)),
    ("modulo of decimals", amount % Decimal(2), {"amount": Decimal("-7.5")}, Decimal("0.5")),
    ("coalesce of a value that is there", whole.coalesce(9), {"whole": 1}, 1),
    ("coalesce of a missing value", whole.coalesce(9), {}, 9),
    ("coalesce with a column", text.coalesce(label), {"label": "b"}, "b"),
    ("coalesce in arithmetic", whole.coalesce(1) + 1, {}, 2),
    ("arithmetic on a length", text.length() * 2, {"text": "abc"}, 6),
]

REFUSED: list[tuple[str, Expression[Any, Any], dict[str, Any]]] = [
    ("division of ints by zero", whole / other, {"whole": 1, "other": 0}),
    ("modulo of ints by zero", whole % other, {"whole": 1, "other": 0}),
    ("division of floats by zero", real / 0.0, {"real": 1.0}),
    ("modulo of floats by zero", real % 0.0, {"real": 1.0}),
    ("division of decimals by zero", amount / Decimal(0), {"amount": Decimal(1)}),
    ("a sum beyond 64 bits", whole + 1, {"whole": BIG}),
    ("a difference beyond 64 bits", whole - 2, {"whole": -BIG}),
    ("a product beyond 64 bits", whole * other, {"whole": 2**40, "other": 2**40}),
    ("a float beyond its largest", real * 10.0, {"real": 1e308}),
    ("what is not a number", real - real, {"real": math.inf}),
]


class Arithmetic(DatabaseTests):
    """What is computed from columns."""

    @pytest.mark.parametrize(
        "expression, fields, expected",
        [pytest.param(e, fields, found, id=name) for name, e, fields, found in VALUES],
    )
    async def test_value(self, db: Ommi, expression: Any, fields: dict[str, Any], expected: Any) -> None:
        await succeeds(db, add(Sample(1, **fields)))
        ((found,),) = await succeeds(db, find(Sample).select(expression).all())
        assert found == expected
        assert type(found) is type(expected)
        assert not isinstance(found, float) or math.copysign(1, found) == math.copysign(1, expected)

    @pytest.mark.parametrize("expression, fields", [pytest.param(e, fields, id=name) for name, e, fields in REFUSED])
    async def test_refused(self, db: Ommi, expression: Any, fields: dict[str, Any]) -> None:
        await succeeds(db, add(Sample(1, **fields)))
        await fails(db, find(Sample).select(expression).all(), QueryRejected)

    async def test_refused_in_a_condition(self, db: Ommi) -> None:
        await succeeds(db, add(Sample(1, whole=1, other=0)))
        await fails(db, find(Sample, whole / other > 1).all(), QueryRejected)

    async def test_refused_in_an_update_changes_nothing(self, db: Ommi) -> None:
        await succeeds(db, add(Sample(1, whole=1)))
        await succeeds(db, add(Sample(2, whole=BIG)))
        await fails(db, find(Sample).everything().update(whole=whole + 1), QueryRejected)
        assert await succeeds(db, find(Sample).order_by(Sample.id).select(whole).all()) == [(1,), (BIG,)]

    async def test_a_division_of_what_is_missing_is_missing(self, db: Ommi) -> None:
        await succeeds(db, add(Sample(1, other=0)))
        assert await succeeds(db, find(Sample).select(whole / other).all()) == [(None,)]

    async def test_compared_with_a_value(self, db: Ommi) -> None:
        await succeeds(db, add(Sample(1, whole=3, other=2)))
        assert await succeeds(db, find(Sample, whole + other == 5).exists()) is True
        assert await succeeds(db, find(Sample, whole / other > 1.4, count * 2 == 0).exists()) is True
