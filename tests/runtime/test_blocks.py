"""Blocks that are left where they were not entered."""

import anyio
import pytest

from ommi import Ommi, TransactionOptions, add, find
from ommi.testing import succeeds
from ommi.testing.models import Tag, suite_models

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("error", [None, KeyError("no")])
async def test_a_block_with_a_timeout_left_by_another_task_ends_and_says_what_is_wrong(error: KeyError | None) -> None:
    said: list[str] = []
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(suite_models))
        tx = db.transaction(TransactionOptions(timeout=60))
        await tx.__aenter__()
        await tx.add(Tag("a")).value

        async def leave() -> None:
            with pytest.raises(RuntimeError, match="left by another task than entered it") as caught:
                await tx.__aexit__(None if error is None else KeyError, error, None)
            said.append(str(caught.value))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(leave)
        assert tx._block is not None
        assert tx._block._caller is not None
        tx._block._caller.__exit__(None, None, None)  # what the message asks for: nobody but this task can do it
        assert await succeeds(db, find(Tag).count()) == (1 if error is None else 0)
        await succeeds(db, add(Tag("b")).transactional())
    assert ["it was committed" in text for text in said] == [error is None]
