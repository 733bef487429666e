"""Runs concurrent transactions on lists and registers, and records the history for ``cycles``.

As a program: ``cycle_load.py --transactions 100000 --threads 16 [--in-process]``; prints what it did and every anomaly.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
import urllib.request
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

if __name__ == "__main__":  # as a program it finds the package and its neighbours by itself
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from helpers.cycles import Observed, anomalies

from qldb_emulator.context import RequestContext
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.ion.codec import dumps, loads
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.journal.hashing import CommitDigest, statement_digest
from qldb_emulator.settings import Settings
from qldb_emulator.web.app import create_dispatcher
from qldb_emulator.web.server import Server

CONTEXT = RequestContext("us-east-1", "local", "4SnOdtcgpur5MmhXFEV3iE")
LEDGER = "cycles"
KEYS_AT_ONCE = 12
TRANSACTIONS_A_KEY = 30  # then a new key takes its place, so that lists stay short
CONFLICT = "OccConflictException"


class Conflict(Exception):
    """The transaction lost."""


class Channel(Protocol):
    """Sends session commands.  Raises Conflict."""

    def send(self, command: str, token: str | None, members: dict[str, Any]) -> dict[str, Any]: ...

    def close(self) -> None: ...


class InProcess:
    """Straight into the engine."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def send(self, command: str, token: str | None, members: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._emulator.send_command(command, token, members, CONTEXT).members
        except QldbError as error:
            if error.shape == CONFLICT:
                raise Conflict from error
            raise

    def close(self) -> None:
        """Nothing is held."""


