"""Groups of models, and the references between them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any
from uuid import UUID

import pytest

from ommi.models import (
    Key,
    ModelCollection,
    OnDelete,
    ReferenceTo,
    Unique,
    auto,
    global_collection,
    ommi_model,
    ordered,
    schema_of,
)
from ommi.schema import Reference


def declare(collection: ModelCollection, name: str, table: str | None = None, **fields: Any) -> Any:
    """A model of this module with the fields and a generated key `id`, unless one of them is a key."""
    annotations = {**fields} if any("Key" in str(a) for a in fields.values()) else {**fields, "id": Annotated[int, Key]}
    plain = type(name, (), {"__annotations__": annotations, "__module__": __name__})
    return ommi_model(collection=collection, name=table)(dataclass(plain))


def reference(model: Any) -> Reference:
    (found,) = schema_of(model).references
    return found


def resolved(model: Any) -> tuple[Any, list[str]]:
    schema, fields = reference(model).target()
    return schema.model, [field.name for field in fields]


# -- collections


def test_models_are_kept_in_the_order_they_were_declared() -> None:
    here = ModelCollection()
    b, a = declare(here, "B"), declare(here, "A")
    assert list(here) == [b, a]
    assert here.names == ("B", "A")
    assert here.schemas == (schema_of(b), schema_of(a))
    assert len(here) == 2
    assert b in here
    assert repr(here) == "ModelCollection(B, A)"


def test_a_collection_can_be_made_of_models() -> None:
    a = declare(ModelCollection(), "A")
    assert list(ModelCollection(a)) == [a]
    with pytest.raises(TypeError, match="int is no model"):
        ModelCollection(int)


def test_a_model_that_names_no_collection_is_in_the_global_one() -> None:
    @ommi_model
    @dataclass
    class OfTheGlobalCollection:
        id: Annotated[int, Key] = auto()

    assert OfTheGlobalCollection in global_collection()


def test_a_class_declared_again_takes_the_place_of_the_older_one() -> None:
    here = ModelCollection()
    older, newer = declare(here, "User"), declare(here, "User", age=int)
    assert list(here) == [newer]
    assert older not in here


def test_two_models_of_one_module_with_one_table_are_refused() -> None:
    here = ModelCollection()
    declare(here, "User")
    with pytest.raises(TypeError, match=r"User and .*Person would both have the table 'USER'.*name=…"):
        declare(here, "Person", table="USER")


def test_two_models_of_two_modules_with_one_table_are_refused_when_the_tables_are_needed() -> None:
    here = ModelCollection()
    declare(here, "User")
    elsewhere = type("User", (), {"__annotations__": {"id": int}, "__module__": "elsewhere"})
    ommi_model(collection=here)(dataclass(elsewhere))
    with pytest.raises(TypeError, match=r"User and elsewhere\.User would both have the table 'user'"):
        ordered(here)


def test_models_of_a_function_make_room_for_those_of_another() -> None:
    here = ModelCollection()

    def one() -> None:
        @ommi_model(collection=here)
        @dataclass
        class User:
            id: Annotated[int, Key] = auto()

        @ommi_model(collection=here)
        @dataclass
        class Post:
            user: Annotated[int, ReferenceTo(User)]
            id: Annotated[int, Key] = auto()

    def two() -> type:
        @ommi_model(collection=here)
        @dataclass
        class User:
            name: Annotated[str, Key]

        return User

    one()
    one()
    assert here.names == ("User", "Post")
    newer = two()
    assert list(here) == [newer]


def test_two_indexes_of_one_name_are_refused() -> None:
    here = ModelCollection()
    declare(here, "A", table="a", b_c=Annotated[int, Unique])
    declare(here, "AB", table="a_b", c=Annotated[int, Unique])
    with pytest.raises(TypeError, match="A and AB would both have the index ux_a_b_c"):
        ordered(here)


# -- order


def test_models_are_ordered_after_those_they_refer_to() -> None:
    here = ModelCollection()
    c = declare(here, "C", b=Annotated[int, ReferenceTo("B")], a=Annotated[int, ReferenceTo("A")])
    b = declare(here, "B", a=Annotated[int, ReferenceTo("A")])
    lone = declare(here, "Lone")
    a = declare(here, "A")
    assert [schema.model for schema in ordered(here)] == [a, b, c, lone]


def test_models_that_refer_to_each_other_or_themselves_are_ordered_too() -> None:
    here = ModelCollection()
    a = declare(here, "A", b=Annotated[int, ReferenceTo("B")], mine=Annotated[int, ReferenceTo("A")])
    b = declare(here, "B", a=Annotated[int, ReferenceTo("A")])
    assert {schema.model for schema in ordered(here)} == {a, b}


def test_a_long_chain_of_references_is_ordered() -> None:
    here = ModelCollection()
    last = sys.getrecursionlimit() + 10
    for i in range(last):
        declare(here, f"M{i}", next=Annotated[int, ReferenceTo(f"M{i + 1}")])
    declare(here, f"M{last}")
    assert [schema.name for schema in ordered(here)] == [f"M{i}" for i in range(last, -1, -1)]


def test_a_model_outside_the_collection_is_left_out() -> None:
    user = declare(ModelCollection(), "User")
    here = ModelCollection()
    post = declare(here, "Post", user=Annotated[int, ReferenceTo(user)])
    assert [schema.model for schema in ordered(here)] == [post]


# -- references


@pytest.mark.parametrize(
    "said",
    [lambda user: user, lambda user: user.id, lambda user: "User", lambda user: "User.id", lambda user: lambda: user],
    ids=["model", "column", "name", "name of field", "function"],
)
def test_a_reference_is_said_in_five_ways(said: Callable[[Any], object]) -> None:
    here = ModelCollection()
    user = declare(here, "User")
    post = declare(here, "Post", author=Annotated[int, ReferenceTo(said(user), on_delete="cascade", enforced=False)])
    assert resolved(post) == (user, ["id"])
    found = reference(post)
    assert (found.name, found.on_delete, found.enforced) == ("fk_post_author", OnDelete.CASCADE, False)


def test_a_name_may_be_declared_later() -> None:
    here = ModelCollection()
    post = declare(here, "Post", author=Annotated[int, ReferenceTo("User")])
    user = declare(here, "User")
    assert resolved(post) == (user, ["id"])


def test_a_name_means_the_newest_class_of_that_name() -> None:
    here = ModelCollection()
    post = declare(here, "Post", author=Annotated[int, ReferenceTo("User")])
    declare(here, "User")
    reference(post).target()
    newer = declare(here, "User", age=int)
    assert resolved(post)[0] is newer


def test_a_reference_may_lead_to_a_unique_field() -> None:
    here = ModelCollection()
    user = declare(here, "User", email=Annotated[str, Unique])
    post = declare(here, "Post", author=Annotated[str, ReferenceTo(user.email)])
    assert resolved(post) == (user, ["email"])


@pytest.mark.parametrize("forward", [False, True])
def test_references_to_all_fields_of_a_composite_key_are_one(forward: bool) -> None:
    here = ModelCollection()
    member = declare(here, "Member", group=Annotated[int, Key], user=Annotated[str, Key])
    group, user = ("Member.group", "Member.user") if forward else (member.group, member.user)
    post = declare(
        here,
        "Post",
        by_user=Annotated[str, ReferenceTo(user)],
        text=str,
        by_group=Annotated[int, ReferenceTo(group)],
    )
    found = reference(post)
    assert found.name == "fk_post_by_user_by_group"
    assert [field.name for field in found.fields] == ["by_user", "by_group"]
    assert resolved(post) == (member, ["user", "group"])


def test_two_references_to_one_composite_key_are_two() -> None:
    here = ModelCollection()
    at = declare(here, "Place", x=Annotated[int, Key], y=Annotated[int, Key])
    x, y = Annotated[int, ReferenceTo(at.x)], Annotated[int, ReferenceTo(at.y)]
    road = declare(here, "Road", from_x=x, from_y=y, to_x=x, to_y=y)
    names = [[field.name for field in found.fields] for found in schema_of(road).references]
    assert names == [["from_x", "from_y"], ["to_x", "to_y"]]


def test_two_references_to_one_model_are_two() -> None:
    here = ModelCollection()
    declare(here, "User")
    mail = declare(here, "Mail", to=Annotated[int, ReferenceTo("User.id")], by=Annotated[int, ReferenceTo("User.id")])
    assert [found.name for found in schema_of(mail).references] == ["fk_mail_to", "fk_mail_by"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (int, "int is no model, put @ommi_model on it"),
        (3, r"takes a model, one of its columns, a name or a function, not 3"),
        ("app.models.User", r"write 'Other' or 'Other\.field'"),
    ],
)
def test_a_reference_that_can_lead_nowhere_is_refused_at_once(target: object, said: str) -> None:
    with pytest.raises(TypeError, match=f"Post\\.author: .*{said}"):
        declare(ModelCollection(), "Post", author=Annotated[int, ReferenceTo(target)])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("Usr", r"its collection has no model 'Usr' \(it has User, Member, Post\)"),
        ("User.nmae", "User has no field 'nmae'; its fields are email, age, id"),
        ("User.age", "User.age is neither the key nor unique"),
        ("User.email", r"author holds int and User\.email holds str"),
        ("Member", r"the key of Member has 2 fields.*ReferenceTo\(Member\.group\), ReferenceTo\(Member\.user\)"),
        ("Member.user", "Member.user is neither the key nor unique.*its key is group, user, refer to all of it"),
        (lambda: missing, "name 'missing' is not defined"),  # type: ignore[name-defined]  # noqa: F821
        (lambda: 3, "gave 3, which is no model or column"),
        (lambda: int, "int is no model"),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused_when_it_is_followed(target: Any, said: str) -> None:
    here = ModelCollection()
    declare(here, "User", email=Annotated[str, Unique], age=int)
    declare(here, "Member", group=Annotated[int, Key], user=Annotated[int, Key])
    post = declare(here, "Post", author=Annotated[int, ReferenceTo(target)])
    with pytest.raises(TypeError, match=said):
        reference(post).target()


def test_a_reference_to_a_known_model_is_checked_at_decoration() -> None:
    user = declare(ModelCollection(), "User")
    with pytest.raises(TypeError, match=r"author holds UUID and User\.id holds int"):
        declare(ModelCollection(), "Post", author=Annotated[UUID, ReferenceTo(user)])


def test_a_name_that_several_models_have_is_refused() -> None:
    here = ModelCollection()
    for module in ("one", "two"):
        plain = make_dataclass("User", [("id", int)])
        plain.__module__ = module
        ommi_model(collection=here, name=f"user_{module}")(plain)
    post = declare(here, "Post", author=Annotated[int, ReferenceTo("User")])
    with pytest.raises(TypeError, match="several models have that name; write lambda: User"):
        reference(post).target()


def test_setting_null_needs_a_field_that_may_be_missing() -> None:
    with pytest.raises(TypeError, match=r"Post\.author: on_delete='set null' needs a field that may be missing"):
        declare(ModelCollection(), "Post", author=Annotated[int, ReferenceTo("User", on_delete="set null")])
    here = ModelCollection()
    declare(here, "Post", author=Annotated[int | None, ReferenceTo("User", on_delete="set null")])


def test_the_parts_of_a_reference_must_agree() -> None:
    here = ModelCollection()
    member = declare(here, "Member", group=Annotated[int, Key], user=Annotated[int, Key])
    with pytest.raises(TypeError, match="must agree in on_delete and enforced"):
        declare(
            here,
            "Post",
            a=Annotated[int, ReferenceTo(member.group, on_delete="cascade")],
            b=Annotated[int, ReferenceTo(member.user)],
        )
