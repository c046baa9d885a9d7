"""The same operations by different means. Every operation returns its result, which is checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio

from benchmarks.places import SQLITE_SETTINGS
from benchmarks.records import (
    CHILDREN,
    COLLECTION,
    CREATE,
    CREATE_FAMILY,
    INSERT,
    PAIRS,
    PARENTS,
    SELECT,
    Child,
    Parent,
    Record,
    parameters,
    stored,
)
from ommi import Ommi, add, add_all, avg, col, count, find, traverse

__all__ = ["CONTENDERS", "Contender", "Plain", "WithOmmi"]

M = TypeVar("M")

_PRAGMAS = "; ".join(f"PRAGMA {name}={value}" for name, value in SQLITE_SETTINGS.items())
_PAGE = f"{SELECT} WHERE age > ? AND active = ? AND name LIKE 'name%' ORDER BY age DESC, id DESC LIMIT 20"


_ADD_PARENT = "INSERT INTO parent (name, id) VALUES (?, ?)"
_ADD_CHILD = "INSERT INTO child (parent, name, age, score, joined, id) VALUES (?, ?, ?, ?, ?, ?)"


def _parent_rows(parents: list[Parent]) -> list[tuple[object, ...]]:
    return [(parent.name, parent.id) for parent in parents]


def _child_rows(children: list[Child]) -> list[tuple[object, ...]]:
    return [(c.parent, c.name, c.age, c.score, c.joined.isoformat(" ", "microseconds"), c.id) for c in children]


def _of(keys: list[int]) -> str:
    return f"{CHILDREN} WHERE parent IN ({', '.join('?' * len(keys))}) ORDER BY id"


_SUMMARY = "SELECT count(*), avg(age) FROM record WHERE age > ?"


def pair(row: Any) -> tuple[Parent, Child]:
    """A row of `PAIRS`, as one would take it apart by hand."""
    of, key, parent, name, age, score, joined, its = row
    return Parent(of, key), Child(parent, name, age, score, datetime.fromisoformat(joined), its)


def grouped(keys: list[int], rows: Iterable[Any]) -> list[list[Child]]:
    """The children of each parent, as one would group them by hand."""
    found: dict[int, list[Child]] = {key: [] for key in keys}
    for parent, name, age, score, joined, key in rows:
        found[parent].append(Child(parent, name, age, score, datetime.fromisoformat(joined), key))
    return list(found.values())


class Contender(Protocol[M]):
    """What is measured, with `M` the class of its records; keys count from 1."""

    async def open(self, path: Path) -> None: ...
    async def close(self) -> None: ...
    def made(self, record: Record, /) -> M: ...
    async def insert(self, made: M, /) -> int: ...
    async def insert_many(self, made: list[M], /) -> int: ...
    async def fetch(self) -> Sequence[M]: ...
    async def stream(self) -> int: ...
    async def get(self, key: int) -> M: ...
    async def get_at_once(self, key: int) -> M: ...
    async def page(self, age: int) -> Sequence[M]: ...
    async def update(self, key: int, age: int) -> int: ...
    async def count(self, age: int) -> int: ...
    async def summary(self, age: int) -> tuple[int, float]: ...
    async def delete(self, key: int) -> int: ...
    async def transaction(self, keys: list[int], age: int) -> int: ...
    async def add_family(self, parents: list[Parent], children: list[Child]) -> None: ...
    async def families(self) -> Sequence[tuple[Any, Sequence[Any]]]: ...
    async def children(self, parents: list[Parent]) -> Sequence[Sequence[Any]]: ...
    async def pairs(self) -> Sequence[tuple[Any, Any]]: ...


class Plain:
    """Records are inserted as they are."""

    def made(self, record: Record, /) -> Record:
        return record


class RawAiosqlite(Plain):
    """aiosqlite used well: its calls of one thread hop, and dataclasses built by hand."""

    async def open(self, path: Path) -> None:
        import aiosqlite

        self.connection = await aiosqlite.connect(path, isolation_level=None)
        await self.connection.executescript(_PRAGMAS)
        await self.connection.execute(CREATE)
        await self.connection.executescript(CREATE_FAMILY)

    async def close(self) -> None:
        await self.connection.close()

    async def insert(self, record: Record) -> int:
        row = await self.connection.execute_insert(INSERT, parameters(record))
        assert row is not None
        return int(row[0])

    async def insert_many(self, records: list[Record]) -> int:
        await self.connection.execute("BEGIN")
        cursor = await self.connection.executemany(INSERT, [parameters(record) for record in records])
        await self.connection.execute("COMMIT")
        return cursor.rowcount

    async def fetch(self) -> list[Record]:
        return [stored(row) for row in await self.connection.execute_fetchall(SELECT)]

    async def stream(self) -> int:
        count = 0
        async with self.connection.execute(SELECT) as cursor:
            async for row in cursor:
                stored(row)
                count += 1
        return count

    async def get(self, key: int) -> Record:
        (row,) = await self.connection.execute_fetchall(f"{SELECT} WHERE id = ?", (key,))
        return stored(row)

    async def get_at_once(self, key: int) -> Record:
        return await self.get(key)

    async def page(self, age: int) -> list[Record]:
        return [stored(row) for row in await self.connection.execute_fetchall(_PAGE, (age, True))]

    async def update(self, key: int, age: int) -> int:
        cursor = await self.connection.execute("UPDATE record SET age = ? WHERE id = ?", (age, key))
        return cursor.rowcount

    async def count(self, age: int) -> int:
        ((found,),) = await self.connection.execute_fetchall("SELECT count(*) FROM record WHERE age > ?", (age,))
        return int(found)

    async def summary(self, age: int) -> tuple[int, float]:
        ((found, mean),) = await self.connection.execute_fetchall(_SUMMARY, (age,))
        return found, mean

    async def delete(self, key: int) -> int:
        cursor = await self.connection.execute("DELETE FROM record WHERE id = ?", (key,))
        return cursor.rowcount

    async def transaction(self, keys: list[int], age: int) -> int:
        await self.connection.execute("BEGIN IMMEDIATE")
        matched = 0
        for key in keys:
            matched += await self.update(key, age)
        await self.connection.execute("COMMIT")
        return matched

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        await self.connection.executemany(_ADD_PARENT, _parent_rows(parents))
        await self.connection.executemany(_ADD_CHILD, _child_rows(children))

    async def families(self) -> list[tuple[Parent, list[Child]]]:
        parents = [Parent(*row) for row in await self.connection.execute_fetchall(PARENTS)]
        found = await self.children(parents)
        return list(zip(parents, found, strict=True))

    async def children(self, parents: list[Parent]) -> list[list[Child]]:
        keys = [parent.id for parent in parents]
        return grouped(keys, await self.connection.execute_fetchall(_of(keys), keys))

    async def pairs(self) -> list[tuple[Parent, Child]]:
        return [pair(row) for row in await self.connection.execute_fetchall(PAIRS)]


class RawTight(Plain):
    """sqlite3 in the thread of the event loop, which it blocks: the least work anyone could do."""

    async def open(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.connection.executescript(_PRAGMAS)
        self.connection.execute(CREATE)
        self.connection.executescript(CREATE_FAMILY)

    async def close(self) -> None:
        self.connection.close()

    async def call(self, function: Callable[[], Any]) -> Any:
        return function()

    async def insert(self, record: Record) -> int:
        return int(await self.call(lambda: self.connection.execute(INSERT, parameters(record)).lastrowid))

    async def insert_many(self, records: list[Record]) -> int:
        def work() -> int:
            self.connection.execute("BEGIN")
            count = self.connection.executemany(INSERT, [parameters(record) for record in records]).rowcount
            self.connection.execute("COMMIT")
            return count

        return int(await self.call(work))

    async def fetch(self) -> list[Record]:
        found: list[Record] = await self.call(lambda: [stored(row) for row in self.connection.execute(SELECT)])
        return found

    async def stream(self) -> int:
        cursor = await self.call(lambda: self.connection.execute(SELECT))
        count = 0
        while some := await self.call(lambda: [stored(row) for row in cursor.fetchmany(1000)]):
            for _ in some:
                count += 1
        return count

    async def get(self, key: int) -> Record:
        (row,) = await self.call(lambda: self.connection.execute(f"{SELECT} WHERE id = ?", (key,)).fetchall())
        return stored(row)

    async def get_at_once(self, key: int) -> Record:
        return await self.get(key)

    async def page(self, age: int) -> list[Record]:
        return [stored(row) for row in await self.call(lambda: self.connection.execute(_PAGE, (age, True)).fetchall())]

    async def update(self, key: int, age: int) -> int:
        sql = "UPDATE record SET age = ? WHERE id = ?"
        return int(await self.call(lambda: self.connection.execute(sql, (age, key)).rowcount))

    async def count(self, age: int) -> int:
        sql = "SELECT count(*) FROM record WHERE age > ?"
        return int(await self.call(lambda: self.connection.execute(sql, (age,)).fetchone()[0]))

    async def summary(self, age: int) -> tuple[int, float]:
        found: tuple[int, float] = await self.call(lambda: self.connection.execute(_SUMMARY, (age,)).fetchone())
        return found

    async def delete(self, key: int) -> int:
        return int(await self.call(lambda: self.connection.execute("DELETE FROM record WHERE id = ?", (key,)).rowcount))

    async def transaction(self, keys: list[int], age: int) -> int:
        await self.call(lambda: self.connection.execute("BEGIN IMMEDIATE"))
        matched = 0
        for key in keys:
            matched += await self.update(key, age)
        await self.call(lambda: self.connection.execute("COMMIT"))
        return matched

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        await self.call(lambda: self.connection.executemany(_ADD_PARENT, _parent_rows(parents)))
        await self.call(lambda: self.connection.executemany(_ADD_CHILD, _child_rows(children)))

    async def families(self) -> list[tuple[Parent, list[Child]]]:
        parents = [Parent(*row) for row in await self.call(lambda: self.connection.execute(PARENTS).fetchall())]
        return list(zip(parents, await self.children(parents), strict=True))

    async def children(self, parents: list[Parent]) -> list[list[Child]]:
        keys = [parent.id for parent in parents]
        return grouped(keys, await self.call(lambda: self.connection.execute(_of(keys), keys).fetchall()))

    async def pairs(self) -> list[tuple[Parent, Child]]:
        found: list[tuple[Parent, Child]] = await self.call(
            lambda: [pair(row) for row in self.connection.execute(PAIRS)]
        )
        return found


class RawThread(RawTight):
    """sqlite3 through the event loop's own worker threads, one hop a call, one call at a time."""

    async def open(self, path: Path) -> None:
        await super().open(path)
        self.limiter = anyio.CapacityLimiter(1)

    async def call(self, function: Callable[[], Any]) -> Any:
        return await anyio.to_thread.run_sync(function, limiter=self.limiter)


