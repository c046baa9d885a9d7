"""Relations are declared on classes of every model library, resolved on first use, and leave the classes alone."""

import copy
import pickle
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar

import attrs
import msgspec
import pydantic
import pytest

from ommi import Key, LoadState, ModelCollection, Ommi, ReferenceTo, ToMany, ToOne, Unique, add, find, ommi_model

LIBRARIES = ModelCollection()


@ommi_model(collection=LIBRARIES)
@dataclass
class DataUser:
    id: Annotated[int, Key]
    name: str = ""
    posts: ClassVar[ToMany["DataPost"]] = ToMany()


@ommi_model(collection=LIBRARIES)
@dataclass(slots=True, weakref_slot=True)
class DataPost:
    id: Annotated[int, Key]
    author_id: Annotated[int, ReferenceTo(DataUser)]
    author: ClassVar[ToOne[DataUser]] = ToOne()


@ommi_model(collection=LIBRARIES)
@attrs.define
class AttrsUser:
    id: Annotated[int, Key]
    name: str = ""
    posts: ClassVar[ToMany["AttrsPost"]] = ToMany()


@ommi_model(collection=LIBRARIES)
@attrs.frozen
class AttrsPost:
    id: Annotated[int, Key]
    author_id: Annotated[int, ReferenceTo(AttrsUser)]
    author: ClassVar[ToOne["AttrsUser"]] = ToOne()


@ommi_model(collection=LIBRARIES)
class PydanticUser(pydantic.BaseModel):
    id: Annotated[int, Key]
    name: str = ""
    posts: ClassVar[ToMany["PydanticPost"]] = ToMany()


@ommi_model(collection=LIBRARIES)
class PydanticPost(pydantic.BaseModel):
    id: Annotated[int, Key]
    author_id: Annotated[int, ReferenceTo(PydanticUser)]
    author: ClassVar[ToOne["PydanticUser"]] = ToOne()


@ommi_model(collection=LIBRARIES)
class StructUser(msgspec.Struct, weakref=True):
    id: Annotated[int, Key]
    name: str = ""
    posts: ClassVar[ToMany["StructPost"]] = ToMany()


@ommi_model(collection=LIBRARIES)
class StructPost(msgspec.Struct, weakref=True, frozen=True):
    id: Annotated[int, Key]
    author_id: Annotated[int, ReferenceTo(StructUser)]
    author: ClassVar[ToOne["StructUser"]] = ToOne()


@ommi_model(collection=LIBRARIES)
class DictUser(msgspec.Struct, dict=True):
    """Has a `__dict__` and no weak references."""

    id: Annotated[int, Key]
    name: str = ""
    posts: ClassVar[ToMany["DictPost"]] = ToMany()


@ommi_model(collection=LIBRARIES)
class DictPost(msgspec.Struct, dict=True):
    id: Annotated[int, Key]
    author_id: Annotated[int, ReferenceTo(DictUser)]
    author: ClassVar[ToOne["DictUser"]] = ToOne()


PAIRS = [
    (DataUser, DataPost),
    (AttrsUser, AttrsPost),
    (PydanticUser, PydanticPost),
    (StructUser, StructPost),
    (DictUser, DictPost),
]
LIBRARY = pytest.mark.parametrize("user, post", PAIRS, ids=lambda model: model.__name__)


def make(model: Any, **values: Any) -> Any:
    return model(**values)


@pytest.mark.anyio
@LIBRARY
async def test_every_library_has_relations(user: Any, post: Any) -> None:
    async with Ommi.connect("memory://") as db:
        (await db.run(db.schema.create(LIBRARIES))).unwrap()
        ada = (await db.add(make(user, id=1, name="Ada"))).unwrap()
        (await db.add(make(post, id=2, author_id=1))).unwrap()
        (found,) = await ada.posts.value
        assert found == make(post, id=2, author_id=1)
        assert await found.author.value == ada
        loaded = (await db.find(user).prefetch(user.posts).one()).unwrap()
        assert loaded.posts.cached == [found]


