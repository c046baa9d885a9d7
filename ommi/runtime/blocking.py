"""The blocking pump: makes the calls of a program one after another, in the thread that asks.

For scripts and tests: the handler decides what a call means, so no event loop is needed. Of the calls that are
asked for at once, pauses come last, the shortest first, so that a timer ends only when nothing else is left to do.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from ommi.effects.effect import Effect
from ommi.errors import OmmiError
from ommi.runtime.calls import Call, Cancel, Command, Completed, Ending, Pause
from ommi.runtime.clock import Clock
from ommi.runtime.fibers import Outcome
from ommi.runtime.interpreter import interpret

__all__ = ["run_blocking"]


def run_blocking(effect: Effect[Any, Any], handler: Callable[[Call], Any], clock: Clock) -> Outcome:
    """How the effect came out; the handler returns a call's value, or raises an `OmmiError` for its failure."""
    program = interpret(effect, clock)
    waiting: deque[Call] = deque()
    pausing: dict[Pause, float] = {}
    completed: list[Completed] = []
    try:
        commands: list[Command] = next(program)
        while True:
            for command in commands:
                if isinstance(command, Pause):
                    pausing[command] = clock.now() + command.seconds
                elif not isinstance(command, Cancel):
                    waiting.append(command)
                elif isinstance(command.call, Pause):
                    if pausing.pop(command.call, None) is not None:
                        completed.append((command.call, Ending.CANCELLED, None))
                elif command.call in waiting:
                    waiting.remove(command.call)
                    completed.append((command.call, Ending.CANCELLED, None))
            if not completed and waiting:
                call = waiting.popleft()
                completed.append((call, *_made(handler, call)))
            elif not completed:
                pause = min(pausing, key=pausing.__getitem__)
                left = Pause(max(0.0, pausing.pop(pause) - clock.now()))
                completed.append((pause, *_made(handler, left)))
            sent, completed = completed, []
            commands = program.send(sent)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome


def _made(handler: Callable[[Call], Any], call: Call) -> Outcome:
    try:
        return Ending.VALUE, handler(call)
    except OmmiError as error:
        return Ending.ERROR, error
    except Exception as defect:
        return Ending.DEFECT, defect
