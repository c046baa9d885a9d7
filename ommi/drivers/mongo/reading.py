"""`Select`, `Count` and `Exists`: a find where that says it all, and else an aggregation pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias, final

from ommi.drivers.memory.evaluate import Evaluation
from ommi.drivers.mongo.client import Collections, Session, as_it_is, drained
from ommi.drivers.mongo.documents import Document, Shape, Stored
from ommi.drivers.mongo.forms import constant
from ommi.drivers.mongo.grouping import Groups
from ommi.drivers.mongo.translation import Translation
from ommi.errors import QueryRejected
from ommi.frozen import frozen, replace
from ommi.query.expressions import Column, ExpressionNode, GroupKey, Order, nullable, type_of
from ommi.query.outline import same
from ommi.query.statements import Link, Select

__all__ = ["Found", "Reading"]

Found: TypeAlias = tuple[list[Any], Callable[[Any], Stored]]
"""What was found, and what makes a row of each."""

_GROUPED: Final = "_id."
_LINK: Final = "_ommi_link"


@final
@frozen
class Reading:
    """One query, translated."""

    query: Select
    translation: Translation
    linked: Translation | None
    """Translates what is asked of the rows of the query's link."""

    @property
    def shape(self) -> Shape:
        """How the rows are kept."""
        return self.translation.shape

    async def found(self, collections: Collections, session: Session) -> Found:
        """All documents of the query, and what makes a row of each."""
        query = self.query
        if query.limit == 0:
            return [], self.shape.row
        if query.link is not None and self.linked is not None:
            pipeline, make = self._through(query.link, self.linked)
            return await collections.aggregate(query.link.schema.table, pipeline, session, as_it_is), make
        cursor, make = await self.open(collections, session, 0)
        documents = await drained(cursor, as_it_is)
        if query.group is not None and not documents:
            return self.rows_of_nothing(), _as_it_is
        return documents, make

    async def open(
        self, collections: Collections, session: Session, batch: int
    ) -> tuple[Any, Callable[[Document], Stored]]:
        """A cursor of the documents of a query without a link, and what makes a row of one."""
        query = self.query
        table = query.schema.table
        if query.group is not None:
            pipeline, make = self._groups(query.group)
            return await collections.aggregating(table, pipeline, session, batch), make
        if not self._plain:
            pipeline, make = self._pipeline()
            return await collections.aggregating(table, pipeline, session, batch), make
        projection, make = self._projection()
        cursor = collections.finding(
            table,
            self.translation.filter(query.where),
            session,
            projection=projection,
            sort=self._by_columns(),
            skip=query.offset or 0,
            limit=query.limit or 0,
            batch=batch,
        )
        return cursor, make

    async def count(self, collections: Collections, session: Session) -> int:
        """How many rows there are."""
        query = self.query
        if query.limit == 0:
            return 0
        if query.group == ():
            return 1
        if query.group is not None:
            pipeline, _ = self._groups(query.group)
        elif query.columns is not None and query.distinct:
            pipeline, _ = self._pipeline()
        else:
            pipeline = [{"$match": self.translation.filter(query.where)}, *self._page()]
        found = await collections.aggregate(
            query.schema.table, [*pipeline, {"$count": "n"}], session, lambda document: document["n"]
        )
        return int(found[0]) if found else 0

    async def exists(self, collections: Collections, session: Session) -> bool:
        """Whether there is a row."""
        query = self.query
        if query.limit == 0:
            return False
        if query.group is not None or (query.columns is not None and query.distinct):
            return await self.count(collections, session) > 0
        found = await collections.find(
            query.schema.table,
            self.translation.filter(query.where),
            session,
            lambda document: document,
            projection={"_id": 1},
            skip=query.offset or 0,
            limit=1,
        )
        return bool(found)

    # -- the parts

    def _by_columns(self) -> dict[str, int]:
        by: dict[str, int] = {}
        for part in self._order():
            assert isinstance(part.expression, Column)
            by.setdefault(self.translation.path(part.expression), -1 if part.descending else 1)
        return by

    @property
    def _plain(self) -> bool:
        query = self.query
        if query.columns is not None and (
            query.distinct or not all(isinstance(column, Column) for column in query.columns)
        ):
            return False
        return all(isinstance(part.expression, Column) and not _moved(part) for part in self._order())

    def _projection(self) -> tuple[Document | None, Callable[[Document], Stored]]:
        columns = self.query.columns
        if columns is None:
            return None, self.shape.row
        fields = [column.field for column in columns if isinstance(column, Column)]
        paths = [self.shape.path(field) for field in fields]
        projection: Document = dict.fromkeys(paths, 1)
        projection.setdefault("_id", 0)
        if any(field.type.native is not None for field in fields):
            return projection, self.shape.answering(tuple(fields))
        return projection, _picking(paths)

    def _through(self, link: Link, linked: Translation) -> tuple[list[Document], Callable[[Document], Stored]]:
        """From each row of the link to the rows that belong to it; a missing value is equal to nothing."""
        pairs = [(linked.shape.path(field), self.shape.path(selected)) for field, selected in link.pairs]
        match = linked.filter(self.query.where)
        given: Document = {path: {"$ne": None} for path, _ in pairs}
        (first, its), *others = pairs
        joined: Document = {"from": self.query.schema.table, "localField": first, "foreignField": its, "as": "row"}
        if others:
            joined["let"] = {f"v{place}": f"${path}" for place, (path, _) in enumerate(others)}
            same = [{"$eq": [f"${its}", f"$$v{place}"]} for place, (_, its) in enumerate(others)]
            joined["pipeline"] = [{"$match": {"$expr": {"$and": same}}}]
        begin = [{"$ifNull": [linked.expression(Column(link.schema, field)), None]} for field in link.fields]
        stages: list[Document] = [
            {"$match": {"$and": [match, given]} if match else given},
            {"$lookup": joined},
            {"$unwind": "$row"},
            {"$replaceWith": {"$mergeObjects": ["$row", {_LINK: begin}]}},
            *self._sorted(self.query.order, self._sort_value),
        ]
        row = self.shape.row
        return stages, lambda document: (*document[_LINK], *row(document))

    def _groups(self, group: tuple[ExpressionNode, ...]) -> tuple[list[Document], Callable[[Document], Stored]]:
        query, rows = self.query, self.translation
        columns = query.columns or ()
        groups = Groups(rows.expression)
        of_groups = replace(rows, groups=groups)
        names = [f"c{place}" for place in range(len(columns))]
        values = {name: of_groups.expression(column) for name, column in zip(names, columns, strict=True)}
        having = [] if query.having is None else [{"$match": {"$expr": of_groups.test(query.having)}}]
        key = {f"g{place}": {"$ifNull": [rows.expression(part), None]} for place, part in enumerate(group)}
        if query.distinct:
            _require_selected(query, columns)
            different = {"$group": {"_id": {name: {"$ifNull": [value, None]} for name, value in values.items()}}}

            def place_of(expression: ExpressionNode) -> str:
                return next(f"${_GROUPED}{n}" for n, c in zip(names, columns, strict=True) if same(c, expression))

            after: list[Document] = [different, *self._sorted(query.order, place_of), *self._page()]
        else:
            ordered = list(self._sorted(self._order(), of_groups.expression))
            after = [*ordered, *self._page(), {"$project": {"_id": 0, **values}}]
        grouped = {"$group": {"_id": key or None, **groups.accumulators}}
        stages = [{"$match": rows.filter(query.where)}, grouped, *having, *after]
        if query.distinct:
            return stages, lambda document: tuple(map(document["_id"].get, names))
        return stages, _picking(names)

    def rows_of_nothing(self) -> list[Stored]:
        """The one row of all rows taken together, where there are none."""
        query = self.query
        if query.group != () or query.columns is None:
            return []
        nothing = Evaluation(query.schemas, lambda query, around: (), groups=True)
        values = [(type_of(column).kind, nothing.value(column)(())) for column in query.columns]
        return [tuple([None if value is None else constant(kind, value) for kind, value in values])]

    def _pipeline(self) -> tuple[list[Document], Callable[[Document], Stored]]:
        query = self.query
        columns = query.columns
        match = {"$match": self.translation.filter(query.where)}
        if columns is None:
            return [match, *self._sorted(self._order(), self._sort_value), *self._page()], self.shape.row
        names = [f"c{place}" for place in range(len(columns))]
        values = {name: self.translation.expression(column) for name, column in zip(names, columns, strict=True)}
        if not query.distinct:
            projected = {"$project": {"_id": 0, **values}}
            ordered = self._sorted(self._order(), self._sort_value)
            return [match, *ordered, *self._page(), projected], _picking(names)
        _require_selected(query, columns)
        # MongoDB 6.0 rejects groups by expressions in which a field stands twice, but not by what they gave
        computed = {"$project": {"_id": 0, **{name: {"$ifNull": [value, None]} for name, value in values.items()}}}
        grouped = {"$group": {"_id": {name: f"${name}" for name in names}}}

        def place_of(expression: ExpressionNode) -> str:
            return next(_GROUPED + n for n, c in zip(names, columns, strict=True) if same(c, expression))

        ordered = self._sorted(query.order, lambda expression: f"${place_of(expression)}")
        return [match, computed, grouped, *ordered, *self._page()], lambda document: tuple(
            map(document["_id"].get, names)
        )

    def _order(self) -> Sequence[Order]:
        """With a limit or offset the key decides what the order leaves open."""
        query = self.query
        if query.limit is None and query.offset is None:
            return query.order
        if query.group is not None:
            back = bool(query.order) and query.order[-1].descending
            keys = [GroupKey(place, key) for place, key in enumerate(query.group)]
            return (*query.order, *[Order(key, back) for key in keys])
        given = {part.expression.field for part in query.order if isinstance(part.expression, Column)}
        descending = bool(query.order) and query.order[-1].descending
        rest = [Order(Column(query.schema, key), descending) for key in query.schema.key if key not in given]
        return (*query.order, *rest)

    def _sort_value(self, expression: ExpressionNode) -> Any:
        return self.translation.expression(expression)

    def _sorted(self, order: Sequence[Order], value: Callable[[ExpressionNode], Any]) -> Iterator[Document]:
        """The stages that sort; MongoDB puts missing values first, or last when descending."""
        added: Document = {}
        by: dict[str, int] = {}
        for place, part in enumerate(order):
            found = value(part.expression)
            direction = -1 if part.descending else 1
            if _moved(part):
                added[f"_ommi_n{place}"] = {"$lte": [found, None]}
                by[f"_ommi_n{place}"] = -1 if part.missing_first else 1
            if isinstance(found, str) and found[1:] not in by:
                by[found[1:]] = direction
            elif not isinstance(found, str):
                added[f"_ommi_s{place}"] = found
                by[f"_ommi_s{place}"] = direction
        if added:
            yield {"$addFields": added}
        if by:
            yield {"$sort": by}

    def _page(self) -> Iterator[Document]:
        if self.query.offset:
            yield {"$skip": self.query.offset}
        if self.query.limit is not None:
            yield {"$limit": self.query.limit}


def _as_it_is(row: Stored) -> Stored:
    return row


def _moved(part: Order) -> bool:
    """Whether missing values are wanted where MongoDB does not put them."""
    return nullable(part.expression) and part.missing_first is part.descending


def _picking(paths: Sequence[str]) -> Callable[[Document], Stored]:
    return lambda document: tuple(map(document.get, paths))


def _require_selected(query: Select, columns: Sequence[ExpressionNode]) -> None:
    for part in query.order:
        if not any(same(part.expression, column) for column in columns):
            raise QueryRejected(
                f"distinct rows of {query.schema.name} cannot be ordered by {part.expression!r}, "
                "which is not selected: select it, too",
                model=query.schema.model,
            )
