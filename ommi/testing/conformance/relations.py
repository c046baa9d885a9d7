"""Relations: what belongs to a record, loaded once, in the order of its key, and prefetched level by level."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import anyio
import pytest

from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather
from ommi.effects.operations import add, delete
from ommi.effects.program import Prog, effect
from ommi.effects.related import LoadState, Related
from ommi.errors import NotFound
from ommi.models import ModelCollection
from ommi.testing.conformance.lacking import with_savepoints
from ommi.testing.conformance.related import Counted, RelatedTests
from ommi.testing.outcomes import fails, succeeds
from ommi.testing.relatives import Bench, Booking, Person, Post, Profile, Reply, Team, Topic

__all__ = ["Relations"]

ADA, BOB, CID, DOT = Person(1, "Ada", 1), Person(2, "Bob", 1, 1), Person(3, "Cid", 2, 1), Person(4, "Dot")

KINDS: list[tuple[str, Effect[Any, Any], Any]] = [
    ("to many", Team(1).members, [ADA, BOB]),
    ("to many, none", Team(3).members, []),
    ("to many along one of several references", ADA.posts, [Post(2, 1), Post(4, 1, 3)]),
    ("to many along another", CID.reviews, [Post(4, 1, 3), Post(5, 2, 3)]),
    ("to many of its own table", ADA.pupils, [BOB, CID]),
    ("to many through a link", Post(1, 2).topics, [Topic("a"), Topic("b")]),
    ("to many through a link, the other way", Topic("a").posts, [Post(1, 2), Post(2, 1)]),
    ("to many through a link said twice", ADA.follows, [BOB, CID]),
    ("to many through a link between rows of one table", ADA.followers, [BOB]),
    ("to many through a link with a missing side", CID.follows, []),
    ("to many by a key of two parts", Bench(1, 2).bookings, [Booking(1, 1, 2), Booking(3, 1, 2)]),
    ("to one", Post(1, 2).author, BOB),
    ("to one that may be missing", ADA.team, Team(1, "red")),
    ("to one that is missing", DOT.team, None),
    ("to one of its own table", CID.mentor, ADA),
    ("to one along one of several references", Post(4, 1, 3).reviewed_by, CID),
    ("to one that refers to it", ADA.profile, Profile(1, "a", 1)),
    ("to one that refers to it, none", BOB.profile, None),
    ("to one by a key of two parts", Booking(2, 2, 1).bench, Bench(2, 1)),
    ("to one by a key with a missing part", Booking(4, 1, None).bench, None),
    ("to one by a unique field", Booking(2, 2, 1, "red").team, Team(1, "red")),
]


class Relations(RelatedTests):
    """Loading, remembering, forgetting and prefetching what belongs to records."""

    @pytest.mark.parametrize("related, expected", [pytest.param(*rest, id=name) for name, *rest in KINDS])
    async def test_relation(self, counted: Counted, related: Effect[Any, Any], expected: Any) -> None:
        assert await succeeds(counted.db, related) == expected

    @pytest.mark.parametrize("related, expected", [pytest.param(*rest, id=name) for name, *rest in KINDS])
    async def test_relation_in_a_transaction(self, counted: Counted, related: Effect[Any, Any], expected: Any) -> None:
        assert await succeeds(counted.db, related.transactional()) == expected

    async def test_what_an_unchecked_reference_names_is_not_found(self, counted: Counted) -> None:
        error = await fails(counted.db, Reply(3, 77).post, NotFound)
        assert error.model is Post
        assert error.operation == "Reply(…).post"

    async def test_what_is_missing_needs_no_statement(self, counted: Counted) -> None:
        assert await counted.of(gather(DOT.team, Person(5, mentor_id=None).mentor)) == ((None, None), 0)

    # -- memory
    async def test_what_was_loaded_is_not_loaded_again(self, counted: Counted) -> None:
        team = Team(1)
        assert _state(team.members) is LoadState.NOT_LOADED
        assert team.members.cached is None
        assert await counted.of(team.members) == ([ADA, BOB], 1)
        assert await counted.of(team.members) == ([ADA, BOB], 0)
        assert _state(team.members) is LoadState.LOADED
        assert team.members.cached == [ADA, BOB]

    async def test_a_list_that_was_given_is_the_callers_own(self, counted: Counted) -> None:
        team = Team(1)
        (await succeeds(counted.db, team.members)).clear()
        assert await succeeds(counted.db, team.members) == [ADA, BOB]

    async def test_refresh_loads_anew(self, counted: Counted) -> None:
        team = Team(1)
        await succeeds(counted.db, team.members)
        await succeeds(counted.db, add(Person(9, "Eve", 1)))
        assert (await counted.of(team.members))[1] == 0
        assert await counted.of(team.members.refresh()) == ([ADA, BOB, Person(9, "Eve", 1)], 1)
        assert await counted.of(team.members) == ([ADA, BOB, Person(9, "Eve", 1)], 0)

    async def test_a_new_key_is_loaded_for_itself(self, counted: Counted) -> None:
        person = Person(1, "Ada", 1)
        assert await succeeds(counted.db, person.team) == Team(1, "red")
        person.team_id = 2
        assert _state(person.team) is LoadState.NOT_LOADED
        assert await counted.of(person.team) == (Team(2, "blue"), 1)

    async def test_a_failed_load_is_an_error_until_the_next(self, counted: Counted) -> None:
        await succeeds(counted.db, counted.db.schema.drop(_only_replies()))
        post = Post(1, 2)
        await counted.db.run(post.replies)
        assert _state(post.replies) is LoadState.ERROR
        await succeeds(counted.db, counted.db.schema.create(_only_replies()))
        assert await succeeds(counted.db, post.replies) == []
        assert _state(post.replies) is LoadState.LOADED

    async def test_runs_at_once_load_once(self, counted: Counted) -> None:
        team = Team(1)
        found: list[Any] = []

        async def run() -> None:
            found.append(await succeeds(counted.db, team.members))

        before = counted.statements
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(run)
        assert found == [[ADA, BOB]] * 5
        assert counted.statements - before == 1

    async def test_records_of_another_database_are_not_remembered_for_this_one(self, counted: Counted) -> None:
        team = Team(1)
        other = Counted(counted.db.driver)
        await succeeds(counted.db, team.members)
        async with other.db:
            assert await other.of(team.members) == ([ADA, BOB], 1)

    # -- bound records
    async def test_a_record_that_a_bound_query_loaded_can_be_awaited(self, counted: Counted) -> None:
        team = await counted.db.find(Team, Team.id == 1).one().value
        assert (await team.members).unwrap() == [ADA, BOB]
        assert await team.members.value == [ADA, BOB]
        (ada, _) = await team.members.value_or([])
        assert await ada.team.value == Team(1, "red")

    async def test_a_record_that_was_not_loaded_says_how_to_run_it(self, counted: Counted) -> None:
        with pytest.raises(TypeError, match=r"await db.run\(team.members\)"):
            await Team(1).members

    async def test_a_record_of_a_block_can_be_awaited_in_it_and_after_it(self, counted: Counted) -> None:
        async with counted.db.transaction() as tx:
            team = (await tx.add(Team(7))).unwrap()
            await tx.add(Person(7, "Zoe", 7))
            assert await team.members.value == [Person(7, "Zoe", 7)]
            assert team.members.cached == [Person(7, "Zoe", 7)]
        assert await team.members.refresh().value == [Person(7, "Zoe", 7)]

    # -- transactions
    async def test_a_load_sees_its_transaction(self, counted: Counted) -> None:
        team = Team(1)
        program = add(Person(9, "Eve", 1)).bind(lambda _: team.members).transactional()
        assert await succeeds(counted.db, program) == [ADA, BOB, Person(9, "Eve", 1)]
        assert await counted.of(team.members) == ([ADA, BOB, Person(9, "Eve", 1)], 0)

    async def test_in_a_transaction_it_is_loaded_once(self, counted: Counted) -> None:
        team = Team(1)
        _, statements = await counted.of(team.members.bind(lambda _: team.members).transactional())
        assert statements == 1

    async def test_what_was_rolled_back_is_not_remembered(self, counted: Counted) -> None:
        team = Team(1)
        program = add(Person(9, "Eve", 1)).bind(lambda _: team.members).bind(lambda _: Effect.from_failure("no"))
        await counted.db.run(program.transactional())
        assert _state(team.members) is LoadState.NOT_LOADED
        assert await counted.of(team.members) == ([ADA, BOB], 1)

    async def test_what_was_known_before_a_rollback_is_known_after_it(self, counted: Counted) -> None:
        team = Team(1)
        await succeeds(counted.db, team.members)
        program = delete(BOB).bind(lambda _: team.members.refresh()).bind(lambda _: Effect.from_failure("no"))
        await counted.db.run(program.transactional())
        assert await counted.of(team.members) == ([ADA, BOB], 0)

    @with_savepoints
    async def test_what_a_savepoint_undid_is_not_remembered(self, counted: Counted) -> None:
        team = Team(1)

        @effect
        def program() -> Prog[list[Person], Any]:
            part = add(Person(9, "Eve", 1)).bind(lambda _: team.members).bind(lambda _: Effect.from_failure("no"))
            yield from part.savepoint().either()
            return (yield from team.members)

        assert await succeeds(counted.db, program().transactional()) == [ADA, BOB]
        assert await counted.of(team.members) == ([ADA, BOB], 0)

    @with_savepoints
    async def test_a_point_of_a_block_that_was_rolled_back_to(self, counted: Counted) -> None:
        team = Team(1)
        async with counted.db.transaction() as tx:
            await tx.savepoint("before")
            await tx.add(Person(9, "Eve", 1))
            await tx.run(team.members)
            await tx.rollback_to_savepoint("before")
            assert (await tx.run(team.members)).unwrap() == [ADA, BOB]

    # -- prefetch
    async def test_prefetch_takes_one_statement_for_each_relation(self, counted: Counted) -> None:
        query = find(Team).order_by(Team.id).prefetch(Team.members, Person.posts, Post.topics, Post.author)
        teams, statements = await counted.of(query.all())
        assert statements == 5
        assert teams == [Team(1, "red"), Team(2, "blue"), Team(3, "none")]
        before = counted.statements
        posts = [post for team in teams for person in team.members.cached for post in person.posts.cached]
        assert [post.id for post in posts] == [2, 4, 1, 3, 5]
        assert [[topic.name for topic in post.topics.cached] for post in posts] == [["a"], [], ["a", "b"], [], ["c"]]
        assert [await succeeds(counted.db, post.author) for post in posts] == [ADA, ADA, BOB, BOB, BOB]
        assert teams[2].members.cached == []
        assert counted.statements == before

    @pytest.mark.parametrize("transactional", [False, True])
    async def test_prefetch_gives_what_loading_gives(self, counted: Counted, transactional: bool) -> None:
        relations = (
            *(Person.team, Person.mentor, Person.pupils, Person.posts, Person.reviews),
            *(Person.profile, Person.follows, Person.followers),
        )
        query = find(Person).order_by(Person.id)
        prefetching = query.prefetch(*relations).all()
        fetched, statements = await counted.of(prefetching.transactional() if transactional else prefetching)
        assert statements == 1 + len(relations)
        for person, plain in zip(fetched, await succeeds(counted.db, query.all()), strict=True):
            for relation in relations:
                one, other = getattr(person, relation.name), getattr(plain, relation.name)
                assert await succeeds(counted.db, one) == await succeeds(counted.db, other)

    async def test_prefetch_of_keys_of_two_parts(self, counted: Counted) -> None:
        benches, statements = await counted.of(find(Bench).prefetch(Bench.bookings).all())
        assert statements == 2
        booked = {(bench.row, bench.number): [booking.id for booking in bench.bookings.cached] for bench in benches}
        assert booked == {(1, 1): [], (1, 2): [1, 3], (2, 1): [2], (2, 2): []}

    async def test_prefetch_along_a_circle(self, counted: Counted) -> None:
        query = find(Person, Person.id == 1).prefetch(Person.pupils, Person.pupils, Person.mentor)
        ada, statements = await counted.of(query.one())
        assert statements == 4
        assert [person.pupils.cached for person in ada.pupils.cached] == [[], []]
        assert [person.mentor.cached for person in ada.pupils.cached] == [ADA, ADA]

    async def test_prefetch_of_nothing_asks_for_nothing(self, counted: Counted) -> None:
        assert await counted.of(find(Team, Team.id == 9).prefetch(Team.members).all()) == ([], 1)
        assert await counted.of(find(Team, Team.id == 9).prefetch(Team.members).first()) == (None, 1)

    async def test_prefetch_of_a_stream_takes_one_statement_for_each_relation_and_chunk(self, counted: Counted) -> None:
        query = find(Person).order_by(Person.id).prefetch(Person.posts, Post.topics)
        expected = await succeeds(counted.db, query.all())
        loaded = [(person.id, person.posts.cached) for person in expected]
        for stream in (query.stream(chunk=2).to_list(), query.stream(chunk=2).to_list().transactional()):
            found, statements = await counted.of(stream)
            assert [(person.id, person.posts.cached) for person in found] == loaded
            assert [len(post.topics.cached or []) for person in found for post in person.posts.cached or []] == [
                len(post.topics.cached or []) for person in expected for post in person.posts.cached or []
            ]
            assert statements <= 2 * (len(expected) + 1) // 2

    async def test_relations_of_records_of_an_open_stream_can_be_awaited(self, counted: Counted) -> None:
        async with counted.db.open(find(Team).order_by(Team.id).stream(chunk=2)) as teams:
            assert await (await anext(teams)).members.value == [ADA, BOB]
        async with counted.db.transaction() as tx, tx.open(find(Team).order_by(Team.id).stream(chunk=2)) as teams:
            assert await (await anext(teams)).members.value == [ADA, BOB]

    async def test_prefetch_of_a_bound_query(self, counted: Counted) -> None:
        team = await counted.db.find(Team, Team.id == 1).prefetch(Team.members, Person.posts).one().value
        before = counted.statements
        (ada, _) = await team.members.value
        assert await ada.posts.value == [Post(2, 1), Post(4, 1, 3)]
        assert counted.statements == before

    # -- the record stays what it is
    async def test_a_loaded_record_compares_prints_copies_and_pickles_as_before(self, counted: Counted) -> None:
        team = await counted.db.find(Team, Team.id == 1).prefetch(Team.members).one().value
        assert team == Team(1, "red")
        assert repr(team) == repr(Team(1, "red"))
        assert vars(team) == vars(Team(1, "red"))
        for other in (copy.copy(team), copy.deepcopy(team), pickle.loads(pickle.dumps(team))):  # noqa: S301
            assert other == team
            assert _state(other.members) is LoadState.NOT_LOADED


def _state(related: Related[Any, Any]) -> LoadState:
    return related.state


def _only_replies() -> ModelCollection:
    return ModelCollection(Reply)
