"""The effects that surround others: transactions, retries, time, finalizers, several at once.

Each is a generator (see `ScopeSteps`): it yields an effect or a call and is sent how that ended, whatever way. What
is `masked` is not interrupted: a cancellation waits until it is through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ommi.effects.effect import (
    AfterCommit,
    Bind,
    Bracket,
    Effect,
    Ensure,
    Gather,
    Race,
    Retry,
    Sleep,
    Succeed,
    Timeout,
    Together,
    Transact,
)
from ommi.effects.schedule import Schedule
from ommi.errors import OmmiError, StatementTimeout, UnsupportedOperation
from ommi.frozen import replace
from ommi.runtime.calls import Begin, Commit, Ending, Mark, Marking, Pause, Rollback
from ommi.runtime.clock import Clock
from ommi.runtime.fibers import Fiber, Fork, Joined, OpenTransaction, Outcome, ScopeSteps, fill
from ommi.transactions import TransactionOptions

__all__ = [
    "after_commit",
    "bracket",
    "delays",
    "ensure",
    "gather",
    "is_again",
    "race",
    "retry",
    "timeout",
    "transact",
]

VALUE, ERROR, DOOM, DEFECT, CANCELLED, NOT_MADE = Ending


def transact(fiber: Fiber, node: Transact[Any, Any]) -> ScopeSteps:
    """A transaction; inside another one, a savepoint."""
    options = node.options or TransactionOptions()
    if options.timeout is not None:
        return timeout(fiber, Timeout(Transact(node.source, replace(options, timeout=None)), options.timeout))
    if fiber.transaction is None:
        return _outermost(fiber, node.source, options)
    return _nested(fiber, fiber.transaction, node.source, options)


def _outermost(fiber: Fiber, body: Effect[Any, Any], options: TransactionOptions) -> ScopeSteps:
    ending, handle = yield Begin(options)
    if ending is not VALUE:
        return ending, handle
    transaction = fiber.transaction = OpenTransaction(handle, options)
    covered, fiber.covered = fiber.covered, 0
    ending, payload = yield body
    fiber.covered = covered
    doomed = transaction.doomed
    fiber.masked += 1
    if ending is VALUE and doomed is None:
        ended = yield Commit(transaction.handle)
        if ended[0] is not VALUE:
            ending, payload = ended
    else:
        ended = yield Rollback(transaction.handle)
        if doomed is not None and (ending is VALUE or ending is DOOM or ending is ERROR):
            if ending is ERROR and payload is not doomed:
                doomed.add_note(f"what ran in its transaction then failed with: {payload!r}")
            ending, payload = ERROR, doomed
        _note_rollback(payload, ended)
    fiber.transaction = None
    fiber.masked -= 1
    if ending is not VALUE:
        transaction.undone()
        return ending, payload
    transaction.committed()
    defect = fill(transaction.fills)
    if defect is not None:
        ending, payload = DEFECT, defect
    for effect in transaction.after:
        done = yield from _finally(fiber, effect)
        if done[0] is DEFECT and ending is VALUE:
            ending, payload = done
        elif done[0] is DEFECT:
            payload.add_note(f"another defect after the commit: {done[1]!r}")
    return ending, payload


def _nested(
    fiber: Fiber, transaction: OpenTransaction, body: Effect[Any, Any], options: TransactionOptions
) -> ScopeSteps:
    refused = _refused(transaction.options, options)
    if refused is not None:
        return ERROR, refused
    if options.flatten:
        return (yield from _joined(fiber, transaction, body))
    name = transaction.name_savepoint()
    point = transaction.point()
    ending, payload = yield Marking(transaction.handle, Mark.SET, name)
    if ending is not VALUE:
        return ending, payload
    covered, fiber.covered = fiber.covered, 0  # its savepoint undoes what fails in it
    ending, payload = yield body
    fiber.covered = covered
    if transaction.doomed is not None:
        # nothing of the transaction stays: its outermost scope rolls all of it back
        return (DOOM, transaction.doomed) if ending is VALUE else (ending, payload)
    fiber.masked += 1
    if ending is not VALUE:
        transaction.undone(point)
        transaction.failed = None
        undone = yield Marking(transaction.handle, Mark.ROLL_BACK_TO, name)
        if undone[0] is not VALUE:
            ending, payload = _doom(transaction, undone, payload)
    doomed = transaction.doomed
    if doomed is None:
        released = yield Marking(transaction.handle, Mark.RELEASE, name)
        if released[0] is not VALUE:
            ending, payload = _doom(transaction, released, payload)
    fiber.masked -= 1
    return ending, payload


def _joined(fiber: Fiber, transaction: OpenTransaction, body: Effect[Any, Any]) -> ScopeSteps:
    """A part that cannot be undone alone: unless it succeeds, nothing of the transaction stays."""
    covered, fiber.covered = fiber.covered, 0
    ending, payload = yield body
    fiber.covered = covered
    if ending is not VALUE:
        transaction.doom(payload if isinstance(payload, BaseException) else _undone(payload))
    return (DOOM, transaction.doomed) if ending is ERROR else (ending, payload)


def _undone(reason: object) -> UnsupportedOperation:
    return UnsupportedOperation(
        f"a part of the transaction that was joined to it with flatten=True ended with {reason!r}, and it cannot be "
        "undone alone"
    )


def _doom(transaction: OpenTransaction, outcome: Outcome, earlier: Any) -> Outcome:
    """A savepoint that can be neither undone nor released leaves the transaction in no known state."""
    ending, payload = outcome
    if ending in (ERROR, DOOM) and isinstance(payload, OmmiError):
        transaction.doom(payload)
        if isinstance(earlier, BaseException):
            payload.add_note(f"while undoing what had failed with: {earlier!r}")
        return DOOM, payload
    return ending, payload


def _refused(outer: TransactionOptions, inner: TransactionOptions) -> UnsupportedOperation | None:
    """A nested transaction is part of the outer one, and cannot have more than it."""
    wanted, had = inner.isolation_level, outer.isolation_level
    if wanted is not None and (had is None or wanted > had):
        return UnsupportedOperation(
            f"a nested transaction asks for {wanted.name}, and the outermost has "
            f"{'the default of the database' if had is None else had.name}: ask for it on the outermost"
        )
    if inner.read_only and not outer.read_only:
        return UnsupportedOperation("a nested transaction cannot be read only inside one that writes: take it out")
    return None


def _note_rollback(payload: Any, ended: Outcome) -> None:
    """The first problem is the answer; that the rollback had one too is not lost."""
    if ended[0] in (ERROR, DEFECT) and isinstance(payload, BaseException) and payload is not ended[1]:
        payload.add_note(f"the rollback failed too, and the connection was closed: {ended[1]!r}")


def retry(fiber: Fiber, node: Retry[Any, Any], clock: Clock) -> ScopeSteps:
    """Run again after a failure, from the beginning."""
    waits = None
    while True:
        fiber.covered += 1
        ending, payload = yield node.source
        fiber.covered -= 1
        if ending is not ERROR or not is_again(payload, node.on):
            return ending, payload
        if waits is None:
            waits = delays(node.schedule, clock)
        delay = next(waits, None)
        if delay is None:
            return ending, payload
        if fiber.transaction is not None:
            fiber.transaction.failed = None
        if delay > 0:
            slept, reason = yield Pause(delay)
            if slept is not VALUE:
                return slept, reason


def delays(schedule: Schedule, clock: Clock) -> Iterator[float]:
    """The seconds to wait before each further try, of which the first was made now."""
    first = clock.now()
    return schedule.delays(clock.random, lambda: clock.now() - first)


def is_again(error: Any, on: tuple[type[Exception], ...] | None) -> bool:
    """Whether a failure is one to try again after."""
    return isinstance(error, on) if on is not None else isinstance(error, OmmiError) and error.retryable


def timeout(fiber: Fiber, node: Timeout[Any, Any]) -> ScopeSteps:
    """The source against a timer."""
    transaction = fiber.transaction
    ending, joined = yield Fork((node.source, Sleep(node.seconds)), lambda _: True)
    came_out: Outcome | None = joined.outcomes[0]
    if came_out is not None and came_out[0] is not CANCELLED:
        return came_out  # it may have committed, so that is the answer even if it comes too late
    if ending is not VALUE:
        return _interrupted(ending, joined)
    error = StatementTimeout(f"{_short(node.source)} had not ended after {node.seconds} seconds")
    if transaction is not None and transaction.doomed is not None:
        transaction.doomed = error
        return DOOM, error
    return ERROR, error


def ensure(fiber: Fiber, node: Ensure[Any, Any]) -> ScopeSteps:
    """The source, and then the finalizer in any case."""
    fiber.covered += 1
    ending, payload = yield node.source
    fiber.covered -= 1
    return _with_finalizer((ending, payload), (yield from _finally(fiber, node.finalizer)))


def bracket(fiber: Fiber, node: Bracket[Any, Any]) -> ScopeSteps:
    """Acquire, use, release."""
    fiber.masked += 1
    ending, resource = yield node.acquire
    fiber.masked -= 1
    if ending is not VALUE:
        return ending, resource
    fiber.covered += 1
    used = yield Bind(Succeed(resource), node.use)
    fiber.covered -= 1
    return _with_finalizer(used, (yield from _finally(fiber, Bind(Succeed(resource), node.release))))


def after_commit(fiber: Fiber, node: AfterCommit[Any, Any]) -> ScopeSteps:
    """The source; the effect when its transaction has committed, or now where there is none."""
    ending, payload = yield node.source
    if ending is not VALUE:
        return ending, payload
    if fiber.transaction is not None:
        fiber.transaction.after.append(node.effect)
        return ending, payload
    return _with_finalizer((ending, payload), (yield from _finally(fiber, node.effect)))


def _finally(fiber: Fiber, finalizer: Effect[Any, Any]) -> ScopeSteps:
    """Run an effect that may not fail and is not interrupted; its failure is a defect."""
    transaction = fiber.transaction
    failed = None if transaction is None else transaction.failed
    fiber.masked += 1
    ending, payload = yield finalizer
    fiber.masked -= 1
    if transaction is not None:
        transaction.failed = failed  # what the finalizer recovered from was its own
    if ending is ERROR:
        cause = payload if isinstance(payload, BaseException) else None
        defect = TypeError(f"a finalizer may not fail, and {_short(finalizer)} failed with {payload!r}: recover in it")
        defect.__cause__ = cause
        return DEFECT, defect
    return ending, payload


def _with_finalizer(outcome: Outcome, finalized: Outcome) -> Outcome:
    if finalized[0] is not DEFECT:
        return outcome
    defect = finalized[1]
    if isinstance(outcome[1], BaseException) and isinstance(defect, BaseException):
        defect.add_note(f"raised while cleaning up after: {outcome[1]!r}")
    return finalized


def gather(fiber: Fiber, node: Gather[Any, Any], *, ahead: bool) -> ScopeSteps:
    """All effects: at once outside a transaction, in turn inside one."""
    function = node.function
    effects = node.items if function is None else tuple([Bind(Succeed(item), function) for item in node.items])
    collecting = node.how is Together.VALIDATE
    stop = _stops_all if not collecting else _stops_defective
    outcomes: list[Outcome]
    if len(effects) < 2 or (fiber.transaction is not None and not ahead):
        outcomes = []
        for effect in effects:
            fiber.covered += collecting
            outcome = yield effect
            fiber.covered -= collecting
            outcomes.append(outcome)
            if outcome[0] is not VALUE and not (collecting and outcome[0] is ERROR):
                break
    else:
        in_turn = fiber.transaction is not None
        fiber.covered += collecting and in_turn
        ending, joined = yield Fork(effects, stop, node.limit, in_turn=in_turn)
        fiber.covered -= collecting and in_turn
        outcomes = _outcomes(joined)
        if ending is not VALUE and not _all_ended(joined):
            return _interrupted(ending, joined)
    return _together(outcomes, node.how)


def _together(outcomes: Sequence[Outcome], how: Together) -> Outcome:
    worst = [outcome for outcome in outcomes if outcome[0] is DEFECT] or [o for o in outcomes if o[0] is DOOM]
    if worst:
        return worst[0]
    errors = [payload for ending, payload in outcomes if ending is ERROR]
    if errors:
        return ERROR, tuple(errors) if how is Together.VALIDATE else errors[0]
    if any(ending is CANCELLED for ending, _ in outcomes):
        return CANCELLED, None
    values = [payload for _, payload in outcomes]
    return VALUE, values if how is Together.LIST else tuple(values)


def race(fiber: Fiber, node: Race[Any, Any]) -> ScopeSteps:
    """The first effect to end."""
    if fiber.transaction is not None:
        return ERROR, UnsupportedOperation(
            "race inside a transaction: its effects would share one connection. Put each in a transaction of its own"
        )
    ending, joined = yield Fork(node.effects, lambda _: True)
    if ending is not VALUE:
        ended = [outcome for outcome in _outcomes(joined) if outcome[0] is not CANCELLED]
        return ended[0] if ended and ended[0][0] is VALUE else _interrupted(ending, joined)
    defects = [outcome for outcome in _outcomes(joined) if outcome[0] is DEFECT]
    if defects:
        return defects[0]
    winner = joined.outcomes[joined.first]
    return winner if winner is not None else (CANCELLED, None)


def _interrupted(ending: Ending, joined: Joined) -> Outcome:
    """The fibers were stopped from outside; a bug that showed while they cleaned up is not lost."""
    return next((outcome for outcome in _outcomes(joined) if outcome[0] is DEFECT), (ending, None))


def _all_ended(joined: Joined) -> bool:
    """Whether none of the fibers was stopped: what they did may be committed, so their outcomes are the answer."""
    return all(outcome is not None and outcome[0] is not CANCELLED for outcome in joined.outcomes)


def _outcomes(joined: Joined) -> list[Outcome]:
    return [outcome for outcome in joined.outcomes if outcome is not None]


def _stops_all(ending: Ending) -> bool:
    return ending is not VALUE


def _stops_defective(ending: Ending) -> bool:
    return ending is not VALUE and ending is not ERROR


def _short(effect: Effect[Any, Any]) -> str:
    from ommi.effects.text import effect_text  # here, because it is for errors alone

    try:
        text = effect_text(effect)
    except Exception:  # some object's repr
        text = f"{type(effect).__name__}(…)"
    return text if len(text) <= 80 else text[:77] + "..."
