"""What two databases must agree on after the same program: outcomes, values and the facts of errors."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable
from typing import Any

from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.errors import ConstraintViolation, OmmiError
from ommi.models import schema_of
from ommi.session import Session

__all__ = ["answer", "comparable", "tables"]


async def answer(db: Session, effect: Effect[Any, Any], *, unkeyed: Collection[type[Any]] = ()) -> Any:
    """How a run of the effect came out, as a value that is equal for databases that agree (see `comparable`)."""
    try:
        outcome = await db.run(effect)
    except Exception as defect:  # noqa: BLE001  # a defect is an outcome to be compared, too
        return "defect", type(defect)
    match outcome:
        case Success(value):
            return "success", comparable(value, unkeyed)
        case Failure(error):
            return "failure", comparable(error, unkeyed)


async def tables(db: Ommi, models: Iterable[type[Any]], *, unkeyed: Collection[type[Any]] = ()) -> dict[str, list[Any]]:
    """All rows of the models, in no order."""
    found: dict[str, list[Any]] = {}
    for model in models:
        outcome = await db.run(find(model).all())
        found[model.__name__] = sorted((comparable(row, unkeyed) for row in outcome.unwrap()), key=repr)
    return found


def comparable(value: Any, unkeyed: Collection[type[Any]] = ()) -> Any:
    """A value in a form whose equality says what databases must agree on.

    Classes count: 1 is not 1.0, nor True. The words of errors do not, nor the keys of models in `unkeyed`, for those
    that databases generate.
    """
    if isinstance(value, (list, tuple)):
        return type(value), [comparable(item, unkeyed) for item in value]
    if isinstance(value, (Success, Failure)):
        return type(value), comparable(value._inner_value, unkeyed)  # of either of the two
    if isinstance(value, ConstraintViolation):
        return type(value), value.model, value.fields, value.constraint
    if isinstance(value, OmmiError):
        return type(value), getattr(value, "field", None)
    if isinstance(value, BaseException):
        return type(value), str(value)
    if isinstance(value, float):
        return float, value, math.copysign(1, value)
    if not dataclasses.is_dataclass(value):
        return type(value), value
    kept = [
        field for field in dataclasses.fields(value) if type(value) not in unkeyed or not _is_key(value, field.name)
    ]
    return type(value), [comparable(getattr(value, field.name), unkeyed) for field in kept]


def _is_key(record: Any, name: str) -> bool:
    return schema_of(type(record)).by_name[name].is_key
