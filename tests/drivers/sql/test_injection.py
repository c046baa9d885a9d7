"""A value enters SQL only as a parameter, a name only quoted: there is no other way in."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import Check, CheckViolation, EncodeError, Key, ModelCollection, QueryRejected, add, auto, find, ommi_model
from ommi.drivers.sql.ddl import create_table
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.models import schema_of
from ommi.query.expressions import Column, Comparison, Literal, Membership, TextMatch
from ommi.query.statements import Count, CreateTables, Delete, DropTables, Insert, OnConflict, Select, Update
from ommi.schema import Field, Index, Reference, Schema
from ommi.values import CANONICAL, DEFAULT, FieldType, Kind

INT = FieldType(Kind.INT, "int", CANONICAL[Kind.INT])
STR = FieldType(Kind.STR, "str", CANONICAL[Kind.STR])

EVIL = [
    "group",
    "a b",
    "a'b",
    'a"b',
    "a`b",
    "a]b",
    "a.b",
    "a,b",
    "a?b",
    "a:b",
    "{0}",
    "{",
    "%s",
    "\u00fc\U0001f600",
    "-- x",
    "/*",
    "ab;",
    'x"; DROP TABLE victim; --',
    "x`; DROP TABLE victim; --",
    "x'; DROP TABLE victim; --",
    "\n",
    "1",
]


def table(name: str, column: str) -> Schema:
    key = Field("id", f"{column} key", INT, is_key=True, generated=True)
    text = Field("text", column, STR, nullable=True)
    up = Field("up", f"{column} up", INT, nullable=True)
    schema: Schema = Schema(
        type("Evil", (), {}),
        name,
        (key, text, up),
        codec=None,  # type: ignore[arg-type]
        indexes=(Index(f"ux {name}", (text,), unique=True), Index(f"ix {name}", (text, up))),
        references=(Reference(f"fk {name}", (up,), lambda: (schema, (key,))),),
    )
    return schema


@pytest.mark.parametrize("name", EVIL)
def test_any_name_is_a_name(db: Any, name: str) -> None:
    db.sql("CREATE TABLE victim (v)")
    schema = table(name, f"{name}_")
    key, text, up = schema.fields
    db.execute(CreateTables((schema,)))
    db.execute(CreateTables((schema,)))
    assert db.execute(Insert(schema, ((DEFAULT, "a", None), (DEFAULT, "b", 1)))) == [(1,), (2,)]
    upsert = Insert(schema, ((DEFAULT, "a", 2),), OnConflict((text,), (up,)))
    assert db.execute(upsert) == [(1, "a", 2)]
    column = Column(schema, text)
    here = Comparison("==", column, Literal("b", STR))
    assert db.execute(Select(schema, where=here, order=(column.asc,), limit=1)) == [(2, "b", 1)]
    within = Select(schema, columns=(Column(schema, key),), where=here)
    assert db.execute(Count(Select(schema, where=Column(schema, up).in_(_Query(within))))) == 1
    assert db.execute(Count(Select(schema, where=Column(schema, up).not_in(_Query(within))))) == 1
    assert db.execute(Update(schema, ((up, Literal(None, INT)),), here)) == 1
    for broken in (Insert(schema, ((DEFAULT, "a", None),)), Insert(schema, ((1, "c", None),))):
        with pytest.raises(Exception, match="is there already") as caught:
            db.execute(broken)
        assert caught.value.fields in (("text",), ("id",))  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="refers to a Evil that is not there"):
        db.execute(Insert(schema, ((DEFAULT, "d", 99),)))
    with pytest.raises(Exception, match="refers to a Evil that is not there"):
        db.execute(Update(schema, ((up, Literal(99, INT)),), here))
    with pytest.raises(Exception, match="still refers to the Evil"):
        db.execute(Delete(schema, here))
    assert db.execute(Delete(schema)) == 2
    db.execute(DropTables((schema,)))
    assert db.sql("SELECT name FROM sqlite_schema") == [("victim",)]


class _Query:
    """A query as `in_` takes it."""

    def __new__(cls, select: Select) -> Any:
        from ommi.query.expressions import Subquery

        class Found(Subquery[Any]):
            def subquery(self) -> Select:
                return select

        return Found()


@pytest.mark.parametrize("name", ["a\0b", ""])
def test_a_name_that_cannot_be_one_is_refused(db: Any, name: str) -> None:
    with pytest.raises(QueryRejected, match="cannot be the name of a table or column"):
        db.execute(Select(table(name, "x")))
    with pytest.raises(QueryRejected, match="cannot be the name of a table or column"):
        db.execute(CreateTables((table("x", "y"), table(name, "x"))))
    assert db.sql("SELECT * FROM sqlite_schema") == []


@pytest.mark.parametrize("value", [*EVIL, "", "\\", "''", "x' OR '1'='1"])
def test_any_text_is_a_value(db: Any, value: str) -> None:
    schema = table("order", "select")
    text = Column(schema, schema.by_name["text"])
    db.execute(CreateTables((schema,)))
    db.execute(Insert(schema, ((DEFAULT, value, None), (DEFAULT, "other", None))))
    literal = Literal(value, STR)
    conditions = [
        Comparison("==", text, literal),
        Membership(text, (literal,)),
        Membership(text, (literal,) * 50),
        TextMatch("starts_with", text, literal)
        & TextMatch("ends_with", text, literal)
        & TextMatch("contains", text, literal),
        TextMatch("ilike", text, literal),
    ]
    for condition in conditions:
        found = db.execute(Select(schema, where=condition))
        assert (1, value, None) in found
        if value:
            assert len(found) == 1
        assert value == "" or len(value) < 3 or value not in db.compiler.prepare(Select(schema, where=condition)).sql
    assert db.execute(Update(schema, ((schema.by_name["text"], literal),), conditions[0])) == 1
    assert db.execute(Delete(schema, conditions[0])) == 1


@pytest.mark.parametrize("value", [value for value in EVIL if value.isprintable()])
def test_a_value_in_a_check_is_a_value(db: Any, value: str) -> None:
    @ommi_model(collection=ModelCollection())
    @dataclass
    class Guarded:
        text: Annotated[str, Check(lambda g: g.text != value)]
        id: Annotated[int, Key] = auto()

    db.sql("CREATE TABLE victim (v)")
    db.create(Guarded)
    db.run(add(Guarded("fine")))
    with pytest.raises(CheckViolation):
        db.run(add(Guarded(value)))
    assert db.sql("SELECT name FROM sqlite_schema WHERE type = 'table'") == [("victim",), ("guarded",)]


def test_a_value_that_cannot_be_stored_fails_before_anything_is_sent(db: Any) -> None:
    @ommi_model(collection=ModelCollection(), name="order")
    @dataclass
    class Group:
        group: str
        id: Annotated[int, Key] = auto()

    with pytest.raises(EncodeError, match="NUL"):  # and not: no such table
        db.execute(find(Group, Group.group == "a\0b").query)
    db.create(Group)
    db.run(add(Group("a")))
    assert db.all(find(Group, Group.group == "a").order_by(Group.group.desc)) == [Group("a", 1)]
    assert '"order"' in create_table(schema_of(Group), SQLITE)[0]
