"""The rows of the table: each prepares a database, runs an operation often enough, and checks what came out.

Each gives the seconds that one operation took.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

import anyio

from benchmarks.contenders import Contender
from benchmarks.records import check, check_child, family, record, records

__all__ = ["ROWS", "TASKS", "Row"]

Row = Callable[[Contender[Any]], Awaitable[float]]
_MANY = 10_000
_FILLED = 2_000
_STREAMED = 50_000
_LONG_ENOUGH = 0.6
"""Seconds after which an operation has been repeated often enough, however slow it is."""


class _Rounds:
    """So many rounds, fewer if they take long; `seconds` is what one took."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.done = 0
        self.seconds = 0.0

    def __iter__(self) -> Iterator[int]:
        start = time.perf_counter()
        for number in range(self.most):
            yield number
            spent = time.perf_counter() - start
            self.done = number + 1
            self.seconds = spent / self.done
            if spent > _LONG_ENOUGH:
                return


async def _filled(contender: Contender[Any], count: int = _FILLED) -> None:
    assert await contender.insert_many([contender.made(one) for one in records(count)]) == count


async def insert_one(contender: Contender[Any]) -> float:
    """Insert one record, autocommit."""
    made = [contender.made(record(number)) for number in range(301)]
    assert await contender.insert(made[0]) == 1
    rounds = _Rounds(300)
    for number in rounds:
        assert await contender.insert(made[number + 1]) == number + 2
    assert await contender.count(-1) == rounds.done + 1
    return rounds.seconds


async def insert_many(contender: Contender[Any]) -> float:
    """Insert 10,000 records at once."""
    found = [contender.made(one) for one in records(_MANY)]
    rounds = _Rounds(1)
    for _ in rounds:
        assert await contender.insert_many(found) == _MANY
    assert await contender.count(-1) == _MANY
    return rounds.seconds


async def fetch(contender: Contender[Any]) -> float:
    """Fetch 10,000 records as objects."""
    await _filled(contender, _MANY)
    found: Sequence[Any] = []
    rounds = _Rounds(3)
    for _ in rounds:
        found = await contender.fetch()
    assert len(found) == _MANY
    check(found[4321], 4321)
    return rounds.seconds


async def stream(contender: Contender[Any]) -> float:
    """Read 50,000 records as objects, one after the other."""
    for begin in range(0, _STREAMED, _MANY):
        some = [contender.made(record(number)) for number in range(begin, begin + _MANY)]
        assert await contender.insert_many(some) == _MANY
    rounds = _Rounds(1)
    for _ in rounds:
        assert await contender.stream() == _STREAMED
    return rounds.seconds


async def get(contender: Contender[Any]) -> float:
    """Get a record by its key."""
    await _filled(contender)
    found = await contender.get(1)
    rounds = _Rounds(1000)
    for number in rounds:
        found = await contender.get(number * 2 + 1)
    check(found, (rounds.done - 1) * 2)
    return rounds.seconds


async def page(contender: Contender[Any]) -> float:
    """Three conditions, an order, limit 20."""
    await _filled(contender, 1000)
    found: Sequence[Any] = []
    rounds = _Rounds(200)
    for number in rounds:
        found = await contender.page(number % 60)
    ages = [one.age for one in found]
    assert len(ages) == 20
    assert ages == sorted(ages, reverse=True)
    return rounds.seconds


async def update(contender: Contender[Any]) -> float:
    """Update a record by its key."""
    await _filled(contender)
    rounds = _Rounds(300)
    for number in rounds:
        assert await contender.update(number + 1, 101) == 1
    assert await contender.count(100) == rounds.done
    return rounds.seconds


async def count(contender: Contender[Any]) -> float:
    """Count with a condition, in 1,000 rows."""
    await _filled(contender, 1000)
    found = 0
    rounds = _Rounds(500)
    for _ in rounds:
        found = await contender.count(44)
    assert found == sum(one.age > 44 for one in records(1000))
    return rounds.seconds


