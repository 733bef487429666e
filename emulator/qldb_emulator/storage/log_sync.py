"""Commits to the disk, several with one sync.

SQLite commits to its write-ahead log without waiting for the disk (``synchronous = NORMAL``).  A caller whose commit
must survive a power cut then syncs the log itself, through a descriptor of its own.  SQLite does the same in a commit
at ``FULL``, but inside its lock.  Outside of it, other threads commit while one waits for the disk, and the next sync
covers all of them.

A commit is in the log, or a checkpoint has moved it from there into the file, which NORMAL syncs before the log is
written over; so a sync of the log is enough.  The log is one file for as long as a connection is open.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from .connections import Durability
from .errors import unusable

sync_descriptor = getattr(os, "fdatasync", os.fsync)  # the size of the file is all of its metadata that matters


class LogSync:
    """How many commits a ledger file has had, and how many of them are on the disk.

    commits: raised under the file's write lock, after the commit.
    """

    def __init__(self, path: Path, durability: Durability) -> None:
        self.commits = 0
        self._path = path
        self._is_off = durability != "full"
        self._synced = 0
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    @property
    def unsynced(self) -> bool:
        """Whether there are commits that a power cut would take back."""
        return not self._is_off and self._synced < self.commits

    def sync(self, through: int) -> None:
        """Return when the commits up to this number are on the disk.  Raises StorageError."""
        if self._is_off or self._synced >= through:
            return
        with self._lock:
            if self._synced >= through:
                return  # another thread's sync covered this commit, too
            covered = self.commits
            try:
                if self._descriptor is None:
                    self._descriptor = os.open(f"{self._path}-wal", os.O_RDONLY)
                sync_descriptor(self._descriptor)
            except OSError as problem:
                raise unusable(self._path, problem) from problem
            self._synced = covered

    def close(self) -> None:
        """The file is being closed, which moves every commit to the disk."""
        with self._lock:
            self._synced = self.commits
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
