"""Order, limits, distinct, counting (semantics §3)."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import Key, ModelCollection, QueryRejected, add_all, find, ommi_model

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Item:
    id: Annotated[int, Key]
    number: int | None = None
    text: str = ""


@ommi_model(collection=models)
@dataclass
class Seat:
    row: Annotated[int, Key]
    place: Annotated[int, Key]
    price: int = 0


@pytest.fixture
def items(memory: Any) -> Any:
    memory.create(Item)
    memory.run(add_all([Item(3, 1), Item(1, None), Item(2, 1), Item(4, 0), Item(5, None)]))
    return memory


def ids(memory: Any, query: Any) -> list[int]:
    return [item.id for item in memory.all(query)]


def test_without_an_order_rows_come_as_they_were_inserted(items: Any) -> None:
    assert ids(items, find(Item)) == [3, 1, 2, 4, 5]


def test_ascending_puts_the_missing_first(items: Any) -> None:
    assert ids(items, find(Item).order_by(Item.number.asc)) == [1, 5, 4, 3, 2]


def test_descending_puts_the_missing_last(items: Any) -> None:
    assert ids(items, find(Item).order_by(Item.number.desc)) == [3, 2, 4, 1, 5]


def test_the_place_of_the_missing_can_be_said(items: Any) -> None:
    assert ids(items, find(Item).order_by(Item.number.asc.nulls_last())) == [4, 3, 2, 1, 5]
    assert ids(items, find(Item).order_by(Item.number.desc.nulls_first())) == [1, 5, 3, 2, 4]


def test_later_parts_decide_what_earlier_ones_leave_open(items: Any) -> None:
    assert ids(items, find(Item).order_by(Item.number.desc, Item.id.asc)) == [2, 3, 4, 1, 5]


def test_text_is_ordered_by_code_point(memory: Any) -> None:
    memory.create(Item)
    memory.run(add_all([Item(place, text=text) for place, text in enumerate(["b", "ä", "B", "😀", "a", "\uffff"])]))
    ordered = [item.text for item in memory.all(find(Item).order_by(Item.text.asc))]
    assert ordered == ["B", "a", "b", "ä", "\uffff", "😀"]


def test_with_a_limit_the_key_is_appended_in_the_direction_of_the_last_part(items: Any) -> None:
    assert ids(items, find(Item).order_by(Item.number.asc).limit(5)) == [1, 5, 4, 2, 3]
    assert ids(items, find(Item).order_by(Item.number.desc).limit(5)) == [3, 2, 4, 5, 1]


def test_with_an_offset_alone_the_key_is_appended_too(items: Any) -> None:
    assert ids(items, find(Item).order_by(Item.number.desc).offset(1)) == [2, 4, 5, 1]


def test_a_limit_without_an_order_goes_by_the_key(items: Any) -> None:
    assert ids(items, find(Item).limit(2)) == [1, 2]


def test_a_composite_key_is_appended_whole(memory: Any) -> None:
    memory.create(Seat)
    memory.run(add_all([Seat(2, 1), Seat(1, 2), Seat(1, 1)]))
    found = memory.all(find(Seat).order_by(Seat.price.desc).limit(3))
    assert [(seat.row, seat.place) for seat in found] == [(2, 1), (1, 2), (1, 1)]


def test_limit_and_offset_cut_a_page(items: Any) -> None:
    ordered = find(Item).order_by(Item.id.asc)
    assert ids(items, ordered.limit(2).offset(1)) == [2, 3]
    assert ids(items, ordered.limit(0)) == []
    assert ids(items, ordered.offset(9)) == []


def test_an_order_can_be_computed(items: Any) -> None:
    assert ids(items, find(Item).order_by((Item.id % 3).asc, Item.id.asc)) == [3, 1, 4, 2, 5]


def test_selected_columns_come_as_tuples(items: Any) -> None:
    assert items.all(find(Item, Item.id < 3).select(Item.number, Item.id + 1)) == [(None, 2), (1, 3)]


def test_distinct_gives_each_row_once(items: Any) -> None:
    assert items.all(find(Item).select(Item.number).distinct()) == [(1,), (None,), (0,)]


def test_distinct_rows_are_ordered_and_cut_without_the_key(items: Any) -> None:
    rows = find(Item).order_by(Item.number.desc).limit(2).select(Item.number).distinct()
    assert items.all(rows) == [(1,), (0,)]


def test_distinct_rows_cannot_be_ordered_by_what_is_not_selected(items: Any) -> None:
    with pytest.raises(QueryRejected, match=r"Item\.id.*select it, too"):
        items.all(find(Item).order_by(Item.id.asc).select(Item.number).distinct())


def test_count_counts_the_rows_of_the_query(items: Any) -> None:
    assert items.run(find(Item).count()) == 5
    assert items.run(find(Item, Item.number == 1).count()) == 2


def test_count_respects_limit_offset_and_distinct(items: Any) -> None:
    assert items.run(find(Item).limit(2).count()) == 2
    assert items.run(find(Item).offset(4).count()) == 1
    assert items.run(find(Item).limit(3).offset(4).count()) == 1
    assert items.run(find(Item).offset(9).count()) == 0
    assert items.run(find(Item).select(Item.number).distinct().count()) == 3
    assert items.run(find(Item).select(Item.number).count()) == 5


def test_exists_respects_limit_and_offset(items: Any) -> None:
    assert items.run(find(Item, Item.number == 1).exists()) is True
    assert items.run(find(Item, Item.number == 9).exists()) is False
    assert items.run(find(Item).offset(5).exists()) is False
    assert items.run(find(Item).limit(0).exists()) is False
