"""Equal parts make equal effects; making one runs nothing and changes nothing."""

import copy
import pickle
from dataclasses import FrozenInstanceError, dataclass
from typing import Annotated, Any

import pytest

from ommi import (
    Effect,
    Key,
    ModelCollection,
    NotFound,
    Prog,
    Schedule,
    UniqueViolation,
    add,
    auto,
    bracket,
    catch,
    col,
    effect,
    find,
    gather,
    ommi_model,
    race,
    save,
    traverse,
)


@ommi_model(collection=ModelCollection())
@dataclass
class User:
    name: str
    age: int = 0
    id: Annotated[int, Key] = auto()


age = col(User.age)


def again(found: Any) -> Effect[Any, Any]:
    return Effect.from_value(found)


@effect
def program(who: str) -> Prog[Any, Any]:
    return (yield from add(User(who)))


def every() -> list[Any]:
    """Effects of every kind, made anew."""
    one = Effect.from_value(1)
    return [
        one,
        Effect.from_failure("no"),
        add(User("Ada")),
        save(User("Ada", id=1)),
        find(User).all(),
        find(User, age > 18).all(),
        find(User, age > 18).first(),
        find(User, age > 19).all(),
        find(User).limit(1).all(),
        find(User).limit(2).all(),
        find(User).count(),
        find(User).exists(),
        find(User).select(age).all(),
        find(User, age == 1).update(age=2),
        find(User, age == 1).update(age=3),
        find(User, age == 1).delete(),
        one.map(str),
        one.bind(again),
        one.tap(again),
        one.lash(again),
        one.alt(str),
        one.swap(),
        one.either(),
        one.transactional(),
        one.transactional(read_only=True),
        one.savepoint(),
        one.retry(Schedule.recurs(1)),
        one.retry(Schedule.recurs(2)),
        one.timeout(1),
        one.ensure(one),
        one.after_commit(one),
        one >> catch(NotFound)(again),
        one >> catch(UniqueViolation)(again),
        gather(one, one),
        race(one, one),
        traverse([1], again),
        bracket(one, again, again),
        program("Ada"),
        program("Bob"),
        program(who="Bob"),
    ]


def test_effects_made_alike_are_equal() -> None:
    assert every() == every()


def test_effects_made_otherwise_are_not() -> None:
    effects = every()
    for place, one in enumerate(effects):
        for other in effects[place + 1 :]:
            assert one != other


def test_values_of_other_classes_make_other_queries() -> None:
    real: Any = col(User.age)
    assert find(User, real == 1).all() == find(User, real == 1).all()
    assert (find(User, real == 1).all() == find(User, real + 0.5 == 1.0).all()) is False


def test_effects_with_values_that_hash_can_be_keys() -> None:
    made = {find(User, age > 18).all(): "adults", program("Ada"): "ada"}
    assert made[find(User, age > 18).all()] == "adults"
    assert made[program("Ada")] == "ada"


def test_effects_cannot_be_changed() -> None:
    made: Any = Effect.from_value(1).map(str)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        made.source = Effect.from_value(2)
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        made.other = 1


def test_effects_of_plain_values_can_be_copied_and_pickled() -> None:
    made = Effect.from_value(1).map(str).retry(Schedule.fixed(1.0).up_to(3)).transactional()
    assert copy.copy(made) == made
    assert pickle.loads(pickle.dumps(made)) == made


def test_making_an_effect_calls_nothing() -> None:
    called: list[str] = []

    @effect
    def noisy() -> Prog[None, Any]:
        called.append("program")
        yield from Effect.from_value(None)

    Effect.from_value(1).map(lambda _: called.append("map")).bind(lambda _: again(called.append("bind")))
    noisy().transactional().retry(Schedule.recurs(3))
    traverse([1, 2], lambda _: again(called.append("traverse")))
    Effect.from_awaitable(lambda: called.append("awaitable"))  # type: ignore[arg-type, func-returns-value]
    assert called == []
