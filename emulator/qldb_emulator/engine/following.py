"""Following a journal: its blocks from some sequence number on, and then each new one soon after its commit.

Followers wait on the ledger's condition variable; a commit that nobody waits for does not even take its lock.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ledgers import Ledger

# What is handed out must be on the disk.  Blocks that only read are not synced by their commit; the sync that a
# follower needs is put off a little, so that following costs at most ten of them a second.
SYNC_SECONDS = 0.1
BATCH_BLOCKS = 64


def next_blocks(
    ledger: Ledger, first: int, timeout: float, stop: threading.Event, count: int = BATCH_BLOCKS
) -> list[tuple[int, bytes]]:
    """(sequence number, Ion bytes) of the blocks from ``first`` on, durable; waits for one at most ``timeout`` seconds.

    Empty when time is up, ``stop`` is set (see Ledger.wake) or the ledger is closed.
    """
    if not ledger.wait_for_block(first, timeout, stop):
        return []
    last, _ = ledger.snapshot()
    if ledger.file.unsynced:
        stop.wait(SYNC_SECONDS)
        ledger.make_durable()
    return list(itertools.islice(ledger.file.blocks(first, last, batch=count), count))
