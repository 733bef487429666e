"""A journal stream read as a consumer reads it: boto3, the de-aggregation library of AWS Labs, amazon.ion."""

from __future__ import annotations

import base64
import re
import time
from typing import Any

import boto3
import pytest
from amazon.ion import simpleion
from aws_kinesis_agg.deaggregator import deaggregate_records
from server import ServerProcess

from qldb_emulator.client import boto3_client, driver

REGION = "us-east-1"
EVENT_FIELDS = (
    "eventID",
    "eventSource",
    "eventVersion",
    "eventName",
    "invokeIdentityArn",
    "awsRegion",
    "eventSourceARN",
)
KEYS = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}


@pytest.fixture
def kinesis(server):
    return boto3.client("kinesis", endpoint_url=server.aws_url, region_name=REGION, **KEYS)


def _data_stream(kinesis, name: str) -> str:
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return kinesis.describe_stream(StreamName=name)["StreamDescription"]["StreamARN"]


def _read(kinesis, name: str) -> list[tuple[str, Any]]:
    """(partition key, Ion value) of every user record in every shard."""
    records = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        where = {"StreamName": name, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**where)["ShardIterator"]
        records += kinesis.get_records(ShardIterator=iterator)["Records"]
    events = [
        {
            "kinesis": {
                "data": base64.b64encode(record["Data"]).decode(),
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "approximateArrivalTimestamp": 0,
                "kinesisSchemaVersion": "1.0",
            },
            **dict.fromkeys(EVENT_FIELDS, ""),
        }
        for record in records
    ]
    return [
        (row["kinesis"]["partitionKey"], simpleion.loads(base64.b64decode(row["kinesis"]["data"])))
        for row in deaggregate_records(events)
    ]


@pytest.mark.parametrize("is_aggregated", [True, False], ids=["aggregated", "plain"])
def test_a_consumer_reads_every_record_of_a_completed_stream(server, kinesis, is_aggregated):
    name = f"streamed-{'agg' if is_aggregated else 'plain'}"
    arn = _data_stream(kinesis, name)
    qldb = boto3_client("qldb", server.url, REGION)
    qldb.create_ledger(Name=name, PermissionsMode="ALLOW_ALL", DeletionProtection=False)
    with driver(name, server.url, REGION) as cars:
        cars.execute_lambda(lambda t: t.execute_statement("CREATE TABLE Car"))
        for number in range(20):
            cars.execute_lambda(lambda t, n=number: t.execute_statement("INSERT INTO Car ?", {"n": n}))
    stream_id = qldb.stream_journal_to_kinesis(
        LedgerName=name,
        RoleArn="arn:aws:iam::123456789012:role/stream",
        InclusiveStartTime=0,
        ExclusiveEndTime=time.time() + 2,
        KinesisConfiguration={"StreamArn": arn, "AggregationEnabled": is_aggregated},
        StreamName="journal",
    )["StreamId"]
    status = lambda: qldb.describe_journal_kinesis_stream(LedgerName=name, StreamId=stream_id)["Stream"]  # noqa: E731
    deadline = time.monotonic() + 20
    while status()["Status"] != "COMPLETED":
        assert time.monotonic() < deadline, status()
        time.sleep(0.1)

    records = _read(kinesis, name)
    # Captured: a record's key is its own hash, so equal records of two blocks would share one (journal.md 6.2).
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key, _ in records)
    assert {str(value["qldbStreamArn"]) for _, value in records} == {status()["Arn"]}
    kinds = [str(value["recordType"]) for _, value in records]
    assert [kinds.count(kind) for kind in ("CONTROL", "BLOCK_SUMMARY", "REVISION_DETAILS")] == [
        2,
        21,
        20,
    ]  # no genesis block
    details = [value["payload"]["revision"] for _, value in records if value["recordType"] == "REVISION_DETAILS"]
    assert sorted(int(revision["data"]["n"]) for revision in details) == list(range(20))
    summaries = [value["payload"] for _, value in records if value["recordType"] == "BLOCK_SUMMARY"]
    assert sorted(int(summary["blockAddress"]["sequenceNo"]) for summary in summaries) == list(range(1, 22))
    hashes = {bytes(item["hash"]) for summary in summaries for item in summary.get("revisionSummaries", ())}
    assert {bytes(revision["hash"]) for revision in details} <= hashes


def test_a_stream_loses_nothing_when_the_server_is_killed(server, kinesis, tmp_path):
    arn = _data_stream(kinesis, "killed")
    process = ServerProcess("--data-dir", str(tmp_path), "--kinesis-endpoint", server.aws_url)
    try:
        qldb = boto3_client("qldb", process.url, REGION)
        qldb.create_ledger(Name="cars", PermissionsMode="ALLOW_ALL", DeletionProtection=False)
        stream_id = qldb.stream_journal_to_kinesis(
            LedgerName="cars",
            RoleArn="arn:aws:iam::123456789012:role/stream",
            InclusiveStartTime=0,
            KinesisConfiguration={"StreamArn": arn},
            StreamName="journal",
        )["StreamId"]
        with driver("cars", process.url, REGION) as cars:
            cars.execute_lambda(lambda t: t.execute_statement("CREATE TABLE Car"))
            for number in range(30):
                cars.execute_lambda(lambda t, n=number: t.execute_statement("INSERT INTO Car ?", {"n": n}))
        process.kill()
        process.restart()
        tip = simpleion.loads(qldb.get_digest(Name="cars")["DigestTipAddress"]["IonText"])["sequenceNo"]
        assert tip == 31
        expected = set(range(1, 32))
        deadline = time.monotonic() + 20
        while _summaries(kinesis, "killed") != expected:
            assert time.monotonic() < deadline, expected - _summaries(kinesis, "killed")
            time.sleep(0.2)
        stream = qldb.describe_journal_kinesis_stream(LedgerName="cars", StreamId=stream_id)["Stream"]
        assert stream["Status"] == "ACTIVE"
        assert process.stop() == 0, "".join(process.log)
    finally:
        if process.process.poll() is None:
            process.kill()


def _summaries(kinesis, name: str) -> set[int]:
    """The sequence numbers of the blocks that arrived."""
    records = [value for _, value in _read(kinesis, name) if value["recordType"] == "BLOCK_SUMMARY"]
    return {int(record["payload"]["blockAddress"]["sequenceNo"]) for record in records}
