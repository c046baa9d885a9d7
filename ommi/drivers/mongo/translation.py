"""Predicates and expressions into MongoDB's language: a filter where it says what is meant, `$expr` elsewhere.

Every filter is exactly two-valued, and so is every test: a missing key and `null` are the same, both are guarded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, assert_never, final

from bson import Decimal128
from bson.int64 import Int64

from ommi.drivers.mongo.arithmetic import ARITHMETIC, as_date, as_int, whole
from ommi.drivers.mongo.documents import Document, Shape
from ommi.drivers.mongo.forms import constant, kept, numbered, to_keep
from ommi.drivers.mongo.grouping import Groups
from ommi.errors import EncodeError, QueryRejected, UnsupportedOperation
from ommi.frozen import frozen
from ommi.query.expressions import (
    NEGATED,
    After,
    Aggregate,
    And,
    Arithmetic,
    Column,
    Comparison,
    ComparisonOperator,
    Element,
    ExpressionNode,
    Function,
    GroupKey,
    InQuery,
    IsNull,
    Literal,
    Membership,
    Not,
    Or,
    Paired,
    PredicateNode,
    RowExists,
    TextMatch,
    nullable,
    type_of,
)
from ommi.query.patterns import spelled_regex
from ommi.query.seeking import expanded
from ommi.query.statements import Select
from ommi.values import Kind

__all__ = ["EVERYTHING", "NOTHING", "Subqueries", "Translation", "quoted", "refused", "subqueries_in"]

Subqueries = Mapping[int, Sequence[Any]]
"""The stored values that each subquery gave, by the identity of its node."""

EVERYTHING: Final[Document] = {}
NOTHING: Final[Document] = {"$nor": [{}]}

_OPERATORS: Final[Mapping[ComparisonOperator, str]] = {
    "==": "$eq", "!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte",
}  # fmt: skip
_FLIPPED: Final[Mapping[ComparisonOperator, ComparisonOperator]] = {
    "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
}  # fmt: skip
_PLAIN: Final = (int, float, bytes, Decimal128)
_LONGEST_PATTERN: Final = 4_000


@final
@frozen
class Translation:
    """Translates what is asked of the rows of one schema."""

    shape: Shape
    subqueries: Subqueries
    groups: Groups | None = None
    """Where what is asked is asked of groups: then only `test` and `expression` are."""

    # -- filters

    def filter(self, found: PredicateNode | None, *, negated: bool = False) -> Document:
        """A filter for the rows a predicate holds for, or does not."""
        match found:
            case None:
                return EVERYTHING
            case Not(part):
                return self.filter(part, negated=not negated)
            case And(parts) | Or(parts):
                inner = [self.filter(part, negated=negated) for part in parts]
                return _all(inner) if isinstance(found, And) is not negated else _any(inner)
            case Comparison():
                return self._comparison(found, negated=negated)
            case IsNull(Column() as column):
                return {self.path(column): {"$ne" if negated else "$eq": None}}
            case Membership(Column() as column, literals, missing) if not _structured(column):
                values = [self.kept(literal, column) for literal in literals]
                return self._among(column, values, missing=missing, negated=negated)
            case InQuery(Column() as column) if not _structured(column):
                given = self.subqueries[id(found)]
                present = list(_fitting(column, (value for value in given if value is not None)))
                return self._among(column, present, missing=None in given, negated=negated)
            case TextMatch(_, Column() as column, Literal()) if (
                column.field.type.native is None and (said := self._text_filter(found)) is not None
            ):
                return {self.path(column): {"$not": said} if negated else said}
            case Element(Column() as column, literal) if not isinstance(literal.value, (dict, list)):
                wanted = {"$elemMatch": _same_scalar(self.constant(literal, column, Kind.JSON))}
                return {self.path(column): {"$not": wanted} if negated else wanted}
            case After():
                return self.filter(expanded(found), negated=negated)
            case RowExists() | Paired():
                raise refused()
            case IsNull() | Membership() | InQuery() | TextMatch() | Element():
                test = self.test(found)
                return {"$expr": {"$not": [test]} if negated else test}
            case _:
                assert_never(found)

    def _comparison(self, found: Comparison, *, negated: bool) -> Document:
        match found:
            case Comparison(operator, Column() as column, Literal() as literal) if not _structured(column):
                pass
            case Comparison(operator, Literal() as literal, Column() as column) if not _structured(column):
                operator = _FLIPPED[operator]
            case _:
                test = self.test(found)
                return {"$expr": {"$not": [test]} if negated else test}
        value = self.kept(literal, column)
        if negated and operator in ("==", "!="):
            operator = NEGATED[operator]
            negated = False
        said = {_OPERATORS[operator]: value}
        return {self.path(column): {"$not": said} if negated else said}

    def _among(self, column: Column[Any, Any], values: list[Any], *, missing: bool, negated: bool) -> Document:
        if missing:
            values = [*values, None]  # matches a missing key, too
        return {self.path(column): {"$nin" if negated else "$in": values}}

    def _text_filter(self, found: TextMatch) -> Document | None:
        assert isinstance(found.pattern, Literal)
        pattern: str = found.pattern.value
        if len(pattern) > _LONGEST_PATTERN:
            return None
        match found.operator:
            case "starts_with":
                return _starting_with(pattern)
            case "ends_with":
                return {"$regex": rf"{quoted(pattern)}\z"}
            case "contains":
                return {"$regex": quoted(pattern)}
            case _:
                regex, options = _regex(found.operator, pattern)
                return {"$regex": regex, "$options": options}

    # -- tests: boolean expressions

    def test(self, found: PredicateNode) -> Any:
        """An expression that is true or false of every row."""
        match found:
            case Comparison(operator, left, right):
                return self._compared(operator, left, right)
            case IsNull(operand):
                return {"$lte": [self.expression(operand), None]}
            case Membership(operand, literals, missing):
                values = [self.constant(literal, operand) for literal in literals]
                return self._one_of(operand, values, missing=missing)
            case InQuery(operand):
                given = self.subqueries[id(found)]
                present = [value for value in given if value is not None]
                return self._one_of(operand, present, missing=len(present) < len(given))
            case TextMatch():
                return self._text(found)
            case Element(operand, literal):
                wanted = self.constant(literal, operand, Kind.JSON)
                each = {"$map": {"input": "$$l", "as": "e", "in": _same("$$e", wanted)}}
                return {
                    "$let": {
                        "vars": {"l": {"$ifNull": [self.expression(operand), []]}},
                        "in": {"$anyElementTrue": [each]},
                    }
                }
            case After():
                return self.test(expanded(found))
            case RowExists() | Paired():
                raise refused()
            case And(parts):
                return {"$and": [self.test(part) for part in parts]}
            case Or(parts):
                return {"$or": [self.test(part) for part in parts]}
            case Not(part):
                return {"$not": [self.test(part)]}
            case _:
                assert_never(found)

    def _compared(self, operator: ComparisonOperator, left: ExpressionNode, right: ExpressionNode) -> Any:
        for one, other in ((left, right), (right, left)):
            if isinstance(other, Literal) and _structured(one) and operator in ("==", "!="):
                equal = _same(self.expression(one), self.constant(other, one))
                return equal if operator == "==" else {"$not": [equal]}
        first, second = self.expression(left, right), self.expression(right, left)
        if operator in ("==", "!="):
            sides = [
                {"$ifNull": [side, None]} if nullable(node) else side for node, side in ((left, first), (right, second))
            ]
            return {_OPERATORS[operator]: sides}
        guards = [{"$gt": [side, None]} for node, side in ((left, first), (right, second)) if nullable(node)]
        compared = {_OPERATORS[operator]: [first, second]}
        return {"$and": [*guards, compared]} if guards else compared

    def _one_of(self, operand: ExpressionNode, values: list[Any], *, missing: bool) -> Any:
        value = {"$ifNull": [self.expression(operand), None]}
        if not _structured(operand):
            return {"$in": [value, [_quoted(item) for item in values] + ([None] if missing else [])]}
        some = [_same("$$v", item) for item in values] + ([{"$lte": ["$$v", None]}] if missing else [])
        return {"$let": {"vars": {"v": value}, "in": {"$or": some}}}

    def _text(self, found: TextMatch) -> Any:
        text, pattern = self.expression(found.operand), self.expression(found.pattern)
        match found.operator:
            case "contains":
                holds: Any = {"$gte": [{"$indexOfBytes": ["$$t", "$$p"]}, 0]}
            case "starts_with":
                holds = {"$eq": [{"$indexOfBytes": ["$$t", "$$p", 0, {"$strLenBytes": "$$p"}]}, 0]}
            case "ends_with":
                length = {"$strLenCP": "$$p"}
                start = {"$subtract": [{"$strLenCP": "$$t"}, length]}
                tail = {"$eq": [{"$substrCP": ["$$t", "$$n", length]}, "$$p"]}
                holds = {"$let": {"vars": {"n": start}, "in": {"$cond": [{"$gte": ["$$n", 0]}, tail, False]}}}
            case "like" | "ilike" | "regex":
                assert isinstance(found.pattern, Literal)
                regex, options = _regex(found.operator, found.pattern.value)
                pattern = None
                holds = {"$regexMatch": {"input": "$$t", "regex": {"$literal": regex}, "options": options}}
            case _:
                assert_never(found.operator)
        present = [{"$gt": ["$$t", None]}] + ([{"$gt": ["$$p", None]}] if pattern is not None else [])
        return {
            "$let": {
                "vars": {"t": text} if pattern is None else {"t": text, "p": pattern},
                "in": {"$cond": [{"$and": present}, holds, False]},
            }
        }

    # -- expressions

    def expression(self, found: ExpressionNode, place: ExpressionNode | None = None) -> Any:
        """An expression; missing, or `null`, where a value is missing. `place` is what a literal is compared with."""
        match found:
            case Column():
                path, native = f"${self.path(found)}", found.field.type.native
                value: Any = path if native is None else numbered(native, path)
                return value if self.groups is None else self.groups.any_of(value)
            case Aggregate():
                if self.groups is None:
                    raise QueryRejected(f"{found!r} is asked of a single row: it is of the rows of a group")
                return self.groups.aggregate(found)
            case GroupKey():
                assert self.groups is not None
                return self.groups.key(found.position)
            case Literal():
                return _quoted(self.constant(found, found if place is None else place))
            case Arithmetic(operator=operator, left=left, right=right):
                combine = ARITHMETIC[found.type.kind, operator]
                return combine(
                    *(self._number(side, found.type.kind, other) for side, other in ((left, right), (right, left)))
                )
            case Function(name="coalesce", arguments=(first, second)):
                both = [self.expression(first, second), self.expression(second, first)]
                value = {"$ifNull": both}
                kinds = type_of(first).kind, type_of(second).kind
                return {"$toDouble": value} if kinds == (Kind.FLOAT, Kind.INT) else value
            case Function(name=name, arguments=(argument, *_)):
                function = _FUNCTIONS[name]
                value = self.expression(argument)
                if not nullable(argument):
                    return function(value)
                inner = {"$cond": [{"$gt": ["$$t", None]}, function("$$t"), None]}
                return {"$let": {"vars": {"t": value}, "in": inner}}
            case Function():
                raise AssertionError(f"{found!r} has no argument")
            case _:
                assert_never(found)

    def _number(self, found: ExpressionNode, kind: Kind, other: ExpressionNode) -> Any:
        value = self.expression(found, other)
        if kind is Kind.FLOAT and type_of(found).kind is Kind.INT:
            return {"$toDouble": value}
        return value

    def assigned(self, found: ExpressionNode, place: Column[Any, Any]) -> Any:
        """An expression as a field, `place`, keeps it."""
        value = self.expression(found, place)
        match place.field.type.native:
            case None:
                mixed = place.field.type.kind is Kind.FLOAT and type_of(found).kind is Kind.INT
                return as_int(value) if mixed else value
            case "object id":
                return {"$toObjectId": value}
            case "bson date":
                return as_date(value)
            case _:
                assert_never(place.field.type.native)

    def path(self, column: Column[Any, Any]) -> str:
        """The key of a document that holds a column."""
        return self.shape.path(column.field)

    def kept(self, found: Literal, place: Column[Any, Any], kind: Kind | None = None) -> Any:
        """What a field, `place`, keeps of a literal; `EncodeError`, naming it, if it cannot."""
        if place.field.type.native is None:
            return self.constant(found, place, kind)
        if found.unfit is not None:
            raise found.unfit
        try:
            return None if found.value is None else kept(place.field.type, found.value)
        except ValueError as error:
            raise EncodeError(f"{place!r}: {error}", model=self.shape.schema.model) from error

    def constant(self, found: Literal, place: ExpressionNode, kind: Kind | None = None) -> Any:
        """The stored form of a literal; `EncodeError`, naming what it is compared with, if there is none."""
        if found.unfit is not None:
            raise found.unfit
        try:
            return constant(kind or found.type.kind, found.value)
        except ValueError as error:
            raise EncodeError(f"{place!r}: {error}", model=self.shape.schema.model) from error


def refused() -> UnsupportedOperation:
    """What is said to a join, and to `exists_`."""
    return UnsupportedOperation(
        "MongoDB is not asked for rows of several collections side by side: load relations with .prefetch(…), ask with "
        ".in_(find(…).select(…)), or write a pipeline with mongo(…)"
    )


_FUNCTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "lower": lambda text: {"$toLower": text},  # both map ASCII alone
    "upper": lambda text: {"$toUpper": text},
    "length": lambda text: whole({"$strLenCP": text}),
}


def _fitting(column: Column[Any, Any], values: Iterable[Any]) -> Iterator[Any]:
    """The values as a column keeps them, without those that it could not."""
    native = column.field.type.native
    if native is None:
        yield from values
        return
    for value in values:
        with suppress(ValueError):
            yield to_keep(native, value)


def _structured(found: ExpressionNode) -> bool:
    """Whether it may hold a list, of which a filter would look at the elements, too."""
    return type_of(found).kind is Kind.JSON


def _quoted(value: Any) -> Any:
    """A value as an expression: a text or structure is never read as one."""
    return value if value is None or isinstance(value, _PLAIN) else {"$literal": value}


def _same(found: Any, value: Any) -> Any:
    """Whether an expression gives exactly a value, where MongoDB takes 1 and 1.0 for the same."""
    conditions = [{"$eq": [found, {"$literal": value}]}, *_number_types(found, value)]
    return conditions[0] if len(conditions) == 1 else {"$and": conditions}


def _number_types(found: Any, value: Any) -> Iterable[Any]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _number_types({"$getField": {"field": {"$literal": key}, "input": found}}, item)
        case list():
            for place, item in enumerate(value):
                yield from _number_types({"$arrayElemAt": [found, place]}, item)
        case bool():
            return
        case Int64() | int():
            yield {"$eq": [{"$type": found}, "long"]}
        case float():
            yield {"$eq": [{"$type": found}, "double"]}
        case _:
            return


def _same_scalar(value: Any) -> Document:
    said: Document = {"$eq": value}
    if isinstance(value, (Int64, float)):
        said["$type"] = "double" if isinstance(value, float) else "long"
    return said


def _all(filters: list[Document]) -> Document:
    kept = [one for one in filters if one]
    return {"$and": kept} if len(kept) > 1 else kept[0] if kept else EVERYTHING


def _any(filters: list[Document]) -> Document:
    if not filters:
        return NOTHING
    return {"$or": filters} if len(filters) > 1 else filters[0]


# -- texts

_META: Final = re.compile(r"([\\^$.|?*+()\[\]{}#\s-])")


def quoted(text: str) -> str:
    """A text as a regular expression that is found in exactly what contains it."""
    return _META.sub(lambda found: "\\" + found[1] if not found[1].isspace() else f"\\x{{{ord(found[1]):x}}}", text)


def _starting_with(prefix: str) -> Document:
    """A range of texts, which an index can give; by code point, which UTF-8 keeps."""
    end = _after(prefix)
    return {"$gte": prefix} if end is None else {"$gte": prefix, "$lt": end}


def _after(prefix: str) -> str | None:
    """The least text after all those with a prefix."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at])
        if code < 0x10FFFF:
            return prefix[:at] + chr(0xE000 if code == 0xD7FF else code + 1)
    return None


def _regex(operator: str, pattern: str) -> tuple[str, str]:
    """A regular expression of PCRE, and its options."""
    match operator:
        case "like":
            return _like(pattern), "s"
        case "ilike":
            return rf"\A{quoted(pattern)}\z", "i"
        case _:
            return spelled_regex(pattern, dot=r"[^\n]", end=r"\z"), ""


def _like(pattern: str) -> str:
    first, *others = [quoted(part).replace("_", ".") for part in pattern.split("%")]
    if not others:
        return rf"\A{first}\z"
    *inner, last = others
    # the leftmost place for each inner part is as good as any: an atomic group never tries another
    places = "".join(f"(?>.*?{part})" for part in inner if part)
    return rf"\A{first}{places}.*{last}\z"


def subqueries_in(found: PredicateNode | None) -> Iterable[tuple[int, Select]]:
    """The subqueries of a predicate, with the identity of the node that holds each."""
    match found:
        case InQuery(_, query):
            yield id(found), query
        case And(parts) | Or(parts):
            for part in parts:
                yield from subqueries_in(part)
        case Not(part):
            yield from subqueries_in(part)
        case _:
            return
