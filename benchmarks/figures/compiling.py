"""What it costs to say a query, to make SQL of it, and to find the SQL that was made for its shape before."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.figures.asked import Asked
from benchmarks.records import Parent, Record
from benchmarks.results import Figure
from ommi import Effect, col, find
from ommi.drivers.postgres.dialect import POSTGRES
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite.dialect import SQLITE
from ommi.query.statements import Select
from ommi.runtime.blocking import run_blocking
from ommi.runtime.calls import Call, Execute
from ommi.runtime.clock import SystemClock

__all__ = ["measure"]

_DIALECTS = {"sqlite": SQLITE, "postgres": POSTGRES}


def measure(asked: Asked) -> Figure:
    """Microseconds for queries of three sizes, the best of five."""
    dialect = _DIALECTS[asked.database]
    lines: dict[str, dict[str, float | None]] = {}
    for name, make in {"by key": _get, "3 conditions, order, limit": _page, "join": _join}.items():
        statement = _statement(make())
        known = Compiler(dialect)
        expected = known.prepare(statement)
        assert Compiler(dialect).prepare(statement) == expected
        lines[name] = {
            "build the query": _best(make, 300),
            "compile, first of its shape": _best(lambda: Compiler(dialect).prepare(statement), 100)  # noqa: B023
            - _best(lambda: Compiler(dialect), 100),
            "compile, shape known": _best(lambda: known.prepare(statement), 1000),  # noqa: B023
        }
    return Figure("A query before it is sent", "µs", lines)


def _get() -> Effect[Record, Any]:
    return find(Record).where(lambda r: r.id == 5).one()


def _page() -> Effect[list[Record], Any]:
    query = find(Record).where(lambda r: r.age > 5, lambda r: r.active == True, lambda r: r.name.startswith("name"))
    return query.order_by(lambda r: col(r.age).desc).limit(20).all()


def _join() -> Effect[Any, Any]:
    return find(Parent).join(Parent.children).order_by(lambda p, c: c.id).all()


def _statement(effect: Effect[Any, Any]) -> Select:
    found: list[Select] = []

    def handle(call: Call) -> None:
        assert isinstance(call, Execute)
        assert isinstance(call.perform.statement, Select)
        found.append(call.perform.statement)

    run_blocking(effect, handle, SystemClock())
    return found[0]


def _best(work: Callable[[], object], times: int) -> float:
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, time.perf_counter() - start)
    return best / times * 1e6
