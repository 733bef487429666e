"""Every operation, with everything wrong that its model can say: always a modelled 4xx, and nothing changes.

The wrong values come from the service model itself, member by member: what it demands is what is tried.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from helpers.control_support import Client
from helpers.local_driver import LocalSession
from helpers.wire_support import AUTHORIZATION, MODEL_FILES, ask, environ_of
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.clock import ManualClock
from qldb_emulator.context import RequestContext
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings
from qldb_emulator.wire.model import Operation, Shape, load_service

REGION = "eu-west-1"  # that of AUTHORIZATION
START_MS = 1_591_221_984_677
MODEL = load_service("qldb")
LEDGER_ARN = f"arn:aws:qldb:{REGION}:123456789012:ledger/cars"
UNKNOWN_ID = "I1pH6SCujBW0JYpPoLQT02"
MODELLED = {name for name, status in MODEL.error_statuses.items() if status is not None}
# The two that every AWS service has beside its model: not JSON at all, and no such path.
COMMON = {"SerializationException", "UnknownOperationException"}


_CONTEXT = RequestContext(REGION, None, "4SnOdtcgpur5MmhXFEV3iE")


class NoKinesis:
    """A data stream that takes everything."""

    def __call__(self, arn: str) -> NoKinesis:
        return self

    def check(self) -> None: ...

    def put(self, records: Any, is_aggregated: bool) -> None: ...


class World:
    """A ledger with a table, a running stream, tags; and a picture of everything that a request could change."""

    def __init__(self) -> None:
        clock = ManualClock(START_MS)
        self.emulator = Emulator(Settings(is_ephemeral=True), clock, RandomIds(clock, "fuzz"), NoKinesis())
        self.client = Client(self.emulator, REGION)
        self.client("CreateLedger", Name="cars", PermissionsMode="STANDARD", Tags={"a": "b"})
        LocalSession(self.emulator, "cars", _CONTEXT).run("CREATE TABLE Car")
        self.stream_id = self.client("StreamJournalToKinesis", **STREAM, LedgerName="cars")["StreamId"]
        self.address = {"IonText": self.client("GetDigest", Name="cars")["DigestTipAddress"]["IonText"]}
        self.bases = bases(self.address, self.stream_id)

    def picture(self) -> dict[Any, Any]:
        ledgers = self.emulator.ledgers
        return {
            (region, ledger.name): (_without_progress(ledger.file.all_meta()), ledger.tip())
            for region in self.emulator.directory.regions()
            for ledger in ledgers.in_region(region)
        }

    def send(self, request: Request) -> tuple[int, Any]:
        reply = ask(self.client.app, request.environ())
        return reply.status, reply.json if reply.body else None


def _without_progress(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts, but for how far a stream has come: that goes on by itself."""
    own = ("next_seq", "has_begun")
    return {
        key: {k: v for k, v in fact.items() if k not in own} if key.startswith("stream/") else fact
        for key, fact in facts.items()
    }


class Request(NamedTuple):
    """A request in its parts; labels are encoded when it is sent."""

    operation: Operation
    labels: dict[str, str]
    query: dict[str, Any]
    body: Any
    raw: bytes | None = None

    def environ(self) -> dict[str, Any]:
        uri = _URIS[self.operation.name]
        for name, value in self.labels.items():
            uri = uri.replace("{" + name + "}", quote(value, safe=""))
        body = self.raw if self.raw is not None else b"" if self.body is None else json.dumps(self.body).encode()
        query = urlencode(self.query, doseq=True)
        headers = {"Authorization": AUTHORIZATION, "Content-Type": "application/json"}
        return environ_of(self.operation.method, uri, query, headers, body)


