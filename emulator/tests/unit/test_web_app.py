"""The application as a WSGI callable: which requests reach the engine, and what every answer looks like."""

from __future__ import annotations

import io
import logging
import re

import pytest
from helpers.wire_support import AUTHORIZATION, SESSION_HEADERS, TRANSACTION_ID, FakeEmulator, ask, environ_of

from qldb_emulator import __version__, errors
from qldb_emulator.limits import Limits
from qldb_emulator.web.app import create_app
from qldb_emulator.wire.model import load_service
from qldb_emulator.wire.serialize import encode_json

START = b'{"SessionToken":"abcd","StartTransaction":{}}'
LIMIT = 1000


@pytest.fixture
def emulator():
    fake = FakeEmulator(Limits(request_bytes=LIMIT))
    fake.answers["StartTransaction"] = {"TransactionId": TRANSACTION_ID}
    return fake


@pytest.fixture
def app(emulator):
    return create_app(emulator)


def _send(app, body, **headers):
    return ask(app, environ_of("POST", "/", headers={**SESSION_HEADERS, **headers}, body=body))


def test_a_session_command_reaches_the_engine_with_its_context(app, emulator):
    reply = _send(app, START, Authorization=AUTHORIZATION)
    [(command, members, context)] = emulator.received
    assert (command, members, emulator.tokens) == ("StartTransaction", {}, ["abcd"])
    assert (context.region, context.access_key) == ("eu-west-1", "AKIDEXAMPLE")
    assert reply.headers["x-amzn-requestid"] == context.request_id
    assert (reply.status, reply.headers["content-type"]) == (200, "application/x-amz-json-1.0")
    assert reply.json["StartTransaction"]["TransactionId"] == TRANSACTION_ID
    assert reply.json["StartTransaction"]["TimingInformation"]["ProcessingTimeMilliseconds"] >= 1


def test_a_control_plane_operation_reaches_the_engine_with_its_context(app, emulator):
    emulator.answers["DescribeLedger"] = {"Name": "cars"}
    reply = ask(app, environ_of("GET", "/ledgers/cars", headers={"Authorization": AUTHORIZATION}))
    [(operation, parameters, context)] = emulator.received
    assert (operation, parameters) == ("DescribeLedger", {"Name": "cars"})
    assert ("eu-west-1", "AKIDEXAMPLE", reply.headers["x-amzn-requestid"]) == (
        context.region,
        context.access_key,
        context.request_id,
    )
    assert (reply.status, reply.headers["content-type"], reply.json) == (200, "application/json", {"Name": "cars"})


def test_an_unsigned_request_is_for_the_default_region(app, emulator):
    _send(app, START)
    ask(app, environ_of("GET", "/ledgers"))
    assert [(request[2].region, request[2].access_key) for request in emulator.received] == [("us-east-1", None)] * 2


def test_session_requests_go_round_flask(app, monkeypatch):
    monkeypatch.setattr(type(app), "request_context", lambda *_: pytest.fail("Flask was asked"))
    assert _send(app, START).status == 200


MINIMAL = {
    "CreateLedger": ("POST", "/ledgers", {"Name": "cars", "PermissionsMode": "STANDARD"}),
    "UpdateLedgerPermissionsMode": ("PATCH", "/ledgers/cars/permissions-mode", {"PermissionsMode": "STANDARD"}),
    "GetBlock": ("POST", "/ledgers/cars/block", {"BlockAddress": {"IonText": "{}"}}),
    "TagResource": ("POST", "/tags/arn:aws:qldb:us-east-1:1:ledger%2Fcars", {"Tags": {}}),
}


