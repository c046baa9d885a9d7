"""Insert, upsert, update, delete, and what the database assigns."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest

from ommi import (
    Check,
    CheckViolation,
    EncodeError,
    Key,
    MaxLength,
    ModelCollection,
    Naive,
    QueryRejected,
    ServerDefault,
    Unique,
    UniqueViolation,
    UnsupportedOperation,
    add,
    add_all,
    auto,
    find,
    ommi_model,
    upsert,
)
from ommi.drivers.driver import Request
from ommi.models import schema_of
from ommi.query.statements import Insert, OnConflict

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class User:
    name: str = ""
    email: Annotated[str | None, Unique] = None
    visits: Annotated[int, Check(lambda u: u.visits >= 0)] = 0
    id: Annotated[int, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Token:
    text: str
    id: Annotated[UUID, Key] = auto()


@ommi_model(collection=models)
@dataclass
class Word:
    text: Annotated[str, Key]


@ommi_model(collection=models)
@dataclass
class Document:
    id: Annotated[int, Key]
    body: dict[str, Any]


@pytest.fixture
def users(memory: Any) -> Any:
    memory.create(User, Token, Word, Document)
    return memory


def rows(memory: Any) -> list[tuple[Any, ...]]:
    return memory.all(find(User).order_by(User.id.asc).select(User.id, User.name, User.email, User.visits))


def test_generated_keys_begin_at_one(users: Any) -> None:
    assert users.run(add_all([User("a"), User("b")])) == [(1,), (2,)]


def test_a_generated_key_is_one_more_than_the_largest(users: Any) -> None:
    users.run(add_all([User(id=7), User(id=3)]))
    assert users.run(add_all([User(), User(id=20), User()])) == [(8,), (20,), (21,)]


def test_a_generated_key_follows_the_largest_that_is_left(users: Any) -> None:
    users.run(add_all([User(), User(), User()]))
    users.run(find(User, User.id > 1).delete())
    assert users.run(add(User())) == [(2,)]
    users.run(find(User, User.id == 2).update(id=9))
    assert users.run(add(User())) == [(10,)]


def test_after_negative_keys_comes_the_next_one(users: Any) -> None:
    users.run(add(User(id=-5)))
    assert users.run(add(User())) == [(-4,)]


def test_no_key_is_generated_beyond_64_bits(users: Any) -> None:
    users.run(add(User(id=2**63 - 1)))
    with pytest.raises(QueryRejected, match=r"User\.id.*no larger key"):
        users.run(add(User()))


def test_a_uuid_key_is_random(users: Any) -> None:
    (first,), (second,) = users.run(add_all([Token("a"), Token("b")]))
    assert first != second
    assert (first.version, second.version) == (4, 4)


def test_an_insert_without_generated_values_answers_with_empty_rows(users: Any) -> None:
    assert users.run(add_all([Word("a"), Word("b")])) == [(), ()]


def test_json_is_kept_as_it_was_when_the_effect_was_made(users: Any) -> None:
    body: dict[str, Any] = {"a": [1]}
    effect = add(Document(1, body))
    body["a"].append(2)
    users.run(effect)
    [found] = users.all(find(Document))
    found.body["a"].append(3)
    assert users.all(find(Document)) == [Document(1, {"a": [1]})]


def test_update_sets_expressions_of_the_old_row_all_at_once(users: Any) -> None:
    users.run(add_all([User("a", visits=1), User("b", visits=2)]))
    assert users.run(find(User).everything().update(visits=User.id, id=User.visits + 10)) == 2
    assert rows(users) == [(11, "a", None, 1), (12, "b", None, 2)]


def test_update_counts_the_rows_matched_not_those_changed(users: Any) -> None:
    users.run(add_all([User("a"), User("b")]))
    assert users.run(find(User, User.name == "a").update(name="a")) == 1
    assert users.run(find(User, User.name == "z").update(name="a")) == 0


def test_keys_and_unique_values_may_change_places_in_one_update(users: Any) -> None:
    users.run(add_all([User("a", "1"), User("b", "2")]))
    users.run(find(User).everything().update(id=3 - User.id))
    assert rows(users) == [(1, "b", "2", 0), (2, "a", "1", 0)]


def test_an_update_that_makes_two_rows_equal_fails(users: Any) -> None:
    users.run(add_all([User("a", "1"), User("b", "2")]))
    with pytest.raises(UniqueViolation) as caught:
        users.run(find(User).everything().update(email="3"))
    assert caught.value.fields == ("email",)
    assert rows(users) == [(1, "a", "1", 0), (2, "b", "2", 0)]


def test_an_updated_row_is_found_by_its_new_values_only(users: Any) -> None:
    users.run(add(User("a", "1")))
    users.run(find(User).everything().update(email="2", id=5))
    assert users.run(find(User, User.email == "1").count()) == 0
    assert users.run(find(User, User.email == "2", User.id == 5).count()) == 1
    users.run(add(User("b", "1", id=1)))


def test_rows_keep_their_place_when_their_key_changes(users: Any) -> None:
    users.run(add_all([User("a"), User("b"), User("c")]))
    users.run(find(User, User.id < 3).update(id=User.id + 10))
    assert [user.name for user in users.all(find(User))] == ["a", "b", "c"]


def test_an_update_that_overflows_changes_nothing(users: Any) -> None:
    users.run(add_all([User("a", visits=1), User("b", visits=2**63 - 1)]))
    with pytest.raises(QueryRejected):
        users.run(find(User).everything().update(visits=User.visits + 1))
    assert [visits for *_, visits in rows(users)] == [1, 2**63 - 1]


def test_an_update_with_a_value_that_does_not_fit_is_refused(users: Any) -> None:
    users.run(add(User("a")))
    with pytest.raises(EncodeError, match=r"User\.name"):
        users.run(find(User).everything().update(name="a\0"))


def test_delete_counts_the_rows(users: Any) -> None:
    users.run(add_all([User("a"), User("b"), User("c")]))
    assert users.run(find(User, User.name.in_(["a", "c", "x"])).delete()) == 2
    assert [user.name for user in users.all(find(User))] == ["b"]


def test_a_condition_may_look_at_the_table_that_is_written(users: Any) -> None:
    users.run(add_all([User("a", visits=1), User("b", visits=2), User("c", visits=3)]))
    largest = find(User).order_by(User.visits.desc).limit(1).select(User.id)
    assert users.run(find(User, User.id.not_in(largest)).delete()) == 2
    assert [user.name for user in users.all(find(User))] == ["c"]


def test_upsert_inserts_where_no_row_has_the_values(users: Any) -> None:
    assert users.run(upsert(User("a", "1"), on=User.email)) == [("a", "1", 0, 1)]


def test_upsert_updates_the_row_that_has_the_values(users: Any) -> None:
    users.run(add_all([User("x"), User("a", "1", 5)]))
    assert users.run(upsert(User("b", "1", 9), on=User.email, update=[User.name])) == [("b", "1", 5, 2)]
    assert rows(users) == [(1, "x", None, 0), (2, "b", "1", 5)]


def test_upsert_with_nothing_to_update_keeps_the_row(users: Any) -> None:
    users.run(add(User("a", "1", 5)))
    assert users.run(upsert(User("b", "1", 9), on=User.email, update=[])) == [("a", "1", 5, 1)]


def test_upsert_goes_by_the_key_unless_told_otherwise(users: Any) -> None:
    users.run(add(User("a", id=3)))
    assert users.run(upsert(User("b", id=3))) == [("b", None, 0, 3)]


def test_upsert_inserts_where_the_value_is_missing(users: Any) -> None:
    users.run(add(User("a", None)))
    assert users.run(upsert(User("b", None), on=User.email)) == [("b", None, 0, 2)]


def test_upsert_that_meets_another_unique_value_fails(users: Any) -> None:
    users.run(add_all([User("a", "1"), User("b", "2")]))
    with pytest.raises(UniqueViolation) as caught:
        users.run(upsert(User("c", "1", id=2), update=[User.email]))
    assert caught.value.fields == ("email",)


def test_upsert_obeys_the_checks(users: Any) -> None:
    users.run(add(User("a", "1")))
    with pytest.raises(CheckViolation):
        users.run(upsert(User("a", "1", -1), on=User.email, update=[]))


def test_rows_of_one_upsert_meet_each_other(users: Any) -> None:
    schema = schema_of(User)
    email, visits = schema.by_name["email"], schema.by_name["visits"]
    new = tuple(schema.codec.read(user) for user in (User("a", "1", 1), User("b", "1", 2)))
    answer = users.on.execute(Request(Insert(schema, new, OnConflict((email,), (visits,)))))
    assert answer == [("a", "1", 1, 1), ("a", "1", 2, 1)]


def test_upsert_by_fields_that_are_not_unique_is_rejected(users: Any) -> None:
    schema = schema_of(User)
    row = schema.codec.read(User("a"))
    with pytest.raises(QueryRejected, match="no key or unique index of exactly name"):
        users.on.execute(Request(Insert(schema, (row,), OnConflict((schema.by_name["name"],), ()))))


defaults = ModelCollection()


@ommi_model(collection=defaults)
@dataclass
class Defaulted:
    id: Annotated[int, Key]
    text: Annotated[str, ServerDefault("'it''s'")] = auto()
    number: Annotated[int, ServerDefault("-3")] = auto()
    ratio: Annotated[float, ServerDefault("1e3")] = auto()
    price: Annotated[Decimal, ServerDefault("1.50")] = auto()
    flag: Annotated[bool, ServerDefault("TRUE")] = auto()
    nothing: Annotated[str | None, ServerDefault("NULL")] = auto()
    moment: Annotated[datetime, ServerDefault("CURRENT_TIMESTAMP")] = auto()
    local: Annotated[datetime, Naive, ServerDefault("current_timestamp")] = auto()
    day: Annotated[date, ServerDefault("'2024-02-29'")] = auto()


@ommi_model(collection=defaults)
@dataclass
class Computed:
    id: Annotated[int, Key]
    text: Annotated[str, ServerDefault("lower('X')")] = auto()


@ommi_model(collection=defaults)
@dataclass
class Short:
    id: Annotated[int, Key]
    text: Annotated[str, MaxLength(2), ServerDefault("'long'")] = auto()


def test_server_defaults_that_are_literals_are_evaluated(memory: Any) -> None:
    memory.create(Defaulted)
    [answer] = memory.run(add(Defaulted(1)))
    [found] = memory.all(find(Defaulted))
    assert (found.text, found.number, found.ratio, found.flag, found.nothing) == ("it's", -3, 1000.0, True, None)
    assert found.price == Decimal("1.5")
    assert found.day == date(2024, 2, 29)
    assert abs(datetime.now(UTC) - found.moment) < timedelta(minutes=1)
    assert found.moment.replace(tzinfo=None) == found.local
    assert answer == tuple(getattr(found, f.name) for f in schema_of(Defaulted).assigned)


def test_a_given_value_replaces_a_server_default(memory: Any) -> None:
    memory.create(Defaulted)
    memory.run(add(Defaulted(1, text="mine")))
    assert memory.all(find(Defaulted))[0].text == "mine"


def test_a_server_default_that_only_a_database_can_evaluate_is_unsupported(memory: Any) -> None:
    memory.create(Computed)
    with pytest.raises(UnsupportedOperation, match=r"memory driver.*lower\('X'\).*Computed\.text.*another database"):
        memory.run(add(Computed(1)))
    memory.run(add(Computed(1, "x")))


def test_a_server_default_obeys_the_constraints(memory: Any) -> None:
    memory.create(Short)
    with pytest.raises(CheckViolation):
        memory.run(add(Short(1)))
