"""Tables as the server keeps them: its own types, and predicates that can use its indexes."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any
from uuid import UUID

import pytest

from ommi import (
    CheckViolation,
    DecodeError,
    Key,
    ModelCollection,
    Naive,
    Ommi,
    add,
    add_all,
    auto,
    col,
    exists_,
    find,
    ommi_model,
)
from ommi.drivers.postgres.dialect import POSTGRES
from ommi.drivers.sql.compiler import Compiler
from ommi.effects.effect import Perform
from ommi.testing import fails, succeeds

from .conftest import Branch, Person, Server, Twig

pytestmark = pytest.mark.anyio

kept = ModelCollection()


class Color(Enum):
    RED = "red"
    BLUE = "it's \\ blue"


@ommi_model(collection=kept)
@dataclass
class Every:
    whole: int
    real: float
    flag: bool
    text: str
    data: bytes
    amount: Decimal
    moment: datetime
    local: Annotated[datetime, Naive]
    day: date
    hour: time
    span: timedelta
    token: UUID
    words: list[str]
    color: Color
    id: Annotated[int, Key] = auto()


TYPES = {
    "whole": "bigint",
    "real": "double precision",
    "flag": "boolean",
    "text": "text",
    "data": "bytea",
    "amount": "numeric",
    "moment": "timestamp with time zone",
    "local": "timestamp without time zone",
    "day": "date",
    "hour": "time without time zone",
    "span": "interval",
    "token": "uuid",
    "words": "jsonb",
    "color": "text",
    "id": "bigint",
}


@pytest.fixture
async def every(db: Ommi) -> Every:
    await succeeds(db, db.schema.drop(kept))
    await succeeds(db, db.schema.create(kept))
    return await succeeds(
        db,
        add(
            Every(
                2**63 - 1,
                0.5,
                True,
                "é",
                b"\0",
                Decimal("1.5"),
                datetime.max.replace(tzinfo=UTC),
                datetime.min,  # noqa: DTZ901
                date.max,
                time.max,
                timedelta(days=-1, microseconds=1),
                UUID(int=1),
                ["a"],
                Color.BLUE,
            )
        ),
    )


@pytest.mark.usefixtures("every")
async def test_columns_have_the_servers_own_types(server: Server) -> None:
    found = await server.fetch(
        "SELECT column_name, data_type, is_identity, collation_name FROM information_schema.columns "
        "WHERE table_name = 'every'"
    )
    assert {name: declared for name, declared, _, _ in found} == TYPES
    assert {name for name, _, identity, _ in found if identity == "YES"} == {"id"}
    assert {name for name, _, _, collation in found if collation == "C"} == {"text", "color"}


@pytest.mark.usefixtures("every")
async def test_the_ends_of_time_are_times_and_no_infinities(server: Server) -> None:
    ((moment, local, day),) = await server.fetch("SELECT moment::text, local::text, day::text FROM every")
    assert moment.startswith("9999-12-31 ")
    assert (local, day) == ("0001-01-01 00:00:00", "9999-12-31")


@pytest.mark.usefixtures("every")
async def test_an_enum_is_a_text_that_is_checked(db: Ommi, server: Server) -> None:
    with pytest.raises(Exception, match="ck_every_color_member"):
        await server.fetch("UPDATE every SET color = 'green'")
    await fails(db, find(Every).everything().update(color=col(Every.text)), CheckViolation)


async def test_an_infinity_that_somebody_else_wrote_is_no_moment(db: Ommi, server: Server, every: Every) -> None:
    await server.fetch("UPDATE every SET moment = 'infinity'")
    error = await fails(db, find(Every).all(), DecodeError)
    assert "moment" in error.message


# -- indexes

INDEXED: list[tuple[str, Any, str]] = [
    ("equality", col(Person.name) == "p5", "ux_person_name"),
    ("one of some", col(Person.name).in_(["p5", "p6"]), "ux_person_name"),
    ("a beginning", col(Person.name).starts_with("p500"), "ux_person_name"),
    ("a pattern with a beginning", col(Person.name).like("p500%"), "ux_person_name"),
    ("an order", col(Person.name) < "p1000", "ux_person_name"),
    ("between", col(Person.age).between(10, 12), "ix_person_age"),
    ("a complement of an order", ~(col(Person.age) > 3), "ix_person_age"),
    ("equality of what may be missing", col(Person.note) == "n5", "ix_person_note"),
    ("a missing value", col(Person.note).is_null(), "ix_person_note"),
    ("the key", col(Person.id) == 5, "person_pkey"),
    ("both of two", (col(Person.age) == 5) & (col(Person.note) == "n5"), "ix_person_"),
    ("one or the other", (col(Person.age) == 5) | (col(Person.note) == "n5"), "ix_person_note"),
]


@pytest.fixture
async def many(db: Ommi, server: Server) -> Ommi:
    people = [Person(f"p{number}", number, f"n{number}" if number % 1000 else None) for number in range(20_000)]
    await succeeds(db, add_all(people))
    await server.fetch("ANALYZE person")
    return db


async def test_predicates_that_may_use_an_index_do(many: Ommi, server: Server) -> None:
    for name, condition, index in INDEXED:
        assert index in await _plan(server, find(Person, condition).all()), name


async def test_orders_are_those_of_indexes(many: Ommi, server: Server) -> None:
    for order, index in (
        (col(Person.age).asc, "ix_person_age"),
        (col(Person.age).desc, "ix_person_age"),
        (col(Person.note).asc, "ix_person_note"),
        (col(Person.note).desc, "ix_person_note"),
        (col(Person.name).desc, "ux_person_name"),
    ):
        plan = await _plan(server, find(Person).order_by(order).limit(3).all())
        assert index in plan, plan


async def test_pages_begin_in_the_middle_of_an_index(many: Ommi, server: Server) -> None:
    for order, bound in (
        ((), "(id > "),
        ((col(Person.name).desc,), "(name <= "),
        ((col(Person.name).asc, col(Person.id).desc), "(name >= "),
        ((col(Person.note).asc,), "(note >= "),
    ):
        query = find(Person).order_by(*order)
        cursor = query.cursor_of(Person("p5000", 5000, "n5000", id=5001))
        plan = await _plan(server, query.after(cursor).page(3))
        assert f"Index Cond: {bound}" in plan, plan


async def _plan(server: Server, effect: Any) -> str:
    """How the server runs a statement, with its values in their places."""
    assert isinstance(effect, Perform)
    sql, parameters = Compiler(POSTGRES).prepare(effect.statement)  # type: ignore[arg-type]
    return "\n".join(line for (line,) in await server.fetch(f"EXPLAIN {sql}", *parameters))


async def test_a_join_along_a_reference_uses_its_index(db: Ommi, server: Server) -> None:
    await succeeds(db, add_all([Branch(number) for number in range(5_000)]))
    await succeeds(db, add_all([Twig(number, number) for number in range(5_000)]))
    await server.fetch("ANALYZE branch, twig")
    for query in (
        find(Branch, col(Branch.id) == 7).join(Twig).all(),
        find(Branch, col(Branch.id) == 7).left_join(Twig).all(),
        find(Twig, col(Twig.id) == 7).join(Branch).all(),
        find(Branch, col(Branch.id) < 9).where(exists_(Twig, lambda t: t.branch == Branch.id)).all(),
    ):
        plan = await _plan(server, query)
        assert "Seq Scan" not in plan, plan
