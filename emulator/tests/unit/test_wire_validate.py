"""Constraints: what the model forbids is refused, and the text says which member, what it is and what is allowed."""

from __future__ import annotations

import pytest
from helpers.wire_support import TRANSACTION_ID, refusal

from qldb_emulator.errors import QldbError
from qldb_emulator.limits import Limits
from qldb_emulator.wire.parse import parse_call, parse_json_object, read_send_command
from qldb_emulator.wire.serialize import encode_json

ARN = "arn:aws:qldb:us-east-1:123456789012:ledger/cars"
NAME_PATTERN = r"(?!^.*--)(?!^[0-9]+$)(?!^-)(?!.*-$)^[A-Za-z0-9-]+$"
ID_PATTERN = "^[A-Za-z-0-9]+$"
TOKEN_PATTERN = "^[A-Za-z-0-9+/=]+$"
CREATE = {"Name": "cars", "PermissionsMode": "STANDARD"}
EXPORT = {
    "InclusiveStartTime": 1,
    "ExclusiveEndTime": 2,
    "S3ExportConfiguration": {
        "Bucket": "bbb",
        "Prefix": "p/",
        "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
    },
    "RoleArn": "arn:aws:iam::123456789012:role/r",
}


def _create(**changes):
    return "POST", "/ledgers", "", {**CREATE, **changes}


def _export(**changes):
    return "POST", "/ledgers/cars/journal-s3-exports", "", {**EXPORT, **changes}


def _bucket(**changes):
    return _export(S3ExportConfiguration={**EXPORT["S3ExportConfiguration"], **changes})


