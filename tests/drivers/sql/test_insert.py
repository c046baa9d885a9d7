"""Inserting on SQLite: keys in order, all rows or none, upserts."""

import sqlite3
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import pytest

from ommi import (
    CheckViolation,
    ForeignKeyViolation,
    Key,
    MaxLength,
    ModelCollection,
    QueryRejected,
    ReferenceTo,
    SchemaMismatch,
    ServerDefault,
    Unique,
    UniqueViolation,
    auto,
    find,
    ommi_model,
)
from ommi.models import schema_of
from ommi.query.statements import Insert, OnConflict
from ommi.values import DEFAULT, MAX_INT

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Note:
    text: Annotated[str, MaxLength(5)]
    code: Annotated[str | None, Unique] = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Token:
    text: str
    id: Annotated[UUID, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Draft:
    state: Annotated[str, ServerDefault("'new'")] = auto()
    rank: Annotated[int, ServerDefault("10 - 1")] = auto()
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Tree:
    id: Annotated[int, Key]
    parent: Annotated[int | None, ReferenceTo("Tree")]
    name: Annotated[str | None, Unique] = None


@ommi_model(collection=models)
@dataclass
class Day:
    day: date
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Seat:
    id: Annotated[int, Key]
    place: Annotated[int, Unique]


@ommi_model(collection=models)
@dataclass
class Ticket:
    id: Annotated[int, Key]
    place: Annotated[int, ReferenceTo(Seat.place)]


@ommi_model(collection=models)
@dataclass
class Plain:
    a: Annotated[int, Key]
    b: Annotated[str, Key]


def insert(
    db: Any, model: type[Any], *rows: tuple[Any, ...], on: str | None = None, update: tuple[str, ...] = ()
) -> Any:
    schema = schema_of(model)
    named = schema.by_name
    conflict = None if on is None else OnConflict((named[on],), tuple(named[name] for name in update))
    return db.execute(Insert(schema, rows, conflict))


def rows(db: Any, model: type[Any]) -> list[tuple[Any, ...]]:
    schema = schema_of(model)
    return db.sql(f'SELECT {", ".join(f.column for f in schema.fields)} FROM "{schema.table}" ORDER BY rowid')


def test_no_rows_are_no_work(db: Any) -> None:
    assert insert(db, Note) == []


def test_one_row_is_answered_with_its_key(db: Any) -> None:
    db.create(Note)
    assert insert(db, Note, ("a", None, DEFAULT)) == [(1,)]
    assert insert(db, Note, ("b", None, 7)) == [(7,)]
    assert insert(db, Note, ("c", None, DEFAULT)) == [(8,)]


def test_many_rows_get_their_keys_in_order(db: Any) -> None:
    db.create(Note)
    insert(db, Note, ("old", None, 41))
    found = insert(db, Note, *[(str(n), None, DEFAULT) for n in range(1000)])
    assert found == [(n,) for n in range(42, 1042)]
    assert rows(db, Note)[1:] == [(str(n), None, 42 + n) for n in range(1000)]


def test_given_keys_among_generated_ones_move_what_follows(db: Any) -> None:
    db.create(Note)
    given = [("a", None, DEFAULT), ("b", None, 10), ("c", None, DEFAULT), ("d", None, 3), ("e", None, DEFAULT)]
    assert insert(db, Note, *given) == [(1,), (10,), (11,), (3,), (12,)]


def test_the_largest_key_taken_leaves_the_choice_to_the_database(db: Any) -> None:
    db.create(Note)
    insert(db, Note, ("last", None, MAX_INT))
    found = insert(db, Note, ("a", None, DEFAULT), ("b", None, DEFAULT))
    assert len({key for (key,) in found}) == 2
    assert all(0 < key < MAX_INT for (key,) in found)
    assert [text for text, _, key in rows(db, Note) if (key,) in found] == [
        text for _, text in sorted(zip(found, ("a", "b"), strict=True))
    ]


def test_a_uuid_key_is_made_where_none_is_given(db: Any) -> None:
    db.create(Token)
    given = "12345678-1234-5678-1234-567812345678"
    ((single,),) = insert(db, Token, ("a", DEFAULT))
    (one,), (two,), (three,) = insert(db, Token, ("b", DEFAULT), ("c", UUID(given)), ("d", DEFAULT))
    assert two == given
    assert len({single, one, two, three}) == 4
    assert rows(db, Token) == [("a", single), ("b", one), ("c", two), ("d", three)]
    assert {UUID(key).version for key in (single, one, three)} == {4}


def test_what_is_left_to_the_database_is_read_back(db: Any) -> None:
    db.create(Draft)
    assert insert(db, Draft, (DEFAULT, DEFAULT, DEFAULT)) == [("new", 9, 1)]
    assert insert(db, Draft, ("old", 1, DEFAULT)) == [("old", 1, 2)]
    assert insert(db, Draft, ("old", DEFAULT, 5)) == [("old", 9, 5)]
    assert insert(db, Draft, ("old", 3, 6)) == [("old", 3, 6)]


def test_rows_that_leave_different_things_to_the_database_keep_their_order(db: Any) -> None:
    db.create(Draft)
    given = [
        ("a", 1, DEFAULT),
        (DEFAULT, 2, DEFAULT),
        ("b", 3, DEFAULT),
        ("c", 4, 20),
        (DEFAULT, DEFAULT, DEFAULT),
        ("d", DEFAULT, 30),
    ]
    expected = [("a", 1, 1), ("new", 2, 2), ("b", 3, 3), ("c", 4, 20), ("new", 9, 21), ("d", 9, 30)]
    assert insert(db, Draft, *given) == expected
    assert rows(db, Draft) == expected


def test_rows_with_nothing_to_assign_are_answered_with_nothing(db: Any) -> None:
    db.create(Plain)
    assert insert(db, Plain, (1, "a")) == [()]
    assert insert(db, Plain, (1, "b"), (2, "b")) == [(), ()]


@pytest.mark.parametrize("in_transaction", [False, True])
def test_all_rows_or_none(db: Any, in_transaction: bool) -> None:
    db.create(Note)
    if in_transaction:
        db.sql("BEGIN IMMEDIATE")
        insert(db, Note, ("kept", "k", DEFAULT))
    with pytest.raises(UniqueViolation) as caught:
        insert(db, Note, ("a", "x", DEFAULT), ("b", "y", DEFAULT), ("c", "x", DEFAULT))
    assert caught.value.fields == ("code",)
    if in_transaction:
        db.sql("COMMIT")
    assert rows(db, Note) == ([("kept", "k", 1)] if in_transaction else [])


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_failure_that_is_none_of_the_databases_undoes_everything_too(db: Any, in_transaction: bool) -> None:
    db.create(Day)
    if in_transaction:
        db.sql("BEGIN")
    with pytest.raises(TypeError, match="isoformat"):
        insert(db, Day, (date(2024, 1, 1), DEFAULT), ("no date", DEFAULT))
    if in_transaction:
        db.sql("COMMIT")
    assert rows(db, Day) == []


def test_the_row_that_fails_is_the_one_that_is_described(db: Any) -> None:
    db.create(Note)
    with pytest.raises(CheckViolation) as caught:
        insert(db, Note, ("a", None, DEFAULT), ("too long", None, DEFAULT))
    assert caught.value.parameters == ("1: str", "2: NoneType", "3: int")
    assert caught.value.statement is not None
    assert "too long" not in str(caught.value)


# -- references among the rows


def test_a_row_may_refer_to_a_later_one_of_the_same_insert(db: Any) -> None:
    db.create(Tree)
    insert(db, Tree, (1, 2, None), (2, 3, None), (3, 1, None), (4, 4, None))
    assert rows(db, Tree) == [(1, 2, None), (2, 3, None), (3, 1, None), (4, 4, None)]


@pytest.mark.parametrize("in_transaction", [False, True])
def test_a_row_that_refers_to_none_undoes_all(db: Any, in_transaction: bool) -> None:
    db.create(Tree)
    if in_transaction:
        db.sql("BEGIN")
    with pytest.raises(ForeignKeyViolation) as caught:
        insert(db, Tree, (1, 2, None), (2, 9, None))
    assert (caught.value.model, caught.value.fields) == (Tree, ("parent",))
    if in_transaction:
        assert db.sql("PRAGMA defer_foreign_keys") == [(0,)]
        db.sql("COMMIT")
    assert rows(db, Tree) == []


def test_another_violation_comes_before_that_of_a_reference(db: Any) -> None:
    db.create(Tree)
    with pytest.raises(UniqueViolation):
        insert(db, Tree, (1, 9, "x"), (2, None, "x"))


def test_references_are_enforced_after_such_an_insert_as_before(db: Any) -> None:
    db.create(Tree)
    db.sql("BEGIN")
    insert(db, Tree, (1, 2, None), (2, None, None))
    with pytest.raises(ForeignKeyViolation):
        insert(db, Tree, (3, 9, None))
    db.sql("COMMIT")


def test_checks_that_the_program_put_off_stay_put_off(db: Any) -> None:
    db.create(Tree)
    db.sql("BEGIN")
    db.sql("PRAGMA defer_foreign_keys = ON")
    insert(db, Tree, (1, 9, None))
    insert(db, Tree, (2, 1, None), (3, 2, None))
    insert(db, Tree, (9, None, None))
    db.sql("COMMIT")
    assert len(rows(db, Tree)) == 4


# -- upsert


def test_an_upsert_updates_the_row_that_is_there(db: Any) -> None:
    db.create(Note)
    insert(db, Note, ("old", "x", 1), ("other", "y", 2))
    assert insert(db, Note, ("new", "x", DEFAULT), on="code", update=("text",)) == [("new", "x", 1)]
    assert rows(db, Note) == [("new", "x", 1), ("other", "y", 2)]


def test_an_upsert_inserts_where_there_is_no_row(db: Any) -> None:
    db.create(Note)
    assert insert(db, Note, ("new", "x", DEFAULT), on="code", update=("text",)) == [("new", "x", 1)]
    assert insert(db, Note, ("none", None, DEFAULT), on="code", update=("text",)) == [("none", None, 2)]
    assert insert(db, Note, ("again", None, DEFAULT), on="code", update=("text",)) == [("again", None, 3)]


def test_an_upsert_that_updates_nothing_answers_with_the_row_that_is_there(db: Any) -> None:
    db.create(Note)
    insert(db, Note, ("old", "x", 5))
    assert insert(db, Note, ("new", "x", DEFAULT), on="code") == [("old", "x", 5)]
    assert insert(db, Note, ("new", "z", 5), on="id") == [("old", "x", 5)]


def test_many_upserts_are_answered_in_order(db: Any) -> None:
    db.create(Note)
    insert(db, Note, ("old", "b", 5))
    found = insert(db, Note, ("a", "a", DEFAULT), ("b", "b", DEFAULT), ("c", "a", DEFAULT), on="code", update=("text",))
    assert found == [("a", "a", 6), ("b", "b", 5), ("c", "a", 6)]


def test_an_upsert_that_breaks_another_rule_undoes_all(db: Any) -> None:
    db.create(Note)
    insert(db, Note, ("old", "x", 1))
    with pytest.raises(CheckViolation):
        insert(db, Note, ("a", "y", DEFAULT), ("too long", "x", DEFAULT), on="code", update=("text",))
    with pytest.raises(UniqueViolation) as caught:
        insert(db, Note, ("a", "x", 9), on="id", update=("text",))
    assert caught.value.fields == ("code",)
    assert rows(db, Note) == [("old", "x", 1)]


def test_an_upsert_on_what_is_not_unique_is_refused(db: Any) -> None:
    db.create(Note)
    with pytest.raises(QueryRejected, match="Note has no key or unique index of exactly text"):
        insert(db, Note, ("a", "x", 1), on="text")


def test_an_upsert_on_a_unique_index_that_the_table_lacks_is_a_mismatch(db: Any) -> None:
    db.create(Note)
    db.sql("DROP INDEX ux_note_code")
    with pytest.raises(SchemaMismatch, match=r"lacks the unique index of code; create it with db.schema.create\(\)"):
        insert(db, Note, ("a", "x", 1), on="code")


def test_a_single_write_is_committed_when_it_returns(db: Any, tmp_path: Any) -> None:
    path = tmp_path / "file.db"
    db.connection.close()
    db.connection = sqlite3.connect(path, isolation_level=None)
    db.create(Draft)
    insert(db, Draft, (DEFAULT, 1, DEFAULT))
    insert(db, Draft, ("x", 1, 1), on="id", update=("state",))
    other = sqlite3.connect(path, isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    assert other.execute("SELECT * FROM draft").fetchall() == [("x", 1, 1)]
    other.close()


@pytest.mark.parametrize("in_transaction", [False, True])
def test_unique_values_may_change_places_in_an_update(db: Any, in_transaction: bool) -> None:
    db.create(Seat)
    insert(db, Seat, (1, 1), (2, 2), (3, 3))
    if in_transaction:
        db.sql("BEGIN")
    assert db.run(find(Seat).everything().update(place=Seat.place + 1)) == 3
    assert db.run(find(Seat).everything().update(place=6 - Seat.place)) == 3
    assert rows(db, Seat) == [(1, 4), (2, 3), (3, 2)]
    with pytest.raises(UniqueViolation) as caught:
        db.run(find(Seat).everything().update(place=Seat.id - Seat.id))
    assert caught.value.fields == ("place",)
    with pytest.raises(UniqueViolation):
        db.run(find(Seat).everything().update(place=7))
    if in_transaction:
        db.sql("COMMIT")
    assert rows(db, Seat) == [(1, 4), (2, 3), (3, 2)]
    with pytest.raises(UniqueViolation):
        insert(db, Seat, (9, 4))


def test_a_unique_value_that_is_referred_to_keeps_its_index(db: Any) -> None:
    db.create(Seat, Ticket)
    insert(db, Seat, (1, 1), (2, 2))
    insert(db, Ticket, (1, 2))
    with pytest.raises(UniqueViolation):
        db.run(find(Seat).everything().update(place=Seat.place + 1))
    assert rows(db, Seat) == [(1, 1), (2, 2)]


def test_update_and_delete_count_the_rows_that_match(db: Any) -> None:
    db.create(Note)
    insert(db, Note, *[("a", None, n) for n in range(5)])
    assert db.run(find(Note, Note.id > 1).update(text="a")) == 3
    assert db.run(find(Note, Note.id > 9).update(text="a")) == 0
    assert db.run(find(Note, Note.id > 3).delete()) == 1
    assert db.run(find(Note).everything().delete()) == 4
