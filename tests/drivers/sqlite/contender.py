"""A process that writes to the file of `test_contention` with many tasks, and says on stdout what it was told.

Run with a JSON object: what to do, where, on which event loop, how often, and from which seed.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import anyio

from ommi import Effect, Failure, Key, ModelCollection, Ommi, Prog, Schedule, add, auto, effect, find, ommi_model
from ommi.drivers.sqlite import SQLiteDriver
from ommi.testing import succeeds

models = ModelCollection()
COUNTERS = 3
ACCOUNTS = 6
TOTAL = 100 * ACCOUNTS


@ommi_model(collection=models)
@dataclass
class Counter:
    """What is counted in transactions that read and then write, and, for key 0, in single statements."""

    id: Annotated[int, Key]
    value: int = 0


@ommi_model(collection=models)
@dataclass
class Purse:
    """Money that goes from one to another."""

    id: Annotated[int, Key]
    money: int = 100


@ommi_model(collection=models)
@dataclass
class Entry:
    """What a transaction says that it did, written in it."""

    work: str
    counter: int | None = None
    id: Annotated[int, Key] = auto()


@dataclass(frozen=True)
class Orders:
    """What a process is to do."""

    path: str
    name: str
    backend: str
    tasks: int = 50
    times: int = 2
    seed: int = 0
    patience: float = 60.0
    what: str = "write"


def database(path: str | Path, patience: float = 60.0) -> Ommi:
    return Ommi(SQLiteDriver(path, synchronous="NORMAL", busy_timeout=patience, acquire_timeout=patience))


async def prepare(db: Ommi) -> None:
    await succeeds(db, db.schema.create(models))
    for number in range(COUNTERS + 1):
        await succeeds(db, add(Counter(number)))
    for number in range(ACCOUNTS):
        await succeeds(db, add(Purse(number)))


@effect
def count(counter: int, work: str) -> Prog[None, Any]:
    """Read, and write what was read and one more."""
    found = yield from find(Counter, Counter.id == counter).one()
    yield from add(Entry(work, counter))
    yield from find(Counter, Counter.id == counter).update(value=found.value + 1)


@effect
def transfer(one: int, other: int, work: str) -> Prog[None, Any]:
    purse = yield from find(Purse, Purse.id == one).one()
    yield from find(Purse, Purse.id == one).update(money=purse.money - 7)
    yield from add(Entry(work))
    yield from find(Purse, Purse.id == other).update(money=Purse.money + 7)


class Told:
    """What a process was told of its work."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.stopped: list[str] = []
        self.refused: dict[str, str] = {}
        self.single = 0

    def json(self) -> str:
        return json.dumps(vars(self))


async def work(db: Ommi, orders: Orders, told: Told) -> None:
    """So many tasks, each so many pieces of work, one after the other."""
    async with anyio.create_task_group() as group:
        for task in range(orders.tasks):
            group.start_soon(_task, db, orders, f"{orders.name} {task}", told)


async def _task(db: Ommi, orders: Orders, name: str, told: Told) -> None:
    chance = random.Random(f"{orders.seed} {name}")
    for time in range(orders.times):
        label = f"{name} {time}"
        if chance.random() < 0.3:
            outcome = await db.run(find(Counter, Counter.id == 0).update(value=Counter.value + 1))
            if isinstance(outcome, Failure):
                told.refused[label] = type(outcome.failure()).__name__
            else:
                told.single += 1
            continue
        program: Effect[None, Any]
        if chance.random() < 0.5:
            program = count(chance.randint(1, COUNTERS), label)
        else:
            one, other = chance.sample(range(ACCOUNTS), 2)
            program = transfer(one, other, label)
        whole = program.transactional(timeout=chance.choice([None, None, 0.002, 0.02]))
        if chance.random() < 0.3:
            whole = whole.retry(Schedule.fixed(0.001).up_to(2))
        ended: Any = None
        with anyio.move_on_after(chance.choice([60, 60, 60, chance.random() * 0.02])):
            ended = await db.run(whole)
        if ended is None:
            told.stopped.append(label)
        elif isinstance(ended, Failure):
            told.refused[label] = type(ended.failure()).__name__
        else:
            told.done.append(label)


def say(word: str) -> None:
    print(word, flush=True)  # noqa: T201


def hear() -> None:
    sys.stdin.readline()


async def main(orders: Orders) -> None:
    async with database(orders.path, orders.patience) as db:
        if orders.what == "write":
            say("ready")
            await anyio.to_thread.run_sync(hear)
            told = Told()
            await work(db, orders, told)
            say(told.json())
            return
        async with db.transaction() as tx:
            await tx.add(Entry("half")).value
            await tx.find(Purse, Purse.id == 0).update(money=Purse.money - 50).value
            say("holding")
            await anyio.to_thread.run_sync(hear)
            await tx.find(Purse, Purse.id == 1).update(money=Purse.money + 50).value


if __name__ == "__main__":
    given = Orders(**json.loads(sys.argv[1]))
    anyio.run(main, given, backend=given.backend)
