"""What the tests of the PostgreSQL driver share: models of their own, and a way to the server beside Ommi."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import anyio.to_thread
import asyncpg
import pytest
from anyio.lowlevel import checkpoint

from ommi import Index, Key, ModelCollection, Ommi, ReferenceTo, Unique, auto, ommi_model
from ommi.drivers.postgres import PostgresDriver
from ommi.testing import succeeds
from tests.servers.postgres import create_database

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Person:
    name: Annotated[str, Unique]
    age: Annotated[int, Index] = 0
    note: Annotated[str | None, Index] = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Branch:
    id: Annotated[int, Key]
    parent: Annotated[int | None, ReferenceTo("Branch")] = None


@ommi_model(collection=models)
@dataclass
class Twig:
    id: Annotated[int, Key]
    branch: Annotated[int, ReferenceTo(Branch), Index]


class Server:
    """The server as its administrator sees it: each question on a connection of its own, in a thread."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, sql: str, *values: Any) -> list[Any]:
        async def asked() -> list[Any]:
            connection = await asyncpg.connect(self.url)
            try:
                return [tuple(row) for row in await connection.fetch(sql, *values)]
            finally:
                await connection.close()

        return asyncio.run(asked())

    async def fetch(self, sql: str, *values: Any) -> list[Any]:
        return await anyio.to_thread.run_sync(lambda: self.ask(sql, *values))

    async def until(self, sql: str, expected: Callable[[list[Any]], bool] = bool) -> list[Any]:
        """Ask again until the answer is as expected."""
        deadline = time.monotonic() + 20
        while not expected(found := await self.fetch(sql)):
            assert time.monotonic() < deadline, f"{sql}: {found}"
        return found

    async def blocked(self, count: int = 1) -> None:
        """Wait until this many statements wait for a lock."""
        await self.until(BLOCKED, lambda found: len(found) >= count)

    async def terminate(self, condition: str = "TRUE") -> None:
        """End the sessions of Ommi's that meet a condition, and wait until they are gone."""
        ours = f"datname = current_database() AND pid <> pg_backend_pid() AND ({condition})"
        await self.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
        await self.until(f"SELECT 1 FROM pg_stat_activity WHERE {ours}", lambda found: not found)

    @asynccontextmanager
    async def locking(self, *commands: str) -> AsyncIterator[None]:
        """Run commands in a transaction that stays open, in a thread, while the block runs."""
        loop = asyncio.new_event_loop()

        async def begin() -> Any:
            connection = await asyncpg.connect(self.url)
            await connection.execute("; ".join(("BEGIN", *commands)))
            return connection

        connection = await anyio.to_thread.run_sync(lambda: loop.run_until_complete(begin()))
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(lambda: loop.run_until_complete(connection.close()))
            loop.close()


BLOCKED = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture(scope="session")
def database(postgres_18: str, worker: str) -> str:
    """A database of these tests alone."""
    return create_database(postgres_18, f"ommi_driver_{worker}")


@pytest.fixture
def server(database: str) -> Server:
    return Server(database)


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Ommi]:
    """A database with empty tables."""
    async with Ommi(PostgresDriver(url, **options)) as db:
        await succeeds(db, db.schema.drop(models))
        await succeeds(db, db.schema.create(models))
        yield db


@pytest.fixture
async def db(database: str) -> AsyncIterator[Ommi]:
    async with connected(database) as db:
        yield db


async def until(condition: Callable[[], bool]) -> None:
    """Let other tasks and threads go on until something is so."""
    with anyio.fail_after(20):
        while not condition():
            await checkpoint()
