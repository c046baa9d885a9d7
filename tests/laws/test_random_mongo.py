"""MongoDB answers what the memory driver answers: random rows, conditions, computations and programs.

Left out is what it declares that it cannot do: savepoints, going on in a transaction after a failed write, and
decimals whose exact result has more than 34 digits, which it refuses.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import given, note, settings
from hypothesis import strategies as st

from ommi import Effect, Ommi, add, add_all, col, find, gather
from ommi.errors import QueryRejected
from ommi.testing import succeeds
from ommi.testing.comparison import answer, tables
from ommi.testing.models import Account, Author, Book, Color, Level, Sample, Tag, suite_models
from ommi.testing.programs import MODELS, UNKEYED, in_turn, library, reads, writes
from ommi.testing.strategies import conditions, groupings, queries, records, risky, selections, texts
from tests.servers.mongo import Database

pytestmark = pytest.mark.soak

FEWER = settings(max_examples=max((settings.default.max_examples if settings.default else 100) // 2, 25))
SAMPLES = st.lists(
    records(
        Sample,
        id=st.integers(-2, 9),
        color=st.sampled_from([None, *Color]),
        level=st.sampled_from([None, *Level]),
        size=st.sampled_from([None, "S", "M", "L"]),
        words=st.none() | st.lists(texts(1), max_size=3),
        numbers=st.none() | st.lists(st.integers(-1, 2), max_size=3),
        extra=st.none()
        | st.dictionaries(texts(2) | st.sampled_from(["$ref", "$a", "a.b"]), st.integers(-3, 3) | texts(), max_size=3),
        address=st.none(),
        addresses=st.just([]),
    ),
    max_size=6,
    unique_by=lambda sample: sample.id,
)
STRUCTURES = st.one_of(
    texts(1).map(lambda word: col(Sample.words).contains(word)),
    st.integers(-1, 2).map(lambda number: col(Sample.numbers).not_contains(number)),
    st.lists(texts(1), max_size=2).map(lambda words: col(Sample.words) == words),
    st.dictionaries(texts(2), st.integers(-3, 3), max_size=2).map(lambda extra: col(Sample.extra) != extra),
    st.lists(st.sampled_from([None, *Color])).map(lambda colors: col(Sample.color).in_(colors)),
)


@dataclass
class Pair:
    """Memory, and MongoDB, behind one event loop."""

    portal: BlockingPortal
    memory: Ommi
    other: Ommi
    database: Database

    def agree(self, *effects: Effect[Any, Any], refusing: bool = False) -> None:
        """Run the effects in turn on both, from empty tables, and compare each answer and all rows at the end.

        `refusing`: MongoDB may reject an effect that memory does not.
        """
        for effect in effects:
            note(repr(effect))
        self.database.empty()
        self.portal.call(self._agree, effects, refusing)

    async def _agree(self, effects: tuple[Effect[Any, Any], ...], refusing: bool) -> None:
        await succeeds(self.memory, EMPTY)
        for effect in effects:
            expected = await answer(self.memory, effect, unkeyed=UNKEYED)
            found = await answer(self.other, effect, unkeyed=UNKEYED)
            assert found == expected or (refusing and found == ("failure", (QueryRejected, None)))
        models = (Sample, *MODELS)
        assert await tables(self.other, models, unkeyed=UNKEYED) == await tables(self.memory, models, unkeyed=UNKEYED)


EMPTY = in_turn(*(find(model).everything().delete() for model in (Sample, *MODELS))).transactional()


@asynccontextmanager
async def with_tables(url: str) -> AsyncIterator[Ommi]:
    async with Ommi.connect(url) as db:
        await succeeds(db, db.schema.create(suite_models))
        yield db


@pytest.fixture(scope="module")
def pair(mongo: Database) -> Iterator[Pair]:
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(with_tables("memory://")) as memory,
        portal.wrap_async_context_manager(with_tables(mongo.url)) as other,
    ):
        yield Pair(portal, memory, other, mongo)


def programs() -> st.SearchStrategy[Effect[Any, Any]]:
    """Steps and transactions one after the other, each of which may fail; the first failure ends a transaction.

    None of them asks about generated keys: those of MongoDB have gaps.
    """
    step = st.one_of(writes(), writes(), reads())
    steps = st.lists(step, min_size=1, max_size=4).map(lambda found: in_turn(*found))
    failing = steps.map(lambda found: found.bind(lambda _: Effect.from_failure("undo")))
    whole = st.one_of(steps, steps, failing).map(lambda found: found.transactional())
    part = st.one_of(step, whole).map(lambda found: found.either())
    several = st.lists(part, min_size=1, max_size=4).map(lambda found: in_turn(*found))
    return several.filter(lambda found: "Player.id" not in repr(found))


KEYS = st.integers(1, 5)
CODES = st.sampled_from([None, "a", "b", "c"])
BALANCES = st.sampled_from([0, 7, -1, col(Account.balance) + 1, col(Account.balance) - 1])


def _account(key: int) -> Any:
    return find(Account, col(Account.id) == key)


KEYED = st.one_of(
    st.builds(Account, KEYS, st.sampled_from(["Ada", None]), st.sampled_from([3, 4, -1]), CODES).map(add),
    st.builds(Tag, st.sampled_from("abc")).map(add),
    st.builds(Book, KEYS, KEYS).map(add),
    st.builds(lambda key, balance: _account(key).update(balance=balance), KEYS, BALANCES),
    st.builds(lambda key, balance: _account(key).update(owner="Bob", balance=balance), KEYS, BALANCES),
    st.builds(lambda key, code: _account(key).update(code=code), KEYS, CODES),
    st.builds(lambda key: find(Book, col(Book.id) == key).update(author=1), KEYS),
    st.just(find(Account).count()),
)


@FEWER
@given(
    st.lists(KEYS.map(lambda n: Account(n, "Eve", n)), max_size=4, unique_by=lambda one: one.id),
    st.lists(KEYED, min_size=2, max_size=9),
)
def test_statements_that_go_together_do_what_they_do_one_by_one(
    pair: Pair, accounts: list[Account], steps: list[Effect[Any, Any]]
) -> None:
    steps = sorted(steps, key=lambda step: repr(step)[:12])  # alike ones in a row

    async def made(batching: bool) -> Any:
        await succeeds(pair.other, gather(add_all([Author(1), Author(2)]), add_all(accounts)).transactional())
        pair.other._pump.batching = batching
        found = await answer(pair.other, gather(*steps).transactional(), unkeyed=())
        pair.other._pump.batching = True
        return found, await tables(pair.other, (Account, Book, Tag), unkeyed=())

    outcomes = []
    for batching in (True, False):
        pair.database.empty()
        outcomes.append(pair.portal.call(made, batching))
    assert outcomes[0] == outcomes[1]


@FEWER
@given(SAMPLES)
def test_rows_are_kept_alike(pair: Pair, samples: list[Sample]) -> None:
    pair.agree(add_all(samples), find(Sample).order_by(Sample.id).all())


@FEWER
@given(SAMPLES, conditions(Sample) | STRUCTURES)
def test_conditions_hold_for_the_same_rows(pair: Pair, samples: list[Sample], condition: Any) -> None:
    pair.agree(
        add_all(samples),
        find(Sample, condition).order_by(Sample.id).select(Sample.id).all(),
        find(Sample, ~condition).order_by(Sample.id).select(Sample.id).all(),
        find(Sample, condition).count(),
        refusing="amount" in repr(condition),
    )


@FEWER
@given(SAMPLES, queries(Sample))
def test_queries_give_the_same_rows_in_the_same_order(pair: Pair, samples: list[Sample], query: Any) -> None:
    refusing = "amount" in repr(query)
    pair.agree(add_all(samples), query.all(), query.count(), query.exists(), query.first(), refusing=refusing)


@FEWER
@given(SAMPLES, selections(Sample))
def test_selections_give_the_same_tuples(pair: Pair, samples: list[Sample], rows: Any) -> None:
    found = rows.all().map(lambda every: sorted(every, key=repr)) if rows.query.distinct else rows.all()
    pair.agree(add_all(samples), found, rows.count(), rows.exists(), refusing="amount" in repr(rows))


@FEWER
@given(SAMPLES, groupings(Sample))
def test_groups_give_the_same_aggregates(pair: Pair, samples: list[Sample], rows: Any) -> None:
    pair.agree(add_all(samples), rows.all(), rows.count(), rows.exists(), refusing="amount" in repr(rows))


@FEWER
@given(SAMPLES, risky(Sample), st.sampled_from([-1.0, 0.0, 3.0]))
def test_computations_give_the_same_or_are_refused_alike(
    pair: Pair, samples: list[Sample], expression: Any, bound: float
) -> None:
    exact = "amount" in repr(expression)
    comparable: Any = Decimal(bound) if exact else bound
    if "/" not in repr(expression) and "real" not in repr(expression) and not exact:
        comparable = int(bound)
    pair.agree(
        add_all(samples),
        find(Sample).order_by(Sample.id).select(expression).all(),
        find(Sample, expression > comparable).order_by(Sample.id).select(Sample.id).all(),
        refusing=exact,
    )


@FEWER
@given(programs())
def test_programs_come_out_alike_and_leave_the_same_rows(pair: Pair, program: Effect[Any, Any]) -> None:
    pair.agree(library(), program)
