"""Batching: reads that are ready at the same turn are one statement, and each gets what it would have got alone."""

from __future__ import annotations

from typing import Any

import pytest

from ommi.effects.effect import Effect
from ommi.effects.finding import find
from ommi.effects.many import gather, race, traverse, validate
from ommi.effects.operations import add
from ommi.effects.program import Prog, effect
from ommi.effects.schedule import Schedule
from ommi.errors import EncodeError, MultipleFound, NotFound, OmmiError
from ommi.models import ModelCollection
from ommi.query.expressions import col
from ommi.testing.conformance.related import Counted, RelatedTests
from ommi.testing.outcomes import fails, succeeds
from ommi.testing.relatives import Bench, Person, Post, Profile, Team, Topic

__all__ = ["Batching"]

MANY = 300


def person(key: int) -> Effect[Person, Any]:
    return find(Person, col(Person.id) == key).one()


def scoped(program: Effect[Any, Any], transactional: bool) -> Effect[Any, Any]:
    return program.transactional() if transactional else program


@effect
def slowly(key: int) -> Prog[str, Any]:
    found = yield from person(key)
    return found.name


class Batching(RelatedTests):
    """Statements are counted: most programs run outside a transaction and in one."""

    @pytest.fixture(params=[False, True], ids=["outside a transaction", "in a transaction"])
    def transactional(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    async def test_relations_of_many_records_are_one_statement(self, counted: Counted, transactional: bool) -> None:
        teams = [Team(1), Team(2), Team(3)]
        found, statements = await counted.of(scoped(traverse(teams, lambda team: team.members), transactional))
        assert [[one.id for one in members] for members in found] == [[1, 2], [3], []]
        assert statements == 1

    async def test_nested_relations_are_one_statement_a_level(self, counted: Counted, transactional: bool) -> None:
        def posts(one: Person) -> Effect[Any, Any]:
            return one.posts.bind(lambda found: traverse(found, lambda post: post.topics))

        program = traverse([Team(1), Team(2)], lambda team: team.members.bind(lambda members: traverse(members, posts)))
        found, statements = await counted.of(scoped(program, transactional))
        assert statements == 3
        a, b, c = Topic("a"), Topic("b"), Topic("c")
        assert found == [[[[a], []], [[a, b], [], [c]]], [[]]]

    async def test_programs_that_gather_are_merged(self, counted: Counted, transactional: bool) -> None:
        @effect
        def program() -> Prog[list[str], Any]:
            names = yield from gather(*(slowly(key) for key in (1, 2, 3)))
            more = yield from gather(*(slowly(key) for key in (4, 1)))
            return [*names, *more]

        assert await counted.of(scoped(program(), transactional)) == (["Ada", "Bob", "Cid", "Dot", "Ada"], 2)

    async def test_many_keys_are_few_statements(self, counted: Counted, transactional: bool) -> None:
        program = traverse(range(1, MANY + 1), lambda key: person(key).either())
        found, statements = await counted.of(scoped(program, transactional))
        assert statements == 1
        assert [outcome._inner_value.id for outcome in found[:4]] == [1, 2, 3, 4]
        assert all(isinstance(outcome._inner_value, NotFound) for outcome in found[4:])

    async def test_a_key_that_is_asked_for_twice(self, counted: Counted, transactional: bool) -> None:
        (one, other, third), statements = await counted.of(
            scoped(gather(person(1), person(2), person(1)), transactional)
        )
        assert statements == 1
        assert one == third == Person(1, "Ada", 1)
        assert one is not third
        assert other.id == 2

    async def test_a_key_that_is_not_there_fails_its_member_only(self, counted: Counted, transactional: bool) -> None:
        found, statements = await counted.of(
            scoped(gather(person(1).either(), person(9).either(), person(2).either()), transactional)
        )
        assert statements == 1
        assert [outcome._inner_value for outcome in (found[0], found[2])] == [
            Person(1, "Ada", 1),
            Person(2, "Bob", 1, 1),
        ]
        assert isinstance(found[1].failure(), NotFound)

    async def test_all_first_and_one_of_the_same_keys(self, counted: Counted, transactional: bool) -> None:
        query = find(Person, col(Person.id) == 1)
        none = find(Person, col(Person.id) == 9)
        program = gather(query.all(), query.first(), query.one(), none.all(), none.first())
        ada = Person(1, "Ada", 1)
        assert await counted.of(scoped(program, transactional)) == (([ada], ada, ada, [], None), 1)

    async def test_keys_of_two_parts(self, counted: Counted, transactional: bool) -> None:
        wanted = [(1, 2), (2, 1), (1, 1), (7, 7), (1, 2)]
        program = traverse(
            wanted, lambda key: find(Bench, col(Bench.number) == key[1], col(Bench.row) == key[0]).first()
        )
        assert await counted.of(scoped(program, transactional)) == (
            [Bench(1, 2), Bench(2, 1), Bench(1, 1), None, Bench(1, 2)],
            1,
        )

    async def test_unique_fields_and_references(self, counted: Counted, transactional: bool) -> None:
        by_code = traverse(("red", "blue", "zz"), lambda code: find(Team, col(Team.code) == code).first())
        assert (await counted.of(scoped(by_code, transactional)))[1] == 1
        posts = traverse((1, 2, 3), lambda key: find(Post, col(Post.writer) == key).order_by(col(Post.id).desc).all())
        found, statements = await counted.of(scoped(posts, transactional))
        assert statements == 1
        assert [[post.id for post in each] for each in found] == [[4, 2], [5, 3, 1], []]

    async def test_more_than_one_row(self, counted: Counted, transactional: bool) -> None:
        program = traverse((1, 3), lambda key: find(Post, col(Post.writer) == key).one().either())
        found, _ = await counted.of(scoped(program, transactional))
        assert [type(outcome.failure()) for outcome in found] == [MultipleFound, NotFound]

    async def test_different_questions_are_different_statements(self, counted: Counted, transactional: bool) -> None:
        by_key = [find(Person, col(Person.id) == key) for key in (1, 2)]
        program = gather(
            *(query.one() for query in by_key),
            *(query.count() for query in by_key),
            *(query.offset(0).limit(1).all() for query in by_key),
            *(find(Team, col(Team.id) == key).one() for key in (1, 2)),
            *(find(Person, col(Person.name) == name).all() for name in ("Ada", "Bob")),
        )
        found, statements = await counted.of(scoped(program, transactional))
        assert statements == 1 + 2 + 2 + 1 + 2
        ada, bob = Person(1, "Ada", 1), Person(2, "Bob", 1, 1)
        assert found == (ada, bob, 1, 1, [ada], [bob], Team(1, "red"), Team(2, "blue"), [ada], [bob])

    async def test_a_gather_of_nothing_makes_no_statement(self, counted: Counted, transactional: bool) -> None:
        assert await counted.of(scoped(traverse([], person), transactional)) == ([], 0)

    async def test_a_value_that_cannot_be_a_key_fails_its_member_only(
        self, counted: Counted, transactional: bool
    ) -> None:
        program = gather(*(person(key).either() for key in (1, 2**70, 2)))
        found, statements = await counted.of(scoped(program, transactional))
        assert statements <= 2  # the one that fails is refused by the driver
        assert [type(outcome._inner_value) for outcome in found] == [Person, EncodeError, Person]

    async def test_a_failure_of_one_is_the_answer_of_all(self, counted: Counted, transactional: bool) -> None:
        error = await fails(counted.db, scoped(gather(person(1), person(9), person(8)), transactional), NotFound)
        assert error.model is Person
        errors = await counted.db.run(scoped(validate(person(9), person(1), person(8)), transactional))
        assert [type(each) for each in errors.failure()] == [NotFound, NotFound]

    async def test_each_member_of_a_statement_that_failed_has_an_error_of_its_own(
        self, counted: Counted, transactional: bool
    ) -> None:
        await succeeds(counted.db, find(Profile).everything().delete())
        await succeeds(counted.db, counted.db.schema.drop(_profiles()))
        program = traverse((1, 2), lambda key: find(Profile, col(Profile.id) == key).one().either())
        outcome = await counted.db.run(scoped(program, transactional))
        await succeeds(counted.db, counted.db.schema.create(_profiles()))
        if isinstance(outcome._inner_value, OmmiError):  # the failed read spoiled the transaction
            assert transactional
            return
        one, other = (each.failure() for each in outcome.unwrap())
        assert isinstance(one, OmmiError)
        assert one == other
        assert one is not other
        assert one.origin == other.origin
        assert one.operation == "find(Profile) … .one()"

    async def test_members_in_a_retry_and_a_timeout(self, counted: Counted, transactional: bool) -> None:
        program = traverse((1, 2, 3), lambda key: person(key).retry(Schedule.recurs(2), on=NotFound).timeout(60))
        found, statements = await counted.of(scoped(program, transactional))
        assert [each.id for each in found] == [1, 2, 3]
        assert statements == (3 if transactional else 1)  # in a transaction, what may do more than read has its turn

    async def test_writes_are_not_merged_and_keep_their_order(self, counted: Counted, transactional: bool) -> None:
        @effect
        def renamed(key: int) -> Prog[list[str], Any]:
            found = yield from person(1)
            yield from find(Person, col(Person.id) == 1).update(name=found.name + str(key))
            return [found.name]

        program = traverse((1, 2, 3), renamed)
        found = await succeeds(counted.db, scoped(program, transactional))
        if transactional:  # in turn, each sees what the one before it wrote
            assert found == [["Ada"], ["Ada1"], ["Ada12"]]
        assert (await succeeds(counted.db, person(1))).name.startswith("Ada")

    async def test_transactions_at_once_are_not_merged(self, counted: Counted, transactional: bool) -> None:
        joined = transactional and not counted.db.driver.capabilities.savepoints
        program = traverse((1, 2), lambda key: person(key).transactional(flatten=joined))
        found, statements = await counted.of(scoped(program, transactional))
        assert [each.id for each in found] == [1, 2]
        assert statements == 2

    # -- what is read ahead in a transaction counts only where nothing was written meanwhile
    async def test_what_an_earlier_effect_writes_a_later_one_reads(self, counted: Counted) -> None:
        program = gather(
            person(1).bind(lambda _: add(Team(9))),
            find(Team, col(Team.id) == 9).first(),
            find(Team).count(),
        )
        _, found, count = await succeeds(counted.db, program.transactional())
        assert (found, count) == (Team(9), 4)

    async def test_after_a_failure_nothing_later_is_written(self, counted: Counted) -> None:
        program = gather(
            person(1),
            person(9),
            person(2).bind(lambda _: add(Team(9))),
        )
        recovered = program.either().bind(lambda _: find(Team).count())
        assert await succeeds(counted.db, recovered.transactional()) == 3

    async def test_the_first_failure_in_turn_is_the_answer(self, counted: Counted) -> None:
        program = gather(
            person(1).bind(lambda _: person(2)).bind(lambda _: Effect.from_failure("first")),
            Effect.from_failure("second"),
        )
        assert (await counted.db.run(program.transactional())).failure() == "first"

    async def test_finalizers_of_what_was_not_begun_do_not_run(self, counted: Counted) -> None:
        ran: list[int] = []

        def watched(key: int) -> Effect[Any, Any]:
            return person(key).ensure(Effect.from_value(key).map(ran.append))

        await counted.db.run(gather(watched(1), watched(9), watched(2)).transactional())
        assert ran == [1, 9]

    async def test_reads_go_on_being_merged_after_a_write(self, counted: Counted) -> None:
        program = add(Team(9)).bind(lambda _: traverse((1, 2, 3), person)).transactional()
        assert (await counted.of(program))[1] == 2

    async def test_a_limit_is_how_many_read_at_once(self, counted: Counted) -> None:
        program = traverse((1, 2, 3, 4), person, limit=2).transactional()
        found, statements = await counted.of(program)
        assert [each.id for each in found] == [1, 2, 3, 4]
        assert statements == 2

    async def test_a_race_of_merged_reads(self, counted: Counted) -> None:
        found, statements = await counted.of(race(person(1), person(2)))
        assert found.id in (1, 2)
        assert statements == 1


def _profiles() -> ModelCollection:
    return ModelCollection(Profile)
