"""What is measured beside the rows of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.figures import compiling, delays, imports, interpreter, memory, tasks
from benchmarks.figures.asked import Asked
from benchmarks.results import Figure

__all__ = ["FIGURES", "Asked", "Measurable"]


@dataclass(frozen=True)
class Measurable:
    """A figure, and where there is one."""

    measure: Callable[[Asked], Figure]
    databases: Sequence[str] = ("sqlite",)


FIGURES: dict[str, Measurable] = {
    "interpreter": Measurable(interpreter.measure),
    "compile": Measurable(compiling.measure, ("sqlite", "postgres")),
    "memory": Measurable(memory.measure),
    "tasks": Measurable(tasks.measure, ("sqlite", "postgres", "mongo")),
    "delay": Measurable(delays.measure, ("postgres",)),
    "import": Measurable(imports.measure),
    "size": Measurable(imports.size),
}
"""By the names they are asked for with; those that are the same on every database are measured with SQLite's."""
