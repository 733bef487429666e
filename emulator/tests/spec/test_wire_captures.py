"""Captured requests of official clients, byte for byte, are understood as their clients meant them."""

from __future__ import annotations

import base64
import json
import re
from functools import cache

import pytest
from helpers.support import SHARED, needs_shared
from helpers.wire_support import SESSION_HEADERS, TRANSACTION_ID, FakeEmulator, ask, environ_of

from qldb_emulator.web.app import create_app

pytestmark = needs_shared

IOS = {"ConsumedIOs": {"ReadIOs": 1, "WriteIOs": 0}}
RESULTS = {
    "StartSession": {"SessionToken": "abcd"},
    "StartTransaction": {"TransactionId": TRANSACTION_ID},
    "ExecuteStatement": {"FirstPage": {"Values": []}, **IOS},
    "FetchPage": {"Page": {"Values": []}, **IOS},
    "CommitTransaction": {"TransactionId": TRANSACTION_ID, "CommitDigest": b"", **IOS},
}
LEDGER = {"LedgerName": "my-ledger"}
SELECT = "SELECT VALUE name FROM T WHERE a = ? AND b = ?"
STRING_S = {"IonBinary": bytes.fromhex("e00100ea8173")}
SELECT_DIGEST = base64.b64decode("/G/jMwgNfbGfG7VfEpncEGZN0/bMZMkZ58hcFmIZTyI=")


@cache
def _section(number: int) -> str:
    text = (SHARED / "reference" / "wire-captures.md").read_text(encoding="utf-8")
    return re.split(r"(?m)^## ", text)[number]


def _http_requests(section: int) -> list[tuple[dict[str, str], bytes]]:
    """Return (headers, body) of every request head with a body in a section."""
    found = []
    for block in re.findall(r"(?s)```http\n(POST / HTTP/1\.1\n.*?)```", _section(section)):
        head, body = block.split("\n\n", 1)
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:])
        headers = {name: value.replace("<yyyymmdd>", "20261123") for name, value in headers.items()}
        found.append((headers, body.strip().encode()))
    return found


def _app() -> tuple[object, FakeEmulator]:
    emulator = FakeEmulator()
    emulator.answers = dict(RESULTS)
    return create_app(emulator), emulator


def _python_parameters(statement: str, struct: str) -> dict[str, object]:
    holders = [{"IonBinary": bytes.fromhex(struct)}, STRING_S]
    return {"TransactionId": TRANSACTION_ID, "Statement": statement, "Parameters": holders}


def test_the_requests_of_pyqldb_arrive_as_the_commands_of_one_transaction():
    app, emulator = _app()
    requests = _http_requests(1)
    for headers, body in requests:
        assert headers["Content-Length"] == str(len(body))
        assert ask(app, environ_of("POST", "/", headers=headers, body=body)).status == 200
    assert [
        ("StartSession", LEDGER),
        ("StartTransaction", {}),
        ("ExecuteStatement", _python_parameters(SELECT, "e00100eae88183de8487b28178de838a2101")),
        ("FetchPage", {"TransactionId": TRANSACTION_ID, "NextPageToken": "cGFnZTI="}),
        ("CommitTransaction", {"TransactionId": TRANSACTION_ID, "CommitDigest": SELECT_DIGEST}),
    ] == [request[:2] for request in emulator.received]
    assert {("us-east-1", "AKIDEXAMPLE")} == {
        (request[2].region, request[2].access_key) for request in emulator.received
    }
    assert [None] + 4 * [json.loads(requests[1][1])["SessionToken"]] == emulator.tokens


def test_the_requests_of_the_node_driver_arrive_the_same_but_for_the_bytes_of_the_struct():
    app, emulator = _app()
    for headers, body in _http_requests(3):
        assert headers["content-length"] == str(len(body))
        assert ask(app, environ_of("POST", "/", headers=headers, body=body)).status == 200
    assert [
        ("StartSession", LEDGER),
        ("ExecuteStatement", _python_parameters(SELECT, "e00100eae78183d487b28178d38a2101")),
    ] == [request[:2] for request in emulator.received]


