"""Journal streams: the four operations, delivery, restart, and Kinesis failing and recovering."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from helpers.control_support import Client, Outcome, close_emulators  # noqa: F401
from helpers.local_driver import LocalSession

from qldb_emulator.aws.clients import AwsError, AwsMissingError
from qldb_emulator.aws.kinesis import TOO_LARGE
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger import following
from qldb_emulator.engine.outgoing import delivery
from qldb_emulator.engine.workbench.snapshots import fork_ledger, restore_snapshot, take_snapshot
from qldb_emulator.extras import install_command
from qldb_emulator.ids import RandomIds
from qldb_emulator.ion.codec import loads
from qldb_emulator.settings import Settings
from qldb_emulator.storage.errors import StorageError

REGION = "us-east-1"
START_MS = 1_591_221_984_677
KINESIS = "arn:aws:kinesis:us-east-1:123456789012:stream/stream-for-qldb"
ROLE = "arn:aws:iam::123456789012:role/r"
REQUEST: dict[str, Any] = {
    "LedgerName": "cars",
    "StreamName": "st",
    "RoleArn": ROLE,
    "InclusiveStartTime": 1_590_710_400,
    "KinesisConfiguration": {"StreamArn": KINESIS},
}
SECONDS = 30


class FakeKinesis:
    """A data stream in memory that can be told to fail."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.keys: list[str] = []
        self.error: AwsError | None = None
        self.error_once: AwsError | None = None
        self.is_aggregated: bool | None = None
        self.failures = 0

    def __call__(self, arn: str) -> FakeKinesis:
        return self

    def check(self) -> None:
        if self.error is not None:
            raise self.error

    def put(self, records: Sequence[tuple[str, bytes]], is_aggregated: bool) -> None:
        once, self.error_once = self.error_once, None
        if once is not None or self.error is not None:
            self.failures += 1
            raise once or self.error
        self.is_aggregated = is_aggregated
        self.keys += [key for key, _ in records]
        self.records += [loads(data) for _, data in records]

    def types(self) -> list[str]:
        """Record types in order; control records by their kind, summaries with their block's number."""
        return [_name(record) for record in self.records]


def _name(record: Any) -> str:
    payload = record["payload"]
    if record["recordType"] == "CONTROL":
        return payload["controlRecordType"]
    if record["recordType"] == "BLOCK_SUMMARY":
        return f"BLOCK {payload['blockAddress']['sequenceNo']}"
    return f"REVISION {payload['revision']['data']['n']}"


