"""Reading the CSV files into the database; a row that cannot be read is a failure of its own kind, not the end."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from examples.flights.models import Airline, Airport, Flight, Plane
from ommi import ConstraintViolation, DatabaseError, Effect, OmmiError, Prog, add_all, attempt, catch, effect

DATA = Path(__file__).parent / "data"
CHUNK = 500

M = TypeVar("M")
Values: TypeAlias = dict[str, str]


class BadRow(OmmiError):
    """A row of a file that the model has no place for."""


@dataclass(frozen=True)
class Row:
    """A line of a CSV file."""

    file: str
    line: int
    values: Values


@dataclass
class Loaded(Generic[M]):
    """What became of some rows."""

    records: list[M] = field(default_factory=list)
    refused: list[BadRow] = field(default_factory=list)


def rows(file: str) -> Iterator[Row]:
    """The lines of one of the files."""
    with (DATA / file).open(newline="", encoding="utf-8") as lines:
        for line, values in enumerate(csv.DictReader(lines), start=2):
            yield Row(file, line, values)


def chunks(lines: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows in lists of at most `CHUNK`."""
    remaining = iter(lines)
    while chunk := list(islice(remaining, CHUNK)):
        yield chunk


def read(row: Row, build: Callable[[Values], M]) -> Effect[M, BadRow]:
    """The record a row stands for; what the builder cannot convert fails as `BadRow`."""
    return attempt(lambda: build(row.values), catching=(ValueError,)).alt(
        lambda error: BadRow(f"{row.file}, line {row.line}: {error}", file=row.file, line=row.line)
    )


@effect
def load(chunk: list[Row], build: Callable[[Values], M]) -> Prog[Loaded[M], ConstraintViolation | DatabaseError]:
    """Insert the rows that can be read, and say which cannot."""
    loaded: Loaded[M] = Loaded()
    for row in chunk:
        found = yield from read(row, build) >> catch(BadRow)(Effect.from_value)
        if isinstance(found, BadRow):
            loaded.refused.append(found)
        else:
            loaded.records.append(found)
    loaded.records = yield from add_all(loaded.records)
    return loaded


def airline(values: Values) -> Airline:
    return Airline(code=values["carrier"], name=values["name"])


def airport(values: Values) -> Airport:
    return Airport(
        code=values["faa"],
        name=values["name"],
        latitude=float(values["lat"]),
        longitude=float(values["lon"]),
        altitude=int(values["alt"]),
        time_zone=required(values, "tzone"),
    )


def plane(values: Values) -> Plane:
    return Plane(
        tail_number=values["tailnum"],
        year=whole(values["year"]),
        manufacturer=values["manufacturer"],
        model=values["model"],
        engines=int(values["engines"]),
        seats=int(values["seats"]),
    )


def flight(registered: AbstractSet[str]) -> Callable[[Values], Flight]:
    """A builder of flights, given the tail numbers that the registry of planes knows."""

    def build(values: Values) -> Flight:
        tail_number = required(values, "tailnum")
        delay = whole(values["dep_delay"])
        return Flight(
            carrier=values["carrier"],
            number=int(values["flight"]),
            origin=values["origin"],
            destination=values["dest"],
            tail_number=tail_number,
            plane=tail_number if tail_number in registered else None,
            scheduled=datetime.fromisoformat(values["time_hour"]) + timedelta(minutes=int(values["minute"])),
            departure_delay=delay,
            arrival_delay=whole(values["arr_delay"]),
            landed=clock(values["arr_time"]),
            distance=int(values["distance"]),
            cancelled=delay is None,
        )

    return build


def required(values: Values, name: str) -> str:
    """The text of a column that must not be missing."""
    if values[name] == "NA":
        raise ValueError(f"{name} is NA")
    return values[name]


def whole(text: str) -> int | None:
    """A number, or `None` for `NA`."""
    return None if text == "NA" else int(text)


def clock(text: str) -> time | None:
    """A time of day written as a number: `517` is 5:17, and `2400` is midnight."""
    number = whole(text)
    return None if number is None else time(number // 100 % 24, number % 100)
