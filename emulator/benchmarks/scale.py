"""The sizes and counts of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of a run.

    repetitions: ratios per row.  count: how often each side runs in a repetition.  small, large: documents, and blocks,
    of the two ledgers that show growth.  revisions: of the much-changed document.  scanned: documents of a scan.
    joined: rows on each side of a join.  starts: processes started for each side of a repetition.
    """

    name: str
    repetitions: int
    count: int
    small: int
    large: int
    revisions: int
    scanned: int
    joined: int
    starts: int


TINY = Scale("tiny", 2, 2, 20, 40, 20, 50, 20, 1)
"""Proves that the rows run; its figures mean nothing."""

QUICK = Scale("quick", 5, 20, 1_000, 10_000, 1_000, 2_000, 200, 1)
DEFAULT = Scale("default", 11, 50, 1_000, 100_000, 10_000, 10_000, 1_000, 4)
FULL = Scale("full", 11, 50, 1_000, 1_000_000, 10_000, 10_000, 1_000, 4)
