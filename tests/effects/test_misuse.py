"""What cannot be meant is refused where it is written, or in the run, in words that say what to write."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import (
    Effect,
    Key,
    ModelCollection,
    Ommi,
    Prog,
    Schedule,
    Success,
    Unique,
    add,
    add_all,
    attempt,
    auto,
    catch,
    col,
    delete,
    effect,
    find,
    gather,
    ommi_model,
    race,
    save,
    sleep,
    traverse,
    upsert,
    validate,
)
from ommi.testing import run_script


@ommi_model(collection=ModelCollection())
@dataclass
class User:
    name: str
    email: Annotated[str | None, Unique] = None
    age: int = 0
    id: Annotated[int, Key] = auto()


@ommi_model(collection=ModelCollection())
@dataclass
class Post:
    id: Annotated[int, Key]
    title: str


users: Any = User
age, name, email = col(User.age), col(User.name), col(User.email)
one = Effect.from_value(1)


def refused(build: Any, *said: str) -> None:
    """Building raises a TypeError that says all of this."""
    with pytest.raises(TypeError) as caught:
        build()
    for part in said:
        assert re.search(part, str(caught.value)), str(caught.value)


# -- in the run


def defect(program: Any, *said: str) -> None:
    """The program ends in a TypeError that says all of this."""
    refused(lambda: run_script(program, []), *said)


def test_a_bind_that_returns_no_effect() -> None:
    given: Any = lambda value: value + 1  # noqa: E731
    defect(one.bind(given), r"must return an effect", r"returned 2", r"use \.map")
    defect(Effect.from_failure(1).lash(given), r"must return an effect", r"use \.map")
    defect(Effect.from_failure(KeyError()) >> catch(KeyError)(lambda _: 3), r"returned 3")  # type: ignore[arg-type, return-value]


def test_a_bare_yield_of_an_effect() -> None:
    @effect
    def program() -> Any:
        yield one

    defect(program(), r"program yielded Effect\.from_value\(1\)", r"write `yield from`")


def test_a_yield_of_something_else() -> None:
    @effect
    def program() -> Any:
        yield 3

    defect(program(), r"yielded 3", r"yield from an effect")


def test_a_program_that_goes_on_after_a_failure_is_a_defect() -> None:
    @effect
    def program() -> Prog[int, Any]:
        try:
            yield from Effect.from_failure("no")
        finally:
            yield from one
        return 1

    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        run_script(program(), [])


def test_a_finalizer_that_fails() -> None:
    failing: Any = Effect.from_failure("no")
    defect(one.ensure(failing), r"a finalizer may not fail", r"failed with 'no'", r"recover in it")


# -- where it is written


def test_a_program_that_is_no_generator_function() -> None:
    def plain() -> Any:
        return one

    refused(lambda: effect(plain), r"@effect takes a generator function", r"plain", r"yield from")


async def _await(made: Any) -> None:
    await made


def test_awaiting_an_effect_that_is_not_bound() -> None:
    coroutine = _await(find(User).all())
    refused(lambda: coroutine.send(None), r"await db\.run\(effect\)", r"db\.find", r"find\(User\)\.all\(\)")


@pytest.mark.anyio
async def test_running_what_is_no_effect() -> None:
    async with Ommi.connect("memory://") as db:
        for found, said in (
            (find(User), r"is a query: end it with \.all\(\)"),
            (db.find(User), r"is a query: end it with \.all\(\)"),
            (find(User).select(age), r"is a query"),
            (_await, r"is a function: call it, and give @effect"),
            (3, r"takes an effect, such as find\(User\)\.all\(\), not 3"),
        ):
            with pytest.raises(TypeError, match=said):
                await db.run(found)  # type: ignore[call-overload, arg-type, unused-ignore]


@pytest.mark.anyio
async def test_running_on_a_database_that_is_not_open() -> None:
    db = Ommi.connect("memory://")
    with pytest.raises(RuntimeError, match="async with"):
        await db.run(one)
    async with db:
        assert await db.run(one) == Success(1)
    with pytest.raises(RuntimeError, match="async with"):
        await db.run(one)


def test_update_and_delete_without_a_condition() -> None:
    refused(
        lambda: find(User).update(age=1), r"without a condition would change every User", r"\.everything\(\)\.update"
    )
    refused(lambda: find(User).delete(), r"without a condition", r"\.everything\(\)\.delete")
    assert find(User).everything().delete() is not None


def test_update_and_delete_of_what_only_reading_has() -> None:
    refused(lambda: find(User, age > 1).limit(1).delete(), r"takes only conditions")
    refused(lambda: find(User, age > 1).order_by(age).update(age=1), r"takes only conditions")


def test_fields_that_are_not_there() -> None:
    refused(lambda: find(User, age > 1).update(agee=1), r"'agee' is no field of User", r"name, email, age, id")
    refused(lambda: find(User, age > 1).update(lambda _: {Post.title: "x"}), r"Post\.title is no field of User")
    refused(lambda: upsert(User("a"), on="emial"), r"'emial'")
    with pytest.raises(AttributeError, match=r"User has no field 'agee'; its fields are name, email, age, id"):
        find(User).where(lambda u: u.agee > 1)  # type: ignore[attr-defined]


def test_values_of_another_class() -> None:
    refused(lambda: age > "18", r"User\.age holds int", r"'18'")
    refused(lambda: name == 3, r"User\.name holds str")
    refused(lambda: age + "1", r"User\.age holds int")
    refused(lambda: name + "x", r"User\.name holds str: \+ is asked of int, float or Decimal")
    refused(lambda: age.lower(), r"User\.age holds int: \.lower is asked of text")
    refused(lambda: age == name, r"do not compare")
    refused(lambda: find(User, age > 1).update(age="x"), r"User\.age holds int")
    refused(lambda: find(User, age > 1).update(age=age / 2), r"cannot be set")
    refused(lambda: age.in_(3), r"takes a collection")
    refused(lambda: name.in_("abc"), r"takes a collection")
    refused(lambda: age < None, r"a missing value has no order", r"is_null")


def test_python_words_that_cannot_be_recorded() -> None:
    condition: Any = age > 1
    refused(lambda: condition and condition, r"& \| ~", r"and, or, not")
    refused(lambda: not condition, r"& \| ~")
    refused(lambda: 1 < age < 3, r"\.between\(a, b\)")
    refused(lambda: "a" in name, r"\.contains", r"\.in_")
    refused(lambda: list(name), r"cannot be iterated")
    refused(lambda: bool(age), r"is a column, not a value")


def test_conditions_that_are_plain_values() -> None:
    refused(lambda: find(User, True), r"plain bool True", r"User\.age > 18")
    refused(lambda: find(User).where(3), r"is no condition")  # type: ignore[arg-type]
    refused(lambda: find(User).where(users.age), r"the column User\.age: compare it")
    refused(lambda: find(3), r"find\(…\)")  # type: ignore[call-overload]
    refused(lambda: find(User, col(Post.title) == "x"), r"Post\.title is no column of User", r"in_\(find")


def test_models_and_records_that_are_none() -> None:
    refused(lambda: add(User), r"takes an instance of a model, not the class User")
    refused(lambda: add(3), r"int")
    refused(lambda: find(int), r"int")
    refused(lambda: add_all([User("a"), Post(1, "b")]), r"records of one model", r"User and Post|first is a User")  # type: ignore[list-item]
    refused(lambda: delete(User), r"an instance")
    refused(lambda: save(None), r"NoneType")
    refused(lambda: upsert(User("a"), on=User.age), r"takes the key or the fields of one unique rule")


def test_queries_with_numbers_that_make_no_sense() -> None:
    refused(lambda: find(User).limit(-1), r"a whole number, zero or more, not -1")
    refused(lambda: find(User).limit(2.0), r"a whole number")  # type: ignore[arg-type]
    refused(lambda: find(User).offset(True), r"a whole number")
    refused(lambda: find(User).order_by("name"), r"order_by takes columns")  # type: ignore[arg-type]
    refused(lambda: find(User).select(), r"at least one column")  # type: ignore[call-overload]
    refused(lambda: find(User).for_update(skip_locked=True, no_wait=True), r"not both")
    refused(lambda: find(User).for_update().count(), r"for_update")
    refused(lambda: find(User, age > 1).update(), r"sets nothing")
    refused(lambda: find(User, age > 1).set(age, 1).set(age, 2), r"set twice")
    refused(lambda: col(User.age).in_(find(User).select(age, name)), r"a query of one column")


def test_combinators_of_what_are_no_effects() -> None:
    refused(lambda: gather([one, one]), r"gather\(…\) takes effects", r"gather\(\*effects\)")  # type: ignore[call-overload]
    refused(lambda: validate(1), r"takes effects")  # type: ignore[call-overload]
    refused(lambda: race(), r"at least one effect")
    refused(lambda: attempt(int, catching=ValueError), r"a tuple of exception classes")  # type: ignore[arg-type]
    refused(lambda: attempt(int, catching=()), r"a tuple of exception classes")
    refused(lambda: catch(), r"catch\(…\) takes one or more error classes")  # type: ignore[call-overload]
    refused(lambda: catch(ValueError()), r"catch\(…\) takes one or more error classes")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "build",
    [
        lambda: one.timeout(-1),
        lambda: one.timeout(float("nan")),
        lambda: sleep(-0.1),
        lambda: gather(one, limit=0),
        lambda: traverse([1], lambda _: one, limit=-1),
        lambda: Schedule.recurs(-1),
        lambda: Schedule.fixed(-1),
        lambda: Schedule.fixed(float("inf")),
        lambda: Schedule.exponential(0.1, 0),
        lambda: Schedule.fixed(1).up_to(-2),
        lambda: Schedule.fixed(1).within(-1),
        lambda: Schedule.fixed(1).capped(True),
    ],
)
def test_numbers_that_make_no_sense(build: Any) -> None:
    with pytest.raises(ValueError, match="not"):
        build()


def test_regular_expressions_that_databases_read_differently() -> None:
    with pytest.raises(ValueError, match=r"\[0-9\]"):
        name.regex(r"\d+")


def test_a_generator_given_to_add_all_is_read_once_and_whole() -> None:
    def several() -> Iterator[User]:
        yield User("a")
        yield User("b")

    made = add_all(several())
    assert repr(made) == "add_all([User(name='a', email=None, age=0), User(name='b', email=None, age=0)])"
