"""The errors of ledger files and data directories, in sentences for their owner.

::

    StorageError                 a file cannot be used: missing, damaged, full, not ours, closed
      StorageVersionError        a ledger file of a newer emulator
      BeingMadeError             another thread writes the new file
      DirectoryInUseError        another process works in the data directory
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises for an unusable file; UnicodeDecodeError when SQLite's own message quotes damaged text."""


class StorageError(Exception):
    """A ledger file or the data directory cannot be used.  The text names the file and the reason."""


class StorageVersionError(StorageError):
    """The ledger file was written by a newer emulator, so this one does not change it."""


class BeingMadeError(StorageError):
    """Another thread writes the new file of this name, an import for example."""


class DirectoryInUseError(StorageError):
    """Another process holds the data directory.

    pid: its process id; None if the lock file does not hold one (its owner is starting or stopping).
    """

    def __init__(self, root: Path, pid: int | None) -> None:
        owner = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"The data directory {root} is in use by {owner}. Stop it, or choose another data directory.")
        self.root = root
        self.pid = pid


def unusable(path: Path, problem: Exception) -> StorageError:
    """Return an error of SQLite or the file system about a ledger file as a StorageError."""
    return StorageError(f"The ledger file {path} cannot be used: {problem}")
