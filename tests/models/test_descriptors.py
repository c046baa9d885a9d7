"""Class access gives a column; the class stays the user's in every other respect."""

import copy
import dataclasses
import pickle
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Optional, TypeVar

import attrs
import msgspec
import pydantic
import pytest

from ommi.models import Key, ModelCollection, auto, column, columns, ommi_model, ref, schema_of
from ommi.query.expressions import Column

HERE = ModelCollection()
model = ommi_model(collection=HERE)


@model
@dataclass
class D:
    name: str
    age: int = 3
    tags: list[str] = field(default_factory=list)
    const: int = field(default=7, init=False)
    id: Annotated[int, Key] = auto()


@model
@dataclass(frozen=True)
class DF:
    name: Annotated[str, Key]
    age: int = 3


@model
@dataclass(slots=True)
class DS:
    name: Annotated[str, Key]
    age: int = 3


@model
@dataclass(slots=True, frozen=True)
class DSF:
    name: Annotated[str, Key]
    age: int = 3


@model
@attrs.define
class A:
    name: Annotated[str, Key]
    age: int = 3


@model
@attrs.frozen
class AF:
    name: Annotated[str, Key]
    age: int = 3


@model
@attrs.define(slots=False)
class AD:
    name: Annotated[str, Key]
    age: int = attrs.field(default=3, validator=attrs.validators.instance_of(int))


@model
class P(pydantic.BaseModel):
    name: Annotated[str, Key]
    age: int = 3


