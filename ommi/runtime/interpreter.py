"""Unwinds an effect to the calls it needs made, without doing any I/O.

`interpret` is a generator: it yields a round of commands (calls to start, calls to cancel) and is sent the calls
that have ended since, at least one. Whoever pumps it decides whether that means awaiting, blocking or a script.

A program is run by fibers. A fiber holds an explicit stack of frames (the effect nodes themselves, generators of
do-notation, and scopes), so depth costs no recursion, and waits for one call or for the fibers it forked. There
is no barrier between fibers: each goes on as soon as its own call has ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import GeneratorType
from typing import Any, assert_never, cast, final

from returns.result import Failure, Success

from ommi.effects.effect import (
    AfterCommit,
    Alt,
    Attempt,
    Await,
    Bind,
    Binding,
    Bracket,
    Catch,
    Do,
    Effect,
    Either,
    Ensure,
    Fail,
    Fold,
    Gather,
    Lash,
    Map,
    Node,
    Perform,
    Prefetch,
    Race,
    Retry,
    Sleep,
    Stepwise,
    Succeed,
    Swap,
    Timeout,
    Transact,
)
from ommi.effects.related import Related
from ommi.errors import StatementTimeout
from ommi.query.statements import is_write
from ommi.runtime import loading, scopes
from ommi.runtime.ahead import forget, look_ahead, reads, take_turn, wake
from ommi.runtime.calls import Awaiting, Call, Cancel, Command, Ending, Execute, Fetch, Marking, OpenCursor, Pause
from ommi.runtime.clock import Clock
from ommi.runtime.fibers import Fiber, Fork, Joined, OpenTransaction, Outcome, Program, Scope, dooms, fill
from ommi.runtime.perform import is_sure

__all__ = ["Machine", "interpret"]

VALUE, ERROR, DOOM, DEFECT, CANCELLED, NOT_MADE = Ending

_READING = (Gather, Related, Prefetch, Binding, Fail)
"""The rarer effects that change nothing by themselves, and run none of the application's code that may."""

_HANDLERS = frozenset({Lash, Catch, Either, Swap})
"""The frames that go on after a failure, in the same transaction."""

_RUN = 1_000
"""How many statements may be asked for at once."""


def interpret(
    effect: Effect[Any, Any],
    clock: Clock,
    joined: OpenTransaction | None = None,
    *,
    in_block: bool = False,
    owner: object = None,
    ahead: bool = False,
) -> Program:
    """The program of an effect; `joined` is the transaction it runs inside, if there is one already.

    Whoever joins may go on in the transaction after any failure; in a block, after any but that of a write. `owner`
    stands for the database (without it, the run has one of its own): what relations loaded from another one is not
    theirs. With `ahead`, effects that take turns in a transaction read ahead of their turn, so a round may have several
    reads of one transaction.
    """
    machine = Machine(clock, owner, in_block=in_block, ahead=ahead)
    root = Fiber()
    root.transaction = joined
    root.covered = 0 if joined is None or in_block else 1
    machine.ready.append((root, effect, VALUE, None))
    ready = machine.ready
    while True:
        while ready:
            machine.advance(*ready.popleft())
        if root.outcome is not None:
            return root.outcome
        commands, machine.commands = machine.commands, []
        for call, ending, payload in (yield commands):
            if call is None:
                machine.interrupt(root)
            else:
                machine.complete(call, ending, payload)


