"""The memory driver does what every driver does."""

from contextlib import AbstractAsyncContextManager

from ommi import Ommi
from ommi.testing import DriverSuite


class TestMemory(DriverSuite):
    def database(self) -> AbstractAsyncContextManager[Ommi]:
        return Ommi.connect("memory://")
