"""A deterministic emulator: ids, tokens and time follow from a seed and from the order of the requests.

The same program run twice on an empty directory leaves the same journals, byte for byte.  A directory that already
holds ledgers is part of the seed: its journals continue, and no id is used twice.
"""

from __future__ import annotations

import hashlib
import time

from ...clock import ManualClock
from ...ids import RandomIds
from ...storage.directory import DataDirectory

START_MS = 1_600_000_000_000  # 2020-09-13T12:26:40Z: any fixed time of the service's life would do
TICK_MS = 1  # every reading of the clock advances it, so that no two blocks have the same time


class DeterministicClock(ManualClock):
    """A clock that advances with the requests; an answer that must be late is late in real time, too."""

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
        self.advance(seconds)


def deterministic_sources(seed: str, directory: DataDirectory) -> tuple[ManualClock, RandomIds]:
    """Return a clock and ids for a directory as it stands.

    Raises StorageError if a ledger file cannot be read.
    """
    state = hashlib.sha256()
    start_ms = START_MS
    found = False
    for region in directory.regions():
        for name in directory.ledgers(region):
            with directory.open(region, name) as file:
                tip = file.tip()
            if tip is not None:
                found = True
                state.update(f"{region}/{name}/{tip.sequence_no}/".encode() + tip.block_hash)
                start_ms = max(start_ms, tip.timestamp_ms)
    clock = DeterministicClock(start_ms, TICK_MS)
    return clock, RandomIds(clock, f"{seed}/{state.hexdigest()}" if found else seed)
