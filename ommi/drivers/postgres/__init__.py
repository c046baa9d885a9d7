"""PostgreSQL, under asyncio and trio alike, by way of asyncpg."""

from ommi.drivers.postgres.driver import PostgresDriver
from ommi.drivers.postgres.transaction import PostgresTransaction
from ommi.drivers.postgres.url import from_url

__all__ = ["PostgresDriver", "PostgresTransaction", "from_url"]
