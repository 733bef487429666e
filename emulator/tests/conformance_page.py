"""Makes docs/conformance.md: the scores against partiql-tests and against the library QLDB ran, and every difference.

Run as a module it prints the page; it needs the suite, in the sibling folder shared/.  The score against the library is
that of the run which ``compat_tests/partiql/search.py --write compat_tests/partiql/score.json`` recorded last.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers.partiql_cases import Judge, Outcome, read_cases

SUITE = Path(__file__).parents[3] / "shared" / "partiql-tests"
LISTS = Path(__file__).with_name("spec") / "partiql_conformance.json"
LIBRARY = Path(__file__).parents[2] / "compat_tests" / "partiql"

# Why this version of the library is the one that is followed.
EVIDENCE = (
    "`EXEC`, which QLDB offered from November 2021 (`REDACT_REVISION`), is in the library since 0.2.7.",
    "`RETURNING` and `ON CONFLICT`, in the library since 0.3.0, are on no page of QLDB.",
    "Recorded error texts of QLDB lack the full stop that 0.5.0 added, and have the line break before a value that "
    "every version from 0.2.0 on writes.",
    "`EXTRACT` gives a whole number (ql-functions.extract) up to 0.2.7 only.",
    "`MAX` and `MIN` take numbers only (ql-functions.max), and `SIZE` no s-expression (ql-functions.size): so it is in "
    "0.2.7, and no longer in 0.7.0.",
)


def library_table() -> list[dict[str, Any]]:
    """The rows of what differs from the library, in the order of the file."""
    text = (LIBRARY / "differences.toml").read_text(encoding="utf-8")
    table: list[dict[str, Any]] = tomllib.loads(text)["difference"]
    return table


def library_score() -> dict[str, Any]:
    """What the last recorded run against the library found."""
    found: dict[str, Any] = json.loads((LIBRARY / "score.json").read_text(encoding="utf-8"))
    return found


def _library_section() -> list[str]:
    found = library_score()
    documented: dict[str, int] = found["documented"]
    return [
        "## Against the library",
        "",
        "QLDB's query engine ran partiql-lang-kotlin. `compat_tests/partiql` asks that library and the emulator the",
        "same generated statements, and compares the answers to the byte: types, annotations, scale, precision and",
        "order of fields; text, line and column of errors. **Version 0.2.7** is followed:",
        "",
        *[f"- {reason}" for reason in EVIDENCE],
        "",
        "QLDB's documentation wins where it differs. Where the library has no text for the first half of an error,",
        "ours is our own. A minute of the comparison runs in `scripts/test`; longer runs of `search.py` made the",
        f"table below. Seed: {found['seed']}.",
        "",
        "| statements | |",
        "|---|---:|",
        f"| tried | {found['tried']} |",
        f"| equal | {found['equal']} |",
        f"| different, as documented below | {sum(documented.values())} |",
        f"| different otherwise | {found['undocumented']} |",
        "",
        "| times | what differs | statement | why | source |",
        "|---:|---|---|---|---|",
        *[
            f"| {documented.get(row['name'], 0)} | {_cell(row['name'])} | {_code(row['example'])} "
            f"| {_cell(row['reason'])} | {_cell(row['source'])} |"
            for row in library_table()
        ],
        "",
    ]


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
        "# How PartiQL is held to QLDB's",
        "",
        *_library_section(),
        "## Against the conformance suite",
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
        "### Where QLDB deviates from the suite",
        "",
        "| cases | what | how it is known |",
        "|---:|---|---|",
        *[f"| {deviations[reason]} | {_cell(reason)} | {_cell(source)} |" for reason, source in judge.sources.items()],
        "",
        "### What is outside the dialect",
        "",
        "| cases | what |",
        "|---:|---|",
        *[f"| {refused[reason]} | {_cell(reason)} |" for reason, _, _ in judge.outside],
        "",
    ]
    return "\n".join(lines)


def _code(text: str) -> str:
    """A statement in a cell; backticks in it want two around it."""
    return f"`` {_cell(text)} ``" if "`" in text else f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    judge = Judge(LISTS)
    print(as_markdown([judge.judge(case) for case in read_cases(SUITE)], judge), end="")


if __name__ == "__main__":
    main()
