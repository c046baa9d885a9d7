"""Statements that read, each with what its subqueries give, in one session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast, final

from ommi.drivers.driver import Request
from ommi.drivers.mongo.client import Collections, Session
from ommi.drivers.mongo.documents import Document, Shape, Stored
from ommi.drivers.mongo.reading import Reading
from ommi.drivers.mongo.tables import Tables
from ommi.drivers.mongo.translation import Subqueries, Translation, refused, subqueries_in
from ommi.errors import UnsupportedOperation
from ommi.query.statements import Count, Delete, Exists, Insert, Select, Statement, Update

__all__ = ["Queries", "asks_another", "query_of"]


@final
class Queries:
    """What is asked of the rows of a database."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @property
    def collections(self) -> Collections:
        """Where the rows are."""
        return self.tables.collections

    async def run(self, request: Request, session: Session) -> Any:
        """A statement that reads."""
        statement = request.statement
        query = query_of(statement)
        reading = await self._unlocked(query, session)
        match statement:
            case Count():
                found: Any = await reading.count(self.collections, session)
            case Exists():
                found = await reading.exists(self.collections, session)
            case _:
                documents, make = await reading.found(self.collections, session)
                if not documents:
                    await self.tables.require_again(query.schema)
                return request.read(map(make, _consumed(documents)))
        if not found:
            await self.tables.require_again(query.schema)
        return found

    async def open(
        self, query: Select, session: Session, batch: int
    ) -> tuple[Any, Callable[[Document], Stored], Callable[[], list[Stored]]]:
        """A cursor of a query's documents, what makes a row of one, and what there is where there are no documents."""
        reading = await self._unlocked(query, session)
        return (*await reading.open(self.collections, session, batch), reading.rows_of_nothing)

    async def _unlocked(self, query: Select, session: Session) -> Reading:
        if query.joins:
            raise refused()
        shape = await self.tables.require(query.schema)
        if query.lock is not None:
            raise UnsupportedOperation(
                "MongoDB has no locks to take beforehand: leave for_update() out, and let a conflict be retried "
                "with .transactional().retry(…)"
            )
        return await self.reading(query, shape, session)

    async def reading(self, query: Select, shape: Shape, session: Session) -> Reading:
        """A query, with what its subqueries give."""
        subqueries = await self.subqueries(query, session)
        linked = None
        if query.link is not None:
            linked = Translation(await self.tables.require(query.link.schema), subqueries)
        return Reading(query, Translation(shape, subqueries), linked)

    async def subqueries(self, statement: Select | Update | Delete, session: Session) -> Subqueries:
        """What the subqueries of a statement give, in the same session."""
        found = {}
        for identity, query in subqueries_in(statement.where):
            shape = await self.tables.require(query.schema)
            reading = await self.reading(query, shape, session)
            documents, make = await reading.found(self.collections, session)
            found[identity] = [value for (value,) in map(make, documents)]
        return found


def _consumed(documents: list[Document]) -> Iterator[Document]:
    """The documents one by one, each let go of as soon as it is read."""
    remaining: list[Document | None] = [None, *reversed(documents)]
    documents.clear()
    return cast("Iterator[Document]", iter(remaining.pop, None))


def query_of(statement: Statement) -> Select:
    """The query of a statement that reads."""
    match statement:
        case Select():
            return statement
        case Count(query) | Exists(query):
            return query
        case _:
            raise AssertionError(f"{statement!r} does not read")


def asks_another(statement: Select | Insert | Update | Delete) -> bool:
    """Whether a statement has a subquery."""
    return not isinstance(statement, Insert) and any(True for _ in subqueries_in(statement.where))
