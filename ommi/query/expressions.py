"""Columns, the expressions and predicates built from them: closed unions of frozen nodes.

`Expression` and `Predicate` carry the operators a user writes; the node classes carry the meaning. A compiler
matches on `ExpressionNode` and `PredicateNode` and ends in `assert_never`.

The operators build nodes, they never compute: `User.age == 3` is a node, so nodes are compared with `same`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeAlias, cast, final, overload
from typing import Literal as OneOf

from typing_extensions import TypeVar

from ommi.errors import EncodeError, InvalidCursor
from ommi.frozen import frozen
from ommi.query.patterns import checked_regex
from ommi.schema import Field, Schema
from ommi.values import FieldType, Kind

if TYPE_CHECKING:
    from ommi.query.statements import Select

__all__ = [
    "FLOAT",
    "INT",
    "NEGATED",
    "STR",
    "After",
    "Aggregate",
    "AggregateName",
    "And",
    "Arithmetic",
    "ArithmeticOperator",
    "Column",
    "Comparison",
    "ComparisonOperator",
    "Condition",
    "Element",
    "Expression",
    "ExpressionNode",
    "Function",
    "FunctionName",
    "GroupKey",
    "InQuery",
    "IsNull",
    "Literal",
    "Membership",
    "Not",
    "Or",
    "Order",
    "Paired",
    "Predicate",
    "PredicateNode",
    "RowExists",
    "Subquery",
    "TextMatch",
    "TextOperator",
    "aggregates_of",
    "all_of",
    "any_of",
    "col",
    "literal",
    "node",
    "not_",
    "nullable",
    "operand",
    "predicate",
    "type_of",
]

M_co = TypeVar("M_co", covariant=True, default=Any)
V = TypeVar("V", default=Any)
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

ComparisonOperator: TypeAlias = OneOf["==", "!=", "<", "<=", ">", ">="]
ArithmeticOperator: TypeAlias = OneOf["+", "-", "*", "/", "%"]
TextOperator: TypeAlias = OneOf["contains", "starts_with", "ends_with", "like", "ilike", "regex"]
FunctionName: TypeAlias = OneOf["lower", "upper", "length", "coalesce"]
AggregateName: TypeAlias = OneOf["count", "sum_", "avg", "min_", "max_"]

NEGATED: dict[ComparisonOperator, ComparisonOperator] = {
    "==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<",
}  # fmt: skip
"""The operator that holds exactly where the other does not, among values that are there."""

MYPY = False
"""True to mypy only, which reports a condition used as a bool (`truthy-bool`) where it sees no `__bool__`."""

_TRUTH = (
    "a condition has no truth value before it runs: write & | ~ in place of and, or, not "
    "(with each side in parentheses), .in_(…) or .contains(…) in place of in, "
    "and .between(a, b) in place of a < x < b"
)


class Predicate(Generic[M_co]):
    """A condition on a row of `M`, two-valued: true or false of every row, never unknown."""

    __slots__ = ()

    def __and__(self, other: Predicate[Any] | bool) -> Predicate[M_co]:
        return And((*_flat(And, self), *_flat(And, predicate(other, "&"))))

    def __rand__(self, other: Predicate[Any] | bool) -> Predicate[M_co]:
        return And((*_flat(And, predicate(other, "&")), *_flat(And, self)))

    def __or__(self, other: Predicate[Any] | bool) -> Predicate[M_co]:
        return Or((*_flat(Or, self), *_flat(Or, predicate(other, "|"))))

    def __ror__(self, other: Predicate[Any] | bool) -> Predicate[M_co]:
        return Or((*_flat(Or, predicate(other, "|")), *_flat(Or, self)))

    def __invert__(self) -> Predicate[M_co]:
        node = predicate(self)
        return node.part if isinstance(node, Not) else Not(node)

    if not MYPY:

        def __bool__(self) -> NoReturn:
            raise TypeError(_TRUTH)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Predicate):
            return NotImplemented
        from ommi.query.outline import same

        return same(self, other)

    def __hash__(self) -> int:
        from ommi.query.outline import outline

        return hash(outline(self, []))

    def __repr__(self) -> str:
        from ommi.query.text import predicate_text

        return predicate_text(predicate(self))


@final
class Mismatch:
    """What comparing a column with a value of another type gives, to the type checker: no condition."""

    __slots__ = ()


class Expression(Generic[M_co, V]):
    """A value computed from a row of `M`: a column, or what is built from columns with operators.

    Invariant in the value type `V` (which may include `None`), so that a comparison with another type is an
    error to the type checker.
    """

    __slots__ = ()

    # -- comparison
    @overload  # type: ignore[override]
    def __eq__(self: Expression[Any, T | None], other: T | OrMissing[T] | None) -> Predicate[M_co]: ...
    @overload
    def __eq__(self, other: V | OrMissing[V]) -> Predicate[M_co]: ...
    @overload
    def __eq__(self: Number, other: Number) -> Predicate[M_co]: ...  # type: ignore[overload-overlap]
    @overload
    def __eq__(self, other: object) -> Mismatch: ...
    def __eq__(self, other: object) -> Predicate[M_co] | Mismatch:
        return _compare("==", self, other)

    @overload  # type: ignore[override]
    def __ne__(self: Expression[Any, T | None], other: T | OrMissing[T] | None) -> Predicate[M_co]: ...
    @overload
    def __ne__(self, other: V | OrMissing[V]) -> Predicate[M_co]: ...
    @overload
    def __ne__(self: Number, other: Number) -> Predicate[M_co]: ...  # type: ignore[overload-overlap]
    @overload
    def __ne__(self, other: object) -> Mismatch: ...
    def __ne__(self, other: object) -> Predicate[M_co] | Mismatch:
        return _compare("!=", self, other)

    def __hash__(self) -> int:
        from ommi.query.outline import outline

        return hash(outline(self, []))

    @overload
    def __lt__(self, other: None) -> Mismatch: ...
    @overload
    def __lt__(self: Expression[Any, T | None], other: T | OrMissing[T]) -> Predicate[M_co]: ...
    @overload
    def __lt__(self, other: V | OrMissing[V]) -> Predicate[M_co]: ...
    @overload
    def __lt__(self: Number, other: Number) -> Predicate[M_co]: ...
    def __lt__(self, other: object) -> Predicate[M_co] | Mismatch:
        return _compare("<", self, other)

    @overload
    def __le__(self, other: None) -> Mismatch: ...
    @overload
    def __le__(self: Expression[Any, T | None], other: T | OrMissing[T]) -> Predicate[M_co]: ...
    @overload
    def __le__(self, other: V | OrMissing[V]) -> Predicate[M_co]: ...
    @overload
    def __le__(self: Number, other: Number) -> Predicate[M_co]: ...
    def __le__(self, other: object) -> Predicate[M_co] | Mismatch:
        return _compare("<=", self, other)

    @overload
    def __gt__(self, other: None) -> Mismatch: ...
    @overload
    def __gt__(self: Expression[Any, T | None], other: T | OrMissing[T]) -> Predicate[M_co]: ...
    @overload
    def __gt__(self, other: V | OrMissing[V]) -> Predicate[M_co]: ...
    @overload
    def __gt__(self: Number, other: Number) -> Predicate[M_co]: ...
    def __gt__(self, other: object) -> Predicate[M_co] | Mismatch:
        return _compare(">", self, other)

    @overload
    def __ge__(self, other: None) -> Mismatch: ...
    @overload
    def __ge__(self: Expression[Any, T | None], other: T | OrMissing[T]) -> Predicate[M_co]: ...
    @overload
    def __ge__(self, other: V | OrMissing[V]) -> Predicate[M_co]: ...
    @overload
    def __ge__(self: Number, other: Number) -> Predicate[M_co]: ...
    def __ge__(self, other: object) -> Predicate[M_co] | Mismatch:
        return _compare(">=", self, other)

    @overload
    def between(self: Expression[Any, T | None], low: T | OrMissing[T], high: T | OrMissing[T]) -> Predicate[M_co]: ...
    @overload
    def between(self, low: V | OrMissing[V], high: V | OrMissing[V]) -> Predicate[M_co]: ...
    def between(self, low: object, high: object) -> Predicate[M_co]:
        """At least `low` and at most `high`."""
        return And((_compare(">=", self, low, "between"), _compare("<=", self, high, "between")))

    # -- membership
    @overload
    def in_(self, values: Collection[V], /) -> Predicate[M_co]: ...
    @overload
    def in_(self, query: Subquery[tuple[V]], /) -> Predicate[M_co]: ...
    @overload
    def in_(self, query: Subquery[tuple[V | None]], /) -> Predicate[M_co]: ...
    @overload
    def in_(self: Expression[Any, T | None], query: Subquery[tuple[T]], /) -> Predicate[M_co]: ...
    def in_(self, values: object, /) -> Predicate[M_co]:
        """One of the values, or of the values a query selects; `None` among them matches a missing value."""
        return _membership(self, values)

    @overload
    def not_in(self, values: Collection[V], /) -> Predicate[M_co]: ...
    @overload
    def not_in(self, query: Subquery[tuple[V]], /) -> Predicate[M_co]: ...
    @overload
    def not_in(self, query: Subquery[tuple[V | None]], /) -> Predicate[M_co]: ...
    @overload
    def not_in(self: Expression[Any, T | None], query: Subquery[tuple[T]], /) -> Predicate[M_co]: ...
    def not_in(self, values: object, /) -> Predicate[M_co]:
        """None of the values: exactly the complement of `in_`."""
        return Not(_membership(self, values))

    @overload
    def contains(self: Text, part: str | Text) -> Predicate[M_co]: ...
    @overload
    def contains(self: Expression[Any, list[T]], part: T) -> Predicate[M_co]: ...
    @overload
    def contains(self: Expression[Any, list[T] | None], part: T) -> Predicate[M_co]: ...
    def contains(self, part: object) -> Predicate[M_co]:
        """A text field: `part` is in it, case-sensitive and literal. A list field: `part` is an element."""
        if type_of(self).element is not None:
            return Element(node(self), _element(self, part))
        return _text("contains", self, part)

    @overload
    def not_contains(self: Text, part: str | Text) -> Predicate[M_co]: ...
    @overload
    def not_contains(self: Expression[Any, list[T]], part: T) -> Predicate[M_co]: ...
    @overload
    def not_contains(self: Expression[Any, list[T] | None], part: T) -> Predicate[M_co]: ...
    def not_contains(self, part: Any) -> Predicate[M_co]:
        """Exactly the complement of `contains`: true where the field is missing."""
        return Not(predicate(cast("Expression[M_co, str]", self).contains(part)))

    # -- text
    def starts_with(self: Text, prefix: str | Text) -> Predicate[M_co]:
        """The text begins with `prefix`, case-sensitive and literal."""
        return _text("starts_with", self, prefix)

    def ends_with(self: Text, suffix: str | Text) -> Predicate[M_co]:
        """The text ends with `suffix`, case-sensitive and literal."""
        return _text("ends_with", self, suffix)

    startswith = starts_with
    endswith = ends_with

    def like(self: Text, pattern: str) -> Predicate[M_co]:
        """The whole text fits the pattern: `%` any characters, `_` one character; case-sensitive, no escape."""
        return _text("like", self, pattern)

    def ilike(self: Text, text: str) -> Predicate[M_co]:
        """The whole text equals `text` without regard to case (simple Unicode folding); no wildcards."""
        return _text("ilike", self, text)

    def regex(self: Text, pattern: str) -> Predicate[M_co]:
        """The pattern is found in the text. Only the part of the language that all databases share is taken."""
        if not isinstance(pattern, str):
            raise TypeError(f"{self!r}.regex takes a str pattern, not {pattern!r}")
        return _text("regex", self, checked_regex(pattern))

    def lower(self: Text) -> Expression[M_co, V]:
        """The text with A-Z as a-z."""
        return Function("lower", (_texts(self, "lower"),))

    def upper(self: Text) -> Expression[M_co, V]:
        """The text with a-z as A-Z."""
        return Function("upper", (_texts(self, "upper"),))

    def length(self: Text) -> Expression[M_co, int]:
        """The number of characters (code points) of the text."""
        return Function("length", (_texts(self, "length"),))

    # -- null
    def is_null(self: Expression[Any, T | None]) -> Predicate[M_co]:
        """The value is missing."""
        return IsNull(node(self))

    def is_not_null(self: Expression[Any, T | None]) -> Predicate[M_co]:
        """The value is there."""
        return Not(IsNull(node(self)))

    @overload
    def coalesce(self: Expression[Any, T | None], other: T | Expression[Any, T]) -> Expression[M_co, T]: ...
    @overload
    def coalesce(self: Expression[Any, T | None], other: Expression[Any, T | None]) -> Expression[M_co, T | None]: ...
    def coalesce(self, other: object) -> Expression[M_co, Any]:
        """The value, or `other` where it is missing."""
        found = operand(other, self)
        if type_of(self).kind is Kind.INT and type_of(found).kind is Kind.FLOAT:
            raise TypeError(f"{self!r} holds int and {found!r} holds float: ask the float column, or give an int")
        return Function("coalesce", (node(self), found))

    # -- arithmetic: int with float is float, and where a side can be missing, so can the result
    @overload
    def __add__(  # type: ignore[overload-overlap]
        self: Expression[Any, int], other: int | Expression[Any, int]
    ) -> Expression[M_co, int]: ...
    @overload
    def __add__(  # type: ignore[overload-overlap]
        self: Present, other: float | Present
    ) -> Expression[M_co, float]: ...
    @overload
    def __add__(  # type: ignore[overload-overlap]
        self: OrMissing[int], other: int | OrMissing[int]
    ) -> Expression[M_co, int | None]: ...
    @overload
    def __add__(self: Number, other: float | Number) -> Expression[M_co, float | None]: ...
    @overload
    def __add__(self: Exact, other: Decimal | Exact) -> Expression[M_co, Decimal]: ...
    @overload
    def __add__(self: OrMissing[Decimal], other: Decimal | OrMissing[Decimal]) -> Expression[M_co, Decimal | None]: ...
    def __add__(self, other: object) -> Expression[M_co, Any]:
        return _arithmetic("+", self, other)

    @overload
    def __radd__(self: Expression[Any, int], other: int) -> Expression[M_co, int]: ...
    @overload
    def __radd__(self: Present, other: float) -> Expression[M_co, float]: ...
    @overload
    def __radd__(self: OrMissing[int], other: int) -> Expression[M_co, int | None]: ...
    @overload
    def __radd__(self: Number, other: float) -> Expression[M_co, float | None]: ...
    @overload
    def __radd__(self: Exact, other: Decimal) -> Expression[M_co, Decimal]: ...
    @overload
    def __radd__(self: OrMissing[Decimal], other: Decimal) -> Expression[M_co, Decimal | None]: ...
    def __radd__(self, other: object) -> Expression[M_co, Any]:
        return _arithmetic("+", other, self)

    if TYPE_CHECKING:
        __sub__ = __mul__ = __mod__ = __add__
        __rsub__ = __rmul__ = __rmod__ = __radd__
    else:

        def __sub__(self, other):
            return _arithmetic("-", self, other)

        def __rsub__(self, other):
            return _arithmetic("-", other, self)

        def __mul__(self, other):
            return _arithmetic("*", self, other)

        def __rmul__(self, other):
            return _arithmetic("*", other, self)

        def __mod__(self, other):
            return _arithmetic("%", self, other)

        def __rmod__(self, other):
            return _arithmetic("%", other, self)

    @overload
    def __truediv__(self: Present, other: float | Present) -> Expression[M_co, float]: ...
    @overload
    def __truediv__(self: Number, other: float | Number) -> Expression[M_co, float | None]: ...
    @overload
    def __truediv__(self: Exact, other: Decimal | Exact) -> Expression[M_co, Decimal]: ...
    @overload
    def __truediv__(
        self: OrMissing[Decimal], other: Decimal | OrMissing[Decimal]
    ) -> Expression[M_co, Decimal | None]: ...
    def __truediv__(self, other: object) -> Expression[M_co, Any]:
        return _arithmetic("/", self, other)

    @overload
    def __rtruediv__(self: Present, other: float) -> Expression[M_co, float]: ...
    @overload
    def __rtruediv__(self: Number, other: float) -> Expression[M_co, float | None]: ...
    @overload
    def __rtruediv__(self: Exact, other: Decimal) -> Expression[M_co, Decimal]: ...
    @overload
    def __rtruediv__(self: OrMissing[Decimal], other: Decimal) -> Expression[M_co, Decimal | None]: ...
    def __rtruediv__(self, other: object) -> Expression[M_co, Any]:
        return _arithmetic("/", other, self)

    # -- aggregates: one value of the rows of a group, in `select`, `having` and `order_by`
    def count(self, *, distinct: bool = False) -> Expression[M_co, int]:
        """In how many rows the value is there; with `distinct`, how many different values there are."""
        return _aggregate("count", self, distinct)

    @overload
    def sum_(self: OrMissing[int]) -> Expression[M_co, int | None]: ...
    @overload
    def sum_(self: OrMissing[float]) -> Expression[M_co, float | None]: ...
    @overload
    def sum_(self: OrMissing[Decimal]) -> Expression[M_co, Decimal | None]: ...
    def sum_(self) -> Expression[M_co, Any]:
        """The sum of the values that are there, `None` if none is; `QueryRejected` beyond 64 bits."""
        return _aggregate("sum_", self)

    @overload
    def avg(self: Number) -> Expression[M_co, float | None]: ...
    @overload
    def avg(self: OrMissing[Decimal]) -> Expression[M_co, Decimal | None]: ...
    def avg(self) -> Expression[M_co, Any]:
        """The mean of the values that are there, `None` if none is; of Decimals to 28 digits."""
        return _aggregate("avg", self)

    def min_(self) -> Expression[M_co, V | None]:
        """The smallest of the values that are there, `None` if none is."""
        return _aggregate("min_", self)

    def max_(self) -> Expression[M_co, V | None]:
        """The largest of the values that are there, `None` if none is."""
        return _aggregate("max_", self)

    # -- order
    @property
    def asc(self) -> Order:
        """Smallest first, missing values before all others."""
        return Order(_ordered(self, "asc"))

    @property
    def desc(self) -> Order:
        """Largest first, missing values after all others."""
        return Order(_ordered(self, "desc"), descending=True)

    # -- what would silently do something else
    if not MYPY:

        def __bool__(self) -> NoReturn:
            raise TypeError(f"{self!r} is a column, not a value: compare it (== None, == True, > 0, …); {_TRUTH}")

    if not TYPE_CHECKING:  # to a checker they stay errors by themselves

        def __and__(self, other: object) -> NoReturn:
            raise TypeError(
                f"& | ~ take conditions, and {self!r} is a column: "
                f"put each comparison in parentheses, as in (User.age > 18) & ({self!r} == …)"
            )

        __rand__ = __or__ = __ror__ = __and__

        def __invert__(self) -> NoReturn:
            self.__and__(None)

    def __contains__(self, item: object) -> NoReturn:
        raise TypeError(f"`in` on {self!r} cannot be recorded: write .contains(…) or .in_(…)")

    def __iter__(self) -> Iterator[NoReturn]:
        raise TypeError(f"{self!r} is a column and cannot be iterated: run a query and iterate its rows")

    def __repr__(self) -> str:
        from ommi.query.text import expression_text

        return expression_text(node(self))


OrMissing: TypeAlias = "Expression[Any, T] | Expression[Any, T | None]"
Text: TypeAlias = "Expression[Any, str] | Expression[Any, str | None]"
Present: TypeAlias = "Expression[Any, int] | Expression[Any, float]"
Exact: TypeAlias = "Expression[Any, Decimal]"
Number: TypeAlias = "Present | Expression[Any, int | None] | Expression[Any, float | None]"


class Column(Expression[M_co, V]):
    """A field of a model, as it is written in a query: `User.age`."""

    __slots__ = ("field", "schema")

    def __init__(self, schema: Schema, field: Field) -> None:
        self.schema = schema
        self.field = field

    @property
    def name(self) -> str:
        """The field's name on the model."""
        return self.field.name


