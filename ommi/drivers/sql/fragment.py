"""Pieces of SQL: text that is ours, and places for values. There is no other way for a value into a statement."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias, final

from ommi.frozen import frozen
from ommi.values import Kind

__all__ = ["Encode", "Fragment", "Place", "encoder", "fill", "joined", "places", "render", "text"]

Encode: TypeAlias = Callable[[Sequence[Any]], Sequence[Any]]


@final
@frozen(eq=False)
class Place:
    """A parameter: which of a statement's values it takes (a slice: a list of them), and how it is written.

    `kind` is that of the value, or of each one of the list.
    """

    source: int | slice
    kind: Kind
    dump: Callable[[Any], Any] | None = None

    def value(self, values: Sequence[Any]) -> Any:
        """What the parameter is, given the statement's values."""
        found = values[self.source]
        return found if self.dump is None else self.dump(found)


Fragment: TypeAlias = tuple[str | Place, ...]


def text(sql: str) -> Fragment:
    """A fragment without places."""
    return (sql,)


def fill(template: str, *parts: Fragment) -> Fragment:
    """The template with `{0}`, `{1}`, … replaced by fragments, each as often as it is named."""
    found: list[str | Place] = []
    for before, number, _, _ in string.Formatter().parse(template):
        if before:
            found.append(before)
        if number is not None:
            found.extend(parts[int(number)])
    return tuple(found)


def joined(separator: str, parts: Iterable[Fragment]) -> Fragment:
    """The fragments with the separator between them."""
    found: list[str | Place] = []
    for part in parts:
        if found:
            found.append(separator)
        found.extend(part)
    return tuple(found)


def places(fragment: Fragment) -> tuple[Place, ...]:
    """The fragment's places, from left to right."""
    return tuple(part for part in fragment if isinstance(part, Place))


def render(fragment: Fragment, write: Callable[[int, Place], str]) -> str:
    """The fragment's SQL; `write` gives the text of a place by its number, from 1."""
    number = 0
    found: list[str] = []
    for part in fragment:
        if isinstance(part, Place):
            number += 1
            found.append(write(number, part))
        else:
            found.append(part)
    return "".join(found)


def encoder(taken: Sequence[Place], width: int, *, optional: bool = False) -> Encode | None:
    """A function from `width` values to the parameters of these places; `None` if the values are the parameters.

    With `optional`, a value that is `None` stays `None`.
    """
    if len(taken) == width and all(place.source == n and place.dump is None for n, place in enumerate(taken)):
        return None
    names: dict[str, Any] = {}
    parts: list[str] = []
    for number, place in enumerate(taken):
        source = place.source
        value = f"v[{source}]" if isinstance(source, int) else f"v[{source.start}:{source.stop}]"
        if place.dump is not None:
            names[f"d{number}"] = place.dump
            dumped = f"d{number}({value})"
            value = f"{value} if {value} is None else {dumped}" if optional else dumped
        parts.append(value)
    # made of positions only: as fast as if it had been written by hand, which a bulk insert needs
    made: Encode = eval(f"lambda v: ({''.join(f'{part}, ' for part in parts)})", names)  # noqa: S307
    return made
