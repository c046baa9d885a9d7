"""SQLite in memory does what every driver does."""

from contextlib import AbstractAsyncContextManager

from ommi import Ommi
from ommi.testing import DriverSuite


class TestSQLiteInMemory(DriverSuite):
    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi.connect("sqlite://")
