"""Rows of instances, and instances of rows: what is refused, and which of a class's own code runs."""

import dataclasses
import math
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum
from enum import auto as number
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest

from ommi.errors import DecodeError, EncodeError
from ommi.models import Key, ModelCollection, Naive, ServerDefault, auto, ommi_model, schema_of
from ommi.values import DEFAULT, MAX_INT, Form, Kind, Storage

model = ommi_model(collection=ModelCollection())


def read(instance: Any) -> tuple[Any, ...]:
    return schema_of(type(instance)).codec.read(instance)


def build(cls: type[Any], *row: Any) -> Any:
    return schema_of(cls).codec.build(row)


def fill(instance: Any, **values: Any) -> None:
    schema = schema_of(type(instance))
    schema.codec.fill([schema.by_name[name] for name in values], [instance], [tuple(values.values())])


def holding(annotation: Any) -> Any:
    """A model with one field `x` besides its key."""
    plain = type("User", (), {"__annotations__": {"x": annotation, "id": int}, "__module__": __name__})
    return model(dataclass(plain))


class Color(Enum):
    RED = "red"
    CRIMSON = "red"  # noqa: PIE796  # an alias
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Right(Flag):
    READ = number()
    WRITE = number()


@dataclass
class Address:
    street: str
    number: int = 1
    door: str | None = None


# -- reading


@pytest.mark.parametrize(
    ("annotation", "value", "said"),
    [
        (int, "3", r"User\.x: int expected, not str '3'"),
        (int, True, r"User\.x: int expected, not bool True"),
        (int, Level.LOW, r"User\.x: int expected, not Level"),
        (int, MAX_INT + 1, r"User\.x: 9223372036854775808 does not fit 64 bits"),
        (float, math.nan, r"User\.x: nan cannot be stored"),
        (float, 2**63 + 1, r"User\.x: .*cannot be a float without loss"),
        (bool, 1, r"User\.x: bool expected, not int 1"),
        (str, "a\0b", r"User\.x: a text with the character NUL"),
        (str, "\ud800", r"User\.x: a text with a lone surrogate"),
        (str, b"a", r"User\.x: str expected, not bytes"),
        (bytes, bytearray(b"a"), r"User\.x: bytes expected, not bytearray"),
        (Decimal, Decimal("nan"), r"User\.x: NaN cannot be stored"),
        (datetime, datetime(2024, 1, 1), r"User\.x: .*has no time zone"),  # noqa: DTZ001
        (Annotated[datetime, Naive], datetime(2024, 1, 1, tzinfo=UTC), r"User\.x: .*is declared Naive"),
        (date, datetime(2024, 1, 1), r"User\.x: date expected, not datetime"),  # noqa: DTZ001
        (time, time(1, tzinfo=UTC), r"User\.x: .*has a time zone"),
        (timedelta, timedelta.max, r"User\.x: .*does not fit 64 bits of microseconds"),
        (UUID, "1", r"User\.x: UUID expected, not str"),
        (Color, "red", r"User\.x: Color expected, not str 'red'"),
        (Literal["a", "b"], "c", r"User\.x: 'c' is none of Literal\['a', 'b'\]"),
        (Literal[1, 2], True, r"User\.x: True is none of"),
        (list[int], (1, 2), r"User\.x: list expected, not tuple"),
        (list[int], [1, "2"], r"User\.x\[1\]: int expected, not str '2'"),
        (list[list[int]], [[1], [1, None]], r"User\.x\[1\]: \[1\]: int expected, not NoneType"),
        (dict[str, int], {"a": "b"}, r"User\.x\['a'\]: int expected"),
        (dict[str, int], {1: 1}, r"User\.x\[1\]: str expected, not int 1"),
        (dict[str, Any], {"a": {1, 2}}, r"User\.x\['a'\]: set .*cannot be stored"),
        (dict[str, float], {"a": math.nan}, r"User\.x\['a'\]: nan cannot be stored"),
        (Address, {"street": "a"}, r"User\.x: Address expected, not dict"),
        (Address, Address("a", "b"), r"User\.x\.number: int expected, not str 'b'"),  # type: ignore[arg-type]
        (list[Address], [Address("a"), Address("\0")], r"User\.x\[1\]: \.street: a text with the character NUL"),
    ],
)
def test_a_value_that_cannot_be_kept_is_refused_with_its_field(annotation: Any, value: Any, said: str) -> None:
    cls = holding(annotation)
    with pytest.raises(EncodeError, match=said) as caught:
        read(cls(value, 1))
    assert caught.value.facts == {"model": cls, "field": "x"}


