"""The line of user code that builds an operation."""

from __future__ import annotations

import sys
from types import FrameType

from ommi.errors import Origin

__all__ = ["origin"]


def origin() -> Origin | None:
    """The innermost line of the call stack that lies outside Ommi."""
    frame: FrameType | None = sys._getframe(2)  # this function, and the one of Ommi's that called it, are passed
    while frame is not None:
        name: str = frame.f_globals.get("__name__", "")
        if not name.startswith("ommi.") and name != "ommi":
            return Origin(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None
