"""Makes docs/conformance.md: the score of partiql-tests, what is outside the dialect and where QLDB deviates.

Run as a module it prints the page; it needs the suite, in the sibling folder shared/.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from partiql_cases import Judge, Outcome, read_cases

SUITE = Path(__file__).parents[3] / "shared" / "partiql-tests"
LISTS = Path(__file__).with_name("spec") / "partiql_conformance.json"


def score(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Return how many cases: "passed" (of them "strict"), "deviations", "failed", "in dialect", "refused", "total"."""
    kinds = Counter(outcome.kind for outcome in outcomes)
    total = sum(kinds.values())
    return {
        "passed": kinds["passed"] + kinds["strict"],
        "strict": kinds["strict"],
        "deviations": kinds["deviation"],
        "failed": kinds["failed"],
        "in dialect": total - kinds["refused"],
        "refused": kinds["refused"],
        "total": total,
    }


def as_markdown(outcomes: list[Outcome], judge: Judge) -> str:
    """Return the page."""
    counts = score(outcomes)
    refused = Counter(outcome.detail for outcome in outcomes if outcome.kind == "refused")
    deviations = Counter(outcome.detail for outcome in outcomes if outcome.kind == "deviation")
    lines = [
        "# The PartiQL conformance suite",
        "",
        "Made by `scripts/docs` from `emulator/tests/spec/partiql_conformance.json`, which lists every exception by",
        "its statement; a test holds the page to be fresh.  The suite is partiql-tests; each case is evaluated in the",
        "mode QLDB had: as the suite's permissive mode has it, but a type mistake is an error, as in its strict mode.",
        "",
        "| cases | |",
        "|---|---:|",
        f"| passed | {counts['passed']} |",
        f"| ... of them a type mistake that is an error | {counts['strict']} |",
        f"| other than the suite, as QLDB had it (below) | {counts['deviations']} |",
        f"| failed | {counts['failed']} |",
        f"| **in QLDB's dialect** | {counts['in dialect']} |",
        f"| outside the dialect, and refused | {counts['refused']} |",
        f"| **all** | {counts['total']} |",
        "",
        "## Where QLDB deviates from the suite",
        "",
        "| cases | what | how it is known |",
        "|---:|---|---|",
        *[f"| {deviations[reason]} | {_cell(reason)} | {_cell(source)} |" for reason, source in judge.sources.items()],
        "",
        "## What is outside the dialect",
        "",
        "| cases | what |",
        "|---:|---|",
        *[f"| {refused[reason]} | {_cell(reason)} |" for reason, _, _ in judge.outside],
        "",
    ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    judge = Judge(LISTS)
    print(as_markdown([judge.judge(case) for case in read_cases(SUITE)], judge), end="")


if __name__ == "__main__":
    main()
