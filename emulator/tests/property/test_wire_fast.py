"""The fast reader of session requests and the one driven by the shapes agree on everything, right and wrong."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wire_support import TRANSACTION_ID, refusal

from qldb_emulator.errors import QldbError
from qldb_emulator.limits import Limits
from qldb_emulator.wire.fast import CommandReader
from qldb_emulator.wire.parse import COMMANDS, parse_json_object, read_send_command

# Small, so that sizes around the limits are cheap to make.
LIMITS = Limits(statement_characters=12, parameter_binary_bytes=9, parameter_text_characters=5)
READER = CommandReader(LIMITS)

scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=5))
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)


def mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda roll: anything if roll == 0 else good)


tokens = mostly(st.sampled_from(["abcd", "abc", "a" * 1024, "a" * 1025, "a+/=-Z9", "a_bc", "abcd\n", "ab cd", "é" * 5]))
transaction_ids = mostly(
    st.sampled_from([TRANSACTION_ID, TRANSACTION_ID[:-1], TRANSACTION_ID + "a", "-" * 22, "é" * 22, "a" * 21 + "\n"])
)
statements = mostly(
    st.one_of(st.text(max_size=14), st.sampled_from(["\ud800", "é" * 12, "é" * 13, "😀" * 12, "x" * 13]))
)
encoded = st.one_of(
    st.binary(max_size=11).map(lambda data: base64.b64encode(data).decode()),
    st.sampled_from(["", "A", "AA", "AAA", "AA==", "AA==AA==", "AAAA\n", "A A A A", "====", "AB==", "éééé", "_-_-"]),
)
holders = mostly(
    st.one_of(
        st.fixed_dictionaries({"IonBinary": mostly(encoded)}),
        st.fixed_dictionaries({}, optional={"IonBinary": encoded, "IonText": st.text(max_size=6), "Other": anything}),
    )
)
members = {
    "StartSession": st.fixed_dictionaries({}, optional={"LedgerName": mostly(st.text("a-1", max_size=34))}),
    "StartTransaction": st.just({}),
    "AbortTransaction": st.fixed_dictionaries({}, optional={"Other": anything}),
    "EndSession": st.just({}),
    "ExecuteStatement": st.fixed_dictionaries(
        {"TransactionId": transaction_ids},
        optional={"Statement": statements, "Parameters": mostly(st.lists(holders, max_size=3))},
    ),
    "FetchPage": st.fixed_dictionaries({"TransactionId": transaction_ids, "NextPageToken": tokens}),
    "CommitTransaction": st.fixed_dictionaries(
        {"TransactionId": transaction_ids}, optional={"CommitDigest": mostly(encoded)}
    ),
}


@st.composite
def documents(draw):
    chosen = draw(st.lists(st.sampled_from(COMMANDS), min_size=0 if draw(st.integers(0, 9)) == 0 else 1, max_size=1))
    if draw(st.integers(0, 19)) == 0:
        chosen = [*chosen, draw(st.sampled_from(COMMANDS))]
    document = {name: draw(mostly(members[name])) for name in chosen}
    if draw(st.integers(0, 9)) < 9:
        document["SessionToken"] = draw(tokens)
    if draw(st.integers(0, 9)) == 0:
        document[draw(st.text(max_size=4))] = draw(anything)
    return dict(draw(st.permutations(list(document.items()))))


def _outcome(read):
    try:
        return tuple(read())
    except QldbError as error:
        return refusal(error)


@given(documents())
@settings(max_examples=600, deadline=None)
def test_both_readers_have_the_same_outcome(document):
    body = json.dumps(document).encode()
    by_shapes = _outcome(lambda: read_send_command(parse_json_object(body), LIMITS))
    assert by_shapes == _outcome(lambda: READER.parse_send_command(body))


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_any_bytes_are_a_command_or_a_named_error(body):
    by_shapes = _outcome(lambda: read_send_command(parse_json_object(body), LIMITS))
    assert by_shapes == _outcome(lambda: READER.parse_send_command(body))


EXECUTE = {"TransactionId": TRANSACTION_ID, "Statement": "SELECT 1"}


@pytest.mark.parametrize(
    "document",
    [
        {"SessionToken": "abcd", "StartTransaction": {}},
        {"AbortTransaction": {}, "SessionToken": "abcd"},
        {"SessionToken": "abcd", "EndSession": {}},
        {"SessionToken": "abcd", "ExecuteStatement": EXECUTE},
        {"SessionToken": "abcd", "ExecuteStatement": {**EXECUTE, "Parameters": []}},
        {"SessionToken": "abcd", "ExecuteStatement": {**EXECUTE, "Parameters": [{"IonBinary": "4AEA6iEB"}]}},
        {"SessionToken": "abcd", "FetchPage": {"TransactionId": TRANSACTION_ID, "NextPageToken": "abcd"}},
        {"SessionToken": "abcd", "CommitTransaction": {"TransactionId": TRANSACTION_ID, "CommitDigest": "AAAA"}},
    ],
    ids=lambda document: next(name for name in document if name != "SessionToken"),
)
def test_what_drivers_send_takes_the_fast_way(document, monkeypatch):
    def fail(*arguments):
        raise AssertionError("went the slow way")

    monkeypatch.setattr("qldb_emulator.wire.fast.read_send_command", fail)
    command = READER.parse_send_command(json.dumps(document).encode())
    assert command.command in document
