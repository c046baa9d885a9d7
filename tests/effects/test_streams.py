"""A stream is a value: it reads like the code that builds it, compares by what it means, and refuses what cannot be."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import pytest

import ommi
from ommi import (
    Effect,
    Key,
    ModelCollection,
    Ommi,
    ReferenceTo,
    Schedule,
    Stream,
    ToMany,
    add_stream,
    auto,
    find,
    ommi_model,
    reload,
)
from ommi.testing import succeeds

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class User:
    name: str
    age: int = 0
    id: Annotated[int, Key] = auto()
    posts: ClassVar[ToMany["Post"]] = ToMany()


@ommi_model(collection=models)
@dataclass
class Post:
    id: Annotated[int, Key]
    author: Annotated[int, ReferenceTo(User)]


def shown(user: Any) -> Any:
    return user.name


def users() -> Iterator[User]:
    yield User("Ada")


async def later() -> AsyncIterator[User]:
    yield User("Ada")


TEXTS = [
    "find(User).stream()",
    "find(User).where(User.age > 3).order_by(User.name.asc).stream(chunk=10)",
    "find(User).prefetch(User.posts).stream()",
    "find(User).stream().map(shown).filter(str.isalpha).take(3)",
    "find(User).stream().map_effect(add).chunks(5)",
    "find(User).stream().bind(shown).chunks()",
    "find(User).stream().retry(Schedule.recurs(2))",
    "find(User).stream().retry(Schedule.recurs(2), on=(NotFound,))",
    "Stream.from_iterable(users)",
    "Stream.from_iterable(later, catching=(NotFound,), chunk=5)",
    "Stream.from_iterable([1, 2, 3])",
    "find(User).stream().to_list()",
    "find(User).stream().map(shown).for_each(shown)",
    "find(User).stream().fold(0, shown)",
    "add_stream(users)",
    "add_stream(find(User).stream().map(shown), chunk=5)",
    "add_stream(users, flatten=True).map(shown)",
]
NAMES: dict[str, Any] = {**vars(ommi), "User": User, "shown": shown, "users": users, "later": later, "str": str}


@pytest.mark.parametrize("text", TEXTS)
def test_a_stream_reads_like_the_code_that_builds_it(text: str) -> None:
    built = eval(text, NAMES)
    assert repr(built) == text
    assert built == eval(text, NAMES)
    assert hash(built) == hash(eval(text, NAMES)) if "[" not in text else True


def test_streams_that_differ_in_one_part_are_not_equal() -> None:
    streams = [eval(text, NAMES) for text in TEXTS]
    assert all(one != other for place, one in enumerate(streams) for other in streams[place + 1 :])


def test_a_long_source_is_shown_in_part() -> None:
    assert repr(Stream.from_iterable([1, 2, 3, 4])) == "Stream.from_iterable([1, 2, 3, … 4 in all])"


GENERATORS: list[Callable[[], Any]] = [users, later]


@pytest.mark.parametrize("make", GENERATORS)
async def test_what_can_be_gone_through_only_once_is_refused(make: Callable[[], Any], anyio_backend: str) -> None:
    made = make()
    for refused, said in ((add_stream, "add_stream"), (Stream.from_iterable, "Stream.from_iterable")):
        with pytest.raises(TypeError, match=rf"{said}\(.* only once: .* the function that makes it"):
            refused(made)
    if hasattr(made, "aclose"):
        await made.aclose()


pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "build, said",
    [
        (lambda: find(User).stream(chunk=0), r"stream\(chunk=\) takes a whole number, 1 or more, not 0"),
        (lambda: find(User).stream(chunk=1.0), r"not 1\.0"),  # type: ignore[arg-type]
        (lambda: find(User).stream().take(-1), r"take\(…\) takes a whole number, 0 or more, not -1"),
        (lambda: find(User).stream().chunks(0), r"chunks\(…\) takes a whole number, 1 or more"),
        (lambda: find(User).stream().retry(3), r"retry\(…\) takes a schedule"),  # type: ignore[arg-type]
        (lambda: add_stream(User("Ada")), r"add_stream\(…\) takes an iterable"),  # type: ignore[call-overload]
        (lambda: add_stream("Ada"), r"add_stream\(…\) takes an iterable"),
        (lambda: Stream.from_iterable([1], catching=OSError), r"takes a tuple of classes"),  # type: ignore[call-overload]
        (lambda: list(find(User).stream()), r"is a description: read it in `async with db\.open\(stream\)"),  # type: ignore[call-overload]
        (lambda: find(User).prefetch(User.posts).select(User.name), r"prefetch belongs to"),
    ],
)
def test_a_mistake_is_refused_where_it_is_written(build: Callable[[], Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        build()


async def test_a_stream_is_not_run_and_what_is_none_is_not_opened() -> None:
    async with Ommi.connect("memory://") as db:
        with pytest.raises(TypeError, match=r"is a stream: end it with \.fold"):
            await db.run(find(User).stream())  # type: ignore[call-overload]
        with pytest.raises(TypeError, match=r"is a query: end it with \.stream\(\)"):
            db.open(find(User))  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"open takes a stream, such as find\(User\)\.stream\(\), not 3"):
            db.open(3)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="is a description"):
            async for _ in find(User).stream():  # type: ignore[attr-defined]
                pass
    with pytest.raises(RuntimeError, match="is not open"):
        async with db.open(find(User).stream()):
            pass


async def test_records_of_several_models_are_not_one_stream() -> None:
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(models))
        with pytest.raises(TypeError, match="add_stream takes records of one model, and got User and Post"):
            await db.run(add_stream([User("Ada"), Post(1, 1)]))


async def test_a_value_that_cannot_be_stored_names_its_field_and_where_the_stream_was_built() -> None:
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(models))
        error: Any = (await db.run(add_stream([User("a\0b")]))).failure()
        assert (error.model, error.field) == (User, "name")
        assert error.origin.file == __file__
        assert await succeeds(db, find(User).count()) == 0


async def test_instances_of_an_inserted_stream_stay_as_they_are() -> None:
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(models))
        ada = User("Ada")
        assert await db.add_stream([ada]).value == 1
        assert ada.id is None


async def test_what_is_made_of_a_bound_stream_is_bound() -> None:
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(models))
        await db.add_all([User(name, len(name)) for name in ("Ada", "Bob", "Cleo")]).value
        bound = db.find(User).stream(chunk=2)
        names = bound.map(lambda user: user.name)
        async with names.filter(lambda name: len(name) == 3).open() as rows:
            assert [name async for name in rows] == ["Ada", "Bob"]
        async with db.open(names) as rows:
            assert await anext(rows) == "Ada"
        assert await names.take(1).chunks().to_list().value == [["Ada"]]
        assert await bound.fold(0, lambda total, user: total + user.age).value == 10
        assert await bound.for_each(lambda user: Effect.from_value(user)).value == 3
        assert await bound.map_effect(reload).bind(lambda _: find(User).stream()).to_list().map(len).value == 9
        assert await db.find(User).select(User.age).stream().retry(Schedule.recurs(1)).to_list().value_or([]) != []
        assert await succeeds(db, add_stream(bound.map(lambda user: User("copy")))) == 3
        assert repr(names) == "find(User).stream(chunk=2).map(<lambda>)"
        assert bound == db.find(User).stream(chunk=2)
        assert bound != find(User).stream(chunk=2)
        assert hash(bound) == hash(db.find(User).stream(chunk=2))
