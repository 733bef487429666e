"""Malformed HTTP, statements, Ion values and archives: each is answered, none fails the server."""

from __future__ import annotations

import argparse
import base64
import json
import random
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
from amazon.ion import simpleion
from botocore.exceptions import ClientError

from .findings import Findings
from .world import KEYS, NO_RETRIES, ServerProcess, client, command, driver, rows, tracebacks

ANSWER_SECONDS = 15  # a statement ends within the limit of its transaction, which is set below this
TRANSACTION_SECONDS = 5

REQUESTS = [
    b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: QLDBSession.SendCommand\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 39\r\n\r\n"
    b'{"StartSession":{"LedgerName":"fuzzed"}}'[:39],
    b"GET /ledgers HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST /ledgers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /ledgers/fuzzed/digest HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET /_qldb/requests?after=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /tags/arn%3Aaws%3Aqldb HTTP/1.1\r\nHost: localhost\r\n\r\n",
]
STATEMENTS = [
    "SELECT * FROM T AS t BY id WHERE t.a = 1 AND t.b IN (1, 2, 'x') OR NOT t.c LIKE 'a%' ESCAPE '!'",
    "INSERT INTO T << {'a': 1, 'b': [1, {'c': `2020-01-01T`}]}, {'a': 2} >>",
    "UPDATE T AS t SET t.a = t.a + 1, t.b[0] = 'x' WHERE t.a BETWEEN 1 AND 3",
    "FROM T AS t WHERE t.a = 1 INSERT INTO t.b VALUE {'d': 3} AT 0",
    "DELETE FROM T AS t BY id WHERE id = 'x'",
    "SELECT COUNT(*), SUM(t.a), CAST(t.a AS string) FROM T AS t, @t.b AS b AT i",
    "SELECT VALUE date_add(day, 1, `2020-01-01T`) FROM <<1, 2>> AS v, [1, 2] AS x, [3] AS y",
    "SELECT * FROM history(T, `2000T`, `2020T`) AS h WHERE h.metadata.id = 'x'",
    "CREATE INDEX ON T (a)",
    "EXEC REDACT_REVISION `{strandId:\"a\", sequenceNo:1}`, 'a', 'b'",
    "SELECT CASE WHEN t.a = 1 THEN 'x' ELSE substring('abc', 1, 2) || 'y' END FROM T AS t",
]
VALUES = [
    {"a": 1, "b": [1.5, "x", None], "c": {"d": b"blob"}},
    [1, "two", simpleion.loads("2020-01-01T00:00:00.123Z"), simpleion.loads("a::b::(x 1 2)")],
    simpleion.loads("{a: 1d-300, b: {{aGk=}}, c: null.int, d: 1234567890123456789012345678901234567890}"),
]


def _mutated(chance: random.Random, data: bytes, others: list[bytes]) -> bytes:
    """The data after one to four changes of bytes, pieces or lengths."""
    octets = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(octets) + 1)
        kind = chance.randrange(6)
        if kind == 0 and octets:
            octets[place % len(octets)] = chance.randrange(256)
        elif kind == 1:
            del octets[place : place + chance.randrange(1, 12)]
        elif kind == 2:
            octets[place:place] = bytes(
                chance.choice([b"\0", b"\r\n", b"\n", b"'", b"{", b"(", b"[", b"`", b" ", b"\xff", b";"])
            )
        elif kind == 3:
            octets[place:place] = octets[place // 2 : place // 2 + 20] * chance.randrange(1, 30)
        elif kind == 4:
            other = chance.choice(others)
            octets[place:] = other[chance.randrange(len(other)) :]
        else:
            octets[place:place] = chance.randbytes(chance.randrange(1, 6))
    return bytes(octets)


def _http(server: ServerProcess, chance: random.Random, findings: Findings) -> None:
    data = _mutated(chance, chance.choice(REQUESTS), REQUESTS)
    began = time.monotonic()
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_SECONDS) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
        except (ConnectionError, TimeoutError) as error:
            findings.check(isinstance(error, ConnectionError), f"no answer in {ANSWER_SECONDS} s to {data!r}")
    findings.count("requests")
    for line in answer.split(b"\r\n"):
        if line.startswith(b"HTTP/1.1 5"):
            findings.fail(f"{line!r} to {data!r} in {time.monotonic() - began:.1f} s")


def _send(server: ServerProcess) -> Callable[..., dict[str, object]]:
    session = boto3.client("qldb-session", endpoint_url=server.url, config=NO_RETRIES, **KEYS)
    return session.send_command  # type: ignore[no-any-return]


