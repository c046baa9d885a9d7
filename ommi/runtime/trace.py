"""What a run asked its database: values to look at, count and print. No parameter and no record is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeAlias, final
from typing import Literal as OneOf

from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.errors import Origin
from ommi.frozen import frozen

__all__ = ["Operation", "StepKind", "Trace", "TraceStep", "Traced"]

T_co = TypeVar("T_co", covariant=True)
E_co = TypeVar("E_co", covariant=True)

StepKind: TypeAlias = OneOf[
    "statement", "begin", "commit", "rollback", "savepoint", "release", "rollback to", "fetch", "close"
]


@final
@frozen
class Operation:
    """An operation of the program, and the line of code that built it."""

    text: str
    models: tuple[type, ...] = ()
    origin: Origin | None = None


@final
@frozen
class TraceStep:
    """One thing asked of the database.

    `operations` are those it was made for: several, where reads of one round became one statement. `sent` are the texts
    the driver sent, with places for the parameters. `rows` is how many were given, or changed. `trip` is the number of
    the trip to the database it was made in, and `trips` how many more it took. `transaction` counts those of the run,
    from 1; `savepoint` is a name. `error` is the class of what it failed with.
    """

    kind: StepKind
    operations: tuple[Operation, ...] = ()
    sent: tuple[str, ...] = ()
    rows: int | None = None
    seconds: float = 0.0
    trip: int = 0
    trips: int = 0
    transaction: int | None = None
    savepoint: str | None = None
    error: type[BaseException] | None = None

    def lines(self) -> Iterator[str]:
        """The step in words, and below it the texts that were sent and the lines of code it was made for."""
        said = self.kind if self.kind != "statement" else self.operations[0].text if self.operations else "statement"
        if len(self.operations) > 1:
            said += f" and {len(self.operations) - 1} more"
        if self.savepoint is not None:
            said += f" {self.savepoint}"
        facts = [] if self.rows is None else [_many(self.rows, "row")]
        facts += [f"{self.seconds * 1000:.2f} ms"]
        facts += [f"{self.trips + 1} trips"] if self.trips else []
        facts += [self.error.__name__] if self.error is not None else []
        where = "" if self.transaction is None else f"[{self.transaction}] "
        yield f"{self.trip:>3} {where}{said}  ({', '.join(facts)})"
        for text in self.sent:
            yield f"      {text}"
        for origin in dict.fromkeys(one.origin for one in self.operations if one.origin is not None):
            yield f"      at {origin}"


@final
@frozen
class Trace:
    """The steps of a run, in the order in which they ended."""

    steps: tuple[TraceStep, ...] = ()

    @property
    def statements(self) -> int:
        """How many statements there were, those that begin and end transactions not among them."""
        return sum(step.kind == "statement" for step in self.steps)

    @property
    def trips(self) -> int:
        """How often the database was gone to and waited for."""
        return len({step.trip for step in self.steps}) + sum(step.trips for step in self.steps)

    def __str__(self) -> str:
        lines = [f"{_many(self.statements, 'statement')} in {_many(self.trips, 'trip')}"]
        for step in self.steps:
            lines += step.lines()
        return "\n".join(lines)


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


@final
@frozen
class Traced(Generic[T_co, E_co]):
    """How a run came out, and what it asked its database."""

    outcome: Success[T_co] | Failure[E_co]
    trace: Trace