KINESIS_ARN = f"arn:aws:kinesis:{REGION}:123456789012:stream/s"
STREAM: dict[str, Any] = {
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "InclusiveStartTime": 1_590_710_400,
    "KinesisConfiguration": {
        "StreamArn": f"arn:aws:kinesis:{REGION}:123456789012:stream/s",
        "AggregationEnabled": True,
    },
    "StreamName": "st",
}
CREATE = {"Name": "new", "PermissionsMode": "STANDARD", "Tags": {"a": "b"}, "KmsKey": "alias/k"}
EXPORT: dict[str, Any] = {
    "InclusiveStartTime": 1_590_710_400,
    "ExclusiveEndTime": 1_590_796_799,
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "OutputFormat": "JSON",
    "S3ExportConfiguration": {
        "Bucket": "bbb",
        "Prefix": "p/",
        "EncryptionConfiguration": {"ObjectEncryptionType": "SSE_S3"},
    },
}


def bases(address: dict[str, Any], stream_id: str) -> dict[str, tuple[dict[str, str], dict[str, Any], Any]]:
    """Labels, query and body of a request that nothing is wrong with, for each operation."""
    name, page = {"name": "cars"}, {"max_results": "1"}
    stream, tags = {**name, "streamId": stream_id}, {"resourceArn": LEDGER_ARN}
    return {
        "CreateLedger": (
            {},
            {},
            {"Name": "new", "PermissionsMode": "STANDARD", "Tags": {"a": "b"}, "KmsKey": "alias/k"},
        ),
        "DescribeLedger": (name, {}, None),
        "ListLedgers": ({}, page, None),
        "UpdateLedger": (name, {}, {"DeletionProtection": False, "KmsKey": "alias/k"}),
        "UpdateLedgerPermissionsMode": (name, {}, {"PermissionsMode": "ALLOW_ALL"}),
        "DeleteLedger": (name, {}, None),
        "GetDigest": (name, {}, None),
        "GetBlock": (name, {}, {"BlockAddress": address, "DigestTipAddress": address}),
        "GetRevision": (name, {}, {"BlockAddress": address, "DocumentId": UNKNOWN_ID, "DigestTipAddress": address}),
        "ExportJournalToS3": (name, {}, EXPORT),
        "DescribeJournalS3Export": ({**name, "exportId": UNKNOWN_ID}, {}, None),
        "ListJournalS3Exports": ({}, page, None),
        "ListJournalS3ExportsForLedger": (name, page, None),
        "StreamJournalToKinesis": (name, {}, {**STREAM, "Tags": {"a": "b"}}),
        "DescribeJournalKinesisStream": (stream, {}, None),
        "ListJournalKinesisStreamsForLedger": (name, page, None),
        "CancelJournalKinesisStream": (stream, {}, None),
        "TagResource": (tags, {}, {"Tags": {"c": "d"}}),
        "UntagResource": (tags, {"tagKeys": ["a"]}, None),
        "ListTagsForResource": (tags, {}, None),
    }


def _uris() -> dict[str, str]:
    raw = json.loads(MODEL_FILES["qldb"].read_text())
    return {name: operation["http"]["requestUri"] for name, operation in raw["operations"].items()}


_URIS = _uris()

# --- What can be wrong with a value -------------------------------------------------------------------------------

WRONG_TYPES: list[Any] = [True, 1, 1.5, "text of some length", [], [1], {}, {"a": 1}]
FITS = {
    "string": str,
    "blob": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "list": list,
    "map": dict,
    "structure": dict,
}


def wrong_values(shape: Shape) -> Iterator[tuple[str, Any]]:
    """Yield (what is wrong, a value) for each constraint of a shape, and for each of its parts."""
    for value in WRONG_TYPES:
        if shape.type == "timestamp":
            fits = isinstance(value, int | float) and not isinstance(value, bool)
        else:
            fits = type(value) is FITS[shape.type]
        if not fits:
            yield f"{type(value).__name__} {value!r}", value
    if shape.type == "string":
        yield from _wrong_strings(shape)
    elif shape.type == "timestamp":
        yield from [("before year 1", -1e12), ("after year 9999", 1e300)]
    elif shape.type == "structure":
        yield from _wrong_structures(shape)
    elif shape.type == "map":
        assert shape.maximum is not None
        yield "too many", {f"k{number}": "v" for number in range(shape.maximum + 1)}
        yield "more than 50", {f"k{number}": "v" for number in range(51)}
        yield "empty key", {"": "v"}
        yield "long key", {"k" * 129: "v"}
        yield "long value", {"k": "v" * 257}
        yield "number", {"k": 1}


