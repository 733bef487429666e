"""Lets short requests run beside a long statement.

A driver's request releases the interpreter some six times (for the socket, for SQLite), and each time must get it back
from the running thread.  A statement that scans for a second gives it up only after the switch interval, so each of
the six costs an interval.  Short intervals make many busy threads a fifth slower (measurements.md 2), so they are in
force only while a long request runs beside others.
"""

from __future__ import annotations

import sys
import threading

SWITCH_SECONDS = 0.001
"""While all threads are busy (Python's default: 5 ms)."""

HURRIED_SECONDS = 0.0001
"""While one thread has run for LONG_SECONDS and another waits."""

LONG_SECONDS = 0.005


class Turns:
    """Sets the interpreter's switch interval: for a process of our own, not for one that embeds the server.

    Times are ``time.perf_counter()``.
    """

    def __init__(self) -> None:
        self._running: dict[int, float] = {}
        self._is_hurried = False
        sys.setswitchinterval(SWITCH_SECONDS)

    def begin(self, now: float) -> None:
        """The request of this thread begins."""
        running = self._running
        running[threading.get_ident()] = now
        if len(running) > 1 and not self._is_hurried and self._has_long(now):
            self._is_hurried = True
            sys.setswitchinterval(HURRIED_SECONDS)

    def end(self, now: float) -> None:
        """Note that the request of this thread is answered."""
        self._running.pop(threading.get_ident(), None)
        if self._is_hurried and not self._has_long(now):
            self._is_hurried = False
            sys.setswitchinterval(SWITCH_SECONDS)

    def _has_long(self, now: float) -> bool:
        # A copy: other threads come and go.  If two set the interval at once, the next call corrects it.
        return any(now - began > LONG_SECONDS for began in list(self._running.values()))
