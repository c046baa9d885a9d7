"""A week of flights into a file, a chunk of rows at a time: as many more would take no more memory."""

from __future__ import annotations

import csv
from pathlib import Path

from examples.flights.models import Flight
from examples.flights.questions import NEW_YORK, WEEK
from ommi import DatabaseError, Ommi, Stream, col, find

__all__ = ["TITLES", "line", "schedule", "write"]

TITLES = ("scheduled", "flight", "airline", "from", "to", "minutes late")


def schedule() -> Stream[Flight, DatabaseError]:
    """The flights of the week in the order in which they were to leave, with their airlines."""
    return (
        find(Flight)
        .where(lambda f: col(f.scheduled) >= WEEK[0])
        .order_by(lambda f: (col(f.scheduled).asc, col(f.id).asc))
        .prefetch(Flight.airline)
        .stream(chunk=500)
    )


def line(flight: Flight) -> tuple[object, ...]:
    """A flight as a line of the file."""
    airline = flight.airline.cached
    return (
        f"{flight.scheduled.astimezone(NEW_YORK):%Y-%m-%d %H:%M}",
        f"{flight.carrier} {flight.number}",
        "" if airline is None else airline.name,
        flight.origin,
        flight.destination,
        flight.arrival_delay,
    )


async def write(db: Ommi, path: Path) -> int:
    """Write the file; the number of flights in it."""
    count = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(TITLES)
        async with db.open(schedule().map(line)) as lines:
            async for one in lines:
                out.writerow(one)
                count += 1
    return count
