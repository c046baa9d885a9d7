"""What a shape compiles to is kept, and only what it is."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest

from ommi import Key, ModelCollection, OmmiError, UnsupportedOperation, auto, find, ommi_model
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.models import schema_of
from ommi.query.statements import Count, Delete, Exists, Lock, Select

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class User:
    name: str
    age: int | None = None
    active: bool = True
    id: Annotated[int, Key] = auto()


@pytest.fixture
def compiler() -> Compiler:
    return Compiler(SQLITE)


def test_a_statement_is_sql_and_parameters(compiler: Compiler) -> None:
    query = find(User, User.age > 18, User.name == "Ada").order_by(User.age.desc).limit(3).offset(1).query
    sql, parameters = compiler.prepare(query)
    assert sql == (
        "SELECT `name`, `age`, `active`, `id` FROM `user` WHERE `age` > ? AND `name` = ? "
        "ORDER BY `age` DESC, `id` DESC LIMIT ? OFFSET ?"
    )
    assert list(parameters) == [18, "Ada", 3, 1]


def test_equality_with_a_value_is_plain_on_every_column(compiler: Compiler) -> None:
    assert compiler.prepare(Count(find(User, User.age == 5).query)).sql == "SELECT count(*) FROM `user` WHERE `age` = ?"
    assert compiler.prepare(Delete(schema_of(User), (User.id == 5))).sql == "DELETE FROM `user` WHERE `id` = ?"  # type: ignore[arg-type]
    assert compiler.prepare(Exists(find(User).query)).sql == "SELECT EXISTS (SELECT 1 FROM `user`)"


def test_no_filter_asks_for_truth_or_distinctness(compiler: Compiler) -> None:
    conditions = [User.age != 5, ~(User.age > 5), User.age != User.id, ~((User.age < 3) | (User.name == "x"))]  # type: ignore[operator]
    for condition in conditions:
        sql = compiler.prepare(find(User, condition).query).sql
        assert not {"TRUE", "FALSE", "DISTINCT", "IS NOT"} & set(sql.replace("IS NOT", "IS_NOT").split())


def test_a_shape_compiles_once(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[Any] = []
    original = Compiler._compile
    monkeypatch.setattr(Compiler, "_compile", lambda *given: compiled.append(given) or original(*given))
    for number in range(5):
        assert list(compiler.prepare(find(User, User.id == number).query).parameters) == [number]
    assert len(compiled) == 1


def test_values_are_written_in_the_databases_form_each_time(compiler: Compiler) -> None:
    for value in (True, False):
        (parameter,) = compiler.prepare(find(User, User.active == value).query).parameters
        assert (parameter, type(parameter)) == (int(value), int)


def test_many_shapes_do_not_fill_the_memory(compiler: Compiler) -> None:
    for count in range(1, 31):
        for width in range(1, 31):
            condition = (User.id.in_(list(range(count)))) & (User.age.in_(list(range(width))))  # type: ignore[union-attr]
            compiler.prepare(find(User, condition).query)
    assert len(compiler._shapes) <= 512


def test_what_is_asked_for_again_and_again_is_kept(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    often = find(User, User.id == 1).query
    compiler.prepare(often)
    compiled: list[Any] = []
    original = Compiler._compile
    monkeypatch.setattr(Compiler, "_compile", lambda *given: compiled.append(given[1]) or original(*given))
    for count in range(1, 31):
        for width in range(1, 31):
            condition = (User.id.in_(list(range(count)))) & (User.age.in_(list(range(width))))  # type: ignore[union-attr]
            compiler.prepare(find(User, condition).query)
            compiler.prepare(often)
    assert often not in compiled


def test_what_a_vocabulary_has_no_word_for_is_refused_with_the_name_of_the_database() -> None:
    poor = replace(SQLITE, query=SQLITE.schema)
    with pytest.raises(UnsupportedOperation, match=r"sqlite has no \.regex"):
        Compiler(poor).prepare(find(User, User.name.regex("a")).query)
    with pytest.raises(UnsupportedOperation, match=r"sqlite has no \.in_\(find"):
        Compiler(poor).prepare(find(User, User.id.in_(find(User).select(User.id))).query)


def test_a_dialect_with_numbered_places_a_lock_and_missing_values_last_needs_no_other_compiler() -> None:
    other = replace(
        SQLITE,
        placeholder=lambda number, place: f"${number}::{place.kind.name.lower()}",
        nulls_smallest=False,
        offset_alone="OFFSET {0}",
        lock=lambda lock: " FOR UPDATE SKIP LOCKED" if lock.skip_locked else " FOR UPDATE",
    )
    query = find(User, User.age > 18, User.name == "x").order_by(User.age.asc, User.name.desc).query
    sql, parameters = Compiler(other).prepare(replace(query, offset=2, lock=Lock(skip_locked=True)))
    assert sql.endswith(
        "WHERE `age` > $1::int AND `name` = $2::str ORDER BY `age` NULLS FIRST, `name` DESC, `id` DESC "
        "OFFSET $3::int FOR UPDATE SKIP LOCKED"
    )
    assert list(parameters) == [18, "x", 2]


def test_an_error_of_a_value_comes_before_the_shape_is_looked_up(compiler: Compiler) -> None:
    compiler.prepare(find(User, User.name == "fine").query)
    with pytest.raises(OmmiError, match="NUL"):
        compiler.prepare(find(User, User.name == "a\0b").query)


def test_a_select_of_columns_and_one_of_all_do_not_share_a_shape(compiler: Compiler) -> None:
    schema = schema_of(User)
    assert compiler.prepare(Select(schema)).sql != compiler.prepare(find(User).select(User.id).query).sql
