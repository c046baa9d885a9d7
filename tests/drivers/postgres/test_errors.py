"""What the server says, as Ommi's errors; and what is known, and what is not, when the connection breaks."""

from typing import Any

import anyio
import pytest

from ommi import (
    CommitUnknown,
    ConnectionFailed,
    ConnectionLost,
    ConstraintViolation,
    DatabaseError,
    Deadlock,
    Effect,
    ForeignKeyViolation,
    IsolationLevel,
    LockTimeout,
    Ommi,
    PermissionDenied,
    QueryRejected,
    Schedule,
    SchemaMismatch,
    SerializationConflict,
    StatementTimeout,
    UniqueViolation,
    add,
    catch,
    col,
    find,
    gather,
    upsert,
)
from ommi.drivers.postgres import PostgresDriver
from ommi.testing import fails, succeeds

from .conftest import Branch, Person, Server, Twig, connected, models

pytestmark = pytest.mark.anyio

LOCKED = "LOCK TABLE person IN ACCESS EXCLUSIVE MODE"
age = col(Person.age)


async def two_people(db: Ommi) -> None:
    await succeeds(db, add(Person("a", id=1)).bind(lambda _: add(Person("b", id=2))))


def changed(key: int) -> Effect[Any, Any]:
    return find(Person, Person.id == key).update(age=age + 1)


# -- conflicts


async def test_a_deadlock_is_ended_for_one_and_retried(db: Ommi) -> None:
    await two_people(db)
    met = 0
    both = anyio.Event()

    async def meet() -> None:
        nonlocal met
        met += 1
        if met >= 2:
            both.set()
        await both.wait()

    def crossing(first: int, second: int) -> Effect[Any, Any]:
        return changed(first).bind(lambda _: Effect.from_awaitable(meet)).bind(lambda _: changed(second))

    outcomes: list[Any] = []

    async def work(first: int, second: int) -> None:
        outcomes.append(await db.run(crossing(first, second).transactional()))

    async with anyio.create_task_group() as group:
        group.start_soon(work, 1, 2)
        group.start_soon(work, 2, 1)
    errors = [outcome.failure() for outcome in outcomes if type(outcome).__name__ == "Failure"]
    assert [type(error) for error in errors] == [Deadlock]
    assert errors[0].code == "40P01"
    assert errors[0].retryable
    met, both = 0, anyio.Event()
    again = Schedule.recurs(3)
    await succeeds(db, gather(crossing(1, 2).transactional().retry(again), crossing(2, 1).transactional().retry(again)))


async def test_write_skew_is_a_serialization_conflict(db: Ommi) -> None:
    await two_people(db)
    level = IsolationLevel.SERIALIZABLE

    async def other() -> None:
        await anyio.to_thread.run_sync(lambda: None)
        program = find(Person).count().bind(lambda _: changed(2)).transactional(isolation=level)
        async with anyio.create_task_group() as group:
            group.start_soon(outside.run, program)

    async with Ommi(PostgresDriver(db.driver._endpoint.dsn)) as outside:  # type: ignore[attr-defined]
        program = find(Person).all().bind(lambda _: changed(1)).bind(lambda _: Effect.from_awaitable(other))
        error = await fails(
            db, program.bind(lambda _: find(Person).all()).transactional(isolation=level), SerializationConflict
        )
    assert error.code == "40001"
    assert error.retryable


async def test_a_lock_that_is_not_free_in_time(database: str, server: Server) -> None:
    async with connected(f"{database}?lock_timeout=50") as db, server.locking(LOCKED):
        error = await fails(db, find(Person).count(), LockTimeout)
    assert (error.code, error.retryable) == ("55P03", True)


async def test_a_statement_that_takes_longer_than_the_server_allows(database: str, server: Server) -> None:
    async with connected(f"{database}?statement_timeout=50") as db, server.locking(LOCKED):
        error = await fails(db, find(Person).count(), StatementTimeout)
    assert error.code == "57014"


# -- rules


async def test_an_error_names_statement_and_parameters_without_their_values(db: Ommi) -> None:
    await succeeds(db, add(Person("secret name")))
    error = await fails(db, add(Person("secret name")), UniqueViolation)
    assert (error.model, error.fields, error.constraint) == (Person, ("name",), "ux_person_name")
    assert error.statement is not None
    assert error.statement.startswith('INSERT INTO "person"')
    assert error.parameters[0] == "1: str"
    assert "secret" not in str(error)
    assert error.__cause__ is not None


async def test_a_rule_that_no_model_declares_keeps_its_name(db: Ommi, server: Server) -> None:
    await server.fetch("ALTER TABLE person ADD CONSTRAINT not_that_old CHECK (age < 100)")
    error = await fails(db, add(Person("a", age=100)), ConstraintViolation)
    assert (error.model, error.fields, error.constraint) == (Person, (), "not_that_old")


async def test_what_is_not_known_is_rejected_with_its_code(db: Ommi, server: Server) -> None:
    await server.fetch("ALTER TABLE person ADD COLUMN half int GENERATED ALWAYS AS (100 / (age - 1)) STORED")
    error = await fails(db, add(Person("a", age=1)), QueryRejected)
    assert error.code == "22012"


