"""Hypothesis strategies for whole programs over the models of the suite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import anyio
from hypothesis import strategies as st

from ommi.effects.catching import catch
from ommi.effects.effect import Effect
from ommi.effects.finding import Query, find
from ommi.effects.many import bracket, gather, race, validate
from ommi.effects.operations import add, add_all, delete, reload, save, upsert
from ommi.effects.program import Prog, effect
from ommi.effects.schedule import Schedule
from ommi.effects.stream import Stream
from ommi.errors import (
    CheckViolation,
    ConstraintViolation,
    DatabaseError,
    ForeignKeyViolation,
    NotFound,
    OmmiError,
    StaleRecord,
    TransactionConflict,
    Unavailable,
    UniqueViolation,
)
from ommi.models import schema_of
from ommi.query.expressions import Column, Predicate, all_of, col
from ommi.testing.fuses import Fuse, over_time
from ommi.testing.models import Account, Author, Book, Chapter, Node, Note, Page, Player, Seat, Ticket
from ommi.testing.strategies import conditions, records

__all__ = ["MODELS", "UNKEYED", "in_turn", "library", "long_programs", "programs", "reads", "writes"]

MODELS: Final = (Note, Chapter, Book, Author, Ticket, Seat, Node, Account, Player, Page)
"""The models of the programs, referring ones first."""

UNKEYED: Final = (Player,)
"""Those of them whose keys the database generates."""

_NONE: Any = None
_NUMBERS: Final = st.integers(-3, 6)
_KEYS: Final = st.integers(1, 4)


def _maybe(some: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), some)


_RECORDS: Final[dict[type[Any], st.SearchStrategy[Any]]] = {
    Account: records(
        Account,
        id=_KEYS,
        owner=st.sampled_from(["Ada", "bob", "É", _NONE]),
        balance=st.integers(-1, 30),
        code=_maybe(st.sampled_from("xyz")),
    ),
    Player: records(
        Player,
        name=st.sampled_from(["Ada", "Bob", "Cid", "123456789", _NONE]),
        email=_maybe(st.sampled_from("ab")),
        age=st.integers(-1, 3),
        team=_maybe(st.just("red")),
        shirt=_maybe(st.integers(1, 2)),
        id=st.none(),
    ),
    Page: records(Page, text=st.sampled_from("ab"), version=st.integers(0, 2), id=_KEYS),
    Author: records(Author, id=_KEYS, name=st.sampled_from("ab")),
    Book: records(Book, id=_KEYS, author=_KEYS, editor=_maybe(_KEYS)),
    Chapter: records(Chapter, id=_KEYS, book=_KEYS),
    Note: records(Note, id=_KEYS, chapter=_maybe(_KEYS)),
    Node: records(Node, id=_KEYS, parent=_maybe(_KEYS)),
    Seat: records(Seat, row=st.integers(1, 2), number=st.integers(1, 2), guest=_maybe(st.just("Ada"))),
    Ticket: records(Ticket, id=_KEYS, row=_maybe(st.integers(1, 2)), number=_maybe(st.integers(1, 2))),
}


def _asks_for_key(condition: Predicate[Any]) -> bool:
    """Whether a condition is on a key that the database generates, of which databases need not agree."""
    keys = [rf"\b{model.__name__}\.{key.name}\b" for model in UNKEYED for key in schema_of(model).key]
    return re.search("|".join(keys), repr(condition)) is not None


_MODEL: Final = st.sampled_from(MODELS)
_CONDITIONS: Final[Mapping[type[Any], st.SearchStrategy[Predicate[Any]]]] = {
    model: conditions(model)
    if model not in UNKEYED
    else conditions(model).filter(lambda found: not _asks_for_key(found))
    for model in MODELS
}
_KINDS: Final = st.sampled_from(
    [OmmiError, ConstraintViolation, UniqueViolation, CheckViolation, ForeignKeyViolation, NotFound, StaleRecord]
)


def _ordered(model: type[Any]) -> Query[Any]:
    schema = schema_of(model)
    fields = [field for field in schema.fields if model not in UNKEYED or not field.is_key]
    return find(model).order_by(*(Column(schema, field).asc for field in fields))


def library() -> Effect[Any, Any]:
    """Some rows to begin with."""
    return in_turn(
        add_all([Author(1, "a"), Author(2, "b")]),
        add_all([Book(1, 1), Book(2, 1, 2)]),
        add(Chapter(1, 1)),
        add(Note(1, 1)),
        add_all([Node(1), Node(2, 1)]),
        add_all([Seat(1, 1), Seat(1, 2, "Ada")]),
        add(Ticket(1, 1, 1)),
        add_all([Account(1, "Ada", 10, "x"), Account(2, "bob", 0), Account(3, "É", 30)]),
        add_all([Player("Ada", "a", 1, "red", 1), Player("Bob")]),
        add_all([Page("a", 0, 1), Page("b", 1, 2)]),
    )


@effect
def in_turn(*steps: Effect[Any, Any]) -> Prog[list[Any], Any]:
    """The steps one after the other; a list of what they gave."""
    found: list[Any] = []
    for step in steps:
        found.append((yield from step))  # noqa: PERF401  # a comprehension cannot yield
    return found


def reads() -> st.SearchStrategy[Effect[Any, Any]]:
    """Effects that read, whose answers come in one order only."""
    return _reads()


@st.composite
def _reads(draw: st.DrawFn) -> Effect[Any, Any]:
    model = draw(_MODEL)
    query = _ordered(model)
    if draw(st.booleans()):
        query = query.where(draw(_CONDITIONS[model]))
    match draw(st.sampled_from(["all", "all", "stream", "count", "exists", "one", "first", "reload"])):
        case "all":
            return query.all()
        case "stream":
            return query.stream(chunk=draw(st.integers(1, 3))).to_list()
        case "count":
            return query.count()
        case "exists":
            return query.exists()
        case "one":
            return query.one()
        case "first" if model not in UNKEYED:
            return query.first()
        case "reload" if model not in UNKEYED:
            return reload(draw(_RECORDS[model]))
        case _:
            return query.count()


def writes() -> st.SearchStrategy[Effect[Any, Any]]:
    """Effects that write, each a single operation."""
    return _writes()


@st.composite
def _writes(draw: st.DrawFn) -> Effect[Any, Any]:
    model = draw(_MODEL)
    record = draw(_RECORDS[model])
    said = ["add", "add_all", "upsert", "update", "update", "delete all"]
    said += [] if model in UNKEYED else ["save", "save", "delete"]
    match draw(st.sampled_from(said)):
        case "add":
            return add(record)
        case "add_all":
            return add_all([record, *draw(st.lists(_RECORDS[model], max_size=3))])
        case "save":
            return save(record)
        case "delete":
            return delete(record)
        case "upsert":
            return draw(_upserts(model, record))
        case "update":
            return draw(_updates(model))
        case _:
            return find(model, draw(_CONDITIONS[model])).everything().delete()


@st.composite
def _upserts(draw: st.DrawFn, model: type[Any], record: Any) -> Effect[Any, Any]:
    schema = schema_of(model)
    uniques = [schema.key, *(index.fields for index in schema.indexes if index.unique)]
    fields = draw(st.sampled_from(uniques[1:] if model in UNKEYED else uniques))
    on = tuple(Column(schema, field) for field in fields)
    others = [Column(schema, field) for field in schema.fields if field not in fields and not field.is_key]
    choosy = draw(st.booleans())
    if others and choosy:
        chosen = draw(st.lists(st.sampled_from(others), unique_by=lambda c: c.name))
        return upsert(record, on=on, update=chosen)
    return upsert(record, on=on)


@st.composite
def _updates(draw: st.DrawFn, model: type[Any]) -> Effect[Any, Any]:
    schema = schema_of(model)
    fields = [field for field in schema.fields if model not in UNKEYED or not field.is_key]
    chosen = draw(st.lists(st.sampled_from(fields), min_size=1, max_size=2, unique_by=lambda field: field.name))
    record = draw(_RECORDS[model])
    assignments: dict[str, Any] = {}
    for field in chosen:
        value = getattr(record, field.name)
        # keys that change places in one statement are a subject of their own: not all databases can do it
        if type(value) is int and not field.is_key and draw(st.booleans()):
            value = col(Column(schema, field)) + draw(_NUMBERS)
        assignments[field.name] = value
    if len(chosen) > 1:
        # one row: of the rules that several rows break, each in its own way, any may be reported
        (unique,) = [schema.key] if model not in UNKEYED else [index.fields for index in schema.indexes[:1]]
        row = draw(_RECORDS[model])
        one = all_of(*(Column(schema, field) == getattr(row, field.name) for field in unique))
        return find(model, one).everything().update(**assignments)
    query = find(model).everything()
    return (query.where(draw(_CONDITIONS[model])) if draw(st.booleans()) else query).update(**assignments)


def _certain() -> st.SearchStrategy[Effect[Any, Any]]:
    """Writes that no rule stands against, so that there is always something to be undone or kept."""
    balance = col(Account.balance)
    return st.one_of(
        st.sampled_from(["Zed", "Yan"]).map(lambda name: add(Player(name))),
        st.integers(1, 9).map(lambda more: find(Account).everything().update(balance=balance + more)),
        st.sampled_from(["p", "q"]).map(lambda text: find(Page).everything().update(text=text)),
        st.just(find(Note).everything().delete()),
    )


def _undone(steps: list[Effect[Any, Any]]) -> Effect[Any, Any]:
    """Steps that are rolled back to a savepoint, after which the program goes on."""
    whole = in_turn(*(step.either() for step in steps))
    return whole.bind(lambda _: Effect.from_failure("undone")).savepoint().either()


def _caught(part: Effect[Any, Any], kind: type[Any], then: Effect[Any, Any]) -> Effect[Any, Any]:
    return part >> catch(kind)(lambda _: then)


def programs(*, concurrent: bool = True, fuses: bool = False) -> st.SearchStrategy[Effect[Any, Any]]:
    """Programs: reads and writes in sequences, transactions, savepoints and recoveries, nested at random.

    Where several effects run at once outside a transaction, they only read: what writes give there depends on chance.
    Without `concurrent` no two statements are ever under way at once, so that their order is always the same. With
    `fuses` some timeouts run out: such programs end on a `FuseClock` only.
    """
    step = st.one_of(writes(), writes(), _certain(), reads())
    failing = st.sampled_from(["no", "stop"]).map(Effect.from_failure)
    at_once = [st.lists(reads(), max_size=3).map(lambda found: gather(*found))] if concurrent else []

    def extended(part: st.SearchStrategy[Effect[Any, Any]]) -> st.SearchStrategy[Effect[Any, Any]]:
        return st.one_of(
            *_railway(part), *_scopes(part), *_several(part), *(_over_time(part) if fuses else ()), *at_once
        )

    return st.recursive(st.one_of(step, step, step, failing), extended, max_leaves=12)


def long_programs() -> st.SearchStrategy[Effect[Any, Any]]:
    """Several programs in a row, some of which may fail and the rest go on; as with `fuses`, and not `concurrent`."""
    part = programs(concurrent=False, fuses=True)
    either = part.map(lambda found: found.either())
    several = st.lists(st.one_of(_certain(), either), min_size=1, max_size=3)
    inner = st.one_of(several.map(_undone), several.map(lambda steps: in_turn(*steps).savepoint()))
    steps = st.lists(st.one_of(_certain(), either, inner, several.map(_undone), part), min_size=2, max_size=5)
    nested = steps.map(lambda found: in_turn(*found))
    return st.one_of(
        nested,
        nested.map(lambda found: found.transactional()),
        nested.map(lambda found: found.savepoint().either().transactional()),
        nested.map(lambda found: found.transactional().retry(Schedule.recurs(2))),
        st.lists(nested.map(lambda found: found.transactional().either()), max_size=3).map(lambda them: in_turn(*them)),
    )


Parts: TypeAlias = list[st.SearchStrategy[Effect[Any, Any]]]


def _in_sequence(part: st.SearchStrategy[Effect[Any, Any]]) -> st.SearchStrategy[Effect[Any, Any]]:
    return st.lists(part, min_size=1, max_size=4).map(lambda steps: in_turn(*steps))


def _railway(part: st.SearchStrategy[Effect[Any, Any]]) -> Parts:
    sequence = _in_sequence(part)
    return [
        sequence,
        sequence,
        part.map(lambda found: found.either()),
        part.map(lambda found: found.swap()),
        part.map(lambda found: Stream.from_iterable([1, 2]).for_each(lambda _: found)),
        part.map(lambda found: found.map(lambda value: 1 // 0 if value is None else value)),
        st.builds(_caught, part, _KINDS, part),
        st.builds(_caught, part, st.sampled_from([TransactionConflict, Unavailable, DatabaseError]), part),
        st.builds(lambda one, other: one.lash(lambda _: other), part, part),
        st.builds(lambda one, other: one.bind(lambda _: other), part, part),
        st.builds(lambda one, other: one.tap(lambda _: other), part, part),
    ]


def _scopes(part: st.SearchStrategy[Effect[Any, Any]]) -> Parts:
    sequence = _in_sequence(part)
    again = Schedule.exponential(0.01).up_to(2)
    return [
        sequence.map(lambda found: found.transactional()),
        sequence.map(lambda found: found.transactional().retry(again)),
        part.map(lambda found: found.transactional()),
        part.map(lambda found: found.transactional(read_only=True)),
        part.map(lambda found: found.transactional(timeout=Fuse())),
        part.map(lambda found: found.savepoint()),
        st.lists(part, min_size=1, max_size=3).map(_undone),
        part.map(lambda found: found.timeout(Fuse())),
        part.map(lambda found: found.retry(again)),
        st.builds(lambda found, kind: found.retry(Schedule.recurs(1), on=kind), part, _KINDS),
        st.builds(lambda found, last: found.ensure(last.either()), part, part),
        st.builds(lambda found, last: found.after_commit(last.either()), part, part),
        st.builds(lambda one, use, last: bracket(one, lambda _: use, lambda _: last.either()), part, part, part),
    ]


def _over_time(part: st.SearchStrategy[Effect[Any, Any]]) -> Parts:
    return [part.map(over_time), part.map(lambda found: over_time(found).retry(Schedule.recurs(1)))]


def _several(part: st.SearchStrategy[Effect[Any, Any]]) -> Parts:
    parts = st.lists(part, min_size=1, max_size=4)
    return [
        parts.map(lambda found: gather(*found).transactional()),
        parts.map(lambda found: validate(*found).transactional()),
        parts.map(lambda found: gather(*found, limit=1)),
        part.map(lambda found: race(found, Effect.from_awaitable(anyio.sleep_forever))),
    ]
