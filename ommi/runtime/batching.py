"""Batching: the reads of one round as fewer statements, and their answers taken apart again.

Everything here is pure. `gathered` makes a round smaller: reads that ask for the rows of one model whose key, unique
fields or reference have given values, and that are equal otherwise, become one group. `statements` are what a group
asks; `split` reads their rows apart; `share` gives every member what it would have got alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from copy import copy
from itertools import islice
from operator import itemgetter
from typing import Any, Final, TypeAlias

from ommi.effects.effect import Answer, Keys, Perform
from ommi.effects.related import among
from ommi.errors import OmmiError
from ommi.frozen import replace
from ommi.query.expressions import And, Column, Comparison, ExpressionNode, Literal, PredicateNode
from ommi.query.statements import Select, is_write
from ommi.runtime.calls import Batch, Command, Execute, Group
from ommi.schema import Field, Row, Schema
from ommi.values import Kind, Storage

__all__ = ["Rows", "gathered", "group_of", "own_error", "share", "single", "split", "statements"]

Key: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = dict[Key, list[list[Any]]]
"""The records of each key that has any; as many times, each time made anew, as members ask for the key."""

_MOST_KEYS: Final = 16_384
_MOST_KEYS_OF_PARTS: Final = 256
"""Of keys of several parts, which are a condition each: not a list of values."""

_AT_ONCE: Final = 1_000

_MERGEABLE: Final = frozenset({Answer.ALL, Answer.ONE, Answer.FIRST, Answer.GROUPS})


def gathered(commands: list[Command]) -> list[Command]:
    """The round with as few reads as there can be; each `Batch` is in the place of its first member."""
    batches: dict[tuple[int, bool], Batch] = {}
    groups: dict[Hashable, Group] = {}
    found: list[Command] = []
    running = _running(commands)
    for command in commands:
        if isinstance(command, Execute) and command.transaction is not None and id(command.transaction) in running:
            run = running[id(command.transaction)]
            if not run.groups:
                found.append(run)
            run.groups.append(single(command))
            continue
        if not isinstance(command, Execute) or is_write(command.perform.statement):
            found.append(command)
            continue
        transaction, shielded = command.transaction, command.shielded
        keys = _asked(command.perform)
        if keys is None and transaction is None:
            found.append(command)
            continue
        shape: Hashable = id(command) if keys is None else (id(transaction), shielded, *_shape(command.perform, keys))
        group = groups.get(shape)
        if group is None:
            group = groups[shape] = Group(keys)
            # in a transaction, statements follow one another in one call; outside of one, each is a call of its own
            place = (id(group) if transaction is None else id(transaction), shielded)
            batch = batches.get(place)
            if batch is None:
                batch = batches[place] = Batch(transaction, shielded)
                found.append(batch)
            batch.groups.append(group)
        group.members.append(command)
        group.asked.append(() if keys is None else keys.values)
    return [_alone(command) if isinstance(command, Batch) else command for command in found]


def single(command: Execute) -> Group:
    """A statement that is made as it is."""
    group = Group(None)
    group.members.append(command)
    group.asked.append(())
    return group


def _running(commands: list[Command]) -> dict[int, Batch]:
    """For each transaction in which something is written, what all its statements of the round become."""
    found: dict[int, Batch] = {}
    for command in commands:
        if isinstance(command, Execute) and command.transaction is not None and is_write(command.perform.statement):
            found[id(command.transaction)] = Batch(command.transaction, command.shielded, ordered=True)
    return found


def _alone(batch: Batch) -> Command:
    """A batch of one read is that read."""
    return batch.groups[0].members[0] if len(batch.groups) == 1 and len(batch.groups[0].members) == 1 else batch


def group_of(call: Execute) -> Group:
    """A read of many keys as a group of its own."""
    keys = _asked(call.perform)
    assert keys is not None
    group = Group(keys)
    group.members.append(call)
    group.asked.append(keys.values)
    return group


def _shape(perform: Perform[Any, Any], keys: Keys) -> tuple[Hashable, ...]:
    """What reads of one group have in common."""
    query = perform.statement
    assert isinstance(query, Select)
    order = tuple([(_ordered(part.expression), part.descending, part.missing) for part in query.order])
    return (query.schema, query.link, keys.fields, order)


def _ordered(expression: ExpressionNode) -> Hashable:
    return expression.field if isinstance(expression, Column) else id(expression)


def _asked(perform: Perform[Any, Any]) -> Keys | None:
    """The keys that are read; `None` for a read whose answer could not be told from others'."""
    query = perform.statement
    if type(query) is not Select or perform.answer not in _MERGEABLE:
        return None
    if perform.keys is not None:
        return perform.keys
    if query.joins or query.columns is not None or query.offset is not None or query.distinct or query.lock is not None:
        return None
    if query.limit is not None and not (query.limit == 1 and perform.answer is Answer.FIRST):
        return None
    link = query.link
    schema = query.schema if link is None else link.schema
    equal = _equalities(query.where, schema)
    if equal is None:
        return None
    if link is not None:
        fields = link.fields
    else:
        fields = tuple(equal) if len(equal) == 1 else tuple(sorted(equal, key=schema.fields.index))
        if not _findable(schema, fields, several=perform.answer is Answer.ALL):
            return None
    return Keys(schema, fields, (tuple([equal[field] for field in fields]),))


