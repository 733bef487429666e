"""The down-conversion to JSON, by table; the oracle is Python's own JSON reader."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qldb_emulator.ion.codec import IonError, loads
from qldb_emulator.ion.json import to_json

CASES = {
    "null.int": "null",
    "true": "true",
    "12345678901234567890": "12345678901234567890",
    "90.25": "90.25",
    "9.0": "9.0",
    "5.": "5",
    "1d3": "1E+3",
    "1.5e0": "1.5",
    "1e300": "1e+300",
    "nan": "null",
    "-inf": "null",
    "2017-08-21": '"2017-08-21"',
    "2019-09-16T19:37:05.360Z": '"2019-09-16T19:37:05.360Z"',
    "symbol": '"symbol"',
    "$0": '"$0"',
    r'"a\"\n\x01é"': r'"a\"\n\u0001é"',
    r'{{"a\x80"}}': '"a\x80"',
    "{{aGk=}}": '"aGk="',
    "[1,[]]": "[1,[]]",
    "(a 1)": '["a",1]',
    "{}": "{}",
    "{a:1,$0:{b:null}}": '{"a":1,"$0":{"b":null}}',
    "{a:1,a:2}": '{"a":1,"a":2}',
    "x::{a:y::1}": '{"a":1}',
}


@pytest.mark.parametrize(("ion", "expected"), CASES.items(), ids=CASES)
def test_ion_is_converted_down(ion: str, expected: str) -> None:
    assert to_json(loads(ion)) == expected
    json.loads(expected)


def test_a_value_too_deep_is_refused() -> None:
    value: Any = []
    for _ in range(10_000):
        value = [value]
    with pytest.raises(IonError, match="nested too deeply"):
        to_json(value)


def test_other_objects_than_ion_values_are_refused() -> None:
    with pytest.raises(TypeError, match="not an Ion value"):
        to_json(object())
