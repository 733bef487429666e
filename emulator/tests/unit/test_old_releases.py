"""Ledger files of earlier releases: this version opens them, they verify, and their digest is what it was.

The files are in ``data/releases``, made by ``make.py`` there with the code of each release.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.support import ROOT

from qldb_emulator.cli import main
from qldb_emulator.driver import LedgerSession
from qldb_emulator.driver.local import LocalTransport
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ion.codec import dumps_text
from qldb_emulator.settings import Settings

RELEASES = ROOT / "emulator" / "tests" / "data" / "releases"
VERSIONS = sorted(path.name for path in RELEASES.iterdir() if (path / "cars.qldb").is_file())
SCHEMAS = {"0.1.0": 2}
"""The schema of each kept file: a file that was opened and written back would prove nothing."""


@pytest.fixture(params=VERSIONS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, dict[str, Any]]:
    """(version, a data directory with a copy of its ledger, what it answered)."""
    version = request.param
    (tmp_path / "us-east-1").mkdir()
    shutil.copy(RELEASES / version / "cars.qldb", tmp_path / "us-east-1")
    return version, tmp_path, json.loads((RELEASES / version / "expected.json").read_text())


def test_there_are_files_of_releases() -> None:
    assert set(VERSIONS) == SCHEMAS.keys()


def test_the_file_is_as_that_release_wrote_it(kept: tuple[str, Path, dict[str, Any]]) -> None:
    version, folder, _ = kept
    with closing(sqlite3.connect(folder / "us-east-1" / "cars.qldb")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMAS[version],)


def test_statements_answer_as_they_did_and_the_digest_is_the_same(kept: tuple[str, Path, dict[str, Any]]) -> None:
    _, folder, expected = kept
    with Emulator(Settings(data_dir=folder)) as emulator:
        transport = LocalTransport(emulator)
        digest = transport.call("GetDigest", {"Name": "cars"})
        found = digest["Digest"]
        assert (base64.b64encode(found).decode() if isinstance(found, bytes) else found) == expected["digest"]
        assert digest["DigestTipAddress"]["IonText"] == expected["tip"]
        session = LedgerSession(transport, "cars")
        for question, rows in expected["answers"].items():
            assert [dumps_text(row) for row in session.run(question).rows] == rows, question
        session.run("INSERT INTO Car {'VIN': '4', 'owner': 'Alexis'}")
        assert len(session.run("SELECT * FROM Car WHERE VIN = '4'").rows) == 1
        session.end()


def test_it_verifies_before_and_after_it_is_opened(kept: tuple[str, Path, dict[str, Any]]) -> None:
    _, folder, expected = kept
    verify = ["verify", "cars", "--data-dir", str(folder), "--digest", expected["digest"], "--tip", expected["tip"]]
    assert CliRunner().invoke(main, verify).exit_code == 0
    with Emulator(Settings(data_dir=folder)) as emulator:
        LocalTransport(emulator).call("DescribeLedger", {"Name": "cars"})
    done = CliRunner().invoke(main, verify)
    assert done.exit_code == 0, done.output
