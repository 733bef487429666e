"""What can go wrong with files, in sentences for the person who owns them.

::

    StorageError                 a file cannot be used: missing, damaged, full, not ours, closed
      StorageVersionError        a ledger file of a newer emulator
      DirectoryInUseError        another process works in the data directory
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises for a file that it cannot use: the second where its own message quotes damaged text."""


class StorageError(Exception):
    """A ledger file or the data directory cannot be used.  The text names the file and the reason."""


class StorageVersionError(StorageError):
    """The ledger file was written by a newer emulator; this one leaves it alone."""


class DirectoryInUseError(StorageError):
    """Another process holds the data directory.

    pid: its process id; None when the lock names none (its owner is just starting or stopping).
    """

    def __init__(self, root: Path, pid: int | None) -> None:
        owner = f"process {pid}" if pid is not None else "another process"
        super().__init__(f"The data directory {root} is in use by {owner}. Stop it, or choose another data directory.")
        self.root = root
        self.pid = pid


def unusable(path: Path, problem: Exception) -> StorageError:
    """What SQLite or the file system said about a ledger file, as a StorageError."""
    return StorageError(f"The ledger file {path} cannot be used: {problem}")
