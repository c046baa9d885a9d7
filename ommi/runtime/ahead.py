"""Reading ahead: fibers that take turns begin before it is theirs, as long as they only read.

What all of them read at once can be merged. Where one whose turn it is does anything but read, those after it are
forgotten and begin anew in their turn, for what they have read may have changed.
"""

from __future__ import annotations

from contextlib import suppress
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from ommi.effects.effect import Effect, Perform
from ommi.query.statements import MongoCommand, Select, Sql, is_write
from ommi.runtime.calls import Cancel, Ending
from ommi.runtime.fibers import Fiber, Joined, Scope

if TYPE_CHECKING:
    from ommi.runtime.interpreter import Machine

__all__ = ["forget", "look_ahead", "reads", "take_turn", "wake"]

VALUE, CANCELLED = Ending.VALUE, Ending.CANCELLED


def reads(perform: Perform[Any, Any]) -> bool:
    """Whether an operation changes nothing and locks nothing, so that it need not wait for its turn."""
    statement = perform.statement
    if isinstance(statement, (Sql, MongoCommand)):
        return False  # a function that it calls may change something
    return not is_write(statement) and not (isinstance(statement, Select) and statement.lock is not None)


def look_ahead(machine: Machine, fiber: Fiber) -> None:
    """Let the fiber after this one begin, and those after the ones this was forked by, where it may."""
    while fiber.join is not None:
        join = fiber.join
        if join.fork.in_turn and fiber.index == join.started - 1:
            machine.fork(join)
        fiber = join.parent


def follows(fiber: Fiber) -> bool:
    """Whether all fibers before it have asked for the last statement they make."""
    join = fiber.join
    return join is not None and join.fork.in_turn and 0 < join.closing == len(join.running) - 1


def take_turn(machine: Machine, fiber: Fiber, effect: Effect[Any, Any]) -> bool:
    """Whether it is the fiber's turn; if not, it waits for it with the effect. Those after it must not be ahead."""
    if type(effect) is Perform and follows(fiber):
        return True
    its_turn = True
    one = fiber
    while one.join is not None:
        join = one.join
        if join.fork.in_turn:
            join.ahead = False
            forget(machine, join, one.index)
            its_turn = its_turn and next(iter(join.running)) == one.index
        one = join.parent
    if not its_turn:
        fiber.parked = effect
    return its_turn


def forget(machine: Machine, join: Joined, index: int) -> None:
    """Undo the beginning of the fibers after one: they have only read."""
    forgotten: set[Fiber] = set()
    pending = [fiber for later, fiber in join.running.items() if later > index]
    while pending:
        fiber = pending.pop()
        forgotten.add(fiber)
        fiber.outcome = CANCELLED, None
        if isinstance(fiber.waiting, Joined):
            pending.extend(fiber.waiting.running.values())
        for frame in reversed(fiber.stack):
            _close(frame)
    for later in range(index + 1, join.started):
        gone = join.running.pop(later, None)
        join.closing -= gone is not None and gone.closing
        join.outcomes[later] = None
    join.started = index + 1
    join.until = len(join.fork.effects)
    if forgotten:
        machine.commands = [c for c in machine.commands if isinstance(c, Cancel) or c.fiber not in forgotten]
        kept = [each for each in machine.ready if each[0] not in forgotten]
        machine.ready.clear()
        machine.ready.extend(kept)


def wake(machine: Machine, join: Joined) -> None:
    """Tell the fiber whose turn it is now, if it waits for that."""
    while join.running:
        fiber = next(iter(join.running.values()))
        if fiber.parked is not None:
            effect, fiber.parked = fiber.parked, None
            machine.ready.append((fiber, effect, VALUE, None))
            return
        if not isinstance(fiber.waiting, Joined) or not fiber.waiting.fork.in_turn:
            return
        join = fiber.waiting


def _close(frame: object) -> None:
    """Close a generator that will not be gone on with; what its `finally` raises is nobody's any more."""
    generator = frame.steps if isinstance(frame, Scope) else frame
    if isinstance(generator, GeneratorType):
        with suppress(Exception):
            generator.close()
