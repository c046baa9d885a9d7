"""References are enforced, on insert, update and delete (semantics §5)."""

from __future__ import annotations

from typing import Any

import pytest

from ommi.database import Ommi
from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add, add_all, delete, save, upsert
from ommi.errors import ForeignKeyViolation, UniqueViolation
from ommi.testing.conformance.constraints import violates
from ommi.testing.conformance.database import DatabaseTests
from ommi.testing.models import Author, Book, Chapter, Loan, Node, Note, Remark, Seat, Shelf, Ticket
from ommi.testing.outcomes import succeeds

__all__ = ["References"]

CASES: list[tuple[str, Effect[Any, Any], type[Any], tuple[str, ...], str]] = [
    ("insert", add(Book(9, author=7)), Book, ("author",), "fk_book_author"),
    ("insert of many", add_all([Book(8, 1), Book(9, 7)]), Book, ("author",), "fk_book_author"),
    ("insert of a second reference", add(Book(9, 1, editor=7)), Book, ("editor",), "fk_book_editor"),
    ("update", find(Book, Book.id == 1).update(author=7), Book, ("author",), "fk_book_author"),
    ("save", save(Book(1, author=7)), Book, ("author",), "fk_book_author"),
    ("upsert of a new row", upsert(Book(9, author=7)), Book, ("author",), "fk_book_author"),
    ("upsert of a row that is there", upsert(Book(1, author=7)), Book, ("author",), "fk_book_author"),
    ("delete of what is referred to", delete(Author(1)), Book, ("author",), "fk_book_author"),
    ("delete by a query", find(Author, Author.id <= 2).delete(), Book, ("author",), "fk_book_author"),
    (
        "a new key of what is referred to",
        find(Author, Author.id == 1).update(id=9),
        Book,
        ("author",),
        "fk_book_author",
    ),
    ("a reference of two parts", add(Ticket(9, 1, 7)), Ticket, ("row", "number"), "fk_ticket_row_number"),
    ("delete of what two parts refer to", delete(Seat(1, 2)), Ticket, ("row", "number"), "fk_ticket_row_number"),
    ("a reference to a unique field", add(Loan(9, "zz")), Loan, ("shelf",), "fk_loan_shelf"),
    ("a new value of that field", find(Shelf, Shelf.id == 1).update(code="b"), Loan, ("shelf",), "fk_loan_shelf"),
    ("an upsert of that field", upsert(Shelf(1, "b")), Loan, ("shelf",), "fk_loan_shelf"),
    (
        "an upsert of one reference of two",
        upsert(Book(1, 7, 7), update=[Book.editor]),
        Book,
        ("editor",),
        "fk_book_editor",
    ),
    ("a reference to its own table", add(Node(9, 7)), Node, ("parent",), "fk_node_parent"),
]


class References(DatabaseTests):
    """Referring rows and the rows they refer to."""

    @pytest.fixture
    async def library(self, db: Ommi) -> Ommi:
        for records in (
            [Author(1, "Ada"), Author(2, "Bob"), Author(3, "Cid")],
            [Book(1, 1), Book(2, 1, 2), Book(3, 2)],
            [Chapter(1, 1), Chapter(2, 1), Chapter(3, 3)],
            [Note(1, 1), Note(2, 3), Note(3)],
            [Seat(1, 1), Seat(1, 2)],
            [Ticket(1, 1, 2)],
            [Shelf(1, "a")],
            [Loan(1, "a")],
        ):
            await succeeds(db, add_all(records))
        return db

    @pytest.mark.parametrize(
        "effect, model, fields, constraint", [pytest.param(*rest, id=name) for name, *rest in CASES]
    )
    async def test_violation_of_a_reference(
        self, library: Ommi, effect: Effect[Any, Any], model: type[Any], fields: tuple[str, ...], constraint: str
    ) -> None:
        models = (Author, Book, Chapter, Note, Seat, Ticket, Shelf, Loan, Node)
        before = [await succeeds(library, find(each).all()) for each in models]
        await violates(library, effect, (ForeignKeyViolation, model, fields, constraint))
        assert [await succeeds(library, find(each).all()) for each in models] == before

    @pytest.mark.parametrize(
        "effect, model, fields, constraint", [pytest.param(*rest, id=name) for name, *rest in CASES]
    )
    async def test_violation_of_a_reference_inside_a_transaction(
        self, library: Ommi, effect: Effect[Any, Any], model: type[Any], fields: tuple[str, ...], constraint: str
    ) -> None:
        program = add(Author(5)).bind(lambda _: effect).transactional()
        await violates(library, program, (ForeignKeyViolation, model, fields, constraint))
        assert await succeeds(library, find(Author).count()) == 3

    async def test_a_row_with_several_references_cannot_take_the_key_of_another(self, library: Ommi) -> None:
        taken = find(Book, Book.id == 2).update(id=1, author=1)
        for effect in (taken, taken.transactional()):
            await violates(library, effect, (UniqueViolation, Book, ("id",), None))

    async def test_a_missing_reference_refers_to_nothing(self, db: Ommi) -> None:
        await succeeds(db, add_all([Note(1), Note(2)]))

    async def test_a_reference_with_a_missing_part_refers_to_nothing(self, db: Ommi) -> None:
        await succeeds(db, add_all([Ticket(1, 7, None), Ticket(2, None, 7)]))

    async def test_a_reference_that_is_not_enforced(self, library: Ommi) -> None:
        await succeeds(library, add(Remark(1, 77)))
        await succeeds(library, add(Remark(2, 3)))
        await succeeds(library, delete(Author(3)))
        assert await succeeds(library, find(Remark).count()) == 2

    async def test_what_nobody_refers_to_is_deleted(self, library: Ommi) -> None:
        await succeeds(library, delete(Author(3)))
        assert await succeeds(library, find(Author).count()) == 2

    async def test_cascade_deletes_what_refers_and_sets_null_beyond(self, library: Ommi) -> None:
        await succeeds(library, delete(Book(1, 1)))
        assert [found.id for found in await succeeds(library, find(Chapter).all())] == [3]
        notes = await succeeds(library, find(Note).order_by(Note.id).all())
        assert notes == [Note(1), Note(2, 3), Note(3)]

    async def test_set_null(self, library: Ommi) -> None:
        await succeeds(library, delete(Chapter(3, 3)))
        assert await succeeds(library, find(Note, Note.id == 2).one()) == Note(2)

    async def test_only_rows_matched_are_counted_by_a_delete(self, library: Ommi) -> None:
        assert await succeeds(library, find(Book, Book.author == 1).delete()) == 2

    async def test_a_row_that_refers_to_itself(self, db: Ommi) -> None:
        await succeeds(db, add(Node(1, 1)))
        await succeeds(db, delete(Node(1)))
        assert await succeeds(db, find(Node).count()) == 0

    async def test_rows_of_one_insert_may_refer_to_each_other(self, db: Ommi) -> None:
        await succeeds(db, add_all([Node(1, 2), Node(2, 1), Node(3, 2)]))

    async def test_a_cascade_along_a_chain(self, db: Ommi) -> None:
        await succeeds(db, add_all([Node(1), *(Node(n, n - 1) for n in range(2, 40))]))
        assert await succeeds(db, find(Node, Node.id == 10).delete()) == 1
        assert await succeeds(db, find(Node).count()) == 9

    async def test_a_delete_of_all_that_refer_to_each_other(self, library: Ommi) -> None:
        await succeeds(library, find(Book).everything().delete())
        assert await succeeds(library, find(Author).everything().delete()) == 3
