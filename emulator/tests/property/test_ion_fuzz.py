"""Bad data is an IonError: never another exception, never a hang, never more memory than the data accounts for."""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import Any

import pytest
from helpers.ion_strategies import values
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import IonError, dump_all, dumps, dumps_text, load_all, loads
from qldb_emulator.ion.hash import hash_binary, hash_value

calm = settings(deadline=None, max_examples=150)
MARKER = b"\xe0\x01\x00\xea"


def read_and_use(data: bytes | str) -> None:
    """Everything a server does with what it was sent."""
    with contextlib.suppress(IonError):
        for value in load_all(data):
            assert loads(dumps(value)) is not Ellipsis
            dumps_text(value)
            hash_value(value)
    if isinstance(data, bytes):
        with contextlib.suppress(IonError):
            hash_binary(data)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a valid stream with some octets changed, removed or put in."""
    octets = bytearray(dump_all(draw(st.lists(values(), min_size=1, max_size=3))))
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(4, len(octets)))
        change = draw(st.sampled_from(["put in", "change", "remove", "cut off"]))
        if change == "put in":
            octets[position:position] = draw(st.binary(min_size=1, max_size=3))
        elif change == "change" and position < len(octets):
            octets[position] = draw(st.integers(0, 255))
        elif change == "remove":
            del octets[position : position + 2]
        else:
            del octets[position:]
    return bytes(octets)


@calm
@given(damaged())
def test_damaged_binary_is_read_or_refused(data: bytes) -> None:
    read_and_use(data)


@calm
@given(st.binary(max_size=60))
@example(b"\x71\x80")
@example(b"\xd1\x80")
@example(b"\xee\x95\x81\x83\xde\x91")
def test_any_octets_after_a_version_marker_are_read_or_refused(octets: bytes) -> None:
    read_and_use(MARKER + octets)


@calm
@given(st.data(), values())
def test_cut_off_binary_is_refused(data: st.DataObject, value: Any) -> None:
    whole = dumps([value])
    with pytest.raises(IonError):
        loads(whole[: data.draw(st.integers(0, len(whole) - 1))])


fragments = st.sampled_from(
    [
        *"{}[](),:a-1_\"'\\\n é\x00",
        "::",
        "$10",
        "$ion_1_0",
        "null",
        "null.",
        ".int",
        "nan",
        "+inf",
        "0x",
        "1.",
        "d0",
        "e5",
        "2007-01-01T",
        "T00:00Z",
        "'''",
        "\\u",
        "\\x4",
        "{{",
        "}}",
        "aGk=",
        "/*",
        "*/",
        "//",
        "$ion_symbol_table::{symbols:[",
        "imports:",
    ]
)


@calm
@given(st.lists(fragments, max_size=25).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    read_and_use(text)


@calm
@given(st.one_of(st.text(max_size=60), st.text(alphabet=st.characters(categories=["Cs", "Ll"]), max_size=5)))
def test_any_characters_are_read_or_refused(text: str) -> None:
    read_and_use(text)


HUGE = "7f7f7f7f7f7f7fff"  # a VarUInt of 2**56 - 1
LIES = [
    pytest.param(bytes.fromhex(octets), id=name)
    for name, octets in {
        "string longer than the data": f"8e{HUGE}61",
        "blob longer than the data": f"ae{HUGE}61",
        "list longer than the data": f"be{HUGE}20",
        "struct longer than the data": f"de{HUGE}8420",
        "ordered struct longer than the data": f"d1{HUGE}8420",
        "annotations longer than the data": f"ee{HUGE}8184",
        "annotation names longer than the wrapper": f"e9{HUGE}20",
        "padding longer than the data": f"0e{HUGE}",
        "length without an end": "8e" + "00" * 5000,
        "length beyond 63 bits": "8e" + "7f" * 20 + "ff61",
        "symbol id beyond the table": f"7e88{HUGE}",
        "timestamp with 2**41 digits of a second": "6ec00fd081818080807f7f7f7f7fff",
        "decimal with an exponent of 2**62": "5a3f7f7f7f7f7f7f7fff01",
        "import of 2**63 symbols": "ee9a8183de9686be93de91" + "84816185210188" + "2880" + "00" * 7,
    }.items()
]


@pytest.mark.parametrize("octets", LIES)
def test_a_length_that_lies_costs_no_memory(octets: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(IonError):
            list(load_all(MARKER + octets))
        with pytest.raises(IonError):
            hash_binary(MARKER + octets)
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("opening", ["[", "(", "{a:", "a::[", "[[", "[{a:("])
def test_deep_text_is_refused(opening: str) -> None:
    with pytest.raises(IonError, match="nested too deeply"):
        loads(opening * 100_000)


def test_deep_binary_is_refused() -> None:
    data = b""
    for _ in range(5000):
        length = len(data)
        data = bytes((0xBE, length >> 14 & 0x7F, length >> 7 & 0x7F, length & 0x7F | 0x80)) + data
    for read in (loads, hash_binary):
        with pytest.raises(IonError, match="nested too deeply"):
            read(MARKER + data)


def test_values_too_deep_to_write_are_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    for write in (dumps, dumps_text, hash_value):
        with pytest.raises(IonError, match="nested too deeply"):
            write(value)


NONSENSE = {
    "open comments": "/*" * 50_000,
    "open comments in sexps": "(/* " * 50_000,
    "quotes": "'" * 100_003,
    "backslashes": '"' + "\\" * 100_001,
    "blanks": " " * 100_000 + "\x00",
    "open blob": "{{" + "a " * 50_000,
    "underscores": "1_" * 50_000,
    "annotations": "a::" * 50_000,
    "operators": "(" + "+-" * 50_000,
    "dollars": "$" * 100_000 + ":",
    "dates": "2007-" * 20_000,
}


@pytest.mark.parametrize("text", NONSENSE.values(), ids=NONSENSE)
def test_long_nonsense_takes_linear_time(text: str) -> None:
    with pytest.raises(IonError):
        list(load_all(text))
