"""Foreign keys: enforced at the end of each statement, with what happens on delete."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import (
    Check,
    CheckViolation,
    ForeignKeyViolation,
    Key,
    ModelCollection,
    ReferenceTo,
    SchemaMismatch,
    Unique,
    add,
    add_all,
    find,
    ommi_model,
)

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Country:
    id: Annotated[int, Key]
    code: Annotated[str | None, Unique] = None


@ommi_model(collection=models)
@dataclass
class City:
    id: Annotated[int, Key]
    country: Annotated[int | None, ReferenceTo(Country)] = None


@ommi_model(collection=models)
@dataclass
class Stamp:
    id: Annotated[int, Key]
    country: Annotated[str | None, ReferenceTo(Country.code)] = None


@ommi_model(collection=models)
@dataclass
class Person:
    id: Annotated[int, Key]
    boss: Annotated[int | None, ReferenceTo("Person")] = None


@ommi_model(collection=models)
@dataclass
class Folder:
    id: Annotated[int, Key]
    parent: Annotated[int | None, ReferenceTo("Folder", on_delete="cascade")] = None


@ommi_model(collection=models)
@dataclass
class Paper:
    id: Annotated[int, Key]
    folder: Annotated[int | None, ReferenceTo(Folder, on_delete="cascade")] = None


@ommi_model(collection=models)
@dataclass
class Copy:
    id: Annotated[int, Key]
    paper: Annotated[int | None, ReferenceTo(Paper)] = None


@ommi_model(collection=models)
@dataclass
class Sticker:
    id: Annotated[int, Key]
    paper: Annotated[int | None, ReferenceTo(Paper, on_delete="set null")] = None


@ommi_model(collection=models)
@dataclass
class Pin:
    id: Annotated[int, Key]
    paper: Annotated[
        int | None,
        ReferenceTo(Paper, on_delete="set null"),
        Check(lambda p: p.paper.is_not_null(), name="pinned"),
    ]


@ommi_model(collection=models)
@dataclass
class Loose:
    id: Annotated[int, Key]
    country: Annotated[int, ReferenceTo(Country, enforced=False)]


@pytest.fixture
def world(memory: Any) -> Any:
    memory.create(Country, City, Stamp, Person, Folder, Paper, Copy, Sticker, Pin, Loose)
    memory.run(add_all([Country(1, "ch"), Country(2)]))
    return memory


def ids(memory: Any, model: Any) -> list[int]:
    return [record.id for record in memory.all(find(model))]


def test_a_reference_to_a_row_that_is_there_is_kept(world: Any) -> None:
    world.run(add_all([City(1, 1), City(2, None)]))
    assert ids(world, City) == [1, 2]


def test_a_missing_reference_refers_to_nothing(world: Any) -> None:
    world.run(add(Stamp(1, None)))
    world.run(find(Country, Country.id == 2).delete())
    assert ids(world, Stamp) == [1]


def test_a_unique_field_can_be_referred_to(world: Any) -> None:
    world.run(add(Stamp(1, "ch")))
    with pytest.raises(ForeignKeyViolation):
        world.run(add(Stamp(2, "de")))


def test_setting_a_reference_to_a_row_that_is_not_there_fails(world: Any) -> None:
    world.run(add(City(1, 1)))
    with pytest.raises(ForeignKeyViolation) as caught:
        world.run(find(City).everything().update(country=9))
    assert (caught.value.model, caught.value.fields) == (City, ("country",))


def test_rows_of_one_statement_may_refer_to_each_other_in_any_order(world: Any) -> None:
    world.run(add_all([Person(1, boss=2), Person(2, boss=1), Person(3, boss=3)]))
    assert ids(world, Person) == [1, 2, 3]


def test_deleting_a_row_that_is_referred_to_is_refused(world: Any) -> None:
    world.run(add(City(1, 1)))
    with pytest.raises(ForeignKeyViolation, match=r"City\.country.*Country") as caught:
        world.run(find(Country, Country.id == 1).delete())
    assert (caught.value.model, caught.value.fields) == (City, ("country",))
    assert ids(world, Country) == [1, 2]


def test_rows_that_refer_to_each_other_can_go_together(world: Any) -> None:
    world.run(add_all([Person(1, boss=2), Person(2, boss=1)]))
    assert world.run(find(Person).everything().delete()) == 2


def test_changing_a_key_that_is_referred_to_is_refused(world: Any) -> None:
    world.run(add(City(1, 1)))
    with pytest.raises(ForeignKeyViolation) as caught:
        world.run(find(Country, Country.id == 1).update(id=5))
    assert (caught.value.model, caught.value.fields) == (City, ("country",))


def test_changing_a_unique_field_that_is_referred_to_is_refused(world: Any) -> None:
    world.run(add(Stamp(1, "ch")))
    with pytest.raises(ForeignKeyViolation):
        world.run(find(Country, Country.id == 1).update(code=None))


def test_changing_something_else_of_a_row_that_is_referred_to_is_fine(world: Any) -> None:
    world.run(add(City(1, 1)))
    assert world.run(find(Country, Country.id == 1).update(code="fr")) == 1
    assert world.run(find(Country, Country.id == 1).update(id=1)) == 1


def test_a_delete_cascades_through_all_levels(world: Any) -> None:
    world.run(add_all([Folder(1), Folder(2, 1), Folder(3, 2), Folder(4)]))
    world.run(add_all([Paper(1, 3), Paper(2, 4)]))
    assert world.run(find(Folder, Folder.id == 1).delete()) == 1
    assert (ids(world, Folder), ids(world, Paper)) == ([4], [2])


def test_a_circle_of_cascades_ends(world: Any) -> None:
    world.run(add_all([Folder(1, 2), Folder(2, 1)]))
    assert world.run(find(Folder, Folder.id == 1).delete()) == 1
    assert ids(world, Folder) == []


def test_a_cascade_that_meets_a_restriction_undoes_everything(world: Any) -> None:
    world.run(add(Folder(1)))
    world.run(add(Paper(1, 1)))
    world.run(add(Copy(1, 1)))
    with pytest.raises(ForeignKeyViolation) as caught:
        world.run(find(Folder).everything().delete())
    assert (caught.value.model, caught.value.fields) == (Copy, ("paper",))
    assert (ids(world, Folder), ids(world, Paper)) == ([1], [1])


def test_a_delete_sets_references_to_null(world: Any) -> None:
    world.run(add_all([Paper(1), Paper(2)]))
    world.run(add_all([Sticker(1, 1), Sticker(2, 2)]))
    world.run(find(Paper, Paper.id == 1).delete())
    assert [(s.id, s.paper) for s in world.all(find(Sticker))] == [(1, None), (2, 2)]


def test_setting_a_reference_to_null_obeys_the_checks(world: Any) -> None:
    world.run(add(Paper(1)))
    world.run(add(Pin(1, 1)))
    with pytest.raises(CheckViolation) as caught:
        world.run(find(Paper).everything().delete())
    assert (caught.value.model, caught.value.constraint) == (Pin, "pinned")
    assert ids(world, Paper) == [1]


def test_a_reference_that_is_not_enforced_may_be_wrong(world: Any) -> None:
    world.run(add(Loose(1, 9)))
    assert ids(world, Loose) == [1]


def test_a_reference_to_a_table_that_was_not_created_is_a_mismatch(memory: Any) -> None:
    memory.create(City)
    memory.run(add(City(1)))
    with pytest.raises(SchemaMismatch, match="country"):
        memory.run(add(City(2, 1)))


def test_a_table_that_rows_refer_to_cannot_be_dropped_alone(world: Any) -> None:
    world.run(add(City(1, 1)))
    with pytest.raises(ForeignKeyViolation) as caught:
        world.drop(Country)
    assert (caught.value.model, caught.value.fields) == (City, ("country",))
    assert ids(world, Country) == [1, 2]


def test_tables_that_refer_to_each_other_can_be_dropped_together(world: Any) -> None:
    world.run(add(City(1, 1)))
    world.drop(Country, City)
    with pytest.raises(SchemaMismatch):
        ids(world, City)


def test_a_table_without_rows_that_refer_to_it_can_be_dropped(world: Any) -> None:
    world.run(add(City(1, None)))
    world.drop(Country)
    assert ids(world, City) == [1]
