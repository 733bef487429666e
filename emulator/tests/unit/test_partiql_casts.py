"""CAST.  Expected values: ql-functions.cast (partiql.md 4.4, statements.json) and the suite partiql-tests."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from qldb_emulator.ion.values import Annotated, Clob, Sexp, Symbol, Timestamp, TypedNull
from qldb_emulator.partiql.language.casts import cast
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.semantics import TYPE_NAMES, type_of_name
from qldb_emulator.partiql.language.values import MISSING, Bag

D = Decimal
OVERFLOW = "Int overflow or underflow, <UNKNOWN> : <UNKNOWN>"
MOMENT = Timestamp("second", 2007, 2, 23, 12, 14, 33, "079", -480)


def same(expected: Any, actual: Any) -> bool:
    return type(expected) is type(actual) and repr(expected) == repr(actual)


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        (True, "boolean", True),
        (0, "boolean", False),
        (2, "bool", True),
        (D("0.00"), "bool", False),
        (-0.0, "bool", True),
        (-0.0, "decimal", D(0)),
        (Annotated(("b",), True), "string", "b::true"),
        (2**70, "string", str(2**70)),
        (0.5, "bool", True),
        ("a", "boolean", False),
        ("TRUE", "boolean", True),
        (Symbol("true"), "boolean", True),
        (Symbol("'true'"), "boolean", False),
        (True, "integer", 1),
        (False, "int", 0),
        (D("1E3"), "integer", 1000),
        (D("1.9"), "smallint", 1),
        (-1.9, "int", -1),
        ("12", "integer", 12),
        (Symbol("22"), "integer", 22),
        ("+01", "int", 1),
        ("-00", "int", 0),
        ("0b10", "int", 2),
        ("-0x0A", "int", -10),
        ("+0XA", "int", 10),
        ("1_000", "int", 1000),
        (-9223372036854775808.0, "int", -(2**63)),
        ("9223372036854775807", "int", 2**63 - 1),
        ("0" * 100 + "7", "int", 7),
        (D("1E-999999"), "int", 0),
        (D("1E3"), "float", 1000.0),
        (1, "real", 1.0),
        (True, "double_precision", 1.0),
        (" 1.5e3 ", "float", 1500.0),
        ("-Infinity", "float", -math.inf),
        ("1d", "float", 1.0),
        (D("1E999"), "float", math.inf),
        (1, "decimal", D(1)),
        (True, "dec", D(1)),
        ("1.50", "numeric", D("1.50")),
        ("1e3", "decimal", D("1E+3")),
        (1.1, "decimal", D("1.1000000000000000888178419700125232339")),
        ("0." + "1" * 50, "decimal", D("0." + "1" * 38)),
        ("2007-02-23T12:14:33.079-08:00", "timestamp", MOMENT),
        (Symbol("2007T"), "timestamp", Timestamp("year", 2007)),
        (True, "string", "true"),
        (False, "symbol", Symbol("false")),
        (12, "string", "12"),
        (D("1.50"), "string", "1.50"),
        (1000.0, "string", "1000.0"),
        (1e10, "string", "1.0E10"),
        (1e-4, "string", "1.0E-4"),
        (-0.0, "string", "-0.0"),
        (12345678.5, "string", "1.23456785E7"),
        (MOMENT, "string", "2007-02-23T12:14:33.079-08:00"),
        (Symbol("a"), "varchar", "a"),
        ("a", "symbol", Symbol("a")),
        ([1], "sexp", Sexp([1])),
        (Sexp([1]), "list", [1]),
        (Bag([1]), "list", [1]),
        ([1], "bag", Bag([1])),
        (b"x", "clob", Clob(b"x")),
        (Clob(b"x"), "blob", b"x"),
        ({"a": 1}, "struct", {"a": 1}),
        (None, "boolean", None),
        (MISSING, "null", None),
        (None, "missing", MISSING),
        (MISSING, "missing", MISSING),
        (MISSING, "boolean", MISSING),
        (TypedNull.of("int"), "string", TypedNull.of("int")),
    ],
)
def test_cast(value: Any, name: str, expected: Any) -> None:
    assert same(expected, cast(value, name))


@pytest.mark.parametrize(
    ("value", "name", "generated"),
    [
        (True, "null", "Cannot convert BOOL to NULL"),
        (1, "missing", "Cannot convert INT to MISSING"),
        ([1], "int", "Cannot convert LIST to INT"),
        ({}, "list", "Cannot convert STRUCT to LIST"),
        (MOMENT, "int", "Cannot convert TIMESTAMP to INT"),
        (1, "timestamp", "Cannot convert INT to TIMESTAMP"),
        ("x", "blob", "Cannot convert STRING to BLOB"),
        (b"1", "int", "Cannot convert BLOB to INT"),
        ([1], "struct", "Cannot convert LIST to STRUCT"),
        ([1], "string", "Cannot convert LIST to STRING"),
        ("aa", "integer", "Failed to convert STRING to INT"),
        (Symbol("x"), "int", "Failed to convert SYMBOL to INT"),
        ("", "int", "Failed to convert STRING to INT"),
        ("2e10", "int", "Failed to convert STRING to INT"),
        ("00xA", "int", "Failed to convert STRING to INT"),
        ("nan", "float", "Failed to convert STRING to FLOAT"),
        ("1_0", "float", "Failed to convert STRING to FLOAT"),
        ("+-Infinity", "float", "Failed to convert STRING to FLOAT"),
        ("NaN", "decimal", "Failed to convert STRING to DECIMAL"),
        (math.nan, "decimal", "Unexpected value type"),
        ("1e9999999999999999999999", "decimal", "Failed to convert STRING to DECIMAL"),
        ("2007-02-30", "timestamp", "Failed to convert STRING to TIMESTAMP"),
        ("9223372036854775808", "int", OVERFLOW),
        ("1" * 5000, "int", OVERFLOW),
        (D("1E+999999999"), "int", OVERFLOW),
        (math.inf, "int", OVERFLOW),
        (math.nan, "int", OVERFLOW),
        (2.0**63, "int", OVERFLOW),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_casts_that_fail(value: Any, name: str, generated: str) -> None:
    with pytest.raises(PartiqlError) as caught:
        cast(value, name)
    assert ("Evaluator", generated) == (caught.value.category, caught.value.generated)


def test_the_second_half_of_the_text() -> None:
    with pytest.raises(PartiqlError) as caught:
        cast(Symbol("x"), "int")
    assert caught.value.thrown == "can't convert string value to INT"


@pytest.mark.parametrize("name", sorted(TYPE_NAMES))
def test_every_type_name_of_the_page_casts_null_to_null_or_missing(name: str) -> None:
    assert same(MISSING if name == "missing" else None, cast(None, name))
    assert type_of_name(name).isupper()


def test_a_cast_to_the_same_type_is_the_value_itself_with_its_annotations() -> None:
    annotated = Annotated(("x",), 5)
    assert annotated is cast(annotated, "int")
    assert same(5.0, cast(annotated, "float"))
