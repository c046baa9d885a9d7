"""Expressions, predicates and queries into SQL fragments: two-valued logic in a language that has three values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn, assert_never, final

from ommi.drivers.sql.dialect import Dialect, Vocabulary
from ommi.drivers.sql.fragment import Fragment, Place, fill, joined, text
from ommi.drivers.sql.normalize import normalized
from ommi.errors import QueryRejected, UnsupportedOperation
from ommi.frozen import frozen, replace
from ommi.query.expressions import (
    NEGATED,
    After,
    Aggregate,
    And,
    Arithmetic,
    Column,
    Comparison,
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
    nullable,
    type_of,
)
from ommi.query.outline import same
from ommi.query.statements import Select
from ommi.schema import Field, Schema
from ommi.values import Kind

__all__ = ["Parts", "Scope", "Translation"]

_WIDEST = 100
"""How many parts stand beside each other before they are put in groups: SQLite's expressions are at most 1000 deep."""


@final
@frozen
class Scope:
    """The table whose columns are meant, and what stands before their names.

    `joined` are further tables beside it, of which the rows of `outer` may be missing; `groups` what they are grouped
    by. In a subquery, `enclosing` has the tables of the rows that it is asked about.
    """

    schema: Schema
    prefix: str = ""
    depth: int = 0
    joined: tuple[tuple[Schema, str], ...] = ()
    outer: frozenset[Schema] = frozenset()
    groups: tuple[Fragment, ...] | None = None
    enclosing: Scope | None = None

    def prefix_of(self, field: Field) -> str | None:
        """What stands before the name of a field's column; `None` for one of another table."""
        if self.schema.by_name.get(field.name) is field:
            return self.prefix
        for schema, prefix in self.joined:
            if schema.by_name.get(field.name) is field:
                return prefix
        return None if self.enclosing is None else self.enclosing.prefix_of(field)


@final
@frozen
class Parts:
    """A query's parts, translated."""

    tables: Fragment
    columns: Sequence[Fragment]
    where: Fragment | None
    order: Sequence[Fragment]
    groups: Sequence[Fragment] | None = None
    having: Fragment | None = None
    named: Fragment | None = None
    """What is grouped by, where it is given names beside the tables."""


