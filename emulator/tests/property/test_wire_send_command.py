"""The fast reader of session requests agrees with the general one on valid and invalid requests."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from helpers.wire_support import TRANSACTION_ID, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.errors import QldbError
from qldb_emulator.limits import Limits
from qldb_emulator.wire.parse import COMMANDS, parse_json_object, read_send_command
from qldb_emulator.wire.send_command import CommandReader

# Small, so that sizes around the limits are cheap to make.
LIMITS = Limits(statement_characters=12, parameter_binary_bytes=9, parameter_text_characters=5)
READER = CommandReader(LIMITS)

scalars = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=5))
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=4,
)


def nearly(good: st.SearchStrategy[Any], bad: st.SearchStrategy[Any] = anything) -> st.SearchStrategy[Any]:
    """Good often enough that a document with one thing wrong is the usual case."""
    return st.integers(0, 19).flatmap(lambda roll: anything if roll == 0 else bad if roll == 1 else good)


tokens = nearly(
    st.sampled_from(["abcd", "a" * 1024, "a+/=-Z9"]),
    st.sampled_from(["abc", "a" * 1025, "a_bc", "abcd\n", "ab cd", "é" * 5]),
)
transaction_ids = nearly(
    st.sampled_from([TRANSACTION_ID, "-" * 22]),
    st.sampled_from([TRANSACTION_ID[:-1], TRANSACTION_ID + "a", "é" * 22, "a" * 21 + "\n"]),
)
statements = nearly(
    st.text(min_size=1, max_size=12), st.sampled_from(["", "\ud800", "x\udc00", "é" * 13, "😀" * 12, "x" * 13])
)
encoded = nearly(
    st.binary(min_size=1, max_size=9).map(lambda data: base64.b64encode(data).decode()),
    st.sampled_from(["", "A", "AA", "AAA", "AA==AA==", "AAAA\n", "A A A A", "====", "AB==", "éééé", "_-_-", "A" * 16]),
)
holders = nearly(
    st.fixed_dictionaries({"IonBinary": encoded}),
    st.fixed_dictionaries({}, optional={"IonBinary": encoded, "IonText": st.text(max_size=6), "Other": anything}),
)
members = {
    "StartSession": st.fixed_dictionaries({}, optional={"LedgerName": nearly(st.text("a-1", max_size=34))}),
    "StartTransaction": st.just({}),
    "AbortTransaction": st.fixed_dictionaries({}, optional={"Other": anything}),
    "EndSession": st.just({}),
    "ExecuteStatement": st.fixed_dictionaries(
        {"TransactionId": transaction_ids, "Statement": statements},
        optional={"Parameters": nearly(st.lists(holders, max_size=3))},
    ),
    "FetchPage": st.fixed_dictionaries({"TransactionId": transaction_ids, "NextPageToken": tokens}),
    "CommitTransaction": st.fixed_dictionaries({"TransactionId": transaction_ids, "CommitDigest": encoded}),
}


@st.composite
def documents(draw):
    chosen = draw(st.lists(st.sampled_from(COMMANDS), min_size=0 if draw(st.integers(0, 9)) == 0 else 1, max_size=1))
    if draw(st.integers(0, 19)) == 0:
        chosen = [*chosen, draw(st.sampled_from(COMMANDS))]
    document = {name: draw(nearly(members[name])) for name in chosen}
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


def _execute(**changes: Any) -> dict[str, Any]:
    return {"SessionToken": "abcd", "ExecuteStatement": {**EXECUTE, **changes}}


@pytest.mark.parametrize(
    ("document", "shape"),
    [
        pytest.param({"SessionToken": "abcd", "StartTransaction": []}, "BadRequestException", id="list for a command"),
        pytest.param({"SessionToken": "abcd", "EndSession": "x"}, "BadRequestException", id="text for a command"),
        pytest.param(_execute(Statement="\ud800"), "BadRequestException", id="half a surrogate pair"),
        pytest.param(_execute(Statement="é" * 12), "ExecuteStatement", id="statement of 12 characters"),
        pytest.param(_execute(Statement="é" * 13), "BadRequestException", id="statement of 13 characters"),
        pytest.param(_execute(Parameters=[{"IonBinary": "A" * 12}]), "ExecuteStatement", id="parameter of 9 bytes"),
        pytest.param(_execute(Parameters=[{"IonBinary": "AAAA" * 3 + "AA=="}]), "BadRequestException", id="10 bytes"),
        pytest.param(_execute(Parameters=[{"IonBinary": ""}]), "BadRequestException", id="parameter of no bytes"),
        pytest.param(_execute(Parameters=[{"IonBinary": "AA==", "IonText": "1"}]), "BadRequestException", id="both"),
        pytest.param(_execute(Parameters=[{"IonBinary": "AA==", "Other": 1}]), "ExecuteStatement", id="unknown member"),
        pytest.param(_execute(Parameters=[{"IonBinary": "AA==", "IonText": None}]), "ExecuteStatement", id="null"),
        pytest.param(_execute(Parameters=[{"IonText": "1"}]), "ExecuteStatement", id="text"),
        pytest.param(_execute(Parameters=None), "ExecuteStatement", id="null for the parameters"),
        pytest.param(_execute(Parameters={}), "BadRequestException", id="object for the parameters"),
        pytest.param({**_execute(), "Other": 1}, "ExecuteStatement", id="unknown member beside the command"),
        pytest.param({**_execute(), "EndSession": None}, "ExecuteStatement", id="null beside the command"),
        pytest.param({**_execute(), "EndSession": {}}, "BadRequestException", id="two commands"),
    ],
)
def test_at_the_edge_of_what_is_allowed_both_readers_have_the_same_outcome(document, shape):
    body = json.dumps(document).encode()
    by_shapes = _outcome(lambda: read_send_command(parse_json_object(body), LIMITS))
    assert by_shapes[0] == shape
    assert by_shapes == _outcome(lambda: READER.parse_send_command(body))


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

    monkeypatch.setattr("qldb_emulator.wire.send_command.read_send_command", fail)
    command = READER.parse_send_command(json.dumps(document).encode())
    assert command.command in document
