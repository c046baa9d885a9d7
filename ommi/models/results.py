"""Rows of an application's own SQL as what it wants them to be: records, instances by name, or tuples by position."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, TypeAlias, final, get_args, get_origin

from ommi.errors import DecodeError
from ommi.frozen import frozen
from ommi.models.annotations import unwrapped
from ommi.models.blueprint import Attribute, own_annotations
from ommi.models.declared import annotation_of, declared_on, schema_of
from ommi.models.readers import blueprint_of, is_structured
from ommi.models.types import field_type
from ommi.schema import Row
from ommi.values import FieldType, Kind, Storage

__all__ = ["Result", "result_of"]

Named: TypeAlias = Callable[[Sequence[str]], Callable[[Iterable[Row]], list[Any]]]


@final
@frozen
class Result:
    """What rows are read into. `reader` is given the storage they come from, and then the names of their columns."""

    into: Any
    reader: Callable[[Storage], Named]

    def read(self, storage: Storage) -> Callable[[Iterable[Row]], list[Any]]:
        """A function from rows, before which the names of their columns come."""
        named = self.reader(storage)

        def read(rows: Iterable[Row]) -> list[Any]:
            remaining = iter(rows)
            names = next(remaining, None)
            return [] if names is None else named(names)(remaining)

        return read

    def __eq__(self, other: object) -> bool:
        return self.into == other.into if isinstance(other, Result) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.into)


@frozen
class _Slot:
    """A value of a row that is converted: its label, its type (`None`: as it is), and the word of a constructor."""

    label: str
    type: FieldType | None
    nullable: bool
    word: str = ""
    required: bool = True


def result_of(into: Any) -> Result:
    """How rows become `into`: a model, another class with fields, `tuple[int, str]`, or `None` for plain tuples."""
    if into is None:
        return Result(None, lambda storage: lambda names: lambda rows: [tuple(row) for row in rows])
    if get_origin(into) is tuple or into is tuple:
        return _tuples(into)
    if isinstance(into, type) and declared_on(into) is not None:
        return Result(into, lambda storage: _records(into, storage))
    if isinstance(into, type) and issubclass(into, tuple) and hasattr(into, "_fields"):
        named: Any = into
        said = own_annotations(into)
        slots = [
            _slot(Attribute(name, said[name], into, name), into, name not in named._field_defaults)
            for name in named._fields
        ]
        return Result(into, lambda storage: _instances(into, slots, storage))
    if isinstance(into, type) and is_structured(into):
        found = [one for one in blueprint_of(into).attributes if one.argument is not None]
        fields = [_slot(one, into, one.default is None) for one in found]
        return Result(into, lambda storage: _instances(into, fields, storage))
    raise TypeError(
        f"into={into!r}: rows are read into a model, a dataclass (an attrs, pydantic or msgspec class), a NamedTuple, "
        "or a tuple such as tuple[int, str]"
    )


def _slot(attribute: Attribute, cls: type[Any], required: bool) -> _Slot:
    place = f"{cls.__name__}.{attribute.name}"
    annotation = annotation_of(attribute, place, {})
    word = attribute.argument or attribute.name
    if annotation is Any or annotation is object:
        return _Slot(attribute.name, None, True, word, required)
    nullable = unwrapped(annotation, place).nullable
    return _Slot(attribute.name, field_type(annotation, place, {}), nullable, word, required)


def _tuples(into: Any) -> Result:
    annotations = get_args(into)
    if not annotations or annotations[-1] is Ellipsis:
        return Result(into, result_of(None).reader)
    slots = []
    for place, annotation in enumerate(annotations, 1):
        said = f"value {place} of {into}"
        if annotation is Any or annotation is object:
            slots.append(_Slot(said, None, True))
        else:
            slots.append(_Slot(said, field_type(annotation, said, {}), unwrapped(annotation, said).nullable))

    def reader(storage: Storage) -> Named:
        converters = [_converter(slot, storage) for slot in slots]

        def named(names: Sequence[str]) -> Callable[[Iterable[Row]], list[Any]]:
            if len(names) != len(slots):
                raise DecodeError(f"the rows have {len(names)} columns ({', '.join(names)}), and {into} {len(slots)}")
            return lambda rows: [
                tuple([convert(value) for convert, value in zip(converters, row, strict=True)]) for row in rows
            ]

        return named

    return Result(into, reader)


def _records(model: type[Any], storage: Storage) -> Named:
    schema = schema_of(model)
    read = schema.codec.reader(storage)

    def named(names: Sequence[str]) -> Callable[[Iterable[Row]], list[Any]]:
        places = [_place(names, field.column, model) for field in schema.fields]
        missing = [f.column for f, place in zip(schema.fields, places, strict=True) if place is None]
        if missing:
            raise DecodeError(
                f"the rows have no column {missing[0]!r}, which {schema.name} needs; theirs are {', '.join(names)}",
                model=model,
            )
        found = [place for place in places if place is not None]
        if len(found) == 1:
            return lambda rows: read((row[found[0]],) for row in rows)
        pick: Callable[[Row], Row] = itemgetter(*found)
        return lambda rows: read(map(pick, rows))

    return named


def _instances(cls: type[Any], slots: Sequence[_Slot], storage: Storage) -> Named:
    def named(names: Sequence[str]) -> Callable[[Iterable[Row]], list[Any]]:
        taken: list[tuple[str, int, Callable[[Any], Any]]] = []
        for slot in slots:
            place = _place(names, slot.label, cls)
            if place is not None:
                taken.append((slot.word, place, _converter(slot, storage)))
            elif slot.required:
                said = ", ".join(names)
                raise DecodeError(
                    f"the rows have no column {slot.label!r}, which {cls.__name__} needs; theirs are {said}"
                )
        return lambda rows: [cls(**{word: convert(row[place]) for word, place, convert in taken}) for row in rows]

    return named


def _place(names: Sequence[str], name: str, cls: type[Any]) -> int | None:
    places = [place for place, found in enumerate(names) if found == name]
    if len(places) > 1:
        raise DecodeError(f"the rows have {len(places)} columns {name!r}, and {cls.__name__} one: name them with AS")
    return places[0] if places else None


def _converter(slot: _Slot, storage: Storage) -> Callable[[Any], Any]:
    """From what is stored to a value of the slot's type; nothing is made to fit."""
    found = slot.type
    if found is None:
        return lambda value: value
    form = storage.forms[found.kind]
    stored, load, into = form.stored, form.load, found.load
    exact = float if found.kind is Kind.FLOAT else None  # a number without a fraction is often written as an int

    def convert(value: Any) -> Any:
        if value is None:
            if slot.nullable:
                return None
            raise _misfit(slot, value, "it must not be missing")
        if stored is not object and type(value) is not stored:
            if exact is None or type(value) is not int or exact(value) != value:
                raise _misfit(slot, value, f"{stored.__name__} expected, not {type(value).__name__}")
            value = exact(value)
        try:
            canonical = value if load is None else load(value)
            return canonical if into is None else into(canonical)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise _misfit(slot, value, str(error)) from error

    return convert


def _misfit(slot: _Slot, value: object, cause: str) -> DecodeError:
    return DecodeError(
        f"{slot.label} is {value!r}, which does not fit: {cause}; convert it in the SQL", column=slot.label, value=value
    )