@final
class Translation:
    """One statement on its way into SQL. It meets the literals in the order in which `outline` gathers them.

    Conditions it gives are true where the predicate holds, and false or unknown where not.
    """

    __slots__ = ("dialect", "taken", "words")

    def __init__(self, dialect: Dialect, words: Vocabulary) -> None:
        self.dialect = dialect
        self.words = words
        self.taken = 0

    # -- expressions

    def expression(self, found: ExpressionNode, scope: Scope) -> Fragment:
        """The SQL of a value, which can stand beside any operator."""
        match found:
            case Column():
                return self.column(found.field, scope)
            case Literal():
                kind = found.type.kind
                dump = None if found.value is None else self.dialect.storage.forms[kind].dump
                return (Place(self._take(), kind, dump),)
            case Arithmetic():
                template = self.words.arithmetic.get((found.type.kind, found.operator))
                if template is None:
                    self.refuse(f"{found.type.name} {found.operator} {found.type.name}")
                return fill(template, self.expression(found.left, scope), self.expression(found.right, scope))
            case Function():
                return self._function(found, scope)
            case Aggregate():
                return self._aggregate(found, scope)
            case GroupKey():
                assert scope.groups is not None
                return scope.groups[found.position]
            case _:
                assert_never(found)

    def column(self, field: Field, scope: Scope) -> Fragment:
        """A field's column; `QueryRejected` if the statement is about another model."""
        prefix = scope.prefix_of(field)
        if prefix is None:
            raise QueryRejected(
                f"{field.name!r} is no field of {scope.schema.name}, which this statement is about; "
                "use .in_(find(…).select(…)) to compare with another model"
            )
        return text(prefix + self.words.quote(field.column))

    def part(self, part: str | Literal | Schema | Field) -> Fragment:
        """A part of an application's own SQL; a missing value is a word, which fits every type."""
        match part:
            case str():
                return text(part)
            case Literal():
                source, kind = self._take(), part.type.kind
                return (
                    text("NULL")
                    if part.value is None
                    else (Place(source, kind, self.dialect.storage.forms[kind].dump),)
                )
            case Schema():
                return text(self.table(part))
            case Field():
                return text(self.words.quote(part.column))
            case _:
                assert_never(part)

    def assigned(self, field: Field, value: ExpressionNode, scope: Scope) -> Fragment:
        """What a field is set to; `QueryRejected` if it is of another kind."""
        found, wanted = type_of(value), field.type
        if found.kind is not wanted.kind:
            place = f"{scope.schema.name}.{field.name}"
            raise QueryRejected(
                f"{place} holds {wanted.name} and cannot be set to {value!r}, which is {found.name}",
                model=scope.schema.model,
            )
        return self.expression(value, scope)

    def _function(self, found: Function, scope: Scope) -> Fragment:
        template = self.words.functions.get(found.name)
        if template is None:
            self.refuse(f".{found.name}()")
        arguments = [self.expression(argument, scope) for argument in found.arguments]
        if found.name == "coalesce" and type_of(found).kind is Kind.FLOAT:
            kinds = [type_of(argument).kind for argument in found.arguments]
            arguments = [
                fill(self.words.as_float, sql) if kind is Kind.INT else sql
                for sql, kind in zip(arguments, kinds, strict=True)
            ]
        return fill(template, *arguments)

    def _aggregate(self, found: Aggregate, scope: Scope) -> Fragment:
        if scope.groups is None:
            raise QueryRejected(f"{found!r} is asked of a single row: it is of the rows of a group")
        if found.operand is None:
            return text("count(*)")
        operand = self.expression(found.operand, replace(scope, groups=None))
        if found.name == "count":
            sql = self._equality_key(found.operand, operand) if found.distinct else operand
            return fill("count(DISTINCT {0})" if found.distinct else "count({0})", sql)
        template = self.words.aggregates.get((found.name, type_of(found.operand).kind))
        if template is None:
            self.refuse(f".{found.name}() of {type_of(found.operand).name}")
        return fill(template, operand)

    def _take(self, count: int = 1) -> int:
        start = self.taken
        self.taken += count
        return start

    def refuse(self, what: str) -> NoReturn:
        """`UnsupportedOperation`: the vocabulary has no word for it."""
        raise UnsupportedOperation(f"{self.dialect.name} has no {what} here")

    # -- predicates

    def where(self, found: PredicateNode, scope: Scope) -> Fragment:
        """A condition as it stands behind WHERE."""
        match normalized(found):
            case And(parts) if 1 < len(parts) <= _WIDEST:
                return joined(" AND ", [self._condition(part, scope) for part in parts])
            case condition:
                return self._condition(condition, scope)

    def _condition(self, found: PredicateNode, scope: Scope) -> Fragment:
        match found:
            case And(parts):
                return _grouped(" AND ", [self._condition(part, scope) for part in parts], "TRUE")
            case Or(parts):
                return _grouped(" OR ", [self._condition(part, scope) for part in parts], "FALSE")
            case Not(part):
                return self._leaf(part, scope, negated=True)
            case _:
                return self._leaf(found, scope, negated=False)

    def _leaf(self, found: PredicateNode, scope: Scope, *, negated: bool) -> Fragment:
        match found:
            case Comparison():
                return self._comparison(found, scope, negated)
            case Paired():
                return self._paired(found, scope, negated)
            case IsNull(operand):
                return fill("{0} IS NOT NULL" if negated else "{0} IS NULL", self.expression(operand, scope))
            case Membership():
                return self._membership(found, scope, negated)
            case InQuery():
                return self._in_query(found, scope, negated)
            case RowExists(query):
                return fill("NOT EXISTS ({0})" if negated else "EXISTS ({0})", self._any_row(query, scope))
            case TextMatch():
                return self._text(found, scope, negated)
            case Element():
                return self._element(found, scope, negated)
            case After():
                after = self._after(found, scope)
                return fill("({0}) IS NOT TRUE", after) if negated else after
            case And() | Or() | Not():
                raise AssertionError(f"{type(found).__name__} is no leaf: normalized() left it there")
            case _:
                assert_never(found)

    def _comparison(self, found: Comparison, scope: Scope, negated: bool) -> Fragment:
        left, right = self.expression(found.left, scope), self.expression(found.right, scope)
        missing = (nullable(found.left, scope.outer), nullable(found.right, scope.outer))
        operator = NEGATED[found.operator] if negated else found.operator
        if operator in ("==", "!="):
            left, right = self._equality_key(found.left, left), self._equality_key(found.right, right)
        if operator == "==":
            return fill(_EQUAL_OR_BOTH_MISSING if all(missing) else "{0} = {1}", left, right)
        if operator == "!=" and all(missing):
            return fill("({0} <> {1} OR ({0} IS NULL) <> ({1} IS NULL))", left, right)
        if operator == "!=":
            return _or_missing(fill("{0} <> {1}", left, right), (left, right), missing)
        keys = (self._order_key(found.left, left, found.right), self._order_key(found.right, right, found.left))
        ordered = fill(f"{{0}} {operator} {{1}}", *keys)
        return _or_missing(ordered, (left, right), missing) if negated else ordered

    def _paired(self, found: Paired, scope: Scope, negated: bool) -> Fragment:
        sides = (found.left, found.right)
        left, right = (self._equality_key(side, self.expression(side, scope)) for side in sides)
        if not negated:
            return fill("{0} = {1}", left, right)
        missing = [nullable(side, scope.outer) for side in sides]
        return _or_missing(fill("{0} <> {1}", left, right), (left, right), missing)

    def _any_row(self, query: Select, scope: Scope) -> Fragment:
        if not self.words.subqueries:
            self.refuse("exists_(…)")
        parts = self.parts(query, self.scope_of(query, scope))
        return self.rows(query, parts, text("1"))

    def _equality_key(self, found: ExpressionNode, sql: Fragment) -> Fragment:
        """What equals exactly where the expression does."""
        template = self.words.equality_keys.get(type_of(found).kind)
        return sql if template is None else fill(template, sql)

    def _order_key(self, found: ExpressionNode, sql: Fragment, other: ExpressionNode | None = None) -> Fragment:
        """What orders as the expression does."""
        key = self.words.order_keys.get(type_of(found).kind)
        if key is None:
            return sql
        if isinstance(found, Literal) and found.value is not None:
            return tuple(replace(part, dump=key.dump) if isinstance(part, Place) else part for part in sql)
        if key.against is not None and isinstance(other, Literal) and other.value is not None:
            return fill(key.against(other.value), sql)
        return fill(key.template, sql)

    def _membership(self, found: Membership, scope: Scope, negated: bool) -> Fragment:
        operand = self._equality_key(found.operand, self.expression(found.operand, scope))
        count = len(found.values)
        if not count:
            if found.missing:
                return fill("{0} IS NOT NULL" if negated else "{0} IS NULL", operand)
            return text("TRUE" if negated else "FALSE")
        kind, start, longest = found.values[0].type.kind, self._take(count), self.words.longest_list
        if longest is not None and count > longest:
            form = self.words.lists[kind]
            among = fill(form.template, operand, (Place(slice(start, start + count), kind, form.dump),))
        else:
            dump = self.dialect.storage.forms[kind].dump
            values: list[Fragment] = [
                self._equality_key(value, (Place(start + n, kind, dump),)) for n, value in enumerate(found.values)
            ]
            among = fill("{0} IN ({1})", operand, joined(", ", values))
        if found.missing:
            # NOT IN is unknown where the operand is missing: false, as it should be
            return fill("NOT ({0})" if negated else "({0} OR {1} IS NULL)", among, operand)
        return (
            _or_missing(fill("NOT ({0})", among), (operand,), (nullable(found.operand, scope.outer),))
            if negated
            else among
        )

    def _text(self, found: TextMatch, scope: Scope, negated: bool) -> Fragment:
        form = self.words.texts.get(found.operator)
        if form is None:
            self.refuse(f".{found.operator}(…)")
        operand = self.expression(found.operand, scope)
        if isinstance(found.pattern, Literal):
            source = self._take()
            sql = fill(form.literal, operand, *[(Place(source, Kind.STR, dump),) for dump in form.dumps])
            compared: tuple[Fragment, ...] = (operand,)
            missing: tuple[bool, ...] = (nullable(found.operand, scope.outer),)
        else:
            if form.column is None:
                self.refuse(f".{found.operator}(…) of two columns")
            pattern = self.expression(found.pattern, scope)
            sql = fill(form.column, operand, pattern)
            compared, missing = (
                (operand, pattern),
                (nullable(found.operand, scope.outer), nullable(found.pattern, scope.outer)),
            )
        return _or_missing(fill("NOT ({0})", sql), compared, missing) if negated else sql

    def _element(self, found: Element, scope: Scope, negated: bool) -> Fragment:
        element = type_of(found.operand).element
        form = None if element is None else self.words.elements.get(element.kind)
        if form is None:
            self.refuse(".contains(…) of a list")
        operand = self.expression(found.operand, scope)
        sql = fill(form.template, operand, (Place(self._take(), Kind.JSON, form.dump),))
        if not negated:
            return sql
        return _or_missing(fill("NOT ({0})", sql), (operand,), (nullable(found.operand, scope.outer),))

    def _after(self, found: After, scope: Scope) -> Fragment:
        """Rows after a position, so that an index of the order begins there: true, and false or unknown."""
        columns = [self.expression(part.expression, scope) for part in found.order]
        start = self._take(len(found.values))
        parts: list[_Position] = []
        for at, (part, mark, column) in enumerate(zip(found.order, found.values, columns, strict=True), start):
            kind = mark.type.kind
            value: Fragment = (Place(at, kind, None if mark.value is None else self.dialect.storage.forms[kind].dump),)
            keys = self._order_key(part.expression, column, mark), self._order_key(mark, value, part.expression)
            equal = self._equality_key(part.expression, column), self._equality_key(mark, value)
            parts.append(_Position(part, mark.value is None, column, keys, equal))
        if len({part.order.descending for part in parts}) == 1 and not any(part.may_be_missing for part in parts):
            rows = [joined(", ", [part.keys[side] for part in parts]) for side in (0, 1)]
            template = "{0} OP {1}" if len(parts) == 1 else "({0}) OP ({1})"
            return fill(template.replace("OP", parts[0].operator), *rows)
        return _beyond(parts)

    def _in_query(self, found: InQuery, scope: Scope, negated: bool) -> Fragment:
        if not self.words.subqueries:
            self.refuse(".in_(find(…))")
        assert found.query.columns is not None
        inner = self.scope_of(found.query, scope)
        assert inner.enclosing is not None  # inside the subquery, an unqualified name would mean its own table
        operand = self._equality_key(found.operand, self.expression(found.operand, inner.enclosing))
        alias = inner.prefix.removesuffix(".")
        parts = self.parts(found.query, inner)
        column = self._equality_key(found.query.columns[0], parts.columns[0])
        missing = (nullable(found.operand, scope.outer), nullable(found.query.columns[0], found.query.outer))

        def values(condition: str) -> Fragment:
            """`SELECT value FROM …`, of those that meet a condition on `{0}`, the value, and `{1}`, the operand."""
            if found.query.limit is None and found.query.offset is None and found.query.group is None:
                meets = fill(condition, column, operand)
                where = meets if parts.where is None else fill("({0}) AND {1}", parts.where, meets)
                return fill("SELECT {0} FROM {1} WHERE {2}", column, parts.tables, where)
            rows = self.rows(found.query, parts, fill("{0} AS found", column))
            value = text(f"{alias}.found")
            meets = fill(condition, value, operand)
            return fill("SELECT {0} FROM ({1}) AS {2} WHERE {3}", value, rows, text(alias), meets)

        both_missing = fill("({0} IS NULL AND EXISTS ({1}))", operand, values("{0} IS NULL")) if all(missing) else None
        if not negated:
            among = fill("{0} IN ({1})", operand, self.rows(found.query, parts, column))
            return among if both_missing is None else fill("({0} OR {1})", among, both_missing)
        if self.dialect.joins_not_exists:
            return fill("NOT EXISTS ({0})", values(_EQUAL_OR_BOTH_MISSING if all(missing) else "{0} = {1}"))
        outside = fill("{0} NOT IN ({1})", operand, values("{0} IS NOT NULL" if missing[1] else "TRUE"))
        if both_missing is None:
            return _or_missing(outside, (operand,), missing[:1])
        nothing_missing = fill("({0} IS NULL AND NOT EXISTS ({1}))", operand, values("{0} IS NULL"))
        return fill("(({0} IS NOT NULL AND {1}) OR {2})", operand, outside, nothing_missing)

    # -- queries

    def scope_of(self, query: Select, enclosing: Scope | None = None) -> Scope:
        """The tables of a query; of one inside another, with names of their own."""
        if enclosing is None:
            if not query.joins and query.schema.alias is None:
                return Scope(query.schema)
            depth, outer = 0, query.outer
        else:
            if not enclosing.prefix:
                enclosing = replace(enclosing, prefix=self.words.quote(enclosing.schema.table) + ".")
            depth, outer = enclosing.depth + 1, query.outer | enclosing.outer
        first, *others = [(schema, self.words.quote(_name(schema, depth)) + ".") for schema in query.schemas]
        return Scope(query.schema, first[1], depth, tuple(others), outer, enclosing=enclosing)

    def _tables(self, query: Select, scope: Scope) -> Fragment:
        """What stands behind FROM."""
        sql = text(self._named(query.schema, scope.prefix))
        for at, join in enumerate(query.joins):
            known = replace(scope, joined=scope.joined[: at + 1])
            named = text(self._named(*scope.joined[at]))
            word = "{0} LEFT JOIN {1} ON {2}" if join.outer else "{0} JOIN {1} ON {2}"
            sql = fill(word, sql, named, self.where(join.on, known))
        return sql

    def _named(self, schema: Schema, prefix: str) -> str:
        table, alias = self.table(schema), prefix.removesuffix(".")
        return table if alias in ("", table) else f"{table} AS {alias}"

    def parts(self, query: Select, scope: Scope, conditions: Scope | None = None) -> Parts:
        """A query's tables, columns, condition (in a scope of its own, where one is given) and order."""
        tables = self._tables(query, scope)
        groups, named = self._groups(query, scope)
        rows, scope = scope, scope if groups is None else replace(scope, groups=groups)
        if query.columns is None:
            columns = [self.column(field, scope) for schema in query.schemas for field in schema.fields]
        else:
            columns = [self.expression(column, scope) for column in query.columns]
        where = None if query.where is None else self.where(query.where, conditions or rows)
        if query.distinct and query.columns is not None:
            _require_selected(query.order, query.columns, query.schema)
        order = [self._order(part, scope, query) for part in query.order]
        if query.limit is not None or query.offset is not None:
            order += self._ties(query, scope)
        having = None if query.having is None else self.where(query.having, scope)
        return Parts(tables, columns, where, order, groups, having, named)

    def _groups(self, query: Select, scope: Scope) -> tuple[tuple[Fragment, ...] | None, Fragment | None]:
        """What is grouped by, and what of it has to be named beside the tables."""
        if query.group is None:
            return None, None
        found = [self.expression(key, scope) for key in query.group]
        named: list[Fragment] = []
        if self.dialect.named_keys is not None:
            for at, key in enumerate(query.group):
                if not isinstance(key, Column):
                    name = self.words.quote(f"key {at + 1}")
                    named.append(fill("{0} AS {1}", found[at], text(name)))
                    found[at] = text(f"{_NAMED}.{name}")
        return tuple(found), joined(", ", named) if named else None

    def rows(self, query: Select, parts: Parts, columns: Fragment) -> Fragment:
        """`SELECT … FROM …` of a subquery: its limit and offset are part of its shape, so they are plain text."""
        limit = None if query.limit is None else text(str(int(query.limit)))
        offset = None if query.offset is None else text(str(int(query.offset)))
        order = joined(", ", parts.order) if parts.order and (limit or offset) else None
        return self.assembled(query, columns, parts, order, limit, offset)

    def assembled(
        self,
        query: Select,
        columns: Fragment,
        parts: Parts,
        order: Fragment | None,
        limit: Fragment | None,
        offset: Fragment | None,
    ) -> Fragment:
        """The clauses of a query that are there, in their places."""
        tables = parts.tables
        if parts.named is not None:
            assert self.dialect.named_keys is not None
            tables = fill(self.dialect.named_keys, tables, parts.named, text(_NAMED))
        sql = fill("SELECT DISTINCT {0} FROM {1}" if query.distinct else "SELECT {0} FROM {1}", columns, tables)
        if parts.where is not None:
            sql += (" WHERE ", *parts.where)
        if parts.groups:
            sql += (" GROUP BY ", *joined(", ", parts.groups))
        if parts.having is not None:
            sql += (" HAVING ", *parts.having)
        if order is not None:
            sql += (" ORDER BY ", *order)
        if limit is not None:
            sql += (" LIMIT ", *limit)
            if offset is not None:
                sql += (" OFFSET ", *offset)
        elif offset is not None:
            sql += (" ", *fill(self.dialect.offset_alone, offset))
        return sql

    def table(self, schema: Schema) -> str:
        """The quoted name of a model's table."""
        return self.words.quote(schema.table)

    def _order(self, part: Order, scope: Scope, query: Select) -> Fragment:
        sql = self._order_key(part.expression, self.expression(part.expression, scope))
        if self.dialect.orders_by_position and query.distinct and query.columns is not None:
            selected = [same(part.expression, column) for column in query.columns]
            sql = text(str(selected.index(True) + 1))
        direction = " DESC" if part.descending else ""
        if nullable(part.expression, scope.outer) and part.missing_first is not (
            self.dialect.nulls_smallest is not part.descending
        ):
            direction += " NULLS FIRST" if part.missing_first else " NULLS LAST"
        return (*sql, direction) if direction else sql

    def _ties(self, query: Select, scope: Scope) -> list[Fragment]:
        """The key, in the direction of the last part, so that a page is the same page every time."""
        if query.distinct and query.columns is not None:
            return []  # these are no rows of the table any more
        if query.group is not None:
            descending = bool(query.order) and query.order[-1].descending
            keys = [GroupKey(position, key) for position, key in enumerate(query.group)]
            return [self._order(Order(key, descending), scope, query) for key in keys]
        if query.joins:
            descending = bool(query.order) and query.order[-1].descending
            columns = [Column(schema, field) for schema in query.schemas for field in schema.key]
            return [self._order(Order(column, descending), scope, query) for column in columns]
        ordered = [part.expression.field for part in query.order if isinstance(part.expression, Column)]
        direction = (" DESC",) if query.order and query.order[-1].descending else ()
        return [(*self.column(field, scope), *direction) for field in query.schema.key if field not in ordered]


