"""Lets short requests run beside a long statement.

A driver's request releases the interpreter some six times (for the socket, for SQLite), and each time must get it back
from the running thread.  A statement that scans for a second gives it up only after the switch interval, so each of
the six costs an interval.  Short intervals make many busy threads a fifth slower (measurements.md 2), so they are in
force only while a long request runs beside others.

The opposite happens in a crowd of short requests: every thread that waits for the interpreter wakes up once an interval
to look, and 64 of them take a quarter of a processor for that.  Such threads give the interpreter up by themselves, so
a longer interval costs them nothing.
"""

from __future__ import annotations

import sys
import threading

SWITCH_SECONDS = 0.001
"""While all threads are busy (Python's default: 5 ms)."""

CROWDED_SECONDS = 0.005
"""While at least CROWD short requests run: 64 clients then take 13 % less of the server's time.  20 ms gain no more."""

CROWD = 8

HURRIED_SECONDS = 0.0001
"""While one thread has run for long and another waits."""

LONG_SECONDS = 0.005
"""How long, multiplied by the number of the other requests that run."""


class Turns:
    """Sets the interpreter's switch interval: for a process of our own, not for one that embeds the server.

    Times are ``time.perf_counter()``.
    """

    def __init__(self) -> None:
        self._running: dict[int, float] = {}
        self._set(SWITCH_SECONDS)

    @property
    def is_crowd(self) -> bool:
        """Whether many requests run at the same time."""
        return len(self._running) >= CROWD

    def begin(self, now: float) -> None:
        """The request of this thread begins."""
        running = self._running
        running[threading.get_ident()] = now
        if len(running) > 1 and self._interval != HURRIED_SECONDS:
            if self._has_long(now):
                self._set(HURRIED_SECONDS)
            elif len(running) >= CROWD and self._interval != CROWDED_SECONDS:
                self._set(CROWDED_SECONDS)

    def end(self, now: float) -> None:
        """Note that the request of this thread is answered."""
        running = self._running
        running.pop(threading.get_ident(), None)
        if self._interval == SWITCH_SECONDS:
            return
        # Half of a crowd, so that a number of requests about the limit does not set the interval each time.
        if len(running) <= CROWD // 2 and not self._has_long(now):
            self._set(SWITCH_SECONDS)
        elif self._interval == HURRIED_SECONDS and not self._has_long(now):
            self._set(CROWDED_SECONDS)

    def _set(self, seconds: float) -> None:
        self._interval = seconds
        sys.setswitchinterval(seconds)

    def _has_long(self, now: float) -> bool:
        """Whether a request has run longer than its share: in a crowd, most of its time it waits for the others."""
        # A copy: other threads come and go.  If two set the interval at once, the next call corrects it.
        begun = list(self._running.values())
        return bool(begun) and now - min(begun) > LONG_SECONDS * max(1, len(begun) - 1)
