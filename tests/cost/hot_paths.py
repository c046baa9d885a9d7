"""What the hot paths cost, counted: the instructions of Python that Ommi's own code executes, function by function.

The same on every machine and at any load, but not on every version of Python, so there are numbers for some. After a
change that is worth its price, record them anew, with each Python that numbers are kept for:

    PYTHONPATH=. python3.11 -m tests.cost.hot_paths
"""

from __future__ import annotations

import asyncio
import json
import math
import sqlite3
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import CodeType, FrameType
from typing import Annotated, Any, TypeAlias

import ommi
from ommi import Effect, Key, ModelCollection, Ommi, Prog, add, add_all, auto, effect, find, ommi_model, save
from ommi.drivers.sql.compiler import Compiler
from ommi.drivers.sqlite import brief
from ommi.drivers.sqlite.connections import Location
from ommi.drivers.sqlite.dialect import SQLITE, SQLITE_STORAGE
from ommi.drivers.sqlite.statements import run
from ommi.runtime.blocking import run_blocking
from ommi.runtime.calls import Call, Execute
from ommi.runtime.clock import SystemClock
from ommi.runtime.perform import answer, request

Counts: TypeAlias = Counter[str]
"""Instructions by function."""

RECORDED = Path(__file__).with_name("recorded.json")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

_HOME = str(Path(ommi.__file__).parent)
_ELSEWHERE = str(Path(_HOME, "drivers", "memory"))  # the definition, which is not made to be fast
_records = ModelCollection()


@ommi_model(collection=_records)
@dataclass
class Record:
    name: str
    email: str
    age: int
    score: float
    active: bool
    born: datetime
    note: str | None
    id: Annotated[int, Key] = auto()


def record(number: int) -> Record:
    """A record that is like no other."""
    note = None if number % 3 else "noted"
    born = datetime(2020, 1, 1 + number % 28, tzinfo=UTC)
    return Record(f"name {number}", f"{number}@example.org", number % 60, number / 7, number % 2 == 0, born, note)


def measured() -> dict[str, Counts]:
    """The counts of every hot path, by its name."""
    found = dict(_on_sqlite())
    patience, slow = brief.PATIENCE, brief._SLOW
    brief.PATIENCE = brief._SLOW = math.inf  # type: ignore[misc]  # a busy machine is no slow disk
    try:
        found.update(asyncio.run(_with_the_pump()))
    finally:
        brief.PATIENCE, brief._SLOW = patience, slow  # type: ignore[misc]
    return found


def _on_sqlite() -> Iterable[tuple[str, Counts]]:
    """From the words of the user to SQLite and back, without a thread and an event loop in between."""
    compiler, clock = Compiler(SQLITE), SystemClock()
    with closing(Location(None).connect()) as connection:
        handler = _handler(connection, compiler)

        def made(program: Effect[Any, Any]) -> None:
            _, value = run_blocking(program, handler, clock)
            assert not isinstance(value, Exception), value

        made(ommi.Ommi.connect("sqlite://").schema.create(_records))
        made(add_all([record(number) for number in range(1000)]))
        kept = record(7)
        kept.id = 7
        yield "get by key", _counted(lambda: made(find(Record, Record.id == 5).one()))
        yield "get by key, as a lambda", _counted(lambda: made(find(Record).where(lambda r: r.id == 5).one()))
        yield "page of 20", _counted(lambda: made(_page()))
        yield "insert", _counted(lambda: made(add(record(1000))))
        yield "update by key", _counted(lambda: made(find(Record, Record.id == 5).update(age=77)))
        yield "save", _counted(lambda: made(save(kept)))
        yield "fetch of 1,000", _counted(lambda: made(find(Record).limit(1000).all()))
        yield "100 steps of a program", _counted(lambda: made(_steps(100)))
        yield "100 binds", _counted(lambda: made(_binds(100)))


def _handler(connection: sqlite3.Connection, compiler: Compiler) -> Callable[[Call], Any]:
    def handle(call: Call) -> Any:
        assert isinstance(call, Execute)
        asked = request(call.perform, SQLITE_STORAGE, None)
        reply = run(connection, compiler, asked, in_transaction=False)
        value, call.fills = answer(call.perform, reply, SQLITE_STORAGE)
        return value

    return handle


