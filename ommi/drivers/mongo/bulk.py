"""Statements of a run as one command, where its reply and its errors are those of one statement after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, final

import bson
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo.errors import BulkWriteError

from ommi.drivers.driver import Failed, Request
from ommi.drivers.merging import are_inserts, are_updates, merged, whole
from ommi.drivers.mongo.client import CODEC, Session
from ommi.drivers.mongo.documents import Document
from ommi.drivers.mongo.errors import FAILURES
from ommi.drivers.mongo.keys import Keys
from ommi.drivers.mongo.tables import Tables
from ommi.drivers.mongo.telling import bulk_text
from ommi.drivers.mongo.translation import Translation
from ommi.drivers.mongo.writing import changes_of, complete, require_kinds
from ommi.errors import OmmiError
from ommi.frozen import frozen
from ommi.query.expressions import And, Column, Comparison, Literal
from ommi.query.statements import Insert, Statement, Update
from ommi.schema import Schema

__all__ = ["Bulk", "bulk_of", "runs"]

_MOST: Final = 1_000
_BYTES: Final = 12_000_000
"""Less than the 16 MB that a command may have."""


def runs(requests: Sequence[Request]) -> list[Sequence[Request]]:
    """The statements in order, those together of which `bulk_of` may make one command."""
    found: list[Sequence[Request]] = []
    for run in merged(requests, rows=_MOST, updates=_MOST):
        begin = 0
        for end in range(1, len(run)):
            if not _may_be_one(run[end - 1].statement, run[end].statement):
                found.append(run[begin:end])
                begin = end
        found.append(run[begin:])
    return found


def _may_be_one(one: Statement, other: Statement) -> bool:
    """Whether two statements of a run are of one table, and, if they are updates, have no condition but the key."""
    if isinstance(one, Update) and isinstance(other, Update):
        key = len(one.schema.key)
        return one.schema is other.schema and len(_parts(one)) == key == len(_parts(other))
    return isinstance(one, Insert) and isinstance(other, Insert)


@final
@frozen
class Bulk:
    """One command for several statements, in order up to the first that fails.

    `owners` are the places of the statements that its parts belong to; `answers` those of the statements, if all are
    made, but that an update whose key has no row changes none; `present` asks for the places of those that are there.
    """

    schema: Schema
    command: Document
    owners: Sequence[int]
    answers: Sequence[Any]
    present: Callable[[], list[Document]] | None = None

    async def made(self, tables: Tables, session: Session, wrong: Callable[[BulkWriteError], Exception]) -> list[Any]:
        """Send it: the answers, the last of them what `wrong` makes of what the server says of a part that failed."""
        reply = await tables.collections.write(self.command, session, self._text)
        failed = reply.get("writeErrors")
        if failed:
            place = self.owners[failed[0]["index"]]
            return [*self.answers[:place], Failed(wrong(BulkWriteError(reply)))]
        if self.present is None or reply["n"] == len(self.answers):
            return list(self.answers)
        # the reply has only the sum; no key has changed, so those that are there now were there for their update
        table = self.schema.table
        there = await tables.collections.aggregate(table, self.present(), session, lambda found: found["place"])
        return [int(place in there) for place in range(len(self.answers))]

    def _text(self) -> str:
        (name, table), (_, parts), _ = self.command.items()
        return bulk_text(name, table, bson.decode(parts[0].raw), len(parts))


async def bulk_of(requests: Sequence[Request], tables: Tables, keys: Keys) -> Bulk | None:
    """The command for statements of one run, `None` if one of them is refused, or needs more than it.

    Nothing is sent but for what a statement asks outside its transaction.
    """
    statements = [request.statement for request in requests]
    try:
        if are_inserts(statements):
            return await _inserts(statements, tables, keys)
        if are_updates(statements):
            return await _updates(statements, tables)
    except (OmmiError, ValueError, *FAILURES):  # by itself, the statement that this is about says so in its turn
        return None
    return None


async def _inserts(statements: Sequence[Insert], tables: Tables, keys: Keys) -> Bulk | None:
    schema = statements[0].schema
    if any(reference.enforced for reference in schema.references):  # looked at after each
        return None
    shape = await tables.require(schema)
    documents = await complete(shape, keys, whole(statements).rows)
    if any(shape.missing(document) is not None for document in documents):
        return None
    answering = shape.answering(schema.assigned)
    rows = iter([answering(document) for document in documents])
    answers = [[next(rows) for _ in one.rows] for one in statements]
    for document in documents:
        document.setdefault("_id", ObjectId())
    owners = [place for place, one in enumerate(statements) for _ in one.rows]
    return _bulk(schema, {"insert": schema.table}, "documents", documents, owners, answers)


async def _updates(statements: Sequence[Update], tables: Tables) -> Bulk | None:
    schema = statements[0].schema
    shape = await tables.require(schema)
    translation = Translation(shape, {})
    for one in statements:
        require_kinds(one)
    changed = {shape.path(f) for one in statements for f, _ in one.assignments}
    if any(changed & set(link.target_paths) for link in await tables.links_to(schema.table)):
        return None
    parts = [{"q": translation.filter(one.where), "u": changes_of(translation, one)} for one in statements]

    def present() -> list[Document]:
        paths = [shape.path(f) for f in schema.key]
        keys = [_key(translation, one) for one in statements]
        every = [[key[path] for path in paths] for key in keys]
        place = {"$indexOfArray": [{"$literal": every}, [f"${path}" for path in paths]]}
        return [{"$match": {"$or": keys}}, {"$project": {"_id": 0, "place": place}}]

    count = len(statements)
    return _bulk(schema, {"update": schema.table}, "updates", parts, range(count), [1] * count, present)


def _bulk(
    schema: Schema,
    command: Document,
    name: str,
    parts: Sequence[Document],
    owners: Sequence[int],
    answers: Sequence[Any],
    present: Callable[[], list[Document]] | None = None,
) -> Bulk | None:
    # encoded here, where nothing is sent yet: what does not fit BSON is the error of its own statement
    encoded = [bson.encode(part, codec_options=CODEC) for part in parts]
    if sum(map(len, encoded)) > _BYTES:
        return None
    command = {**command, name: [RawBSONDocument(each) for each in encoded], "ordered": True}
    return Bulk(schema, command, owners, answers, present)


def _parts(statement: Update) -> Sequence[Any]:
    where = statement.where
    return where.parts if isinstance(where, And) else (where,)


def _key(translation: Translation, statement: Update) -> Document:
    found: Document = {}
    for part in _parts(statement):
        if isinstance(part, Comparison) and isinstance(part.left, Column) and isinstance(part.right, Literal):
            found[translation.path(part.left)] = translation.kept(part.right, part.left)
    return found
