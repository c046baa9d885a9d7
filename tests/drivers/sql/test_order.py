"""Order, pages and distinct rows on SQLite (semantics §3)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

import pytest

from ommi import Index, Key, ModelCollection, QueryRejected, find, ommi_model
from ommi.models import schema_of
from ommi.query.expressions import Order
from ommi.query.statements import Count, Exists, Lock, Select

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Row:
    id: Annotated[int, Key]
    number: Annotated[int | None, Index] = None
    text: str = ""
    price: Decimal | None = None


def rows(db: Any, *numbers: int | None) -> None:
    db.create(Row)
    db.add(Row(n, number) for n, number in enumerate(numbers))


def ids(db: Any, query: Any) -> list[int]:
    return [row[0] for row in db.all(query.select(Row.id))]


def test_missing_values_come_first_ascending_and_last_descending(db: Any) -> None:
    rows(db, 2, None, 1)
    assert ids(db, find(Row).order_by(Row.number.asc)) == [1, 2, 0]
    assert ids(db, find(Row).order_by(Row.number.desc)) == [0, 2, 1]


def test_missing_values_can_be_put_at_the_other_end(db: Any) -> None:
    rows(db, 2, None, 1)
    assert ids(db, find(Row).order_by(Row.number.asc.nulls_last())) == [2, 0, 1]
    assert ids(db, find(Row).order_by(Row.number.desc.nulls_first())) == [1, 0, 2]


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (lambda: Row.number.asc.nulls_first(), ""),
        (lambda: Row.number.desc.nulls_last(), " DESC"),
        (lambda: Row.number.asc.nulls_last(), " NULLS LAST"),
        (lambda: Row.number.desc.nulls_first(), " DESC NULLS FIRST"),
        (lambda: Row.text.asc.nulls_last(), ""),
    ],
)
def test_where_missing_values_go_is_said_only_where_it_differs(db: Any, order: Any, said: str) -> None:
    found: Order = order()
    sql = db.compiler.prepare(find(Row).order_by(found).query).sql
    assert sql.endswith(f"ORDER BY `{found.expression.name}`{said}")  # type: ignore[union-attr]


def test_an_order_is_read_from_an_index(db: Any) -> None:
    rows(db)
    assert "TEMP B-TREE" not in db.plan(find(Row).order_by(Row.number.desc).limit(3).query)


def test_text_is_ordered_by_code_point(db: Any) -> None:
    db.create(Row)
    words = ["b", "a", "B", "\u00e9", "\U0001f600", "\uffff", "", "ab"]
    db.add(Row(n, text=word) for n, word in enumerate(words))
    assert [row[0] for row in db.all(find(Row).order_by(Row.text.asc).select(Row.text))] == sorted(words)


def test_decimals_are_ordered_as_numbers(db: Any) -> None:
    db.create(Row)
    prices = [Decimal(text) for text in ("10", "9", "-10", "-9", "0", "0.5", "1E+3", "1E-7", "-1E-7")]
    db.add(Row(n, price=price) for n, price in enumerate([*prices, None]))
    found = db.all(find(Row).order_by(Row.price.asc).select(Row.price))
    assert [row[0] and Decimal(row[0]) for row in found] == [None, *sorted(prices)]


@pytest.mark.parametrize("column", ["number", "price"])
def test_an_expression_orders_rows(db: Any, column: str) -> None:
    rows(db, 3, 1, 2)
    assert ids(db, find(Row).order_by((0 - Row.number).asc)) == [0, 2, 1]


def test_a_page_is_made_definite_by_the_key_in_the_direction_of_the_last_part(db: Any) -> None:
    rows(db, 1, 1, 1)
    assert ids(db, find(Row).order_by(Row.number.asc).limit(2)) == [0, 1]
    assert ids(db, find(Row).order_by(Row.number.desc).limit(2)) == [2, 1]
    assert ids(db, find(Row).limit(2)) == [0, 1]


def test_the_key_is_not_said_twice(db: Any) -> None:
    sql = db.compiler.prepare(find(Row).order_by(Row.id.desc, Row.number.asc).limit(1).query).sql
    assert sql.endswith("ORDER BY `id` DESC, `number` LIMIT ?")


def test_without_a_page_the_order_is_as_it_was_said(db: Any) -> None:
    assert db.compiler.prepare(find(Row).order_by(Row.number.asc).query).sql.endswith("ORDER BY `number`")
    assert "ORDER" not in db.compiler.prepare(find(Row).query).sql


def test_limit_and_offset_cut_a_page(db: Any) -> None:
    rows(db, *range(5))
    assert ids(db, find(Row).limit(2).offset(1)) == [1, 2]
    assert ids(db, find(Row).offset(3)) == [3, 4]
    assert ids(db, find(Row).limit(0)) == []
    assert ids(db, find(Row).limit(2**63 - 1).offset(4)) == [4]
    assert ids(db, find(Row).offset(2**63 - 1)) == []


def test_pages_of_different_size_share_one_shape(db: Any) -> None:
    rows(db, *range(5))
    statements = [find(Row).limit(limit).offset(offset).query for limit, offset in ((1, 2), (3, 1))]
    assert len({db.compiler.prepare(statement).sql for statement in statements}) == 1
    assert [ids(db, find(Row).limit(limit).offset(offset)) for limit, offset in ((1, 2), (3, 1))] == [[2], [1, 2, 3]]


def test_a_count_respects_limit_offset_and_distinct(db: Any) -> None:
    rows(db, 1, 1, 2, None, None)
    schema = schema_of(Row)
    number = find(Row).select(Row.number).query.columns
    assert db.execute(Count(Select(schema))) == 5
    assert db.execute(Count(Select(schema, limit=3))) == 3
    assert db.execute(Count(Select(schema, offset=4))) == 1
    assert db.execute(Count(Select(schema, limit=3, offset=4))) == 1
    assert db.execute(Count(Select(schema, number, distinct=True))) == 3
    assert db.execute(Count(Select(schema, number, distinct=True, offset=1))) == 2


def test_a_count_with_an_order_takes_its_values_from_their_places(db: Any) -> None:
    rows(db, 1, 2, 3)
    query = find(Row, Row.number > 1).order_by((Row.number + 5).asc).limit(1).query
    assert db.execute(Count(query)) == 1
    assert db.execute(Exists(query)) is True


def test_exists_is_a_bool(db: Any) -> None:
    rows(db, 1)
    assert db.execute(Exists(find(Row, Row.number == 1).query)) is True
    assert db.execute(Exists(find(Row, Row.number == 2).query)) is False
    assert db.execute(Exists(find(Row).offset(1).query)) is False


def test_distinct_rows_are_kept_once_and_ordered_by_what_is_selected(db: Any) -> None:
    rows(db, 2, 1, 2, None)
    query = find(Row).order_by(Row.number.desc)
    assert db.all(query.select(Row.number).distinct()) == [(2,), (1,), (None,)]
    assert db.all(query.limit(2).select(Row.number).distinct()) == [(2,), (1,)]


def test_distinct_rows_cannot_be_ordered_by_what_is_not_selected(db: Any) -> None:
    rows(db)
    schema = schema_of(Row)
    columns = find(Row).select(Row.number).query.columns
    with pytest.raises(QueryRejected, match="which is not selected: select it, too"):
        db.execute(Select(schema, columns, order=(Row.text.asc,), distinct=True))


def test_a_lock_is_nothing_to_a_database_with_one_writer(db: Any) -> None:
    rows(db, 1)
    assert len(db.execute(Select(schema_of(Row), lock=Lock(skip_locked=True)))) == 1


def test_rows_are_read_while_they_are_produced(db: Any) -> None:
    rows(db, 1, 2, 3)
    seen: list[Any] = []

    def first(found: Any) -> Any:
        for row in found:
            seen.append(row[0])
            return row[0]
        return None

    assert db.execute(find(Row).query, first) == 0
    assert seen == [0]


def test_what_reading_raises_is_the_answer_and_the_connection_stays_usable(db: Any) -> None:
    rows(db, 1, 2, 3)

    def fail(found: Any) -> Any:
        next(iter(found))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        db.execute(find(Row).query, fail)
    db.sql("DROP TABLE row")
