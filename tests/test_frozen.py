"""Frozen values: what a frozen dataclass does, whose methods are written when they are first needed."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field
from pprint import pformat
from typing import Any

import pytest

from ommi.frozen import frozen, replace


@frozen
class Few:
    name: str
    age: int = 3


@frozen
class Many:
    a: int
    b: str = "b"
    c: tuple[int, ...] = ()
    d: list[int] = field(default_factory=list)
    e: int = field(default=0, compare=False)
    f: int = field(default=0, repr=False)


@frozen(eq=False)
class Itself:
    name: str


@frozen
class Single:
    value: Any


@frozen
class Positive:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError(self.number)


@frozen
class Awkward:
    closed: int
    open: int
    turn: int
    absent: int
    cls: int
    names: list[int] = field(default_factory=list)


@frozen
class AwkwardFew:
    set_value: int
    value: int


BOTH: Any = pytest.mark.parametrize("value", [Few("Ada"), Many(1)], ids=["few", "many"])


def test_what_is_not_given_has_its_default() -> None:
    assert (Few("Ada").name, Few("Ada").age) == ("Ada", 3)
    many = Many(1, c=(2,))
    assert (many.a, many.b, many.c, many.d, many.e, many.f) == (1, "b", (2,), [], 0, 0)
    assert Many(1).d is not Many(1).d


def test_what_has_no_default_must_be_given() -> None:
    made: Any = Many
    for _ in range(2):  # the second time, the method is written
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
            made()


@BOTH
def test_attributes_cannot_be_set_or_deleted(value: Any) -> None:
    name = next(iter(value.__slots__))
    with pytest.raises(FrozenInstanceError, match=name):
        setattr(value, name, "x")
    with pytest.raises(FrozenInstanceError, match=name):
        delattr(value, name)
    with pytest.raises(FrozenInstanceError, match="other"):
        value.other = 1


@BOTH
def test_the_class_of_an_instance_is_the_one_that_was_called(value: Any) -> None:
    assert type(value) in (Few, Many)


def test_equal_parts_make_equal_values_with_equal_hashes() -> None:
    assert Few("Ada") == Few("Ada", 3)
    assert Few("Ada") != Few("Bob")
    assert hash(Few("Ada")) == hash(Few("Ada", 3))
    assert Few("Ada") != ("Ada", 3)


def test_values_of_two_classes_are_not_equal() -> None:
    assert Single(1) != Positive(1)


def test_a_part_that_is_the_same_object_is_equal_whatever_it_says() -> None:
    nan = float("nan")
    assert Single(nan) == Single(nan)


def test_what_is_not_compared_makes_no_difference() -> None:
    assert Many(1, e=1) == Many(1, e=2)


def test_without_eq_a_value_equals_itself_alone() -> None:
    one = Itself("x")
    assert one == one
    assert one != Itself("x")
    assert len({one, Itself("x")}) == 2


def test_a_value_prints_as_it_was_made() -> None:
    assert repr(Few("Ada")) == "Few(name='Ada', age=3)"
    assert repr(Many(1)) == "Many(a=1, b='b', c=(), d=[], e=0)"


def test_a_value_is_taken_apart_by_match() -> None:
    match Few("Ada", 36):
        case Few(name, age):
            assert (name, age) == ("Ada", 36)


def test_a_value_is_made_from_another_one_with_a_part_replaced() -> None:
    for _ in range(2):
        assert replace(Many(1), b="x", d=[3]) == Many(1, "x", d=[3])
    assert dataclasses.replace(Many(1), b="x") == Many(1, "x")


def test_to_those_who_ask_it_is_a_dataclass() -> None:
    assert dataclasses.is_dataclass(Positive)
    fields: Any = dataclasses.fields(Many)
    assert [(field.name, field.type) for field in fields[:3]] == [("a", "int"), ("b", "str"), ("c", "tuple[int, ...]")]
    assert (fields[0].default, fields[1].default, fields[3].default_factory) == (dataclasses.MISSING, "b", list)
    assert [field.name for field in fields if not field.compare] == ["e"]
    assert dataclasses.asdict(Few("Ada")) == {"name": "Ada", "age": 3}
    assert pformat(Few("Ada")) == "Few(name='Ada', age=3)"


def test_parts_may_have_any_name() -> None:
    made = Awkward(1, 2, 3, 4, 5)
    assert (made.closed, made.open, made.turn, made.absent, made.cls, made.names) == (1, 2, 3, 4, 5, [])
    assert replace(made, cls=6) == Awkward(1, 2, 3, 4, 6)
    assert repr(AwkwardFew(1, 2)) == "AwkwardFew(set_value=1, value=2)"


def test_what_is_replaced_goes_through_what_the_class_says() -> None:
    with pytest.raises(ValueError, match="-1"):
        replace(Positive(1), number=-1)


def test_a_part_that_is_not_there_cannot_be_replaced() -> None:
    for _ in range(2):
        with pytest.raises(TypeError, match="other"):
            replace(Few("Ada"), other=1)


@BOTH
def test_values_can_be_copied_and_pickled(value: Any) -> None:
    assert copy.copy(value) == value
    assert copy.deepcopy(value) == value
    assert pickle.loads(pickle.dumps(value)) == value


def test_what_a_class_says_after_it_was_made_is_done() -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="-1"):
            Positive(-1)


def test_nobody_inherits() -> None:
    with pytest.raises(TypeError, match="nobody inherits from Few"):

        class Child(Few):  # type: ignore[misc]
            pass
