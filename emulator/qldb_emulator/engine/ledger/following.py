"""Following a journal: its blocks from some sequence number on, and then each new one soon after its commit.

A commit takes the lock of the condition variable only if a follower waits.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Protocol

from ...storage.ledger_file import LedgerFile

# Once something new is there, a moment is waited for more: consumers count in tenths of seconds (the KPL waits 0.1 by
# default), and what a follower costs - a sync of blocks that only read, a request to Kinesis - is then paid at most
# twenty times a second, however many commits there are.
LINGER_SECONDS = 0.05
BATCH_BLOCKS = 64


class BlockNews:
    """Tells those who wait that there may be a new block.

    listeners: how many wait.  A commit looks here first, without a lock.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.listeners = 0

    def wait_for(self, is_there: Callable[[], bool], timeout: float) -> None:
        """Wait until a condition holds, at most this many seconds."""
        with self._condition:
            # Counted before the first look: either the commit sees the listener, or the listener sees the commit.
            self.listeners += 1
            try:
                self._condition.wait_for(is_there, timeout)
            finally:
                self.listeners -= 1

    def wake(self) -> None:
        """Let those who wait look again."""
        with self._condition:
            self._condition.notify_all()


class Followed(Protocol):
    """What a follower needs of a ledger."""

    @property
    def file(self) -> LedgerFile: ...

    @property
    def last_sequence_no(self) -> int: ...

    def wait_for_block(self, sequence_no: int, timeout: float, stop: threading.Event) -> bool: ...

    def make_durable(self) -> None: ...


def next_blocks(
    ledger: Followed, first: int, timeout: float, stop: threading.Event, count: int = BATCH_BLOCKS
) -> list[tuple[int, bytes]]:
    """(sequence number, Ion bytes) of the blocks from ``first`` on, durable; waits for one at most ``timeout`` seconds.

    Empty when time is up, ``stop`` is set (see Ledger.wake) or the ledger is closed.
    """
    if not ledger.wait_for_block(first, timeout, stop):
        return []
    if ledger.last_sequence_no - first < count:
        stop.wait(LINGER_SECONDS)
    last = ledger.last_sequence_no
    ledger.make_durable()
    return list(itertools.islice(ledger.file.blocks(first, last, batch=count), count))
