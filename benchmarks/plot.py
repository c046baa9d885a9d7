"""A picture of a run: for each operation, the ratio to raw of every contender, on a logarithmic axis, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from statistics import median

__all__ = ["picture"]

_LEFT, _WIDTH, _RIGHT = 250, 560, 40
_TOP, _BAND, _BOTTOM = 96, 34, 46
_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_OMMI = "#c2255c"
_COLOURS = ("#1971c2", "#2f9e44", "#e8590c", "#6741d9", "#0c8599", "#868e96", "#5c940d", "#a61e4d")
_STYLE = "text{font:13px system-ui,sans-serif;fill:#212529}.small{font-size:11px;fill:#495057}.title{font-size:16px}"


def picture(title: str, about: str, seconds: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The text of an SVG file; `seconds` are the measurements by row and contender, `raw` among them.

    Rows and contenders without a measurement are left out.
    """
    ratios = {row: _ratios(found) for row, found in seconds.items() if found.get("raw")}
    names = list(dict.fromkeys(name for found in ratios.values() for name in found))
    axis = _Axis([ratio for found in ratios.values() for ratio in found.values()])
    colours = _colours(names)
    bottom = _TOP + _BAND * len(ratios)
    width, height = _LEFT + _WIDTH + _RIGHT, bottom + _BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">',
        f'<style>{_STYLE}</style><rect width="100%" height="100%" fill="#fff"/>',
        f'<text class="title" x="16" y="26">{escape(title)}</text>',
        *_legend(colours),
        *axis.lines(bottom),
    ]
    for number, (row, found) in enumerate(ratios.items()):
        parts += _band(row, found, _TOP + _BAND * number + _BAND / 2, axis, colours)
    parts.append(f'<text class="small" x="16" y="{height - 12}">{escape(about)}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _ratios(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    base = median(found["raw"])
    return {name: median(times) / base for name, times in found.items() if times and name != "raw"}


def _colours(names: Sequence[str]) -> dict[str, str]:
    others = [name for name in names if not name.startswith("ommi")]
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(others)}
    return {name: colours.get(name, _OMMI) for name in names}


class _Axis:
    """Where a ratio is drawn, from left to right."""

    def __init__(self, ratios: Sequence[float]) -> None:
        shown = [*ratios, 1.0]
        self.ticks = [tick for tick in _TICKS if min(shown) / 2 <= tick <= max(shown) * 2]
        self.low = math.log(min(*shown, self.ticks[0]) * 0.9)
        self.high = math.log(max(*shown, self.ticks[-1]) * 1.1)

    def place(self, ratio: float) -> float:
        """The x of a ratio."""
        return _LEFT + _WIDTH * (math.log(ratio) - self.low) / (self.high - self.low)

    def lines(self, bottom: float) -> list[str]:
        """The grid, with the line of raw itself, and what the lines stand for."""
        parts = []
        for tick in self.ticks:
            x, colour = self.place(tick), "#212529" if tick == 1 else "#dee2e6"
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" stroke="{colour}"/>')
            label = "raw" if tick == 1 else f"{tick:g} ×"
            parts.append(f'<text class="small" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
        return parts


def _legend(colours: Mapping[str, str]) -> list[str]:
    parts, x, y = [], 16.0, 50.0
    for name, colour in colours.items():
        if x + 24 + 8 * len(name) > _LEFT + _WIDTH + _RIGHT:
            x, y = 16.0, y + 20
        parts += [_mark(name, x + 6, y, colour), f'<text x="{x + 18:.0f}" y="{y + 4:.0f}">{escape(name)}</text>']
        x += 36 + 8 * len(name)
    return parts


def _band(row: str, found: Mapping[str, float], y: float, axis: _Axis, colours: Mapping[str, str]) -> list[str]:
    parts = [
        f'<text x="{_LEFT - 14}" y="{y + 4:.1f}" text-anchor="end">{escape(row)}</text>',
        f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#f1f3f5"/>',
    ]
    for name in sorted(found, key=lambda name: name.startswith("ommi")):  # Ommi over the others
        title = f"<title>{escape(name)}: {found[name]:.2f}</title>"
        parts.append(f"<g>{title}{_mark(name, axis.place(found[name]), y, colours[name])}</g>")
    return parts


def _mark(name: str, x: float, y: float, colour: str) -> str:
    if name == "ommi-trio":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="#fff" stroke="{colour}" stroke-width="2.5"/>'
    radius = 6.5 if name == "ommi" else 4.5
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" fill-opacity="0.85"/>'
