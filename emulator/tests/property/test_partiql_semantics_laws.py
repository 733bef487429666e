"""Laws that the operators, functions and casts must keep, over generated values."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.ion.values import Annotated, Clob, Sexp, Symbol, Timestamp, TypedNull, days_in_month
from qldb_emulator.partiql.language import semantics as s
from qldb_emulator.partiql.language.arithmetic import INT_MAX, INT_MIN
from qldb_emulator.partiql.language.casts import cast
from qldb_emulator.partiql.language.datetime_patterns import parse_ion_timestamp, to_string, to_timestamp
from qldb_emulator.partiql.language.errors import PartiqlError
from qldb_emulator.partiql.language.functions import function_named
from qldb_emulator.partiql.language.values import MISSING, Bag


def outcome(function: Callable[..., Any], *arguments: Any) -> tuple[Any, PartiqlError | None]:
    """Return (value, None) or (None, the error of the language); any other exception is a failure."""
    try:
        return function(*arguments), None
    except PartiqlError as error:
        return None, error


truths = st.sampled_from([True, False, None])
ints = st.integers(INT_MIN, INT_MAX)
decimals = st.builds(
    lambda coefficient, exponent: Decimal(coefficient).scaleb(exponent),
    st.integers(-(10**20), 10**20),
    st.integers(-30, 30),
)
numbers = ints | decimals | st.floats()
texts = st.text(max_size=8)


@st.composite
def timestamps(draw: st.DrawFn) -> Timestamp:
    precision = draw(st.sampled_from(Timestamp.PRECISIONS))
    year, month = draw(st.integers(2, 9998)), draw(st.integers(1, 12))
    day = draw(st.integers(1, days_in_month(year, month)))
    time = [draw(st.integers(0, most)) for most in (23, 59, 59)]
    fields: list[Any] = [year, month, day, *time]
    least = [None, 1, 1, 0, 0, 0]
    kept = {"year": 1, "month": 2, "day": 3, "minute": 5, "second": 6}[precision]
    fields[kept:] = least[kept:]
    has_time = kept > 3
    fraction = draw(st.text("0123456789", max_size=9)) if precision == "second" else ""
    offset = draw(st.none() | st.integers(-18 * 60, 18 * 60)) if has_time else None
    return Timestamp(precision, *fields, fraction, offset)


scalars: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.just(MISSING),
    st.just(TypedNull.of("int")),
    st.booleans(),
    numbers,
    texts,
    texts.map(Symbol),
    st.binary(max_size=4),
    st.binary(max_size=4).map(Clob),
    timestamps(),
)
known_scalars: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    numbers,
    texts,
    texts.map(Symbol),
    st.binary(max_size=4),
    st.binary(max_size=4).map(Clob),
    timestamps(),
)
containers = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(Sexp),
        st.lists(inner, max_size=3).map(Bag),
        st.dictionaries(texts, inner, max_size=3),
    ),
    max_leaves=6,
)
values: st.SearchStrategy[Any] = st.builds(
    lambda value, annotate: Annotated(("note",), value) if annotate and type(value) is not Bag else value,
    containers.filter(lambda value: value is not MISSING),
    st.booleans(),
) | st.just(MISSING)


@given(truths, truths, truths)
def test_three_valued_logic_is_a_lattice_with_an_involution(a: Any, b: Any, c: Any) -> None:
    assert s.and_(a, b) is s.and_(b, a)
    assert s.or_(a, b) is s.or_(b, a)
    assert s.and_(a, s.and_(b, c)) is s.and_(s.and_(a, b), c)
    assert s.or_(a, s.or_(b, c)) is s.or_(s.or_(a, b), c)
    assert s.and_(a, s.or_(b, c)) is s.or_(s.and_(a, b), s.and_(a, c))
    assert s.not_(s.and_(a, b)) is s.or_(s.not_(a), s.not_(b))
    assert s.not_(s.not_(a)) is a


@given(values, values)
def test_equality_is_symmetric_reflexive_on_known_values_and_never_an_error(a: Any, b: Any) -> None:
    assert s.equal(a, b) is s.equal(b, a)
    assert s.not_equal(a, b) is s.not_(s.equal(a, b))
    assert s.equal(a, a) is (None if s.is_unknown(a) else True)


@given(known_scalars, known_scalars, known_scalars)
def test_the_order_of_a_class_is_total_and_agrees_with_equality(a: Any, b: Any, c: Any) -> None:
    (below, error), same, (above, _) = outcome(s.less, a, b), s.equal(a, b), outcome(s.greater, a, b)
    if error:
        assert same is False
        return
    assert [below, same, above].count(True) == 1
    assert s.less_equal(a, b) is (below or same)
    assert s.greater_equal(a, b) is (above or same)
    assert (s.not_below(a, b) and s.not_above(a, b)) is same
    if s.less_equal(a, b) and outcome(s.less_equal, b, c)[0]:
        assert s.less_equal(a, c) is True


@given(values, st.lists(values, max_size=4))
def test_in_is_equality_with_any_where_unknowns_are_equal(value: Any, collection: list[Any]) -> None:
    if s.is_unknown(value):
        expected = any(map(s.is_unknown, collection))
    else:
        expected = any(s.equal(value, element) is True for element in collection)
    assert expected is s.in_(value, collection)


def like(value: Any, pattern: Any, escape: Any = None) -> Any:
    return s.like_match(value, s.like_pattern(pattern, escape))


def naive_like(text: str, pattern: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "%":
        return any(naive_like(text[i:], pattern[1:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("_", text[0]) and naive_like(text[1:], pattern[1:])


@given(st.text("ab\n", max_size=7), st.text("ab%_", max_size=6))
def test_like_agrees_with_a_naive_matcher(text: str, pattern: str) -> None:
    assert naive_like(text, pattern) is like(text, pattern)


@given(st.text("a%_[", max_size=6))
def test_a_pattern_with_everything_escaped_matches_only_itself(text: str) -> None:
    pattern = "".join("[" + c if c in "%_[" else c for c in text)
    assert like(text, pattern, "[") is True
    assert like(text + "a", pattern, "[") is False


@given(ints, ints)
def test_int_arithmetic_is_exact_or_an_overflow(a: int, b: int) -> None:
    for operator, exact in ((s.add, a + b), (s.subtract, a - b), (s.multiply, a * b)):
        value, error = outcome(operator, a, b)
        fits = INT_MIN <= exact <= INT_MAX
        assert (exact if fits else None) == value
        assert (None if fits else "Int overflow or underflow") == (error and error.thrown)


@given(ints, ints.filter(bool))
def test_quotient_and_remainder_make_the_dividend(a: int, b: int) -> None:
    if (a, b) != (INT_MIN, -1):
        quotient, rest = s.divide(a, b), s.remainder(a, b)
        assert isinstance(quotient, int)
        assert isinstance(rest, int)
        assert a == quotient * b + rest
        assert abs(rest) < abs(b)
        assert rest == 0 or (rest < 0) == (a < 0)


@given(values, values)
def test_no_operator_fails_but_with_its_own_error(a: Any, b: Any) -> None:
    for operator in (*s.BINARY.values(), like, s.index, s.in_, s.not_below):
        _, error = outcome(operator, a, b)
        assert error is None or (error.category == "Evaluator" and len(str(error)) < 3000)


@given(texts, st.integers(-12, 12), st.none() | st.integers(0, 12))
def test_substring_agrees_with_counting_characters(text: str, start: int, length: int | None) -> None:
    expected = "".join(
        character
        for position, character in enumerate(text, 1)
        if position >= start and (length is None or position < start + length)
    )
    arguments = [text, start] if length is None else [text, start, length]
    assert expected == function_named("substring").call(None, arguments)  # type: ignore[arg-type]


@given(timestamps())
def test_an_ion_timestamp_is_read_as_it_is_written(timestamp: Timestamp) -> None:
    if timestamp.offset is None or abs(timestamp.offset) < 24 * 60:
        assert timestamp == parse_ion_timestamp(str(timestamp))
        assert timestamp == cast(cast(timestamp, "string"), "timestamp")


PATTERNS = ["yyyy-MM-dd'T'HH:mm:ss.SSSSSSSSSXXX", "d MMMM y h:m:s a n XX", "yyyyMMddHHmmssSSSSSSSSSxxxx"]


@given(timestamps(), st.sampled_from(PATTERNS))
def test_to_timestamp_undoes_to_string(timestamp: Timestamp, pattern: str) -> None:
    again = to_timestamp(to_string(timestamp, pattern), pattern)
    assert timestamp.instant() == again.instant()
    assert ("second", timestamp.offset or 0) == (again.precision, again.offset)


@given(timestamps(), st.integers(-5000, 5000), st.sampled_from(["year", "month", "day", "hour", "minute", "second"]))
def test_date_diff_measures_what_date_add_added(timestamp: Timestamp, amount: int, part: str) -> None:
    date_add, date_diff = function_named("date_add"), function_named("date_diff")
    moved, error = outcome(date_add.call, None, [part, amount, timestamp])
    if error:
        assert error.generated == "Timestamp is out of bounds"
        return
    measured = date_diff.call(None, [part, timestamp, moved])  # type: ignore[arg-type]
    is_clamped = moved.day != timestamp.day and part in ("year", "month")
    assert amount == measured or is_clamped


@given(ints)
def test_an_int_survives_a_cast_to_text_and_back(value: int) -> None:
    assert value == cast(cast(value, "string"), "int")
    assert value == cast(cast(value, "decimal"), "int")


@given(st.floats(allow_nan=False))
def test_a_float_survives_a_cast_to_text_and_back(value: float) -> None:
    assert repr(value) == repr(cast(cast(value, "symbol"), "float"))


@given(decimals)
def test_a_decimal_survives_a_cast_to_text_and_back(value: Decimal) -> None:
    again = cast(cast(value, "string"), "decimal")
    assert value.as_tuple()[1:] == again.as_tuple()[1:]
    assert value == again


@given(values, st.sampled_from(sorted(s.TYPE_NAMES)))
def test_a_cast_gives_the_type_or_an_unknown_or_its_own_error(value: Any, name: str) -> None:
    result, error = outcome(cast, value, name)
    assert (error and error.category == "Evaluator") or s.is_unknown(result) or s.is_type(result, name)
