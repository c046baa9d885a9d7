"""`mongodb:` URLs."""

from __future__ import annotations

from typing import Any, Final

from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from ommi.drivers.mongo.driver import MongoDriver
from ommi.drivers.registry import redacted
from ommi.errors import ConnectionFailed

__all__ = ["from_url"]

_QUEUE_SECONDS: Final = 30


def from_url(url: str, /, *, database: str | None = None, **options: Any) -> MongoDriver:
    """A driver for `mongodb://host:port/database?replicaSet=rs0` or `mongodb+srv://…`.

    The URL is MongoDB's own, with all its options. `database` wins over the one in the URL; further options are
    those of `MongoDriver` and of PyMongo's client. Raises `ConnectionFailed` for a URL that makes no sense.
    """
    srv = url.lower().startswith("mongodb+srv://")
    try:
        # what the name server says of an SRV record is asked when connecting
        parsed = {"database": _path(url)} if srv else parse_uri(url)
    except (PyMongoError, ValueError) as error:
        raise _refused(url, str(error)) from error
    name = database or (parsed.get("database") or "")
    if not name:
        raise _refused(url, "it names no database")
    given = {key.lower() for key in (*parsed.get("options", {}), *options)}
    if "waitqueuetimeoutms" not in given:
        options["waitQueueTimeoutMS"] = _QUEUE_SECONDS * 1000
    try:
        return MongoDriver(url, name, **options)
    except ValueError as error:
        raise _refused(url, str(error)) from error


def _path(url: str) -> str:
    return url.partition("://")[2].partition("?")[0].partition("/")[2]


def _refused(url: str, reason: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"cannot connect to {redacted(url)}: {reason}",
        retryable=False,
        hint="write mongodb://host:27017/database?replicaSet=rs0",
    )