@pytest.mark.parametrize(
    ("annotation", "value", "canonical"),
    [
        (float, 3, 3.0),
        (float, math.inf, math.inf),
        (str, "ß€😀", "ß€😀"),
        (Decimal, Decimal("1.500"), Decimal("1.5")),
        (Color, Color.CRIMSON, "red"),
        (Level, Level.HIGH, 2),
        (Right, Right.READ | Right.WRITE, 3),
        (Literal[Color.RED, Color.BLUE], Color.BLUE, "blue"),
        (list[float], [1, math.inf, -math.inf], [1.0, "Infinity", "-Infinity"]),
        (list[bytes], [b"\xff\0"], ["/wA="]),
        (list[timedelta], [timedelta(seconds=1)], [1_000_000]),
        (list[Decimal], [Decimal("1E+3")], ["1E+3"]),
        (list[UUID], [UUID(int=1)], ["00000000-0000-0000-0000-000000000001"]),
        (list[time], [time(1, 2, 3)], ["01:02:03"]),
        (Address, Address("a"), {"street": "a", "number": 1, "door": None}),
    ],
)
def test_a_value_has_its_canonical_form(annotation: Any, value: Any, canonical: Any) -> None:
    cls = holding(annotation)
    found = read(cls(value, 1))[0]
    assert found == canonical
    assert type(found) is type(canonical)
    assert build(cls, found, 1).x == value


def test_a_negative_zero_becomes_zero() -> None:
    assert math.copysign(1, read(holding(float)(-0.0, 1))[0]) == 1


def test_an_aware_datetime_becomes_utc() -> None:
    there = timezone(timedelta(hours=2))
    found = read(holding(datetime)(datetime(2024, 1, 1, 12, tzinfo=there), 1))[0]
    assert (found.hour, found.tzinfo) == (10, UTC)


def test_a_structure_is_copied_when_it_is_read_and_when_it_is_built() -> None:
    cls = holding(dict[str, Any])
    value: dict[str, Any] = {"a": [1]}
    (canonical, _) = read(cls(value, 1))
    value["a"].append(2)
    assert canonical == {"a": [1]}
    built = build(cls, canonical, 1)
    built.x["a"].append(3)
    assert canonical == {"a": [1]}


def test_a_structure_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(EncodeError, match=r"User\.x: a structure that contains itself"):
        read(holding(list[Any])(value, 1))


def test_a_missing_value_is_none_where_it_may_be_missing() -> None:
    assert read(holding(int | None)(None, 1)) == (None, 1)


def test_a_missing_required_value_is_left_for_the_database_to_refuse() -> None:
    assert read(holding(int)(None, 1)) == (None, 1)


def test_the_database_assigns_what_has_a_default_there() -> None:
    assert read(holding(Annotated[int, ServerDefault("1")])(None, 1)) == (DEFAULT, 1)
    assert read(holding(Annotated[int, ServerDefault("1")])(5, 1)) == (5, 1)


def test_none_for_a_nullable_field_with_a_default_there_is_written() -> None:
    assert read(holding(Annotated[int | None, ServerDefault("1")])(None, 1)) == (None, 1)


def test_a_missing_generated_key_is_assigned_and_a_missing_other_key_is_not() -> None:
    assert read(holding(int)(1, None)) == (1, DEFAULT)

    @model
    @dataclass
    class Named:
        name: Annotated[str, Key]

    assert read(Named(None)) == (None,)  # type: ignore[arg-type]


def test_an_attribute_that_was_never_set_is_named() -> None:
    @model
    class User(pydantic.BaseModel):
        name: str
        id: Annotated[int | None, Key] = None

    with pytest.raises(EncodeError, match=r"User\.name was never set on this instance"):
        read(User.model_construct())


def test_extra_values_of_pydantic_are_not_dropped_in_silence() -> None:
    @model
    class User(pydantic.BaseModel, extra="allow"):
        id: Annotated[int, Key]

    assert read(User(id=1)) == (1,)
    with pytest.raises(EncodeError, match="User has the extra values nick, which no column keeps"):
        read(User(id=1, nick="x"))  # type: ignore[call-arg]


# -- nested models


def test_a_nested_key_that_is_missing_takes_the_default_or_none() -> None:
    assert build(holding(Address), {"street": "a"}, 1).x == Address("a", 1, None)


