"""A picture of a run: for each operation, the ratio to raw of every contender, on a logarithmic axis, as SVG.

It brings its own background, dark where the reader's is, so that it can be read on any page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.results import Results, ratios

__all__ = ["picture"]

_PAGE, _LEFT, _WIDTH = 900, 214, 556
_BAND, _BOTTOM = 30, 60
_OF_RAW, _OF_BEST = 810, 886
_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)
_BY_HAND = ("thread", "tight", "sqlalchemy-core")
"""Contenders whose objects are built by hand: no mappers."""
_NAMES = {
    "sqlite": "SQLite",
    "postgres": "PostgreSQL",
    "mongo": "MongoDB",
}
_SHAPES = (
    "M-4.5-4.5h9v9h-9z",
    "M0-5.5 5.2 4.2h-10.4z",
    "M0 5.5 5.2-4.2h-10.4z",
    "M0-6 6 0 0 6-6 0z",
    "M-5-2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
    "M-4.8 0A4.8 4.8 0 1 0 4.8 0 4.8 4.8 0 1 0-4.8 0z",
    "M-5-5h10l-10 10h10z",
    "M0-6 1.8-1.9 6-1.6 2.9 1.4 3.8 5.6 0 3.4-3.8 5.6-2.9 1.4-6-1.6-1.8-1.9z",
)
_COLOURS = ("#1c7ed6", "#2f9e44", "#e8590c", "#7048e8", "#0c8599", "#b08900", "#74a12e", "#8a6d5a")
_STYLE = """
text{font:13px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#212529}
.card{fill:#fff;stroke:#dee2e6}.odd{fill:#f6f7f9}.grid{stroke:#e3e6ea}.one{stroke:#495057;stroke-width:1.5}
.range{stroke:#ced4da;stroke-width:2}.small{font-size:11px;fill:#5c636a}.title{font-size:17px;font-weight:600}
.ommi{fill:#d6336c}.bar{fill:#d6336c;fill-opacity:.22}.trio{fill:#fff;stroke:#d6336c;stroke-width:2}
.said{font-weight:600;fill:#c2255c}.floor{fill:none;stroke:#868e96;stroke-width:1.5}
@media(prefers-color-scheme:dark){text{fill:#e6e8ea}.card{fill:#15191e;stroke:#30363d}.odd{fill:#1c2127}
.grid{stroke:#2b3138}.one{stroke:#adb5bd}.range{stroke:#444c55}.small{fill:#9aa4ad}.trio{fill:#15191e}
.said{fill:#f783ac}.bar{fill-opacity:.35}}
"""


def picture(results: Results) -> str:
    """The text of an SVG file. Rows without a measurement of raw are left out."""
    rows = {row: found for row, found in ((row, _shown(found)) for row, found in results.seconds.items()) if found}
    names = list(dict.fromkeys(name for found in rows.values() for name in found))
    axis = _Axis([ratio for found in rows.values() for ratio in found.values()])
    marks = _Marks(names)
    legend, top = marks.legend()
    bottom = top + _BAND * len(rows)
    height = bottom + _BOTTOM
    title = f"Ommi on {_NAMES[results.database]}: time of an operation, relative to the raw driver"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_PAGE} {height}" width="{_PAGE}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">',
        f"<style>{_STYLE}</style>",
        f'<rect class="card" x=".5" y=".5" width="{_PAGE - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="18" y="32">{escape(title)}</text>',
        *legend,
        *_heading(_OF_RAW, top, "Ommi", "÷ raw"),
        *_heading(_OF_BEST, top, "best mapper", "÷ Ommi"),
        *(
            f'<rect class="odd" x="1" y="{top + _BAND * number}" width="{_PAGE - 2}" height="{_BAND}"/>'
            for number in range(0, len(rows), 2)
        ),
        *axis.lines(top, bottom),
    ]
    for number, (row, found) in enumerate(rows.items()):
        parts += _band(row, found, top + _BAND * number + _BAND / 2, axis, marks)
    about = _wrapped(f"{results.said}; medians of {results.turns}; less is better", 150)
    parts += [
        f'<text class="small" x="18" y="{height - 8 - 14 * (len(about) - 1 - number)}">{escape(line)}</text>'
        for number, line in enumerate(about)
    ]
    return "\n".join([*parts, "</svg>", ""])


def _shown(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    return {name: ratio for name, ratio in ratios(found).items() if name != "raw"}


def _is_mapper(name: str) -> bool:
    return not name.startswith("ommi") and name not in _BY_HAND


class _Axis:
    """Where a ratio is drawn, from left to right."""

    def __init__(self, found: Sequence[float]) -> None:
        shown = [*found, 1.0]
        self.low = math.log(min(shown) * 0.85)
        self.high = math.log(max(shown) * 1.15)
        self.ticks = [tick for tick in _TICKS if self.low <= math.log(tick) <= self.high]

    def place(self, ratio: float) -> float:
        """The x of a ratio."""
        return _LEFT + _WIDTH * (math.log(ratio) - self.low) / (self.high - self.low)

    def lines(self, top: float, bottom: float) -> list[str]:
        """The grid, with the line of raw itself, and what the lines stand for."""
        parts = []
        for tick in self.ticks:
            x, kind = self.place(tick), "one" if tick == 1 else "grid"
            label = "raw" if tick == 1 else f"{tick:g}×"
            parts.append(f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}"/>')
            parts.append(f'<text class="small" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{label}</text>')
        return parts


class _Marks:
    """How each contender is drawn: a shape and a colour of its own."""

    def __init__(self, names: Sequence[str]) -> None:
        first = [name for name in ("ommi", "ommi-trio") if name in names]
        self.names = [*first, *(name for name in names if name not in first)]
        peers = [name for name in names if _is_mapper(name)]
        self.looks = {name: number % len(_SHAPES) for number, name in enumerate(peers)}

    def mark(self, name: str, x: float, y: float) -> str:
        """The mark at a place."""
        match name:
            case "ommi":
                return f'<circle class="ommi" cx="{x:.1f}" cy="{y:.1f}" r="7"/>'
            case "ommi-trio":
                return f'<circle class="trio" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
            case "tight":
                return f'<path class="floor" d="M{x:.1f} {y - 6:.1f}v12"/>'
            case "sqlalchemy-core":
                return f'<path class="floor" d="M{x:.1f} {y - 5.5:.1f}l5.2 9.7h-10.4z"/>'
            case "thread":
                return f'<path class="floor" d="M{x - 4:.1f} {y - 4:.1f}l8 8m0-8l-8 8"/>'
            case _:
                pass
        look = self.looks[name]
        at = f"translate({x:.1f} {y:.1f})"
        return f'<path d="{_SHAPES[look]}" transform="{at}" fill="{_COLOURS[look]}" fill-opacity=".85"/>'

    def legend(self) -> tuple[list[str], int]:
        """All marks with their names, and the y below them."""
        parts, x, y = [], 18.0, 56
        for name in self.names:
            width = 30 + 7.3 * len(name)
            if x + width > _PAGE - 10:
                x, y = 18.0, y + 22
            parts += [self.mark(name, x + 6, y), f'<text x="{x + 18:.0f}" y="{y + 4}">{escape(name)}</text>']
            x += width
        return parts, y + 48


def _band(row: str, found: Mapping[str, float], y: float, axis: _Axis, marks: _Marks) -> list[str]:
    peers = {name: ratio for name, ratio in found.items() if _is_mapper(name)}
    parts = [f'<text x="{_LEFT - 12}" y="{y + 4.5:.1f}" text-anchor="end">{escape(row)}</text>']
    if peers:
        low, high = axis.place(min(peers.values())), axis.place(max(peers.values()))
        parts.append(f'<line class="range" x1="{low:.1f}" x2="{high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
    if "ommi" in found:
        ends = sorted([axis.place(1), axis.place(found["ommi"])])
        parts.append(
            f'<rect class="bar" x="{ends[0]:.1f}" y="{y - 6:.1f}" width="{ends[1] - ends[0]:.1f}" height="12"/>'
        )
        parts.append(_said(_OF_RAW, y, f"{found['ommi']:.2f}"))
        if peers:
            parts.append(_said(_OF_BEST, y, f"{min(peers.values()) / found['ommi']:.1f}×"))
    for name in sorted(found, key=lambda name: (name == "ommi-trio", name == "ommi")):  # Ommi over the others
        hint = f"<title>{escape(name)}: {found[name]:.2f}</title>"
        parts.append(f"<g>{hint}{marks.mark(name, axis.place(found[name]), y)}</g>")
    return parts


def _heading(x: float, top: float, *lines: str) -> list[str]:
    return [
        f'<text class="small" x="{x}" y="{top - 22 + 14 * number}" text-anchor="end">{line}</text>'
        for number, line in enumerate(lines)
    ]


def _said(x: float, y: float, what: str) -> str:
    return f'<text class="said" x="{x}" y="{y + 4.5:.1f}" text-anchor="end">{what}</text>'


def _wrapped(said: str, width: int) -> list[str]:
    lines = [""]
    for word in said.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
