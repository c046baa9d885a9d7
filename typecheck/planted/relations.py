"""Errors that every checker must find where relations are used."""

from __future__ import annotations

from models import Book, Writer

from ommi import Ommi, ToMany, find, traverse

writer = Writer("Ada")
book = Book("Notes", 1)

find(Writer).prefetch("books")  # WANT mypy[arg-type] pyright[reportArgumentType]
find(Writer).prefetch(Writer.name)  # WANT mypy[arg-type] pyright[reportArgumentType]
find(Writer).prefetch(writer.books)  # WANT mypy[arg-type] pyright[reportArgumentType]
ToMany("Book")  # WANT mypy[call-arg] pyright[reportCallIssue]
writer.nope  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
writer.books.name  # WANT mypy[attr-defined] pyright[reportAttributeAccessIssue]
books: list[str] = writer.books.cached or []  # WANT mypy[assignment] pyright[reportAssignmentType]
traverse([writer], lambda one: one.name)  # WANT mypy pyright


async def awaited(db: Ommi) -> None:
    found: Writer = await book.writer  # WANT mypy[assignment] pyright[reportAssignmentType]
    other: Book = await book.writer.value  # WANT mypy[assignment] pyright[reportAssignmentType]
    await writer.books.map(len)  # WANT mypy[misc] pyright[reportGeneralTypeIssues]
    print(found, other)
