"""Following a journal: get its blocks from some sequence number on, then each new block soon after its commit.

A commit takes the lock of the condition variable only if a follower waits.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Protocol

from ...storage.ledger_file import LedgerFile

# After a new block, wait a moment for more.  Consumers count in tenths of seconds (the KPL waits 0.1 by default), and
# a follower's cost - a sync of blocks that only read, a request to Kinesis - is then paid at most twenty times a
# second, however many commits there are.
LINGER_SECONDS = 0.05
BATCH_BLOCKS = 64


class BlockNews:
    """Tells waiting threads that there may be a new block.

    listeners: how many wait.  A commit checks this first, without a lock.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.listeners = 0

    def wait_for(self, is_there: Callable[[], bool], timeout: float) -> None:
        """Wait until a condition holds, at most this many seconds."""
        with self._condition:
            # Counted before the first check: either the commit sees the listener, or the listener sees the commit.
            self.listeners += 1
            try:
                self._condition.wait_for(is_there, timeout)
            finally:
                self.listeners -= 1

    def wake(self) -> None:
        """Let waiting threads check again."""
        with self._condition:
            self._condition.notify_all()


class Followed(Protocol):
    """The part of a ledger that a follower uses."""

    @property
    def file(self) -> LedgerFile: ...

    @property
    def last_sequence_no(self) -> int: ...

    def wait_for_block(self, sequence_no: int, timeout: float, stop: threading.Event) -> bool: ...

    def make_durable(self) -> None: ...


def next_blocks(
    ledger: Followed, first: int, timeout: float, stop: threading.Event, count: int = BATCH_BLOCKS
) -> list[tuple[int, bytes]]:
    """Return (sequence number, Ion bytes) of durable blocks from ``first`` on; wait up to ``timeout`` seconds for one.

    Empty if time is up, ``stop`` is set (see Ledger.wake) or the ledger is closed.
    """
    if not ledger.wait_for_block(first, timeout, stop):
        return []
    if ledger.last_sequence_no - first < count:
        stop.wait(LINGER_SECONDS)
    last = ledger.last_sequence_no
    ledger.make_durable()
    return list(itertools.islice(ledger.file.blocks(first, last, batch=count), count))
