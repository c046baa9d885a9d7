"""What runs have found: kept as JSON, shown as text and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

__all__ = ["Figure", "Results", "markdown", "ratios", "readme", "text"]


@dataclass(frozen=True)
class Figure:
    """A small table beside the large one: values by line and column, `None` where there is none."""

    title: str
    unit: str
    lines: dict[str, dict[str, float | None]]


@dataclass
class Results:
    """What one JSON file holds; `seconds` are those of one operation, by row and contender."""

    database: str
    about: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)

    @staticmethod
    def read(path: Path) -> Results:
        """What a file holds."""
        found: dict[str, Any] = json.loads(path.read_text())
        figures = {name: Figure(**figure) for name, figure in found.pop("figures", {}).items()}
        return Results(figures=figures, **found)

    def write(self, path: Path) -> None:
        """Into a file, whose directory is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    def put(self, times: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
        """Add measurements, in the place of those of the same row and contender."""
        for row, found in times.items():
            kept = self.seconds.setdefault(row, {})
            kept.update({name: list(some) for name, some in found.items() if some})

    @property
    def said(self) -> str:
        """What was measured, in one line."""
        return ", ".join(f"{name} {number}" for name, number in self.about.items())

    @property
    def turns(self) -> int:
        """The most measurements of a row and a contender."""
        return max((len(some) for found in self.seconds.values() for some in found.values()), default=0)


def ratios(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The medians of a row's measurements over that of `raw`; nothing if raw was not measured."""
    if not found.get("raw"):
        return {}
    base = median(found["raw"])
    return {name: median(times) / base for name, times in found.items() if times}


def _compared(results: Results) -> tuple[list[str], dict[str, dict[str, float]]]:
    rows = {row: ratios(found) for row, found in results.seconds.items()}
    names = list(dict.fromkeys(name for found in rows.values() for name in found if name != "raw"))
    return names, {row: found for row, found in rows.items() if found}


def text(results: Results) -> str:
    """The ratios and the figures, aligned, for a terminal."""
    names, rows = _compared(results)
    parts = []
    if rows:
        table = [["", *names, "raw, ms"]]
        for row, found in rows.items():
            raw = median(results.seconds[row]["raw"]) * 1e3
            table.append([row, *(_number(found[name]) if name in found else "–" for name in names), _number(raw)])
        parts.append(f"time relative to raw (median of {results.turns}); {results.said}\n{_aligned(table)}")
    parts += [f"{one.title}, {one.unit}\n{_aligned(_cells(one))}" for one in results.figures.values()]
    return "\n\n".join(parts)


def markdown(results: Results) -> str:
    """The same as Markdown, with Ommi's ratios in bold."""
    names, rows = _compared(results)
    parts = []
    if rows:
        lines = [["time relative to raw", *(f"**{name}**" if name == "ommi" else name for name in names)]]
        for row, found in rows.items():
            cells = [_number(found[name]) if name in found else "–" for name in names]
            lines.append(
                [row, *(f"**{cell}**" if name == "ommi" else cell for name, cell in zip(names, cells, strict=True))]
            )
        parts.append(f"{_pipes(lines)}\n\nMedians of {results.turns}; {results.said}.")
    parts += [f"{one.title}, {one.unit}:\n\n{_pipes(_cells(one))}" for one in results.figures.values()]
    return "\n\n".join(parts)


def readme(document: str, results: Results) -> str:
    """A document with its part between `<!-- benchmarks: DATABASE -->` and `<!-- end -->` written anew."""
    begin, end = f"<!-- benchmarks: {results.database} -->", "<!-- end -->"
    if begin not in document or end not in document.partition(begin)[2]:
        raise SystemExit(f"the document needs a line {begin} and after it a line {end}, to write the table between")
    before, _, rest = document.partition(begin)
    return f"{before}{begin}\n{markdown(results)}\n{end}{rest.partition(end)[2]}"


def _cells(figure: Figure) -> list[list[str]]:
    columns = list(dict.fromkeys(name for values in figure.lines.values() for name in values))
    lines = [["", *columns]]
    for line, values in figure.lines.items():
        found = [values.get(name) for name in columns]
        lines.append([line, *("–" if value is None else _number(value) for value in found)])
    return lines


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _aligned(table: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[number]) for line in table) for number in range(len(table[0]))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in table
    )


def _pipes(table: Sequence[Sequence[str]]) -> str:
    head, *lines = table
    rule = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *lines])
