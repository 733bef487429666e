"""docs/performance.md and its plot, from the JSON of a run.

python -m benchmarks.page RESULTS.json DOCS_DIRECTORY
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from .ratios import Spread

Row = dict[str, Any]
_BEGIN, _END = "<!-- measured: written by benchmarks.page -->\n", "<!-- end of measured -->\n"
_WIDTH, _LEFT, _LINE = 760, 170, 22


def verdict(row: Row) -> str:
    """In a word, as the report of a run has it."""
    if "ratio" not in row:
        return "not measured"
    return ("met" if row["met"] else "missed") + ("?" if row["restless"] else "")


def table(results: Row) -> str:
    """Markdown: every family with its rows."""
    lines = ["| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in results["facts"].items()]
    lines += [f"| scale | {results['scale']} |"]
    for family in results["families"]:
        trust = "the machine was at rest" if family["trusted"] else "**the machine was busy: read with care**"
        lines += ["", f"### {family['name']}", "", f"By its control, {trust}.", ""]
        lines += ["| row | ratio, median [least..greatest] | goal | | what / against |", "|---|---|---|---|---|"]
        for row in family["rows"]:
            shown = "-"
            if "ratio" in row:
                shown = str(Spread(**row["ratio"]))
            goal = f"{row['at_least']:g}..{row['goal']:g}" if row["at_least"] else f"≤ {row['goal']:g}"
            note = f"<br>{row['note']}" if row.get("note") else ""
            lines.append(
                f"| `{row['name']}` | {shown} | {goal} | {verdict(row)} | {row['what']} / {row['against']}{note} |"
            )
    return "\n".join(lines) + "\n"


def plot(results: Row) -> str:
    """SVG: each ratio as a bar of its goal, with its spread; the line at 1 is the goal."""
    rows = [row for family in results["families"] for row in family["rows"] if "ratio" in row and not row["at_least"]]
    height = _LINE * len(rows) + 46
    scale = (_WIDTH - _LEFT - 30) / 2.0  # two goals wide
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
        f'<text x="{_LEFT}" y="16">ratio as a share of its goal: left of the line is better than wanted</text>'
    ]
    for number, row in enumerate(rows):
        top = 28 + number * _LINE
        low, middle, high = (min(2.0, row["ratio"][key] / row["goal"]) for key in ("low", "median", "high"))
        color = "#3b7d4f" if row["met"] else "#b5483a"
        parts.append(
            f'<text x="{_LEFT - 8}" y="{top + 12}" text-anchor="end">{escape(row["name"])}</text>'
            f'<rect x="{_LEFT}" y="{top}" width="{middle * scale:.1f}" height="{_LINE - 7}" fill="{color}"/>'
            f'<path d="M{_LEFT + low * scale:.1f} {top + 7.5}H{_LEFT + high * scale:.1f}" stroke="#222"/>'
        )
    line = _LEFT + scale
    parts.append(f'<path d="M{line:.1f} 22V{height - 14}" stroke="#222" stroke-dasharray="4 3"/></svg>')
    return "\n".join(parts) + "\n"


def put_between(page: Path, begin: str, end: str, text: str) -> None:
    """Replace what is between two marks of a page.  Raises ValueError when it does not have each once."""
    before, rest = page.read_text().split(begin)
    _, after = rest.split(end)
    page.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def main() -> None:
    """Put the table between the marks of the page, and the plot beside it."""
    results = json.loads(Path(sys.argv[1]).read_text())
    docs = Path(sys.argv[2])
    put_between(docs / "performance.md", _BEGIN, _END, table(results))
    (docs / "performance.svg").write_text(plot(results))


if __name__ == "__main__":
    main()
