"""Results -> bytes: the bytes of recorded answers, and our own bugs found out before they leave."""

from __future__ import annotations

import json

import pytest
from helpers.wire_support import TRANSACTION_ID

from qldb_emulator.wire.model import load_service
from qldb_emulator.wire.send_command import serialize_command_result
from qldb_emulator.wire.serialize import serialize_result

OPERATIONS = load_service("qldb").operations
IOS = {"ConsumedIOs": {"ReadIOs": 1, "WriteIOs": 0}}
TABLE1 = bytes.fromhex("e00100ea865461626c6531")
DIGEST = bytes(range(32))

# Answers that pyqldb accepted, wire-captures 1; members in the same order, blanks aside.
SESSION_RESULTS = [
    ("StartSession", {"SessionToken": "a/b+c=="}, '{"StartSession": {"SessionToken": "a/b+c==", TIMING}}'),
    (
        "StartTransaction",
        {"TransactionId": TRANSACTION_ID},
        f'{{"StartTransaction": {{"TransactionId": "{TRANSACTION_ID}", TIMING}}}}',
    ),
    (
        "ExecuteStatement",
        {"FirstPage": {"Values": [TABLE1], "NextPageToken": "cGFnZTI="}, **IOS},
        '{"ExecuteStatement": {"FirstPage": {"Values": [{"IonBinary": "4AEA6oZUYWJsZTE="}],'
        ' "NextPageToken": "cGFnZTI="}, TIMING, "ConsumedIOs": {"ReadIOs": 1, "WriteIOs": 0}}}',
    ),
    (
        "ExecuteStatement",
        {"FirstPage": {"Values": []}, **IOS},
        '{"ExecuteStatement": {"FirstPage": {"Values": []}, TIMING, "ConsumedIOs": {"ReadIOs": 1, "WriteIOs": 0}}}',
    ),
    (
        "FetchPage",
        {"Page": {"Values": [TABLE1, b"\x0f", TABLE1], "NextPageToken": None}, **IOS},
        '{"FetchPage": {"Page": {"Values": [{"IonBinary": "4AEA6oZUYWJsZTE="}, {"IonBinary": "Dw=="},'
        ' {"IonBinary": "4AEA6oZUYWJsZTE="}]}, TIMING, "ConsumedIOs": {"ReadIOs": 1, "WriteIOs": 0}}}',
    ),
    (
        "CommitTransaction",
        {"TransactionId": TRANSACTION_ID, "CommitDigest": DIGEST, **IOS},
        f'{{"CommitTransaction": {{"TransactionId": "{TRANSACTION_ID}", "CommitDigest":'
        ' "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", TIMING, "ConsumedIOs": {"ReadIOs": 1, "WriteIOs": 0}}}',
    ),
    ("AbortTransaction", {}, '{"AbortTransaction": {TIMING}}'),
    ("EndSession", {}, '{"EndSession": {TIMING}}'),
]


@pytest.mark.parametrize(("command", "result", "text"), SESSION_RESULTS)
def test_a_session_result_has_the_members_that_drivers_need(command, result, text):
    expected = text.replace("TIMING", '"TimingInformation": {"ProcessingTimeMilliseconds": 3}').replace(" ", "")
    assert expected == serialize_command_result(command, result, 3).decode()


def test_processing_time_is_at_least_one_millisecond():
    body = json.loads(serialize_command_result("EndSession", {}, 0))
    assert body == {"EndSession": {"TimingInformation": {"ProcessingTimeMilliseconds": 1}}}


@pytest.mark.parametrize(
    ("operation", "result", "body"),
    [
        pytest.param(
            "UpdateLedger",
            {
                "CreationDateTime": 1568839243951,
                "Arn": "arn:aws:qldb:us-west-2:123456789012:ledger/myExampleLedger",
                "DeletionProtection": False,
                "Name": "myExampleLedger",
                "State": "ACTIVE",
                "EncryptionDescription": None,
            },
            b'{"Name":"myExampleLedger","Arn":"arn:aws:qldb:us-west-2:123456789012:ledger/myExampleLedger",'
            b'"State":"ACTIVE","CreationDateTime":1568839243.951,"DeletionProtection":false}',
            id="timestamp with three decimals, None left out",
        ),
        pytest.param("ListLedgers", {"Ledgers": [], "NextToken": None}, b'{"Ledgers":[]}', id="an empty list is there"),
        pytest.param(
            "GetDigest",
            {"Digest": DIGEST, "DigestTipAddress": {"IonText": '{strandId:"x",sequenceNo:123}'}},
            b'{"Digest":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",'
            b'"DigestTipAddress":{"IonText":"{strandId:\\"x\\",sequenceNo:123}"}}',
            id="blob and Ion text",
        ),
        pytest.param("DeleteLedger", {}, b"", id="no output at all"),
        pytest.param("TagResource", {}, b"{}", id="an empty structure"),
        pytest.param("ListTagsForResource", {"Tags": {"é": ""}}, b'{"Tags":{"\\u00e9":""}}', id="map"),
    ],
)
def test_a_control_plane_result_has_these_bytes(operation, result, body):
    assert body == serialize_result(OPERATIONS[operation], result)


def test_whole_seconds_are_a_json_number():
    body = serialize_result(OPERATIONS["CreateLedger"], {"CreationDateTime": 1590710400000})
    assert json.loads(body)["CreationDateTime"] == 1590710400


@pytest.mark.parametrize(
    ("operation", "result", "problem"),
    [
        ("ListLedgers", {"Ledger": []}, "has no member"),
        ("GetDigest", {"Digest": DIGEST}, "GetDigest.DigestTipAddress is required"),
        ("GetDigest", {"Digest": "text", "DigestTipAddress": {}}, "GetDigest.Digest must be bytes"),
        ("CreateLedger", {"CreationDateTime": 1.5}, "must be milliseconds"),
        ("CreateLedger", {"DeletionProtection": 1}, "must be a bool"),
        ("CreateLedger", {"Name": 1}, "must be a str"),
        ("DeleteLedger", {"Name": "x"}, "returns nothing"),
    ],
)
def test_a_result_that_does_not_fit_its_shape_never_leaves(operation, result, problem):
    with pytest.raises(AssertionError, match=problem):
        serialize_result(OPERATIONS[operation], result)
