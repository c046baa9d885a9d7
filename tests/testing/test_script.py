"""A program against a script of calls and replies."""

from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import pytest
from returns.result import Failure, Success

from ommi import (
    ConstraintViolation,
    Effect,
    EncodeError,
    Key,
    ModelCollection,
    NotFound,
    Prog,
    Schedule,
    SerializationConflict,
    StatementTimeout,
    UniqueViolation,
    Version,
    add,
    add_all,
    add_stream,
    auto,
    catch,
    effect,
    find,
    gather,
    ommi_model,
    race,
    save,
    sleep,
    upsert,
)
from ommi.testing import BEGIN, COMMIT, RELEASE, ROLLBACK, ROLLBACK_TO, SAVEPOINT, FakeClock, run_script


@ommi_model(collection=ModelCollection())
@dataclass
class User:
    name: str
    age: int = 0
    id: Annotated[int, Key] = auto()


@ommi_model(collection=ModelCollection())
@dataclass
class Page:
    text: str
    version: Annotated[int, Version] = 0
    id: Annotated[int, Key] = auto()


TAKEN = UniqueViolation("User.name is there already", model=User, fields=("name",), constraint=None)
by_name = find(User, User.name == "Ada").one()


@effect
def sign_up(name: str) -> Prog[User, Any]:
    user = yield from add(User(name))
    yield from find(User, User.id == user.id).update(age=1)
    return user


def test_a_program_gets_the_replies_in_order() -> None:
    outcome = run_script(
        sign_up("Ada"), [(add(User("Ada")), User("Ada", id=7)), (find(User, User.id == 7).update(age=1), 1)]
    )
    assert outcome == Success(User("Ada", id=7))


def test_an_error_is_what_a_call_fails_with() -> None:
    assert run_script(sign_up("Ada"), [(add(User("Ada")), TAKEN)]) == Failure(TAKEN)


def test_a_recovery_is_part_of_the_script() -> None:
    program = sign_up("Ada") >> catch(ConstraintViolation)(lambda _: by_name)
    assert run_script(program, [(add(User("Ada")), TAKEN), (by_name, User("Ada", id=3))]) == Success(User("Ada", id=3))


def test_another_call_than_expected_shows_both_as_code() -> None:
    with pytest.raises(AssertionError) as caught:
        run_script(sign_up("Bob"), [(add(User("Ada")), User("Ada", id=7))])
    said = str(caught.value)
    assert "the program makes another call than the script expects, after 0 calls that fit" in said
    assert "expected: add(User(name='Ada', age=0))" in said
    assert "actual:   add(User(name='Bob', age=0))" in said
    assert "test_script.py:" in said


def test_a_call_after_the_end_of_the_script() -> None:
    with pytest.raises(AssertionError, match=r"after the end of the script, after 1 calls[\s\S]*no further call"):
        run_script(sign_up("Ada"), [(add(User("Ada")), User("Ada", id=7))])


def test_a_program_that_ends_before_the_script() -> None:
    with pytest.raises(AssertionError, match=r"ended before the script[\s\S]*expected: find\(User\)\.all\(\)"):
        run_script(Effect.from_value(1), [(find(User).all(), [])])


def test_the_first_difference_is_reported_though_finalizers_run_on() -> None:
    program = sign_up("Bob").ensure(find(User).count().lash(lambda _: Effect.from_value(0)))
    with pytest.raises(AssertionError, match=r"actual:   add\(User\(name='Bob'"):
        run_script(program, [(add(User("Ada")), User("Ada", id=7))])


def test_a_difference_cannot_be_recovered_from() -> None:
    with pytest.raises(AssertionError, match="another call"):
        run_script(add(User("Bob")).lash(lambda _: Effect.from_value(None)), [(add(User("Ada")), None)])


