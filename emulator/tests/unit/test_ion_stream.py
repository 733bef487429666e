"""A stream is read value by value, wherever the parts are cut, without holding more than one."""

from __future__ import annotations

import io
import re
import tracemalloc
from unittest import mock

import pytest

from qldb_emulator.ion import stream
from qldb_emulator.ion.codec import IonError, dump_all, dumps, dumps_text, load_all
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.ion.stream import read_items, read_stream

VALUES = [
    {"a": 1, "b": ["x", None, b"blob"]},
    {"text": "é€😀 with ''' and } in it", "n": -12},
    [1, 2, {"deep": {"er": [{}]}}],
    "a string",
    12345678901234567890,
    {"a": "again", "c": "y" * 300},
]
TEXTS = [
    "1 12 /* a } comment */ a a::{b:1} '''long''' '''er''' // end\n 'q'::r {{aGk=}} {{ \"clob\" }} 2020-01-01T",
    '$ion_symbol_table::{symbols:["s"]} {$10:1} $ion_1_0 {a:1}',
    "",
    " // nothing but a comment",
]


def read_in_parts(data: bytes, size: int):
    source = io.BytesIO(data)
    return list(read_stream(lambda wanted: source.read(min(size, wanted))))


def same(expected, actual) -> bool:
    expected = list(expected)
    return len(expected) == len(actual) and all(map(ion_equal, expected, actual))


@pytest.fixture(params=[1, 7, 4096])
def size(request, monkeypatch) -> int:
    monkeypatch.setattr(stream, "CHUNK_BYTES", 16 if request.param < 100 else 4096)
    return request.param


def test_binary_is_the_same_however_it_is_cut(size):
    data = dump_all(VALUES) + dumps([1, {"b": 2}]) + dump_all(VALUES)
    assert same([*VALUES, [1, {"b": 2}], *VALUES], read_in_parts(data, size))


def test_values_as_text_are_the_same_however_it_is_cut(size):
    data = "\n".join(map(dumps_text, VALUES)).encode()
    assert same(VALUES, read_in_parts(data, size))


def test_a_value_that_stands_alone_comes_with_its_binary(size):
    source = io.BytesIO(dumps({"a": 1}) + dumps([1]) + dump_all([{"b": 1}, {"b": 2}]))
    items = list(read_items(lambda wanted: source.read(min(size, wanted))))
    assert [ion for _, ion in items] == [dumps({"a": 1}), dumps([1]), dumps({"b": 1}), None]


@pytest.mark.parametrize("text", TEXTS, ids=["all forms", "symbol table", "empty", "blank"])
def test_text_of_any_form_is_the_same_however_it_is_cut(text, size):
    assert same(load_all(text), read_in_parts(text.encode(), size))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (dumps({"a": "x" * 100})[:-3], "the data ends inside the value at byte"),
        (b"\xe0\x01\x00\xea\xe0\x02\x00\xea", "unsupported Ion version marker at byte 4"),
        (b"\xe0\x01\x00\xea\xde", "the data ends inside a value"),
        (b"{a:1} {a:", "unexpected|expected|at line 1"),
        (b"{a:1}\n{a:1}\n{a:%}", "at line 3, column 4"),
        (b"{a:1} \xff", "neither Ion binary nor UTF-8 text: invalid start byte at byte 6"),
        (b"[" * 5000, "nested too deeply"),
    ],
    ids=["cut binary", "version", "cut length", "cut text", "bad text", "no UTF-8", "deep"],
)
def test_what_is_not_ion_is_said_with_its_place(data, message):
    with pytest.raises(IonError, match=message):
        read_in_parts(data, 1 << 16)


@pytest.mark.parametrize("ahead", [1, 10, 1_000_000])
def test_what_is_before_a_problem_is_handed_out_first(ahead, monkeypatch):
    monkeypatch.setattr(stream, "AHEAD_BYTES", ahead)
    source = io.BytesIO(dump_all(VALUES) + b"\xe0\x02\x00\xea")
    found = []
    with pytest.raises(IonError, match="unsupported Ion version marker"):
        found.extend(read_stream(source.read))
    assert same(VALUES, found)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (b'{c:"', "a text that does not end on its line at line 3, column 4"),
        (b"} {}", "unexpected character at line 3, column 1"),
        (b"[" * 2_000, "containers are nested too deeply"),
        (b"{c:\xff}", "invalid start byte at byte 15"),
        (b"\xe2\x82", "unexpected end of data at byte 12"),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1 << 20])
def test_values_of_a_text_before_a_problem_are_handed_out_first(end, message, size):
    """In whichever parts the text arrives: a character may be in two."""
    data = b"{a:1}\n{b:2}\n" + end
    with mock.patch.object(stream, "CHUNK_BYTES", size), pytest.raises(IonError, match=re.escape(message)):
        list(read_stream(io.BytesIO(data).read))
    items = read_stream(io.BytesIO(data).read)
    assert [next(items), next(items)] == [{"a": 1}, {"b": 2}]


def test_a_value_beyond_the_bound_is_refused_before_it_is_read():
    with pytest.raises(IonError, match="a value of"):
        list(read_stream(io.BytesIO(b"\xe0\x01\x00\xea\xbe\x07\x7f\x7f\x7f\xff" + b"\x20" * 100).read))
    endless = iter(lambda: b'{a:"' + b"x" * 100_000, None)
    with pytest.raises(IonError, match="no value can be read"):
        list(read_stream(lambda wanted: next(endless), max_value_bytes=400_000))


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "text"])
def test_memory_does_not_grow_with_the_stream(binary):
    value = {"document": "x" * 1000}
    piece = dumps(value) if binary else dumps_text(value).encode() + b"\n"
    many = piece * 100
    left = [200, 0]  # copies of it, bytes given of the present one

    def read(wanted: int) -> bytes:
        if not left[0]:
            return b""
        given = many[left[1] : left[1] + wanted]
        left[1] += len(given)
        if left[1] == len(many):
            left[:] = left[0] - 1, 0
        return given

    tracemalloc.start()
    try:
        count = sum(1 for _ in read_stream(read))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 12 * stream.CHUNK_BYTES
