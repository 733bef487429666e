"""Ion text: the forms that are read, the one form that is written, and the errors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qldb_emulator.ion.codec import IonError, dumps_text, load_all, loads
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.ion.numerals import int_text, parse_int
from qldb_emulator.ion.values import SYMBOL_ZERO, Annotated, Clob, Sexp, Symbol, Timestamp, TypedNull

READ: dict[str, Any] = {
    "null": None,
    "null.null": None,
    "null.timestamp": TypedNull.of("timestamp"),
    "1_000": 1000,
    "-0": 0,
    "0xFF": 255,
    "-0b1010": -10,
    "1.50": Decimal("1.50"),
    "1_0.2_5": Decimal("10.25"),
    "15d2": Decimal("15E2"),
    "-0.": Decimal("-0"),
    "1D-3": Decimal("0.001"),
    "1e0": 1.0,
    "-2.5E-3": -0.0025,
    "1e400": float("inf"),
    "nan": float("nan"),
    "-inf": float("-inf"),
    "2017T": Timestamp("year", 2017),
    "2017-08T": Timestamp("month", 2017, 8),
    "2017-08-21": Timestamp("day", 2017, 8, 21),
    "2017-08-21T": Timestamp("day", 2017, 8, 21),
    "2017-08-21T19:37Z": Timestamp("minute", 2017, 8, 21, 19, 37, offset=0),
    "2017-08-21T19:37:05.360-00:00": Timestamp("second", 2017, 8, 21, 19, 37, 5, "360"),
    "2017-08-21T19:37:05+05:30": Timestamp("second", 2017, 8, 21, 19, 37, 5, offset=330),
    r'"a\tb\x41\u00e9\U0001F600\/"': "a\tbAé😀/",
    r'"\ud83d\ude00"': "😀",
    '"tab\there"': "tab\there",
    "'''a''' // between\n '''b\r\nc\\\nd'''": "ab\ncd",
    "symbol": Symbol("symbol"),
    "'null'": Symbol("null"),
    r"'it\'s'": Symbol("it's"),
    "''": Symbol(""),
    "$4": Symbol("name"),
    "$0": SYMBOL_ZERO,
    "{{ aG k= }}": b"hi",
    "{{}}": b"",
    r'{{"a\x80"}}': Clob(b"a\x80"),
    "{{'''a''' '''b\r\n'''}}": Clob(b"ab\n"),
    "[1,/* two */2,]": [1, 2],
    "(a+1 -2 -- .)": Sexp([Symbol("a"), Symbol("+"), 1, -2, Symbol("--"), Symbol(".")]),
    "{a:1,'b c':2,\"d\":3,}": {"a": 1, "b c": 2, "d": 3},
    "{'''e''' '''f''':4,$4:5,\"g\\n\":6}": {"ef": 4, "name": 5, "g\n": 6},
    "x::'y z' :: $4::1": Annotated(["x", "y z", "name"], 1),
    "1//comment": 1,
}


@pytest.mark.parametrize(("text", "value"), READ.items(), ids=[repr(text) for text in READ])
def test_every_form_is_read(text: str, value: Any) -> None:
    assert ion_equal(loads(text), value)
    assert ion_equal(loads(text.encode()), value)


WRITTEN: dict[str, Any] = {
    "null": None,
    "null.sexp": TypedNull.of("sexp"),
    "true": True,
    "-5": -5,
    "5.": Decimal(5),
    "90.25": Decimal("90.25"),
    "0.00": Decimal("0.00"),
    "-0.": Decimal("-0"),
    "-0.0": Decimal("-0.0"),
    "1d3": Decimal("1E3"),
    "15d-9": Decimal("1.5E-8"),
    "1e0": 1.0,
    "-2.5e-7": -2.5e-7,
    "1e300": 1e300,
    "0e0": 0.0,
    "-0e0": -0.0,
    "nan": float("nan"),
    "+inf": float("inf"),
    "2017T": Timestamp("year", 2017),
    "2017-08T": Timestamp("month", 2017, 8),
    "2017-08-21": Timestamp("day", 2017, 8, 21),
    "2019-09-16T19:37:05.360Z": Timestamp("second", 2019, 9, 16, 19, 37, 5, "360", 0),
    "2019-09-16T19:37-00:00": Timestamp("minute", 2019, 9, 16, 19, 37),
    r'"a\"\\\n\t\0\x1fé' + '\x80😀"': 'a"\\\n\t\0\x1fé\x80😀',
    "abc": Symbol("abc"),
    "'a b'": Symbol("a b"),
    "'nan'": Symbol("nan"),
    "'$10'": Symbol("$10"),
    "$ion": Symbol("$ion"),
    r"'it\'s'": Symbol("it's"),
    "''": Symbol(""),
    "$0": SYMBOL_ZERO,
    "'+'": Symbol("+"),
    "(+ '//' a)": Sexp([Symbol("+"), Symbol("//"), Symbol("a")]),
    "()": Sexp(),
    "{{aGk=}}": b"hi",
    r'{{"\"a\x80\n"}}': Clob(b'"a\x80\n'),
    "{a:1,'9x':[],$0:{},b:\"x\"}": {"a": 1, "9x": [], SYMBOL_ZERO: {}, "b": "x"},
    "a::'b c'::[1,null]": Annotated(["a", "b c"], [1, None]),
}


@pytest.mark.parametrize(("text", "value"), WRITTEN.items(), ids=WRITTEN)
def test_a_value_is_written_in_the_style_of_the_service(text: str, value: Any) -> None:
    assert dumps_text(value) == text
    assert ion_equal(loads(text), value)


REFUSED = {
    "": "found none",
    "1 2": "found more",
    "{a:1": "expected a comma or a closing brace at line 1, column 5, before the end of the text",
    "{\n  a: ]": "unexpected character at line 2, column 6, before ']'",
    "{a}": "expected a field name",
    "{true:1}": "true must be quoted",
    "{'a\\n' 1}": "expected a colon",
    "{a:1,,}": "expected a field name",
    "{": "does not end",
    "[1 2]": "expected a comma or a closing bracket",
    "[": "does not end",
    "(1": "does not end",
    "+": "operator outside",
    "a::": "annotation without a value",
    "01": "neither a number nor a timestamp",
    "1__0": "neither a number",
    "2017-02-29": "no such date",
    "0000-01-01": "no such date",
    "2017-01-01T24:00Z": "no such time",
    "2017-01-01T00:00+24:00": "no such offset",
    "2017-01-01T00:00:00." + "1" * 1001 + "Z": "more than 1000 digits",
    "1d" + "9" * 30: "exponent",
    "null.integer": "no such type",
    '"a': "does not end on its line",
    "'''a": "does not end",
    r'"\q"': "invalid escape",
    r'"\ud83d"': "invalid escape",
    r'"\U00110000"': "invalid escape",
    '"\x01"': "unexpected character|control character",
    "{{a}}": "base64",
    "{{a===}}": "base64",
    '{{"é"}}': "ASCII",
    r'{{"\u0041"}}': "ASCII",
    "{{": "blob or clob",
    "$10": "symbol id",
    "$" + "9" * 30: "symbol id",
    "$ion_2_0": "version marker",
    "\ud800": "surrogate",
    "$ion_symbol_table::{symbols:[],symbols:[]} 1": "twice",
    '$ion_symbol_table::{imports:[{name:"x"}]} 1': "max_id",
}


@pytest.mark.parametrize(("text", "problem"), REFUSED.items(), ids=[repr(text)[:40] for text in REFUSED])
def test_bad_text_is_refused_with_its_reason(text: str, problem: str) -> None:
    with pytest.raises(IonError, match=problem):
        loads(text)


def test_bytes_that_are_neither_binary_nor_utf_8_are_refused() -> None:
    with pytest.raises(IonError, match="neither Ion binary nor UTF-8"):
        loads(b"\xff\xfe")


def test_values_are_read_lazily() -> None:
    values = load_all("1 2 ]")
    assert next(values) == 1
    assert next(values) == 2
    with pytest.raises(IonError):
        next(values)


def test_version_markers_clear_the_symbols_and_are_no_values() -> None:
    assert list(load_all("$ion_1_0 a '$ion_1_0' $2 [$ion_1_0]")) == ["a", ["$ion_1_0"]]
    with pytest.raises(IonError, match="symbol id"):
        list(load_all('$ion_symbol_table::{symbols:["a"]} $10 $ion_1_0 $10'))


@pytest.mark.parametrize("digits", [1, 3999, 4000, 4301, 20_000])
def test_numerals_of_any_length_are_read_and_written(digits: int) -> None:
    text = "-" + "9" * digits
    value = -(10**digits) + 1
    assert parse_int(text) == value
    assert int_text(value) == text
    assert int_text(10**digits) == "1" + "0" * digits
    assert dumps_text(loads(text)) == text
