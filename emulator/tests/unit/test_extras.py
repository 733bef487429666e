"""What is said where a library of an extra is missing."""

from __future__ import annotations

import tomllib
from pathlib import Path

from qldb_emulator.extras import EXTRAS, install_command

ROOT = Path(__file__).resolve().parents[3]
OF_DEVELOPERS = {"test", "docs", "release", "check"}


def test_the_table_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: tuple(rows) for name, rows in project["optional-dependencies"].items() if name not in OF_DEVELOPERS}
    assert extras == EXTRAS


def test_a_command_can_be_pasted_into_a_shell() -> None:
    assert install_command("postgres") == "pip install 'psycopg[binary]>=3.1'"
    assert install_command("tls") == "pip install 'trustme>=1.2'"


def test_no_message_sends_its_reader_to_an_index_that_does_not_have_this_package() -> None:
    files = [*(ROOT / "emulator" / "qldb_emulator").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    assert [str(path) for path in files if "qldb-emulator[" in path.read_text() and path.name != "extras.py"] == []
