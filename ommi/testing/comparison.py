"""What two databases must agree on after the same program: outcomes, values and the facts of errors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.errors import ConstraintViolation, OmmiError
from ommi.models import schema_of
from ommi.schema import Schema

__all__ = ["answer", "comparable", "tables"]


async def answer(db: Ommi, effect: Effect[Any, Any]) -> Any:
    """How a run of the effect came out, as a value that is equal for databases that agree."""
    try:
        outcome = await db.run(effect)
    except Exception as defect:  # noqa: BLE001  # a defect is an outcome to be compared, too
        return "defect", type(defect)
    match outcome:
        case Success(value):
            return "success", comparable(value)
        case Failure(error):
            return "failure", comparable(error)


async def tables(db: Ommi, models: Iterable[type[Any]]) -> dict[str, list[Any]]:
    """All rows of the models, in no order."""
    found: dict[str, list[Any]] = {}
    for model in models:
        outcome = await db.run(find(model).all())
        found[model.__name__] = sorted(map(comparable, outcome.unwrap()), key=repr)
    return found


def comparable(value: Any) -> Any:
    """A value in a form whose equality says what databases must agree on.

    Classes count (1 is not 1.0, nor True); generated keys and the words of errors do not.
    """
    if isinstance(value, (list, tuple)):
        return type(value), [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, (Success, Failure)):
        return type(value), comparable(value._inner_value)  # noqa: SLF001  # either of the two
    if isinstance(value, ConstraintViolation):
        return type(value), value.model, value.fields, value.constraint
    if isinstance(value, OmmiError):
        return type(value), getattr(value, "field", None)
    if isinstance(value, BaseException):
        return type(value), str(value)
    if isinstance(value, float):
        return float, value, math.copysign(1, value)
    schema = _schema(value)
    if schema is None:
        return type(value), value
    return type(value), [comparable(getattr(value, f.name)) for f in schema.fields if not f.generated or schema_keeps(f)]


def schema_keeps(field: Any) -> bool:
    return False


def _schema(value: Any) -> Schema | None:
    try:
        return schema_of(type(value))
    except TypeError:
        return None
