"""PostgreSQL does what every driver does, in version 18 and in the one that the machine has."""

from contextlib import AbstractAsyncContextManager

import pytest

from ommi import Ommi, find
from ommi.testing import DriverSuite
from ommi.testing.models import suite_models
from ommi.testing.outcomes import succeeds
from ommi.testing.programs import in_turn
from tests.servers.postgres import installed

EMPTY = in_turn(*(find(model).everything().delete() for model in reversed(tuple(suite_models)))).transactional()


class PostgresSuite(DriverSuite):
    url: str

    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi.connect(self.url)

    async def prepare(self, db: Ommi) -> None:
        await succeeds(db, db.schema.create(suite_models))
        await succeeds(db, EMPTY)


class TestPostgres18(PostgresSuite):
    @pytest.fixture(autouse=True)
    def use(self, postgres_18: str) -> None:
        self.url = postgres_18


if installed() is not None:

    class TestPostgresInstalled(PostgresSuite):
        @pytest.fixture(autouse=True)
        def use(self, postgres_installed: str) -> None:
            self.url = postgres_installed