@pytest.mark.parametrize(
    ("section", "commands"),
    [
        pytest.param(
            1,
            "StartTransaction ExecuteStatement FetchPage CommitTransaction StartTransaction ExecuteStatement"
            " AbortTransaction EndSession",
            id="pyqldb",
        ),
        pytest.param(3, "StartTransaction FetchPage CommitTransaction ExecuteStatement CommitTransaction", id="node"),
    ],
)
def test_the_bodies_given_without_heads_arrive_too(section, commands):
    app, emulator = _app()
    # An ellipsis stands for the rest of a long token.
    for body in re.findall(r"(?m)^> (\{.*\})$", _section(section)):
        reply = ask(app, environ_of("POST", "/", headers=SESSION_HEADERS, body=body.replace("…", "").encode()))
        assert reply.status == 200
    assert commands.split() == [request[0] for request in emulator.received]


def _unusual(client: str) -> list[str]:
    # Some lines end in a remark in brackets.
    return re.findall(rf"(?m)^{client}\s*: (\{{.*\}})", _section(4))


@pytest.mark.parametrize(
    ("client", "members"),
    [
        pytest.param(
            "boto3",
            {
                "TransactionId": TRANSACTION_ID,
                "Statement": "SELECT 'é€😀' FROM \"T\"",
                "Parameters": [{"IonText": '{a:"é"}'}, {"IonBinary": bytes.fromhex("e00100ea2101")}],
            },
            id="boto3 escapes",
        ),
        pytest.param(
            "JS",
            {"TransactionId": TRANSACTION_ID, "Statement": "SELECT 'é€😀'", "Parameters": [{"IonText": '"é"'}]},
            id="JS sends UTF-8",
        ),
    ],
)
def test_text_beyond_ascii_arrives_however_it_is_written(client, members):
    app, emulator = _app()
    body = _unusual(client)[0].encode()
    assert ask(app, environ_of("POST", "/", headers=SESSION_HEADERS, body=body)).status == 200
    assert [("ExecuteStatement", members)] == [request[:2] for request in emulator.received]


def test_what_boto3_does_not_stop_is_refused_here():
    app, emulator = _app()
    replies = [
        ask(app, environ_of("POST", "/", headers=SESSION_HEADERS, body=body.encode())) for body in _unusual("boto3")[1:]
    ]
    assert emulator.received == []
    assert [(reply.status, reply.headers["x-amzn-errortype"]) for reply in replies] == 5 * [
        (400, "BadRequestException")
    ]
    assert [reply.json["Message"] for reply in replies] == [
        "Exactly one command must be given, but the request has 2",
        "Exactly one command must be given, but the request has 0",
        "The parameter SessionToken is not valid",
        "The parameter LedgerName is not valid: 'bad--name' does not match"
        " (?!^.*--)(?!^[0-9]+$)(?!^-)(?!.*-$)^[A-Za-z0-9-]+$",
        "Parameter 1 is not a valid Ion value: neither IonBinary nor IonText is given",
    ]


