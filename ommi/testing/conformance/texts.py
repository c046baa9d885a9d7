"""Text operators: literal, case-sensitive unless they say otherwise, by code point (semantics §3)."""

from __future__ import annotations

from typing import Any

import pytest

from ommi.database import Ommi
from ommi.effects.finding import find
from ommi.effects.operations import add_all
from ommi.query.expressions import Predicate, col
from ommi.testing.conformance.database import DatabaseTests, keys
from ommi.testing.models import Sample
from ommi.testing.outcomes import succeeds

__all__ = ["Texts"]

text, label, title = col(Sample.text), col(Sample.label), col(Sample.title)

TEXTS: list[str | None] = [
    None, "", "Ada", "ada", "ADA%", "a_b", "a.b", "a\\b", "axb", "Straße", "STRASSE", "STRAßE", "ÄÖ", "äö",
    "\u212a", "k", "ſ", "Σς", "σσ", "😀", "e\u0301", "é", "a\nb", "it's \"q\"", "İ", "i",
]  # fmt: skip


def samples() -> list[Sample]:
    """One row for each text; `label` is a part of some of them."""
    labels: dict[str | None, str] = {"Ada": "Ad", "ada": "Ad", "a_b": "_", "axb": "_", "a.b": "b", "": ""}
    return [
        Sample(number, text=found, label=labels.get(found), title=found or "") for number, found in enumerate(TEXTS, 1)
    ]


def of(*texts: str) -> list[int]:
    """The keys of the rows with these texts."""
    return sorted(TEXTS.index(found) + 1 for found in texts)


PRESENT = [number for number, found in enumerate(TEXTS, 1) if found is not None]

CASES: list[tuple[str, Predicate[Any], list[int]]] = [
    ("contains is case-sensitive", text.contains("d"), of("Ada", "ada")),
    ("contains a percent sign", text.contains("%"), of("ADA%")),
    ("contains an underscore", text.contains("_"), of("a_b")),
    ("contains a dot", text.contains("."), of("a.b")),
    ("contains a backslash", text.contains("\\"), of("a\\b")),
    ("contains a quote", text.contains("'s \""), of('it\'s "q"')),
    ("contains a newline", text.contains("\n"), of("a\nb")),
    ("contains a character beyond the BMP", text.contains("😀"), of("😀")),
    ("contains does not compose characters", text.contains("é"), of("é")),
    ("contains nothing", text.contains(""), PRESENT),
    ("contains a column", text.contains(label), of("Ada", "a_b", "a.b", "")),
    ("does not contain", text.not_contains("a"), [n for n, t in enumerate(TEXTS, 1) if "a" not in (t or "")]),
    ("starts with", text.starts_with("A"), of("Ada", "ADA%")),
    ("starts with what like would take for a pattern", text.starts_with("a_"), of("a_b")),
    ("starts with a column", text.starts_with(label), of("Ada", "")),
    ("starts with nothing", text.startswith(""), PRESENT),
    ("ends with", text.ends_with("a"), of("Ada", "ada")),
    ("ends with a percent sign", text.endswith("%"), of("ADA%")),
    ("ends with a column", text.ends_with(label), of("a.b", "")),
    ("like with any characters", text.like("A%"), of("Ada", "ADA%")),
    ("like with one character", text.like("a_b"), of("a_b", "a.b", "a\\b", "axb", "a\nb")),
    ("like with one character beyond the BMP", text.like("_"), of("\u212a", "k", "ſ", "😀", "é", "İ", "i")),
    ("like is case-sensitive", text.like("ada"), of("ada")),
    ("like has no escape", text.like("a\\_"), of("a\\b")),
    ("like anything", text.like("%"), PRESENT),
    ("like in the middle", text.like("%d%"), of("Ada", "ada")),
    ("like nothing", text.like(""), of("")),
    ("ilike folds letters", text.ilike("ADA"), of("Ada", "ada")),
    ("ilike has no wildcards", text.ilike("ada%"), of("ADA%")),
    ("ilike folds beyond ASCII", text.ilike("äÖ"), of("ÄÖ", "äö")),
    ("ilike keeps the length", text.ilike("straße"), of("Straße", "STRAßE")),
    ("ilike does not take ss for ß", text.ilike("strasse"), of("STRASSE")),
    ("ilike folds the Kelvin sign", text.ilike("K"), of("\u212a", "k")),
    ("ilike folds a final sigma", text.ilike("ΣΣ"), of("Σς", "σσ")),
    ("ilike leaves a dotted I alone", text.ilike("I"), of("i")),
    ("regex at the beginning", text.regex("^A"), of("Ada", "ADA%")),
    ("regex at the end", text.regex("b$"), of("a_b", "a.b", "a\\b", "axb", "a\nb")),
    ("regex of any character but a newline", text.regex("^a.b$"), of("a_b", "a.b", "a\\b", "axb")),
    ("regex of a dot", text.regex("a\\.b"), of("a.b")),
    ("regex with a class", text.regex("^[A-C][a-d]+$"), of("Ada")),
    ("regex with an alternative", text.regex("^(ada|k)$"), of("ada", "k")),
    ("regex with a count", text.regex("^σ{2}$"), of("σσ")),
    ("lower maps ASCII alone", text.lower() == "Äö".lower(), of("äö")),
    ("lower maps ASCII", text.lower() == "ada", of("Ada", "ada")),
    ("upper maps ASCII", text.upper() == "STRAßE", of("Straße", "STRAßE")),
    ("length counts code points", text.length() == 2, of("ÄÖ", "äö", "Σς", "σσ", "e\u0301")),
    ("length of nothing", text.length() == 0, of("")),
    ("a function in an operator", text.lower().contains("ad"), of("Ada", "ada", "ADA%")),
    ("the part of a column that is never missing", title.contains(label), of("Ada", "a_b", "a.b", "")),
]


class Texts(DatabaseTests):
    """A text operator is false where the text is missing, and its negation true."""

    @pytest.mark.parametrize("condition, expected", [pytest.param(c, k, id=name) for name, c, k in CASES])
    async def test_text_operator_and_its_complement(
        self, db: Ommi, condition: Predicate[Any], expected: list[int]
    ) -> None:
        assert await keys(db, samples(), condition) == expected

    async def test_text_functions_in_a_selection(self, db: Ommi) -> None:
        await succeeds(db, add_all([Sample(1, text="Äb"), Sample(2, text=None)]))
        query = find(Sample).order_by(Sample.id).select(text.lower(), text.upper(), text.length())
        assert await succeeds(db, query.all()) == [("Äb", "ÄB", 2), (None, None, None)]
