"""What disturbed runs came to, and the error that lists those that went wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from ommi.testing.faults.kinds import Fault, FaultStep, Planned
from ommi.testing.faults.running import Ended, Ending
from ommi.testing.faults.trace import Trace

__all__ = ["FaultReport", "FaultRun", "FaultsFound", "case_name", "fault_run"]

_SHOWN = 10


@final
@dataclass(frozen=True, slots=True)
class FaultRun:
    """One run: its case, how it ended, and what was in the database then.

    `result` is the value or the error. `commits` are the transactions that were committed *and* said to be: not
    those that ended in `CommitUnknown`, of which `is_unknown` says that there was one. `steps` are those that came,
    `reached` whether the fault met its step. `problems` is what was wrong.
    """

    case: str
    fault: Fault | None
    ending: Ending
    result: Any
    state: Any
    commits: int
    is_unknown: bool
    steps: tuple[str, ...]
    reached: bool
    problems: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = "" if self.ending == "cancelled" else f" {self.result!r}"
        return f"{self.case}: {self.ending}{said}"


@final
@dataclass(frozen=True, slots=True)
class FaultReport:
    """What became of a program under faults: `undisturbed` is its run without one, `runs` are the others."""

    undisturbed: FaultRun
    runs: tuple[FaultRun, ...]

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the undisturbed run."""
        return self.undisturbed.steps

    @property
    def cases(self) -> tuple[str, ...]:
        """The names of the cases that were run; each can be given to `only`."""
        return tuple(run.case for run in self.runs)

    @property
    def missed(self) -> tuple[str, ...]:
        """The cases whose fault never met its step, because the run went another way."""
        return tuple(run.case for run in self.runs if not run.reached)

    @property
    def violations(self) -> tuple[FaultRun, ...]:
        """The runs in which something was wrong."""
        return tuple(run for run in self.runs if run.problems)

    @property
    def outcomes(self) -> Mapping[Fault, Counter[str]]:
        """How often runs with each kind of fault ended how; a failure is counted by the class of its error."""
        counted: dict[Fault, Counter[str]] = {}
        for run in self.runs:
            if run.fault is not None and run.reached:
                name = type(run.result).__name__ if run.ending == "failure" else run.ending
                counted.setdefault(run.fault, Counter())[name] += 1
        return counted

    def __str__(self) -> str:
        lines = [f"{len(self.runs)} cases at {len(self.steps)} steps ({', '.join(self.steps)})"]
        for fault, endings in self.outcomes.items():
            counts = ", ".join(f"{number} {name}" for name, number in sorted(endings.items()))
            lines.append(f"  {fault.value}: {counts}")
        if self.missed:
            lines.append(f"  not reached: {len(self.missed)}")
        return "\n".join(lines)


class FaultsFound(AssertionError):
    """Something does not hold under faults; each case can be run alone by its name."""

    def __init__(self, report: FaultReport) -> None:
        self.report = report
        self.violations = report.violations
        super().__init__(_text(report))


def _text(report: FaultReport) -> str:
    found = report.violations
    lines = [f"{len(found)} of {len(report.runs)} cases went wrong"]
    for run in found[:_SHOWN]:
        lines.append(f"  {run.case}")
        lines.extend(f"    {problem}" for problem in run.problems)
    if len(found) > _SHOWN:
        lines.append(f"  and {len(found) - _SHOWN} more")
    lines.append(f"to run one of them alone: faults(…, only={{{found[0].case!r}}})")
    return "\n".join(lines)


def case_name(plan: tuple[Planned, ...], steps: tuple[FaultStep, ...]) -> str:
    """`step 3 of 7, add(User): connection lost after it`; a second fault follows the first."""
    if not plan:
        return "undisturbed"
    first, *others = plan
    name = f"step {first.step.number} of {len(steps)}, {first.step.label}: {first.fault.value}"
    for planned in others:
        again = f" {planned.step.occurrence}" if planned.step.occurrence > 1 else ""
        name += f"; then {planned.step.label}{again}: {planned.fault.value}"
    return name


def fault_run(case: str, trace: Trace, ended: Ended, state: Any, problems: tuple[str, ...] = ()) -> FaultRun:
    """The record of a run."""
    return FaultRun(
        case,
        trace.plan[-1].fault if trace.plan else None,
        ended.ending,
        ended.result,
        state,
        trace.acknowledged,
        trace.unknown,
        tuple(step.label for step in trace.steps),
        trace.is_struck,
        problems,
    )
