"""botocore is the oracle for all operations: we read what it sends, and it reads what we send."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from helpers.wire_support import FakeEmulator, Reply, ask, client_reads, client_request
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.limits import Limits
from qldb_emulator.web.app import create_app
from qldb_emulator.wire.model import Operation, Shape, load_service
from qldb_emulator.wire.parse import COMMANDS, parse_call, read_send_command
from qldb_emulator.wire.send_command import CommandReader, serialize_command_result
from qldb_emulator.wire.serialize import serialize_result, write_value

CONTROL_PLANE = list(load_service("qldb").operations.values())
SEND_COMMAND = load_service("qldb-session").operations["SendCommand"]
RESULT_SHAPES = {name: member.shape for name, member in SEND_COMMAND.output.members.items()}
REQUEST_SHAPES = {name: SEND_COMMAND.input.members[name].shape for name in COMMANDS}
LATEST_MS = 4_102_444_800_000  # the year 2100
ALPHANUMERIC = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

names = st.tuples(
    st.sampled_from("abcXYZ"), st.text(ALPHANUMERIC, max_size=10), st.text(ALPHANUMERIC, max_size=10)
).map(lambda parts: parts[0] + parts[1] + ("-" + parts[2] if parts[2] else ""))
PATTERNED = {
    "LedgerName": names,
    "StreamName": names,
    "UniqueId": st.text(ALPHANUMERIC, min_size=22, max_size=22),
    "TransactionId": st.text(ALPHANUMERIC, min_size=22, max_size=22),
    "S3Bucket": st.text(ALPHANUMERIC + "-_.", min_size=3, max_size=63),
    **{
        name: st.text(ALPHANUMERIC + "-+/=", min_size=4, max_size=200)
        for name in ("NextToken", "PageToken", "SessionToken")
    },
}


def values(shape: Shape, whole_seconds: bool) -> st.SearchStrategy[Any]:
    """Python values that satisfy a shape."""
    if shape.name in PATTERNED:
        return PATTERNED[shape.name]
    if shape.enum:
        return st.sampled_from(shape.enum)
    smallest = shape.minimum or 0
    largest = smallest + 30 if shape.maximum is None else min(shape.maximum, smallest + 30)
    match shape.type:
        case "structure":
            members = {name: values(member.shape, whole_seconds) for name, member in shape.members.items()}
            required = {name: part for name, part in members.items() if shape.members[name].required}
            optional = {name: part for name, part in members.items() if name not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "list":
            # In a query string an empty list cannot be told from none.
            return st.lists(values(shape.item, whole_seconds), min_size=1, max_size=4)
        case "map":
            return st.dictionaries(values(shape.key, whole_seconds), values(shape.item, whole_seconds), max_size=4)
        case "string":
            return st.text(min_size=smallest, max_size=largest)
        case "blob":
            return st.binary(min_size=smallest, max_size=largest)
        case "boolean":
            return st.booleans()
        case "timestamp":
            seconds = st.integers(0, LATEST_MS // 1000).map(lambda number: number * 1000)
            return seconds if whole_seconds else st.integers(0, LATEST_MS)
        case _:
            return st.integers(smallest, shape.maximum or 2**53)


def to_client(shape: Shape, value: Any) -> Any:
    """Our Python form -> boto3's: only timestamps differ."""
    match shape.type:
        case "structure":
            return {name: to_client(shape.members[name].shape, part) for name, part in value.items()}
        case "list":
            return [to_client(shape.item, part) for part in value]
        case "timestamp":
            return datetime.fromtimestamp(value / 1000, UTC)
        case _:
            return value


def to_ours(value: Any) -> Any:
    """boto3's Python form -> ours."""
    if isinstance(value, dict):
        return {name: to_ours(part) for name, part in value.items()}
    if isinstance(value, list):
        return [to_ours(part) for part in value]
    return round(value.timestamp() * 1000) if isinstance(value, datetime) else value


