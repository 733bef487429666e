"""The memory of a process with one ledger, after every operation of the curve has run in it."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

from qldb_emulator.storage import DataDirectory

from .. import memory
from ..peak import most_mb
from . import proofs, reads, writes
from .ledgers import LEDGER, Curve, Filled, copy_into

OPERATIONS = (*reads.OPERATIONS, *proofs.OPERATIONS, *writes.OPERATIONS)
RUNS = 200
_SAMPLE = 1_000  # ids that the process knows count as its memory
_CONNECTIONS = 2  # one that writes, one that reads


@dataclass(frozen=True, slots=True)
class Footprint:
    """Megabytes of a process, and the bytes of the ledger's file.

    opened: after the ledger's first answer.  session: of each session with an open transaction.  scanned: after two
    scans of all documents.  worked: after ``RUNS`` runs of every operation.  most: the highest of its resident memory.
    bound: what ``worked`` may be by the options.
    """

    blocks: int
    documents: int
    file_bytes: int
    opened: float
    scanned: float
    worked: float
    most: float
    session: float

    @property
    def bound(self) -> float:
        return self.opened + 2 * memory.CACHE_BYTES / 2**20 + _CONNECTIONS * memory.SQLITE_CACHE_MB


def footprint(of: Filled, directory: Path, runs: int = RUNS) -> Footprint:
    """Return the footprint of a process that works with a copy of a ledger.  Raises BenchError."""
    with tempfile.TemporaryDirectory(prefix="memory-", dir=directory) as copy:
        with DataDirectory(Path(copy)) as data_dir:
            copy_into(data_dir, of, LEDGER)
        stages = memory.stages_of("benchmarks.curve.memory", copy, str(of.blocks), str(runs))
    return Footprint(
        blocks=of.blocks,
        documents=of.documents,
        file_bytes=of.path.stat().st_size,
        opened=stages["opened"],
        scanned=stages["scanned"],
        worked=stages["worked"],
        most=stages["most"],
        session=(stages["sessions"] - stages["opened"]) / memory.SESSIONS,
    )


def main() -> None:
    """python -m benchmarks.curve.memory DATA_DIR BLOCKS RUNS: the stages as JSON."""
    data_dir, blocks, runs = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    with memory.open_emulator(data_dir) as emulator:
        stages = memory.after_opening(emulator, LEDGER) | memory.after_reading(emulator, LEDGER)
        of = Filled(LEDGER, blocks, data_dir)
        curve = Curve(emulator, [of], data_dir, Random(1), _SAMPLE)
        for operation in OPERATIONS:
            case = operation.make(curve, of)
            for _ in range(runs):
                case()
        print(json.dumps({**stages, "worked": memory.taken(), "most": most_mb()}))


if __name__ == "__main__":
    main()
