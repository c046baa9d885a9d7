"""Text operators, as PostgreSQL's own ones on texts of the collation "C", which orders by code point."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import Final

from ommi.drivers.sql.dialect import TextForm
from ommi.query.expressions import TextOperator
from ommi.query.patterns import fold, spelled_regex

__all__ = ["TEXTS"]

_LAST_CASED: Final = 0x20000
"""The planes after the second hold ideographs, which have no case."""


def _like(pattern: str) -> str:
    """The pattern for a LIKE whose escape is the backslash."""
    return pattern.replace("\\", "\\\\")


def _after(prefix: str) -> str | None:
    """The least text after all texts with a prefix; `None` if there is none."""
    for at in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[at])
        if code < sys.maxunicode:
            return prefix[:at] + chr(0xE000 if code == 0xD7FF else code + 1)
    return None


def _regex(pattern: str) -> str:
    return spelled_regex(pattern, dot="[^\n]", end="$")


def _folded(text: str) -> str:
    """A pattern that matches the texts which fold as this one does.

    No collation of the server folds as Unicode's simple case folding does on every version, and a build may have
    none but "C"; so each character is spelled out with those that it equals.
    """
    alike = _alike()
    return f"^{''.join(alike.get(character) or re.escape(character) for character in fold(text))}$"


@cache
def _alike() -> Mapping[str, str]:
    """By what they fold to: a class of the characters that fold to the same, where there are several."""
    found: dict[str, str] = {}
    for character in map(chr, range(_LAST_CASED)):
        if character.casefold() != character and (folded := fold(character)) != character:
            found[folded] = found.get(folded, folded) + character
    return {folded: f"[{characters}]" for folded, characters in found.items()}


TEXTS: Final[Mapping[TextOperator, TextForm]] = {
    "contains": TextForm("strpos({0}, {1}) > 0", (None,), "strpos({0}, {1}) > 0"),
    "starts_with": TextForm(
        # a range can use an index, and once it is planned with its values, the last part is gone
        "({0} >= {1} AND ({0} < {2} OR {2} IS NULL))",
        (None, _after),
        "starts_with({0}, {1})",
    ),
    "ends_with": TextForm("right({0}, length({1})) = {1}", (None,), "right({0}, length({1})) = {1}"),
    "like": TextForm("{0} LIKE {1}", (_like,)),
    "ilike": TextForm("{0} ~ {1}", (_folded,)),
    "regex": TextForm("{0} ~ {1}", (_regex,)),
}