@final
@frozen
class _Position:
    """One part of an order, and the value in it of the row that others come after.

    `keys` are what is ordered, of a row and of that one, and `equal` what is compared for equality.
    """

    order: Order
    absent: bool
    column: Fragment
    keys: tuple[Fragment, Fragment]
    equal: tuple[Fragment, Fragment]

    @property
    def may_be_missing(self) -> bool:
        return self.absent or nullable(self.order.expression)

    @property
    def operator(self) -> str:
        return "<" if self.order.descending else ">"

    def beyond(self) -> Fragment | None:
        """The condition on rows that come later by this part; `None` if none does."""
        if self.absent:
            return fill("{0} IS NOT NULL", self.column) if self.order.missing_first else None
        later = fill(f"{{0}} {self.operator} {{1}}", *self.keys)
        if not self.may_be_missing or self.order.missing_first:
            return later
        return fill("({0} OR {1} IS NULL)", later, self.column)

    def same(self) -> Fragment:
        """The condition on rows that this part does not tell from that one."""
        return fill("{0} IS NULL", self.column) if self.absent else fill("{0} = {1}", *self.equal)

    def bound(self) -> Fragment | None:
        """A range of this part alone in which all later rows are, those not told apart among them."""
        if self.absent:
            return None if self.order.missing_first else fill("{0} IS NULL", self.column)
        if self.may_be_missing and not self.order.missing_first:
            return None
        return fill(f"{{0}} {self.operator}= {{1}}", *self.keys)