@final
class Machine:
    """The fibers of one run, and the commands gathered for the next round."""

    __slots__ = ("ahead", "clock", "commands", "in_block", "owner", "ready")

    def __init__(self, clock: Clock, owner: object, *, in_block: bool, ahead: bool) -> None:
        self.clock = clock
        self.owner = self if owner is None else owner
        self.in_block = in_block
        self.ahead = ahead
        self.commands: list[Command] = []
        self.ready: deque[tuple[Fiber, Effect[Any, Any] | None, Ending, Any]] = deque()

    def advance(self, fiber: Fiber, effect: Effect[Any, Any] | None, ending: Ending, payload: Any) -> None:
        """Run a fiber until it waits or ends: evaluate `effect`, or go on with an outcome where it is `None`."""
        stack = fiber.stack
        current: Any = effect
        while True:
            # down: to the innermost effect, leaving a frame for every node passed
            while current is not None:
                kind = type(current)
                if kind is Perform:
                    if fiber.turns and not reads(current) and not take_turn(self, fiber, current):
                        return
                    recoverable = fiber.covered > 0 or (self.in_block and not is_write(current.statement))
                    blocked = self.issue(fiber, Execute(current, fiber.transaction, recoverable))
                    if blocked is None:
                        return
                    ending, payload = blocked
                    break
                if kind is Bind or kind is Map or kind is Alt:
                    stack.append(current)
                    current = current.source
                elif kind is Lash or kind is Catch or kind is Either or kind is Swap:
                    fiber.covered += 1
                    stack.append(current)
                    current = current.source
                elif kind is Succeed:
                    ending, payload = VALUE, current.value
                    break
                elif kind is Do:
                    ending, payload, current = self.start(current, stack)
                    if current is None:
                        break
                else:
                    step = self.evaluate(fiber, current)
                    if step is None:
                        return
                    ending, payload, current = step
                    if current is None:
                        break
            # up: hand the outcome to the frames, until one goes on with another effect
            current = None
            while current is None:
                if not stack:
                    self.end(fiber, ending, payload)
                    return
                frame = stack.pop()
                kind = type(frame)
                if kind is GeneratorType:
                    ending, payload, current = _resume(frame, ending, payload, stack)
                elif kind is Scope:
                    step = self.step(fiber, frame, ending, payload)
                    if step is None:
                        return
                    ending, payload, current = step
                elif ending is VALUE:
                    if kind is Map:
                        try:
                            payload = frame.function(payload)
                        except BaseException as defect:
                            ending, payload = DEFECT, defect
                    elif kind is Bind:
                        ending, payload, current = _next(frame.function, payload)
                    elif kind is not Alt:
                        fiber.covered -= 1
                        if kind is Either:
                            payload = Success(payload)
                        elif kind is Swap:
                            ending = ERROR
                elif ending is ERROR:
                    if kind in _HANDLERS:
                        fiber.covered -= 1
                    if kind is Lash or (kind is Catch and isinstance(payload, frame.kinds)):
                        if fiber.transaction is not None:
                            fiber.transaction.failed = None
                        ending, payload, current = _next(frame.function, payload)
                    elif kind is Alt:
                        try:
                            payload = frame.function(payload)
                        except BaseException as defect:
                            ending, payload = DEFECT, defect
                    elif kind is Either or kind is Swap:
                        if fiber.transaction is not None:
                            fiber.transaction.failed = None
                        ending, payload = VALUE, Failure(payload) if kind is Either else payload
                elif kind in _HANDLERS:
                    fiber.covered -= 1

    def evaluate(self, fiber: Fiber, effect: Effect[Any, Any]) -> tuple[Ending, Any, Effect[Any, Any] | None] | None:
        """One of the rarer effects: an outcome, or an effect to go on with; `None` where the fiber waits."""
        node = cast("Node", effect)
        if fiber.turns and not isinstance(node, _READING) and not take_turn(self, fiber, node):
            return None
        match node:
            case Fail(error):
                return ERROR, error, None
            case Related():
                steps = loading.related(fiber, node, self)
            case Prefetch():
                steps = loading.prefetch(fiber, node, self)
            case Attempt(function, catching):
                try:
                    return VALUE, function(), None
                except catching as error:
                    return ERROR, error, None
                except BaseException as defect:
                    return DEFECT, defect, None
            case Await():
                return _blocked(self.issue(fiber, Awaiting(node, fiber.transaction)))
            case Sleep(seconds):
                return _blocked(self.issue(fiber, Pause(seconds)))
            case Binding():
                return VALUE, None, node.source
            case Gather():
                steps = scopes.gather(fiber, node, ahead=self.ahead)
            case Race():
                steps = scopes.race(fiber, node)
            case Transact():
                steps = scopes.transact(fiber, node)
            case Retry():
                steps = scopes.retry(fiber, node, self.clock)
            case Timeout():
                steps = scopes.timeout(fiber, node)
            case Ensure():
                steps = scopes.ensure(fiber, node)
            case Bracket():
                steps = scopes.bracket(fiber, node)
            case AfterCommit():
                steps = scopes.after_commit(fiber, node)
            case Fold():
                from ommi.runtime.streaming import fold  # here, because few programs stream

                steps = fold(fiber, node, self)
            case Stepwise(steps=make):
                steps = make(fiber, self)
            case Succeed() | Map() | Bind() | Alt() | Lash() | Catch() | Swap() | Either() | Do() | Perform():
                raise AssertionError(f"{type(node).__name__} is evaluated in advance()")
            case _:
                assert_never(node)
        return self.step(fiber, Scope(steps), VALUE, None, start=True)

    def step(
        self, fiber: Fiber, scope: Scope, ending: Ending, payload: Any, *, start: bool = False
    ) -> tuple[Ending, Any, Effect[Any, Any] | None] | None:
        """Let a scope go on: an outcome, or an effect to run in it; `None` where the fiber waits."""
        while True:
            try:
                asked = next(scope.steps) if start else scope.steps.send((ending, payload))
            except StopIteration as stop:
                ending, payload = stop.value
                return ending, payload, None
            except Exception as bug:
                return DEFECT, bug, None
            start = False
            if isinstance(asked, Effect):
                fiber.stack.append(scope)
                return VALUE, None, asked
            if isinstance(asked, Fork):
                join = Joined(fiber, asked)
                if fiber.interrupted and not fiber.masked:  # as a call, it must not be made any more
                    ending, payload = CANCELLED, join
                    continue
                fiber.stack.append(scope)
                fiber.waiting = join
                self.fork(join)
                return None
            blocked = self.issue(fiber, asked)
            if blocked is None:
                fiber.stack.append(scope)
                return None
            ending, payload = blocked

    def start(self, do: Do[Any, Any], stack: list[Any]) -> tuple[Ending, Any, Effect[Any, Any] | None]:
        """Call a program and run it to its first effect."""
        try:
            generator = do.function(*do.arguments, **dict(do.named)) if do.named else do.function(*do.arguments)
        except BaseException as defect:
            return DEFECT, defect, None
        return _resume(generator, VALUE, None, stack)

    def issue(self, fiber: Fiber, call: Call) -> Outcome | None:
        """Ask for a call, and let the fiber wait; or the outcome, where the call must not be made any more."""
        if fiber.interrupted and not fiber.masked:
            return CANCELLED, None
        transaction = fiber.transaction
        call.shielded = fiber.shielded or fiber.masked > 0
        if (
            transaction is not None
            and transaction.doomed is not None
            and (
                isinstance(call, (Execute, OpenCursor, Fetch, Marking))
                or (isinstance(call, Awaiting) and not call.shielded)
            )
        ):
            return DOOM, transaction.doomed
        call.fiber = fiber
        fiber.waiting = call
        self.commands.append(call)
        if fiber.turns:
            join = fiber.join
            if self.ahead and type(call) is Execute and not fiber.stack and join is not None and not join.ahead:
                fiber.closing = is_sure(call.perform)
                join.closing += fiber.closing
            look_ahead(self, fiber)
        return None

    # -- what happened

    def complete(self, call: Call, ending: Ending, payload: Any) -> None:
        """Note what a call did to its transaction, and make its fiber ready."""
        fiber = call.fiber
        if ending is NOT_MADE:
            doomed = None if fiber.transaction is None else fiber.transaction.doomed
            if doomed is None and (fiber.masked or not fiber.interrupted):
                self.commands.append(call)
                return
            ending, payload = (CANCELLED, None) if doomed is None else (DOOM, doomed)
        fiber.waiting = None
        if fiber.closing:
            fiber.closing = False
            assert fiber.join is not None
            fiber.join.closing -= 1
        transaction = fiber.transaction
        if isinstance(call, Execute):
            if transaction is None:
                defect = fill(call.fills) if call.fills else None
                if defect is not None:
                    ending, payload = DEFECT, defect
            elif ending is VALUE:
                transaction.fills.extend(call.fills)
            elif ending is CANCELLED:
                transaction.doom(_interrupted(call))
            elif ending is DOOM or (ending is ERROR and dooms(payload)):
                transaction.doom(payload)
            elif ending is ERROR and is_write(call.perform.statement):
                transaction.failed = payload
        elif isinstance(call, (OpenCursor, Fetch)) and transaction is not None:
            if ending is CANCELLED:
                transaction.doom(_interrupted(call))
            elif ending is DOOM or (ending is ERROR and dooms(payload)):
                transaction.doom(payload)
        elif isinstance(call, Marking) and transaction is not None:
            if ending is CANCELLED:
                error = StatementTimeout("a savepoint was stopped halfway, so its transaction was rolled back")
                transaction.doom(error)
            elif ending is DOOM:
                transaction.doom(payload)
        if (
            ending is ERROR
            and transaction is not None
            and transaction.doomed is not None
            and isinstance(call, (Execute, OpenCursor, Fetch, Awaiting))
        ):
            ending, payload = DOOM, transaction.doomed
        self.ready.append((fiber, None, ending, payload))

    def fork(self, join: Joined) -> None:
        """Start as many fibers as may run; go on with the parent when none is left."""
        fork = join.fork
        effects, limit = fork.effects, fork.limit
        while join.started < join.until and not join.stopping and (limit is None or len(join.running) < limit):
            if fork.in_turn and not join.ahead and join.running and not 0 < join.closing == len(join.running) < _RUN:
                break
            child = Fiber(join, join.started)
            join.running[join.started] = child
            self.ready.append((child, effects[join.started], VALUE, None))
            join.started += 1
            if fork.in_turn:
                break  # the next one begins when this one reads or has ended
        if not join.running:
            parent = join.parent
            parent.waiting = None
            stopped = parent.interrupted and not parent.masked
            self.ready.append((parent, None, CANCELLED if stopped else VALUE, join))

    def end(self, fiber: Fiber, ending: Ending, payload: Any) -> None:
        """Keep the outcome of a fiber, and tell those that wait for it."""
        fiber.outcome = ending, payload
        join = fiber.join
        if join is None:
            return
        join.outcomes[fiber.index] = fiber.outcome
        del join.running[fiber.index]
        if join.first is None:
            join.first = fiber.index
        if join.fork.in_turn:
            if join.fork.stop(ending):
                forget(self, join, fiber.index)
                join.until = fiber.index + 1
            wake(self, join)
        elif not join.stopping and join.fork.stop(ending):
            join.stopping = True
            for sibling in list(join.running.values()):
                self.interrupt(sibling)
        self.fork(join)

    def interrupt(self, fiber: Fiber) -> None:
        """Cancel a fiber; what it does in a finalizer or at the end of a transaction is done first."""
        pending = [fiber]
        while pending:
            one = pending.pop()
            if one.interrupted or one.outcome is not None:
                continue
            one.interrupted = True
            if one.masked:
                continue
            if isinstance(one.waiting, Joined):
                one.waiting.stopping = True
                pending.extend(one.waiting.running.values())
            elif one.waiting is not None:
                self.commands.append(Cancel(one.waiting))
            elif one.parked is not None:
                one.parked = None
                self.ready.append((one, None, CANCELLED, None))


