"""The lock of a data directory: one process at a time may use it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from .errors import DirectoryInUseError, StorageError

LOCK_FILE = ".lock"


class DirectoryLock:
    """An exclusive lock on a data directory.  It ends with the process at the latest.

    The lock file is never removed: otherwise two processes could lock two different files of one name.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._path = str(root / LOCK_FILE)
        self._place: tuple[int, int] | None = None
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.  Raises DirectoryInUseError with its owner, or StorageError if the lock cannot be written."""
        if self._descriptor is not None:
            return
        try:
            descriptor = os.open(self.root / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as problem:
            raise StorageError(f"The data directory {self.root} cannot be locked: {problem}") from problem
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            owner = _owner(descriptor)
            os.close(descriptor)
            raise DirectoryInUseError(self.root, owner) from None
        except OSError as problem:
            os.close(descriptor)
            raise StorageError(f"The data directory {self.root} cannot be locked: {problem}") from problem
        self._descriptor = descriptor
        self._place = place_of(self._path)

    def check(self) -> None:
        """Check that other processes still see the lock.  Raises StorageError if its file was removed or replaced.

        Does nothing if the lock is not held.
        """
        if self._descriptor is not None and place_of(self._path) != self._place:
            raise StorageError(
                f"The lock file {self.root / LOCK_FILE} was removed or replaced while it was held, so another process"
                " may be working in the data directory. Stop this server and start it again"
            )

    def release(self) -> None:
        """Release the lock; does nothing if it is not held."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):  # the pid in it is only information; closing the file releases the lock
            os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None

    def __enter__(self) -> DirectoryLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def place_of(path: str) -> tuple[int, int] | None:
    """Return what identifies the file that a path leads to, valid while it is open; None if there is no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _owner(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).strip()
    return int(text) if text.isdigit() else None
