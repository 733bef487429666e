"""Tokens: kinds, values and positions; other text is a Lexer Error at the first wrong character."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qldb_emulator.ion.values import Annotated, Symbol, Timestamp
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.syntax import lexer
from qldb_emulator.partiql.syntax.ast import Pos
from qldb_emulator.partiql.syntax.lexer import Tokens
from qldb_emulator.partiql.syntax.reserved import ACCEPTED_BARE, KEYWORDS, RESERVED_WORDS


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Vehicle", "IDENTIFIER", "Vehicle"),
        ("_ql_committed_T$1", "IDENTIFIER", "_ql_committed_T$1"),
        ("SeLeCt", "select", "SeLeCt"),
        ("Year", "IDENTIFIER", "Year"),
        ("history", "IDENTIFIER", "history"),
        ('"select"', "QUOTED_IDENTIFIER", "select"),
        ('"a ""b"" \'c\' `d`"', "QUOTED_IDENTIFIER", "a \"b\" 'c' `d`"),
        ('""', "QUOTED_IDENTIFIER", ""),
        ("'abc'", "LITERAL", "abc"),
        ("''", "LITERAL", ""),
        ("'it''s -- no comment /* nor this */'", "LITERAL", "it's -- no comment /* nor this */"),
        ("'two\nlines'", "LITERAL", "two\nlines"),
        ("'\N{SNOWMAN}'", "LITERAL", "\N{SNOWMAN}"),
        ("0", "LITERAL", 0),
        ("007", "LITERAL", 7),
        ("9" * 100, "LITERAL", int("9" * 100)),
        ("130.75", "LITERAL", Decimal("130.75")),
        ("1.50", "LITERAL", Decimal("1.50")),
        ("1.", "LITERAL", Decimal(1)),
        (".5", "LITERAL", Decimal("0.5")),
        ("1e0", "LITERAL", Decimal(1)),
        ("1.5E-3", "LITERAL", Decimal("1.5E-3")),
        ("2e+10", "LITERAL", Decimal("2E+10")),
        ("?", "?", 1),
        ("<<", "<<", "<<"),
        (">>", ">>", ">>"),
        ("<=", "<=", "<="),
        ("<>", "<>", "<>"),
        ("!=", "!=", "!="),
        ("||", "||", "||"),
        ("@", "@", "@"),
    ],
)
def test_a_token_has_its_kind_and_value(text: str, kind: str, value: Any) -> None:
    tokens = Tokens(text)
    assert (tokens.kinds, repr(tokens.values[0])) == ([kind, "EOF"], repr(value))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("`5.00d-2`", Decimal("0.0500")),
        ("`2019-06-05T`", Timestamp("day", 2019, 6, 5)),
        ("`2019-06-05`", Timestamp("day", 2019, 6, 5)),
        ("`sym`", Symbol("sym")),
        ('`"a`b"`', "a`b"),
        ("`'a`b'`", Symbol("a`b")),
        ("`'''a`b'''`", "a`b"),
        ('`"a\\"`"`', 'a"`'),
        ("`1 // the ` of a comment\n`", 1),
        ("`1 /* the ` of a comment */`", 1),
        ("`{{ YWJj }}`", b"abc"),
        ("`{}`", {}),
        ("`[1, [2]]`", [1, [2]]),
        ("`1e0`", 1.0),
        ("`a::1`", Annotated(("a",), 1)),
    ],
)
def test_an_ion_literal_ends_at_the_backtick_outside_its_strings_and_comments(text: str, value: Any) -> None:
    tokens = Tokens(text + " x")
    assert tokens.kinds == ["ION_LITERAL", "IDENTIFIER", "EOF"]
    assert repr(tokens.values[0]) == repr(value)


def test_comments_and_white_space_separate_tokens_and_are_none() -> None:
    text = "-- first\n/* second\n * third **/ a--b\r\n\t\f\v+/**/b /* - */ -- end"
    assert Tokens(text).values == ["a", "+", "b", "EOF"]


def test_parameters_are_numbered_from_left_to_right() -> None:
    tokens = Tokens("? , '?' ? -- ?\n ? `\"?\"`")
    numbers = [value for kind, value in zip(tokens.kinds, tokens.values, strict=True) if kind == "?"]
    assert (numbers, tokens.parameter_count) == ([1, 2, 3], 3)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_and_columns_count_from_one_whatever_ends_a_line(end: str) -> None:
    tokens = Tokens(f"ab c{end}{end}  d '{end}' e{end}")
    positions = [tokens.pos(index) for index in range(len(tokens.kinds))]
    assert positions == [Pos(1, 1), Pos(1, 4), Pos(3, 3), Pos(3, 5), Pos(4, 3), Pos(5, 1)]


def test_columns_count_characters_and_not_bytes() -> None:
    assert Tokens("'\N{SNOWMAN}\N{GRINNING FACE}' a").pos(1) == Pos(1, 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a #", "at line 1, column 3: invalid character at, '#' [U+23]"),
        ("\N{LATIN SMALL LETTER E WITH ACUTE}t", "at line 1, column 1: invalid character at, '\xe9' [U+e9]"),
        ("a\n  \\", "at line 2, column 3: invalid character at, '\\' [U+5c]"),
        ("'abc", "at line 1, column 5: invalid character at, <EOF>"),
        ("a = 'it''s", "at line 1, column 11: invalid character at, <EOF>"),
        ('"abc', "at line 1, column 5: invalid character at, <EOF>"),
        ("`abc", "at line 1, column 5: invalid character at, <EOF>"),
        ('`"abc`', "at line 1, column 7: invalid character at, <EOF>"),
        ("/* abc", "at line 1, column 7: invalid character at, <EOF>"),
        ("a | b", "at line 1, column 4: invalid character at, ' ' [U+20]"),
        ("!", "at line 1, column 2: invalid character at, <EOF>"),
        ("1e", "at line 1, column 3: invalid character at, <EOF>"),
        ("1e+x", "at line 1, column 4: invalid character at, 'x' [U+78]"),
        ("12.5ex", "at line 1, column 6: invalid character at, 'x' [U+78]"),
        ("2 ^ 3", "at line 1, column 4: invalid operator at, ^"),
        ("a = `{`", "at line 1, column 5: invalid ion literal at, {"),
        ("``", "at line 1, column 1: invalid ion literal at, "),
        ("`1 2`", "at line 1, column 1: invalid ion literal at, 1 2"),
        ("1e99999999999", "at line 1, column 1: invalid literal at, 1e99999999999"),
        ("9" * 4301, "at line 1, column 1: invalid literal at, " + "9" * 4301),
    ],
)
def test_what_is_no_token_is_a_lexer_error_where_it_goes_wrong(text: str, message: str) -> None:
    with pytest.raises(PartiqlError) as caught:
        Tokens(text)
    assert str(caught.value) == "Lexer Error: " + message


def test_hostile_text_is_refused_without_taking_long() -> None:
    quotes = ("'" * 99_999, "`" + "'" * 99_998, '`"' + "\\" * 99_997, "`{{" + "}" * 99_997)
    for text in (*quotes, "/*" * 50_000, "1e+" * 33_333):
        with pytest.raises(PartiqlError):
            Tokens(text)


def test_there_are_251_reserved_words() -> None:
    assert len(RESERVED_WORDS) == 251


def test_every_reserved_word_is_a_keyword_except_those_the_library_knew_only_inside_functions() -> None:
    assert {word.lower() for word in RESERVED_WORDS} - KEYWORDS == ACCEPTED_BARE
    for word in RESERVED_WORDS - {"END-EXEC"}:
        expected = "IDENTIFIER" if word.lower() in ACCEPTED_BARE else word.lower()
        assert Tokens(word).kinds[0] == expected


def test_names_are_kept_up_to_a_bound_and_read_the_same_kept_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lexer, "_KNOWN", dict(lexer._KNOWN))
    texts = [f"SELECT Name{number}, {'long' * 30}{number} FROM Tab" for number in range(3_000)]
    first, again = ([(read.kinds, read.values, read.places) for read in map(Tokens, texts)] for _ in range(2))
    assert list(first) == list(again)
    assert len(lexer._KNOWN) == lexer._KNOWN_MOST
    assert max(map(len, lexer._KNOWN)) <= lexer._KNOWN_CHARACTERS
