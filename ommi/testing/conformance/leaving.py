"""Blocks that are left where they were not entered, and savepoints of a block that another is nested in (api §4)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextlib import AsyncExitStack
from contextvars import Context, copy_context
from functools import partial
from typing import Any

import anyio
import pytest

from ommi.database import Ommi
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.conformance.lacking import with_savepoints
from ommi.testing.conformance.transactions import Mishap, names, tagged
from ommi.testing.models import Tag
from ommi.testing.outcomes import succeeds

__all__ = ["Leaving"]


class Leaving(DatabaseTests):
    """Fixtures of tests and exit stacks leave a block in another context, or in another task."""

    # -- elsewhere
    @pytest.mark.parametrize("fine", [True, False])
    async def test_a_block_left_in_another_context_ends_as_it_should(self, db: Ommi, fine: bool) -> None:
        await _elsewhere(db, fine, in_task=False)
        assert await names(db) == (["a"] if fine else [])
        await succeeds(db, tagged("b"))

    @pytest.mark.parametrize("fine", [True, False])
    async def test_a_block_left_in_another_task_ends_as_it_should(self, db: Ommi, fine: bool) -> None:
        await _elsewhere(db, fine, in_task=True)
        assert await names(db) == (["a"] if fine else [])
        await succeeds(db, tagged("b"))

    async def test_a_block_whose_task_has_ended_is_left_in_another_one(self, db: Ommi) -> None:
        tx = db.transaction()
        stack = AsyncExitStack()

        async def set_up() -> None:
            await stack.enter_async_context(tx)

        async def tear_down() -> None:
            await stack.aclose()

        for step in (set_up, lambda: tx.add(Tag("a")).value, tear_down):
            with anyio.fail_after(10):
                async with anyio.create_task_group() as group:
                    group.start_soon(_call, step)
        assert await names(db) == ["a"]

    # -- savepoints of a block in which another is open
    @with_savepoints
    async def test_the_savepoints_of_a_block_are_refused_in_a_nested_one(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            await tx.savepoint("here")
            await tx.add(Tag("a")).value
            async with tx.transaction() as nested:
                for use in (tx.rollback_to_savepoint, tx.savepoint):
                    with pytest.raises(RuntimeError, match="a nested one is open"):
                        await use("here")
                await nested.savepoint("here")
                await nested.add(Tag("b")).value
                await nested.rollback_to_savepoint("here")
            await tx.add(Tag("c")).value
        assert await names(db) == ["a", "c"]

    @with_savepoints
    async def test_a_savepoint_of_a_block_outlives_the_nested_ones_after_it(self, db: Ommi) -> None:
        async with db.transaction() as tx:
            await tx.savepoint("here")
            async with tx.transaction() as nested:
                await nested.add(Tag("a")).value
                await nested.savepoint("there")
            with pytest.raises(ValueError, match="no savepoint 'there'"):
                await tx.rollback_to_savepoint("there")
            await tx.rollback_to_savepoint("here")
            await tx.add(Tag("b")).value
        assert await names(db) == ["b"]


async def _call(step: Callable[[], Any]) -> None:
    await step()


async def _elsewhere(db: Ommi, fine: bool, *, in_task: bool) -> None:
    """Enter a block here, add a tag, and leave it in a context or in a task of its own."""
    tx = db.transaction()
    problem = None if fine else Mishap("no")

    async def leave() -> None:
        assert not await tx.__aexit__(None if problem is None else Mishap, problem, None)

    with anyio.fail_after(10):
        before = copy_context()
        await tx.__aenter__()
        await tx.add(Tag("a")).value
        if in_task:
            async with anyio.create_task_group() as group:
                group.start_soon(leave)
        else:
            await _In(before, leave)


class _In:
    """Awaits a function in a context."""

    def __init__(self, context: Context, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self.context = context
        self.function = function

    def __await__(self) -> Generator[Any, Any, None]:
        steps = self.function().__await__()
        go_on = partial(steps.send, None)
        while True:
            try:
                asked = self.context.run(go_on)
            except StopIteration:
                return
            try:
                go_on = partial(steps.send, (yield asked))
            except BaseException as thrown:  # noqa: BLE001 - it is passed on
                go_on = partial(steps.throw, thrown)
