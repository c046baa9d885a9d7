"""Constraints, in the order they are reported: not null, check, key, unique, foreign key (semantics §2)."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import (
    Check,
    CheckViolation,
    ForeignKeyViolation,
    Index,
    Key,
    MaxLength,
    ModelCollection,
    NotNullViolation,
    ReferenceTo,
    Unique,
    UniqueViolation,
    add,
    add_all,
    find,
    ommi_model,
)

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Team:
    id: Annotated[int, Key]


@ommi_model(collection=models)
@dataclass
class Player:
    id: Annotated[int, Key]
    name: Annotated[str, MaxLength(5), Check(lambda p: p.name != "no", name="name_says_yes")] = "Ada"
    email: Annotated[str | None, Unique] = None
    nick: Annotated[str | None, Unique] = None
    age: Annotated[int | None, Check(lambda p: p.age >= 0, name="age_counts")] = 0
    team: Annotated[int | None, ReferenceTo(Team)] = None


@ommi_model(collection=models)
@dataclass
class Seat:
    row: Annotated[int, Key]
    place: Annotated[int, Key]
    guest: str | None = None
    evening: int | None = None


@ommi_model(collection=models, unique=[("guest", "evening")])
@dataclass
class Booking:
    id: Annotated[int, Key]
    guest: str | None = None
    evening: int | None = None


@pytest.fixture
def players(memory: Any) -> Any:
    memory.create(Team, Player, Seat, Booking)
    memory.run(add(Player(1, email="a@b", nick="ada")))
    return memory


def facts(error: Any) -> tuple[Any, ...]:
    return (error.model, error.fields)


def test_a_missing_required_value(players: Any) -> None:
    with pytest.raises(NotNullViolation, match=r"Player\.name") as caught:
        players.run(find(Player).everything().update(name=None))
    assert facts(caught.value) == (Player, ("name",))


def test_a_text_that_is_too_long(players: Any) -> None:
    with pytest.raises(CheckViolation, match=r"Player.*ck_player_name_max_length.*Player\.name") as caught:
        players.run(add(Player(2, name="Eleonore")))
    assert facts(caught.value) == (Player, ("name",))
    assert caught.value.constraint == "ck_player_name_max_length"


def test_a_length_counts_code_points(players: Any) -> None:
    players.run(add(Player(2, name="😀" * 5)))
    assert players.run(find(Player, Player.id == 2).count()) == 1


def test_a_check_that_does_not_hold(players: Any) -> None:
    with pytest.raises(CheckViolation, match=r"age_counts.*Player\.age") as caught:
        players.run(add(Player(2, age=-1)))
    assert facts(caught.value) == (Player, ("age",))
    assert caught.value.constraint == "age_counts"


def test_a_missing_value_violates_a_check(players: Any) -> None:
    with pytest.raises(CheckViolation) as caught:
        players.run(add(Player(2, age=None)))
    assert caught.value.constraint == "age_counts"


def test_checks_are_reported_in_the_order_declared_after_the_lengths(players: Any) -> None:
    with pytest.raises(CheckViolation) as caught:
        players.run(add(Player(2, name="no", age=-1)))
    assert caught.value.constraint == "name_says_yes"


def test_a_key_that_is_there(players: Any) -> None:
    with pytest.raises(UniqueViolation, match=r"Player\.id") as caught:
        players.run(add(Player(1)))
    assert facts(caught.value) == (Player, ("id",))


def test_a_composite_key_that_is_there(players: Any) -> None:
    players.run(add_all([Seat(1, 1), Seat(1, 2)]))
    with pytest.raises(UniqueViolation) as caught:
        players.run(add(Seat(1, 2)))
    assert facts(caught.value) == (Seat, ("row", "place"))


def test_a_unique_value_that_is_there(players: Any) -> None:
    with pytest.raises(UniqueViolation, match=r"Player\.email") as caught:
        players.run(add(Player(2, email="a@b")))
    assert facts(caught.value) == (Player, ("email",))
    assert caught.value.constraint == "ux_player_email"


def test_many_rows_may_have_no_unique_value(players: Any) -> None:
    players.run(add_all([Player(2), Player(3)]))
    assert players.run(find(Player, Player.email.is_null()).count()) == 2


def test_a_composite_unique_rule_ignores_rows_with_a_missing_part(players: Any) -> None:
    players.run(add_all([Booking(1, "Ada", None), Booking(2, "Ada", None), Booking(3, "Ada", 1)]))
    with pytest.raises(UniqueViolation) as caught:
        players.run(add(Booking(4, "Ada", 1)))
    assert facts(caught.value) == (Booking, ("guest", "evening"))


def test_a_reference_to_a_row_that_is_not_there(players: Any) -> None:
    with pytest.raises(ForeignKeyViolation, match=r"Player\.team.*Team") as caught:
        players.run(add(Player(2, team=9)))
    assert facts(caught.value) == (Player, ("team",))


def test_a_check_comes_before_a_key(players: Any) -> None:
    with pytest.raises(CheckViolation):
        players.run(add(Player(1, age=-1, email="a@b", team=9)))


def test_a_key_comes_before_a_unique_value(players: Any) -> None:
    with pytest.raises(UniqueViolation) as caught:
        players.run(add(Player(1, email="a@b", team=9)))
    assert caught.value.fields == ("id",)


def test_unique_values_come_as_declared(players: Any) -> None:
    with pytest.raises(UniqueViolation) as caught:
        players.run(add(Player(2, nick="ada", email="a@b", team=9)))
    assert caught.value.fields == ("email",)


def test_a_unique_value_comes_before_a_reference(players: Any) -> None:
    with pytest.raises(UniqueViolation):
        players.run(add(Player(2, nick="ada", team=9)))


def test_not_null_comes_before_a_check(players: Any) -> None:
    with pytest.raises(NotNullViolation):
        players.run(find(Player).everything().update(name=None, age=-1))


def test_a_statement_that_fails_leaves_nothing_behind(players: Any) -> None:
    with pytest.raises(UniqueViolation):
        players.run(add_all([Player(2), Player(3), Player(1)]))
    assert [p.id for p in players.all(find(Player))] == [1]


def test_a_failed_update_leaves_every_row_as_it_was(players: Any) -> None:
    players.run(add_all([Player(2, age=5), Player(3, age=3)]))
    with pytest.raises(CheckViolation):
        players.run(find(Player).everything().update(age=Player.age - 1))
    assert [(p.id, p.age) for p in players.all(find(Player))] == [(1, 0), (2, 5), (3, 3)]


def test_an_index_that_is_not_unique_restricts_nothing(memory: Any) -> None:
    found = ModelCollection()

    @ommi_model(collection=found)
    @dataclass
    class Note:
        id: Annotated[int, Key]
        topic: Annotated[str, Index] = "x"

    memory.create(Note)
    memory.run(add_all([Note(1), Note(2), Note(3, "y")]))
    memory.run(find(Note, Note.id == 1).update(topic="y"))
    assert [note.id for note in memory.all(find(Note, Note.topic == "y"))] == [1, 3]
