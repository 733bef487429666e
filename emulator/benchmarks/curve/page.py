"""The section Growth of docs/performance.md and its plot, from the JSON of one run or several.

    python -m benchmarks.curve.page RESULTS.json... DOCS_DIRECTORY

Of an operation that several runs have, the last is shown; an operation's figures are always of one run.  The tables
and the plot are of the pure build; runs of the compiled build make one table more, which compares the two.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..page import put_between
from .plot import plot
from .results import ratio_text, time_text

Members = dict[str, Any]
BEGIN, END = "<!-- growth: written by benchmarks.curve.page -->\n", "<!-- end of growth -->\n"
_FACTS = ("emulator", "python", "sqlite", "processor", "memory")


def merged(runs: Sequence[Members]) -> Members:
    """Return one run from several.  facts: of the last, but for the emulator: all that were measured."""
    emulators = dict.fromkeys(run["facts"]["emulator"] for run in runs)
    operations = {operation["name"]: operation for run in runs for operation in run["operations"]}
    memory = {footprint["blocks"]: footprint for run in runs for footprint in run["memory"]}
    return {
        "facts": {**runs[-1]["facts"], "emulator": " and ".join(emulators)},
        "operations": list(operations.values()),
        "memory": [memory[blocks] for blocks in sorted(memory)],
    }


def tables(results: Members) -> str:
    """Markdown: what must not grow, what may, and memory."""
    flat = [operation for operation in results["operations"] if operation["at_most"] is not None]
    whole = [operation for operation in results["operations"] if operation["at_most"] is None]
    facts = "; ".join(f"{name} {results['facts'][name]}" for name in _FACTS if name in results["facts"])
    parts = [f"{facts}.\n"]
    if flat:
        parts += ["### What must not grow\n", "\n".join(_operations(flat)) + "\n"]
    if whole:
        parts += [
            "### What goes through a whole ledger, by the document or block\n",
            "\n".join(_operations(whole)) + "\n",
        ]
    if results["memory"]:
        parts += ["### Memory of a process\n", "\n".join(_memory(results["memory"]))]
    return "\n".join(parts) + "\n"


def is_compiled(run: Members) -> bool:
    """Whether a run is of the compiled build."""
    return "compiled" in run["facts"]["emulator"]


def both_builds(pure: Members, compiled: Members) -> str:
    """Markdown: each operation with the smallest ledger and with the largest, in both builds."""
    theirs = {operation["name"]: operation for operation in compiled["operations"]}
    lines = [
        f"### Both builds\n\nCompiled: emulator {compiled['facts']['emulator']}.\n",
        "| operation | smallest, pure | compiled | largest | pure | compiled | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_in_both(ours, theirs[ours["name"]]) for ours in pure["operations"] if ours["name"] in theirs]
    return "\n".join(lines) + "\n"


def _in_both(pure: Members, compiled: Members) -> str:
    """An operation's row.  Its largest ledger is the largest that it ran on in both builds."""
    place = max(place for place, ratio in enumerate(pure["ratios"]) if ratio and compiled["ratios"][place])
    builds = pure, compiled
    smallest = [time_text(statistics.median(build["figures"][0])) for build in builds]
    largest = [_cell(build["figures"][place], build["ratios"][place]) for build in builds]
    name, size = f"`{pure['name']}`", f"{pure['sizes'][place]:,}"
    goal = "" if pure["at_most"] is None else f"≤ {pure['at_most']:g}"
    return f"| {' | '.join((name, *smallest, size, *largest, goal))} |"


def _operations(operations: Sequence[Members]) -> list[str]:
    sizes = sorted({size for operation in operations for size in operation["sizes"]})
    first, *rest = (f"{size:,}" for size in sizes)
    lines = [f"| operation | {first} | again | {' | '.join(rest)} | goal | | what |", "|---" * (len(sizes) + 5) + "|"]
    for operation in operations:
        by_size = dict(
            zip(operation["sizes"], zip(operation["figures"], operation["ratios"], strict=True), strict=True)
        )
        smallest, *others = [_cell(*by_size.get(size, ((), None))) for size in sizes]
        control = operation["control"]
        goal = "" if operation["at_most"] is None else f"≤ {operation['at_most']:g}"
        cells = [
            f"`{operation['name']}`",
            smallest.split(" ×")[0],
            "-" if control is None else f"×{control['median']:.2f}",
            *others,
            goal,
            operation["verdict"],
            operation["what"] + (f", by the {operation['each']}" if operation["each"] else ""),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _cell(figures: Sequence[float], ratio: Members | None) -> str:
    return "-" if ratio is None else f"{time_text(statistics.median(figures))} ×{ratio_text(ratio['median'])}"


def _memory(footprints: Sequence[Members]) -> list[str]:
    lines = [
        "| blocks | opened | after two scans | per 100,000 documents scanned | after all | allowed | most ever "
        "| a session | file, a block |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for found in footprints:
        scanned = (found["scanned"] - found["opened"]) / found["documents"] * 100_000
        lines.append(
            f"| {found['blocks']:,} | {found['opened']:.0f} MB | {found['scanned']:.0f} MB | {scanned:.0f} MB "
            f"| {found['worked']:.0f} MB | {found['bound']:.0f} MB | {found['most']:.0f} MB "
            f"| {found['session'] * 1024:.1f} KB | {found['file_bytes'] / found['blocks']:,.0f} bytes |"
        )
    return lines


def main() -> None:
    """Put the tables between the marks of the page, and the plot beside it."""
    *files, docs = map(Path, sys.argv[1:])
    runs = [json.loads(file.read_text()) for file in files]
    compiled = [run for run in runs if is_compiled(run)]
    results = merged([run for run in runs if not is_compiled(run)] or runs)
    text = tables(results)
    if compiled and len(compiled) < len(runs):
        text += "\n" + both_builds(results, merged(compiled))
    put_between(docs / "performance.md", BEGIN, END, text)
    (docs / "growth.svg").write_text(plot(results["operations"]))


if __name__ == "__main__":
    main()
