"""The regular expressions that mean the same everywhere, and case folding."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ommi.query.patterns import checked_regex, fold, python_regex, spelled_regex

TAKEN = [
    "",
    "abc",
    r"a\.b",
    ".",
    "[a-z]",
    "[^a-z0-9_]",
    r"[\]\-\\^]",
    "[a-]",
    "[-a]",
    "[^-]",
    "a*b+c?",
    "a{3}",
    "a{3,}",
    "a{0,255}",
    "a|b|",
    "(ab|cd)e",
    "(?:ab)+",
    "(a(b(c)))",
    "^abc$",
    "(^a|b$)",
    "ß|ﬀ|😀",
    re.escape(" #$&()*+-.?[\\]^{|}~\t\n\"'"),
]


@pytest.mark.parametrize("pattern", TAKEN)
def test_a_portable_pattern_is_taken_as_it_is(pattern: str) -> None:
    assert checked_regex(pattern) == pattern
    python_regex(pattern)


@pytest.mark.parametrize(
    "pattern, place, remedy",
    [
        (r"a\d", 2, "write [0-9]"),
        (r"\w", 1, "write [A-Za-z0-9_]"),
        (r"\s", 1, "without the r prefix"),
        (r"\bword\b", 1, "write the characters around it"),
        (r"a\Z", 2, "write $"),
        (r"\n", 1, "write the character itself"),
        (r"\x41", 1, "write x itself"),
        (r"\é", 1, "write é itself"),
        (r"[\d]", 2, "write [0-9]"),
        (r"(a)\1", 4, "back-reference"),
        ("(?i)a", 1, "a flag"),
        ("(?i:a)", 1, "a flag"),
        ("(?=a)", 1, "look-ahead"),
        ("(?!a)", 1, "look-ahead"),
        ("(?<=a)", 1, "look-behind"),
        ("(?<n>a)", 1, "named group"),
        ("(?P<n>a)", 1, "a named group"),
        ("(?>a)", 1, "an atomic group"),
        ("a*?", 3, "a lazy quantifier"),
        ("a{2}?", 5, "a lazy quantifier"),
        ("a*+", 3, "a possessive quantifier"),
        ("a**", 3, "a quantifier on a quantifier"),
        ("a{2}{3}", 5, "a quantifier on a quantifier"),
        ("(a+)+", 5, "a quantifier on a group that holds one"),
        ("(b(a*))?", 8, "a quantifier on a group that holds one"),
        ("(?:a{2}|b){3}", 11, "a quantifier on a group that holds one"),
        ("a{256}", 2, "more than 255"),
        ("a{1,256}", 2, "more than 255"),
        ("a{3,2}", 2, "write {2,3}"),
        ("a{,2}", 2, "{0,n} for {,n}"),
        ("a{", 2, r"write \{"),
        ("*a", 1, "nothing before it"),
        ("a|+", 3, "nothing before it"),
        ("(?:*a)", 4, "nothing before it"),
        ("^*", 2, "an end of the text before it"),
        ("a$?", 3, "an end of the text before it"),
        ("[[:alpha:]]", 2, "POSIX"),
        ("[[.a.]]", 2, "POSIX"),
        ("[a[b]", 3, r"\["),
        ("[]a]", 1, "the class is empty"),
        ("[^]", 1, "the class is empty"),
        ("[z-a]", 2, "write a-z"),
        ("[a-c-e]", 5, r"write \-"),
        ("[--a]", 2, r"write \-"),
        ("[+--]", 4, r"write \-"),
        ("[abc", 1, "not closed"),
        ("[a-", 1, "not closed"),
        ("x(ab", 2, "not closed"),
        ("((a)", 1, "not closed"),
        ("a)", 2, "closes nothing"),
        ("a]", 2, "closes nothing"),
        ("a}", 2, "closes nothing"),
        ("a\\", 2, "a backslash ends the pattern"),
        ("(" * 51 + ")" * 51, 51, "nested more than 50 deep"),
    ],
)
def test_anything_else_is_refused_with_its_place_and_a_remedy(pattern: str, place: int, remedy: str) -> None:
    with pytest.raises(ValueError) as refusal:
        checked_regex(pattern)
    assert f"character {place}:" in str(refusal.value)
    assert remedy in str(refusal.value)


def found(pattern: str, text: str) -> bool:
    return python_regex(pattern).search(text) is not None


def test_a_dollar_is_the_very_end() -> None:
    assert found("b$", "ab")
    assert not found("b$", "ab\n")


def test_a_caret_is_the_beginning_of_the_text_and_not_of_a_line() -> None:
    assert found("^a", "ab")
    assert not found("^b", "a\nb")


def test_a_dot_is_any_character_but_newline() -> None:
    assert found("^.$", "😀")
    assert not found("^.$", "\n")


def test_a_negated_class_takes_a_newline() -> None:
    assert found("^[^a]$", "\n")


def test_a_class_is_read_alike_by_every_engine() -> None:
    assert spelled_regex("[a&&b||c]", dot=".", end="$") == r"[a\&\&b\|\|c]"


def test_an_engine_gets_its_own_dot_and_end() -> None:
    assert spelled_regex(r"^a.\.[.$]\$$", dot="[^\n]", end=r"\z") == "^a[^\n]\\.[.$]\\$\\z"


def test_a_pattern_is_compiled_once() -> None:
    assert python_regex("once+") is python_regex("once+")


@given(st.text(alphabet=r"ab.\*+?{}()[]|^$-,12&~:", max_size=12), st.text(alphabet="ab.\n-", max_size=6))
def test_whatever_is_taken_is_found_as_python_finds_it(pattern: str, text: str) -> None:
    try:
        checked_regex(pattern)
    except ValueError:
        return
    said = re.sub(r"(?<!\\)((?:\\\\)*)\$(?![^\[]*\])", r"\1\\Z", pattern)
    if "[" not in pattern:
        assert found(pattern, text) is (re.search(said, text) is not None)
    else:
        python_regex(pattern)


@given(st.text())
def test_an_escaped_text_is_taken_and_found(text: str) -> None:
    assert found("^" + "".join(f"\\{c}" if c.isascii() and not c.isalnum() else c for c in text) + "$", text)


@pytest.mark.parametrize(
    "text, folded",
    [
        ("ABC z", "abc z"),
        ("ÄÖÜ", "äöü"),
        ("ẞ", "ß"),
        ("ß", "ß"),
        ("ſ", "s"),
        ("\N{KELVIN SIGN}", "k"),
        ("ς", "σ"),
        ("Σ", "σ"),
        ("İ", "İ"),
        ("ı", "ı"),
        ("ﬀ", "ﬀ"),
        ("ᾈ", "ᾀ"),
        ("ꭰ", "Ꭰ"),
        ("ﬅ", "ﬆ"),
        ("Ω", "ω"),
        ("Straße İx", "straße İx"),
    ],
)
def test_simple_folding_maps_each_character_to_one(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_folding_keeps_the_length_and_is_done_after_once(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


@given(st.text(), st.text())
def test_folding_maps_each_character_alone(one: str, other: str) -> None:
    assert fold(one + other) == fold(one) + fold(other)