@final
class Literal(Expression[Any, Any]):
    """A value in a query, canonical for its type; it reaches a database only as a parameter.

    A value that its type cannot hold is kept as the error that running the statement will fail with.
    """

    __slots__ = ("type", "unfit", "value")

    def __init__(self, value: Any, type: FieldType, unfit: EncodeError | InvalidCursor | None = None) -> None:
        self.value = value
        self.type = type
        self.unfit = unfit


@final
class Arithmetic(Expression[Any, Any]):
    """Two numbers combined; missing where one of them is. `/` is true division, `%` has the divisor's sign."""

    __slots__ = ("left", "operator", "right", "type")

    def __init__(
        self, operator: ArithmeticOperator, left: ExpressionNode, right: ExpressionNode, type: FieldType
    ) -> None:
        self.operator: ArithmeticOperator = operator
        self.left = left
        self.right = right
        self.type = type


@final
class Function(Expression[Any, Any]):
    """A function of expressions: `lower`, `upper`, `length` of a text, `coalesce` of two values of one type."""

    __slots__ = ("arguments", "name")

    def __init__(self, name: FunctionName, arguments: tuple[ExpressionNode, ...]) -> None:
        self.name: FunctionName = name
        self.arguments = arguments


@final
class Aggregate(Expression[Any, Any]):
    """One value of the rows of a group, of those where the operand is there; without one, `count` counts all rows."""

    __slots__ = ("distinct", "name", "operand")

    def __init__(self, name: AggregateName, operand: ExpressionNode | None, distinct: bool = False) -> None:
        self.name: AggregateName = name
        self.operand = operand
        self.distinct = distinct


