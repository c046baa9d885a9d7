"""Creating and dropping tables."""

from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any

import pytest

from ommi import Key, ModelCollection, SchemaMismatch, Unique, UniqueViolation, add, add_all, find, ommi_model


@ommi_model(collection=ModelCollection())
@dataclass
class Item:
    id: Annotated[int, Key]
    name: str = ""


def twin(annotation: Any = str, default: object = "") -> Any:
    """A model of the same table, made anew."""
    fields: list[Any] = [("id", Annotated[int, Key]), ("name", annotation, default)]
    return ommi_model(collection=ModelCollection())(make_dataclass("Item", fields))


def test_a_table_that_was_not_created_is_a_mismatch_with_the_remedy(memory: Any) -> None:
    for effect in (add(Item(1)), find(Item).count(), find(Item).everything().delete()):
        with pytest.raises(SchemaMismatch, match=r"table 'item' of Item.*schema\.create\(\)"):
            memory.run(effect)


def test_creating_twice_keeps_the_rows(memory: Any) -> None:
    memory.create(Item)
    memory.run(add(Item(1)))
    memory.create(Item, Item)
    assert memory.run(find(Item).count()) == 1


def test_dropping_what_is_not_there_is_fine(memory: Any) -> None:
    memory.drop(Item)
    memory.create(Item)
    memory.drop(Item)
    memory.drop(Item)


def test_a_dropped_table_comes_back_empty(memory: Any) -> None:
    memory.create(Item)
    memory.run(add(Item(1)))
    memory.drop(Item)
    memory.create(Item)
    assert memory.run(find(Item).count()) == 0


def test_a_class_made_anew_uses_the_same_table(memory: Any) -> None:
    memory.create(Item)
    memory.run(add(Item(1, "a")))
    again = twin()
    memory.create(again)
    assert [item.name for item in memory.all(find(again, again.name == "a"))] == ["a"]


def test_a_table_with_other_columns_is_a_mismatch(memory: Any) -> None:
    memory.create(Item)
    other = twin(int, 0)
    with pytest.raises(SchemaMismatch, match=r"'item'.*differs in name"):
        memory.create(other)
    with pytest.raises(SchemaMismatch, match=r"'item'.*differs in name"):
        memory.run(find(other).count())


def test_create_adds_the_unique_indexes_that_are_missing(memory: Any) -> None:
    memory.create(Item)
    memory.run(add(Item(1, "a")))
    stricter = twin(Annotated[str, Unique])
    memory.create(stricter)
    with pytest.raises(UniqueViolation):
        memory.run(add(stricter(2, "a")))


def test_a_unique_index_that_the_rows_contradict_is_not_added(memory: Any) -> None:
    memory.create(Item)
    memory.run(add_all([Item(1, "a"), Item(2, "a")]))
    with pytest.raises(UniqueViolation):
        memory.create(twin(Annotated[str, Unique]))
    memory.run(add(Item(3, "a")))


def test_tables_are_created_all_or_none(memory: Any) -> None:
    @ommi_model(collection=ModelCollection())
    @dataclass
    class Extra:
        id: Annotated[int, Key]

    memory.create(Item)
    with pytest.raises(SchemaMismatch):
        memory.create(Extra, twin(int, 0))
    with pytest.raises(SchemaMismatch, match="extra"):
        memory.run(find(Extra).count())