def _beyond(parts: Sequence[_Position]) -> Fragment:
    """Later by the first part, or not told apart by it and later by the others; the range of the first in front."""
    rest: Fragment | None = None
    for part in reversed(parts):
        beyond = part.beyond()
        if rest is not None:
            tied = fill("({0} AND {1})", part.same(), rest)
            rest = tied if beyond is None else fill("({0} OR {1})", beyond, tied)
        else:
            rest = text("FALSE") if beyond is None else beyond
    assert rest is not None
    bound = parts[0].bound()
    return rest if bound is None else fill("({0} AND {1})", bound, rest)


_NAMED = "keys"
_EQUAL_OR_BOTH_MISSING = "({0} = {1} OR ({0} IS NULL AND {1} IS NULL))"


def _name(schema: Schema, depth: int) -> str:
    """What a table is called in a query; no table has the name of an alias, which has a space in it."""
    name = schema.table if schema.alias is None else f"{schema.table} {schema.alias}"
    return f"{name}_{depth}" if depth else name


def _or_missing(sql: Fragment, compared: Sequence[Fragment], missing: Sequence[bool]) -> Fragment:
    """The condition, or that one of those that may be missing is."""
    absent = [fill("{0} IS NULL", part) for part, may in zip(compared, missing, strict=True) if may]
    return ("(", *joined(" OR ", (sql, *absent)), ")") if absent else sql


def _require_selected(order: Sequence[Order], columns: Sequence[ExpressionNode], schema: Schema) -> None:
    for part in order:
        if not any(same(part.expression, column) for column in columns):
            raise QueryRejected(
                f"distinct rows of {schema.name} cannot be ordered by {part.expression!r}, which is not selected: "
                "select it, too",
                model=schema.model,
            )


def _grouped(separator: str, parts: list[Fragment], empty: str) -> Fragment:
    if not parts:
        return text(empty)
    while len(parts) > _WIDEST:
        parts = [_grouped(separator, parts[at : at + _WIDEST], empty) for at in range(0, len(parts), _WIDEST)]
    return parts[0] if len(parts) == 1 else ("(", *joined(separator, parts), ")")