@final
class GroupKey(Expression[Any, Any]):
    """What the rows of a group have in common: the expression in this position of what is grouped by."""

    __slots__ = ("expression", "position")

    def __init__(self, position: int, expression: ExpressionNode) -> None:
        self.position = position
        self.expression = expression


ExpressionNode: TypeAlias = "Column[Any, Any] | Literal | Arithmetic | Function | Aggregate | GroupKey"


@final
@frozen(eq=False, repr=False)
class Comparison(Predicate[Any]):
    """`left` against `right`. Two missing values are equal; `<`, `<=`, `>`, `>=` are false where one is missing."""

    operator: ComparisonOperator
    left: ExpressionNode
    right: ExpressionNode


@final
@frozen(eq=False, repr=False)
class Paired(Predicate[Any]):
    """Both values are there, and equal: what joins rows, where a missing value belongs to nothing."""

    left: ExpressionNode
    right: ExpressionNode


@final
@frozen(eq=False, repr=False)
class IsNull(Predicate[Any]):
    """The value is missing."""

    operand: ExpressionNode


@final
@frozen(eq=False, repr=False)
class Membership(Predicate[Any]):
    """The operand is one of the values, or missing where `missing` is true. The values are never `None`."""

    operand: ExpressionNode
    values: tuple[Literal, ...]
    missing: bool = False


