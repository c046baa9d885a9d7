"""What a test expects of a run: a value, or an error of some class."""

from __future__ import annotations

from typing import Any

from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.database import Ommi
from ommi.effects.effect import Effect

__all__ = ["fails", "succeeds"]

T = TypeVar("T")
X = TypeVar("X", bound=BaseException)


async def succeeds(db: Ommi, effect: Effect[T, Any]) -> T:
    """Run the effect and give its value; a failure is an `AssertionError` from the error."""
    match await db.run(effect):
        case Success(value):
            return value
        case Failure(error):
            raise AssertionError(f"{effect!r} failed with {error!r}") from (
                error if isinstance(error, BaseException) else None
            )


async def fails(db: Ommi, effect: Effect[Any, Any], kind: type[X]) -> X:
    """Run the effect and give the error it fails with, which is of the class; anything else is an `AssertionError`."""
    match await db.run(effect):
        case Success(value):
            raise AssertionError(f"{effect!r} succeeded with {value!r}, and was to fail with {kind.__name__}")
        case Failure(error):
            assert isinstance(error, kind), f"{effect!r} failed with {error!r}, and was to fail with {kind.__name__}"
            return error
