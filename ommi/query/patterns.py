"""The part of the regular-expression language that means the same on every database, and case folding.

A pattern is taken only if PostgreSQL's ARE, PCRE and Python's `re` agree on which texts it is found in. Both kinds
of group, `( )` and `(?: )`, are taken: nothing can refer to what a group matched, so they mean the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NoReturn, final

__all__ = ["checked_regex", "fold", "python_regex", "spelled_regex"]

MAX_REPEAT: Final = 255
"""PostgreSQL's DUPMAX."""

MAX_DEPTH: Final = 50
"""Groups in groups; far below what any of the engines takes, so that none runs out of stack."""

_META: Final = frozenset("\\.^$*+?()[]{}|")
_META_IN_CLASS: Final = frozenset("\\[]^-&|~")
_QUANTIFIERS: Final = frozenset("*+?{")
_ESCAPES: Final = {
    "d": "write [0-9]",
    "D": "write [^0-9]",
    "w": "write [A-Za-z0-9_]",
    "W": "write [^A-Za-z0-9_]",
    "s": "write the characters meant, for example [ \\t] as a Python str without the r prefix",
    "S": "write a class of the characters meant",
    "b": "databases differ on what a word is; write the characters around it",
    "B": "databases differ on what a word is; write the characters around it",
    "A": "write ^",
    "Z": "write $",
    "z": "write $",
    "n": "write the character itself: a Python str without the r prefix",
    "r": "write the character itself: a Python str without the r prefix",
    "t": "write the character itself: a Python str without the r prefix",
}
_GROUPS: Final = {
    "=": "look-ahead",
    "!": "look-ahead",
    "<": "look-behind or a named group",
    "P": "a named group",
    ">": "an atomic group",
    "#": "a comment",
}
_SIMPLE: Final = {"\u1fd3": "\u0390", "\u1fe3": "\u03b0", "\ufb05": "\ufb06"}
"""Status S since Unicode 15.1, which not every supported Python knows."""


def fold(text: str) -> str:
    """Simple case folding: every character alone, to one character (Unicode CaseFolding.txt, status C and S)."""
    folded = text.casefold()
    # full folding never shortens a character: of equal length, it folded each one to one
    return folded if len(folded) == len(text) else "".join(map(_fold_character, text))


def _fold_character(character: str) -> str:
    folded = character.casefold()
    if len(folded) == 1:
        return folded
    lowered = _SIMPLE.get(character) or character.lower()
    return lowered if len(lowered) == 1 else character


def checked_regex(pattern: str) -> str:
    """The pattern itself, if it uses only literals, `.`, classes, `* + ? {m,n}`, `|`, groups and `^ $`.

    `ValueError` names the place of anything else, and what to write instead.
    """
    _parsed(pattern)
    return pattern


def spelled_regex(pattern: str, *, dot: str, end: str) -> str:
    """A checked pattern for one engine: `dot` is its any character but newline, `end` its very end of the text.

    Everything else is spelled so that all engines read it alike.
    """
    return "".join([dot if piece == _DOT else end if piece == _END else piece for piece in _parsed(pattern)])


@lru_cache(maxsize=512)
def python_regex(pattern: str) -> re.Pattern[str]:
    """A checked pattern, compiled; its `search` says whether it is found in a text."""
    return re.compile(spelled_regex(pattern, dot=".", end=r"\Z"))


_DOT: Final = "<dot>"
_END: Final = "<end>"


@lru_cache(maxsize=512)
def _parsed(pattern: str) -> tuple[str, ...]:
    return _Parser(pattern).parse()