@final
@frozen(eq=False, repr=False)
class InQuery(Predicate[Any]):
    """The operand is one of the values that a query of one column selects; a missing one matches a missing one."""

    operand: ExpressionNode
    query: Select


@final
@frozen(eq=False, repr=False)
class RowExists(Predicate[Any]):
    """The query gives a row. Columns in its condition that are of none of its models are of the row asked about."""

    query: Select


@final
@frozen(eq=False, repr=False)
class TextMatch(Predicate[Any]):
    """A text against another; false where one is missing. `like`, `ilike` and `regex` have a literal on the right."""

    operator: TextOperator
    operand: ExpressionNode
    pattern: ExpressionNode


@final
@frozen(eq=False, repr=False)
class Element(Predicate[Any]):
    """The list field has an element equal to the value (a canonical JSON value); false where the list is missing."""

    operand: ExpressionNode
    value: Literal


@final
@frozen(eq=False, repr=False)
class After(Predicate[Any]):
    """The row comes after one that has these values, in an order that leaves no two rows alike.

    A value is that of the part of the order in its place, `None` where it is missing. `ommi.query.seeking` has the same
    in other words. `cursor` is what it was made of; with `backwards`, the order is the reverse of the query's.
    """

    order: tuple[Order, ...]
    values: tuple[Literal, ...]
    cursor: str = ""
    backwards: bool = False


