"""A row of the table, and a family of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from .bench import Bench

Unit = Literal["ms", "µs", "MB"]
Measure = Callable[["Bench"], "Samples"]

TRUSTED_LOW, TRUSTED_HIGH = 0.97, 1.03
"""Where the ratio of two equal things must come out: outside, the machine is too restless for any other ratio."""


@dataclass(frozen=True, slots=True)
class Samples:
    """What a row measured.

    left, right: one figure for each repetition, in the same order, both in ``unit``.
    note: what a reader must know to read the figures (sizes, shares).
    """

    left: tuple[float, ...]
    right: tuple[float, ...]
    unit: Unit
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    name: for ``--only``.  what: the left side.  against: the right side.  goal: what the median ratio must not exceed;
    at_least: what it must reach.  source: where the goal comes from.
    """

    name: str
    what: str
    against: str
    goal: float
    source: str
    measure: Measure
    at_least: float = 0.0


def control(name: str, what: str, measure: Measure) -> Row:
    """Return the A/A row of a family: a thing against itself, which shows what the machine can resolve just now."""
    return Row(name, what, "the same again", TRUSTED_HIGH, "measurements.md 1: A/A first", measure, TRUSTED_LOW)


@dataclass(frozen=True, slots=True)
class Family:
    """Rows that are measured in the same way.  The control runs before and after them, whichever are asked for."""

    name: str
    control: Row
    rows: tuple[Row, ...]
