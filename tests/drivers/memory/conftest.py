"""A memory store that runs what the words of `ommi` make."""

from typing import Any

import pytest

from ommi.drivers.driver import Request
from ommi.drivers.memory import MEMORY, MemoryStore, MemoryTransaction
from ommi.effects.effect import Perform
from ommi.models import schema_of
from ommi.query.statements import CreateTables, DropTables


class Memory:
    """Runs the statement of an effect, each on its own or in one open transaction."""

    def __init__(self, on: MemoryStore | MemoryTransaction) -> None:
        self.on = on

    def create(self, *models: type[Any]) -> None:
        self.on.execute(Request(CreateTables(tuple(map(schema_of, models)))))

    def drop(self, *models: type[Any]) -> None:
        self.on.execute(Request(DropTables(tuple(map(schema_of, models)))))

    def run(self, effect: Any) -> Any:
        assert isinstance(effect, Perform)
        return self.on.execute(Request(effect.statement))

    def all(self, query: Any) -> list[Any]:
        """The records of a query, or the stored tuples of selected columns."""
        read = list if query.query.columns is not None else query.query.schema.codec.reader(MEMORY)
        return list(self.on.execute(Request(query.query, read)))

    def begin(self, *, read_only: bool = False) -> "Memory":
        assert isinstance(self.on, MemoryStore)
        return Memory(self.on.begin(read_only=read_only))


@pytest.fixture
def memory() -> Memory:
    return Memory(MemoryStore())