def test_a_nested_optional_without_a_default_may_be_missing() -> None:
    @dataclass
    class Inner:
        a: int | None

    assert build(holding(Inner), {}, 1).x == Inner(None)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({}, r"\.street is missing"),
        ({"street": "a", "floor": 2}, "Address has no field floor"),
        ({"street": 1}, r"\.street: str expected, not int 1"),
        (["a"], "dict expected, not list"),
    ],
)
def test_a_nested_structure_that_does_not_fit_is_refused(stored: Any, said: str) -> None:
    field = schema_of(holding(Address)).by_name["x"]
    assert field.type.load is not None
    with pytest.raises((ValueError, TypeError), match=said):
        field.type.load(stored)


@pytest.mark.parametrize(
    ("annotation", "stored"),
    [
        (list[int], [1.0]),
        (list[int], [True]),
        (list[float], ["nan"]),
        (list[float], [True]),
        (list[str], [1]),
        (list[bytes], ["?"]),
        (list[Decimal], ["x"]),
        (list[Decimal], ["NaN", 1]),
        (list[datetime], ["2024-01-01T00:00:00"]),
        (list[Annotated[datetime, Naive]], ["2024-01-01T00:00:00+00:00"]),
        (list[date], [1]),
        (list[UUID], ["x"]),
        (list[timedelta], ["1"]),
        (list[Color], ["green"]),
        (list[Color], [None]),
        (dict[str, int], {1: 1}),
        (list[dict[str, Any]], [{"a": {1}}]),
    ],
)
def test_a_stored_element_that_does_not_fit_is_refused(annotation: Any, stored: Any) -> None:
    field = schema_of(holding(annotation)).by_name["x"]
    assert field.type.load is not None
    with pytest.raises((ValueError, TypeError)):
        field.type.load(stored)


def test_a_list_field_knows_its_elements() -> None:
    element = schema_of(holding(list[Color | None])).by_name["x"].type.element
    assert element is not None
    assert element.kind is Kind.JSON
    assert element.dump(Color.RED) == "red"
    assert element.dump(None) is None
    assert element.accepts == (Color, type(None))
    assert schema_of(holding(dict[str, int])).by_name["x"].type.element is None


@pytest.mark.parametrize(
    ("annotation", "accepts"),
    [
        (int, (int,)),
        (float, (float, int)),
        (Color, (Color,)),
        (Literal["a"], (str,)),
        (list[int], (list,)),
        (dict[str, int], (dict,)),
        (Address, (Address,)),
        (datetime, (datetime,)),
    ],
)
def test_a_type_knows_the_classes_it_takes(annotation: Any, accepts: tuple[type, ...]) -> None:
    assert schema_of(holding(annotation)).by_name["x"].type.accepts == accepts


# -- building


def test_post_init_runs_and_sees_the_values() -> None:
    seen: list[str] = []

    @model
    @dataclass(frozen=True)
    class User:
        name: str
        id: Annotated[int, Key] = auto()

        def __post_init__(self) -> None:
            seen.append(self.name)

    assert build(User, "Ada", 1) == User("Ada", 1)
    assert seen == ["Ada", "Ada"]


def test_post_init_may_take_what_is_not_stored_if_it_has_a_default() -> None:
    @model
    @dataclass
    class User:
        name: str
        id: Annotated[int, Key] = auto()
        seed: InitVar[int] = 5

        def __post_init__(self, seed: int) -> None:
            self.seeded = seed

    assert build(User, "Ada", 1).seeded == 5


def test_fields_without_init_are_restored() -> None:
    @model
    @dataclass
    class User:
        name: str
        visits: int = field(default=0, init=False)
        id: Annotated[int, Key] = auto()

        def __post_init__(self) -> None:
            self.visits = -1

    assert build(User, "Ada", 7, 1).visits == 7


def test_a_constructor_of_the_users_own_is_not_called() -> None:
    @model
    @dataclass(init=False)
    class User:
        first: str
        id: Annotated[int, Key] = auto()

        def __init__(self, whole_name: str) -> None:
            self.first = whole_name.split()[0]
            self.id = auto()

    assert build(User, "Ada", 1).first == "Ada"
    assert read(User("Ada Lovelace")) == ("Ada", DEFAULT)


def test_a_class_with_its_own_new_is_made_without_it() -> None:
    @model
    @dataclass
    class User:
        name: str
        id: Annotated[int, Key] = auto()

        def __new__(cls, *args: Any) -> Self:
            raise AssertionError

    assert build(User, "Ada", 1).name == "Ada"


def test_a_setattr_of_the_users_own_runs_as_in_the_constructor() -> None:
    @model
    @dataclass
    class User:
        name: str
        id: Annotated[int, Key] = auto()

        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            object.__setattr__(self, f"{name}_was_set", True)

    assert build(User, "Ada", 1).name_was_set