@pytest.mark.parametrize("operation", CONTROL_PLANE, ids=lambda operation: operation.name)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_boto3_sends_is_what_the_engine_gets(operation: Operation, data):
    parameters = data.draw(values(operation.input, whole_seconds=True))
    emulator = FakeEmulator()
    environ = client_request("qldb", operation.name, to_client(operation.input, parameters))
    ask(create_app(emulator), environ)
    assert [(operation.name, parameters)] == [request[:2] for request in emulator.received]


@pytest.mark.parametrize("operation", CONTROL_PLANE, ids=lambda operation: operation.name)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_the_engine_returns_is_what_boto3_gets(operation: Operation, data):
    result = data.draw(values(operation.output, whole_seconds=False)) if operation.output else {}
    reply = Reply(200, {}, serialize_result(operation, result))
    assert result == to_ours(client_reads("qldb", operation.name, reply))


def _commands(command: str) -> st.SearchStrategy[dict[str, Any]]:
    holder = st.one_of(
        st.fixed_dictionaries({"IonBinary": st.binary(min_size=1, max_size=40)}),
        st.fixed_dictionaries({"IonText": st.text(min_size=1, max_size=40)}),
    )
    members = values(REQUEST_SHAPES[command], whole_seconds=True)
    if command == "ExecuteStatement":
        return st.builds(lambda start, holders: {**start, "Parameters": holders}, members, st.lists(holder, max_size=3))
    return members


@pytest.mark.parametrize("command", COMMANDS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_session_commands_of_boto3_are_what_the_engine_gets_by_the_fast_path_and_by_the_shapes(command, data):
    members = data.draw(_commands(command))
    token = None if command == "StartSession" else data.draw(PATTERNED["SessionToken"])
    request = {command: members, **({} if token is None else {"SessionToken": token})}
    body = client_request("qldb-session", "SendCommand", request)["wsgi.input"].read()
    limits = Limits()
    assert (command, token, members) == read_send_command(json.loads(body), limits)
    assert (command, token, members) == CommandReader(limits).parse_send_command(body)


@pytest.mark.parametrize("command", COMMANDS)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_session_results_are_what_boto3_gets_and_what_the_shapes_say(command, data):
    drawn = data.draw(values(RESULT_SHAPES[command], whole_seconds=False))
    ios = {"ReadIOs": 1, "WriteIOs": 0}
    complete = {
        **{
            name: data.draw(values(m.shape, False))
            for name, m in RESULT_SHAPES[command].members.items()
            if name != "TimingInformation"
        },
        **{name: value for name, value in drawn.items() if name not in ("TimingInformation", "FirstPage", "Page")},
    }
    wire: dict[str, Any] = {**complete, "TimingInformation": {"ProcessingTimeMilliseconds": 7}}
    if "ConsumedIOs" in complete:
        complete["ConsumedIOs"] = wire["ConsumedIOs"] = ios
    for page in {"FirstPage", "Page"} & complete.keys():
        blobs = data.draw(st.lists(st.binary(min_size=1, max_size=40), max_size=4))
        token = {key: value for key, value in complete[page].items() if key == "NextPageToken"}
        complete[page] = {"Values": blobs, **token}
        wire[page] = {"Values": [{"IonBinary": blob} for blob in blobs], **token}
    body = serialize_command_result(command, complete, 7)
    assert {command: wire} == client_reads("qldb-session", "SendCommand", Reply(200, {}, body))
    assert {command: write_value(RESULT_SHAPES[command], wire, command)} == json.loads(body)


def test_get_digest_is_read_without_body_and_content_type():
    environ = client_request("qldb", "GetDigest", {"Name": "cars"})
    assert "CONTENT_TYPE" not in environ
    assert environ["CONTENT_LENGTH"] == "0"
    call = parse_call(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"], b"")
    assert (call.operation.name, call.parameters) == ("GetDigest", {"Name": "cars"})
