"""Reading a document's octets once gives the JSON and the typed values that decoding it gives.

The reference is the full decode: ``loads``, ``to_json`` and ``fields_of``.  Values are compared by their ``repr``: it
tells ``1`` from ``True``, and a NaN is like itself.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from helpers.ion_strategies import names, values
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.binary_reader import extent, single_value
from qldb_emulator.ion.codec import IonError, dumps, loads
from qldb_emulator.ion.hash import hash_fields, hash_noted_fields
from qldb_emulator.ion.json import to_json
from qldb_emulator.ion.symbols import MAX_DEPTH, SYSTEM_SYMBOLS
from qldb_emulator.ion.values import SYMBOL_ZERO, Annotated, Symbol, Timestamp, struct_of
from qldb_emulator.journal.stored import DocumentForm
from qldb_emulator.tables.document import json_and_fields
from qldb_emulator.tables.fields import Fields, fields_of
from qldb_emulator.tables.forms import FieldColumns, Form, columns_of, form_of

DOCUMENTS = st.lists(st.tuples(names | st.sampled_from("abc"), values()), max_size=6).map(struct_of)


def check(ion: bytes, flatten: bool) -> None:
    """The document in self-contained binary, read both ways."""
    document = loads(ion)
    expected = to_json(document), fields_of(document, flatten)
    assert repr(json_and_fields(ion, *single_value(ion), flatten)) == repr(expected)
    if not flatten:
        check_together([ion, ion])


def check_together(ions: list[bytes]) -> int:
    """The documents of each form at once: their texts and fields are those of each.  Return how many have a form."""
    by_form: dict[tuple[Any, ...], list[tuple[bytes, list[bytes]]]] = {}
    for ion in ions:
        start, stop, symbols = single_value(ion)
        notes: list[int] = []
        leaves: list[bytes] = []
        if ion[start] == 0xDF:
            continue
        hash_noted_fields(ion, extent(ion, start)[0], stop, symbols, MAX_DEPTH, notes, leaves)
        by_form.setdefault((tuple(notes), tuple(symbols)), []).append((ion, leaves))
    count = 0
    for (notes_, texts), found in by_form.items():
        form = known_form(DocumentForm(notes_, texts))
        if form is None:
            continue
        rows = [7 * number for number in range(len(found))]
        json, columns = form.texts_and_columns([each for _, each in found], rows)
        documents = [loads(ion) for ion, _ in found]
        assert json == [to_json(document) for document in documents]
        assert repr(rows_of(columns)) == repr(rows_of(columns_of([fields_of(each, False) for each in documents], rows)))
        count += len(found)
    return count


def known_form(noted: DocumentForm) -> Form | None:
    """What documents become whose form was seen before."""
    assert form_of(noted) is None
    assert form_of(noted) is form_of(noted)
    return form_of(noted)


def rows_of(columns: list[FieldColumns]) -> dict[int, Fields]:
    """The fields of each document."""
    return {
        row: (shape, values)
        for shape, rows, given in sorted(columns, key=lambda each: each[1])
        for row, values in zip(rows, zip(*given, strict=True), strict=True)
    }


SAME = st.fixed_dictionaries(
    {
        "text": st.text(),
        "%s": st.integers(-(2**70), 2**70),
        "small": st.integers(0, 300),
        "when": st.sampled_from([Timestamp("day", 2020, 1, 2), Timestamp("year", 2020), Timestamp.from_epoch_ms(1)]),
        "much": st.decimals(allow_nan=False, allow_infinity=False),
        "real": st.floats(),
        "is": st.booleans(),
        "octets": st.binary(max_size=3),
        "none": st.none(),
        "kind": st.sampled_from([Symbol("x"), Symbol("%")]),
        "in": st.fixed_dictionaries({"list": st.lists(st.text(max_size=2), max_size=1), "": st.text(max_size=2)}),
    }
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SAME, min_size=2, max_size=12))
@example([{"a": 1}, {"a": 2**64}, {"a": 2**70}, {"b": "x"}, {}, {}])
@example([{"a": Timestamp("day", 2020, 1, 2)}, {"a": Timestamp("year", 2020)}])
@example([{"a": Decimal("1E+3")}, {"a": Decimal("1.50")}, {"a": Decimal("1E-200")}])
def test_documents_of_one_form_are_read_as_each_by_itself(documents):
    assert check_together([dumps(document) for document in documents]) == len(documents)


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS, st.booleans())
@example({}, False)
@example({"a": None}, False)
@example({"a": None, "b": True, "c": False}, False)
@example({"a": Annotated(["x", "y"], 1)}, False)
@example({"%s": "%d", "b": {"%": ["%s"]}}, False)
@example({SYMBOL_ZERO: 1, "$0": "x"}, False)
@example({"a": {SYMBOL_ZERO: SYMBOL_ZERO}, "": 1}, False)
@example(struct_of([("a", 1), ("b", 2), ("a", 3)]), False)
@example({"a": struct_of([("a", 1), ("a", 3)])}, False)
@example({"a": 2**55, "b": 2**56 - 1, "c": 2**56, "d": 2**63 - 1, "e": 2**63, "f": 2**64, "g": -(2**63)}, False)
@example({"a": Timestamp("year", 2020), "b": Timestamp("second", 1, fraction="1234567", offset=0)}, False)
@example({"a": 10**5000}, False)
def test_a_document_is_read_as_it_is_decoded(document, flatten):
    check(dumps(document), flatten)


NAMES = st.sampled_from([bytes((0x80 | number,)) for number in range(4, 10)] + [b"\x80", b"\x00\x85"])
SCALARS = st.sampled_from(
    [
        b"\x22\x00\x05",  # an int with a zero in front
        b"\x29" + bytes(8) + b"\x05",  # and one of nine octets
        b"\x28\x7f" + bytes(7),
        b"\x28\x80" + bytes(7),
        b"\x20",
        b"\x33\x01\x02\x03",
        b"\x8e\x81x",  # a length behind the type octet that has room in it
        b"\x8e\x00\x81x",
        b"\x8e\x8eabcdefghijklmn",
        b"\x82\xc3\xa9",
        b"\x84\x22\\\x01%",
        b"\x00",  # padding
        b"\x01\xff",
        b"\xe4\x81\x84\x21\x01",  # annotated
        b"\xe5\x82\x84\x85\x81x",
        *(bytes((code << 4 | 15,)) for code in range(14)),  # nulls
        b"\x71\x04",
        b"\x70",
        b"\x10",
        b"\x11",
        b"\x44\x7f\xc0\x00\x00",  # NaN
        b"\x40",
        b"\x50",
        b"\x52\x80\x80",
        b"\x53\xc2\x23\x28",
        b"\x65\xc0\x0f\xe0\x82\x9f",  # the 31st of February: refused
        b"\x65\xc0\x0f\xe0\x82\x9d",
        b"\xa2\x00\xff",
        b"\x92\x00\xff",
    ]
)


def sized(code: int, contents: bytes) -> bytes:
    """A container with these contents."""
    is_short = len(contents) < 14 and (code, len(contents)) != (13, 1)
    head = (
        (code << 4 | len(contents),) if is_short else (code << 4 | 14, len(contents) >> 7, 0x80 | len(contents) & 0x7F)
    )
    return bytes(head) + contents


def containers(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Lists, S-expressions and structs of these values."""
    items = st.lists(inner, max_size=3).map(b"".join)
    return st.builds(sized, st.sampled_from([11, 12]), items) | struct_contents(inner).map(lambda each: sized(13, each))


