"""Where the table is: the databases, as each library wants to be told of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

__all__ = ["MONGO_URL", "PLACES", "SQLITE_SETTINGS", "URL", "Place", "mongo_url", "server_url"]

URL: Final = "OMMI_BENCHMARK_POSTGRES_URL"
"""The variable of the environment that holds the server's URL, as `main` puts it there."""
MONGO_URL: Final = "OMMI_BENCHMARK_MONGODB_URL"
SQLITE_SETTINGS: Final = {"journal_mode": "WAL", "synchronous": "NORMAL", "foreign_keys": "ON"}
"""The same durability for everybody."""


def server_url() -> str:
    """The PostgreSQL server's."""
    return os.environ[URL]


def mongo_url() -> str:
    """The MongoDB server's."""
    return os.environ[MONGO_URL]


@dataclass(frozen=True)
class Place:
    """A database."""

    database: Literal["sqlite", "postgres"]

    def address(self, path: Path, sqlite: str, postgres: str) -> str:
        """Its URL with the scheme for a file, which `path` follows, or the one for the server."""
        if self.database == "sqlite":
            return f"{sqlite}{path}"
        return postgres + server_url().removeprefix("postgresql://")


PLACES: Final = {"sqlite": Place("sqlite"), "postgres": Place("postgres")}
