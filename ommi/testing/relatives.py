"""The models of the relation tests: every kind of relation, in a collection of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from ommi.effects.effect import Effect
from ommi.effects.operations import add_all
from ommi.effects.program import Prog, effect
from ommi.effects.related import ToMany, ToOne
from ommi.models import Key, ModelCollection, ReferenceTo, StoreAs, Unique, auto, ommi_model

__all__ = [
    "Bench",
    "Booking",
    "Follow",
    "Person",
    "Post",
    "PostTag",
    "Profile",
    "Reply",
    "Team",
    "Topic",
    "people",
    "relatives",
]

relatives = ModelCollection()


@ommi_model(collection=relatives)
@dataclass
class Team:
    """What people may belong to, known by a unique code as well."""

    id: Annotated[int, Key]
    code: Annotated[str, Unique] = ""
    members: ClassVar[ToMany[Person]] = ToMany()


@ommi_model(collection=relatives)
@dataclass
class Person:
    """References that may be missing, one of them to its own table, and relations of every kind."""

    id: Annotated[int, Key]
    name: str = ""
    team_id: Annotated[int | None, ReferenceTo(Team)] = None
    mentor_id: Annotated[int | None, ReferenceTo("Person")] = None
    team: ClassVar[ToOne[Team | None]] = ToOne()
    mentor: ClassVar[ToOne[Person | None]] = ToOne()
    pupils: ClassVar[ToMany[Person]] = ToMany()
    posts: ClassVar[ToMany[Post]] = ToMany(on="writer")
    reviews: ClassVar[ToMany[Post]] = ToMany(on=lambda: "reviewer")
    profile: ClassVar[ToOne[Profile | None]] = ToOne()
    follows: ClassVar[ToMany[Person]] = ToMany(through="Follow", on=("who", "whom"))
    followers: ClassVar[ToMany[Person]] = ToMany(through="Follow", on=("whom", "who"))


@ommi_model(collection=relatives)
@dataclass
class Profile:
    """What one person has at most one of."""

    person_id: Annotated[int, Unique, ReferenceTo(Person)]
    text: str = ""
    id: Annotated[int, Key] = auto()
    person: ClassVar[ToOne[Person]] = ToOne()


@ommi_model(collection=relatives)
@dataclass
class Follow:
    """A link between two rows of one table; the same may be said twice."""

    who: Annotated[int, ReferenceTo(Person)]
    whom: Annotated[int | None, ReferenceTo(Person)]
    id: Annotated[int, Key] = auto()


@ommi_model(collection=relatives)
@dataclass
class Post:
    """Two references to one model."""

    id: Annotated[int, Key]
    writer: Annotated[int, ReferenceTo(Person)]
    reviewer: Annotated[int | None, ReferenceTo(Person), StoreAs("reviewed by")] = None
    author: ClassVar[ToOne[Person]] = ToOne(on="writer")
    reviewed_by: ClassVar[ToOne[Person | None]] = ToOne(on="reviewer")
    topics: ClassVar[ToMany[Topic]] = ToMany(through="PostTag")
    replies: ClassVar[ToMany[Reply]] = ToMany()


@ommi_model(collection=relatives)
@dataclass
class Topic:
    """A key that is a text."""

    name: Annotated[str, Key]
    posts: ClassVar[ToMany[Post]] = ToMany(through="PostTag")


@ommi_model(collection=relatives)
@dataclass
class PostTag:
    """A link whose two references are its key."""

    post: Annotated[int, Key, ReferenceTo(Post)]
    topic: Annotated[str, Key, ReferenceTo(Topic)]


@ommi_model(collection=relatives)
@dataclass
class Reply:
    """A reference that nobody checks."""

    id: Annotated[int, Key]
    post_id: Annotated[int, ReferenceTo(Post, enforced=False)]
    post: ClassVar[ToOne[Post]] = ToOne()


@ommi_model(collection=relatives)
@dataclass
class Bench:
    """A key of two parts."""

    row: Annotated[int, Key]
    number: Annotated[int, Key]
    bookings: ClassVar[ToMany[Booking]] = ToMany()


@ommi_model(collection=relatives)
@dataclass
class Booking:
    """References of two parts, and to a unique field that is not the key."""

    id: Annotated[int, Key]
    row: Annotated[int | None, ReferenceTo(Bench.row)] = None
    number: Annotated[int | None, ReferenceTo(Bench.number)] = None
    code: Annotated[str | None, ReferenceTo(Team.code)] = None
    bench: ClassVar[ToOne[Bench | None]] = ToOne()
    team: ClassVar[ToOne[Team | None]] = ToOne()


def people() -> Effect[None, object]:
    """Some rows to begin with."""
    return _people()


@effect
def _people() -> Prog[None, object]:
    yield from add_all([Team(1, "red"), Team(2, "blue"), Team(3, "none")])
    yield from add_all([Person(1, "Ada", 1), Person(2, "Bob", 1, 1), Person(3, "Cid", 2, 1), Person(4, "Dot")])
    yield from add_all([Profile(1, "a", 1), Profile(3, "c", 2)])
    yield from add_all([Follow(1, 2), Follow(1, 3), Follow(1, 2), Follow(2, 1), Follow(3, None)])
    yield from add_all([Post(n, 1 + n % 2, 3 if n > 3 else None) for n in (5, 4, 3, 2, 1)])
    yield from add_all([Topic("b"), Topic("a"), Topic("c")])
    yield from add_all([PostTag(1, "b"), PostTag(1, "a"), PostTag(2, "a"), PostTag(5, "c")])
    yield from add_all([Reply(1, 1), Reply(2, 1), Reply(3, 77)])
    yield from add_all([Bench(row, number) for row in (1, 2) for number in (1, 2)])
    yield from add_all([Booking(1, 1, 2), Booking(2, 2, 1, "red"), Booking(3, 1, 2), Booking(4, 1, None), Booking(5)])
