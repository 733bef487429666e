"""Generated pages are up to date, and the docstrings that they are generated from can be parsed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from helpers.support import ROOT

sys.path.insert(0, str(ROOT / "docs" / "make"))
import pages

PAGES = pages.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_made_page_is_what_the_code_makes_of_it(path: Path) -> None:
    assert path.read_text() == PAGES[path], "run scripts/docs"


def test_every_command_and_route_is_on_its_page() -> None:
    text = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in pages.COMMANDS if f"## qldb-emulator {name}\n" not in text] == []
    text = (ROOT / "docs" / "snapshots.md").read_text()
    assert [route.rule for route in pages.ROUTES if f"`{route.method} " not in text] == []


def test_every_source_in_a_docstrings_table_is_one_that_there_is() -> None:
    known = ("recorded", "captured", "documented", "driver test", "sample", "inferred", "ours")
    rows = [(module, row) for module, found in pages.docstring_tables() for row in found]
    wrong = [(module, row) for module, row in rows if row[2] and not row[2].startswith(known)]
    assert wrong == []
