"""The method: the ledgers alternate, one operation after the other, the smallest ledger twice.

Every ledger has caches of its own, of the same size, so none takes another's place in them; turns in random order give
each the same neighbours in the processor's.  Files are in the system's memory: they were just copied.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from ..alternate import Case, alternate
from .ledgers import Curve, Filled
from .operation import Operation

_MICROSECOND = 1_000


@dataclass(frozen=True, slots=True)
class Rounds:
    """How often something runs that goes through a whole ledger.

    count: figures of a ledger of at most ``often_blocks``; a larger one has one.  A figure is the mean of one run or
    of as many as make ``run_blocks`` together.
    """

    count: int
    often_blocks: int
    run_blocks: int


@dataclass(frozen=True, slots=True)
class Effort:
    """How often everything runs.

    warmth: runs of a reading operation on each ledger before it is measured, so that SQLite's pages of a large ledger
    are those that a server keeps which has run for a while, not none.
    repetitions: figures of an operation, each the mean of ``reads`` or ``writes`` runs.  starts: of a process.
    whole, slow: rounds of operations of these kinds.  slow_blocks: the largest ledger that slow ones run on.
    """

    warmth: int
    repetitions: int
    reads: int
    writes: int
    starts: int
    whole: Rounds
    slow: Rounds
    slow_blocks: int = 100_000


DEFAULT = Effort(5_000, 11, 200, 20, 7, whole=Rounds(3, 100_000, 10_000), slow=Rounds(3, 10_000, 1))
TINY = Effort(2, 2, 2, 2, 1, whole=Rounds(1, 100, 1), slow=Rounds(1, 100, 1))
"""Proves that the operations run; its figures mean nothing."""

Figures = tuple[float, ...]
"""Microseconds of each repetition; none for a ledger that the operation did not run on."""


def measure(curve: Curve, operation: Operation, effort: Effort) -> list[Figures]:
    """Return what an operation took on each ledger: for one run, one document or one block (``Operation.each``)."""
    ledgers = [of for of in curve.ledgers if operation.kind != "slow" or of.blocks <= effort.slow_blocks]
    cases = [operation.make(curve, of) for of in ledgers]
    if operation.kind == "whole":
        taken = _rounds(cases, ledgers, effort.whole, curve.random)
    elif operation.kind == "slow":
        taken = _rounds(cases, ledgers, effort.slow, curve.random)
    else:
        if operation.kind == "read":
            for case in cases:
                for _ in range(effort.warmth):
                    case()
        repetitions, count = {
            "read": (effort.repetitions, effort.reads),
            "write": (effort.repetitions, effort.writes),
            "start": (effort.starts, 1),
        }[operation.kind]
        taken = alternate(cases, repetitions, count, curve.random)
    figures = [
        tuple(nanoseconds / _MICROSECOND / operation.share(of) for nanoseconds in means)
        for of, means in zip(ledgers, taken, strict=True)
    ]
    return figures + [()] * (len(curve.ledgers) - len(ledgers))


def _rounds(cases: Sequence[Case], ledgers: Sequence[Filled], rounds: Rounds, random: Random) -> list[Figures]:
    """Return the mean of each round for each case, in nanoseconds.

    Nothing runs unmeasured: a large ledger takes long.
    """
    means: list[list[float]] = [[] for _ in cases]
    order = list(range(len(cases)))
    for number in range(rounds.count):
        gc.collect()
        random.shuffle(order)
        for case in order:
            blocks = ledgers[case].blocks
            if number == 0 or blocks <= rounds.often_blocks:
                count = max(1, rounds.run_blocks // blocks)
                means[case].append(sum(cases[case]() for _ in range(count)) / count)
    return [tuple(figures) for figures in means]
