"""The hashes of a block's own structs by their layout equal the general Ion Hash, for every struct."""

from __future__ import annotations

import pytest
from helpers.ion_strategies import timestamps, values
from hypothesis import given
from hypothesis import strategies as st

from qldb_emulator.ion.codec import IonError
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import SYMBOL_ZERO, MultiStruct, Symbol, Timestamp
from qldb_emulator.journal import struct_hashes

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(["", "\x0b\x0c\x0e", "5PLf9SXwndd63lPaSIa0O6", "x" * 1_024, "x" * 1_025]),
)
COUNTS = st.one_of(st.integers(0, 300), st.integers(0, 2**62))
TIMES = st.one_of(st.integers(0, 2**41).map(Timestamp.from_epoch_ms), timestamps())

METADATA = st.fixed_dictionaries({"id": TEXTS, "version": COUNTS, "txTime": TIMES, "txId": TEXTS})
STATEMENTS = st.lists(
    st.fixed_dictionaries({"statement": TEXTS, "startTime": TIMES, "statementDigest": st.binary(max_size=32)}),
    max_size=3,
)
DOCUMENTS = st.dictionaries(
    TEXTS,
    st.fixed_dictionaries({"tableName": TEXTS, "tableId": TEXTS, "statements": st.lists(COUNTS, max_size=10)}),
    max_size=3,
)
DOCUMENT = {"tableName": "a", "tableId": "b", "statements": [0]}
INFO = st.fixed_dictionaries({}, optional={"statements": STATEMENTS, "documents": DOCUMENTS})


@given(TEXTS, COUNTS, TEXTS, TIMES)
def test_the_header(strand_id, sequence_no, transaction_id, timestamp):
    header = {
        "blockAddress": {"strandId": strand_id, "sequenceNo": sequence_no},
        "transactionId": transaction_id,
        "blockTimestamp": timestamp,
    }
    assert struct_hashes.header_hash(strand_id, sequence_no, transaction_id, timestamp) == hash_value(header)


@given(METADATA)
def test_metadata(metadata):
    assert struct_hashes.metadata_hash(metadata) == hash_value(metadata)


@given(INFO)
def test_transaction_info(info):
    assert struct_hashes.transaction_info_hash(info) == hash_value(info)


@given(TEXTS)
def test_a_text(text):
    assert struct_hashes.text_hash(text) == hash_value(text)


def _places(value: object) -> list[tuple[object, object]]:
    """Return (container, key) of everything inside."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ())
    return [place for key, inner in items for place in [(value, key), *_places(inner)]]


@given(st.one_of(METADATA, INFO), st.data())
def test_a_struct_of_another_form(struct, data):
    """One part of it is something else, or is missing, or there is one more, or two have changed places."""
    places = _places(struct)
    change = data.draw(st.sampled_from(["replace", "remove", "add", "turn", "repeat"]))
    if places and change == "replace":
        container, key = data.draw(st.sampled_from(places))
        container[key] = data.draw(st.one_of(values(), st.sampled_from([True, -1, Symbol("x"), [], {}, [True], [-1]])))
    elif places and change == "remove":
        container, key = data.draw(st.sampled_from(places))
        del container[key]
    elif change == "add":
        struct["more"] = 1
    elif change == "turn":
        struct = dict(reversed(struct.items()))
    else:
        struct = MultiStruct([*struct.items(), *struct.items()])
    hash_ = struct_hashes.metadata_hash if "id" in struct else struct_hashes.transaction_info_hash
    assert hash_(struct) == hash_value(struct)


def test_numbers_and_truths_are_not_mistaken_for_each_other():
    """1 == True, and what is kept is found by equality."""
    infos = [{"documents": {"d": {"tableName": "a", "tableId": "b", "statements": [each]}}} for each in (1, True)]
    assert list(map(struct_hashes.transaction_info_hash, infos)) == list(map(hash_value, infos))


def test_a_document_id_without_text():
    info = {"documents": {SYMBOL_ZERO: DOCUMENT}}
    assert struct_hashes.transaction_info_hash(info) == hash_value(info)


@pytest.mark.parametrize(
    "hash_",
    [
        lambda: struct_hashes.metadata_hash({"id": "\ud800", "version": 0, "txTime": Timestamp("year", 1), "txId": ""}),
        lambda: struct_hashes.transaction_info_hash({"documents": {"\ud800": DOCUMENT}}),
        lambda: struct_hashes.header_hash("\ud800", 0, "", Timestamp("year", 1)),
        lambda: struct_hashes.text_hash("\ud800"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(hash_):
    with pytest.raises(IonError, match="surrogate"):
        hash_()