def test_converters_and_validators_of_attrs_do_not_change_what_was_stored() -> None:
    @model
    @attrs.define
    class User:
        name: str = attrs.field(converter=str.upper)
        age: int = attrs.field(validator=attrs.validators.ge(18))
        id: Annotated[int, Key] = auto()

    made = build(User, "ada", 3, 1)
    assert (made.name, made.age) == ("ada", 3)


def test_initialisation_of_attrs_runs() -> None:
    @model
    @attrs.frozen
    class User:
        name: str
        id: Annotated[int, Key] = auto()
        length: int = attrs.field(init=False)

        def __attrs_post_init__(self) -> None:
            object.__setattr__(self, "length", len(self.name))

    assert build(User, "Ada", 1, 9).length == 9
    assert User("Ada").length == 3


def test_a_private_attribute_of_attrs_is_stored_under_its_name() -> None:
    @model
    @attrs.define
    class User:
        _name: str
        age: int = attrs.field(alias="years", kw_only=True)
        id: Annotated[int, Key] = auto()

        def __attrs_post_init__(self) -> None: ...

    assert read(User("Ada", 1, years=36)) == ("Ada", 36, 1)
    assert build(User, "Ada", 36, 1) == User("Ada", 1, years=36)


def test_a_cached_hash_of_attrs_works_on_a_built_instance() -> None:
    @model
    @attrs.frozen(cache_hash=True)
    class User:
        name: Annotated[str, Key]

    assert hash(build(User, "Ada")) == hash(User("Ada"))


def test_pydantic_is_not_validated_unless_asked() -> None:
    class User(pydantic.BaseModel):
        name: str = pydantic.Field(min_length=3)
        id: Annotated[int | None, Key] = None

    assert build(ommi_model(collection=ModelCollection())(User), "A", 1).name == "A"
    ommi_model(collection=ModelCollection(), validate=True)(User)
    assert build(User, "Ada", 1).name == "Ada"
    with pytest.raises(pydantic.ValidationError):
        build(User, "A", 1)


def test_what_pydantic_keeps_beside_the_values_is_there() -> None:
    @model
    class User(pydantic.BaseModel):
        name: str
        id: Annotated[int | None, Key] = None

    first, second = build(User, "Ada", 1), build(User, "Ada", 1)
    assert first == second == User(name="Ada", id=1)
    assert first.model_fields_set == {"name", "id"}
    first.model_fields_set.clear()
    assert second.model_fields_set == {"name", "id"}
    assert first.model_dump() == {"name": "Ada", "id": 1}
    assert first.model_copy(update={"name": "Eve"}).name == "Eve"
    assert first.model_extra is None


def test_private_attributes_and_post_init_of_pydantic_work() -> None:
    @model
    class User(pydantic.BaseModel):
        name: str
        id: Annotated[int | None, Key] = None
        _seen: list[str] = pydantic.PrivateAttr(default_factory=list)

        def model_post_init(self, context: Any, /) -> None:
            super().model_post_init(context)
            self._seen.append(self.name)

    assert build(User, "Ada", 1)._seen == ["Ada"]


@pytest.mark.parametrize("validate", [False, True])
def test_aliases_of_pydantic_do_not_matter(validate: bool) -> None:
    @ommi_model(collection=ModelCollection(), validate=validate)
    class User(pydantic.BaseModel):
        name: str = pydantic.Field(alias="age")
        age: int = pydantic.Field(alias="name")
        id: Annotated[int | None, Key] = None

    assert build(User, "Ada", 36, 1) == User.model_validate({"age": "Ada", "name": 36, "id": 1})


def test_a_pydantic_dataclass_with_an_alias_and_initialisation_is_built() -> None:
    @model
    @pydantic.dataclasses.dataclass
    class User:
        name: str = pydantic.Field(alias="full-name")
        id: Annotated[int | None, Key] = None

        def __post_init__(self) -> None:
            self.seen = self.name

    assert build(User, "Ada", 1).seen == "Ada"


def test_cached_properties_are_not_stored() -> None:
    @model
    class User(pydantic.BaseModel):
        id: Annotated[int, Key]

        @cached_property
        def twice(self) -> int:
            return self.id * 2

    made = User(id=1)
    assert made.twice == 2
    assert read(made) == (1,)


@pytest.mark.parametrize("validate", [False, True])
def test_names_and_tags_of_msgspec_do_not_matter(validate: bool) -> None:
    @ommi_model(collection=ModelCollection(), validate=validate)
    class User(msgspec.Struct, rename="camel", tag="user", omit_defaults=True):
        full_name: str
        id: Annotated[int | None, Key] = None

    assert [f.column for f in schema_of(User).fields] == ["full_name", "id"]
    assert build(User, "Ada", 1) == User("Ada", 1)


