"""Annotations that are text are evaluated where the class is declared."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Annotated, ClassVar, Optional

import attrs
import msgspec
import pydantic
import pytest

from ommi.models import Key, ModelCollection, Naive, Unique, auto, ommi_model, schema_of
from ommi.values import Kind

if TYPE_CHECKING:
    from decimal import Decimal

model = ommi_model(collection=ModelCollection())


@model
@dataclass
class Event:
    date: date
    until: Annotated[date | None, Unique] = None
    parts: list[Event] = field(default_factory=list)
    count: ClassVar[int] = 0
    id: Annotated[int, Key] = auto()


def test_a_field_may_have_the_name_of_its_type() -> None:
    assert schema_of(Event).by_name["date"].type.kind is Kind.DATE


def test_facts_in_text_are_found() -> None:
    assert [index.name for index in schema_of(Event).indexes] == ["ux_event_until"]


def test_a_model_may_contain_itself() -> None:
    inner = Event(date(2024, 1, 1), id=1)
    outer = Event(date(2024, 1, 2), parts=[inner, Event(date(2024, 1, 3), parts=[inner], id=3)], id=2)
    codec = schema_of(Event).codec
    assert codec.build(codec.read(outer)) == outer


def test_local_names_are_known() -> None:
    @dataclass
    class Place:
        name: str

    Short = Annotated[str, Unique]  # noqa: N806

    @ommi_model(collection=ModelCollection())
    @dataclass
    class User:
        home: Place
        name: Short
        id: Annotated[int, Key] = auto()

    found = schema_of(User)
    assert found.by_name["home"].type.kind is Kind.JSON
    assert [index.name for index in found.indexes] == ["ux_user_name"]


def test_local_names_are_known_to_every_library() -> None:
    @dataclass
    class Place:
        name: str

    @model
    @attrs.define
    class OfAttrs:
        home: Place
        id: Annotated[int, Key] = auto()

    @model
    class OfPydantic(pydantic.BaseModel):
        home: Place
        id: Annotated[int | None, Key] = None

    @model
    class OfMsgspec(msgspec.Struct):
        home: Place
        id: Annotated[int | None, Key] = None

    for cls in (OfAttrs, OfPydantic, OfMsgspec):
        codec = schema_of(cls).codec
        made = cls(home=Place("here"), id=1)
        assert codec.build(codec.read(made)) == made


def test_a_class_in_the_body_of_the_class_is_known() -> None:
    @model
    @dataclass
    class Parcel:
        @dataclass
        class Size:
            width: int

        size: Size
        id: Annotated[int, Key] = auto()

    assert schema_of(Parcel).by_name["size"].type.name == "Size"


def test_an_inherited_field_is_evaluated_where_it_was_declared() -> None:
    parent = declared_elsewhere()

    @model
    @dataclass
    class Child(parent):  # type: ignore[valid-type, misc]
        age: int = 0

    assert schema_of(Child).by_name["hidden"].type.name == "Hidden"


def declared_elsewhere() -> type:
    @dataclass
    class Hidden:
        x: int

    @model
    @dataclass
    class Parent:
        hidden: Hidden
        id: Annotated[int, Key] = auto()

    return Parent


def test_a_name_imported_for_type_checkers_only_is_refused_with_the_remedy() -> None:
    @dataclass
    class User:
        price: Decimal
        id: Annotated[int, Key] = auto()

    with pytest.raises(TypeError, match=r"User\.price: .*'Decimal' is not defined.*not only under TYPE_CHECKING"):
        model(User)


def test_a_class_redefined_refers_to_itself_and_not_to_the_older_one() -> None:
    def declare() -> type[Tree]:
        @model
        @dataclass
        class Tree:
            left: Optional[Tree] = None  # noqa: UP045
            id: Annotated[int, Key] = auto()

        return Tree

    class Tree: ...

    newer = declare()
    codec = schema_of(newer).codec
    made = newer(left=newer(id=1), id=2)
    assert codec.build(codec.read(made)) == made


def test_naive_is_found_in_text() -> None:
    from datetime import datetime

    @model
    @dataclass
    class Log:
        at: Annotated[datetime, Naive]
        all: list[Annotated[datetime, Naive]]
        id: Annotated[int, Key] = auto()

    assert schema_of(Log).by_name["at"].type.kind is Kind.NAIVE_DATETIME
    codec = schema_of(Log).codec
    made = Log(datetime(2024, 1, 1), [datetime(2024, 1, 2)], 1)  # noqa: DTZ001
    assert codec.build(codec.read(made)) == made
