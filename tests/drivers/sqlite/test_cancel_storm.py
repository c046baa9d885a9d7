"""After a storm of cancellations the pools are whole, and closing leaves no thread and no file open."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite
import anyio
import pytest

from ommi import Ommi
from ommi.drivers.sqlite import AioSQLiteDriver, SQLiteDriver
from ommi.drivers.sqlite.driver import PooledDriver
from ommi.drivers.sqlite.pool import Pool
from ommi.testing import succeeds
from ommi.testing.models import suite_models
from ommi.testing.storm import storm

from .conftest import open_files, our_threads, until

pytestmark = pytest.mark.anyio

TASKS = 5_000 if os.environ.get("OMMI_SOAK") else 200


def pools(driver: PooledDriver) -> set[Pool]:
    assert driver._writer is not None
    assert driver._readers is not None
    return {driver._writer, driver._readers}


def is_whole(pool: Pool) -> bool:
    """Every connection is free: none is kept, at work or asked for, and no worker is lost."""
    rest = (pool._held, pool._busy, pool._engaged, pool._backlog)
    return not any(rest) and len(pool._idle) == pool._active == len(pool._workers)


async def run_storm(driver: PooledDriver, anyio_backend_name: str) -> None:
    """Open, storm, look at the pools, close."""
    async with Ommi(driver) as db:
        await succeeds(db, db.schema.create(suite_models))
        native = anyio_backend_name == "asyncio"
        print(await storm(db, tasks=TASKS, seed=random.randrange(2**32), native=native))  # noqa: T201
        await until(lambda: all(is_whole(pool) for pool in pools(driver)))
        workers = [worker for pool in pools(driver) for worker in pool._workers]
        if not isinstance(driver, AioSQLiteDriver):
            assert len(our_threads()) == len(workers)
        with anyio.fail_after(5):
            await driver.close()


@pytest.mark.parametrize("kind", ["file", "memory"])
async def test_a_storm_leaves_the_pool_whole_and_nothing_open(
    tmp_path: Path, kind: str, anyio_backend_name: str
) -> None:
    path = tmp_path / "storm.db" if kind == "file" else None
    await run_storm(SQLiteDriver(path, synchronous="NORMAL"), anyio_backend_name)
    assert our_threads() == []
    assert open_files(tmp_path) == []


@asynccontextmanager
async def lent(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    async with aiosqlite.connect(path) as connection:
        yield connection


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_storm_leaves_a_connection_that_was_handed_in_as_it_was(tmp_path: Path, anyio_backend: str) -> None:
    async with lent(tmp_path / "storm.db") as connection:
        await run_storm(AioSQLiteDriver(connection), anyio_backend)
        assert not connection.in_transaction
        async with connection.execute("SELECT count(*) > 0 FROM tag") as cursor:
            assert await cursor.fetchone() == (1,)
    assert open_files(tmp_path) == []
