"""SIGKILL of the whole server amid everything that writes; then every acknowledged thing is accounted for.

A generation is one ledger with a Kinesis stream, over some rounds.  In each round writers, definitions, snapshots and
exports run until the server is killed and started again.  What a client was told is then looked for:

- each acknowledged transaction is in the ledger, and a counter is not below its acknowledged increments;
- a digest that was answered is still the digest of its tip;
- an acknowledged snapshot is listed, an acknowledged export ends and has every block of its range;
- at the end of a generation each block is in the stream at least once, and ``verify`` finds the ledger whole.
"""

from __future__ import annotations

import argparse
import base64
import random
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from amazon.ion import simpleion
from aws_kinesis_agg.deaggregator import deaggregate_records

from .findings import Findings
from .world import ROLE, ServerProcess, admin, client, command, driver, outside_services, rows, tracebacks

ROUNDS_A_GENERATION = 25
WRITERS = 4
INCREMENT = "UPDATE Counter SET total = total + 1 WHERE writer = ?"
LONGEST_ROUND_SECONDS = 1.2
STREAM_SECONDS = 90  # for a stream to deliver what is left at the end of a generation


class Generation:
    """One ledger, and all that clients were told about it."""

    def __init__(self, number: int, server: ServerProcess, aws: str, chance: random.Random, findings: Findings) -> None:
        self.name = f"torture-{number}"
        self.server, self.aws, self.chance, self.findings = server, aws, chance, findings
        self.keys: dict[int, list[str]] = {writer: [] for writer in range(WRITERS)}
        self.increments = [0] * WRITERS
        self.tables: list[str] = []
        self.snapshots: list[str] = []
        self.exports: list[str] = []
        self.digest: dict[str, Any] | None = None
        self.stopping = threading.Event()
        self._begin(is_aggregated=number % 2 == 0)

    def _begin(self, is_aggregated: bool) -> None:
        qldb, kinesis = client("qldb", self.server.url), client("kinesis", self.aws)
        qldb.create_ledger(Name=self.name, PermissionsMode="ALLOW_ALL", DeletionProtection=False)
        kinesis.create_stream(StreamName=self.name, ShardCount=2)
        kinesis.get_waiter("stream_exists").wait(StreamName=self.name, WaiterConfig={"Delay": 1})
        arn = kinesis.describe_stream(StreamName=self.name)["StreamDescription"]["StreamARN"]
        client("s3", self.aws).create_bucket(Bucket=self.name)
        with driver(self.name, self.server.url) as begin:
            rows(begin, "CREATE TABLE Kept")
            rows(begin, "CREATE INDEX ON Kept (name)")
            rows(begin, "CREATE TABLE Counter")
            rows(begin, "CREATE INDEX ON Counter (writer)")
            for writer in range(WRITERS):
                rows(begin, "INSERT INTO Counter ?", {"writer": writer, "total": 0})
        qldb.stream_journal_to_kinesis(
            LedgerName=self.name,
            RoleArn=ROLE,
            InclusiveStartTime=0,
            StreamName="all",
            KinesisConfiguration={"StreamArn": arn, "AggregationEnabled": is_aggregated},
        )

    # --- Until the kill ------------------------------------------------------------------------------------------

    def round(self) -> None:
        """Everything at once, until the server is killed; then it is started again and asked."""
        self.stopping.clear()
        jobs: list[Callable[[], None]] = [lambda n=n: self._write(n) for n in range(WRITERS)]  # type: ignore[misc]
        jobs += [self._define, self._snapshot, self._export, self._ask_digest]
        threads = [threading.Thread(target=self._until_killed, args=(job,), daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        time.sleep(self.chance.uniform(0.05, LONGEST_ROUND_SECONDS))
        self.server.kill()
        self.stopping.set()
        for thread in threads:
            thread.join(60)
        self.findings.check(not any(thread.is_alive() for thread in threads), f"{self.name}: a client hangs")
        self.server.restart()
        self._account()

    def _until_killed(self, job: Callable[[], None]) -> None:
        while not self.stopping.is_set():
            try:
                job()
            except Exception:
                time.sleep(0.01)

    def _write(self, writer: int) -> None:
        with driver(self.name, self.server.url, retries=0) as one:
            while not self.stopping.is_set():
                key = str(uuid.UUID(int=random.getrandbits(128)))
                if random.random() < 0.5:
                    one.execute_lambda(lambda t, k=key: t.execute_statement("INSERT INTO Kept ?", {"name": k}))
                    self.keys[writer].append(key)
                else:
                    one.execute_lambda(lambda t: t.execute_statement(INCREMENT, writer))
                    self.increments[writer] += 1
                self.findings.count("transactions acknowledged")

    def _define(self) -> None:
        name = f"T{uuid.uuid4().hex[:12]}"
        with driver(self.name, self.server.url, retries=0) as one:
            rows(one, f"CREATE TABLE {name}")
            self.tables.append(name)
            rows(one, f"CREATE INDEX ON {name} (a)")
            self.findings.count("tables acknowledged")
            if len(self.tables) > 10:
                rows(one, f"DROP TABLE {self.tables.pop(0)}")
        time.sleep(0.05)

    def _snapshot(self) -> None:
        name = f"s{uuid.uuid4().hex[:12]}"
        status, _ = admin(self.server.url, "POST", f"/_qldb/ledgers/{self.name}/snapshots", {"name": name})
        if status == 200:
            self.snapshots.append(name)
            self.findings.count("snapshots acknowledged")
        if len(self.snapshots) > 3:
            admin(self.server.url, "DELETE", f"/_qldb/ledgers/{self.name}/snapshots/{self.snapshots.pop(0)}")
        time.sleep(0.2)

    def _export(self) -> None:
        prefix = f"{uuid.uuid4().hex[:8]}/"
        configuration = {
            "Bucket": self.name,
            "Prefix": prefix,
            "EncryptionConfiguration": {"ObjectEncryptionType": "NO_ENCRYPTION"},
        }
        answer = client("qldb", self.server.url).export_journal_to_s3(
            Name=self.name,
            InclusiveStartTime=0,
            ExclusiveEndTime=int(time.time()),
            S3ExportConfiguration=configuration,
            RoleArn=ROLE,
        )
        self.exports.append(answer["ExportId"])
        self.findings.count("exports acknowledged")
        time.sleep(0.3)

    def _ask_digest(self) -> None:
        self.digest = client("qldb", self.server.url).get_digest(Name=self.name)
        time.sleep(0.1)

    # --- After the kill ------------------------------------------------------------------------------------------

    def _account(self) -> None:
        url, check = self.server.url, self.findings.check
        with driver(self.name, url) as asked:
            for writer, keys in self.keys.items():
                for key in keys:
                    found = rows(asked, "SELECT name FROM Kept WHERE name = ?", key)
                    check(len(found) == 1, f"{self.name}: {len(found)} rows for the acknowledged key {key}")
                keys.clear()
                counted = rows(asked, "SELECT VALUE total FROM Counter WHERE writer = ?", writer)
                check(counted and counted[0] >= self.increments[writer], f"{self.name}: increments are lost")
                self.increments[writer] = int(counted[0]) if counted else 0
            names = set(map(str, asked.list_tables()))
            check(set(self.tables) <= names, f"{self.name}: lost tables {set(self.tables) - names}")
            self.tables = sorted(names - {"Kept", "Counter"})
        _, listed = admin(url, "GET", f"/_qldb/snapshots?ledger={self.name}")
        check(all(name in str(listed) for name in self.snapshots), f"{self.name}: a snapshot is lost: {listed}")
        self._await_exports()
        self.findings.count("kills")
        for line in tracebacks(self.server):
            self.findings.fail(f"{self.name}: the log says {line}")
        self.server.log.clear()

    def _await_exports(self) -> None:
        qldb = client("qldb", self.server.url)
        for export in self.exports:
            status = self._ended_export(qldb, export)
            self.findings.check(status == "COMPLETED", f"{self.name}: the export {export} is {status}")
            self.findings.count("exports completed")
        if self.exports and self.chance.random() < 0.2:
            self._verify_export(qldb, self.exports[-1])
        self.exports.clear()

    def _ended_export(self, qldb: Any, export: str) -> str:
        for _ in range(300):
            described = qldb.describe_journal_s3_export(Name=self.name, ExportId=export)["ExportDescription"]
            if described["Status"] != "IN_PROGRESS":
                return str(described["Status"])
            time.sleep(0.1)
        return "IN_PROGRESS after 30 s"

    def _verify_export(self, qldb: Any, export: str) -> None:
        described = qldb.describe_journal_s3_export(Name=self.name, ExportId=export)["ExportDescription"]
        where = f"s3://{self.name}/{described['S3ExportConfiguration']['Prefix']}"
        result = command("verify", where, "--s3-endpoint", self.aws)
        self.findings.check(result.returncode in (0, 4), f"{self.name}: {where} is not whole: {result.stdout[-500:]}")
        self.findings.count("exports verified")

    # --- At the end ----------------------------------------------------------------------------------------------

    def end(self, data_dir: str) -> None:
        """The stream has every block, the digest holds, ``verify`` finds the ledger whole."""
        qldb = client("qldb", self.server.url)
        tip = simpleion.loads(qldb.get_digest(Name=self.name)["DigestTipAddress"]["IonText"])["sequenceNo"]
        missing = self._missing_in_stream(tip)
        self.findings.check(
            not missing, f"{self.name}: {len(missing)} of {tip} blocks are not in the stream: {missing[:5]}"
        )
        self.findings.count("blocks streamed", tip)
        options = ["verify", self.name, "--data-dir", data_dir]
        if self.digest is not None:
            digest = base64.b64encode(self.digest["Digest"]).decode()
            options += ["--digest", digest, "--tip", self.digest["DigestTipAddress"]["IonText"]]
        result = command(*options)
        self.findings.check(result.returncode == 0, f"{self.name}: verify says {result.stdout[-800:]}")
        self.findings.count("ledgers verified")

    def _missing_in_stream(self, tip: int) -> list[int]:
        wanted = set(range(1, tip + 1))  # the first block is never streamed
        deadline = time.monotonic() + STREAM_SECONDS
        while wanted and time.monotonic() < deadline:
            wanted -= self._streamed()
            time.sleep(0.3)
        return sorted(wanted)

    def _streamed(self) -> set[int]:
        kinesis = client("kinesis", self.aws)
        found: set[int] = set()
        for shard in kinesis.list_shards(StreamName=self.name)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while True:
                answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
                if not answer["Records"]:
                    break
                found |= set(map(_block_of, _deaggregated(answer["Records"])))
                iterator = answer["NextShardIterator"]
        return found - {-1}


_EVENT = dict.fromkeys(
    ("eventID", "eventSource", "eventVersion", "eventName", "invokeIdentityArn", "awsRegion", "eventSourceARN"), ""
)


def _deaggregated(records: list[dict[str, Any]]) -> list[bytes]:
    events = [
        {
            "kinesis": {
                "data": base64.b64encode(record["Data"]).decode(),
                "partitionKey": record["PartitionKey"],
                "sequenceNumber": record["SequenceNumber"],
                "approximateArrivalTimestamp": 0,
                "kinesisSchemaVersion": "1.0",
            },
            **_EVENT,
        }
        for record in records
    ]
    return [base64.b64decode(row["kinesis"]["data"]) for row in deaggregate_records(events)]


def _block_of(data: bytes) -> int:
    """The sequence number of a block summary; -1 for other records."""
    record = simpleion.loads(data)
    is_summary = record["recordType"] == "BLOCK_SUMMARY"
    return int(record["payload"]["blockAddress"]["sequenceNo"]) if is_summary else -1


def run(options: argparse.Namespace) -> Findings:
    """options: rounds, seed."""
    findings = Findings("kills")
    chance = random.Random(options.seed)
    with outside_services() as aws, tempfile.TemporaryDirectory() as data_dir:
        endpoints = ("--s3-endpoint", aws, "--kinesis-endpoint", aws, "--limits", "relaxed")
        server = ServerProcess("--data-dir", data_dir, "--admin", *endpoints)
        try:
            for first in range(0, options.rounds, ROUNDS_A_GENERATION):
                generation = Generation(first // ROUNDS_A_GENERATION, server, aws, chance, findings)
                for _ in range(min(ROUNDS_A_GENERATION, options.rounds - first)):
                    generation.round()
                generation.end(data_dir)
                client("qldb", server.url).delete_ledger(Name=generation.name)
                print(findings.report(), flush=True)
        finally:
            server.kill()
    return findings
