"""Escape hatches: what a database can do and queries cannot say, in its own language; values stay parameters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from copy import deepcopy
from enum import Enum
from typing import TYPE_CHECKING, Any, LiteralString, overload
from typing import Literal as OneOf

from typing_extensions import TypeVar

from ommi.effects.effect import Answer, Effect, Perform
from ommi.effects.origin import origin
from ommi.errors import ConstraintViolation, DatabaseError, EncodeError
from ommi.models import schema_of
from ommi.models.declared import declared_on
from ommi.models.scalars import scalar_type
from ommi.query.expressions import Literal
from ommi.query.statements import MongoCommand, Sql
from ommi.values import CANONICAL, FieldType, Kind

if TYPE_CHECKING:
    from ommi.models.results import Result

__all__ = ["execute", "mongo", "sql"]

R = TypeVar("R")

_JSON = FieldType(Kind.JSON, "JSON", CANONICAL[Kind.JSON])
_NONE = FieldType(Kind.STR, "None", CANONICAL[Kind.STR])


@overload
def sql(
    template: LiteralString, /, *values: object, into: None = None, writes: OneOf[False] = False, **named: object
) -> Effect[list[tuple[Any, ...]], DatabaseError]: ...
@overload
def sql(
    template: LiteralString, /, *values: object, into: type[R], writes: OneOf[False] = False, **named: object
) -> Effect[list[R], DatabaseError]: ...
@overload
def sql(
    template: LiteralString, /, *values: object, into: None = None, writes: OneOf[True], **named: object
) -> Effect[list[tuple[Any, ...]], ConstraintViolation | DatabaseError]: ...
@overload
def sql(
    template: LiteralString, /, *values: object, into: type[R], writes: OneOf[True], **named: object
) -> Effect[list[R], ConstraintViolation | DatabaseError]: ...
def sql(
    template: LiteralString, /, *values: object, into: Any = None, writes: bool = False, **named: object
) -> Effect[Any, Any]:
    """The rows of SQL: `sql("SELECT name FROM {user} WHERE age > {}", 18, user=User, into=Row)`.

    `{}` and `{name}` are parameters, converted as fields of their type are, a tuple a list of them in parentheses; for
    a model they are the quoted name of its table, for `User.age` or `{user.age}` that of a column; `{{` is a brace.
    Rows are read `into` a model or another class with fields, by the names of the columns, or into `tuple[int, str]`;
    without it they are tuples of what the database gives. SQL that changes something needs `writes=True`.
    """
    from ommi.models.results import result_of  # here, because few programs write SQL

    return _perform(template, values, named, result_of(into), writes=writes)


def execute(
    template: LiteralString, /, *values: object, **named: object
) -> Effect[int, ConstraintViolation | DatabaseError]:
    """Run SQL that gives no rows; the number of rows that it changed, by the database's count: `execute("DELETE …")`.

    Values and names are given as to `sql`.
    """
    return _perform(template, values, named, None, writes=True)


@overload
def mongo(
    collection: str | type[Any], command: Sequence[Mapping[str, Any]], /, *, writes: bool = False
) -> Effect[list[dict[str, Any]], DatabaseError]: ...
@overload
def mongo(
    collection: str | type[Any], command: Mapping[str, Any], /, *, writes: bool = True
) -> Effect[dict[str, Any], DatabaseError]: ...
def mongo(
    collection: str | type[Any],
    command: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    /,
    *,
    writes: bool | None = None,
) -> Effect[Any, DatabaseError]:
    """A command of MongoDB: the documents of a pipeline, or the reply to a command, whose collection is filled in.

    `mongo(User, [{"$match": {"age": {"$gt": 18}}}])`, `mongo("users", {"distinct": None, "key": "age"}, writes=False)`.
    A pipeline reads and any other command writes, unless `writes` says otherwise.
    """
    if isinstance(collection, type):
        collection = schema_of(collection).table
    pipeline = not isinstance(command, Mapping)
    if not pipeline and not command:
        raise ValueError(
            "mongo(…, {}): the first word of a command is its name, such as {'distinct': None, 'key': 'age'}"
        )
    statement = MongoCommand(collection, deepcopy(command), not pipeline if writes is None else writes)
    return Perform(statement, Answer.PLAIN, origin=origin())


def _perform(
    template: str, values: tuple[object, ...], named: dict[str, object], result: Result | None, *, writes: bool
) -> Effect[Any, Any]:
    from ommi.query.templates import parsed  # here, because few programs write SQL

    given: object = template
    if not isinstance(given, str):
        raise TypeError(f"SQL is a text, with {{}} where values go, not {given!r}")
    found: Sql = parsed(
        template, values, named, rows=result is not None, writes=writes, literal=_literal, schema=schema_of
    )
    return Perform(found, Answer.PLAIN, result, origin=origin())


def _literal(value: object, place: str) -> Literal:
    """A value as a parameter, of the type that a field for it would have."""
    if value is None:
        return Literal(None, _NONE)
    found = _type_of(value, place)
    try:
        return Literal(found.dump(value), found)
    except (TypeError, ValueError) as error:
        return Literal(value, found, EncodeError(f"{place} of the SQL: {error}"))


def _type_of(value: object, place: str) -> FieldType:
    if isinstance(value, (list, dict)):
        return _JSON
    kind = type(value)
    naive = kind is dt.datetime and isinstance(value, dt.datetime) and value.tzinfo is None
    found = scalar_type(kind, place, naive) if not isinstance(value, Enum) or kind is not Enum else None
    if found is None:
        record = declared_on(kind) is not None
        remedy = (
            "give its fields one by one" if record else "convert it to a str, a number, bytes, a date, a list or a dict"
        )
        raise TypeError(f"{place} is {value!r}, of {kind.__name__}, which no field could hold: {remedy}")
    return found
