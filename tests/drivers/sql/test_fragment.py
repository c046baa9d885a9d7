"""Fragments: text and places."""

from ommi.drivers.sql.fragment import Place, encoder, fill, joined, places, render, text
from ommi.values import Kind

ONE, TWO = Place(0, Kind.INT), Place(1, Kind.INT, str)


def test_fill_puts_a_part_in_as_often_as_it_is_named() -> None:
    assert fill("{0} < {1} OR {0} IS NULL", text("a"), (ONE,)) == ("a", " < ", ONE, " OR ", "a", " IS NULL")


def test_a_filled_in_part_is_no_template() -> None:
    assert fill("{0} = {1}", text("`{1}`"), text("b")) == ("`{1}`", " = ", "b")


def test_joined_puts_the_separator_between() -> None:
    assert joined(", ", [text("a"), (ONE,), text("b")]) == ("a", ", ", ONE, ", ", "b")


def test_render_numbers_the_places_from_one() -> None:
    assert render(fill("{0} + {1}", (ONE,), (TWO,)), lambda number, place: f"${number}") == "$1 + $2"


def test_places_are_found_from_left_to_right() -> None:
    assert places(fill("{1}, {0}, {1}", (ONE,), (TWO,))) == (TWO, ONE, TWO)


def test_values_that_are_the_parameters_need_no_encoder() -> None:
    assert encoder([Place(0, Kind.INT), Place(1, Kind.STR)], 2) is None


def test_an_encoder_takes_repeats_and_dumps_values() -> None:
    encode = encoder([TWO, ONE, TWO], 2)
    assert encode is not None
    assert encode([1, 2]) == ("2", 1, "2")


def test_an_encoder_leaves_out_what_has_no_place() -> None:
    encode = encoder([ONE], 2)
    assert encode is not None
    assert encode([1, 2]) == (1,)


def test_an_encoder_can_take_a_list() -> None:
    encode = encoder([Place(slice(1, 3), Kind.INT, sum), ONE], 3)
    assert encode is not None
    assert encode([1, 2, 3]) == (5, 1)


def test_an_optional_value_that_is_missing_is_not_dumped() -> None:
    encode = encoder([TWO, ONE], 2, optional=True)
    assert encode is not None
    assert encode([1, None]) == (None, 1)
