"""The table of how a transaction ends (semantics §5), each cell for effects, blocks and runs that joined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeAlias

import anyio
import pytest
from anyio import CancelScope
from anyio.lowlevel import checkpoint
from returns.result import Failure, Success

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.errors import SerializationConflict
from ommi.testing.conformance.database import DatabaseTests, noting
from ommi.testing.conformance.lacking import with_savepoints
from ommi.testing.conformance.transactions import Mishap, names, tagged
from ommi.testing.interposed import DriverStep, Interposed
from ommi.testing.outcomes import succeeds

__all__ = ["Endings"]

Form: TypeAlias = Literal["effect", "block", "joined"]
End: TypeAlias = Callable[[], Awaitable[None]]

FORMS = pytest.mark.parametrize("form", ["effect", "block", "joined"])


async def success() -> None:
    """The body succeeds."""


async def failure() -> None:
    """The body fails."""
    raise Mishap("no")


async def defect() -> None:
    """The body has a bug."""
    raise ZeroDivisionError


def cancelled(scope: CancelScope) -> End:
    """The body is cancelled."""

    async def cancel() -> None:
        scope.cancel()
        await anyio.sleep_forever()

    return cancel


class Endings(DatabaseTests):
    """| the body ends in | outermost | nested |, row by row."""

    # -- success
    @FORMS
    async def test_success_outermost_commit(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            assert await outermost(on, form, success) == Success(None)
        assert steps == ["begin", "execute", "commit"]
        assert await names(db) == ["a"]

    @FORMS
    async def test_success_outermost_a_refused_commit_is_a_typed_failure(self, db: Ommi, form: Form) -> None:
        refusal = SerializationConflict("late")
        async with recorded(db, refusal) as (on, steps):
            assert await outermost(on, form, success) == Failure(refusal)
        assert steps == ["begin", "execute", "commit"]
        assert await names(db) == []

    @FORMS
    @with_savepoints
    async def test_success_nested_release(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            assert await nested(on, form, success) == Success([])
        assert steps == ["begin", "execute", "savepoint", "execute", "release", "execute", "commit"]
        assert await names(db) == ["a", "after", "outer"]

    # -- failure
    @FORMS
    async def test_failure_outermost_rollback_same_failure(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            outcome = await outermost(on, form, failure)
        assert isinstance(outcome.failure(), Mishap)
        assert steps == ["begin", "execute", "rollback"]
        assert await names(db) == []

    @FORMS
    @with_savepoints
    async def test_failure_nested_rollback_to_and_release_same_failure(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            (caught,) = (await nested(on, form, failure)).unwrap()
        assert isinstance(caught, Mishap)
        assert steps == ["begin", "execute", "savepoint", "execute", "rollback_to", "release", "execute", "commit"]
        assert await names(db) == ["after", "outer"]

    # -- defect
    @FORMS
    async def test_defect_outermost_rollback_raises(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            with pytest.raises(ZeroDivisionError):
                await outermost(on, form, defect)
        assert steps == ["begin", "execute", "rollback"]
        assert await names(db) == []

    @FORMS
    @with_savepoints
    async def test_defect_nested_rollback_to_raises(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            with pytest.raises(ZeroDivisionError):
                await nested(on, form, defect)
        assert steps == ["begin", "execute", "savepoint", "execute", "rollback_to", "release", "rollback"]
        assert await names(db) == []

    # -- cancelled: every step of the driver has a checkpoint here, at which an unshielded one would be stopped
    @FORMS
    async def test_cancelled_outermost_rollback_under_a_shield(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            with CancelScope() as scope:
                await outermost(on, form, cancelled(scope))
            assert scope.cancelled_caught
        assert steps == ["begin", "execute", "rollback"]
        assert await names(db) == []
        await succeeds(db, tagged("free again").transactional())

    @FORMS
    @with_savepoints
    async def test_cancelled_nested_the_same(self, db: Ommi, form: Form) -> None:
        async with recorded(db) as (on, steps):
            with CancelScope() as scope:
                await nested(on, form, cancelled(scope))
            assert scope.cancelled_caught
        assert steps == ["begin", "execute", "savepoint", "execute", "rollback_to", "release", "rollback"]
        assert await names(db) == []
        await succeeds(db, tagged("free again").transactional())


@asynccontextmanager
async def recorded(
    db: Ommi, refusal: SerializationConflict | None = None
) -> AsyncIterator[tuple[Ommi, list[DriverStep]]]:
    """The database, with the steps its driver took to their end; COMMIT may be refused."""
    steps: list[DriverStep] = []

    async def before(step: DriverStep) -> None:
        await checkpoint()
        if step == "commit" and refusal is not None:
            steps.append(step)
            raise refusal

    async def after(step: DriverStep) -> None:
        await checkpoint()
        steps.append(step)

    async with Ommi(Interposed(db.driver, before, after)) as on:
        yield on, steps


def ending(end: End) -> Effect[None, Any]:
    """An effect that ends so."""
    return Effect.from_awaitable(end, catching=(Mishap,))


async def outermost(db: Ommi, form: Form, end: End) -> Success[Any] | Failure[Any]:
    """Add a tag in a transaction whose body ends so."""
    if form == "effect":
        return await db.run(tagged("a").bind(lambda _: ending(end)).transactional())

    async def body() -> None:
        await succeeds(db, tagged("a"))
        await end()

    if form == "joined":
        return await db.run(ending(body).transactional())
    try:
        async with db.transaction():
            await body()
    except (Mishap, SerializationConflict) as error:
        return Failure(error)
    return Success(None)


async def nested(db: Ommi, form: Form, end: End) -> Success[Any] | Failure[Any]:
    """Add a tag in a nested transaction whose body ends so, one before it and one after it; what it failed with."""
    caught: list[Any] = []
    part = tagged("a").bind(lambda _: ending(end)).transactional()
    if form == "effect":
        handled = part.map(lambda _: None).lash(lambda error: noting(caught, error))
        program = tagged("outer").bind(lambda _: handled).bind(lambda _: tagged("after")).map(lambda _: caught)
        return await db.run(program.transactional())

    async def body() -> list[Any]:
        await succeeds(db, tagged("outer"))
        if form == "joined":
            match await db.run(part):
                case Failure(error):
                    caught.append(error)
                case Success():
                    pass
        else:
            try:
                async with db.transaction() as inner:
                    await succeeds(db, tagged("a"))
                    assert isinstance(await inner.run(Effect.from_value(None)), Success)
                    await end()
            except Mishap as error:
                caught.append(error)
        await succeeds(db, tagged("after"))
        return caught

    if form == "joined":
        return await db.run(Effect.from_awaitable(body).transactional())
    async with db.transaction():
        await body()
    return Success(caught)
