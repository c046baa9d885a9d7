"""What one asks of flights. Each question is a program: a value that says what it gives and how it can fail."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from examples.flights.models import Airport, Flight, Plane, Rebooking
from ommi import (
    ConstraintViolation,
    DatabaseError,
    Effect,
    MultipleFound,
    NotFound,
    OmmiError,
    Prog,
    add,
    any_of,
    avg,
    catch,
    col,
    count,
    effect,
    find,
    optional,
    traverse,
)

NEW_YORK = timezone(timedelta(hours=-5), "EST")
WEEK = [datetime(2013, 1, day, tzinfo=NEW_YORK) for day in range(1, 8)]


class NoLaterFlight(OmmiError):
    """Nobody flies there later that day: the passengers would be stranded."""


def most_delayed(how_many: int) -> Effect[list[Flight], DatabaseError]:
    """The flights that arrived latest, with their airlines and aircraft: three statements."""
    return (
        find(Flight)
        .where(lambda f: col(f.arrival_delay).is_not_null())
        .order_by(lambda f: col(f.arrival_delay).desc)
        .limit(how_many)
        .prefetch(Flight.airline, Flight.aircraft)
        .all()
    )


class Route(NamedTuple):
    """How late the flights of a route arrive, in minutes, on the average."""

    origin: str
    destination: str
    airport: str | None
    arrived: int
    delay: float | None


def worst_routes(how_many: int, least: int) -> Effect[list[Route], DatabaseError]:
    """The routes whose flights arrive latest on the average, of those that were flown so often: one statement."""
    return (
        find(Flight)
        .left_join(Airport, on=lambda f, a: f.destination == a.code)
        .group_by(lambda f, a: (f.origin, f.destination, a.name))
        .having(lambda f, a: count(f.arrival_delay) >= least)
        .order_by(lambda f, a: col(avg(f.arrival_delay)).desc)
        .limit(how_many)
        .select(
            lambda f, a: {
                "origin": f.origin,
                "destination": f.destination,
                "airport": optional(a.name),
                "arrived": count(f.arrival_delay),
                "delay": avg(f.arrival_delay),
            }
        )
        .into(Route)
        .all()
    )


def flights_by_day() -> Effect[list[int], DatabaseError]:
    """The number of flights on each day of the week."""
    return traverse(WEEK, lambda day: find(Flight).where(lambda f: in_span(f, day, timedelta(days=1))).count())


def flights_by_hour() -> Effect[list[int], DatabaseError]:
    """The number of flights in each hour of the day, over the week."""

    def during(hour: int) -> Effect[int, DatabaseError]:
        starts = [day + timedelta(hours=hour) for day in WEEK]
        return find(Flight).where(lambda f: any_of(*(in_span(f, at, timedelta(hours=1)) for at in starts))).count()

    return traverse(range(24), during)


def in_span(flight: Flight, start: datetime, length: timedelta) -> bool:
    """Scheduled within a span of time: a condition, for `where`."""
    return (flight.scheduled >= start) & (flight.scheduled < start + length)


def name_of(code: str) -> Effect[str, MultipleFound | DatabaseError]:
    """The airport's name, or that nobody knows it."""
    return find(Airport).where(lambda a: a.code == code).one().map(lambda airport: airport.name) >> catch(NotFound)(
        lambda _: Effect.from_value("(not in airports.csv)")
    )


@effect
def destinations(least: int, most: int) -> Prog[list[tuple[str, str]], MultipleFound | DatabaseError]:
    """The code and name of every destination at such a distance, in miles."""
    found = yield from (
        find(Flight)
        .where(lambda f: col(f.distance).between(least, most))
        .select(lambda f: (f.destination,))
        .distinct()
        .all()
    )
    codes = sorted(code for (code,) in found)
    names = yield from traverse(codes, name_of)
    return list(zip(codes, names, strict=True))


def departures(carrier: str, start: datetime, end: datetime, how_many: int) -> Effect[list[Flight], DatabaseError]:
    """The first flights of an airline in a span of time, earliest first."""
    return (
        find(Flight)
        .where(lambda f: (f.carrier == carrier) & (f.scheduled >= start) & (f.scheduled < end))
        .order_by(lambda f: (col(f.scheduled).asc, col(f.number).asc))
        .limit(how_many)
        .all()
    )


def built_before(year: int, manufacturer: str) -> Effect[list[Plane], DatabaseError]:
    """The planes of a manufacturer, whose name contains the text, that are older than a year; oldest first."""
    return (
        find(Plane)
        .where(lambda p: col(p.manufacturer).contains(manufacturer.upper()) & (col(p.year) < year))
        .order_by(lambda p: (col(p.year).asc, col(p.tail_number).asc))
        .all()
    )


@effect
def next_flight(flight: Flight) -> Prog[Flight, NoLaterFlight | DatabaseError]:
    """The next flight that leaves for the same destination on the same day."""
    midnight = flight.scheduled.astimezone(NEW_YORK).replace(hour=0, minute=0) + timedelta(days=1)
    found = yield from (
        find(Flight)
        .where(
            lambda f: (f.destination == flight.destination) & (f.scheduled > flight.scheduled),
            lambda f: (f.scheduled < midnight) & (f.cancelled == False),
        )
        .order_by(lambda f: col(f.scheduled).asc)
        .first()
    )
    if found is None:
        at = flight.scheduled.astimezone(NEW_YORK)
        return (
            yield from Effect.from_failure(
                NoLaterFlight(
                    f"after {flight.carrier} {flight.number} at {at:%H:%M} nobody flies to {flight.destination}"
                )
            )
        )
    return found


@effect
def ground(
    carrier: str, start: datetime, end: datetime
) -> Prog[list[tuple[Flight, Flight]], NoLaterFlight | ConstraintViolation | DatabaseError]:
    """Cancel an airline's flights in a span of time and put their passengers on the next ones.

    One flight without a next one is a failure of the whole: run it as a transaction, and nothing was done.
    """
    flights = yield from departures(carrier, start, end, 1_000)
    grounded = [flight for flight in flights if not flight.cancelled]
    yield from find(Flight).where(lambda f: col(f.id).in_([flight.id for flight in grounded])).update(cancelled=True)
    moved = []
    for flight in grounded:
        later = yield from next_flight(flight)
        yield from add(Rebooking(from_flight=flight.id, to_flight=later.id))
        moved.append((flight, later))
    return moved


@effect
def plan() -> Prog[tuple[int, int], DatabaseError]:
    """How many flights are cancelled, and how many rebookings there are: what `ground` changes."""
    cancelled = yield from find(Flight).where(lambda f: f.cancelled == True).count()
    rebooked = yield from find(Rebooking).count()
    return cancelled, rebooked
