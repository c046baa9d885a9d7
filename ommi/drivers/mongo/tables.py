"""Which collections there are, what refers to them, and creating and dropping them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, final

from ommi.drivers.mongo.client import Collections
from ommi.drivers.mongo.documents import Shape
from ommi.drivers.mongo.rules import columns_of, indexes, validator
from ommi.drivers.violations import still_referred
from ommi.errors import ForeignKeyViolation, SchemaMismatch
from ommi.schema import OnDelete, Reference, Schema

__all__ = ["CATALOG", "Link", "Tables", "violation_of"]

CATALOG: Final = "ommi_tables"
"""The collection with one document for each table: what it refers to, and the last key given out for it."""


@final
@dataclass(frozen=True, slots=True)
class Link:
    """An enforced reference, as it is kept in the catalog."""

    table: str
    constraint: str
    fields: tuple[str, ...]
    paths: tuple[str, ...]
    target: str
    target_paths: tuple[str, ...]
    on_delete: OnDelete


@final
class Tables:
    """What is known of the collections of a database.

    References from tables that other processes make are noticed within `seconds`.
    """

    def __init__(self, collections: Collections, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.collections = collections
        self._seconds = seconds
        self._now = now
        self._shapes: dict[Schema, Shape] = {}
        self._fitting: dict[Schema, float] = {}
        self._schemas: dict[str, Schema] = {}
        self._links: dict[str, list[Link]] | None = None
        self._loaded = 0.0

    def shape(self, schema: Schema) -> Shape:
        """How the rows of a schema are kept."""
        found = self._shapes.get(schema)
        if found is None:
            found = self._shapes[schema] = Shape(schema)
            self._schemas[schema.table] = schema
        return found

    def schema(self, table: str) -> Schema | None:
        """The model of a table, if a statement was about it so far."""
        return self._schemas.get(table)

    def forget(self, *tables: str) -> None:
        """Look again at what there is, when it is next asked for."""
        self._links = None
        for schema in [schema for schema in self._fitting if schema.table in tables]:
            del self._fitting[schema]

    # -- what is there

    async def require(self, schema: Schema) -> Shape:
        """The shape of a schema; `SchemaMismatch` if its collection is not there or lacks fields."""
        shape = self.shape(schema)
        if schema not in self._fitting:
            await self.look(schema)
        return shape

    async def require_again(self, schema: Schema) -> None:
        """Nothing was found: maybe somebody else has dropped the collection."""
        if self._now() - self._fitting.get(schema, 0.0) > self._seconds:
            await self.look(schema)

    async def look(self, schema: Schema) -> None:
        """Look at the collection itself; `SchemaMismatch` if it does not fit."""
        found = await self._existing(schema.table)
        if schema.table not in found:
            self.forget(schema.table)
            raise SchemaMismatch(
                f"the collection {schema.table!r} of {schema.name} is not there: create it first (db.schema.create())",
                model=schema.model,
            )
        check_columns(self.shape(schema), found[schema.table])
        self._fitting[schema] = self._now()

    async def _existing(self, *tables: str) -> dict[str, Mapping[str, Any]]:
        cursor = await self.collections.db.list_collections(filter={"name": {"$in": list(tables)}})
        return {found["name"]: found.get("options", {}) for found in await cursor.to_list(None)}

    async def links_to(self, table: str) -> list[Link]:
        """The enforced references to a table."""
        links = self._links
        if links is None or self._now() - self._loaded > self._seconds:
            loaded: dict[str, list[Link]] = {}
            for found in await self.collections.find(CATALOG, {}, None, _links, projection={"references": 1}):
                for link in found:
                    loaded.setdefault(link.target, []).append(link)
            links = self._links = loaded
            self._loaded = self._now()
        return links.get(table, [])

    # -- making and dropping

    async def create(self, schemas: tuple[Schema, ...]) -> None:
        """Make the collections and indexes that are missing; what was made is dropped again if that fails."""
        shapes = [self.shape(schema) for schema in schemas]
        there = await self._existing(*(schema.table for schema in schemas))
        for shape in shapes:
            if shape.schema.table in there:
                check_columns(shape, there[shape.schema.table])
        made: list[str] = []
        try:
            for shape in shapes:
                await self._create(shape, there, made)
        except BaseException:
            await self._drop(made)
            raise
        now = self._now()
        self.forget(*(schema.table for schema in schemas))
        self._fitting.update(dict.fromkeys(schemas, now))

    async def _create(self, shape: Shape, there: Mapping[str, Any], made: list[str]) -> None:
        table = shape.schema.table
        if table not in there:
            made.append(table)
            await self.collections.command("create", table, validator=validator(shape))
        elif columns_of(there[table]) is None:
            await self.collections.command("collMod", table, validator=validator(shape))
        if wanted := indexes(shape):
            await self.collections.command("createIndexes", table, indexes=wanted)
        references = [_link_document(shape, link) for link in shape.schema.references if link.enforced]
        await self.collections[CATALOG].update_one({"_id": table}, {"$set": {"references": references}}, upsert=True)

    async def drop(self, schemas: tuple[Schema, ...]) -> None:
        """Drop the collections; `ForeignKeyViolation` if rows of another one refer to them."""
        for schema in schemas:
            self.shape(schema)
        self.forget()
        there = await self._existing(*(schema.table for schema in schemas))
        for table in there:
            for link in await self.links_to(table):
                if link.table not in there and await self._refers(link):
                    raise violation_of(self, link)
        await self._drop([schema.table for schema in schemas if schema.table in there])
        self.forget(*(schema.table for schema in schemas))

    async def _refers(self, link: Link) -> bool:
        where = {path: {"$ne": None} for path in link.paths}
        return bool(await self.collections.find(link.table, where, None, bool, projection={"_id": 1}, limit=1))

    async def _drop(self, tables: list[str]) -> None:
        for table in tables:
            await self.collections.command("drop", table)
        if tables:
            await self.collections[CATALOG].delete_many({"_id": {"$in": tables}})


def check_columns(shape: Shape, options: Mapping[str, Any]) -> None:
    """`SchemaMismatch` if a collection that Ommi made lacks fields of a model."""
    columns = columns_of(options)
    if columns is None:
        return
    schema = shape.schema
    missing = [f.column for path, f in zip(shape.paths, schema.fields, strict=True) if path not in columns]
    if missing:
        raise SchemaMismatch(
            f"the collection {schema.table!r} lacks {', '.join(missing)} of {schema.name}: "
            "drop it and create it anew, or give one model another name=",
            model=schema.model,
        )


def violation_of(tables: Tables, link: Link) -> ForeignKeyViolation:
    """That rows still refer to what goes away; with the model, if it is known here."""
    schema = tables.schema(link.table)
    for reference in () if schema is None else schema.references:
        if reference.name == link.constraint and schema is not None:
            return still_referred(schema, reference)
    return ForeignKeyViolation(
        f"rows of {link.table} still refer to those of {link.target}", fields=link.fields, constraint=link.constraint
    )


def _link_document(shape: Shape, reference: Reference) -> dict[str, Any]:
    schema, fields = reference.target()
    target = Shape(schema)
    return {
        "constraint": reference.name,
        "fields": [f.name for f in reference.fields],
        "paths": [shape.path(f) for f in reference.fields],
        "target": schema.table,
        "target_paths": [target.path(f) for f in fields],
        "on_delete": reference.on_delete.value,
    }


def _links(document: Mapping[str, Any]) -> list[Link]:
    return [
        Link(
            document["_id"],
            found["constraint"],
            tuple(found["fields"]),
            tuple(found["paths"]),
            found["target"],
            tuple(found["target_paths"]),
            OnDelete(found["on_delete"]),
        )
        for found in document.get("references", ())
    ]
