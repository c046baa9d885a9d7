"""What somebody who wants a figure has asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Asked"]


@dataclass(frozen=True)
class Asked:
    """On which database, for whom, and how often; `raw` is the first of the contenders."""

    database: str
    contenders: Sequence[str]
    repeat: int
