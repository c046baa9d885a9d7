"""One connection of asyncpg's, its prepared statements, and how it is made."""

from __future__ import annotations

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from itertools import count
from typing import Any, Final, final

import asyncpg

from ommi.drivers.postgres.errors import failed_to_connect, stale_plan
from ommi.drivers.registry import redacted
from ommi.errors import ConnectionFailed
from ommi.frozen import frozen

__all__ = ["Connection", "Endpoint", "NamedCursor"]

_STATEMENTS: Final = 256
_PATIENCE: Final = 10.0
"""Seconds that cleaning a connection up may take before it is closed instead."""


@final
@frozen
class Endpoint:
    """Where to connect, and how."""

    dsn: str
    connect_timeout: float = 10.0
    pgbouncer: bool = False
    password: str | None = field(default=None, repr=False)
    ssl: ssl.SSLContext | None = field(default=None, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)

    async def connect(self) -> Connection:
        """A new connection; `ConnectionFailed` if there can be none."""
        options: dict[str, Any] = {}
        if self.password is not None:
            options["password"] = self.password
        if self.ssl is not None:
            options["ssl"] = self.ssl
        try:
            raw = await asyncpg.connect(
                self.dsn,
                timeout=self.connect_timeout,
                # its own cache is not used, but without one it would prepare nothing under a name
                statement_cache_size=0 if self.pgbouncer else 1,
                server_settings=dict(self.settings) or None,
                **options,
            )
        except (
            OSError,
            ValueError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
        ) as error:
            raise failed_to_connect(error, redacted(self.dsn)) from _without_secrets(error)
        encoding = raw.get_settings().server_encoding
        if encoding != "UTF8":
            raw.terminate()
            raise ConnectionFailed(
                f"the database at {redacted(self.dsn)} has the encoding {encoding}, which cannot hold every text",
                retryable=False,
                hint="make it with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
            )
        return Connection(raw, prepares=not self.pgbouncer)


def _without_secrets(error: BaseException) -> BaseException | None:
    """The cause, unless its words may repeat the URL."""
    return None if isinstance(error, ValueError) else error


