"""SQLite in memory does what every driver does."""

from contextlib import AbstractAsyncContextManager

import pytest

from ommi import Ommi
from ommi.testing import DriverSuite


class TestSQLiteInMemory(DriverSuite):
    @pytest.fixture(autouse=True)
    def threads(self, inline: bool) -> None:
        self.url = "sqlite://" if inline else "sqlite://?inline=false"

    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi.connect(self.url)
