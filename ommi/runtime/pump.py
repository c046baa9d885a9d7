"""The anyio pump: awaits the calls that the interpreter asks for, on asyncio and on trio.

A program that waits for one thing at a time runs in the task that called `run`, with no task group in between.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, assert_never, final

import anyio
from anyio import CancelScope, get_cancelled_exc_class
from returns.result import Success

from ommi.drivers.driver import BeginsWithRuns, Driver, Failed, Request, Transaction
from ommi.effects.effect import Await, Effect, Perform
from ommi.errors import CommitUnknown, DecodeError, EncodeError, OmmiError
from ommi.runtime.batching import Rows, gathered, group_of, own_error, share, single, split, statements
from ommi.runtime.calls import (
    Awaiting,
    Batch,
    Begin,
    Call,
    Cancel,
    CloseCursor,
    Command,
    Commit,
    Completed,
    Ending,
    Execute,
    Fetch,
    Group,
    Mark,
    Marking,
    OpenCursor,
    Pause,
    Rollback,
    Watch,
)
from ommi.runtime.clock import Clock
from ommi.runtime.fibers import OpenTransaction, Outcome, Program, dooms, fill
from ommi.runtime.interpreter import interpret
from ommi.runtime.perform import answer, request
from ommi.runtime.trace import Trace
from ommi.runtime.turns import Over, Turn, current_turn, joining
from ommi.runtime.undisturbed import undisturbed
from ommi.transactions import TransactionOptions
from ommi.values import Storage

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Pump"]

VALUE, ERROR, DOOM, DEFECT, CANCELLED, NOT_MADE = Ending


class Pump:
    """Runs effects on a driver. `shutdown_seconds` is the time a COMMIT or ROLLBACK may take once it is cancelled.

    Without `batching`, every read is a statement of its own, and effects in a transaction do not read ahead.
    """

    __slots__ = ("batching", "begin_with", "clock", "driver", "home", "shutdown_seconds")

    def __init__(
        self,
        driver: Driver,
        clock: Clock,
        shutdown_seconds: float = 30.0,
        *,
        batching: bool = True,
        home: Pump | None = None,
    ) -> None:
        self.driver = driver
        self.clock = clock
        self.shutdown_seconds = shutdown_seconds
        self.batching = batching
        # asked for once: looking at a protocol takes longer than a step of the interpreter
        self.begin_with = driver.begin_with if isinstance(driver, BeginsWithRuns) else None
        self.home: Pump = self if home is None else home
        """Whose transactions runs join: of a pump made for one run, the one it was made from."""

    async def run(self, effect: Effect[Any, Any]) -> Outcome:
        """How the effect came out; raises what cancelled it, after everything was cleaned up.

        Inside the body of a transaction of the same pump it joins that.
        """
        turn = current_turn(self.home)
        if turn is not None:
            return await self.join(effect, turn)
        if type(effect) is not Perform or effect.keys is not None:
            return await _Run(self, interpret(effect, self.clock, owner=self.home, ahead=self.batching)).finish()
        # one statement and nothing else: as the interpreter would have it made, without rounds and fibers
        driver = self.driver
        try:
            storage = driver.storage
            value, fills = answer(effect, await driver.execute(request(effect, storage, None)), storage)
        except OmmiError as error:
            return ERROR, _told(error, effect)
        except Exception as defect:
            return DEFECT, defect
        found = fill(fills) if fills else None
        return (VALUE, value) if found is None else (DEFECT, found)

    async def traced(self, effect: Effect[Any, Any], turn: Turn | None = None) -> tuple[Outcome, Trace]:
        """As `run`, or as `join` where a turn is given, with what was asked of the database."""
        from ommi.runtime.tracing import Recorder, RecordingDriver, RecordingTransaction  # here: few runs are traced

        recorder = Recorder()
        pump = Pump(
            RecordingDriver(self.driver, recorder), self.clock, self.shutdown_seconds, batching=self.batching, home=self
        )
        turn = current_turn(self) if turn is None else turn
        if turn is None:
            return await pump.run(effect), recorder.trace()
        async with turn.taken() as transaction:
            handle = transaction.handle
            transaction.handle = RecordingTransaction(handle, recorder, recorder.next_transaction())
            try:
                return await pump._joined(effect, turn, transaction), recorder.trace()
            finally:
                transaction.handle = handle

    async def join(self, effect: Effect[Any, Any], turn: Turn) -> Outcome:
        """Run an effect as part of a transaction, when it is its turn."""
        async with turn.taken() as transaction:
            return await self._joined(effect, turn, transaction)

    async def _joined(self, effect: Effect[Any, Any], turn: Turn, transaction: OpenTransaction) -> Outcome:
        program = interpret(
            effect, self.clock, transaction, in_block=turn.in_block, owner=self.home, ahead=self.batching
        )
        if not turn.in_block or transaction.doomed is not None:
            return await _Run(self, program).finish()
        transaction.failed = None
        ended = await _Run(self, program).finish()
        if ended[0] is ERROR:
            if isinstance(ended[1], EncodeError):
                transaction.failed = ended[1]
            if transaction.failed is not None:
                transaction.doom(transaction.failed)
        return ended

    def turn(self) -> Turn | None:
        """The transaction that the caller is in the body of."""
        return current_turn(self.home)

    async def belonging(self, effect: Effect[Any, Any], turn: Turn | None) -> Outcome:
        """Run an effect that belongs to a transaction, or to none, wherever the caller is now."""
        if turn is None:
            return await _Run(self, interpret(effect, self.clock, owner=self.home, ahead=self.batching)).finish()
        # the innermost body of that transaction that the caller is in has the turn of those around it
        current = current_turn(self.home)
        inner = current is not None and current.transaction is turn.transaction
        return await self.join(effect, current if current is not None and inner else turn)

    async def at_last(self, effect: Effect[Any, Any], turn: Turn | None) -> Outcome:
        """As `belonging`, even when cancelled, which is raised when it is done; nothing, if the transaction is over."""
        with CancelScope(shield=True):
            outcome, reason = await undisturbed(self._at_last(effect, turn))
        if reason is not None:
            raise reason
        return outcome

    async def _at_last(self, effect: Effect[Any, Any], turn: Turn | None) -> Outcome:
        # whoever has the turn, and never gives it back, is not waited for: the end of the transaction is the end of all
        with anyio.move_on_after(self.shutdown_seconds), suppress(Over):
            return await self.belonging(effect, turn)
        return VALUE, None

    async def call(self, call: Call) -> Outcome:
        """Make one call. Only a cancellation, or the end of the whole process, is raised."""
        try:
            match call:
                case Execute():
                    perform, transaction, driver = call.perform, call.transaction, self.driver
                    if perform.keys is not None:
                        ((_, ending, value),) = await self._merged(group_of(call), transaction)
                        return ending, value
                    storage = driver.storage
                    if transaction is None:
                        reply = await driver.execute(request(perform, storage, None))
                    else:
                        reply = await transaction.handle.execute(
                            request(perform, storage, transaction.options, call.recoverable)
                        )
                    value, call.fills = answer(perform, reply, storage)
                    return VALUE, value
                case OpenCursor(perform=perform, transaction=transaction):
                    if transaction is None:
                        asked = request(perform, self.driver.storage, None)
                        return VALUE, await self.driver.stream(asked, call.chunk)
                    asked = request(perform, self.driver.storage, transaction.options, call.recoverable)
                    return VALUE, await transaction.handle.stream(asked, call.chunk)
                case Fetch(cursor=cursor):
                    return VALUE, await cursor.next_rows()
                case CloseCursor(cursor=cursor):
                    with anyio.move_on_after(self.shutdown_seconds, shield=True):
                        await cursor.close()
                    return VALUE, None
                case Begin(options=options):
                    return VALUE, await self.driver.begin(options)
                case Commit(handle=handle):
                    return await self._commit(handle)
                case Rollback(handle=handle):
                    with anyio.move_on_after(self.shutdown_seconds, shield=True):
                        await handle.rollback()
                    return VALUE, None
                case Marking(handle=handle, mark=mark, name=name):
                    await _MARKS[mark](handle, name)
                    return VALUE, None
                case Pause(seconds=seconds):
                    waiting = self.clock.pause(seconds)
                    await (anyio.sleep(seconds) if waiting is None else waiting)
                    return VALUE, None
                case Awaiting(effect=effect):
                    return await self._await(effect, call)
                case Batch():
                    return VALUE, await self._batch(call)
                case Watch(flight=flight):
                    over = anyio.Event()
                    flight.tell(over.set)
                    await over.wait()
                    return VALUE, None
                case _:
                    assert_never(call)
        except OmmiError as error:
            if isinstance(call, Awaiting):
                return DEFECT, error
            if isinstance(call, (Execute, OpenCursor, Fetch)):
                _told(error, call.perform)
                if call.transaction is not None and not call.transaction.handle.usable:
                    return DOOM, error
            if isinstance(call, Marking) and (dooms(error) or not call.handle.usable):
                return DOOM, error
            return ERROR, error
        except Exception as defect:
            return DEFECT, defect

    async def _batch(self, batch: Batch) -> list[Completed]:
        """Make the statements of a batch; how each of its members ended."""
        completed: list[Completed] = []
        if batch.ordered:
            assert batch.transaction is not None
            return _with_rest(await self._in_order(batch.members, batch.transaction), batch.members)
        if batch.transaction is not None and len(batch.groups) > 1:
            for member in batch.members:  # made alone, it would have been the last one: here, others follow
                member.recoverable = True
        groups = deque(batch.groups)
        while groups:
            group = groups.popleft()
            if len(group.members) > 1:
                completed += await self._merged(group, batch.transaction)
            elif batch.transaction is None:
                completed.append((group.members[0], *await self.call(group.members[0])))
            else:
                alone = [group.members[0]]
                while groups and len(groups[0].members) == 1:
                    alone.append(groups.popleft().members[0])
                made = await self._in_order(alone, batch.transaction)
                completed += made
                groups.extendleft(reversed([single(member) for member in alone[len(made) :]]))
            _, ending, payload = completed[-1]
            if ending is DOOM:
                left = batch.members[len(completed) :]
                return [*completed, *((member, DOOM, payload) for member in left)]
        return completed

    async def _in_order(self, members: list[Execute], transaction: OpenTransaction) -> list[Completed]:
        """Make statements one after the other up to the first that fails, in as few trips as the driver can."""
        completed: list[Completed] = []
        while len(completed) < len(members) and (not completed or completed[-1][1] is VALUE):
            left = members[len(completed) :]
            run = self.run_of(left, transaction) if len(left) > 1 and hasattr(transaction.handle, "execute_all") else []
            if len(run) < 2:
                completed.append((left[0], *await self.call(left[0])))
            else:
                replies = await transaction.handle.execute_all([asked for _, asked in run])
                completed += self.replied([call for call, _ in run], replies)
        return completed

    def run_of(self, members: list[Execute], transaction: OpenTransaction) -> list[tuple[Execute, Request]]:
        """Those of the first members that the driver can be asked for together."""
        found: list[tuple[Execute, Request]] = []
        for member in members:
            if member.perform.keys is not None:
                break
            try:
                asked = request(member.perform, self.driver.storage, transaction.options, member.recoverable)
            except OmmiError:  # refused when it is asked for alone
                break
            found.append((member, asked))
        return found

    def replied(self, members: list[Execute], replies: list[Any]) -> list[Completed]:
        """How members of a run ended, given the driver's replies: those after one that failed were not made."""
        completed: list[Completed] = []
        for member, reply in zip(members, replies, strict=False):
            try:
                value, member.fills = answer(member.perform, _value_of(reply), self.driver.storage)
                completed.append((member, VALUE, value))
            except OmmiError as error:
                spoiled = member.transaction is not None and not member.transaction.handle.usable
                completed.append((member, DOOM if spoiled else ERROR, _told(error, member.perform)))
                break
            except Exception as defect:
                completed.append((member, DEFECT, defect))
                break
        return completed

    async def begin(self, options: TransactionOptions, requests: list[Request]) -> tuple[Transaction, list[Any]]:
        """Begin a transaction, and make these statements in it up to the first that fails."""
        if not requests or self.begin_with is None:
            return await self.driver.begin(options), []
        return await self.begin_with(options, requests)

    async def _merged(self, group: Group, transaction: OpenTransaction | None) -> list[Completed]:
        """Make the statements of one group, and share what they give; each member fails with an error of its own."""
        storage, members = self.driver.storage, group.members
        execute = self.driver.execute if transaction is None else transaction.handle.execute
        recoverable = any(member.recoverable for member in members)
        read, asked = split(group, storage), tuple([member.perform for member in members])
        found: Rows = {}
        try:
            for statement in statements(group, self.driver.capabilities.parameters):
                found.update(await execute(Request(statement, read, recoverable, asked)))
        except DecodeError as error:
            if len(members) == 1:
                return [(members[0], ERROR, _told(error, members[0].perform))]
            # it is the error of one of them: the others get what is theirs
            return [(member, *await self.call(member)) for member in members]
        except OmmiError as error:
            spoiled = transaction is not None and not transaction.handle.usable
            return [(member, DOOM if spoiled else ERROR, _told(own_error(error), member.perform)) for member in members]
        except Exception as defect:
            return [(member, DEFECT, defect) for member in members]
        return [(member, *_shared(member, rows, storage)) for member, rows in share(group, found)]

    async def _commit(self, handle: Transaction) -> Outcome:
        with anyio.move_on_after(self.shutdown_seconds, shield=True) as budget:
            await handle.commit()
        if budget.cancelled_caught:
            return ERROR, CommitUnknown(
                f"COMMIT was sent and not answered within {self.shutdown_seconds} seconds: "
                "look in the database whether it happened before trying again"
            )
        return VALUE, None

    async def _await(self, effect: Await[Any, Any], call: Awaiting) -> Outcome:
        try:
            if call.transaction is None:
                value = await effect.start()
            else:
                async with joining(Turn(self.home, call.transaction)):
                    value = await effect.start()
        except effect.catching as error:
            return ERROR, error
        if not effect.result:
            return VALUE, value
        result = value._inner_value  # a FutureResult gives an IOResult; this is the run that its IO stood for
        return (VALUE, result.unwrap()) if isinstance(result, Success) else (ERROR, result.failure())


