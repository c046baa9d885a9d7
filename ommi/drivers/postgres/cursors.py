"""The rows of a query that is open on the server, read some rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from ommi.drivers.driver import Request
from ommi.drivers.postgres.connection import Connection
from ommi.drivers.sql.compiler import Compiler
from ommi.query.statements import Select

__all__ = ["Portal"]


@final
class Portal:
    """A query that is open on a connection, inside a transaction; what that writes meanwhile does not change its rows.

    All methods raise asyncpg's errors.
    """

    __slots__ = ("_chunk", "_connection", "_cursor", "_parameters", "_read", "_sql")

    def __init__(self, connection: Connection, request: Request, chunk: int) -> None:
        self._connection = connection
        self._read = request.read
        self._chunk = chunk
        self._cursor: Any = None
        self._sql = ""
        self._parameters: Sequence[Any] = ()

    async def open(self, compiler: Compiler, request: Request) -> None:
        """Open it on the server."""
        assert isinstance(request.statement, Select)
        self._sql, self._parameters = compiler.prepare(request.statement)
        self._cursor = await self._connection.cursor(self._sql, self._parameters)

    async def next_rows(self) -> list[Any]:
        """What is read of the next rows."""
        connection = self._connection
        connection.sent, connection.sql, connection.parameters = True, self._sql, self._parameters
        found: list[Any] = self._read(await self._cursor.fetch(self._chunk))
        return found

    async def close(self) -> None:
        """Close it on the server, where asyncpg knows how to; otherwise the end of the transaction does."""
        close = getattr(self._cursor, "_close_portal", None)
        if close is not None:
            await close(None)
