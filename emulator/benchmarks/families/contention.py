"""The cost of many writers: threads on one key, on keys of their own, and inserting without reading."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.settings import Settings

from ..alternate import Case
from ..bench import Bench, BenchError
from ..fill import create_ledger
from ..local_driver import LocalDriver
from ..rows import Family, Row, Samples, control

LEDGER = "contention"
TABLE = "Account"
THREADS = 8
COMMITS = 6  # of each thread in a run
READ = f"SELECT VALUE n FROM {TABLE} WHERE k = ?"
WRITE = f"UPDATE {TABLE} SET n = ? WHERE k = ?"
INSERT = "INSERT INTO Entry ?"
CONFLICT = "OccConflictException"

Work = Callable[[LocalDriver, int], None]


@contextmanager
def emulator(bench: Bench) -> Iterator[Emulator]:
    """Yield a table with a document for each thread, found by an index, and one that only grows."""
    with Emulator(Settings(is_ephemeral=True)) as made:
        create_ledger(made, LEDGER, {TABLE: "k", "Entry": None})
        LocalDriver(made, LEDGER).insert(TABLE, [{"k": k, "n": 0} for k in range(THREADS)])
        yield made


class Threads:
    """Some drivers, each in a thread of its own; ``counts`` says how their transactions ended."""

    def __init__(self, bench: Bench, threads: int, work: Work) -> None:
        made = bench.shared(emulator)
        self._drivers = [LocalDriver(made, LEDGER) for _ in range(threads)]
        self._work = work
        self._commits = THREADS * COMMITS // threads
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0

    def run(self) -> float:
        """Run as many commits from few threads as from many.  Return the mean time of a commit, in nanoseconds."""
        failures: list[BaseException] = []
        threads = [
            threading.Thread(target=self._commit_all, args=(driver, number, failures))
            for number, driver in enumerate(self._drivers)
        ]
        began = time.perf_counter_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        elapsed_ns = time.perf_counter_ns() - began
        if failures:
            raise BenchError(f"a transaction failed: {failures[0]}")
        self.seconds += elapsed_ns / 1e9
        return elapsed_ns / (THREADS * COMMITS)

    def _commit_all(self, driver: LocalDriver, number: int, failures: list[BaseException]) -> None:
        done = 0
        while done < self._commits:
            try:
                self._work(driver, number)
            except QldbError as error:
                if error.shape != CONFLICT:
                    failures.append(error)
                    return
                self.counts["conflicts"] += 1
            except Exception as error:
                failures.append(error)
                return
            else:
                self.counts["commits"] += 1
                done += 1

    def __str__(self) -> str:
        commits, conflicts = self.counts["commits"], self.counts["conflicts"]
        return f"{commits / self.seconds:,.0f} commits/s with {conflicts / (commits + conflicts):.0%} conflicts"


def bump(driver: LocalDriver, key: int) -> None:
    """Read a number by its key and write it back, one more."""
    transaction = driver.transaction()
    (number,) = transaction.execute(READ, key)
    assert isinstance(number, int)
    transaction.execute(WRITE, number + 1, key)
    transaction.commit()


def insert(driver: LocalDriver, number: int) -> None:
    """Insert without having read."""
    transaction = driver.transaction()
    transaction.execute(INSERT, {"worker": number})
    transaction.commit()


def on_one_key(bench: Bench) -> Threads:
    return Threads(bench, THREADS, lambda driver, _: bump(driver, 0))


def on_own_keys(bench: Bench) -> Threads:
    return Threads(bench, THREADS, bump)


def compare(bench: Bench, left: Threads, right: Threads, what: str) -> Samples:
    cases: tuple[Case, Case] = (left.run, right.run)
    samples = bench.compare(*cases, "ms")
    return Samples(samples.left, samples.right, samples.unit, f"{what}: {left} against {right}")


def measure_control(bench: Bench) -> Samples:
    return compare(bench, on_own_keys(bench), on_own_keys(bench), f"{THREADS} threads")


def measure_hot_key(bench: Bench) -> Samples:
    return compare(bench, on_one_key(bench), on_own_keys(bench), f"{THREADS} threads, read and update")


def measure_inserts(bench: Bench) -> Samples:
    many, one = Threads(bench, THREADS, insert), Threads(bench, 1, insert)
    samples = compare(bench, many, one, f"{THREADS} threads and 1")
    if many.counts["conflicts"]:
        raise BenchError("blind inserts conflicted")
    return samples


FAMILY = Family(
    "contention, in process",
    control("contention-control", "a commit on a key of one's own", measure_control),
    (
        Row(
            "hot-key",
            "a commit when all threads want one key, retries included",
            "on keys of their own",
            2.0,
            "ours: losers must not hold up winners",
            measure_hot_key,
        ),
        Row(
            "blind-inserts",
            "an insert while seven others insert",
            "inserting alone",
            1.5,
            "ours: waiting for each other must not cost more than the work",
            measure_inserts,
        ),
    ),
)
