"""Whose turn it is: short requests beside a long statement.

A request of a driver lets go of the interpreter some six times (for the socket, for SQLite) and each time has to get it
back from the running thread.  A statement that scans for a second gives it up only when the switch interval is over, so
every one of those six costs an interval.  Short intervals cost many busy threads a fifth of what they get done
(measurements.md 2), so they are only for as long as a long request runs beside others.
"""

from __future__ import annotations

import sys
import threading

SWITCH_SECONDS = 0.001
"""Between threads that are all busy (Python's default: 5 ms)."""

HURRIED_SECONDS = 0.0001
"""While one thread has been running for LONG_SECONDS and another wants a turn."""

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
        """The request of this thread is answered."""
        self._running.pop(threading.get_ident(), None)
        if self._is_hurried and not self._has_long(now):
            self._is_hurried = False
            sys.setswitchinterval(SWITCH_SECONDS)

    def _has_long(self, now: float) -> bool:
        # A copy: other threads come and go.  Which of two sets the interval last does not matter for long.
        return any(now - began > LONG_SECONDS for began in list(self._running.values()))