@final
@frozen(eq=False, repr=False)
class And(Predicate[Any]):
    """All parts hold; with no parts, true."""

    parts: tuple[PredicateNode, ...]


@final
@frozen(eq=False, repr=False)
class Or(Predicate[Any]):
    """A part holds; with no parts, false."""

    parts: tuple[PredicateNode, ...]


@final
@frozen(eq=False, repr=False)
class Not(Predicate[Any]):
    """The part does not hold: exactly its complement."""

    part: PredicateNode


PredicateNode: TypeAlias = (
    Comparison | Paired | IsNull | Membership | InQuery | RowExists | TextMatch | Element | After | And | Or | Not
)


@final
@frozen(eq=False, repr=False)
class Order:
    """One part of an order; `missing` says where missing values go, `None`: first ascending, last descending."""

    expression: ExpressionNode
    descending: bool = False
    missing: OneOf["first", "last"] | None = None

    def nulls_first(self) -> Order:
        """Missing values before all others."""
        return Order(self.expression, self.descending, "first")

    def nulls_last(self) -> Order:
        """Missing values after all others."""
        return Order(self.expression, self.descending, "last")

    @property
    def missing_first(self) -> bool:
        """Whether missing values come first."""
        return not self.descending if self.missing is None else self.missing == "first"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Order):
            return NotImplemented
        from ommi.query.outline import same

        return same(self, other)

    def __hash__(self) -> int:
        from ommi.query.outline import outline

        return hash(outline(self, []))

    def __repr__(self) -> str:
        from ommi.query.text import order_text

        return order_text(self)


