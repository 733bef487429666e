"""Ion binary, octet by octet, and the errors of reading and writing it."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Any

import pytest

from qldb_emulator.ion.codec import Document, IonError, dump_all, dumps, load_all, loads, loads_document
from qldb_emulator.ion.compare import ion_equal
from qldb_emulator.ion.hash import hash_binary, hash_value
from qldb_emulator.ion.values import (
    SYMBOL_ZERO,
    Annotated,
    Clob,
    MultiStruct,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    struct_of,
)

MARKER = bytes.fromhex("e00100ea")


class Colour(enum.StrEnum):
    RED = "red"


class Size(enum.IntEnum):
    BIG = 300


CANONICAL: dict[str, tuple[Any, str]] = {
    "null": (None, "0f"),
    "null.int": (TypedNull.of("int"), "2f"),
    "null.struct": (TypedNull.of("struct"), "df"),
    "true": (True, "11"),
    "false": (False, "10"),
    "zero": (0, "20"),
    "an int of one octet": (255, "21ff"),
    "a negative int": (-256, "320100"),
    "an int of 14 octets": (2**111, "2e8e" + "80" + "00" * 13),
    "positive zero, a float": (0.0, "40"),
    "negative zero, a float": (-0.0, "488000000000000000"),
    "a float": (1.0, "483ff0000000000000"),
    "NaN": (float("nan"), "487ff8000000000000"),
    "0d0": (Decimal("0"), "50"),
    "0d-2": (Decimal("0.00"), "51c2"),
    "-0d0": (Decimal("-0"), "528080"),
    "90.25": (Decimal("90.25"), "53c22341"),
    "a decimal whose sign needs an octet of its own": (Decimal("-12.8"), "53c18080"),
    "1d1000": (Decimal("1E1000"), "5307e801"),
    "a year": (Timestamp("year", 2017), "63c00fe1"),
    "a month": (Timestamp("month", 2017, 8), "64c00fe188"),
    "a day": (Timestamp("day", 2017, 8, 21), "65c00fe18895"),
    "a minute, UTC": (Timestamp("minute", 2017, 8, 21, 19, 37, offset=0), "67800fe1889593a5"),
    "milliseconds, UTC": (
        Timestamp("second", 2019, 9, 16, 19, 37, 5, "360", 0),
        "6b800fe3899093a585c30168",
    ),
    "an unknown offset": (Timestamp("minute", 2017, 8, 21, 19, 37), "67c00fe1889593a5"),
    "an offset that makes UTC another day": (
        Timestamp("minute", 2017, 8, 21, 19, 37, offset=-300),
        "6842ac0fe1889680a5",
    ),
    "a system symbol": (Symbol("name"), "7104"),
    "the symbol without text": (SYMBOL_ZERO, "70"),
    "a string": ("héllo", "8668c3a96c6c6f"),
    "a string of 14 octets": ("x" * 14, "8e8e" + "78" * 14),
    "a string of 200 octets": ("x" * 200, "8e01c8" + "78" * 200),
    "a clob": (Clob(b"ab"), "926162"),
    "a blob": (b"hi", "a26869"),
    "a list": ([1, []], "b32101b0"),
    "a sexp": (Sexp([True]), "c111"),
    "a struct": ({"name": 1, "version": None}, "d5842101850f"),
    "a repeated field": (MultiStruct([("name", 1), ("name", 2)]), "d6842101842102"),
    "an annotated value": (Annotated(["name", "version"], 1), "e58284852101"),
    "a member of an enumeration": (Size.BIG, "22012c"),
}


@pytest.mark.parametrize(("value", "octets"), CANONICAL.values(), ids=CANONICAL)
def test_a_value_has_one_canonical_form(value: Any, octets: str) -> None:
    data = MARKER + bytes.fromhex(octets)
    assert dumps(value) == data
    assert ion_equal(loads(data), value)
    assert hash_binary(data) == hash_value(value)


UNUSUAL: dict[str, tuple[str, Any]] = {
    "an int with leading zeros": ("23000005", 5),
    "null.int under the code of negative ints": ("3f", TypedNull.of("int")),
    "a float of 32 bits": ("443fc00000", 1.5),
    "a decimal with a padded coefficient": ("54c2000001", Decimal("0.01")),
    "a decimal with a padded exponent": ("5300c201", Decimal("1E66")),
    "0d0 with every part written": ("528000", Decimal("0")),
    "a timestamp with a padded year": ("66c0000fe18895", Timestamp("day", 2017, 8, 21)),
    "a timestamp with a padded offset": ("6800800fe1889593a5", Timestamp("minute", 2017, 8, 21, 19, 37, offset=0)),
    "a symbol id with leading zeros": ("73000004", Symbol("name")),
    "a short string with a long length": ("8e8161", "a"),
    "an ordered struct": ("d183842101", {"name": 1}),
    "padding in a struct": ("d58400842101", {"name": 1}),
    "padding in a list": ("b400002101", [1]),
    "padding before and after": ("00" + "2101" + "01ff", 1),
}


@pytest.mark.parametrize(("octets", "value"), UNUSUAL.values(), ids=UNUSUAL)
def test_other_forms_are_read_and_hash_alike(octets: str, value: Any) -> None:
    data = MARKER + bytes.fromhex(octets)
    assert ion_equal(loads(data), value)
    assert hash_binary(data) == hash_value(value)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "found none", id="nothing"),
        pytest.param(MARKER, "found 0", id="a marker and no value"),
        pytest.param(MARKER + bytes.fromhex("21012102"), "found 2", id="two values"),
        pytest.param(bytes.fromhex("e00200ea21"), "UTF-8", id="another major version"),
        pytest.param(MARKER + bytes.fromhex("e00101ea2101"), "version marker", id="another minor version, later"),
        pytest.param(MARKER + bytes.fromhex("2201"), "ends inside", id="an int cut off"),
        pytest.param(MARKER + bytes.fromhex("710a"), "symbol id", id="an unknown symbol id"),
        pytest.param(MARKER + bytes.fromhex("82c328"), "UTF-8", id="a string that is not UTF-8"),
        pytest.param(MARKER + bytes.fromhex("3100"), "negative zero", id="a negative zero"),
        pytest.param(MARKER + bytes.fromhex("120000"), "boolean", id="a boolean of length 2"),
        pytest.param(MARKER + bytes.fromhex("1e8100"), "boolean", id="a boolean with a length"),
        pytest.param(MARKER + bytes.fromhex("f0"), "type code", id="type code 15"),
        pytest.param(MARKER + bytes.fromhex("ef"), "type code", id="a null annotation wrapper"),
        pytest.param(MARKER + bytes.fromhex("d180"), "ordered struct", id="an empty ordered struct"),
        pytest.param(MARKER + bytes.fromhex("e68184e00100ea"), "annotations", id="a marker inside"),
        pytest.param(MARKER + bytes.fromhex("65c00fe1829e"), "not a date", id="the 30th of February"),
        pytest.param(MARKER + bytes.fromhex("61c0"), "without a year", id="a timestamp without a year"),
        pytest.param(
            MARKER + bytes.fromhex("620080"), "without a year", id="a timestamp of a padded offset, without a year"
        ),
        pytest.param(MARKER + bytes.fromhex("67800fe1889598a5"), "out of range", id="hour 24"),
        pytest.param(MARKER + bytes.fromhex("6b800fe3899093a585c303e8"), "less than a second", id="1000 milliseconds"),
    ],
)
def test_bad_binary_is_refused_with_its_reason(data: bytes, problem: str) -> None:
    with pytest.raises(IonError, match=problem):
        loads(data)


@pytest.mark.parametrize(
    ("value", "error", "problem"),
    [
        pytest.param(Symbol("$ion_1_0"), IonError, "version marker", id="the version marker as a symbol"),
        pytest.param(Annotated(["$ion_symbol_table"], {}), IonError, "symbol table", id="a symbol table"),
        pytest.param("\ud800", IonError, "surrogate", id="half of a surrogate pair"),
        pytest.param(Decimal("NaN"), IonError, "no Ion decimal", id="a decimal NaN"),
        pytest.param(Decimal("Infinity"), IonError, "no Ion decimal", id="a decimal infinity"),
        pytest.param(object(), TypeError, "not an Ion value", id="no Ion value"),
        pytest.param([{"a": (1,)}], TypeError, "not an Ion value", id="no Ion value, inside"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_reason(value: Any, error: type[Exception], problem: str) -> None:
    with pytest.raises(error, match=problem):
        dumps(value)


def test_local_symbols_get_ids_in_order_of_use() -> None:
    data = dumps({"b": Symbol("a"), "name": Symbol("b")})
    table = bytes.fromhex("e98183d687b48162") + bytes.fromhex("8161")
    assert data == MARKER + table + bytes.fromhex("d68a710b84710a")


def test_a_member_of_a_text_enumeration_is_a_string() -> None:
    assert dumps(Colour.RED) == dumps("red")
    assert hash_value(Colour.RED) == hash_value("red")


def test_a_second_table_replaces_the_first_and_a_marker_clears_it() -> None:
    both = dumps({"a": 1}) + dumps({"b": 2})
    assert list(load_all(both)) == [{"a": 1}, {"b": 2}]
    with pytest.raises(IonError, match="symbol id"):
        list(load_all(dumps({"a": 1}) + MARKER + bytes.fromhex("710a")))


def test_an_appended_table_keeps_the_symbols_before_it() -> None:
    text = '$ion_symbol_table::{symbols:["a"]} $10 $ion_symbol_table::{imports:$ion_symbol_table,symbols:["b"]} $10 $11'
    assert list(load_all(text)) == ["a", "a", "b"]


def test_symbols_of_unknown_shared_tables_have_no_text_and_cost_no_memory() -> None:
    text = f'$ion_symbol_table::{{imports:[{{name:"x",version:1,max_id:{2**60}}}],symbols:["a"]}}[$10, ${2**60 + 10}]'
    first, second = loads(text)
    assert first is SYMBOL_ZERO
    assert second == "a"
    with pytest.raises(IonError, match="imports"):
        loads(text.replace(str(2**60), str(2**62 + 1)))


def test_a_stored_document_is_written_back_as_it_was() -> None:
    data = MARKER + bytes.fromhex("d183842101")  # an ordered struct, which our writer would not produce
    document = loads_document(data)
    assert type(document) is Document
    assert dumps(document) is data
    assert dumps({"name": document}) == dumps({"name": {"name": 1}})
    assert hash_value(document) == hash_value({"name": 1})


@pytest.mark.parametrize(
    "value",
    [[1], "a", struct_of([("a", 1), ("a", 2)]), Annotated(["x"], {"a": 1}), TypedNull.of("struct")],
    ids=["list", "string", "repeated name", "annotated", "null"],
)
def test_only_a_plain_struct_is_a_document(value: Any) -> None:
    read = loads_document(dumps(value))
    assert type(read) is type(value)
    assert ion_equal(read, value)


def test_depth_is_bounded_as_asked() -> None:
    assert loads(b"\xe0\x01\x00\xea\xb1\xb0", max_depth=2) == [[]]
    for read in (lambda: loads("[[]]", max_depth=1), lambda: loads(MARKER + b"\xb1\xb0", max_depth=1)):
        with pytest.raises(IonError, match="nested too deeply"):
            read()
    with pytest.raises(IonError, match="nested too deeply"):
        dumps([[]], max_depth=1)


def test_many_values_share_one_table() -> None:
    data = dump_all([{"a": 1}, {"a": 2}])
    assert data.count(MARKER) == 1
    assert list(load_all(data)) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("head", [b"\x2e", b"\x3e", b"\x5e"], ids=["int", "negative int", "decimal"])
def test_a_number_larger_than_any_document_is_refused_unread(head):
    """Converting its digits would take minutes, in one step that nothing can end."""

    def long(head: bytes, contents: bytes) -> bytes:
        size = len(contents)
        return head + bytes((size >> 14, size >> 7 & 0x7F, size & 0x7F | 0x80)) + contents

    largest, larger = (long(head, b"\x81" + b"\x7f" * more) for more in (131_071, 131_072))
    assert loads(MARKER + largest) is not None
    for data in (larger, long(b"\xbe", larger)):
        with pytest.raises(IonError, match="a number of more than 131072 bytes"):
            loads(MARKER + data)
