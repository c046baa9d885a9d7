"""One statement that writes: what is done once, outside of any transaction, and what may be done again."""

from __future__ import annotations

from typing import Any, final

from ommi.drivers.mongo.client import Session
from ommi.drivers.mongo.documents import Shape, Stored
from ommi.drivers.mongo.keys import Keys
from ommi.drivers.mongo.queries import Queries
from ommi.drivers.mongo.writing import Writer, complete, generates_keys
from ommi.query.statements import Delete, Insert, Update

__all__ = ["Work"]


@final
class Work:
    """One statement that writes, to be done in a session, maybe more than once."""

    __slots__ = ("_documents", "_keys", "_queries", "_statement", "chose_keys")

    def __init__(self, queries: Queries, keys: Keys, statement: Insert | Update | Delete) -> None:
        self._queries = queries
        self._keys = keys
        self._statement = statement
        self._documents: list[dict[str, Any]] = []
        self.chose_keys = False

    async def prepare(self, shape: Shape) -> None:
        """What is done outside the transaction: keys are given out."""
        statement = self._statement
        if isinstance(statement, Insert):
            self.chose_keys = generates_keys(shape, statement.rows)
            self._documents = await complete(shape, self._keys, statement.rows)

    async def __call__(self, session: Session) -> list[Stored] | int:
        """Do it."""
        queries, statement = self._queries, self._statement
        writer = Writer(queries.tables, self._keys, session)
        match statement:
            case Insert():
                return await writer.insert(statement, [dict(document) for document in self._documents])
            case Update():
                return await writer.update(statement, await queries.subqueries(statement, session))
            case Delete():
                return await writer.delete(statement, await queries.subqueries(statement, session))
