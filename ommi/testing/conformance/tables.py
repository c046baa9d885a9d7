"""Creating and dropping tables, and tables that are not those the models describe (semantics §2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.effects.operations import add, add_all
from ommi.errors import ForeignKeyViolation, SchemaMismatch
from ommi.models import Key, ModelCollection, ommi_model
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Author, Book, Chapter, Node, Tag, suite_models
from ommi.testing.outcomes import fails, succeeds

__all__ = ["Tables"]

small_models, large_models = ModelCollection(), ModelCollection()


@ommi_model(collection=small_models, name="suite_shape")
@dataclass
class Small:
    """A table as it was."""

    id: Annotated[int, Key]


@ommi_model(collection=large_models, name="suite_shape")
@dataclass
class Large:
    """A model that has grown since."""

    id: Annotated[int, Key]
    color: str = "red"


class Tables(DatabaseTests):
    """`db.schema`."""

    async def test_create_leaves_what_is_there(self, db: Ommi) -> None:
        await succeeds(db, add(Tag("a")))
        await succeeds(db, db.schema.create(suite_models))
        await succeeds(db, db.schema.create(suite_models))
        assert await succeeds(db, find(Tag).count()) == 1

    async def test_create_makes_what_is_missing(self, db: Ommi) -> None:
        await succeeds(db, db.schema.drop(ModelCollection(Tag, Node)))
        await succeeds(db, add(Author(1)))
        await succeeds(db, db.schema.create(suite_models))
        await succeeds(db, add(Tag("a")))
        assert await succeeds(db, find(Author).count()) == 1

    async def test_drop_leaves_nothing_and_may_be_repeated(self, db: Ommi) -> None:
        await succeeds(db, add_all([Author(1), Author(2)]))
        await succeeds(db, add_all([Book(1, 1), Book(2, 2)]))
        await succeeds(db, add(Chapter(1, 1)))
        await succeeds(db, db.schema.drop(suite_models))
        await succeeds(db, db.schema.drop(suite_models))
        await succeeds(db, db.schema.create(suite_models))
        assert await succeeds(db, find(Author).count()) == 0

    async def test_tables_are_created_and_dropped_in_the_order_of_their_references(self, db: Ommi) -> None:
        declared_last_first = ModelCollection(Chapter, Book, Author)
        await succeeds(db, db.schema.drop(suite_models))
        await succeeds(db, db.schema.create(declared_last_first))
        await succeeds(db, add(Author(1)).bind(lambda _: add(Book(1, 1))))
        await succeeds(db, db.schema.drop(declared_last_first))

    async def test_a_table_whose_rows_are_referred_to_is_not_dropped_alone(self, db: Ommi) -> None:
        await succeeds(db, add(Author(1)).bind(lambda _: add(Book(1, 1))))
        error = await fails(db, db.schema.drop(ModelCollection(Author)), ForeignKeyViolation)
        assert error.model is Book
        assert await succeeds(db, find(Author).count()) == 1

    async def test_create_in_a_transaction_that_fails_makes_nothing(self, db: Ommi) -> None:
        await succeeds(db, db.schema.drop(small_models))
        program = db.schema.create(small_models).bind(lambda _: add(Small(1))).bind(lambda _: add(Small(1)))
        await db.run(program.transactional())
        await fails(db, find(Small).all(), SchemaMismatch)

    async def test_a_missing_table(self, db: Ommi) -> None:
        await succeeds(db, db.schema.drop(small_models))
        for effect in (
            find(Small).all(),
            find(Small).count(),
            add(Small(1)),
            find(Small).everything().delete(),
            find(Tag, Tag.name == "a").where(lambda t: t.name == "b").all().bind(lambda _: find(Small).all()),
        ):
            error = await fails(db, effect, SchemaMismatch)
            assert "suite_shape" in error.message

    async def test_a_missing_column(self, db: Ommi) -> None:
        await succeeds(db, db.schema.drop(small_models))
        await succeeds(db, db.schema.create(small_models))
        try:
            for effect in (find(Large).all(), add(Large(1)), find(Large).everything().update(color="blue")):
                error = await fails(db, effect, SchemaMismatch)
                assert "color" in error.message
            assert "color" in (await fails(db, db.schema.create(large_models), SchemaMismatch)).message
            assert await succeeds(db, find(Small).all()) == []
        finally:
            await succeeds(db, db.schema.drop(small_models))
