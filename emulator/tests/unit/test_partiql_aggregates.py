"""Aggregates.  Expected values: partiql.md 2.3 and 4.3, and the suite partiql-tests."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from qldb_emulator.ion.values import Annotated, Symbol, TypedNull
from qldb_emulator.partiql.execution.aggregates import make_accumulator
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.values import MISSING

D = Decimal
DATA = [1, 1, 1, 2]
NUMBERS = [1, 2.0, D(3), 4, D("5.0")]


def result_of(name: str, values: list[Any], is_distinct: bool = False, is_star: bool = False) -> Any:
    accumulator = make_accumulator(name, is_distinct, is_star)
    for value in values:
        accumulator.add(value)
    return accumulator.result()


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("count", [], 0),
        ("count", [1, None, MISSING, TypedNull.of("int"), "a"], 2),
        ("count", NUMBERS, 5),
        ("sum", [], None),
        ("sum", [None, MISSING], None),
        ("sum", DATA, 5),
        ("sum", NUMBERS, D("15.0")),
        ("sum", [1, 2.5], 3.5),
        ("sum", [Annotated(("x",), 7)], 7),
        ("avg", [], None),
        ("avg", [MISSING], None),
        ("avg", DATA, D("1.25")),
        ("avg", NUMBERS, D("3.0")),
        ("avg", [2, None, 4], D(3)),
        ("avg", [0.5], D("0.5")),
        ("min", [], None),
        ("min", NUMBERS, 1),
        ("max", NUMBERS, D("5.0")),
        ("max", [1, D("1.0")], 1),
        ("min", [1, math.nan], 1),
        ("max", [1, math.nan], math.nan),
        ("max", [Annotated(("x",), 3), 2], 3),
    ],
    ids=lambda v: repr(v)[:40],
)
def test_aggregates_skip_unknowns(name: str, values: list[Any], expected: Any) -> None:
    actual = result_of(name, values)
    assert (type(expected), repr(expected)) == (type(actual), repr(actual))


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("count", [1, D("1.0"), 1.0, 2, None, "a", Symbol("a")], 3),
        ("sum", DATA, 3),
        ("avg", [1, 1, 1, 3], D(2)),
        ("max", DATA, 2),
        ("min", [], None),
        ("count", [[1], [1], [2]], 2),
    ],
)
def test_distinct_counts_equal_values_once(name: str, values: list[Any], expected: Any) -> None:
    actual = result_of(name, values, is_distinct=True)
    assert (type(expected), repr(expected)) == (type(actual), repr(actual))


def test_count_star_counts_rows() -> None:
    assert result_of("count", [None, MISSING, 1], is_star=True) == 3


@pytest.mark.parametrize("name", ["sum", "avg", "min", "max"])
@pytest.mark.parametrize(("value", "shown"), [("a", '"a"'), (True, "true"), ([1], "[1]")])
def test_all_but_count_take_numbers_only(name: str, value: Any, shown: str) -> None:
    with pytest.raises(PartiqlError) as caught:
        result_of(name, [1, value])
    assert caught.value.thrown == f"Expected number: {shown}"


@pytest.mark.parametrize("name", ["sum", "avg"])
def test_a_sum_of_ints_can_overflow(name: str) -> None:
    with pytest.raises(PartiqlError, match="Int overflow or underflow"):
        result_of(name, [2**63 - 1, 1])