class _Transactions:
    """Statements one after another in transactions; a new one begins when the last has ended."""

    def __init__(self, server: ServerProcess) -> None:
        self._send = _send(server)
        self._begin()

    def _begin(self) -> None:
        self._token = self._send(StartSession={"LedgerName": "fuzzed"})["StartSession"]["SessionToken"]  # type: ignore[index]
        started = self._send(SessionToken=self._token, StartTransaction={})
        self._transaction = started["StartTransaction"]["TransactionId"]  # type: ignore[index]

    def execute(self, statement: str, parameters: list[bytes], findings: Findings) -> None:
        command_ = {
            "TransactionId": self._transaction,
            "Statement": statement,
            "Parameters": [{"IonBinary": each} for each in parameters],
        }
        began = time.monotonic()
        try:
            self._send(SessionToken=self._token, ExecuteStatement=command_)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            said = json.dumps(error.response["Error"])
            findings.check(status < 500, f"{status} {said} to {statement!r} {parameters!r}")
            if error.response["Error"]["Code"] != "BadRequestException":
                self._begin()
        took = time.monotonic() - began
        findings.check(took < ANSWER_SECONDS, f"{took:.1f} s for {statement!r}")


def _statement(transactions: _Transactions, chance: random.Random, findings: Findings) -> None:
    sources = [text.encode() for text in STATEMENTS]
    text = _mutated(chance, chance.choice(sources), sources).decode("utf-8", "replace")[:90_000]
    if text:
        transactions.execute(text, [], findings)
        findings.count("statements")


def _value(transactions: _Transactions, chance: random.Random, findings: Findings) -> None:
    sources = [simpleion.dumps(value) for value in VALUES]
    data = _mutated(chance, chance.choice(sources), sources)[:131_072]
    if data:
        statement = chance.choice(["INSERT INTO T ?", "SELECT VALUE ? FROM <<1>> AS x", "SELECT * FROM T WHERE a = ?"])
        transactions.execute(statement, [data], findings)
        findings.count("Ion values")


def _archives(server: ServerProcess, data_dir: str, folder: Path) -> Path:
    """An export of a ledger with a few blocks, made by the command."""
    source = folder / "whole"
    result = command("export", "fuzzed", str(source), "--format", "ion_binary", "--data-dir", data_dir)
    if result.returncode != 0:
        raise RuntimeError(f"the export failed: {result.stderr}")
    return source


def _archive(source: Path, folder: Path, chance: random.Random, findings: Findings) -> None:
    """One file of an export is changed: ``verify`` and ``import`` answer with a sentence and an exit code."""
    broken = folder / "broken"
    shutil.rmtree(broken, ignore_errors=True)
    shutil.copytree(source, broken)
    files = sorted(path for path in broken.rglob("*") if path.is_file())
    path = chance.choice(files)
    data = path.read_bytes()
    path.write_bytes(_mutated(chance, data, [data]))
    for arguments in (("verify", str(broken)), ("import", str(broken), "again", "--data-dir", str(folder / "data"))):
        result = command(*arguments, timeout=120)
        said = result.stdout + result.stderr
        findings.check("Traceback" not in said and result.returncode in range(5), f"{arguments[0]}: {said[-600:]}")
        shutil.rmtree(folder / "data", ignore_errors=True)
    findings.count("archives")


def _turns(options: argparse.Namespace) -> Iterator[None]:
    end = time.monotonic() + options.seconds
    while time.monotonic() < end:
        yield


def run(options: argparse.Namespace) -> Findings:
    """options: seconds, seed."""
    findings = Findings("malformed input")
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as data_dir, tempfile.TemporaryDirectory() as scratch:
        limit = f"transaction_seconds={TRANSACTION_SECONDS}"
        server = ServerProcess("--data-dir", data_dir, "--admin", "--limit", limit)
        try:
            client("qldb", server.url).create_ledger(
                Name="fuzzed", PermissionsMode="ALLOW_ALL", DeletionProtection=False
            )
            with driver("fuzzed", server.url) as begin:
                rows(begin, "CREATE TABLE T")
                for number in range(20):
                    rows(begin, "INSERT INTO T ?", {"a": number, "b": [number], "c": base64.b64encode(b"x").decode()})
            source = _archives(server, data_dir, Path(scratch))
            transactions = _Transactions(server)
            for number, _ in enumerate(_turns(options)):
                _http(server, chance, findings)
                _statement(transactions, chance, findings)
                _value(transactions, chance, findings)
                if number % 100 == 0:
                    _archive(source, Path(scratch), chance, findings)
            with driver("fuzzed", server.url) as after:
                findings.check(rows(after, "SELECT VALUE 1 FROM <<1>> AS x") == [1], "the server answers no more")
        finally:
            server.kill()
        for line in tracebacks(server):
            findings.fail(f"the log says {line}")
    return findings
