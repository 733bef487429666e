"""The Python forms of Ion values, and the arithmetic of timestamps against Python's own calendar."""

from __future__ import annotations

import copy
import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.ion import binary_reader, binary_writer, text_writer
from qldb_emulator.ion import hash as ion_hash
from qldb_emulator.ion.codec import IonError, dumps, dumps_text, loads, loads_document
from qldb_emulator.ion.values import (
    ION_TYPES,
    SYMBOL_ZERO,
    Annotated,
    Clob,
    MultiStruct,
    Sexp,
    Symbol,
    Timestamp,
    TypedNull,
    civil_from_days,
    days_from_civil,
    ion_type,
    is_null,
    struct_items,
    struct_of,
    struct_size,
    walk,
)

EPOCH = datetime.date(1970, 1, 1)

TYPES: list[tuple[Any, str]] = [
    (None, "null"),
    (TypedNull.of("clob"), "clob"),
    (True, "bool"),
    (1, "int"),
    (1.0, "float"),
    (Decimal(1), "decimal"),
    (Timestamp("year", 2000), "timestamp"),
    (Symbol("a"), "symbol"),
    (SYMBOL_ZERO, "symbol"),
    ("a", "string"),
    (Clob(b""), "clob"),
    (b"", "blob"),
    ([], "list"),
    (Sexp(), "sexp"),
    ({}, "struct"),
    (MultiStruct([("a", 1), ("a", 2)]), "struct"),
    (loads_document(dumps({"a": 1})), "struct"),
    (Annotated(["a"], Sexp()), "sexp"),
    (type("Subclass", (dict,), {})(), "struct"),
]


@pytest.mark.parametrize(("value", "name"), TYPES, ids=lambda each: repr(each)[:30])
def test_every_value_has_a_type(value: Any, name: str) -> None:
    assert ion_type(value) == name


@pytest.mark.parametrize("value", [object(), (), {1}], ids=["object", "tuple", "set"])
def test_other_objects_have_no_type(value: Any) -> None:
    with pytest.raises(TypeError, match="not an Ion value"):
        ion_type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Symbol("a"), "Symbol('a')"),
        (SYMBOL_ZERO, "SYMBOL_ZERO"),
        (Clob(b"a"), "Clob(b'a')"),
        (Sexp([1]), "Sexp([1])"),
        (TypedNull.of("int"), "TypedNull('int')"),
        (Annotated(["a"], 1), "Annotated(('a',), 1)"),
        (MultiStruct([("a", 1)]), "MultiStruct([('a', 1)])"),
        (Timestamp("day", 2000, 1, 2), "Timestamp(2000-01-02)"),
    ],
    ids=repr,
)
def test_a_value_shows_what_it_is(value: Any, text: str) -> None:
    assert repr(value) == text


def test_there_is_one_null_of_each_type() -> None:
    for name in ION_TYPES:
        null = TypedNull.of(name)
        assert TypedNull.of(name) is null
        assert copy.deepcopy(null) is null
        assert copy.copy(null) is null
        assert is_null(Annotated(["a"], null))
    with pytest.raises(ValueError, match="not an Ion type"):
        TypedNull.of("integer")


def test_the_symbol_without_text_equals_only_itself() -> None:
    assert SYMBOL_ZERO != ""
    assert Symbol("") != SYMBOL_ZERO
    assert {SYMBOL_ZERO: 1, "": 2}[SYMBOL_ZERO] == 1


def test_a_struct_keeps_repeated_names_in_order() -> None:
    fields = [("a", 1), ("b", 2), ("a", 3)]
    struct = struct_of(fields)
    assert type(struct) is MultiStruct
    assert struct["a"] == 1
    assert list(struct_items(struct)) == fields
    assert struct_size(struct) == 3
    assert type(struct_of(fields[:2])) is dict
    assert struct_size(struct_of(fields[:2])) == 2


def test_walking_visits_everything_inside() -> None:
    value = loads("{a:[1,x::(2 {b:3})],a:4}")
    assert next(walk(value)) is value
    assert sorted(each for each in walk(value) if isinstance(each, int)) == [1, 2, 3, 4]


@settings(deadline=None)
@given(st.dates())
def test_the_calendar_is_pythons(date: datetime.date) -> None:
    days = (date - EPOCH).days
    assert days_from_civil(date.year, date.month, date.day) == days
    assert civil_from_days(days) == (date.year, date.month, date.day)


@pytest.mark.parametrize("days", [-719_163, 2_932_897])
def test_days_outside_the_calendar_are_refused(days: int) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        civil_from_days(days)


@settings(deadline=None)
@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_epoch_milliseconds_come_back(milliseconds: int) -> None:
    stamp = Timestamp.from_epoch_ms(milliseconds)
    assert stamp.epoch_ms() == milliseconds
    assert (stamp.precision, stamp.offset, len(stamp.fraction)) == ("second", 0, 3)
    assert loads(str(stamp)) == stamp
    assert hash(loads(dumps(stamp))) == hash(stamp)


@pytest.mark.parametrize("text", ["0001-01-01T00:00+23:59", "9999-12-31T23:59-23:59", "9999-12-31T23:59:59.999+00:01"])
def test_times_whose_utc_form_leaves_the_calendar_survive(text: str) -> None:
    assert dumps_text(loads(dumps(loads(text)))) == text


@pytest.mark.parametrize("octets", ["68800fe1889593a5bc", "67805ed08c9f97bb", "68423c4e8f8c9f97bb", "6842bc8081818080"])
def test_times_outside_the_calendar_are_refused(octets: str) -> None:
    with pytest.raises(IonError):
        loads(bytes.fromhex("e00100ea" + octets))


@pytest.mark.parametrize(
    "value", ["\ud800", Decimal("sNaN"), Decimal(f"1E{10**17 + 1}")], ids=["surrogate", "NaN", "exponent"]
)
def test_text_refuses_what_ion_cannot_hold(value: Any) -> None:
    for write in (dumps, dumps_text, ion_hash.hash_value):
        with pytest.raises(IonError):
            write(value)


def test_caches_are_bounded() -> None:
    for number in range(5000):
        data = dumps({f"field{number}": number})
        loads(data)
        ion_hash.hash_binary(data)
        dumps_text({f"field{number}": number})
    assert len(binary_reader._TABLE_CACHE) <= 512
    assert len(binary_writer._TABLE_CACHE) <= 512
    assert len(text_writer._NAME_CACHE) <= 4096
    assert len(ion_hash._NAME_CACHE) <= 4096


def test_subclasses_of_plain_types_are_written_as_these() -> None:
    for base, value in ((str, "a"), (float, 1.5), (Decimal, "1.50"), (bytes, b"a"), (dict, {"a": 1}), (list, [1])):
        plain, derived = base(value), type("Derived", (base,), {})(value)
        assert dumps(derived) == dumps(plain)
        assert dumps_text(derived) == dumps_text(plain)
        assert ion_hash.hash_value(derived) == ion_hash.hash_value(plain)
