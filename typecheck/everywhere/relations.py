"""Relations: on a class what is prefetched, on an instance an effect that may be awaited."""

from __future__ import annotations

from typing import Never, assert_type

from models import Book, Genre, Review, Shelving, Writer

from ommi import (
    BoundQuery,
    DatabaseError,
    Effect,
    Failure,
    LoadState,
    MultipleFound,
    NotFound,
    Ommi,
    Prog,
    Query,
    Related,
    Success,
    ToMany,
    ToOne,
    catch,
    effect,
    find,
    gather,
    traverse,
)

writer = Writer("Ada")
book = Book("Notes", 1)
genre = Genre(name="essay")

# on an instance
assert_type(writer.books, Related[list[Book], DatabaseError])
assert_type(writer.mentor, Related[Writer | None, DatabaseError])
assert_type(book.writer, Related[Writer, NotFound | DatabaseError])
assert_type(book.genres, Related[list[Genre], DatabaseError])
assert_type(genre.books, Related[list[Book], DatabaseError])
assert_type(Shelving(1, 2).genre_of, Related[Genre, NotFound | DatabaseError])
assert_type(Review(None).about, Related[Book | None, DatabaseError])

# on the class
assert_type(Writer.books, ToMany[Book])
assert_type(Book.writer, ToOne[Writer])
assert_type(Genre.books, ToMany[Book])
assert_type(find(Writer).prefetch(Writer.books, Book.genres, Book.writer), Query[Writer])
assert_type(find(Writer).prefetch(Writer.books).all(), Effect[list[Writer], DatabaseError])
assert_type(find(Writer).prefetch(Writer.books).one(), Effect[Writer, NotFound | MultipleFound | DatabaseError])

# an effect like any other
several = traverse([writer], lambda one: one.books)
assert_type(several, Effect[list[list[Book]], DatabaseError])
deep = writer.books.bind(lambda books: traverse(books, lambda one: one.genres))
assert_type(deep, Effect[list[list[Genre]], DatabaseError])
both = gather(writer.books, book.writer)
assert_type(both, Effect[tuple[list[Book], Writer], DatabaseError | NotFound])
assert_type(book.writer.map(lambda one: one.name), Effect[str, NotFound | DatabaseError])
assert_type(book.writer.either(), Effect[Success[Writer] | Failure[NotFound | DatabaseError], Never])


@effect
def names(book: Book) -> Prog[list[str], NotFound | DatabaseError]:
    writer = yield from book.writer
    assert_type(writer, Writer)
    books = yield from writer.books
    return [one.title for one in books]


def recovered(book: Book) -> Effect[Writer | None, DatabaseError]:
    return book.writer >> catch(NotFound)(lambda _: Effect.from_value(None))


# its memory
assert_type(writer.books.state, LoadState)
assert_type(writer.books.cached, list[Book] | None)
assert_type(book.writer.cached, Writer | None)
assert_type(writer.books.refresh(), Related[list[Book], DatabaseError])


async def awaited(db: Ommi) -> None:
    assert_type(await writer.books, Success[list[Book]] | Failure[DatabaseError])
    assert_type(await book.writer, Success[Writer] | Failure[NotFound | DatabaseError])
    assert_type(await writer.books.value, list[Book])
    assert_type(await book.writer.value_or(None), Writer | None)
    assert_type(await writer.books.refresh().value, list[Book])
    assert_type(db.find(Writer).prefetch(Writer.books), BoundQuery[Writer])
    match await db.run(book.writer):
        case Success(found):
            assert_type(found, Writer)
        case Failure(error):
            assert_type(error, NotFound | DatabaseError)
