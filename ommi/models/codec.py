"""From instances to rows of canonical values and back: functions written per model, on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, Final
from uuid import UUID

from ommi.errors import EncodeError
from ommi.models.blueprint import Blueprint
from ommi.models.construction import Source, compiled, making, reading, setter
from ommi.models.decoding import instances_reader
from ommi.schema import Field, Row
from ommi.values import CANONICAL, DEFAULT, MAX_INT, MIN_INT, Kind, Storage

__all__ = ["ModelCodec"]

_STORAGES_KEPT: Final = 8

_IS_CANONICAL: Final[dict[Kind, str]] = {
    Kind.INT: "type({v}) is int and MIN_INT <= {v} <= MAX_INT",
    Kind.FLOAT: "type({v}) is float and ({v} > 0.0 or {v} < 0.0)",
    Kind.BOOL: "{v} is True or {v} is False",
    Kind.STR: "type({v}) is str and {v}.isascii() and '\\0' not in {v}",
    Kind.BYTES: "type({v}) is bytes",
    Kind.DATETIME: "type({v}) is datetime and {v}.tzinfo is utc",
    Kind.NAIVE_DATETIME: "type({v}) is datetime and {v}.tzinfo is None and {v}.fold == 0",
    Kind.DATE: "type({v}) is date",
    Kind.TIME: "type({v}) is time and {v}.tzinfo is None and {v}.fold == 0",
    Kind.UUID: "type({v}) is UUID",
}
"""When a value is canonical as it is, so that `dump` need not be called. True only where `dump` would give it back."""

_NAMES: Final[dict[str, Any]] = {
    "MAX_INT": MAX_INT,
    "MIN_INT": MIN_INT,
    "UUID": UUID,
    "date": date,
    "datetime": datetime,
    "time": time,
    "utc": UTC,
}


class ModelCodec:
    """The `RowCodec` of one model."""

    def __init__(self, blueprint: Blueprint, table: str, fields: tuple[Field, ...], validate: bool) -> None:
        self.blueprint = blueprint
        self.table = table
        self.fields = fields
        self.validate = validate
        self._readers: dict[Storage, Callable[[Iterable[Row]], list[Any]]] = {}
        self._builders: dict[tuple[Field, ...], Callable[[Sequence[Row], Sequence[Row]], list[Any]]] = {}
        self._setters: dict[Field, Callable[[Any, Any], None]] | None = None

    # `read` and `build` write the function that does the work and put it before themselves on the instance

    def read(self, instance: Any, /) -> tuple[Any, ...]:
        """The canonical values of all fields, `DEFAULT` where the database assigns one; `EncodeError` otherwise."""
        function = self.__dict__.get("read")
        if function is None:  # else this method was taken from the instance before it was written
            function = self.__dict__["read"] = _reading(self.blueprint, self.fields)
        row: tuple[Any, ...] = function(instance)
        return row

    def build(self, row: Row, /) -> Any:
        """A new instance from canonical values of all fields."""
        function = self.__dict__.get("build")
        if function is None:
            function = self.__dict__["build"] = _building(self.blueprint, self.fields, self.validate)
        return function(row)

    def build_all(self, rows: Sequence[Row], fields: tuple[Field, ...], values: Sequence[Row], /) -> list[Any]:
        """New instances from rows of canonical values, in which others take the place of those of some fields."""
        function = self._builders.get(fields)
        if function is None:
            taken = tuple(self.fields.index(field) for field in fields)
            function = self._builders[fields] = _building_all(self.blueprint, self.fields, taken, self.validate)
        return function(rows, values)

    def fill(self, fields: Sequence[Field], instances: Sequence[Any], rows: Sequence[Row], /) -> None:
        """Set canonical values on mutable instances, a row of them on each; a frozen instance or field stays as it is.

        None of the class's own code runs: the values are in the database already, and no validator can undo that.
        """
        if self._setters is None:
            pairs = zip(self.fields, self.blueprint.attributes, strict=True)
            frozen = self.blueprint.frozen
            self._setters = {f: setter(self.blueprint, f.name) for f, a in pairs if not (frozen or a.frozen)}
        first: Exception | None = None
        for place, field in enumerate(fields):
            put, load = self._setters.get(field), field.type.load
            if put is None:
                continue
            for instance, row in zip(instances, rows, strict=True):
                value = row[place]
                try:
                    put(instance, value if value is None or load is None else load(value))
                except Exception as defect:  # noqa: BLE001 - raised when all were tried
                    first = first or defect
        if first is not None:
            raise first

    def reader(self, storage: Storage, /) -> Callable[[Iterable[Row]], list[Any]]:
        """A function from stored rows to instances; it raises `DecodeError`."""
        found = self._readers.get(storage)
        if found is None:
            if len(self._readers) >= _STORAGES_KEPT:  # a driver may make a storage per connection
                self._readers.clear()
            found = instances_reader(self.blueprint, self.table, self.fields, storage, self.validate)
            self._readers[storage] = found
        return found


def _reading(blueprint: Blueprint, fields: tuple[Field, ...]) -> Callable[[Any], tuple[Any, ...]]:
    names = dict(_NAMES)
    variables = [f"v{i}" for i in range(len(fields))]
    lines = ["def read(instance):", "    try:", f"        {', '.join(variables)}, = {reading(blueprint, 'instance')}"]
    names["incomplete"] = _incomplete(blueprint)
    lines += ["    except AttributeError as error:", "        raise incomplete(instance, error) from error"]
    if blueprint.library == "pydantic" and blueprint.model.model_config.get("extra") == "allow":
        names["extra"] = _extra(blueprint)
        lines.append("    if instance.__pydantic_extra__: raise extra(instance)")
    for i, (field, v) in enumerate(zip(fields, variables, strict=True)):
        names[f"encode{i}"] = _encoder(blueprint.model, field)
        known = _IS_CANONICAL.get(field.type.kind) if field.type.dump is CANONICAL[field.type.kind] else None
        conditions = [f"{v} is not None"] if field.nullable else []
        conditions += [f"not ({known.format(v=v)})"] if known is not None else []
        condition = f"if {' and '.join(conditions)}: " if conditions else ""
        lines.append(f"    {condition}{v} = encode{i}({v})")
    lines.append(f"    return ({', '.join(variables)},)")
    return compiled("read", lines, names)


def _encoder(model: type[Any], field: Field) -> Callable[[Any], Any]:
    """The canonical form of a value that is not known to be canonical."""
    dump = field.type.dump
    left_out = field.generated or (field.server_default is not None and not field.nullable)
    missing = DEFAULT if left_out else None  # None for a required field is for the database to refuse

    def encode(value: Any) -> Any:
        if value is None:
            return missing
        try:
            return dump(value)
        except (ValueError, TypeError) as error:
            raise _unfit(model, field, str(error)) from error
        except RecursionError as error:
            raise _unfit(model, field, "a structure that contains itself or is too deep cannot be stored") from error

    return encode


def _unfit(model: type[Any], field: Field, cause: str) -> EncodeError:
    # what is in a structure is told by its path: "User.tags[3]: …", "User.home.street: …"
    between = "" if field.type.kind is Kind.JSON and cause.startswith(("[", ".")) else ": "
    return EncodeError(f"{model.__name__}.{field.name}{between}{cause}", model=model, field=field.name)


def _incomplete(blueprint: Blueprint) -> Callable[[Any, AttributeError], Exception]:
    def incomplete(instance: Any, error: AttributeError) -> Exception:
        model = blueprint.model
        for attribute in blueprint.attributes:
            if not hasattr(instance, attribute.name):
                message = f"{model.__name__}.{attribute.name} was never set on this instance"
                return EncodeError(message, model=model, field=attribute.name)
        return error

    return incomplete


def _extra(blueprint: Blueprint) -> Callable[[Any], EncodeError]:
    def extra(instance: Any) -> EncodeError:
        model = blueprint.model
        names = ", ".join(instance.__pydantic_extra__)
        return EncodeError(
            f"{model.__name__} has the extra values {names}, which no column keeps: declare them as fields",
            model=model,
            field=None,
        )

    return extra


def _building(blueprint: Blueprint, fields: tuple[Field, ...], validate: bool) -> Callable[[Row], Any]:
    source = _built(blueprint, fields, validate)
    lines = [
        "def build(row):",
        f"    {_unpacked(range(len(fields)))} = row",
        *(f"    {line}" for line in source.lines),
        f"    return {source.expression}",
    ]
    return compiled("build", lines, source.names)


def _building_all(
    blueprint: Blueprint, fields: tuple[Field, ...], taken: tuple[int, ...], validate: bool
) -> Callable[[Sequence[Row], Sequence[Row]], list[Any]]:
    source = _built(blueprint, fields, validate)
    # what both have a value of is unpacked twice, and the second one stays
    lines = [
        "def build_all(rows, values):",
        "    made_rows = []",
        "    append = made_rows.append",
        f"    for ({_unpacked(range(len(fields)))}), ({_unpacked(taken)}) in zip(rows, values, strict=True):",
        *(f"        {line}" for line in source.lines),
        f"        append({source.expression})",
        "    return made_rows",
    ]
    return compiled("build_all", lines, source.names)


def _built(blueprint: Blueprint, fields: tuple[Field, ...], validate: bool) -> Source:
    """An instance from the canonical values v0, v1, …"""
    names: dict[str, Any] = {}
    values = []
    for i, field in enumerate(fields):
        if field.type.load is None:
            values.append(f"v{i}")
        else:
            names[f"load{i}"] = field.type.load
            values.append(f"None if v{i} is None else load{i}(v{i})")
    source = making(blueprint, values, validate)
    return Source(source.lines, source.expression, {**names, **source.names})


def _unpacked(places: Iterable[int]) -> str:
    return "".join(f"v{i}, " for i in places)
