"""What is asked of a driver that lacks a capability, in place of what others are: that it says so, and does nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import pytest
from returns.result import Failure

from ommi.database import Ommi
from ommi.effects.catching import catch
from ommi.effects.finding import find
from ommi.effects.operations import add
from ommi.effects.subqueries import exists_
from ommi.errors import UniqueViolation, UnsupportedOperation
from ommi.testing.conformance.database import noting
from ommi.testing.conformance.related import Counted
from ommi.testing.models import Tag
from ommi.testing.outcomes import fails, succeeds
from ommi.testing.relatives import Person, Post, Reply, Team, Topic

__all__ = ["with_joins", "with_recovery", "with_savepoints"]

Named = type[Tag] | type[Topic]
Test = TypeVar("Test", bound=Callable[..., Awaitable[None]])


def with_savepoints(test: Test) -> Test:
    """A test of what savepoints do; without them, of how everything that needs one is refused."""

    @wraps(test)
    async def run(*arguments: Any, **named: Any) -> None:
        db, model = _database(named)
        await (test(*arguments, **named) if db.driver.capabilities.savepoints else _refuses_savepoints(db, model))

    return run  # type: ignore[return-value]  # of the same signature


def with_recovery(test: Test) -> Test:
    """A test of going on after a failed write; where that ends the transaction, of how it ends."""

    @wraps(test)
    async def run(*arguments: Any, **named: Any) -> None:
        db, model = _database(named)
        await (
            test(*arguments, **named) if db.driver.capabilities.undoes_statements else _ends_with_its_error(db, model)
        )

    return run  # type: ignore[return-value]  # of the same signature


def with_joins(test: Test) -> Test:
    """A test of joins; without them, of how they are refused."""

    @wraps(test)
    async def run(*arguments: Any, **named: Any) -> None:
        db, _ = _database(named)
        await (test(*arguments, **named) if db.driver.capabilities.joins else _refuses_joins(db))

    return run  # type: ignore[return-value]  # of the same signature


def _database(fixtures: dict[str, Any]) -> tuple[Ommi, Named]:
    """The database of a test, and a model of which it has the table."""
    for value in fixtures.values():
        match value:
            case Ommi():
                return value, Tag
            case Counted():
                return value.db, Topic
            case _:
                continue
    raise AssertionError("the test asks for no database")


async def _refuses_joins(db: Ommi) -> None:
    for effect in (
        find(Person).join(Team).all(),
        find(Person).left_join(Team).count(),
        find(Person).join(Team).exists(),
        find(Person).where(exists_(Person.posts)).all(),
        find(Reply).where(~exists_(Post)).delete(),
    ):
        error = await fails(db, effect, UnsupportedOperation)
        assert "prefetch" in error.message
        await fails(db, add(Topic("never")).bind(lambda _, asked=effect: asked).transactional(), UnsupportedOperation)  # type: ignore[misc]
    assert not await succeeds(db, find(Topic, Topic.name == "never").exists())


async def _refuses_savepoints(db: Ommi, model: Named) -> None:
    before = await _names(db, model)
    first, second = add(model("no savepoints")), add(model("nested"))
    for nested in (second.transactional(), second.savepoint(), second.transactional(timeout=60)):
        error = await fails(db, first.bind(lambda _, part=nested: part).transactional(), UnsupportedOperation)  # type: ignore[misc]
        assert "flatten=True" in error.message
    with pytest.raises(UnsupportedOperation, match="flatten=True"):
        async with db.transaction() as tx:
            await tx.run(first)
            async with tx.transaction():
                pytest.fail("there are no savepoints")
    assert await _names(db, model) == before
    async with db.transaction() as tx:
        await tx.run(first)
        with pytest.raises(UnsupportedOperation, match="flatten=True"):
            await tx.savepoint("here")
        await tx.run(second)
    assert await _names(db, model) == sorted([*before, "nested", "no savepoints"])


async def _ends_with_its_error(db: Ommi, model: Named) -> None:
    before = await _names(db, model)
    seen: list[Any] = []
    twice = add(model("twice")).bind(lambda _: add(model("twice")))
    recovered = twice.map(lambda _: None) >> catch(UniqueViolation)(lambda e: noting(seen, e))
    await fails(db, recovered.bind(lambda _: add(model("after"))).transactional(), UniqueViolation)
    with pytest.raises(UniqueViolation):
        async with db.transaction() as tx:
            failed = await tx.run(recovered)
            assert isinstance(failed, Failure)
            assert await tx.run(find(model).count()) == failed
    assert (seen, await _names(db, model)) == ([], before)


async def _names(db: Ommi, model: Named) -> list[str]:
    return sorted([found.name for found in await succeeds(db, find(model).all())])
