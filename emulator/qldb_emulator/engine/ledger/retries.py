"""Lets transactions begin one at a time in sessions whose transactions met conflicts.

Of many clients that read and write one document, one commits and all others did their work in vain.  When they begin
again at once, that repeats: 64 clients needed 17 attempts for each commit.  So a session that met a conflict waits,
before its next transactions, until the one before it has ended.  Then it reads what that one wrote.

This changes no answer: a snapshot is taken after the wait, and every commit is still validated.  Source: ours.
"""

from __future__ import annotations

import threading
from collections import deque

from ...waiting import about_to_wait

TURNS = 16
"""How many transactions of a session must commit after a conflict until it begins them without waiting again."""

TURN_SECONDS = 0.1
"""How long the next one waits for a transaction that does not end: its client may be slow, or gone."""

WAIT_SECONDS = 1.0
"""The longest that the start of a transaction waits, so that it stays far below the timeouts of clients."""


class Retries:
    """Which session's turn it is in one ledger, and which wait for the next.  For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: object = None
        # Each waits for a lock of its own, which is released when its turn comes.
        self._waiting: deque[tuple[object, threading.Lock]] = deque()

    def take(self, session: object) -> None:
        """Return when it is this session's turn, or when the wait has become too long."""
        with self._lock:
            if self._holder is None:
                self._holder = session
                return
            signal = threading.Lock()
            signal.acquire()
            place = (session, signal)
            self._waiting.append(place)
            # By then every transaction before this one has had its time.
            wait_seconds = min(len(self._waiting) * TURN_SECONDS, WAIT_SECONDS)
        about_to_wait()
        if signal.acquire(timeout=wait_seconds):
            return
        with self._lock:
            if self._holder is session:  # the turn came in this moment
                return
            if place in self._waiting:  # otherwise it came in this moment, and another session took it since
                self._waiting.remove(place)
            self._holder = session

    def give(self, session: object) -> None:
        """Let the next one begin.  Does nothing if another session has taken the turn meanwhile."""
        with self._lock:
            if self._holder is not session:
                return
            if self._waiting:
                self._holder, signal = self._waiting.popleft()
                signal.release()
            else:
                self._holder = None
