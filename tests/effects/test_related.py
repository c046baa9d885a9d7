"""A relation of a record is an effect like any other: a value that compares, prints and composes."""

from typing import Any

import pytest

from ommi import EncodeError, Failure, Success, catch, find, gather
from ommi.errors import NotFound
from ommi.testing import run_script
from ommi.testing.relatives import Bench, Person, Post, Reply, Team, Topic


def test_it_prints_like_the_code_that_makes_it() -> None:
    assert repr(Team(1).members) == "Team(id=1).members"
    assert repr(Post(1, 2).author.refresh()) == "Post(writer=2).author.refresh()"
    assert repr(Bench(1, 2).bookings.map(len)) == "Bench(row=1, number=2).bookings.map(len)"
    query = find(Team).prefetch(Team.members, Person.posts)
    assert repr(query.all()) == "find(Team).prefetch(Team.members, Person.posts).all()"
    assert repr(query.first()) == "find(Team).prefetch(Team.members, Person.posts).first()"


def test_those_of_the_same_key_are_equal() -> None:
    assert Team(1, "a").members == Team(1, "b").members
    assert hash(Team(1).members) == hash(Team(1).members)
    assert Team(1).members != Team(2).members
    assert Team(1).members != Team(1).members.refresh()
    assert Person(1).posts != Person(1).reviews


def test_it_has_no_children_and_a_prefetch_has_its_query() -> None:
    assert Team(1).members.children() == ()
    assert find(Team).prefetch(Team.members).all().children() == (find(Team).all(),)


def test_it_remembers_where_it_was_made() -> None:
    made = Team(1).members
    assert made.origin is not None
    assert made.origin.file == __file__


def test_it_reads_the_key_when_it_is_made() -> None:
    person = Person(1, team_id=1)
    team = person.team
    person.team_id = 2
    assert repr(team) == "Person(team_id=1).team"


def test_what_is_missing_joins_nothing() -> None:
    assert run_script(Person(1).team, []) == Success(None)
    assert run_script(Team(None).members, []) == Success([])  # type: ignore[arg-type]  # a record not added yet


def test_a_key_that_cannot_be_one_is_a_failure() -> None:
    outcome = run_script(Team(2**70).members, [])
    assert isinstance(outcome.failure(), EncodeError)
    assert "Team.id" in outcome.failure().message


def test_a_script_answers_it() -> None:
    ada = Person(1, "Ada")
    program: Any = gather(Team(1).members, Post(1, 1).author)
    assert run_script(program, [(Team(1).members, [ada]), (Post(1, 1).author, ada)]) == Success(([ada], ada))


def test_a_script_may_find_nothing() -> None:
    reply: Any = Reply(1, 7).post
    assert isinstance(run_script(reply, [(Reply(1, 7).post, None)]).failure(), NotFound)
    recovered = reply >> catch(NotFound)(lambda _: Team(1).members)
    assert run_script(recovered, [(Reply(1, 7).post, None), (Team(1).members, [])]) == Success([])


def test_a_script_may_let_it_fail() -> None:
    error = EncodeError("no")
    assert run_script(Team(1).members, [(Team(1).members, error)]) == Failure(error)


def test_a_script_answers_a_prefetch_with_the_records_of_each_query() -> None:
    team, ada, bob = Team(1), Person(1, "Ada", 1), Person(2, "Bob", 1)
    program: Any = find(Team).prefetch(Team.members).all()
    (found,) = run_script(program, [(find(Team).all(), [team]), (Team.members, [[ada, bob]])]).unwrap()
    assert found.members.cached == [ada, bob]


@pytest.mark.parametrize("key", [Topic("a"), Topic("b")])
def test_a_link_is_read_with_its_rows(key: Topic) -> None:
    assert run_script(key.posts, [(key.posts, [Post(1, 1)])]) == Success([Post(1, 1)])
