"""PostgreSQL does what every driver does, in version 18 and in the one that the machine has."""

import os
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import pytest

from ommi import IsolationLevel, ModelCollection, Ommi, find
from ommi.testing import DriverSuite
from ommi.testing.anomalies import Anomaly
from ommi.testing.outcomes import succeeds
from ommi.testing.programs import in_turn
from tests.servers.postgres import installed

SKEWED = frozenset({Anomaly.WRITE_SKEW, Anomaly.PREDICATE_WRITE_SKEW})


class PostgresSuite(DriverSuite):
    url: str
    anomalies: ClassVar = {
        IsolationLevel.READ_COMMITTED: SKEWED
        | {Anomaly.LOST_UPDATE, Anomaly.NON_REPEATABLE_READ, Anomaly.READ_SKEW, Anomaly.PHANTOM},
        IsolationLevel.REPEATABLE_READ: SKEWED,
        IsolationLevel.SNAPSHOT: SKEWED,
    }

    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi.connect(self.url)

    async def prepare(self, db: Ommi, models: ModelCollection) -> None:
        await succeeds(db, db.schema.create(models))
        await succeeds(
            db, in_turn(*(find(model).everything().delete() for model in reversed(tuple(models)))).transactional()
        )


# `scripts/test` runs the tests twice, and of the two servers each time another one
ONE = os.environ.get("OMMI_TEST_POSTGRES_SERVERS")

if ONE != "installed" or installed() is None:

    class TestPostgres18(PostgresSuite):
        @pytest.fixture(autouse=True)
        def use(self, postgres_18: str) -> None:
            self.url = postgres_18


if ONE != "newest" and installed() is not None:

    class TestPostgresInstalled(PostgresSuite):
        @pytest.fixture(autouse=True)
        def use(self, postgres_installed: str) -> None:
            self.url = postgres_installed
