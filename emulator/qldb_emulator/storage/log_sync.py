"""Syncs commits to the disk, several commits with one sync.

SQLite commits to its write-ahead log without waiting for the disk (``synchronous = NORMAL``).  A caller whose commit
must survive a power cut then syncs the log itself, through a descriptor of its own.  SQLite does the same in a commit
at ``FULL``, but under its lock.  Here other threads commit while one waits for the disk, and the next sync serves all.

A commit is in the log, or a checkpoint has moved it into the file.  NORMAL syncs the file before it overwrites the log,
so it is enough to sync the log.  The log stays the same file while any connection is open.

After a sync that failed, another that succeeds says nothing about the commits before it: Linux reports a failed write
once, and then takes its pages for written (https://wiki.postgresql.org/wiki/Fsync_Errors).  So the commits count as
synced only when they are in the file itself, which writes them again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from ..waiting import about_to_wait
from .connections import Durability
from .errors import unusable

sync_descriptor = getattr(os, "fdatasync", os.fsync)  # of a file's metadata only its size matters


class LogSync:
    """Counts the commits of a ledger file, and those that are on the disk.

    commits: increased under the file's write lock, after the commit.
    """

    def __init__(self, path: Path, durability: Durability) -> None:
        self.commits = 0
        self._path = path
        self._is_off = durability != "full"
        self._synced = 0
        self._has_failed = False  # the log may lack commits on the disk though a later sync succeeds
        self._lock = threading.Lock()
        self._descriptor: int | None = None

    @property
    def unsynced(self) -> bool:
        """Whether a power cut would undo some commits."""
        return not self._is_off and self._synced < self.commits

    def is_synced(self, through: int) -> bool:
        """Whether the commits up to this number need no sync."""
        return self._is_off or self._synced >= through

    def sync(self, through: int, checkpoint: Callable[[], None]) -> None:
        """Return when the commits up to this number are on the disk.

        checkpoint: moves all commits into the file and empties the log.  Raises StorageError.
        """
        if self.is_synced(through):
            return
        about_to_wait()
        with self._lock:
            if self._synced >= through:
                return  # another thread's sync covered this commit, too
            covered = self.commits
            try:
                if self._descriptor is None:
                    self._descriptor = os.open(f"{self._path}-wal", os.O_RDONLY)
                sync_descriptor(self._descriptor)
            except OSError as problem:
                self._has_failed = True
                raise unusable(self._path, problem) from problem
            if self._has_failed:
                checkpoint()
                self._has_failed = False
            self._synced = covered

    def close(self) -> None:
        """Close the descriptor: the file is being closed, which moves every commit to the disk."""
        with self._lock:
            self._synced = self.commits
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
