"""Sixteen clients do everything at once: the server never fails, and the ledgers are whole at the end."""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from .findings import Findings
from .world import REGION, ROLE, ServerProcess, admin, client, command, driver, outside_services, rows, tracebacks

THREADS = 16
LEDGERS = ("one", "two", "three")
TABLES = 6


class Clients:
    """The operations, each a method that makes some requests.  Refusals are fine, failures of the server are not."""

    def __init__(self, server: ServerProcess, aws: str, findings: Findings) -> None:
        self.url, self.aws, self.findings = server.url, aws, findings

    def operations(self) -> list[Callable[[random.Random], Any]]:
        """Every operation; the ones that programs do most come several times."""
        often = [self.insert, self.update, self.read, self.several_statements]
        return [
            *often * 4,
            *(
                self.define,
                self.delete_some,
                self.history,
                self.scan,
                self.redact,
                self.prove,
                self.export,
                self.stream,
            ),
            *(
                self.snapshot,
                self.fork,
                self.diff,
                self.fault,
                self.tags,
                self.ledger_life,
                self.follow,
                self.catalogue,
            ),
        ]

    def _run(self, chance: random.Random, statement: str, *parameters: Any) -> list[Any]:
        with driver(chance.choice(LEDGERS), self.url, retries=2) as one:
            return rows(one, statement, *parameters)

    def _table(self, chance: random.Random) -> str:
        return f"T{chance.randrange(TABLES)}"

    def insert(self, chance: random.Random) -> None:
        document = {
            "k": chance.randrange(50),
            "n": chance.randrange(10**6),
            "list": [1, {"a": "x" * chance.randrange(99)}],
        }
        self._run(chance, f"INSERT INTO {self._table(chance)} ?", document)

    def update(self, chance: random.Random) -> None:
        self._run(chance, f"UPDATE {self._table(chance)} SET n = n + 1, m = ? WHERE k = ?", "m", chance.randrange(50))

    def read(self, chance: random.Random) -> None:
        self._run(chance, f"SELECT * FROM {self._table(chance)} WHERE k = ?", chance.randrange(50))

    def scan(self, chance: random.Random) -> None:
        self._run(chance, f"SELECT COUNT(*) FROM {self._table(chance)} WHERE n > ?", chance.randrange(10**6))

    def several_statements(self, chance: random.Random) -> None:
        table = self._table(chance)

        def work(transaction: Any) -> None:
            for row in transaction.execute_statement(f"SELECT k FROM {table} WHERE k = ?", chance.randrange(50)):
                transaction.execute_statement(f"UPDATE {table} SET seen = true WHERE k = ?", row["k"])

        with driver(chance.choice(LEDGERS), self.url, retries=2) as one:
            one.execute_lambda(work)

    def define(self, chance: random.Random) -> None:
        table = self._table(chance)
        what = chance.choice([f"CREATE TABLE {table}", f"CREATE INDEX ON {table} (k)", f"DROP TABLE {table}"])
        if not what.startswith("DROP") or chance.random() < 0.1:
            self._run(chance, what)

    def delete_some(self, chance: random.Random) -> None:
        self._run(chance, f"DELETE FROM {self._table(chance)} WHERE k = ?", chance.randrange(50))

    def history(self, chance: random.Random) -> None:
        self._run(chance, f"SELECT * FROM history({self._table(chance)}) AS h WHERE h.metadata.version > 3")

    def catalogue(self, chance: random.Random) -> None:
        self._run(chance, "SELECT * FROM information_schema.user_tables")

    def redact(self, chance: random.Random) -> None:
        ledger, table = chance.choice(LEDGERS), self._table(chance)
        with driver(ledger, self.url, retries=2) as one:
            found = rows(
                one, f"SELECT h.blockAddress, h.metadata.id FROM history({table}) AS h WHERE h.metadata.version = 0"
            )
            tables = rows(one, "SELECT tableId FROM information_schema.user_tables WHERE name = ?", table)
            if found and tables:
                old = chance.choice(found)
                rows(one, f"EXEC REDACT_REVISION ?, '{tables[0]['tableId']}', '{old['id']}'", old["blockAddress"])

    def prove(self, chance: random.Random) -> None:
        ledger, qldb = chance.choice(LEDGERS), client("qldb", self.url)
        tip = qldb.get_digest(Name=ledger)["DigestTipAddress"]
        qldb.get_block(Name=ledger, BlockAddress=tip, DigestTipAddress=tip)

    def export(self, chance: random.Random) -> None:
        client("qldb", self.url).export_journal_to_s3(
            Name=chance.choice(LEDGERS),
            InclusiveStartTime=0,
            ExclusiveEndTime=int(time.time()),
            S3ExportConfiguration={
                "Bucket": "exports",
                "Prefix": f"{chance.getrandbits(64):x}/",
                "EncryptionConfiguration": {"ObjectEncryptionType": "NO_ENCRYPTION"},
            },
            RoleArn=ROLE,
        )

    def stream(self, chance: random.Random) -> None:
        ledger, qldb = chance.choice(LEDGERS), client("qldb", self.url)
        streams = qldb.list_journal_kinesis_streams_for_ledger(LedgerName=ledger)["Streams"]
        active = [each["StreamId"] for each in streams if each["Status"] == "ACTIVE"]
        if len(active) > 2:
            qldb.cancel_journal_kinesis_stream(LedgerName=ledger, StreamId=active[0])
            return
        arn = f"arn:aws:kinesis:{REGION}:123456789012:stream/records"
        qldb.stream_journal_to_kinesis(
            LedgerName=ledger,
            RoleArn=ROLE,
            InclusiveStartTime=0,
            StreamName=f"s{chance.getrandbits(40):x}",
            KinesisConfiguration={"StreamArn": arn},
        )

    def _admin(self, method: str, path: str, body: Any = None) -> None:
        status, answer = admin(self.url, method, path, body)
        self.findings.check(status < 500, f"{method} {path} {body}: {status} {answer}")

    def snapshot(self, chance: random.Random) -> None:
        path = f"/_qldb/ledgers/{chance.choice(LEDGERS)}/snapshots"
        name = f"s{chance.randrange(5)}"
        method = chance.choice(["POST", "POST", "DELETE"])
        self._admin(
            method, path if method == "POST" else f"{path}/{name}", {"name": name} if method == "POST" else None
        )

    def fork(self, chance: random.Random) -> None:
        name = f"fork-{chance.randrange(4)}"
        self._admin("POST", f"/_qldb/ledgers/{chance.choice(LEDGERS)}/fork", {"name": name})
        if chance.random() < 0.7:
            client("qldb", self.url).delete_ledger(Name=name)

    def diff(self, chance: random.Random) -> None:
        self._admin("GET", f"/_qldb/ledgers/{chance.choice(LEDGERS)}/diff?from=s{chance.randrange(5)}")

    def fault(self, chance: random.Random) -> None:
        self._admin("POST", "/_qldb/faults", {"fault": "occ-conflict", "times": 1})
        self._admin("DELETE", "/_qldb/faults")

    def tags(self, chance: random.Random) -> None:
        arn = f"arn:aws:qldb:{REGION}:123456789012:ledger/{chance.choice(LEDGERS)}"
        qldb = client("qldb", self.url)
        qldb.tag_resource(ResourceArn=arn, Tags={f"k{chance.randrange(9)}": "v"})
        qldb.untag_resource(ResourceArn=arn, TagKeys=[f"k{chance.randrange(9)}"])

    def ledger_life(self, chance: random.Random) -> None:
        qldb, name = client("qldb", self.url), f"short-{chance.randrange(4)}"
        qldb.create_ledger(Name=name, PermissionsMode="ALLOW_ALL", DeletionProtection=False)
        with driver(name, self.url, retries=0) as one:
            rows(one, "CREATE TABLE T0")
        qldb.delete_ledger(Name=name)

    def follow(self, chance: random.Random) -> None:
        with urllib.request.urlopen(f"{self.url}/_qldb/ledgers/{chance.choice(LEDGERS)}/stream", timeout=10) as answer:
            answer.read(2000)


