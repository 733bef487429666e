"""Short requests beside a long one, over HTTP: what somebody who wants one row notices of somebody else's long scan."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..bench import Bench, BenchError
from ..documents import INDEXED, TABLE, registration, vin
from ..fill import append_inserts, create_ledger
from ..http_driver import HttpEmulator
from ..local_driver import LocalDriver
from ..rows import Family, Row, Samples, control
from ..servers import EMULATOR_PROBE, ServerProcess, emulator_command, free_port, running

LEDGER = "latency"
SELECT = f"SELECT * FROM {TABLE} WHERE {INDEXED} = ?"
# Every pair of documents is looked at: that keeps a processor busy for about a second.
LONG = f"SELECT COUNT(*) FROM {TABLE} AS a, {TABLE} AS b WHERE a.Mileage + b.Mileage < 0"
_MORE = 10  # times Scale.count: requests of a repetition, enough for a 99th percentile
_STARTED_SECONDS = 0.05
_START_WAIT_SECONDS = 30


@contextmanager
def server(bench: Bench) -> Iterator[ServerProcess]:
    """A durable emulator with documents to select and to scan."""
    data_dir = bench.directory / "latency"
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        create_ledger(emulator, LEDGER, {TABLE: INDEXED})
        append_inserts(emulator, LEDGER, TABLE, (registration(number) for number in range(bench.scale.small)))
    port = free_port()
    log = bench.directory / "latency.log"
    with running(emulator_command(port, data_dir), port, log, EMULATOR_PROBE) as process:
        yield process


class Scanner:
    """A connection that scans, one scan after the other, while its with block runs.  scans_ms: what each took."""

    def __init__(self, port: int) -> None:
        self._connection = HttpEmulator(port)
        self._driver = LocalDriver(self._connection, LEDGER)
        self._is_stopping = threading.Event()
        self._has_started = threading.Event()
        self._thread = threading.Thread(target=self._scan)
        self._failure: BaseException | None = None
        self.scans_ms: list[float] = []

    def __enter__(self) -> Scanner:
        self._thread.start()
        if not self._has_started.wait(_START_WAIT_SECONDS):
            raise BenchError("the scan never began")
        time.sleep(_STARTED_SECONDS)
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_stopping.set()
        self._thread.join()
        self._connection.close()
        if self._failure is not None:
            raise BenchError(f"the scan failed: {self._failure!r}")

    def _scan(self) -> None:
        try:
            while not self._is_stopping.is_set():
                transaction = self._driver.transaction()
                self._has_started.set()
                transaction.pages(LONG)
                transaction.abort()
                self.scans_ms.append(transaction.execute_ns / 1e6)
        except Exception as error:
            self._failure = error


class Reader:
    """A connection that selects a row by its index."""

    def __init__(self, bench: Bench) -> None:
        self._driver = LocalDriver(HttpEmulator(bench.shared(server).port), LEDGER)
        self._bench = bench

    def taken_ms(self) -> list[float]:
        """What each of many ExecuteStatement requests takes."""
        bench = self._bench
        taken = []
        for _ in range(_MORE * bench.scale.count):
            transaction = self._driver.transaction()
            assert len(transaction.pages(SELECT, vin(bench.random.randrange(bench.scale.small)))) == 1
            transaction.abort()
            taken.append(transaction.execute_ns / 1e6)
        return taken


def measure_control(bench: Bench) -> Samples:
    reader = Reader(bench)
    reader.taken_ms()
    pairs = [(reader.taken_ms(), reader.taken_ms()) for _ in range(bench.scale.repetitions)]
    left, right = ([statistics.median(pair[side]) for pair in pairs] for side in (0, 1))
    return Samples(tuple(left), tuple(right), "ms")


def measure_beside_scan(bench: Bench) -> Samples:
    reader = Reader(bench)
    reader.taken_ms()
    busy: list[float] = []
    idle: list[float] = []
    scans_ms: list[float] = []
    for _ in range(bench.scale.repetitions):
        idle.append(statistics.median(reader.taken_ms()))
        with Scanner(bench.shared(server).port) as scanner:
            busy.append(statistics.quantiles(reader.taken_ms(), n=100)[98])
        scans_ms += scanner.scans_ms
    note = f"ExecuteStatement alone; the scans take {statistics.median(scans_ms) / 1000:.1f} s each"
    return Samples(tuple(busy), tuple(idle), "ms", note)


FAMILY = Family(
    "latency over HTTP",
    control("latency-control", "p50 of SELECT by index, nothing else running", measure_control),
    (
        Row(
            "select-beside-scan",
            "p99 of SELECT by index while another connection scans",
            "its p50 while nothing else runs",
            12.0,
            "performance.md 11 G17",
            measure_beside_scan,
        ),
    ),
)
