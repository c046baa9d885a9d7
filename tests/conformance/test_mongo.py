"""MongoDB does what every driver does."""

from contextlib import AbstractAsyncContextManager

import pytest

from ommi import IsolationLevel, ModelCollection, Ommi
from ommi.models import schema_of
from ommi.testing import DriverSuite
from ommi.testing.anomalies import Anomaly
from ommi.testing.outcomes import succeeds
from tests.servers.mongo import Database

SKEWED = frozenset({Anomaly.WRITE_SKEW, Anomaly.PREDICATE_WRITE_SKEW})


class TestMongo(DriverSuite):
    anomalies = dict.fromkeys(IsolationLevel, SKEWED)  # every transaction is a snapshot

    @pytest.fixture(autouse=True)
    def use(self, mongo: Database) -> None:
        self.mongo = mongo

    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi.connect(self.mongo.url)

    async def prepare(self, db: Ommi, models: ModelCollection) -> None:
        if not self.mongo.holds(schema.table for schema in map(schema_of, models)):
            await succeeds(db, db.schema.create(models))
        self.mongo.empty()
