"""SQLite, under asyncio and trio alike: a driver of its own over `sqlite3`, without further libraries."""

from ommi.drivers.sqlite.aiosqlite import AioSQLiteDriver
from ommi.drivers.sqlite.driver import SQLiteDriver
from ommi.drivers.sqlite.transaction import SQLiteTransaction
from ommi.drivers.sqlite.url import from_url

__all__ = ["AioSQLiteDriver", "SQLiteDriver", "SQLiteTransaction", "from_url"]
