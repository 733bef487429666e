"""The method: both sides of a comparison alternate, run by run, in random order.

Measured (measurements.md 1): two identical servers compared in blocks of 50 came out between 0.75 and 1.38; taking
turns at every transaction, between 0.97 and 1.02.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from random import Random

Case = Callable[[], float]
"""Runs once and returns what it took, in nanoseconds, leaving out what does not count."""


def timed(action: Callable[[], object]) -> Case:
    """Return a case that counts all of an action."""

    def run() -> float:
        began = time.perf_counter_ns()
        action()
        return time.perf_counter_ns() - began

    return run


def alternate(cases: Sequence[Case], repetitions: int, count: int, random: Random) -> list[tuple[float, ...]]:
    """Return the mean of each repetition for each case, in nanoseconds.

    Every case runs once unmeasured before each repetition, so that neither pays for what the other pushed out.
    """
    means: list[list[float]] = [[] for _ in cases]
    order = list(range(len(cases)))
    for _ in range(repetitions):
        gc.collect()
        for case in cases:
            case()
        totals = [0.0] * len(cases)
        for _ in range(count):
            random.shuffle(order)
            for number in order:
                totals[number] += cases[number]()
        for number, total in enumerate(totals):
            means[number].append(total / count)
    return [tuple(figures) for figures in means]
