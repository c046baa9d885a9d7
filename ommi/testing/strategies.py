"""Hypothesis strategies for values, records, conditions and queries, so that drivers can be compared at random.

Everything is drawn from small pools with edge values among them: values meet again, and ties, missing values,
violations and rows that fit are common. A field whose type these strategies do not know (an enum, a nested model)
is left out of conditions and needs a strategy of its own in records: `records(User, color=sampled_from(Color))`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st
from typing_extensions import TypeVar

from ommi.effects.finding import Query, find
from ommi.effects.rows import Rows
from ommi.effects.subqueries import exists_
from ommi.models import schema_of
from ommi.models.aliases import alias
from ommi.query.aggregates import count
from ommi.query.expressions import Column, Expression, Order, Predicate, all_of, any_of, not_
from ommi.query.optional import optional
from ommi.schema import Field
from ommi.values import MAX_INT, MIN_INT, Kind

__all__ = [
    "computed",
    "conditions",
    "groupings",
    "joinings",
    "orders",
    "queries",
    "records",
    "risky",
    "selections",
    "texts",
    "values",
]

M = TypeVar("M")

_CHARACTERS: Final = "aAbB%_.\\'\"\n \u00e9\u00c9\u00df\u017f\u212ak\u03c3\u03c2\U0001f600\ufffd"
_PATTERNS: Final = ("^a", "b$", "^$", "a.b", "[aA]+", "(a|b)%", "_{2}", "^[^a]*$", "\\.", "\u00e9?k")
_INDIA: Final = timezone(timedelta(hours=5, minutes=30))


def texts(longest: int = 4) -> st.SearchStrategy[str]:
    """Texts of characters that patterns, quoting, case folding and encodings could get wrong."""
    return st.text(_CHARACTERS, max_size=longest)


_INTS: Final = st.one_of(st.integers(-3, 6), st.sampled_from([MIN_INT, MIN_INT + 1, -(2**53) - 1, 2**53 + 1, MAX_INT]))
_POOLS: Final[Mapping[Kind, st.SearchStrategy[Any]]] = {
    Kind.INT: _INTS,
    Kind.FLOAT: st.one_of(
        st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.5, 2.0, 1e300, -1e300, 5e-324, float("inf"), float("-inf"), 2.0**53]),
        st.floats(allow_nan=False),
    ),
    Kind.BOOL: st.booleans(),
    Kind.STR: texts(),
    Kind.BYTES: st.sampled_from([b"", b"\x00", b"a", b"A", b"\xff\xfe"]),
    Kind.DECIMAL: st.one_of(
        st.sampled_from(
            [Decimal(v) for v in ("0", "-0", "1", "1.0", "1.10", "-2.5", "9", "10", "1E+30", "1E-30", "-1E-30")]
        ),
        st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-1000, max_value=1000),
        st.sampled_from([Decimal("1234567890123456789012.5"), Decimal("1234567890123456789012.6")]),
    ),
    Kind.DATETIME: st.sampled_from(
        [
            datetime(1, 1, 1, tzinfo=UTC),
            datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
            datetime(2024, 2, 29, tzinfo=UTC),
            datetime(2024, 2, 29, 5, 30, tzinfo=_INDIA),
            datetime(2024, 2, 29, 0, 0, 0, 1, tzinfo=UTC),
            datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        ]
    ),
    Kind.NAIVE_DATETIME: st.sampled_from(
        [datetime.min, datetime(2024, 2, 29), datetime(2024, 2, 29, 0, 0, 0, 1), datetime.max]  # noqa: DTZ001, DTZ901
    ),
    Kind.DATE: st.sampled_from([date.min, date(2024, 2, 28), date(2024, 2, 29), date.max]),
    Kind.TIME: st.sampled_from([time(), time(12), time(12, 0, 0, 1), time.max]),
    Kind.TIMEDELTA: st.sampled_from(
        [
            timedelta(microseconds=MIN_INT),
            timedelta(microseconds=-1),
            timedelta(),
            timedelta(days=1),
            timedelta(microseconds=MAX_INT),
        ]
    ),
    Kind.UUID: st.uuids(version=4) | st.uuids(version=4).map(lambda found: type(found)(int=found.int % 3)),
}


def values(field: Field) -> st.SearchStrategy[Any] | None:
    """Values that are there, for a field of a type that is known; `None` for another."""
    return _POOLS.get(field.type.kind) if field.type.load is None else None


def records(model: type[M], /, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[M]:
    """Records of a model; `given` are the strategies of fields, those not known or those to be drawn otherwise."""
    drawn: dict[str, st.SearchStrategy[Any]] = dict(given)
    for field in schema_of(model).fields:
        if field.name in drawn:
            continue
        known = values(field)
        if known is None:
            raise TypeError(f"records({model.__name__}, {field.name}=…) needs a strategy: it holds {field.type.name}")
        drawn[field.name] = st.one_of(st.none(), known) if field.nullable else known
    return st.builds(model, **drawn)


def _columns(model: type[Any], *kinds: Kind) -> list[Column[Any, Any]]:
    schema = schema_of(model)
    found = [field for field in schema.fields if field.type.load is None]
    return [Column(schema, field) for field in found if not kinds or field.type.kind in kinds]


def _pool(column: Column[Any, Any]) -> st.SearchStrategy[Any]:
    return _POOLS[column.field.type.kind]


_UNORDERED: Final = (Kind.BYTES, Kind.JSON)


def computed(model: type[Any]) -> st.SearchStrategy[Expression[Any, Any]]:
    """Whole numbers and texts computed from columns, that every row has an answer to."""
    parts: list[st.SearchStrategy[Expression[Any, Any]]] = []
    if ints := _columns(model, Kind.INT):
        small = st.builds(lambda column, by: column % by, st.sampled_from(ints), st.sampled_from([-7, -2, 3, 10]))
        parts += [small, st.builds(lambda one, other: one + other, small, small)]
        parts += [st.builds(lambda one, other: one * other - 1, small, small)]
        parts += [st.builds(lambda column, by: column.coalesce(by), st.sampled_from(ints), _INTS)]
    if strs := _columns(model, Kind.STR):
        parts += [st.sampled_from(strs).map(lambda column: column.length())]
    return st.one_of(parts)


def _computed_texts(strs: list[Column[Any, Any]]) -> st.SearchStrategy[Expression[Any, Any]]:
    column = st.sampled_from(strs)
    return st.one_of(
        column,
        column.map(lambda found: found.lower()),
        column.map(lambda found: found.upper()),
        st.builds(lambda one, other: one.coalesce(other), column, st.one_of(texts(), column)),
    )


def risky(model: type[Any]) -> st.SearchStrategy[Expression[Any, Any]]:
    """Numbers computed from columns, for which a row may have no answer: by zero, too large, not a number."""

    def combine(operator: str, left: Any, right: Any) -> Expression[Any, Any]:
        match operator:
            case "+":
                found = left + right
            case "-":
                found = left - right
            case "*":
                found = left * right
            case "/":
                found = left / right
            case _:
                found = left % right
        return found  # type: ignore[no-any-return]

    parts: list[st.SearchStrategy[Expression[Any, Any]]] = []
    for kinds in ((Kind.INT,), (Kind.FLOAT, Kind.INT), (Kind.DECIMAL,)):
        if columns := _columns(model, *kinds):
            column: st.SearchStrategy[Any] = st.sampled_from(columns)
            operand = st.one_of(column, _POOLS[kinds[0]].filter(lambda number: number == number))
            if kinds[0] is Kind.FLOAT:
                operand = st.one_of(column, st.sampled_from([0.0, 0.5, -2.0, 1e300]))
            one = st.builds(combine, st.sampled_from("+-*/%"), column, operand)
            parts.append(one)
            if kinds[0] is not Kind.FLOAT:
                parts.append(st.builds(combine, st.sampled_from("+-*%"), one.filter(_is_like(kinds[0])), operand))
    return st.one_of(parts)


def _is_like(kind: Kind) -> Any:
    from ommi.query.expressions import type_of

    return lambda found: type_of(found).kind is kind


def _compared(draw: st.DrawFn, left: Any, right: Any, *, ordered: bool) -> Predicate[Any]:
    operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">="] if ordered else ["==", "!="]))
    match operator:
        case "==":
            found = left == right
        case "!=":
            found = left != right
        case "<":
            found = left < right
        case "<=":
            found = left <= right
        case ">":
            found = left > right
        case _:
            found = left >= right
    return found  # type: ignore[no-any-return]


@st.composite
def _simple(draw: st.DrawFn, model: type[Any]) -> Predicate[Any]:
    column: Column[Any, Any] = draw(st.sampled_from(_columns(model)))
    kind = column.field.type.kind
    pool, ordered = _pool(column), kind not in _UNORDERED
    like = _columns(model, *((Kind.INT, Kind.FLOAT) if kind in (Kind.INT, Kind.FLOAT) else (kind,)))
    choices = ["value", "column", "null", "in", "in query", "computed"]
    choices += ["between"] if ordered else []
    choices += ["text", "text", "text"] if kind is Kind.STR else []
    match draw(st.sampled_from(choices)):
        case "value":
            return _compared(draw, column, draw(pool), ordered=ordered)
        case "column":
            return _compared(draw, column, draw(st.sampled_from(like)), ordered=ordered)
        case "null":
            return column.is_null() if draw(st.booleans()) else column.is_not_null()
        case "between":
            return column.between(draw(pool), draw(pool))
        case "in":
            found = draw(st.lists(st.one_of(st.none(), pool), max_size=4))
            return column.in_(found) if draw(st.booleans()) else column.not_in(found)
        case "in query":
            query = draw(_subqueries(model, [one for one in like if one.field.type.kind is kind]))
            return column.in_(query) if draw(st.booleans()) else column.not_in(query)
        case "text":
            return draw(_text_matches(model))
        case _:
            return _compared(draw, draw(computed(model)), draw(st.integers(-9, 9)), ordered=True)


@st.composite
def _text_matches(draw: st.DrawFn, model: type[Any]) -> Predicate[Any]:
    strs = _columns(model, Kind.STR)
    subject, part = draw(_computed_texts(strs)), draw(texts(2))
    other = draw(st.one_of(st.just(part), st.sampled_from(strs)))
    match draw(st.sampled_from(["contains", "not_contains", "starts_with", "ends_with", "like", "ilike", "regex"])):
        case "contains":
            return subject.contains(other)
        case "not_contains":
            return subject.not_contains(other)
        case "starts_with":
            return subject.starts_with(other)
        case "ends_with":
            return subject.ends_with(other)
        case "like":
            return subject.like(part)
        case "ilike":
            return subject.ilike(draw(texts()))
        case _:
            return subject.regex(draw(st.sampled_from(_PATTERNS)))


@st.composite
def _subqueries(draw: st.DrawFn, model: type[Any], like: list[Column[Any, Any]]) -> Rows[Any]:
    query: Query[Any] = find(model)
    number = draw(st.sampled_from(_columns(model, Kind.INT)))
    if draw(st.booleans()):
        query = query.where(_compared(draw, number, draw(st.integers(-1, 4)), ordered=True))
    if draw(st.booleans()):
        query = query.order_by(*draw(orders(model))).limit(draw(st.integers(0, 4)))
    return query.select(draw(st.sampled_from(like)))


def conditions(model: type[Any]) -> st.SearchStrategy[Predicate[Any]]:
    """Conditions on the rows of a model: every operator, negated and combined."""
    return st.recursive(
        _simple(model),
        lambda part: st.one_of(
            part.map(not_),
            st.lists(part, max_size=3).map(lambda parts: all_of(*parts)),
            st.lists(part, max_size=3).map(lambda parts: any_of(*parts)),
            st.builds(lambda one, other: one & other, part, part),
            st.builds(lambda one, other: one | other, part, part),
        ),
        max_leaves=6,
    )


def orders(model: type[Any]) -> st.SearchStrategy[list[Order]]:
    """Some parts of an order."""
    columns: list[Expression[Any, Any]] = [one for one in _columns(model) if one.field.type.kind not in _UNORDERED]

    def order(expression: Expression[Any, Any], descending: bool, missing: str) -> Order:
        part = expression.desc if descending else expression.asc
        return part.nulls_first() if missing == "first" else part.nulls_last() if missing == "last" else part

    expressions = st.one_of(st.sampled_from(columns), st.sampled_from(columns), computed(model))
    part = st.builds(order, expressions, st.booleans(), st.sampled_from(["", "", "first", "last"]))
    return st.lists(part, min_size=1, max_size=3)


def _key(model: type[Any]) -> list[Order]:
    schema = schema_of(model)
    return [Column(schema, field).asc for field in schema.key]


@st.composite
def queries(draw: st.DrawFn, model: type[M]) -> Query[M]:
    """Queries whose rows come in one order only, if they have one: the key is its last part, or a limit appends it."""
    query: Query[Any] = find(model)
    for condition in draw(st.lists(conditions(model), max_size=2)):
        query = query.where(condition)
    parts = draw(st.one_of(st.just([]), orders(model)))
    if draw(st.booleans()):
        query = query.order_by(*parts) if parts else query
        query = query.limit(draw(st.integers(0, 6)))
        return query.offset(draw(st.integers(0, 4))) if draw(st.booleans()) else query
    return query.order_by(*parts, *_key(model))


@st.composite
def selections(draw: st.DrawFn, model: type[Any]) -> Rows[Any]:
    """Queries for columns and what is computed from them; distinct ones are in no order."""
    strs = _columns(model, Kind.STR)
    column = st.one_of(st.sampled_from(_columns(model)), computed(model), *([_computed_texts(strs)] if strs else []))
    chosen = draw(st.lists(column, min_size=1, max_size=3))
    if draw(st.booleans()):
        condition = draw(st.lists(conditions(model), max_size=1))
        return find(model, *condition).select(*chosen).distinct()
    return draw(queries(model)).select(*chosen)


def _aggregates(model: type[Any], *, risky: bool) -> st.SearchStrategy[Expression[Any, Any]]:
    """Aggregates that come out alike to the last bit; with `risky`, some that have no answer for some rows."""
    column = st.sampled_from(_columns(model))
    plain = [one for one in _columns(model) if one.field.type.kind not in _UNORDERED]
    exact = [computed(model)] if not risky else [st.sampled_from(_columns(model, Kind.INT)), computed(model)]
    if decimals := _columns(model, Kind.DECIMAL):
        exact.append(st.sampled_from(decimals))
    whole = st.one_of(exact)
    number = st.one_of(whole.map(lambda one: one.sum_()), whole.map(lambda one: one.avg()))
    if not risky:  # what is computed can be large, too
        small = _columns(model, Kind.INT)
        number = st.builds(lambda one, by: (one % by).sum_(), st.sampled_from(small), st.sampled_from([-7, 3, 10]))
    return st.one_of(
        st.just(count()),
        column.map(lambda one: one.count()),
        column.map(lambda one: one.count(distinct=True)),
        st.one_of(st.sampled_from(plain), computed(model)).map(lambda one: one.min_()),
        st.one_of(st.sampled_from(plain), computed(model)).map(lambda one: one.max_()),
        number,
    )


@st.composite
def groupings(draw: st.DrawFn, model: type[Any]) -> Rows[Any]:
    """Queries for aggregates, of groups in a total order or of all rows."""
    query: Query[Any] = find(model, *draw(st.lists(conditions(model), max_size=1)))
    if not draw(st.integers(0, 3)):
        return query.select(*draw(st.lists(_aggregates(model, risky=True), min_size=1, max_size=3)))
    strs = _columns(model, Kind.STR)
    plain = [one for one in _columns(model) if one.field.type.kind not in _UNORDERED]
    key = st.one_of(st.sampled_from(plain), computed(model), *([_computed_texts(strs)] if strs else []))
    keys = draw(st.lists(key, min_size=1, max_size=2))
    grouped = query.group_by(*keys)
    limited = draw(st.booleans())
    values = _aggregates(model, risky=not limited)
    if draw(st.booleans()):
        condition = _compared(draw, draw(st.just(count())), draw(st.integers(0, 3)), ordered=True)
        grouped = grouped.having(not_(condition) if draw(st.booleans()) else condition)
    first = draw(st.lists(_aggregates(model, risky=False), max_size=1))
    if limited:  # then the keys are appended to the order
        grouped = grouped.order_by(*(one.desc if draw(st.booleans()) else one.asc for one in first))
        grouped = grouped.limit(draw(st.integers(0, 3)))
    else:
        grouped = grouped.order_by(*(one.desc if draw(st.booleans()) else one.asc for one in [*first, *keys]))
    return grouped.select(*draw(st.lists(st.one_of(st.sampled_from(keys), values), min_size=1, max_size=3)))


@st.composite
def _pairs(draw: st.DrawFn, one: type[Any], other: type[Any]) -> Predicate[Any]:
    """A comparison of columns of two models."""
    left: Column[Any, Any] = draw(st.sampled_from(_columns(one)))
    kind = left.field.type.kind
    numbers = (Kind.INT, Kind.FLOAT)
    right = draw(st.sampled_from(_columns(other, *(numbers if kind in numbers else (kind,)))))
    operators = ["==", "==", "==", "!="] + ([] if kind in _UNORDERED else ["<", ">="])
    match draw(st.sampled_from(operators)):
        case "==":
            found = left == right
        case "!=":
            found = left != right
        case "<":
            found = left < right
        case _:
            found = left >= right
    return not_(found) if not draw(st.integers(0, 4)) else found


@st.composite
def joinings(draw: st.DrawFn, model: type[Any]) -> Rows[Any]:
    """Queries for rows of a model beside rows of the same one, in a total order, as they are or in groups."""
    other = alias(model, "other")
    on = draw(st.lists(_pairs(model, other), min_size=1, max_size=2))
    on += draw(st.lists(conditions(other), max_size=1))
    query: Query[Any] = find(model, *draw(st.lists(conditions(model), max_size=1)))
    among = exists_(
        other, *draw(st.lists(_pairs(model, other), max_size=2)), *draw(st.lists(conditions(other), max_size=1))
    )
    if not draw(st.integers(0, 3)):
        found = query.where(not_(among) if draw(st.booleans()) else among)
        return found.order_by(*_key(model)).select(Column(schema_of(model), schema_of(model).key[0]))
    outer = draw(st.booleans())
    condition = all_of(*on) if draw(st.booleans()) else any_of(*on)
    joined = query.left_join(other, on=condition) if outer else query.join(other, on=condition)
    joined = joined.where(*draw(st.lists(st.one_of(conditions(other), conditions(model), st.just(among)), max_size=2)))
    sides = st.sampled_from([model, other])
    if draw(st.booleans()):
        key = draw(st.sampled_from([one for one in _columns(draw(sides)) if one.field.type.kind not in _UNORDERED]))
        aggregates = st.one_of(_aggregates(model, risky=False), _aggregates(other, risky=False))
        chosen = draw(st.lists(aggregates, min_size=1, max_size=3))
        return joined.group_by(key).order_by(key).select(optional(key), *chosen)
    parts = draw(st.one_of(st.just([]), orders(draw(sides))))
    if draw(st.booleans()):
        joined = joined.order_by(*parts).limit(draw(st.integers(0, 9))) if parts else joined.limit(5)
        joined = joined.offset(draw(st.integers(0, 4))) if draw(st.booleans()) else joined
    else:
        joined = joined.order_by(*parts, *_key(model), *_key(other))
    columns = st.one_of(st.sampled_from(_columns(model)), st.sampled_from(_columns(other)).map(optional))
    return joined.select(*draw(st.lists(columns, min_size=1, max_size=3)))
