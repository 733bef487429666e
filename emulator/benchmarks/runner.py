"""Runs families one after the other and collects their results."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from .bench import Bench, BenchError, SkippedError, Tools
from .families import FAMILIES
from .report import FamilyResult, Result
from .rows import Family, Row
from .scale import Scale


def all_rows(families: Iterable[Family] = FAMILIES) -> list[Row]:
    """Return every row, controls included, in the order in which they run."""
    return [row for family in families for row in (family.control, *family.rows)]


def run(scale: Scale, directory: Path, tools: Tools, only: Collection[str], seed: int) -> Iterator[FamilyResult]:
    """Yield each family that has something to measure.  only: names of rows; empty for all."""
    for family in FAMILIES:
        wanted = [row for row in family.rows if not only or row.name in only]
        if not wanted and family.control.name not in only:
            continue
        here = directory / family.name.split()[0].strip(",")
        here.mkdir()
        with Bench(scale, here, tools, seed) as bench:
            before = measured(bench, family.control)
            results = [measured(bench, row) for row in wanted]
            yield FamilyResult(family.name, (before, measured(bench, family.control)), tuple(results))


def measured(bench: Bench, row: Row) -> Result:
    """Measure a row; return the result, or why there is none."""
    bench.say(row.name)
    try:
        return Result(row, row.measure(bench))
    except BenchError as error:
        return Result(row, None, str(error), has_failed=True)
    except SkippedError as reason:
        return Result(row, None, str(reason))