@pytest.mark.parametrize("operation", sorted(MINIMAL))
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-amz-json-1.1", None])
def test_the_content_type_of_a_request_does_not_matter(app, emulator, operation, content_type):
    emulator.answers["GetBlock"] = {"Block": {"IonText": "{}"}}
    method, path, document = MINIMAL[operation]
    headers = {} if content_type is None else {"Content-Type": content_type}
    reply = ask(app, environ_of(method, path, headers=headers, body=encode_json(document)))
    assert (200, operation) == (reply.status, emulator.received[0][0])


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        pytest.param("GET", "/nothing", {}, id="unknown path"),
        pytest.param("GET", "/ledgers/a/b/c", {}, id="unknown path below ledgers"),
        pytest.param("HEAD", "/ledgers", {}, id="HEAD"),
        pytest.param("OPTIONS", "/ledgers", {}, id="OPTIONS"),
        pytest.param("PUT", "/ledgers", {}, id="PUT"),
        pytest.param("PROPFIND", "/ledgers", {}, id="an unknown method"),
        pytest.param("POST", "/", {}, id="no target"),
        pytest.param("POST", "/", {"X-Amz-Target": "QLDBSession.Other"}, id="another target"),
        pytest.param("POST", "/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}, id="another service"),
        pytest.param("GET", "/", SESSION_HEADERS, id="SendCommand by GET"),
        pytest.param("POST", "/ledgers", SESSION_HEADERS, id="SendCommand elsewhere"),
        pytest.param("GET", "//ledgers//", {}, id="double slashes are not tidied"),
        pytest.param("GET", "/ledgers%0A", {}, id="newline in the path"),
        pytest.param("GET", "/%ff%fe", {}, id="path that is not UTF-8"),
    ],
)
def test_anything_else_is_an_unknown_operation(app, emulator, method, path, headers):
    reply = ask(app, environ_of(method, path, headers=headers))
    if (method, path) == ("GET", "/"):
        assert reply.status == 200  # the product page answers whatever the headers are
        return
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (404, "UnknownOperationException")
    assert (b"" if method == "HEAD" else "UnknownOperationException") == (reply.body and reply.json["__type"])
    assert emulator.received == []


def test_the_root_says_what_answers_here(app):
    reply = ask(app, environ_of("GET", "/"))
    assert {"name": "qldb-emulator", "version": __version__} == reply.json


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"a":NaN}'])
def test_malformed_json_is_a_serialization_error_in_both_apis(app, emulator, body):
    session = _send(app, body)
    assert (session.status, session.headers["x-amzn-errortype"]) == (400, "SerializationException")
    assert session.json["__type"] == "com.amazon.coral.service#SerializationException"
    if body:
        control = ask(app, environ_of("POST", "/ledgers", body=body))
        assert (control.status, control.headers["x-amzn-errortype"]) == (400, "SerializationException")
    assert emulator.received == []


class _Untouchable(io.RawIOBase):
    def read(self, size=-1):
        raise AssertionError("the body was read")


@pytest.mark.parametrize("path", ["/", "/ledgers"])
@pytest.mark.parametrize("length", [str(LIMIT + 1), "9" * 30])
def test_a_body_that_is_announced_too_long_is_refused_before_it_is_read(app, path, length):
    headers = {**(SESSION_HEADERS if path == "/" else {}), "Content-Length": length}
    reply = ask(app, environ_of("POST", path, headers=headers, body=_Untouchable()))
    assert (reply.status, reply.headers["x-amzn-errortype"]) == (413, "RequestEntityTooLargeException")
    assert f"The request body is larger than {LIMIT} bytes" == reply.json["Message"]


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 400), (LIMIT + 1, 413), (10 * LIMIT, 413)])
def test_of_a_body_without_a_length_no_more_is_read_than_is_allowed(app, size, status):
    stream = io.BytesIO(b" " * size)
    environ = {**environ_of("POST", "/", headers=SESSION_HEADERS, body=stream), "wsgi.input_terminated": True}
    assert status == ask(app, environ).status
    assert stream.tell() <= LIMIT + 1


def test_a_body_as_long_as_is_allowed_is_taken(app):
    assert _send(app, START.ljust(LIMIT)).status == 200


def test_without_length_or_end_there_is_no_body(app):
    environ = environ_of("POST", "/ledgers/cars/digest", body=_Untouchable())
    assert ask(app, environ).status == 500  # GetDigest came through; the fake has no digest to give


@pytest.mark.parametrize("length", ["-1", "x", "1.5", "٣"])
def test_a_length_that_is_not_a_number_is_refused(app, length):
    environ = environ_of("POST", "/", headers={**SESSION_HEADERS, "Content-Length": length}, body=_Untouchable())
    assert ((reply := ask(app, environ)).status, reply.headers["x-amzn-errortype"]) == (400, "SerializationException")