@model
class PV(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(validate_assignment=True)
    name: Annotated[str, Key]
    age: int = 3


@model
class PF(pydantic.BaseModel, frozen=True):
    name: Annotated[str, Key]
    age: int = 3


@model
@pydantic.dataclasses.dataclass
class PD:
    name: Annotated[str, Key]
    age: int = 3


@model
class S(msgspec.Struct):
    name: Annotated[str, Key]
    age: int = 3


@model
class SF(msgspec.Struct, frozen=True):
    name: Annotated[str, Key]
    age: int = 3


@model
class SK(msgspec.Struct, kw_only=True, dict=True, weakref=True):
    name: Annotated[str, Key]
    age: int = 3


ALL = [D, DF, DS, DSF, A, AF, AD, P, PV, PF, PD, S, SF, SK]
FROZEN = [DF, DSF, AF, PF, SF]
MUTABLE = [cls for cls in ALL if cls not in FROZEN]

every = pytest.mark.parametrize("cls", ALL)


@every
def test_class_access_gives_one_column_of_the_class(cls: Any) -> None:
    assert isinstance(cls.age, Column)
    assert cls.age is cls.age
    assert cls.age.schema is schema_of(cls)
    assert cls.age.name == "age"


@every
def test_a_column_is_the_same_however_it_is_come_by(cls: Any) -> None:
    assert ref(cls).age is cls.age
    assert column(cls, "age") is cls.age
    assert columns(cls)["age"] is cls.age


@every
def test_a_comparison_reads_as_it_was_written(cls: Any) -> None:
    assert repr((cls.age > 18) & ~cls.name.starts_with("A")) == (
        f"({cls.__name__}.age > 18) & ~{cls.__name__}.name.starts_with('A')"
    )


@every
def test_an_instance_has_its_values(cls: Any) -> None:
    made = cls(name="Bob")
    assert (made.name, made.age) == ("Bob", 3)
    assert cls(name="Bob", age=4).age == 4


@every
def test_equality_stays(cls: Any) -> None:
    assert cls(name="Bob", age=4) == cls(name="Bob", age=4)
    assert cls(name="Bob", age=4) != cls(name="Bob", age=5)


@every
def test_repr_stays(cls: Any) -> None:
    assert "Bob" in repr(cls(name="Bob"))


@every
def test_a_required_field_stays_required(cls: Any) -> None:
    with pytest.raises((TypeError, pydantic.ValidationError)):
        cls()


@every
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_copying_and_pickling_stay(cls: Any, copied: Any) -> None:
    made = cls(name="Bob", age=4)
    assert copied(made) == made


@every
def test_pattern_matching_stays(cls: Any) -> None:
    match cls(name="x"):
        case cls(name="x", age=age):
            assert age == 3
        case other:
            pytest.fail(f"{other!r} did not match")


@pytest.mark.parametrize("cls", MUTABLE)
def test_a_mutable_instance_can_be_set(cls: Any) -> None:
    made = cls(name="a")
    made.age = 9
    assert made.age == 9
    assert isinstance(cls.age, Column)


@pytest.mark.parametrize("cls", FROZEN)
def test_a_frozen_instance_cannot_be_set(cls: Any) -> None:
    made = cls(name="a")
    with pytest.raises((AttributeError, pydantic.ValidationError)):
        made.age = 9


@pytest.mark.parametrize("cls", [DS, A])
def test_a_slot_can_be_deleted_and_is_then_missing(cls: Any) -> None:
    made = cls(name="a")
    del made.age
    with pytest.raises(AttributeError):
        made.age  # noqa: B018


@pytest.mark.parametrize("cls", [P, PV, PF, PD])
def test_pydantic_still_validates(cls: Any) -> None:
    with pytest.raises(pydantic.ValidationError):
        cls(name="x", age="no")


def test_assignment_is_still_validated() -> None:
    with pytest.raises(pydantic.ValidationError):
        PV(name="x").age = "no"  # type: ignore[assignment]
    with pytest.raises(TypeError):
        AD("x").age = "no"  # type: ignore[assignment]


def test_a_field_without_init_keeps_its_default() -> None:
    assert D(name="x").const == 7


def test_the_libraries_own_functions_stay() -> None:
    assert dataclasses.asdict(D("x"))["age"] == 3
    assert dataclasses.replace(DS("x"), age=5).age == 5
    assert attrs.asdict(A("x")) == {"name": "x", "age": 3}
    assert attrs.evolve(A("x"), age=5).age == 5
    assert P(name="x").model_dump() == {"name": "x", "age": 3}
    assert P(name="x").model_copy(update={"age": 4}).age == 4
    assert P.model_validate_json('{"name": "x"}') == P(name="x")
    assert msgspec.json.decode(msgspec.json.encode(S("x")), type=S) == S("x")
    assert msgspec.structs.replace(SF("x"), age=5).age == 5


def test_pydantics_json_schema_stays() -> None:
    schema = P.model_json_schema()
    assert schema["required"] == ["name"]
    assert schema["properties"]["age"]["default"] == 3


def test_a_value_never_set_is_missing() -> None:
    with pytest.raises(AttributeError):
        P.model_construct().name  # noqa: B018


def test_a_struct_may_have_attributes_beside_its_fields() -> None:
    made = SK(name="x")
    made.other = 5  # type: ignore[attr-defined]
    assert made.other == 5  # type: ignore[attr-defined]


# -- a subclass is no model while its library makes it


def test_a_subclass_of_a_dataclass_has_the_defaults_of_its_parent() -> None:
    @dataclass
    class Sub(D):
        extra: int = 1

    assert Sub("x").age == 3
    assert [f.default for f in dataclasses.fields(Sub) if f.name == "age"] == [3]
    assert Sub.age == 3


@pytest.mark.parametrize(("parent", "options"), [(D, {}), (DS, {"slots": True})])
def test_a_dataclass_field_declared_again_stays_required(parent: Any, options: dict[str, bool]) -> None:
    @dataclass(kw_only=True, **options)
    class Again(parent):  # type: ignore[misc]
        name: Annotated[str, Key]

    with pytest.raises(TypeError):
        Again()
    model(Again)
    with pytest.raises(TypeError):
        Again()
    assert (Again.name.schema.model, Again.age.schema.model) == (Again, Again)
    assert parent.name.schema.model is parent
    assert Again(name="x").name == "x"


def test_an_attrs_field_declared_again_works_with_the_slot_of_its_parent() -> None:
    @attrs.define(kw_only=True)
    class Again(A):
        name: Annotated[str, Key]

    with pytest.raises(TypeError):
        Again()  # type: ignore[call-arg]
    made = Again(name="x")
    made.name = "y"
    assert (made.name, made.age) == ("y", 3)
    assert A.name.schema.model is A  # type: ignore[attr-defined]
    model(Again)
    assert Again.name.schema.model is Again  # type: ignore[attr-defined]
    assert Again(name="z").name == "z"


def test_a_subclass_of_a_slots_model_has_no_columns_until_it_is_a_model() -> None:
    @attrs.define
    class Sub(A):
        extra: int = 1

    with pytest.raises(AttributeError):
        Sub.age  # noqa: B018
    assert Sub("x").age == 3


def test_a_pydantic_field_declared_again_stays_required_and_warns_of_nothing() -> None:
    class Again(P):
        name: str

    with pytest.raises(pydantic.ValidationError):
        Again()  # type: ignore[call-arg]
    assert Again(name="x").age == 3


def test_a_subclass_of_a_pydantic_model_keeps_its_fields() -> None:
    class Sub(P):
        extra: int = 1

    with pytest.raises(pydantic.ValidationError):
        Sub()  # type: ignore[call-arg]
    assert Sub.model_fields["age"].default == 3
    assert Sub.model_fields["name"].is_required()
    model(Sub)
    assert Sub.age.schema.model is Sub  # type: ignore[attr-defined]
    assert P.age.schema.model is P  # type: ignore[attr-defined]


def test_a_struct_field_declared_again_stays_required() -> None:
    class Again(S, kw_only=True):
        name: Annotated[str, Key]

    with pytest.raises(TypeError):
        Again()
    model(Again)
    assert Again(name="x").age == 3
    assert Again.age.schema.model is Again  # type: ignore[attr-defined]


def test_a_pydantic_model_with_a_forward_reference_can_be_rebuilt() -> None:
    @model
    class Node(pydantic.BaseModel):
        name: Annotated[str, Key]
        next: Optional["Node"] = None

    assert Node.model_rebuild() is not False
    made = Node(name="x", next=Node(name="y"))
    assert made.next == Node(name="y")
    assert isinstance(Node.next, Column)


def test_a_generic_pydantic_model_can_still_be_given_its_type() -> None:
    T = TypeVar("T")

    class Box(pydantic.BaseModel, Generic[T]):
        item: T
        id: Annotated[int | None, Key] = None

    whole = model(Box[int])
    with pytest.raises(pydantic.ValidationError):
        whole()  # type: ignore[call-arg]
    assert whole(item=1).item == 1
    assert isinstance(whole.item, Column)


def test_a_model_may_be_decorated_again() -> None:
    @dataclass
    class Twice:
        name: str
        age: int = 3
        id: Annotated[int, Key] = auto()

    first, second = ModelCollection(), ModelCollection()
    ommi_model(collection=first)(Twice)
    ommi_model(collection=second)(Twice)
    assert Twice("x").age == 3
    assert isinstance(Twice.age, Column)
    assert schema_of(Twice) in second.schemas


def test_a_property_behind_a_field_stays() -> None:
    @dataclass
    class Account:
        name: str
        id: Annotated[int, Key] = auto()

    def put(account: Any, value: str) -> None:
        account.__dict__["_name"] = value.strip()

    Account.name = property(lambda account: account.__dict__["_name"], put)  # type: ignore[assignment]
    model(Account)
    assert Account(" Ada ").name == "Ada"
    assert isinstance(Account.name, Column)
    codec = schema_of(Account).codec
    assert codec.build(codec.read(Account(" Ada ", 1))) == Account("Ada", 1)


def test_a_column_held_by_another_class_is_just_held() -> None:
    class Holder:
        column = DS.age

    assert Holder.column is DS.age
    assert Holder().column is DS.age


def test_an_instance_with_a_dict_is_read_without_python_code() -> None:
    found = D.__dict__["age"]
    assert not hasattr(type(found), "__set__"), "a data descriptor would come before the instance's own value"
