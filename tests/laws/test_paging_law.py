"""Pages of random rows in random orders are the whole list, cut into pieces, whatever is added before a cursor."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ommi import Ommi, add_all, col, find
from ommi.drivers.memory.evaluate import Evaluation
from ommi.drivers.memory.forms import stored
from ommi.models import schema_of
from ommi.query.cursors import after, cursor_of, digest_of
from ommi.query.expressions import After, Order, type_of
from ommi.query.seeking import expanded, total_order
from ommi.testing.models import Sample, suite_models
from ommi.testing.outcomes import succeeds
from ommi.testing.strategies import computed

FEW = st.one_of(st.none(), st.integers(0, 2))
ROWS = st.lists(st.tuples(FEW, FEW, st.integers(0, 1), st.sampled_from(["", "a", "B", "é"])), max_size=12)


def sample(key: int, row: tuple[int | None, int | None, int, str]) -> Sample:
    return Sample(key, whole=row[0], other=row[1], count=row[2], title=row[3])


@st.composite
def few_orders(draw: st.DrawFn) -> tuple[Order, ...]:
    columns = [col(Sample.whole), col(Sample.other), col(Sample.count), col(Sample.title), col(Sample.id)]
    found: list[Order] = []
    for _ in range(draw(st.integers(0, 3))):
        column: Any = draw(st.sampled_from([*columns, draw(computed(Sample))] if draw(st.booleans()) else columns))
        order = draw(st.sampled_from([column.asc, column.desc]))
        found.append(draw(st.sampled_from([order, order.nulls_first(), order.nulls_last()])))
    return tuple(found)


@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
@settings(max_examples=30)
@given(rows=ROWS, order=few_orders(), size=st.integers(1, 5), earlier=ROWS.map(lambda rows: rows[:2]))
def test_pages_are_the_whole_list(url: str, rows: Any, order: tuple[Order, ...], size: int, earlier: Any) -> None:
    async def check() -> None:
        async with Ommi.connect(url) as db:
            await succeeds(db, db.schema.create(suite_models))
            await succeeds(db, add_all([sample(n * 10, row) for n, row in enumerate(rows)]))
            query = find(Sample).order_by(*order)
            listed = await succeeds(db, query.limit(99).all())
            page, found, new = await succeeds(db, query.page(size)), [], 10_000
            while True:
                assert len(page.rows) <= size
                found += page.rows
                if page.next_cursor is None:
                    break
                for row in earlier:  # what is added before a cursor moves nothing after it
                    new += 1
                    await succeeds(db, add_all([sample(new, row)]))
                    if not await succeeds(db, query.before(page.next_cursor).where(col(Sample.id) == new).exists()):
                        await succeeds(db, find(Sample, col(Sample.id) == new).delete())
                page = await succeeds(db, query.after(page.next_cursor).page(size))
            assert found == listed

    anyio.run(check)


@given(rows=st.lists(st.tuples(FEW, FEW, st.integers(0, 1), st.just("")), min_size=1, max_size=6), order=few_orders())
def test_a_position_means_what_its_parts_mean(rows: Any, order: tuple[Order, ...]) -> None:
    schema = schema_of(Sample)
    whole = total_order(order, schema)
    evaluation = Evaluation((schema,), lambda query, around: ())
    kept = [
        tuple(stored(f.type.kind, v) for f, v in zip(schema.fields, schema.codec.read(sample(n, row)), strict=True))
        for n, row in enumerate(rows)
    ]
    evaluation.sort(kept, whole)
    for place, row in enumerate(kept):
        values = [evaluation.value(part.expression)(row) for part in whole]
        cursor = cursor_of(digest_of(schema, whole), [type_of(part.expression) for part in whole], values)
        for backwards in (False, True):
            position = after(schema, whole, cursor, backwards=backwards)
            assert isinstance(position, After)
            expected = [at < place if backwards else at > place for at in range(len(kept))]
            assert [evaluation.test(position)(one) for one in kept] == expected
            assert [evaluation.test(expanded(position))(one) for one in kept] == expected
