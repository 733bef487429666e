"""Formats results for people and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .ratios import Spread, ratio, spread
from .rows import TRUSTED_HIGH, TRUSTED_LOW, Row, Samples

RESTLESS = 1.3
"""Repetitions of a row on a machine at rest differ by a tenth or less (measurements.md 1); this is another machine."""


@dataclass(frozen=True, slots=True)
class Result:
    """A measured row, or one that was not, and why.  has_failed: something broke, rather than was not there."""

    row: Row
    samples: Samples | None
    problem: str = ""
    has_failed: bool = False

    @property
    def ratio(self) -> Spread:
        """Requires samples."""
        assert self.samples is not None
        return ratio(self.samples.left, self.samples.right)

    @property
    def is_met(self) -> bool:
        """Whether the median is where the goal wants it."""
        return self.samples is not None and self.row.at_least <= self.ratio.median <= self.row.goal

    @property
    def is_restless(self) -> bool:
        """Whether the repetitions differ so much that the median says little."""
        return self.samples is not None and self.ratio.high > RESTLESS * self.ratio.low

    @property
    def verdict(self) -> str:
        """In a word."""
        word = "met" if self.is_met else "MISSED"
        return f"{word}?" if self.is_restless else word


@dataclass(frozen=True, slots=True)
class FamilyResult:
    """A family's rows, and its control as it came out before and after them."""

    name: str
    controls: tuple[Result, ...]
    results: tuple[Result, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether the control shows that the machine was at rest, before and after."""
        return all(control.is_met and not control.is_restless for control in self.controls)

    def all_results(self) -> tuple[Result, ...]:
        """In the order in which they were measured."""
        return (*self.controls[:1], *self.results, *self.controls[1:])


def head(facts: dict[str, str], scale: str) -> str:
    """Return the lines above the table."""
    width = max(map(len, facts))
    return "\n".join([f"{name:<{width}}  {value}" for name, value in facts.items()] + [f"{'scale':<{width}}  {scale}"])


def family_text(family: FamilyResult) -> str:
    """Return one family as text."""
    lines = ["", f"{family.name}: {trust(family)}"]
    for result in family.all_results():
        lines.extend(row_lines(result))
    return "\n".join(lines)


def trust(family: FamilyResult) -> str:
    """Return what the control says of the rows below it."""
    if any(control.samples is None for control in family.controls):
        return "NOT TRUSTED, the A/A row could not be measured"
    found = ", then ".join(str(control.ratio) for control in family.controls)
    if family.is_trusted:
        return f"trusted, A/A is {found}"
    wanted = f"{TRUSTED_LOW:.2f}..{TRUSTED_HIGH:.2f} and steady"
    return f"NOT TRUSTED, A/A is {found}, not {wanted}: the machine is busy; run again when it is at rest"


def row_lines(result: Result) -> list[str]:
    """Return a row, with its notes below it."""
    row = result.row
    if result.samples is None:
        return [f"  {row.name:<19} {'FAILED' if result.has_failed else 'skipped'}: {result.problem}"]
    samples = result.samples
    figures = f"{figure(spread(samples.left))} / {figure(spread(samples.right))} {samples.unit}"
    lines = [
        f"  {row.name:<19} {result.ratio!s:<25} {goal_text(row):<11} {result.verdict:<7} {figures}",
        f"  {'':<19} {row.what} / {row.against}",
    ]
    if samples.note:
        lines.append(f"  {'':<19} {samples.note}")
    return lines


def goal_text(row: Row) -> str:
    """Return the goal as a condition."""
    return f"{row.at_least:g}..{row.goal:g}" if row.at_least else f"<= {row.goal:g}"


def figure(values: Spread) -> str:
    """Return a median with about three digits."""
    return f"{values.median:.3g}" if values.median < 100 else f"{values.median:.0f}"


def as_json(facts: dict[str, str], scale: str, families: list[FamilyResult]) -> dict[str, Any]:
    """Return everything, with every repetition, for a machine to read."""
    return {
        "facts": facts,
        "scale": scale,
        "families": [
            {
                "name": family.name,
                "trusted": family.is_trusted,
                "rows": [row_json(result) for result in family.all_results()],
            }
            for family in families
        ],
    }


def row_json(result: Result) -> dict[str, Any]:
    """A row for a machine to read."""
    row = result.row
    members: dict[str, Any] = {
        "name": row.name,
        "what": row.what,
        "against": row.against,
        "goal": row.goal,
        "at_least": row.at_least,
        "source": row.source,
    }
    if result.samples is None:
        return {**members, "problem": result.problem, "failed": result.has_failed}
    samples, found = result.samples, result.ratio
    return {
        **members,
        "ratio": {"median": found.median, "low": found.low, "high": found.high},
        "met": result.is_met,
        "restless": result.is_restless,
        "unit": samples.unit,
        "left": list(samples.left),
        "right": list(samples.right),
        "note": samples.note,
    }
