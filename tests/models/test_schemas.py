"""What a class says becomes its schema, and what cannot be stored is refused where it is declared."""

from collections.abc import Callable
from dataclasses import InitVar, dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, TypeVar
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from ommi.models import (
    Check,
    Index,
    Key,
    MaxLength,
    ModelCollection,
    Naive,
    OnDelete,
    ReferenceTo,
    ServerDefault,
    StoreAs,
    Unique,
    Version,
    auto,
    columns,
    ommi_model,
    ref,
    schema_of,
)
from ommi.query.checks import check_predicates
from ommi.schema import Schema
from ommi.values import MAX_INT, Kind


def schema(cls: type[Any], **options: Any) -> Schema:
    return schema_of(ommi_model(collection=ModelCollection(), **options)(cls))


def with_field(annotation: Any, **options: Any) -> Schema:
    """The schema of a dataclass with one field `x` besides its key."""
    plain = type("User", (), {"__annotations__": {"x": annotation, "id": int}, "__module__": __name__})
    return schema(dataclass(plain), **options)


# -- tables and columns


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("User", "user"),
        ("UserAccount", "user_account"),
        ("HTTPServer", "http_server"),
        ("UserV2", "user_v2"),
        ("Order", "order"),
        ("_Hidden", "_hidden"),
    ],
)
def test_the_table_is_named_after_the_class(name: str, table: str) -> None:
    cls = dataclass(type(name, (), {"__annotations__": {"id": int}}))
    assert schema(cls).table == table


def test_a_table_can_be_given_a_name() -> None:
    assert with_field(int, name="people").table == "people"


@pytest.mark.parametrize("name", ["", "a\0b", "a.b", "$a", "sqlite_users", "system.x", "ä" * 40])
def test_a_table_name_that_some_database_refuses_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match="User: the table"):
        with_field(int, name=name)


def test_a_column_can_be_given_a_name() -> None:
    found = with_field(Annotated[int, StoreAs("group")]).by_name["x"]
    assert (found.name, found.column) == ("x", "group")


@pytest.mark.parametrize("name", ["", "a\0b", "a.b", "a$", "x" * 64])
def test_a_column_name_that_some_database_refuses_is_refused(name: str) -> None:
    with pytest.raises(TypeError, match=r"User\.x: the column"):
        with_field(Annotated[int, StoreAs(name)])


def test_two_fields_with_one_column_are_refused() -> None:
    with pytest.raises(TypeError, match="x and id would both have the column 'id'"):
        with_field(Annotated[int, StoreAs("ID")])


def test_fields_keep_their_order_and_class_variables_are_none() -> None:
    @dataclass
    class User:
        b: str
        a: int
        table: ClassVar[str] = "users"
        id: Annotated[int, Key] = auto()

    assert [field.name for field in schema(User).fields] == ["b", "a", "id"]
    assert User.table == "users"


def test_attributes_of_pydantic_that_begin_with_an_underscore_are_no_fields() -> None:
    class User(pydantic.BaseModel):
        id: Annotated[int | None, Key] = None
        _secret: int = pydantic.PrivateAttr(3)

    assert [field.name for field in schema(User).fields] == ["id"]


# -- types


def test_optional_is_nullable() -> None:
    assert with_field(int | None).by_name["x"].nullable
    assert not with_field(int).by_name["x"].nullable


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (int, Kind.INT),
        (datetime, Kind.DATETIME),
        (Annotated[datetime, Naive], Kind.NAIVE_DATETIME),
        (Annotated[datetime | None, Naive], Kind.NAIVE_DATETIME),
        (Annotated[datetime, Naive] | None, Kind.NAIVE_DATETIME),
        (Literal["a", "b"], Kind.STR),
        (Literal[1, 2], Kind.INT),
        (Literal["a", None], Kind.STR),  # noqa: PYI061
        (list[int], Kind.JSON),
        (list, Kind.JSON),
        (dict, Kind.JSON),
        (dict[str, Any], Kind.JSON),
    ],
)
def test_an_annotation_has_its_kind(annotation: Any, kind: Kind) -> None:
    assert with_field(annotation).by_name["x"].type.kind is kind


def test_an_alias_is_what_it_stands_for() -> None:
    alias = TypeAliasType("alias", Annotated[str, Unique] | None)
    found = with_field(alias)
    assert found.by_name["x"].nullable
    assert found.indexes[0].unique


class Mixed(Enum):
    ONE = 1
    TWO = "two"


class Empty(Enum):
    pass


class Email(str):
    __slots__ = ()


