"""SQLAlchemy 2 on aiosqlite and asyncpg: its mapper, and its Core with dataclasses built by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Text,
    TypeDecorator,
    delete,
    event,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship, selectinload

from benchmarks.places import SQLITE_SETTINGS, Place
from benchmarks.records import FIELDS, Child, Parent, Record

__all__ = ["Core", "Instant", "Orm"]


class Instant(TypeDecorator[datetime]):
    """A moment in time: on SQLite the library drops the time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: object) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class _Base(DeclarativeBase, MappedAsDataclass):
    pass


class Stored(_Base):
    """The table, as a mapped dataclass."""

    __tablename__ = "record"

    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    age: Mapped[int] = mapped_column(BigInteger)
    score: Mapped[float]
    active: Mapped[bool]
    joined: Mapped[datetime] = mapped_column(DateTime(timezone=True).with_variant(Instant(), "sqlite"))
    nick: Mapped[str | None] = mapped_column(Text)
    id: Mapped[int] = mapped_column(primary_key=True, init=False)


class StoredParent(_Base):
    """What children refer to."""

    __tablename__ = "parent"

    name: Mapped[str] = mapped_column(Text)
    id: Mapped[int] = mapped_column(primary_key=True)
    children: Mapped[list[StoredChild]] = relationship(init=False, order_by="StoredChild.id")


class StoredChild(_Base):
    """What refers to a parent."""

    __tablename__ = "child"

    parent: Mapped[int] = mapped_column(ForeignKey("parent.id"), index=True)
    name: Mapped[str] = mapped_column(Text)
    age: Mapped[int] = mapped_column(BigInteger)
    score: Mapped[float]
    joined: Mapped[datetime] = mapped_column(DateTime(timezone=True).with_variant(Instant(), "sqlite"))
    id: Mapped[int] = mapped_column(primary_key=True)


_CHILD_FIELDS = ("parent", "name", "age", "score", "joined", "id")
_TABLE = Stored.__table__
_PARENTS = StoredParent.__table__
_CHILDREN = StoredChild.__table__
_SELECT = select(*[_TABLE.c[name] for name in FIELDS])


def _configure(connection: Any, _: object) -> None:
    cursor = connection.cursor()
    for name, value in SQLITE_SETTINGS.items():
        cursor.execute(f"PRAGMA {name}={value}")
    cursor.close()


class _OnEngine:
    """An engine with its pool of up to ten connections."""

    metadata = _Base.metadata

    def __init__(self, place: Place) -> None:
        self.place = place

    async def open(self, path: Path) -> None:
        url = self.place.address(path, "sqlite+aiosqlite:///", "postgresql+asyncpg://")
        self.engine: AsyncEngine = create_async_engine(url, pool_size=10, max_overflow=0)
        if self.place.database == "sqlite":
            event.listen(self.engine.sync_engine, "connect", _configure)
        async with self.engine.begin() as connection:
            await connection.run_sync(self.metadata.drop_all)
            await connection.run_sync(self.metadata.create_all)

    async def close(self) -> None:
        await self.engine.dispose()

    async def add_family(self, parents: list[Parent], children: list[Child]) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(insert(_PARENTS), [{"name": one.name, "id": one.id} for one in parents])
            await connection.execute(
                insert(_CHILDREN), [{name: getattr(one, name) for name in _CHILD_FIELDS} for one in children]
            )


class Orm(_OnEngine):
    """A session per operation; the classes are those of the mapper."""

    record: Any = Stored
    parent: Any = StoredParent
    child: Any = StoredChild
    session_class: type[AsyncSession] = AsyncSession

    async def open(self, path: Path) -> None:
        await super().open(path)
        self.session: async_sessionmaker[AsyncSession] = async_sessionmaker(
            self.engine, class_=self.session_class, expire_on_commit=False
        )

    def made(self, record: Record) -> Any:
        return self.record(**_values(record))

    async def insert(self, made: Any) -> int:
        async with self.session() as session:
            session.add(made)
            await session.commit()
        return made.id

    async def insert_many(self, made: list[Any]) -> int:
        """Its bulk INSERT: `add_all` inserts row by row on SQLite, where it reads each key back."""
        rows = [_values(one) for one in made]
        async with self.session() as session:
            await session.execute(insert(self.record).execution_options(render_nulls=True), rows)
            await session.commit()
        return len(rows)

    async def fetch(self) -> Sequence[Any]:
        async with self.session() as session:
            return (await session.scalars(select(self.record))).all()

    async def stream(self) -> int:
        count = 0
        async with self.session() as session:
            async for _ in await session.stream_scalars(select(self.record).execution_options(yield_per=1000)):
                count += 1
        return count

    async def get(self, key: int) -> Any:
        async with self.session() as session:
            return await session.get_one(self.record, key)

    async def get_at_once(self, key: int) -> Any:
        return await self.get(key)

    async def page(self, age: int) -> Sequence[Any]:
        query = select(self.record).where(
            self.record.age > age, self.record.active.is_(True), self.record.name.like("name%")
        )
        async with self.session() as session:
            return (
                await session.scalars(query.order_by(self.record.age.desc(), self.record.id.desc()).limit(20))
            ).all()

    async def update(self, key: int, age: int) -> int:
        async with self.session() as session:
            changed = await session.execute(update(self.record).where(self.record.id == key).values(age=age))
            await session.commit()
        return int(changed.rowcount)

    async def count(self, age: int) -> int:
        async with self.session() as session:
            return int(
                (
                    await session.scalars(select(func.count()).select_from(self.record).where(self.record.age > age))
                ).one()
            )

    async def summary(self, age: int) -> tuple[int, float]:
        query = select(func.count(), func.avg(Stored.age)).where(Stored.age > age)
        async with self.session() as session:
            found, mean = (await session.execute(query)).one()
        return found, float(mean)

    async def delete(self, key: int) -> int:
        async with self.session() as session:
            gone = await session.execute(delete(self.record).where(self.record.id == key))
            await session.commit()
        return int(gone.rowcount)

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with self.session.begin() as session:
            for key in keys:
                changed = await session.execute(update(self.record).where(self.record.id == key).values(age=age))
                matched += changed.rowcount
        return matched

    async def families(self) -> list[tuple[Any, list[Any]]]:
        query = select(self.parent).options(selectinload(self.parent.children)).order_by(self.parent.id)
        async with self.session() as session:
            return [(parent, parent.children) for parent in await session.scalars(query)]

    async def children(self, parents: list[Parent]) -> list[Sequence[Any]]:
        found = []
        async with self.session() as session:
            for parent in parents:
                query = select(self.child).where(self.child.parent == parent.id).order_by(self.child.id)
                found.append((await session.scalars(query)).all())
        return found

    async def pairs(self) -> list[tuple[StoredParent, StoredChild]]:
        query = select(StoredParent, StoredChild).join(StoredChild).order_by(StoredChild.id)
        async with self.session() as session:
            return [(parent, child) for parent, child in await session.execute(query)]


