"""Following a journal: its blocks from some sequence number on, and then each new one soon after its commit.

Followers wait on the ledger's condition variable; a commit that nobody waits for does not even take its lock.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .ledger import Ledger

# Once something new is there, a moment is waited for more: consumers count in tenths of seconds (the KPL waits 0.1 by
# default), and what a follower costs - a sync of blocks that only read, a request to Kinesis - is then paid at most
# twenty times a second, however many commits there are.
LINGER_SECONDS = 0.05
BATCH_BLOCKS = 64


def next_blocks(
    ledger: Ledger, first: int, timeout: float, stop: threading.Event, count: int = BATCH_BLOCKS
) -> list[tuple[int, bytes]]:
    """(sequence number, Ion bytes) of the blocks from ``first`` on, durable; waits for one at most ``timeout`` seconds.

    Empty when time is up, ``stop`` is set (see Ledger.wake) or the ledger is closed.
    """
    if not ledger.wait_for_block(first, timeout, stop):
        return []
    if ledger.snapshot()[0] - first < count:
        stop.wait(LINGER_SECONDS)
    last, _ = ledger.snapshot()
    ledger.make_durable()
    return list(itertools.islice(ledger.file.blocks(first, last, batch=count), count))
