"""Makes docs/scoreboard.md from the results that scripts/test leaves in build/results.

python docs/make/scoreboard.py [DIRECTORY]
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# file of results -> what it is
SUITES = {
    "package": "the package's own tests, newest amazon.ion",
    "package-oldest-ion": "those of them with amazon.ion as oracle, with its version 0.9.3 (what pyqldb pins)",
    "client-python": "pyqldb 3.2.4 and boto3 1.40.60 over HTTP: the tutorial, the talk, proofs, conflicts, SIGKILL",
    "client-newest": "the newest boto3 and pyqldb, given their clients back; journal streams",
    "client-awscli": "AWS CLI 1: all twenty operations",
    "plugin": "the pytest plugin beside pyqldb",
    "package-wheel": "the wheel, installed into a bare environment",
    "docs": "commands and programs in README and docs",
}
# Modules of the package's tests that hold outside evidence against it: name -> what the evidence is
EVIDENCE = {
    "test_partiql_conformance": "partiql-tests: [which pass, deviate, or are refused](conformance.md)",
    "test_partiql_parser_corpus": "statements that people sent to QLDB",
    "test_partiql_planner_statements": "the same, planned",
    "test_ion_suite": "ion-tests",
    "test_ion_hash_vectors": "the Ion Hash suite",
    "test_journal_vectors": "blocks, revisions, proofs and receipts captured from QLDB",
    "test_wire_captures": "requests and answers captured from QLDB",
    "test_control_plane_fuzz": "every operation, fuzzed from its model",
}
Counts = tuple[int, int, int]
"""(passed, failed, skipped)."""


def counts(cases: list[ElementTree.Element]) -> Counts:
    """How cases ended."""
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    return len(cases) - failed - skipped, failed, skipped


def rows(results: Path) -> tuple[list[str], list[str]]:
    """The rows of both tables."""
    suites, evidence = [], []
    for name, about in SUITES.items():
        file = results / f"{name}.xml"
        if not file.is_file():
            continue
        cases = list(ElementTree.parse(file).iter("testcase"))
        suites.append(_row(about, counts(cases)))
        if name.startswith("package") and name != "package-wheel" and not evidence:
            for module, what in EVIDENCE.items():
                found = [case for case in cases if module in (case.get("classname") or "").split(".")]
                if found:
                    evidence.append(_row(what, counts(found)))
    return suites, evidence


def _row(about: str, found: Counts) -> str:
    return f"| {about} | {found[0]} | {found[1]} | {found[2]} |"


def page(results: Path) -> str:
    """The page."""
    suites, evidence = rows(results)
    header = ["|---|---:|---:|---:|"]
    return "\n".join(
        [
            "# Scoreboard",
            "",
            "Made by `docs/make/scoreboard.py` from results of `scripts/test`. A suite that was not run, or leaves no",
            "results that can be read (the drivers for Node.js, Go and Java), is not here.",
            "",
            "| suite | passed | failed | skipped |",
            *header,
            *suites,
            "",
            "## Against evidence from outside",
            "",
            "| evidence | passed | failed | skipped |",
            *header,
            *evidence,
            "",
        ]
    )


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "results"
    if not any(folder.glob("*.xml")):
        raise SystemExit(f"there are no results in {folder}: run scripts/test first")
    (ROOT / "docs" / "scoreboard.md").write_text(page(folder))
