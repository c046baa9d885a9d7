"""SQLite on a connection of aiosqlite, which knows asyncio alone, does what every driver does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosqlite
import pytest

from ommi import Ommi
from ommi.drivers.sqlite import AioSQLiteDriver
from ommi.testing import DriverSuite


class TestAioSQLite(DriverSuite):
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Ommi]:
        async with aiosqlite.connect(":memory:") as connection, Ommi(AioSQLiteDriver(connection)) as db:
            yield db
