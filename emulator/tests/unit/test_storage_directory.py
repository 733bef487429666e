"""The data directory: which ledgers are in it, and that only one process may use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.support import ROOT

from qldb_emulator.storage import DataDirectory, DirectoryInUseError, DirectoryLock, StorageError

HOLD_LOCK = """
import sys
from pathlib import Path
from qldb_emulator.storage import DirectoryLock
DirectoryLock(Path(sys.argv[1])).acquire()
print("locked", flush=True)
sys.stdin.read()
"""


def hold_lock(root: Path) -> subprocess.Popen[str]:
    """Return another process that holds the directory until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "emulator")},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_ledgers_are_files_in_folders_of_regions(tmp_path: Path) -> None:
    with DataDirectory(tmp_path / "made" / "when missing") as directory:
        assert directory.regions() == []
        assert directory.ledgers("us-east-1") == []
        for region, name in [("us-east-1", "cars"), ("us-east-1", "Bikes"), ("eu-west-1", "cars")]:
            assert not directory.exists(region, name)
            directory.create(region, name, {"name": name}).close()
            assert directory.exists(region, name)
        assert directory.regions() == ["eu-west-1", "us-east-1"]
        assert directory.ledgers("us-east-1") == ["Bikes", "cars"]
        assert directory.root / "eu-west-1" / "cars.qldb" == directory.path("eu-west-1", "cars")
        with directory.open("us-east-1", "Bikes") as file:
            assert (file.meta("name"), file.durability) == ("Bikes", "full")


def test_files_that_are_no_ledgers_are_passed_over(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as directory:
        directory.create("us-east-1", "cars").close()
        folder = tmp_path / "us-east-1"
        (tmp_path / ".hidden").mkdir()
        (tmp_path / "notes.txt").touch()
        for name in ("cars.qldb-wal", "new.qldb.unfinished", "notes.txt", "two words.qldb", ".qldb"):
            (folder / name).touch()
        (folder / "folder.qldb").mkdir()
        assert directory.regions() == ["us-east-1"]
        assert directory.ledgers("us-east-1") == ["cars"]


def test_deleting_removes_the_file_and_what_stands_beside_it(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as directory:
        directory.create("us-east-1", "cars").close()
        for suffix in ("-wal", "-shm"):
            (tmp_path / "us-east-1" / f"cars.qldb{suffix}").touch()
        directory.delete("us-east-1", "cars")
        assert list((tmp_path / "us-east-1").iterdir()) == []
        assert directory.ledgers("us-east-1") == []
        with pytest.raises(StorageError, match="There is no ledger file"):
            directory.delete("us-east-1", "cars")
        directory.create("us-east-1", "cars", {"second": True}).close()


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../cars", "a/b", "a\\b", "a\0b", "/etc", "-x", "a.b", "ü", "a\n", "a" * 129]
)
def test_a_name_that_could_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with DataDirectory(tmp_path) as directory:
        for use in (
            lambda: directory.path("us-east-1", name),
            lambda: directory.path(name, "cars"),
            lambda: directory.create(name, "cars"),
            lambda: directory.open("us-east-1", name),
            lambda: directory.delete("us-east-1", name),
            lambda: directory.ledgers(name),
        ):
            with pytest.raises(StorageError, match="cannot be the name of a file"):
                use()
        assert not directory.exists("us-east-1", name)


def test_an_ephemeral_directory_is_gone_after_close() -> None:
    with DataDirectory() as directory:
        assert directory.ephemeral
        with directory.create("us-east-1", "cars") as file:
            assert file.durability == "off"
        root = directory.root
        assert root.is_dir()
    assert not root.exists()


def test_a_directory_that_is_gone_holds_nothing() -> None:
    directory = DataDirectory()
    directory.create("us-east-1", "cars").close()
    directory.close()
    assert directory.regions() == directory.ledgers("us-east-1") == []
    assert not directory.exists("us-east-1", "cars")


def test_a_file_where_a_region_would_be_holds_nothing(tmp_path: Path) -> None:
    with DataDirectory(tmp_path) as directory:
        (tmp_path / "us-east-1").write_text("")
        assert directory.regions() == directory.ledgers("us-east-1") == []
        assert not directory.exists("us-east-1", "cars")


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(StorageError, match="cannot be made"):
            DataDirectory(root)


def test_a_directory_in_use_is_refused_and_its_owner_named(tmp_path: Path) -> None:
    process = hold_lock(tmp_path)
    try:
        with pytest.raises(DirectoryInUseError, match=f"in use by process {process.pid}") as caught:
            DataDirectory(tmp_path)
        assert process.pid == caught.value.pid
    finally:
        process.communicate("")
    DataDirectory(tmp_path).close()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    process = hold_lock(tmp_path)
    process.kill()
    process.communicate()
    with DirectoryLock(tmp_path):
        assert f"{os.getpid()}\n" == (tmp_path / ".lock").read_text()


def test_one_process_does_not_get_a_directory_twice(tmp_path: Path) -> None:
    with DirectoryLock(tmp_path) as lock:
        lock.acquire()
        with pytest.raises(DirectoryInUseError, match=str(os.getpid())):
            DirectoryLock(tmp_path).acquire()
    lock.release()
    with DirectoryLock(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "nonsense"])
def test_a_lock_without_a_readable_owner_is_still_a_lock(tmp_path: Path, content: str) -> None:
    with DirectoryLock(tmp_path):
        (tmp_path / ".lock").write_text(content)
        with pytest.raises(DirectoryInUseError, match="in use by another process") as caught:
            DirectoryLock(tmp_path).acquire()
        assert caught.value.pid is None


def test_a_directory_that_cannot_be_locked_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(StorageError, match="cannot be locked"):
        DirectoryLock(tmp_path).acquire()
