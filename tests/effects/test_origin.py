"""An operation knows the line of the program that made it."""

import sys
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import Key, ModelCollection, NotFound, Ommi, Prog, UniqueViolation, add, auto, effect, find, ommi_model
from ommi.testing import fails, succeeds

collection = ModelCollection()


@ommi_model(collection=collection)
@dataclass
class User:
    name: str
    id: Annotated[int, Key] = auto()


def line() -> int:
    """The number of the line that calls this."""
    return sys._getframe(1).f_lineno


def of(made: Any) -> tuple[str, int]:
    return made.origin.file, made.origin.line


def test_the_line_that_makes_an_operation() -> None:
    for made, number in (
        (find(User).all(), line()),
        (add(User("Ada")), line()),
        (find(User, User.id == 1).update(name="x"), line()),
        (find(User).select(User.name).one(), line()),
    ):
        assert of(made) == (__file__, number)


def test_the_origin_takes_no_part_in_equality() -> None:
    one = find(User).all()
    other = find(User).all()
    assert one == other
    assert of(one) != of(other)


@pytest.mark.anyio
async def test_an_error_tells_the_line_and_the_operation() -> None:
    @effect
    def program() -> Prog[None, Any]:
        yield from add(User("Ada", id=1))
        yield from add(User("Bob", id=1))

    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(collection))
        error = await fails(db, program(), UniqueViolation)
        assert error.origin is not None
        assert (error.origin.file, error.origin.line) == (__file__, line() - 6)
        assert error.operation == "add(User(…))"
        assert f"built at: {__file__}:{error.origin.line}" in str(error)
        missing = await fails(db, find(User, User.id == 9).one(), NotFound)
        assert missing.operation == "find(User) … .one()"
        assert missing.origin is not None
        assert missing.origin.line == line() - 3


@pytest.mark.anyio
async def test_an_error_shows_no_values_of_a_record() -> None:
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(collection))
        await succeeds(db, add(User("the secret", id=1)))
        error = await fails(db, add(User("the secret", id=1)), UniqueViolation)
        assert "the secret" not in str(error)
