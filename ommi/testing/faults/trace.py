"""What is noted of one run, and which of its steps a fault strikes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import final

from anyio import CancelScope

from ommi.schema import Schema
from ommi.testing.faults.clock import IdleClock
from ommi.testing.faults.kinds import Fault, FaultStep, Planned
from ommi.testing.interposed import DriverStep

__all__ = ["Trace"]


@final
class Trace:
    """The steps of one run in order of arrival, and what became of its transactions and streams.

    `commits` counts those that happened, `acknowledged` those of them that were answered, `writes` the statements
    committed on their own; `unknown` says that there is a COMMIT, or such a statement, that may have happened.
    """

    def __init__(self, plan: tuple[Planned, ...] = ()) -> None:
        self.plan = plan
        self.struck = 0
        self.steps: list[FaultStep] = []
        self.schemas: dict[Schema, None] = {}
        self.problems: list[str] = []
        self.open = self.streams = self.commits = self.acknowledged = self.writes = 0
        self.unknown = False
        self.is_cancelled = False
        self.clock = IdleClock(self._activity)
        self.cancel: Callable[[Fault], None] = _nothing
        self.cancel_soon: Callable[[Fault], None] = _nothing
        self._under_way: dict[int, CancelScope] = {}
        self._ended = 0

    @property
    def is_struck(self) -> bool:
        """Whether every fault of the plan met its step."""
        return self.struck == len(self.plan)

    @property
    def under_way(self) -> list[FaultStep]:
        """The steps that have not ended."""
        return [self.steps[number - 1] for number in self._under_way]

    def arrive(
        self, kind: DriverStep, label: str | None = None, *, in_transaction: bool = True, is_write: bool = False
    ) -> tuple[FaultStep, Fault | None]:
        """Note a step, and say what goes wrong at it."""
        label = label or kind.replace("_", " ")
        occurrence = 1 + sum(step.label == label for step in self.steps)
        number = len(self.steps) + 1
        step = FaultStep(number, kind, label, occurrence, in_transaction, is_write, self.clock.is_timing)
        self.steps.append(step)
        if self.is_struck or self.plan[self.struck].step.identity != step.identity:
            return step, None
        self.struck += 1
        return step, self.plan[self.struck - 1].fault

    @contextmanager
    def during(self, step: FaultStep) -> Iterator[None]:
        """A step is under way; `give_up` ends it in any case."""
        with CancelScope() as scope:
            self._under_way[step.number] = scope
            try:
                yield
            finally:
                del self._under_way[step.number]
                self._ended += 1
        if scope.cancelled_caught:
            raise RuntimeError(f"{step.label} hung, and was given up")

    def give_up(self) -> None:
        """End the steps under way, shielded or not."""
        for scope in self._under_way.values():
            scope.cancel()

    def place(self) -> str:
        """Where the run is."""
        waiting = self.under_way
        if waiting:
            return "in " + " and ".join(f"step {step.number}, {step.label}" for step in waiting)
        return f"after step {len(self.steps)}, {self.steps[-1].label}" if self.steps else "before its first step"

    def _activity(self) -> int | None:
        return None if self._under_way else len(self.steps) + self._ended


def _nothing(_: Fault) -> None:
    return
