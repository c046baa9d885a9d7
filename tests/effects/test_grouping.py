"""Groups and aggregates as they are written: what is refused, with what to write, and how they print."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, NamedTuple

import attrs
import msgspec
import pydantic
import pytest

from ommi import Key, ModelCollection, auto, avg, col, count, find, max_, min_, ommi_model, ref, sum_
from ommi.drivers.memory.forms import MEMORY
from ommi.models import rows_reader


class Rank(Enum):
    LOW = 1


@ommi_model(collection=ModelCollection())
@dataclass
class User:
    team: str
    name: str
    age: int = 0
    height: float | None = None
    fee: Decimal = Decimal(0)
    rank: Rank = Rank.LOW
    tags: list[str] = field(default_factory=list)
    id: Annotated[int, Key] = auto()


@ommi_model(collection=ModelCollection())
@dataclass
class Post:
    id: Annotated[int, Key]
    title: str


team, name, age, height, tags = col(User.team), col(User.name), col(User.age), col(User.height), col(User.tags)
teams = find(User).group_by(team)
u: Any = ref(User)

REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    (
        "a column not grouped by",
        lambda: teams.select(name),
        "select(…) names User.name, of which rows that are grouped "
        "by (User.team) can have many values: group_by(…, User.name), or say which one, such as User.name.max_()",
    ),
    (
        "a column beside an aggregate of all rows",
        lambda: find(User).select(name, count()),
        "of which rows that are taken together can",
    ),
    ("a part of what is computed", lambda: teams.select(age + count()), "names User.age"),
    ("a column in having", lambda: teams.having(age > 3), "having(…) names User.age"),
    ("a column in the order of groups", lambda: teams.order_by(age.desc), "order_by(…) names User.age"),
    (
        "an aggregate in where",
        lambda: find(User).where(age.avg() > 3),
        "where(…) is a condition on single rows, and User.age.avg() is of many: write .group_by(…).having(…)",
    ),
    ("an aggregate in find", lambda: find(User, count() == 1), "count() is of many"),
    ("an aggregate in the order of rows", lambda: find(User).order_by(count()), "order_by(…) is about single rows"),
    ("an aggregate in an update", lambda: find(User, age > 3).update(age=age.max_()), "update(…) is about single rows"),
    ("an aggregate of an aggregate", lambda: age.max_().sum_(), "is an aggregate of an aggregate"),
    (
        "group by an aggregate",
        lambda: find(User).group_by(age.max_()),
        "group_by takes columns and what is computed from them, not User.age.max_()",
    ),
    (
        "group by a value",
        lambda: find(User).group_by("team"),
        "group_by(…) takes columns and what is computed from them",
    ),
    ("group by nothing", lambda: find(User).group_by(), "all rows are taken together by select(count())"),
    (
        "group by a list",
        lambda: find(User).group_by(tags),
        "User.tags holds list[str], a structure",
    ),
    ("group by another model's", lambda: find(User).group_by(Post.title), "Post.title, which is no column of User"),
    ("a column of another model", lambda: teams.select(col(Post.id).max_()), "Post.id, which is no column of User"),
    ("the sum of texts", lambda: name.sum_(), "User.name holds str: .sum_() is asked of int, float or Decimal"),
    ("the mean of an enum", lambda: col(User.rank).avg(), "User.rank holds Rank: .avg() is asked of"),
    ("the largest list", lambda: tags.max_(), "User.tags holds list[str], which has no order"),
    ("different lists", lambda: tags.count(distinct=True), "its different values are not counted"),
    ("different rows", lambda: count(distinct=True), "write count(User.name, distinct=True)"),
    ("a function of a value", lambda: avg(3), "avg(…) takes a column (User.age, or u.age of a lambda or ref), not 3"),
    (
        "order before group_by",
        lambda: find(User).order_by(age).group_by(team),
        "order_by(…) of rows that are grouped says nothing: leave it out, or say it of the groups",
    ),
    ("limit before group_by", lambda: find(User).limit(3).group_by(team), "limit(…) of rows that are grouped"),
    (
        "order of one row",
        lambda: find(User).order_by(age).select(count()),
        "gives one row, so order_by(…) says nothing",
    ),
    ("limit of one row", lambda: find(User).limit(3).select(count()), "gives one row, so limit(…) says nothing"),
    ("distinct of one row", lambda: find(User).select(count()).distinct(), "there is only one row"),
    ("names for some", lambda: teams.select(team, number=count()), "give each a name"),
]

ABSENT: list[tuple[str, Callable[[], Any], str]] = [
    ("having without a group", lambda: find(User).having(count() > 3), "write .group_by(…) before it"),
    (
        "where after group_by",
        lambda: teams.where(age > 3),
        "where(…) is a condition on rows and comes before group_by(…)",
    ),
    ("groups without a selection", lambda: teams.all(), "say what is wanted of them with .select(…)"),
    ("group_by twice", lambda: teams.group_by(age), "group_by(…) is said once"),
    ("group_by after select", lambda: find(User).select(team).group_by(team), "come before .select(…)"),
]


@pytest.mark.parametrize("make, said", [pytest.param(*rest, id=name) for name, *rest in REFUSED])
def test_what_groups_do_not_have_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        make()


@pytest.mark.parametrize("make, said", [pytest.param(*rest, id=name) for name, *rest in ABSENT])
def test_a_method_in_the_wrong_place_says_where_it_belongs(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(said)):
        make()


@pytest.mark.parametrize(
    "query, text",
    [
        (
            teams.select(team, count(), age.avg()),
            "find(User).group_by(User.team).select(User.team, count(), User.age.avg())",
        ),
        (
            teams.having(count() > 3).order_by(age.sum_()).limit(2).select(team),
            "find(User).group_by(User.team).having(count() > 3).order_by(User.age.sum_().asc).limit(2)"
            ".select(User.team)",
        ),
        (
            find(User).select(number=name.count(distinct=True)),
            "find(User).select(number=User.name.count(distinct=True))",
        ),
        (find(User).select(lambda u: (count(u), sum_(u.age))), "find(User).select(User.id.count(), User.age.sum_())"),
    ],
)
def test_a_query_prints_as_it_is_written(query: Any, text: str) -> None:
    assert repr(query) == text
    assert repr(query.all()) == f"{text}.all()"


def test_a_query_for_a_class_prints_its_class() -> None:
    query = teams.select(team=team, number=count()).into(OfDataclass)
    text = "find(User).group_by(User.team).select(team=User.team, number=count()).into(OfDataclass)"
    assert repr(query) == text
    assert repr(query.all()) == f"{text}.all()"


def test_functions_and_methods_are_the_same() -> None:
    assert find(User).select(sum_(age), avg(age), min_(age), max_(age), count(age)) == find(User).select(
        age.sum_(), age.avg(), age.min_(), age.max_(), age.count()
    )
    assert find(User).select(avg(u.age)) == find(User).select(lambda u: (avg(u.age),))
    assert find(User).select(age.sum_()) != find(User).select(age.avg())
    assert teams.select(team) != find(User).group_by(name).select(name)
    assert teams.having(count() > 3).select(team) != teams.having(count() > 4).select(team)


# -- rows as instances of a class


@dataclass
class OfDataclass:
    team: str
    number: int
    note: str = "none"


@attrs.frozen
class OfAttrs:
    _team: str
    number: int


class OfPydantic(pydantic.BaseModel):
    number: int
    team: str


class OfMsgspec(msgspec.Struct, kw_only=True):
    team: str
    number: int


class OfNamedTuple(NamedTuple):
    number: int
    team: str | None


@pytest.mark.parametrize(
    "row, expected",
    [
        (OfDataclass, OfDataclass("red", 3)),
        (OfAttrs, OfAttrs("red", 3)),
        (OfPydantic, OfPydantic(team="red", number=3)),
        (OfMsgspec, OfMsgspec(team="red", number=3)),
        (OfNamedTuple, OfNamedTuple(3, "red")),
    ],
)
def test_rows_become_instances_of_a_class_of_any_library(row: type[Any], expected: Any) -> None:
    names = {"_team" if row is OfAttrs else "team": team}
    effect: Any = teams.select(**names, number=count()).into(row).all()
    assert rows_reader(effect.read, MEMORY)([("red", 3)]) == [expected]


class Unlike(NamedTuple):
    team: int


class Wider(NamedTuple):
    height: float


INTO: list[tuple[str, Callable[[], Any], str]] = [
    (
        "no name",
        lambda: teams.select(team, count()).into(OfDataclass),
        "into(OfDataclass) goes by the names of fields, and "
        "count() has none: name the columns, as in select(team=count(), …)",
    ),
    (
        "no such field",
        lambda: teams.select(team=team, size=count()).into(OfDataclass),
        "OfDataclass has no field 'size' for count(); its fields are team, number, note",
    ),
    (
        "a field left out",
        lambda: teams.select(team).into(OfDataclass),
        "OfDataclass.number has no default and is not selected: select(number=…)",
    ),
    ("twice", lambda: find(User).select(team, team).into(OfNamedTuple), "OfNamedTuple.team is selected twice"),
    (
        "another type",
        lambda: find(User).select(team).into(Unlike),
        "Unlike.team is declared int, and User.team gives str",
    ),
    (
        "what may be missing",
        lambda: find(User).select(height).into(Wider),
        "Wider.height is declared float, and User.height gives float | None",
    ),
    ("no class", lambda: find(User).select(team).into("Row"), "into(…) takes a class with fields, not 'Row'"),
    ("a class without fields", lambda: find(User).select(team).into(int), "into(int) takes a class with fields"),
]


@pytest.mark.parametrize("make, said", [pytest.param(*rest, id=name) for name, *rest in INTO])
def test_a_class_that_does_not_fit_is_refused(make: Callable[[], Any], said: str) -> None:
    with pytest.raises(TypeError, match=re.escape(said)):
        make()
