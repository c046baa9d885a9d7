"""What a pool of connections says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["PoolStats", "Pooled"]


@dataclass(frozen=True, slots=True)
class PoolStats:
    """The figures of a pool: how things stand, and what happened since it was opened.

    `waited` is the time, in seconds, that all who asked have waited for a connection together.
    """

    in_use: int
    idle: int
    waiting: int
    acquired: int
    created: int
    closed: int
    waited: float


class Pooled(Protocol):
    """A pool that can be asked."""

    def stats(self) -> PoolStats:
        """The figures of this moment."""
        ...
