"""Records sent to Kinesis: aggregation checked by another library, limits, refusals, moto."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qldb_emulator.aws import kinesis as kinesis_module
from qldb_emulator.aws.aggregation import MAGIC, aggregate, aggregated_size
from qldb_emulator.aws.clients import AwsError
from qldb_emulator.aws.kinesis import AGGREGATE_BYTES, RECORD_BYTES, TOO_LARGE, KinesisStream

KEYS = st.text(st.characters(min_codepoint=48, max_codepoint=122), min_size=1, max_size=22)
RECORDS = st.lists(st.tuples(KEYS, st.binary(min_size=1, max_size=300)), min_size=1, max_size=40)


def deaggregated(entries: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Return what consumers see, by the library of AWS Labs."""
    library = pytest.importorskip("aws_kinesis_agg.deaggregator")
    received = [
        {
            "kinesis": {
                "data": base64.b64encode(data).decode(),
                "partitionKey": key,
                "sequenceNumber": str(number),
                "approximateArrivalTimestamp": 1,
                "kinesisSchemaVersion": "1.0",
            },
            "eventID": "",
            "eventSource": "",
            "eventVersion": "",
            "eventName": "",
            "invokeIdentityArn": "",
            "awsRegion": "",
            "eventSourceARN": "",
        }
        for number, (key, data) in enumerate(entries)
    ]
    records = library.deaggregate_records(received)
    return [(row["kinesis"]["partitionKey"], base64.b64decode(row["kinesis"]["data"])) for row in records]


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_the_library_of_aws_labs_reads_what_we_aggregate(records):
    packed = aggregate(records)
    assert packed.startswith(MAGIC)
    assert len(packed) <= aggregated_size(records)
    assert records == deaggregated([("k", packed)])


class FakeClient:
    """Takes PutRecords calls; refuses the entries it is told to, once each."""

    def __init__(self, refuse: set[int] = frozenset()) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self.taken: list[tuple[str, bytes]] = []
        self._refuse = set(refuse)

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(Records)
        results = []
        for number, record in enumerate(Records):
            if number in self._refuse:
                results.append({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"})
            else:
                results.append({"SequenceNumber": "1", "ShardId": "0"})
                self.taken.append((record["PartitionKey"], record["Data"]))
        self._refuse.clear()
        return {"Records": results, "FailedRecordCount": 1}


@pytest.fixture
def stream(monkeypatch):
    fake = FakeClient()
    monkeypatch.setattr(kinesis_module, "client", lambda *_: fake)
    return KinesisStream("s", "us-east-1", "http://localhost:1"), fake


def _records(*sizes: int) -> list[tuple[str, bytes]]:
    return [(f"key-{number}", bytes([65 + number % 26]) * size) for number, size in enumerate(sizes)]


def test_without_aggregation_each_record_is_its_own_and_500_go_together(stream):
    target, fake = stream
    records = _records(*[10] * 1001)
    target.put(records, False)
    assert [len(call) for call in fake.calls] == [500, 500, 1]
    assert records == fake.taken


def test_a_request_has_at_most_five_megabytes(stream):
    target, fake = stream
    target.put(_records(*[1_000_000] * 7), False)
    assert [len(call) for call in fake.calls] == [5, 2]


def test_with_aggregation_records_share_until_about_50_kilobytes(stream):
    target, fake = stream
    records = _records(*[1_000] * 120)
    target.put(records, True)
    assert [len(call) for call in fake.calls] == [3]
    assert all(len(data) <= AGGREGATE_BYTES for _, data in fake.taken)
    assert records == deaggregated(fake.taken)


def test_a_large_record_has_an_aggregate_of_its_own_and_one_that_just_fits_goes_as_it_is(stream):
    target, fake = stream
    records = _records(10, 200_000, 10, RECORD_BYTES - 5)
    target.put(records, True)
    assert fake.taken[-1] == records[-1]
    assert records == deaggregated(fake.taken)


@pytest.mark.parametrize("is_aggregated", [True, False])
def test_a_record_that_no_stream_takes_is_said_before_anything_is_written(stream, is_aggregated):
    target, fake = stream
    with pytest.raises(AwsError) as raised:
        target.put(_records(10, RECORD_BYTES), is_aggregated)
    assert raised.value.code == TOO_LARGE
    assert fake.calls == []


def test_only_refused_records_are_put_again(monkeypatch):
    fake = FakeClient(refuse={1, 3})
    monkeypatch.setattr(kinesis_module, "client", lambda *_: fake)
    records = _records(1, 2, 3, 4, 5)
    KinesisStream("s", "us-east-1", None).put(records, False)
    assert [len(call) for call in fake.calls] == [5, 2]
    assert sorted(records) == sorted(fake.taken)


def test_records_that_are_always_refused_raise_what_kinesis_said(monkeypatch):
    fake = FakeClient()
    monkeypatch.setattr(kinesis_module, "client", lambda *_: fake)
    monkeypatch.setattr(
        fake, "put_records", lambda **_: {"Records": [{"ErrorCode": "InternalFailure", "ErrorMessage": "no"}]}
    )
    with pytest.raises(AwsError) as raised:
        KinesisStream("s", "us-east-1", None).put(_records(1), False)
    assert (raised.value.code, raised.value.message, raised.value.is_answer) == ("InternalFailure", "no", True)
