"""A storm tells what a database did not keep, with the seed that does it again."""

import pytest

from ommi import Ommi
from ommi.testing.models import suite_models
from ommi.testing.outcomes import succeeds
from ommi.testing.storm import storm

from .test_anomalies import careless

pytestmark = pytest.mark.anyio


async def test_half_a_transaction_is_told() -> None:
    async with careless() as db:
        await succeeds(db, db.schema.create(suite_models))
        with pytest.raises(AssertionError) as caught:
            await storm(db, tasks=200, seed=1)
    assert caught.value.__notes__ == ["a storm of 200 tasks, seed=1"]


async def test_a_database_that_does_not_answer_is_told() -> None:
    async with Ommi.connect("memory://") as db:
        with pytest.raises(AssertionError, match="failed with"):
            await storm(db, tasks=20, seed=1)
