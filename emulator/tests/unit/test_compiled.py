"""``--version`` says which build runs; so does the health check (test_web_admin)."""

from __future__ import annotations

from click.testing import CliRunner

from qldb_emulator.cli import main
from qldb_emulator.compiled import build
from qldb_emulator.ion import binary_reader


def test_the_build_is_that_of_the_modules_in_use() -> None:
    is_source = str(binary_reader.__file__).endswith(".py")
    assert build() == ("pure Python" if is_source else "compiled")


def test_the_command_says_its_build() -> None:
    assert f"({build()})" in CliRunner().invoke(main, ["--version"]).output
