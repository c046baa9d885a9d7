"""Many rows by COPY: nobody can tell the difference from INSERT."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any

import anyio
import pytest

from ommi import (
    Effect,
    Key,
    ModelCollection,
    Ommi,
    UniqueViolation,
    add,
    add_all,
    auto,
    find,
    ommi_model,
)
from ommi.drivers.postgres.copying import COPIED
from ommi.testing import fails, succeeds

from .conftest import Person, Server, connected

pytestmark = pytest.mark.anyio

days = ModelCollection()


@ommi_model(collection=days)
@dataclass
class Day:
    date: date
    moment: datetime
    id: Annotated[int, Key] = auto()


def people() -> list[Person]:
    return [Person(f"p{number}", number) for number in range(COPIED)]


async def versions(server: Server) -> int:
    """How many transactions, or parts of one, the rows of a table come from."""
    ((found,),) = await server.fetch("SELECT count(DISTINCT xmin::text) FROM person")
    return int(found)


async def test_many_rows_are_copied(db: Ommi, server: Server) -> None:
    # COPY is a part of its transaction that can be undone alone, INSERT is not
    await succeeds(db, add(Person("first")).bind(lambda _: add_all(people())).transactional())
    assert await versions(server) == 2


async def test_the_first_and_the_last_days_are_not_infinities(db: Ommi, server: Server) -> None:
    await succeeds(db, db.schema.drop(days).bind(lambda _: db.schema.create(days)))
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    made = [Day(date.min, last), *(Day(date(2026, 1, 1), first) for _ in range(COPIED)), Day(date.max, first)]
    added = await succeeds(db, add_all(made))
    assert await succeeds(db, find(Day).order_by(Day.id).all()) == added
    assert await server.fetch("SELECT FROM day WHERE NOT isfinite(date) OR NOT isfinite(moment)") == []


async def test_rows_that_break_a_rule_fail_as_a_few_do(db: Ommi) -> None:
    await succeeds(db, add(Person("p3")))
    broken = [*people(), Person(None)]  # type: ignore[arg-type]
    error: Any = await fails(db, add_all(broken), UniqueViolation)
    assert error.fields == ("name",)
    assert await succeeds(db, find(Person).count()) == 1


async def test_a_transaction_goes_on_after_a_rule_was_broken(db: Ommi) -> None:
    twice = [*people(), Person("p3")]
    program = add(Person("first")).bind(lambda _: add_all(twice).lash(lambda _: Effect.from_value([])))
    await succeeds(db, program.bind(lambda _: add(Person("last"))).transactional())
    assert await succeeds(db, find(Person).count()) == 2


async def test_what_a_trigger_makes_of_the_rows_is_told(db: Ommi, server: Server) -> None:
    await server.fetch(
        "CREATE OR REPLACE FUNCTION later() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN NEW.id := NEW.id + 5000; RETURN NEW; END'"
    )
    await server.fetch("CREATE TRIGGER later BEFORE INSERT ON person FOR EACH ROW EXECUTE FUNCTION later()")
    added = await succeeds(db, add_all(people()))
    assert added[0].id > 5000
    assert await succeeds(db, find(Person).order_by(Person.id).all()) == added


async def test_columns_of_other_types_are_converted(db: Ommi, server: Server) -> None:
    # as many bytes as a bigint has, which COPY would take for a number of another size
    await server.fetch("ALTER TABLE person ALTER COLUMN age TYPE double precision")
    await succeeds(db, add_all(people()))
    assert await server.fetch("SELECT age FROM person WHERE name = 'p7'") == [(7.0,)]


async def test_so_they_are_if_they_change_between_two_additions(database: str, server: Server) -> None:
    async with connected(database, max_size=1) as db:
        await succeeds(db, add_all(people()))
        await succeeds(db, find(Person).everything().delete())
        await server.fetch("ALTER TABLE person ALTER COLUMN age TYPE double precision")
        await succeeds(db, add_all(people()))
        assert await server.fetch("SELECT age FROM person WHERE name = 'p7'") == [(7.0,)]


async def test_given_keys_are_kept_and_not_given_again(db: Ommi, server: Server) -> None:
    added = await succeeds(db, add_all([Person(f"p{number}", id=number + 7) for number in range(COPIED)]))
    assert [person.id for person in added] == [*range(7, COPIED + 7)]
    assert (await succeeds(db, add(Person("next")))).id == COPIED + 7


async def test_a_cancelled_copy_leaves_nothing_and_a_clean_connection(database: str, server: Server) -> None:
    async with connected(database, max_size=1) as db:
        # others may look, but not write
        async with server.locking("LOCK TABLE person IN SHARE MODE"), anyio.create_task_group() as group:
            group.start_soon(db.run, add_all(people()))
            await server.blocked()
            group.cancel_scope.cancel()
        assert await succeeds(db, find(Person).count()) == 0
        assert db.pool.stats().in_use == 0
        assert len(await succeeds(db, add_all(people()))) == COPIED