def _refused(error: BaseException) -> bool:
    """Whether an error is a refusal, as clients meet them in such a crowd, and no failure of the server."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return status < 500 or error.response["Error"]["Code"] == "CapacityExceededException"
    cause = error.__cause__ or error.__context__
    return cause is not None and cause is not error and _refused(cause)


def run(options: argparse.Namespace) -> Findings:
    """options: seconds, seed."""
    findings = Findings("everything at once")
    with outside_services() as aws, tempfile.TemporaryDirectory() as data_dir:
        client("s3", aws).create_bucket(Bucket="exports")
        client("kinesis", aws).create_stream(StreamName="records", ShardCount=1)
        server = ServerProcess("--data-dir", data_dir, "--admin", "--s3-endpoint", aws, "--kinesis-endpoint", aws)
        qldb = client("qldb", server.url)
        for ledger in LEDGERS:
            qldb.create_ledger(Name=ledger, PermissionsMode="ALLOW_ALL", DeletionProtection=False)
            with driver(ledger, server.url) as begin:
                for number in range(TABLES):
                    rows(begin, f"CREATE TABLE T{number}")
        _crowd(Clients(server, aws, findings), findings, options)
        began = time.monotonic()
        code = server.stop()
        findings.check(code == 0, f"the server stopped with exit code {code}")
        findings.check(time.monotonic() - began < 5, f"the server took {time.monotonic() - began:.1f} s to stop")
        for line in tracebacks(server):
            findings.fail(f"the log says {line}")
        for ledger in LEDGERS:
            result = command("verify", ledger, "--data-dir", data_dir)
            findings.check(result.returncode == 0, f"verify {ledger}: {result.stdout[-500:]}")
            findings.count("ledgers verified")
    return findings


def _crowd(clients: Clients, findings: Findings, options: argparse.Namespace) -> None:
    end = time.monotonic() + options.seconds

    def work(number: int) -> None:
        chance = random.Random(options.seed * THREADS + number)
        operations = clients.operations()
        while time.monotonic() < end:
            operation = chance.choice(operations)
            try:
                operation(chance)
                findings.count("operations")
            except Exception as error:
                findings.count("refusals")
                findings.check(_refused(error), f"{operation.__name__}: {type(error).__name__}: {error}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
