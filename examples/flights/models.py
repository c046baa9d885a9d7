"""The tables: plain dataclasses, with what the database has to know in `Annotated`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, ClassVar

from ommi import Check, Index, Key, MaxLength, ModelCollection, ReferenceTo, ToOne, auto, col, ommi_model

collection = ModelCollection()


@ommi_model(collection=collection, name="airlines")
@dataclass
class Airline:
    code: Annotated[str, Key, MaxLength(2)]
    name: str


@ommi_model(collection=collection, name="airports")
@dataclass
class Airport:
    code: Annotated[str, Key, MaxLength(3)]
    name: str
    latitude: float
    longitude: float
    altitude: int
    """In feet."""
    time_zone: str


@ommi_model(collection=collection, name="planes")
@dataclass
class Plane:
    tail_number: Annotated[str, Key]
    year: int | None
    manufacturer: str
    model: str
    engines: int
    seats: Annotated[int, Check(lambda plane: col(plane.seats) > 0)]


@ommi_model(collection=collection, name="flights", unique=[("carrier", "number", "origin", "scheduled")])
@dataclass
class Flight:
    carrier: Annotated[str, ReferenceTo(Airline)]
    number: int
    origin: Annotated[str, ReferenceTo(Airport)]
    destination: Annotated[str, Index]
    """An airport's code, of one that may be missing from the table."""
    tail_number: str
    plane: Annotated[str | None, ReferenceTo(Plane)]
    """The aircraft, where the registry knows the tail number."""
    scheduled: Annotated[datetime, Index]
    departure_delay: int | None
    """In minutes, negative when early; missing where the flight never left."""
    arrival_delay: int | None
    landed: time | None
    """By the clock at the destination."""
    distance: int
    """In miles."""
    cancelled: bool = False
    id: Annotated[int, Key] = auto()
    airline: ClassVar[ToOne[Airline]] = ToOne()
    aircraft: ClassVar[ToOne[Plane | None]] = ToOne()


@ommi_model(collection=collection, name="rebookings")
@dataclass
class Rebooking:
    """The passengers of one flight take another."""

    from_flight: Annotated[int, ReferenceTo(Flight)]
    to_flight: Annotated[int, ReferenceTo(Flight)]
    id: Annotated[int, Key] = auto()
