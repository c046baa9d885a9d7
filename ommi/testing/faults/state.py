"""What is in the database, and whether it is whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import anyio
from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.errors import OmmiError
from ommi.query.expressions import Column
from ommi.schema import Field, Schema
from ommi.testing.interposed import Interposed

__all__ = ["Step", "leaks", "rows", "still_in_use", "value_of"]

T = TypeVar("T", default=Any)

Step: TypeAlias = Effect[T, Any] | Callable[[Ommi], Awaitable[T]]
"""Something to be done with an undisturbed database."""


@runtime_checkable
class Counting(Protocol):
    """A driver that knows how many of its connections are in use."""

    @property
    def in_use(self) -> int: ...


async def value_of(step: Step[T], db: Ommi) -> T:
    """What the step gives, which may not fail."""
    if not isinstance(step, Effect):
        return await step(db)
    match await db.run(step):
        case Success(value):
            return value
        case Failure(error):
            raise AssertionError(f"{step!r} failed with {error!r}") from (
                error if isinstance(error, BaseException) else None
            )


def rows(schemas: Iterable[Schema]) -> Callable[[Ommi], Awaitable[dict[str, list[Any]]]]:
    """All rows of some models, in no order, as tuples of values.

    Without generated keys, and what refers to them: databases leave gaps in those after a rollback.
    """
    found = tuple(schemas)

    async def observe(db: Ommi) -> dict[str, list[Any]]:
        tables: dict[str, list[Any]] = {}
        for schema in found:
            places = [number for number, field in enumerate(schema.fields) if not _is_generated(schema, field)]
            records = await value_of(find(schema.model).all(), db)
            read = [schema.codec.read(record) for record in records]
            tables[schema.name] = sorted((tuple(row[place] for place in places) for row in read), key=repr)
        return tables

    return observe


def _is_generated(schema: Schema, field: Field) -> bool:
    if field.generated:
        return True
    for reference in schema.references:
        if field in reference.fields:
            return reference.target()[1][reference.fields.index(field)].generated
    return False


async def leaks(db: Ommi, schemas: Iterable[Schema], *, writes: bool, seconds: float) -> str | None:
    """What is still held after a run has ended, as far as can be told from outside; `None` if nothing is."""
    driver = db.driver
    with anyio.move_on_after(seconds) as waiting:
        async with Ommi(Interposed(driver)) as again:
            for schema in tuple(schemas)[:1]:
                nothing = find(schema.model).where(Column(schema, schema.fields[0]).in_([]))
                touch = nothing.delete() if writes else nothing.count()
                outcome = await again.run(touch.transactional(read_only=not writes))
                if isinstance(outcome, Failure):
                    return f"the next transaction fails: {_shown(outcome.failure())}"
    if waiting.cancelled_caught:
        return f"the next transaction could not {'write' if writes else 'read'} within {seconds:g} s"
    used = await still_in_use(driver, seconds)
    return f"{used} connections of {driver!r} are still in use" if used else None


async def still_in_use(driver: object, seconds: float) -> int:
    """How many connections are in use when so many seconds have passed: a thread may be about to give one back."""
    if not isinstance(driver, Counting):
        return 0
    with anyio.move_on_after(seconds):
        while driver.in_use:  # noqa: ASYNC110 - a driver tells nobody
            await anyio.sleep(0.001)
    return driver.in_use


def _shown(error: object) -> str:
    return f"{type(error).__name__}: {error.message}" if isinstance(error, OmmiError) else repr(error)
