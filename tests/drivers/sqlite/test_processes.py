"""Two processes on one file, and processes that end without closing."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from ommi.drivers.sqlite import SQLiteDriver

from .conftest import create, names, opened, our_threads, until

PROGRAM = """
import sys
from pathlib import Path
import anyio
sys.path.insert(0, {directory!r})
from conftest import *
from ommi.transactions import TransactionOptions

async def main():
    driver = SQLiteDriver({path!r}, busy_timeout=20)
    {body}

anyio.run(main, backend={backend!r})
"""

WRITE = """
    await driver.open()
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(40):
        if number % 2:
            await driver.execute(insert(f"{name} {number}"))
        else:
            transaction = await driver.begin(TransactionOptions())
            await transaction.execute(insert(f"{name} {number}"))
            await transaction.commit()
    await driver.close()
"""

LEAVE = """
    await driver.open()
    await driver.execute(create())
    await driver.execute(insert("Ada"))
    globals().update(kept=driver, transaction=await driver.begin(TransactionOptions()))
    print("leaving", flush=True)
"""

LEAVE_WORKING = """
    import asyncio, sqlite3
    await driver.open()
    globals().update(kept=driver)
    job = Endless()
    await driver._writer.run(lambda connection: None)
    worker = driver._writer._workers[0]
    from ommi.drivers.sqlite.worker import Job
    worker.give(Job(job))
    await until(job.started.is_set)
    print("leaving", flush=True)
"""


def start(path: Path, body: str, backend: str, name: str = "") -> "subprocess.Popen[str]":
    directory = str(Path(__file__).parent)
    program = PROGRAM.format(directory=directory, path=str(path), body=body.strip(), backend=backend)
    return subprocess.Popen(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", program.replace("{name}", name)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_two_processes_that_write_to_one_file_both_succeed(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "test.db"

    async def prepare() -> None:
        async with opened(SQLiteDriver(path)):
            pass

    async def look() -> list[str]:
        driver = SQLiteDriver(path)
        await driver.open()
        found: list[str] = await driver.execute(names())
        await driver.close()
        return found

    anyio.run(prepare)
    processes = [start(path, WRITE, backend, name) for name in ("a", "b")]
    for process in processes:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n", process.stderr and process.stderr.read()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, complaints = process.communicate(timeout=60)
        assert (process.returncode, complaints) == (0, "")
    assert anyio.run(look) == sorted(f"{name} {number}" for name in "ab" for number in range(40))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("body", [LEAVE, LEAVE_WORKING], ids=["idle", "working"])
def test_a_process_ends_although_nobody_closed_the_driver(tmp_path: Path, backend: str, body: str) -> None:
    process = start(tmp_path / "test.db", body, backend)
    said, complaints = process.communicate(timeout=20)
    assert (said, process.returncode, complaints) == ("leaving\n", 0, "")


def test_a_database_nobody_closed_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    start(path, LEAVE, "asyncio").communicate(timeout=20)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM user").fetchall() == [("Ada",)]
    connection.close()


@pytest.mark.anyio
async def test_a_driver_that_is_forgotten_warns_and_ends_its_threads(tmp_path: Path) -> None:
    driver = SQLiteDriver(tmp_path / "test.db")
    await driver.open()
    await driver.execute(create())
    with pytest.warns(ResourceWarning, match=r"SQLiteDriver\(.*test\.db'\) was never closed"):
        del driver
    await until(lambda: our_threads() == [])
