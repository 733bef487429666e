"""The arithmetic of a row: a ratio for each repetition, then median, least and greatest of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of some figures, and how far they reach."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        digits = 2 if self.median >= 0.1 else 4
        return f"{self.median:.{digits}f} [{self.low:.{digits}f}..{self.high:.{digits}f}]"


def spread(figures: Sequence[float]) -> Spread:
    """Median, least and greatest.  Raises ValueError for no figures."""
    if not figures:
        raise ValueError("there are no figures")
    return Spread(statistics.median(figures), min(figures), max(figures))


def ratio(left: Sequence[float], right: Sequence[float]) -> Spread:
    """Return the spread of left / right, repetition by repetition.

    left, right: the mean of each repetition, in the same order.  What slows a machine down for a while slows both sides
    of a repetition down, so it is their quotient that is comparable, not the quotient of two medians.
    Raises ValueError when the sides differ in length, are empty, or the right one has a figure that is not positive.
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} repetitions on the left, {len(right)} on the right")
    if any(figure <= 0 for figure in right):
        raise ValueError("the right side took no time at all")
    return spread([a / b for a, b in zip(left, right, strict=True)])