async def _with_the_pump() -> dict[str, Counts]:
    """What `db.run` adds, in asyncio."""
    get = find(Record, Record.id == 2).one()
    change = find(Record, Record.id == 2).update(age=7)
    async with Ommi.connect("sqlite://") as db:
        (await db.run(db.schema.create(_records))).unwrap()
        (await db.run(add_all([record(number) for number in range(3)]))).unwrap()
        at_once = await _counted_while(lambda: db.run(get))
        change_at_once = await _counted_while(lambda: db.run(change))
        both = await _counted_while(lambda: db.run(change.transactional()))
    async with Ommi.connect("sqlite://?inline=false") as db:
        (await db.run(db.schema.create(_records))).unwrap()
        (await db.run(add_all([record(number) for number in range(3)]))).unwrap()
        # before Python 3.12, of the thread of the event loop alone; a wake-up may serve the job before it, too
        there_and_back = await _counted_while(lambda: db.run(get))
    async with Ommi.connect("memory://") as db:
        (await db.run(db.schema.create(_records))).unwrap()
        (await db.run(add_all([record(number) for number in range(3)]))).unwrap()
        transaction = change.transactional()
        return {
            "run of a get, on SQLite": at_once,
            "run of an update, on SQLite": change_at_once,
            "run of a transaction, on SQLite": both,
            "run of a get, to SQLite's thread and back": there_and_back,
            "run of a get": await _counted_while(lambda: db.run(get)),
            "run of a transaction": await _counted_while(lambda: db.run(transaction)),
        }


def _page() -> Effect[list[Record], Any]:
    conditions = (Record.age > 18, Record.active == True, Record.name != "x")
    return find(Record, *conditions).order_by(Record.age.desc).limit(20).all()  # type: ignore[attr-defined]


@effect
def _steps(count: int) -> Prog[int, Any]:
    total = 0
    for _ in range(count):
        total += yield from Effect.from_value(1)
    return total


def _binds(count: int) -> Effect[int, Any]:
    chain: Effect[int, Any] = Effect.from_value(0)
    for _ in range(count):
        chain = chain.bind(Effect.from_value)
    return chain


# -- counting

_WARMING = 3  # runs, after which what is made once has been made


def _counted(work: Callable[[], object]) -> Counts:
    for _ in range(_WARMING):
        work()
    with _counting() as counts:
        work()
    return counts


async def _counted_while(work: Callable[[], Awaitable[object]]) -> Counts:
    for _ in range(_WARMING):
        await work()
    with _counting() as counts:
        await work()
    return counts


def _place(code: CodeType) -> str | None:
    """The name of a function whose instructions are counted."""
    file = code.co_filename
    if file.startswith(_ELSEWHERE) or not file.startswith((_HOME, "<ommi")):
        return None
    return f"{file.removeprefix(_HOME).lstrip('/')}:{code.co_qualname}"


if sys.version_info >= (3, 12):

    @contextmanager
    def _counting() -> Iterator[Counts]:
        counts: Counts = Counter()
        monitoring = sys.monitoring
        tool, event = monitoring.PROFILER_ID, monitoring.events.INSTRUCTION

        def executed(code: CodeType, offset: int) -> object:
            place = _place(code)
            if place is None:
                return monitoring.DISABLE
            counts[place] += 1
            return None

        monitoring.use_tool_id(tool, __name__)
        monitoring.register_callback(tool, event, executed)
        monitoring.restart_events()
        monitoring.set_events(tool, event)
        try:
            yield counts
        finally:
            monitoring.set_events(tool, monitoring.events.NO_EVENTS)
            monitoring.free_tool_id(tool)

else:

    @contextmanager
    def _counting() -> Iterator[Counts]:
        counts: Counts = Counter()

        def called(frame: FrameType, event: str, argument: Any) -> Any:
            place = _place(frame.f_code)
            if place is None:
                return None
            frame.f_trace_opcodes, frame.f_trace_lines = True, False

            def executed(frame: FrameType, event: str, argument: Any) -> Any:
                counts[place] += event == "opcode"
                return executed

            return executed

        before = sys.gettrace()
        sys.settrace(called)
        try:
            yield counts
        finally:
            sys.settrace(before)


def recorded() -> dict[str, dict[str, Counts]]:
    """The counts that were recorded, by version of Python and name of the hot path."""
    found = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
    return {version: {name: Counter(counts) for name, counts in paths.items()} for version, paths in found.items()}


def main() -> None:
    """Record what the hot paths cost now, on this version of Python."""
    found = recorded()
    found[VERSION] = measured()
    text = json.dumps(found, indent=1, sort_keys=True)
    RECORDED.write_text(text + "\n", encoding="utf-8")
    for name, counts in found[VERSION].items():
        sys.stdout.write(f"{name}: {counts.total()}\n")


if __name__ == "__main__":
    main()
