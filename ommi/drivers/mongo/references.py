"""References: a row touches what it refers to, and what goes away takes along or sets free what referred to it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeAlias, final

from bson import Decimal128, ObjectId

from ommi.drivers.mongo.client import Collections, Session
from ommi.drivers.mongo.documents import TOUCHED, Document, Shape, Stored
from ommi.drivers.mongo.tables import Link, Tables, violation_of
from ommi.drivers.violations import missing_row
from ommi.schema import Field, OnDelete, Reference

__all__ = ["References"]

Values: TypeAlias = dict[Hashable, Stored]
"""Values of several paths, without those of which one is missing; by what makes them equal."""

_CHUNK: Final = 5_000


@final
@dataclass(slots=True)
class References:
    """Enforces references in the transaction of one statement."""

    tables: Tables
    session: Session
    _doubtful: list[tuple[Link, Values]] = field(default_factory=list)

    @property
    def collections(self) -> Collections:
        return self.tables.collections

    # -- rows that refer

    async def added(self, shape: Shape, documents: Sequence[Document], changed: Iterable[Field] | None = None) -> None:
        """Rows were added, or changed in some fields: `ForeignKeyViolation` if one refers to nothing."""
        missing: list[tuple[int, int, Reference]] = []
        columns = None if changed is None else set(changed)
        for rank, reference in enumerate(shape.schema.references):
            if not reference.enforced or (columns is not None and columns.isdisjoint(reference.fields)):
                continue
            absent = await self._touch(reference, _values(documents, [shape.path(f) for f in reference.fields]))
            for place, document in enumerate(documents) if absent else ():
                if _token(shape.pick(document, reference.fields)) in absent:
                    # of new rows the first counts, of changed ones the first reference
                    missing.append((place, rank, reference) if columns is None else (rank, place, reference))
                    break
        if missing:
            raise missing_row(shape.schema, min(missing, key=lambda found: found[:2])[2])

    async def _touch(self, reference: Reference, values: Values) -> Values:
        """Write to the rows that are referred to, so that deleting them is a conflict; the values that no row has."""
        schema, fields = reference.target()
        paths = [self.tables.shape(schema).path(f) for f in fields]
        absent: Values = {}
        for chunk in _chunks(values):
            where = _with_values(paths, chunk)
            touched = await self.collections[schema.table].update_many(
                where, {"$set": {TOUCHED: ObjectId()}}, session=self.session
            )
            if touched.matched_count < len(chunk):
                found = await self._find(schema.table, where, paths)
                absent.update((token, value) for token, value in chunk.items() if token not in _values(found, paths))
        return absent

    # -- rows that are referred to

    async def changed(self, table: str, old: Sequence[Document], paths: Iterable[str]) -> None:
        """Rows were changed at some paths."""
        given = set(paths)
        for link in await self.tables.links_to(table):
            if not given.isdisjoint(link.target_paths):
                self._doubtful.append((link, _values(old, link.target_paths)))

    async def removed(self, table: str, documents: Sequence[Document]) -> None:
        """Rows were deleted: delete, or set to null, what refers to them, and what refers to that."""
        going = [(table, documents)]
        for parent, gone in going:  # grows
            for link in await self.tables.links_to(parent):
                values = _values(gone, link.target_paths)
                match link.on_delete:
                    case OnDelete.RESTRICT:
                        self._doubtful.append((link, values))
                    case OnDelete.CASCADE:
                        children = await self._referring(link, values)
                        await self._delete(link.table, children)
                        if children:
                            going.append((link.table, children))
                    case OnDelete.SET_NULL:
                        await self._set_null(link, values)

    async def _set_null(self, link: Link, values: Values) -> None:
        children = await self._referring(link, values)
        for chunk in _chunks({n: child["_id"] for n, child in enumerate(children)}):
            await self.collections[link.table].update_many(
                {"_id": {"$in": list(chunk.values())}},
                {"$unset": dict.fromkeys(link.paths, "")},
                session=self.session,
            )
        if children:
            await self.changed(link.table, children, link.paths)

    async def _delete(self, table: str, documents: Sequence[Document]) -> None:
        for chunk in _chunks({n: document["_id"] for n, document in enumerate(documents)}):
            await self.collections[table].delete_many({"_id": {"$in": list(chunk.values())}}, session=self.session)

    async def _referring(self, link: Link, values: Values) -> list[Document]:
        """The rows that refer to values, with what others refer to of them."""
        wanted = {path for link_ in await self.tables.links_to(link.table) for path in link_.target_paths}
        found: list[Document] = []
        for chunk in _chunks(values):
            found += await self._find(link.table, _with_values(link.paths, chunk), [*wanted, *link.paths])
        return found

    async def enforce(self) -> None:
        """`ForeignKeyViolation` if rows still refer to one that is gone."""
        for link, values in self._doubtful:
            for chunk in _chunks(values):
                there = _values(
                    await self._find(link.target, _with_values(link.target_paths, chunk), link.target_paths),
                    link.target_paths,
                )
                gone = {token: value for token, value in chunk.items() if token not in there}
                if gone and await self._find(link.table, _with_values(link.paths, gone), ["_id"], limit=1):
                    raise violation_of(self.tables, link)

    async def _find(self, table: str, where: Document, paths: Iterable[str], limit: int = 0) -> list[Document]:
        projection = {"_id": 1, **dict.fromkeys(paths, 1)}
        return await self.collections.find(table, where, self.session, dict, projection=projection, limit=limit)


def _values(documents: Iterable[Mapping[str, Any]], paths: Sequence[str]) -> Values:
    found = {}
    for document in documents:
        values = tuple([document.get(path) for path in paths])
        if None not in values:
            found[_token(values)] = values
    return found


def _token(values: Stored) -> Hashable:
    return tuple([value.bid if isinstance(value, Decimal128) else value for value in values])


def _with_values(paths: Sequence[str], values: Mapping[Hashable, Stored]) -> Document:
    if len(paths) == 1:
        return {paths[0]: {"$in": [value for (value,) in values.values()]}}
    return {"$or": [dict(zip(paths, value, strict=True)) for value in values.values()]}


def _chunks(values: Mapping[Hashable, Any]) -> Iterator[dict[Hashable, Any]]:
    items = iter(values.items())
    while chunk := dict(islice(items, _CHUNK)):
        yield chunk
