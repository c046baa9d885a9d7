"""Writes that effects make in turn inside a transaction: as one statement, where that cannot be told apart."""

from typing import Any

import pytest

from ommi import (
    CheckViolation,
    Effect,
    EncodeError,
    ForeignKeyViolation,
    Ommi,
    Success,
    UniqueViolation,
    add,
    add_all,
    col,
    find,
    gather,
    traverse,
    validate,
)
from ommi.effects.program import Prog, effect
from ommi.testing import fails, succeeds

from .conftest import Branch, Person, Server, Twig

pytestmark = pytest.mark.anyio


async def trips(db: Ommi, program: Effect[Any, Any]) -> int:
    """The round trips of a run that succeeds, when its statements are prepared."""
    await db.run(program.bind(lambda _: Effect.from_failure("undone")).transactional())
    traced = await db.run(program.transactional(), trace=True)
    assert isinstance(traced.outcome, Success)
    return traced.trace.trips


def aged(key: int, age: int) -> Effect[int, Any]:
    return find(Person, col(Person.id) == key).update(age=age)


async def people(db: Ommi, count: int = 8) -> list[Person]:
    return await succeeds(db, add_all([Person(f"p{n}", id=n) for n in range(1, count + 1)]))


async def ages(db: Ommi) -> list[int]:
    return [one.age for one in await succeeds(db, find(Person).order_by(col(Person.id)).all())]


@effect
def after_one(program: Effect[Any, Any]) -> Prog[Any, Any]:
    yield from add(Branch(100))
    return (yield from program)


# -- counts


async def test_six_updates_and_their_transaction_are_three_trips(db: Ommi) -> None:
    await people(db)
    program = gather(*(aged(n, 10 + n) for n in range(1, 7)))
    assert await trips(db, program) == 3
    assert await ages(db) == [11, 12, 13, 14, 15, 16, 0, 0]
    assert await succeeds(db, gather(aged(7, 1), aged(99, 1), aged(8, 1)).transactional()) == (1, 0, 1)


async def test_six_rows_and_their_transaction_are_three_trips(db: Ommi) -> None:
    records = [Person(f"n{n}") for n in range(6)]
    assert await trips(db, traverse([Person(f"m{n}") for n in range(6)], add)) == 3
    added = await succeeds(db, traverse(records, add).transactional())
    assert [one.name for one in added] == [f"n{n}" for n in range(6)]
    keys = [one.id for one in added]
    assert keys == sorted(set(keys))
    assert keys == [one.id for one in records]


async def test_what_follows_another_statement_takes_a_savepoint(db: Ommi) -> None:
    await people(db)
    alone = await trips(db, after_one(Effect.from_value(None)))
    await succeeds(db, find(Branch).everything().delete())
    assert await trips(db, after_one(gather(*(aged(n, 1) for n in range(1, 7))))) == alone + 2
    await succeeds(db, find(Branch).everything().delete())
    assert await trips(db, after_one(gather(aged(1, 2), aged(2, 2)))) == alone + 2


async def test_updates_of_several_tables_are_one(db: Ommi) -> None:
    await people(db)
    await succeeds(db, add_all([Branch(1), Branch(2)]))
    await succeeds(db, add(Twig(1, branch=1)))
    moved = find(Twig, col(Twig.id) == 1).update(branch=2)
    assert await trips(db, gather(aged(1, 5), aged(2, 6))) == 3
    assert await trips(db, gather(aged(1, 5), moved)) == 4  # a reference is looked at in its turn


async def test_hundreds_of_updates(db: Ommi) -> None:
    await people(db, 300)
    assert await trips(db, traverse(range(1, 301), lambda n: aged(n, n))) == 2 + 10
    assert await trips(db, after_one(traverse(range(1, 301), lambda n: aged(n, n)))) == 2 + 1 + 1 + 10
    assert await ages(db) == list(range(1, 301))


# -- what is not the same as one after the other remains so


async def test_a_row_that_is_changed_twice(db: Ommi) -> None:
    await people(db)
    older = find(Person, col(Person.id) == 1).update(age=col(Person.age) + 1)
    assert await succeeds(db, gather(aged(1, 5), aged(2, 5), older, older, aged(3, 1)).transactional()) == (1,) * 5
    assert (await ages(db))[:3] == [7, 5, 1]


