"""Tasks and processes that write one file at once: nothing is lost, nothing half done is seen, nobody waits in vain."""

import contextvars
import json
import os
import random
import subprocess
import sys
from collections import Counter as Multiset
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from ommi import LockTimeout, Ommi, Success, TransactionOptions, add, find
from ommi.testing import fails, succeeds

from .contender import ACCOUNTS, TOTAL, Counter, Entry, Orders, Purse, Told, database, prepare, work

pytestmark = pytest.mark.anyio

SOAKING = bool(os.environ.get("OMMI_SOAK"))
TASKS = 50
PROCESSES = 4
TIMES = 100 if SOAKING else 2
TYPED = {"LockTimeout", "PoolTimeout", "StatementTimeout"}
ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def process(orders: Orders) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own, killed if it is still there at the end."""
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("contender.py")), json.dumps(asdict(orders))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


async def line(child: "subprocess.Popen[str]") -> str:
    """The next line that it says."""
    assert child.stdout is not None
    said = await anyio.to_thread.run_sync(child.stdout.readline)
    assert said, child.stderr and child.stderr.read()
    return said.strip()


def say(child: "subprocess.Popen[str]") -> None:
    """Let it go on."""
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


async def total(db: Ommi) -> int:
    return sum(row[0] for row in await succeeds(db, find(Purse).select(Purse.money).all()))


async def watch(db: Ommi, over: anyio.Event, seen: list[int]) -> None:
    """What readers see while others write: money that is never on its way, counters that agree with the journal."""
    while not over.is_set():
        seen.append(await total(db))
        async with db.transaction(TransactionOptions(read_only=True)) as tx:
            counted = {row.id: row.value for row in await tx.find(Counter, Counter.id > 0).all().value}
            noted = Multiset([row.counter for row in await tx.find(Entry).all().value])
        assert counted == {counter: noted[counter] for counter in counted}


def check(told: list[Told], counters: dict[int, int], journal: list[str]) -> None:
    """Everything that was told is so, and nothing else was done."""
    done = [work for one in told for work in one.done]
    stopped = {work for one in told for work in one.stopped}
    refused = {work: kind for one in told for work, kind in one.refused.items()}
    assert set(refused.values()) <= TYPED
    assert len(set(journal)) == len(journal)  # nothing was done twice, by a retry or otherwise
    assert set(done) <= set(journal)
    assert set(journal) <= {*done, *stopped}
    assert counters[0] == sum(one.single for one in told)


async def contend(path: Path, backend: str, *, processes: int) -> None:
    """All write at once, are watched, and are asked what they were told."""
    seed = random.randrange(2**32)
    # some wait for a lock as long as it takes, others give up soon
    patience = [60.0 if number % 2 else 0.05 for number in range(processes)]
    orders = [
        Orders(str(path), f"p{number}", backend, TASKS, TIMES, seed, patience[number]) for number in range(processes)
    ]
    ours = Orders(str(path), "here", backend, TASKS, TIMES, seed)
    told, seen, over = [Told()], list[int](), anyio.Event()
    async with database(path) as db:
        await prepare(db)
        with ExitStack() as stack:
            children = [stack.enter_context(process(order)) for order in orders]
            for child in children:
                assert await line(child) == "ready"
            async with anyio.create_task_group() as watchers:
                watchers.start_soon(watch, db, over, seen)
                async with anyio.create_task_group() as writers:
                    for child in children:
                        writers.start_soon(ask, child, told)
                    await work(db, ours, told[0])
                over.set()
        counters = {row.id: row.value for row in await succeeds(db, find(Counter).all())}
        entries = await succeeds(db, find(Entry).all())
        assert await total(db) == TOTAL, seed
    noted = Multiset([entry.counter for entry in entries if entry.counter is not None])
    assert {key: value for key, value in counters.items() if key} == {key: noted[key] for key in counters if key}, seed
    check(told, counters, [entry.work for entry in entries])
    assert set(seen) == {TOTAL}
    kinds = dict(Multiset(kind for one in told for kind in one.refused.values()))
    print(  # noqa: T201
        f"{processes} + 1 processes of {TASKS} tasks kept {len(entries)} transactions and {counters[0]} single writes;",
        f"{sum(len(one.stopped) for one in told)} stopped; refused: {kinds}; {len(seen)} looks meanwhile; seed {seed}",
    )


async def ask(child: "subprocess.Popen[str]", told: list[Told]) -> None:
    """Let a process begin, and keep what it was told."""
    say(child)
    found = Told()
    vars(found).update(json.loads(await line(child)))
    told.append(found)


@pytest.mark.soak
async def test_tasks_and_processes_that_write_one_file_lose_nothing(tmp_path: Path, anyio_backend_name: str) -> None:
    with anyio.fail_after(900 if SOAKING else 60):
        await contend(tmp_path / "contended.db", anyio_backend_name, processes=PROCESSES)


async def test_readers_do_not_wait_for_a_writer(tmp_path: Path, anyio_backend_name: str) -> None:
    async with database(tmp_path / "contended.db") as db:
        await prepare(db)
        with anyio.fail_after(20):
            async with db.transaction() as tx:
                await tx.find(Purse, Purse.id == 0).update(money=0).value
                async with (
                    anyio.create_task_group() as group
                ):  # its tasks would join: so these leave the block's context
                    for _ in range(8):
                        contextvars.Context().run(group.start_soon, read_outside, db)
            assert await total(db) == TOTAL - 100


async def read_outside(db: Ommi) -> None:
    """A read, and a transaction that reads, by somebody else."""
    assert await total(db) == TOTAL
    assert len(await succeeds(db, find(Purse).all().transactional(read_only=True))) == ACCOUNTS


async def test_a_process_that_holds_its_transaction_holds_up_writers_and_no_reader(
    tmp_path: Path, anyio_backend_name: str
) -> None:
    path = tmp_path / "contended.db"
    async with database(path, patience=0.05) as db:
        await prepare(db)
        with anyio.fail_after(60), process(Orders(str(path), "holder", anyio_backend_name, what="hold")) as holder:
            assert await line(holder) == "holding"
            assert await total(db) == TOTAL
            assert await succeeds(db, find(Entry).count()) == 0
            await fails(db, add(Entry("here")), LockTimeout)
            await fails(db, add(Entry("here")).transactional(), LockTimeout)
            say(holder)
            assert await anyio.to_thread.run_sync(holder.wait) == 0, holder.stderr and holder.stderr.read()
            await succeeds(db, add(Entry("here")))
            assert [entry.work for entry in await succeeds(db, find(Entry).order_by(Entry.id).all())] == [
                "half",
                "here",
            ]
            assert await total(db) == TOTAL


async def test_a_process_killed_in_its_transaction_leaves_nothing_half_done(
    tmp_path: Path, anyio_backend_name: str
) -> None:
    path = tmp_path / "contended.db"
    ended: list[object] = []

    async def write(db: Ommi) -> None:
        ended.append(await db.run(add(Entry("here")).transactional()))

    async with database(path) as db:
        await prepare(db)
        with anyio.fail_after(60), process(Orders(str(path), "victim", anyio_backend_name, what="hold")) as victim:
            assert await line(victim) == "holding"
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(write, db)
                await anyio.lowlevel.checkpoint()
                assert ended == []
                victim.kill()
        assert [type(outcome) for outcome in ended] == [Success] * 5
        assert [entry.work for entry in await succeeds(db, find(Entry).all())] == ["here"] * 5
        assert await total(db) == TOTAL