async def summary(contender: Contender[Any]) -> float:
    """Count and average with a condition, in 1,000 rows, by one statement."""
    await _filled(contender, 1000)
    found, mean = 0, 0.0
    rounds = _Rounds(500)
    for _ in rounds:
        found, mean = await contender.summary(44)
    ages = [one.age for one in records(1000) if one.age > 44]
    assert (found, round(mean, 6)) == (len(ages), round(sum(ages) / len(ages), 6))
    return rounds.seconds


async def delete(contender: Contender[Any]) -> float:
    """Delete a record by its key."""
    await _filled(contender)
    rounds = _Rounds(300)
    for number in rounds:
        assert await contender.delete(number + 1) == 1
    assert await contender.count(-1) == _FILLED - rounds.done
    return rounds.seconds


def in_tasks(tasks: int) -> Row:
    """1,000 records got by key, in so many tasks."""

    async def run(contender: Contender[Any]) -> float:
        await _filled(contender)
        each = 1000 // tasks

        async def work(first: int) -> None:
            for number in range(first, first + each):
                check(await contender.get_at_once(number + 1), number)

        rounds = _Rounds(1)
        for _ in rounds:
            async with anyio.create_task_group() as group:
                for task in range(tasks):
                    group.start_soon(work, task * each)
        return rounds.seconds / 1000

    return run


async def transaction(contender: Contender[Any]) -> float:
    """A transaction of six statements (six updates between BEGIN and COMMIT)."""
    await _filled(contender)
    rounds = _Rounds(100)
    for number in rounds:
        assert await contender.transaction(list(range(number * 6 + 1, number * 6 + 7)), 102) == 6
    assert await contender.count(101) == rounds.done * 6
    return rounds.seconds


async def families(contender: Contender[Any]) -> float:
    """200 parents with 10 children each."""
    await contender.add_family(*family(200, 10))
    found = await contender.families()
    rounds = _Rounds(10)
    for _ in rounds:
        found = await contender.families()
    assert [parent.id for parent, _ in found] == list(range(1, 201))
    assert [child.id for child in found[6][1]] == [7 + 200 * n for n in range(10)]
    check_child(found[6][1][0], family(200, 10)[1][6])
    return rounds.seconds


async def relation_loads(contender: Contender[Any]) -> float:
    """1,000 relation loads in a loop: the children of each of 1,000 parents, 5 each."""
    await contender.add_family(*family(1000, 5))
    spent = 0.0
    rounds = 0
    while rounds < 5 and spent < _LONG_ENOUGH:
        parents = family(1000, 0)[0]
        start = time.perf_counter()
        found = await contender.children(parents)
        spent += time.perf_counter() - start
        rounds += 1
        assert len(found) == 1000
        assert [child.id for child in found[6]] == [7 + 1000 * n for n in range(5)]
    return spent / rounds


async def pairs(contender: Contender[Any]) -> float:
    """2,000 children, each beside its parent, as objects, by a join."""
    parents, children = family(200, 10)
    await contender.add_family(parents, children)
    found = await contender.pairs()
    rounds = _Rounds(10)
    for _ in rounds:
        found = await contender.pairs()
    assert len(found) == 2000
    assert [found[321][0].id, found[321][0].name] == [122, "parent 121"]
    check_child(found[321][1], children[321])
    return rounds.seconds


ROWS: dict[str, Row] = {
    "insert one, autocommit": insert_one,
    "bulk insert 10,000": insert_many,
    "fetch 10,000 as objects": fetch,
    "stream 50,000": stream,
    "get by key": get,
    "3 conditions, order, limit 20": page,
    "update by key": update,
    "200 parents × 10 children": families,
    "1,000 relation loads in a loop": relation_loads,
    "count": count,
    "count, average": summary,
    "join of 2,000 pairs": pairs,
    "delete by key": delete,
    "20 tasks, get by key": in_tasks(20),
    "transaction of 6 statements": transaction,
}
"""The rows of the table, by their names."""

TASKS: dict[str, Row] = {f"get by key, {number} at once": in_tasks(number) for number in (1, 10, 100)}
"""How it scales with the number of tasks: the seconds are those of one get."""
