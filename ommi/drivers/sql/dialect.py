"""All that SQL databases disagree on, as data. Templates name their parts `{0}`, `{1}`, …"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, final

from ommi.drivers.sql.fragment import Place
from ommi.frozen import frozen
from ommi.query.expressions import AggregateName, ArithmeticOperator, FunctionName, TextOperator
from ommi.query.statements import Lock
from ommi.schema import Field, Schema
from ommi.values import Kind, Storage

__all__ = ["Dialect", "OrderKey", "TextForm", "ValueForm", "Vocabulary"]


@final
@frozen
class ValueForm:
    """A condition on `{0}` and a parameter `{1}`, which `dump` makes of a canonical value, or of a list of them."""

    template: str
    dump: Callable[[Any], Any]


@final
@frozen
class TextForm:
    """A text operator on `{0}`.

    `literal` is the condition where the pattern is known when the statement runs: its parameters `{1}`, `{2}`, …
    are made from it by `dumps` (`None`: the pattern itself). `column` is the condition against another column.
    """

    literal: str
    dumps: tuple[Callable[[str], Any] | None, ...] = (None,)
    column: str | None = None


@final
@frozen
class OrderKey:
    """What is compared and ordered in place of a value: `template` makes it of `{0}`, `dump` of a canonical value.

    `against`, for the schema, gives a template that does when compared with one canonical value.
    """

    template: str
    dump: Callable[[Any], Any]
    against: Callable[[Any], str] | None = None


@final
@frozen(eq=False)
class Vocabulary:
    """The words for expressions in one place of SQL: in statements, or in the schema. What is missing is refused."""

    quote: Callable[[str], str]
    arithmetic: Mapping[tuple[Kind, ArithmeticOperator], str]
    """By the kind of the result. An operand may be an int where the result is a float."""
    functions: Mapping[FunctionName, str]
    texts: Mapping[TextOperator, TextForm]
    as_float: str
    """An int as a float."""
    order_keys: Mapping[Kind, OrderKey] = field(default_factory=dict)
    """For the kinds whose stored form does not order as the values do."""
    elements: Mapping[Kind, ValueForm] = field(default_factory=dict)
    """Whether a JSON list has an element, by the kind of its elements; `dump` takes the canonical JSON value."""
    lists: Mapping[Kind, ValueForm] = field(default_factory=dict)
    """Whether the value is one of a list that is passed as one parameter."""
    longest_list: int | None = None
    """Up to how many values are passed one by one; `None`: always."""
    equality_keys: Mapping[Kind, str] = field(default_factory=dict)
    """What is compared for equality in place of `{0}`, for the kinds whose stored forms can be equal though the
    values are not."""
    subqueries: bool = True
    aggregates: Mapping[tuple[AggregateName, Kind], str] = field(default_factory=dict)
    """By the kind of what is aggregated. `count` is SQL's own."""


@final
@frozen(eq=False)
class Dialect:
    """One SQL database."""

    name: str
    storage: Storage
    placeholder: Callable[[int, Place], str]
    """A parameter by its number, from 1, and the place it is for."""
    query: Vocabulary
    schema: Vocabulary
    """The words that every tool knows which opens the database: no function that only Ommi registers."""
    nulls_smallest: bool
    """Whether missing values sort before all others, ascending."""
    joins_not_exists: bool
    """Whether NOT EXISTS runs as a join. Where it runs once per row, NOT IN is used, with no value missing."""
    offset_alone: str
    """An offset `{0}` without a limit."""
    lock: Callable[[Lock], str]
    types: Mapping[Kind, str]
    generated: Mapping[Kind, str]
    """The whole definition of a key that the database assigns, for the kinds where it does."""
    table_options: str
    returned: Callable[[str, Kind], str]
    """A column, quoted, as RETURNING gives it in the form that its kind is stored in."""
    server_default: Callable[[Schema, Field], str]
    """The expression of a field's `server_default`, giving the stored form."""
    inline: Callable[[Any, Kind], str]
    """A stored value of a kind as SQL text: for the schema, which takes no parameters."""
    check_names: Callable[[Sequence[str]], Sequence[str]] = tuple
    """What the checks of a table are called in the schema, so that the first that fails is the one reported."""
    checks_choices: bool = False
    """Whether the database, too, checks that the values of enums are among those there are."""
    newest_index_first: bool = False
    """Whether, of several unique indexes that a row violates, the one made last is reported."""
    references_apart: bool = False
    """Whether foreign keys are added when all tables are there, rather than with their table."""
    reference_options: str = ""
    named_keys: str | None = None
    """A source of rows `{0}` with `{1}`, expressions with names; `None`: what is computed may be written as often as
    it is meant. Otherwise two of the same expression are not known to be the same, where they have parameters."""
    orders_by_position: bool = False
    """Whether distinct rows are ordered by the number of a selected column: the same value computed once more, from
    another parameter, is not known to be the same."""
