"""Positions in an order as SQL: a page begins in the middle of an index."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import Index, Key, ModelCollection, auto, col, find, ommi_model
from ommi.effects.effect import Perform
from tests.drivers.sql.conftest import Database


@ommi_model(collection=ModelCollection(), indexes=[("size", "label")])
@dataclass
class Box:
    size: int
    label: str
    weight: Annotated[int | None, Index] = None
    color: Annotated[str, Index] = ""
    id: Annotated[int, Key] = auto()


def page(query: Any) -> Any:
    found = query.after(query.cursor_of(Box(1, "a", 2, "red", 3))).page(5)
    assert isinstance(found, Perform)
    return found.statement


@pytest.mark.parametrize(
    "order, plan",
    [
        ((), "SEARCH box USING INTEGER PRIMARY KEY (rowid>?)"),
        ((col(Box.id).desc,), "SEARCH box USING INTEGER PRIMARY KEY (rowid<?)"),
        ((col(Box.color).asc,), "SEARCH box USING INDEX ix_box_color (color>?)"),
        ((col(Box.size).desc, col(Box.label).desc), "SEARCH box USING INDEX ix_box_size_label ((size,label)<(?,?))"),
        ((col(Box.color).asc, col(Box.id).desc), "SEARCH box USING INDEX ix_box_color (color>?)"),
        ((col(Box.weight).asc,), "SEARCH box USING INDEX ix_box_weight (weight>?)"),
        ((col(Box.weight).desc.nulls_first(),), "SEARCH box USING INDEX ix_box_weight (weight<?)"),
    ],
    ids=["key", "key descending", "column", "columns", "both directions", "missing first", "descending"],
)
def test_a_page_begins_in_the_middle_of_an_index(db: Database, order: tuple[Any, ...], plan: str) -> None:
    db.create(Box)
    assert plan in db.plan(page(find(Box).order_by(*order)))


def test_one_direction_and_nothing_missing_compares_rows(db: Database) -> None:
    sql = db.compiler.prepare(page(find(Box).order_by(Box.size, Box.color))).sql
    assert "WHERE (`size`, `color`, `id`) > (?, ?, ?) ORDER BY" in sql


def test_two_directions_have_a_range_in_front(db: Database) -> None:
    sql = db.compiler.prepare(page(find(Box).order_by(Box.size, col(Box.color).desc))).sql
    assert "WHERE (`size` >= ? AND (`size` > ? OR (`size` = ? AND" in sql