CONTROL_PLANE = [
    pytest.param(_create(Name=""), "Name", "has 0 characters; the minimum is 1", id="empty name"),
    pytest.param(
        _create(Name="a" * 33), "Name", "has 33 characters; the maximum is 32", id="33 characters, one too many"
    ),
    pytest.param(_create(Name="bad--name"), "Name", f"'bad--name' does not match {NAME_PATTERN}", id="two hyphens"),
    pytest.param(_create(Name="123456"), "Name", f"'123456' does not match {NAME_PATTERN}", id="digits only"),
    pytest.param(_create(Name="-a"), "Name", f"'-a' does not match {NAME_PATTERN}", id="leading hyphen"),
    pytest.param(_create(Name="a-"), "Name", f"'a-' does not match {NAME_PATTERN}", id="trailing hyphen"),
    pytest.param(_create(Name="a\n"), "Name", rf"'a\n' does not match {NAME_PATTERN}", id="trailing newline"),
    pytest.param(_create(Name="../a"), "Name", f"'../a' does not match {NAME_PATTERN}", id="a path"),
    pytest.param(_create(Name="é"), "Name", f"'é' does not match {NAME_PATTERN}", id="not ASCII"),
    pytest.param(_create(Name="\ud800"), "Name", "it holds half of a surrogate pair", id="half a surrogate pair"),
    pytest.param(_create(Name=5), "Name", "it must be a string, but is a number", id="number for a string"),
    pytest.param(_create(Name=["a"]), "Name", "it must be a string, but is a list", id="list for a string"),
    pytest.param(
        _create(PermissionsMode="NOPE"), "PermissionsMode", "'NOPE' is not one of ALLOW_ALL, STANDARD", id="enum"
    ),
    pytest.param(
        _create(PermissionsMode="x" * 100), "PermissionsMode", f"'{'x' * 64}'... is not one of", id="long, cut"
    ),
    pytest.param(
        _create(DeletionProtection="true"), "DeletionProtection", "must be true or false, but is a string", id="boolean"
    ),
    pytest.param(
        _create(DeletionProtection=1), "DeletionProtection", "must be true or false, but is a number", id="0/1"
    ),
    pytest.param(_create(KmsKey="k" * 1601), "KmsKey", "has 1601 characters; the maximum is 1600", id="KMS key"),
    pytest.param(_create(Tags=[]), "Tags", "it must be an object, but is a list", id="list for a map"),
    pytest.param(
        _create(Tags={str(n): "" for n in range(201)}), "Tags", "has 201 entries; the maximum is 200", id="201 tags"
    ),
    pytest.param(_create(Tags={"": "v"}), "Tags.key", "has 0 characters; the minimum is 1", id="empty tag key"),
    pytest.param(
        _create(Tags={"k" * 129: "v"}), "Tags.key", "has 129 characters; the maximum is 128", id="long tag key"
    ),
    pytest.param(
        _create(Tags={"k": "v" * 257}), "Tags.value", "has 257 characters; the maximum is 256", id="tag value"
    ),
    pytest.param(_create(Tags={"k": 5}), "Tags.value", "it must be a string, but is a number", id="number for a tag"),
    pytest.param(
        _bucket(Bucket="ab"), "S3ExportConfiguration.Bucket", "has 2 characters; the minimum is 3", id="bucket"
    ),
    pytest.param(
        _bucket(Bucket="a b"),
        "S3ExportConfiguration.Bucket",
        "'a b' does not match ^[A-Za-z-0-9-_.]+$",
        id="bucket text",
    ),
    pytest.param(
        _bucket(EncryptionConfiguration={"ObjectEncryptionType": "NONE"}),
        "S3ExportConfiguration.EncryptionConfiguration.ObjectEncryptionType",
        "'NONE' is not one of SSE_KMS, SSE_S3, NO_ENCRYPTION",
        id="enum inside a structure inside a structure",
    ),
    pytest.param(_export(RoleArn="arn"), "RoleArn", "has 3 characters; the minimum is 20", id="short ARN"),
    pytest.param(
        _export(InclusiveStartTime="2020-01-01T00:00:00Z"),
        "InclusiveStartTime",
        "it must be a number of seconds since 1970, but is a string",
        id="ISO text for a timestamp",
    ),
    pytest.param(_export(InclusiveStartTime=True), "InclusiveStartTime", "but is a boolean", id="boolean timestamp"),
    pytest.param(_export(InclusiveStartTime=1e300), "InclusiveStartTime", "no time between", id="absurd timestamp"),
    pytest.param(_export(InclusiveStartTime=10**400), "InclusiveStartTime", "no time between", id="huge whole number"),
    pytest.param(
        ("GET", "/ledgers", "max_results=1000", None), "MaxResults", "1000 is more than the maximum of 100", id="max"
    ),
    pytest.param(("GET", "/ledgers", "max_results=0", None), "MaxResults", "0 is less than the minimum of 1", id="min"),
    pytest.param(
        ("GET", "/ledgers", "max_results=x", None), "MaxResults", "it must be a whole number, but is a string", id="x"
    ),
    pytest.param(
        ("GET", "/ledgers", "max_results=", None), "MaxResults", "it must be a whole number", id="empty number"
    ),
    pytest.param(
        ("GET", "/ledgers", "max_results=1.5", None), "MaxResults", "it must be a whole number", id="fraction"
    ),
    pytest.param(
        ("GET", "/ledgers", "next_token=abc", None), "NextToken", "has 3 characters; the minimum is 4", id="token"
    ),
    pytest.param(
        ("GET", "/ledgers", "next_token=a_bc", None), "NextToken", f"'a_bc' does not match {TOKEN_PATTERN}", id="_"
    ),
    pytest.param(("GET", "/ledgers/", "", None), "Name", "has 0 characters; the minimum is 1", id="empty label"),
    pytest.param(
        ("DELETE", "/ledgers/12", "", None), "Name", f"'12' does not match {NAME_PATTERN}", id="bad name in the path"
    ),
    pytest.param(
        ("POST", "/ledgers/cars/revision", "", {"BlockAddress": {"IonText": "{}"}, "DocumentId": "short"}),
        "DocumentId",
        "has 5 characters; the minimum is 22",
        id="short document id",
    ),
    pytest.param(
        ("POST", "/ledgers/cars/block", "", {"BlockAddress": {"IonText": ""}}),
        "BlockAddress.IonText",
        "has 0 characters; the minimum is 1",
        id="empty Ion text",
    ),
    pytest.param(
        ("POST", "/tags/arn", "", {"Tags": {}}), "ResourceArn", "has 3 characters; the minimum is 20", id="tag ARN"
    ),
    pytest.param(
        ("DELETE", f"/tags/{ARN}", "tagKeys=a&tagKeys=", None),
        "TagKeys.2",
        "has 0 characters; the minimum is 1",
        id="2nd key",
    ),
    pytest.param(
        ("DELETE", f"/tags/{ARN}", "&".join(["tagKeys=a"] * 201), None),
        "TagKeys",
        "has 201 elements; the maximum is 200",
        id="201 tag keys",
    ),
]


