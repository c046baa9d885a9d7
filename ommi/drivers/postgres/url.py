"""`postgresql:` URLs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from ommi.drivers.postgres.driver import PostgresDriver
from ommi.drivers.registry import redacted
from ommi.errors import ConnectionFailed

__all__ = ["from_url"]


def from_url(url: str, /, **options: Any) -> PostgresDriver:
    """A driver for `postgresql://user:password@host:port/database`.

    Options are those of `PostgresDriver`, given here or in the URL (`?max_size=20&pgbouncer=true`); those given
    here win. All else in the URL is for the server or libpq's own: `sslmode`, `application_name`, … Raises
    `ConnectionFailed` for a URL, `TypeError` for an option, that makes no sense.
    """
    place, mark, query = url.partition("?")
    scheme, separator, _ = place.partition("://")
    if scheme.lower() not in ("postgresql", "postgres") or not separator:
        raise _refused(url, "it is no PostgreSQL URL")
    if "#" in url:
        raise _refused(url, "write %23 for a # in a password")
    own: dict[str, Any] = {}
    rest: list[tuple[str, str]] = []
    for option, text in parse_qsl(query, keep_blank_values=True):
        if option not in _OPTIONS:
            rest.append((option, text))
            continue
        try:
            own[option] = _OPTIONS[option](text)
        except ValueError:
            raise _refused(url, f"{option}={text} makes no sense") from None
    left = f"{place}?{urlencode(rest)}" if mark and rest else place
    try:
        return PostgresDriver(left, **{**own, **options})
    except ValueError as error:
        raise _refused(url, str(error)) from error


def _flag(text: str) -> bool:
    match text.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
        case _:
            raise ValueError(text)


def _seconds(text: str) -> float | None:
    return None if text.lower() in ("", "none") else float(text)


_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "min_size": int,
    "max_size": int,
    "acquire_timeout": float,
    "idle_timeout": _seconds,
    "max_lifetime": _seconds,
    "connect_timeout": float,
    "pgbouncer": _flag,
}


def _refused(url: str, reason: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"cannot connect to {redacted(url)}: {reason}",
        retryable=False,
        hint="write postgresql://user:password@host:port/database",
    )