NAME = {"Name": "my-ledger"}
ARN = {"ResourceArn": "arn:aws:qldb:us-east-1:123456789012:ledger/my-ledger"}
ROLE = {"RoleArn": "arn:aws:iam::123456789012:role/r"}
STREAM = {"LedgerName": "my-ledger", "StreamId": "7ISCkqwe4y25YyHLzYUFAf"}
BLOCK = {"IonText": '{strandId:"x",sequenceNo:1}'}
EMPTY = {"IonText": "{}"}
EXPORT = {
    **NAME,
    "InclusiveStartTime": 1568764800000,
    "ExclusiveEndTime": 1568847599000,
    "S3ExportConfiguration": {
        "Bucket": "bbb",
        "Prefix": "p/",
        "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
    },
    **ROLE,
    "OutputFormat": "JSON",
}
KINESIS = {
    "LedgerName": "my-ledger",
    **ROLE,
    "InclusiveStartTime": 1590710400000,
    "KinesisConfiguration": {
        "StreamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
        "AggregationEnabled": True,
    },
    "StreamName": "st",
}
# What the requests of section 8 mean, in their order; an error where the server must refuse.
CONTROL_PLANE = [
    ("DescribeLedger", NAME),
    ("ListLedgers", {"MaxResults": 2, "NextToken": "abcd=="}),
    ("ListLedgers", {}),
    ("UpdateLedger", {**NAME, "DeletionProtection": False}),
    ("UpdateLedgerPermissionsMode", {**NAME, "PermissionsMode": "ALLOW_ALL"}),
    ("GetDigest", NAME),
    ("GetBlock", {**NAME, "BlockAddress": BLOCK}),
    ("GetRevision", {**NAME, "BlockAddress": EMPTY, "DocumentId": TRANSACTION_ID, "DigestTipAddress": EMPTY}),
    ("TagResource", {**ARN, "Tags": {"k": "v"}}),
    ("UntagResource", {**ARN, "TagKeys": ["k", "k 2/é"]}),
    ("ListTagsForResource", ARN),
    ("ExportJournalToS3", EXPORT),
    ("StreamJournalToKinesis", KINESIS),
    ("ListJournalS3Exports", {"MaxResults": 5}),
    ("ListJournalS3ExportsForLedger", NAME),
    ("DescribeJournalS3Export", {**NAME, "ExportId": "ADR2ONPKN5LINYGb4dp7yZ"}),
    ("ListJournalKinesisStreamsForLedger", {"LedgerName": "my-ledger"}),
    ("DescribeJournalKinesisStream", STREAM),
    ("CancelJournalKinesisStream", STREAM),
    ("DeleteLedger", NAME),
    ("InvalidParameterException", "Name"),
    ("InvalidParameterException", "Name"),
    ("InvalidParameterException", "Name"),
    ("InvalidParameterException", "PermissionsMode"),
    ("InvalidParameterException", "MaxResults"),
]


def _control_plane_requests() -> list[tuple[str, str, str, bytes]]:
    """Return (method, path, query, body) of the requests given as a line, and a second, indented one for the body."""
    found = []
    pattern = r"(?m)^(GET|POST|PATCH|DELETE) (/\S+)(?: +\(Content-Length: 0\))?$(?:\n    (\{.*\}))?"
    for method, target, body in re.findall(pattern, _section(8)):
        path, _, query = target.partition("?")
        found.append((method, path, query, body.encode()))
    return found


@pytest.mark.parametrize("number", range(len(CONTROL_PLANE)), ids=lambda number: f"{number} {CONTROL_PLANE[number][0]}")
def test_control_plane_requests_of_boto3_arrive_as_what_was_asked(number):
    requests = _control_plane_requests()
    assert len(CONTROL_PLANE) == len(requests)
    name, meaning = CONTROL_PLANE[number]
    app, emulator = _app()
    emulator.answers = {
        "GetDigest": {"Digest": b"", "DigestTipAddress": EMPTY},
        "GetBlock": {"Block": EMPTY},
        "GetRevision": {"Revision": EMPTY},
        "ExportJournalToS3": {"ExportId": "x"},
        "DescribeJournalS3Export": {
            "ExportDescription": {
                "LedgerName": "my-ledger",
                "ExportId": "x",
                "ExportCreationTime": 0,
                "Status": "COMPLETED",
                **{key: value for key, value in EXPORT.items() if key != "Name"},
            }
        },
    }
    method, path, query, body = requests[number]
    reply = ask(app, environ_of(method, path, query, {"Content-Type": "application/json"} if body else {}, body))
    if name.endswith("Exception"):
        assert (400, name, meaning) == (reply.status, reply.headers["x-amzn-errortype"], reply.json["ParameterName"])
        assert emulator.received == []
    else:
        assert reply.status == 200
        assert [(name, meaning)] == [request[:2] for request in emulator.received]


def test_the_first_control_plane_request_is_given_with_its_head():
    app, emulator = _app()
    block = re.search(r"(?s)```http\nPOST /ledgers HTTP/1\.1\n(.*?)\n\n(.*?)```", _section(8))
    assert block is not None
    headers = dict(line.split(": ", 1) for line in block[1].splitlines())
    body = block[2].strip().encode()
    assert headers["Content-Length"] == str(len(body))
    assert ask(app, environ_of("POST", "/ledgers", headers=headers, body=body)).status == 200
    parameters = {**NAME, "PermissionsMode": "STANDARD", "Tags": {"a": "b", "c": ""}, "DeletionProtection": False}
    assert [("CreateLedger", parameters)] == [request[:2] for request in emulator.received]
