"""The anomaly tests see every anomaly on a database that isolates nothing, and complain where it is not declared."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, final

import pytest

from ommi import IsolationLevel, Ommi, TransactionOptions
from ommi.drivers.driver import Capabilities, Request
from ommi.drivers.memory import MemoryDriver
from ommi.testing import Anomaly, DriverSuite
from ommi.testing.conformance.anomalies import Anomalies
from ommi.testing.models import suite_models
from ommi.testing.outcomes import succeeds
from ommi.values import Storage


@final
class Careless:
    """A driver whose transactions are none: each statement is committed at once, and nothing is undone."""

    name = "careless"
    capabilities = Capabilities(IsolationLevel.SERIALIZABLE)
    usable = True

    def __init__(self) -> None:
        self.driver = MemoryDriver()

    @property
    def storage(self) -> Storage:
        return self.driver.storage

    async def open(self) -> None:
        await self.driver.open()

    async def close(self) -> None:
        await self.driver.close()

    async def execute(self, request: Request, /) -> Any:
        return await self.driver.execute(request)

    async def begin(self, options: TransactionOptions, /) -> "Careless":
        return self

    async def commit(self) -> None: ...

    async def rollback(self) -> None: ...

    async def savepoint(self, name: str, /) -> None: ...

    async def release(self, name: str, /) -> None: ...

    async def rollback_to(self, name: str, /) -> None: ...


@asynccontextmanager
async def careless() -> AsyncIterator[Ommi]:
    async with Ommi(Careless()) as db:
        yield db


def test_they_are_part_of_the_suite() -> None:
    assert issubclass(DriverSuite, Anomalies)


class TestWithoutIsolation(Anomalies):
    anomalies = dict.fromkeys(IsolationLevel, frozenset(Anomaly))

    def database(self) -> Any:
        return careless()


class Undeclared(Anomalies):
    short_patience = 0.5

    def database(self) -> Any:
        return careless()


@pytest.mark.anyio
@pytest.mark.parametrize("anomaly", Anomaly, ids=lambda anomaly: anomaly.name)
async def test_an_anomaly_that_was_not_declared_is_told(anomaly: Anomaly) -> None:
    test = getattr(Undeclared(), f"test_{anomaly.name.lower()}")
    async with careless() as db:
        await succeeds(db, db.schema.create(suite_models))
        with pytest.raises(AssertionError, match=anomaly.name):
            await test(db, IsolationLevel.SERIALIZABLE)


@pytest.mark.anyio
async def test_an_anomaly_that_was_declared_and_did_not_happen_is_told() -> None:
    declared = TestWithoutIsolation()
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(suite_models))
        with pytest.raises(AssertionError, match="LOST_UPDATE"):
            await declared.test_lost_update(db, IsolationLevel.SERIALIZABLE)