def _told(error: OmmiError, perform: Perform[Any, Any]) -> OmmiError:
    """The error, with what was being done and where that was built."""
    from ommi.effects.text import operation_text  # here, because it is for errors alone

    error.origin = error.origin or perform.origin
    error.operation = error.operation or operation_text(perform)
    return error


def _value_of(reply: Any) -> Any:
    if isinstance(reply, Failed):
        raise reply.error
    return reply


def _shared(member: Execute, rows: Any, storage: Storage) -> Outcome:
    try:
        value, _ = answer(member.perform, rows, storage)
    except OmmiError as error:
        return ERROR, _told(error, member.perform)
    return VALUE, value


async def _set(handle: Transaction, name: str) -> None:
    await handle.savepoint(name)


async def _release(handle: Transaction, name: str) -> None:
    await handle.release(name)


async def _roll_back_to(handle: Transaction, name: str) -> None:
    await handle.rollback_to(name)


@final
class _Unbegun:
    """What stands for a transaction until it is begun; a rollback of it is done."""

    usable = True

    async def rollback(self) -> None:
        return


UNBEGUN: Final[Any] = _Unbegun()

_MARKS = {Mark.SET: _set, Mark.RELEASE: _release, Mark.ROLL_BACK_TO: _roll_back_to}


class _Run:
    """One program on its way."""

    __slots__ = ("outcome", "program", "pump")

    def __init__(self, pump: Pump, program: Program) -> None:
        self.pump = pump
        self.program = program
        self.outcome: Outcome | None = None

    async def finish(self) -> Outcome:
        """Make the calls of the program until it has ended."""
        await self.drive(self.advance([]))
        assert self.outcome is not None
        return self.outcome

    def advance(self, completed: list[Completed]) -> list[Command]:
        """Let the program go on; the commands it gives, none when it has ended."""
        try:
            commands = self.program.send(completed or None)  # type: ignore[arg-type]  # a generator is started with None
            return commands if len(commands) < 2 or not self.pump.batching else gathered(commands)
        except StopIteration as stop:
            self.outcome = stop.value
            return []

    async def drive(self, commands: list[Command]) -> None:
        while self.outcome is None:
            call = _single(commands)
            if call is None:
                commands = await self.together(commands)
                continue
            if type(call) is Begin and self.pump.begin_with is not None and self.pump.batching and not call.shielded:
                commands = await self.begin(call)
                continue
            reason: BaseException | None = None
            try:
                if not call.shielded:
                    ending, payload = await self.pump.call(call)
                else:
                    with CancelScope(shield=True):
                        (ending, payload), reason = await undisturbed(self.pump.call(call))
            except BaseException as stopped:  # a cancellation, or the end of the whole process
                await self.unwind(_ends(call, CANCELLED, None))
                if isinstance(stopped, get_cancelled_exc_class()):
                    self.raise_defect()
                raise
            if reason is not None:
                await self.unwind(_ends(call, ending, payload))
                self.raise_defect()
                raise reason
            commands = self.advance(_ends(call, ending, payload))

    async def begin(self, call: Begin) -> list[Command]:
        """Begin a transaction, with its first statements where it does these first; the commands after that."""
        commands = self.advance([(call, VALUE, UNBEGUN)])
        transaction = call.fiber.transaction
        assert transaction is not None
        first = _single(commands)
        members = first.members if type(first) is Batch and first.ordered else [first] if type(first) is Execute else []
        try:
            run = self.pump.run_of(members, transaction)
            begun, replies = await self.pump.begin(call.options, [asked for _, asked in run])
        except OmmiError as error:
            transaction.doom(error)
            return self.advance(_unbegun(commands, error))
        except Exception as defect:
            return self.advance([(one, DEFECT, defect) for one in _calls(commands)])
        except BaseException as stopped:
            await self.unwind([(one, CANCELLED, None) for one in _calls(commands)])
            if isinstance(stopped, get_cancelled_exc_class()):
                self.raise_defect()
            raise
        transaction.handle = begun
        if not run:
            for command in commands:
                if isinstance(command, (Commit, Rollback, Marking)):
                    command.handle = begun
            return commands
        completed = self.pump.replied([made for made, _ in run], replies)
        return self.advance(_with_rest(completed, members))

    async def unwind(self, completed: list[Completed]) -> None:
        """Tell the program that it is cancelled, and let it clean up."""
        # cancelled again meanwhile, it unwinds all the same
        with CancelScope(shield=True), suppress(get_cancelled_exc_class()):
            await self.drive(self.advance([(None, CANCELLED, None), *completed]))

    def raise_defect(self) -> None:
        """A bug that showed while a cancelled program cleaned up must not be lost with the cancellation."""
        if self.outcome is not None and self.outcome[0] is DEFECT:
            raise self.outcome[1]

    async def together(self, commands: list[Command]) -> list[Command]:
        """Make calls at once, until the program has ended or waits for a single call; that is given back."""
        stopped: BaseException | None = None
        left = commands
        calls: _Calls | None = None
        try:
            async with anyio.create_task_group() as group:
                calls = _Calls(self, group)
                while True:
                    try:
                        with CancelScope(shield=calls.was_interrupted):
                            left = await calls.work(left)
                        break
                    except get_cancelled_exc_class() as reason:
                        # the program hears of it, and what it still has to do, it does undisturbed
                        stopped = stopped or reason
                        news = calls.interrupted()
                        left = self.advance(news) if news else []
        except get_cancelled_exc_class() as reason:  # when nothing was under way any more
            stopped = stopped or reason
        assert calls is not None
        if stopped is None and calls.was_interrupted:
            # the program heard of the cancellation by one of its calls, and ended before this task did
            from anyio.lowlevel import checkpoint_if_cancelled  # here, because it is slow to import

            try:
                await checkpoint_if_cancelled()
            except get_cancelled_exc_class() as reason:
                stopped = reason
        if calls.fatal is not None:
            stopped = calls.fatal
        if stopped is None:
            return left
        if self.outcome is None:
            await self.clean_up(left, told=calls.was_interrupted)
        if stopped is not calls.fatal:
            self.raise_defect()
        raise stopped

    async def clean_up(self, left: list[Command], *, told: bool) -> None:
        """Make what is left after a cancellation, of which the program may have been told already."""
        if not told:
            call = _single(left)
            assert call is not None
            if not call.shielded:
                await self.unwind(_ends(call, CANCELLED, None))
                return
            left = [call, *self.advance([(None, CANCELLED, None)])]
        with CancelScope(shield=True), suppress(get_cancelled_exc_class()):
            await self.drive(left)


