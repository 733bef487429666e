"""Clients of several servers that are killed meanwhile, and the account of what each was told.

A client does what an SDK does: it sends a request again when the connection is lost, and begins a new session when its
own is gone.  It notes what it was told of each transaction: committed, not committed, or not known.  In the end each
committed transaction must be there once, and none that was refused.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import threading
import time
import urllib.request
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cycle_load import _to_json

from helpers.cycles import Observed, anomalies
from qldb_emulator.ion.codec import dumps, loads
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.journal.hashing import CommitDigest, statement_digest

LEDGER = "kept"
KEYS = 4
RESEND_SECONDS = 90.0
PAUSE_SECONDS = 0.05


class Refused(Exception):
    """The server answered with an error.  shape, message: of the error."""

    def __init__(self, shape: str, message: str) -> None:
        super().__init__(f"{shape}: {message}")
        self.shape = shape
        self.message = message


class Channel:
    """Sends session commands to one address, again and again until there is an answer."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._host, self._port = parts.hostname, parts.port
        self._connection: http.client.HTTPConnection | None = None
        self.resent = 0

    def send(self, command: str, token: str | None, members: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {command: _to_json(members)}
        if token is not None:
            body["SessionToken"] = token
        text = json.dumps(body)
        deadline = time.monotonic() + RESEND_SECONDS
        while True:
            try:
                status, answer = self._ask(text)
            except (OSError, http.client.HTTPException, ValueError):
                self.close()
                if time.monotonic() > deadline:
                    raise
                self.resent += 1
                time.sleep(PAUSE_SECONDS)
                continue
            if status != 200:
                raise Refused(answer["__type"].rpartition("#")[2], answer.get("message") or answer.get("Message") or "")
            result: dict[str, Any] = answer[command]
            if "FirstPage" in result:
                result["FirstPage"]["Values"] = [b64decode(v["IonBinary"]) for v in result["FirstPage"]["Values"]]
            return result

    def _ask(self, text: str) -> tuple[int, dict[str, Any]]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=130)
        headers = {"X-Amz-Target": "QLDBSession.SendCommand"}
        self._connection.request("POST", "/", text, headers)
        reply = self._connection.getresponse()
        body = reply.read()
        # The balancer's own errors are pages, which raise ValueError here: SDKs send again after those.
        answer: dict[str, Any] = json.loads(body)
        return reply.status, answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Client:
    """A session and its open transaction."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self._token: str | None = None

    def begin(self) -> None:
        if self._token is None:
            self._token = self.channel.send("StartSession", None, {"LedgerName": LEDGER})["SessionToken"]
        self._id = self.channel.send("StartTransaction", self._token, {})["TransactionId"]
        self._digest = CommitDigest(self._id)

    def execute(self, statement: str, *parameters: Any) -> list[Any]:
        self._digest.add(statement_digest(statement, [hash_value(value) for value in parameters]))
        holders = [{"IonBinary": dumps(value)} for value in parameters]
        asked = {"TransactionId": self._id, "Statement": statement, "Parameters": holders}
        page = self.channel.send("ExecuteStatement", self._token, asked)["FirstPage"]
        assert "NextPageToken" not in page
        return [loads(value) for value in page["Values"]]

    def commit(self) -> None:
        asked = {"TransactionId": self._id, "CommitDigest": self._digest.value}
        self.channel.send("CommitTransaction", self._token, asked)

    def forget(self) -> None:
        """Begin a new session the next time."""
        self._token = None

    def run(self, statement: str, *parameters: Any) -> list[Any]:
        """A transaction of one statement, tried until it is committed; for statements that may run twice."""
        deadline = time.monotonic() + RESEND_SECONDS
        while True:
            try:
                self.begin()
                rows = self.execute(statement, *parameters)
                self.commit()
                return rows
            except Refused:
                self.forget()
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_SECONDS)


@dataclass(slots=True)
class Told(Observed):
    """A transaction, and the error that its client got."""

    told: str = ""


class Load:
    """Threads that raise lists and read registers until they are stopped.  url: of the balancer."""

    def __init__(self, url: str, threads: int = 6, seed: int = 0) -> None:
        self._url = url
        self._seed = seed
        self._versions = itertools.count(1)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.problems: list[BaseException] = []
        self.history: list[tuple[Told, str]] = []
        self.longest = 0.0
        self._last_commit = time.monotonic()
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(threads)]

    def begin(self) -> None:
        """Make the ledger's table, and start."""
        client = Client(Channel(self._url))
        for statement in ("CREATE TABLE Lists", "CREATE INDEX ON Lists (k)"):
            client.run(statement)
        for key in range(KEYS):
            client.run("INSERT INTO Lists ?", {"k": f"L{key}", "v": []})
        client.channel.close()
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Stop, and raise what stopped a thread."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.problems:
            raise self.problems[0]

    def wait_for_commits(self, count: int, seconds: float = 120.0) -> None:
        """Wait until so many more transactions were committed."""
        wanted = self.counts["committed"] + count
        deadline = time.monotonic() + seconds
        while self.counts["committed"] < wanted and not self.problems:
            assert time.monotonic() < deadline, f"no commit for {seconds} s: {dict(self.counts)}"
            time.sleep(0.02)

    def _work(self, number: int) -> None:
        choice = random.Random(f"{self._seed} {number}")
        channel = Channel(self._url)
        client = Client(channel)
        try:
            while not self._stop.is_set():
                self._transaction(client, choice)
        except BaseException as problem:
            self.problems.append(problem)
        finally:
            channel.close()
            with self._lock:
                self.counts["requests sent again"] += channel.resent

    def _transaction(self, client: Client, choice: random.Random) -> None:
        seen = Told(time.perf_counter())
        is_committing = False
        try:
            client.begin()
            for number in choice.sample(range(KEYS), choice.randint(1, 2)):
                key = f"L{number}"
                (held,) = client.execute("SELECT VALUE v FROM Lists WHERE k = ?", key)
                seen.reads[key] = held[-1] if held else None
                if choice.random() < 0.6:
                    version = next(self._versions)
                    client.execute("FROM Lists AS l WHERE l.k = ? INSERT INTO l.v VALUE ?", key, version)
                    seen.writes.setdefault(key, []).append(version)
            is_committing = True
            client.commit()
            outcome = "committed"
        except Refused as error:
            outcome = outcome_of(error, is_committing)
            seen.told = str(error)
            if error.shape != "OccConflictException":
                client.forget()
                time.sleep(PAUSE_SECONDS)
        seen.ended = time.perf_counter()
        with self._lock:
            self.counts[outcome] += 1
            self.history.append((seen, outcome))
            if outcome == "committed":
                now = time.monotonic()
                self.longest = max(self.longest, now - self._last_commit)
                self._last_commit = now

    def findings(self) -> list[str]:
        """Everything that is wrong, when all is over and the servers are up."""
        client = Client(Channel(self._url))
        final = {row["k"]: list(row["v"]) for row in client.run("SELECT k, v FROM Lists")}
        client.channel.close()
        present = Counter(version for versions in final.values() for version in versions)
        wrong = [f"version {version} is there {count} times" for version, count in present.items() if count > 1]
        for seen, outcome in self.history:
            versions = [version for written in seen.writes.values() for version in written]
            missing = [version for version in versions if version not in present]
            if outcome == "committed" and missing:
                wrong.append(f"committed, and lost: {missing}")
            if outcome in ("conflict", "not committed") and len(missing) < len(versions):
                wrong.append(f"{outcome}, and there: {set(versions) - set(missing)}: {seen.told}")
            if outcome == "not known" and 0 < len(missing) < len(versions):
                wrong.append(f"half of a transaction is there: {versions}")
            is_there = bool(versions) and not missing
            seen.committed = outcome == "committed" or (outcome == "not known" and is_there)
        return wrong + anomalies([seen for seen, _ in self.history], final)


