"""Creating, comparing and dropping tables on SQLite."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest

from ommi import (
    Check,
    CheckViolation,
    ForeignKeyViolation,
    Index,
    Key,
    MaxLength,
    ModelCollection,
    Naive,
    OnDelete,
    ReferenceTo,
    SchemaMismatch,
    ServerDefault,
    Unique,
    UniqueViolation,
    UnsupportedOperation,
    add,
    auto,
    find,
    ommi_model,
)
from ommi.drivers.sql.ddl import create_table
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.models import schema_of

models = ModelCollection()
NEW_YEAR = datetime(2020, 1, 1, tzinfo=UTC)


@ommi_model(collection=models, unique=[("name", "born")])
@dataclass
class Person:
    name: Annotated[str, MaxLength(5)]
    born: date | None
    email: Annotated[str | None, Unique] = None
    city: Annotated[str, Index] = ""
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Pet:
    owner: Annotated[int, ReferenceTo(Person, on_delete=OnDelete.CASCADE)]
    friend: Annotated[int | None, ReferenceTo("Pet")]
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Link:
    a: Annotated[str, Key]
    b: Annotated[int, Key]


@ommi_model(collection=models)
@dataclass
class Egg:
    hen: Annotated[int | None, ReferenceTo("Hen")]
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Hen:
    egg: Annotated[int | None, ReferenceTo(Egg)]
    id: Annotated[int, Key] = auto()


def script(model: type[Any]) -> list[str]:
    return create_table(schema_of(model), SQLITE)


def test_a_generated_int_key_is_the_rowid_and_the_table_is_strict() -> None:
    table, *_ = script(Person)
    assert '"id" INTEGER PRIMARY KEY' in table
    assert "AUTOINCREMENT" not in table
    assert table.endswith(") STRICT")


def test_a_composite_key_is_a_constraint_of_the_table(db: Any) -> None:
    db.create(Link)
    assert 'PRIMARY KEY ("a", "b")' in script(Link)[0]
    db.run(add(Link("x", 1)))
    db.run(add(Link("x", 2)))
    with pytest.raises(UniqueViolation) as caught:
        db.run(add(Link("x", 1)))
    assert caught.value.fields == ("a", "b")


def test_nothing_in_the_schema_needs_functions_of_our_own(db: Any) -> None:
    db.create(Person, Pet, Link, Egg, Hen)
    assert "ommi" not in " ".join(row[0] for row in db.sql("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def test_creating_twice_changes_nothing(db: Any) -> None:
    db.create(Person, Pet)
    before = db.sql("SELECT * FROM sqlite_schema")
    db.create(Person, Pet)
    assert db.sql("SELECT * FROM sqlite_schema") == before


def test_creating_adds_an_index_that_is_missing(db: Any) -> None:
    db.create(Person)
    db.sql("DROP INDEX ux_person_email")
    db.create(Person)
    db.run(add(Person("a", None, "x")))
    with pytest.raises(UniqueViolation):
        db.run(add(Person("b", None, "x")))


def test_tables_can_be_created_and_dropped_in_a_transaction(db: Any) -> None:
    db.sql("BEGIN IMMEDIATE")
    db.create(Person, Pet)
    db.drop(Pet, Person)
    db.create(Person)
    db.sql("ROLLBACK")
    assert db.sql("SELECT * FROM sqlite_schema") == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("a TEXT NOT NULL", "the column 'b' (INTEGER) for Link.b is missing"),
        ("a TEXT NOT NULL, b TEXT NOT NULL", "the column 'b' is TEXT in place of INTEGER"),
        ("a TEXT NOT NULL, b INTEGER", "the column 'b' may be missing"),
    ],
)
def test_a_table_that_does_not_fit_is_described(db: Any, table: str, said: str) -> None:
    db.sql(f"CREATE TABLE link ({table}) STRICT")
    with pytest.raises(SchemaMismatch) as caught:
        db.create(Person, Link)
    assert said in caught.value.message
    assert "drop the table (db.schema.drop())" in caught.value.message
    assert caught.value.model is Link
    assert db.sql("SELECT name FROM sqlite_schema") == [("link",)]


def test_a_column_that_must_be_there_where_the_model_allows_none_is_a_mismatch(db: Any) -> None:
    db.sql("CREATE TABLE egg (id INTEGER PRIMARY KEY, hen INTEGER NOT NULL)")
    with pytest.raises(SchemaMismatch, match="the column 'hen' must not be missing"):
        db.create(Egg, Hen)


def test_a_mismatch_in_a_transaction_undoes_only_the_creation(db: Any) -> None:
    db.sql("CREATE TABLE link (a TEXT)")
    db.sql("BEGIN")
    db.sql("INSERT INTO link VALUES ('x')")
    with pytest.raises(SchemaMismatch):
        db.create(Person, Link)
    db.sql("COMMIT")
    assert db.sql("SELECT * FROM link") == [("x",)]
    assert db.sql("SELECT name FROM sqlite_schema") == [("link",)]


def test_a_table_of_other_tools_fits_by_what_its_columns_can_hold(db: Any) -> None:
    db.sql("CREATE TABLE link (a VARCHAR(20) NOT NULL, b BIGINT NOT NULL, more BLOB, PRIMARY KEY (a, b))")
    db.create(Link)
    db.run(add(Link("x", 1)))
    assert db.all(find(Link)) == [Link("x", 1)]


def test_dropping_is_idempotent(db: Any) -> None:
    db.create(Person)
    db.drop(Person)
    db.drop(Person)
    assert db.sql("SELECT * FROM sqlite_schema") == []


def test_tables_that_refer_to_each_other_are_dropped_together_in_any_order(db: Any) -> None:
    for order in ((Egg, Hen), (Hen, Egg)):
        db.create(Egg, Hen)
        db.run(add(Egg(None)))
        db.run(add(Hen(1)))
        db.run(find(Egg).everything().update(hen=1))
        db.drop(*order)
        assert db.sql("SELECT * FROM sqlite_schema") == []


def test_a_table_that_refers_to_itself_is_dropped_with_its_rows(db: Any) -> None:
    db.create(Person, Pet)
    db.run(add(Person("a", None)))
    db.run(add(Pet(1, None)))
    db.run(add(Pet(1, 1)))
    db.drop(Pet, Person)
    assert db.sql("SELECT * FROM sqlite_schema") == []


def test_a_table_whose_rows_are_referred_to_from_one_that_stays_is_not_dropped(db: Any) -> None:
    db.create(Person, Pet)
    db.run(add(Person("a", None)))
    db.run(add(Pet(1, None)))
    with pytest.raises(ForeignKeyViolation) as caught:
        db.drop(Person)
    assert (caught.value.model, caught.value.fields) == (Pet, ("owner",))
    assert db.all(find(Pet)) == [Pet(1, None, 1)]


def test_references_are_enforced_after_a_drop_as_before(db: Any) -> None:
    db.create(Person, Pet)
    db.sql("BEGIN")
    db.drop(Pet)
    db.create(Pet)
    with pytest.raises(ForeignKeyViolation):
        db.run(add(Pet(7, None)))
    db.sql("COMMIT")


# -- checks


def checked(kind: Any, condition: Any) -> type[Any]:
    """A model with one field and one check."""

    @ommi_model(collection=ModelCollection(), name="checked")
    @dataclass
    class Checked:
        value: Annotated[kind, Check(condition)]
        id: Annotated[int, Key] = auto()

    return Checked


@pytest.mark.parametrize(
    ("kind", "condition", "good", "bad"),
    [
        (int, lambda c: c.value >= 0, [0, 5], [-1]),
        (int | None, lambda c: c.value >= 0, [0], [None, -1]),
        (int | None, lambda c: c.value.is_null() | (c.value > 0), [None, 1], [0]),
        (int | None, lambda c: c.value != 3, [4, None], [3]),
        (int, lambda c: c.value.in_([1, 2]), [1], [3]),
        (int, lambda c: c.value.in_(list(range(100))), [99], [100]),
        (int, lambda c: c.value % 3 == 1, [1, 4, -2], [0, -1]),
        (int, lambda c: c.value % -3 == -2, [1, 4, -2], [0, -1]),
        (int, lambda c: c.value * 2 > 10, [6], [5, 2**62]),
        (int, lambda c: c.value / 2 == 1.5, [3], [2]),
        (int, lambda c: 6 / c.value > 1, [2, 5], [0, 6]),
        (float, lambda c: c.value + 0.5 < 1.5, [0.5, -float("inf")], [1.0, float("inf")]),
        (bool, lambda c: c.value == True, [True], [False]),
        (bytes, lambda c: c.value != b"\x00'", [b"", b"'"], [b"\x00'"]),
        (str, lambda c: c.value.starts_with("a'"), ["a'b"], ["ab", "b"]),
        (str, lambda c: c.value.ends_with("%"), ["a%"], ["a"]),
        (str, lambda c: c.value.contains("\u00e9"), ["\u00e9"], ["\u00c9"]),
        (str, lambda c: c.value.like("a_[%"), ["ab[c"], ["ab"]),
        (str, lambda c: c.value.lower() == "ab", ["aB"], ["ac"]),
        (str, lambda c: c.value.length() > 1, ["ab"], ["\U0001f600"]),
        (Decimal, lambda c: c.value > Decimal(0), [Decimal("0.01")], [Decimal(0), Decimal(-1000)]),
        (Decimal, lambda c: c.value <= Decimal("1.5"), [Decimal(-7)], [Decimal("1.51")]),
        (Decimal, lambda c: c.value >= Decimal(-20), [Decimal(-20), Decimal(3)], [Decimal("-20.1"), Decimal(-100)]),
        (Decimal | None, lambda c: c.value == Decimal("1.50"), [Decimal("1.5")], [Decimal(1), None]),
        (datetime, lambda c: c.value > NEW_YEAR, [NEW_YEAR + timedelta(1)], [NEW_YEAR, NEW_YEAR - timedelta(9999)]),
        (date, lambda c: c.value < date(2020, 1, 1), [date(999, 1, 1)], [date(2021, 1, 1)]),
        (timedelta, lambda c: c.value >= timedelta(0), [timedelta(1)], [timedelta(microseconds=-1)]),
        (UUID, lambda c: c.value != UUID(int=0), [UUID(int=1)], [UUID(int=0)]),
    ],
)  # fmt: skip
def test_a_check_takes_what_meets_it_and_refuses_the_rest(
    db: Any, kind: Any, condition: Any, good: list[Any], bad: list[Any]
) -> None:
    model = checked(kind, condition)
    db.create(model)
    for value in good:
        db.run(add(model(value)))
    for value in bad:
        with pytest.raises(CheckViolation) as caught:
            db.run(add(model(value)))
        assert (caught.value.model, caught.value.fields) == (model, ("value",))
    assert len(db.all(find(model))) == len(good)


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        (str, lambda c: c.value.regex("^a")),
        (str, lambda c: c.value.ilike("a")),
        (Decimal, lambda c: c.value + c.value > Decimal(1)),
        (float, lambda c: c.value % 2.0 == 0.0),
        (list[str], lambda c: c.value.contains("a")),
    ],
)
def test_a_check_that_needs_a_function_of_our_own_is_refused_by_name(db: Any, kind: Any, condition: Any) -> None:
    model = checked(kind, condition)
    with pytest.raises(UnsupportedOperation) as caught:
        db.create(model)
    assert caught.value.constraint == "ck_checked_value"  # type: ignore[attr-defined]
    assert "ck_checked_value" in caught.value.message
    assert "Checked" in caught.value.message
    assert db.sql("SELECT * FROM sqlite_schema") == []


def test_a_length_limit_counts_code_points(db: Any) -> None:
    db.create(Person)
    db.run(add(Person("\U0001f600" * 5, None)))
    with pytest.raises(CheckViolation) as caught:
        db.run(add(Person("\U0001f600" * 6, None)))
    assert caught.value.fields == ("name",)
    assert caught.value.constraint == "ck_person_name_max_length"


# -- defaults of the database


@pytest.mark.parametrize(
    ("kind", "expression", "expected"),
    [
        (int, "7", 7),
        (int, "1 + 2", 3),
        (str, "'it''s'", "it's"),
        (str, "'a' || 'b'", "ab"),
        (bool, "TRUE", True),
        (float, "1", 1.0),
        (Decimal, "1.50", Decimal("1.5")),
        (Decimal, "'100'", Decimal(100)),
        (int | None, "NULL", None),
        (datetime, "'2024-01-02T03:04:05+02:00'", datetime(2024, 1, 2, 1, 4, 5, tzinfo=UTC)),
        (UUID, "'12345678-1234-5678-1234-567812345678'", UUID("12345678-1234-5678-1234-567812345678")),
        (dict[str, int], """'{"b": 1, "a": 2}'""", {"a": 2, "b": 1}),
    ],
)
def test_a_server_default_is_evaluated_and_found_by_its_value(
    db: Any, kind: Any, expression: str, expected: Any
) -> None:
    @ommi_model(collection=ModelCollection())
    @dataclass
    class Defaulted:
        value: Annotated[kind, ServerDefault(expression)] = auto()
        id: Annotated[int, Key] = auto()

    db.create(Defaulted)
    db.run(add(Defaulted()))
    assert db.all(find(Defaulted)) == [Defaulted(expected, 1)]
    condition = Defaulted.value.is_null() if expected is None else Defaulted.value == expected
    assert db.all(find(Defaulted, condition)) == [Defaulted(expected, 1)]


def test_the_current_time_is_written_as_times_are(db: Any) -> None:
    @ommi_model(collection=ModelCollection())
    @dataclass
    class Moment:
        at: Annotated[datetime, ServerDefault("CURRENT_TIMESTAMP")] = auto()
        naive: Annotated[datetime, Naive, ServerDefault("current_timestamp")] = auto()
        day: Annotated[date, ServerDefault("CURRENT_DATE")] = auto()
        hour: Annotated[time, ServerDefault("CURRENT_TIME")] = auto()
        id: Annotated[int, Key] = auto()

    db.create(Moment)
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    db.run(add(Moment()))
    (found,) = db.all(find(Moment))
    assert before <= found.at <= datetime.now(UTC)
    assert found.naive == found.at.replace(tzinfo=None)
    assert found.day in (before.date(), datetime.now(UTC).date())
    assert (found.hour.hour, found.hour.minute) == (found.at.hour, found.at.minute)
