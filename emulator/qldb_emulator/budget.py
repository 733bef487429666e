"""Bounds the work of one statement: its time, by regular checks whether it may go on, and its memory.

Python cannot stop a thread from outside, so every loop whose length a statement decides asks whether a look is due, and
everything that grows reports its bytes.  The engine begins the budget of the open transaction for the time of a
command.  Outside a command there are no bounds.

How a look becomes due: a thread of this module marks the budget of every running statement each LOOK_SECONDS.  So a
loop reads one attribute (some 5 ns), and a statement that is over before the first mark never looks.  Counting steps
in the loops was measured too: it took a tenth to a quarter of a short statement's time.

Code that has a frame finds the budget there; other code by :func:`current`, which takes some 60 ns.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from threading import get_ident

from .errors import STATEMENT_TOO_LARGE

LOOK_SECONDS = 0.02
"""How often a running statement looks whether it may go on."""
_IDLE_LOOKS = 50
"""The thread that marks budgets ends when this many times in a row there was no statement; the next one starts it."""

ROWS_BETWEEN_LOOKS = 256
"""A loop over elements in memory asks each so many whether a look is due: that takes some 0.1 ms."""
ROW_BYTES = 200
"""What a row kept in memory takes at least: a dict of one field, and its place in a list."""


class Budget:
    """The bounds of one transaction's statements.  Used by one thread at a time, under the session's lock.

    look_now: raises what ends the statement.
    most_bytes: how much the intermediate results of a statement may take; an estimate, to be right within a few times.
    is_due: whether to call :meth:`look`.  Set by another thread; a plain attribute, so no lock is needed.
    held: bytes of what may be dropped again (see ``ExpressionCompiler.condition``).  kept: of what lasts.  Code that
    adds to ``held`` directly leaves the comparison with ``most_bytes`` to the next look.
    """

    __slots__ = ("_look_now", "_most_bytes", "held", "is_due", "kept")

    def __init__(self, look_now: Callable[[], None], most_bytes: float) -> None:
        self._look_now = look_now
        self._most_bytes = most_bytes
        self.is_due = False
        self.held = 0
        self.kept = 0

    def look(self) -> None:
        """Raise what ends the statement, if anything does: STATEMENT_TOO_LARGE, or an error of ``look_now``."""
        self.is_due = False
        self.hold(0)
        self._look_now()

    def hold(self, size: int) -> None:
        """Report bytes of a temporary value.  Raises STATEMENT_TOO_LARGE."""
        self.held += size
        if self.held + self.kept > self._most_bytes:
            raise STATEMENT_TOO_LARGE(limit=int(self._most_bytes))

    def keep(self, size: int) -> None:
        """Report bytes that are kept until the statement ends.  Raises STATEMENT_TOO_LARGE."""
        self.kept += size
        self.hold(0)


class _Unbounded(Budget):
    """Has no bounds and is never due, so threads may share it: what they count in it means nothing."""

    __slots__ = ()

    def hold(self, size: int) -> None:
        pass

    def keep(self, size: int) -> None:
        pass


UNBOUNDED: Budget = _Unbounded(lambda: None, float("inf"))

# The budget of each thread that runs a statement, by the thread's identity.  One dict serves both the thread itself and
# the one that marks budgets.  Single operations on a dict are atomic.
_running: dict[int, Budget] = {}


def current() -> Budget:
    """Return the budget of the statement that this thread works for."""
    return _running.get(get_ident(), UNBOUNDED)


def enter(budget: Budget) -> None:
    """This thread begins a command within a budget.  The caller calls :func:`leave` in any case."""
    budget.held = budget.kept = 0
    _running[get_ident()] = budget
    if not _marker.is_running:
        _marker.start()


def leave() -> None:
    """This thread's command is over."""
    _running.pop(get_ident(), None)


def check() -> None:
    """Let the current statement look, if it is due.  Raises what ends the statement."""
    budget = _running.get(get_ident(), UNBOUNDED)
    if budget.is_due:
        budget.look()


def charge(size: int) -> None:
    """Report bytes copied into a temporary value, and look if it is due.  Raises what ends the statement."""
    budget = _running.get(get_ident(), UNBOUNDED)
    budget.hold(size)
    if budget.is_due:
        budget.look()


class _Marker:
    """The thread that marks budgets, while there are statements to mark."""

    def __init__(self) -> None:
        self.is_running = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the thread, unless another statement has done so."""
        with self._lock:
            if not self.is_running:
                self.is_running = True
                threading.Thread(target=self._run, name="statement-budgets", daemon=True).start()

    def _run(self) -> None:
        idle = 0
        while idle < _IDLE_LOOKS or not self._may_end():
            time.sleep(LOOK_SECONDS)
            budgets = _running.copy()  # one operation: other threads add and remove while this one iterates
            for budget in budgets.values():
                budget.is_due = True
            idle = 0 if budgets else idle + 1

    def _may_end(self) -> bool:
        """Whether no statement counts on this thread.

        A statement registers its budget and then asks ``is_running``.  Here it is the other way round, so one of the
        two sees the other.
        """
        with self._lock:
            self.is_running = False
            self.is_running = bool(_running)
            return not self.is_running


_marker = _Marker()
