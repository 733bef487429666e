"""partiql-tests against the engine: every case is passed, or deviates as listed, or is outside the dialect and refused.

The lists and their reasons are in ``partiql_conformance.json``.  Where the suite's permissive mode gives MISSING for a
type mistake, an error will do, as its strict mode has it: so it is on QLDB's pages (``SIZE(12)``, ``CAST('aa' AS
integer)``).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from conformance_page import LISTS, as_markdown, library_score, library_table, score
from helpers.partiql_cases import Case, Judge, Outcome, read_cases
from helpers.support import SHARED, needs_shared

SUITE = SHARED / "partiql-tests"
PAGE = Path(__file__).parents[3] / "docs" / "conformance.md"
JUDGE = Judge(LISTS)

pytestmark = needs_shared


def _files() -> list[str]:
    return sorted(str(path.relative_to(SUITE)) for path in SUITE.rglob("*.ion")) if SUITE.is_dir() else []


@cache
def _cases() -> dict[str, list[Case]]:
    by_file: dict[str, list[Case]] = {}
    for case in read_cases(SUITE):
        by_file.setdefault(case.file, []).append(case)
    return by_file


@cache
def _outcomes(file: str) -> list[Outcome]:
    return [JUDGE.judge(case) for case in _cases().get(file, [])]


@pytest.mark.parametrize("file", _files())
def test_every_case_is_passed_or_accounted_for(file: str) -> None:
    failed = [
        f"{outcome.case.name}: {outcome.case.statement}: {outcome.detail}"
        for outcome in _outcomes(file)
        if outcome.kind == "failed"
    ]
    assert failed == []


def test_every_listed_deviation_occurs() -> None:
    met = {
        " ".join(outcome.case.statement.split())
        for file in _files()
        for outcome in _outcomes(file)
        if outcome.kind == "deviation"
    }
    assert sorted(set(JUDGE.deviations) - met) == []


def test_every_reason_for_refusing_occurs() -> None:
    met = {outcome.detail for file in _files() for outcome in _outcomes(file) if outcome.kind == "refused"}
    assert [reason for reason, _, _ in JUDGE.outside if reason not in met] == []


def test_the_score_and_the_page_that_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = [outcome for file in _files() for outcome in _outcomes(file)]
    counts = score(outcomes)
    with capsys.disabled():
        print("\npartiql-tests: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    assert counts["passed"] + counts["deviations"] == counts["in dialect"]
    assert counts["total"] > 5000
    assert PAGE.read_text(encoding="utf-8") == as_markdown(outcomes, JUDGE), "run scripts/docs"


def test_the_recorded_run_against_the_library_has_no_difference_without_a_row() -> None:
    found, names = library_score(), [row["name"] for row in library_table()]
    assert found["undocumented"] == 0
    assert found["tried"] == found["equal"] + sum(found["documented"].values())
    assert set(found["documented"]) <= set(names)
    assert len(names) == len(set(names))


def test_every_difference_from_the_library_says_why_and_how_that_is_known() -> None:
    for row in library_table():
        assert row["reason"], row["name"]
        assert row["source"].split(":")[0] in ("documented", "ours", "library"), row["name"]
        assert {"statement", "ours", "library", "same_text"} & row.keys(), row["name"]
