"""Credential scope, and requests whose body is not looked at."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from helpers.wire_support import AUTHORIZATION

from qldb_emulator.errors import QldbError
from qldb_emulator.wire.parse import credential_scope, parse_call

DEFAULT = ("us-east-1", None)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(AUTHORIZATION, ("eu-west-1", "AKIDEXAMPLE"), id="as boto3 and the Node.js SDK send it"),
        pytest.param(AUTHORIZATION.replace(", ", ","), ("eu-west-1", "AKIDEXAMPLE"), id="no blanks"),
        pytest.param(None, DEFAULT, id="absent"),
        pytest.param("", DEFAULT, id="empty"),
        pytest.param("Bearer abc", DEFAULT, id="another scheme"),
        pytest.param("Credential=AK/20261123/eu-west-1/qldb", DEFAULT, id="cut off"),
        pytest.param("Credential=AK/20261123/../qldb/aws4_request", DEFAULT, id="dots for a region"),
        pytest.param("Credential=AK/20261123/a/b/qldb/aws4_request", DEFAULT, id="slash in the region"),
        pytest.param("Credential=AK/20261123/EU-WEST-1/qldb/aws4_request", DEFAULT, id="capitals"),
        pytest.param(f"Credential=AK/20261123/{'a' * 33}/qldb/aws4_request", DEFAULT, id="too long a region"),
        pytest.param("Credential=AK/20261123//qldb/aws4_request", DEFAULT, id="empty region"),
        pytest.param("Credential=/20261123/eu-west-1/qldb/aws4_request", DEFAULT, id="empty key"),
    ],
)
def test_region_and_access_key_come_from_the_credential_scope(header, expected):
    assert expected == credential_scope(header, "us-east-1")


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b"\xff", b"[]"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/ledgers/cars/digest"), ("GET", "/ledgers/cars"), ("DELETE", "/ledgers/cars")],
)
def test_the_body_of_an_operation_that_has_none_is_not_looked_at(method, path, body):
    assert parse_call(method, path, "", body).parameters == {"Name": "cars"}


def test_a_slash_or_an_encoded_slash_in_a_tag_arn_are_the_same():
    arn = "arn:aws:qldb:us-east-1:123456789012:ledger/cars/table/I1pH6SCujBW0JYpPoLQT02"
    assert {"ResourceArn": arn} == parse_call("GET", f"/tags/{arn}", "", b"").parameters


def test_repeated_query_names_make_a_list_and_keep_their_order():
    arn = "arn:aws:qldb:us-east-1:123456789012:ledger/cars"
    call = parse_call("DELETE", f"/tags/{arn}", "tagKeys=k&tagKeys=k%202%2F%C3%A9", b"")
    assert call.parameters["TagKeys"] == ["k", "k 2/é"]


def test_of_a_repeated_scalar_the_last_counts():
    assert parse_call("GET", "/ledgers", "max_results=1&max_results=2", b"").parameters == {"MaxResults": 2}


def test_an_unknown_path_is_an_unknown_operation():
    with pytest.raises(QldbError) as raised:
        parse_call("GET", "/tables", "", b"")
    assert (
        raised.value.shape,
        raised.value.message,
    ) == ("UnknownOperationException", "There is no operation GET /tables")


ENCODED_SLASHES = [
    ("GET", "/ledgers/cars%2Fdigest", "Name"),
    ("GET", "/ledgers/cars%2Fjournal-kinesis-streams", "Name"),
    ("DELETE", "/ledgers/cars/journal-kinesis-streams/a%2fb", "StreamId"),
]


@pytest.mark.parametrize(("method", "raw", "parameter"), ENCODED_SLASHES, ids=[row[1] for row in ENCODED_SLASHES])
def test_an_encoded_slash_belongs_to_its_label_and_never_makes_another_path(method, raw, parameter):
    with pytest.raises(QldbError) as raised:
        parse_call(method, unquote(raw), "", b"", raw)
    assert (raised.value.shape, raised.value.members) == ("InvalidParameterException", {"ParameterName": parameter})


def test_the_arn_of_a_tag_operation_has_slashes_encoded_or_not():
    arn = "arn:aws:qldb:us-east-1:123456789012:ledger/cars"
    for raw in (f"/tags/{arn}", f"/tags/{quote(arn, safe='')}", f"/tags/{arn.replace('/', '%2F')}"):
        assert {"ResourceArn": arn} == parse_call("GET", f"/tags/{arn}", "", b"", raw).parameters
