"""`faults`: a program is run once for everything that can go wrong at each of its steps."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, TypeAlias, final

import anyio
from typing_extensions import TypeVar

from ommi.database import Ommi
from ommi.errors import DatabaseError
from ommi.testing.faults.kinds import CANCELLATIONS, Fault, FaultStep, Planned, faults_at
from ommi.testing.faults.probe import Probe
from ommi.testing.faults.report import FaultReport, FaultRun, FaultsFound, case_name, fault_run
from ommi.testing.faults.running import Ended, Program, is_native, perform
from ommi.testing.faults.state import Step, leaks, rows, value_of
from ommi.testing.faults.trace import Trace

__all__ = ["faults"]

S = TypeVar("S", default=Any)

Database: TypeAlias = Ommi | Callable[[], AbstractAsyncContextManager[Ommi]]


async def faults(
    program: Program,
    database: Database,
    *,
    prepare: Step[object] | None = None,
    observe: Step[S] | None = None,
    invariant: Callable[[S], object] | None = None,
    check: Callable[[FaultRun], object] | None = None,
    probes: Iterable[Probe] = (),
    only: Collection[str | Fault] = (),
    raises: tuple[type[Exception], ...] = (),
    seconds: float = 5.0,
) -> FaultReport:
    """Run a program once for every fault at each of its steps, and require that it is all or nothing.

    `program` is an effect, or an asynchronous function that is given the database, whose `raises` are the exceptions
    it may end with besides `OmmiError`. `database` is an open one, or a function that makes a new one for each run.
    `prepare` (an effect, or an asynchronous function of the database) makes the state to begin with, whatever was
    there before. A fault may lead to steps that were not there without it, such as a rollback: those are then
    disturbed once, too.

    After each run it is required that

    - it ended in a value, a failure or a cancellation that was asked for, within some `seconds` and in no defect;
    - the database is as before the program or as after it, and, if the program is one transaction, as before unless
      that was committed. `observe` gives what is compared (of itself: all rows of the models that the program met);
      with `invariant`, what that is true of is right instead;
    - every transaction was ended once, every stream closed, no connection is in use, and the next transaction can
      write;
    - each of the `probes` ended as often as it was begun;
    - `check`, given the run, does not raise `AssertionError`.

    `only` are kinds of faults, or names of cases. Raises `FaultsFound`, an `AssertionError` with the names of the
    cases that went wrong. Time passes only where the program waits for nothing else, so retries take none.
    """
    exploration = _Exploration(program, database, prepare, observe, tuple(probes), raises, seconds)
    exploration.invariant = invariant
    exploration.check = check
    await exploration.look()
    report = await exploration.explore(frozenset(only))
    if report.violations:
        raise FaultsFound(report)
    return report


@final
class _Exploration:
    """The runs of one program."""

    def __init__(
        self,
        program: Program,
        database: Database,
        prepare: Step[object] | None,
        observe: Step[Any] | None,
        probes: tuple[Probe, ...],
        raises: tuple[type[Exception], ...],
        seconds: float,
    ) -> None:
        self.program = program
        self.prepare = prepare
        self.observe = observe
        self.probes = probes
        self.raises = raises
        self.seconds = seconds
        self.invariant: Callable[[Any], object] | None = None
        self.check: Callable[[FaultRun], object] | None = None
        self.make = database if not isinstance(database, Ommi) else None
        self.open = database if isinstance(database, Ommi) else None
        self.before: Any = None
        self.steps: tuple[FaultStep, ...] = ()
        self.is_one_transaction = False
        self.writes = False
        self.is_stuck = False

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[Ommi]:
        """A database in the state to begin with."""
        if self.open is not None:
            await self.begin(self.open)
            yield self.open
            return
        assert self.make is not None
        async with self.make() as db:
            await self.begin(db)
            yield db

    async def begin(self, db: Ommi) -> None:
        if self.prepare is not None:
            await value_of(self.prepare, db)
        for probe in self.probes:
            probe.reset()

    async def look(self) -> None:
        """Run the program undisturbed: what are its steps, its tables, and the states before and after it?"""
        earlier: Ended | None = None
        if self.observe is None:
            trace = Trace()
            async with self.prepared() as db:
                earlier = await perform(self.program, db, trace, raises=self.raises, seconds=self.seconds)
            _require_tables(earlier)
            self.observe = rows(trace.schemas)
        trace = Trace()
        async with self.prepared() as db:
            self.before = await value_of(self.observe, db)
            ended = await perform(self.program, db, trace, raises=self.raises, seconds=self.seconds)
            if earlier is not None and earlier.ending != ended.ending:
                raise ValueError(
                    f"the first run ended in {earlier.ending}, and the second in {ended.ending}: `prepare` is to make "
                    "the same state whatever was there before"
                )
            _require_tables(ended)
            self.steps = tuple(trace.steps)
            self.writes = any(step.is_write for step in trace.steps)
            kinds = [step.kind for step in trace.steps]
            self.is_one_transaction = kinds.count("begin") == 1 and kinds[0] == "begin" and kinds[-1] == "commit"
            self.undisturbed = await self.judged(db, trace, ended, first=True)
        if self.undisturbed.problems:
            raise FaultsFound(FaultReport(self.undisturbed, (self.undisturbed,)))
        if not self.steps:
            raise FaultsFound(FaultReport(self.undisturbed, (_flawed(self.undisturbed, "it takes no step"),)))

    async def explore(self, only: frozenset[str | Fault]) -> FaultReport:
        """Every fault at every step, and at those that come only then."""
        native = is_native()
        kinds = {item for item in only if isinstance(item, Fault)}
        names = {item for item in only if isinstance(item, str)}
        met = {step.identity for step in self.steps}
        plans = deque(_plans((), self.steps, native=native))
        known = [case_name(plan, self.steps) for plan in plans]
        runs: list[FaultRun] = []
        while plans:
            plan = plans.popleft()
            name = case_name(plan, self.steps)
            wanted = not only or name in names or (plan[-1].fault in kinds)
            if not wanted and not any(longer.startswith(f"{name}; then ") for longer in names):
                continue
            run, steps = await self.run(plan, name)
            if wanted:
                runs.append(run)
            if self.is_stuck:
                break  # what comes after would hang, too
            if len(plan) == 1 and run.reached:
                plans.extend(_plans(plan, [step for step in steps if step.identity not in met], native=native))
                met.update(step.identity for step in steps)
        return self.report(tuple(runs), names, known)

    def report(self, runs: tuple[FaultRun, ...], names: set[str], known: list[str]) -> FaultReport:
        report = FaultReport(self.undisturbed, runs)
        unknown = names.difference(report.cases)
        if unknown and not report.violations:
            name = min(unknown)
            near = get_close_matches(name, known, n=3, cutoff=0.0)
            raise ValueError(f"the program has no case {name!r}; near it are {', '.join(map(repr, near))}")
        if len(report.missed) == len(runs):
            raise FaultsFound(replace(report, runs=tuple(_flawed(run, "the fault met no step") for run in runs)))
        return report

    async def run(self, plan: tuple[Planned, ...], name: str) -> tuple[FaultRun, list[FaultStep]]:
        trace = Trace(plan)
        assert self.observe is not None
        async with self.prepared() as db:
            state = await value_of(self.observe, db)
            if state != self.before:
                raise ValueError(
                    f"before {name!r} the database is not as it was before the first run: `prepare` is to make the "
                    f"same state whatever was there before, and {_difference(state, self.before)}"
                )
            ended = await perform(self.program, db, trace, raises=self.raises, seconds=self.seconds)
            return await self.judged(db, trace, ended), trace.steps

    async def judged(self, db: Ommi, trace: Trace, ended: Ended, *, first: bool = False) -> FaultRun:
        """A run, with what is wrong about it."""
        name = case_name(trace.plan, self.steps)
        problems = [*_wrong_ending(ended, trace), *trace.problems, *_unended(trace)]
        problems += [f"{probe!r}" for probe in self.probes if probe.begun != probe.ended]
        held = await leaks(db, trace.schemas, writes=self.writes, seconds=self.seconds)
        state: Any = None
        self.is_stuck = held is not None or ended.ending == "hung"
        if held is not None:
            problems.append(held)
        else:
            assert self.observe is not None
            with anyio.fail_after(self.seconds):
                state = await value_of(self.observe, db)
            if first:
                self.after = state
            problems += self.wrong_state(trace, ended, state)
        run = fault_run(name, trace, ended, state, tuple(problems))
        try:
            if self.check is not None and not problems:
                self.check(run)
        except AssertionError as error:
            return _flawed(run, f"check: {error}")
        return run

    def wrong_state(self, trace: Trace, ended: Ended, state: Any) -> list[str]:
        if self.invariant is not None:
            try:
                holds = self.invariant(state)
            except AssertionError as error:
                return [f"the invariant does not hold of {state!r}: {error}"]
            if holds is not None and not holds:
                return [f"the invariant does not hold of {state!r}"]
        elif state != self.before and state != self.after:
            return [
                f"half done: against the state before, {_difference(state, self.before)}; "
                f"against the one after, {_difference(state, self.after)}"
            ]
        if trace.commits + trace.writes == 0 and not trace.unknown and state != self.before:
            return [f"nothing was committed, and {_difference(state, self.before)}"]
        if not self.is_one_transaction or trace.unknown:
            return []
        if ended.ending == "failure" and state != self.before:
            return [f"it ended in {ended.result!r}, and {_difference(state, self.before)}"]
        if trace.commits and self.invariant is None and state != self.after:
            return [f"it was committed, and {_difference(state, self.after)}"]
        return []


def _require_tables(ended: Ended) -> None:
    if isinstance(ended.result, DatabaseError) and ended.ending == "failure":
        raise ValueError("undisturbed, the program fails: let `prepare` make what it needs") from ended.result


def _plans(first: tuple[Planned, ...], steps: Iterable[FaultStep], *, native: bool) -> list[tuple[Planned, ...]]:
    """All that can go wrong at some steps; cancellations last, for where they strike is never quite the same."""
    found = [(*first, Planned(step, fault)) for step in steps for fault in faults_at(step, native=native)]
    return sorted(found, key=lambda plan: plan[-1].fault in CANCELLATIONS)


def _flawed(run: FaultRun, problem: str) -> FaultRun:
    return replace(run, problems=(*run.problems, problem))


def _wrong_ending(ended: Ended, trace: Trace) -> list[str]:
    if ended.ending == "defect":
        return [f"ended in a defect: {ended.result!r}"]
    if ended.ending == "hung":
        return [f"hung {ended.result}"]
    asked_for = any(planned.fault in CANCELLATIONS for planned in trace.plan[: trace.struck])
    if ended.ending == "cancelled" and not asked_for:
        return ["ended cancelled, and nobody had cancelled it"]
    return []


def _unended(trace: Trace) -> list[str]:
    found = [f"{step.label} was still under way when the run had ended" for step in trace.under_way]
    if trace.open:
        found.append(f"{trace.open} transactions were begun and not ended")
    if trace.streams:
        found.append(f"{trace.streams} streams were opened and not closed")
    return found


def _difference(state: Any, other: Any) -> str:
    """What a state has that another has not, and the other way round."""
    if isinstance(state, dict) and isinstance(other, dict) and state.keys() == other.keys():
        found = [f"{key}: {state[key]!r} instead of {other[key]!r}" for key in state if state[key] != other[key]]
        return "there is " + "; ".join(found)
    return f"there is {state!r} instead of {other!r}"
