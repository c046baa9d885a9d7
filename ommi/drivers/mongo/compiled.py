"""Between rows and documents, in functions that are written for one table: a third of the time of a loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ommi.schema import Row

__all__ = ["document_maker", "row_reader"]

Convert: TypeAlias = Callable[[Any], Any]


def document_maker(fields: Sequence[tuple[str, Convert | None]]) -> Callable[[Row], dict[str, Any]]:
    """A function from a row to its document: the key of each value, and what makes of it what is kept."""
    values = [f"v{place}" for place in range(len(fields))]
    lines = ["def make(row):", f"    {', '.join(values)}, = row", "    document = {}"]
    names: dict[str, Any] = {}
    for place, (value, (path, dump)) in enumerate(zip(values, fields, strict=True)):
        names[f"dump{place}"] = dump
        kept = value if dump is None else f"dump{place}({value})"
        lines.append(f"    if {value} is not None: document[{path!r}] = {kept}")
    return _defined("make", [*lines, "    return document"], names)


def row_reader(fields: Sequence[tuple[str, bool, Convert | None]]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """A function from a document to its row: the key of each value, whether it may be missing, and what converts it."""
    names: dict[str, Any] = {}
    quick: list[str] = []
    slow: list[str] = []
    for place, (path, may_miss, load) in enumerate(fields):
        names[f"load{place}"] = load
        for parts, value in ((quick, f"get({path!r})" if may_miss else f"d[{path!r}]"), (slow, f"get({path!r})")):
            parts.append(value if load is None else f"load{place}({value})")
    lines = ["def read(d):", "    get = d.get", f"    try: return ({', '.join(quick)},)"]
    # another program may have left out what is required
    return _defined("read", [*lines, f"    except KeyError: return ({', '.join(slow)},)"], names)


def _defined(name: str, lines: Sequence[str], names: dict[str, Any]) -> Callable[..., Any]:
    # of the user's, the text has names of fields, each as Python writes a text
    exec(compile("\n".join(lines), f"<ommi {name}>", "exec"), names)  # noqa: S102
    function: Callable[..., Any] = names[name]
    return function