def eventually(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


class World:
    """An emulator with a ledger, its clock, and the Kinesis it streams to."""

    def __init__(self, data_dir: Any = None) -> None:
        self.clock = ManualClock(START_MS)
        self.kinesis = FakeKinesis()
        self.data_dir = data_dir
        self.open()
        self.client.new_ledger("cars")
        self.session = LocalSession(self.emulator, "cars")

    def open(self) -> None:
        settings = Settings(data_dir=self.data_dir, is_ephemeral=self.data_dir is None)
        self.emulator = Emulator(settings, self.clock, RandomIds(self.clock), self.kinesis)
        self.client = Client(self.emulator, REGION)

    def reopen(self) -> None:
        self.open()
        self.session = LocalSession(self.emulator, "cars")

    def stream(self, **members: Any) -> str:
        return self.client("StreamJournalToKinesis", **{**REQUEST, **members})["StreamId"]

    def describe(self, stream_id: str) -> dict[str, Any]:
        return self.client("DescribeJournalKinesisStream", LedgerName="cars", StreamId=stream_id)["Stream"]

    def reaches(self, stream_id: str, status: str) -> None:
        eventually(lambda: self.describe(stream_id)["Status"] == status)

    def insert(self, number: int) -> None:
        self.session.run("INSERT INTO Car ?", {"n": number})

    def has(self, *types: str) -> None:
        eventually(lambda: len(self.kinesis.records) >= len(types))
        assert list(types) == self.kinesis.types()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE_SECONDS", 0.002)
    monkeypatch.setattr(following, "LINGER_SECONDS", 0.002)
    monkeypatch.setattr(delivery, "LOOK_SECONDS", 0.01)


@pytest.fixture
def world() -> World:
    return World()


# --- Operations ---------------------------------------------------------------------------------------------------


def test_describe_answers_as_recorded(world):
    stream_id = world.stream(StreamName="cars-stream", ExclusiveEndTime=1_690_796_799)
    described = world.describe(stream_id)
    times = {
        name: described.pop(name).timestamp() for name in ("CreationTime", "InclusiveStartTime", "ExclusiveEndTime")
    }
    assert times == {"CreationTime": 1591221984.677, "InclusiveStartTime": 1590710400, "ExclusiveEndTime": 1690796799}
    assert described == {
        "LedgerName": "cars",
        "RoleArn": ROLE,
        "StreamId": stream_id,
        "Arn": f"arn:aws:qldb:us-east-1:123456789012:stream/cars/{stream_id}",
        "Status": "ACTIVE",
        "KinesisConfiguration": {"StreamArn": KINESIS, "AggregationEnabled": True},
        "StreamName": "cars-stream",
    }


def test_streams_are_listed_in_the_order_of_their_creation_page_by_page(world):
    ids = []
    for number in range(5):
        ids.append(world.stream(StreamName=f"st-{number}"))
        world.clock.advance(1)
    listing = lambda **page: world.client("ListJournalKinesisStreamsForLedger", LedgerName="cars", **page)  # noqa: E731
    first = listing(MaxResults=3)
    second = listing(NextToken=first["NextToken"])
    assert ids == [stream["StreamId"] for page in (first, second) for stream in page["Streams"]]
    assert "NextToken" not in second
    world.client.new_ledger("bikes")
    outcome = world.client.refused(
        "ListJournalKinesisStreamsForLedger", LedgerName="bikes", NextToken=first["NextToken"]
    )
    assert (outcome.status, outcome.about) == (400, ("NextToken",))


def test_five_streams_run_at_once_and_a_name_is_taken_while_its_stream_runs(world):
    ids = [world.stream(StreamName=f"st-{number}") for number in range(5)]
    text = "Exceeded the limit of 5 concurrently running Journal streams to Kinesis Data Streams"
    expected = Outcome(400, "LimitExceededException", text, ("JournalKinesisStream",))
    assert expected == world.client.refused("StreamJournalToKinesis", **REQUEST)
    world.client("CancelJournalKinesisStream", LedgerName="cars", StreamId=ids[0])
    outcome = world.client.refused("StreamJournalToKinesis", **{**REQUEST, "StreamName": "st-1"})
    assert (outcome.status, outcome.name) == (412, "ResourcePreconditionNotMetException")
    assert outcome.about == ("JournalKinesisStream", "st-1")
    world.stream(StreamName="st-0")


def test_tags_of_a_stream(world):
    stream_id = world.stream(Tags={"a": "b"})
    arn = world.describe(stream_id)["Arn"]
    world.client("TagResource", ResourceArn=arn, Tags={"c": "d"})
    assert world.client("ListTagsForResource", ResourceArn=arn)["Tags"] == {"a": "b", "c": "d"}


def test_a_cancelled_stream_ends_without_a_word_and_is_listed_for_seven_days(world):
    stream_id = world.stream()
    world.has("CREATED")
    assert world.client("CancelJournalKinesisStream", LedgerName="cars", StreamId=stream_id) == {"StreamId": stream_id}
    world.session.run("CREATE TABLE Car")
    assert world.describe(stream_id)["Status"] == "CANCELED"
    outcome = world.client.refused("CancelJournalKinesisStream", LedgerName="cars", StreamId=stream_id)
    assert (outcome.status, outcome.name) == (412, "ResourcePreconditionNotMetException")
    world.clock.advance(7 * 24 * 3600 - 1)
    assert world.describe(stream_id)["Status"] == "CANCELED"
    world.clock.advance(1)
    outcome = world.client.refused("DescribeJournalKinesisStream", LedgerName="cars", StreamId=stream_id)
    assert (outcome.status, outcome.name) == (404, "ResourceNotFoundException")
    assert world.client("ListJournalKinesisStreamsForLedger", LedgerName="cars")["Streams"] == []
    assert world.kinesis.types() == ["CREATED"]


def test_streams_that_ended_long_ago_are_forgotten_when_another_begins(world):
    first = world.stream(Tags={"a": "b"})
    world.client("CancelJournalKinesisStream", LedgerName="cars", StreamId=first)
    world.clock.advance(7 * 24 * 3600)
    second = world.stream()
    facts = world.emulator.ledgers.find(REGION, "cars").file.all_meta()
    expected = [f"stream/{second}", f"stream_tags/{second}"]
    assert expected == sorted(name for name in facts if name.startswith("stream"))


BAD_REQUESTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("future", {"InclusiveStartTime": 1_600_000_000}, "InclusiveStartTime", "Start date cannot be in the future."),
    (
        "order",
        {"InclusiveStartTime": 1_590_710_401, "ExclusiveEndTime": 1_590_710_400},
        "InclusiveStartTime",
        "Start date must not be greater than end date.",
    ),
    ("role", {"RoleArn": "arn:aws:s3:::bucket/key/name"}, "RoleArn", "must be the ARN of an IAM role"),
    (
        "data stream",
        {"KinesisConfiguration": {"StreamArn": "arn:aws:kinesis:us-east-1:123456789012:consumer/x"}},
        "KinesisConfiguration.StreamArn",
        "must be the ARN of a Kinesis data stream",
    ),
]