@final
class Connection:
    """A connection, used by one task at a time.

    `sql` and `parameters` are those of the statement under way, or of the last one; `sent` says whether it has gone
    to the server to be executed. `tell` is told each text that goes there, and how many round trips it takes.
    """

    __slots__ = (
        "_numbers",
        "_prepares",
        "_statements",
        "created_at",
        "idle_since",
        "parameters",
        "raw",
        "sent",
        "sql",
        "tell",
        "version",
    )

    def __init__(self, raw: Any, *, prepares: bool) -> None:
        self.raw = raw
        self.sent = False
        self.sql: str | None = None
        self.parameters: Sequence[Any] = ()
        self.created_at = self.idle_since = asyncio.get_running_loop().time()
        self.tell: Callable[[str, int], None] | None = None
        self.version: int = raw.get_server_version().major
        self._prepares = prepares
        self._numbers = count(1)
        self._statements: OrderedDict[str, Any] = OrderedDict()

    @property
    def is_closed(self) -> bool:
        """Whether it can be used no more."""
        return bool(self.raw.is_closed())

    @property
    def is_in_transaction(self) -> bool:
        """Whether the server said last that a transaction is open."""
        return bool(self.raw.is_in_transaction())

    async def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """The rows of a statement."""
        self.sent = False
        self.sql, self.parameters = sql, parameters
        if self.tell is not None:
            self.tell(sql, 2 if self._prepares and sql not in self._statements else 1)
        if not self._prepares:
            self.sent = True
            found: list[Any] = await self.raw.fetch(sql, *parameters)
            return found
        prepared = self._statements.get(sql)
        if prepared is None:
            prepared = await self._prepare(sql)
        else:
            self._statements.move_to_end(sql)  # what is used often stays
        self.sent = True
        try:
            found = await prepared.fetch(*parameters)
        except asyncpg.PostgresError as error:
            if not stale_plan(error):
                raise
            self.forget(sql)
            if self.is_in_transaction:
                raise
            found = await (await self._prepare(sql)).fetch(*parameters)
        return found

    async def table(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[list[tuple[str, ...]], list[Any]]:
        """The names of a statement's columns, none where it has no rows, and its rows."""
        rows = await self.fetch(sql, parameters)
        if not self._prepares:
            return [tuple(rows[0].keys())] if rows else [], rows
        names = tuple([column.name for column in self._statements[sql].get_attributes()])
        return [names] if names else [], rows

    async def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement; how many rows it was about."""
        if not self._prepares:
            self.sent = True
            self.sql, self.parameters = sql, parameters
            if self.tell is not None:
                self.tell(sql, 1)
            return _rows(await self.raw.execute(sql, *parameters))
        await self.fetch(sql, parameters)
        return _rows(self._statements[sql].get_statusmsg())

    async def command(self, sql: str) -> str:
        """Run statements without parameters, in one round trip; the tag of the last one."""
        self.sent = True
        self.sql, self.parameters = sql, ()
        if self.tell is not None:
            self.tell(sql, 1)
        tag: str = await self.raw.execute(sql)
        return tag

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert rows by COPY; the types of their values are those of the columns."""
        self.sent = True
        self.sql, self.parameters = f"COPY {table} FROM STDIN", ()
        if self.tell is not None:
            self.tell(self.sql, 2)
        await self.raw.reload_schema_state()  # no round trip: what asyncpg remembers of the columns may be outdated
        await self.raw.copy_records_to_table(table, columns=list(columns), records=rows)

    async def cursor(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """A cursor over the rows of a query, inside a transaction: asyncpg's, or what is like it."""
        self.sent = False
        self.sql, self.parameters = sql, parameters
        if self.tell is not None:
            self.tell(sql, 2 if self._prepares and sql not in self._statements else 1)
        if not self._prepares:
            named = NamedCursor(self.raw, f"ommi_{next(self._numbers)}")
            await self.raw.execute(f"DECLARE {named.name} NO SCROLL CURSOR FOR {sql}", *parameters)
            return named
        prepared = self._statements.get(sql) or await self._prepare(sql)
        return await prepared.cursor(*parameters)

    def forget(self, sql: str | None = None) -> None:
        """Prepare a statement, or every one, anew before it is used again."""
        if sql is None:
            self._statements.clear()
        else:
            self._statements.pop(sql, None)

    async def _prepare(self, sql: str) -> Any:
        prepared = await self.raw.prepare(sql)
        self._statements[sql] = prepared
        if len(self._statements) > _STATEMENTS:
            self._statements.popitem(last=False)
        return prepared

    async def settle(self) -> bool:
        """End what is under way and roll back; whether the connection is provably as good as new.

        Closes the connection if that is not so, even when cancelled meanwhile.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                # asyncpg waits here until the server has answered both the statement and the request to cancel it
                await self.raw.execute("ROLLBACK" if self.is_in_transaction else "SELECT")
                if self.is_in_transaction:
                    await self.raw.execute("ROLLBACK")
        except Exception:  # noqa: BLE001 - whatever it is, the connection is not clean
            self.terminate()
        except BaseException:
            self.terminate()
            raise
        return not self.is_closed and not self.is_in_transaction

    def terminate(self) -> None:
        """Close, without waiting."""
        with suppress(Exception):
            self.raw.terminate()

    async def close(self) -> None:
        """Say goodbye to the server, and close."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self.raw.close()
        except Exception:  # noqa: BLE001 - it is going away in any case
            self.terminate()
        except BaseException:
            self.terminate()
            raise


def _rows(tag: str) -> int:
    """The number at the end of a command's tag: `UPDATE 3`."""
    last = tag.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


@final
class NamedCursor:
    """A cursor that SQL knows by its name, for poolers: asyncpg's would prepare its query under a name."""

    __slots__ = ("_raw", "name")

    def __init__(self, raw: Any, name: str) -> None:
        self._raw = raw
        self.name = name

    async def fetch(self, rows: int) -> list[Any]:
        """The next rows."""
        found: list[Any] = await self._raw.fetch(f"FETCH {rows} FROM {self.name}")
        return found
