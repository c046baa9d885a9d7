"""Joins in SQL: what SQLite makes of them."""

from dataclasses import dataclass
from typing import Annotated

import pytest

from ommi import Index, Key, ModelCollection, ReferenceTo, alias, col, count, exists_, find, ommi_model

from .conftest import Database

collection = ModelCollection()


@ommi_model(collection=collection)
@dataclass
class Author:
    id: Annotated[int, Key]
    name: Annotated[str, Index]


@ommi_model(collection=collection)
@dataclass
class Text:
    id: Annotated[int, Key]
    title: str
    author: Annotated[int, ReferenceTo(Author), Index]
    editor: Annotated[int | None, ReferenceTo(Author), Index] = None


@ommi_model(collection=collection)
@dataclass
class Line:
    id: Annotated[int, Key]
    text: Annotated[int | None, ReferenceTo(Text), Index]


@pytest.fixture
def texts(db: Database) -> Database:
    db.create(Author, Text, Line)
    return db


def test_a_join_along_a_reference_uses_its_index(texts: Database) -> None:
    written = find(Author, col(Author.name) == "x").join(Text, on=lambda a, t: t.author == a.id)
    assert texts.plan(written.query) == (
        "SEARCH author USING COVERING INDEX ix_author_name (name=?); SEARCH text USING INDEX ix_text_author (author=?)"
    )
    lines = find(Text, col(Text.id) == 3).left_join(Line)
    assert "SEARCH line USING COVERING INDEX ix_line_text (text=?)" in texts.plan(lines.query)
    authors = find(Line, col(Line.id) == 3).join(Text).join(Author, on=lambda n, t, a: t.editor == a.id)
    assert texts.plan(authors.query).count("USING INTEGER PRIMARY KEY") == 3


def test_exists_uses_the_index_of_the_reference(texts: Database) -> None:
    plan = texts.plan(find(Text, exists_(Line, lambda n: n.text == Text.id)).query)
    assert "SEARCH line_1 USING COVERING INDEX ix_line_text (text=?)" in plan


def test_what_may_be_missing_joins_by_plain_equality(texts: Database) -> None:
    other = alias(Line, "other")
    sql, parameters = texts.compiler.prepare(find(Line).join(other, on=lambda n, o: n.text == o.text).query)
    assert sql == (
        "SELECT `line`.`id`, `line`.`text`, `line other`.`id`, `line other`.`text` "
        "FROM `line` JOIN `line` AS `line other` ON `line`.`text` = `line other`.`text`"
    )
    assert parameters == []


def test_a_query_of_one_shape_compiles_once(texts: Database) -> None:
    def sql(author: str, line: int) -> str:
        query = (
            find(Text).join(Line).where(lambda t, n: (t.title == author) & (n.id > line)).group_by(lambda t, n: t.id)
        )
        return texts.compiler.prepare(query.having(count() > line).select(count()).query).sql

    assert sql("a", 1) is sql("b", 2)
