"""The rows of the table: each prepares a database, runs an operation often enough, and checks what came out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

from benchmarks.contenders import Contender
from benchmarks.records import check, check_child, family, record, records

__all__ = ["ROWS", "Row"]

Row = Callable[[Contender[Any]], Awaitable[float]]
_FILLED = 10_000
_STREAMED = 300_000


async def _filled(contender: Contender[Any], count: int = _FILLED) -> None:
    assert await contender.insert_many([contender.made(one) for one in records(count)]) == count


async def insert_one(contender: Contender[Any]) -> float:
    """Insert one record, autocommit."""
    made = [contender.made(record(number)) for number in range(301)]
    assert await contender.insert(made[0]) == 1
    start = time.perf_counter()
    for number in range(1, 301):
        assert await contender.insert(made[number]) == number + 1
    return time.perf_counter() - start


async def insert_many(contender: Contender[Any]) -> float:
    """Insert 10,000 records at once."""
    found = [contender.made(one) for one in records(_FILLED)]
    start = time.perf_counter()
    assert await contender.insert_many(found) == _FILLED
    return time.perf_counter() - start


async def fetch(contender: Contender[Any]) -> float:
    """Fetch 10,000 records as objects."""
    await _filled(contender)
    found: Sequence[Any] = []
    start = time.perf_counter()
    for _ in range(3):
        found = await contender.fetch()
    spent = time.perf_counter() - start
    assert len(found) == _FILLED
    check(found[4321], 4321)
    return spent


async def stream(contender: Contender[Any]) -> float:
    """Read 300,000 records as objects, one after the other."""
    for begin in range(0, _STREAMED, 30_000):
        some = [contender.made(record(number)) for number in range(begin, begin + 30_000)]
        assert await contender.insert_many(some) == len(some)
    start = time.perf_counter()
    count = await contender.stream()
    spent = time.perf_counter() - start
    assert count == _STREAMED
    return spent


async def get(contender: Contender[Any]) -> float:
    """Get a record by its key."""
    await _filled(contender)
    found = await contender.get(1)
    start = time.perf_counter()
    for number in range(0, 4000, 4):
        found = await contender.get(number + 1)
    spent = time.perf_counter() - start
    check(found, 3996)
    return spent


async def page(contender: Contender[Any]) -> float:
    """Three conditions, an order, limit 20."""
    await _filled(contender, 1000)
    found: Sequence[Any] = []
    start = time.perf_counter()
    for number in range(200):
        found = await contender.page(number % 60)
    spent = time.perf_counter() - start
    ages = [one.age for one in found]
    assert len(ages) == 20
    assert ages == sorted(ages, reverse=True)
    return spent


async def update(contender: Contender[Any]) -> float:
    """Update a record by its key."""
    await _filled(contender)
    start = time.perf_counter()
    for number in range(300):
        assert await contender.update(number + 1, 77) == 1
    spent = time.perf_counter() - start
    assert (await contender.get(300)).age == 77
    return spent


async def count(contender: Contender[Any]) -> float:
    """Count with a condition, in 1,000 rows."""
    await _filled(contender, 1000)
    found = 0
    start = time.perf_counter()
    for _ in range(500):
        found = await contender.count(44)
    spent = time.perf_counter() - start
    assert found == sum(one.age > 44 for one in records(1000))
    return spent


async def summary(contender: Contender[Any]) -> float:
    """Count and average with a condition, in 1,000 rows, by one statement."""
    await _filled(contender, 1000)
    found, mean = 0, 0.0
    start = time.perf_counter()
    for _ in range(500):
        found, mean = await contender.summary(44)
    spent = time.perf_counter() - start
    ages = [one.age for one in records(1000) if one.age > 44]
    assert (found, round(mean, 6)) == (len(ages), round(sum(ages) / len(ages), 6))
    return spent


async def delete(contender: Contender[Any]) -> float:
    """Delete a record by its key."""
    await _filled(contender)
    start = time.perf_counter()
    for number in range(300):
        assert await contender.delete(number + 1) == 1
    spent = time.perf_counter() - start
    assert await contender.count(-1) == _FILLED - 300
    return spent


async def twenty_tasks(contender: Contender[Any]) -> float:
    """20 tasks, each getting 50 records by key."""
    await _filled(contender)

    async def work(first: int) -> None:
        for number in range(first, first + 50):
            check(await contender.get_at_once(number + 1), number)

    start = time.perf_counter()
    async with anyio.create_task_group() as group:
        for task in range(20):
            group.start_soon(work, task * 400)
    return time.perf_counter() - start


async def transaction(contender: Contender[Any]) -> float:
    """A transaction of six statements (six updates between BEGIN and COMMIT)."""
    await _filled(contender)
    start = time.perf_counter()
    for number in range(100):
        assert await contender.transaction(list(range(number * 6 + 1, number * 6 + 7)), 78) == 6
    spent = time.perf_counter() - start
    assert (await contender.get(600)).age == 78
    return spent


async def families(contender: Contender[Any]) -> float:
    """200 parents with 10 children each."""
    await contender.add_family(*family(200, 10))
    found = await contender.families()
    start = time.perf_counter()
    for _ in range(10):
        found = await contender.families()
    spent = time.perf_counter() - start
    assert [parent.id for parent, _ in found] == list(range(1, 201))
    assert [child.id for child in found[6][1]] == [7 + 200 * n for n in range(10)]
    check_child(found[6][1][0], family(200, 10)[1][6])
    return spent


async def relation_loads(contender: Contender[Any]) -> float:
    """1,000 relation loads in a loop: the children of each of 1,000 parents, 5 each."""
    await contender.add_family(*family(1000, 5))
    spent = 0.0
    found: Sequence[Sequence[Any]] = []
    for _ in range(5):
        parents = family(1000, 0)[0]
        start = time.perf_counter()
        found = await contender.children(parents)
        spent += time.perf_counter() - start
    assert len(found) == 1000
    assert [child.id for child in found[6]] == [7 + 1000 * n for n in range(5)]
    return spent


async def pairs(contender: Contender[Any]) -> float:
    """2,000 children, each beside its parent, as objects, by a join."""
    parents, children = family(200, 10)
    await contender.add_family(parents, children)
    found = await contender.pairs()
    start = time.perf_counter()
    for _ in range(10):
        found = await contender.pairs()
    spent = time.perf_counter() - start
    assert len(found) == 2000
    assert [found[321][0].id, found[321][0].name] == [122, "parent 121"]
    check_child(found[321][1], children[321])
    return spent


ROWS: dict[str, Row] = {
    "insert one, autocommit": insert_one,
    "bulk insert 10,000": insert_many,
    "fetch 10,000 as objects": fetch,
    "stream 300,000": stream,
    "get by key": get,
    "3 conditions, order, limit 20": page,
    "update by key": update,
    "200 parents × 10 children": families,
    "1,000 relation loads in a loop": relation_loads,
    "count": count,
    "count, average": summary,
    "join of 2,000 pairs": pairs,
    "delete by key": delete,
    "20 tasks, get by key": twenty_tasks,
    "transaction of 6 statements": transaction,
}
"""The rows of performance.md that exist so far, by their names there."""
