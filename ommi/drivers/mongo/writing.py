"""`Insert`, `Update` and `Delete`: what must be several writes is given a transaction by the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, final

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from ommi.drivers.defaults import server_default
from ommi.drivers.memory.evaluate import Evaluation
from ommi.drivers.memory.forms import stored
from ommi.drivers.mongo.client import Collections, Session
from ommi.drivers.mongo.documents import Document, Shape, Stored
from ommi.drivers.mongo.keys import Keys
from ommi.drivers.mongo.references import References
from ommi.drivers.mongo.rules import unique_fields
from ommi.drivers.mongo.tables import Tables
from ommi.drivers.mongo.translation import Subqueries, Translation
from ommi.drivers.violations import check_fails, required
from ommi.errors import QueryRejected
from ommi.frozen import frozen
from ommi.query.checks import check_predicates
from ommi.query.expressions import And, Column, Comparison, Literal, PredicateNode, nullable, type_of
from ommi.query.statements import Delete, Insert, OnConflict, Update
from ommi.schema import Field, Row, Schema
from ommi.values import DEFAULT, Kind

__all__ = ["Writer", "changes_of", "complete", "generates_keys", "needs_transaction", "require_kinds"]

_CHUNK: Final = 5_000
_TRIES: Final = 3
_OLD: Final = "_ommi_old"


async def needs_transaction(statement: Insert | Update | Delete, tables: Tables) -> bool:
    """Whether a statement is more than one write to one document."""
    schema = statement.schema
    match statement:
        case Insert(rows=rows, on_conflict=conflict):
            if len(rows) != 1 or any(reference.enforced for reference in schema.references):
                return True
            changed = set() if conflict is None else {tables.shape(schema).path(f) for f in conflict.update}
            return bool(changed) and await _refer_to(tables, schema, changed)
        case Update(where=where, assignments=assignments):
            fields = {f for f, _ in assignments}
            if not _at_most_one(schema, where) or fields & set(schema.key):
                return True
            if any(r.enforced and fields & set(r.fields) for r in schema.references):
                return True
            return await _refer_to(tables, schema, {tables.shape(schema).path(f) for f in fields})
        case Delete(where=where):
            return not _at_most_one(schema, where) or bool(await tables.links_to(schema.table))


async def _refer_to(tables: Tables, schema: Schema, paths: set[str]) -> bool:
    """Whether rows of some table refer to what is at one of the paths."""
    return any(paths & set(link.target_paths) for link in await tables.links_to(schema.table))


@final
@frozen
class Writer:
    """Writes for one statement, in a session or on its own."""

    tables: Tables
    keys: Keys
    session: Session

    @property
    def collections(self) -> Collections:
        """Where it is written."""
        return self.tables.collections

    # -- insert

    async def insert(self, statement: Insert, documents: Sequence[Document]) -> list[Stored]:
        """Add rows, which `complete` made documents of; see `Insert` for the answer."""
        schema = statement.schema
        shape = self.tables.shape(schema)
        if statement.on_conflict is not None:
            return await self._upsert(shape, statement.on_conflict, documents)
        for place, document in enumerate(documents):
            missing = shape.missing(document)
            if missing is not None:
                await self._add(shape, documents[:place])  # rows before it may break a rule, too
                raise required(schema, missing)
        await self._add(shape, documents)
        await References(self.tables, self.session).added(shape, documents)
        answering = shape.answering(schema.assigned)
        return [answering(document) for document in documents]

    async def _add(self, shape: Shape, documents: Sequence[Document]) -> None:
        collection = self.collections[shape.schema.table]
        if len(documents) == 1:
            await collection.insert_one(documents[0], session=self.session)
        elif documents:
            await collection.insert_many(documents, ordered=True, session=self.session)

    async def _upsert(self, shape: Shape, conflict: OnConflict, documents: Sequence[Document]) -> list[Stored]:
        schema = shape.schema
        _require_unique(schema, conflict)
        require = _requirements(shape)
        references = References(self.tables, self.session)
        added: list[Document] = []
        for document in documents:
            require(document)
            for left in range(_TRIES, -1, -1):
                try:
                    added.append(await self._upsert_one(shape, conflict, document, references))
                    break
                except DuplicateKeyError:
                    # another client may have added the row between our two questions
                    if not left or (self.session is not None and self.session.in_transaction):
                        raise
        await references.added(shape, added)
        await references.enforce()
        return [shape.row(document) for document in added]

    async def _upsert_one(
        self, shape: Shape, conflict: OnConflict, document: Document, references: References
    ) -> Document:
        collection = self.collections[shape.schema.table]
        where = {shape.path(f): document.get(shape.path(f)) for f in conflict.fields}
        if None in where.values():
            await collection.insert_one(document, session=self.session)
            return document
        update = _literal_update({shape.path(f): document.get(shape.path(f)) for f in conflict.update})
        changed = list(update.get("$set", {})) + list(update.get("$unset", {}))
        targets = {path for link in await self.tables.links_to(shape.schema.table) for path in link.target_paths}
        old: Document | None = None
        if not update or targets & set(changed):
            old = await collection.find_one(where, session=self.session)
            if old is not None and not update:
                return old
        if update:
            found: Document | None = await collection.find_one_and_update(
                where, update, return_document=ReturnDocument.AFTER, session=self.session
            )
            if found is not None:
                if old is not None:
                    await references.changed(shape.schema.table, [old], changed)
                return found
        await collection.insert_one(document, session=self.session)
        return document

    # -- update

    async def update(self, statement: Update, subqueries: Subqueries) -> int:
        """Set fields of the rows that fit, all at once: keys may change places. Answers with their number."""
        schema = statement.schema
        shape = self.tables.shape(schema)
        translation = Translation(shape, subqueries)
        require_kinds(statement)
        fields = [f for f, _ in statement.assignments]
        where = translation.filter(statement.where)
        computed = {f for f, value in statement.assignments if not isinstance(value, Literal)}
        if set(fields) & set(schema.key) or computed & unique_fields(schema):
            return await self._rewrite(statement, translation, where)
        paths = {shape.path(f) for f in fields}
        links = [link for link in await self.tables.links_to(schema.table) if paths & set(link.target_paths)]
        refers = any(r.enforced and not set(r.fields).isdisjoint(fields) for r in schema.references)
        collection = self.collections[schema.table]
        if not links and not refers:
            # a write to one document is sent again by PyMongo when the primary is lost, which one to many is not
            update = collection.update_one if _at_most_one(schema, statement.where) else collection.update_many
            updated = await update(where, changes_of(translation, statement), session=self.session)
            return int(updated.matched_count)
        wanted = {path for link in links for path in link.target_paths}
        old = await self._find(schema.table, where, wanted)
        keys = [document["_id"] for document in old]
        change = changes_of(translation, statement)
        for chunk in _chunks(keys):
            await collection.update_many({"_id": {"$in": chunk}}, change, session=self.session)
        references = References(self.tables, self.session)
        if refers:
            wanted = {shape.path(f) for r in schema.references for f in r.fields}
            new = [
                d for chunk in _chunks(keys) for d in await self._find(schema.table, {"_id": {"$in": chunk}}, wanted)
            ]
            await references.added(shape, new, fields)
        await references.changed(schema.table, old, paths)
        await references.enforce()
        return len(old)

    async def _rewrite(self, statement: Update, translation: Translation, where: Document) -> int:
        """Take the rows out and put them in again: what is unique counts when all are changed."""
        schema, shape = statement.schema, translation.shape
        stages = [{"$match": where}, {"$set": {_OLD: "$$ROOT"}}, {"$set": _computed(translation, statement)}]
        new = await self.collections.aggregate(schema.table, stages, self.session, dict)
        old = [document.pop(_OLD) for document in new]
        for document in new:
            missing = shape.missing(document)
            if missing is not None:
                raise required(schema, missing)
        for chunk in _chunks([document["_id"] for document in old]):
            await self.collections[schema.table].delete_many({"_id": {"$in": chunk}}, session=self.session)
        await self._add(shape, new)
        fields = [f for f, _ in statement.assignments]
        references = References(self.tables, self.session)
        await references.added(shape, new, fields)
        await references.changed(schema.table, old, [shape.path(f) for f in fields])
        await references.enforce()
        return len(new)

    # -- delete

    async def delete(self, statement: Delete, subqueries: Subqueries) -> int:
        """Remove the rows that fit, and what refers to them as declared. Answers with the number of the former."""
        schema = statement.schema
        where = Translation(self.tables.shape(schema), subqueries).filter(statement.where)
        links = await self.tables.links_to(schema.table)
        collection = self.collections[schema.table]
        if not links:
            delete = collection.delete_one if _at_most_one(schema, statement.where) else collection.delete_many
            return int((await delete(where, session=self.session)).deleted_count)
        old = await self._find(schema.table, where, {path for link in links for path in link.target_paths})
        for chunk in _chunks([document["_id"] for document in old]):
            await collection.delete_many({"_id": {"$in": chunk}}, session=self.session)
        if old:
            references = References(self.tables, self.session)
            await references.removed(schema.table, old)
            await references.enforce()
        return len(old)

    async def _find(self, table: str, where: Document, paths: set[str]) -> list[Document]:
        projection = {"_id": 1, **dict.fromkeys(paths, 1)}
        return await self.collections.find(table, where, self.session, dict, projection=projection)


async def complete(shape: Shape, keys: Keys, rows: Sequence[Row]) -> list[Document]:
    """The documents of rows of canonical values, with what the database assigns."""
    schema = shape.schema
    now = datetime.now(UTC)
    generated = shape.numbered
    numbers: Iterator[int] = iter(())
    if generated is not None:
        given = [row[generated] for row in rows if type(row[generated]) is int]
        if given:
            await keys.given(schema, given)
        if len(given) < len(rows):
            wanted = sum(1 for row in rows if row[generated] is DEFAULT)
            numbers = iter(await keys.take(schema, wanted))

    def assigned(f: Field) -> Any:
        if f.server_default is not None:
            return server_default(schema, f, now, "MongoDB")
        if not f.generated:
            return None
        return next(numbers) if f.type.generate is None else f.type.generate()

    documents = []
    for row in rows:
        if DEFAULT in row:
            row = [assigned(f) if value is DEFAULT else value for f, value in zip(schema.fields, row, strict=True)]
        documents.append(shape.document(row))
    return documents


def generates_keys(shape: Shape, rows: Sequence[Row]) -> bool:
    """Whether the client chooses int keys for rows."""
    place = shape.numbered
    return place is not None and any(row[place] is DEFAULT for row in rows)


def _requirements(shape: Shape) -> Callable[[Document], None]:
    """What a row to be upserted must meet by itself, even where another one stays in its place."""
    schema = shape.schema
    evaluation = Evaluation((schema,), subquery=lambda query, around: ())
    checks = [(rule, evaluation.test(condition)) for rule, condition in check_predicates(schema)]

    def require(document: Document) -> None:
        missing = shape.missing(document)
        if missing is not None:
            raise required(schema, missing)
        if checks:
            values = shape.canonical(document)
            kept = tuple([stored(f.type.kind, value) for f, value in zip(schema.fields, values, strict=True)])
            for rule, holds in checks:
                if not holds(kept):
                    raise check_fails(schema, rule)

    return require


def _require_unique(schema: Schema, conflict: OnConflict) -> None:
    fields = set(conflict.fields)
    if fields == set(schema.key) or any(i.unique and fields == set(i.fields) for i in schema.indexes):
        return
    names = ", ".join(f.name for f in conflict.fields)
    raise QueryRejected(f"{schema.name} has no key or unique index of exactly {names} to find the row there by")


def require_kinds(statement: Update) -> None:
    """`QueryRejected` for a float that would be kept in an int field."""
    for f, value in statement.assignments:
        kind = type_of(value).kind
        if kind is Kind.FLOAT and f.type.kind is Kind.INT and not (isinstance(value, Literal) and value.value is None):
            raise QueryRejected(f"{statement.schema.name}.{f.name} holds int and cannot be set to the float {value!r}")


def changes_of(translation: Translation, statement: Update) -> Document | list[Document]:
    """The change as operators where all values are known, and else as a pipeline."""
    if all(isinstance(value, Literal) for _, value in statement.assignments):
        values: dict[str, Any] = {}
        for f, value in statement.assignments:
            assert isinstance(value, Literal)
            values[translation.shape.path(f)] = translation.kept(value, Column(statement.schema, f), f.type.kind)
        return _literal_update(values)
    return [{"$set": _computed(translation, statement)}]


def _literal_update(values: dict[str, Any]) -> Document:
    sets = {path: value for path, value in values.items() if value is not None}
    unsets = {path: "" for path, value in values.items() if value is None}
    return {**({"$set": sets} if sets else {}), **({"$unset": unsets} if unsets else {})}


def _computed(translation: Translation, statement: Update) -> Document:
    found = {}
    for f, value in statement.assignments:
        expression = translation.assigned(value, Column(statement.schema, f))
        if nullable(value):
            expression = {"$ifNull": [expression, "$$REMOVE"]}
        found[translation.shape.path(f)] = expression
    return found


def _at_most_one(schema: Schema, where: PredicateNode | None) -> bool:
    """Whether a condition names the whole key."""
    if isinstance(where, And):
        return {_named(schema, part) for part in where.parts}.issuperset(schema.key)
    return schema.key == (_named(schema, where),)


def _named(schema: Schema, part: PredicateNode | None) -> Field | None:
    """The field that a condition gives the value of."""
    if isinstance(part, Comparison) and part.operator == "==":
        for one, other in ((part.left, part.right), (part.right, part.left)):
            if isinstance(one, Column) and isinstance(other, Literal) and one.schema is schema:
                return one.field
    return None


def _chunks(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for at in range(0, len(keys), _CHUNK):
        yield keys[at : at + _CHUNK]
