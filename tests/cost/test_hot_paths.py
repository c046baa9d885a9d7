"""No hot path becomes more than 15 % more expensive unnoticed; `hot_paths` counts, and says how to record anew."""

from __future__ import annotations

import pytest

from tests.cost.hot_paths import VERSION, Counts, measured, recorded

ALLOWED = 1.15
ALLOWED_ON_OTHER_VERSIONS = 1.5
RECORDED = recorded()
NEAREST = VERSION if VERSION in RECORDED else max(RECORDED)


@pytest.fixture(scope="module")
def found() -> dict[str, Counts]:
    return measured()


def test_every_hot_path_has_its_numbers(found: dict[str, Counts]) -> None:
    assert {version: set(paths) for version, paths in RECORDED.items()} == {key: set(found) for key in RECORDED}


@pytest.mark.parametrize("name", sorted(RECORDED[NEAREST]))
def test_a_hot_path_costs_what_was_recorded(found: dict[str, Counts], name: str) -> None:
    before, now = RECORDED[NEAREST][name], found[name]
    allowed = ALLOWED if NEAREST == VERSION else ALLOWED_ON_OTHER_VERSIONS
    assert now.total() <= allowed * before.total(), grown(before, now)


@pytest.mark.parametrize("name", sorted(RECORDED[NEAREST]))
def test_what_is_recorded_was_not_much_better_than_what_is(found: dict[str, Counts], name: str) -> None:
    """Otherwise what was gained could be lost again: record it."""
    before, now = RECORDED[NEAREST][name], found[name]
    allowed = ALLOWED if NEAREST == VERSION else ALLOWED_ON_OTHER_VERSIONS
    assert before.total() <= allowed * now.total(), f"{before.total()} instructions were recorded; now {now.total()}"


def grown(before: Counts, now: Counts) -> str:
    """The functions that execute more instructions than before."""
    more = {place: count - before[place] for place, count in now.items() if count > before[place]}
    worst = sorted(more.items(), key=lambda each: -each[1])[:10]
    lines = [f"{now.total()} instructions of Python in place of {before.total()}, more of them in:"]
    lines += [f"  {place}: {before[place]} -> {now[place]}" for place, _ in worst]
    return "\n".join([*lines, "if it is worth that, record it: PYTHONPATH=. python -m tests.cost.hot_paths"])
