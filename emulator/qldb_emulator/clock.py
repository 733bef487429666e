"""The only source of time: a test forbids ``now()`` in every other module.

A clock is passed in, so a test can hold it still or move it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime


class Clock(Protocol):
    """What the emulator asks of time."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01T00:00:00Z, never decreasing."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that only measures durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class WallClock:
    """The machine's clock unchanged, for times that other machines compare: signatures."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SystemClock:
    """The machine's clock, but it never goes backwards, because a journal's times must not.

    If the machine's clock is set back, this clock goes on at half speed until the other has caught up.  Time servers
    correct a clock in the same way.  So whatever waits for a time still gets there.  After a step of one minute back,
    both clocks agree again two minutes later.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._slow_ms = 0  # the last time that this clock gave at half speed
        self._slow_tick = 0.0  # time.monotonic() at that moment

    def now_ms(self) -> int:
        now = time.time_ns() // 1_000_000
        if now >= self._last_ms:  # nearly always; a lock here would double the time of a call
            self._last_ms = now
            return now
        return self._slowed_ms()

    def _slowed_ms(self) -> int:
        """Return the time while the machine's clock is behind the last time that this clock gave."""
        with self._lock:
            tick, last_ms = time.monotonic(), self._last_ms
            if last_ms != self._slow_ms:  # the machine's clock was set back since the last call
                self._slow_ms, self._slow_tick = last_ms, tick
            slowed_ms = int((tick - self._slow_tick) * 500)
            if slowed_ms:  # else the tick stays: many calls within a millisecond must not stop the clock
                self._last_ms = self._slow_ms = last_ms + slowed_ms
                self._slow_tick = tick
            return self._last_ms

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def utc(milliseconds: int) -> datetime:
    """Return a clock's time as the standard library's datetime."""
    import datetime  # few programs need it, and it makes a start longer

    return datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.UTC)


class ManualClock:
    """A clock that moves on demand, and by ``tick_ms`` at every reading (0: it stands still)."""

    def __init__(self, start_ms: int = 1_600_000_000_000, tick_ms: int = 0) -> None:
        self._now_ms = start_ms
        self._tick_ms = tick_ms
        self._lock = threading.Lock()

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        with self._lock:
            self._now_ms += round(seconds * 1000)

    def now_ms(self) -> int:
        with self._lock:
            self._now_ms += self._tick_ms
            return self._now_ms

    def monotonic(self) -> float:
        return self._now_ms / 1000

    def set(self, now_ms: int) -> None:
        """Set the clock to a time, even backwards, to start again."""
        with self._lock:
            self._now_ms = now_ms

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
