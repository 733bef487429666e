"""Laws of the Ion layer for every value: nothing is lost, all functions agree, and the oracles agree, too."""

from __future__ import annotations

from typing import Any

from helpers import ion_oracle
from helpers.ion_strategies import decimals, disguised, floats, integers, names, scalars, texts, timestamps, values
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from qldb_emulator.ion.codec import Document, dump_all, dumps, dumps_text, load_all, loads, loads_document
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
from qldb_emulator.ion.hash import hash_binary, hash_value, serialise
from qldb_emulator.ion.json import to_json
from qldb_emulator.ion.symbols import VERSION_MARKER_TEXT, is_symbol_table
from qldb_emulator.ion.values import SYMBOL_ZERO, Annotated, Symbol, is_null, struct_of

calm = settings(deadline=None, max_examples=80)

# What amazon.ion can hold: six digits of a second, no date whose UTC form leaves the calendar, no symbol without text.
judged = values(stamps=timestamps(year_min=2, year_max=9998, digits_max=6), field_names=texts)


def can_stand_alone(value: Any) -> bool:
    """False for the two values that are not data at the top of a stream."""
    if type(value) is Annotated:
        return not is_symbol_table(value.annotations, value.value)
    return not (type(value) is Symbol and value == VERSION_MARKER_TEXT)


@calm
@given(values().filter(can_stand_alone))
def test_binary_keeps_everything(value: Any) -> None:
    data = dumps(value)
    assert ion_equal(loads(data), value)
    assert dumps(loads(data)) == data


@calm
@given(values().filter(can_stand_alone))
def test_text_keeps_everything(value: Any) -> None:
    assert dumps(loads(dumps_text(value))) == dumps(value)
    assert "\n" not in dumps_text(value)


@calm
@given(st.lists(values().filter(can_stand_alone), max_size=5))
def test_a_stream_keeps_its_values_in_order(many: list[Any]) -> None:
    found = list(load_all(dump_all(many)))
    assert len(found) == len(many)
    assert all(map(ion_equal, found, many))
    assert dump_all(load_all("\n".join(map(dumps_text, many)))) == dump_all(many)


@calm
@given(values().filter(can_stand_alone))
def test_the_hash_is_the_same_over_values_and_over_binary(value: Any) -> None:
    assert hash_value(value) == hash_binary(dumps(value))


@calm
@given(st.lists(st.tuples(names, values()), max_size=5).map(struct_of))
def test_a_document_is_its_struct(struct: dict[str, Any]) -> None:
    data = dumps(struct)
    document = loads_document(data)
    assert type(document) in (Document, type(struct))
    assert dumps(document) == data
    assert dumps([document]) == dumps([struct])
    assert dumps_text(document) == dumps_text(struct)
    assert hash_value(document) == hash_value(struct)
    assert hash_value([document]) == hash_value([struct])
    assert ion_equal(document, struct)
    assert partiql_equal(document, struct)
    assert index_key(document) == index_key(struct)
    assert to_json(document) == to_json(struct)


@calm
@given(judged.filter(can_stand_alone))
def test_ionhash_agrees(value: Any) -> None:
    assert hash_value(value) == ion_oracle.hash_value(ion_oracle.loads(dumps(value)))


@calm
@given(judged.filter(can_stand_alone))
def test_amazon_ion_reads_what_we_write_and_we_read_what_it_writes(value: Any) -> None:
    data = dumps(value)
    assert ion_equal(loads(ion_oracle.dumps(ion_oracle.loads(data))), value)
    assert ion_equal(loads(ion_oracle.dumps(ion_oracle.loads(dumps_text(value)))), value)
    if b"$" not in data:  # amazon.ion 0.9.3 does not quote the symbol '$10' in text
        assert ion_equal(loads(ion_oracle.dumps_text(ion_oracle.loads(data))), value)


@calm
@given(values(), values())
def test_ion_equality_is_equality_of_serialisations(a: Any, b: Any) -> None:
    assert ion_equal(a, a)
    assert ion_equal(a, b) == ion_equal(b, a) == (serialise(a) == serialise(b))


@calm
@given(st.data(), values())
def test_a_disguised_value_is_equal_and_has_the_same_index_key(data: st.DataObject, value: Any) -> None:
    other = data.draw(disguised(value))
    assert partiql_equal(value, other)
    assert partiql_equal(other, value)
    assert index_key(value) == index_key(other)


# Few values in many forms, so that equal ones meet.
small = st.one_of(st.sampled_from(["a", "", Symbol("a"), b"a", 0, 0.0, 1, 1.0, True, False, 10**30, 1e30]), scalars())
near = st.recursive(
    small,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.lists(st.tuples(st.sampled_from("ab"), inner), max_size=3).map(struct_of)
    ),
    max_leaves=4,
)


@calm
@given(near, near)
@example(float("nan"), float("nan"))
@example(0, -0.0)
def test_equal_means_the_same_index_key(a: Any, b: Any) -> None:
    assume(not is_null(a) and not is_null(b))
    assert partiql_equal(a, b) == (index_key(a) == index_key(b))


@calm
@given(values())
def test_an_index_key_is_short_and_only_a_null_has_no_key(value: Any) -> None:
    key = index_key(value)
    assert (key is None) == is_null(value)
    assert key is None or len(key) <= KEY_BYTES_MAX


@calm
@given(st.one_of(st.integers(), st.floats(), decimals()), st.one_of(st.integers(), st.floats(), decimals()))
def test_the_order_of_numbers_agrees_with_equality(a: Any, b: Any) -> None:
    assert compare(a, b) == -compare(b, a)
    assert (compare(a, b) == 0) == partiql_equal(a, b)


def three_of(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, min_size=3, max_size=3)


@calm
@given(
    st.one_of(
        three_of(st.one_of(integers, floats, decimals())),
        three_of(st.one_of(texts, texts.map(Symbol), st.just(SYMBOL_ZERO))),
        three_of(timestamps()),
        three_of(st.booleans()),
    )
)
def test_the_order_within_a_class_is_total(three: list[Any]) -> None:
    low, middle, high = sorted(three, key=order_key)
    assert compare(low, middle) <= 0
    assert compare(middle, high) <= 0
    assert compare(low, high) <= 0
    assert (compare(low, high) == 0) == partiql_equal(low, high)


@calm
@given(scalars(), scalars())
def test_an_order_is_refused_exactly_when_classes_differ_or_have_none(a: Any, b: Any) -> None:
    ordered = {"bool", "number", "timestamp", "text"}
    try:
        assert compare(a, b) == -compare(b, a)
        assert kind(a) == kind(b)
        assert kind(a) in ordered
    except NotComparable:
        assert kind(a) != kind(b) or kind(a) not in ordered
