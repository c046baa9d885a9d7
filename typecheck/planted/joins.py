"""Errors that every checker must find in joins and subqueries, without a plugin."""

from __future__ import annotations

from models import Book, Shelving, Writer

from ommi import DatabaseError, Effect, exists_, find

pairs = find(Writer).join(Book)

find(Writer).join("Book")  # WANT mypy[call-overload] pyright[reportArgumentType]
find(Writer).join(Book, on=lambda w, b: w.nme == b.title)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
pairs.where(lambda w, b: b.name == "x")  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
pairs.where(lambda w: w.name == "x")  # WANT mypy[arg-type] pyright[reportArgumentType]
pairs.select(lambda w, b, s: (w.name,))  # WANT mypy[misc] pyright
pairs.join(Shelving, on=lambda w, b: b.id == 3)  # WANT mypy[misc] pyright
pairs.having(lambda w, b: w.id == 3)  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
pairs.update(name="x")  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
exists_(Writer.books, lambda b: b.name == "x")  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
exists_("Book")  # WANT mypy[call-overload] pyright
inner: Effect[list[tuple[Writer, Book]], DatabaseError] = find(Writer).left_join(Book).all()  # WANT mypy[assignment] pyright[reportAssignmentType]
