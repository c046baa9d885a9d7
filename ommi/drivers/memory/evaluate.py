"""What expressions and predicates mean on one row: a function from a stored row, made once per statement."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Final, TypeAlias, assert_never, final

from ommi.drivers.aggregation import AGGREGATES
from ommi.drivers.arithmetic import ARITHMETIC
from ommi.drivers.memory.forms import stored
from ommi.errors import QueryRejected
from ommi.frozen import frozen, replace
from ommi.query.expressions import (
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
    Order,
    Paired,
    PredicateNode,
    RowExists,
    TextMatch,
    type_of,
)
from ommi.query.patterns import fold, python_regex
from ommi.query.statements import Select
from ommi.schema import Field, Schema
from ommi.values import Kind, json_text

__all__ = ["Evaluation", "Test", "Value"]

Stored: TypeAlias = tuple[Any, ...]
Value: TypeAlias = Callable[[Stored], Any]
Test: TypeAlias = Callable[[Stored], bool]

_ORDERED: Final[Mapping[ComparisonOperator, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_UPPER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TEXT: Final[Mapping[str, Callable[[str], Any]]] = {
    "lower": lambda text: text.translate(_LOWER),
    "upper": lambda text: text.translate(_UPPER),
    "length": len,
}


@final
@frozen
class Evaluation:
    """Evaluates over rows of one schema, or of several side by side; `subquery` answers a query inside of this one.

    With `groups`, over lists of rows that are alike in what they are grouped by. A subquery is asked for the `current`
    row of the `enclosing` one.
    """

    schemas: tuple[Schema, ...]
    subquery: Callable[[Select, Evaluation], Iterable[Stored]]
    groups: bool = False
    enclosing: Evaluation | None = None
    current: list[Stored] = field(default_factory=list)

    def place_of(self, field: Field) -> int | None:
        """Where the field's value stands in a row; `None` for one of another model."""
        before = 0
        for schema in self.schemas:
            if schema.by_name.get(field.name) is field:
                return before + schema.fields.index(field)
            before += len(schema.fields)
        return None

    def _column(self, field: Field) -> Value:
        place = self.place_of(field)
        if place is not None:
            read = operator.itemgetter(place)
            return (lambda rows: read(rows[0])) if self.groups else read
        around = self.enclosing
        while around is not None:
            place, current = around.place_of(field), around.current
            if place is not None:
                read = operator.itemgetter(place)
                return lambda row: read(current[0])
            around = around.enclosing
        return operator.itemgetter(self.position(field))

    def position(self, field: Field) -> int:
        """Where the field's value stands in a row; `QueryRejected` for one of another model."""
        place = self.place_of(field)
        if place is None:
            raise QueryRejected(
                f"{field.name!r} is no field of {self.schemas[0].name}, which this statement is about; "
                "use .in_(find(…).select(…)) to compare with another model"
            )
        return place

    def value(self, found: ExpressionNode) -> Value:
        """The stored value of an expression, `None` where it is missing."""
        match found:
            case Column():
                return self._column(found.field)
            case Literal():
                constant = stored(found.type.kind, found.value)
                return lambda row: constant
            case Arithmetic():
                return self._arithmetic(found)
            case Function():
                return self._function(found)
            case Aggregate():
                return self._aggregate(found)
            case GroupKey():
                return self.value(found.expression)
            case _:
                assert_never(found)

    def test(self, found: PredicateNode | None) -> Test:
        """Whether a predicate holds; without one, it does."""
        match found:
            case None:
                return lambda row: True
            case Comparison():
                return self._comparison(found)
            case Paired(left, right):
                first, second = self.value(left), self.value(right)
                return lambda row: (value := first(row)) is not None and bool(value == second(row))
            case IsNull(operand):
                value = self.value(operand)
                return lambda row: value(row) is None
            case Membership(operand, literals, missing):
                present = {stored(literal.type.kind, literal.value) for literal in literals}
                return self._among(operand, present | {None} if missing else present)
            case InQuery(operand, query):
                return self._among(operand, {row[0] for row in self.subquery(query, self)})
            case RowExists(query):
                return self._row_exists(query)
            case TextMatch():
                return self._text(found)
            case Element():
                return self._element(found)
            case After():
                return self._after(found)
            case And(parts):
                every = [self.test(part) for part in parts]
                return lambda row: all(test(row) for test in every)
            case Or(parts):
                some = [self.test(part) for part in parts]
                return lambda row: any(test(row) for test in some)
            case Not(part):
                inner = self.test(part)
                return lambda row: not inner(row)
            case _:
                assert_never(found)

    def sort(self, rows: list[Stored], order: Iterable[Order]) -> None:
        """Put rows in order; those that the order does not tell apart stay as they are."""
        for part in reversed(tuple(order)):
            rows.sort(key=self._sort_key(part), reverse=part.descending)

    def _sort_key(self, part: Order) -> Callable[[Stored], tuple[bool, Any]]:
        value = self.value(part.expression)
        # False sorts before True, and the other way round when descending
        if part.missing_first is part.descending:
            return lambda row: ((found := value(row)) is None, found)
        return lambda row: ((found := value(row)) is not None, found)

    def _arithmetic(self, found: Arithmetic) -> Value:
        left, right = self.value(found.left), self.value(found.right)
        combine = ARITHMETIC[found.type.kind, found.operator]

        def run(row: Stored) -> Any:
            first, second = left(row), right(row)
            return None if first is None or second is None else combine(first, second)

        return run

    def _function(self, found: Function) -> Value:
        first = self.value(found.arguments[0])
        if found.name == "coalesce":
            other = self.value(found.arguments[1])
            exact = float if type_of(found).kind is Kind.FLOAT else None  # the other side may be an int

            def coalesce(row: Stored) -> Any:
                value = first(row)
                value = other(row) if value is None else value
                return value if exact is None or value is None else exact(value)

            return coalesce
        function = _TEXT[found.name]

        def run(row: Stored) -> Any:
            text = first(row)
            return None if text is None else function(text)

        return run

    def _aggregate(self, found: Aggregate) -> Value:
        if not self.groups:
            raise QueryRejected(f"{found!r} is asked of a single row: it is of the rows of a group")
        if found.operand is None:
            return len
        value, kind = replace(self, groups=False).value(found.operand), type_of(found.operand).kind
        combine = AGGREGATES.get((found.name, kind), len)

        def run(rows: Stored) -> Any:
            values = [one for one in map(value, rows) if one is not None]
            if found.distinct:
                values = list(dict.fromkeys(values))
            return combine(values) if values or found.name == "count" else None

        return run

    def _comparison(self, found: Comparison) -> Test:
        left, right = self.value(found.left), self.value(found.right)
        if found.operator == "==":
            return lambda row: bool(left(row) == right(row))
        if found.operator == "!=":
            return lambda row: bool(left(row) != right(row))
        holds = _ORDERED[found.operator]

        def run(row: Stored) -> bool:
            first, second = left(row), right(row)
            return first is not None and second is not None and holds(first, second)

        return run

    def _row_exists(self, query: Select) -> Test:
        def run(row: Stored) -> bool:
            self.current[:] = [row]
            return any(True for _ in self.subquery(query, self))

        return run

    def _among(self, operand: ExpressionNode, values: set[Any]) -> Test:
        value = self.value(operand)
        return lambda row: value(row) in values

    def _text(self, found: TextMatch) -> Test:
        value, pattern = self.value(found.operand), self.value(found.pattern)
        matches = _MATCHES[found.operator]

        def run(row: Stored) -> bool:
            text, part = value(row), pattern(row)
            return text is not None and part is not None and matches(text, part)

        return run

    def _after(self, found: After) -> Test:
        parts = [
            (self.value(part.expression), stored(mark.type.kind, mark.value), part.descending, part.missing_first)
            for part, mark in zip(found.order, found.values, strict=True)
        ]

        def run(row: Stored) -> bool:
            for value, mark, descending, missing_first in parts:
                here = value(row)
                if here == mark:
                    continue
                if here is None or mark is None:
                    return missing_first is (mark is None)
                return bool(here < mark if descending else here > mark)
            return False

        return run

    def _element(self, found: Element) -> Test:
        value, wanted = self.value(found.operand), json_text(found.value.value)

        def run(row: Stored) -> bool:
            text = value(row)
            return text is not None and wanted in map(json_text, json.loads(text))

        return run


@lru_cache(maxsize=512)
def _like(pattern: str) -> re.Pattern[str]:
    first, *others = [re.escape(part).replace("_", ".") for part in pattern.split("%")]
    if not others:
        return re.compile(first, re.DOTALL)
    *inner, last = others
    # the leftmost place for each inner part is as good as any: an atomic group never tries another
    places = "".join(f"(?>.*?{part})" for part in inner if part)
    return re.compile(f"{first}{places}.*{last}", re.DOTALL)


@lru_cache(maxsize=512)
def _folded(pattern: str) -> str:
    return fold(pattern)


_MATCHES: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": lambda text, part: part in text,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "like": lambda text, pattern: _like(pattern).fullmatch(text) is not None,
    "ilike": lambda text, pattern: fold(text) == _folded(pattern),
    "regex": lambda text, pattern: python_regex(pattern).search(text) is not None,
}