@pytest.mark.anyio
@LIBRARY
async def test_what_is_remembered_is_no_part_of_the_record(user: Any, post: Any) -> None:
    async with Ommi.connect("memory://") as db:
        (await db.run(db.schema.create(LIBRARIES))).unwrap()
        (await db.run(add(make(user, id=1, name="Ada")))).unwrap()
        loaded = (await db.find(user).prefetch(user.posts).one()).unwrap()
        plain = make(user, id=1, name="Ada")
        assert loaded == plain
        assert repr(loaded) == repr(plain)
        for other in (copy.copy(loaded), copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
            assert other == plain
            assert other.posts.state is LoadState.NOT_LOADED
        assert loaded.posts.state is LoadState.LOADED
        if user is PydanticUser:
            assert loaded.model_dump() == {"id": 1, "name": "Ada"}
            assert loaded.model_dump_json() == plain.model_dump_json()
        if user in (StructUser, DictUser):
            assert msgspec.to_builtins(loaded) == {"id": 1, "name": "Ada"}
        if user is AttrsUser:
            assert attrs.asdict(loaded) == {"id": 1, "name": "Ada"}
        if user is DataUser:
            assert vars(loaded) == vars(plain)


def test_a_relation_is_no_field() -> None:
    assert [field.name for field in fields(DataUser)] == ["id", "name"]
    assert [field.name for field in attrs.fields(AttrsUser)] == ["id", "name"]
    assert list(PydanticUser.model_fields) == ["id", "name"]
    assert StructUser.__struct_fields__ == ("id", "name")


def test_on_the_class_it_is_the_relation() -> None:
    assert repr(DataUser.posts) == "DataUser.posts"
    assert repr(find(DataUser).prefetch(DataUser.posts)) == "find(DataUser).prefetch(DataUser.posts)"


def test_a_subclass_that_is_no_model_keeps_the_relations_of_its_parent() -> None:
    @dataclass
    class Guest(DataUser):
        visits: int = 0

    assert repr(Guest(1).posts) == "DataUser(id=1).posts"


def test_a_model_that_inherits_needs_references_of_its_own() -> None:
    models = ModelCollection()

    @ommi_model(collection=models)
    @dataclass
    class Admin(DataUser):
        level: int = 0

    assert repr(Admin.posts) == "Admin.posts"
    with pytest.raises(TypeError, match=r"Admin\.posts: no field of DataPost refers to Admin: annotate one"):
        _ = Admin(1).posts


def test_the_other_model_may_be_declared_in_a_function_and_later() -> None:
    models = ModelCollection()

    @ommi_model(collection=models)
    @dataclass
    class Parent:
        id: Annotated[int, Key]
        children: ClassVar[ToMany["Child"]] = ToMany()
        first: ClassVar["ToOne[Child | None]"] = ToOne()

    with pytest.raises(TypeError, match=r"Parent\.children: ToMany\['Child'\]: there is no model 'Child' in .*Parent"):
        _ = Parent(1).children

    @ommi_model(collection=models)
    @dataclass
    class Child:
        id: Annotated[int, Key]
        parent: Annotated[int, Unique, ReferenceTo(Parent)]

    assert repr(Parent(1).children) == "Parent(id=1).children"
    assert repr(Parent(1).first) == "Parent(id=1).first"


def test_a_class_declared_again_is_the_one_that_is_meant() -> None:
    models = ModelCollection()

    def declared() -> type[Any]:
        @ommi_model(collection=models)
        @dataclass
        class Later:
            id: Annotated[int, Key]
            owner: Annotated[int, ReferenceTo(lambda: Owner)]

        return Later

    @ommi_model(collection=models)
    @dataclass
    class Owner:
        id: Annotated[int, Key]
        later: ClassVar[ToMany["Later"]] = ToMany()  # type: ignore[name-defined]  # noqa: F821

    first = declared()
    assert Owner.later.joined().target.model is first
    second = declared()
    assert Owner.later.joined().target.model is second


def user_of(annotations: Any, **values: Any) -> Callable[[], Any]:
    def declare() -> Any:
        body = {"__annotations__": {"id": Annotated[int, Key], **annotations}, "__module__": __name__, **values}
        return ommi_model(collection=ModelCollection())(dataclass(type("User", (), body)))

    return declare


@pytest.mark.parametrize(
    "declare, message",
    [
        (
            user_of({"posts": ToMany["DataPost"]}, posts=ToMany()),
            r'User\.posts is a relation, which is no field: write posts: ClassVar\[ToMany\["Other"\]\] = ToMany\(\)',
        ),
        (
            user_of({}, posts=ToMany()),
            r"User\.posts does not say whose records are meant: write posts: ClassVar",
        ),
        (
            user_of({"posts": ClassVar[ToMany["DataPost | AttrsPost"]]}, posts=ToMany()),
            r"User\.posts: .* does not name a model: write ClassVar\[ToMany",
        ),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(declare: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        declare()


def test_an_instance_that_can_remember_nothing_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match=r"Slotted\.posts: .* write @dataclass\(slots=True, weakref_slot=True\)"):

        @ommi_model(collection=ModelCollection())
        @dataclass(slots=True)
        class Slotted:
            id: Annotated[int, Key]
            posts: ClassVar[ToMany["DataPost"]] = ToMany()

    with pytest.raises(TypeError, match=r"write class Lean\(Struct, weakref=True\)"):

        @ommi_model(collection=ModelCollection())
        class Lean(msgspec.Struct):
            id: Annotated[int, Key]
            posts: ClassVar[ToMany["DataPost"]] = ToMany()

    with pytest.raises(TypeError, match=r"write @define\(weakref_slot=True\)"):

        @ommi_model(collection=ModelCollection())
        @attrs.define(weakref_slot=False)
        class Plain:
            id: Annotated[int, Key]
            posts: ClassVar[ToMany["DataPost"]] = ToMany()


AMBIGUOUS = ModelCollection()


@ommi_model(collection=AMBIGUOUS)
@dataclass
class Player:
    id: Annotated[int, Key]
    games: ClassVar[ToMany["Game"]] = ToMany()
    white: ClassVar[ToMany["Game"]] = ToMany(on="white")
    column: ClassVar[ToMany["Game"]] = ToMany(on=lambda: Game.black)
    wrong: ClassVar[ToMany["Game"]] = ToMany(on="winner")
    rivals: ClassVar[ToMany["Player"]] = ToMany(through="Game")
    beaten: ClassVar[ToMany["Player"]] = ToMany(through="Game", on=("white", "black"))
    half: ClassVar[ToMany["Player"]] = ToMany(through="Game", on="white")
    one: ClassVar[ToOne["Badge"]] = ToOne()
    none: ClassVar[ToOne["Alone"]] = ToOne()
    across: ClassVar[ToMany["Alone"]] = ToMany(through="Badge")
    itself: ClassVar[ToMany["Game"]] = ToMany(through="Game")


@ommi_model(collection=AMBIGUOUS)
@dataclass
class Game:
    id: Annotated[int, Key]
    white: Annotated[int, ReferenceTo(Player)]
    black: Annotated[int, ReferenceTo(Player)]
    player: ClassVar[ToOne["Player"]] = ToOne()


@ommi_model(collection=AMBIGUOUS)
@dataclass
class Badge:
    id: Annotated[int, Key]
    player: Annotated[int, ReferenceTo(Player)]


@ommi_model(collection=AMBIGUOUS)
@dataclass
class Alone:
    id: Annotated[int, Key]


@pytest.mark.parametrize(
    "relation, message",
    [
        (Player.games, r"Player\.games: Game refers to Player several times \(white, black\): .* ToMany\(on='white'\)"),
        (Game.player, r"Game\.player: Game refers to Player several times \(white, black\): .* ToOne\(on='white'\)"),
        (Player.wrong, r"Player\.wrong: on='winner' is no reference of Game to Player; it has white, black"),
        (Player.rivals, r"Player\.rivals: Game refers to Player several times .*on=\('…', '…'\)"),
        (Player.half, r"Player\.half: with through=, on= takes two fields of Game"),
        (Player.one, r"Player\.one: Badge\.player is not unique, .* write ToMany, or make it Unique"),
        (Player.none, r"Player\.none: no field of Player or Alone refers to the other"),
        (Player.across, r"Player\.across: no field of Badge refers to Alone"),
        (Player.itself, r"Player\.itself: through= takes a model of its own"),
    ],
    ids=str,
)
def test_a_relation_that_cannot_be_resolved_says_why(relation: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        relation.joined()


def test_on_says_which_reference_is_meant() -> None:
    assert [field.name for field in Player.white.joined().far] == ["white"]
    assert [field.name for field in Player.column.joined().far] == ["black"]
    beaten = Player.beaten.joined()
    assert beaten.link is not None
    assert [field.name for field in beaten.far] == ["white"]
    assert [(field.name, other.name) for field, other in beaten.link.pairs] == [("black", "id")]


def test_a_relation_that_is_not_of_a_model_leads_nowhere() -> None:
    @dataclass
    class Nobody:
        id: int
        posts: ClassVar[ToMany["DataPost"]] = ToMany()

    with pytest.raises(TypeError, match="Nobody is no model, so its relations lead nowhere: put @ommi_model on it"):
        _ = Nobody(1).posts


@pytest.mark.parametrize(
    "build, message",
    [
        (lambda: find(DataUser).prefetch(DataPost.author), r"DataPost is not reached before it \(only DataUser\)"),
        (lambda: find(DataUser).prefetch("posts"), r"prefetch\(…\) takes relations, such as User\.posts, not 'posts'"),
        (lambda: find(DataUser).prefetch(DataUser.posts).select(DataUser.name), "select.. gives no records to load"),
        (lambda: find(DataUser, DataUser.id == 1).prefetch(DataUser.posts).delete(), "delete.. gives no records"),
        (lambda: find(DataUser, DataUser.id == 1).prefetch(DataUser.posts).update(name="x"), "update.. gives no"),
    ],
)
def test_a_prefetch_that_means_nothing_is_refused(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        build()
