"""Reads one field out of a document's binary: the same value as after decoding the whole document."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from qldb_emulator.ion.codec import dumps, dumps_text, loads
from qldb_emulator.ion.field_reader import field_reader

ABSENT, UNREAD = "absent", "unread"
LONG = "x" * 200
MANY = "{" + ",".join(f"f{number}:{number}" for number in range(300)) + "}"


@pytest.mark.parametrize(
    ("document", "name", "expected"),
    [
        pytest.param('{a:1,b:"x"}', "b", '"x"', id="a string behind an int"),
        pytest.param('{a:1,b:""}', "b", '""', id="an empty string"),
        pytest.param(f'{{a:"{LONG}",b:2}}', "b", "2", id="behind a value with a length of its own"),
        pytest.param(f'{{a:"{LONG}",b:2}}', "a", f'"{LONG}"', id="a value with a length of its own"),
        pytest.param("{a:true,b:false,c:null,d:null.list,e:3}", "e", "3", id="behind booleans and nulls"),
        pytest.param("{a:[1,{b:2}],c:{b:3},b:4}", "b", "4", id="nested fields of the name are others"),
        pytest.param("{b:1,b:2}", "b", "1", id="the first of those that repeat"),
        pytest.param("{b:x::1}", "b", "x::1", id="an annotated value"),
        pytest.param("{b:red}", "b", "red", id="a symbol"),
        pytest.param("{b:name}", "b", "name", id="a symbol of the system"),
        pytest.param("{name:5}", "name", "5", id="a name of the system"),
        pytest.param("{b:-7}", "b", "-7", id="a negative int"),
        pytest.param("{b:123456789012345678901234567890}", "b", "123456789012345678901234567890", id="a long int"),
        pytest.param("{b:1.50}", "b", "1.50", id="a decimal"),
        pytest.param("{b:null.string}", "b", "null.string", id="a typed null"),
        pytest.param(MANY, "f299", "299", id="an id of two octets"),
        pytest.param(MANY, "f1", "1", id="one octet among ids of two"),
    ],
)
def test_a_field_is_read(document: str, name: str, expected: str) -> None:
    assert expected == dumps_text(field_reader(name, ABSENT, UNREAD)(dumps(loads(document))))


@pytest.mark.parametrize(
    ("document", "name", "expected"),
    [
        pytest.param("{a:1}", "b", ABSENT, id="no such field"),
        pytest.param("{}", "b", ABSENT, id="no field at all"),
        pytest.param("{a:{b:1}}", "b", ABSENT, id="the name is only inside"),
        pytest.param("{a:b}", "b", ABSENT, id="the name is a value"),
        pytest.param("{B:1}", "b", UNREAD, id="a name that differs in case"),
        pytest.param("{a:1}", "Name", UNREAD, id="the system's symbols are names too"),
        pytest.param("{B:1,b:2}", "b", 2, id="the exact name wins"),
        pytest.param("whole::{b:1}", "b", UNREAD, id="an annotated document"),
        pytest.param("[1]", "b", UNREAD, id="no struct"),
        pytest.param("null.struct", "b", UNREAD, id="a null"),
    ],
)
def test_what_is_not_there_or_cannot_be_told(document: str, name: str, expected: Any) -> None:
    assert expected == field_reader(name, ABSENT, UNREAD)(dumps(loads(document)))


def test_documents_of_different_shapes_take_turns() -> None:
    read = field_reader("b", ABSENT, UNREAD)
    documents = ["{a:1,b:2}", "{}", "{b:3,a:1}", "{name:1}", "{a:4}", "{b:5}", "x::{b:6}"]
    expected = [2, ABSENT, 3, ABSENT, ABSENT, 5, UNREAD]
    for _ in range(2):
        assert expected == [read(dumps(loads(document))) for document in documents]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xe0\x01\x00\xea", id="no value"),
        pytest.param(b"{b:1}", id="text"),
        pytest.param(dumps(loads("{a:1,b:2}"))[:-1], id="broken off"),
        pytest.param(dumps(loads("{a:1,b:2}")) + b"\x20", id="two values"),
        pytest.param(b"\xe0\x01\x00\xea\xd3\xff\x21\x01", id="an id that is not defined"),
        pytest.param(b"\xe0\x01\x00\xea\xd2\x84\x8e", id="a length that is not there"),
    ],
)
def test_what_our_writer_would_not_write_is_left_to_others(data: bytes) -> None:
    for before in ("{a:1,b:2}", "{}"):
        read = field_reader("name", UNREAD, UNREAD)
        read(dumps(loads(before)))
        assert read(data) == UNREAD


def test_an_id_with_more_octets_than_it_needs_is_the_same_id() -> None:
    data = b"\xe0\x01\x00\xea\xd4\x00\x84\x21\x05"  # {name: 5}, the id 4 in two octets
    assert field_reader("name", ABSENT, UNREAD)(data) == 5


def test_threads_may_share_a_reader() -> None:
    read = field_reader("b", ABSENT, UNREAD, kept=2)
    names = [[f"a{number}{field}" for field in range(number)] for number in range(6)]
    shapes = [dumps({**dict.fromkeys(before, "b"), "b": number}) for number, before in enumerate(names)]

    def found(number: int) -> set[int]:
        return {read(shapes[number]) for _ in range(5_000)}

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(6) as pool:
            assert [{number} for number in range(6)] == list(pool.map(found, range(6)))
    finally:
        sys.setswitchinterval(interval)
