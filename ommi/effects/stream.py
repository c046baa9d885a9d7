"""`Stream[T, E]`: elements that come one after the other, read as they are needed, as a frozen value.

Making a stream reads nothing. `async with db.open(stream) as rows:` reads it in code that awaits; `fold`, `for_each`
and `to_list` make an effect of it. It holds a chunk of what it reads at a time.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Never, NoReturn, TypeAlias, final, overload

from typing_extensions import TypeVar

from ommi.effects.effect import Effect, Fold, Folding, Perform
from ommi.effects.schedule import Schedule
from ommi.errors import DatabaseError
from ommi.frozen import frozen
from ommi.models.relations import Relation

__all__ = ["CHUNK", "Attached", "Source", "Stream", "again", "streamed", "whole"]

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)
T = TypeVar("T")
U = TypeVar("U")
E2 = TypeVar("E2")
X = TypeVar("X", bound=Exception)
X2 = TypeVar("X2", bound=Exception)

CHUNK = 1000
"""How many elements are read at a time, unless said otherwise."""

Source: TypeAlias = Callable[[], Iterable[T] | AsyncIterable[T]] | Iterable[T] | AsyncIterable[T]
"""Where the elements of an application come from: something that can be gone through anew in every run."""


class Stream(Generic[T_co, E_co]):
    """A description of elements `T` that come one after the other, until they end or fail with an `E`.

    What the functions given to its methods raise is a defect, as with effects.
    """

    __slots__ = ()

    @overload
    @staticmethod
    def from_iterable(source: Source[U], *, chunk: int = CHUNK) -> Stream[U, Never]: ...
    @overload
    @staticmethod
    def from_iterable(
        source: Source[U], *, catching: tuple[type[X], type[X2]], chunk: int = CHUNK
    ) -> Stream[U, X | X2]: ...
    @overload
    @staticmethod
    def from_iterable(source: Source[U], *, catching: tuple[type[X], ...], chunk: int = CHUNK) -> Stream[U, X]: ...
    @staticmethod
    def from_iterable(
        source: Source[Any], *, catching: tuple[type[Any], ...] = (), chunk: int = CHUNK
    ) -> Stream[Any, Any]:
        """The elements of an iterable or async iterable, or of the one that a function makes in every run.

        They are taken `chunk` at a time: say 1 for a source that has to be waited for. An iterator, such as a
        generator, is refused, since it can be gone through only once: hand in the function that makes it. Exceptions
        of the classes in `catching` are failures of the stream.
        """
        given: object = catching
        if not isinstance(given, tuple):
            raise TypeError(f"from_iterable(…, catching=) takes a tuple of classes, such as (OSError,), not {given!r}")
        again(source, "Stream.from_iterable")
        return Produced(source, whole("from_iterable(…, chunk=)", chunk), catching)

    # -- what comes of each element
    def map(self, function: Callable[[T_co], U]) -> Stream[U, E_co]:
        """Change each element."""
        return Mapped(self, function)

    def filter(self, predicate: Callable[[T_co], bool]) -> Stream[T_co, E_co]:
        """Only the elements for which the predicate holds."""
        return Filtered(self, predicate)

    def map_effect(self, function: Callable[[T_co], Effect[U, E2]]) -> Stream[U, E_co | E2]:
        """Run the effect the function makes of each element, one after the other; its values are the elements."""
        return Effected(self, function)

    def bind(self, function: Callable[[T_co], Stream[U, E2]]) -> Stream[U, E_co | E2]:
        """The elements of the stream the function makes of each element, one stream after the other."""
        return Bound(self, function)

    # -- how they come
    def take(self, count: int) -> Stream[T_co, E_co]:
        """The first elements; what comes after them is not read."""
        return Taken(self, whole("take(…)", count, least=0))

    def chunks(self, size: int | None = None) -> Stream[list[T_co], E_co]:
        """Lists of so many elements each, but for the last; without a size, as they are read."""
        return Chunked(self, None if size is None else whole("chunks(…)", size))

    def retry(
        self, schedule: Schedule, *, on: tuple[type[Exception], ...] | type[Exception] | None = None
    ) -> Stream[T_co, E_co | DatabaseError]:
        """Begin anew after a failure, as the schedule says, but never after the first element was given.

        Without `on`, after errors whose `retryable` is true; with it, after errors of these classes.
        """
        given: object = schedule
        if not isinstance(given, Schedule):
            raise TypeError(f"retry(…) takes a schedule, such as Schedule.recurs(3), not {given!r}")
        return Retried(self, schedule, None if on is None else on if isinstance(on, tuple) else (on,))

    # -- effects
    def fold(self, initial: U, function: Callable[[U, T_co], U]) -> Effect[U, E_co]:
        """What the function makes of what it made so far, at first `initial`, and of each element in turn.

        `initial` is the same in every run: do not change it in place.
        """
        return Fold(self, Folding.FOLD, initial, function)

    def for_each(self, function: Callable[[T_co], Effect[Any, E2]]) -> Effect[int, E_co | E2]:
        """Run the effect the function makes of each element, one after the other; how many there were."""
        return Fold(Effected(self, function), Folding.EACH)

    def to_list(self) -> Effect[list[T_co], E_co]:
        """All elements, in order."""
        return Fold(self, Folding.LIST)

    def __repr__(self) -> str:
        from ommi.effects.text import stream_text

        return stream_text(self)

    if not TYPE_CHECKING:

        def __iter__(self) -> NoReturn:
            raise TypeError(
                f"{self!r} is a description: read it in `async with db.open(stream) as rows: async for row in rows:`, "
                "or make an effect of it with .fold(…), .for_each(…) or .to_list()"
            )

        __aiter__ = __await__ = __aenter__ = __aexit__ = __iter__


# -- the nodes


@final
@frozen(repr=False)
class Selected(Stream[T_co, E_co]):
    """The rows of a query, and what relations load with them: a statement for each of these a chunk."""

    perform: Perform[Any, Any]
    chunk: int
    relations: tuple[Relation, ...] = ()


@final
@frozen(repr=False)
class Produced(Stream[T_co, E_co]):
    """What the application has."""

    source: Source[T_co]
    chunk: int
    catching: tuple[type[Any], ...] = ()


@final
@frozen(repr=False)
class Mapped(Stream[T_co, E_co]):
    source: Stream[Any, E_co]
    function: Callable[[Any], T_co]


@final
@frozen(repr=False)
class Filtered(Stream[T_co, E_co]):
    source: Stream[T_co, E_co]
    predicate: Callable[[Any], bool]


@final
@frozen(repr=False)
class Effected(Stream[T_co, E_co]):
    source: Stream[Any, Any]
    function: Callable[[Any], Effect[T_co, Any]]


@final
@frozen(repr=False)
class Bound(Stream[T_co, E_co]):
    source: Stream[Any, Any]
    function: Callable[[Any], Stream[T_co, Any]]


@final
@frozen(repr=False)
class Taken(Stream[T_co, E_co]):
    source: Stream[T_co, E_co]
    count: int


@final
@frozen(repr=False)
class Chunked(Stream[T_co, E_co]):
    source: Stream[Any, E_co]
    size: int | None


@final
@frozen(repr=False)
class Retried(Stream[T_co, E_co]):
    source: Stream[Any, Any]
    schedule: Schedule
    on: tuple[type[Exception], ...] | None


class Attached(Stream[T_co, E_co]):
    """The base of streams that carry the database they are read from; to the runtime they are their source."""

    __slots__ = ()

    if TYPE_CHECKING:
        source: Stream[Any, Any]


StreamNode: TypeAlias = """
    Selected[Any, Any] | Produced[Any, Any] | Mapped[Any, Any] | Filtered[Any, Any] | Effected[Any, Any]
    | Bound[Any, Any] | Taken[Any, Any] | Chunked[Any, Any] | Retried[Any, Any] | Attached[Any, Any]
"""
"""Every kind of stream."""


def streamed(
    perform: Perform[Any, Any], chunk: int, relations: tuple[Relation, ...] = ()
) -> Stream[Any, DatabaseError]:
    """The rows of a query as a stream."""
    return Selected(perform, whole("stream(chunk=)", chunk), relations)


def again(source: object, said: str) -> None:
    """`TypeError` for what a second run could not go through."""
    if isinstance(source, (Iterator, AsyncIterator)):
        raise TypeError(
            f"{said}(…) describes what every run goes through anew, and {source!r} can be gone through only once: "
            f"hand in the function that makes it, such as {said}(lambda: read(path))"
        )
    if isinstance(source, (str, bytes)) or not (isinstance(source, (Iterable, AsyncIterable)) or callable(source)):
        raise TypeError(f"{said}(…) takes an iterable, an async iterable or a function that makes one, not {source!r}")


def whole(said: str, value: object, *, least: int = 1) -> int:
    """A number of elements, checked."""
    if type(value) is not int or value < least:
        raise TypeError(f"{said} takes a whole number, {least} or more, not {value!r}")
    return value
