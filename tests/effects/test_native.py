"""SQL templates: what is refused when the effect is made, and how it prints."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import Key, ModelCollection, auto, col, execute, mongo, ommi_model, sql
from ommi.drivers.postgres.dialect import POSTGRES
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.effects.effect import Perform


@ommi_model(collection=ModelCollection(), name='a"b`c')
@dataclass
class Cat:
    name: str
    id: Annotated[int, Key] = auto()


@pytest.mark.parametrize(
    "template, values, named, said",
    [
        ("SELECT {}", (), {}, "no value was given"),
        ("SELECT {x}", (1,), {}, "no value was given"),
        ("SELECT 1", (1,), {}, "no place for: 0"),
        ("SELECT {x}", (), {"x": 1, "y": 2}, "no place for: y"),
        ("SELECT {!r}", (1,), {}, "no format or conversion"),
        ("SELECT {:>3}", (1,), {}, "no format or conversion"),
        ("SELECT {x.real}", (), {"x": 1}, "only the fields of a model"),
        ("SELECT {x.nothing}", (), {"x": Cat}, "Cat has no field 'nothing'"),
        ("SELECT {", (), {}, "write {{ and }} for braces"),
        ("SELECT {}", ((),), {}, "empty tuple"),
        ("  ", (), {}, "no words"),
        ("COMMIT", (), {}, "transactional"),
        ("/* x */ -- y\n rollback", (), {}, "transactional"),
        ("SAVEPOINT a", (), {}, "savepoint"),
        ("PRAGMA foreign_keys = OFF", (), {}, "one connection of a pool"),
        ("SET search_path = x", (), {}, "SET LOCAL"),
    ],
)
def test_a_template_that_cannot_be_filled(template: Any, values: Any, named: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sql(template, *values, **named)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, Cat("x"), 1j, col(Cat.id) + 1, len], ids=lambda value: type(value).__name__
)
def test_a_value_that_no_field_could_hold(value: Any) -> None:
    with pytest.raises(TypeError, match=r"\{\}|\{0\}"):
        sql("SELECT {}", value)


@pytest.mark.parametrize("into", [int, list[int], object, "x", dict])
def test_rows_cannot_be_read_into_anything(into: Any) -> None:
    with pytest.raises(TypeError, match="rows are read into"):
        sql("SELECT 1", into=into)


def test_what_changes_the_database_has_to_be_said() -> None:
    for template in ("DELETE FROM cat", "with x as (DELETE FROM cat RETURNING *) select * from x", "SELECT 1 INTO x"):
        with pytest.raises(TypeError, match="changes the database"):
            sql(template)  # type: ignore[arg-type, unused-ignore]
        assert _statement(sql(template, writes=True)).writes


def test_words_in_quotes_and_comments_change_nothing() -> None:
    for template in (
        "SELECT 'DELETE'",
        'SELECT "update" FROM x',
        "SELECT 1 -- INSERT",
        "SELECT /* DROP */ 1",
        "TABLE x",
    ):
        assert not _statement(sql(template)).writes  # type: ignore[arg-type, unused-ignore]


def test_names_are_quoted_and_values_are_places() -> None:
    found = _statement(sql("SELECT {c.name} FROM {c} WHERE {c.id} IN {} OR {n} = {n}", (1, 2), c=Cat, n="x"))
    made = Compiler(SQLITE).prepare(found)
    assert made.sql == 'SELECT `name` FROM `a"b``c` WHERE `id` IN (?, ?) OR ? = ?'
    assert tuple(made.parameters) == (1, 2, "x", "x")
    made = Compiler(POSTGRES).prepare(found)
    assert made.sql.startswith('SELECT "name" FROM "a""b`c" WHERE "id" IN ($1::bigint, $2::bigint)')


def test_a_repeated_template_compiles_once_though_its_values_differ() -> None:
    compiler = Compiler(SQLITE)
    one, other, missing = (compiler.prepare(_statement(sql("SELECT {}, 'a'", value))) for value in (1, 2, None))
    assert one.sql is other.sql
    assert (tuple(other.parameters), missing.sql, tuple(missing.parameters)) == ((2,), "SELECT NULL, 'a'", ())


def test_equal_parts_make_equal_effects() -> None:
    assert sql("SELECT {}", 1) == sql("SELECT {}", 1)
    assert sql("SELECT {}", 1) != sql("SELECT {}", 2)
    assert sql("SELECT {}", 1) != sql("SELECT {}", 1, into=Cat)
    assert hash(execute("DELETE FROM x")) == hash(execute("DELETE FROM x"))
    assert mongo(Cat, [{"$match": {}}]) == mongo('a"b`c', [{"$match": {}}])


def test_it_prints_as_it_was_written() -> None:
    assert repr(sql("SELECT '{{' FROM {} WHERE x = {}", Cat, "y", into=Cat)) == (
        "sql(\"SELECT '{{' FROM {} WHERE x = {}\", Cat, 'y', into=Cat)"
    )
    assert repr(execute("DELETE FROM x WHERE a = {}", 3)) == "execute('DELETE FROM x WHERE a = {}', 3)"
    assert repr(mongo("cats", {"distinct": None, "key": "age"})) == "mongo('cats', {'distinct': None, 'key': 'age'})"


def test_a_command_is_read_when_the_effect_is_made() -> None:
    match: dict[str, Any] = {"name": "x"}
    effect = mongo("cats", [{"$match": match}])
    match["name"] = "y"
    assert "'x'" in repr(effect)
    with pytest.raises(ValueError, match="first word"):
        mongo("cats", {})


def _statement(effect: Any) -> Any:
    assert isinstance(effect, Perform)
    return effect.statement