@pytest.mark.parametrize(("request_parts", "parameter", "reason"), CONTROL_PLANE)
def test_the_control_plane_refuses_what_the_model_forbids(request_parts, parameter, reason):
    method, path, query, document = request_parts
    body = b"" if document is None else encode_json(document)
    with pytest.raises(QldbError) as raised:
        parse_call(method, path, query, body)
    assert raised.value.shape == "InvalidParameterException"
    assert {"ParameterName": parameter} == raised.value.members
    assert raised.value.message.startswith(f"The parameter {parameter} is not valid: ")
    assert reason in raised.value.message


@pytest.mark.parametrize(
    ("method", "path", "document", "parameter"),
    [
        pytest.param("POST", "/ledgers", {"PermissionsMode": "STANDARD"}, "Name", id="absent"),
        pytest.param("POST", "/ledgers", {"Name": None, "PermissionsMode": "STANDARD"}, "Name", id="null"),
        pytest.param("POST", "/ledgers", None, "Name", id="no body at all"),
        pytest.param("POST", "/ledgers", {"Name": "cars"}, "PermissionsMode", id="second member"),
        pytest.param("POST", "/ledgers/cars/block", {}, "BlockAddress", id="structure"),
        pytest.param("DELETE", f"/tags/{ARN}", None, "TagKeys", id="query"),
        pytest.param(
            "POST",
            "/ledgers/cars/journal-s3-exports",
            {**EXPORT, "S3ExportConfiguration": {"Bucket": "bbb"}},
            "S3ExportConfiguration.Prefix",
            id="inside a structure",
        ),
    ],
)
def test_a_required_member_that_is_missing_is_named(method, path, document, parameter):
    with pytest.raises(QldbError) as raised:
        parse_call(method, path, "", b"" if document is None else encode_json(document))
    expected = ("InvalidParameterException", f"The parameter {parameter} is required", {"ParameterName": parameter})
    assert expected == refusal(raised.value)


@pytest.mark.parametrize(
    ("request_parts", "expected"),
    [
        pytest.param(_create(Name="a" * 32), {"Name": "a" * 32, "PermissionsMode": "STANDARD"}, id="longest name"),
        pytest.param(_create(Name="1a-2"), {"Name": "1a-2", "PermissionsMode": "STANDARD"}, id="digits and a hyphen"),
        pytest.param(_create(KmsKey=""), {**CREATE, "KmsKey": ""}, id="a KMS key has no minimum"),
        pytest.param(_create(KmsKey=None), CREATE, id="null is absent"),
        pytest.param(_create(Other={"x": 1}), CREATE, id="unknown members are ignored"),
        pytest.param(_create(Tags={"k": None}), {**CREATE, "Tags": {"k": ""}}, id="a tag of null is an empty one"),
        pytest.param(_create(Tags={}), {**CREATE, "Tags": {}}, id="no tags"),
        pytest.param(("PATCH", "/ledgers/cars", "", None), {"Name": "cars"}, id="update with an empty body"),
        pytest.param(("PATCH", "/ledgers/cars", "", {}), {"Name": "cars"}, id="update of nothing"),
        pytest.param(("GET", "/ledgers", "max_results=100", None), {"MaxResults": 100}, id="highest number"),
        pytest.param(("GET", "/ledgers", "next_token=abcd%3D%3D", None), {"NextToken": "abcd=="}, id="encoded token"),
        pytest.param(("GET", "/ledgers", "other=1&x", None), {}, id="unknown query names are ignored"),
    ],
)
def test_what_the_model_allows_is_accepted(request_parts, expected):
    method, path, query, document = request_parts
    body = b"" if document is None else encode_json(document)
    assert expected == parse_call(method, path, query, body).parameters


