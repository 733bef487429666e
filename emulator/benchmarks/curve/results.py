"""The results: ratios to the smallest ledger, as text and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..ratios import Spread, ratio, spread
from ..rows import TRUSTED_HIGH, TRUSTED_LOW
from .measure import Figures
from .memory import Footprint
from .operation import Operation

_WIDTH = 17


@dataclass(frozen=True, slots=True)
class Measured:
    """An operation as it was measured.

    figures: microseconds, for each of the sizes; the first is the smallest ledger.  again: the smallest a second time.
    """

    operation: Operation
    sizes: tuple[int, ...]
    figures: tuple[Figures, ...]
    again: Figures

    def ratio(self, number: int) -> Spread | None:
        """To the smallest ledger, repetition by repetition; None when it did not run on this one."""
        return _ratio(self.figures[number], self.figures[0])

    @property
    def control(self) -> Spread | None:
        """The smallest ledger against itself."""
        return _ratio(self.again, self.figures[0])

    @property
    def verdict(self) -> str:
        """``flat``, ``GROWS`` or ``may grow``; with a question mark when the control is not what it must be."""
        last = next((found for found in reversed([*map(self.ratio, range(len(self.sizes)))]) if found), None)
        at_most = self.operation.at_most
        if at_most is None:
            return "may grow"
        word = "GROWS" if last is None or last.median > at_most else "flat"
        control = self.control
        return word if control and TRUSTED_LOW <= control.median <= TRUSTED_HIGH else f"{word}?"


def _ratio(figures: Figures, smallest: Figures) -> Spread | None:
    """What has fewer repetitions is compared with as many of the smallest."""
    return ratio(figures, smallest[: len(figures)]) if figures else None


def time_text(microseconds: float) -> str:
    """With a unit, about three digits."""
    for limit, size, unit in ((1_000, 1, "µs"), (1_000_000, 1_000, "ms")):
        if microseconds < limit:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds / 1_000_000:.3g} s"


def ratio_text(ratio: float) -> str:
    """Return two decimals, or none where they say nothing."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def line(measured: Measured) -> str:
    """Return an operation as a line of the table: times, and ratios to the first."""
    cells = []
    for number, figures in enumerate(measured.figures):
        found = measured.ratio(number)
        shown = "-" if found is None else time_text(spread(figures).median)
        cells.append(shown if not number or found is None else f"{shown} x{ratio_text(found.median)}")
    control = measured.control
    cells.insert(1, "-" if control is None else f"x{control.median:.2f}")
    goal = measured.operation.at_most
    wanted = "" if goal is None else f" <= {goal:g}"
    name = f"{measured.operation.name:<18}"
    return f"{name}{''.join(f'{cell:>{_WIDTH}}' for cell in cells)}  {measured.verdict}{wanted}{_per(measured)}"


def _per(measured: Measured) -> str:
    return f", by the {measured.operation.each}" if measured.operation.each else ""


def head(sizes: tuple[int, ...]) -> str:
    """Return the line above the table."""
    first, *rest = (f"{size:,}" for size in sizes)
    return f"{'':<18}" + "".join(f"{cell:>{_WIDTH}}" for cell in (first, "again", *rest))


def footprint_line(found: Footprint) -> str:
    """Return a process's memory as a line."""
    return (
        f"{found.blocks:>9,} blocks: opened {found.opened:.0f} MB, scanned {found.scanned:.0f}, after all "
        f"{found.worked:.0f} of {found.bound:.0f} allowed, at most {found.most:.0f}; a session "
        f"{found.session * 1024:.1f} KB; the file {found.file_bytes / found.blocks:,.0f} bytes a block"
    )


def as_json(facts: dict[str, str], measured: list[Measured], footprints: list[Footprint]) -> dict[str, Any]:
    """Return everything, with every repetition, for ``page`` and other programs."""
    return {
        "facts": facts,
        "operations": [operation_json(each) for each in measured],
        "memory": [{**asdict(each), "bound": each.bound} for each in footprints],
    }


def operation_json(measured: Measured) -> dict[str, Any]:
    """An operation for a program to read: times in microseconds, ratios as median, low and high."""
    operation = measured.operation
    ratios = [measured.ratio(number) for number in range(len(measured.sizes))]
    return {
        "name": operation.name,
        "what": operation.what,
        "each": operation.each,
        "at_most": operation.at_most,
        "source": operation.source,
        "verdict": measured.verdict,
        "sizes": list(measured.sizes),
        "figures": [list(figures) for figures in measured.figures],
        "ratios": [None if found is None else asdict(found) for found in ratios],
        "control": asdict(measured.control) if measured.control else None,
    }
