"""Files removed under a running server, a full disk, and what a killed server left unfinished."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers.local_driver import CONTEXT, REGION, LocalSession, new_ledger

from qldb_emulator.engine.emulator import Emulator
from qldb_emulator.errors import QldbError
from qldb_emulator.settings import Settings
from qldb_emulator.storage import DataDirectory
from qldb_emulator.storage.ledger_file import IN_PLACE_SECONDS

CREATE = {"Name": "cars", "PermissionsMode": "ALLOW_ALL", "DeletionProtection": False}


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """Yield a file system of a size; a skip where this user may not mount one."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kib}k", "none"]
    if os.geteuid() or subprocess.run(["mount", *options, folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


# --- files pulled away ------------------------------------------------------------------------------------------
def remove(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


@pytest.mark.parametrize("pull", [remove, replace])
@pytest.mark.parametrize(
    ("name", "reason"), [(f"{REGION}/cars.qldb", "The ledger file .* was removed"), (".lock", "The lock file .* was")]
)
def test_a_file_that_was_pulled_away_is_noticed(
    tmp_path: Path, pull: Callable[[Path], None], name: str, reason: str
) -> None:
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        begun = session.begin()
        begun.execute("INSERT INTO T {'a': 1}")
        pull(tmp_path / name)
        time.sleep(IN_PLACE_SECONDS)
        questions: dict[str, Callable[[], object]] = {
            "commit": begun.commit,
            "statement in an open session": lambda: session.run("SELECT * FROM T"),
            "new session": lambda: LocalSession(emulator, "cars"),
            "describe": lambda: emulator.call("DescribeLedger", {"Name": "cars"}, CONTEXT),
            "digest": lambda: emulator.call("GetDigest", {"Name": "cars"}, CONTEXT),
            "create another of the name": lambda: emulator.call("CreateLedger", CREATE, CONTEXT),
        }
        for question, ask in questions.items():
            with pytest.raises(QldbError, match=reason) as caught:
                ask()
            assert caught.value.shape == "LedgerFileUnusableException", question


def test_a_restart_puts_it_right(tmp_path: Path) -> None:
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        new_ledger(emulator)
        (tmp_path / ".lock").unlink()
    with Emulator(Settings(data_dir=tmp_path)) as emulator:
        LocalSession(emulator, "cars").run("CREATE TABLE T")


# --- a full disk ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kib", [8, 60, 100])
def test_a_ledger_that_does_not_fit_is_not_made_at_all(tmp_path: Path, kib: int) -> None:
    """Neither its file nor its first block finds room: the storage error, and nothing under that name."""
    with small_disk(tmp_path / "disk", kib) as disk, Emulator(Settings(data_dir=disk)) as emulator:
        with pytest.raises(QldbError, match="cannot be used") as caught:
            emulator.call("CreateLedger", CREATE, CONTEXT)
        assert caught.value.shape == "LedgerFileUnusableException"
        assert emulator.call("ListLedgers", {}, CONTEXT) == {"Ledgers": []}
        assert [path.name for path in disk.rglob("*") if path.is_file()] == [".lock"]


def test_a_commit_on_a_full_disk_is_refused_and_the_next_one_goes_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 4_000) as disk, Emulator(Settings(data_dir=disk)) as emulator:
        session = new_ledger(emulator)
        session.run("CREATE TABLE T")
        ballast = disk / "ballast"
        ballast.write_bytes(b"\0" * (3_400_000 - sum(p.stat().st_size for p in disk.rglob("*") if p.is_file())))

        def fill() -> None:
            for _ in range(100):
                session.run("INSERT INTO T ?", {"a": "x" * 100_000})

        with pytest.raises(QldbError) as caught:
            fill()
        assert caught.value.shape == "LedgerFileUnusableException"
        ballast.unlink()
        session.run("INSERT INTO T {'b': 1}")
        assert session.run("SELECT b FROM T WHERE b = 1") == [{"b": 1}]


# --- leftovers --------------------------------------------------------------------------------------------------
def test_what_a_killed_process_left_half_made_is_removed_at_start(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as directory:
        with directory.create(REGION, "cars", {"name": "cars"}) as file:
            directory.take_snapshot(file, REGION, "cars", "kept")
        snapshots = directory.snapshot_path(REGION, "cars", "x").parent
    left = [
        folder / f"x.qldb.unfinished{suffix}"
        for folder in (tmp_path / REGION, snapshots)
        for suffix in ("", "-wal", "-shm", "-journal")
    ]
    for path in left:
        path.touch()
    with DataDirectory(tmp_path) as directory:
        assert [path for path in left if path.exists()] == []
        assert directory.snapshots(REGION) == [("cars", "kept")]
        assert directory.ledgers(REGION) == ["cars"]
