"""Rows of several tables side by side: by references and conditions, inner and outer, in groups, as subqueries."""

from __future__ import annotations

from typing import Any, NamedTuple

from typing_extensions import TypeVar

from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.operations import add
from ommi.effects.subqueries import exists_
from ommi.errors import MultipleFound, NotFound
from ommi.models.aliases import alias
from ommi.query.aggregates import count, max_
from ommi.query.expressions import all_of, col, not_
from ommi.query.optional import optional
from ommi.testing.conformance.lacking import with_joins
from ommi.testing.conformance.related import Counted, RelatedTests
from ommi.testing.outcomes import fails, succeeds
from ommi.testing.relatives import Bench, Booking, Follow, Person, Post, PostTag, Profile, Reply, Team, Topic

__all__ = ["Joins"]

T = TypeVar("T")

RED, BLUE = Team(1, "red"), Team(2, "blue")
ADA, BOB, CID, DOT = Person(1, "Ada", 1), Person(2, "Bob", 1, 1), Person(3, "Cid", 2, 1), Person(4, "Dot")
person, team, post, reply = col(Person.id), col(Team.id), col(Post.id), col(Reply.id)
name, code, mentor_id = col(Person.name), col(Team.code), col(Person.mentor_id)


async def given(counted: Counted, effect: Effect[T, Any]) -> T:
    """What an effect gives."""
    return await succeeds(counted.db, effect)


class Author(NamedTuple):
    """A record, a value, and one that may be missing."""

    person: Person
    posts: int
    team: str | None