def _interrupted(call: Execute | OpenCursor | Fetch) -> BaseException:
    from ommi.effects.text import operation_text

    return StatementTimeout(
        f"{operation_text(call.perform)} was stopped before it had ended, so its transaction was rolled back"
    )


def _blocked(outcome: Outcome | None) -> tuple[Ending, Any, None] | None:
    return None if outcome is None else (*outcome, None)


def _next(function: Callable[[Any], Any], value: Any) -> tuple[Ending, Any, Effect[Any, Any] | None]:
    """The effect a user's function makes of a value."""
    try:
        found = function(value)
    except BaseException as defect:
        return DEFECT, defect, None
    if isinstance(found, Effect):
        return VALUE, None, found
    return (
        DEFECT,
        TypeError(f"{_where(function)} must return an effect, and returned {found!r}; use .map for values"),
        None,
    )


def _where(function: Callable[..., Any]) -> str:
    """A function by name, and by its line where it has one."""
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", None) or repr(function)
    return name if code is None else f"{name} ({code.co_filename}:{code.co_firstlineno})"


def _resume(
    generator: Any, ending: Ending, payload: Any, stack: list[Any]
) -> tuple[Ending, Any, Effect[Any, Any] | None]:
    """Let a program go on with a value; after anything else it is closed, so that its `finally` runs."""
    if ending is not VALUE:
        try:
            generator.close()
        except BaseException as defect:
            return DEFECT, _noted(defect, payload), None
        return ending, payload, None
    try:
        found = generator.send(payload)
    except StopIteration as stop:
        return VALUE, stop.value, None
    except BaseException as defect:
        return DEFECT, defect, None
    if isinstance(found, Effect) and generator.gi_yieldfrom is not None:
        stack.append(generator)
        return VALUE, None, found
    generator.close()
    said = "yield from" if isinstance(found, Effect) else "yield from an effect"
    return (
        DEFECT,
        TypeError(f"{generator.__qualname__} yielded {found!r}: write `{said}` in place of a bare `yield`"),
        None,
    )


def _noted(defect: BaseException, earlier: Any) -> BaseException:
    if isinstance(earlier, BaseException) and defect.__context__ is None:
        defect.__context__ = earlier
    return defect
