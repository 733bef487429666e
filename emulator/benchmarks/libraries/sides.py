"""The two sides of a comparison with a library."""

from __future__ import annotations

from collections.abc import Callable

from ..alternate import Case, timed

Sides = tuple[Case, Case]
"""Ours, theirs."""

Compared = Callable[[int], Sides]
"""Makes both sides.  Given: how many documents there are to look at, where it is more than one."""

_TIMES = 20  # some microseconds are too short to be timed alone


def often(action: Callable[[], object]) -> Case:
    """Return a case of something short: the mean of several runs in a row."""

    def run() -> None:
        for _ in range(_TIMES):
            action()

    whole = timed(run)
    return lambda: whole() / _TIMES
