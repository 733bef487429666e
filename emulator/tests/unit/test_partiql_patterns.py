"""TO_STRING and TO_TIMESTAMP patterns.  Oracle: the suite partiql-tests (extended), written for the same formatter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from helpers.support import SHARED, needs_shared

from qldb_emulator.ion import codec
from qldb_emulator.ion.values import Timestamp, strip_annotations
from qldb_emulator.partiql.language.datetime_patterns import parse_ion_timestamp, to_string, to_timestamp
from qldb_emulator.partiql.language.errors import PartiqlError

SUITE = SHARED / "partiql-tests" / "partiql-tests-data-extended" / "eval" / "primitives" / "functions"


@pytest.mark.parametrize(
    ("timestamp", "pattern", "expected"),
    [
        # ql-functions.to_string
        ("1969-07-20T20:18Z", "MMMM d, y", "July 20, 1969"),
        ("1969-07-20T20:18Z", "MMM d, yyyy", "Jul 20, 1969"),
        ("1969-07-20T20:18Z", "M-d-yy", "7-20-69"),
        ("1969-07-20T20:18Z", "MM-d-y", "07-20-1969"),
        ("1969-07-20T20:18Z", "MMMM d, y h:m a", "July 20, 1969 8:18 PM"),
        ("1969-07-20T20:18Z", "y-MM-dd'T'H:m:ssX", "1969-07-20T20:18:00Z"),
        ("1969-07-20T20:18+08:00", "y-MM-dd'T'H:m:ssXXXX", "1969-07-20T20:18:00+0800"),
        ("1969-07-20T20:18+08:00", "y-MM-dd'T'H:m:ssXXXXX", "1969-07-20T20:18:00+08:00"),
        # details of the formatter
        ("1969-07-20T00:05:09.12345-05:30", "hh:mm:ss.SSS n", "12:05:09.123 123450000"),
        ("1969-07-20T00:05:09.12345-05:30", "x xx xxx X", "-0530 -0530 -05:30 -0530"),
        ("1969-07-20T00:05-00:00", "X x", "Z +00"),
        ("0007T", "y yy yyy yyyy yyyyy", "7 07 007 0007 00007"),
        ("2020T", "''y'' 'it''s' (ü)", "'2020' it's (ü)"),
        ("2020T", "", ""),
    ],
)
def test_to_string(timestamp: str, pattern: str, expected: str) -> None:
    value = parse_ion_timestamp(timestamp)
    assert value is not None
    assert expected == to_string(value, pattern)


BAD = ["G", "MMMMMM", "ddd", "aa", "SSSSSSSSSS", "XXXXXX", "'open", "T", "[y]", "{", "not_a_pattern", "n" * 20]


@pytest.mark.parametrize("pattern", BAD)
def test_a_pattern_without_meaning_is_an_error_in_to_string(pattern: str) -> None:
    with pytest.raises(PartiqlError) as caught:
        to_string(Timestamp("year", 2020), pattern)
    assert (f"Invalid timestamp format pattern: '{pattern}'.", "Invalid DateTime format pattern") == (
        caught.value.generated,
        caught.value.thrown,
    )


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        # ql-functions.to_timestamp
        ("2007T", None, "2007T"),
        ("2007-02-23T12:14:33.079-08:00", None, "2007-02-23T12:14:33.079-08:00"),
        ("2016", "y", "2016T"),
        ("2016", "yyyy", "2016T"),
        ("02-2016", "MM-yyyy", "2016-02T"),
        ("Feb 2016", "MMM yyyy", "2016-02T"),
        ("February 2016", "MMMM yyyy", "2016-02T"),
        # details
        ("fEBRUARY 3 2016 12:30 pm", "MMMM d yyyy h:m a", "2016-02-03T12:30-00:00"),
        ("2016-02-03 12 AM", "yyyy-MM-dd h a", "2016-02-03T00:00-00:00"),
        ("20160203102030", "yyyyMMddHHmmss", "2016-02-03T10:20:30-00:00"),
        ("51231", "yMMdd", "0005-12-31"),
        ("20160203102030123", "yyyyMMddHHmmssSSS", "2016-02-03T10:20:30.123-00:00"),
        ("2016-02-31", "y-M-d", "2016-02-29"),
        ("2016-02-03t10:20:30.500-0530", "yyyy-MM-dd'T'HH:mm:ss.SSSXX", "2016-02-03T10:20:30.5-05:30"),
        ("2016-02-03 10+05", "y-M-d HX", "2016-02-03T10:00+05:00"),
        ("2016-02-03 10+0530", "y-M-d Hx", "2016-02-03T10:00+05:30"),
        ("2016-02-03 10:00+05:30:00", "y-M-d H:mXXXXX", "2016-02-03T10:00+05:30"),
        ("2016-02-03", None, "2016-02-03"),
        ("2016-02-03T", None, "2016-02-03"),
        ("2016-02-03T10:20-00:00", None, "2016-02-03T10:20-00:00"),
    ],
)
def test_to_timestamp(text: str, pattern: str | None, expected: str) -> None:
    assert expected == str(to_timestamp(text, pattern))


@pytest.mark.parametrize(
    ("pattern", "generated"),
    [
        ("T", "Timestamp format pattern contains invalid token: 'T'."),
        ("y_M", "Timestamp format pattern contains invalid token: 'y_M'."),
        ("yyyyy", "Timestamp format pattern contains invalid symbol: 'yyyyy'."),
        ("y 'x", "Timestamp format pattern contains unterminated token: 'y 'x'."),
        (
            "y MMMMM",
            "The format pattern 'y MMMMM' contains a valid format symbol that cannot be applied to timestamp parsing.",
        ),
        ("M", "Timestamp format pattern 'M' requires additional fields 'YEAR'."),
        ("", "Timestamp format pattern '' requires additional fields 'YEAR'."),
        ("y d", "Timestamp format pattern 'y d' requires additional fields 'MONTH_OF_YEAR'."),
        (
            "y X",
            "Timestamp format pattern 'y X' requires additional fields 'MONTH_OF_YEAR, DAY_OF_MONTH, HOUR_OF_DAY'.",
        ),
        (
            "y y",
            "The format pattern 'y y' contains multiple format specifiers representing the timestamp field 'YEAR'.",
        ),
        (
            "y M d h",
            "The format pattern 'y M d h' contains a 12-hour hour of day format symbol but doesn't also contain an "
            "AM/PM field, or it contains a 24-hour hour of day format specifier and contains an AM/PM field.",
        ),
    ],
)
def test_a_pattern_that_gives_no_timestamp_is_an_error_in_to_timestamp(pattern: str, generated: str) -> None:
    with pytest.raises(PartiqlError) as caught:
        to_timestamp("2016", pattern)
    assert generated == caught.value.generated


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2007",
        "2007-13T",
        "2007-02-30",
        "2007-02-23T10",
        "2007-02-23T10:00",
        "2007-02-23T24:00Z",
        "0000T",
        "2007-02-23T10:00:00.Z",
        "2007-02-23T10:00+24:00",
        " 2007T",
        "null.timestamp",
        "２００７T",
    ],
)
def test_a_text_that_is_no_ion_timestamp(text: str) -> None:
    assert parse_ion_timestamp(text) is None
    with pytest.raises(
        PartiqlError,
        match="Failed to parse Ion timestamp, <UNKNOWN> : <UNKNOWN>; Timestamp was not a valid ion timestamp",
    ):
        to_timestamp(text)


def test_an_offset_with_seconds_would_lose_them() -> None:
    with pytest.raises(PartiqlError, match="loss of precision when parsing timestamp"):
        to_timestamp("2016-02-03 10:00+05:30:15", "y-M-d H:mXXXXX")


def test_the_error_says_where_the_text_stops_following_the_pattern() -> None:
    with pytest.raises(PartiqlError) as caught:
        to_timestamp("2016-x", "y-M")
    assert caught.value.thrown == "Text '2016-x' could not be parsed at index 5"


def cases(name: str) -> Iterator[tuple[str, Any]]:
    """Yield (statement, expected value; "error") of the cases of a file in the mode QLDB ran in."""
    pending = list(codec.load_all((SUITE / name).read_bytes()))
    while pending:
        value = strip_annotations(pending.pop())
        if isinstance(value, dict) and "statement" in value:
            claims = value["assert"] if isinstance(value["assert"], list) else [value["assert"]]
            for claim in claims:
                if "EvalModeError" in claim["evalMode"]:
                    yield value["statement"], claim.get("output", "error")
        elif isinstance(value, list):
            pending.extend(value)


@needs_shared
def test_the_suite_agrees_with_to_string() -> None:
    differences, count = [], 0
    for statement, expected in cases("to_string.ion"):
        found = re.fullmatch(r"to_string\(`(.+)`, '(.*)'\)", statement)
        if not found:
            continue
        count += 1
        timestamp = parse_ion_timestamp(found.group(1))
        assert timestamp is not None
        try:
            actual = to_string(timestamp, found.group(2).replace("''", "'"))
        except PartiqlError:
            actual = "error"
        if expected != actual:
            differences.append((statement, expected, actual))
    assert differences == []
    assert count > 300


@needs_shared
def test_the_suite_agrees_with_to_timestamp() -> None:
    differences, count = [], 0
    for statement, expected in cases("to_timestamp.ion"):
        found = re.fullmatch(r"to_timestamp\('(.*?)', '(.*)'\)", statement)
        if not found:
            continue
        count += 1
        try:
            actual: Any = to_timestamp(found.group(1), found.group(2).replace("''", "'"))
        except PartiqlError:
            actual = "error"
        if str(expected) != str(actual):
            differences.append((statement, expected, actual))
    assert differences == []
    assert count > 250