T = TypeVar("T")


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (set[int], r"User\.x: set\[int\] cannot be stored: write list\[int\]"),
        (tuple[int, str], r"User\.x: .*write list\[int\]"),
        (int | str, r"User\.x: int \| str cannot be stored: a column holds one type"),
        (Callable[[], int], r"User\.x: .*cannot be stored: use int"),
        (T, r"User\.x: the type variable T is no type"),
        (list[T], r"User\.x\[…\]: the type variable T"),
        (Email, r"User\.x: Email cannot be stored: it would be read back as plain str\. Write str, or NewType"),
        (dict[int, str], r"User\.x: .*keys of a nested dict are str"),
        (Mixed, r"User\.x: the enum Mixed cannot be stored: its values must be all int or all str, not 1, 'two'"),
        (Empty, r"User\.x: the enum Empty"),
        (Literal["a", 1], r"User\.x: Literal\['a', 1\] cannot be stored"),
        (None, r"User\.x: None alone"),
        (Any, r"User\.x: .*Any cannot be stored: declare the type"),
        (object, r"User\.x: object cannot be stored"),
        (complex, r"User\.x: complex cannot be stored"),
        ("Unknown", r"User\.x: the annotation Unknown cannot be evaluated.*Import or define it"),
        (list["Unknown"], r"User\.x: the annotation .*cannot be evaluated"),  # noqa: F821
        (Annotated[int, MaxLength(3)], r"User\.x holds int: MaxLength is said of a text"),
        (Annotated[int, Naive], r"User\.x: Naive is said of a datetime"),
        (Annotated[str, MaxLength], r"User\.x: MaxLength needs its value"),
        (Annotated[str, StoreAs("a"), StoreAs("b")], r"User\.x has StoreAs twice"),
        (Annotated[list[int], Unique], r"User\.x holds list\[int\]: a structure can be neither key, Unique nor Index"),
        (list[Annotated[int, Unique]], r"User\.x\[…\]: Unique is said of a field"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_field_and_remedy(annotation: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        with_field(annotation)


def test_a_field_inside_a_nested_model_is_named_with_its_path() -> None:
    @dataclass
    class Inner:
        things: set[int]

    with pytest.raises(TypeError, match=r"User\.x\.things: set\[int\]"):
        with_field(Inner)


def test_a_class_of_no_library_is_refused() -> None:
    class User:
        id: int

    with pytest.raises(TypeError, match="User is no dataclass, attrs class, pydantic model or msgspec Struct"):
        schema(User)


def test_a_subclass_that_forgot_its_decorator_is_refused() -> None:
    @dataclass
    class Parent:
        id: Annotated[int, Key] = auto()

    class User(Parent):
        name: str

    with pytest.raises(TypeError, match="User declares name but is not itself decorated"):
        schema(User)


def test_a_subclass_that_adds_only_class_variables_needs_no_decorator_of_its_library() -> None:
    @dataclass
    class Parent:
        id: Annotated[int, Key] = auto()

    class User(Parent):
        limit: ClassVar[int] = 3

    assert schema(User).table == "user"


def test_a_class_without_fields_is_refused() -> None:
    with pytest.raises(TypeError, match="User has no fields"):
        schema(dataclass(type("User", (), {})))


def test_a_required_initvar_that_initialisation_needs_is_refused() -> None:
    @dataclass
    class User:
        id: Annotated[int, Key]
        seed: InitVar[int]

        def __post_init__(self, seed: int) -> None: ...

    with pytest.raises(TypeError, match=r"User\.seed is an InitVar, which is not stored"):
        schema(User)


def test_decorating_something_else_than_a_class_is_refused() -> None:
    with pytest.raises(TypeError, match="put on a class"):
        ommi_model("users")  # type: ignore[call-overload]


# -- keys


def test_fields_said_to_be_keys_are_the_key() -> None:
    @dataclass
    class Member:
        group: Annotated[int, Key]
        user: Annotated[int, Key]
        id: int = 0

    found = schema(Member)
    assert [field.name for field in found.key] == ["group", "user"]
    assert not any(field.generated for field in found.fields)


def test_without_a_key_id_is_the_key() -> None:
    assert [field.name for field in with_field(int).key] == ["id"]


def test_without_any_key_a_model_is_refused_with_what_to_write() -> None:
    @dataclass
    class User:
        name: str

    with pytest.raises(TypeError, match=r"User has no key.*`id: Annotated\[int, Key\] = auto\(\)`"):
        schema(User)


@pytest.mark.parametrize("annotation", [int, int | None, UUID, UUID | None])
def test_a_single_int_or_uuid_key_is_generated_and_never_null(annotation: Any) -> None:
    @dataclass
    class User:
        id: Annotated[annotation, Key] = auto()

    (key,) = schema(User).key
    assert key.generated
    assert not key.nullable


@pytest.mark.parametrize("fact", [ReferenceTo("User"), ServerDefault("1")])
def test_a_key_that_comes_from_elsewhere_is_not_generated(fact: Any) -> None:
    @dataclass
    class User:
        id: Annotated[int, Key, fact] = auto()

    (key,) = schema(User).key
    assert not key.generated


def test_a_text_key_is_not_generated_and_cannot_be_missing() -> None:
    @dataclass
    class User:
        id: Annotated[str, Key]

    assert not schema(User).key[0].generated
    with pytest.raises(TypeError, match=r"User\.id is a key, which is never missing"):
        schema(dataclass(type("User", (), {"__annotations__": {"id": Annotated[str | None, Key]}})))


def test_a_structure_is_no_key() -> None:
    @dataclass
    class User:
        id: list[int]

    with pytest.raises(TypeError, match="neither key"):
        schema(User)


# -- indexes


def test_indexes_have_names_made_of_table_and_columns_unique_ones_first() -> None:
    @dataclass
    class User:
        name: Annotated[str, Index]
        email: Annotated[str, Unique, StoreAs("mail")]
        town: str
        street: str
        id: Annotated[int, Key] = auto()

    found = schema(User, indexes=[("town", "street"), "town"], unique=[("name", "town")])
    assert [(index.name, index.unique) for index in found.indexes] == [
        ("ux_user_mail", True),
        ("ux_user_name_town", True),
        ("ix_user_name", False),
        ("ix_user_town_street", False),
        ("ix_user_town", False),
    ]


def test_an_index_said_twice_is_one() -> None:
    found = with_field(Annotated[int, Unique, Index], unique=["x", ("x",)], indexes=["x"])
    assert [index.name for index in found.indexes] == ["ux_user_x"]


def test_an_index_over_the_key_is_none() -> None:
    assert with_field(int, unique=["id"], indexes=["id"]).indexes == ()


def test_a_long_index_name_is_cut_to_what_databases_take_and_stays_unique() -> None:
    names = ["x" * 60, "x" * 59 + "y"]
    found = schema(
        dataclass(type("User", (), {"__annotations__": {"id": int, **dict.fromkeys(names, int)}})), indexes=names
    )
    assert all(len(index.name) <= 63 for index in found.indexes)
    assert len({index.name for index in found.indexes}) == 2


@pytest.mark.parametrize("option", ["indexes", "unique"])
@pytest.mark.parametrize("names", ["y", ("x", "y"), ("x", "x"), ()])
def test_an_index_over_no_such_field_is_refused(option: str, names: Any) -> None:
    with pytest.raises(TypeError, match=f"User: {option}= "):
        with_field(int, **{option: [names]})


# -- versions


def test_a_version_is_known() -> None:
    found = with_field(Annotated[int, Version])
    assert found.version is found.by_name["x"]


@pytest.mark.parametrize("annotation", [Annotated[str, Version], Annotated[int | None, Version]])
def test_a_version_is_a_plain_int(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"User\.x is the Version"):
        with_field(annotation)


def test_two_versions_are_refused() -> None:
    @dataclass
    class User:
        a: Annotated[int, Version]
        b: Annotated[int, Version]
        id: Annotated[int, Key] = auto()

    with pytest.raises(TypeError, match="a and b are both Version"):
        schema(User)


# -- checks


def test_a_check_is_a_rule_on_its_field() -> None:
    (rule,) = with_field(Annotated[int, Check(lambda u: u.x >= 0)]).checks
    assert (rule.name, rule.fields) == ("ck_user_x", ("x",))


def test_several_checks_have_names_of_their_own() -> None:
    found = with_field(
        Annotated[int, Check(lambda u: u.x >= 0), Check(lambda u: u.x < 9), Check(lambda u: u.x != 5, "odd")]
    )
    assert [rule.name for rule in found.checks] == ["ck_user_x", "ck_user_x_2", "odd"]


def test_a_check_of_the_table_is_a_rule_on_the_fields_it_asks_for() -> None:
    (rule,) = with_field(int, checks=[Check(lambda u: u.x > u.id)]).checks
    assert (rule.name, rule.fields) == ("ck_user_x_id", ("x", "id"))


def test_the_predicates_of_a_model_are_its_length_limits_and_its_checks() -> None:
    found = with_field(Annotated[str | None, MaxLength(5), Check(lambda u: u.x != "")])
    limit, check = check_predicates(found)
    assert limit[0].name == "ck_user_x_max_length"
    assert repr(limit[1]) == "User.x.is_null() | (User.x.length() <= 5)"
    assert check[0].name == "ck_user_x"
    assert repr(check[1]) == "User.x != ''"


def test_a_length_limit_of_a_required_text_needs_no_exception() -> None:
    ((_, limit),) = check_predicates(with_field(Annotated[str, MaxLength(5)]))
    assert repr(limit) == "User.x.length() <= 5"


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (lambda u: True, "plain bool True"),
        (lambda u: u.x, "compare it"),
        (lambda u: u.y > 3, "has no field 'y'; its fields are x, id"),
        (lambda u: u.x > "a", "holds int"),
        (lambda u: u.x > MAX_INT + 1, "no row can have"),
    ],
)
def test_a_mistaken_check_is_found_at_decoration(condition: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        with_field(Annotated[int, Check(condition)])


def test_a_check_of_another_models_column_is_refused() -> None:
    other = with_field(int)
    with pytest.raises(TypeError, match="a check sees its own row"):
        with_field(Annotated[int, Check(lambda u: columns(other.model)["x"] > 3)])


# -- inheritance


def test_a_model_inherits_fields_with_their_facts_into_a_table_of_its_own() -> None:
    @dataclass
    class Person:
        name: Annotated[str, MaxLength(9)]
        email: Annotated[str, Unique]
        id: Annotated[int, Key] = auto()

    parent = schema(Person)

    @dataclass
    class Employee(Person):
        salary: int = 0

    child = schema(Employee)
    assert child.table == "employee"
    assert [field.name for field in child.fields] == ["name", "email", "id", "salary"]
    assert child.by_name["name"].max_length == 9
    assert [index.name for index in child.indexes] == ["ux_employee_email"]
    assert child.by_name["name"] is not parent.by_name["name"]


@pytest.mark.parametrize("base", ["attrs", "pydantic", "msgspec"])
def test_every_library_passes_facts_on_to_subclasses(base: str) -> None:
    parent: Any
    child: Any
    if base == "attrs":
        parent = attrs.define(
            type("Parent", (), {"__annotations__": {"id": Annotated[int, Key], "x": Annotated[str, Unique]}})
        )
        child = attrs.define(type("Child", (parent,), {"__annotations__": {"y": int}}))
    elif base == "pydantic":

        class Parent(pydantic.BaseModel):
            id: Annotated[int, Key]
            x: Annotated[str, Unique, pydantic.Field(max_length=5)]

        class Child(Parent):
            y: int

        parent, child = Parent, Child
    else:
        parent = msgspec.defstruct("Parent", [("id", Annotated[int, Key]), ("x", Annotated[str, Unique])])
        child = msgspec.defstruct("Child", [("y", int)], bases=(parent,))
    schema(parent)
    assert [index.name for index in schema(child).indexes] == ["ux_child_x"]


def test_facts_are_found_beneath_pydantics_own() -> None:
    class User(pydantic.BaseModel):
        id: Annotated[int | None, Key] = pydantic.Field(default=None, description="the key")
        email: Annotated[str, Unique] = pydantic.Field(max_length=90)
        name: Annotated[str, MaxLength(5)] | None = None

    found = schema(User)
    assert [index.name for index in found.indexes] == ["ux_user_email"]
    assert found.by_name["name"].max_length == 5
    assert found.key[0].name == "id"


# -- getting at a model


def test_a_class_that_is_no_model_is_refused() -> None:
    with pytest.raises(TypeError, match="int is no model: put @ommi_model on it"):
        schema_of(int)
    with pytest.raises(TypeError, match="a model class is wanted here, not 3"):
        schema_of(3)  # type: ignore[arg-type]


def test_an_undecorated_subclass_is_no_model() -> None:
    parent = with_field(int).model
    child = type("Child", (parent,), {})
    with pytest.raises(TypeError, match="Child is a subclass of the model User but no model itself"):
        schema_of(child)
    with pytest.raises(TypeError, match="no model itself"):
        ref(child)


def test_an_unknown_field_of_a_stand_in_names_the_known_ones() -> None:
    user: Any = ref(with_field(int).model)
    with pytest.raises(AttributeError, match="User has no field 'nmae'; its fields are x, id"):
        user.nmae  # noqa: B018


def test_a_stand_in_cannot_be_set() -> None:
    user: Any = ref(with_field(int).model)
    with pytest.raises(AttributeError, match="this is no row"):
        user.x = 3


def test_actions_on_delete_can_be_written_as_words() -> None:
    assert ReferenceTo("A", on_delete="cascade").on_delete is OnDelete.CASCADE
    assert ReferenceTo("A", on_delete="SET_NULL").on_delete is OnDelete.SET_NULL
    with pytest.raises(ValueError, match="on_delete='vanish' is none of 'restrict', 'cascade', 'set null'"):
        ReferenceTo("A", on_delete="vanish")
