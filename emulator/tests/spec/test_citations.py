"""Every citation of a reference page resolves: code, tests and pages point at headings that this repository has."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest
from helpers.support import ROOT

REFERENCE = ROOT / "docs" / "reference"
PAGES = sorted(path.name for path in REFERENCE.glob("*.md") if path.name != "README.md")
READ = {".py", ".md", ".java", ".go", ".mjs", ".cjs", ".sh"}

# `partiql.md 4.3`, `wire.md 7 #15`, `partiql.md 9 Q14`, `measurements.md G10`; backticks may stand around the name.
CITATION = re.compile(
    r"(?P<page>[a-z-]+\.md)`?,? (?P<heading>\d+(?:\.\d+)*)?(?P<row>(?:^|(?<=\.md )|(?<=\.md` )| )(?:#|Q|G)\d+\w*)?"
)


def tracked() -> list[Path]:
    if shutil.which("git") is None:
        pytest.skip("git is not installed: the files of the project are not known")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout: the files of the project are not known")
    paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in READ and path.is_file() and path.name != "CHANGELOG.md"]


@cache
def headings(page: str) -> frozenset[str]:
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return frozenset(re.findall(r"^##+ (\d+(?:\.\d+)*)\.? ", text, flags=re.MULTILINE))


@cache
def rows(page: str) -> frozenset[str]:
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return frozenset(re.findall(r"^\| (#?\w+) \|", text, flags=re.MULTILINE))


def unresolved(text: str) -> list[str]:
    """Return the citations in a text that name a heading or a row which the page does not have."""
    found = []
    for match in CITATION.finditer(text):
        page = match["page"]
        if page not in PAGES:
            continue
        row = (match["row"] or "").strip().removeprefix("#")
        no_heading = match["heading"] and match["heading"] not in headings(page)
        no_row = row and row not in rows(page)
        if no_heading or no_row:
            found.append(match[0])
    return found


def test_every_citation_resolves() -> None:
    wrong = {path: unresolved(path.read_text(encoding="utf-8")) for path in tracked() if path != Path(__file__)}
    assert {str(path.relative_to(ROOT)): found for path, found in wrong.items() if found} == {}


# Pages of notes that never were in this repository.  A reader cannot open them, so their facts stand in docs/reference.
NOTES_OUTSIDE = ("wire-captures", "users", "style", "review", "attacks", "experience", "oracle", "scale", "archive")


def test_no_citation_names_a_page_outside_the_repository() -> None:
    named = re.compile(rf"(?<![\w/\"])(?:{'|'.join(NOTES_OUTSIDE)})\.md(?= \d|:)")
    texts = {path: path.read_text(encoding="utf-8") for path in tracked() if path != Path(__file__)}
    assert [str(path.relative_to(ROOT)) for path, text in texts.items() if named.search(text)] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("see partiql.md 4.3", []),
        ("see `partiql.md` 9 Q14", []),
        ("see wire.md 7 #15", []),
        ("see measurements.md G10", []),
        ("see partiql.md 4.99", ["partiql.md 4.99"]),
        ("see partiql.md 9 Q99", ["partiql.md 9 Q99"]),
        ("see measurements.md G99", ["measurements.md G99"]),
    ],
)
def test_a_citation_is_told_from_a_wrong_one(text: str, wrong: list[str]) -> None:
    assert unresolved(text) == wrong