def test_msgspec_is_validated_when_asked() -> None:
    @ommi_model(collection=ModelCollection(), validate=True)
    class User(msgspec.Struct):
        name: Annotated[str, Key, msgspec.Meta(min_length=3)]

    assert build(User, "Ada") == User("Ada")
    with pytest.raises(msgspec.ValidationError):
        build(User, "A")


def test_attrs_is_validated_when_asked() -> None:
    @ommi_model(collection=ModelCollection(), validate=True)
    @attrs.frozen
    class User:
        age: int = attrs.field(validator=attrs.validators.ge(18))
        id: Annotated[int, Key] = auto()

    assert build(User, 18, 1).age == 18
    with pytest.raises(ValueError, match="must be >= 18"):
        build(User, 3, 1)


def test_a_subclass_of_slots_with_a_dict_of_its_own_is_built() -> None:
    @dataclass(frozen=True, slots=True)
    class Parent:
        name: str

    @model
    @dataclass(frozen=True)
    class User(Parent):
        id: Annotated[int, Key] = auto()

    made = build(User, "Ada", 1)
    assert made == User("Ada", 1)
    assert made.__dict__ == {"id": 1}


def test_a_mutable_instance_with_a_default_factory_does_not_share_it() -> None:
    assert build(holding(list[int]), [1], 1).x is not build(holding(list[int]), [1], 1).x


# -- filling


def test_fill_sets_what_the_database_assigned(everything: Any, kinds: Any) -> None:
    schema = schema_of(everything)
    frozen = schema.codec.blueprint.frozen  # type: ignore[attr-defined]
    made = example(everything, kinds)
    schema.codec.fill([schema.by_name["id"], schema.by_name["color"]], [made], [(42, "blue")])
    assert (made.id, made.color) == ((1, kinds.Color.RED) if frozen else (42, kinds.Color.BLUE))


def example(everything: Any, kinds: Any) -> Any:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    address = kinds.Address(kinds.Street("a"), date(2024, 1, 1), 1.0, {})
    return everything(
        name="a",
        count=1,
        ratio=1.0,
        on=True,
        raw=b"",
        price=Decimal(1),
        at=moment,
        local=moment.replace(tzinfo=None),
        day=moment.date(),
        hour=time(1),
        span=timedelta(1),
        token=UUID(int=1),
        color=kinds.Color.RED,
        level=kinds.Level.LOW,
        mode="a",
        code="a",
        note=None,
        moment=None,
        tags=[],
        scores={},
        spans=[],
        home=address,
        homes=[],
        point=None,
        tag=kinds.Tag("a", b""),
        anything={},
        id=1,
    )


def test_fill_runs_no_validator() -> None:
    @model
    class User(pydantic.BaseModel, validate_assignment=True):
        name: str = ""
        id: Annotated[int | None, Key] = None

        @pydantic.model_validator(mode="after")
        def refuse(self) -> "User":
            if self.id is not None:
                raise ValueError
            return self

    made = User(name="Ada")
    fill(made, id=5)
    assert made.id == 5
    assert made.model_fields_set == {"name", "id"}


def test_fill_leaves_a_frozen_field_of_a_mutable_class() -> None:
    @model
    @attrs.define
    class User:
        name: str = attrs.field(on_setattr=attrs.setters.frozen)
        id: Annotated[int, Key] = auto()

    made = User("Ada")
    fill(made, name="Eve", id=5)
    assert made == User("Ada", 5)


def test_fill_can_set_none() -> None:
    made = holding(Color | None)(Color.RED, 1)
    fill(made, x=None)
    assert made.x is None


# -- validation on loading becomes a DecodeError


def test_a_row_that_validation_refuses_is_a_decode_error() -> None:
    @ommi_model(collection=ModelCollection(), validate=True)
    class User(pydantic.BaseModel):
        name: str = pydantic.Field(min_length=3)
        id: Annotated[int | None, Key] = None

    storage = Storage("plain", {Kind.STR: Form(str), Kind.INT: Form(int)})
    with pytest.raises(DecodeError, match="the row of user with the key 1 cannot be made a User") as caught:
        schema_of(User).codec.reader(storage)([("A", 1)])
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)


def test_the_codec_of_a_model_leaves_its_instances_as_they_are() -> None:
    made = holding(int)(1, 1)
    before = dataclasses.asdict(made)
    read(made)
    assert dataclasses.asdict(made) == before