class OverHttp:
    """One connection to a server."""

    def __init__(self, host: str, port: int) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=60)

    def send(self, command: str, token: str | None, members: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {command: _to_json(members)}
        if token is not None:
            body["SessionToken"] = token
        headers = {"X-Amz-Target": "QLDBSession.SendCommand"}
        self._connection.request("POST", "/", json.dumps(body), headers)
        reply = self._connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status != 200:
            if CONFLICT in answer["__type"]:
                raise Conflict
            raise RuntimeError(f"{reply.status}: {answer}")
        result: dict[str, Any] = answer[command]
        for page in (result.get("FirstPage"), result.get("Page")):
            if page is not None:
                page["Values"] = [b64decode(value["IonBinary"]) for value in page["Values"]]
        return result

    def close(self) -> None:
        self._connection.close()


def _to_json(members: dict[str, Any]) -> dict[str, Any]:
    wire = dict(members)
    if "CommitDigest" in wire:
        wire["CommitDigest"] = b64encode(wire["CommitDigest"]).decode()
    if "Parameters" in wire:
        wire["Parameters"] = [{"IonBinary": b64encode(p["IonBinary"]).decode()} for p in wire["Parameters"]]
    return wire


class Client:
    """A session and its open transaction."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._token = channel.send("StartSession", None, {"LedgerName": LEDGER})["SessionToken"]

    def close(self) -> None:
        self._channel.close()

    def begin(self) -> None:
        self._id = self._channel.send("StartTransaction", self._token, {})["TransactionId"]
        self._digest = CommitDigest(self._id)

    def execute(self, statement: str, *parameters: Any) -> list[Any]:
        self._digest.add(statement_digest(statement, [hash_value(value) for value in parameters]))
        holders = [{"IonBinary": dumps(value)} for value in parameters]
        asked = {"TransactionId": self._id, "Statement": statement, "Parameters": holders}
        page = self._channel.send("ExecuteStatement", self._token, asked)["FirstPage"]
        rows = [loads(value) for value in page["Values"]]
        while page.get("NextPageToken"):
            asked = {"TransactionId": self._id, "NextPageToken": page["NextPageToken"]}
            page = self._channel.send("FetchPage", self._token, asked)["Page"]
            rows += [loads(value) for value in page["Values"]]
        return rows

    def commit(self) -> None:
        asked = {"TransactionId": self._id, "CommitDigest": self._digest.value}
        self._channel.send("CommitTransaction", self._token, asked)

    def abort(self) -> None:
        self._channel.send("AbortTransaction", self._token, {})

    def run(self, statement: str, *parameters: Any) -> list[Any]:
        self.begin()
        rows = self.execute(statement, *parameters)
        self.commit()
        return rows


class Load:
    """A run of many transactions from many threads."""

    def __init__(self, transactions: int, threads: int, new_channel: Callable[[], Channel], seed: int = 0) -> None:
        self.history: list[Observed] = []
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0
        self._transactions = transactions
        self._threads = threads
        self._new_channel = new_channel
        self._seed = seed
        self._begun = 0
        self._version = 0
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []

    def run(self) -> list[str]:
        """Run it, and return every anomaly."""
        client = Client(self._new_channel())
        for table in ("Lists", "Registers"):
            client.run(f"CREATE TABLE {table}")
            client.run(f"CREATE INDEX ON {table} (k)")
        started = time.perf_counter()
        threads = [threading.Thread(target=self._work, args=(number,)) for number in range(self._threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.seconds = time.perf_counter() - started
        if self._errors:
            raise self._errors[0]
        hide_overwritten(self.history)
        client.close()  # a balancer has closed the connection, if the run was long
        client = Client(self._new_channel())
        final = final_versions(client)
        client.close()
        return anomalies(self.history, final)

    def _work(self, number: int) -> None:
        try:
            client, choice = Client(self._new_channel()), random.Random(f"{self._seed} {number}")
            with closing(client):
                while (epoch := self._next()) is not None:
                    self._transaction(client, choice, epoch)
        except BaseException as error:
            self._errors.append(error)

    def _next(self) -> int | None:
        with self._lock:
            if self._begun >= self._transactions or self._errors:
                return None
            self._begun += 1
            return self._begun // (TRANSACTIONS_A_KEY * KEYS_AT_ONCE)

    def _new_version(self) -> int:
        with self._lock:
            self._version += 1
            return self._version

    def _transaction(self, client: Client, choice: random.Random, epoch: int) -> None:
        observed = Observed(time.perf_counter())
        keys = choice.sample(range(KEYS_AT_ONCE * 2), choice.randint(1, 4))
        try:
            client.begin()
            for key in keys:
                for _ in range(choice.randint(1, 2)):
                    self._operation(client, choice, observed, f"{'LR'[key % 2]}{epoch}-{key}")
            if choice.random() < 0.03:
                client.abort()
                outcome = "aborted"
            else:
                client.commit()
                observed.committed = True
                outcome = "committed"
        except Conflict:
            outcome = "conflict"
        observed.ended = time.perf_counter()
        with self._lock:
            self.counts[outcome] += 1
            self.history.append(observed)

    def _operation(self, client: Client, choice: random.Random, observed: Observed, key: str) -> None:
        is_list = key[0] == "L"
        table = "Lists" if is_list else "Registers"
        chance = choice.random()
        seen = self._read(client, choice, observed, key, table)
        if chance < 0.45:
            return
        version = self._new_version()
        if seen is None:
            client.execute(f"INSERT INTO {table} ?", {"k": key, "v": [version] if is_list else version})
        elif not is_list:
            client.execute("UPDATE Registers SET v = ? WHERE k = ?", version, key)
        elif chance < 0.75:
            client.execute("FROM Lists AS l WHERE l.k = ? INSERT INTO l.v VALUE ?", key, version)
        else:
            client.execute("UPDATE Lists SET v = ? WHERE k = ?", [*seen, version], key)
        observed.writes.setdefault(key, []).append(version)

    def _read(self, client: Client, choice: random.Random, observed: Observed, key: str, table: str) -> Any:
        """Return the value of a key.

        What the transaction wrote itself must be there; the first other version is noted.
        """
        # Now and then without the index; less often when the tables have grown, or nothing else would happen.
        if choice.random() < 0.02 / (1 + self._begun / 1000):
            rows = [row["v"] for row in client.execute(f"SELECT * FROM {table}") if row["k"] == key]
        else:
            rows = client.execute(f"SELECT VALUE v FROM {table} WHERE k = ?", key)
        assert len(rows) <= 1, f"{key} is there {len(rows)} times"
        seen = rows[0] if rows else None
        versions = [] if seen is None else seen if key[0] == "L" else [seen]
        own = observed.writes.get(key, [])
        if own:
            assert versions[-1] == own[-1], f"{key} does not show the transaction's own {own}: {versions}"
        elif key in observed.reads:
            assert observed.reads[key] == (versions[-1] if versions else None), f"{key} changed within a transaction"
        else:
            observed.reads[key] = versions[-1] if versions else None
        return seen


def final_versions(client: Client) -> dict[str, list[int]]:
    """Return every key's versions in order: of lists from the lists, of registers from their history."""
    final: dict[str, list[int]] = {row["k"]: list(row["v"]) for row in client.run("SELECT * FROM Lists")}
    for row in client.run("SELECT data.k AS k, data.v AS v, metadata.version AS n FROM history(Registers)"):
        final.setdefault(row["k"], []).append(row["v"])
        assert len(final[row["k"]]) == row["n"] + 1
    return final


def hide_overwritten(history: list[Observed]) -> None:
    """A register's history shows only the last version of each transaction."""
    for observed in history:
        for key, versions in observed.writes.items():
            if key[0] == "R":
                del versions[:-1]


def run_load(transactions: int, threads: int, over_http: bool, seed: int = 0) -> tuple[Load, list[str]]:
    """Return a run against an emulator of its own."""
    with Emulator(Settings(is_ephemeral=True)) as emulator:
        emulator.call("CreateLedger", {"Name": LEDGER, "PermissionsMode": "ALLOW_ALL"}, CONTEXT)
        if not over_http:
            load = Load(transactions, threads, lambda: InProcess(emulator), seed)
            return load, load.run()
        with Server(create_dispatcher(emulator)) as server:
            load = Load(transactions, threads, lambda: OverHttp(server.host, server.port), seed)
            return load, load.run()


def run_cluster_load(transactions: int, threads: int, servers: int, seed: int = 0) -> tuple[Load, list[str]]:
    """A run against servers that share a journal in PostgreSQL, behind HAProxy.  Their digests must be equal."""
    from helpers.cluster import cluster
    from helpers.postgres import postgres

    with (
        postgres() as database,
        tempfile.TemporaryDirectory() as folder,
        cluster(Path(folder), database.url, servers) as made,
    ):
        ask(f"{made.url}/ledgers", {"Name": LEDGER, "PermissionsMode": "ALLOW_ALL"})
        address = urlsplit(made.url)
        assert address.hostname is not None
        assert address.port is not None
        host, port = address.hostname, address.port
        load = Load(transactions, threads, lambda: OverHttp(host, port), seed)
        found = load.run()
        digests = {str(ask(f"{server.url}/ledgers/{LEDGER}/digest", {})) for server in made.servers}
        if len(digests) != 1:
            found.append(f"the servers have different digests: {digests}")
        return load, found


def ask(url: str, members: dict[str, Any]) -> dict[str, Any]:
    """POST to the control plane."""
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(members).encode()), timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Search for dependency cycles in a concurrent history.")
    parser.add_argument("--transactions", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--in-process", action="store_true", help="without HTTP")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--servers", type=int, default=0, help="so many servers over one PostgreSQL, behind HAProxy")
    options = parser.parse_args()
    if options.servers:
        load, found = run_cluster_load(options.transactions, options.threads, options.servers, options.seed)
    else:
        load, found = run_load(options.transactions, options.threads, not options.in_process, options.seed)
    share = load.counts["conflict"] / sum(load.counts.values())
    print(
        f"{sum(load.counts.values())} transactions in {load.seconds:.1f} s: {dict(load.counts)}, "
        f"{load.counts['committed'] / load.seconds:.0f} commits/s, {share:.1%} conflicts; {len(found)} anomalies"
    )
    print("\n".join(found[:20]))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