@final
@dataclass(slots=True)
class _Parser:
    """One pass over a pattern; a group's place and whether it holds a quantifier are kept on a stack."""

    pattern: str
    at: int = 0
    pieces: list[str] = field(default_factory=list)
    open: list[tuple[int, bool]] = field(default_factory=list)
    quantified: bool = False
    """Whether the group being read holds a quantifier so far."""

    def parse(self) -> tuple[str, ...]:
        before = "nothing"  # what a quantifier would repeat
        while self.at < len(self.pattern):
            before = self.piece(self.pattern[self.at], before)
        if self.open:
            self.refuse("the group is not closed", "write ) or, for the character itself, \\(", self.open[-1][0])
        return tuple(self.pieces)

    def piece(self, found: str, before: str) -> str:
        if found in _QUANTIFIERS:
            return self.quantifier(found, before)
        match found:
            case "(":
                return self.open_group()
            case ")":
                return self.close_group()
            case "[":
                return self.character_class()
            case "]" | "}":
                self.refuse(f"{found} closes nothing", f"write \\{found} for the character itself")
            case "|":
                return self.take("|", "nothing")
            case "^":
                return self.take("^", "an end of the text")
            case "$":
                return self.take(_END, "an end of the text")
            case ".":
                return self.take(_DOT, "a character")
            case "\\":
                found = self.escaped()
            case _:
                pass
        return self.take(f"\\{found}" if found in _META else found, "a character")

    def take(self, piece: str, said: str) -> str:
        self.pieces.append(piece)
        self.at += 1
        return said

    def escaped(self) -> str:
        """The character after a backslash, which stands for itself; `at` is left on it."""
        if self.at + 1 == len(self.pattern):
            self.refuse("a backslash ends the pattern", "write \\\\ for the character itself")
        found = self.pattern[self.at + 1]
        if found.isdecimal():
            self.refuse(f"the back-reference \\{found} is not on every database", "repeat the part itself")
        if found.isalnum() or not found.isascii():
            self.refuse(
                f"the escape \\{found} does not mean the same on every database",
                _ESCAPES.get(found, f"write {found} itself, or a class of the characters meant"),
            )
        self.at += 1
        return found

    def open_group(self) -> str:
        start = self.at
        text = "("
        if self.pattern.startswith("(?", start):
            kind = self.pattern[start + 2 : start + 3]
            if kind != ":":
                self.refuse(
                    f"{_GROUPS.get(kind, 'a flag')} is not on every database",
                    "use plain groups ( ) only; .lower() or .ilike(…) compare without regard to case",
                )
            text = "(?:"
        if len(self.open) == MAX_DEPTH:
            self.refuse(f"groups are nested more than {MAX_DEPTH} deep", "use fewer")
        self.open.append((start, self.quantified))
        self.quantified = False
        self.at += len(text) - 1
        return self.take(text, "nothing")

    def close_group(self) -> str:
        if not self.open:
            self.refuse(") closes nothing", "write \\) for the character itself")
        inside = self.quantified
        self.quantified = self.open.pop()[1] or inside
        return self.take(")", "a group that holds a quantifier" if inside else "a group")

    def quantifier(self, found: str, before: str) -> str:
        if before == "a quantifier":
            said = {"?": "a lazy quantifier", "+": "a possessive quantifier"}.get(found, "a quantifier on a quantifier")
            self.refuse(f"{said} is not on every database", "write one quantifier, or \\ before the character itself")
        if before == "a group that holds a quantifier":
            self.refuse("a quantifier on a group that holds one is not taken", "repeat characters or classes only")
        if before not in ("a character", "a group"):
            self.refuse(
                f"the quantifier {found} has {before} before it to repeat", f"write \\{found} for the character itself"
            )
        text = self.bounds() if found == "{" else found
        self.quantified = True
        self.at += len(text) - 1
        return self.take(text, "a quantifier")

    def bounds(self) -> str:
        found = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}").match(self.pattern, self.at)
        if found is None:
            self.refuse("{ begins no {m}, {m,} or {m,n}", "write \\{ for the character itself, or {0,n} for {,n}")
        low, _, high = found.groups()
        if max(int(low), int(high or 0)) > MAX_REPEAT:
            self.refuse(f"{found[0]} repeats more than {MAX_REPEAT} times", "write a smaller bound")
        if high and int(low) > int(high):
            self.refuse(f"{found[0]} has its bounds in the wrong order", f"write {{{high},{low}}}")
        return found[0]

    def character_class(self) -> str:
        start = self.at
        self.at += 1
        text = "["
        if self.pattern.startswith("^", self.at):
            self.at += 1
            text = "[^"
        if self.pattern.startswith("]", self.at):
            self.refuse("the class is empty", "write \\] for the character itself", start)
        while not self.pattern.startswith("]", self.at):
            text += self.member(start)
        return self.take(f"{text}]", "a character")

    def member(self, start: int) -> str:
        first_at = self.at
        first = self.class_character(start)
        if not self.pattern.startswith("-", self.at) or self.pattern.startswith("-]", self.at):
            return _in_class(first)
        if self.pattern[first_at] == "-":
            self.refuse("- at the beginning of a range", "write \\- for the character itself", first_at)
        self.at += 1
        if self.pattern.startswith("-", self.at):
            self.refuse("- at the end of a range", "write \\- for the character itself")
        last = self.class_character(start)
        if first > last:
            self.refuse(f"the range {first}-{last} has its ends in the wrong order", f"write {last}-{first}", first_at)
        if self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at):
            self.refuse("- after a range", "write \\- for the character itself")
        return f"{_in_class(first)}-{_in_class(last)}"

    def class_character(self, start: int) -> str:
        if self.at >= len(self.pattern):
            self.refuse("the class is not closed", "write ] or, for the character itself, \\[", start)
        found = self.pattern[self.at]
        if found == "[":
            after = self.pattern[self.at + 1 : self.at + 2]
            said = "POSIX classes are not on every database" if after in (":", ".", "=") else "[ in a class"
            self.refuse(said, "write the range itself, like a-z, or \\[ for the character")
        if found == "\\":
            found = self.escaped()
        self.at += 1
        return found

    def refuse(self, problem: str, remedy: str, at: int | None = None) -> NoReturn:
        place = self.at if at is None else at
        raise ValueError(f"regex {self.pattern!r}, character {place + 1}: {problem}; {remedy}")


def _in_class(character: str) -> str:
    return f"\\{character}" if character in _META_IN_CLASS else character
