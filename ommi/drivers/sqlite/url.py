"""`sqlite:` URLs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

from ommi.drivers.registry import redacted
from ommi.drivers.sqlite.driver import SQLiteDriver
from ommi.errors import ConnectionFailed

__all__ = ["from_url"]


def from_url(url: str, /, **options: Any) -> SQLiteDriver:
    """A driver for `sqlite:///relative.db`, `sqlite:////absolute.db` or `sqlite://` (in memory).

    Options are those of `SQLiteDriver`, given here or in the URL (`?synchronous=NORMAL&readers=2`); those given
    here win. Raises `ConnectionFailed` for a URL, `TypeError` for an option, that makes no sense.
    """
    place, _, query = url.partition("?")
    scheme, separator, rest = place.partition("://")
    if scheme.lower() != "sqlite" or not separator:
        raise _refused(url, "it is no SQLite URL")
    if "#" in place:
        raise _refused(url, "write %23 for a # in a file's name")
    if rest and not rest.startswith("/"):
        raise _refused(url, f"the path begins after a third slash: {redacted(place).replace('://', ':///', 1)}")
    for option in options:
        if option not in _OPTIONS:
            raise TypeError(f"unknown option {option!r}; SQLite has {', '.join(_OPTIONS)}")
    path = unquote(rest.removeprefix("/"))
    if "\0" in path:
        raise _refused(url, "a path cannot have the character NUL")
    try:
        return SQLiteDriver(path or None, **{**_options(url, query), **options})
    except ValueError as error:
        raise _refused(url, str(error)) from error


def _options(url: str, query: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for option, text in parse_qsl(query, keep_blank_values=True):
        if option not in _OPTIONS:
            raise _refused(url, f"unknown option {option!r}; SQLite has {', '.join(_OPTIONS)}")
        try:
            found[option] = _OPTIONS[option](text)
        except ValueError:
            raise _refused(url, f"{option}={text} makes no sense") from None
    return found


def _flag(text: str) -> bool:
    match text.lower():
        case "true" | "1" | "yes" | "on":
            return True
        case "false" | "0" | "no" | "off":
            return False
        case _:
            raise ValueError(text)


_OPTIONS: Final[Mapping[str, Callable[[str], Any]]] = {
    "readers": int,
    "synchronous": str.upper,
    "busy_timeout": float,
    "acquire_timeout": float,
    "read_only": _flag,
    "inline": _flag,
}


def _refused(url: str, reason: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"cannot connect to {redacted(url)}: {reason}",
        retryable=False,
        hint="write sqlite:///file.db (relative), sqlite:////path/file.db (absolute) or sqlite:// (in memory)",
    )
