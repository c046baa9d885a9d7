"""`mongo(…)`: pipelines and commands of an application's own, sent as they are, but for ints of 64 bits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bson import Int64
from pymongo.errors import BulkWriteError, WriteConcernError

from ommi.drivers.driver import Request
from ommi.drivers.mongo.client import Collections, Session, as_it_is
from ommi.drivers.mongo.documents import Document
from ommi.drivers.mongo.telling import command_text, tell
from ommi.errors import QueryRejected
from ommi.query.statements import MongoCommand

__all__ = ["run_command"]

_RUNTIMES: Final = frozenset({"commitTransaction", "abortTransaction", "endSessions", "killSessions", "startSession"})
_WRITING: Final = frozenset({"$out", "$merge"})
_MINDFUL: Final = frozenset({"insert", "update", "delete", "findAndModify", "findandmodify"})
_ENVELOPE: Final = frozenset({"ok", "$clusterTime", "operationTime"})


async def run_command(statement: MongoCommand, request: Request, collections: Collections, session: Session) -> Any:
    """The documents of a pipeline, as the request reads them, or the reply to a command."""
    body = statement.body
    if isinstance(body, Mapping):
        return await _reply(statement, body, collections, session)
    _require_reading(statement, body)
    documents: list[Any] = await collections.aggregate(
        statement.collection, _long(body), session, as_it_is, lambda: command_text(body, statement.collection)
    )
    return request.read(documents)


def _long(value: Any) -> Any:
    """The same with ints of 64 bits, as all rows have them."""
    if isinstance(value, Mapping):
        return {key: _long(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_long(item) for item in value]
    return Int64(value) if type(value) is int else value


async def _reply(
    statement: MongoCommand, body: Mapping[str, Any], collections: Collections, session: Session
) -> Document:
    name, *_ = body
    if name in _RUNTIMES:
        raise QueryRejected(f"{name} cannot be sent as a command: sessions and transactions are Ommi's to end")
    command = {**_long(body), name: statement.collection}
    in_transaction = session is not None and session.in_transaction
    if name in _MINDFUL and not in_transaction:
        command.setdefault("writeConcern", {"w": "majority"})
    tell(lambda: command_text(body, statement.collection))
    reply: Document = await collections.db.command(command, session=session)
    if reply.get("writeErrors"):
        raise BulkWriteError(reply)
    if failed := reply.get("writeConcernError"):
        raise WriteConcernError(failed.get("errmsg"), failed.get("code"), failed)
    return {word: value for word, value in reply.items() if word not in _ENVELOPE}


def _require_reading(statement: MongoCommand, stages: Sequence[Mapping[str, Any]]) -> None:
    for stage in stages:
        if not statement.writes and not _WRITING.isdisjoint(stage):
            raise QueryRejected(f"this pipeline writes, by {next(iter(stage))}: say mongo(…, writes=True)")
