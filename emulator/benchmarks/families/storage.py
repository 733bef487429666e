"""Disk and memory: a commit compared with SQLite alone, and the memory of documents and sessions."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.settings import Settings

from ..alternate import Case, alternate, timed
from ..bench import Bench, in_unit
from ..documents import INDEXED, TABLE, registration
from ..fill import create_ledger, registrations
from ..local_driver import REGION, LocalDriver
from ..memory import CACHE_BYTES, SESSIONS, SQLITE_CACHE_MB, Stages, stages_of
from ..rows import Family, Row, Samples, control
from ..sqlite_alone import sqlite_commit

LEDGER = "storage"
INSERT = f"INSERT INTO {TABLE} ?"


@contextmanager
def durable(bench: Bench) -> Iterator[Emulator]:
    """Yield a durable emulator with an empty table."""
    with Emulator(Settings(data_dir=bench.directory / "durable")) as made:
        create_ledger(made, LEDGER, {TABLE: INDEXED})
        yield made


@contextmanager
def unsynced(bench: Bench) -> Iterator[Emulator]:
    """Yield the same, ephemeral: it writes the same and never waits for the disk."""
    with Emulator(Settings(is_ephemeral=True)) as made:
        create_ledger(made, LEDGER, {TABLE: INDEXED})
        yield made


def commits(emulator: Emulator) -> Case:
    """CommitTransaction alone, of one new document each time."""
    driver = LocalDriver(emulator, LEDGER)
    number = 0

    def commit() -> float:
        nonlocal number
        number += 1
        transaction = driver.transaction()
        transaction.pages(INSERT, registration(number))
        transaction.commit()
        return transaction.commit_ns

    return commit


def measure_control(bench: Bench) -> Samples:
    return bench.compare(sqlite_commit(bench.directory), sqlite_commit(bench.directory), "ms")


def measure_commit(bench: Bench) -> Samples:
    emulator = bench.shared(durable)
    samples = bench.compare(commits(emulator), sqlite_commit(bench.directory), "ms")
    ledger = emulator.ledgers.find(REGION, LEDGER)
    assert ledger is not None
    ledger.file.checkpoint()
    blocks = ledger.tip().sequence_no + 1
    size = ledger.file.path.stat().st_size / blocks
    note = f"CommitTransaction alone, one new document; the file has {size:,.0f} bytes a block"
    return Samples(samples.left, samples.right, samples.unit, note)


def one_sync(file: FileIO) -> Case:
    """fdatasync after 4 KB more at the end of a file: what SQLite's log asks of the disk."""
    sync = timed(lambda: getattr(os, "fdatasync", os.fsync)(file.fileno()))

    def run() -> float:
        file.write(bytes(4096))
        return sync()

    return run


def measure_sync(bench: Bench) -> Samples:
    ours = [commits(bench.shared(durable)), commits(bench.shared(unsynced))]
    with FileIO(bench.directory / "synced", "w") as file:
        cases = [*ours, one_sync(file)]
        synced, not_synced, sync = alternate(cases, bench.scale.repetitions, bench.scale.count, bench.random)
    extra = tuple(a - b for a, b in zip(synced, not_synced, strict=True))
    middle_ms = statistics.median(not_synced) / 1e6
    note = f"CommitTransaction alone, one new document; unsynced it takes {middle_ms:.2f} ms"
    return in_unit(extra, sync, "ms", note)


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
    note = f"{bench.scale.large:,} documents scanned in both views: {before:.0f} MB before, {read:.0f} MB after"
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
            "issue: the storage limit; measurements.md G2f",
            measure_commit,
        ),
        Row(
            "commit-sync",
            "what a durable commit of an INSERT takes more than one that nothing syncs",
            "one fdatasync of the same disk",
            1.5,
            "measurements.md G2f",
            measure_sync,
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
