"""Transactions of the store: isolation, savepoints, snapshots (semantics §5)."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import (
    Key,
    LockTimeout,
    ModelCollection,
    QueryRejected,
    SchemaMismatch,
    Unique,
    UniqueViolation,
    add,
    add_all,
    auto,
    find,
    ommi_model,
)
from ommi.drivers.driver import Request

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Item:
    name: str = ""
    code: Annotated[str | None, Unique] = None
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Other:
    id: Annotated[int, Key]


@pytest.fixture
def items(memory: Any) -> Any:
    memory.create(Item)
    memory.run(add_all([Item("a", "1"), Item("b", "2"), Item("c", "3")]))
    return memory


def names(memory: Any, *conditions: Any) -> list[str]:
    return [item.name for item in memory.all(find(Item, *conditions))]


def test_a_transaction_sees_its_own_changes(items: Any) -> None:
    tx = items.begin()
    tx.run(add(Item("d")))
    tx.run(find(Item, Item.name == "a").update(name="A"))
    assert names(tx) == ["A", "b", "c", "d"]


def test_no_one_else_sees_them_before_the_commit(items: Any) -> None:
    tx = items.begin()
    tx.run(add(Item("d", "4")))
    tx.run(find(Item, Item.name == "a").update(name="A", code="9", id=70))
    tx.run(find(Item, Item.name == "b").delete())
    assert names(items) == ["a", "b", "c"]
    assert names(items, Item.id == 1) == ["a"]
    assert names(items, Item.id == 70) == []
    assert names(items, Item.code.in_(["1", "2", "4", "9"])) == ["a", "b"]
    assert items.run(find(Item, Item.name == "b").exists())
    tx.on.commit()
    assert names(items) == ["A", "c", "d"]


def test_no_one_else_sees_its_tables_before_the_commit(items: Any) -> None:
    tx = items.begin()
    tx.create(Other)
    tx.drop(Item)
    with pytest.raises(SchemaMismatch):
        items.run(find(Other).count())
    assert names(items) == ["a", "b", "c"]
    tx.on.commit()
    assert items.run(find(Other).count()) == 0
    with pytest.raises(SchemaMismatch):
        names(items)


def test_a_rollback_leaves_no_trace(items: Any) -> None:
    tx = items.begin()
    tx.run(find(Item, Item.name == "a").delete())
    tx.run(find(Item, Item.name == "b").update(code="1"))
    tx.run(add(Item("d", "2")))
    tx.create(Other)
    tx.on.rollback()
    assert names(items) == ["a", "b", "c"]
    assert [item.code for item in items.all(find(Item))] == ["1", "2", "3"]
    with pytest.raises(UniqueViolation):
        items.run(add(Item(code="2")))
    with pytest.raises(SchemaMismatch):
        items.run(find(Other).count())
    assert items.run(add(Item(code="5"))) == [(4,)]


def test_a_statement_that_fails_leaves_its_transaction_usable(items: Any) -> None:
    tx = items.begin()
    tx.run(add(Item("d")))
    with pytest.raises(UniqueViolation):
        tx.run(add_all([Item("e"), Item("f", "1")]))
    tx.on.commit()
    assert names(items) == ["a", "b", "c", "d"]


def test_rolling_back_to_a_savepoint_undoes_what_came_after_it_and_keeps_it(items: Any) -> None:
    tx = items.begin()
    tx.run(add(Item("d")))
    tx.on.savepoint("s")
    for _ in range(2):
        tx.run(find(Item).everything().delete())
        tx.on.rollback_to("s")
    tx.on.release("s")
    tx.on.commit()
    assert names(items) == ["a", "b", "c", "d"]


def test_savepoints_nest(items: Any) -> None:
    tx = items.begin()
    tx.on.savepoint("outer")
    tx.run(add(Item("d")))
    tx.on.savepoint("inner")
    tx.run(add(Item("e")))
    tx.on.rollback_to("inner")
    tx.on.release("inner")
    assert names(tx) == ["a", "b", "c", "d"]
    tx.on.rollback_to("outer")
    assert names(tx) == ["a", "b", "c"]


def test_releasing_a_savepoint_keeps_the_work_and_forgets_the_inner_ones(items: Any) -> None:
    tx = items.begin()
    tx.on.savepoint("outer")
    tx.on.savepoint("inner")
    tx.run(add(Item("d")))
    tx.on.release("outer")
    with pytest.raises(QueryRejected, match="no savepoint 'inner'"):
        tx.on.rollback_to("inner")
    assert names(tx) == ["a", "b", "c", "d"]


def test_a_name_used_twice_means_the_latest_savepoint(items: Any) -> None:
    tx = items.begin()
    tx.on.savepoint("s")
    tx.run(add(Item("d")))
    tx.on.savepoint("s")
    tx.run(add(Item("e")))
    tx.on.rollback_to("s")
    assert names(tx) == ["a", "b", "c", "d"]
    tx.on.release("s")
    tx.on.rollback_to("s")
    assert names(tx) == ["a", "b", "c"]


def test_a_read_only_transaction_sees_the_rows_as_they_were_when_it_began(items: Any) -> None:
    reading = items.begin(read_only=True)
    items.run(find(Item, Item.name == "a").update(name="A", code="9", id=70))
    items.run(find(Item, Item.name == "b").delete())
    items.run(add(Item("d")))
    items.create(Other)
    writing = items.begin()
    writing.run(find(Item, Item.name == "c").delete())
    writing.run(find(Item, Item.name == "A").update(name="AA"))
    assert names(reading) == ["a", "b", "c"]
    assert names(reading, Item.id == 1) == ["a"]
    assert names(reading, Item.code == "9") == []
    writing.on.commit()
    assert names(reading) == ["a", "b", "c"]
    with pytest.raises(SchemaMismatch):
        reading.run(find(Other).count())
    reading.on.commit()
    assert names(items) == ["AA", "d"]


def test_a_read_only_transaction_that_begins_beside_a_writer_sees_what_was_committed(items: Any) -> None:
    writing = items.begin()
    writing.run(find(Item, Item.name == "a").update(name="A"))
    reading = items.begin(read_only=True)
    assert names(reading) == ["a", "b", "c"]
    writing.run(find(Item, Item.name == "b").update(name="B"))
    writing.on.commit()
    assert names(reading) == ["a", "b", "c"]
    again = items.begin()
    again.run(find(Item).everything().delete())
    again.on.rollback()
    assert names(reading) == ["a", "b", "c"]


def test_a_read_only_transaction_refuses_to_write(items: Any) -> None:
    reading = items.begin(read_only=True)
    with pytest.raises(QueryRejected, match="read-only"):
        reading.run(add(Item("d")))
    with pytest.raises(QueryRejected, match="read-only"):
        reading.all(find(Item).for_update())
    reading.on.savepoint("s")
    reading.on.rollback_to("s")
    reading.on.rollback()


def test_a_second_writer_is_refused_by_the_store(items: Any) -> None:
    tx = items.begin()
    with pytest.raises(LockTimeout):
        items.begin()
    with pytest.raises(LockTimeout):
        items.run(add(Item("d")))
    tx.on.rollback()
    items.run(add(Item("d")))


def test_a_writer_has_nothing_to_lock(items: Any) -> None:
    assert len(items.begin().all(find(Item).for_update())) == 3


def test_a_transaction_that_has_ended_says_so(items: Any) -> None:
    for end in ("commit", "rollback"):
        tx = items.begin()
        getattr(tx.on, end)()
        with pytest.raises(RuntimeError, match="is over"):
            tx.run(add(Item("d")))
        with pytest.raises(RuntimeError, match="is over"):
            tx.on.commit()
        tx.on.rollback()
    assert names(items) == ["a", "b", "c"]


def test_a_snapshot_that_has_ended_costs_no_more(items: Any) -> None:
    reading = items.begin(read_only=True)
    reading.on.rollback()
    items.run(add(Item("d")))
    assert items.on._snapshots == []


def test_a_reader_that_raises_leaves_the_store_usable(items: Any) -> None:
    def fail(rows: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        items.on.execute(Request(find(Item).query, fail))
    assert names(items) == ["a", "b", "c"]
