"""A fair pool of connections: the order of asking is the order of getting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, final

from ommi.drivers.driver import PoolStats
from ommi.drivers.postgres.connection import Connection
from ommi.drivers.violations import action
from ommi.errors import PoolTimeout
from ommi.frozen import frozen
from ommi.query.statements import Statement

__all__ = ["CLOSED", "Closed", "Lease", "Pool", "PoolOptions"]

CLOSED: Final = "the database is not open: open it first, and close it only after its last use"
_HEALTHY: Final = 30.0
"""Seconds after which an idle connection is asked whether it is still there before it is handed out."""
_NAMED: Final = 5


class Closed(RuntimeError):
    """The database was closed, or never opened, or took this connection back when it was closed."""


@final
@frozen
class PoolOptions:
    """How many connections, and for how long; times are in seconds."""

    min_size: int = 0
    max_size: int = 10
    acquire_timeout: float = 30.0
    idle_timeout: float | None = 600.0
    max_lifetime: float | None = 3600.0

    def __post_init__(self) -> None:
        if self.max_size < 1:
            raise ValueError(f"max_size={self.max_size!r}: at least one connection is needed")
        if not 0 <= self.min_size <= self.max_size:
            raise ValueError(f"min_size={self.min_size!r}: say a number from 0 to max_size, {self.max_size}")
        if not self.acquire_timeout >= 0:
            raise ValueError(f"acquire_timeout={self.acquire_timeout!r}: say a number of seconds, or 0")
        for name, seconds in (("idle_timeout", self.idle_timeout), ("max_lifetime", self.max_lifetime)):
            if seconds is not None and not seconds > 0:
                raise ValueError(f"{name}={seconds!r}: say a number of seconds, or None")


@final
class Lease:
    """A connection in use: since when, by which task, for what."""

    __slots__ = ("connection", "purpose", "since", "statement", "task")

    def __init__(self, connection: Connection, since: float) -> None:
        self.connection = connection
        self.since = since
        self.task = asyncio.current_task()
        self.purpose = "a statement"
        self.statement: Statement | None = None

    def described(self, now: float) -> str:
        """Who holds the connection, for messages."""
        doing = "" if self.statement is None else f" ({action(self.statement)})"
        name = "a task that has ended" if self.task is None or self.task.done() else f"task {self.task.get_name()!r}"
        return f"{self.purpose}{doing} of {name} for {now - self.since:.1f} s"


@final
class Pool:
    """Up to `max_size` connections, made when they are needed; all methods are for one asyncio event loop.

    Who asks while others wait, waits behind them. A connection that becomes free goes to the one who has waited
    longest, without a chance for anybody else to take it.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], options: PoolOptions) -> None:
        self._connect = connect
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._leases: set[Lease] = set()
        self._size = 0
        # what is handed over: a connection, or the permission to make one
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closing = False
        self._emptied: asyncio.Event | None = None
        self._generation = 0
        self._generations: dict[Connection, int] = {}
        self._acquired = self._created = self._closed = 0
        self._waited = 0.0

    def stats(self) -> PoolStats:
        """The figures of this moment; what is being connected counts as in use."""
        return PoolStats(
            in_use=self._size - len(self._idle),
            idle=len(self._idle),
            waiting=len(self._waiting),
            acquired=self._acquired,
            created=self._created,
            closed=self._closed,
            waited=self._waited,
        )

    async def open(self) -> None:
        """Make the first connections: at least one, to see whether the database answers."""
        opened: list[Lease] = []
        try:
            for _ in range(max(1, self._options.min_size)):
                opened.append(await self.acquire())  # noqa: PERF401 - those opened are released if one fails
        finally:
            for lease in opened:
                self.release(lease)

    # -- taking and giving back

    async def acquire(self) -> Lease:
        """A connection, when it is this task's turn; `PoolTimeout` if it does not come in time."""
        if self._closing:
            raise Closed(CLOSED)
        now = self._loop.time()
        if not self._waiting and self._idle and self._is_fresh(self._idle[-1], now):
            connection = self._idle.pop()
        else:
            connection = await self._looked_at(await self._next(now))
            now = self._loop.time()
        lease = Lease(connection, now)
        self._leases.add(lease)
        self._acquired += 1
        return lease

    def _is_fresh(self, connection: Connection, now: float) -> bool:
        """Whether a connection can be handed out without a look at it."""
        return (
            now - connection.idle_since < _HEALTHY
            and self._generations[connection] == self._generation
            and not connection.is_closed
        )

    async def _looked_at(self, connection: Connection | None) -> Connection:
        """The connection, if it is still there, or another one."""
        if connection is not None and not await self._is_healthy(connection):
            self._closed += 1
            self._generations.pop(connection, None)
            connection = None
        return await self._made() if connection is None else connection

    async def _next(self, asked: float) -> Connection | None:
        """An idle connection, or `None` for the permission to make one."""
        if not self._waiting:
            if self._idle:
                return self._idle.pop()
            if self._size < self._options.max_size:
                self._size += 1
                return None
        turn: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(turn)
        timer = self._loop.call_at(asked + self._options.acquire_timeout, self._time_out, turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(turn.result())  # the turn came together with the cancellation: it is the next one's
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise
        finally:
            timer.cancel()
            self._waited += self._loop.time() - asked

    async def _made(self) -> Connection:
        # in a task of its own: asyncpg does not take it well to be cancelled while it connects, and what was begun
        # for one who went away serves the next
        connecting = self._loop.create_task(self._connected())
        self._tasks.add(connecting)
        connecting.add_done_callback(self._tasks.discard)
        try:
            await asyncio.wait([connecting])
        except BaseException:
            connecting.add_done_callback(self._pass_on_made)
            raise
        try:
            return connecting.result()
        except BaseException:
            self._pass_on(None)
            raise

    async def _connected(self) -> Connection:
        connection = await self._connect()
        self._created += 1
        self._generations[connection] = self._generation
        return connection

    def _pass_on_made(self, connecting: asyncio.Task[Connection]) -> None:
        failed = connecting.cancelled() or connecting.exception() is not None
        self._pass_on(None if failed else connecting.result())

    async def _is_healthy(self, connection: Connection) -> bool:
        if connection.is_closed:
            return False
        if self._generations[connection] != self._generation:
            connection.forget()
            self._generations[connection] = self._generation
        if self._loop.time() - connection.idle_since < _HEALTHY:
            return True
        try:
            return await connection.settle()
        except BaseException:
            self._gone(connection)
            raise

    def release(self, lease: Lease) -> None:
        """Give a connection back that is clean: nothing is under way, and no transaction open."""
        if lease not in self._leases:
            return
        self._leases.discard(lease)
        connection, now = lease.connection, self._loop.time()
        if connection.is_closed or connection.is_in_transaction or self._is_old(connection, now):
            self._retire(connection)
            return
        connection.idle_since = now
        self._pass_on(connection)

    def discard(self, lease: Lease) -> None:
        """Close a connection rather than use it again."""
        if lease in self._leases:
            self._leases.discard(lease)
            lease.connection.terminate()
            self._gone(lease.connection)

    def holds(self, lease: Lease) -> bool:
        """Whether the connection was not taken back."""
        return lease in self._leases

    def outdate(self) -> None:
        """The tables have changed: what was prepared for them is prepared anew."""
        self._generation += 1

    def _is_old(self, connection: Connection, now: float) -> bool:
        lifetime = self._options.max_lifetime
        return lifetime is not None and now - connection.created_at > lifetime

    def _pass_on(self, found: Connection | None) -> None:
        """Hand a connection, or the permission to make one, to the one who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(found)
                return
        if found is None:
            self._size -= 1
        elif self._closing or found.is_closed:
            self._retire(found)
            return
        else:
            self._idle.append(found)
            self._watch()
        self._check_emptied()

    def _gone(self, connection: Connection) -> None:
        """A connection is closed: somebody may make another one."""
        self._generations.pop(connection, None)
        self._closed += 1
        self._pass_on(None)

    def _retire(self, connection: Connection) -> None:
        """Close a connection that nobody has, in the background."""
        self._generations.pop(connection, None)
        self._closed += 1
        task = self._loop.create_task(connection.close())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._pass_on(None)

    # -- time

    def _time_out(self, turn: asyncio.Future[Connection | None]) -> None:
        if turn.done():
            return
        self._waiting.remove(turn)
        now = self._loop.time()
        holders = sorted(self._leases, key=lambda lease: lease.since)
        named = "; ".join(lease.described(now) for lease in holders[:_NAMED])
        more = f"; and {len(holders) - _NAMED} more" if len(holders) > _NAMED else ""
        turn.set_exception(
            PoolTimeout(
                f"no connection became free within {self._options.acquire_timeout:g} s; "
                f"{len(holders)} of {self._options.max_size} are held by {named or 'no one'}{more}",
                hint="end transactions and streams sooner, never wait inside one for another, "
                "or raise acquire_timeout or max_size",
            )
        )

    def _watch(self) -> None:
        if self._timer is not None or self._closing:
            return
        limits = [
            seconds for seconds in (self._options.idle_timeout, self._options.max_lifetime) if seconds is not None
        ]
        if limits:
            self._timer = self._loop.call_later(min(limits) / 2, self._close_idle)

    def _close_idle(self) -> None:
        """Close what has been idle, or open, for too long."""
        self._timer = None
        now, idle = self._loop.time(), self._options.idle_timeout
        spare = self._size - self._options.min_size
        for connection in tuple(self._idle):  # the one idle for longest first
            rested = idle is not None and now - connection.idle_since > idle and spare > 0
            if rested or connection.is_closed or self._is_old(connection, now):
                self._idle.remove(connection)
                self._retire(connection)
                spare -= 1
        if self._idle:
            self._watch()

    # -- closing

    async def close(self) -> None:
        """Refuse new work, wait for what is under way up to `acquire_timeout` seconds, and close every connection.

        Cancelled, it waits no longer.
        """
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
        idle, self._idle = self._idle, []
        for connection in idle:
            self._retire(connection)
        try:
            if self._size:
                self._emptied = asyncio.Event()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._options.acquire_timeout):
                        await self._emptied.wait()
            if self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close every connection at once, those in use, too."""
        self._closing = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(Closed(CLOSED))
        for lease in tuple(self._leases):
            self.discard(lease)
        for connection in self._idle:
            connection.terminate()
        self._idle = []
        for task in self._tasks:
            task.cancel()

    def _check_emptied(self) -> None:
        if self._emptied is not None and not self._size:
            self._emptied.set()
