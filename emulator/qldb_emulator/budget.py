"""Bounds the work of one statement: its time, by regular checks whether it may go on, and its memory.

Python cannot stop a thread from outside, so every loop whose length a statement decides reports its steps here, and
everything that grows reports its bytes.  The engine enters the budget of the open transaction for the time of a
command; code below finds it by :func:`current`.  Outside a command the budget has no bounds.

The budget of a thread is kept in a thread-local variable instead of being passed down: comparing, writing and matching
values may take long, too, and have no frame to carry it.  Measured: a report costs 60 ns, so loops report every 256
rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from .errors import STATEMENT_TOO_LARGE

# A step is about a microsecond of work, a row or a nested value.  A check takes about one, so this is one in a
# thousand.
STEPS_BETWEEN_CHECKS = 1_000
ROWS_BETWEEN_REPORTS = 256
# The least memory of a row that is kept: a dict of one field, and its place in a list.
ROW_BYTES = 200
# Copying this many bytes at once counts as a step.
BYTES_PER_STEP = 4_096


class Budget:
    """The bounds of one transaction's statements.  Used by one thread at a time, under the session's lock.

    check: called every STEPS_BETWEEN_CHECKS steps; raises an error to end the statement.
    most_bytes: how much the intermediate results of a statement may take; an estimate, to be right within a few times.
    held: bytes that may be freed again (see ``ExpressionCompiler.condition``).  kept: bytes that stay.
    """

    __slots__ = ("_check", "_left", "_most_bytes", "held", "kept")

    def __init__(self, check: Callable[[], None], most_bytes: float) -> None:
        self._check = check
        self._most_bytes = most_bytes
        self._left = STEPS_BETWEEN_CHECKS
        self.held = 0
        self.kept = 0

    def begin(self) -> None:
        """Begin a statement: nothing is in memory yet.

        Its session has just checked that the transaction may go on, so the first check comes with the steps.
        """
        self.held = self.kept = 0

    def spend(self, steps: int) -> None:
        """Report finished steps.  Raises the error that ends the statement."""
        self._left -= steps
        if self._left < 0:
            self._left = STEPS_BETWEEN_CHECKS
            self._check()

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
    """A budget that counts nothing, so threads may share it."""

    __slots__ = ()

    def spend(self, steps: int) -> None:
        pass

    def hold(self, size: int) -> None:
        pass

    def keep(self, size: int) -> None:
        pass


UNBOUNDED: Budget = _Unbounded(lambda: None, float("inf"))


class _Current(threading.local):
    budget: Budget = UNBOUNDED


_current = _Current()


def current() -> Budget:
    """Return the budget of the statement that this thread works for."""
    return _current.budget


def enter(budget: Budget) -> Budget:
    """Work for this budget from now on.  Returns the one before, which the caller enters again at the end."""
    before, _current.budget = _current.budget, budget
    return before


def charge(size: int) -> None:
    """Report bytes copied into a temporary value, and their time.  Raises the error that ends the statement."""
    budget = _current.budget
    budget.spend(size // BYTES_PER_STEP + 1)
    budget.hold(size)
