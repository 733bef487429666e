"""Where the ledger files are: ``<data directory>/<region>/<ledger name>.qldb``.

Snapshots are ledger files, too: ``<data directory>/<region>/.snapshots/<ledger name>/<snapshot name>.qldb``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .connections import Durability
from .errors import StorageError
from .ledger_file import UNFINISHED, LedgerFile, move_database, remove_database
from .lock import DirectoryLock

if TYPE_CHECKING:
    import tempfile

SUFFIX = ".qldb"
SNAPSHOTS = ".snapshots"

# The engine decides what a ledger may be called.  These are the names that every file system takes as plain names.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\Z")


def is_possible(name: str) -> bool:
    """Whether a ledger, snapshot or region may have this name."""
    return _NAME.match(name) is not None


class DataDirectory:
    """A directory of ledger files, locked against other processes until it is closed.

    root: created if it is missing.  None: a temporary directory, whose files are never synced to the disk; it is
    removed at close, or at exit.
    durability: of the files; by default "full", and "off" in a temporary directory.
    Raises DirectoryInUseError if another process holds it, StorageError if it cannot be created.
    """

    def __init__(self, root: Path | None = None, durability: Durability | None = None) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        if root is None:
            import tempfile  # takes 5 ms, with what it imports

            self._temporary = tempfile.TemporaryDirectory(prefix="qldb-emulator-")
            root = Path(self._temporary.name)
        self.root = root
        self.durability: Durability = "off" if self._temporary else durability or "full"
        self._make(root)
        self._lock = DirectoryLock(root)
        self._lock.acquire()
        self._remove_unfinished()

    @property
    def ephemeral(self) -> bool:
        """Whether everything in the directory is deleted at close."""
        return self._temporary is not None

    def regions(self) -> list[str]:
        """Return the regions that have a folder, sorted."""
        return sorted(entry.name for entry in _entries(self.root) if entry.is_dir() and _NAME.match(entry.name))

    def ledgers(self, region: str) -> list[str]:
        """Return the names of a region's ledgers, sorted; other files are ignored."""
        files = _entries(self._folder(region))
        names = (entry.stem for entry in files if entry.suffix == SUFFIX and entry.is_file())
        return sorted(name for name in names if _NAME.match(name))

    def path(self, region: str, name: str) -> Path:
        """Return the path of a ledger's file, which may not exist.  Raises StorageError for an impossible file name."""
        return self._folder(region) / f"{_checked(name)}{SUFFIX}"

    def exists(self, region: str, name: str) -> bool:
        """Whether this ledger has a file; False for an impossible file name."""
        return is_possible(region) and is_possible(name) and self.path(region, name).is_file()

    def has_snapshot(self, region: str, ledger: str, snapshot: str) -> bool:
        """Whether this snapshot has a file; False for an impossible file name."""
        names = (region, ledger, snapshot)
        return all(map(is_possible, names)) and self.snapshot_path(region, ledger, snapshot).is_file()

    def create(self, region: str, name: str, facts: Mapping[str, Any] | None = None) -> LedgerFile:
        """Create a ledger's file and open it.  Raises StorageError if it exists."""
        path = self.path(region, name)
        self._make(path.parent)
        file = LedgerFile.create(path, self.durability, facts)
        file.lock = self._lock
        return file

    @contextmanager
    def appearing(self, region: str, name: str) -> Iterator[LedgerFile]:
        """Yield the open file of a new ledger, unsynced and under a temporary name until it is complete.

        It gets its real name when the block ends; an exception leaves no file.  Raises StorageError if a file of this
        name exists.
        """
        path = self.path(region, name)
        self._make(path.parent)
        with LedgerFile.appearing(path, self.durability) as file:
            yield file

    def adopt(self, region: str, name: str, path: Path) -> None:
        """Make a closed ledger file from elsewhere the file of a new ledger; it is moved, whole or not at all.

        Raises StorageError when there is a ledger of this name.
        """
        target = self.path(region, name)
        self._make(target.parent)
        move_database(path, target, self.durability)

    def open(self, region: str, name: str) -> LedgerFile:
        """Open a ledger's file.  Raises StorageError, see LedgerFile.open."""
        file = LedgerFile.open(self.path(region, name), self.durability)
        file.lock = self._lock
        return file

    def delete(self, region: str, name: str) -> None:
        """Delete a ledger's file, which must be closed.  Raises StorageError if it does not exist."""
        path = self.path(region, name)
        if not path.is_file():
            raise StorageError(f"There is no ledger file {path}")
        try:
            remove_database(path)
        except OSError as problem:
            raise StorageError(f"The ledger file {path} cannot be deleted: {problem}") from problem

    # --- snapshots ---------------------------------------------------------------------------------------------
    def snapshot_path(self, region: str, ledger: str, snapshot: str) -> Path:
        """Return the path of a snapshot, which may not exist.  Raises StorageError for an impossible file name."""
        return self._folder(region) / SNAPSHOTS / _checked(ledger) / f"{_checked(snapshot)}{SUFFIX}"

    def snapshots(self, region: str) -> list[tuple[str, str]]:
        """Return (ledger, snapshot) for each snapshot of a region, sorted; the ledger itself may have been deleted."""
        files = (self._folder(region) / SNAPSHOTS).glob(f"*/*{SUFFIX}")
        return sorted((path.parent.name, path.stem) for path in files if _NAME.match(path.stem))

    def take_snapshot(self, file: LedgerFile, region: str, ledger: str, snapshot: str) -> None:
        """Keep a copy of a ledger as it is now.  Raises StorageError if a snapshot of this name exists."""
        path = self.snapshot_path(region, ledger, snapshot)
        self._make(path.parent)
        file.fork(path)

    def open_snapshot(self, region: str, ledger: str, snapshot: str) -> LedgerFile:
        """Open a snapshot for reading.  Raises StorageError, see LedgerFile.open."""
        return LedgerFile.open(self.snapshot_path(region, ledger, snapshot), self.durability)

    def delete_snapshot(self, region: str, ledger: str, snapshot: str) -> None:
        """Delete a snapshot, which must be closed.  Raises StorageError if that fails."""
        path = self.snapshot_path(region, ledger, snapshot)
        try:
            remove_database(path)
        except OSError as problem:
            raise StorageError(f"The snapshot {path} cannot be deleted: {problem}") from problem

    def close(self) -> None:
        """Unlock the directory; delete it if it is temporary.  Its ledgers must be closed."""
        self._lock.release()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> DataDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _remove_unfinished(self) -> None:
        """Delete the files of ledgers and snapshots that a process was still writing when it died."""
        name = f"*{SUFFIX}{UNFINISHED}*"
        for leftover in [*self.root.glob(f"*/{name}"), *self.root.glob(f"*/{SNAPSHOTS}/*/{name}")]:
            with suppress(OSError):
                leftover.unlink()

    def _folder(self, region: str) -> Path:
        return self.root / _checked(region)

    def _make(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise StorageError(f"The directory {folder} cannot be made: {problem}") from problem


def _entries(folder: Path) -> list[Path]:
    """Return what is in a folder; empty if it is not a folder, or if ``close`` deletes it during a request."""
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _checked(name: str) -> str:
    if not _NAME.match(name):
        raise StorageError(f"{name!r} cannot be the name of a file")
    return name
