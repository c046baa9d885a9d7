"""SQL templates: `{}` and `{name}` are parameters or quoted names, never text.

What the words of a template say is read from outside of its quotes and comments: whether it changes the database, and
whether it is something that only the runtime may do, such as COMMIT.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from ommi.query.expressions import Column, Expression, Literal
from ommi.query.statements import Sql
from ommi.schema import Field, Schema

__all__ = ["Part", "parsed"]

Part: TypeAlias = str | Literal | Schema | Field

_READING: Final = frozenset({"SELECT", "VALUES", "TABLE", "WITH", "EXPLAIN", "SHOW"})
_WRITING: Final = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "INTO", "NEXTVAL", "SETVAL"})
_RUNTIMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT"), "put .transactional() around the program"
    ),
    **dict.fromkeys(("SAVEPOINT", "RELEASE"), "put .savepoint() around the part of the program"),
    **dict.fromkeys(
        ("PRAGMA", "ATTACH", "DETACH", "RESET", "DISCARD", "LISTEN", "UNLISTEN", "PREPARE", "DEALLOCATE"),
        "it changes one connection of a pool, and others than this program would get that connection",
    ),
}
# patterns as text: `re` compiles them, and keeps them, when there is a template
_OUTSIDE: Final = r"""(?s)'(?:[^']|'')*'|"(?:[^"]|"")*"|`(?:[^`]|``)*`|(\$\w*\$).*?\1|--[^\n]*|/\*.*?\*/"""
_LOCKING: Final = r"(?i)\bFOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE|KEY\s+SHARE)\b"


def parsed(
    template: str,
    values: Sequence[object],
    named: Mapping[str, object],
    *,
    rows: bool,
    writes: bool,
    literal: Callable[[object, str], Literal],
    schema: Callable[[type[Any]], Schema],
) -> Sql:
    """The statement of a template; `literal` makes a parameter of a value, given where it stands.

    Raises `ValueError` for a template that cannot be filled, or is the runtime's to say, and `TypeError` for values
    that are none, or that change the database though `writes` was not said.
    """
    parts: list[Part] = []
    used: set[str] = set()
    counted = 0
    for text, name, said, conversion in _pieces(template):
        if text:
            parts.append(text)
        if name is None:
            continue
        if said or conversion:
            raise ValueError(f"{{{name}}} in a template is a parameter, and takes no format or conversion")
        if not name:
            name, counted = str(counted), counted + 1
        first, _, rest = name.partition(".")
        if first.isdecimal() and int(first) < len(values):
            value = values[int(first)]
        elif first in named:
            value = named[first]
        else:
            raise ValueError(f"the template has {{{name}}}, and no value was given for it")
        used.add(first)
        parts += _filled(value, name, rest, literal, schema)
    unused = {*map(str, range(len(values))), *named} - used
    if unused:
        raise ValueError(f"values were given that the template has no place for: {', '.join(sorted(unused))}")
    bare = re.sub(_OUTSIDE, " ", "".join(part if isinstance(part, str) else " ? " for part in parts))
    changes = _changes(bare)
    if rows and changes and not writes:
        raise TypeError(
            "this SQL changes the database: write execute(…), or, for the rows it gives, sql(…, writes=True)"
        )
    return Sql(tuple(parts), rows, writes or changes, _locks(bare))


def _pieces(template: str) -> Iterator[tuple[str, str | None, str | None, str | None]]:
    from string import Formatter  # here, because it compiles a pattern of its own

    try:
        yield from Formatter().parse(template)
    except ValueError as error:
        raise ValueError(f"{error} in an SQL template: write {{{{ and }}}} for braces") from error


def _filled(
    value: object,
    name: str,
    attribute: str,
    literal: Callable[[object, str], Literal],
    schema: Callable[[type[Any]], Schema],
) -> list[Part]:
    place = f"{{{name}}}"
    if isinstance(value, type):
        found = schema(value)
        if not attribute:
            return [found]
        field = found.by_name.get(attribute)
        if field is None:
            raise ValueError(f"{place}: {found.name} has no field {attribute!r}")
        return [field]
    if attribute:
        raise ValueError(f"{place} in an SQL template: only the fields of a model are reached with a dot")
    if isinstance(value, Column):
        return [value.field]
    if isinstance(value, Expression):
        raise TypeError(f"{place} is {value!r}, which cannot be put into SQL: give a value, a model or a column")
    if isinstance(value, tuple):
        if not value:
            raise ValueError(f"{place} is an empty tuple, and a list of values in SQL has at least one")
        parts: list[Part] = ["("]
        for one in value:
            parts += [", ", literal(one, place)] if len(parts) > 1 else [literal(one, place)]
        return [*parts, ")"]
    return [literal(value, place)]


def _changes(bare: str) -> bool:
    words = _words(re.sub(_LOCKING, " ", bare))
    if not words:
        raise ValueError("this SQL has no words in it")
    first = words[0]
    if first in _RUNTIMES:
        raise ValueError(f"{first} cannot be said by an SQL template: {_RUNTIMES[first]}")
    if first == "SET":
        if words[1:2] not in (["LOCAL"], ["CONSTRAINTS"]):
            raise ValueError("SET would stay with one connection of a pool: write SET LOCAL, for one transaction")
        return False
    return first not in _READING or not _WRITING.isdisjoint(words)


def _locks(bare: str) -> bool:
    return re.search(_LOCKING, bare) is not None or _words(bare)[0] == "SET"


def _words(bare: str) -> list[str]:
    return [word.upper() for word in re.findall(r"[^\W\d]\w*", bare)]
