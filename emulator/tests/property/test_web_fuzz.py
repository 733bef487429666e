"""No request of a client leads to a 5xx or a traceback: every answer is an error in the form of the API."""

from __future__ import annotations

import json
import logging
from urllib.parse import unquote

import pytest
from helpers.wire_support import SESSION_HEADERS, FakeEmulator, ask, environ_of
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.errors import BAD_REQUEST
from qldb_emulator.web.app import create_app
from qldb_emulator.wire.model import load_service

# Refuses all that gets through to it: what matters here happens before.
EMULATOR = FakeEmulator()
APP = create_app(EMULATOR)
REFUSAL = BAD_REQUEST(text="reached the engine")
CONTROL_REFUSAL = type(REFUSAL)("InvalidParameterException", "reached the engine")
EMULATOR.send_command = lambda *_: (_ for _ in ()).throw(REFUSAL)
EMULATOR.call = lambda *_: (_ for _ in ()).throw(CONTROL_REFUSAL)

SHAPES = [shape for api in ("qldb", "qldb-session") for shape in load_service(api).shapes.values()]
names = st.sampled_from(sorted({name for shape in SHAPES for name in shape.members}))
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(["abcd", "I1pH6SCujBW0JYpPoLQT02", "4AEA6iEB", "\ud800", "STANDARD", 10**400, -(10**30)]),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(names, st.text()), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = st.one_of(st.binary(max_size=200), documents.map(lambda document: json.dumps(document).encode()))
segments = st.one_of(
    st.sampled_from(
        ["ledgers", "tags", "digest", "block", "revision", "journal-s3-exports", "journal-kinesis-streams"]
    ),
    st.sampled_from(
        ["permissions-mode", "cars", "", "..", "%2F", "%00", "%ff", "%0A", "arn%3Aaws%3Aqldb%3Ax%3A1%3Aledger"]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#/%"), max_size=8),
)
paths = st.lists(segments, max_size=5).map(lambda parts: "/" + "/".join(parts))
methods = st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE", "x"])
queries = st.one_of(
    st.just(""),
    st.text(st.characters(max_codepoint=255), max_size=20),
    st.sampled_from(["max_results=5", "max_results=%ff", "next_token=" + "A" * 2000, "tagKeys=a&tagKeys", "%", "&&=="]),
)
headers = st.dictionaries(
    st.sampled_from(["X-Amz-Target", "Authorization", "Content-Type", "Host", "Cookie", "Range", "If-Match", "Expect"]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
    max_size=3,
)


@pytest.fixture(autouse=True)
def _no_errors_in_the_log(caplog):
    yield
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def _is_a_named_refusal(reply):
    assert 400 <= reply.status < 500, reply
    assert reply.headers["x-amzn-errortype"]
    if reply.body:
        assert reply.json["__type"].endswith(reply.headers["x-amzn-errortype"])
        assert isinstance(reply.json["Message"], str)


@given(bodies)
@settings(max_examples=400, deadline=None)
def test_any_body_to_the_session_api_is_refused_by_name_or_reaches_the_engine(body):
    _is_a_named_refusal(ask(APP, environ_of("POST", "/", headers=SESSION_HEADERS, body=body)))


@given(methods, paths, queries, headers, bodies)
@settings(max_examples=400, deadline=None)
def test_any_request_elsewhere_is_refused_by_name_or_reaches_the_engine(method, path, query, sent, body):
    reply = ask(APP, environ_of(method, path, query, sent, body))
    if method in ("GET", "HEAD") and not unquote(path).strip("/"):
        is_refused = (reply.status == 403 and "Host" in sent) or (reply.status == 400 and not query.isascii())
        assert reply.status == 200 or is_refused
    else:
        _is_a_named_refusal(reply)


TARGETS = [
    ("POST", "/ledgers"),
    ("PATCH", "/ledgers/cars"),
    ("PATCH", "/ledgers/cars/permissions-mode"),
    ("POST", "/ledgers/cars/block"),
    ("POST", "/ledgers/cars/revision"),
    ("POST", "/ledgers/cars/journal-s3-exports"),
    ("POST", "/ledgers/cars/journal-kinesis-streams"),
    ("POST", "/tags/arn:aws:qldb:us-east-1:123456789012:ledger%2Fcars"),
]


@given(st.sampled_from(TARGETS), bodies)
@settings(max_examples=400, deadline=None)
def test_any_body_to_a_real_operation_is_refused_by_name_or_reaches_the_engine(target, body):
    _is_a_named_refusal(ask(APP, environ_of(*target, body=body)))
