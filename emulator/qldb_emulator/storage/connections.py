"""SQLite connections: how to open them, and the pool of those that only read."""

from __future__ import annotations

import sqlite3
from collections import deque
from pathlib import Path
from typing import Literal

from .errors import SQLITE_ERRORS, StorageError, unusable

Durability = Literal["full", "cache", "off"]
"""full: an acknowledged commit survives a power cut.  cache: a power cut may undo the last commits, but the file stays
consistent; for files whose journal is in a shared log.  off: for files that are deleted at exit."""

SYNCHRONOUS = {"full": 1, "cache": 1, "off": 0}
"""SQLite's level for a file.  NORMAL keeps log and file in order; LogSync makes sure that a commit is on the disk."""

CACHE_KIB = 65_536
SCAN_CACHE_KIB = 1_024
"""For connections that read tables and journals through: they need no page twice, and a small cache stays in the
processor's.  A first scan takes a fifth less time than with CACHE_KIB (docs/design/008-scans-over-binary.md)."""
BUSY_SECONDS = 10  # only another process that reads the file (an SQLite shell) can make us wait
_STATEMENTS = 256
_WAL_BYTES_KEPT = 64 * 1024 * 1024
_IDLE_READERS = 8


def connect(path: Path, mode: Literal["rw", "rwc"] = "rw", options: str = "") -> sqlite3.Connection:
    """Open a database file; ``rw`` never creates one.  The caller begins and ends transactions.

    options: further parameters of SQLite's URI, each after an ``&``.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}{options}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,  # handed from thread to thread, never used by two at once
        cached_statements=_STATEMENTS,
        timeout=BUSY_SECONDS,
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        connection.execute("PRAGMA secure_delete = ON")  # redacted data must not stay in free pages
        connection.execute("PRAGMA temp_store = MEMORY")  # nor in temporary files of SQLite
    except BaseException:
        connection.close()
        raise
    return connection


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch a file to write-ahead logging, in which readers and the writer never wait for each other."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise StorageError(f"its file system does not allow write-ahead logging (journal mode stays {mode!r})")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")


class ReaderPool:
    """Connections that only read.

    The connection that was used last is taken first, because it has its pages in memory.  The pool has as many
    connections as were ever needed at once, not one for each thread.  A connection is out for one statement only.
    cache_kib: how many kilobytes of pages each keeps.
    """

    def __init__(self, path: Path, cache_kib: int = CACHE_KIB) -> None:
        self._path = path
        self._cache_kib = cache_kib
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def take(self) -> sqlite3.Connection:
        """Return a connection that no other thread uses until it is given back."""
        try:
            connection = self._idle.pop()  # a deque's pop and append are atomic
        except IndexError:
            connection = self._connect()
        if self._closed:
            connection.close()
            raise StorageError(f"The ledger file {self._path} is closed")
        return connection

    def give(self, connection: sqlite3.Connection) -> None:
        """Give a connection back."""
        if len(self._idle) >= _IDLE_READERS:
            connection.close()
            return
        self._idle.append(connection)
        if self._closed:  # the pool was closed while this connection was out
            self._close_idle()

    def close(self) -> None:
        """Close idle connections now, and the others when they are given back."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread was faster
                return

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise StorageError(f"The ledger file {self._path} is closed")
        connection = None
        try:
            connection = connect(self._path)
            connection.execute(f"PRAGMA cache_size = -{self._cache_kib}")
            connection.execute("PRAGMA query_only = ON")
        except SQLITE_ERRORS as problem:
            if connection is not None:
                connection.close()
            raise unusable(self._path, problem) from problem
        return connection