def _has(key: int) -> Callable[[Record], bool]:
    return lambda r: r.id == key


class WithOmmi(Plain):
    """Ommi, as its documentation writes it."""

    async def open(self, path: Path) -> None:
        self.database = Ommi.connect(f"sqlite:///{path}", synchronous="NORMAL")
        await self.database.__aenter__()
        (await self.database.run(self.database.schema.create(COLLECTION))).unwrap()

    async def close(self) -> None:
        await self.database.__aexit__(None, None, None)

    async def insert(self, record: Record) -> int:
        return (await self.database.run(add(record))).unwrap().id

    async def insert_many(self, records: list[Record]) -> int:
        return len((await self.database.run(add_all(records))).unwrap())

    async def fetch(self) -> list[Record]:
        return (await self.database.run(find(Record).all())).unwrap()

    async def stream(self) -> int:
        count = 0
        async with self.database.open(find(Record).stream()) as rows:
            async for _ in rows:
                count += 1
        return count

    async def get(self, key: int) -> Record:
        return (await self.database.run(find(Record).where(lambda r: r.id == key).one())).unwrap()

    async def get_at_once(self, key: int) -> Record:
        return await self.get(key)

    async def page(self, age: int) -> list[Record]:
        query = find(Record).where(
            lambda r: r.age > age, lambda r: r.active == True, lambda r: r.name.startswith("name")
        )
        return (await self.database.run(query.order_by(lambda r: col(r.age).desc).limit(20).all())).unwrap()

    async def update(self, key: int, age: int) -> int:
        return (await self.database.run(find(Record).where(lambda r: r.id == key).update(age=age))).unwrap()

    async def count(self, age: int) -> int:
        return (await self.database.run(find(Record).where(lambda r: r.age > age).count())).unwrap()

    async def summary(self, age: int) -> tuple[int, float]:
        query = find(Record).where(lambda r: r.age > age).select(lambda r: (count(r), avg(r.age)))
        found, mean = (await self.database.run(query.one())).unwrap()
        return found, mean or 0.0

    async def delete(self, key: int) -> int:
        return (await self.database.run(find(Record).where(lambda r: r.id == key).delete())).unwrap()

    async def transaction(self, keys: list[int], age: int) -> int:
        updates = traverse(keys, lambda key: find(Record).where(_has(key)).update(age=age))
        return sum((await self.database.run(updates.transactional())).unwrap())

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        (await self.database.run(add_all(parents))).unwrap()
        (await self.database.run(add_all(children))).unwrap()

    async def families(self) -> list[tuple[Parent, list[Child]]]:
        found = (await self.database.run(find(Parent).prefetch(Parent.children).all())).unwrap()
        return [(parent, parent.children.cached or []) for parent in found]

    async def children(self, parents: list[Parent]) -> list[list[Child]]:
        return (await self.database.run(traverse(parents, lambda parent: parent.children))).unwrap()

    async def pairs(self) -> list[tuple[Parent, Child]]:
        query = find(Parent).join(Parent.children).order_by(lambda p, c: c.id)
        return (await self.database.run(query.all())).unwrap()


CONTENDERS: dict[str, tuple[Callable[[], Contender[Record]], str]] = {
    "raw": (RawAiosqlite, "asyncio"),
    "thread": (RawThread, "asyncio"),
    "tight": (RawTight, "asyncio"),
    "ommi": (WithOmmi, "asyncio"),
    "ommi-trio": (WithOmmi, "trio"),
}
"""Every contender and its event loop; `raw` is what the ratios are relative to."""
