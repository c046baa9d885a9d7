"""Run it: `python -m examples.flights`, or `scripts/demo`."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TypeVar

from examples import flights
from examples.flights import export, load, questions
from examples.flights.models import Flight, Plane, collection
from examples.flights.questions import NEW_YORK
from examples.flights.report import Progress, heading, table
from ommi import Effect, Failure, Ommi, Success, find

T = TypeVar("T")
M = TypeVar("M")


async def answer(db: Ommi, program: Effect[T, Exception]) -> T:
    """Run a program whose failure would be the end of the demonstration."""
    match await db.run(program):
        case Success(value):
            return value
        case Failure(error):
            raise error


async def load_file(db: Ommi, file: str, build: Callable[[load.Values], M]) -> list[load.BadRow]:
    """Insert a file, chunk by chunk, each chunk a transaction."""
    rows = list(load.rows(file))
    refused: list[load.BadRow] = []
    with Progress(file, len(rows)) as progress:
        for chunk in load.chunks(rows):
            loaded = await answer(db, load.load(chunk, build).transactional())
            refused += loaded.refused
            progress.advance(len(chunk))
    return refused


async def fill(db: Ommi) -> None:
    """Create the tables and load the files, unless the database has them already."""
    heading("Loading a week of flights")
    await answer(db, db.schema.create(collection))
    if known := await answer(db, find(Flight).count()):
        print(f"  {known} flights are there already")
        return
    begun = perf_counter()
    refused = await load_file(db, "airlines.csv", load.airline)
    refused += await load_file(db, "airports.csv", load.airport)
    refused += await load_file(db, "planes.csv", load.plane)
    registered = await answer(db, find(Plane).select(lambda p: (p.tail_number,)).all())
    refused += await load_file(db, "flights.csv", load.flight({tail_number for (tail_number,) in registered}))
    print(f"  loaded in {perf_counter() - begun:.1f} s; {len(refused)} rows refused:")
    for bad in refused:
        print(f"    {bad}")


async def ask(db: Ommi) -> None:
    """The questions that only read."""
    heading("Which flights arrived latest?")
    late = await answer(db, questions.most_delayed(5))
    table(
        ("flight", "airline", "route", "scheduled", "aircraft", "minutes late"),
        [(*described(flight, airline(flight)), aircraft(flight), flight.arrival_delay) for flight in late],
    )

    heading("Which routes are late on the average?")
    routes = await answer(db, questions.worst_routes(5, 10))
    table(
        ("route", "to", "arrived", "minutes late"),
        [(f"{r.origin} → {r.destination}", r.airport, r.arrived, round(r.delay or 0, 1)) for r in routes],
    )

    heading("When do most flights leave?")
    days = await answer(db, questions.flights_by_day())
    table(("day", "flights"), [(f"{day:%a %d %b}", count) for day, count in zip(questions.WEEK, days, strict=True)])
    hours = await answer(db, questions.flights_by_hour())
    busiest = sorted(enumerate(hours), key=lambda entry: -entry[1])[:3]
    table(("hour", "flights"), [(f"{hour:02}:00", count) for hour, count in busiest])

    heading("What lies 1,590 to 1,640 miles away?")
    table(("code", "airport"), await answer(db, questions.destinations(1_590, 1_640)))

    heading("Which Virgin America flights leave on the evening of 4 January?")
    evening = datetime(2013, 1, 4, 18, tzinfo=NEW_YORK)
    evening_flights = await answer(db, questions.departures("VX", evening, evening + timedelta(hours=4), 5))
    table(
        ("flight", "airline", "route", "scheduled", "plane"),
        [(*described(flight, "Virgin America"), flight.plane) for flight in evening_flights],
    )

    heading("Which Boeings in the registry were built before 1985?")
    planes = await answer(db, questions.built_before(1985, "Boeing"))
    table(("plane", "year", "model", "seats"), [(p.tail_number, p.year, p.model, p.seats) for p in planes])


async def save(db: Ommi, path: Path) -> None:
    """The week as a file."""
    heading("The week, streamed to a file")
    count = await export.write(db, path)
    with path.open(encoding="utf-8") as file:
        print(f"  {count} flights, the first of them")
        for _ in range(4):
            print(f"    {next(file).rstrip()}")


async def replan(db: Ommi) -> None:
    """Two transactions: one goes through, one fails halfway and leaves no trace."""
    for title, hour in (("noon", 12), ("six in the evening", 18)):
        heading(f"JetBlue is grounded at {title} on 7 January")
        start = datetime(2013, 1, 7, hour, tzinfo=NEW_YORK)
        before = await answer(db, questions.plan())
        outcome = await db.run(questions.ground("B6", start, start + timedelta(hours=1)).transactional())
        match outcome:
            case Success(moved):
                table(
                    ("grounded", "route", "passengers take"),
                    [(number(old), route(old), f"{number(new)} at {local(new)}") for old, new in moved],
                )
            case Failure(error):
                print(f"  rolled back: {error.message}")
        after = await answer(db, questions.plan())
        table(
            ("", "cancelled flights", "rebookings"),
            [("before", *before), ("after", *after)],
        )


def airline(flight: Flight) -> str:
    """The name of the airline, which came with the flight."""
    found = flight.airline.cached
    return flight.carrier if found is None else found.name


def aircraft(flight: Flight) -> str | None:
    """The aircraft that came with the flight, where the registry knows it."""
    found = flight.aircraft.cached
    return None if found is None else f"{found.manufacturer} {found.model}"


def described(flight: Flight, airline: str) -> tuple[str, str, str, str]:
    return number(flight), airline, route(flight), local(flight)


def number(flight: Flight) -> str:
    return f"{flight.carrier} {flight.number}"


def route(flight: Flight) -> str:
    return f"{flight.origin} → {flight.destination}"


def local(flight: Flight) -> str:
    return f"{flight.scheduled.astimezone(NEW_YORK):%a %d %b %H:%M}"


async def main(database: Path, file: Path) -> None:
    async with Ommi.connect(f"sqlite:///{database}") as db:
        await fill(db)
        await ask(db)
        await save(db, file)
        await replan(db)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.flights", description=flights.__doc__)
    parser.add_argument("--database", type=Path, metavar="PATH", help="keep the database here; a second run reuses it")
    parser.add_argument("--export", type=Path, metavar="PATH", help="keep the file with the week's flights here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        asyncio.run(main(arguments.database or place / "flights.db", arguments.export or place / "week.csv"))
