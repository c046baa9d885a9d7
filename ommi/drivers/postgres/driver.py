"""The PostgreSQL driver: asyncpg on asyncio, and behind a bridge on trio."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from typing import Any, Final, final

from ommi.drivers.driver import Capabilities, Cursor, Request, Transaction
from ommi.drivers.postgres.connection import Endpoint
from ommi.drivers.postgres.dialect import POSTGRES
from ommi.drivers.postgres.forms import POSTGRES_STORAGE
from ommi.drivers.postgres.loops import Loop, running_loop
from ommi.drivers.postgres.pool import CLOSED, Closed, Pool, PoolOptions
from ommi.drivers.postgres.session import Session
from ommi.drivers.registry import redacted
from ommi.drivers.sql.compiler import Compiler
from ommi.transactions import IsolationLevel, TransactionOptions
from ommi.values import Storage

__all__ = ["PostgresDriver"]


@final
class PostgresDriver:
    """A PostgreSQL database, version 13 or later, by way of asyncpg.

    The URL is libpq's: `postgresql://user:password@host:port/database?sslmode=verify-full`; what is left out comes
    from the environment (`PGHOST`, …). There are up to `max_size` connections, made when they are needed and kept
    down to `min_size`; who asks first is served first. In seconds: `acquire_timeout` is how long a free connection
    is waited for (then `PoolTimeout`), `idle_timeout` and `max_lifetime` how long a connection is kept idle, and at
    all, `connect_timeout` how long connecting may take. `pgbouncer`: a pooler in transaction mode is in between.
    """

    name: Final = "postgres"
    storage: Final[Storage] = POSTGRES_STORAGE
    capabilities: Final = Capabilities(IsolationLevel.SERIALIZABLE, language="sql")

    def __init__(
        self,
        url: str = "postgresql://",
        *,
        min_size: int = 0,
        max_size: int = 10,
        acquire_timeout: float = 30.0,
        idle_timeout: float | None = 600.0,
        max_lifetime: float | None = 3600.0,
        connect_timeout: float = 10.0,
        pgbouncer: bool = False,
        password: str | None = None,
        ssl: ssl.SSLContext | None = None,
    ) -> None:
        self._options = PoolOptions(min_size, max_size, acquire_timeout, idle_timeout, max_lifetime)
        if not connect_timeout > 0:
            raise ValueError(f"connect_timeout={connect_timeout!r}: say a number of seconds")
        self._endpoint = Endpoint(url, connect_timeout, pgbouncer, password, ssl)
        self._compiler = Compiler(POSTGRES)
        self._text = f"PostgresDriver({redacted(self._endpoint.dsn)!r})"  # made now: when Python exits, it is too late
        self._session: Session | None = None
        self._loop: Loop | None = None

    @property
    def pool(self) -> Pool:
        """The pool of connections, for its figures: `pool.stats()`."""
        return self._opened()[1].pool

    async def open(self) -> None:
        """Connect, and check that the server answers, in the event loop that will use it."""
        if self._loop is not None:
            raise RuntimeError("the database is open already")
        self._loop = loop = running_loop()
        try:
            await loop.start()
            self._session = await loop.call(self._begin, loop)
        except BaseException:
            self._loop = None
            await loop.stop()
            raise

    async def _begin(self, loop: Loop) -> Session:
        session = Session(self._endpoint, self._options, self._compiler, loop.shield)
        await session.open()
        return session

    async def close(self) -> None:
        """Refuse new work, wait for what is under way, and close every connection.

        Open transactions may go on for `acquire_timeout` seconds; what is still open then is rolled back. Cancelled,
        it waits no longer.
        """
        loop, session = self._loop, self._session
        if loop is None or session is None:
            return
        try:
            await loop.call(session.close)
        finally:
            if self._session is session:
                self._session = self._loop = None
                await loop.stop()

    async def execute(self, request: Request, /) -> Any:
        """Run one statement and commit it.

        A cancelled statement is stopped on the server, and the wait ends when it has.
        """
        loop, session = self._opened()
        return await loop.call(session.execute, request)

    async def stream(self, request: Request, chunk: int, /) -> Cursor:
        """Open the rows of a query, on a connection of its own, in a transaction that reads."""
        loop, session = self._opened()
        return loop.cursor(await loop.call(session.stream, request, chunk))

    async def begin(self, options: TransactionOptions, /) -> Transaction:
        """Take a connection and begin; `SNAPSHOT` is met by REPEATABLE READ."""
        loop, session = self._opened()
        return loop.transaction(await loop.call(session.begin, options))

    async def begin_with(
        self, options: TransactionOptions, requests: Sequence[Request], /
    ) -> tuple[Transaction, list[Any]]:
        """Begin and run the first statements, up to the first that fails; beside trio, in one hop."""
        loop, session = self._opened()
        transaction, answers = await loop.call(session.begin_with, options, requests)
        return loop.transaction(transaction), answers

    def _opened(self) -> tuple[Loop, Session]:
        if self._loop is None or self._session is None:
            raise Closed(CLOSED)
        return self._loop, self._session

    def __repr__(self) -> str:
        return self._text

    def __del__(self) -> None:
        loop: Loop | None = getattr(self, "_loop", None)
        if loop is not None:
            loop.abandon()
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=1, source=self)
