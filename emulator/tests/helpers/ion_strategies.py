"""Hypothesis strategies for Ion values of every type, and for pairs that PartiQL calls equal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

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
    days_in_month,
    struct_items,
    struct_of,
)

# Octets that Ion Hash escapes, and characters with a meaning in Ion text, are drawn often.
texts = st.one_of(
    st.text(max_size=20),
    st.text(alphabet="\x0b\x0c\x0e\n\"'\\/*{}$:,a1 é😀", max_size=8),
    st.sampled_from(["", "null", "nan", "true", "$10", "$ion", "name", "$ion_1_0x", "a b", "'''", "//", "++", "9x"]),
)
octets = st.one_of(st.binary(max_size=40), st.lists(st.sampled_from([0x0B, 0x0C, 0x0E, 0x80]), max_size=6).map(bytes))
integers = st.one_of(st.integers(-300, 300), st.integers(), st.integers(-(2**200), 2**200))
floats = st.one_of(st.floats(), st.sampled_from([0.0, -0.0, 1.0, 0.1, 1e300]))
names = st.one_of(st.sampled_from(["a", "b", "VIN", "name", "symbols"]), texts, st.just(SYMBOL_ZERO))


@st.composite
def decimals(draw: st.DrawFn, exponent_max: int = 300) -> Decimal:
    coefficient = draw(st.one_of(st.integers(0, 1000), st.integers(0, 10**30)))
    digits = tuple(map(int, str(coefficient)))
    return Decimal((draw(st.integers(0, 1)), digits, draw(st.integers(-exponent_max, exponent_max))))


@st.composite
def timestamps(draw: st.DrawFn, year_min: int = 1, year_max: int = 9999, digits_max: int = 12) -> Timestamp:
    precision = draw(st.sampled_from(Timestamp.PRECISIONS))
    depth = Timestamp.PRECISIONS.index(precision)
    year = draw(st.integers(year_min, year_max))
    month = draw(st.integers(1, 12)) if depth >= 1 else 1
    day = draw(st.integers(1, days_in_month(year, month))) if depth >= 2 else 1
    if depth < 3:
        return Timestamp(precision, year, month, day)
    fraction = draw(st.text(alphabet="0123456789", max_size=digits_max)) if depth == 4 else ""
    return Timestamp(
        precision,
        year,
        month,
        day,
        draw(st.integers(0, 23)),
        draw(st.integers(0, 59)),
        draw(st.integers(0, 59)) if depth == 4 else 0,
        fraction,
        draw(st.one_of(st.none(), st.just(0), st.integers(-1439, 1439))),
    )


nulls = st.sampled_from([TypedNull.of(name) for name in ION_TYPES])


def scalars(stamps: st.SearchStrategy[Timestamp] | None = None, symbol_zero: bool = True) -> st.SearchStrategy[Any]:
    symbols = texts.map(Symbol)
    return st.one_of(
        nulls,
        st.booleans(),
        integers,
        floats,
        decimals(),
        stamps if stamps is not None else timestamps(),
        st.one_of(symbols, st.just(SYMBOL_ZERO)) if symbol_zero else symbols,
        texts,
        octets,
        octets.map(Clob),
    )


def values(
    stamps: st.SearchStrategy[Timestamp] | None = None, field_names: st.SearchStrategy[str] = names
) -> st.SearchStrategy[Any]:
    """Return Ion values of every type, nested, annotated, with repeated names."""

    def annotated(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.builds(Annotated, st.lists(field_names, min_size=1, max_size=3), inner)

    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        containers = st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(Sexp),
            st.lists(st.tuples(field_names, inner), max_size=5).map(struct_of),
        )
        return st.one_of(containers, annotated(containers))

    plain = scalars(stamps, symbol_zero=field_names is names)
    return st.recursive(st.one_of(plain, annotated(plain)), deeper, max_leaves=12)


@st.composite
def disguised(draw: st.DrawFn, value: Any) -> Any:
    """Return another value that PartiQL calls equal to this one."""
    if draw(st.booleans()):
        value = value.value if type(value) is Annotated else Annotated(["disguise"], value)
    inner = value.value if type(value) is Annotated else value
    changed = _disguised_plain(draw, inner)
    return Annotated(value.annotations, changed) if type(value) is Annotated else changed


def _disguised_plain(draw: st.DrawFn, value: Any) -> Any:
    if value is None or type(value) is TypedNull:
        return draw(nulls)
    if value is SYMBOL_ZERO or type(value) is bool:
        return value
    if isinstance(value, str):
        return draw(st.sampled_from([str.__str__(value), Symbol(value)]))
    if isinstance(value, bytes):
        return draw(st.sampled_from([bytes(value), Clob(value)]))
    if isinstance(value, (int, float, Decimal)):
        return draw(st.sampled_from(_same_numbers(value)))
    if isinstance(value, Timestamp):
        return _same_instant(draw, value)
    if isinstance(value, dict):
        fields = draw(st.permutations([(name, draw(disguised(each))) for name, each in struct_items(value)]))
        return MultiStruct(fields) if isinstance(value, MultiStruct) else dict(fields)
    return type(value)([draw(disguised(each)) for each in value])


def _same_numbers(value: int | float | Decimal) -> list[Any]:
    if value != value:
        return [float("nan")]
    if value in (float("inf"), float("-inf")):
        return [value]
    exact = Decimal(value)
    sign, digits, exponent = exact.as_tuple()
    assert isinstance(exponent, int)
    found: list[Any] = [exact, Decimal((sign, (*digits, 0, 0), exponent - 2))]
    if exact == exact.to_integral_value() and exact.adjusted() < 400:
        found.append(int(exact))
    if exact.adjusted() < 300 and exact == Decimal(float(exact)):
        found.append(float(exact))
    return found


def _same_instant(draw: st.DrawFn, value: Timestamp) -> Timestamp:
    offset = draw(st.integers(-1439, 1439))
    try:
        return Timestamp.from_utc_seconds(value.utc_seconds(), value.fraction + "0" * draw(st.integers(0, 3)), offset)
    except ValueError:
        return value