@pytest.mark.parametrize(
    ("changes", "parameter", "text"), [row[1:] for row in BAD_REQUESTS], ids=[row[0] for row in BAD_REQUESTS]
)
def test_requests_that_cannot_be_are_refused(world, changes, parameter, text):
    outcome = world.client.refused("StreamJournalToKinesis", **{**REQUEST, **changes})
    assert (400, "InvalidParameterException", (parameter,)) == (outcome.status, outcome.name, outcome.about)
    assert text in outcome.message


KINESIS_ERRORS = [
    (AwsMissingError("boto3"), f"Streaming to Kinesis: boto3 is not installed: {install_command('aws')}"),
    (
        AwsError("ResourceNotFoundException", "Stream s under account 1 not found.", True),
        "QLDB encountered an error validating Kinesis Data Streams: Response from Kinesis: "
        "ResourceNotFoundException Stream s under account 1 not found.",
    ),
    (
        AwsError("EndpointConnectionError", "Could not connect", False),
        "Unexpected response from Kinesis Data Streams while validating the Kinesis configuration. "
        "Response from Kinesis: EndpointConnectionError Could not connect",
    ),
]


@pytest.mark.parametrize(("error", "text"), KINESIS_ERRORS, ids=["not installed", "refused", "unreachable"])
def test_a_data_stream_that_is_not_there_is_said_at_once(world, error, text):
    world.kinesis.error = error
    expected = Outcome(400, "InvalidParameterException", text, ("KinesisConfiguration",))
    assert expected == world.client.refused("StreamJournalToKinesis", **REQUEST)
    assert world.client("ListJournalKinesisStreamsForLedger", LedgerName="cars")["Streams"] == []


# --- Delivery -----------------------------------------------------------------------------------------------------


def test_everything_is_delivered_in_order_and_then_each_new_block(world):
    world.session.run("CREATE TABLE Car")
    stream_id = world.stream(KinesisConfiguration={"StreamArn": KINESIS, "AggregationEnabled": False})
    world.has("CREATED", "BLOCK 1")
    world.insert(1)
    world.has("CREATED", "BLOCK 1", "BLOCK 2", "REVISION 1")
    assert world.kinesis.is_aggregated is False
    control, *others = zip(world.kinesis.keys, world.kinesis.records, strict=True)
    for key, record in others:  # captured: the record's own hash (journal.md 6.2)
        payload = record["payload"]
        own = payload["blockHash"] if record["recordType"] == "BLOCK_SUMMARY" else payload["revision"]["hash"]
        assert key == own.hex()
    assert re.fullmatch("[0-9a-f]{64}", control[0])
    assert {record["qldbStreamArn"] for record in world.kinesis.records} == {world.describe(stream_id)["Arn"]}