def _equalities(where: PredicateNode | None, schema: Schema) -> dict[Field, Any] | None:
    """The fields that are to have a value, if that is all that is asked."""
    parts: Sequence[PredicateNode] = where.parts if isinstance(where, And) else () if where is None else (where,)
    found: dict[Field, Any] = {}
    for part in parts:
        if not isinstance(part, Comparison) or part.operator != "==":
            return None
        column, value = part.left, part.right
        if isinstance(column, Literal):
            column, value = value, column
        if not isinstance(column, Column) or not isinstance(value, Literal):
            return None
        field = column.field
        fits = value.unfit is None and value.value is not None and value.type.kind is field.type.kind
        if not fits or field.type.kind is Kind.JSON or field in found or column.schema is not schema:
            return None
        found[field] = value.value
    return found or None


def _findable(schema: Schema, fields: tuple[Field, ...], *, several: bool) -> bool:
    """Whether the fields are the key, unique, or a reference: what is read by them is not a large part of a table.

    Only a read of all rows may be one by a reference: of any other, most rows would be read in vain.
    """
    wanted = frozenset(fields)
    if wanted == frozenset(schema.key):
        return True
    if any(index.unique and wanted == frozenset(index.fields) for index in schema.indexes):
        return True
    return several and any(wanted == frozenset(reference.fields) for reference in schema.references)


