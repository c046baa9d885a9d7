"""Commands as texts without values, for who asks what was sent: `updateMany person {_id: ?} {$set: {age: ?}}`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, final

from ommi.drivers.driver import Request
from ommi.drivers.merging import Teller, telling_all

__all__ = ["Told", "bulk_text", "command_text", "find_text", "pipeline_text", "tell", "telling", "with_begin"]

_teller: Final[ContextVar[Teller | None]] = ContextVar("ommi_mongo_teller", default=None)
_FEW: Final = 3
_INNER: Final = frozenset({"$and", "$or", "$nor"})
_OPERANDS: Final = frozenset({"$not", "$elemMatch"})


@contextmanager
def telling(requests: Sequence[Request]) -> Iterator[None]:
    """Tell who asked for a statement, or for several that are made as one, each command that is sent meanwhile."""
    told = telling_all(requests)
    if told is None:
        yield
        return
    token = _teller.set(told)
    try:
        yield
    finally:
        _teller.reset(token)


def tell(text: Callable[[], str]) -> None:
    """A command is sent, in a trip of its own."""
    told = _teller.get()
    if told is not None:
        told(text(), 1)


def with_begin(sent: Teller | None) -> Teller | None:
    """As `sent`, of a transaction's first statement: the server hears of both in one trip."""
    if sent is None:
        return None
    begun = False

    def told(text: str, trips: int) -> None:
        nonlocal begun
        sent(text, trips if begun else trips - 1)
        begun = True

    return told


@final
class Told:
    """A collection that tells what is asked of it."""

    __slots__ = ("_collection", "_name")

    def __init__(self, collection: Any, name: str) -> None:
        self._collection = collection
        self._name = name

    @classmethod
    def of(cls, collection: Any, name: str) -> Any:
        """The collection itself, where nobody wants to be told."""
        return collection if _teller.get() is None else cls(collection, name)

    def __getattr__(self, method: str) -> Any:
        ask = getattr(self._collection, method)

        def asked(*arguments: Any, **options: Any) -> Any:
            tell(lambda: _call_text(method, self._name, arguments))
            return ask(*arguments, **options)

        return asked


def find_text(collection: str, where: Mapping[str, Any], sort: Mapping[str, int] | None, limit: int) -> str:
    """The text of a find."""
    order = "" if not sort else f" sort {{{', '.join(f'{path}: {way}' for path, way in sort.items())}}}"
    return f"find {collection} {_filter(where)}{order}{' limit ?' if limit else ''}"


def pipeline_text(collection: str, pipeline: Sequence[Mapping[str, Any]]) -> str:
    """The text of an aggregation."""
    return f"aggregate {collection} [{', '.join(map(_stage, pipeline))}]"


def command_text(body: Mapping[str, Any] | Sequence[Mapping[str, Any]], collection: str) -> str:
    """The text of what an application wrote itself: of that, the words alone."""
    if isinstance(body, Mapping):
        return f"{next(iter(body))} {collection}"
    return f"aggregate {collection} [{', '.join(next(iter(stage), '') for stage in body)}]"


def bulk_text(name: str, collection: str, first: Mapping[str, Any], count: int) -> str:
    """The text of many writes in one command, which are alike."""
    if name == "insert":
        return f"insertMany {collection} {_row(first)} × {count}"
    return f"bulkWrite {collection} updateOne {_filter(first['q'])} {_change(first['u'])} × {count}"


def _call_text(method: str, collection: str, arguments: Sequence[Any]) -> str:
    head, *rest = method.split("_")
    words = [head + "".join(map(str.capitalize, rest)), collection]
    given, *changes = arguments
    if isinstance(given, Mapping):
        words.append(_row(given) if head == "insert" else _filter(given))
    else:
        words.append(f"{_row(given[0])} × {len(given)}")
    words += map(_change, changes)
    return " ".join(words)


def _row(document: Mapping[str, Any]) -> str:
    return f"{{{', '.join(f'{path}: ?' for path in document)}}}"


def _filter(where: Mapping[str, Any]) -> str:
    """A filter: the keys of it are fields or operators, and what is in them is data, but for operators."""
    parts = []
    for key, value in where.items():
        if key in _INNER:
            parts.append(f"{key}: {_listed([_filter(part) for part in value])}")
        elif key == "$expr":
            parts.append(f"{key}: {_expression(value)}")
        else:
            parts.append(f"{key}: {_condition(value)}")
    return f"{{{', '.join(parts)}}}"


def _condition(value: Any) -> str:
    if not isinstance(value, Mapping) or not value or not all(key.startswith("$") for key in value):
        return "?"
    inner = [f"{key}: {_condition(part) if key in _OPERANDS else '?'}" for key, part in value.items()]
    return "?" if [*value] == ["$eq"] else f"{{{', '.join(inner)}}}"


def _change(change: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    if not isinstance(change, Mapping):
        return f"[{', '.join(map(_stage, change))}]"
    return f"{{{', '.join(f'{operator}: {_row(fields)}' for operator, fields in change.items())}}}"


def _stage(stage: Mapping[str, Any]) -> str:
    ((name, value),) = stage.items()
    return f"{{{name}: {_filter(value) if name == '$match' else _expression(value)}}}"


def _expression(value: Any) -> str:
    """An expression: in it a text that begins with a dollar is a path, and data is in a `$literal`."""
    if isinstance(value, Mapping):
        parts = [f"{key}: {'?' if key == '$literal' else _expression(part)}" for key, part in value.items()]
        return f"{{{', '.join(parts)}}}"
    if isinstance(value, (list, tuple)):
        return _listed([_expression(part) for part in value])
    return value if isinstance(value, str) and value.startswith("$") else "?"


def _listed(parts: Sequence[str]) -> str:
    few = parts if len(parts) <= _FEW else [*parts[:_FEW], "…"]
    return f"[{', '.join(few)}]"
