"""A database on asyncio: statements on their own, and the beginning of transactions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

from ommi.drivers.driver import Request
from ommi.drivers.postgres.connection import Connection, Endpoint
from ommi.drivers.postgres.errors import is_database_error, is_lost, lost, translate
from ommi.drivers.postgres.pool import Lease, Pool, PoolOptions
from ommi.drivers.postgres.statements import needs_transaction, run
from ommi.drivers.postgres.transaction import PostgresTransaction, Shield, begin_sql
from ommi.drivers.sql.compiler import Compiler
from ommi.errors import OmmiError
from ommi.query.statements import CreateTables, DropTables, Statement, is_write
from ommi.transactions import TransactionOptions

__all__ = ["Session"]


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
        except Exception as error:
            found = self._meaning(error, connection, statement)
            await self._give_back(lease)
            if found is error:
                raise
            raise found from error
        except BaseException:
            await self._give_back(lease)
            raise
        finally:
            connection.tell = None
        if isinstance(statement, (CreateTables, DropTables)):
            self.pool.outdate()
        self.pool.release(lease)
        return value

    def _meaning(self, error: Exception, connection: Connection, statement: Statement) -> Exception:
        if isinstance(error, OmmiError) or not is_database_error(error):
            return error
        if is_lost(error) or connection.is_closed:
            return lost(error, statement, unknown=is_write(statement) and connection.sent)
        return translate(error, self._compiler, statement, connection.sql, connection.parameters)

    async def _in_transaction(self, connection: Connection, request: Request) -> Any:
        await connection.command("BEGIN")
        value = await run(connection, self._compiler, request)
        await connection.command("COMMIT")
        return value

    async def _give_back(self, lease: Lease) -> None:
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

    async def begin(self, options: TransactionOptions) -> PostgresTransaction:
        """Take a connection and begin."""
        lease = await self.pool.acquire()
        lease.in_transaction = True
        connection = lease.connection
        try:
            await connection.command(begin_sql(options))
        except Exception as error:
            broken = is_lost(error) or connection.is_closed
            await self._give_back(lease)
            if not is_database_error(error):
                raise
            if broken:
                raise lost(error, None, unknown=False) from error
            raise translate(error, self._compiler) from error
        except BaseException:
            await self._give_back(lease)
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
