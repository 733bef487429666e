"""The method: the ledgers take turns at one operation after the other, the smallest twice.

Every ledger has caches of its own, of the same size, so none takes another's place in them; turns in random order give
each the same neighbours in the processor's.  Files are in the system's memory: they were just copied.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from ..alternate import Case, alternate
from .ledgers import Curve, Filled
from .operation import Operation

_MICROSECOND = 1_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How often everything runs.

    repetitions: figures of an operation, each the mean of ``reads`` or ``writes`` runs.  starts: of a process.
    rounds: of what goes through a whole ledger of at most ``often_blocks``; a larger one has one round, a small one
    as many runs in a round as make ``run_blocks`` together, unless they are slow.
    slow_blocks: the largest ledger for slow operations.
    """

    repetitions: int
    reads: int
    writes: int
    starts: int
    rounds: int
    often_blocks: int = 100_000
    run_blocks: int = 10_000
    slow_blocks: int = 100_000


DEFAULT = Effort(repetitions=11, reads=200, writes=20, starts=7, rounds=3)
TINY = Effort(repetitions=2, reads=2, writes=2, starts=1, rounds=1, run_blocks=1)
"""Proves that the operations run; its figures mean nothing."""

Figures = tuple[float, ...]
"""Microseconds of each repetition; none for a ledger that the operation did not run on."""


def measure(curve: Curve, operation: Operation, effort: Effort) -> list[Figures]:
    """What an operation took on each ledger: for one run, one document or one block (``Operation.each``)."""
    ledgers = [of for of in curve.ledgers if operation.kind != "slow" or of.blocks <= effort.slow_blocks]
    cases = [operation.make(curve, of) for of in ledgers]
    if operation.kind in ("whole", "slow"):
        run_blocks = effort.run_blocks if operation.kind == "whole" else 1
        taken = _rounds(cases, ledgers, replace(effort, run_blocks=run_blocks), curve.random)
    else:
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


def _rounds(cases: Sequence[Case], ledgers: Sequence[Filled], effort: Effort, random: Random) -> list[Figures]:
    """The mean of each round for each case, in nanoseconds.  Nothing runs unmeasured: a large ledger takes long."""
    means: list[list[float]] = [[] for _ in cases]
    order = list(range(len(cases)))
    for number in range(effort.rounds):
        gc.collect()
        random.shuffle(order)
        for case in order:
            blocks = ledgers[case].blocks
            if number == 0 or blocks <= effort.often_blocks:
                count = max(1, effort.run_blocks // blocks)
                means[case].append(sum(cases[case]() for _ in range(count)) / count)
    return [tuple(figures) for figures in means]
