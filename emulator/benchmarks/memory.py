"""The memory of a process with a ledger, from outside and inside, in the stages of a busy day."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.limits import STRICT
from qldb_emulator.settings import Settings

from .bench import BenchError, package_environment
from .documents import INDEXED, TABLE
from .local_driver import LocalDriver
from .servers import pss_mb

CACHE_BYTES = 32 * 1024 * 1024
"""Settings.cache_bytes of the process."""

SQLITE_CACHE_MB = 64
"""Of one connection; see storage.connections."""

SESSIONS = 500

SCAN_SECONDS = 3_600
"""How long a transaction may last: decoding a million documents takes longer than QLDB lets one last."""

Stages = dict[str, float]
"""MB after each stage."""


def open_emulator(data_dir: Path) -> Emulator:
    """Return the emulator of the process."""
    limits = replace(STRICT, transaction_seconds=SCAN_SECONDS)
    return Emulator(Settings(data_dir=data_dir, cache_bytes=CACHE_BYTES, limits=limits))


def taken() -> float:
    """Return the PSS of this process in MB, garbage collected."""
    gc.collect()
    return pss_mb(os.getpid())


def after_opening(emulator: Emulator, ledger: str) -> Stages:
    """``opened``: after a lookup.  ``sessions``: with ``SESSIONS`` sessions more, each with an open transaction.

    Sessions come before anything large is read: what that leaves free would hold them for nothing.
    """
    LocalDriver(emulator, ledger).run(f"SELECT * FROM {TABLE} WHERE {INDEXED} = '1'")
    opened = taken()
    drivers = [LocalDriver(emulator, ledger) for _ in range(SESSIONS)]
    transactions = [driver.transaction() for driver in drivers]
    sessions = taken()
    for transaction in transactions:
        transaction.abort()
    return {"opened": opened, "sessions": sessions}


def after_reading(emulator: Emulator, ledger: str) -> Stages:
    """``scanned``: after a scan of the table in either view."""
    driver = LocalDriver(emulator, ledger)
    # Conditions that only decoded documents can answer: the first fills the cache of tables, the second that of others.
    for source in (f"{TABLE} AS r", f"_ql_committed_{TABLE} AS c, c.data AS r"):
        transaction = driver.transaction()
        transaction.pages(f"SELECT VALUE r.{INDEXED} FROM {source} WHERE r.State || '' = 'none'")
        transaction.abort()
    return {"scanned": taken()}


def stages_of(module: str, *arguments: str) -> Stages:
    """Return what a module prints that measures itself in a process of its own.  Raises BenchError."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=package_environment())
    if done.returncode != 0:
        raise BenchError(f"the process that is measured failed:\n{done.stderr[-2000:]}")
    stages: Stages = json.loads(done.stdout)
    return stages


def main() -> None:
    """python -m benchmarks.memory DATA_DIR LEDGER: the stages as JSON."""
    data_dir, ledger = sys.argv[1:]
    with open_emulator(Path(data_dir)) as emulator:
        print(json.dumps({**after_opening(emulator, ledger), **after_reading(emulator, ledger)}))


if __name__ == "__main__":
    main()