async def test_a_permission_that_is_missing(db: Ommi, server: Server, database: str) -> None:
    await server.fetch("DO $$ BEGIN CREATE ROLE ommi_reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    reader = database.replace("postgres@", "ommi_reader@")
    async with Ommi(PostgresDriver(reader)) as limited:
        error = await fails(limited, find(Person).all(), PermissionDenied)
    assert error.code == "42501"


async def test_a_missing_index_for_an_upsert(db: Ommi, server: Server) -> None:
    await server.fetch("DROP INDEX ux_person_name")
    error = await fails(db, upsert(Person("a"), on=Person.name), SchemaMismatch)
    assert "lacks the unique index of name" in error.message


async def test_a_text_column_in_another_order_does_not_fit(db: Ommi, server: Server) -> None:
    await server.fetch('ALTER TABLE person ALTER COLUMN name TYPE text COLLATE "default"')
    error = await fails(db, db.schema.create(models), SchemaMismatch)
    assert "collation" in error.message


# -- the connection breaks


async def test_a_read_whose_connection_breaks_is_lost_and_can_be_tried_again(db: Ommi, server: Server) -> None:
    async with anyio.create_task_group() as group, server.locking(LOCKED):
        group.start_soon(_terminate_blocked, server)
        error = await fails(db, find(Person).count(), ConnectionLost)
    assert error.retryable
    assert await succeeds(db, find(Person).count()) == 0


async def test_a_write_whose_connection_breaks_before_it_was_sent_is_lost(db: Ommi, server: Server) -> None:
    async with anyio.create_task_group() as group, server.locking(LOCKED):
        group.start_soon(_terminate_blocked, server)
        # the server waits for the table while it prepares the statement
        error = await fails(db, add(Person("a")), ConnectionLost)
    assert error.retryable


async def test_a_write_whose_connection_breaks_is_unknown(db: Ommi, server: Server) -> None:
    await succeeds(db, add(Person("b")))
    async with anyio.create_task_group() as group, server.locking(LOCKED):
        group.start_soon(_terminate_blocked, server)
        error = await fails(db, add(Person("a")), CommitUnknown)
    assert not error.retryable
    assert await succeeds(db, find(Person).count()) == 1


async def test_a_write_in_a_transaction_whose_connection_breaks_is_lost(db: Ommi, server: Server) -> None:
    recovered: list[Any] = []
    program = add(Person("a")) >> catch(DatabaseError)(lambda error: Effect.from_value(error).map(recovered.append))
    async with anyio.create_task_group() as group, server.locking(LOCKED):
        group.start_soon(_terminate_blocked, server)
        error = await fails(db, program.transactional(), ConnectionLost)
    assert error.retryable
    assert recovered == []
    assert await succeeds(db, find(Person).count()) == 0


async def test_a_commit_whose_connection_breaks_is_unknown(db: Ommi, server: Server) -> None:
    # the check at COMMIT waits for the other transaction, which holds the row referred to
    await server.fetch(
        "ALTER TABLE branch ALTER CONSTRAINT fk_branch_parent DEFERRABLE INITIALLY DEFERRED",
    )
    await succeeds(db, add(Branch(1)))
    async with anyio.create_task_group() as group, server.locking("DELETE FROM branch WHERE id = 1"):
        group.start_soon(_terminate_blocked, server)
        error = await fails(db, add(Branch(2, 1)).transactional(), CommitUnknown)
    assert not error.retryable
    assert await succeeds(db, find(Branch).count()) == 1


async def test_a_deferred_rule_is_reported_by_the_commit(db: Ommi, server: Server) -> None:
    await server.fetch("ALTER TABLE branch ALTER CONSTRAINT fk_branch_parent DEFERRABLE INITIALLY DEFERRED")
    error = await fails(db, add(Branch(2, 1)).transactional(), ConstraintViolation)
    assert (error.model, error.fields, error.constraint) == (Branch, ("parent",), "fk_branch_parent")


async def test_a_transaction_whose_session_was_ended_while_idle_is_lost(db: Ommi, server: Server) -> None:
    async def end() -> None:
        await server.terminate()

    program = add(Person("a")).bind(lambda _: Effect.from_awaitable(end)).bind(lambda _: find(Person).count())
    await fails(db, program.transactional(), ConnectionLost)
    assert await succeeds(db, find(Person).count()) == 0


async def test_a_commit_after_the_session_was_ended_does_not_pretend(db: Ommi, server: Server) -> None:
    async def end() -> None:
        await server.terminate()

    await fails(db, add(Person("a")).bind(lambda _: Effect.from_awaitable(end)).transactional(), DatabaseError)
    assert await succeeds(db, find(Person).count()) == 0


async def _terminate_blocked(server: Server) -> None:
    await server.blocked()
    await server.terminate("wait_event_type = 'Lock'")


# -- no connection


@pytest.mark.parametrize(
    "url, said, retryable",
    [
        ("postgresql://postgres:hush@127.0.0.1:1/none", "127.0.0.1:1", True),
        ("postgresql://postgres:hush@127.0.0.1:{port}/no_such_database", "no_such_database", False),
    ],
)
async def test_a_server_that_cannot_be_reached(database: str, url: str, said: str, retryable: bool) -> None:
    port = database.rpartition(":")[2].partition("/")[0]
    with pytest.raises(ConnectionFailed) as caught:
        async with Ommi.connect(url.format(port=port)):
            pass
    assert said in caught.value.message
    assert caught.value.retryable is retryable
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(caught.value.__cause__)


async def test_of_several_broken_references_the_first_is_reported(db: Ommi) -> None:
    await succeeds(db, add(Branch(1)).bind(lambda _: add(Branch(2, 1))).bind(lambda _: add(Twig(1, 2))))
    # the server looks first at those that refer to the row
    for effect in (
        find(Branch, Branch.id == 2).update(id=9, parent=8),
        add(Person("a")).bind(lambda _: find(Branch, Branch.id == 2).update(id=9, parent=8)).transactional(),
    ):
        error = await fails(db, effect, ForeignKeyViolation)
        assert (error.model, error.fields) == (Branch, ("parent",))
    error = await fails(db, find(Branch, Branch.id == 2).update(id=9, parent=1), ForeignKeyViolation)
    assert (error.model, error.fields) == (Twig, ("branch",))
