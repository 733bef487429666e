"""The functions.  Expected values: QLDB's pages (partiql.md 4.3, statements.json) and the library's document."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from qldb_emulator.ion.values import Annotated, MultiStruct, Sexp, Symbol, Timestamp, TypedNull
from qldb_emulator.partiql.language.datetime_patterns import parse_ion_timestamp
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.functions import FUNCTIONS, Function, function_named
from qldb_emulator.partiql.language.values import MISSING, Bag
from qldb_emulator.partiql.syntax.ast import NOWHERE

NOW = Timestamp.from_epoch_ms(1_600_000_000_123)


class Transaction:
    transaction_id = "L7S9iJqcn9W2M4qOEn27ay"

    def utc_now(self) -> Timestamp:
        return NOW


def ts(text: str) -> Timestamp:
    timestamp = parse_ion_timestamp(text)
    assert timestamp is not None
    return timestamp


def call(name: str, *arguments: Any) -> Any:
    function = function_named(name)
    function.check_count(len(arguments))
    return function.call(Transaction(), arguments)


TOKEN = ", <UNKNOWN> : <UNKNOWN>"


def failure(name: str, *arguments: Any) -> tuple[str, str | None]:
    with pytest.raises(PartiqlError) as caught:
        call(name, *arguments)
    assert (caught.value.category, caught.value.pos) == ("Evaluator", NOWHERE)
    return caught.value.generated, caught.value.thrown


PAGES = [
    # ql-functions.*: the examples of each page
    ("exists", ([],), False),
    ("exists", ([1, 2, 3],), True),
    ("exists", ({},), False),
    ("exists", (Sexp([Symbol("+"), 1]),), True),
    ("exists", (1,), False),
    ("exists", (None,), False),
    ("exists", (Bag([MISSING]),), True),
    ("exists", ("text",), False),
    ("char_length", ("",), 0),
    ("char_length", ("abcdefg",), 7),
    ("character_length", ("😁😞",), 2),
    ("char_length", (None,), None),
    ("char_length", (MISSING,), None),
    ("char_length", (Symbol("ab"),), 2),
    ("lower", ("AbCdÉ",), "abcdé"),
    ("upper", (Symbol("abc"),), "ABC"),
    ("upper", (None,), None),
    ("substring", ("123456789", 0), "123456789"),
    ("substring", ("123456789", 2), "23456789"),
    ("substring", ("123456789", -4), "123456789"),
    ("substring", ("123456789", 0, 2), "1"),
    ("substring", ("123456789", 1, 2), "12"),
    ("substring", ("1234", 10, 10), ""),
    ("substring", ("123456789", -4, 6), "1"),
    ("substring", ("1", -4, 1), ""),
    ("substring", ("1", None), None),
    ("substring", ("1", 1, MISSING), None),
    ("substring", ("😁😞😸😸", 3, 1), "😸"),
    ("trim", ("both", " ", "  foobar  "), "foobar"),
    ("trim", ("leading", " ", "  foobar  "), "foobar  "),
    ("trim", ("trailing", " ", "  foobar  "), "  foobar"),
    ("trim", ("both", " ", "\tfoobar "), "\tfoobar"),
    ("trim", ("both", "12", "1112211foobar22211122"), "foobar"),
    ("trim", ("both", "", " a "), " a "),
    ("trim", ("both", None, "a"), None),
    ("trim", ("both", "a", MISSING), None),
    ("size", ([],), 0),
    ("size", ([None],), 1),
    ("size", (Bag(["foo", "bar"]),), 2),
    ("size", ({"foo": Symbol("bar")},), 1),
    ("size", (MultiStruct([("a", 1), ("a", 2)]),), 2),
    ("size", (TypedNull.of("list"),), None),
    ("size", (Annotated(("x",), [1]),), 1),
    ("coalesce", (1,), 1),
    ("coalesce", (None, MISSING, 3, 4), 3),
    ("coalesce", (None, MISSING), None),
    ("nullif", (1, 1), None),
    ("nullif", (1, Decimal("1.0")), None),
    ("nullif", (1, 2), 1),
    ("nullif", (2, "2"), 2),
    ("nullif", ([], []), None),
    ("nullif", ({}, []), {}),
    ("nullif", (1, None), 1),
    ("nullif", (None, 1), None),
    ("nullif", (None, MISSING), None),
    ("nullif", (MISSING, 1), MISSING),
    ("txid", (), "L7S9iJqcn9W2M4qOEn27ay"),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), PAGES, ids=lambda v: repr(v)[:40])
def test_examples(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    actual = call(name, *arguments)
    assert (type(expected), expected) == (type(actual), actual)


DATES = [
    ("date_add", ("year", 5, "2010-01-01T"), "2015-01-01"),
    ("date_add", ("month", 1, "2010T"), "2010-02T"),
    ("date_add", ("month", 13, "2010T"), "2011-02T"),
    ("date_add", ("day", -1, "2017-01-10T"), "2017-01-09"),
    ("date_add", ("hour", 1, "2017T"), "2017-01-01T01:00Z"),
    ("date_add", ("second", -1, "2017-03-01T"), "2017-02-28T23:59:59Z"),
    ("date_add", ("hour", 1, "2017-01-02T03:04Z"), "2017-01-02T04:04Z"),
    ("date_add", ("minute", 1, "2017-01-02T03:04:05.006Z"), "2017-01-02T03:05:05.006Z"),
    ("date_add", ("second", 1, "2017-01-02T03:04Z"), "2017-01-02T03:04:01Z"),
    ("date_add", ("day", 1, "2016-02-28T23:00-08:00"), "2016-02-29T23:00-08:00"),
    ("date_add", ("month", 1, "2017-01-31T10:00-00:00"), "2017-02-28T10:00-00:00"),
    ("date_add", ("year", 1, "2016-02-29"), "2017-02-28"),
    ("date_add", ("month", -1, "2017-01T"), "2016-12T"),
    ("date_add", ("year", 1, "2016T"), "2017T"),
    ("date_diff", ("year", "2010-01-01T", "2011-01-01T"), 1),
    ("date_diff", ("month", "2010T", "2011T"), 12),
    ("date_diff", ("month", "2011T", "2010T"), -12),
    ("date_diff", ("month", "2010T", "2010-05T"), 4),
    ("date_diff", ("day", "2010-01-01T23:00Z", "2010-01-02T01:00Z"), 0),
    ("date_diff", ("day", "2017-01-03", "2017-01-02"), -1),
    ("date_diff", ("hour", "2017-01-02T03:04+01:02", "2017-01-02T03:04+00:00"), 1),
    ("date_diff", ("month", "2017-01-31", "2017-02-28"), 0),
    ("date_diff", ("month", "2017-02-28", "2017-01-31"), 0),
    ("date_diff", ("year", "2016-02-29", "2017-02-28"), 0),
    ("date_diff", ("second", "2017-01-02T03:04:05.9Z", "2017-01-02T03:04:06.1Z"), 1),
    ("extract", ("year", "2010-01-01T"), 2010),
    ("extract", ("month", "2010T"), 1),
    ("extract", ("month", "2010-10T"), 10),
    ("extract", ("hour", "2017-01-02T03:04:05+07:08"), 3),
    ("extract", ("minute", "2017-01-02T03:04:05+07:08"), 4),
    ("extract", ("second", "2017-01-02T03:04:05.67Z"), 5),
    ("extract", ("timezone_hour", "2017-01-02T03:04:05+07:08"), 7),
    ("extract", ("timezone_minute", "2017-01-02T03:04:05+07:08"), 8),
    ("extract", ("timezone_hour", "2000-01-02T03:04-08:09"), -8),
    ("extract", ("timezone_minute", "2000-01-02T03:04-08:09"), -9),
    ("extract", ("timezone_minute", "2000T"), 0),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), DATES, ids=str)
def test_date_functions(name: str, arguments: tuple[Any, ...], expected: Any) -> None:
    part, *rest = arguments
    actual = call(name, part, *[ts(a) if isinstance(a, str) else a for a in rest])
    assert expected == (str(actual) if isinstance(actual, Timestamp) else actual)


def test_utcnow_is_the_time_of_the_transaction() -> None:
    assert NOW is call("utcnow")


@pytest.mark.parametrize(
    ("name", "arguments", "thrown"),
    [
        ("size", (12,), "invalid argument type for size"),
        ("size", (Sexp([1]),), "invalid argument type for size"),
        ("exists", (MISSING,), "invalid argument type for exists"),
        ("lower", (1,), "Expected text: 1"),
        ("substring", (Symbol("a"), 1), "Argument 1 of substring was not STRING."),
        ("substring", ("a", Decimal("1.5")), "Argument 2 of substring was not INT."),
        ("substring", ("a", 1, {}), "Argument 3 of substring was not INT."),
        (
            "trim",
            ("", 1, "a"),
            "with two arguments trim's first argument must be either the specification or a 'to remove' string",
        ),
        ("trim", ("both", 1, "a"), "Expected text: 1"),
        ("date_add", ("year", 1, "2017"), 'Expected timestamp: "2017"'),
        ("date_add", ("year", True, NOW), "Expected number: true"),
        ("extract", ("year", 5), "Expected timestamp: 5"),
        ("to_string", ("2017T", "y"), "First argument of to_string is not a timestamp."),
        ("to_string", (NOW, 1), "Second argument of to_string is not a string."),
        ("to_timestamp", (Symbol("2020T"),), "First argument of to_timestamp is not a string."),
        ("to_timestamp", ("2020T", 1), "Second argument of to_timestamp is not a string."),
    ],
)
def test_arguments_of_the_wrong_type(name: str, arguments: tuple[Any, ...], thrown: str) -> None:
    assert thrown == failure(name, *arguments)[1]


@pytest.mark.parametrize(
    ("name", "arguments", "thrown"),
    [
        ("size", (), "size takes a single argument, received: 0"),
        ("nullif", (1,), "nullif takes exactly 2 arguments, received: 1"),
        ("substring", ("a", 1, 1, 1), "substring takes between 2 and 3 arguments, received: 4"),
        ("txid", (1,), "txid takes exactly 0 arguments, received: 1"),
    ],
)
def test_a_wrong_number_of_arguments(name: str, arguments: tuple[Any, ...], thrown: str) -> None:
    assert ("Incorrect number of arguments to function call" + TOKEN, thrown) == failure(name, *arguments)


def test_coalesce_needs_an_argument() -> None:
    assert failure("coalesce")[1] == "coalesce requires at least one argument"
    assert failure("utcnow", 1)[1] == "utcnow() takes no arguments"
    assert failure("exists")[1] == "Expected a single argument for exists but found: 0"


def test_an_unknown_function_is_named_in_its_error() -> None:
    with pytest.raises(PartiqlError) as caught:
        function_named("Abs")
    assert (caught.value.generated, caught.value.thrown) == ("No such function: Abs ", "No such function: Abs")


@pytest.mark.parametrize(
    ("name", "arguments", "generated"),
    [
        ("substring", ("1", 4, -11), "Invalid arguments for function call"),
        ("date_add", ("timezone_hour", 1, NOW), "Invalid arguments for date part"),
        ("date_diff", ("timezone_minute", NOW, NOW), "Invalid arguments for date part"),
        ("date_add", ("year", 8000, NOW), "Timestamp is out of bounds"),
        ("date_add", ("second", -(2**63), NOW), "Timestamp is out of bounds"),
        ("to_timestamp", ("yesterday",), "Failed to parse Ion timestamp" + TOKEN),
    ],
)
def test_arguments_outside_the_domain(name: str, arguments: tuple[Any, ...], generated: str) -> None:
    assert generated == failure(name, *arguments)[0]


PROPAGATING = [f for f in FUNCTIONS.values() if f.checks and not f.sees_unknowns]


@pytest.mark.parametrize("function", PROPAGATING, ids=lambda f: f.name)
@pytest.mark.parametrize("unknown", [None, MISSING, TypedNull.of("string"), Annotated(("x",), None)], ids=repr)
def test_an_unknown_argument_makes_the_result_null_even_beside_a_wrong_one(function: Function, unknown: Any) -> None:
    for position in range(function.least):
        arguments: list[Any] = [object()] * function.least
        arguments[position] = unknown
        assert function.call(Transaction(), arguments) is None


def test_the_table_is_the_list_of_the_page() -> None:
    assert set(FUNCTIONS) == {
        "size",
        "coalesce",
        "exists",
        "nullif",
        "date_add",
        "date_diff",
        "extract",
        "utcnow",
        "txid",
        "char_length",
        "character_length",
        "lower",
        "substring",
        "trim",
        "upper",
        "to_string",
        "to_timestamp",
    }


def test_a_value_passed_through_keeps_its_annotations() -> None:
    annotated = Annotated(("x",), 5)
    assert annotated is call("coalesce", None, annotated)
    assert annotated is call("nullif", annotated, 6)
