"""The part of the regular-expression language that means the same on every database."""

from __future__ import annotations

__all__ = ["checked_regex", "fold"]


def fold(text: str) -> str:
    """Simple case folding: every character alone, to one character (Unicode CaseFolding.txt, status C and S)."""
    return "".join(map(_fold_character, text)) if not text.isascii() else text.lower()


def _fold_character(character: str) -> str:
    folded = character.casefold()
    if len(folded) == 1:
        return folded
    lowered = character.lower()
    return lowered if len(lowered) == 1 else character


def checked_regex(pattern: str) -> str:
    """The pattern, if it uses only literals, `.`, classes, `* + ? {m,n}`, `|`, groups and `^ $`; else `ValueError`."""
    raise NotImplementedError
