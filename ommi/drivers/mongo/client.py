"""What is asked of PyMongo: the same calls for its own asynchronous client and for Motor's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar, final

from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import WriteConcern
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from ommi.drivers.mongo.documents import Document
from ommi.drivers.mongo.telling import Told, find_text, pipeline_text, tell

__all__ = ["CODEC", "MAJORITY", "SNAPSHOT", "Collections", "Session", "as_it_is", "drained", "resolved"]

T = TypeVar("T")

Session: TypeAlias = Any
"""A client session, or `None` for a statement on its own."""

MAJORITY: Final = WriteConcern("majority")
SNAPSHOT: Final = ReadConcern("snapshot")
CODEC: Final[CodecOptions[Document]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,  # one outside of Python's years is no error of the reading
)
_BATCH: Final = 5_000
_FIRST: Final = 101
"""So many documents come with the answer to a query; the rest, up to 16 MB of them, are asked for."""


@final
class Collections:
    """The collections of one database, read from the primary and written to a majority."""

    __slots__ = ("_made", "client", "db")

    def __init__(self, client: Any, database: str) -> None:
        self.client = client
        self.db = client.get_database(
            database,
            codec_options=CODEC,
            read_preference=ReadPreference.PRIMARY,
            write_concern=MAJORITY,
            read_concern=ReadConcern("majority"),
        )
        self._made: dict[str, Any] = {}

    def _collection(self, table: str) -> Any:
        made = self._made.get(table)
        if made is None:
            made = self._made[table] = self.db[table]
        return made

    def __getitem__(self, table: str) -> Any:
        return Told.of(self._collection(table), table)

    async def find(
        self,
        table: str,
        where: Document,
        session: Session,
        make: Callable[[Document], T],
        *,
        projection: Mapping[str, Any] | None = None,
        sort: Mapping[str, int] | None = None,
        skip: int = 0,
        limit: int = 0,
    ) -> list[T]:
        """What `make` gives for each document found."""
        cursor = self.finding(table, where, session, projection=projection, sort=sort, skip=skip, limit=limit)
        return await drained(cursor, make)

    def finding(
        self,
        table: str,
        where: Document,
        session: Session,
        *,
        projection: Mapping[str, Any] | None = None,
        sort: Mapping[str, int] | None = None,
        skip: int = 0,
        limit: int = 0,
        batch: int = 0,
    ) -> Any:
        """A cursor of the documents found, `batch` of them at a time (0: as the server likes); not sent yet."""
        tell(lambda: find_text(table, where, sort, limit))
        return self._collection(table).find(
            where,
            projection,
            skip=skip,
            limit=limit,
            sort=list(sort.items()) if sort else None,
            session=session,
            batch_size=batch,
            allow_disk_use=True if sort else None,
        )

    async def aggregate(
        self,
        table: str,
        pipeline: Sequence[Document],
        session: Session,
        make: Callable[[Document], T],
        text: Callable[[], str] | None = None,
    ) -> list[T]:
        """What `make` gives for each document that comes out of a pipeline."""
        return await drained(await self.aggregating(table, pipeline, session, text=text), make)

    async def aggregating(
        self,
        table: str,
        pipeline: Sequence[Document],
        session: Session,
        batch: int = 0,
        text: Callable[[], str] | None = None,
    ) -> Any:
        """A cursor of the documents that come out of a pipeline; who wants to be told of it is told the text."""
        options = {"batchSize": batch} if batch else {}
        tell(text or (lambda: pipeline_text(table, pipeline)))
        found = self._collection(table).aggregate(list(pipeline), session=session, allowDiskUse=True, **options)
        return await resolved(found)

    async def command(self, name: str, value: Any, **options: Any) -> Document:
        """Run a command that changes collections; acknowledged by a majority."""
        tell(lambda: f"{name} {value}")
        document: Document = await self.db.command({name: value, **options, "writeConcern": {"w": "majority"}})
        return document

    async def write(self, command: Document, session: Session, text: Callable[[], str]) -> Document:
        """Run a command that writes, in a transaction; the reply says what failed."""
        tell(text)
        reply: Document = await self.db.command(command, session=session)
        return reply


def as_it_is(document: Document) -> Document:
    """The document itself."""
    return document


async def resolved(found: Any) -> Any:
    """The value itself, or what it gives when it is awaited: Motor and PyMongo differ in which calls are coroutines."""
    return await found if hasattr(found, "__await__") else found


async def drained(cursor: Any, make: Callable[[Document], T]) -> list[T]:
    """What `make` gives for each document of a cursor, which is then closed."""
    found: list[T] = []
    try:
        while batch := await cursor.to_list(_BATCH):
            found += map(make, batch)
            if len(batch) < _BATCH and not cursor.alive:
                break
    finally:
        if cursor.alive:
            await cursor.close()
    if len(found) > _FIRST:
        tell(lambda: "getMore")
    return found