def test_a_range_is_delivered_and_completed(world):
    world.session.run("CREATE TABLE Car")
    for number in range(3):
        world.clock.advance(10)
        world.insert(number)
    now = START_MS // 1000
    stream_id = world.stream(InclusiveStartTime=now + 10, ExclusiveEndTime=now + 30)
    world.reaches(stream_id, "COMPLETED")
    assert world.kinesis.types() == ["CREATED", "BLOCK 2", "REVISION 0", "BLOCK 3", "REVISION 1", "COMPLETED"]
    assert world.describe(stream_id)["Status"] == "COMPLETED"


def test_a_stream_with_an_end_in_the_future_completes_when_it_is_reached(world):
    world.session.run("CREATE TABLE Car")
    end = START_MS // 1000 + 60
    stream_id = world.stream(ExclusiveEndTime=end)
    world.has("CREATED", "BLOCK 1")
    world.insert(1)
    world.has("CREATED", "BLOCK 1", "BLOCK 2", "REVISION 1")
    assert world.describe(stream_id)["Status"] == "ACTIVE"
    world.clock.advance(61)
    world.insert(2)
    world.reaches(stream_id, "COMPLETED")
    assert world.kinesis.types()[-1] == "COMPLETED"
    assert "REVISION 2" not in world.kinesis.types()


def test_an_empty_range_is_completed_at_once(world):
    stream_id = world.stream(ExclusiveEndTime=1_590_710_400)
    world.reaches(stream_id, "COMPLETED")
    assert world.kinesis.types() == ["CREATED", "COMPLETED"]


def test_a_stream_goes_on_after_a_restart_where_it_was(tmp_path):
    world = World(tmp_path)
    world.session.run("CREATE TABLE Car")
    stream_id = world.stream()
    world.has("CREATED", "BLOCK 1")
    world.emulator.close()
    delivered = len(world.kinesis.records)
    world.open()
    world.emulator.resume_streams()
    world.session = LocalSession(world.emulator, "cars")
    world.insert(7)
    world.reaches(stream_id, "ACTIVE")
    world.has("CREATED", "BLOCK 1", "BLOCK 2", "REVISION 7")
    assert delivered == 2
    world.emulator.close()


def test_what_was_committed_while_nothing_was_delivered_is_delivered_later(tmp_path):
    world = World(tmp_path)
    world.session.run("CREATE TABLE Car")
    world.stream()
    world.has("CREATED", "BLOCK 1")
    world.emulator.streams.close()
    for number in range(20):
        world.insert(number)
    world.emulator.close()
    world.open()
    world.emulator.resume_streams()
    eventually(lambda: "REVISION 19" in world.kinesis.types())
    assert world.kinesis.types()[2:] == [text for n in range(20) for text in (f"BLOCK {n + 2}", f"REVISION {n}")]
    world.emulator.close()


def test_a_ledger_without_running_streams_stays_closed_at_start(tmp_path):
    world = World(tmp_path)
    world.emulator.close()
    world.open()
    world.emulator.resume_streams()
    assert world.emulator.ledgers.open_ledgers() == []
    world.emulator.close()


def test_a_restored_ledger_goes_on_streaming_and_a_fork_does_not(world):
    world.session.run("CREATE TABLE Car")
    take_snapshot(world.emulator, REGION, "cars", "before")
    stream_id = world.stream()
    world.has("CREATED", "BLOCK 1")
    take_snapshot(world.emulator, REGION, "cars", "while")
    restore_snapshot(world.emulator, REGION, "cars", "while")
    world.session = LocalSession(world.emulator, "cars")
    world.insert(1)
    eventually(lambda: "REVISION 1" in world.kinesis.types())
    fork_ledger(world.emulator, REGION, "cars", "other")
    assert world.client("ListJournalKinesisStreamsForLedger", LedgerName="other")["Streams"] == []
    restore_snapshot(world.emulator, REGION, "cars", "before")
    outcome = world.client.refused("DescribeJournalKinesisStream", LedgerName="cars", StreamId=stream_id)
    assert outcome.status == 404


def test_deleting_the_ledger_ends_its_streams(world):
    world.stream()
    world.has("CREATED")
    world.client("DeleteLedger", Name="cars")
    running = lambda: [t for t in threading.enumerate() if t.name.startswith("qldb-emulator-stream")]  # noqa: E731
    eventually(lambda: not running())