def statements(group: Group, parameters: int) -> Iterator[Select]:
    """What the group asks, with at most so many values in each statement."""
    keys, template = group.keys, _template(group)
    width = len(keys.fields)
    wanted = list(dict.fromkeys([key for asked in group.asked for key in asked]))
    most = max(1, min(_MOST_KEYS if width == 1 else _MOST_KEYS_OF_PARTS, parameters // width))
    most = 1 << (most.bit_length() - 1)
    for start in range(0, len(wanted), most):
        chunk = wanted[start : start + most]
        if width == 1:
            # a repeated value changes nothing, and with few lengths there are few statements to compile
            chunk += [chunk[-1]] * ((1 << (len(chunk) - 1).bit_length()) - len(chunk))
        yield replace(template, where=among(keys, chunk))


def _template(group: Group) -> Select:
    query = group.members[0].perform.statement
    assert isinstance(query, Select)
    return replace(query, where=None, limit=None)


def split(group: Group, storage: Storage) -> Callable[[Iterable[Row]], Rows]:
    """A function from the rows of one of the group's statements to the records of each key."""
    asked = Counter([key for keys in group.asked for key in keys])
    again = {key: times - 1 for key, times in asked.items() if times > 1}
    template, fields = _template(group), group.keys.fields
    read = template.schema.codec.reader(storage)
    loads = [storage.forms[field.type.kind].load for field in fields]
    if template.link is None:
        places = [template.schema.fields.index(field) for field in fields]
        if len(places) == 1 and loads == [None] and not again:
            return _split_by_one(read, places[0])
        told = _told_by(_key_reader(places, loads))
    else:
        told = _told_by_link(_key_reader(list(range(len(fields))), loads), template.schema, len(fields))

    def apart(rows: Iterable[Row]) -> Rows:
        found: dict[Key, list[Any]] = {}
        kept: dict[Key, list[Row]] = {key: [] for key in again}
        for keys, some in map(told, _some(rows)):
            for key, row, record in zip(keys, some, read(some), strict=True):
                found.setdefault(key, []).append(record)
                if key in kept:
                    kept[key].append(row)
        return {key: [records, *(read(kept[key]) for _ in range(again.get(key, 0)))] for key, records in found.items()}

    return apart


def _split_by_one(read: Callable[[Iterable[Row]], list[Any]], place: int) -> Callable[[Iterable[Row]], Rows]:
    """The most frequent case, in which every row counts: one field, stored as it is, and no key asked for twice."""
    value_of = itemgetter(place)

    def apart(rows: Iterable[Row]) -> Rows:
        found: defaultdict[Any, list[Any]] = defaultdict(list)
        for some in _some(rows):
            for value, record in zip(map(value_of, some), read(some), strict=True):
                found[value].append(record)
        return {(value,): [records] for value, records in found.items()}

    return apart


def _some(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows, some at a time: they are not all held beside what is made of them."""
    remaining = iter(rows)
    while some := list(islice(remaining, _AT_ONCE)):
        yield some


def _key_reader(places: list[int], loads: Sequence[Callable[[Any], Any] | None]) -> Callable[[Row], Key]:
    def key_of(row: Row) -> Key:
        values = [row[place] for place in places]
        return tuple([v if v is None or load is None else load(v) for v, load in zip(values, loads, strict=True)])

    return key_of


Told: TypeAlias = Callable[[list[Row]], tuple[list[Key], list[Row]]]
"""Tells the keys that rows belong to, and what of them is read."""


def _told_by(key_of: Callable[[Row], Key]) -> Told:
    return lambda rows: (list(map(key_of, rows)), rows)


def _told_by_link(key_of: Callable[[Row], Key], schema: Schema, width: int) -> Told:
    """What a link puts before a row is its key; a row that is linked to a key twice is read once."""
    places = [width + schema.fields.index(field) for field in schema.key]
    seen: set[tuple[Key, Key]] = set()

    def told(rows: list[Row]) -> tuple[list[Key], list[Row]]:
        keys: list[Key] = []
        found: list[Row] = []
        for row in rows:
            once = key_of(row), tuple([row[place] for place in places])
            if once not in seen:
                seen.add(once)
                keys.append(once[0])
                found.append(row[width:])
        return keys, found

    return told


def share(group: Group, found: Rows) -> Iterator[tuple[Execute, Any]]:
    """Each member with its part of the rows: a list, or for one that asked for many keys, a list of each."""
    for member, asked in zip(group.members, group.asked, strict=True):
        if member.perform.keys is not None:
            yield member, {key: found[key].pop() for key in asked if found.get(key)}
        else:
            rows = found.get(asked[0])
            yield member, rows.pop() if rows else []


def own_error(error: OmmiError) -> OmmiError:
    """An equal error that is another object: each member adds to it what it was doing."""
    made = copy(error)
    made.__dict__.update({name: value for name, value in vars(error).items() if name not in ("origin", "operation")})
    made.__cause__, made.__traceback__ = error.__cause__ or error, error.__traceback__
    return made