class Core(_OnEngine):
    """A connection of the pool per operation, and no mapper."""

    def made(self, record: Record) -> Record:
        return record

    async def insert(self, made: Record) -> int:
        async with self.engine.begin() as connection:
            (key,) = (await connection.execute(insert(_TABLE).values(_values(made)))).inserted_primary_key
        return int(key)

    async def insert_many(self, made: list[Record]) -> int:
        async with self.engine.begin() as connection:
            await connection.execute(insert(_TABLE), [_values(one) for one in made])
        return len(made)

    async def fetch(self) -> list[Record]:
        async with self.engine.connect() as connection:
            return [Record(*row) for row in await connection.execute(_SELECT)]

    async def stream(self) -> int:
        count = 0
        async with self.engine.connect() as connection:
            async for row in await connection.stream(_SELECT.execution_options(yield_per=1000)):
                Record(*row)
                count += 1
        return count

    async def get(self, key: int) -> Record:
        async with self.engine.connect() as connection:
            return Record(*(await connection.execute(_SELECT.where(_TABLE.c.id == key))).one())

    async def get_at_once(self, key: int) -> Record:
        return await self.get(key)

    async def page(self, age: int) -> list[Record]:
        c = _TABLE.c
        query = _SELECT.where(c.age > age, c.active.is_(True), c.name.like("name%"))
        async with self.engine.connect() as connection:
            rows = await connection.execute(query.order_by(c.age.desc(), c.id.desc()).limit(20))
            return [Record(*row) for row in rows]

    async def update(self, key: int, age: int) -> int:
        async with self.engine.begin() as connection:
            changed = await connection.execute(update(_TABLE).where(_TABLE.c.id == key).values(age=age))
        return changed.rowcount

    async def count(self, age: int) -> int:
        query = select(func.count()).select_from(_TABLE).where(_TABLE.c.age > age)
        async with self.engine.connect() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def summary(self, age: int) -> tuple[int, float]:
        query = select(func.count(), func.avg(_TABLE.c.age)).where(_TABLE.c.age > age)
        async with self.engine.connect() as connection:
            found, mean = (await connection.execute(query)).one()
        return found, float(mean)

    async def delete(self, key: int) -> int:
        async with self.engine.begin() as connection:
            return (await connection.execute(delete(_TABLE).where(_TABLE.c.id == key))).rowcount

    async def transaction(self, keys: list[int], age: int) -> int:
        matched = 0
        async with self.engine.begin() as connection:
            for key in keys:
                changed = await connection.execute(update(_TABLE).where(_TABLE.c.id == key).values(age=age))
                matched += changed.rowcount
        return matched

    async def families(self) -> list[tuple[Parent, list[Child]]]:
        async with self.engine.connect() as connection:
            rows = await connection.execute(select(_PARENTS.c.name, _PARENTS.c.id).order_by(_PARENTS.c.id))
            parents = [Parent(*row) for row in rows]
        return list(zip(parents, await self.children(parents), strict=True))

    async def children(self, parents: list[Parent]) -> list[list[Child]]:
        found: dict[int, list[Child]] = {parent.id: [] for parent in parents}
        columns = [_CHILDREN.c[name] for name in _CHILD_FIELDS]
        query = select(*columns).where(_CHILDREN.c.parent.in_(list(found))).order_by(_CHILDREN.c.id)
        async with self.engine.connect() as connection:
            for row in await connection.execute(query):
                found[row.parent].append(Child(*row))
        return list(found.values())

    async def pairs(self) -> list[tuple[Parent, Child]]:
        columns = [_PARENTS.c.name, _PARENTS.c.id, *(_CHILDREN.c[name] for name in _CHILD_FIELDS)]
        query = select(*columns).select_from(_PARENTS.join(_CHILDREN)).order_by(_CHILDREN.c.id)
        async with self.engine.connect() as connection:
            return [(Parent(*row[:2]), Child(*row[2:])) for row in await connection.execute(query)]


def _values(record: Any) -> dict[str, object]:
    return {name: getattr(record, name) for name in FIELDS if name != "id"}