async def test_values_that_are_unique_move_on_in_turn(db: Ommi) -> None:
    await people(db)
    named = [find(Person, col(Person.id) == n).update(name=name) for n, name in ((1, "x"), (2, "p1"), (3, "p2"))]
    error = await fails(db, gather(*reversed(named)).transactional(), UniqueViolation)
    assert error.fields == ("name",)
    assert await succeeds(db, gather(*named).transactional()) == (1, 1, 1)


async def test_a_parent_that_comes_too_late(db: Ommi) -> None:
    await succeeds(db, gather(add(Branch(1)), add(Branch(2, parent=1)), add(Branch(3, parent=2))).transactional())
    await fails(db, gather(add(Branch(5, parent=6)), add(Branch(6))).transactional(), ForeignKeyViolation)
    await fails(
        db, gather(add(Twig(1, branch=7)), add(Twig(2, branch=1)), add(Branch(7))).transactional(), ForeignKeyViolation
    )
    assert await succeeds(db, find(Twig).count()) == 0


async def test_a_condition_beside_the_key(db: Ommi) -> None:
    await people(db)
    child = find(Person, col(Person.id) == 1, col(Person.age) < 3).update(age=1)
    same = find(Person, col(Person.id) == 1, col(Person.age) == 0).update(age=2)
    assert await succeeds(db, gather(child, same, aged(2, 2)).transactional()) == (1, 0, 1)
    assert await succeeds(db, gather(aged(2, 3), same, aged(3, 3)).transactional()) == (1, 0, 1)


# -- failures


async def test_the_first_failure_is_that_of_one_after_the_other(db: Ommi, server: Server) -> None:
    await people(db)
    await server.fetch("ALTER TABLE person ADD CONSTRAINT grown CHECK (age < 100)")
    await server.fetch("ALTER TABLE person ADD CONSTRAINT noted CHECK (note <> 'no')")
    noted = find(Person, col(Person.id) == 3).update(note="no")
    error = await fails(db, gather(aged(1, 1), aged(2, 200), noted).transactional(), CheckViolation)
    assert error.constraint == "grown"
    error = await fails(db, gather(aged(1, 1), noted, aged(2, 200)).transactional(), CheckViolation)
    assert error.constraint == "noted"
    assert await ages(db) == [0] * 8


def added(*names: str) -> Effect[Any, Any]:
    """Adds people, goes on without those who cannot be added, and says who is there then."""
    everyone = find(Person, col(Person.id) > 8).order_by(col(Person.id)).all()
    return (
        validate(*(add(Person(name)) for name in names))
        .either()
        .bind(lambda found: everyone.map(lambda them: (found.failure(), [one.name for one in them])))
    )


@pytest.mark.parametrize("later", [False, True])
async def test_those_that_may_fail_fail_alone(db: Ommi, later: bool) -> None:
    await people(db)
    program = added("a", "p1", "b", "p2", "c")
    failures, names = await succeeds(db, (after_one(program) if later else program).transactional())
    assert [type(error) for error in failures] == [UniqueViolation] * 2
    assert names == ["a", "b", "c"]
    assert await succeeds(db, find(Branch).count()) == later


async def test_a_value_that_does_not_fit(db: Ommi) -> None:
    await people(db)
    large = aged(2, 2**70)
    alone = await fails(db, large, EncodeError)
    for program in (gather(aged(1, 1), large, aged(3, 1)), gather(large, aged(1, 1), aged(3, 1))):
        assert str(await fails(db, program.transactional(), EncodeError)) == str(alone)
    await fails(db, gather(add(Person("a")), add(Person("b", age=2**70))).transactional(), EncodeError)
    assert await ages(db) == [0] * 8


async def test_a_trace_names_each_of_them(db: Ommi) -> None:
    await people(db)
    trace = (await db.run(gather(aged(1, 1), aged(2, 2)).transactional(), trace=True)).trace
    made = [step for step in trace.steps if step.kind == "statement"]
    assert [step.rows for step in made] == [1, 1]
    assert made[0].sent == made[1].sent
    assert "WITH" in made[0].sent[0]
