"""From stored rows to instances or tuples: one loop written per model and storage, with every value's class checked.

The loop costs what a hand-written one does and the checks; only when it fails is the row looked at column by column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from ommi.errors import DecodeError
from ommi.frozen import frozen
from ommi.models.blueprint import Blueprint
from ommi.models.construction import Source, compiled, making
from ommi.models.rows import Reading, RowClass, Selected, SelectedRecord
from ommi.schema import Field, Row
from ommi.values import FieldType, Storage

__all__ = ["instances_reader", "rows_reader"]

Reader = Callable[[Iterable[Row]], list[Any]]


@frozen
class _Column:
    """A column of the rows that are read."""

    label: str
    type: FieldType
    nullable: bool


def instances_reader(
    blueprint: Blueprint, table: str, fields: tuple[Field, ...], storage: Storage, validate: bool
) -> Reader:
    """A function from rows of all fields to instances."""
    columns = tuple(_Column(field.column, field.type, field.nullable) for field in fields)
    keys = tuple(i for i, field in enumerate(fields) if field.is_key)
    model = blueprint.model

    def unfit(row: Row, error: Exception) -> DecodeError:
        key = tuple(row[i] for i in keys) if len(row) == len(fields) else ()
        shown = key[0] if len(key) == 1 else key
        found = _misfit(row, columns, storage)
        if found is None:
            message = f"the row of {table} with the key {shown!r} cannot be made a {model.__name__}: {error}"
            return DecodeError(message, model=model, table=table, column=None, field=None, key=key, value=None)
        place, value, cause = found
        column = fields[place].column
        return DecodeError(
            f"{table}.{column} of the row with the key {shown!r} holds {value!r}, "
            f"which does not fit {model.__name__}.{fields[place].name}: {cause}",
            model=model,
            table=table,
            column=column,
            field=fields[place].name,
            key=key,
            value=value,
        )

    return _loop(columns, storage, lambda values: making(blueprint, values, validate), unfit)


@lru_cache(maxsize=512)
def rows_reader(reading: Reading, storage: Storage) -> Reader:
    """A function from rows of selected values to tuples, or to instances of the class that they are read into."""
    columns = [column for column in reading.columns if isinstance(column, Selected)]
    if len(columns) < len(reading.columns):
        return _side_by_side(reading, storage)
    selected = tuple(_Column(column.label, column.type, column.nullable) for column in columns)

    def unfit(row: Row, error: Exception) -> DecodeError:
        found = _misfit(row, selected, storage)
        if found is None:
            return DecodeError(f"a selected row cannot be read: {error}", column=None, value=None)
        place, value, cause = found
        label = selected[place].label
        return DecodeError(f"the selected {label} is {value!r}, which does not fit: {cause}", column=label, value=value)

    return _loop(selected, storage, lambda values: _made(reading.row, values), unfit)


def _side_by_side(reading: Reading, storage: Storage) -> Reader:
    """A function from rows in which there are whole records."""
    readers: list[Reader] = []
    at = 0
    for part in reading.columns:
        if isinstance(part, SelectedRecord):
            width = len(part.schema.fields)
            readers.append(_records(part, slice(at, at + width), storage))
        else:
            width = 1
            readers.append(_values(part, at, storage))
        at += width
    made = reading.row
    make = None if made is None else compiled("make", [f"make = lambda {_made_of(made)}"], {"row_class": made.model})

    def read(rows: Iterable[Row]) -> list[Any]:
        kept = list(rows)
        found = zip(*[one(kept) for one in readers], strict=True)
        return list(found) if make is None else [make(*values) for values in found]

    return read


def _made_of(row: RowClass) -> str:
    values = [f"v{i}" for i in range(len(row.words))]
    return f"{', '.join(values)}: {_made(row, values).expression}"


def _values(column: Selected, place: int, storage: Storage) -> Reader:
    read = rows_reader(Reading((column,)), storage)
    return lambda rows: [value for (value,) in read([(row[place],) for row in rows])]


def _records(part: SelectedRecord, places: slice, storage: Storage) -> Reader:
    read = part.schema.codec.reader(storage)
    if not part.optional:
        return lambda rows: read([row[places] for row in rows])
    key = places.start + part.schema.fields.index(part.schema.key[0])

    def read_those_there(rows: Iterable[Row]) -> list[Any]:
        rows = list(rows)
        found = iter(read([row[places] for row in rows if row[key] is not None]))
        return [None if row[key] is None else next(found) for row in rows]

    return read_those_there


def _made(row: RowClass | None, values: Sequence[str]) -> Source:
    if row is None:
        return Source((), f"({', '.join(values)},)", {})
    named = ", ".join(f"{word}={value}" for word, value in zip(row.words, values, strict=True))
    return Source((), f"row_class({named})", {"row_class": row.model})


_BEFORE = """\
def read(rows, {constants}):
    made_rows = []
    append = made_rows.append
    row = ()
    try:
        for row in rows:
"""
_AFTER = """\
    except Exception as error:
        if error.__traceback__.tb_lineno == {rows_line}:
            raise
        raise unfit(row, error) from error
    return made_rows
"""
_ROWS_LINE = 6
"""What is raised on the line of the `for` comes from the rows themselves, that is from the driver."""


def _loop(
    columns: tuple[_Column, ...],
    storage: Storage,
    make: Callable[[Sequence[str]], Source],
    unfit: Callable[[Row, Exception], DecodeError],
) -> Reader:
    names: dict[str, Any] = {"type": type, "Misfit": _Misfit, "unfit": unfit}
    source = make([_conversion(f"v{i}", i, column, storage, names) for i, column in enumerate(columns)])
    names.update(source.names)
    condition = _condition(columns, storage, names)
    body = [
        f"{''.join(f'v{i}, ' for i in range(len(columns)))}= row",
        *([f"if not ({condition}): raise Misfit"] if condition else []),
        *source.lines,
        f"append({source.expression})",
    ]
    # as parameters the names are local variables, the fastest there are
    before = _BEFORE.format(constants=", ".join(f"{name}={name}" for name in names))
    text = before + "".join(f"            {line}\n" for line in body) + _AFTER.format(rows_line=_ROWS_LINE)
    return compiled("read", [text], names)


class _Misfit(Exception):  # it never leaves the loop but as a DecodeError
    """A value's class is not the one its column stores."""


def _conversion(v: str, place: int, column: _Column, storage: Storage, names: dict[str, Any]) -> str:
    expression = v
    form, to_field = storage.forms[column.type.kind], column.type.load
    if form.load is not None:
        load = f"stored{place}"
        names[load] = form.load
        expression = f"{load}({v})"
        if form.written_load is not None:
            names.update(form.written_load.names or {})
            expression = f"({form.written_load.expression.format(v=v, load=load)})"
    if to_field is not None:
        names[f"load{place}"] = to_field
        expression = f"load{place}({expression})"
    return expression if expression == v or not column.nullable else f"None if {v} is None else {expression}"


def _condition(columns: tuple[_Column, ...], storage: Storage, names: dict[str, Any]) -> str:
    """Every value has exactly the class its column stores; columns of one class are compared in one chain."""
    chains: dict[type[Any], list[str]] = {}
    parts = []
    for i, column in enumerate(columns):
        stored = storage.forms[column.type.kind].stored
        if stored is object:  # a storage that keeps values of any class
            if not column.nullable:
                parts.append(f"v{i} is not None")
        elif column.nullable:
            names[f"class{i}"] = stored
            parts.append(f"(v{i} is None or type(v{i}) is class{i})")
        else:
            chains.setdefault(stored, []).append(f"type(v{i})")
    for place, stored in enumerate(chains):
        names[f"class_of_{place}"] = stored
    chained = [f"{' is '.join(types)} is class_of_{place}" for place, types in enumerate(chains.values())]
    return " and ".join([*chained, *parts])


def _misfit(row: Row, columns: tuple[_Column, ...], storage: Storage) -> tuple[int, Any, str] | None:
    """The first column whose value does not fit, the value, and why."""
    if len(row) != len(columns):
        return 0, row, f"{len(columns)} values were expected"
    for i, (value, column) in enumerate(zip(row, columns, strict=True)):
        if value is None:
            if column.nullable:
                continue
            return i, value, "it must not be missing"
        form = storage.forms[column.type.kind]
        if form.stored is not object and type(value) is not form.stored:
            return i, value, f"{form.stored.__name__} expected, not {type(value).__name__}"
        try:
            canonical = value if form.load is None else form.load(value)
            if column.type.load is not None:
                column.type.load(canonical)
        except Exception as error:  # noqa: BLE001  # whatever a conversion raises, the value does not fit
            return i, value, str(error) or type(error).__name__
    return None
