"""``verify`` of a ledger reads, and nothing else: on a read-only file system, beside a server, of older files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.ledgers import busy_ledger
from helpers.local_driver import REGION, LocalSession

from qldb_emulator.cli.options import Unreadable
from qldb_emulator.cli.verify import audit_ledger_file
from qldb_emulator.clock import ManualClock
from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.ids import RandomIds
from qldb_emulator.settings import Settings
from qldb_emulator.storage.stored_rows import StoredRows


def begin(root: Path) -> Emulator:
    clock = ManualClock(tick_ms=1)
    return Emulator(Settings(data_dir=root), clock, RandomIds(clock))


@contextmanager
def read_only(folder: Path, copied: Path) -> Iterator[Path]:
    """Yield a file system without writing that holds a copy of a folder; a skip where this user may not mount one."""
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "none", folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        for path in copied.iterdir():
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_closed_ledger_is_verified_where_nothing_can_be_written(tmp_path: Path) -> None:
    with begin(tmp_path / "data") as emulator:
        busy_ledger(emulator)
    with read_only(tmp_path / "mounted", tmp_path / "data" / REGION) as folder:
        assert audit_ledger_file(folder / "cars.qldb", "").verdict == "whole"
        assert [path.name for path in folder.iterdir()] == ["cars.qldb"]


def test_what_a_killed_server_left_in_its_log_is_verified_too(tmp_path: Path) -> None:
    """Copied while the server runs, as a kill would leave it: most blocks are in the log alone."""
    with begin(tmp_path / "data") as emulator:
        session = busy_ledger(emulator)
        session.run("INSERT INTO Owner {'name': 'late'}")
        ledger = emulator.ledgers.find(REGION, "cars")
        assert ledger is not None
        ledger.make_durable()
        last = ledger.tip().sequence_no
        with read_only(tmp_path / "mounted", tmp_path / "data" / REGION) as folder:
            assert "cars.qldb-wal" in {path.name for path in folder.iterdir()}
            report = audit_ledger_file(folder / "cars.qldb", "")
    assert report.verdict == "whole"
    assert report.verification.last is not None
    assert report.verification.last.sequence_no == last


def test_beside_a_server_all_rows_are_of_one_moment(tmp_path: Path) -> None:
    with begin(tmp_path) as emulator:
        session = busy_ledger(emulator)
        with StoredRows.open(tmp_path / REGION / "cars.qldb") as stored:
            before = (stored.ends(), stored.count("revision"))
            LocalSession(emulator, "cars").run("INSERT INTO Owner {'name': 'late'}")
            assert (stored.ends(), stored.count("revision")) == before
        session.run("SELECT * FROM Owner")
        assert audit_ledger_file(tmp_path / REGION / "cars.qldb", "").verdict == "whole"


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "not a ledger"), (b"no database" * 100, "not a database"), (None, "There is no ledger file")],
)
def test_a_file_that_is_not_a_ledger_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / "cars.qldb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Unreadable, match=reason):
        audit_ledger_file(path, "")
    assert content is None or path.read_bytes() == content