class _Calls:
    """The calls under way at once, each in a task of its own."""

    __slots__ = ("batches", "done", "fatal", "group", "run", "scopes", "stopped", "waking", "was_interrupted")

    def __init__(self, run: _Run, group: TaskGroup) -> None:
        self.run = run
        self.group = group
        self.scopes: dict[Call, CancelScope] = {}
        self.batches: dict[Call, tuple[Batch, set[Call]]] = {}
        self.stopped: set[Call] = set()
        self.done: list[Completed] = []
        self.waking = anyio.Event()
        self.was_interrupted = False
        self.fatal: BaseException | None = None

    async def work(self, commands: list[Command]) -> list[Command]:
        """Obey commands and report ends to the program until a single call, or nothing, is left to do."""
        while self.run.outcome is None:
            if not self.scopes and not self.done and _single(commands) is not None:
                return commands
            for command in commands:
                self.obey(command)
            if not self.done:
                await self.waking.wait()
            completed = self.taken()
            # a call that ended cancelled, though the program did not ask for it, tells that the task is cancelled
            stopped, self.stopped = self.stopped, self.stopped.difference(call for call, _, _ in completed)
            if any(ending is CANCELLED and call not in stopped for call, ending, _ in completed):
                completed = self.interrupted(completed)
            commands = self.run.advance(completed)
        return []

    def obey(self, command: Command) -> None:
        if not isinstance(command, Cancel):
            scope = self.scopes[command] = CancelScope(shield=command.shielded)
            if isinstance(command, Batch):
                wanted: set[Call] = set(command.members)
                self.batches.update(dict.fromkeys(wanted, (command, wanted)))
            self.group.start_soon(self.make, command, scope)
            return
        if command.call in self.batches:
            self.leave(command.call)
        elif command.call in self.scopes:
            self.stopped.add(command.call)
            self.scopes[command.call].cancel()

    def leave(self, member: Call) -> None:
        """A member of a batch is stopped: the others go on, and the statement ends with the last of them."""
        batch, wanted = self.batches.pop(member)
        wanted.discard(member)
        self.stopped.add(member)
        self.done.append((member, CANCELLED, None))
        self.waking.set()
        if not wanted:
            self.scopes[batch].cancel()

    async def make(self, call: Call, scope: CancelScope) -> None:
        ended: Outcome = (CANCELLED, None)
        try:
            with scope:
                ended = await self.run.pump.call(call)
        except get_cancelled_exc_class():
            raise
        except BaseException as fatal:  # the end of the process: raised as it is, when all is cleaned up
            self.fatal = self.fatal or fatal
            self.done += self.interrupted([])
        finally:
            del self.scopes[call]
            if not isinstance(call, Batch):
                self.done.append((call, *ended))
            else:
                ends = _ends(call, *ended)
                self.done += [end for end in ends if end[0] is not None and self.batches.pop(end[0], None) is not None]
            if self.done:  # a batch that all members have left tells nobody anything
                self.waking.set()

    def taken(self) -> list[Completed]:
        self.waking = anyio.Event()
        completed, self.done = self.done, []
        return completed

    def interrupted(self, completed: list[Completed] | None = None) -> list[Completed]:
        """What has ended, after the news (given once) that the whole program is cancelled."""
        found = self.taken() if completed is None else completed
        if self.was_interrupted:
            return found
        self.was_interrupted = True
        return [(None, CANCELLED, None), *found]