@pytest.mark.parametrize(
    ("number", "milliseconds"),
    [
        ("1568764800", 1_568_764_800_000),
        ("1568839243.951", 1_568_839_243_951),
        ("1.568764800E9", 1_568_764_800_000),
        ("1568839243.9514", 1_568_839_243_951),
        ("0", 0),
        ("-1.5", -1_500),
        ("253402300799.999", 253_402_300_799_999),
    ],
)
def test_any_json_number_is_a_timestamp(number, milliseconds):
    body = encode_json({**EXPORT, "ExclusiveEndTime": 0}).replace(
        b'"ExclusiveEndTime":0', f'"ExclusiveEndTime":{number}'.encode()
    )
    call = parse_call("POST", "/ledgers/cars/journal-s3-exports", "", body)
    assert milliseconds == call.parameters["ExclusiveEndTime"]


EXECUTE = {"TransactionId": TRANSACTION_ID, "Statement": "SELECT 1"}


def _execute(**changes):
    return {"SessionToken": "abcd", "ExecuteStatement": {**EXECUTE, **changes}}


SESSION = [
    pytest.param({}, "Exactly one command must be given, but the request has 0", id="no command"),
    pytest.param(
        {"SessionToken": "abcd"}, "Exactly one command must be given, but the request has 0", id="token alone"
    ),
    pytest.param(
        {"SessionToken": "abcd", "StartSession": {"LedgerName": "x"}, "StartTransaction": {}},
        "Exactly one command must be given, but the request has 2",
        id="two commands",
    ),
    pytest.param({"StartTransaction": {}}, "The parameter SessionToken is required", id="no token"),
    pytest.param({"SessionToken": None, "EndSession": {}}, "The parameter SessionToken is required", id="null token"),
    *(
        pytest.param(
            {"SessionToken": token, "AbortTransaction": {}}, "The parameter SessionToken is not valid", id=name
        )
        for name, token in {
            "token with a blank": "a b!",
            "short token": "abc",
            "token of 1025 characters": "a" * 1025,
            "token with a newline": "abcd\n",
            "number as token": 5,
        }.items()
    ),
    pytest.param(
        {"StartSession": {"LedgerName": "bad--name"}},
        f"The parameter LedgerName is not valid: 'bad--name' does not match {NAME_PATTERN}",
        id="ledger name",
    ),
    pytest.param({"StartSession": {}}, "The parameter LedgerName is required", id="no ledger name"),
    pytest.param(
        {"StartSession": "cars"},
        "The parameter StartSession is not valid: it must be an object, but is a string",
        id="text",
    ),
    pytest.param(
        {"SessionToken": "abcd", "StartTransaction": []},
        "The parameter StartTransaction is not valid: it must be an object, but is a list",
        id="list for a command",
    ),
    pytest.param(
        _execute(TransactionId="short"),
        "The parameter TransactionId is not valid: it has 5 characters; the minimum is 22",
        id="short transaction id",
    ),
    pytest.param(
        _execute(TransactionId="!" * 22),
        f"The parameter TransactionId is not valid: '{'!' * 22}' does not match {ID_PATTERN}",
        id="odd transaction id",
    ),
    pytest.param(
        _execute(Statement=""),
        "The parameter Statement is not valid: it has 0 characters; the minimum is 1",
        id="no text",
    ),
    pytest.param(
        _execute(Statement="x" * 100_001),
        "The statement has 100001 characters, more than the maximum of 100000",
        id="statement of 100001 characters",
    ),
    pytest.param(
        _execute(Statement="\ud800"),
        "The parameter Statement is not valid: it holds half of a surrogate pair, which is no Unicode text",
        id="half a surrogate pair",
    ),
    pytest.param(_execute(Statement=None), "The parameter Statement is required", id="null statement"),
    pytest.param(
        _execute(Parameters={}),
        "The parameter Parameters is not valid: it must be a list, but is an object",
        id="parameters",
    ),
    pytest.param(
        _execute(Parameters=[{"IonBinary": "4AEA6iEB"}, {}]),
        "Parameter 2 is not a valid Ion value: neither IonBinary nor IonText is given",
        id="empty value holder",
    ),
    pytest.param(
        _execute(Parameters=[{"IonBinary": "4AEA6iEB", "IonText": "1"}]),
        "Parameter 1 is not a valid Ion value: both IonBinary and IonText are given",
        id="value holder with both",
    ),
    pytest.param(_execute(Parameters=[None]), "The parameter Parameters.1 is required", id="null for a value holder"),
    pytest.param(
        _execute(Parameters=[{"IonBinary": ""}]),
        "The parameter Parameters.1.IonBinary is not valid: it has 0 bytes; the minimum is 1",
        id="empty Ion binary",
    ),
    *(
        pytest.param(
            _execute(Parameters=[{"IonBinary": text}]),
            "The parameter Parameters.1.IonBinary is not valid: it must be base64",
            id=name,
        )
        for name, text in {
            "no padding": "4AEA6iE",
            "a newline in base64": "4AEA\n6iEB",
            "URL-safe base64": "4AEA6i_-",
            "base64 that is not ASCII": "4AEAé",
        }.items()
    ),
    pytest.param(
        _execute(Parameters=[{"IonBinary": "AAAA" * 43_691}]),
        "The parameter Parameters.1.IonBinary is not valid: it has 131073 bytes; the maximum is 131072",
        id="one byte too many",
    ),
    pytest.param(
        _execute(Parameters=[{"IonText": ""}]),
        "The parameter Parameters.1.IonText is not valid: it has 0 characters; the minimum is 1",
        id="empty Ion text",
    ),
    pytest.param(
        {"SessionToken": "abcd", "FetchPage": {"TransactionId": TRANSACTION_ID, "NextPageToken": "?"}},
        "The parameter NextPageToken is not valid",
        id="page token",
    ),
    pytest.param(
        {"SessionToken": "abcd", "FetchPage": {"TransactionId": TRANSACTION_ID}},
        "The parameter NextPageToken is required",
        id="no page token",
    ),
    pytest.param(
        {"SessionToken": "abcd", "CommitTransaction": {"TransactionId": TRANSACTION_ID}},
        "The parameter CommitDigest is required",
        id="no digest",
    ),
]


