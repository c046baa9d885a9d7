"""Running a program against a script of what the database answers: no database, no event loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final, TypeAlias, assert_never, final

from returns.result import Failure, Success
from typing_extensions import TypeVar

from ommi.effects.effect import Answer, Await, Binding, Effect, Perform
from ommi.effects.related import Related
from ommi.effects.stream import Attached, Selected, Stream
from ommi.effects.text import effect_text
from ommi.errors import OmmiError
from ommi.models.relations import Relation
from ommi.query.outline import literals
from ommi.query.statements import Insert, Select
from ommi.runtime.blocking import run_blocking
from ommi.runtime.calls import (
    Awaiting,
    Batch,
    Begin,
    Call,
    CloseCursor,
    Commit,
    Ending,
    Execute,
    Fetch,
    Fill,
    Mark,
    Marking,
    OpenCursor,
    Pause,
    Rollback,
    Watch,
)
from ommi.schema import Field, Row, Schema
from ommi.testing.clock import FakeClock

__all__ = [
    "BEGIN",
    "COMMIT",
    "RELEASE",
    "ROLLBACK",
    "ROLLBACK_TO",
    "SAVEPOINT",
    "Line",
    "Step",
    "run_script",
]

T = TypeVar("T")
E = TypeVar("E")


@final
class Step(Enum):
    """What happens to a transaction, as a call of a script."""

    BEGIN = "BEGIN"
    COMMIT = "COMMIT"
    ROLLBACK = "ROLLBACK"
    SAVEPOINT = "SAVEPOINT"
    RELEASE = "RELEASE"
    ROLLBACK_TO = "ROLLBACK_TO"

    def __repr__(self) -> str:
        return self.value


BEGIN: Final = Step.BEGIN
COMMIT: Final = Step.COMMIT
ROLLBACK: Final = Step.ROLLBACK
SAVEPOINT: Final = Step.SAVEPOINT
RELEASE: Final = Step.RELEASE
ROLLBACK_TO: Final = Step.ROLLBACK_TO

Expected: TypeAlias = Effect[Any, Any] | Stream[Any, Any] | Relation | Step
Line: TypeAlias = tuple[Expected, Any] | Step
"""A call and its reply, the reply an `OmmiError` where the call is to fail; a step of a transaction may stand alone."""

_MARKS: Final = {Mark.SET: SAVEPOINT, Mark.RELEASE: RELEASE, Mark.ROLL_BACK_TO: ROLLBACK_TO}


def run_script(
    program: Effect[T, E],
    script: Iterable[Line],
    *,
    transactions: bool = False,
    clock: FakeClock | None = None,
) -> Success[T] | Failure[E]:
    """Run a program against a script of calls and replies, in order.

    A call is an operation as the program makes it: `(find(User).where(User.id == 1).one(), User("Ada", id=1))`; a
    reply that is an `OmmiError` is what the call fails with. A record's relation is a call, too, `(user.posts,
    [Post(…)])`; of a prefetch it is the relation, `(User.posts, [[Post(…)], []])`, with a list for each of the keys
    in the order in which they are met. A stream is a call with the list of what it gives, `(find(User).stream(),
    [User(…)])`, at whose end there may be the `OmmiError` that comes in place of the last chunk. Transactions begin
    and end unseen, unless `transactions=True`: then `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `RELEASE` and
    `ROLLBACK_TO` are calls, too. Statements take no time, pauses are over at once (see `FakeClock`). The effects of
    a `gather` take turns.

    Raises `AssertionError`, showing both as the code that builds them, where the program makes another call than the
    script expects, or ends before the script; and, as `db.run` does, the defects of the program.
    """
    while isinstance(program, Binding) and not isinstance(program, Related):
        program = program.source
    stage = _Stage(
        [_line(line, transactions) for line in script], transactions, FakeClock() if clock is None else clock
    )
    ending, payload = run_blocking(program, stage.answer, stage.clock)
    if stage.mismatch is not None:
        raise stage.mismatch
    if ending is Ending.DEFECT:
        raise payload
    stage.require_end()
    return Success(payload) if ending is Ending.VALUE else Failure(payload)


def _line(line: Line, transactions: bool) -> tuple[Expected, Any]:
    call, reply = (line, None) if isinstance(line, Step) else line
    if isinstance(call, Related) and not call.relation.joined().many and not isinstance(reply, OmmiError):
        reply = [] if reply is None else [reply]
    while isinstance(call, Binding):
        call = call.source
    while isinstance(call, Attached):
        call = call.source
    if isinstance(call, Selected):
        call = call.perform
    if isinstance(call, Step) and not transactions:
        raise TypeError(f"{call} is a call of a script only with run_script(…, transactions=True)")
    if not isinstance(call, (Perform, Await, Relation, Step)):
        raise TypeError(f"a call of a script is one operation, such as find(User).all() or add(User(…)), not {call!r}")
    return call, reply


@final
class _Stage:
    """Answers the calls of a program with the lines of a script."""

    def __init__(self, lines: list[tuple[Expected, Any]], transactions: bool, clock: FakeClock) -> None:
        self.lines = lines
        self.transactions = transactions
        self.clock = clock
        self.said = 0
        self.mismatch: AssertionError | None = None

    def answer(self, call: Call) -> Any:
        match call:
            case Execute(perform=perform):
                literals(perform.statement)  # a value that cannot be stored is refused before the database is asked
                reply = self.reply(perform)
                call.fills = _fills(perform, reply)
                return reply if perform.keys is None else dict(zip(perform.keys.values, reply, strict=True))
            case OpenCursor(perform=perform, chunk=chunk):
                literals(perform.statement)
                return _Scripted(self.reply(perform), chunk)
            case Fetch(cursor=cursor):
                return cursor.next_rows()
            case CloseCursor():
                return None
            case Awaiting(effect=effect):
                return self.reply(effect)
            case Begin():
                return self.step(BEGIN)
            case Commit():
                return self.step(COMMIT)
            case Rollback():
                return self.step(ROLLBACK)
            case Marking(mark=mark):
                return self.step(_MARKS[mark])
            case Pause(seconds=seconds):
                return self.clock.skip(seconds)
            case Watch() | Batch():
                raise AssertionError(f"{type(call).__name__} is a call of runs beside each other, and a script has one")
            case _:
                assert_never(call)

    def step(self, step: Step) -> Any:
        return self.reply(step) if self.transactions else None

    def reply(self, actual: Perform[Any, Any] | Await[Any, Any] | Step) -> Any:
        if self.mismatch is not None:  # a finalizer runs on, and the first difference is the one to report
            raise self.mismatch
        if self.said == len(self.lines):
            raise self.differs("the program makes a call after the end of the script", None, actual)
        expected, reply = self.lines[self.said]
        if not (_is_load(actual, expected) if isinstance(expected, Relation) else expected == actual):
            raise self.differs("the program makes another call than the script expects", expected, actual)
        self.said += 1
        if isinstance(reply, OmmiError):
            raise reply
        return reply

    def require_end(self) -> None:
        if self.said < len(self.lines):
            expected, _ = self.lines[self.said]
            raise self.differs("the program ended before the script", expected, None)

    def differs(self, said: str, expected: Expected | None, actual: Expected | None) -> AssertionError:
        lines = [f"{said}, after {self.said} calls that fit"]
        lines += [f"  expected: {_shown(expected)}", f"  actual:   {_shown(actual)}"]
        origin = actual.origin if isinstance(actual, Perform) else None
        if origin is not None:
            lines.append(f"  built at: {origin}")
        self.mismatch = AssertionError("\n".join(lines))
        return self.mismatch


@final
class _Scripted:
    """What a stream of the script gives."""

    def __init__(self, elements: Iterable[Any], chunk: int) -> None:
        self.left = deque(elements)
        self.chunk = chunk

    def next_rows(self) -> list[Any]:
        found = [self.left.popleft() for _ in range(min(self.chunk, len(self.left)))]
        for element in found:
            if isinstance(element, OmmiError):
                raise element
        return found


def _shown(call: Expected | None) -> str:
    if call is None:
        return "no further call"
    return repr(call) if isinstance(call, (Step, Relation, Stream)) else effect_text(call)


def _is_load(actual: Perform[Any, Any] | Await[Any, Any] | Step, relation: Relation) -> bool:
    """Whether a call loads what a relation leads to, of many records."""
    if not isinstance(actual, Perform) or actual.keys is None or not isinstance(actual.statement, Select):
        return False
    joined = relation.joined()
    asked = (actual.statement.schema, actual.statement.link, actual.keys.fields)
    return asked == (joined.target, joined.link, joined.far)


def _fills(perform: Perform[Any, Any], reply: Any) -> tuple[Fill, ...]:
    """What the instances passed in get from the records the script gives, as from a database."""
    statement = perform.statement
    if perform.answer is Answer.SAVED:
        schema: Schema = statement.schema  # type: ignore[union-attr]  # an update
        fields: tuple[Field, ...] = () if schema.version is None else (schema.version,)
        return _of_records(schema, fields, perform.targets, [reply])
    if not isinstance(statement, Insert):
        return ()
    schema = statement.schema
    fields = schema.assigned if statement.on_conflict is None else schema.fields
    return _of_records(schema, fields, perform.targets, reply if perform.answer is Answer.RECORDS else [reply])


def _of_records(schema: Schema, fields: tuple[Field, ...], targets: Any, records: Any) -> tuple[Fill, ...]:
    found: list[tuple[Any, Row]] = []
    for target, record in zip(targets, records, strict=False):
        if fields and isinstance(record, schema.model):
            row = dict(zip(schema.fields, schema.codec.read(record), strict=True))
            found.append((target, tuple([row[f] for f in fields])))
    return ((schema, fields, [target for target, _ in found], [row for _, row in found]),)