def _wrong_strings(shape: Shape) -> Iterator[tuple[str, str]]:
    if shape.minimum:
        yield "empty", ""
    if shape.maximum is not None and shape.maximum < 100_000:
        yield "too long", "a" * (shape.maximum + 1)
    if shape.enum:
        yield from [("no choice", "NOPE"), ("lower case", shape.enum[0].lower())]
    if shape.pattern is not None:
        for text in ("bad--name", "-a", "a-", "123456", "white space", "é" * 22, "a\x00b", "a/b", "line\n"):
            if shape.pattern.fullmatch(text) is None:
                yield f"pattern {text!r}", text
    yield "half a surrogate pair", "\ud83d" * (shape.minimum or 1)


def _wrong_structures(shape: Shape) -> Iterator[tuple[str, Any]]:
    if any(member.required for member in shape.members.values()):
        yield "nothing in it", {}


def wrong_bodies(shape: Shape, body: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the body with one thing wrong, at any depth."""
    for member in shape.members.values():
        if member.location != "body":
            continue
        name = member.wire_name
        where = f"{path}{name}"
        if member.required:
            yield f"{where} missing", {key: value for key, value in body.items() if key != name}
            yield f"{where} null", {**body, name: None}
        for label, value in wrong_values(member.shape):
            yield f"{where} {label}", {**body, name: value}
        if member.shape.type == "structure" and isinstance(body.get(name), dict):
            for label, part in wrong_bodies(member.shape, body[name], f"{where}."):
                yield label, {**body, name: part}


FOREIGN_TOKENS = [
    base64.b64encode(text).decode()
    for text in (b"[]xx", b"123", b'["ListLedgers/x","a"]', b"\x00" * 9 + b"[1]", b"\x00" * 9 + b"[" * 700, b"nonsense")
]
WRONG_QUERIES: dict[str, list[Any]] = {
    "max_results": ["0", "-1", "101", "1000000000000000000000", "ten", "1.5", "", "1 ", "٣"],
    "next_token": ["abc", "!!!!", "a" * 1025, "====", "AAAA", *FOREIGN_TOKENS],
    "tagKeys": [[], [""], ["k" * 129], [f"k{number}" for number in range(201)]],
}
WRONG_LABELS = ["", "bad--name", "123456", "-", "a" * 41, "a b", "a/b", "../..", "é", "a\x00b", "%2F", "a?b#c", ";"]
WRONG_ARNS = [
    "",
    "x" * 1601,
    "not an arn, but long enough",
    "arn:aws:qldb",
    LEDGER_ARN.replace("ledger/", "ledger:"),
    f"{LEDGER_ARN}/table/",
    f"{LEDGER_ARN}/table/{UNKNOWN_ID}",
    f"{LEDGER_ARN}/../cars",
    f"{LEDGER_ARN}%2Ftable",
    f"{LEDGER_ARN}\n",
    LEDGER_ARN.replace("cars", "bikes"),
    LEDGER_ARN.replace(REGION, "us-east-1"),
    LEDGER_ARN.replace("123456789012", "999999999999"),
    LEDGER_ARN.replace("qldb", "s3"),
]
WRONG_ADDRESSES = [
    "{}",
    "{strandId:1,sequenceNo:2}",
    '{strandId:"x",sequenceNo:0}',
    '{strandId:"x",sequenceNo:-1}',
    "{strandId:",
    "nan",
    "[" * 5000,
    '{strandId:"x",sequenceNo:1' + "0" * 500 + "}",
    "null",
    '{strandId:"x",sequenceNo:0}{strandId:"x",sequenceNo:0}',
    "",
    "{strandId:$99,sequenceNo:0}",
]
WRONG_BYTES = [b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{" * 100_000, b'{"Name":NaN}', b"[" * 200_000, b"{}x"]


def wrong_requests(world: World) -> Iterator[tuple[str, Request]]:
    """Yield everything above, for every operation."""
    for name, (labels, query, body) in world.bases.items():
        operation = MODEL.operations[name]
        request = Request(operation, labels, query, body)
        if body is not None:
            for label, wrong in wrong_bodies(operation.input, body):
                yield f"{name}: {label}", request._replace(body=wrong)
            for data in WRONG_BYTES:
                yield f"{name}: body {data[:12]!r}", request._replace(raw=data)
        for label in labels:
            for value in WRONG_ARNS if label == "resourceArn" else [*WRONG_LABELS, "unknown"]:
                yield f"{name}: {label} {value[:40]!r}", request._replace(labels={**labels, label: value})
        for member in operation.input.members.values():
            if member.location == "querystring":
                for value in WRONG_QUERIES[member.wire_name]:
                    yield (
                        f"{name}: {member.wire_name} {str(value)[:40]!r}",
                        request._replace(query={**query, member.wire_name: value}),
                    )
        for member_name in ("BlockAddress", "DigestTipAddress"):
            if member_name in operation.input.members:
                assert isinstance(body, dict)
                for text in WRONG_ADDRESSES:
                    wrong = {**body, member_name: {"IonText": text}}
                    yield f"{name}: {member_name} {text[:40]!r}", request._replace(body=wrong)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.emulator.close()


def _check(world: World, label: str, request: Request, before: dict[Any, Any]) -> None:
    status, answer = world.send(request)
    assert 400 <= status < 500, f"{label}: {status} {answer}"
    name = answer["__type"]
    assert name in MODELLED | COMMON, f"{label}: {answer}"
    if request.raw is None and "/" in "".join(request.labels.values()):
        assert name in MODELLED, f"{label}: a slash in a label is a wrong label"
    assert status == MODEL.error_statuses.get(name, status), label
    assert answer["Message"], label
    assert before == world.picture(), label


@pytest.mark.parametrize("name", sorted(MODEL.operations))
def test_whatever_is_wrong_is_a_modelled_4xx_and_changes_nothing(world, name):
    before = world.picture()
    tried = 0
    for label, request in wrong_requests(world):
        if request.operation.name == name:
            _check(world, label, request, before)
            tried += 1
    assert tried >= 14


def test_every_operation_has_a_base_that_is_not_refused_for_its_form(world):
    assert sorted(MODEL.operations) == sorted(world.bases)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=12), parts, max_size=4),
    max_leaves=8,
)
BODIED = sorted(name for name, operation in MODEL.operations.items() if operation.takes_body())


@given(st.sampled_from(BODIED), st.data())
@settings(max_examples=250, deadline=None)
def test_any_json_in_any_member_is_answered_and_never_with_5xx(world, name, data):
    labels, query, body = world.bases[name]
    member = data.draw(st.sampled_from(sorted(body)))
    value = data.draw(JSON)
    status, answer = world.send(
        Request(MODEL.operations[name], {**labels, "name": "stranger"}, query, {**body, member: value})
    )
    if name not in ("CreateLedger", "TagResource"):
        assert 400 <= status < 500, answer
    assert status < 500, answer
    if status < 300:
        _undo(world)


def _undo(world: World) -> None:
    """What a lucky draw did: a ledger made, or a tag set."""
    for ledger in world.client("ListLedgers")["Ledgers"]:
        if ledger["Name"] != "cars":
            world.client("UpdateLedger", Name=ledger["Name"], DeletionProtection=False)
            world.client("DeleteLedger", Name=ledger["Name"])


# Half a surrogate pair cannot travel in a path, and the names of what is there are not wrong.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).filter(lambda text: text != "cars")


@given(st.sampled_from(sorted(MODEL.operations)), TEXTS, st.data())
@settings(max_examples=250, deadline=None)
def test_any_text_in_any_label_or_query_is_answered_and_never_with_5xx(world, name, text, data):
    labels, query, body = world.bases[name]
    before = world.picture()
    place = data.draw(st.sampled_from(sorted(labels) or ["next_token"]))
    changed = ({**labels, place: text}, query) if place in labels else (labels, {**query, place: text})
    status, answer = world.send(Request(MODEL.operations[name], *changed, body))
    if name != "CreateLedger":  # it has neither, so nothing is wrong
        assert 400 <= status < 500, answer
        assert before == world.picture()
    assert status < 500, answer
    _undo(world)
