"""The operators on values.  Expected values: partiql.md 4.1, 4.2, 7.3 and the suite partiql-tests."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from qldb_emulator.ion.values import Annotated, Clob, MadeStruct, MultiStruct, Sexp, Symbol, Timestamp, TypedNull
from qldb_emulator.partiql.language import semantics as s
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.values import MISSING, Bag
from qldb_emulator.partiql.syntax.ast import NOWHERE

D = Decimal
UNKNOWNS = (None, MISSING, TypedNull.of("int"), Annotated(("a",), None), Annotated(("a",), TypedNull.of("string")))
NOON = Timestamp("minute", 2020, 1, 1, 12, 0, offset=0)
SAME_NOON = Timestamp("second", 2020, 1, 1, 14, 0, 0, "000", offset=120)
LATER = Timestamp("second", 2020, 1, 1, 12, 0, 0, "001", offset=0)


def same(expected: Any, actual: Any) -> bool:
    """Equal and of one type, so that True is not 1 and 1.0 is not 1.00."""
    return type(expected) is type(actual) and repr(expected) == repr(actual)


def failure(function: Any, *arguments: Any) -> tuple[str, str, str | None]:
    with pytest.raises(PartiqlError) as caught:
        function(*arguments)
    assert caught.value.pos is NOWHERE
    return caught.value.category, caught.value.generated, caught.value.thrown


def like(value: Any, pattern: Any, escape: Any = None) -> Any:
    return s.like_match(value, s.like_pattern(pattern, escape))


T, F, N = True, False, None


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (T, T, T, T),
        (T, F, F, T),
        (T, N, N, T),
        (F, T, F, T),
        (F, F, F, F),
        (F, N, F, N),
        (N, T, N, T),
        (N, F, F, N),
        (N, N, N, N),
    ],
)
def test_and_and_or_have_three_values(left: Any, right: Any, both: Any, either: Any) -> None:
    assert (both, either) == (s.and_(left, right), s.or_(left, right))
    assert both is s.and_(left, right)
    assert either is s.or_(left, right)


@pytest.mark.parametrize("unknown", UNKNOWNS, ids=repr)
def test_every_kind_of_null_and_missing_is_unknown_to_every_operator(unknown: Any) -> None:
    assert s.is_unknown(unknown)
    assert s.truth(unknown) is None
    assert s.not_(unknown) is None
    assert s.is_true(unknown) is False
    assert failure(s.is_true_when, unknown)[2] is not None
    for name, operator in s.BINARY.items():
        other = "x" if name == "||" else True if name in ("AND", "OR") else 1
        known = name in ("AND", "OR") and (name == "OR") is other
        assert (True if known else None) is operator(unknown, other)
        assert (True if known else None) is operator(other, unknown)
    assert s.negate(unknown) is None
    assert s.plus(unknown) is None
    assert like(unknown, "a") is None
    assert like("a", unknown) is None
    assert s.like_pattern("a", unknown if unknown is not None else TypedNull.of("string")) is None


@pytest.mark.parametrize("unknown", UNKNOWNS, ids=repr)
def test_between_fails_for_an_unknown_and_in_finds_it(unknown: Any) -> None:
    """As in version 0.2.7 of the library."""
    for bound in (s.not_below, s.not_above):
        for operands in ((unknown, 1), (1, unknown)):
            assert str(failure(bound, *operands)[2]).startswith("Null value cannot be compared: ")
    assert s.in_(unknown, [1, None])
    assert not s.in_(unknown, [1])
    assert not s.in_(1, unknown)
    assert s.equal_or_unknown(unknown, MISSING)


@pytest.mark.parametrize("value", [0, "true", [], Timestamp("year", 2020)], ids=repr)
def test_a_condition_that_is_no_boolean_is_an_error(value: Any) -> None:
    for function in (s.truth, s.is_true, s.not_, lambda v: s.and_(True, v), lambda v: s.or_(v, False)):
        category, generated, thrown = failure(function, value)
        assert (category, generated) == ("Evaluator", "Unexpected value type")
        assert thrown is not None
        assert thrown.startswith("Expected boolean: ")


EQUAL = [
    (1, 1),
    (1, D("1.00")),
    (1, 1.0),
    (D("1.0"), 1.0),
    (0.0, -0.0),
    (math.nan, math.nan),
    ("a", Symbol("a")),
    (b"x", Clob(b"x")),
    (NOON, SAME_NOON),
    ([1, "a"], [D(1), Symbol("a")]),
    (Sexp([1]), Sexp([1])),
    ({"a": 1, "b": 2}, {"b": D(2), "a": 1}),
    (Annotated(("x",), 5), 5),
    (Bag([1, 2]), Bag([2, 1])),
    (MultiStruct([("a", 1), ("a", 2)]), MultiStruct([("a", 2), ("a", 1)])),
]
DIFFERENT = [
    (1, True),
    (0, False),
    (1, "1"),
    ("a", "A"),
    ("a", b"a"),
    ([1], Sexp([1])),
    ([1], Bag([1])),
    ([1, 2], [2, 1]),
    ({"a": 1}, {"A": 1}),
    (2**53 + 1, float(2**53)),
    (NOON, LATER),
    (D("0.1"), 0.1),
    ({"a": 1}, MultiStruct([("a", 1), ("a", 1)])),
]


@pytest.mark.parametrize(("left", "right"), EQUAL, ids=repr)
def test_values_of_one_class_are_equal_by_value(left: Any, right: Any) -> None:
    assert s.equal(left, right) is True
    assert s.equal(right, left) is True
    assert s.not_equal(left, right) is False
    assert s.in_(left, [99, right]) is True


@pytest.mark.parametrize(("left", "right"), DIFFERENT, ids=repr)
def test_values_of_different_classes_differ_without_an_error(left: Any, right: Any) -> None:
    assert s.equal(left, right) is False
    assert s.equal(right, left) is False
    assert s.not_equal(left, right) is True


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (1, 2),
        (1, D("1.01")),
        (1.5, 2),
        (D("0.1"), 0.1),
        (-math.inf, -(10**30)),
        (math.nan, -math.inf),
        ("a", "b"),
        ("A", Symbol("a")),
        ("é", "😀"),
        (False, True),
        (NOON, LATER),
        (Annotated(("x",), 1), 2),
        ([1], [2]),
        ([1], [1, None]),
        (Sexp([1]), Sexp([2])),
        ({"a": 1}, {"a": 2}),
        ({"b": 1, "a": 1}, {"a": 1, "b": 2}),
        (Bag([2, 1]), Bag([1, 3])),
        (b"a", Clob(b"b")),
    ],
    ids=repr,
)
def test_order_within_a_class(smaller: Any, larger: Any) -> None:
    assert (
        s.less(smaller, larger),
        s.less_equal(smaller, larger),
        s.greater(smaller, larger),
        s.greater_equal(smaller, larger),
    ) == (T, T, F, F)
    assert (
        s.less(larger, smaller),
        s.less_equal(larger, smaller),
        s.greater(larger, smaller),
        s.greater_equal(larger, smaller),
    ) == (F, F, T, T)
    assert s.not_below(larger, smaller)
    assert s.not_above(larger, larger)
    assert not s.not_below(smaller, larger)


INCOMPARABLE = [(1, "a"), (True, 1), ([1], Bag([2])), ({}, []), (NOON, "2020"), ("a", b"a"), (Sexp([1]), [1])]


@pytest.mark.parametrize(("left", "right"), INCOMPARABLE, ids=repr)
def test_order_across_classes_is_an_error(left: Any, right: Any) -> None:
    for operator in (s.less, s.less_equal, s.greater, s.greater_equal, s.not_below, s.not_above):
        assert str(failure(operator, left, right)[2]).startswith("Cannot compare values: ")


@pytest.mark.parametrize(
    ("value", "collection", "expected"),
    [
        (1, [D("1.0"), 2], T),
        (3, [1, 2], F),
        (3, [1, None], F),
        (1, [None, 1], T),
        (1, [], F),
        ("a", Bag(["a"]), T),
        ("a", Sexp([Symbol("a")]), T),
        (5, 5, F),
        ("a", {"a": "a"}, T),
        (1, Annotated(("x",), [1]), T),
        ([1], [[1]], T),
    ],
    ids=repr,
)
def test_in(value: Any, collection: Any, expected: Any) -> None:
    assert expected is s.in_(value, collection)


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("", "", T),
        ("", "%", T),
        ("", "_", F),
        ("ABC", "ABC", T),
        ("ABC", "A%C", T),
        ("ABC", "_B_", T),
        ("ABC", "__", F),
        ("ABC", "%%%%", T),
        ("A", "a", F),
        ("AAaBBbCCc", "A%%%A%%%%c", T),
        ("AAaBBbCCc", "%__b%C_%", T),
        ("ABC", "%_%_%_%", T),
        ("ABC", "%_%_%_%_%", F),
        ("$$", "^$$", F),
        ("a.c", "a.c", T),
        ("abc", "a.c", F),
        ("a\nb", "a_b", T),
        ("a\nb", "a%b", T),
        ("😀x", "_x", T),
        ("aaa", "a%a%a", T),
        ("aa", "a%a%a", F),
        ("ab", "%b%", T),
        ("abab", "ab%ab", T),
        ("aba", "ab%ba", F),
        (Symbol("ab"), Symbol("a%"), T),
    ],
)
def test_like(text: Any, pattern: Any, expected: bool) -> None:
    assert expected is like(text, pattern)


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("100%", "1%[%", T),
        ("100%", "1000[%", F),
        ("_", "[_[_", F),
        ("a[b", "a[[b", T),
        ("1_000_000%", "%[_0%0[__%_[%", T),
    ],
)
def test_like_with_escape(text: str, pattern: str, expected: bool) -> None:
    assert expected is like(text, pattern, "[")


def test_like_takes_no_exponential_time() -> None:
    assert like("a" * 2000, "%a" * 40 + "%b") is False


INVALID = "Invalid argument given to LIKE expression"


@pytest.mark.parametrize(
    ("operands", "generated", "thrown"),
    [
        (("a", "a", "aa"), INVALID, "Escape character must have size 1 : aa"),
        (("a", "a", "😀"), INVALID, "Escape character must have size 1 : 😀"),
        (("a", "[a", "["), "Given: pattern =  [a, escape char = [", "Invalid escape sequence : [a"),
        (("a", "a[", "["), "Given: pattern =  a[, escape char = [", "Invalid escape sequence : a["),
        (
            ("a", "a", ""),
            INVALID,
            'Cannot use empty character as ESCAPE character in a LIKE predicate: ""',
        ),
        (
            (123, "a", "/"),
            "Given: value = 123, pattern =  <UNKNOWN>, escape char = none given",
            "LIKE expression must be given non-null strings as input",
        ),
    ],
)
def test_like_errors(operands: Any, generated: str, thrown: str) -> None:
    assert ("Evaluator", generated, thrown) == failure(like, *operands)


@pytest.mark.parametrize(
    ("operator", "left", "right", "expected"),
    [
        ("+", 1, 2, 3),
        ("-", 1, 2, -1),
        ("*", 3, 4, 12),
        ("/", 7, 2, 3),
        ("/", -7, 2, -3),
        ("/", 7, -2, -3),
        ("/", -1, 2, 0),
        ("%", 10, 3, 1),
        ("%", -10, 3, -1),
        ("%", 10, -3, 1),
        ("%", 5.5, 2, 1.5),
        ("%", D("5.5"), 2, D("1.5")),
        ("%", 0, D("1.0"), D("0")),
        ("%", 1, D("-2.5"), D("1")),
        ("%", D("1.50"), 1, D("0.50")),
        ("%", D("7.500"), D("0.5"), D("0.000")),
        ("+", 1, 2.0, 3.0),
        ("+", 1.0, D("2.50"), D("3.50")),
        ("-", -1.0, D(3), D(-4)),
        ("*", 2.0, 3, 6.0),
        ("/", D("4.0000"), D("3.0"), D("1.3333333333333333333333333333333333333")),
        ("-", D("1E+100"), D("1E-100"), D("1.0000000000000000000000000000000000000E+100")),
        ("+", D("9223372036854775807.0"), D("100.0"), D("9223372036854775907.0")),
        ("/", D(3), 2, D("1.5")),
        ("+", D("-0.0"), D("-0.0"), D("0.0")),
        ("*", D("-1.0"), 0, D("0.0")),
        ("+", Annotated(("x",), 1), 1, 2),
        ("||", "a", Symbol("b"), "ab"),
        ("||", Symbol("a"), Symbol(""), "a"),
        ("*", 1e308, 10, math.inf),
        ("/", 1, 4.0, 0.25),
        ("+", 2**63 - 2, 1, 2**63 - 1),
    ],
)
def test_arithmetic_and_concatenation(operator: str, left: Any, right: Any, expected: Any) -> None:
    assert same(expected, s.BINARY[operator](left, right))


@pytest.mark.parametrize(
    ("operator", "left", "right", "message"),
    [
        ("+", 2**63 - 1, 1, "Int overflow or underflow"),
        ("-", -(2**63), 1, "Int overflow or underflow"),
        ("*", 2**32, 2**31, "Int overflow or underflow"),
        ("/", -(2**63), -1, "Int overflow or underflow"),
        ("/", 1, 0, "/ by zero"),
        ("/", D(1), 0.0, "/ by zero"),
        ("/", 1.0, D("0.00"), "/ by zero"),
        ("%", 1, 0, "% by zero"),
        ("%", 1.0, 0.0, "% by zero"),
        ("+", True, 1, "Expected number: true"),
        ("*", "a", 1, 'Expected number: "a"'),
        ("-", [], 1, "Expected number: []"),
        ("+", math.inf, D(1), "Internal error, Infinite or NaN"),
        ("||", 1, "a", "Wrong argument type for ||"),
    ],
)
def test_arithmetic_errors(operator: str, left: Any, right: Any, message: str) -> None:
    category, _, thrown = failure(s.BINARY[operator], left, right)
    assert ("Evaluator", message) == (category, thrown)


def test_the_text_of_a_concatenation_error_names_both_types() -> None:
    assert failure(s.concat, 1, "a")[1] == (
        "Incorrect type of arguments for operator '||', expected one of [SYMBOL, STRING] got [INT, STRING]"
    )


def test_signs() -> None:
    assert same(-1, s.negate(1))
    assert same(D("-0.00"), s.negate(D("0.00")))
    assert same(D("-0.00"), s.negate(D("-0.00")))
    assert same(-2.0, s.negate(2.0))
    annotated = Annotated(("x",), D("1.50"))
    assert annotated is s.plus(annotated)
    assert failure(s.negate, -(2**63))[2] == "Int overflow or underflow"
    assert failure(s.plus, "a")[2] == 'Expected number: "a"'


@pytest.mark.parametrize(
    ("value", "name", "expected"),
    [
        (1, "int", T),
        (1, "integer", T),
        (1, "smallint", T),
        (True, "int", F),
        (True, "boolean", T),
        (D(1), "decimal", T),
        (D(1), "numeric", T),
        (1.0, "float", T),
        (1.0, "double_precision", T),
        (1, "decimal", F),
        ("a", "string", T),
        ("a", "varchar", T),
        (Symbol("a"), "symbol", T),
        (Symbol("a"), "string", F),
        ("a", "symbol", F),
        (b"", "blob", T),
        (Clob(b""), "clob", T),
        (Clob(b""), "blob", F),
        ([], "list", T),
        (Sexp(), "list", F),
        (Sexp(), "sexp", T),
        (Bag(), "bag", T),
        (Bag(), "list", F),
        ({}, "struct", T),
        ({}, "tuple", T),
        (NOON, "timestamp", T),
        (None, "null", T),
        (MISSING, "null", T),
        (MISSING, "missing", T),
        (None, "missing", F),
        (TypedNull.of("int"), "null", T),
        (TypedNull.of("int"), "int", F),
        (None, "int", F),
        (Annotated(("x",), 1), "int", T),
    ],
)
def test_is(value: Any, name: str, expected: bool) -> None:
    assert expected is s.is_type(value, name)


PERSON = MultiStruct([("name", "first"), ("name", "second"), ("Age", 5)])


@pytest.mark.parametrize(
    ("value", "name", "is_quoted", "expected"),
    [
        ({"a": 1, "A": 2}, "A", F, 2),
        ({"a": 1, "A": 2}, "a", F, 1),
        ({"b": 0, "Abc": 1}, "aBC", F, 1),
        ({"Abc": 1}, "aBC", T, MISSING),
        ({"Abc": 1}, "Abc", T, 1),
        (PERSON, "name", F, "first"),
        (PERSON, "age", F, 5),
        (None, "a", F, MISSING),
        (MISSING, "a", F, MISSING),
        ([1], "a", F, MISSING),
        ("a", "a", T, MISSING),
        (Annotated(("x",), {"a": 1}), "A", F, 1),
        (Annotated(("x",), {"a": 1}), "a", T, 1),
        ({"a": None}, "a", F, None),
    ],
)
def test_a_bare_field_name_is_matched_exactly_first_and_then_in_any_case(
    value: Any, name: str, is_quoted: bool, expected: Any
) -> None:
    assert same(expected, s.field_getter(name, is_quoted)(value))
    assert same(expected, s.field(value, name) if is_quoted else s.field_any_case(value, name))


def test_a_name_that_only_differs_in_case_must_be_the_only_one() -> None:
    assert failure(s.field_any_case, PERSON, "NAME")[1:] == (
        "Binding name was 'NAME'",
        "Multiple matches were found for the specified identifier",
    )


def test_a_field_keeps_its_annotations() -> None:
    inner = Annotated(("x",), 5)
    assert inner is s.field({"a": inner}, "a")
    assert inner is s.index([inner], 0)
    assert inner is next(s.elements([inner]))


@pytest.mark.parametrize(
    ("value", "at", "expected"),
    [
        ([1, 2], 1, 2),
        ([1, 2], 2, MISSING),
        ([1, 2], -1, MISSING),
        (Sexp([1]), 0, 1),
        (Bag([1]), 0, MISSING),
        ({"a": 1}, "a", 1),
        ({"a": 1}, "A", MISSING),
        ({"a": 1}, 0, MISSING),
        (None, 0, MISSING),
        (MadeStruct({"a": 1, "b": 2}), 1, 2),
        ([1], Annotated(("x",), 0), 1),
        (Annotated(("x",), [1]), 0, 1),
        ({"a": 1}, Symbol("a"), 1),
    ],
)
def test_index(value: Any, at: Any, expected: Any) -> None:
    assert same(expected, s.index(value, at))


def test_an_index_of_another_type_is_an_error() -> None:
    assert failure(s.index, [1], None)[2] == "Cannot convert index to int/string: NULL"
    assert failure(s.index, [1], D(0))[2] == "Cannot convert index to int/string: 0"
    assert failure(s.index, [1], True)[2] == "Cannot convert index to int/string: true"


def test_wildcards() -> None:
    assert list(s.elements([1, 2])) == [1, 2]
    assert list(s.elements(Bag([1, 2]))) == [1, 2]
    assert list(s.elements("x")) == ["x"]
    assert [Sexp([1])] == list(s.elements(Sexp([1])))
    assert list(s.fields(MultiStruct([("a", 1), ("a", 2)]))) == [("a", 1), ("a", 2)]
    assert list(s.fields("x")) == [("_1", "x")]
    assert list(s.fields(MISSING)) == [("_1", MISSING)]


def test_messages_stay_short() -> None:
    thrown = failure(s.negate, "x" * 100_000)[2]
    assert thrown is not None
    assert len(thrown) < 1100
    assert failure(s.index, [1], 1.5)[2] == "Cannot convert index to int/string: `1.5e0`"
