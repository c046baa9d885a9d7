"""SQLite in a file does what every driver does."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from ommi import Ommi
from ommi.drivers.sqlite import SQLiteDriver
from ommi.testing import DriverSuite


class TestSQLiteFile(DriverSuite):
    @pytest.fixture(autouse=True)
    def file(self, tmp_path: Path, inline: bool) -> None:
        self.path = tmp_path / "suite.db"
        self.inline = inline

    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi(SQLiteDriver(self.path, synchronous="NORMAL", inline=self.inline))