def test_errors_of_the_engine_keep_their_shape_text_and_members(app, emulator):
    emulator.answers["StartTransaction"] = errors.TABLE_EXISTS(name="T")
    emulator.answers["DeleteLedger"] = errors.LEDGER_PROTECTED(name="cars")
    session = _send(app, START)
    control = ask(app, environ_of("DELETE", "/ledgers/cars"))
    assert (session.status, session.headers["x-amzn-errortype"]) == (400, "BadRequestException")
    assert session.json == {
        "__type": "com.amazonaws.qldbsession#BadRequestException",
        "Message": "Table with name: USER.T already exists",
        "Code": "412",
    }
    assert (control.status, control.headers["x-amzn-errortype"]) == (412, "ResourcePreconditionNotMetException")
    assert (control.json["ResourceType"], control.json["ResourceName"]) == ("Ledger", "cars")


@pytest.mark.parametrize(
    "bug",
    [
        pytest.param(ZeroDivisionError("secret"), id="an exception"),
        pytest.param(RecursionError("secret"), id="too deep"),
        pytest.param(AssertionError("secret"), id="an assertion"),
        pytest.param(errors.QldbError("NoSuchException", "secret"), id="an error without a status"),
        pytest.param({"Nonsense": "secret"}, id="a result that does not fit"),
    ],
)
def test_our_own_bugs_are_internal_failures_that_tell_the_log_and_not_the_client(app, emulator, bug, caplog):
    emulator.answers = {"StartTransaction": bug, "ListLedgers": bug}
    for reply in (_send(app, START), ask(app, environ_of("GET", "/ledgers"))):
        assert (reply.status, reply.headers["x-amzn-errortype"]) == (500, "InternalFailure")
        assert reply.body == b'{"__type":"InternalFailure"}'
        assert reply.headers["x-amzn-requestid"] in caplog.text
    assert caplog.text.count("failed\nTraceback") == 2


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        pytest.param(logging.DEBUG, ["StartTransaction", "StartTransaction", "ListLedgers"], id="debug: every request"),
        pytest.param(logging.INFO, ["StartTransaction", "ListLedgers"], id="info: what fails, and the control plane"),
    ],
)
def test_requests_have_a_line_in_the_log_without_their_contents(app, emulator, caplog, level, logged):
    caplog.set_level(level, "qldb_emulator")
    _send(app, START)
    emulator.answers["StartTransaction"] = errors.NO_SUCH_SESSION()
    _send(app, START)
    emulator.answers["ListLedgers"] = errors.NOT_SUPPORTED(what="this")
    ask(app, environ_of("GET", "/ledgers", query="next_token=secret12"))
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in lines] == logged
    outcomes = [line.split()[-1] for line in lines][-2:]
    assert outcomes == ["outcome=InvalidSessionException", "outcome=NotSupportedByEmulatorException"]
    assert "secret" not in caplog.text


def test_two_applications_share_nothing():
    first, second = FakeEmulator(), FakeEmulator()
    apps = create_app(first), create_app(second)
    ask(apps[0], environ_of("GET", "/ledgers"))
    assert (len(first.received), len(second.received)) == (1, 0)


def test_all_21_operations_are_handled(emulator, app):
    """Every operation of both models gets through to the engine: the routes come from the models themselves."""
    arn = "arn:aws:qldb:us-east-1:123456789012:ledger%2Fcars"
    labels = {"{name}": "cars", "{resourceArn}": arn, "{streamId}": TRANSACTION_ID, "{exportId}": TRANSACTION_ID}
    export = {
        "InclusiveStartTime": 1,
        "ExclusiveEndTime": 2,
        "S3ExportConfiguration": {
            "Bucket": "bbb",
            "Prefix": "",
            "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
        },
        "KinesisConfiguration": {"StreamArn": "arn:aws:kinesis:us-east-1:1:stream/s"},
        "RoleArn": "arn:aws:iam::123456789012:role/r",
        "StreamName": "s",
        "Name": "cars",
        "PermissionsMode": "STANDARD",
        "BlockAddress": {"IonText": "{}"},
        "DocumentId": TRANSACTION_ID,
        "Tags": {},
    }
    for operation in load_service("qldb").operations.values():
        path = _uri(operation.route.pattern)
        for label, value in labels.items():
            path = path.replace(label, value)
        ask(app, environ_of(operation.method, path, "tagKeys=k", body=encode_json(export)))
    _send(app, START)
    assert [*load_service("qldb").operations, "StartTransaction"] == [request[0] for request in emulator.received]


def _uri(pattern):
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern).replace("\\", "")
