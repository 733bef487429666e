"""Equality of Ion, equality and order of PartiQL, and index keys, by table."""

from __future__ import annotations

import itertools
import time
from typing import Any, ClassVar

import pytest

from qldb_emulator.ion.codec import loads
from qldb_emulator.ion.compare import (
    KEY_BYTES_MAX,
    NotComparable,
    compare,
    index_key,
    ion_equal,
    kind,
    order_key,
    partiql_equal,
)
from qldb_emulator.ion.values import Annotated


class Bag(list):  # type: ignore[type-arg]
    """As PartiQL has it: a collection whose order does not count."""

    partiql_kind: ClassVar[str] = "bag"


class Missing:
    partiql_kind: ClassVar[str] = "null"

    def __repr__(self) -> str:
        return "Missing()"


# Each line: values that PartiQL calls equal; values of different lines are unequal.  Source: partiql.md 4.1.
CLASSES = [
    ["1", "1.0", "1.00", "1000d-3", "1e0", "x::1"],
    ["0", "0.0", "-0.0", "0d100", "0e0", "-0e0"],
    ["nan", "x::nan"],
    ["+inf"],
    ["-inf"],
    ["0.1", "100d-3"],
    ["0.1e0", "0.1000000000000000055511151231257827021181583404541015625"],
    ["1d1000000", "10d999999"],
    ["-1d1000000"],
    ["9007199254740993"],
    ["9007199254740992", "9007199254740992e0"],
    ["true"],
    ["false"],
    ['"a"', "a", "x::a"],
    ['""', "''"],
    ["$0"],
    ['"true"'],
    ['"1"'],
    ["{{YQ==}}", '{{"a"}}'],
    ["2000-01-01T00:00Z", "2000T", "2000-01-01", "2000-01-01T00:00:00.000-00:00", "2000-01-01T01:00+01:00"],
    ["2000-01-01T00:00:00.001Z", "2000-01-01T00:00:00.0010Z"],
    ["[]"],
    ["()"],
    ["{}"],
    ["[1,a]", '[1.0,"a"]', "[x::1,a]"],
    ["[a,1]"],
    ["(1 a)", '(1e0 "a")'],
    ["[null]", "[null.int]", "[x::null]"],
    ["[[]]"],
    ["{a:1,b:2}", "{b:2.0,a:1}"],
    ["{a:1,a:2}", "{a:2,a:1}"],
    ["{a:1}"],
    ["{a:1,a:1}"],
    ["{a:null}", "{a:null.string}"],
    ["{a:[1]}", "{a:[1.0]}"],
]
MEMBERS = [(number, loads(text), text) for number, line in enumerate(CLASSES) for text in line]


def test_partiql_equality_and_index_keys_follow_the_table() -> None:
    for (line_a, a, text_a), (line_b, b, text_b) in itertools.product(MEMBERS, MEMBERS):
        expected = line_a == line_b
        assert (text_a, text_b, expected) == (text_a, text_b, partiql_equal(a, b))
        assert (text_a, text_b, expected) == (text_a, text_b, index_key(a) == index_key(b))


def test_ion_equality_tells_all_of_them_apart() -> None:
    order_does_not_count = {"{a:1,a:2}", "{a:2,a:1}"}
    for (_, a, text_a), (_, b, text_b) in itertools.product(MEMBERS, MEMBERS):
        same = text_a == text_b or {text_a, text_b} == order_does_not_count
        assert (text_a, text_b, same) == (text_a, text_b, ion_equal(a, b))


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        pytest.param("nan", "x::nan", False, id="annotations count"),
        pytest.param("nan", "nan", True, id="every NaN is the same"),
        pytest.param("{a:1,b:2}", "{b:2,a:1}", True, id="the order of fields does not count"),
        pytest.param("{a:1}", "{b:1}", False, id="names count"),
        pytest.param("[1]", "[1,1]", False, id="lengths count"),
        pytest.param("null", "null.null", True, id="two names of null"),
        pytest.param("null", "null.int", False, id="types of null count"),
        pytest.param("null.int", "0", False, id="a null is no zero"),
        pytest.param("{a:1,a:1}", "{a:1}", False, id="repeated fields count"),
        pytest.param("2000-01-01T00:00Z", "2000-01-01T00:00-00:00", False, id="unknown offsets count"),
    ],
)
def test_ion_equality(a: str, b: str, equal: bool) -> None:
    assert ion_equal(loads(a), loads(b)) is equal


def test_bags_compare_as_bags() -> None:
    assert partiql_equal(Bag([1, 2, 2]), Bag([2, 1.0, 2]))
    assert index_key(Bag([1, 2, 2])) == index_key(Bag([2, 1, 2]))
    assert not partiql_equal(Bag([1, 2, 2]), Bag([1, 2]))
    assert not partiql_equal(Bag([1]), [1])
    assert index_key(Bag([1])) != index_key([1])


@pytest.mark.parametrize("value", [None, loads("null.int"), Annotated(["a"], None), Missing()], ids=repr)
def test_null_and_missing_have_no_index_key(value: Any) -> None:
    assert kind(value) == "null"
    assert index_key(value) is None


def test_missing_within_a_container_equals_null() -> None:
    assert partiql_equal([Missing()], [None])
    assert index_key([Missing()]) == index_key([None])


def test_index_keys_are_short_and_distinct_for_long_values() -> None:
    long, longer = index_key("x" * 1000), index_key("x" * 1001)
    assert long is not None
    assert longer is not None
    assert len(long) <= KEY_BYTES_MAX
    assert long != longer


def test_huge_exponents_cost_nothing() -> None:
    started = time.perf_counter()
    a, b = loads("1d99999999999999999"), loads("1d-99999999999999999")
    assert not partiql_equal(a, b)
    assert not partiql_equal(a, 1)
    assert not partiql_equal(a, 1e300)
    assert index_key(a) != index_key(b)
    assert compare(a, b) == 1
    assert compare(b, 0) == 1
    assert compare(a, 10**400) == 1
    assert time.perf_counter() - started < 5


ORDERED = [
    ["false", "true"],
    [
        "nan",
        "-inf",
        "-1d1000000",
        "-1.5e0",
        "-1",
        "0",
        "0.1",
        "0.1e0",
        "1",
        "9007199254740992e0",
        "9007199254740993",
        "1d1000000",
        "+inf",
    ],
    ["$0", '""', "'A'", '"a"', "ab", '"b"', '"é"', '"😀"'],
    ["1999T", "2000-01-01T01:00+02:00", "2000T", "2000-01-01T00:00:00.001Z", "2000-01-01T00:00:00.01Z", "2000-02T"],
]


@pytest.mark.parametrize("texts", ORDERED, ids=["booleans", "numbers", "text", "timestamps"])
def test_order_within_a_class(texts: list[str]) -> None:
    values = [loads(text) for text in texts]
    for (i, a), (j, b) in itertools.product(enumerate(values), enumerate(values)):
        assert compare(a, b) == (i > j) - (i < j)
    assert [texts[values.index(each)] for each in sorted(values[1:], key=order_key)] == texts[1:]


@pytest.mark.parametrize(
    ("a", "b"),
    [("1", '"1"'), ("true", "1"), ("[1]", "[2]"), ("{}", "{}"), ("null", "1"), ("null", "null"), ("{{}}", "{{}}")],
)
def test_other_values_have_no_order(a: str, b: str) -> None:
    with pytest.raises(NotComparable):
        compare(loads(a), loads(b))
