"""SQLite's errors as Ommi's: the same class, model and fields as in memory (semantics §2)."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import (
    Check,
    CheckViolation,
    ConnectionFailed,
    ConstraintViolation,
    ForeignKeyViolation,
    Key,
    LockTimeout,
    MaxLength,
    ModelCollection,
    NotNullViolation,
    OnDelete,
    PermissionDenied,
    QueryRejected,
    ReferenceTo,
    SchemaMismatch,
    SerializationConflict,
    StatementTimeout,
    Unique,
    UniqueViolation,
    add,
    add_all,
    find,
    ommi_model,
)
from ommi.drivers.driver import Request
from ommi.drivers.memory import MemoryStore
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.drivers.sqlite.errors import translate
from ommi.drivers.sqlite.statements import run
from ommi.models import schema_of
from ommi.query.statements import CreateTables, Insert

models = ModelCollection()


@ommi_model(collection=models, unique=[("first", "last")])
@dataclass
class Person:
    key: Annotated[str, Key]
    email: Annotated[str | None, Unique]
    phone: Annotated[str | None, Unique]
    first: Annotated[str, MaxLength(5)] = "a"
    last: Annotated[str, MaxLength(5), Check(lambda p: p.last != "x")] = "b"
    boss: Annotated[str | None, ReferenceTo("Person")] = None


@ommi_model(collection=models)
@dataclass
class House:
    id: Annotated[int, Key]
    owner: Annotated[str, ReferenceTo(Person, on_delete=OnDelete.CASCADE)]
    guest: Annotated[str | None, ReferenceTo(Person)] = None
    keeper: Annotated[str | None, ReferenceTo(Person.email)] = None


@ommi_model(collection=models)
@dataclass
class Room:
    id: Annotated[int, Key]
    house: Annotated[int, ReferenceTo(House)]


@ommi_model(collection=models)
@dataclass
class Stamp:
    id: Annotated[int, Key]
    person: Annotated[
        str | None,
        ReferenceTo(Person, on_delete=OnDelete.SET_NULL),
        Check(lambda s: s.person.is_not_null()),
    ]


ALL = (Person, House, Room, Stamp)


@pytest.fixture
def both(db: Any) -> Any:
    """Runs an effect on SQLite and in memory, and checks that the same is answered or raised."""
    db.create(*ALL)
    memory = MemoryStore()
    memory.execute(Request(CreateTables(tuple(map(schema_of, ALL)))))

    def outcome(execute: Any) -> Any:
        try:
            return execute()
        except ConstraintViolation as error:
            return error

    def execute(effect: Any) -> Any:
        expected = outcome(lambda: memory.execute(Request(effect.statement)))
        found = outcome(lambda: db.run(effect))
        if isinstance(found, ConstraintViolation):
            assert found == expected
            assert isinstance(found.__cause__, sqlite3.IntegrityError)
        else:
            assert not isinstance(expected, ConstraintViolation), expected
        return found

    return execute


def person(key: str, **values: Any) -> Person:
    return Person(key, **{"email": None, "phone": None, "first": key, **values})


def facts(error: ConstraintViolation) -> tuple[Any, ...]:
    return type(error), error.model, error.fields, error.constraint


def test_a_missing_value(db: Any) -> None:
    db.create(*ALL)
    with pytest.raises(NotNullViolation) as caught:
        db.execute(Insert(schema_of(Person), (("k", None, None, None, "b", None),)))
    assert facts(caught.value) == (NotNullViolation, Person, ("first",), None)


def test_a_check_on_a_row_whose_reference_is_set_to_null(both: Any) -> None:
    both(add(person("a")))
    both(add(House(1, "a")))
    both(add(Stamp(1, "a")))
    found = both(find(Person, Person.key == "a").delete())
    assert facts(found) == (CheckViolation, Stamp, ("person",), "ck_stamp_person")


def test_a_check_and_a_length(both: Any) -> None:
    assert facts(both(add(person("a", last="x")))) == (CheckViolation, Person, ("last",), "ck_person_last")
    found = both(add(person("a", first="123456")))
    assert facts(found) == (CheckViolation, Person, ("first",), "ck_person_first_max_length")
    both(add(person("a")))
    assert facts(both(find(Person).everything().update(last="x")))[2] == ("last",)


def test_of_several_checks_the_first_is_told(both: Any) -> None:
    found = both(add(person("a", first="123456", last="1234567")))
    assert found.fields == ("first",)


def test_a_key_that_is_there(both: Any) -> None:
    both(add(person("a")))
    assert facts(both(add(person("a", first="z")))) == (UniqueViolation, Person, ("key",), None)


def test_an_int_key_that_is_there(both: Any) -> None:
    both(add(person("a")))
    both(add(House(1, "a")))
    assert facts(both(add(House(1, "a")))) == (UniqueViolation, House, ("id",), None)


def test_a_unique_value_that_is_there(both: Any) -> None:
    both(add(person("a", email="x")))
    assert facts(both(add(person("b", email="x")))) == (UniqueViolation, Person, ("email",), "ux_person_email")


def test_unique_values_that_are_there_together(both: Any) -> None:
    both(add(person("a")))
    found = both(add(person("b", first="a")))
    assert facts(found)[:3] == (UniqueViolation, Person, ("first", "last"))


def test_of_several_violations_the_first_in_order_is_told(both: Any) -> None:
    both(add(person("a", email="x", phone="1")))
    broken = {"email": "x", "phone": "1", "first": "a", "last": "b", "boss": "none"}
    assert both(add(Person("a", **{**broken, "last": "x"}))).fields == ("last",)
    assert both(add(Person("a", **broken))).fields == ("key",)
    assert both(add(Person("b", **broken))).fields == ("email",)
    assert both(add(Person("b", **{**broken, "email": "y"}))).fields == ("phone",)
    assert both(add(Person("b", **{**broken, "email": "y", "phone": None}))).fields == ("first", "last")
    assert both(add(person("b", boss="none"))).fields == ("boss",)


def test_of_several_violations_in_an_update_the_first_in_order_is_told(both: Any) -> None:
    both(add_all([person("a", email="x", phone="1"), person("b")]))
    found = both(find(Person, Person.key == "b").update(phone="1", email="x", first="a"))
    assert found.fields == ("email",)
    found = both(find(Person, Person.key == "b").update(phone="1", first="a"))
    assert found.fields == ("phone",)


def test_a_reference_to_none_in_an_insert(both: Any) -> None:
    both(add(person("a")))
    found = both(add(House(1, "a", guest="none")))
    assert facts(found)[:3] == (ForeignKeyViolation, House, ("guest",))
    assert found.constraint is not None


def test_of_several_references_the_first_is_told(both: Any) -> None:
    assert both(add(House(1, "none", guest="none"))).fields == ("owner",)


def test_a_reference_to_a_unique_field(both: Any) -> None:
    both(add(person("a", email="x")))
    both(add(House(1, "a", keeper="x")))
    assert both(add(House(2, "a", keeper="a"))).fields == ("keeper",)
    assert both(find(Person).everything().update(email="y")).fields == ("keeper",)


def test_a_reference_to_none_in_an_update(both: Any) -> None:
    both(add(person("a")))
    both(add_all([House(1, "a"), House(2, "a")]))
    found = both(find(House, House.id == 2).update(guest="none"))
    assert facts(found)[:3] == (ForeignKeyViolation, House, ("guest",))
    found = both(find(Person, Person.key == "a").update(boss=Person.last))
    assert found.fields == ("boss",)


def test_a_key_that_rows_refer_to_in_an_update(both: Any) -> None:
    both(add_all([person("a"), person("b")]))
    both(add(House(1, "a", guest="b")))
    found = both(find(Person, Person.key == "b").update(key="c"))
    assert facts(found)[:3] == (ForeignKeyViolation, House, ("guest",))


def test_a_row_that_others_refer_to_in_a_delete(both: Any) -> None:
    both(add_all([person("a"), person("b")]))
    both(add(House(1, "a", guest="b")))
    found = both(find(Person, Person.key == "b").delete())
    assert facts(found)[:3] == (ForeignKeyViolation, House, ("guest",))


def test_a_row_that_others_refer_to_through_one_that_goes_with_it(both: Any) -> None:
    both(add(person("a")))
    both(add(House(1, "a")))
    both(add(Room(1, 1)))
    found = both(find(Person).everything().delete())
    assert facts(found)[:3] == (ForeignKeyViolation, Room, ("house",))


def test_rows_that_refer_to_each_other_can_be_deleted_together(both: Any) -> None:
    both(add(person("a", boss="a")))
    both(add(person("b", boss="a")))
    assert both(find(Person, Person.key == "a").delete()).fields == ("boss",)
    both(find(Person).everything().delete())


def test_a_guest_who_goes_together_with_the_house_is_no_violation_but_another_is(both: Any) -> None:
    both(add_all([person("a"), person("b")]))
    both(add_all([House(1, "a", guest="a"), House(2, "b", guest="a")]))
    assert both(find(Person, Person.key == "a").delete()).fields == ("guest",)
    both(find(Person).everything().delete())


def test_a_referring_model_that_was_never_seen_is_not_made_up(db: Any) -> None:
    db.create(*ALL)
    db.run(add(person("a")))
    db.run(add(person("b")))
    db.run(add(House(1, "a", guest="b")))
    db.compiler = Compiler(SQLITE)
    with pytest.raises(ForeignKeyViolation) as caught:
        db.run(find(Person, Person.key == "b").delete())
    assert facts(caught.value) == (ForeignKeyViolation, Person, (), None)
    assert "the rows of house, person, stamp may refer to it" in caught.value.message


def test_a_model_whose_reference_was_never_declared_is_no_hindrance(db: Any) -> None:
    @ommi_model(collection=ModelCollection())
    @dataclass
    class Loose:
        id: Annotated[int, Key]
        other: Annotated[int, ReferenceTo("Undeclared")]

    db.create(*ALL)
    db.sql("CREATE TABLE loose (id INTEGER PRIMARY KEY, other INTEGER NOT NULL REFERENCES person)")
    assert db.all(find(Loose)) == []
    with pytest.raises(ForeignKeyViolation):
        db.run(add(Loose(1, 2)))
    db.run(add(person("a")))
    db.run(add(House(1, "a", guest="a")))
    with pytest.raises(ForeignKeyViolation) as caught:
        db.run(find(Person).everything().update(key="z"))
    assert caught.value.fields == ("owner",)


def test_an_error_tells_the_statement_and_the_types_of_its_values_only(db: Any) -> None:
    db.create(*ALL)
    db.run(add(person("a", email="secret")))
    with pytest.raises(UniqueViolation) as caught:
        db.run(add(person("b", email="secret")))
    assert caught.value.statement is not None
    assert caught.value.statement.startswith("INSERT INTO `person`")
    assert caught.value.parameters[:3] == ("1: str", "2: str", "3: NoneType")
    assert "secret" not in f"{caught.value} {caught.value!r}"


def test_a_table_that_is_missing(db: Any) -> None:
    for effect in (add(person("a")), find(Person).all(), find(Person).everything().delete()):
        with pytest.raises(SchemaMismatch) as caught:
            db.execute(effect.statement)
        assert "the table 'person' of Person is not in the database" in caught.value.message
        assert "db.schema.create()" in caught.value.message
        assert caught.value.code == "SQLITE_ERROR"


def test_a_column_that_is_missing(db: Any) -> None:
    db.create(*ALL)
    db.sql("ALTER TABLE room RENAME COLUMN house TO home")
    said = "the table 'room' of Room has no column 'house' for Room.house"
    for effect in (add(Room(1, 1)), find(Room).all(), find(Room, Room.house == 1).delete()):
        with pytest.raises(SchemaMismatch, match=said):
            db.execute(effect.statement)


def test_a_column_of_another_type(db: Any) -> None:
    db.sql("CREATE TABLE room (id INTEGER PRIMARY KEY, house BLOB) STRICT")
    with pytest.raises(SchemaMismatch, match="adding Room"):
        db.run(add(Room(1, 1)))


def test_a_lock_that_another_holds(db: Any, tmp_path: Any) -> None:
    path = tmp_path / "file.db"
    holder = sqlite3.connect(path, isolation_level=None, timeout=0)
    db.connection.close()
    db.connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    db.create(*ALL)
    holder.execute("BEGIN IMMEDIATE")
    for effect in (add(person("a")), add_all([person("a"), person("b")]), find(Person).everything().delete()):
        with pytest.raises(LockTimeout) as caught:
            db.run(effect)
        assert caught.value.retryable
        assert caught.value.code == "SQLITE_BUSY"
    holder.close()


def test_a_snapshot_that_is_out_of_date(db: Any, tmp_path: Any) -> None:
    path = tmp_path / "file.db"
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    other.execute("PRAGMA journal_mode = WAL")
    db.connection.close()
    db.connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    db.create(*ALL)
    db.sql("BEGIN")
    db.all(find(Person))
    other.execute("INSERT INTO person VALUES ('a', NULL, NULL, 'a', 'b', NULL)")
    with pytest.raises(SerializationConflict):
        db.run(add(person("b")))
    db.sql("ROLLBACK")
    other.close()


def test_a_database_that_is_only_read(db: Any) -> None:
    db.create(*ALL)
    db.sql("PRAGMA query_only = ON")
    with pytest.raises(PermissionDenied) as caught:
        db.run(add(person("a")))
    assert not caught.value.retryable


def test_an_authorizer_that_forbids_it(db: Any) -> None:
    db.create(*ALL)
    db.connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    with pytest.raises(PermissionDenied):
        db.all(find(Person))


def test_a_statement_that_is_interrupted(db: Any) -> None:
    db.create(*ALL)
    db.add(person(str(n)) for n in range(1000))
    db.connection.set_progress_handler(lambda: 1, 100)
    with pytest.raises(StatementTimeout) as caught:
        db.all(find(Person))
    assert caught.value.code == "SQLITE_INTERRUPT"
    db.connection.set_progress_handler(None, 0)


def test_an_interrupted_bulk_write_in_a_transaction_is_told_as_what_it_is(db: Any) -> None:
    db.create(*ALL)
    db.sql("BEGIN")
    steps = iter(range(5))
    db.connection.set_progress_handler(lambda: next(steps, None) is None, 1000)
    schema = schema_of(Person)
    rows = tuple((str(n), None, None, str(n), "b", None) for n in range(10_000))
    with pytest.raises(StatementTimeout):
        run(db.connection, db.compiler, Request(Insert(schema, rows)), in_transaction=True)
    db.connection.set_progress_handler(None, 0)
    if db.connection.in_transaction:
        db.sql("ROLLBACK")
    assert db.sql("SELECT * FROM person") == []


def test_a_file_that_is_no_database(tmp_path: Any) -> None:
    path = tmp_path / "file.db"
    path.write_text("no database at all" * 100)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.DatabaseError) as caught:
        connection.execute("SELECT * FROM sqlite_schema")
    found = translate(caught.value, connection)
    assert isinstance(found, ConnectionFailed)
    assert not found.retryable
    connection.close()


def test_a_file_that_cannot_be_opened(tmp_path: Any) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "none" / "file.db")
    with closing(sqlite3.connect(":memory:")) as connection:
        found = translate(caught.value, connection)
    assert isinstance(found, ConnectionFailed)
    assert found.retryable


def test_a_reference_found_missing_at_commit(db: Any) -> None:
    db.create(*ALL)
    db.sql("BEGIN")
    db.sql("PRAGMA defer_foreign_keys = ON")
    db.run(add(House(1, "none")))
    with pytest.raises(sqlite3.IntegrityError) as caught:
        db.sql("COMMIT")
    found = translate(caught.value, db.connection, db.compiler)
    assert facts(found) == (ForeignKeyViolation, None, (), None)  # type: ignore[arg-type]


def test_what_sqlite_refuses_for_another_reason_is_told_with_its_code(db: Any) -> None:
    db.create(*ALL)
    db.sql("CREATE TRIGGER never BEFORE INSERT ON person BEGIN SELECT raise(ABORT, 'not today'); END")
    with pytest.raises(ConstraintViolation, match="not today"):
        db.run(add(person("a")))
    db.sql("DROP TRIGGER never")
    db.run(add(person("a")))
    with pytest.raises(QueryRejected, match="pattern too complex") as caught:
        db.execute(find(Person, Person.first.like("%" + "a" * 60_000)).query)
    assert caught.value.code == "SQLITE_ERROR"


def test_a_closed_connection_is_no_crash() -> None:
    connection = sqlite3.connect(":memory:")
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError) as caught:
        connection.execute("SELECT 1")
    assert "closed" in translate(caught.value, connection).message