class Subquery(Generic[R_co]):
    """What `in_` takes besides values: a query that selects one column."""

    __slots__ = ()

    def subquery(self) -> Select:
        """The statement, with exactly one column."""
        raise NotImplementedError(type(self).__name__)


# -- the logic functions users write


def all_of(*conditions: Predicate[T] | bool) -> Predicate[T]:
    """Every condition holds; with none given, true."""
    return And(tuple(predicate(c, "all_of") for c in conditions))


def any_of(*conditions: Predicate[T] | bool) -> Predicate[T]:
    """At least one condition holds; with none given, false."""
    return Or(tuple(predicate(c, "any_of") for c in conditions))


def not_(condition: Predicate[T] | bool) -> Predicate[T]:
    """The condition does not hold; the spelling of `~` that types without the mypy plugin."""
    return ~cast("Predicate[T]", predicate(condition, "not_"))


@overload
def col(column: Expression[T, V]) -> Expression[T, V]: ...
@overload
def col(column: V) -> Expression[object, V]: ...
def col(column: Any) -> Any:
    """The column itself, typed as one: `col(u.age).in_([1, 2])` where the checker takes `u.age` for an `int`."""
    if not isinstance(column, Expression):
        raise TypeError(f"col(…) takes a column (User.age, or u.age of a lambda or ref), not the value {column!r}")
    return column


# -- checks and building


def node(expression: Expression[Any, Any]) -> ExpressionNode:
    """The expression as a member of the closed union."""
    return cast("ExpressionNode", expression)


def predicate(condition: object, place: str = "a condition") -> PredicateNode:
    """The condition as a member of the closed union; `TypeError` for anything else."""
    if isinstance(condition, Predicate):
        return cast("PredicateNode", condition)
    if isinstance(condition, bool):
        raise TypeError(
            f"{place} got the plain bool {condition}: it was compared before the database saw it. "
            "Compare columns (User.age > 18), not values of an instance, and write & | ~ for and, or, not"
        )
    if isinstance(condition, Expression):
        raise TypeError(f"{place} got the column {condition!r}: compare it, for example {condition!r} == True")
    raise TypeError(f"{place} got {condition!r}, which is no condition on a column")


