"""Writes that effects make in turn inside a transaction: as one statement, where that cannot be told apart."""

from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import pytest

from ommi import (
    CheckViolation,
    Effect,
    EncodeError,
    ForeignKeyViolation,
    Key,
    LockTimeout,
    ModelCollection,
    Ommi,
    QueryRejected,
    StatementTimeout,
    Success,
    TransactionOptions,
    UniqueViolation,
    add,
    add_all,
    col,
    execute,
    find,
    gather,
    ommi_model,
    sql,
    traverse,
    validate,
)
from ommi.drivers.driver import MakesRuns, Request
from ommi.effects.effect import Perform
from ommi.effects.program import Prog, effect
from ommi.testing import fails, succeeds

from .conftest import Branch, Person, Server, Twig, until

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


async def test_updates_of_several_shapes_are_several(db: Ommi) -> None:
    await people(db)
    await succeeds(db, add_all([Branch(1), Branch(2)]))
    noted = [find(Person, col(Person.id) == n).update(note="x") for n in (3, 4)]
    assert await trips(db, gather(aged(1, 5), aged(2, 6), *noted)) == 4
    nameless = find(Person, col(Person.id) == 5).update(note=None)
    assert await trips(db, gather(*noted, nameless)) == 4
    moved = [find(Twig, col(Twig.id) == n).update(branch=2) for n in (1, 2)]
    assert await trips(db, gather(*moved)) == 4  # a reference is looked at in its turn


async def test_the_server_keeps_few_plans(db: Ommi, server: Server) -> None:
    await people(db, 40)
    for number in range(2, 40):
        noted = [find(Person, col(Person.id) == n).update(note="x" if n % 3 else None) for n in range(1, number)]
        await succeeds(db, gather(*noted).transactional())
        await succeeds(db, traverse(range(1, number), lambda n: aged(n, n)).transactional())
    plans = await succeeds(db, sql("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'WITH ommi%'"))
    assert 5 < len(plans) < 20


async def test_hundreds_of_updates(db: Ommi) -> None:
    await people(db, 300)
    assert await trips(db, traverse(range(1, 301), lambda n: aged(n, n))) == 2 + 20
    assert await trips(db, after_one(traverse(range(1, 301), lambda n: aged(n, n)))) == 2 + 1 + 1 + 20
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


@ommi_model(name="person", collection=ModelCollection())
@dataclass
class ByName:
    name: Annotated[str, Key]
    age: int = 0


async def test_one_row_by_two_models(db: Ommi) -> None:
    await people(db)
    same = find(ByName, col(ByName.name) == "p1").update(age=20)
    assert await succeeds(db, gather(aged(1, 10), same, aged(2, 1)).transactional()) == (1, 1, 1)
    assert (await ages(db))[:2] == [20, 1]


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


async def test_what_is_not_merged_is_made_once(db: Ommi, server: Server) -> None:
    await people(db)
    await server.fetch("ALTER TABLE person ADD CONSTRAINT grown CHECK (age < 100)")
    locked = sql("SELECT pg_advisory_lock(7)", writes=True)
    await fails(db, gather(locked, aged(1, 1), aged(2, 200)).transactional(), CheckViolation)
    await succeeds(db, sql("SELECT pg_advisory_unlock(7)", writes=True))
    assert await server.fetch("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 7") == []


async def test_sql_of_the_application_is_not_behind_a_savepoint(db: Ommi) -> None:
    await people(db)
    merging = execute("SET LOCAL work_mem = '8MB'").bind(lambda _: gather(*(aged(n, n) for n in (1, 2, 3))))
    snapshot = merging.bind(lambda _: sql("SELECT pg_export_snapshot()", writes=True))
    assert len(await succeeds(db, snapshot.transactional())) == 1


async def test_what_the_administrator_stops_stays_stopped(db: Ommi, server: Server) -> None:
    await people(db)
    outcomes: list[Any] = []

    async def work() -> None:
        outcomes.append(await db.run(gather(aged(1, 1), aged(2, 2)).transactional()))

    async with server.locking("UPDATE person SET note = 'l' WHERE id = 2"), anyio.create_task_group() as group:
        group.start_soon(work)
        await server.blocked()
        await server.fetch(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        await until(lambda: bool(outcomes))
    assert isinstance(outcomes[0].failure(), StatementTimeout)
    assert await ages(db) == [0] * 8


async def test_a_lock_that_is_not_given_is_waited_for_once(db: Ommi, server: Server) -> None:
    await people(db)
    waiting = execute("SET LOCAL lock_timeout = '200ms'").bind(lambda _: gather(*(aged(n, n) for n in (1, 2, 3))))
    async with server.locking("UPDATE person SET note = 'l' WHERE id = 2"):
        trace = (await db.run(waiting.transactional(), trace=True)).trace
    tried = [step for step in trace.steps if step.kind == "statement" and "WITH" in "".join(step.sent)]
    assert [step.error for step in tried] == [LockTimeout]


async def test_a_failure_leaves_nothing_that_could_be_committed(db: Ommi, server: Server) -> None:
    await people(db)
    await server.fetch("ALTER TABLE person ADD CONSTRAINT grown CHECK (age < 100)")

    def request(key: int, age: int) -> Request:
        changed = aged(key, age)
        assert isinstance(changed, Perform)
        return Request(changed.statement)

    transaction = await db.driver.begin(TransactionOptions())
    await transaction.execute(request(8, 8))
    assert isinstance(transaction, MakesRuns)
    assert await transaction.execute_all([request(n, n) for n in (1, 2, 4)]) == [1, 1, 1]
    with pytest.raises(CheckViolation):
        await transaction.execute(request(3, 300))
    with pytest.raises(QueryRejected):
        await transaction.commit()
    assert await ages(db) == [0] * 8


async def test_a_trace_tells_of_the_second_try(db: Ommi, server: Server) -> None:
    await people(db)
    await server.fetch("ALTER TABLE person ADD CONSTRAINT grown CHECK (age < 100)")
    trace = (await db.run(gather(aged(1, 1), aged(2, 200)).transactional(), trace=True)).trace
    sent = [text for step in trace.steps for text in step.sent]
    assert [text[:6] for text in sent if "SELECT" in text] == ["WITH o", "WITH o"]
    assert any(text.startswith("ROLLBACK; BEGIN") for text in sent)


async def test_a_trace_names_each_of_them(db: Ommi) -> None:
    await people(db)
    trace = (await db.run(gather(aged(1, 1), aged(2, 2)).transactional(), trace=True)).trace
    made = [step for step in trace.steps if step.kind == "statement"]
    assert [step.rows for step in made] == [1, 1]
    assert made[0].sent == made[1].sent
    assert "WITH" in made[0].sent[0]
