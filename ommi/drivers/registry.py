"""From a URL to a driver: the built-in ones, and those that packages register in the group `ommi.drivers`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ommi.drivers.driver import Driver
from ommi.errors import ConnectionFailed
from ommi.frozen import frozen

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

__all__ = ["GROUP", "Connect", "driver_for", "redacted", "schemes"]

Connect: TypeAlias = Callable[..., Driver]
"""What an entry point names: `(url: str, /, **options) -> Driver`, which connects to nothing yet."""

GROUP: Final = "ommi.drivers"


@frozen
class _BuiltIn:
    """A driver that comes with Ommi; `extra` installs the `libraries` it imports."""

    module: str
    extra: str | None = None
    libraries: tuple[str, ...] = ()


_POSTGRES: Final = _BuiltIn("ommi.drivers.postgres", "postgres", ("asyncpg",))
_MONGO: Final = _BuiltIn("ommi.drivers.mongo", "mongo", ("pymongo", "bson"))
_BUILT_IN: Final[Mapping[str, _BuiltIn]] = {
    "memory": _BuiltIn("ommi.drivers.memory"),
    "sqlite": _BuiltIn("ommi.drivers.sqlite"),
    "postgresql": _POSTGRES,
    "postgres": _POSTGRES,
    "mongodb": _MONGO,
    "mongodb+srv": _MONGO,
}


def driver_for(url: str, /, **options: Any) -> Driver:
    """A driver, not open yet, for a URL; its scheme says which. The options are the driver's own.

    Raises `ConnectionFailed` if there is no such driver, or if it is not installed.
    """
    scheme, separator, _ = url.partition(":")
    scheme = scheme.lower()
    if not separator or not scheme:
        raise ConnectionFailed(
            f"{redacted(url)!r} is no database URL",
            retryable=False,
            hint=f"begin it with one of {_known()}; sqlite:///file.db, for example",
        )
    built_in = _BUILT_IN.get(scheme)
    if built_in is not None:  # first, because to look at all packages takes longer than to import Ommi
        connect: Connect = _loaded(scheme, lambda: import_module(built_in.module).from_url)
        return connect(url, **options)
    for entry_point in _registered().select(name=scheme):
        with_entry_point: Connect = _loaded(scheme, entry_point.load)
        return with_entry_point(url, **options)
    raise ConnectionFailed(f"there is no driver for {scheme!r}", retryable=False, hint=f"installed: {_known()}")


def schemes() -> tuple[str, ...]:
    """The schemes of all drivers that are installed, sorted."""
    own = {scheme for scheme, built_in in _BUILT_IN.items() if built_in.extra is None}
    return tuple(sorted({*own, *_registered().names}))


def _registered() -> EntryPoints:
    from importlib.metadata import entry_points  # here, because it is slow to import

    return entry_points(group=GROUP)


def redacted(url: str) -> str:
    """A URL for messages: what is a password in it, or might be one, is left out."""
    return re.sub(_AMONG_OPTIONS, r"\1***", re.sub(_AFTER_USER, r"\1***@", url))


# patterns as text: `re` compiles them, and keeps them, when a URL is shown
# up to the last @: a password may hold one, or a slash, that nobody has encoded
_AFTER_USER: Final = r"(?s)(://[^:@/?#]*:).*@"
_AMONG_OPTIONS: Final = r"(?i)([?&][^=&#]*(?:pass|pwd|secret|token|key|credential|properties)[^=&#]*=)[^&#]*"


def _known() -> str:
    return ", ".join(f"{scheme}://" for scheme in schemes())


def _loaded(scheme: str, load: Callable[[], Connect]) -> Connect:
    try:
        return load()
    except ModuleNotFoundError as error:
        built_in = _BUILT_IN.get(scheme)
        missing = error.name or ""
        if built_in is None or built_in.extra is None:
            raise
        if missing != built_in.module and missing.partition(".")[0] not in built_in.libraries:
            raise
        raise ConnectionFailed(
            f"the driver for {scheme!r} is not installed",
            retryable=False,
            hint=f'pip install "ommi[{built_in.extra}]"',
        ) from error
