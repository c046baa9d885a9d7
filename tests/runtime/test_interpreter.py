"""What a program asks for, step by step, without anything being awaited."""

from typing import Any

import pytest

from ommi import (
    ConnectionLost,
    Deadlock,
    Effect,
    LockTimeout,
    NotFound,
    Prog,
    Schedule,
    SerializationConflict,
    StatementTimeout,
    TransactionOptions,
    UniqueViolation,
    UnsupportedOperation,
    attempt,
    bracket,
    catch,
    effect,
    gather,
    race,
    sleep,
    traverse,
    validate,
)
from ommi.effects.effect import Answer, Perform
from ommi.query.statements import Count, Select
from ommi.runtime.calls import (
    Awaiting,
    Begin,
    Cancel,
    Commit,
    Ending,
    Execute,
    Mark,
    Marking,
    Pause,
    Rollback,
)
from ommi.runtime.fibers import OpenTransaction
from ommi.runtime.interpreter import interpret
from ommi.schema import Schema
from ommi.testing import FakeClock
from ommi.testing.models import Tag, suite_models

VALUE, ERROR, DOOM, DEFECT, CANCELLED, NOT_MADE = Ending
SCHEMA: Schema = next(schema for schema in suite_models.schemas if schema.model is Tag)
HANDLE = object()


def query(limit: int) -> Effect[Any, Any]:
    """An operation that is told by a number."""
    return Perform(Count(Select(SCHEMA, limit=limit)), Answer.PLAIN)


def said(command: Any) -> Any:
    """A command as something to compare with."""
    match command:
        case Execute(perform=perform):
            statement: Any = perform.statement
            return statement.query.limit
        case Begin():
            return "begin"
        case Commit():
            return "commit"
        case Rollback():
            return "rollback"
        case Marking(mark=mark, name=name):
            return f"{ {Mark.SET: 'set', Mark.RELEASE: 'release', Mark.ROLL_BACK_TO: 'back to'}[mark] } {name}"
        case Pause(seconds=seconds):
            return f"pause {seconds}"
        case Awaiting():
            return "await"
        case Cancel(call=call):
            return f"cancel {said(call)}"
    raise AssertionError(command)


class Machine:
    """A program, and the calls it waits for by their names."""

    def __init__(self, program: Effect[Any, Any], joined: OpenTransaction | None = None) -> None:
        self.program = interpret(program, FakeClock(), joined)
        self.waiting: dict[Any, Any] = {}
        self.outcome: Any = None
        self.asked: list[Any] = []
        self._advance(None)

    def _advance(self, sent: Any) -> None:
        try:
            commands = self.program.send(sent)
        except StopIteration as stop:
            self.outcome = stop.value
            self.asked = []
            return
        self.asked = [said(command) for command in commands]
        for command in commands:
            if not isinstance(command, Cancel):
                self.waiting[said(command)] = command

    def end(self, name: Any, payload: Any = None, ending: Ending = VALUE) -> list[Any]:
        """End a call; what is asked for next."""
        self._advance([(self.waiting.pop(name), ending, payload)])
        return self.asked

    def fail(self, name: Any, error: Any) -> list[Any]:
        return self.end(name, error, ERROR)

    def interrupt(self) -> list[Any]:
        """The whole program is cancelled; what is asked for next."""
        self._advance([(None, CANCELLED, None)])
        return self.asked

    def stopped(self, name: Any) -> list[Any]:
        return self.end(name, None, CANCELLED)


def failing(error: Any = "no") -> Effect[Any, Any]:
    return Effect.from_failure(error)


def noting(log: list[Any], entry: Any) -> Effect[None, Any]:
    return Effect.from_value(None).map(lambda _: log.append(entry))


# -- the railway


def test_a_value_and_a_failure_ask_for_nothing() -> None:
    assert Machine(Effect.from_value(1)).outcome == (VALUE, 1)
    assert Machine(failing()).outcome == (ERROR, "no")


def test_bind_goes_on_and_lash_does_not() -> None:
    machine = Machine(query(1).bind(query).lash(lambda _: query(99)))
    assert machine.asked == [1]
    assert machine.end(1, 2) == [2]
    machine.end(2, 3)
    assert machine.outcome == (VALUE, 3)


def test_lash_recovers() -> None:
    machine = Machine(query(1).bind(query).lash(lambda _: query(99)))
    assert machine.fail(1, NotFound("no")) == [99]