class Joins(RelatedTests):
    """`join`, `left_join`, what is asked of their rows, and `exists_`."""

    @with_joins
    async def test_a_join_gives_pairs_along_the_reference(self, counted: Counted) -> None:
        pairs = find(Person).join(Team).order_by(person)
        assert await counted.of(pairs.all()) == ([(ADA, RED), (BOB, RED), (CID, BLUE)], 1)
        assert await counted.of(find(Team).join(Person).order_by(person.desc).all()) == (
            [(BLUE, CID), (RED, BOB), (RED, ADA)],
            1,
        )
        assert await counted.of(pairs.count()) == (3, 1)
        assert await counted.of(pairs.where(name == "Dot").exists()) == (False, 1)

    @with_joins
    async def test_an_outer_join_has_none_where_nothing_belongs(self, counted: Counted) -> None:
        pairs = find(Person).left_join(Team).order_by(person)
        assert await given(counted, pairs.all()) == [(ADA, RED), (BOB, RED), (CID, BLUE), (DOT, None)]
        assert await given(counted, find(Team).left_join(Person).where(team == 3).all()) == [(Team(3, "none"), None)]
        assert await given(counted, pairs.count()) == 4

    @with_joins
    async def test_a_join_is_streamed(self, counted: Counted) -> None:
        pairs = find(Person).left_join(Team).order_by(person)
        assert await given(counted, pairs.stream(chunk=2).to_list()) == await given(counted, pairs.all())
        codes = find(Person).join(Team).order_by(person).select(name, code)
        assert await given(counted, codes.stream(chunk=3).to_list()) == await given(counted, codes.all())
        async with counted.db.find(Person).join(Team).order_by(person).stream(chunk=1).open() as rows:
            assert await anext(rows) == (ADA, RED)

    @with_joins
    async def test_one_and_first_of_a_join(self, counted: Counted) -> None:
        pairs = find(Person).join(Team)
        assert await given(counted, pairs.where(code == "blue").one()) == (CID, BLUE)
        assert await given(counted, pairs.order_by(code.desc).first()) == (BOB, RED)
        assert await given(counted, pairs.where(name == "Dot").first()) is None
        await fails(counted.db, pairs.where(name == "Dot").one(), NotFound)
        await fails(counted.db, pairs.one(), MultipleFound)

    @with_joins
    async def test_joins_along_relations(self, counted: Counted) -> None:
        written = find(Person).join(Person.posts).order_by(post).select(name, post)
        assert await given(counted, written.all()) == [("Bob", 1), ("Ada", 2), ("Bob", 3), ("Ada", 4), ("Bob", 5)]
        reviewed = find(Person).join(Post, on=Person.reviews).order_by(post).select(name, post)
        assert await given(counted, reviewed.all()) == [("Cid", 4), ("Cid", 5)]
        backwards = find(Post).join(Person, on=Person.reviews).order_by(post).select(name, post)
        assert await given(counted, backwards.all()) == [("Cid", 4), ("Cid", 5)]
        assert await given(counted, find(Person).join(Person.profile).count()) == 2

    @with_joins
    async def test_a_join_by_a_key_of_two_parts_and_a_missing_part_joins_nothing(self, counted: Counted) -> None:
        query = find(Booking).left_join(Bench).order_by(col(Booking.id))
        found = await given(counted, query.select(lambda b, n: (b.id, optional(n.row), optional(n.number))).all())
        assert found == [(1, 1, 2), (2, 2, 1), (3, 1, 2), (4, None, None), (5, None, None)]

    @with_joins
    async def test_missing_values_join_nothing(self, counted: Counted) -> None:
        other = alias(Person, "other")
        same = find(Person).join(other, on=lambda p, o: p.team_id == o.team_id)
        assert await given(counted, same.order_by(person, col(other.id)).select(person, col(other.id)).all()) == [
            (1, 1),
            (1, 2),
            (2, 1),
            (2, 2),
            (3, 3),
        ]
        unlike = find(Person).join(other, on=lambda p, o: (col(p.team_id) != col(o.team_id)) & (p.id < o.id))
        assert await given(counted, unlike.order_by(person).select(person, col(other.id)).all()) == [
            (1, 3),
            (2, 3),
        ]
        complement = find(Person).join(other, on=lambda p, o: not_(p.team_id == o.team_id) & (p.id == 4))
        assert await given(counted, complement.count()) == 4

    @with_joins
    async def test_joins_by_a_condition(self, counted: Counted) -> None:
        query = find(Team).left_join(Person, on=lambda t, p: (p.team_id == t.id) & (p.name != "Ada"))
        found = await given(counted, query.order_by(team).select(lambda t, p: (t.code, optional(p.name))).all())
        assert found == [("red", "Bob"), ("blue", "Cid"), ("none", None)]
        assert await given(counted, find(Team).join(Topic, on=all_of()).count()) == 9
        assert await given(counted, find(Team).join(Topic, on=lambda t, o: col(t.code) > col(o.name)).count()) == 8

    @with_joins
    async def test_a_model_joined_with_itself(self, counted: Counted) -> None:
        mentor, first = alias(Person, "mentor"), alias(Person, "first")
        pairs = find(Person).join(mentor, on=Person.mentor).order_by(person)
        assert await given(counted, pairs.all()) == [(BOB, ADA), (CID, ADA)]
        assert await succeeds(
            counted.db, pairs.where(col(mentor.name) == "Ada").select(name, col(mentor.name)).all()
        ) == [
            ("Bob", "Ada"),
            ("Cid", "Ada"),
        ]
        chain = pairs.left_join(first, on=lambda p, m, f: m.mentor_id == f.id)
        assert await given(counted, chain.all()) == [(BOB, ADA, None), (CID, ADA, None)]
        assert await given(counted, find(mentor).where(lambda m: m.name == "Dot").one()) == DOT

    @with_joins
    async def test_several_joins(self, counted: Counted) -> None:
        query = find(Topic).join(PostTag).join(Post).join(Person, on=Post.author).left_join(Profile)
        rows = query.order_by(lambda o, link, p, who, profile: (o.name, p.id))
        found = await succeeds(
            counted.db, rows.select(lambda o, link, p, who, x: (o.name, p.id, who.name, optional(x.text))).all()
        )
        assert found == [("a", 1, "Bob", None), ("a", 2, "Ada", "a"), ("b", 1, "Bob", None), ("c", 5, "Bob", None)]
        whole = await given(counted, rows.where(lambda o, link, p, who, x: o.name == "c").one())
        assert whole == (Topic("c"), PostTag(5, "c"), Post(5, 2, 3), BOB, None)

    @with_joins
    async def test_conditions_and_order_know_that_rows_may_be_missing(self, counted: Counted) -> None:
        query = find(Person).left_join(Team)
        for condition, expected in [
            (code != "red", [3, 4]),
            (~(code == "red"), [3, 4]),
            (~(code > "c"), [3, 4]),
            (optional(code).is_null(), [4]),
            (code.not_in(["blue"]), [1, 2, 4]),
            (~code.contains("e"), [4]),
            (code.length() != 3, [3, 4]),
            (col(Person.team_id) == team, [1, 2, 3, 4]),
        ]:
            found = await given(counted, query.where(condition).order_by(person).select(person).all())
            assert [key for (key,) in found] == expected, repr(condition)
        orders: list[tuple[Any, list[int]]] = [
            (code, [4, 3, 1, 2]),
            (code.desc, [1, 2, 3, 4]),
            (code.asc.nulls_last(), [3, 1, 2, 4]),
            (code.desc.nulls_first(), [4, 1, 2, 3]),
        ]
        for order, expected in orders:
            found = await given(counted, query.order_by(order, person).select(person).all())
            assert [key for (key,) in found] == expected, repr(order)

    @with_joins
    async def test_a_limit_is_of_rows_in_a_total_order(self, counted: Counted) -> None:
        query = find(Person).left_join(Post, on=Person.posts)
        pages = [
            await given(counted, query.limit(3).offset(at).select(person, optional(post)).all()) for at in (0, 3, 6)
        ]
        assert pages == [[(1, 2), (1, 4), (2, 1)], [(2, 3), (2, 5), (3, None)], [(4, None)]]
        backwards = query.order_by(name.desc).limit(3).select(person, optional(post))
        assert await given(counted, backwards.all()) == [(4, None), (3, None), (2, 5)]
        assert await given(counted, query.limit(3).count()) == 3
        assert await given(counted, query.offset(9).exists()) is False

    @with_joins
    async def test_groups_of_joined_rows(self, counted: Counted) -> None:
        query = find(Person).left_join(Post, on=Person.posts).group_by(lambda p, q: p.id).order_by(person)
        found = await given(counted, query.select(lambda p, q: (p.name, count(q), max_(q.id))).all())
        assert found == [("Ada", 2, 4), ("Bob", 3, 5), ("Cid", 0, None), ("Dot", 0, None)]
        busy = query.having(lambda p, q: col(count(q)) > 0).select(lambda p, q: (p, count(q), count(p)))
        assert await given(counted, busy.all()) == [(ADA, 2, 2), (BOB, 3, 3)]
        by_team = (
            find(Person).left_join(Team).group_by(code).order_by(code).select(optional(code), count(), count(team))
        )
        assert await given(counted, by_team.all()) == [(None, 1, 0), ("blue", 1, 1), ("red", 2, 2)]
        everything = find(Person).join(Team).select(count(), person.sum_(), code.count(distinct=True))
        assert await given(counted, everything.one()) == (3, 6, 2)

    @with_joins
    async def test_joined_rows_are_read_into_classes(self, counted: Counted) -> None:
        query = find(Person).left_join(Team).left_join(Post, on=Person.posts).group_by(lambda p, t, q: (p.id, t.code))
        rows = query.order_by(person).select(lambda p, t, q: {"person": p, "posts": count(q), "team": optional(t.code)})
        assert await given(counted, rows.into(Author).all()) == [
            Author(ADA, 2, "red"),
            Author(BOB, 3, "red"),
            Author(CID, 0, "blue"),
            Author(DOT, 0, None),
        ]

    @with_joins
    async def test_different_rows_of_a_join(self, counted: Counted) -> None:
        query = find(Person).join(Post, on=Person.posts).select(name).distinct()
        assert sorted(await given(counted, query.all())) == [("Ada",), ("Bob",)]
        assert await given(counted, query.count()) == 2

    @with_joins
    async def test_a_join_as_a_subquery(self, counted: Counted) -> None:
        of_red = (
            find(Post).join(Person, on=Post.author).join(Team).where(lambda p, who, t: t.code == "red").select(post)
        )
        assert await given(counted, find(Post, post.in_(of_red)).count()) == 5
        assert await given(counted, find(Post, post.not_in(of_red)).count()) == 0
        last = find(Post).join(Person, on=Post.author).order_by(name.desc, post.desc).limit(2).select(post)
        assert await given(counted, find(Post, post.in_(last)).order_by(post).select(post).all()) == [(3,), (5,)]

    @with_joins
    async def test_exists(self, counted: Counted) -> None:
        people: Any = find(Person).order_by(person).select(person)
        other: Any = alias(Person, "other")
        for condition, expected in [
            (exists_(Person.posts), [1, 2]),
            (~exists_(Person.posts), [3, 4]),
            (exists_(Person.posts, lambda q: q.id == 4), [1]),
            (exists_(Post, lambda q: q.reviewer == person), [3]),
            (~exists_(find(Post, post > 4), lambda q: q.writer == person), [1, 3, 4]),
            (exists_(Person.team, Team.code == "red"), [1, 2]),
            (exists_(find(Post).join(PostTag), lambda q, link: (q.writer == person) & (link.topic == "c")), [2]),
            (exists_(other, lambda o: o.mentor_id == person), [1]),
            (exists_(Follow, lambda f: (f.who == person) & exists_(Profile, lambda x: x.person_id == f.whom)), [1, 2]),
            (exists_(find(Post, post > 77)), []),
            (exists_(Post), [1, 2, 3, 4]),
            (exists_(Person.posts) & (name != "Bob"), [1]),
        ]:
            found = await given(counted, find(Person).where(condition).order_by(person).select(person).all())
            assert [key for (key,) in found] == expected, repr(condition)
            others = await given(counted, find(Person).where(not_(condition)).count())
            assert others + len(expected) == 4, repr(condition)
        assert await given(counted, people.all()) == [(1,), (2,), (3,), (4,)]

    @with_joins
    async def test_exists_through_a_link_and_of_joined_rows(self, counted: Counted) -> None:
        tagged = find(Post).where(exists_(Post.topics, lambda o: o.name == "a")).order_by(post).select(post)
        assert await given(counted, tagged.all()) == [(1,), (2,)]
        query = (
            find(Person)
            .left_join(Team)
            .where(lambda p, t: exists_(Post, lambda q: q.writer == p.id) & (t.code == "red"))
        )
        assert await given(counted, query.order_by(person).select(person).all()) == [(1,), (2,)]

    @with_joins
    async def test_exists_in_updates_and_deletes(self, counted: Counted) -> None:
        answered = exists_(Post, lambda q: q.id == Reply.post_id)
        assert await given(counted, find(Reply).where(answered).update(post_id=5)) == 2
        assert await given(counted, find(Reply).where(~answered).delete()) == 1
        assert await given(counted, find(Reply).order_by(reply).all()) == [Reply(1, 5), Reply(2, 5)]

    @with_joins
    async def test_a_join_sees_the_transaction_it_is_in(self, counted: Counted) -> None:
        program = add(Person(5, "Eve", 3)).bind(lambda _: find(Person).join(Team).where(person == 5).one())
        assert await given(counted, program.transactional()) == (Person(5, "Eve", 3), Team(3, "none"))

    @with_joins
    async def test_relations_of_joined_records_can_be_awaited(self, counted: Counted) -> None:
        pairs = await counted.db.find(Person).left_join(Team).order_by(person).all().value
        assert len(await pairs[0][0].posts.value) == 2
        assert pairs[1][1] is not None
        assert len(await pairs[1][1].members.value) == 2
        one = await counted.db.find(Person).join(Team).where(person == 3).one().value
        assert await one[1].members.value == [CID]
