"""The disk and the memory: a commit against SQLite alone, and what documents and sessions take."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..bench import Bench
from ..documents import INDEXED, TABLE, registration
from ..fill import create_ledger, registrations
from ..local_driver import REGION, LocalDriver
from ..memory import CACHE_BYTES, SESSIONS, SQLITE_CACHE_MB, Stages, stages_of
from ..rows import Family, Row, Samples, control

LEDGER = "storage"
INSERT = f"INSERT INTO {TABLE} ?"


@contextmanager
def durable(bench: Bench) -> Iterator[Emulator]:
    """A durable emulator with an empty table."""
    with Emulator(Settings(data_dir=bench.directory / "durable")) as made:
        create_ledger(made, LEDGER, {TABLE: INDEXED})
        yield made


def sqlite_alone(directory: Path, block: bytes, document: bytes) -> Case:
    """A commit of a block's bytes, a document's and an index entry's with SQLite and nothing else, synced."""
    path = Path(tempfile.mkdtemp(dir=directory)) / "alone.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE block (seq INTEGER PRIMARY KEY, ion BLOB)")
    connection.execute("CREATE TABLE revision (seq INTEGER PRIMARY KEY, ion BLOB)")
    connection.execute("CREATE TABLE entry (key BLOB PRIMARY KEY, seq INTEGER) WITHOUT ROWID")
    number = 0

    def commit() -> None:
        nonlocal number
        number += 1
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO block VALUES (?, ?)", (number, block))
        connection.execute("INSERT INTO revision VALUES (?, ?)", (number, document))
        connection.execute("INSERT INTO entry VALUES (?, ?)", (b"%017d" % number, number))
        connection.execute("COMMIT")

    return timed(commit)


def alone(bench: Bench) -> Case:
    """SQLite with the bytes of a block as the emulator writes it."""
    document = registration(1)
    return sqlite_alone(bench.directory, bytes(900) + dumps(document), dumps(document))


def measure_control(bench: Bench) -> Samples:
    return bench.compare(alone(bench), alone(bench), "ms")


def measure_commit(bench: Bench) -> Samples:
    emulator = bench.shared(durable)
    driver = LocalDriver(emulator, LEDGER)
    number = 0

    def commit() -> float:
        nonlocal number
        number += 1
        transaction = driver.transaction()
        transaction.pages(INSERT, registration(number))
        transaction.commit()
        return transaction.commit_ns

    samples = bench.compare(commit, alone(bench), "ms")
    ledger = emulator.ledgers.find(REGION, LEDGER)
    assert ledger is not None
    ledger.file.checkpoint()
    blocks = ledger.tip().sequence_no + 1
    size = ledger.file.path.stat().st_size / blocks
    note = f"CommitTransaction alone, one new document; the file has {size:,.0f} bytes a block"
    return Samples(samples.left, samples.right, samples.unit, note)


# --- Memory ----------------------------------------------------------------------------------------------------


@contextmanager
def memory_figures(bench: Bench) -> Iterator[Stages]:
    """MB of a process: with a large ledger, after opening sessions and transactions, after reading all of it."""
    data_dir = bench.directory / "memory"
    with Emulator(Settings(data_dir=data_dir)) as made:
        registrations(made, LEDGER, bench.scale.large, bench.say)
    yield stages_of("benchmarks.memory", str(data_dir), LEDGER)


def measure_documents(bench: Bench) -> Samples:
    stages = bench.shared(memory_figures)
    budget = 2 * CACHE_BYTES / 2**20 + SQLITE_CACHE_MB
    before, read = stages["sessions"], stages["scanned"]
    note = f"{bench.scale.large:,} documents scanned twice: {before:.0f} MB before, {read:.0f} MB after"
    return Samples((read - before,), (budget,), "MB", note)


def measure_sessions(bench: Bench) -> Samples:
    stages = bench.shared(memory_figures)
    each = (stages["sessions"] - stages["opened"]) / SESSIONS
    return Samples((each,), (0.064,), "MB", f"{SESSIONS} sessions, each with an open transaction")


FAMILY = Family(
    "storage and memory, in process",
    control("storage-control", "SQLite alone, a commit of a block's bytes, synced", measure_control),
    (
        Row(
            "commit-sqlite",
            "durable commit of an INSERT",
            "SQLite alone with the same bytes and the same syncing",
            3.0,
            "issue: the storage limit; performance.md 11 G2f",
            measure_commit,
        ),
        Row(
            "memory-documents",
            "memory that reading a large ledger takes",
            "two caches of Settings.cache_bytes (here 32 MB) and SQLite's own",
            1.0,
            "issue: bounded by options, not by data",
            measure_documents,
        ),
        Row("memory-session", "memory of a session with a transaction", "64 KB", 1.0, "ours", measure_sessions),
    ),
)
