"""Crowds of clients in a process of their own, written in Go, that take little of the machine themselves.

Two kinds: the official Go driver, and a client that has the bytes of its requests beforehand, which shows what the
server alone can do.  The crowd waits for its turn, so two crowds can be compared run by run.
"""

from __future__ import annotations

import json
import statistics
import subprocess
from base64 import b64encode
from typing import Any, Literal

from qldb_emulator.ion.codec import dumps
from qldb_emulator.ion.hash import hash_value
from qldb_emulator.ion.values import IonValue
from qldb_emulator.journal.hashing import statement_digest

from .bench import Bench, BenchError, SkippedError
from .documents import INDEXED, TABLE, registration, vin
from .servers import ServerProcess

How = Literal["driver", "raw"]
Kind = Literal["read", "insert", "change", "contended"]

SELECT = f"SELECT * FROM {TABLE} WHERE {INDEXED} = ?"
UPDATE = f"UPDATE {TABLE} SET Mileage = ? WHERE {INDEXED} = ?"
INSERT = f"INSERT INTO {TABLE} ?"
COMMANDS = {"read": 3, "insert": 3, "change": 4, "contended": 4}
"""SendCommands of one transaction, conflicts left out."""


class LoadClients:
    """Some clients of one kind, each with a connection and a session of its own."""

    def __init__(
        self, bench: Bench, how: How, kind: Kind, clients: int, server: ServerProcess, ledger: str, run: int
    ) -> None:
        """run: how many transactions one run has, shared by the clients."""
        if bench.tools.go_load is None:
            raise SkippedError("Go is not on this machine")
        self._kind, self._clients, self._transactions = kind, clients, run
        self._taken_ms: list[float] = []
        self._seconds = 0.0
        self._conflicts = self._done = 0
        job = {
            "how": how,
            "address": f"127.0.0.1:{server.port}",
            "ledger": ledger,
            "scripts": [script(kind, number) for number in range(clients)],
            "reads_row": kind != "insert",
        }
        # Ends with its input, which closes with this process at the latest.
        self._process = subprocess.Popen(
            [str(bench.tools.go_load)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        bench.at_end(self.close)
        self._send(json.dumps(job))

    def run(self) -> float:
        """Nanoseconds of a run, per transaction."""
        self._send(str(self._transactions))
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError(f"the clients failed:\n{self._process.communicate()[1][-2000:]}")
        answer = json.loads(line)
        self._taken_ms += answer["taken_ms"]
        self._seconds += answer["elapsed_ns"] / 1e9
        self._conflicts += answer["conflicts"]
        self._done += self._transactions
        return float(answer["elapsed_ns"] / self._transactions)

    def close(self) -> None:
        """End the process."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise BenchError(f"the clients failed:\n{self._process.communicate()[1][-2000:]}") from None

    def __str__(self) -> str:
        cuts = statistics.quantiles(self._taken_ms, n=100)
        commands = (self._done + self._conflicts) * COMMANDS[self._kind]
        tried = self._done + self._conflicts
        return (
            f"{self._clients} clients: {self._done / self._seconds:,.0f} transactions/s, "
            f"{commands / self._seconds:,.0f} SendCommands/s, p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, "
            f"{self._conflicts / tried:.0%} conflicts"
        )


def script(kind: Kind, number: int) -> list[dict[str, Any]]:
    """Return the statements of a client's transaction."""
    key = vin(0 if kind == "contended" else number)
    if kind == "read":
        return [statement(SELECT, key)]
    if kind == "insert":
        return [statement(INSERT, registration(500_000_000 + number))]
    return [statement(SELECT, key), statement(UPDATE, number, key)]


def statement(text: str, *parameters: IonValue) -> dict[str, Any]:
    """Return a statement as both kinds of clients read it."""
    return {
        "text": text,
        "parameters": [b64encode(dumps(value)).decode() for value in parameters],
        "digest": b64encode(statement_digest(text, [hash_value(value) for value in parameters])).decode(),
        "values": [{"registration": value["Mileage"]} if isinstance(value, dict) else value for value in parameters],
    }
