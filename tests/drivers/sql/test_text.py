"""Text operators on SQLite: case-sensitive, literal, by code point (semantics §3)."""

from dataclasses import dataclass
from typing import Annotated, Any

import pytest

from ommi import Index, Key, ModelCollection, find, not_, ommi_model

models = ModelCollection()


@ommi_model(collection=models)
@dataclass
class Word:
    id: Annotated[int, Key]
    text: Annotated[str | None, Index] = None
    part: str | None = None


def texts(db: Any, condition: Any) -> list[str | None]:
    return [row[0] for row in db.all(find(Word, condition).order_by(Word.id.asc).select(Word.text))]


def fill(db: Any, *words: str | None) -> None:
    db.create(Word)
    db.add(Word(n, text) for n, text in enumerate(words))


@pytest.mark.parametrize("special", list("%_*?[]^-\\.'\"{}\u00e9\U0001f600\x7f\n"))
def test_contains_starts_with_and_ends_with_take_every_character_as_itself(db: Any, special: str) -> None:
    fill(db, "ab", f"a{special}b", f"{special}ab", f"ab{special}", "A", None)
    assert texts(db, Word.text.contains(special)) == [f"a{special}b", f"{special}ab", f"ab{special}"]
    assert texts(db, Word.text.starts_with(special)) == [f"{special}ab"]
    assert texts(db, Word.text.ends_with(special)) == [f"ab{special}"]


def test_they_mind_the_case(db: Any) -> None:
    fill(db, "Ab", "aB", "\u00c9", "\u00e9")
    assert texts(db, Word.text.contains("b")) == ["Ab"]
    assert texts(db, Word.text.starts_with("a")) == ["aB"]
    assert texts(db, Word.text.ends_with("B")) == ["aB"]
    assert texts(db, Word.text.like("\u00e9")) == ["\u00e9"]


@pytest.mark.parametrize("name", ["contains", "starts_with", "ends_with"])
def test_the_empty_text_is_in_every_text_but_in_none_that_is_missing(db: Any, name: str) -> None:
    fill(db, "", "a", None)
    condition = getattr(Word.text, name)("")
    assert texts(db, condition) == ["", "a"]
    assert texts(db, not_(condition)) == [None]


@pytest.mark.parametrize("name", ["contains", "starts_with", "ends_with"])
def test_one_column_is_looked_for_in_another(db: Any, name: str) -> None:
    db.create(Word)
    rows = [("aba", "a"), ("aba", "ba"), ("aba", ""), ("aba", "xaba"), ("", ""), (None, ""), ("a", None), ("a%", "%")]
    db.add(Word(n, *row) for n, row in enumerate(rows))
    method = {"contains": str.__contains__, "starts_with": str.startswith, "ends_with": str.endswith}[name]
    expected = [n for n, (text, part) in enumerate(rows) if None not in (text, part) and method(text, part)]
    found = find(Word, getattr(Word.text, name)(Word.part)).order_by(Word.id.asc).select(Word.id)
    assert [row[0] for row in db.all(found)] == expected


@pytest.mark.parametrize(
    ("prefix", "inside", "outside"),
    [
        ("a\U0010ffff", ["a\U0010ffff", "a\U0010ffff\U0010ffff"], ["b", "a"]),
        ("\U0010ffff", ["\U0010ffff\U0010ffff"], ["\ufffd", "z"]),
        ("\ud7ff", ["\ud7ffz"], ["\ue000", "\ud7fe"]),
        ("z", ["z", "z\U0010ffff"], ["{", "y\U0010ffff"]),
    ],
)
def test_starts_with_ends_where_the_next_prefix_begins(
    db: Any, prefix: str, inside: list[str], outside: list[str]
) -> None:
    fill(db, *inside, *outside)
    assert texts(db, Word.text.starts_with(prefix)) == inside
    assert texts(db, not_(Word.text.starts_with(prefix))) == outside


def test_starts_with_is_served_by_an_index(db: Any) -> None:
    fill(db)
    assert "USING INDEX" in db.plan(find(Word, Word.text.starts_with("a%")).query)


def test_equality_and_in_are_served_by_an_index(db: Any) -> None:
    fill(db)
    assert "USING INDEX" in db.plan(find(Word, Word.text == "a").query)
    assert "USING INDEX" in db.plan(find(Word, Word.text.in_([str(n) for n in range(100)])).query)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a%", ["a", "ab", "a*b", "a[b"]),
        ("a_b", ["a*b", "a[b"]),
        ("a*b", ["a*b"]),
        ("a[b", ["a[b"]),
        ("%[%", ["a[b"]),
        ("?", []),
        ("_", ["a", "\U0001f600"]),
        ("%", ["a", "ab", "a*b", "a[b", "\U0001f600", ""]),
        ("", [""]),
    ],
)
def test_like_knows_percent_and_underscore_only(db: Any, pattern: str, found: list[str]) -> None:
    words = ["a", "ab", "a*b", "a[b", "\U0001f600", "", None]
    fill(db, *words)
    assert texts(db, Word.text.like(pattern)) == found
    assert texts(db, not_(Word.text.like(pattern))) == [word for word in words if word not in found]


def test_ilike_folds_unicode_and_takes_no_wildcards(db: Any) -> None:
    fill(db, "\u00c9a", "\u00e9A", "e", "stra\u00dfe", "STRASSE", "a%", "ab", "\u03a3", None)
    assert texts(db, Word.text.ilike("\u00e9a")) == ["\u00c9a", "\u00e9A"]
    assert texts(db, Word.text.ilike("STRA\u00dfE")) == ["stra\u00dfe"]
    assert texts(db, Word.text.ilike("A%")) == ["a%"]
    assert texts(db, Word.text.ilike("\u03c2")) == ["\u03a3"]
    assert None in texts(db, not_(Word.text.ilike("x")))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("^a", ["ab", "a\n"]),
        ("b$", ["ab"]),
        ("a$", ["ba"]),
        ("^a.$", ["ab"]),
        ("[ab]{2}", ["ab", "ba"]),
        ("^$", [""]),
        ("\\$", ["$"]),
        ("[$]", ["$"]),
    ],
)
def test_regex_is_found_in_the_text(db: Any, pattern: str, found: list[str]) -> None:
    words = ["ab", "ba", "a\n", "", "$", None]
    fill(db, *words)
    assert texts(db, Word.text.regex(pattern)) == found
    assert texts(db, not_(Word.text.regex(pattern))) == [word for word in words if word not in found]


def test_lower_and_upper_map_ascii_only(db: Any) -> None:
    fill(db, "aZ\u00c9\u00e9")
    assert db.all(find(Word).select(Word.text.lower(), Word.text.upper())) == [("az\u00c9\u00e9", "AZ\u00c9\u00e9")]


def test_length_counts_code_points(db: Any) -> None:
    fill(db, "e\u0301\U0001f600", "", None)
    assert db.all(find(Word).order_by(Word.id.asc).select(Word.text.length())) == [(3,), (0,), (None,)]
