"""The example programs run, and what they print is what the data says, counted here without a database."""

import csv
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean

import pytest

_ROOT = Path(__file__).resolve().parent.parent


def flights(*arguments: str) -> str:
    """What `python -m examples.flights` prints."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-X", "utf8", "-m", "examples.flights", *arguments],
        cwd=_ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def printed() -> str:
    return flights()


@pytest.fixture(scope="module")
def readable() -> list[dict[str, str]]:
    """The flights that name an aircraft: the ones that can be loaded."""
    with (_ROOT / "examples/flights/data/flights.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["tailnum"] != "NA"]


def test_rows_without_a_required_value_are_refused_and_named(printed: str) -> None:
    assert "11 rows refused" in printed
    assert "airports.csv, line 419: tzone is NA" in printed
    assert printed.count("tailnum is NA") == 8


def test_flights_are_counted_by_day(printed: str, readable: list[dict[str, str]]) -> None:
    by_day = Counter(int(row["day"]) for row in readable)
    found = [line.split() for line in printed.splitlines() if line.split()[2:3] == ["Jan"]]
    assert {int(day): int(count) for _, day, _, count in found} == by_day


def test_the_latest_flight_is_the_latest(printed: str, readable: list[dict[str, str]]) -> None:
    latest = max((row for row in readable if row["arr_delay"] != "NA"), key=lambda row: int(row["arr_delay"]))
    lines = printed.splitlines()
    first = lines[next(number for number, line in enumerate(lines) if line.endswith("minutes late")) + 1]
    assert first.split()[:2] == [latest["carrier"], latest["flight"]]
    assert first.split()[-1] == latest["arr_delay"]


def test_the_worst_routes_are_the_worst(printed: str, readable: list[dict[str, str]]) -> None:
    delays: defaultdict[str, list[int]] = defaultdict(list)
    for row in readable:
        if row["arr_delay"] != "NA":
            delays[f"{row['origin']} → {row['dest']}"].append(int(row["arr_delay"]))
    means = {route: round(mean(found), 1) for route, found in delays.items() if len(found) >= 10}
    worst = sorted(means.items(), key=lambda entry: -entry[1])[:5]
    _, _, shown = printed.partition("Which routes are late on the average?")
    lines = shown.splitlines()[3:8]
    assert [(line.strip()[:9], float(line.split()[-1])) for line in lines] == worst


def test_a_transaction_that_fails_halfway_changes_nothing(printed: str) -> None:
    _, _, failed = printed.partition("rolled back: after B6")
    before, after = (line.split()[1:] for line in failed.splitlines() if line.split()[:1] in (["before"], ["after"]))
    assert before == after


def test_the_week_is_streamed_to_a_file(readable: list[dict[str, str]], tmp_path: Path) -> None:
    flights("--export", str(tmp_path / "week.csv"))
    with (tmp_path / "week.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(readable)
    assert Counter(row["from"] for row in found) == Counter(row["origin"] for row in readable)
    assert [row["scheduled"] for row in found] == sorted(row["scheduled"] for row in found)
    assert {row["airline"] for row in found if row["flight"].startswith("B6 ")} == {"JetBlue Airways"}


def test_a_kept_database_is_reused(tmp_path: Path) -> None:
    flights("--database", str(tmp_path / "flights.db"))
    assert "6091 flights are there already" in flights("--database", str(tmp_path / "flights.db"))