def _calls(commands: list[Command]) -> list[Call]:
    """The calls to make, the members of a batch each for itself."""
    calls = [command for command in commands if not isinstance(command, Cancel)]
    return [one for call in calls for one in (call.members if type(call) is Batch else [call])]


def _unbegun(commands: list[Command], error: OmmiError) -> list[Completed]:
    """How the first calls of a transaction end that could not begin: there is nothing to roll back."""
    ends: list[Completed] = []
    for call in _calls(commands):
        match call:
            case Rollback():
                ends.append((call, VALUE, None))
            case Commit():
                ends.append((call, ERROR, error))
            case _:
                ends.append((call, DOOM, error))
    return ends


def _with_rest(completed: list[Completed], members: list[Execute]) -> list[Completed]:
    """The ends of a run, with its members that were not made because one before them failed."""
    _, ending, payload = completed[-1]
    after = (DOOM, payload) if ending is DOOM else (NOT_MADE, None)
    return [*completed, *((member, *after) for member in members[len(completed) :])]


def _ends(call: Call, ending: Ending, payload: Any) -> list[Completed]:
    """How a call ended, or the members of a batch did, each for itself."""
    if type(call) is not Batch:
        return [(call, ending, payload)]
    if ending is not VALUE:
        return [(member, ending, payload) for member in call.members]
    ends: list[Completed] = payload
    return ends


def _single(commands: list[Command]) -> Call | None:
    if len(commands) != 1 or isinstance(commands[0], Cancel):
        return None
    return commands[0]
