"""Many tasks that are stopped at random moments leave the database whole (semantics §7)."""

from __future__ import annotations

import os
import random
from typing import ClassVar

from ommi.database import Ommi
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.storm import storm

__all__ = ["Storms"]


class Storms(DatabaseTests):
    """A storm of cancellations: `tasks` of them, or `tasks_in_soak` where the environment has `OMMI_SOAK`."""

    tasks: ClassVar[int] = 200
    tasks_in_soak: ClassVar[int] = 5_000

    async def test_a_cancel_storm_leaves_all_or_nothing_of_each_task(self, db: Ommi, anyio_backend_name: str) -> None:
        tasks = self.tasks_in_soak if os.environ.get("OMMI_SOAK") else self.tasks
        native = anyio_backend_name == "asyncio"
        after = await storm(db, tasks=tasks, seed=random.randrange(2**32), native=native)  # noqa: S311
        assert after.finished > 0
        assert after.stopped > 0
        print(after)  # noqa: T201  # for who asks pytest to show it