def test_catch_recovers_only_from_its_classes() -> None:
    program = query(1) >> catch(NotFound)(lambda _: query(2))
    assert Machine(program).fail(1, NotFound("x")) == [2]
    machine = Machine(program)
    machine.fail(1, UniqueViolation("x"))
    assert machine.outcome == (ERROR, UniqueViolation("x"))


def test_a_defect_is_not_recovered_from() -> None:
    defect: Effect[Any, Any] = Effect.from_value(0).map(lambda zero: 1 // zero)
    machine = Machine(defect.lash(lambda _: query(1)).either().swap())
    assert machine.outcome[0] is DEFECT


def test_attempt_turns_only_what_it_names_into_failures() -> None:
    ending, payload = Machine(attempt(lambda: int("x"), catching=(ValueError,))).outcome
    assert ending is ERROR
    assert isinstance(payload, ValueError)
    assert Machine(attempt(lambda: 1 // 0, catching=(ValueError,))).outcome[0] is DEFECT


def test_a_failure_closes_programs_so_that_their_finally_runs() -> None:
    log: list[Any] = []

    @effect
    def inner() -> Prog[Any, Any]:
        try:
            yield from query(1)
        finally:
            log.append("inner")

    @effect
    def outer() -> Prog[Any, Any]:
        try:
            yield from inner()
        finally:
            log.append("outer")

    machine = Machine(outer())
    machine.fail(1, "no")
    assert machine.outcome == (ERROR, "no")
    assert log == ["inner", "outer"]


def test_a_defect_in_a_finally_is_not_lost() -> None:
    @effect
    def program() -> Prog[Any, Any]:
        try:
            yield from query(1)
        finally:
            raise KeyError("cleanup")

    machine = Machine(program())
    machine.fail(1, ValueError("first"))
    ending, payload = machine.outcome
    assert ending is DEFECT
    assert isinstance(payload, KeyError)
    assert isinstance(payload.__context__, (ValueError, GeneratorExit))


# -- several at once


def test_gather_asks_for_all_at_once_and_each_goes_on_alone() -> None:
    machine = Machine(gather(query(1).bind(lambda _: query(11)), query(2), query(3)))
    assert machine.asked == [1, 2, 3]
    assert machine.end(1) == [11]
    assert machine.end(3, "c") == []
    assert machine.end(11, "a") == []
    machine.end(2, "b")
    assert machine.outcome == (VALUE, ("a", "b", "c"))


def test_gather_starts_as_many_as_its_limit() -> None:
    machine = Machine(traverse([1, 2, 3, 4], query, limit=2))
    assert machine.asked == [1, 2]
    assert machine.end(2, "b") == [3]
    assert machine.end(1, "a") == [4]
    machine.end(3, "c")
    machine.end(4, "d")
    assert machine.outcome == (VALUE, ["a", "b", "c", "d"])


def test_a_failure_cancels_the_siblings_and_waits_for_them() -> None:
    machine = Machine(gather(query(1), query(2), query(3)))
    assert machine.fail(2, "no") == ["cancel 1", "cancel 3"]
    assert machine.outcome is None
    machine.stopped(1)
    machine.stopped(3)
    assert machine.outcome == (ERROR, "no")


def test_the_first_failure_by_position_wins() -> None:
    machine = Machine(gather(query(1), query(2)))
    machine.fail(2, "two")
    machine.fail(1, "one")
    assert machine.outcome == (ERROR, "one")


def test_a_defect_wins_over_a_failure() -> None:
    machine = Machine(gather(query(1), query(2)))
    machine.fail(1, "one")
    bug = KeyError("bug")
    machine.end(2, bug, DEFECT)
    assert machine.outcome == (DEFECT, bug)


def test_validate_lets_all_end_and_collects_errors() -> None:
    machine = Machine(validate(query(1), query(2), query(3)))
    assert machine.fail(2, "two") == []
    assert machine.fail(1, "one") == []
    machine.end(3)
    assert machine.outcome == (ERROR, ("one", "two"))


def test_race_takes_the_first_and_cancels_the_others() -> None:
    machine = Machine(race(query(1), query(2)))
    assert machine.end(2, "won") == ["cancel 1"]
    machine.stopped(1)
    assert machine.outcome == (VALUE, "won")


def test_a_cancelled_sibling_cleans_up_before_the_answer() -> None:
    machine = Machine(gather(query(1).ensure(query(9)), query(2)))
    assert machine.fail(2, "no") == ["cancel 1"]
    assert machine.stopped(1) == [9]
    assert machine.outcome is None
    machine.end(9)
    assert machine.outcome == (ERROR, "no")


def test_a_timeout_is_a_race_with_a_pause() -> None:
    machine = Machine(query(1).timeout(5))
    assert machine.asked == [1, "pause 5"]
    assert machine.end(1, "value") == ["cancel pause 5"]
    machine.stopped("pause 5")
    assert machine.outcome == (VALUE, "value")
    machine = Machine(query(1).timeout(5))
    assert machine.end("pause 5") == ["cancel 1"]
    machine.stopped(1)
    ending, payload = machine.outcome
    assert ending is ERROR
    assert isinstance(payload, StatementTimeout)
    assert "5 seconds" in str(payload)


def test_a_value_that_comes_while_it_is_being_stopped_counts() -> None:
    machine = Machine(query(1).timeout(5))
    machine.end("pause 5")
    machine.end(1, "just in time")
    assert machine.outcome == (VALUE, "just in time")


# -- transactions


def steps(program: Effect[Any, Any], *ends: tuple[Any, ...]) -> tuple[list[Any], Any]:
    """All that is asked for, when each call ends as said, or with success."""
    machine, found = Machine(program), list[Any]()
    given = dict(zip((end[0] for end in ends), (end[1:] for end in ends), strict=True))
    while machine.outcome is None:
        found += machine.asked
        (name,) = [asked for asked in machine.asked if not str(asked).startswith("cancel")]
        if name in given:
            machine.end(name, *given[name])
        else:
            machine.end(name, HANDLE if name == "begin" else name)
    return found, machine.outcome


def test_success_commits() -> None:
    assert steps(query(1).transactional()) == (["begin", 1, "commit"], (VALUE, 1))


def test_failure_rolls_back() -> None:
    assert steps(query(1).bind(failing).transactional()) == (["begin", 1, "rollback"], (ERROR, 1))


def test_a_failed_begin_is_the_failure() -> None:
    assert steps(query(1).transactional(), ("begin", "down", ERROR)) == (["begin"], (ERROR, "down"))


def test_a_refused_commit_is_the_failure() -> None:
    conflict = SerializationConflict("late")
    assert steps(query(1).transactional(), ("commit", conflict, ERROR)) == (["begin", 1, "commit"], (ERROR, conflict))


def test_a_failed_rollback_is_noted_on_the_failure() -> None:
    lost, first = ConnectionLost("gone"), NotFound("first")
    _, (ending, payload) = steps(query(1).transactional(), (1, first, ERROR), ("rollback", lost, ERROR))
    assert (ending, payload) == (ERROR, first)
    assert any("gone" in note for note in payload.__notes__)


def test_nested_ones_are_savepoints_with_names_of_their_own() -> None:
    undone = query(2).bind(failing).savepoint().lash(lambda _: query(3).transactional())
    found, outcome = steps(query(1).bind(lambda _: undone).transactional())
    assert found == [
        "begin", 1, "set ommi_1", 2, "back to ommi_1", "release ommi_1", "set ommi_2", 3, "release ommi_2", "commit",
    ]  # fmt: skip
    assert outcome == (VALUE, 3)


def test_a_savepoint_that_cannot_be_undone_dooms_the_transaction() -> None:
    lost = ConnectionLost("gone")
    nested = query(2).bind(failing).savepoint().lash(lambda _: query(3))
    found, outcome = steps(query(1).bind(lambda _: nested).transactional(), ("back to ommi_1", lost, ERROR))
    assert found == ["begin", 1, "set ommi_1", 2, "back to ommi_1", "rollback"]
    assert outcome == (ERROR, lost)


@pytest.mark.parametrize("error", [SerializationConflict("x"), Deadlock("x"), ConnectionLost("x")])
def test_a_conflict_dooms_the_transaction(error: Any) -> None:
    seen: list[Any] = []
    program = query(1).lash(lambda e: noting(seen, e)).bind(lambda _: query(2)).transactional()
    assert steps(program, (1, error, ERROR)) == (["begin", 1, "rollback"], (ERROR, error))
    assert seen == []


@pytest.mark.parametrize("error", [LockTimeout("x"), UniqueViolation("x"), NotFound("x")])
def test_other_errors_do_not(error: Any) -> None:
    program = query(1).lash(lambda _: query(2)).transactional()
    assert steps(program, (1, error, ERROR)) == (["begin", 1, 2, "commit"], (VALUE, 2))


def test_a_doomed_transaction_runs_no_further_statement() -> None:
    conflict = SerializationConflict("x")
    program = gather(query(1), query(2), query(3)).lash(lambda _: query(4)).transactional()
    assert steps(program, (2, conflict, ERROR)) == (["begin", 1, 2, "rollback"], (ERROR, conflict))


def test_siblings_in_a_transaction_take_turns() -> None:
    found, outcome = steps(gather(query(1), query(2)).transactional())
    assert found == ["begin", 1, 2, "commit"]
    assert outcome == (VALUE, (1, 2))


def test_siblings_outside_have_transactions_of_their_own() -> None:
    machine = Machine(gather(query(1).transactional(), query(2).transactional()))
    assert machine.asked == ["begin", "begin"]


def test_race_in_a_transaction_is_refused() -> None:
    found, (ending, payload) = steps(race(query(1), query(2)).transactional())
    assert found == ["begin", "rollback"]
    assert ending is ERROR
    assert isinstance(payload, UnsupportedOperation)


def test_a_retry_around_a_transaction_rolls_back_before_it_sleeps() -> None:
    conflicts = [SerializationConflict("1"), SerializationConflict("2")]
    program = query(1).bind(lambda _: failing(conflicts.pop()) if conflicts else query(2))
    found, outcome = steps(program.transactional().retry(Schedule.fixed(3.0)))
    once = ["begin", 1, "rollback", "pause 3.0"]
    assert found == [*once, *once, "begin", 1, 2, "commit"]
    assert outcome == (VALUE, 2)


def test_after_commit_runs_when_the_transaction_has_ended() -> None:
    program = query(1).after_commit(query(8)).bind(lambda _: query(2)).after_commit(query(9)).transactional()
    assert steps(program) == (["begin", 1, 2, "commit", 8, 9], (VALUE, 2))
    assert steps(program, (2, "no", ERROR)) == (["begin", 1, 2, "rollback"], (ERROR, "no"))
    assert steps(program, ("commit", "no", ERROR)) == (["begin", 1, 2, "commit"], (ERROR, "no"))


def test_a_program_that_joins_a_transaction_begins_none() -> None:
    joined = OpenTransaction(HANDLE, TransactionOptions())
    machine = Machine(query(1).bind(lambda _: query(2).transactional()), joined)
    assert machine.asked == [1]
    assert machine.end(1) == ["set ommi_1"]


def test_a_timeout_in_a_transaction_dooms_it_only_if_it_stopped_a_statement() -> None:
    machine = Machine(sleep(9).timeout(2).lash(lambda _: query(1)).transactional())
    machine.end("begin", HANDLE)
    assert machine.asked == ["pause 9", "pause 2"]
    machine.end("pause 2")
    assert machine.stopped("pause 9") == [1]
    machine = Machine(query(1).timeout(2).lash(lambda _: query(2)).transactional())
    machine.end("begin", HANDLE)
    machine.end("pause 2")
    assert machine.stopped(1) == ["rollback"]
    machine.end("rollback")
    assert isinstance(machine.outcome[1], StatementTimeout)


# -- cancellation


def test_a_cancelled_program_stops_its_call_and_ends() -> None:
    machine = Machine(query(1).bind(query))
    assert machine.interrupt() == ["cancel 1"]
    machine.stopped(1)
    assert machine.outcome == (CANCELLED, None)


def test_a_cancelled_program_makes_no_further_call_though_its_own_succeeded() -> None:
    machine = Machine(query(1).bind(query))
    machine.interrupt()
    machine.end(1, 5)
    assert machine.outcome == (CANCELLED, None)


def test_a_cancelled_transaction_rolls_back() -> None:
    machine = Machine(query(1).bind(query).transactional())
    machine.end("begin", HANDLE)
    assert machine.interrupt() == ["cancel 1"]
    assert machine.stopped(1) == ["rollback"]
    machine.end("rollback")
    assert machine.outcome == (CANCELLED, None)


def test_a_begin_that_succeeded_while_it_was_being_stopped_is_rolled_back() -> None:
    machine = Machine(query(1).transactional())
    assert machine.interrupt() == ["cancel begin"]
    assert machine.end("begin", HANDLE) == ["rollback"]
    machine.end("rollback")
    assert machine.outcome == (CANCELLED, None)


def test_a_commit_is_not_stopped() -> None:
    machine = Machine(query(1).transactional())
    machine.end("begin", HANDLE)
    assert machine.end(1, "done") == ["commit"]
    assert machine.interrupt() == []
    machine.end("commit")
    assert machine.outcome == (VALUE, "done")


def test_a_nested_one_is_left_to_the_outermost_when_cancelled() -> None:
    machine = Machine(query(1).savepoint().transactional())
    machine.end("begin", HANDLE)
    machine.end("set ommi_1")
    machine.interrupt()
    assert machine.stopped(1) == ["rollback"]


def test_finalizers_run_once_and_are_not_stopped() -> None:
    machine = Machine(query(1).ensure(query(2).bind(lambda _: query(3))))
    machine.interrupt()
    assert machine.stopped(1) == [2]
    assert machine.interrupt() == []
    assert machine.end(2) == [3]
    machine.end(3)
    assert machine.outcome == (CANCELLED, None)


def test_a_bracket_that_is_cancelled_while_it_acquires_releases() -> None:
    machine = Machine(bracket(query(1), lambda _: query(2), lambda _: query(3)))
    assert machine.interrupt() == []
    assert machine.end(1, "resource") == [3]
    machine.end(3)
    assert machine.outcome == (CANCELLED, None)


def test_all_siblings_are_stopped() -> None:
    machine = Machine(gather(query(1), query(2).ensure(query(9)), query(3)))
    assert machine.interrupt() == ["cancel 3", "cancel 2", "cancel 1"] or sorted(machine.asked) == [
        "cancel 1", "cancel 2", "cancel 3",
    ]  # fmt: skip
    machine.stopped(1)
    assert machine.stopped(2) == [9]
    machine.stopped(3)
    machine.end(9)
    assert machine.outcome == (CANCELLED, None)


def test_a_cancelled_retry_does_not_try_again() -> None:
    machine = Machine(query(1).retry(Schedule.fixed(1.0), on=(NotFound,)))
    assert machine.fail(1, NotFound("no")) == ["pause 1.0"]
    assert machine.interrupt() == ["cancel pause 1.0"]
    machine.stopped("pause 1.0")
    assert machine.outcome == (CANCELLED, None)


def test_a_defect_while_cleaning_up_after_a_cancellation_is_the_outcome() -> None:
    defect: Effect[Any, Any] = Effect.from_value(0).map(lambda zero: 1 // zero)
    machine = Machine(query(1).ensure(defect))
    machine.interrupt()
    machine.stopped(1)
    assert machine.outcome[0] is DEFECT


# -- finalizers


@pytest.mark.parametrize("ending", [VALUE, ERROR, DEFECT, CANCELLED])
def test_ensure_runs_exactly_once_whatever_happened(ending: Ending) -> None:
    log: list[Any] = []
    machine = Machine(query(1).ensure(noting(log, "once")).ensure(noting(log, "then")))
    if ending is CANCELLED:
        machine.interrupt()
    machine.end(1, KeyError("bug") if ending is DEFECT else None, ending)
    assert machine.outcome[0] is ending
    assert log == ["once", "then"]


def test_a_failing_finalizer_is_a_defect_that_keeps_what_came_before() -> None:
    first, second = NotFound("first"), NotFound("second")
    failing_finalizer: Any = failing(second)
    ending, payload = Machine(failing(first).ensure(failing_finalizer)).outcome
    assert ending is DEFECT
    assert payload.__cause__ is second
    assert any("first" in note for note in payload.__notes__)


def test_bracket_gives_the_resource_to_both() -> None:
    program = bracket(query(1), lambda it: query(2).map(lambda _: it), lambda it: query(3).map(lambda _: it))
    assert steps(program, (1, "it", VALUE)) == ([1, 2, 3], (VALUE, "it"))
    assert steps(program, (1, "no", ERROR)) == ([1], (ERROR, "no"))
    assert steps(program, (2, "no", ERROR)) == ([1, 2, 3], (ERROR, "no"))


def test_a_bracket_whose_use_raises_releases() -> None:
    log: list[Any] = []
    given: Any = lambda _: 1 // 0  # noqa: E731
    machine = Machine(bracket(Effect.from_value(1), given, lambda _: noting(log, "released")))
    assert machine.outcome[0] is DEFECT
    assert log == ["released"]