def test_defects_are_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        run_script(find(User).count().map(lambda n: 1 // n), [(find(User).count(), 0)])


def test_instances_passed_in_are_filled() -> None:
    user, page = User("Ada"), Page("a", 0, 1)
    run_script(add(user), [(add(User("Ada")), User("Ada", id=7))])
    assert user.id == 7
    run_script(save(page), [(save(Page("a", 0, 1)), Page("a", 1, 1))])
    assert page.version == 1
    users = [User("a"), User("b")]
    run_script(add_all(users), [(add_all([User("a"), User("b")]), [User("a", id=1), User("b", id=2)])])
    assert [user.id for user in users] == [1, 2]
    again = User("Ada")
    run_script(upsert(again), [(upsert(User("Ada")), User("Eve", 9, id=4))])
    assert again == User("Eve", 9, id=4)


def test_instances_stay_untouched_by_a_rollback() -> None:
    user = User("Ada")
    program = add(user).bind(lambda _: Effect.from_failure("no")).transactional()
    run_script(program, [(add(User("Ada")), User("A", id=7))])
    assert user.id is None


def test_a_value_that_cannot_be_stored_asks_no_database() -> None:
    outcome: Any = run_script(find(User, User.age == 2**70).all(), [])
    assert isinstance(outcome.failure(), EncodeError)


def test_transactions_are_unseen_unless_asked_for() -> None:
    script: list[Any] = [(add(User("Ada")), User("Ada", id=7))]
    assert run_script(add(User("Ada")).savepoint().transactional(), script) == Success(User("Ada", id=7))


def test_transactions_are_calls_where_asked_for() -> None:
    undone = add(User("Bob")).savepoint().lash(lambda _: Effect.from_value(None))
    program = add(User("Ada")).bind(lambda _: undone).transactional()
    script: list[Any] = [
        BEGIN, (add(User("Ada")), User("Ada", id=7)),
        SAVEPOINT, (add(User("Bob")), TAKEN), ROLLBACK_TO, RELEASE,
        COMMIT,
    ]  # fmt: skip
    assert run_script(program, script, transactions=True) == Success(None)
    failed: list[Any] = [BEGIN, (add(User("Ada")), TAKEN), ROLLBACK]
    assert run_script(program, failed, transactions=True) == Failure(TAKEN)


def test_a_step_of_a_transaction_can_fail() -> None:
    conflict = SerializationConflict("conflict")
    add_ada: tuple[Any, Any] = (add(User("Ada")), User("Ada", id=7))
    script: list[Any] = [BEGIN, add_ada, (COMMIT, conflict), BEGIN, add_ada, COMMIT]
    program = add(User("Ada")).transactional().retry(Schedule.recurs(1))
    assert run_script(program, script, transactions=True) == Success(User("Ada", id=7))


def test_steps_show_by_their_names() -> None:
    with pytest.raises(AssertionError, match=r"expected: COMMIT\n  actual:   ROLLBACK"):
        run_script(Effect.from_failure("x").transactional(), [BEGIN, COMMIT], transactions=True)


def test_steps_without_being_asked_for_are_refused() -> None:
    with pytest.raises(TypeError, match=r"transactions=True"):
        run_script(Effect.from_value(1), [BEGIN])


def test_what_is_no_operation_is_no_call_of_a_script() -> None:
    with pytest.raises(TypeError, match="a call of a script is one operation"):
        run_script(Effect.from_value(1), [(find(User).all().map(len), 1)])
    query: Any = find(User)
    with pytest.raises(TypeError, match="a call of a script is one operation"):
        run_script(Effect.from_value(1), [(query, 1)])


def test_a_program_run_twice_makes_its_calls_twice() -> None:
    count: list[Any] = [(find(User).count(), 1)]
    program = find(User).count()
    assert run_script(program, count) == run_script(program, count) == Success(1)


def test_the_effects_of_a_gather_take_turns() -> None:
    program = gather(sign_up("a"), sign_up("b"))
    script: list[Any] = [
        (add(User("a")), User("a", id=1)),
        (add(User("b")), User("b", id=2)),
        (find(User, User.id == 1).update(age=1), 1),
        (find(User, User.id == 2).update(age=1), 1),
    ]
    assert run_script(program, script) == Success((User("a", id=1), User("b", id=2)))


def test_what_the_application_awaits_is_scripted_by_its_function() -> None:
    async def ask() -> int:
        await anyio.sleep(1)
        return 1

    program = Effect.from_awaitable(ask).map(lambda n: n + 1)
    assert run_script(program, [(Effect.from_awaitable(ask), 41)]) == Success(42)


def test_an_update_in_steps_can_be_a_call() -> None:
    program = find(User, User.id == 1).set(User.age, 3)
    assert run_script(program, [(find(User, User.id == 1).update(age=3), 1)]) == Success(1)
    assert run_script(find(User, User.id == 1).update(age=3), [(program, 1)]) == Success(1)


# -- time


def test_pauses_are_over_at_once_and_move_the_clock() -> None:
    clock = FakeClock(start=100)
    assert run_script(sleep(3600).bind(lambda _: sleep(1)), [], clock=clock) == Success(None)
    assert (clock.pauses, clock.now()) == ([3600, 1], 3701)


def test_statements_take_no_time_so_that_timers_wait_for_them() -> None:
    program = sign_up("Ada").timeout(0.001)
    script: list[Any] = [(add(User("Ada")), User("Ada", id=7)), (find(User, User.id == 7).update(age=1), 1)]
    assert run_script(program, script) == Success(User("Ada", id=7))


def test_a_timer_ends_before_a_longer_pause() -> None:
    clock = FakeClock()
    outcome: Any = run_script(sleep(5).timeout(2), [], clock=clock)
    assert isinstance(outcome.failure(), StatementTimeout)
    assert clock.now() == 2
    assert run_script(sleep(2).timeout(5), [], clock=FakeClock()) == Success(None)


def test_pauses_at_once_pass_together() -> None:
    clock = FakeClock()
    assert run_script(gather(sleep(3), sleep(1), sleep(2)), [], clock=clock) == Success((None, None, None))
    assert clock.now() == 3


def test_race_is_won_by_the_shorter_pause() -> None:
    program = race(sleep(2).map(lambda _: "slow"), sleep(1).map(lambda _: "fast"))
    assert run_script(program, []) == Success("fast")


def test_a_reply_of_not_found() -> None:
    assert run_script(by_name, [(by_name, NotFound("no", model=User))]) == Failure(NotFound("no", model=User))


# -- streams

ADULTS = find(User).where(User.age > 17)


def test_a_stream_is_answered_with_the_list_of_what_it_gives() -> None:
    program = ADULTS.stream(chunk=2).map(lambda user: user.age).fold(0, lambda total, age: total + age)
    script = [(ADULTS.stream(), [User("Ada", 20), User("Bob", 30), User("Cid", 40)])]
    assert run_script(program, script) == Success(90)


def test_what_a_stream_leads_to_is_answered_where_it_happens() -> None:
    names = ADULTS.select(User.name).stream(chunk=2)
    program = names.for_each(lambda row: add(User(row[0] + "'")))
    script: list[Any] = [(names, [("Ada",), ("Bob",)]), (add(User("Ada'")), User("")), (add(User("Bob'")), User(""))]
    assert run_script(program, script) == Success(2)


def test_a_stream_breaks_off_where_the_script_says_so() -> None:
    conflict = SerializationConflict("again")
    log: list[str] = []
    program = ADULTS.stream(chunk=2).map(lambda user: log.append(user.name)).to_list()
    assert run_script(program, [(ADULTS.stream(), [User("Ada"), User("Bob"), User("Cid"), conflict])]) == Failure(
        conflict
    )
    assert log == ["Ada", "Bob"]
    assert run_script(program, [(ADULTS.stream(), conflict)]) == Failure(conflict)


def test_each_chunk_of_an_inserted_stream_is_a_call() -> None:
    ada, bob, cid = User("Ada"), User("Bob"), User("Cid")
    script: list[Any] = [BEGIN, (add_all([ada, bob]), [ada, bob]), (add_all([cid]), [cid]), COMMIT]
    assert run_script(add_stream([ada, bob, cid], chunk=2), script, transactions=True) == Success(3)


def test_another_stream_than_expected_is_shown() -> None:
    with pytest.raises(AssertionError, match=r"expected: find\(User\)\.all\(\)\n  actual:   find.*\.stream\(\)"):
        run_script(ADULTS.stream().to_list(), [(find(User).all(), [])])


def test_only_the_stream_of_a_query_is_a_call() -> None:
    with pytest.raises(TypeError, match="a call of a script is one operation"):
        run_script(ADULTS.stream().to_list(), [(ADULTS.stream().map(str), [])])