@pytest.mark.parametrize(("document", "message"), SESSION)
def test_the_session_refuses_what_the_model_forbids(document, message):
    with pytest.raises(QldbError) as raised:
        read_send_command(document, Limits())
    assert ("BadRequestException", message, {}) == refusal(raised.value)


def test_ion_text_is_a_legal_parameter():
    command = read_send_command(_execute(Parameters=[{"IonText": '{a:"é"}'}]), Limits())
    assert command.members["Parameters"] == [{"IonText": '{a:"é"}'}]


def test_a_token_given_with_start_session_is_ignored():
    command = read_send_command({"SessionToken": "?", "StartSession": {"LedgerName": "cars"}}, Limits())
    assert command == ("StartSession", None, {"LedgerName": "cars"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b"", "is not valid JSON", id="empty"),
        pytest.param(b"{", "is not valid JSON", id="cut off"),
        pytest.param(b"{}x", "is not valid JSON", id="more after the end"),
        pytest.param(b"{'a':1}", "is not valid JSON", id="single quotes"),
        pytest.param(b'{"a":NaN}', "NaN is not JSON", id="NaN"),
        pytest.param(b'{"a":-Infinity}', "-Infinity is not JSON", id="infinity"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", "is not valid JSON", id="a number of 5000 digits"),
        pytest.param(b"\xff", "is not UTF-8", id="not UTF-8"),
        pytest.param(b"\xef\xbb\xbf{}", "is not valid JSON", id="byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), "is not UTF-8", id="UTF-16"),
        pytest.param(b"[]", "is not a JSON object", id="list"),
        pytest.param(b"null", "is not a JSON object", id="null"),
        pytest.param(b'"a"', "is not a JSON object", id="string"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(b'{"a":' * 100_000, "nested too deeply", id="deep objects"),
    ],
)
def test_a_body_that_is_not_a_json_object_is_a_serialization_error(body, reason):
    with pytest.raises(QldbError) as raised:
        parse_json_object(body)
    assert raised.value.shape == "SerializationException"
    assert reason in raised.value.message
