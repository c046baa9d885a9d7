"""An effect reads like the code that builds it."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

import ommi
from ommi import (
    Effect,
    IsolationLevel,
    Key,
    ModelCollection,
    NotFound,
    Prog,
    Schedule,
    Unique,
    add,
    add_all,
    alt,
    attempt,
    auto,
    bind,
    bracket,
    catch,
    col,
    delete,
    effect,
    find,
    gather,
    lash,
    map_,
    ommi_model,
    race,
    reload,
    save,
    sleep,
    tap,
    traverse,
    upsert,
    validate,
)


@ommi_model(collection=ModelCollection())
@dataclass
class User:
    name: str
    age: Annotated[int, Unique] = 0
    id: Annotated[int, Key] = auto()


age, name = col(User.age), col(User.name)


def again(found: Any) -> Effect[Any, Any]:
    return Effect.from_value(found)


@effect
def sign_up(who: str, times: int = 1) -> Prog[Any, Any]:
    return (yield from add(User(who, times)))


ONE, TWO = Effect.from_value(1), Effect.from_value(2)

WRITTEN = [
    "Effect.from_value('x')",
    "Effect.from_failure(UniqueViolation('no', fields=('age',)))",
    "add(User(name='Ada', age=36))",
    "add_all([User(name='Ada', age=1), User(name='Bob', age=2)])",
    "save(User(name='Ada', age=36, id=1))",
    "find(User).all()",
    "find(User).where(User.age > 18).one()",
    "find(User).where((User.age >= 18) & User.name.starts_with('A')).first()",
    "find(User).where((User.age > 18) | ~(User.name == 'Ada')).order_by(User.age.desc).limit(3).offset(2).all()",
    "find(User).where(User.name.in_(['Ada', 'Bob'])).count()",
    "find(User).where(User.age.not_in(find(User).select(User.id))).exists()",
    "find(User).select(User.name, (User.age + 1)).distinct().all()",
    "find(User).for_update(skip_locked=True).all()",
    "find(User).where(User.id == 1).update(age=(User.age + 1), name='Eve')",
    "find(User).everything().update(age=0)",
    "find(User).where(User.id == 1).delete()",
    "find(User).everything().delete()",
    "ONE.map(str)",
    "ONE.bind(again).tap(again).lash(again).alt(str).merge().either().swap()",
    "ONE.apply(TWO.map(again))",
    "ONE.transactional()",
    "ONE.transactional(isolation=IsolationLevel.SERIALIZABLE, read_only=True, timeout=2.0).savepoint()",
    "ONE.retry(Schedule.exponential(0.05).jittered().up_to(5), on=(NotFound, UniqueViolation,)).timeout(3)",
    "ONE.ensure(TWO).after_commit(TWO)",
    "ONE >> catch(NotFound, UniqueViolation)(again)",
    "gather(ONE, TWO)",
    "gather(ONE, TWO, limit=2)",
    "validate(ONE, TWO)",
    "race(ONE, TWO)",
    "traverse([1, 2], again)",
    "traverse([1, 2, 3, … 5 in all], again)",
    "bracket(ONE, again, again)",
    "sleep(2)",
    "attempt(again, catching=(ValueError,))",
    "sign_up('Ada', times=2).transactional()",
]
NAMES = {**{key: getattr(ommi, key) for key in ommi.__all__}, **globals()}


@pytest.mark.parametrize("code", WRITTEN)
def test_repr_is_the_code(code: str) -> None:
    built = eval(code.replace("3, … 5 in all", "3, 4, 5"), NAMES)
    shown = code.replace("ONE", "Effect.from_value(1)").replace("TWO", "Effect.from_value(2)")
    assert repr(built) == shown


def test_upsert_says_on_what() -> None:
    assert repr(upsert(User("Ada"), on=User.age)) == "upsert(User(name='Ada', age=0), on=(User.age,))"
    assert repr(upsert(User("Ada"), update=[])) == "upsert(User(name='Ada', age=0), on=(User.id,), update=[])"


def test_delete_and_reload_are_what_they_do() -> None:
    assert repr(delete(User("Ada", id=1))) == "find(User).where(User.id == 1).delete()"
    assert repr(reload(User("Ada", id=1))) == "find(User).where(User.id == 1).one()"


def test_the_functions_of_a_pipe_read_as_methods() -> None:
    piped = ONE >> bind(again) >> map_(str) >> tap(again) >> lash(again) >> alt(str)
    assert repr(piped) == "Effect.from_value(1).bind(again).map(str).tap(again).lash(again).alt(str)"


def test_a_long_list_is_cut() -> None:
    shown = repr(add_all([User(str(n)) for n in range(1000)]))
    assert shown.endswith("… 1000 in all])")
    assert len(shown) < 200


def test_queries_read_like_code_too() -> None:
    assert repr(find(User, age > 1).order_by(User.name)) == "find(User).where(User.age > 1).order_by(User.name.asc)"
    assert repr(find(User).select(name.lower())) == "find(User).select(User.name.lower())"
    assert repr(find(User).everything()) == "find(User).everything()"


def test_children_are_the_effects_inside() -> None:
    assert ONE.children() == ()
    assert ONE.map(str).children() == (ONE,)
    assert ONE.ensure(TWO).children() == (ONE, TWO)
    assert ONE.after_commit(TWO).children() == (ONE, TWO)
    assert ONE.apply(TWO).children() == (ONE, TWO)
    assert gather(ONE, TWO).children() == (ONE, TWO)
    assert race(ONE, TWO).children() == (ONE, TWO)
    assert bracket(ONE, again, again).children() == (ONE,)
    assert traverse([1], again).children() == ()
    assert sign_up("Ada").children() == ()
    for wrapped in (ONE.transactional(), ONE.retry(Schedule.recurs(1)), ONE.timeout(1), ONE >> catch(NotFound)(again)):
        assert wrapped.children() == (ONE,)


def test_an_update_in_steps_reads_as_one() -> None:
    built = find(User, User.id == 1).set(age, age + 1).set(name, "Eve")
    assert repr(built) == "find(User).where(User.id == 1).update(age=(User.age + 1), name='Eve')"


def test_isolation_and_save_are_named() -> None:
    assert "SNAPSHOT" in repr(save(User("a", id=1)).transactional(isolation=IsolationLevel.SNAPSHOT))


def test_sleep_and_attempt_show_their_arguments() -> None:
    assert repr(sleep(0.5)) == "sleep(0.5)"
    assert repr(attempt(again, catching=(ValueError, KeyError))) == "attempt(again, catching=(ValueError, KeyError,))"  # type: ignore[arg-type]


def test_several_at_once_show_their_limit() -> None:
    assert repr(traverse([1], again, limit=3)) == "traverse([1], again, limit=3)"
    assert repr(validate(ONE, limit=1)) == "validate(Effect.from_value(1), limit=1)"