def struct_contents(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Fields with these values."""
    return st.lists(st.tuples(NAMES, inner).map(b"".join), max_size=5).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(struct_contents(st.recursive(SCALARS, containers, max_leaves=5)), st.booleans())
@example(b"\x84\xd1\x83\x85\x21\x01", False)  # an ordered struct
def test_octets_of_any_form_are_read_as_they_are_decoded(octets, flatten):
    """The struct with these contents, system symbols its only names."""
    ion = b"\xe0\x01\x00\xea" + sized(13, octets)
    used: list[int] = []
    try:
        hash_fields(ion, len(ion) - len(octets), len(ion), SYSTEM_SYMBOLS, 50, used)
    except (IonError, IndexError, UnicodeDecodeError):
        return  # such a document has no hash, so no row is made of it
    check(ion, flatten)


def test_two_symbols_of_one_text_are_a_repeated_name():
    ion = dumps({"a": 1})
    start, _, symbols = single_value(ion)
    both: Any = [*symbols, "a"]
    octets = ion[:start] + bytes((0xD6,)) + bytes((0x80 | len(symbols) - 1, 0x21, 1, 0x80 | len(symbols), 0x21, 2))
    text, fields = json_and_fields(octets, start, len(octets), both, False)
    assert text == '{"a":1,"a":2}'
    assert fields == ((("a",), ("MIXED",)), (0,))
