"""A lock that keeps two processes from writing or removing one file at the same time.

Followers of one SQLite file share the lock.  Who makes a file, or removes an empty one, needs it alone.  It is a file
beside the target, ``<name>.lock``, locked by flock, so it ends with its process.  The file is removed by the last one
that holds it.  A process that was killed leaves it behind, which does no harm.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".lock"
WAIT_SECONDS = 30  # for another process to end what it does alone
_AGAIN_SECONDS = 0.05
_NEW = b"new"


class InUseError(Exception):
    """Another process holds the lock."""


class FileLock:
    """The lock of one target, held from the beginning until ``release``."""

    def __init__(self, target: Path, alone: bool) -> None:
        """Take it.  alone: no other process may hold it.  Otherwise it is shared; one that is held alone is waited for.

        Raises InUseError, and OSError when there can be no such file.
        """
        self._target = target
        self._path = target.with_name(target.name + SUFFIX)
        self._descriptor = self._taken_alone() if alone else self._taken_shared()

    def _taken_alone(self) -> int:
        descriptor = self._take(fcntl.LOCK_EX)
        if descriptor is None:
            raise InUseError
        return descriptor

    def _taken_shared(self) -> int:
        deadline = time.monotonic() + WAIT_SECONDS
        while (descriptor := self._take(fcntl.LOCK_SH)) is None:
            if time.monotonic() > deadline:
                raise InUseError
            time.sleep(_AGAIN_SECONDS)
        return descriptor

    def _take(self, kind: int) -> int | None:
        """The open and locked file; None while another process holds it."""
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                if self._is_there(descriptor):
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                return None
            except BaseException:
                os.close(descriptor)
                raise
            # Its last holder removed the file after it was opened here: others lock a new one.
            os.close(descriptor)

    def _is_there(self, descriptor: int) -> bool:
        mine = os.fstat(descriptor)
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (mine.st_dev, mine.st_ino) == (found.st_dev, found.st_ino)

    def is_new(self) -> bool:
        """Whether the target was missing when the first of those who share the lock asked this.

        Each asks before it makes the target, so a later one, who finds the file, still learns that it was missing.
        """
        if not self._target.exists():
            os.pwrite(self._descriptor, _NEW, 0)
        return os.pread(self._descriptor, len(_NEW), 0) == _NEW

    def alone(self) -> bool:
        """Whether this object now holds it alone.  If not, it may no longer hold it at all."""
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let go of it; the last one removes the file."""
        try:
            if self.alone() and self._is_there(self._descriptor):
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


@contextmanager
def held_alone(target: Path) -> Iterator[None]:
    """Hold the lock of a target alone.  Raises InUseError, OSError."""
    lock = FileLock(target, alone=True)
    try:
        yield
    finally:
        lock.release()
