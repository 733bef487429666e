"""Short requests beside a long one, over HTTP: how much longer a lookup takes while another client scans a table."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..bench import Bench, BenchError
from ..documents import INDEXED, TABLE, registration, vin
from ..fill import append_inserts, create_ledger
from ..http_driver import HttpEmulator
from ..local_driver import LocalDriver
from ..rows import Family, Row, Samples, control
from ..servers import ServerProcess, emulator_over

LEDGER = "latency"
SELECT = f"SELECT * FROM {TABLE} WHERE {INDEXED} = ?"
# Every pair of documents is looked at: that keeps a processor busy for about a second.
LONG = f"SELECT COUNT(*) FROM {TABLE} AS a, {TABLE} AS b WHERE a.Mileage + b.Mileage < 0"
_MORE = 10  # times Scale.count: requests of a repetition, enough for a 99th percentile
_STARTED_SECONDS = 0.05
_START_WAIT_SECONDS = 30


@contextmanager
def server(bench: Bench) -> Iterator[ServerProcess]:
    """Yield a durable emulator with documents to select and to scan."""
    data_dir = bench.directory / "latency"
    with Emulator(Settings(data_dir=data_dir)) as emulator:
        create_ledger(emulator, LEDGER, {TABLE: INDEXED})
        append_inserts(emulator, LEDGER, TABLE, (registration(number) for number in range(bench.scale.small)))
    with emulator_over(data_dir) as process:
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
    """A connection that selects a row by its index.  In a with block."""

    def __init__(self, bench: Bench) -> None:
        self._connection = HttpEmulator(bench.shared(server).port)
        self._driver = LocalDriver(self._connection, LEDGER)
        self._bench = bench

    def __enter__(self) -> Reader:
        self.taken_ms(_MORE)  # unmeasured
        return self

    def __exit__(self, *exception: object) -> None:
        self._connection.close()

    def taken_ms(self, times: int) -> list[float]:
        """Return what each of so many times Scale.count ExecuteStatement requests takes."""
        bench = self._bench
        taken = []
        for _ in range(times * bench.scale.count):
            transaction = self._driver.transaction()
            assert len(transaction.pages(SELECT, vin(bench.random.randrange(bench.scale.small)))) == 1
            transaction.abort()
            taken.append(transaction.execute_ns / 1e6)
        return taken

    def repetition(self, middle: Callable[[], float]) -> tuple[float, float]:
        """Return a figure of the middle, and the p50 of requests before and after it, while nothing else runs.

        Both together, so that a machine that becomes slower or faster meanwhile does not show as a difference.
        """
        before = self.taken_ms(_MORE // 2)
        figure = middle()
        return figure, statistics.median(before + self.taken_ms(_MORE // 2))


def as_samples(pairs: list[tuple[float, float]], note: str = "") -> Samples:
    return Samples(tuple(left for left, _ in pairs), tuple(right for _, right in pairs), "ms", note)


def measure_control(bench: Bench) -> Samples:
    with Reader(bench) as reader:

        def middle() -> float:
            return statistics.median(reader.taken_ms(_MORE))

        return as_samples([reader.repetition(middle) for _ in range(bench.scale.repetitions)])


def measure_beside_scan(bench: Bench) -> Samples:
    scans_ms: list[float] = []
    with Reader(bench) as reader:

        def beside_scan() -> float:
            with Scanner(bench.shared(server).port) as scanner:
                taken = reader.taken_ms(_MORE)
            scans_ms.extend(scanner.scans_ms)
            return statistics.quantiles(taken, n=100)[98]

        pairs = [reader.repetition(beside_scan) for _ in range(bench.scale.repetitions)]
    note = f"ExecuteStatement alone; the scans take {statistics.median(scans_ms) / 1000:.1f} s each"
    return as_samples(pairs, note)


FAMILY = Family(
    "latency over HTTP",
    control("latency-control", "p50 of SELECT by index, nothing else running", measure_control),
    (
        Row(
            "select-beside-scan",
            "p99 of SELECT by index while another connection scans",
            "its p50 while nothing else runs",
            12.0,
            "measurements.md G17",
            measure_beside_scan,
        ),
    ),
)