def outcome_of(error: Refused, is_committing: bool) -> str:
    """What a client knows of its transaction after an error."""
    if error.shape == "OccConflictException":
        return "conflict"
    if "not known whether" in error.message:
        return "not known"
    if error.message == "No open transaction" and is_committing:
        return "not known"  # the answer to the first of two equal requests was lost
    # A request that was sent again met its own effect: a transaction that is open, a statement that ran twice.
    if error.shape == "BadRequestException" and (not is_committing or error.message == "Digests don't match"):
        return "not committed"
    if error.shape in ("InvalidSessionException", "ServiceUnavailable", "ServiceUnavailableException"):
        return "not committed"
    raise error


def make_ledger(url: str) -> None:
    """Create the ledger of the load."""
    body = json.dumps({"Name": LEDGER, "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}).encode()
    ask(f"{url}/ledgers", body)


def ask(url: str, body: bytes) -> dict[str, Any]:
    """POST; again until there is an answer."""
    deadline = time.monotonic() + RESEND_SECONDS
    while True:
        request = urllib.request.Request(url, body)
        with suppress(OSError, ValueError), urllib.request.urlopen(request, timeout=60) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
            return answer
        assert time.monotonic() < deadline, f"{url} does not answer"
        time.sleep(PAUSE_SECONDS)


def digests(urls: Sequence[str]) -> set[str]:
    """The digest of the ledger as each server tells it."""
    answers = [ask(f"{url}/ledgers/{LEDGER}/digest", b"") for url in urls]
    return {json.dumps([answer["Digest"], answer["DigestTipAddress"]]) for answer in answers}