def _flat(kind: type[And | Or], condition: Predicate[Any]) -> tuple[PredicateNode, ...]:
    found = predicate(condition)
    return found.parts if isinstance(found, kind) else (found,)


def type_of(expression: Expression[Any, Any]) -> FieldType:
    """The type of an expression's values."""
    if isinstance(expression, Column):  # by far the most frequent
        return expression.field.type
    match node(expression):
        case Column() as column:
            return column.field.type
        case Literal() as literal:
            return literal.type
        case Arithmetic() as arithmetic:
            return arithmetic.type
        case Function(name="length"):
            return INT
        case Function(name="lower" | "upper"):
            return STR  # of an Enum's text: no member any more
        case Function() as function:
            return type_of(function.arguments[0])
        case Aggregate(name="count"):
            return INT
        case Aggregate(operand=operand) as aggregate:
            assert operand is not None
            found = type_of(operand)
            return FLOAT if aggregate.name == "avg" and found.kind is not Kind.DECIMAL else found
        case GroupKey() as key:
            return type_of(key.expression)


def nullable(expression: Expression[Any, Any], outer: Collection[Schema] = ()) -> bool:
    """Whether an expression can be missing in a row; `outer` are the models whose rows may be missing in it."""
    match node(expression):
        case Column() as column:
            return column.field.nullable or column.schema in outer
        case Literal() as literal:
            return literal.value is None
        case Arithmetic() as arithmetic:
            return nullable(arithmetic.left, outer) or nullable(arithmetic.right, outer)
        case Function(name="coalesce") as function:
            return all(nullable(argument, outer) for argument in function.arguments)
        case Function() as function:
            return any(nullable(argument, outer) for argument in function.arguments)
        case Aggregate() as aggregate:
            return aggregate.name != "count"
        case GroupKey() as key:
            return nullable(key.expression, outer)


def literal(value: object, type: FieldType, place: object) -> Literal:
    """A value as a literal of a type; `TypeError` if its class is not one the type takes."""
    accepts = type.accepts
    if (
        accepts
        and value.__class__ not in accepts
        and (not isinstance(value, accepts) or _only_by_inheritance(value, accepts))
    ):
        raise TypeError(f"{place!r} holds {type.name}: it cannot be compared or combined with {value!r}")
    try:
        return Literal(type.dump(value), type)
    except (TypeError, ValueError) as error:
        return Literal(value, type, EncodeError(f"{place!r}: {error}"))


def _only_by_inheritance(value: object, accepts: tuple[type[Any], ...]) -> bool:
    """A bool is no int, and a datetime no date, although Python says so."""
    return any(isinstance(value, kind) and kind not in accepts for kind in (bool, datetime))


def operand(value: object, like: Expression[Any, Any]) -> ExpressionNode:
    """The other side of an operator: an expression of a fitting kind, or a literal of the same type."""
    if isinstance(value, Expression):
        mine, other = type_of(like), type_of(value)
        if mine.kind is not other.kind and not (mine.kind in _NUMBERS and other.kind in _NUMBERS):
            raise TypeError(
                f"{like!r} holds {mine.name} and {value!r} holds {other.name}: they do not compare or combine"
            )
        return node(value)
    if isinstance(value, Predicate):
        raise TypeError(f"{like!r} got the condition {value!r} where a value belongs; put conditions in parentheses")
    return literal(value, type_of(like), like)


_NUMBERS = frozenset({Kind.INT, Kind.FLOAT})
_ARITHMETIC = frozenset({Kind.INT, Kind.FLOAT, Kind.DECIMAL})
_UNORDERED = frozenset({Kind.JSON, Kind.BYTES})


def _plain(kind: Kind, name: str, *accepts: type[Any]) -> FieldType:
    from ommi.values import CANONICAL

    return FieldType(kind, name, CANONICAL[kind], None, accepts)


INT = _plain(Kind.INT, "int", int)
FLOAT = _plain(Kind.FLOAT, "float", float, int)
STR = _plain(Kind.STR, "str", str)


def _compare(operator: ComparisonOperator, left: object, right: object, said: str | None = None) -> Comparison | Any:
    like: Any = left if isinstance(left, Expression) else right
    if right is None or left is None:
        if operator not in ("==", "!="):
            raise TypeError(
                f"{like!r} {said or operator} None: a missing value has no order; write .is_null() or == None"
            )
        missing = IsNull(node(like))
        return missing if operator == "==" else Not(missing)
    if operator != "==" and operator != "!=":
        _ordered(like, said or operator)
    return Comparison(operator, like, operand(right, like))