# --- Kinesis fails ------------------------------------------------------------------------------------------------

FAILURES = [
    (AwsError("ResourceNotFoundException", "gone", True), "KINESIS_STREAM_NOT_FOUND"),
    (AwsError("AccessDeniedException", "no", True), "IAM_PERMISSION_REVOKED"),
    (AwsError("EndpointConnectionError", "Could not connect", False), None),
    (AwsError("ProvisionedThroughputExceededException", "slow down", True), None),
]


@pytest.mark.parametrize(("error", "cause"), FAILURES, ids=[row[0].code for row in FAILURES])
def test_a_stream_is_impaired_while_kinesis_refuses_and_nothing_is_lost(world, error, cause):
    world.session.run("CREATE TABLE Car")
    stream_id = world.stream()
    world.has("CREATED", "BLOCK 1")
    world.kinesis.error = error
    world.insert(1)
    world.reaches(stream_id, "IMPAIRED")
    assert cause == world.describe(stream_id).get("ErrorCause")
    world.insert(2)
    world.kinesis.error = None
    world.reaches(stream_id, "ACTIVE")
    assert "ErrorCause" not in world.describe(stream_id)
    world.has("CREATED", "BLOCK 1", "BLOCK 2", "REVISION 1", "BLOCK 3", "REVISION 2")


def test_a_connection_lost_for_a_moment_does_not_impair_a_stream(world):
    stream_id = world.stream()
    world.has("CREATED")
    world.kinesis.error_once = AwsError("EndpointConnectionError", "Could not connect", False)
    world.session.run("CREATE TABLE Car")
    world.has("CREATED", "BLOCK 1")
    assert world.kinesis.failures == 1
    assert world.describe(stream_id)["Status"] == "ACTIVE"


def test_a_stream_that_is_impaired_for_seven_days_has_failed(world):
    stream_id = world.stream()
    world.has("CREATED")
    world.kinesis.error = AwsError("ResourceNotFoundException", "gone", True)
    world.session.run("CREATE TABLE Car")
    world.reaches(stream_id, "IMPAIRED")
    world.clock.advance(7 * 24 * 3600)
    world.reaches(stream_id, "FAILED")
    assert world.describe(stream_id)["ErrorCause"] == "KINESIS_STREAM_NOT_FOUND"


def test_a_record_that_no_stream_takes_fails_the_stream(world):
    stream_id = world.stream()
    world.has("CREATED")
    world.kinesis.error = AwsError(TOO_LARGE, "too large", False)
    world.session.run("CREATE TABLE Car")
    world.reaches(stream_id, "FAILED")


def test_a_ledger_that_cannot_be_written_for_a_while_makes_a_stream_wait_and_lose_nothing(world, monkeypatch, caplog):
    monkeypatch.setattr(delivery, "LAST_PAUSE_SECONDS", 0.002)
    world.stream()
    world.has("CREATED")
    ledger = world.emulator.ledgers.find(REGION, "cars")
    change_facts, problems = ledger.change_facts, []

    def full(change: Any, is_progress: bool = False) -> Any:
        assert is_progress
        problems.append(1)
        raise StorageError("database or disk is full")

    monkeypatch.setattr(ledger, "change_facts", full)
    monkeypatch.setattr(delivery, "STORE_EVERY", 1)
    world.session.run("CREATE TABLE Car")
    eventually(lambda: len(problems) > 1)
    monkeypatch.setattr(ledger, "change_facts", change_facts)
    world.insert(1)
    eventually(lambda: "REVISION 1" in world.kinesis.types())
    assert "waits: database or disk is full" in caplog.text


def test_an_impaired_stream_stays_so_over_a_restart_and_recovers(tmp_path):
    world = World(tmp_path)
    stream_id = world.stream()
    world.has("CREATED")
    world.kinesis.error = AwsError("ResourceNotFoundException", "gone", True)
    world.session.run("CREATE TABLE Car")
    world.reaches(stream_id, "IMPAIRED")
    world.emulator.close()
    world.open()
    assert world.describe(stream_id)["Status"] == "IMPAIRED"
    world.kinesis.error = None
    world.reaches(stream_id, "ACTIVE")
    world.has("CREATED", "BLOCK 1")
    world.emulator.close()
