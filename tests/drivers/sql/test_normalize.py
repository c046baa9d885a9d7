"""Negation is pushed to the leaves (semantics §3)."""

from dataclasses import dataclass
from typing import Annotated

from ommi import Key, ModelCollection, all_of, any_of, ommi_model
from ommi.drivers.sql.normalize import normalized
from ommi.query.expressions import Not, predicate

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Thing:
    id: Annotated[int, Key]
    size: int | None


A, B, C = (predicate(Thing.id == number) for number in (1, 2, 3))


def test_a_leaf_stays_itself() -> None:
    assert normalized(A) is A


def test_a_negated_leaf_is_the_leaf_in_one_negation() -> None:
    assert normalized(Not(A)) == Not(A)


def test_two_negations_are_none() -> None:
    assert normalized(Not(Not(A))) is A


def test_a_negated_conjunction_is_a_disjunction_of_negated_leaves_in_their_order() -> None:
    assert normalized(Not(A & B)) == any_of(Not(A), Not(B))


def test_a_negated_disjunction_is_a_conjunction_of_negated_leaves_in_their_order() -> None:
    assert normalized(Not(A | B)) == all_of(Not(A), Not(B))


def test_negation_reaches_leaves_at_any_depth() -> None:
    assert normalized(Not(A & Not(B | Not(C)))) == any_of(Not(A), any_of(B, Not(C)))


def test_a_conjunction_of_one_part_is_that_part() -> None:
    assert normalized(all_of(A)) is A
    assert normalized(Not(any_of(A))) == Not(A)


def test_the_complement_of_nothing_required_is_nothing_allowed() -> None:
    assert normalized(Not(all_of())) == any_of()
    assert normalized(Not(any_of())) == all_of()
