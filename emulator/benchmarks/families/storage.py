"""The disk and the memory: a commit against SQLite alone, and what documents and sessions take."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps
from qldb_emulator.settings import Settings

from ..alternate import Case, timed
from ..bench import Bench, BenchError, package_environment
from ..documents import INDEXED, TABLE, registration
from ..fill import create_ledger, registrations
from ..local_driver import REGION, LocalDriver
from ..rows import Family, Row, Samples, control

LEDGER = "storage"
INSERT = f"INSERT INTO {TABLE} ?"
_CHILD_CACHE_BYTES = 32 * 1024 * 1024
_SQLITE_CACHE_MB = 64  # of one connection; see storage.connections
_SESSIONS = 500


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

# What a process that holds a ledger has in memory before and after it read every document, by index and by scan.
_CHILD = f"""
import json, sys
from pathlib import Path
from benchmarks.local_driver import LocalDriver
from benchmarks.servers import pss_mb
import os, gc
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings
with Emulator(Settings(data_dir=Path(sys.argv[1]), cache_bytes={_CHILD_CACHE_BYTES})) as emulator:
    driver = LocalDriver(emulator, {LEDGER!r})
    driver.run("SELECT * FROM {TABLE} WHERE {INDEXED} = '1'")
    gc.collect()
    before = pss_mb(os.getpid())
    for _ in range(2):
        transaction = driver.transaction()
        transaction.pages("SELECT VALUE {INDEXED} FROM {TABLE} WHERE State = 'none'")
        transaction.abort()
    gc.collect()
    read = pss_mb(os.getpid())
    sessions = [LocalDriver(emulator, {LEDGER!r}) for _ in range({_SESSIONS})]
    open_ = [session.transaction() for session in sessions]
    gc.collect()
    print(json.dumps([before, read, pss_mb(os.getpid())]))
"""


@contextmanager
def memory_figures(bench: Bench) -> Iterator[tuple[float, float, float]]:
    """MB of a process: with a large ledger, after reading all of it, after opening sessions and transactions."""
    data_dir = bench.directory / "memory"
    with Emulator(Settings(data_dir=data_dir)) as made:
        registrations(made, LEDGER, bench.scale.large, bench.say)
    command = [sys.executable, "-c", _CHILD, str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=package_environment())
    if done.returncode != 0:
        raise BenchError(f"the process that is measured failed:\n{done.stderr[-2000:]}")
    before, read, opened = json.loads(done.stdout)
    yield before, read, opened


def measure_documents(bench: Bench) -> Samples:
    before, read, _ = bench.shared(memory_figures)
    budget = 2 * _CHILD_CACHE_BYTES / 2**20 + _SQLITE_CACHE_MB
    note = f"{bench.scale.large:,} documents scanned twice: {before:.0f} MB before, {read:.0f} MB after"
    return Samples((read - before,), (budget,), "MB", note)


def measure_sessions(bench: Bench) -> Samples:
    _, read, opened = bench.shared(memory_figures)
    taken = (opened - read) / _SESSIONS
    return Samples((taken,), (0.064,), "MB", f"{_SESSIONS} sessions, each with an open transaction")


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
