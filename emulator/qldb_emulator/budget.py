"""Bounds the work of one statement: its time, by regular checks whether it may go on, and its memory.

Python cannot stop a thread from outside.  So a statement must check by itself, from time to time, whether it may go on:
here that check is called a *look*.  Every loop whose length depends on the statement asks whether a look is due, and
code that builds large values reports their bytes.  The engine sets the budget of the open transaction while a command
runs.  Outside a command there are no bounds.

A thread of this module marks the budget of every running statement each LOOK_SECONDS, and a marked budget is due for a
look.  So a loop only reads one attribute (some 5 ns), and a statement that ends before the first mark never looks.
The alternative, to count steps in the loops, was measured: it took 10 to 25 % of a short statement's time.

Compiled expressions have the budget in their frame.  Other code calls :func:`current`, which takes some 60 ns.
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
"""The thread that marks budgets ends after it has found no statement so many times in a row.  The next statement starts
it again."""

ROWS_BETWEEN_LOOKS = 256
"""A loop over elements in memory asks after so many elements whether a look is due.  They take some 0.1 ms."""
ROW_BYTES = 200
"""The memory of the smallest row: a dict of one field, and its place in a list."""


class Budget:
    """The bounds of one transaction's statements.  Used by one thread at a time, under the session's lock.

    look_now: raises what ends the statement.
    most_bytes: the limit for a statement's intermediate results.  Sizes are estimates, right within a small factor.
    is_due: whether to call :meth:`look`.  Another thread sets it; for a plain attribute no lock is needed.
    held: bytes of temporary values (see ``ExpressionCompiler.condition``).  kept: bytes that are needed until the
    statement ends.  Code that adds to ``held`` directly is compared with the limit at the next look.
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
    """Has no bounds and is never due.  Threads may share it, because its counts are not used."""

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
    """Begin a command of this thread within a budget.  The caller must call :func:`leave`, also after an error."""
    budget.held = budget.kept = 0
    _running[get_ident()] = budget
    if not _marker.is_running:
        _marker.start()


def leave() -> None:
    """End the command of this thread."""
    _running.pop(get_ident(), None)


def check() -> None:
    """Look, if the current statement is due for it.  Raises what ends the statement."""
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
