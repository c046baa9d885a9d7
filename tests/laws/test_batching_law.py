"""Batching changes nothing but the number of statements: random programs give the same with it and without."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ommi import (
    Effect,
    NotFound,
    Ommi,
    Schedule,
    add,
    catch,
    col,
    delete,
    find,
    gather,
    traverse,
    validate,
)
from ommi.effects.program import Prog, effect
from ommi.testing.comparison import answer, comparable, tables
from ommi.testing.relatives import Bench, Follow, Person, Post, PostTag, Profile, Reply, Team, Topic, people, relatives

MODELS = (Team, Person, Profile, Follow, Post, Topic, PostTag, Reply, Bench)
UNKEYED = (Profile, Follow)

KEYS = st.sampled_from([1, 2, 3, 4, 5, 9, 2**70])
RELATIONS: dict[type[Any], tuple[str, ...]] = {
    Team: ("members",),
    Person: ("team", "mentor", "pupils", "posts", "reviews", "profile", "follows", "followers"),
    Post: ("author", "reviewed_by", "topics", "replies"),
    Topic: ("posts",),
    Reply: ("post",),
}


def keyed(model: type[Any], key: int, terminal: str) -> Effect[Any, Any]:
    query = find(model, col(model.id) == key)
    return {"one": query.one, "first": query.first, "all": query.all, "count": query.count}[terminal]()


@effect
def walk(model: type[Any], key: int, names: tuple[int, ...]) -> Prog[Any, Any]:
    """From one record along relations, all records found at a step at once."""
    records = yield from find(model, col(model.id) == key).all()
    found: list[Any] = [records]
    for number in names:
        steps = [getattr(one, _relation(one, number)) for one in records if RELATIONS.get(type(one))]
        outcomes = yield from gather(*(step.either() for step in steps))
        values = [outcome._inner_value for outcome in outcomes]
        found.append(values)
        records = [
            one for value in values for one in (value if isinstance(value, list) else [value]) if type(one) in RELATIONS
        ]
    return found


def _relation(record: Any, number: int) -> str:
    names = RELATIONS[type(record)]
    return names[number % len(names)]


reads = st.one_of(
    st.builds(keyed, st.sampled_from([Person, Post, Reply]), KEYS, st.sampled_from(["one", "first", "all", "count"])),
    KEYS.map(lambda key: find(Post, col(Post.writer) == key).order_by(col(Post.id).desc).all()),
    st.sampled_from(["red", "blue", "no"]).map(lambda code: find(Team, col(Team.code) == code).one()),
    st.builds(lambda row, n: find(Bench, col(Bench.row) == row, col(Bench.number) == n).first(), KEYS, KEYS),
    st.builds(walk, st.sampled_from([Team, Person, Post]), KEYS, st.lists(st.integers(0, 7), max_size=3).map(tuple)),
    KEYS.map(lambda key: find(Person, col(Person.id) == key).prefetch(Person.posts, Post.topics).first()),
)
rows = st.sampled_from([1, 2, 3, 4, 5, 9])
changes = st.one_of(
    rows.map(lambda key: add(Team(key))),
    rows.map(lambda key: find(Person, col(Person.id) == key).update(name="x")),
    rows.map(lambda key: delete(Reply(key, 1))),
    st.builds(lambda key, team: find(Person, col(Person.id) == key).update(team_id=team), rows, rows),
)
writes = st.one_of(
    changes,
    st.builds(
        lambda key: (
            find(Person, col(Person.id) == key)
            .one()
            .bind(lambda one: find(Person, col(Person.id) == key).update(name=one.name + "+"))
        ),
        rows,
    ),
)


def several(
    parts: st.SearchStrategy[Effect[Any, Any]], settle: Callable[[Effect[Any, Any]], Effect[Any, Any]]
) -> st.SearchStrategy[Effect[Any, Any]]:
    limits = st.sampled_from([None, None, 1, 2])
    many = st.lists(parts, min_size=1, max_size=5)
    settled = st.lists(parts.map(settle), min_size=1, max_size=5)
    return st.one_of(
        st.builds(lambda found, limit: gather(*found, limit=limit), settled, limits),
        st.builds(lambda found, limit: validate(*found, limit=limit), many, limits),
        st.builds(lambda found, limit: traverse(found, lambda each: each, limit=limit), settled, limits),
        parts.map(lambda part: part.either()),
        st.builds(lambda one, other: one.bind(lambda _: other), parts, parts),
        st.builds(lambda one, other: one.lash(lambda _: other), parts, parts),
        st.builds(lambda one, other: one >> catch(NotFound)(lambda _: other), parts, parts),
        parts.map(lambda part: part.retry(Schedule.recurs(1), on=NotFound)),
    )


def failing_alike(member: Effect[Any, Any]) -> Effect[Any, Any]:
    """A member of a `gather` whose outcome does not depend on which of two failing members is the first.

    That is a matter of time, and statements take another time alone than merged.
    """
    return member.alt(lambda _: NotFound("alike"))


def never_failing(member: Effect[Any, Any]) -> Effect[Any, Any]:
    """A member of a `gather` that ends none early: how much its siblings had done by then is a matter of time, too."""
    return member.either()


def within(parts: st.SearchStrategy[Effect[Any, Any]]) -> st.SearchStrategy[Effect[Any, Any]]:
    return st.one_of(
        several(parts, failing_alike),
        parts.map(lambda part: part.savepoint()),
        st.builds(lambda part, last: part.ensure(last.either()), parts, parts),
        parts.map(lambda part: part.timeout(3600)),
    )


@effect
def in_turn(*parts: Effect[Any, Any]) -> Prog[list[Any], Any]:
    found: list[Any] = []
    for part in parts:
        found.append((yield from part.either()))  # noqa: PERF401
    return found


readings = st.recursive(reads, lambda parts: several(parts, failing_alike), max_leaves=10)
whole_readings = st.recursive(reads, lambda parts: several(parts, never_failing), max_leaves=10)
mixed = st.recursive(st.one_of(reads, reads, writes), within, max_leaves=10)
programs = st.one_of(
    readings,
    mixed.map(lambda part: part.transactional()),
    st.lists(st.one_of(readings, mixed.map(lambda part: part.transactional())), max_size=3).map(
        lambda parts: in_turn(*parts)
    ),
)


async def run(url: str, program: Effect[Any, Any], *, batching: bool) -> tuple[Any, Any]:
    async with Ommi.connect(url) as db:
        (await db.run(db.schema.drop(relatives).bind(lambda _: db.schema.create(relatives)))).unwrap()
        (await db.run(people())).unwrap()
        db._pump.batching = batching
        found = await answer(db, program, unkeyed=UNKEYED)
        return found, await tables(db, MODELS, unkeyed=UNKEYED)


async def counted(program: Effect[Any, Any], *, batching: bool) -> tuple[Any, int, int]:
    """The outcome of a program that has no defects, and its statements and trips."""
    async with Ommi.connect("sqlite://") as db:
        (await db.run(db.schema.create(relatives))).unwrap()
        (await db.run(people())).unwrap()
        db._pump.batching = batching
        traced = await db.run(program, trace=True)
        return comparable(traced.outcome, UNKEYED), traced.trace.statements, traced.trace.trips


@pytest.mark.soak
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("url", ["memory://", "sqlite://"])
@settings(suppress_health_check=list(HealthCheck))
@given(program=programs)
def test_batching_changes_nothing_but_the_number_of_statements(
    url: str, backend: str, program: Effect[Any, Any]
) -> None:
    async def compare() -> None:
        batched = await run(url, program, batching=True)
        alone = await run(url, program, batching=False)
        assert batched == alone

    anyio.run(compare, backend=backend)


@pytest.mark.soak
@settings(suppress_health_check=list(HealthCheck))
@given(program=whole_readings)
def test_reads_are_never_more_statements_for_being_batched(program: Effect[Any, Any]) -> None:
    async def compare() -> None:
        found, statements, trips = await counted(program, batching=True)
        expected, alone, trips_alone = await counted(program, batching=False)
        assert found == expected
        assert statements <= alone
        assert trips <= trips_alone

    anyio.run(compare)


# of those that read first, what they read ahead is read again after a write
writing = st.recursive(changes, lambda parts: st.lists(parts, min_size=1, max_size=5).map(lambda all_: gather(*all_)))


@pytest.mark.soak
@settings(suppress_health_check=list(HealthCheck))
@given(program=st.one_of(writing, writing.map(lambda part: part.either())))
def test_writes_of_a_transaction_are_as_many_statements_in_fewer_trips(program: Effect[Any, Any]) -> None:
    async def compare() -> None:
        found, statements, trips = await counted(program.transactional(), batching=True)
        expected, alone, trips_alone = await counted(program.transactional(), batching=False)
        assert found == expected
        assert statements == alone
        assert trips <= trips_alone

    anyio.run(compare)


# what may be one statement on a server, with what may fail in the middle of it
mergeable = st.one_of(
    changes,
    rows.map(lambda key: find(Person, col(Person.id) == key).update(name=col(Person.name).lower())),
    rows.map(lambda key: find(Profile, col(Profile.id) == key).update(text="y")),
    st.builds(lambda key, post: find(Reply, col(Reply.id) == key).update(post_id=post), rows, rows),
    st.builds(lambda key, post: add(Reply(key, post)), rows, rows),
    st.builds(lambda who, whom: add(Follow(who, whom)), rows, rows),
)
merging = st.recursive(mergeable, within, max_leaves=10)


@pytest.mark.soak
@settings(suppress_health_check=list(HealthCheck), max_examples=2_000 if os.environ.get("OMMI_SOAK") else 40)
@given(program=merging.map(lambda part: part.transactional()))
def test_statements_that_a_server_gets_as_one_do_what_they_do_alone(
    postgres_18: str, program: Effect[Any, Any]
) -> None:
    async def compare() -> None:
        batched = await run(postgres_18, program, batching=True)
        alone = await run(postgres_18, program, batching=False)
        assert batched == alone

    anyio.run(compare)
