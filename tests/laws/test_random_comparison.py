"""SQLite and PostgreSQL answer what the memory driver answers: random rows, conditions and computations."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, note
from hypothesis import strategies as st

from ommi import Effect, Ommi, add_all, col, find
from ommi.testing import succeeds
from ommi.testing.comparison import answer, tables
from ommi.testing.models import Address, Color, Level, Sample, suite_models
from ommi.testing.programs import MODELS, UNKEYED, in_turn
from ommi.testing.strategies import conditions, groupings, joinings, queries, records, risky, selections, texts

pytestmark = pytest.mark.soak

ADDRESSES = st.builds(Address, texts(), st.integers(0, 3), st.sampled_from([None, date.max]), st.just(Decimal("1.50")))
EXTRAS = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, -1e300]) | texts(),
    lambda part: st.lists(part, max_size=2) | st.dictionaries(texts(2), part, max_size=2),
    max_leaves=4,
)
SAMPLES = st.lists(
    records(
        Sample,
        id=st.integers(-2, 9),
        color=st.sampled_from([None, *Color]),
        level=st.sampled_from([None, *Level]),
        size=st.sampled_from([None, "S", "M", "L"]),
        words=st.none() | st.lists(texts(1), max_size=3),
        numbers=st.none() | st.lists(st.integers(-1, 2), max_size=3),
        extra=st.none() | st.dictionaries(texts(2), EXTRAS, max_size=3),
        address=st.none() | ADDRESSES,
        addresses=st.lists(ADDRESSES, max_size=2),
    ),
    max_size=6,
    unique_by=lambda sample: sample.id,
)
STRUCTURES = st.one_of(
    texts(1).map(lambda word: col(Sample.words).contains(word)),
    st.integers(-1, 2).map(lambda number: col(Sample.numbers).not_contains(number)),
    st.lists(texts(1), max_size=2).map(lambda words: col(Sample.words) == words),
    st.dictionaries(texts(2), EXTRAS, max_size=2).map(lambda extra: col(Sample.extra) != extra),
    ADDRESSES.map(lambda address: col(Sample.address) == address),
    st.lists(st.sampled_from([None, *Color])).map(lambda colors: col(Sample.color).in_(colors)),
    st.sampled_from(Level).map(lambda level: col(Sample.level) != level),
)


@dataclass
class Pair:
    """The database that defines what is right, and the one compared with it, behind one event loop."""

    portal: BlockingPortal
    memory: Ommi
    other: Ommi

    def agree(self, *effects: Effect[Any, Any]) -> None:
        """Run the effects in turn on both, from empty tables, and compare each answer and all rows at the end."""
        for effect in effects:
            note(repr(effect))
        self.portal.call(self._agree, effects)

    async def _agree(self, effects: tuple[Effect[Any, Any], ...]) -> None:
        for db in (self.memory, self.other):
            await succeeds(db, EMPTY)
        for effect in effects:
            expected = await answer(self.memory, effect, unkeyed=UNKEYED)
            assert await answer(self.other, effect, unkeyed=UNKEYED) == expected
        models = (Sample, *MODELS)
        assert await tables(self.other, models, unkeyed=UNKEYED) == await tables(self.memory, models, unkeyed=UNKEYED)


EMPTY = in_turn(*(find(model).everything().delete() for model in (Sample, *MODELS))).transactional()


@asynccontextmanager
async def with_tables(url: str) -> AsyncIterator[Ommi]:
    async with Ommi.connect(url) as db:
        await succeeds(db, db.schema.create(suite_models))
        yield db


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    return "sqlite://" if request.param == "sqlite" else request.getfixturevalue("postgres_18")


@pytest.fixture(scope="module")
def pair(url: str) -> Iterator[Pair]:
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(with_tables("memory://")) as memory,
        portal.wrap_async_context_manager(with_tables(url)) as other,
    ):
        yield Pair(portal, memory, other)


@given(SAMPLES)
def test_rows_are_kept_alike(pair: Pair, samples: list[Sample]) -> None:
    pair.agree(add_all(samples), find(Sample).order_by(Sample.id).all())


@given(SAMPLES, conditions(Sample) | STRUCTURES)
def test_conditions_hold_for_the_same_rows(pair: Pair, samples: list[Sample], condition: Any) -> None:
    pair.agree(
        add_all(samples),
        find(Sample, condition).order_by(Sample.id).select(Sample.id).all(),
        find(Sample, ~condition).order_by(Sample.id).select(Sample.id).all(),
        find(Sample, condition).count(),
        find(Sample, condition).exists(),
    )


@given(SAMPLES, queries(Sample))
def test_queries_give_the_same_rows_in_the_same_order(pair: Pair, samples: list[Sample], query: Any) -> None:
    pair.agree(add_all(samples), query.all(), query.count(), query.exists(), query.first(), query.one())


@given(SAMPLES, selections(Sample))
def test_selections_give_the_same_tuples(pair: Pair, samples: list[Sample], rows: Any) -> None:
    found = rows.all().map(lambda every: sorted(every, key=repr)) if rows.query.distinct else rows.all()
    pair.agree(add_all(samples), found, rows.count(), rows.exists())


@given(SAMPLES, groupings(Sample))
def test_groups_give_the_same_aggregates(pair: Pair, samples: list[Sample], rows: Any) -> None:
    pair.agree(add_all(samples), rows.all(), rows.count(), rows.exists())


@given(SAMPLES, joinings(Sample))
def test_joins_give_the_same_rows(pair: Pair, samples: list[Sample], rows: Any) -> None:
    pair.agree(add_all(samples), rows.all(), rows.count(), rows.exists())


@given(SAMPLES, risky(Sample), st.sampled_from([-1.0, 0.0, 3.0]))
def test_computations_give_the_same_or_are_refused_alike(
    pair: Pair, samples: list[Sample], expression: Any, bound: float
) -> None:
    comparable = Decimal(bound) if "amount" in repr(expression) else bound
    if "/" not in repr(expression) and "real" not in repr(expression) and "amount" not in repr(expression):
        comparable = int(bound)
    pair.agree(
        add_all(samples),
        find(Sample).order_by(Sample.id).select(expression).all(),
        find(Sample, expression > comparable).order_by(Sample.id).select(Sample.id).all(),
        find(Sample).select(expression).count(),
    )
