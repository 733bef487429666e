"""Many clients at once, over HTTP, against one server with durable commits: what a transaction takes of the whole.

The figure is the time of the run through the number of transactions, so a ratio of 1 means that more clients get as
much done as one; the notes give transactions and SendCommands a second, and how long one transaction took.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.settings import Settings

from ..bench import Bench, BenchError
from ..documents import INDEXED, TABLE, registration, vin
from ..fill import create_ledger
from ..http_driver import HttpEmulator
from ..local_driver import LocalDriver
from ..rows import Family, Row, Samples, control
from ..servers import ServerProcess, emulator_over
from ..sqlite_alone import sqlite_commit

LEDGER = "concurrency"
DOCUMENTS = 64  # one for each client of the largest crowd
SELECT = f"SELECT * FROM {TABLE} WHERE {INDEXED} = ?"
UPDATE = f"UPDATE {TABLE} SET Mileage = ? WHERE {INDEXED} = ?"
INSERT = f"INSERT INTO {TABLE} ?"
CONFLICT = "OccConflictException"
_PER_RUN = 64  # transactions, shared by the clients
_SHARE = 10  # a run has many of them

Work = Callable[[LocalDriver, int], int]
"""One transaction of a client; returns how many commands it sent."""


@contextmanager
def server(bench: Bench) -> Iterator[ServerProcess]:
    """Yield a durable emulator with a few documents."""
    data_dir = bench.directory / "concurrency"
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        create_ledger(emulator, LEDGER, {TABLE: INDEXED})
        driver = LocalDriver(emulator, LEDGER)
        for number in range(DOCUMENTS):
            driver.insert(TABLE, [registration(number)])
    with emulator_over(data_dir) as process:
        yield process


def read(driver: LocalDriver, number: int) -> int:
    transaction = driver.transaction()
    assert len(transaction.pages(SELECT, vin(number))) == 1
    transaction.commit()
    return 3


def insert(driver: LocalDriver, number: int) -> int:
    transaction = driver.transaction()
    transaction.pages(INSERT, registration(time.perf_counter_ns() % 1_000_000_000))
    transaction.commit()
    return 3


def change(driver: LocalDriver, number: int) -> int:
    """Read a document and write it."""
    transaction = driver.transaction()
    transaction.pages(SELECT, vin(number))
    transaction.pages(UPDATE, number, vin(number))
    transaction.commit()
    return 4


def contended(driver: LocalDriver, number: int) -> int:
    """Let all clients change one document; a client that meets a conflict begins again."""
    commands = 0
    while True:
        try:
            return commands + change(driver, 0)
        except QldbError as error:
            if error.shape != CONFLICT:
                raise
            commands += 4


class Crowd:
    """Clients, each with a connection, a session and a thread of its own."""

    def __init__(self, bench: Bench, clients: int, work: Work) -> None:
        port = bench.shared(server).port
        self._drivers = [LocalDriver(HttpEmulator(port), LEDGER) for _ in range(clients)]
        self._work = work
        self.taken_ms: list[float] = []
        self.commands: list[int] = []
        self.seconds = 0.0

    def run(self) -> float:
        """Nanoseconds of a run, per transaction."""
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=self._client, args=(driver, number, failures))
            for number, driver in enumerate(self._drivers)
        ]
        began = time.perf_counter_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_ns = time.perf_counter_ns() - began
        if failures:
            raise BenchError(f"a transaction failed: {failures[0]!r}")
        self.seconds += elapsed_ns / 1e9
        return elapsed_ns / (_PER_RUN // len(self._drivers) * len(self._drivers))

    def _client(self, driver: LocalDriver, number: int, failures: list[BaseException]) -> None:
        try:
            for _ in range(_PER_RUN // len(self._drivers)):
                began = time.perf_counter_ns()
                self.commands.append(self._work(driver, number))
                self.taken_ms.append((time.perf_counter_ns() - began) / 1e6)
        except Exception as error:
            failures.append(error)

    def __str__(self) -> str:
        cuts = statistics.quantiles(self.taken_ms, n=100)
        return (
            f"{len(self._drivers)} clients: {len(self.taken_ms) / self.seconds:,.0f} transactions/s, "
            f"{sum(self.commands) / self.seconds:,.0f} SendCommands/s, p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms"
        )


def crowds(many: int, few: int, work: Work) -> Callable[[Bench], Samples]:
    """Return the measurement of a row: many clients against few."""

    def measure(bench: Bench) -> Samples:
        left, right = Crowd(bench, many, work), Crowd(bench, few, work)
        samples = bench.compare(left.run, right.run, "ms", share=_SHARE)
        return replace(samples, note=f"{left}; {right}")

    return measure


def measure_against_sqlite(bench: Bench) -> Samples:
    crowd, commit = Crowd(bench, 8, insert), sqlite_commit(bench.directory)

    def alone() -> float:
        return sum(commit() for _ in range(_PER_RUN)) / _PER_RUN

    samples = bench.compare(crowd.run, alone, "ms", share=_SHARE)
    commits = 1000 / statistics.median(samples.right)
    return replace(samples, note=f"{crowd}; SQLite alone, in one thread: {commits:,.0f} commits/s")


def row(name: str, many: int, few: int, work: Work, what: str, goal: float, source: str) -> Row:
    clients = "one client" if few == 1 else f"{few} clients"
    return Row(name, f"{what}, {many} clients, per transaction", clients, goal, source, crowds(many, few, work))


SAME = "ours: more clients get no less done"
MINE = "read and write of a document of one's own, durable"
HOT = "read and write of one document by all"
LIVE = "ours: no livelock"
FAMILY = Family(
    "concurrency over HTTP",
    control("concurrency-control", "8 clients reading", crowds(8, 8, read)),
    (
        row("read-8", 8, 1, read, "SELECT by index", 1.1, SAME),
        row("read-64", 64, 8, read, "SELECT by index", 1.25, SAME),
        row("insert-8", 8, 1, insert, "INSERT, durable", 1.1, SAME),
        row("insert-64", 64, 8, insert, "INSERT, durable", 1.25, SAME),
        row("change-8", 8, 1, change, MINE, 1.1, SAME),
        row("change-64", 64, 8, change, MINE, 1.25, SAME),
        row("contended-8", 8, 1, contended, HOT, 8.0, LIVE),
        row("contended-64", 64, 8, contended, HOT, 8.0, LIVE),
        Row(
            "insert-sqlite",
            "INSERT, durable, 8 clients, per transaction",
            "SQLite alone, a commit with the same bytes and the same syncing",
            5.0,
            "issue: the storage limit; ours: three requests cost less than four commits",
            measure_against_sqlite,
        ),
    ),
)
