"""A database on asyncio: statements on their own, and the beginning of transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, final

from ommi.drivers.driver import Request
from ommi.drivers.postgres.connection import Connection, Endpoint
from ommi.drivers.postgres.cursors import Portal
from ommi.drivers.postgres.errors import is_database_error, is_lost, lost, stale_plan, translate
from ommi.drivers.postgres.pool import CLOSED, Closed, Lease, Pool, PoolOptions
from ommi.drivers.postgres.statements import needs_transaction, run
from ommi.drivers.postgres.transaction import PostgresTransaction, Shield, begin_sql
from ommi.drivers.sql.compiler import Compiler
from ommi.errors import OmmiError
from ommi.query.statements import CreateTables, DropTables, Statement, is_write
from ommi.transactions import TransactionOptions

__all__ = ["Session", "SessionCursor"]

_BEGIN: Final = "BEGIN READ ONLY"


@final
class Session:
    """What a driver does between `open` and `close`, in one asyncio event loop."""

    def __init__(self, endpoint: Endpoint, options: PoolOptions, compiler: Compiler, shield: Shield) -> None:
        self._shield = shield
        self.pool = Pool(endpoint.connect, options)
        self._compiler = compiler

    async def open(self) -> None:
        """Connect, and check that the server answers."""
        try:
            await self.pool.open()
        except BaseException:
            self.pool.abandon()
            raise

    async def execute(self, request: Request) -> Any:
        """Run one statement and commit it."""
        lease = await self.pool.acquire()
        lease.statement = statement = request.statement
        connection = lease.connection
        connection.tell = request.sent
        try:
            if needs_transaction(statement, self._compiler):
                value = await self._in_transaction(connection, request)
            else:
                value = await run(connection, self._compiler, request)
        except BaseException as error:
            await self.failed(lease, error)
            raise
        finally:
            connection.tell = None
        if isinstance(statement, (CreateTables, DropTables)):
            self.pool.outdate()
        self.pool.release(lease)
        return value

    def _meaning(self, error: Exception, connection: Connection, statement: Statement | None) -> Exception:
        if isinstance(error, OmmiError) or not is_database_error(error):
            return error
        if is_lost(error) or connection.is_closed:
            return lost(error, statement, unknown=statement is not None and is_write(statement) and connection.sent)
        return translate(error, self._compiler, statement, connection.sql, connection.parameters)

    async def _in_transaction(self, connection: Connection, request: Request) -> Any:
        await connection.command("BEGIN")
        value = await run(connection, self._compiler, request)
        await connection.command("COMMIT")
        return value

    async def give_back(self, lease: Lease) -> None:
        """Give a connection back after something went wrong, clean or not at all."""
        connection = lease.connection
        try:
            with self._shield():
                clean = not connection.is_closed and await connection.settle()
        except BaseException:
            self.pool.discard(lease)
            raise
        if clean:
            self.pool.release(lease)
        else:
            self.pool.discard(lease)

    async def stream(self, request: Request, chunk: int) -> SessionCursor:
        """Open a query in a transaction of its own, which reads."""
        lease = await self.pool.acquire()
        lease.statement, lease.purpose = request.statement, "a stream"
        connection = lease.connection
        portal = Portal(connection, request, chunk)
        connection.tell = request.sent
        try:
            await connection.command(_BEGIN)
            try:
                await portal.open(self._compiler, request)
            except Exception as error:
                if not stale_plan(error):
                    raise
                await connection.command(f"ROLLBACK; {_BEGIN}")
                connection.forget()
                await portal.open(self._compiler, request)
        except BaseException as error:
            await self.failed(lease, error)
            raise
        finally:
            connection.tell = None
        return SessionCursor(self, lease, portal)

    async def failed(self, lease: Lease, error: BaseException) -> None:
        """Give a connection back after an error, and raise what that means, if it means anything else."""
        found = error
        if isinstance(error, Exception):
            found = self._meaning(error, lease.connection, lease.statement)
        await self.give_back(lease)
        if found is not error:
            raise found from error

    async def begin(self, options: TransactionOptions) -> PostgresTransaction:
        """Take a connection and begin."""
        lease = await self.pool.acquire()
        lease.purpose = "a transaction"
        connection = lease.connection
        try:
            await connection.command(begin_sql(options))
        except Exception as error:
            broken = is_lost(error) or connection.is_closed
            await self.give_back(lease)
            if not is_database_error(error):
                raise
            if broken:
                raise lost(error, None, unknown=False) from error
            raise translate(error, self._compiler) from error
        except BaseException:
            await self.give_back(lease)
            raise
        return PostgresTransaction(self.pool, lease, self._compiler, options, self._shield)

    async def begin_with(
        self, options: TransactionOptions, requests: Sequence[Request]
    ) -> tuple[PostgresTransaction, list[Any]]:
        """Begin, and run statements up to the first that fails."""
        transaction = await self.begin(options)
        try:
            return transaction, await transaction.execute_all(requests)
        except BaseException:
            await transaction.rollback()
            raise

    async def close(self) -> None:
        """Wait for what is under way, then close every connection."""
        await self.pool.close()


@final
class SessionCursor:
    """A query and the connection that it keeps."""

    def __init__(self, session: Session, lease: Lease, portal: Portal) -> None:
        self._session = session
        self._lease = lease
        self._portal = portal

    async def next_rows(self) -> list[Any]:
        """What is read of the next rows."""
        if not self._session.pool.holds(self._lease):
            raise Closed(CLOSED)
        try:
            return await self._portal.next_rows()
        except BaseException as error:
            # no other statement can follow in its transaction
            await self._session.failed(self._lease, error)
            raise

    async def close(self) -> None:
        """Give the connection back, clean or not at all."""
        if self._session.pool.holds(self._lease):
            await self._session.give_back(self._lease)
