"""Scans without an index compared with the least work of any scan: fetching the stored documents from SQLite."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.engine.ledger.tables import PREFILTERED_SCANS_MAX
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..bench import Bench
from ..documents import INDEXED, TABLE, registration
from ..fill import append_inserts, create_ledger
from ..local_driver import REGION, LocalDriver
from ..rows import Family, Row, Samples, control

LEDGER = "scans"
SCAN = f"SELECT * FROM {TABLE} WHERE LicensePlateNumber = ?"
FETCH = "SELECT data FROM revision"  # the table's documents and no others: nothing was changed, and it is alone
_SHARE, _COLD_SHARE = 20, 100  # a run reads a whole table
_CACHE_PER_DOCUMENT = 500
"""Bytes of cache for each document: enough for a table as it is stored (300 bytes), not decoded (ten times that)."""

Source = Callable[[Bench], AbstractContextManager[Emulator]]


@contextmanager
def emulator(bench: Bench) -> Iterator[Emulator]:
    """Yield one ledger with one table."""
    with _filled(bench, Settings(is_ephemeral=True)) as made:
        yield made


@contextmanager
def emulator_with_small_cache(bench: Bench) -> Iterator[Emulator]:
    """Yield the same, with caches that the table does not fit when it is decoded."""
    settings = Settings(is_ephemeral=True, cache_bytes=_CACHE_PER_DOCUMENT * bench.scale.scanned)
    with _filled(bench, settings) as made:
        yield made


@contextmanager
def _filled(bench: Bench, settings: Settings) -> Iterator[Emulator]:
    with Emulator(settings) as made:
        bench.say(f"filling a table of {bench.scale.scanned:,} documents")
        create_ledger(made, LEDGER, {TABLE: INDEXED})
        append_inserts(made, LEDGER, TABLE, (registration(number) for number in range(bench.scale.scanned)))
        LocalDriver(made, LEDGER)  # opens the file again, so that it has a path to ask for
        yield made


def path(bench: Bench, source: Source = emulator) -> Path:
    """Return the ledger's file."""
    ledger = bench.shared(source).ledgers.find(REGION, LEDGER)
    assert ledger is not None
    return ledger.file.path


def fetching(bench: Bench, is_cold: bool, source: Source = emulator) -> Case:
    """Return the stored documents as bytes, one after the other; of one document's time.

    is_cold: with a new connection.
    """
    where, documents = f"{path(bench, source).as_uri()}?mode=ro", bench.scale.scanned
    readers = [sqlite3.connect(where, uri=True)]

    def fetch() -> None:
        count = 0
        for (_,) in readers[0].execute(FETCH):
            count += 1
        assert count == documents, f"{count} documents are stored"

    whole = timed(fetch)

    def run() -> float:
        if is_cold:
            readers.pop().close()
            readers.append(sqlite3.connect(where, uri=True))
        return whole() / documents

    weakref.finalize(run, lambda: readers.pop().close())  # a case has no end of its own
    return run


def scanning(bench: Bench, is_cold: bool, source: Source = emulator) -> Case:
    """ExecuteStatement; of one document's time.  is_cold: the ledger is opened again, so no cache holds it."""
    made, documents = bench.shared(source), bench.scale.scanned
    wanted = registration(documents // 2)["LicensePlateNumber"]
    driver = LocalDriver(made, LEDGER)

    def run() -> float:
        nonlocal driver
        if is_cold:
            made.ledgers.close()
            driver = LocalDriver(made, LEDGER)
        transaction = driver.transaction()
        assert len(transaction.pages(SCAN, wanted)) == 1
        transaction.abort()
        return transaction.execute_ns / documents

    return run


def warmed(case: Case) -> Case:
    """Run a scan so often that its table is kept."""
    for _ in range(PREFILTERED_SCANS_MAX + 1):
        case()
    return case


def note(bench: Bench, text: str) -> str:
    return f"of each of {bench.scale.scanned:,} documents, one found; {text}"


def measure_control(bench: Bench) -> Samples:
    return bench.compare(fetching(bench, False), fetching(bench, False), "µs", share=_SHARE)


def measure_cold(bench: Bench) -> Samples:
    text = note(bench, "both sides open the file again; the system has it in memory")
    return bench.compare(scanning(bench, True), fetching(bench, True), "µs", text, share=_COLD_SHARE)


def measure_warm(bench: Bench) -> Samples:
    text = note(bench, "neither side for the first time")
    return bench.compare(warmed(scanning(bench, False)), fetching(bench, False), "µs", text, share=_SHARE)


def measure_large(bench: Bench) -> Samples:
    text = note(bench, f"{_CACHE_PER_DOCUMENT} bytes of cache for each; neither side for the first time")
    source = emulator_with_small_cache
    return bench.compare(warmed(scanning(bench, False, source)), fetching(bench, False, source), "µs", text, _SHARE)


AGAINST = "fetching their bytes with SQLite and nothing else"
FAMILY = Family(
    "scans, in process",
    control("scans-control", "fetching stored documents with SQLite", measure_control),
    (
        Row(
            "scan-cold",
            "full scan by one equality, first of its table",
            AGAINST,
            8.0,
            "measurements.md G7",
            measure_cold,
        ),
        Row(
            "scan-warm",
            "full scan by one equality, of a table scanned some times before",
            AGAINST,
            1.0,
            "measurements.md G7",
            measure_warm,
        ),
        Row(
            "scan-large",
            "the same, of a table that does not fit the cache decoded",
            AGAINST,
            2.0,
            "measurements.md G7",
            measure_large,
        ),
    ),
)
