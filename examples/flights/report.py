"""Tables and a progress bar, in text."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self, TextIO

MISSING: Final = "·"


def heading(text: str) -> None:
    print(f"\n{text}\n{'─' * len(text)}")


def table(titles: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    """Print columns, numbers to the right and all else to the left."""
    body = [tuple(MISSING if cell is None else cell for cell in row) for row in rows]
    texts = [tuple(str(cell) for cell in row) for row in body]
    widths = [max(len(text) for text in column) for column in zip(titles, *texts, strict=True)]
    numeric = [
        bool(body) and all(isinstance(cell, (int, float)) or cell == MISSING for cell in column)
        for column in zip(*body, strict=True)
    ] or [False] * len(titles)
    for row in (titles, *texts):
        cells = (
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        )
        print("  " + "  ".join(cells).rstrip())


class Progress:
    """A bar that fills in place on a terminal, and a single line at the end anywhere else."""

    def __init__(self, label: str, total: int, out: TextIO = sys.stdout) -> None:
        self._label = label
        self._total = total
        self._done = 0
        self._out = out

    def advance(self, by: int) -> None:
        """So many more are done."""
        self._done += by
        if self._out.isatty():
            self._write("\r", "")

    def _write(self, before: str, after: str) -> None:
        filled = 24 * self._done // max(self._total, 1)
        bar = "█" * filled + "░" * (24 - filled)
        print(f"{before}  {self._label:<12} {bar} {self._done:>5}", end=after, file=self._out, flush=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self._write("\r" if self._out.isatty() else "", "\n")
