"""Laws of effects: those of the railway with no database, and those of programs on one."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, note
from hypothesis import strategies as st
from returns.result import Failure, Result, Success

from ommi import Effect, Ommi, OmmiError, Schedule, catch, find, gather, traverse, validate
from ommi.testing import run_script, succeeds
from ommi.testing.comparison import answer, tables
from ommi.testing.models import suite_models
from ommi.testing.programs import MODELS, UNKEYED, in_turn, library, programs, reads

Kleisli = Callable[[Any], Effect[Any, Any]]

NUMBERS = st.integers(-9, 9)
FUNCTIONS = st.sampled_from([str, repr, lambda value: (value, value), lambda value: [value], hash])
KLEISLIS: st.SearchStrategy[Kleisli] = st.sampled_from([
    Effect.from_value,
    Effect.from_failure,
    lambda value: Effect.from_value((value, 1)),
    lambda value: Effect.from_failure((value, 2)),
    lambda value: Effect.from_value(value) if hash(value) % 2 else Effect.from_failure(value),
])  # fmt: skip


def _extended(part: st.SearchStrategy[Effect[Any, Any]]) -> st.SearchStrategy[Effect[Any, Any]]:
    return st.one_of(
        st.builds(lambda effect, function: effect.map(lambda v: str(function(v))), part, FUNCTIONS),
        st.builds(lambda effect, function: effect.bind(function), part, KLEISLIS),
        st.builds(lambda effect, function: effect.lash(function), part, KLEISLIS),
        st.builds(lambda effect, function: effect.alt(lambda e: str(function(e))), part, FUNCTIONS),
        part.map(lambda effect: effect.swap()),
        part.map(lambda effect: effect.transactional()),
        part.map(lambda effect: effect.ensure(Effect.from_value(None))),
        st.lists(part, max_size=3).map(lambda parts: gather(*parts).transactional()),
    )


EFFECTS = st.recursive(NUMBERS.map(Effect.from_value) | NUMBERS.map(Effect.from_failure), _extended, max_leaves=6)


def outcome(effect: Effect[Any, Any]) -> Result[Any, Any]:
    """What an effect that asks for nothing comes to."""
    return run_script(effect, [])


# -- the railway


@given(EFFECTS)
def test_map_of_the_identity_changes_nothing(effect: Effect[Any, Any]) -> None:
    assert outcome(effect.map(lambda value: value)) == outcome(effect)
    assert outcome(effect.alt(lambda error: error)) == outcome(effect)


@given(EFFECTS, FUNCTIONS, FUNCTIONS)
def test_map_composes(effect: Effect[Any, Any], f: Any, g: Any) -> None:
    def textual(function: Any) -> Any:
        return lambda value: str(function(str(value)))

    f, g = textual(f), textual(g)
    assert outcome(effect.map(f).map(g)) == outcome(effect.map(lambda value: g(f(value))))
    assert outcome(effect.alt(f).alt(g)) == outcome(effect.alt(lambda error: g(f(error))))


@given(NUMBERS, KLEISLIS)
def test_a_value_is_the_left_identity_of_bind(value: int, function: Kleisli) -> None:
    assert outcome(Effect.from_value(value).bind(function)) == outcome(function(value))
    assert outcome(Effect.from_failure(value).lash(function)) == outcome(function(value))


@given(EFFECTS)
def test_a_value_is_the_right_identity_of_bind(effect: Effect[Any, Any]) -> None:
    assert outcome(effect.bind(Effect.from_value)) == outcome(effect)
    assert outcome(effect.lash(Effect.from_failure)) == outcome(effect)


@given(EFFECTS, KLEISLIS, KLEISLIS)
def test_bind_is_associative(effect: Effect[Any, Any], f: Kleisli, g: Kleisli) -> None:
    assert outcome(effect.bind(f).bind(g)) == outcome(effect.bind(lambda value: f(value).bind(g)))
    assert outcome(effect.lash(f).lash(g)) == outcome(effect.lash(lambda error: f(error).lash(g)))


@given(NUMBERS, KLEISLIS)
def test_bind_passes_failures_and_lash_passes_values(value: int, function: Kleisli) -> None:
    assert outcome(Effect.from_failure(value).bind(function)) == Failure(value)
    assert outcome(Effect.from_value(value).lash(function)) == Success(value)


@given(EFFECTS)
def test_swap_twice_changes_nothing(effect: Effect[Any, Any]) -> None:
    assert outcome(effect.swap().swap()) == outcome(effect)


@given(EFFECTS)
def test_either_holds_the_outcome(effect: Effect[Any, Any]) -> None:
    assert outcome(effect.either()) == Success(outcome(effect))
    assert outcome(effect.either().bind(Effect.from_result)) == outcome(effect)


@given(EFFECTS)
def test_merge_never_fails(effect: Effect[Any, Any]) -> None:
    found = outcome(effect)
    assert outcome(effect.merge()) == Success(found.value_or(None) if isinstance(found, Success) else found.failure())


@given(EFFECTS, KLEISLIS)
def test_tap_keeps_the_value_and_not_the_failure(effect: Effect[Any, Any], function: Kleisli) -> None:
    assert outcome(effect.tap(function)) == outcome(effect.bind(lambda value: function(value).map(lambda _: value)))


@given(EFFECTS)
def test_catch_of_what_does_not_happen_changes_nothing(effect: Effect[Any, Any]) -> None:
    assert outcome(effect >> catch(OmmiError)(lambda _: Effect.from_value("caught"))) == outcome(effect)
    assert outcome(effect >> catch(object)(Effect.from_failure)) == outcome(effect)  # type: ignore[type-var]


@given(EFFECTS)
def test_scopes_around_what_asks_for_nothing_change_nothing(effect: Effect[Any, Any]) -> None:
    for scoped in (
        effect.transactional(),
        effect.savepoint(),
        effect.transactional().transactional(),
        effect.timeout(60),
        effect.ensure(Effect.from_value("ignored")),
        effect.after_commit(Effect.from_value("ignored")),
        effect.retry(Schedule.recurs(0), on=Exception),
        effect.retry(Schedule.fixed(1).up_to(3), on=KeyError),
    ):
        # in a transaction, where siblings take turns: outside, the one that fails first in time is the answer
        assert outcome(scoped.transactional()) == outcome(effect.transactional())


@given(st.lists(EFFECTS, max_size=4))
def test_gather_in_a_transaction_asks_in_turn(effects: list[Effect[Any, Any]]) -> None:
    whole = outcome(in_turn(*effects).transactional())
    assert outcome(gather(*effects).transactional()) == whole.map(tuple)
    assert outcome(traverse(effects, lambda effect: effect).transactional()) == whole


@given(st.lists(EFFECTS, max_size=4))
def test_gather_gives_all_values_or_a_failure_of_one(effects: list[Effect[Any, Any]]) -> None:
    outcomes = [outcome(effect) for effect in effects]
    found = outcome(gather(*effects))
    if isinstance(found, Success):
        assert list(found.unwrap()) == [each.unwrap() for each in outcomes]
    else:
        assert found in outcomes


@given(st.lists(EFFECTS, max_size=4))
def test_validate_is_all_values_or_all_errors(effects: list[Effect[Any, Any]]) -> None:
    outcomes = [outcome(effect) for effect in effects]
    errors = tuple(found.failure() for found in outcomes if isinstance(found, Failure))
    values = tuple(found.unwrap() for found in outcomes if isinstance(found, Success))
    assert outcome(validate(*effects)) == (Failure(errors) if errors else Success(values))


@given(EFFECTS)
def test_an_effect_comes_to_the_same_again(effect: Effect[Any, Any]) -> None:
    assert outcome(effect) == outcome(effect)


@given(EFFECTS, st.integers(0, 4))
def test_a_retry_that_cannot_help_tries_as_often_as_it_may(effect: Effect[Any, Any], times: int) -> None:
    runs: list[int] = []
    counted = Effect.from_value(None).bind(lambda _: runs.append(1) or effect)  # type: ignore[func-returns-value]
    error = KeyError("no")
    failing = counted.bind(lambda _: Effect.from_failure(error)).alt(lambda _: error)
    assert outcome(failing.retry(Schedule.recurs(times), on=KeyError)) == Failure(error)
    assert len(runs) == times + 1


# -- on a database


@dataclass
class World:
    """A memory database behind an event loop."""

    portal: BlockingPortal
    db: Ommi

    def after(self, *effects: Effect[Any, Any]) -> tuple[list[Any], dict[str, list[Any]]]:
        """The outcomes of the effects, run one by one from the same rows, and the rows at the end."""
        for effect in effects:
            note(repr(effect))
        return self.portal.call(self._after, effects)

    async def _after(self, effects: tuple[Effect[Any, Any], ...]) -> tuple[list[Any], dict[str, list[Any]]]:
        await succeeds(self.db, BEGINNING)
        outcomes = [await answer(self.db, effect, unkeyed=UNKEYED) for effect in effects]
        return outcomes, await tables(self.db, MODELS, unkeyed=UNKEYED)


BEGINNING = in_turn(*(find(model).everything().delete() for model in MODELS)).bind(lambda _: library()).transactional()


@asynccontextmanager
async def with_tables() -> AsyncIterator[Ommi]:
    async with Ommi.connect("memory://") as db:
        await succeeds(db, db.schema.create(suite_models))
        yield db


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with start_blocking_portal("asyncio") as portal, portal.wrap_async_context_manager(with_tables()) as db:
        yield World(portal, db)


@given(programs())
def test_a_failed_transaction_leaves_no_trace(world: World, program: Effect[Any, Any]) -> None:
    undone = program.bind(lambda _: Effect.from_failure("undone")).transactional()
    assert world.after(undone)[1] == world.after()[1]


@given(programs(), programs())
def test_a_failed_savepoint_leaves_no_trace(world: World, kept: Effect[Any, Any], lost: Effect[Any, Any]) -> None:
    undone = lost.bind(lambda _: Effect.from_failure("undone")).savepoint().either()
    both = world.after(in_turn(kept.either(), undone).transactional())
    if both[0][0][0] != "defect":
        assert both[1] == world.after(kept.either().transactional())[1]


@given(programs())
def test_a_program_run_twice_is_two_programs(world: World, program: Effect[Any, Any]) -> None:
    twice = world.after(program, program)
    if all(outcome[0] != "defect" for outcome in twice[0]):
        assert twice[1] == world.after(in_turn(program.either(), program.either()))[1]


@given(programs())
def test_a_program_is_not_changed_by_running_it(world: World, program: Effect[Any, Any]) -> None:
    assert world.after(program) == world.after(program)


@given(programs())
def test_either_of_a_transaction_does_what_the_transaction_does(world: World, program: Effect[Any, Any]) -> None:
    whole = world.after(program.transactional())
    if whole[0][0][0] != "defect":
        assert world.after(program.transactional().either())[1] == whole[1]


@given(programs())
def test_a_transaction_in_a_transaction_is_one(world: World, program: Effect[Any, Any]) -> None:
    assert world.after(program.transactional().transactional()) == world.after(program.transactional())


@given(st.lists(programs(), max_size=3))
def test_gather_in_a_transaction_is_the_effects_in_turn(world: World, parts: list[Effect[Any, Any]]) -> None:
    at_once = world.after(gather(*parts).map(list).transactional())
    assert at_once == world.after(in_turn(*parts).transactional())


@given(st.lists(reads(), max_size=4))
def test_reads_at_once_are_reads_in_turn(world: World, parts: list[Effect[Any, Any]]) -> None:
    assert world.after(gather(*parts).map(list))[1] == world.after(in_turn(*parts))[1]


@given(programs())
def test_reading_changes_nothing(world: World, program: Effect[Any, Any]) -> None:
    reading = gather(*(find(model).all() for model in MODELS))
    assert world.after(reading.bind(lambda _: program))[1] == world.after(program)[1]


@given(programs())
def test_a_long_timeout_changes_nothing(world: World, program: Effect[Any, Any]) -> None:
    assert world.after(program.timeout(3600)) == world.after(program)
    assert world.after(program.transactional(timeout=3600)) == world.after(program.transactional())