def _ordered(expression: Expression[Any, Any], said: str) -> ExpressionNode:
    found = type_of(expression)
    if found.kind in _UNORDERED:
        raise TypeError(
            f"{expression!r} holds {found.name}, which has no order: .{said} cannot be asked of it"
            if said.strip("_").isalpha()
            else f"{expression!r} holds {found.name}, which has no order: {said} cannot be asked of it"
        )
    return node(expression)


def _membership(expression: Expression[Any, Any], values: object) -> Membership | InQuery:
    if isinstance(values, Subquery):
        query = values.subquery()
        assert query.columns is not None
        operand(query.columns[0], expression)
        return InQuery(node(expression), query)
    if isinstance(values, (str, bytes, Expression, Predicate)) or not isinstance(values, Collection):
        raise TypeError(f"{expression!r}.in_(…) takes a collection of values or a query of one column, not {values!r}")
    found = type_of(expression)
    present = tuple(literal(value, found, expression) for value in values if value is not None)
    return Membership(node(expression), present, missing=len(present) < len(values))


def _texts(expression: Expression[Any, Any], said: str) -> ExpressionNode:
    if type_of(expression).kind is not Kind.STR:
        raise TypeError(f"{expression!r} holds {type_of(expression).name}: .{said} is asked of text")
    return node(expression)


def _text(operator: TextOperator, expression: Expression[Any, Any], pattern: object) -> TextMatch:
    subject = _texts(expression, operator)
    if isinstance(pattern, Expression):
        if operator in ("like", "ilike", "regex"):
            raise TypeError(f"{expression!r}.{operator} takes a str, not the column {pattern!r}")
        return TextMatch(operator, subject, _texts(pattern, operator))
    if not isinstance(pattern, str):
        raise TypeError(f"{expression!r}.{operator} takes a str, not {pattern!r}")
    return TextMatch(operator, subject, literal(pattern, STR, expression))


def _element(expression: Expression[Any, Any], value: object) -> Literal:
    element = type_of(expression).element
    assert element is not None
    return literal(value, element, expression)


def _arithmetic(operator: ArithmeticOperator, left: object, right: object) -> Arithmetic:
    like = left if isinstance(left, Expression) else cast("Expression[Any, Any]", right)
    mine = type_of(like)
    if mine.kind not in _ARITHMETIC:
        raise TypeError(f"{like!r} holds {mine.name}: {operator} is asked of int, float or Decimal")
    if left is None or right is None:
        raise TypeError(f"{like!r} {operator} None: write a number, or .coalesce(…) on the column")
    first = node(left) if isinstance(left, Expression) else _number(left, like)
    second = operand(right, like) if isinstance(right, Expression) else _number(right, like)
    kinds = {type_of(first).kind, type_of(second).kind}
    if kinds == {Kind.DECIMAL}:
        return Arithmetic(operator, first, second, mine)
    return Arithmetic(operator, first, second, FLOAT if Kind.FLOAT in kinds or operator == "/" else INT)


def _aggregate(name: AggregateName, expression: Expression[Any, Any], distinct: bool = False) -> Aggregate:
    found = type_of(expression)
    numbers = found.kind in _ARITHMETIC and not found.choices
    if name in ("sum_", "avg") and not numbers:
        raise TypeError(f"{expression!r} holds {found.name}: .{name}() is asked of int, float or Decimal")
    if name in ("min_", "max_"):
        _ordered(expression, name)
    if distinct and found.kind is Kind.JSON:
        raise TypeError(f"{expression!r} holds {found.name}, a structure: its different values are not counted")
    if any(True for _ in aggregates_of(expression)):
        raise TypeError(f"{expression!r}.{name}() is an aggregate of an aggregate: a group has one value of it already")
    return Aggregate(name, node(expression), distinct)


def aggregates_of(expression: Expression[Any, Any]) -> Iterator[Aggregate]:
    """The aggregates in an expression, from left to right."""
    match node(expression):
        case Aggregate() as aggregate:
            yield aggregate
        case Arithmetic() as arithmetic:
            yield from aggregates_of(arithmetic.left)
            yield from aggregates_of(arithmetic.right)
        case Function() as function:
            for argument in function.arguments:
                yield from aggregates_of(argument)
        case Column() | Literal() | GroupKey():
            return


def _number(value: object, like: Expression[Any, Any]) -> Literal:
    mine = type_of(like)
    if mine.kind is Kind.INT and type(value) is float:  # a float makes the whole a float
        return literal(value, FLOAT, like)
    return literal(value, mine, like)


Condition: TypeAlias = "Predicate[Any] | bool | Callable[[Any], Predicate[Any] | bool]"
